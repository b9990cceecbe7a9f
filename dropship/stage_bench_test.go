package dropship_test

import (
	"archive/tar"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/dropship"
)

// BenchmarkStage is a new artifact on its way from a repository on disk to a release: one pass of hashes and of
// unpacking, sync, and the switch at the end. Its bytes are those of the artifact. What it is made of is made by
// another process, so that a profile shows the way alone.
func BenchmarkStage(b *testing.B) {
	for _, format := range []archive.Format{archive.TarGzip, archive.File} {
		b.Run(string(format), func(b *testing.B) {
			dir := b.TempDir()
			src := &packed{dir: dir}
			size := src.make(b, 0)
			src.make(b, 1)
			m := dropship.NewMachine("web-01", dropship.NewStore(filepath.Join(dir, "state")), slog.New(slog.DiscardHandler))
			s := &dropship.Service{
				Name: "web", Source: src, CheckInterval: time.Minute,
				Site: install.New(install.Options{
					Destination: filepath.Join(dir, "srv", "web"), Keep: 1,
					Archive: archive.Options{Format: format, UID: -1, GID: -1},
				}),
			}
			update := func() {
				src.published++
				if r, err := s.Update(b.Context(), m); err != nil || r.Outcome != dropship.Updated {
					b.Fatalf("got outcome %q, error %v, want an update", r.Outcome, err)
				}
			}
			for range 3 { // from then on each one removes the release that it takes the place of
				update()
			}
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				update()
			}
		})
	}
}

// A packed source has two artifacts, one after the other.
type packed struct {
	dir       string
	infos     [2]artifact.Info
	published int
}

func (p *packed) path(i int) string { return filepath.Join(p.dir, fmt.Sprintf("%d.tar.gz", i)) }

func (p *packed) String() string { return "disk://bench/app.tar.gz" }

func (p *packed) Stat(context.Context) (artifact.Info, error) { return p.infos[p.published%2], nil }

func (p *packed) Checksums(_ context.Context, info artifact.Info) ([]artifact.Checksum, error) {
	sum, err := hex.DecodeString(info.MD5)
	return []artifact.Checksum{{Algorithm: artifact.MD5, Sum: sum}}, err
}

func (p *packed) Open(_ context.Context, _ artifact.Info, offset, _ int64) (io.ReadCloser, error) {
	f, err := os.Open(p.path(p.published % 2))
	if err != nil {
		return nil, err
	}
	_, err = f.Seek(offset, io.SeekStart)
	return f, err
}

// make packs one of the two: some 32 MiB, of 250 files, every other one of which packs to half. It returns the size.
func (p *packed) make(b *testing.B, i int) int64 {
	b.Helper()
	f, err := os.Create(p.path(i))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	hash := md5.New()
	gzip := exec.CommandContext(b.Context(), "gzip", "-1")
	gzip.Stdout = io.MultiWriter(f, hash)
	in, err := gzip.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := gzip.Start(); err != nil {
		b.Fatal(err)
	}
	w := tar.NewWriter(in)
	random := rand.NewChaCha8([32]byte{byte(i)})
	content := make([]byte, 170<<10)
	for n := range 250 {
		_, _ = random.Read(content)
		for j := range content {
			if n%2 == 0 {
				content[j] = "0123456789abcdef"[content[j]%16]
			}
		}
		h := &tar.Header{Name: fmt.Sprintf("lib/part-%02d/file-%d", n/20, n), Mode: 0o644, Size: int64(len(content))}
		if err := w.WriteHeader(h); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			b.Fatal(err)
		}
	}
	for _, end := range []func() error{w.Close, in.Close, gzip.Wait} {
		if err := end(); err != nil {
			b.Fatal(err)
		}
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		b.Fatal(err)
	}
	p.infos[i] = artifact.Info{Revision: fmt.Sprint("r", i), MD5: hex.EncodeToString(hash.Sum(nil)), Size: size}
	return size
}
