package main

import (
	"archive/tar"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// A tarball is a tree of files of many sizes, half of them text and half of them random bytes, which is what
// applications are made of: sources and settings, and what is compressed or encrypted already. It is always the same
// for the same numbers.
type tarball struct {
	files int
	size  int64 // of all files together
	seed  uint64
}

// of256MiB has 2,000 files that pack to about 256 MiB as tar.gz.
var of256MiB = tarball{files: 2000, size: 366 << 20}

// gzip returns what writes it as a tar.gz.
func (t tarball) gzip() func(io.Writer) error { return t.gzipAt(gzip.DefaultCompression) }

func (t tarball) gzipAt(level int) func(io.Writer) error {
	return func(w io.Writer) error {
		z, err := gzip.NewWriterLevel(w, level)
		if err != nil {
			return err
		}
		if err := t.write(z); err != nil {
			return err
		}
		return z.Close()
	}
}

// zstd returns what writes it as a tar.zst.
func (t tarball) zstd() func(io.Writer) error {
	return func(w io.Writer) error {
		z, err := zstd.NewWriter(w)
		if err != nil {
			return err
		}
		if err := t.write(z); err != nil {
			return err
		}
		return z.Close()
	}
}

// perDirectory is how many files a directory has.
const perDirectory = 40

func (t tarball) write(w io.Writer) error {
	random := rand.New(rand.NewPCG(t.seed, 1))
	out := tar.NewWriter(w)
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	mean := float64(t.size) / float64(t.files)
	for i := range t.files {
		size := int64(mean)
		if t.files > 1 {
			size = int64(mean * random.ExpFloat64())
		}
		h := &tar.Header{Name: fmt.Sprintf("lib/part-%04d/file-%d", i/perDirectory, i), Mode: 0o644, Size: size, ModTime: at}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		var content io.Reader = &noise{random: random}
		if i%2 == 0 {
			content = &prose{random: random}
		}
		if _, err := io.CopyN(out, content, size); err != nil {
			return err
		}
	}
	return out.Close()
}

// noise is bytes that no compression makes smaller.
type noise struct{ random *rand.Rand }

func (n *noise) Read(p []byte) (int, error) {
	var word uint64
	for i := range p {
		if i%8 == 0 {
			word = n.random.Uint64()
		}
		p[i] = byte(word)
		word >>= 8
	}
	return len(p), nil
}

// prose is words, which pack to about a third.
type prose struct{ random *rand.Rand }

func (t *prose) Read(p []byte) (int, error) {
	for i := 0; i < len(p); {
		// Few words are used often, and most seldom.
		word := min(int(t.random.ExpFloat64()*400), vocabulary-1)
		i += copy(p[i:], words[word])
	}
	return len(p), nil
}

const vocabulary = 5000

// words are made up, each with a space behind it.
var words = func() [vocabulary]string {
	random := rand.New(rand.NewPCG(7, 7))
	var words [vocabulary]string
	for i := range words {
		word := make([]byte, 3+random.IntN(8))
		for j := range word {
			word[j] = 'a' + byte(random.IntN(26))
		}
		words[i] = string(word) + " "
	}
	return words
}()
