package archive_test

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/artifact/archive"
)

// What is being decompressed meanwhile ends soon, however slow the rest comes, and nothing goes on after it.
func TestRefusalEndsTheReading(t *testing.T) {
	t.Parallel()
	rest := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(rest)
	packed := pipe(t, "", append(packTar(t, file("/etc/passwd")), rest...), "gzip")
	s := newSandbox(t)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := s.unpack(t.Context(), &trickle{bytes.NewReader(packed), 200 << 10}, options(archive.TarGzip))
		if err == nil {
			t.Error("an absolute name is unpacked")
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it was refused after %s, want soon", took)
		}
	})
}

// A trickle brings one byte a second after the first ones.
type trickle struct {
	r    *bytes.Reader
	fast int
}

func (s *trickle) Read(p []byte) (int, error) {
	if s.fast <= 0 {
		time.Sleep(time.Second)
		return s.r.Read(p[:min(1, len(p))])
	}
	n, err := s.r.Read(p[:min(s.fast, len(p))])
	s.fast -= n
	return n, err
}
