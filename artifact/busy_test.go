package artifact_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/artifact"
)

func TestBusy(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	errAnswer := errors.New("the server answers 503")
	for header, tt := range map[string]struct {
		says  string
		waits time.Duration
	}{
		"":                              {},
		"0":                             {},
		"-5":                            {},
		"soon":                          {},
		"1.5":                           {},
		"7":                             {", and asks to be left alone for 7s", 7 * time.Second},
		"31536000":                      {", and asks to be left alone for 8760h0m0s", artifact.MaxRetryAfter},
		"99999999999999999999999999":    {", and asks to be left alone for 876000h0m0s", artifact.MaxRetryAfter},
		"18446744073709551615":          {", and asks to be left alone for 876000h0m0s", artifact.MaxRetryAfter},
		"Sat, 21 Nov 2026 12:01:30 GMT": {", and asks to be left alone for 1m30s", 90 * time.Second},
		"Sat, 21 Nov 2026 11:59:59 GMT": {},
		"Fri, 31 Dec 9999 23:59:59 GMT": {", and asks to be left alone for 876000h0m0s", artifact.MaxRetryAfter},
	} {
		err := fmt.Errorf("cannot check: %w", artifact.Busy(errAnswer, header, now))
		if want := "cannot check: the server answers 503" + tt.says; err.Error() != want {
			t.Errorf("%q: got %q, want %q", header, err, want)
		}
		if !errors.Is(err, errAnswer) {
			t.Errorf("%q: the cause is lost", header)
		}
		if got := artifact.RetryAfter(err); got < tt.waits || got > tt.waits+tt.waits/10 {
			t.Errorf("%q: waits %s, want %s and up to a tenth", header, got, tt.waits)
		}
	}
}

// A download leaves a busy repository alone for as long as that asks, up to the limit, and is cancelled meanwhile.
func TestResumingReaderObeysRetryAfter(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{
		time.Minute:          time.Minute,
		365 * 24 * time.Hour: artifact.MaxRetryAfter,
	} {
		t.Run(asked.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				busy := &artifact.BusyError{Err: errors.New("busy"), After: asked}
				src := &fakeSource{content: text(), script: []answer{{open: busy}, {bytes: all, end: io.EOF}}}
				var delay time.Duration
				begin := time.Now()
				r := artifact.NewResumingReader(t.Context(), src, artifact.Info{Revision: "1", Size: 1024}, artifact.ResumeOptions{
					OnResume: func(r artifact.Resume) { delay = r.Delay },
				})
				defer r.Close()
				if _, err := io.ReadAll(r); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); took < want || took > want+want/10 || delay != took {
					t.Errorf("waited %s and said %s, want %s and up to a tenth", took, delay, want)
				}
			})
		})
	}
}
