package archive

import (
	"io"
	"sync"
)

const (
	aheadSize   = 128 << 10
	aheadBlocks = 4
)

// An ahead is what a reader brings, read in a goroutine of its own a few blocks ahead of whoever needs it: so a
// decompression goes on while files are made and written, which takes about as long.
type ahead struct {
	full chan block // has room for all there are, so nobody waits who sends
	free chan []byte
	run  sync.WaitGroup
	now  []byte // what is left of last
	last block
}

// A block is a few of the bytes, and the error that came after them.
type block struct {
	data []byte
	err  error
}

// readAhead begins to read from r, which is the new goroutine's own until stop returns.
func readAhead(r io.Reader) *ahead {
	a := &ahead{full: make(chan block, aheadBlocks), free: make(chan []byte, aheadBlocks)}
	for range aheadBlocks {
		a.free <- nil
	}
	a.run.Go(func() {
		for data := range a.free {
			if data == nil {
				data = make([]byte, aheadSize)
			}
			n, err := fill(r, data)
			a.full <- block{data[:n], err}
			if err != nil {
				return
			}
		}
	})
	return a
}

// fill reads until there is no room or an error, and returns that as it is.
func fill(r io.Reader, data []byte) (n int, err error) {
	for n < len(data) && err == nil {
		var more int
		more, err = r.Read(data[n:])
		n += more
	}
	return n, err
}

func (a *ahead) Read(p []byte) (int, error) {
	for len(a.now) == 0 {
		if a.last.err != nil {
			return 0, a.last.err
		}
		if a.last.data != nil {
			a.free <- a.last.data[:aheadSize]
		}
		a.last = <-a.full
		a.now = a.last.data
	}
	n := copy(p, a.now)
	a.now = a.now[n:]
	return n, nil
}

// stop returns when the goroutine has ended, which is at once if r returns at once.
func (a *ahead) stop() {
	close(a.free)
	for range a.free { // none is read into any more
	}
	a.run.Wait()
}
