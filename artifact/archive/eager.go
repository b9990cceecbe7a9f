package archive

import "os"

// writebackSize is how much of a large file is written before the disk begins with it.
const writebackSize = 8 << 20

// An eager file goes to disk while it is being written: a sync at the end, which somebody waits for, finds little left.
type eager struct {
	f           *os.File
	begun, size int64
}

func (e *eager) Write(p []byte) (int, error) {
	n, err := e.f.Write(p)
	e.size += int64(n)
	if left := e.size - e.begun; left >= writebackSize {
		startWriteback(e.f, e.begun, left)
		e.begun = e.size
	}
	return n, err
}
