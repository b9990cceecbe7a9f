package artifact

import (
	"io"
	"sync"
	"sync/atomic"
)

// How far the sums may be behind what is written. A block is so large that passing it on does not show, and so small
// that all of them stay in a processor's cache; with four of them who writes seldom waits for a sum that keeps up.
const (
	blockSize = 128 << 10
	maxBlocks = 4
)

// sums computes several sums of the same bytes, each in a goroutine of its own: an artifact has two or three, and md5
// alone takes as long as to write the files, so together they take as long as the slowest. What is written is copied,
// into a few blocks that are used again and again. The goroutines live from a write to the next end, and wait for
// nothing but blocks.
type sums struct {
	of    []io.Writer   // they never fail
	lanes []chan *block // one for each while the goroutines live
	run   sync.WaitGroup
	free  chan *block
	made  int    // blocks
	next  *block // being filled; nil: none is
}

type block struct {
	data []byte
	left atomic.Int32 // sums that have not taken it yet
}

// write has the sums take p, which it does not keep.
func (s *sums) write(p []byte) {
	if len(s.lanes) == 0 && len(p) > 0 {
		s.begin()
	}
	for len(p) > 0 {
		if s.next == nil {
			s.next = s.block()
		}
		b := s.next
		n := copy(b.data[len(b.data):cap(b.data)], p)
		b.data, p = b.data[:len(b.data)+n], p[n:]
		if len(b.data) == cap(b.data) {
			s.pass()
		}
	}
}

func (s *sums) begin() {
	if s.free == nil {
		s.free = make(chan *block, maxBlocks)
	}
	for _, sum := range s.of {
		lane := make(chan *block, maxBlocks) // never full: there are no more blocks
		s.lanes = append(s.lanes, lane)
		s.run.Go(func() {
			for b := range lane {
				_, _ = sum.Write(b.data)
				if b.left.Add(-1) == 0 {
					b.data = b.data[:0]
					s.free <- b
				}
			}
		})
	}
}

// block returns an empty one, once there is one.
func (s *sums) block() *block {
	if s.made == maxBlocks {
		return <-s.free
	}
	select {
	case b := <-s.free:
		return b
	default:
		s.made++
		return &block{data: make([]byte, 0, blockSize)}
	}
}

// pass hands the block that is being filled to the sums.
func (s *sums) pass() {
	b := s.next
	s.next = nil
	b.left.Store(int32(len(s.lanes)))
	for _, lane := range s.lanes {
		lane <- b
	}
}

// end returns when the sums have taken all that was written, and no goroutine is left. More can be written after it.
func (s *sums) end() {
	if s.next != nil {
		s.pass()
	}
	for _, lane := range s.lanes {
		close(lane)
	}
	s.run.Wait()
	s.lanes = nil
}
