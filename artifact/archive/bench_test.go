package archive_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/dropship/dropship/artifact/archive"
)

// BenchmarkUnpack unpacks 1,000 files of 32 KiB, which pack to about half: what an application is like.
// Its bytes are those of the files.
func BenchmarkUnpack(b *testing.B) {
	const files, size = 1000, 32 << 10
	var tarred bytes.Buffer
	w := tar.NewWriter(&tarred)
	random := rand.New(rand.NewPCG(1, 2))
	content := make([]byte, size)
	for i := range files {
		for j := range content {
			content[j] = "0123456789abcdef"[random.IntN(16)]
		}
		h := &tar.Header{Name: fmt.Sprintf("app/lib/part-%02d/file-%d", i/20, i), Mode: 0o644, Size: size}
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
	for _, bench := range []struct {
		format  archive.Format
		command []string
	}{
		{archive.Tar, []string{"cat"}},
		{archive.TarGzip, []string{"gzip"}},
		{archive.TarZstd, []string{"zstd", "-q"}},
	} {
		b.Run(string(bench.format), func(b *testing.B) {
			packed := pipe(b, "", tarred.Bytes(), bench.command...)
			s := newSandbox(b)
			b.SetBytes(files * size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.unpack(b.Context(), bytes.NewReader(packed), options(bench.format)); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				s.clear(b)
				b.StartTimer()
			}
		})
	}
}
