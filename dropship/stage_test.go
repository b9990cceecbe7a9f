package dropship_test

import (
	"crypto/rand"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/install"
)

// Whatever ends a stage before its bytes are verified, nothing of it goes on. A bubble of synctest fails if a goroutine
// that it began is left at its end.
func TestFailedStageLeavesNoGoroutine(t *testing.T) {
	large := make([]byte, 4<<20)
	_, _ = rand.Read(large)
	for name, tamper := range map[string]func([]byte) []byte{
		"no archive": func([]byte) []byte { return large },
		"broken in between": func(data []byte) []byte {
			return append(append([]byte{}, data[:len(data)/2]...), large[:len(data)-len(data)/2]...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.source.publish(pack(t, string(large)), "r1")
				w.source.set(func(s *source) { s.tamper = tamper })
				if _, err := w.update(); err == nil {
					t.Error("other bytes are installed")
				}
			})
		})
	}
	t.Run("other bytes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			o := w.service.Site.Options()
			o.Archive.Format = archive.File
			w.service.Site = install.New(o)
			w.source.publish(large, "r1")
			w.source.set(func(s *source) {
				s.tamper = func(data []byte) []byte { return append([]byte{data[0] ^ 1}, data[1:]...) }
			})
			_, err := w.update()
			if _, ok := errors.AsType[*artifact.ChecksumError](err); !ok {
				t.Errorf("got error %v, want a *ChecksumError", err)
			}
		})
	})
}
