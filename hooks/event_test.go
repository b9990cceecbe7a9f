package hooks_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/hooks"
)

func TestEnviron(t *testing.T) {
	t.Parallel()
	ev := hooks.Event{
		Name: "web", Hostname: "one", Hash: "aa", Phase: hooks.After, Status: hooks.StatusRollback,
		Error: "it\x00 said\nno", Artifact: "s3://b/k.tar.gz", Destination: "/srv/web", UpdateID: "u1",
		Started: time.Date(2015, time.January, 2, 16, 4, 5, 678, time.FixedZone("CET", 3600)),
	}
	want := []string{
		"DROPSHIP_NAME=web",
		"DROPSHIP_HOSTNAME=one",
		"DROPSHIP_HASH=aa",
		"DROPSHIP_PREVIOUS_HASH=",
		"DROPSHIP_PHASE=after",
		"DROPSHIP_STATUS=rollback",
		"DROPSHIP_ERROR=it said\nno",
		"DROPSHIP_ARTIFACT=s3://b/k.tar.gz",
		"DROPSHIP_DESTINATION=/srv/web",
		"DROPSHIP_UPDATE_ID=u1",
		"DROPSHIP_STARTED=2015-01-02T15:04:05Z",
	}
	if diff := cmp.Diff(want, ev.Environ()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
