package dropship_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/dropship"
)

// BenchmarkStage is a new artifact on its way from a repository in memory to a release: one pass of hashes and of
// unpacking to disk, sync, and the switch at the end. Its bytes are those of the artifact.
func BenchmarkStage(b *testing.B) {
	for _, format := range []archive.Format{archive.TarGzip, archive.File} {
		b.Run(string(format), func(b *testing.B) {
			artifacts := [2][]byte{application(b, format, 1), application(b, format, 2)}
			dir := b.TempDir()
			m := dropship.NewMachine("web-01", dropship.NewStore(filepath.Join(dir, "state")), slog.New(slog.DiscardHandler))
			src := &source{}
			s := &dropship.Service{
				Name: "web", Source: inMemory{src}, CheckInterval: time.Minute,
				Site: install.New(install.Options{
					Destination: filepath.Join(dir, "srv", "web"), Keep: 1,
					Archive: archive.Options{Format: format, UID: -1, GID: -1},
				}),
			}
			b.SetBytes(int64(len(artifacts[0])))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				src.publish(artifacts[i%2], fmt.Sprint("r", i))
				if r, err := s.Update(b.Context(), m); err != nil || r.Outcome != dropship.Updated {
					b.Fatalf("got outcome %q, error %v, want an update", r.Outcome, err)
				}
			}
		})
	}
}

// inMemory hands out the bytes that there are: a copy of them for each download would be most of a heap profile.
type inMemory struct{ *source }

func (s inMemory) Open(_ context.Context, _ artifact.Info, offset, _ int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(s.data[offset:])), nil
}

// application returns an artifact of some 32 MiB: 250 files, every other one of which packs to half.
func application(b *testing.B, format archive.Format, seed uint64) []byte {
	b.Helper()
	const files, size = 250, 170 << 10
	random := rand.New(rand.NewPCG(seed, seed))
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	w := tar.NewWriter(z)
	content := make([]byte, size)
	for i := range files {
		for j := range content {
			content[j] = byte(random.Uint32())
			if i%2 == 0 {
				content[j] = "0123456789abcdef"[content[j]%16]
			}
		}
		h := &tar.Header{Name: fmt.Sprintf("lib/part-%02d/file-%d", i/20, i), Mode: 0o644, Size: size}
		if err := w.WriteHeader(h); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	if err := z.Close(); err != nil {
		b.Fatal(err)
	}
	if format == archive.File {
		return packed.Bytes()[512:] // bytes that look like nothing
	}
	return packed.Bytes()
}
