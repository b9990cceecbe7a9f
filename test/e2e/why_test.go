package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/test/disk"
	"github.com/dropship/dropship/test/servers"
)

const (
	aHash = `[0-9a-f]{32}`
	aTime = `20\d\d-\d\d-\d\d \d\d:\d\d:\d\d [A-Z0-9+-]+`
	aTry  = ` \((trying again: asking for \S+, since|tried again (now|at)).*\)`
	aUser = `\w+@\S+`
)

// wantWhy waits until `dropship why` gives that reason: as its first line the one that is wanted, as the second what would
// change it, and no third. What an agent does from one moment to the next comes in between, so that it is asked until
// then. It returns the reason as programs get it.
func (d *daemon) wantWhy(service string, code dropship.ReasonCode, text, remedy string) dropship.Reason {
	d.t.Helper()
	want := "^" + text + "\n"
	if remedy != "" {
		want += "To change it: " + regexp.QuoteMeta(remedy) + "\n"
	}
	matches := regexp.MustCompile(want + "$")
	var reason dropship.Reason
	var out string
	found := false
	defer func() {
		if !found {
			d.t.Logf("why %s: got at last\n%s\nwant\n%s", service, out, want)
		}
	}()
	waitFor(d.t, limit, "the reason "+string(code), func() bool {
		answer, _, exit := d.run("why", service, "--json")
		var all []dropship.Reason
		if exit != 0 || json.Unmarshal([]byte(answer), &all) != nil || len(all) != 1 || all[0].Code != code {
			return false
		}
		reason = all[0]
		out, _, exit = d.run("why", service)
		found = exit == 0 && matches.MatchString(out)
		return found
	})
	if reason.Text == "" || strings.Contains(reason.Text, "\n") {
		d.t.Errorf("the reason of %s is no line: %q", service, reason.Text)
	}
	return reason
}

// wantRecent fails unless that is a time of this test.
func (d *daemon) wantRecent(what string, at time.Time) {
	d.t.Helper()
	if age := time.Since(at); age < -time.Second || age > 10*time.Minute {
		d.t.Errorf("%s: got %s, want a time of this test", what, at)
	}
}

func TestWhyUpToDate(t *testing.T) {
	t.Parallel()
	artifacts := t.TempDir()
	publish(t, artifacts, version(t, "1"))
	d := newDaemon(t, map[string]string{"dropship.hcl": web(artifacts, "")})
	d.start()
	r := d.wantWhy("web", dropship.ReasonUpToDate, "up to date at "+md5Hex(version(t, "1")), "")
	d.wantRecent("since", r.Since)
}

// The pause says who, since when, for how long and why, also after a restart; rollbacks and an end of its own are shown
// in steer_test.go.
func TestWhyPaused(t *testing.T) {
	t.Parallel()
	artifacts := t.TempDir()
	publish(t, artifacts, version(t, "1"))
	d := newDaemon(t, map[string]string{"dropship.hcl": web(artifacts, "")})
	d.env = []string{"SUDO_USER=rita"}
	d.start()
	d.waitFile("web/VERSION", "1")
	if out, errOut, code := d.run("pause", "web", "--reason", "the database is being moved", "--for", "2h"); code != 0 {
		t.Fatalf("pause: exit %d\n%s%s", code, out, errOut)
	}
	publish(t, artifacts, version(t, "2"))
	text := `paused by rita@\S+ since ` + aTime + " until " + aTime + ": the database is being moved"
	r := d.wantWhy("web", dropship.ReasonPaused, text, "dropship resume web")
	if left := time.Until(r.Until); left < time.Hour || left > 2*time.Hour {
		t.Errorf("the pause ends in %s, want two hours", left)
	}
	d.stop(terminate)
	d.start()
	d.wantWhy("web", dropship.ReasonPaused, text, "dropship resume web")
	if got := strings.TrimSpace(d.read("web/VERSION")); got != "1" {
		t.Errorf("it was updated to %s", got)
	}
}

func TestWhyQuarantined(t *testing.T) {
	t.Parallel()
	artifacts := t.TempDir()
	publish(t, artifacts, version(t, "1"))
	d := newDaemon(t, map[string]string{"dropship.hcl": web(artifacts, `  after "script" { command = "grep -q 1 VERSION || { echo no schema; exit 3; }" }`)})
	d.start()
	d.waitFile("web/VERSION", "1")
	publish(t, artifacts, version(t, "2"))
	r := d.wantWhy("web", dropship.ReasonQuarantined, "quarantined: hash "+md5Hex(version(t, "2"))+` failed on \S+ at `+aTime+
		`: after hook 2, script: .+: exit status 3; its last output: "no schema"`, "publish another artifact, or dropship retry web")
	d.wantRecent("since", r.Since)
}

func TestWhyRepositoryUnreachable(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	f := newFront(t, "", before(t, b.server.Endpoint))
	b.put("web.tar.gz", version(t, "1"))
	d := newDaemon(t, map[string]string{"dropship.hcl": "stateDir = \"state\"\nsocket = \"dropship.sock\"\n" + b.repo(f.URL) + fmt.Sprintf(`service "web" {
  checkInterval = "200ms"
  artifact "s3" {
    bucket      = %q
    path        = "web.tar.gz"
    destination = "web"
  }
}
`, b.name)})
	d.start()
	d.wantWhy("web", dropship.ReasonUpToDate, "up to date at "+aHash, "")
	f.set(cuts)
	r := d.wantWhy("web", dropship.ReasonUnreachable, "repository unreachable since "+aTime+`: cannot stat s3://`+b.name+`/web\.tar\.gz: .+`+aTry, "mend the repository, or the way to it")
	d.wantRecent("since", r.Since)
	// It stays the time of the first failure.
	waitFor(t, limit, "another check", func() bool { return strings.Contains(f.asked(), "HEAD") && r.Until.Before(time.Now()) })
	if again := d.wantWhy("web", dropship.ReasonUnreachable, "repository unreachable since "+regexp.QuoteMeta(dropship.LocalTime(r.Since))+": .+", "mend the repository, or the way to it"); !again.Since.Equal(r.Since) {
		t.Errorf("unreachable since %s, and later since %s", r.Since, again.Since)
	}
	f.set(passes)
	d.wantWhy("web", dropship.ReasonUpToDate, "up to date at "+aHash, "")
}

func TestWhyArtifactAbsent(t *testing.T) {
	t.Parallel()
	artifacts := t.TempDir()
	d := newDaemon(t, map[string]string{"dropship.hcl": web(artifacts, "")})
	d.start()
	d.wantWhy("web", dropship.ReasonAbsent, "artifact absent since "+aTime+`: cannot stat file://\S+/web\.tar\.gz: artifact does not exist`+aTry, "publish the artifact, or mend its path in the configuration")
}

// A proxy on the way changes a byte of each download.
func TestWhyVerificationFailed(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	to, err := url.Parse(b.server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	garbles := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(r *http.Response) error {
			if r.Request.Method != http.MethodGet {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			if err == nil && len(body) > 0 {
				body[len(body)/2] ^= 1
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			return err
		},
	}
	f := newFront(t, "", garbles)
	b.put("app", []byte("version 1"))
	d := newDaemon(t, map[string]string{"dropship.hcl": "stateDir = \"state\"\nsocket = \"dropship.sock\"\n" + b.repo(f.URL) + fmt.Sprintf(`service "web" {
  checkInterval = "200ms"
  artifact "s3" {
    bucket      = %q
    path        = "app"
    type        = "file"
    destination = "app"
  }
}
`, b.name)})
	d.start()
	d.wantWhy("web", dropship.ReasonVerification, "verification failed since "+aTime+": .*(checksum|md5).*"+aTry, "publish the artifact anew")
}

func TestWhyDiskFull(t *testing.T) {
	t.Parallel()
	small := disk.New(t, disk.Options{Kind: disk.Ext4})
	artifacts := t.TempDir()
	publish(t, artifacts, release(t, map[string]string{"VERSION": "1", "big": strings.Repeat("x", 2<<20)}))
	if err := small.Fill(1 << 20); err != nil {
		t.Fatal(err)
	}
	d := newDaemon(t, nil)
	d.write("dropship.hcl", strings.Replace(web(artifacts, ""), `destination = "web"`, fmt.Sprintf("destination = %q", small.Dir+"/web"), 1))
	d.start()
	d.wantWhy("web", dropship.ReasonDiskFull, "disk full since "+aTime+": .*"+regexp.QuoteMeta(small.Dir)+".*"+aTry, "make room")
	if err := small.Empty(); err != nil {
		t.Fatal(err)
	}
	d.wantWhy("web", dropship.ReasonUpToDate, "up to date at "+aHash, "")
}

// An update that was given up twice is not tried at each check.
func TestWhyBackingOff(t *testing.T) {
	t.Parallel()
	artifacts := t.TempDir()
	publish(t, artifacts, version(t, "1"))
	d := newDaemon(t, nil)
	d.write("dropship.hcl", strings.Replace(web(artifacts, fmt.Sprintf(`  before "script" { command = "! [ -e %s/broken ]" }`, d.dir)), `"100ms"`, `"10m"`, 1))
	d.start()
	d.wantWhy("web", dropship.ReasonUpToDate, "up to date at "+aHash, "")
	d.write("broken", "")
	publish(t, artifacts, version(t, "2"))
	waitFor(t, limit, "a check that tries nothing", func() bool {
		out, _, _ := d.run("check", "web")
		return strings.Contains(out, "tried again in")
	})
	r := d.wantWhy("web", dropship.ReasonBackingOff, "backing off until "+aTime+", failing since "+aTime+": .*before hook 1, script: .+: exit status 1",
		"mend what failed, and dropship retry web, or publish another artifact")
	if left := time.Until(r.Until); left < 5*time.Minute || left > 12*time.Minute {
		t.Errorf("tried again in %s, want at the first check ten minutes after the second time", left)
	}
	d.remove("broken")
	if out, errOut, code := d.run("retry", "web"); code != 0 {
		t.Errorf("retry: exit %d\n%s%s", code, out, errOut)
	}
	d.wantWhy("web", dropship.ReasonUpToDate, "up to date at "+md5Hex(version(t, "2")), "")
}

// A repository that takes the connection, and answers nothing.
func TestWhyNotCheckedYet(t *testing.T) {
	t.Parallel()
	end := make(chan struct{})
	f := newFront(t, "", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-end }))
	t.Cleanup(func() { close(end) })
	d := newDaemon(t, map[string]string{"dropship.hcl": fmt.Sprintf(`stateDir = "state"
socket = "dropship.sock"
repo "http" { url = %q }
service "web" {
  artifact "http" {
    path        = "web.tar.gz"
    destination = "web"
  }
}
`, f.URL)})
	d.start()
	d.wantWhy("web", dropship.ReasonNotChecked, "not checked yet, since the agent started: asking for "+regexp.QuoteMeta(f.URL)+"/web.tar.gz, since "+aTime, "wait for the check, or dropship check web")
}

// The mistake counts for the service whose file it is in, and for one that is only in the new configuration; the others
// are what they are.
func TestWhyConfigurationRejected(t *testing.T) {
	t.Parallel()
	artifacts := t.TempDir()
	publish(t, artifacts, version(t, "1"))
	service := func(name, more string) string {
		return fmt.Sprintf("service %q {\n  checkInterval = \"100ms\"\n%s  artifact \"file\" {\n    path        = \"web.tar.gz\"\n    destination = %q\n  }\n}\n", name, more, name)
	}
	d := newDaemon(t, map[string]string{
		"dropship.hcl":      fmt.Sprintf("stateDir = \"state\"\nsocket = \"dropship.sock\"\nservice_path = \"services\"\nrepo \"file\" { root = %q }\n", artifacts),
		"services/web.hcl":  service("web", ""),
		"services/cart.hcl": service("cart", ""),
	})
	d.start()
	d.wantWhy("web", dropship.ReasonUpToDate, "up to date at "+aHash, "")
	d.write("services/web.hcl", service("web", "  updateTTL = \"soon\"\n"))
	d.write("services/new.hcl", service("new", ""))
	d.signal(hangup)
	const remedy = "mend the file, and reload the agent"
	rejected := "the configuration was rejected at " + aTime + `, and the one before is in force: services/web\.hcl:3:\d+: .+`
	r := d.wantWhy("web", dropship.ReasonConfiguration, rejected, remedy)
	d.wantRecent("since", r.Since)
	d.wantWhy("new", dropship.ReasonConfiguration, "not configured: "+rejected, remedy)
	d.wantWhy("cart", dropship.ReasonUpToDate, "up to date at "+aHash, "")
	if out, _, code := d.run("status"); code != 0 || !strings.Contains(out, "CONFIGURATION REJECTED") || !strings.Contains(out, "services/web.hcl:3:") {
		t.Errorf("status: exit %d\n%s", code, out)
	}
	d.write("services/web.hcl", service("web", ""))
	d.signal(hangup)
	d.wantWhy("new", dropship.ReasonUpToDate, "up to date at "+aHash, "")
	d.wantWhy("web", dropship.ReasonUpToDate, "up to date at "+aHash, "")
	if _, errOut, code := d.run("why", "wbe"); code != 2 || !strings.Contains(errOut, `no service "wbe" is configured: did you mean "web"? dropship status lists all`) {
		t.Errorf("why of an unknown service: exit %d\n%s", code, errOut)
	}
}

// Consul does not answer: there is no slot to wait for.
func TestWhyNoSlot(t *testing.T) {
	t.Parallel()
	artifacts := t.TempDir()
	publish(t, artifacts, version(t, "1"))
	consul := servers.NewConsul(t)
	d := newDaemon(t, map[string]string{"dropship.hcl": web(artifacts, "  sequentialUpdates = true\n") + fmt.Sprintf("consul { address = %q }\n", consul.Address)})
	d.start()
	d.wantWhy("web", dropship.ReasonUpToDate, "up to date at "+aHash, "")
	consul.Stop()
	publish(t, artifacts, version(t, "2"))
	d.wantWhy("web", dropship.ReasonLock, "no slot since "+aTime+": .+ \\((tried again|trying again).+\\)", "mend the lock service, or the way to it")
	consul.Start()
	d.wantWhy("web", dropship.ReasonUpToDate, "up to date at "+md5Hex(version(t, "2")), "")
}

// The holder is another machine, which is known by its name; with lock "file" it is another service of this one.
func TestWhyWaitingForASlot(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"consul", "file"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			lock := consulLock(t)
			if kind == "file" {
				lock = fmt.Sprintf("lock \"file\" { path = %q }\n", filepath.Join(t.TempDir(), "lock"))
			}
			artifacts, group := t.TempDir(), newGroup()
			publish(t, artifacts, version(t, "1"))
			holder, waiter := newMember(t, "web-01", lock, group, artifacts), newMember(t, "web-02", lock, group, artifacts)
			holder.write("hang", "")
			holder.start()
			r := holder.wantWhy("web", dropship.ReasonUpdating, `update \S+ is under way since `+aTime+": step before since "+aTime+", before hook 1, script.*", "wait for its end")
			holder.wantRecent("since", r.Since)
			waiter.start()
			r = waiter.wantWhy("web", dropship.ReasonWaiting, "waiting for a slot of group "+group+` for \d+s: held by web-01 \(pid \d+, service web\), in line since `+aTime,
				"wait for its turn, or see to what web-01 is doing")
			waiter.wantRecent("since", r.Since)
			holder.remove("hang")
			waiter.wantWhy("web", dropship.ReasonUpToDate, "up to date at "+aHash, "")
		})
	}
}
