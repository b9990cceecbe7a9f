package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// pack returns a tar.gz of files.
func pack(files map[string]string) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name]))}); err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			return nil, err
		}
	}
	err := errors.Join(w.Close(), z.Close())
	return b.Bytes(), err
}

// publish leaves an artifact in the file repository, as a build does.
func publish(name string, files map[string]string) error {
	packed, err := pack(files)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "artifacts", name)
	if err := os.WriteFile(path+".new", packed, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// noise is content that no compression makes smaller, the same at each run.
func noise(seed uint64, size int) string {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(b)
	return string(b)
}

// A slowServer serves one artifact, as over a line on which a person can follow.
type slowServer struct {
	mu     sync.Mutex
	packed []byte
	rate   int // bytes a second; 0: as fast as it goes
}

func (s *slowServer) publish(files map[string]string) error {
	packed, err := pack(files)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.packed = packed
	return err
}

func (s *slowServer) slow(rate int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rate = rate
}

// start serves, and returns the address.
func (s *slowServer) start() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:8099") //nolint:noctx // at the start of a program
	if err != nil {
		return "", err
	}
	go func() { _ = http.Serve(l, s) }() //nolint:gosec // it ends with the program
	return "http://" + l.Addr().String(), nil
}

func (s *slowServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	packed, rate := s.packed, s.rate
	s.mu.Unlock()
	sum := md5.Sum(packed)
	switch r.URL.Path {
	case "/web.tar.gz":
	case "/web.tar.gz.md5":
		fmt.Fprintln(w, hex.EncodeToString(sum[:]))
		return
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:])+`"`)
	w.Header().Set("Content-Length", fmt.Sprint(len(packed)))
	if r.Method == http.MethodHead {
		return
	}
	if rate == 0 {
		_, _ = w.Write(packed)
		return
	}
	tick := time.NewTicker(time.Second / 20)
	defer tick.Stop()
	for piece := range slices.Chunk(packed, rate/20) {
		<-tick.C
		if _, err := w.Write(piece); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
	}
}
