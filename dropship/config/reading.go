package config

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/hcl/v2"
)

// A reading is a file as it was found, whatever the others say. So many of them are read side by side.
type reading struct {
	path      string
	at        spot            // zero: links have to be followed first, or cannot be
	err       error           // why there is no file
	file      *file           // else
	syntax    hcl.Diagnostics // what is wrong with it,
	structure hcl.Diagnostics // and, if that is nothing, with its blocks
}

// read reads the file. Nothing in it is evaluated.
func (r *reading) read() {
	if r.at == (spot{}) {
		var err error
		if r.at, err = locate(r.path); err != nil {
			r.err = fmt.Errorf("%s: %w", r.path, err)
			return
		}
	}
	info, err := os.Lstat(r.at.real)
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is no regular file", r.path)
	case info.Size() > maxFile:
		err = fmt.Errorf("%s has %d bytes: no configuration has more than %d MiB", r.path, info.Size(), maxFile>>20)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(r.at.real)
	}
	if err != nil {
		r.err = err
		return
	}
	r.file = &file{path: r.path, real: r.at.real, mode: info.Mode()}
	var parsed *hcl.File
	r.file.source, parsed, r.syntax = parse(r.path, text)
	r.file.broken = parsed == nil || r.file.source.broken
	if parsed != nil {
		r.structure = r.file.root.decode(parsed.Body)
	}
}

// each calls do with 0 to n-1, on every processor, and returns when all calls have returned.
func each(n int, do func(int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}
