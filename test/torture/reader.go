package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// A reader looks at a destination all the time, as applications and their users do.
type reader struct {
	quit chan struct{}
	done chan struct{}
	once sync.Once
	err  error // the first thing it saw that is wrong; after done
}

// read starts a reader. It ends with stop.
func (m *Machine) read() *reader {
	r := &reader{quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-r.quit:
				return
			}
			if err := m.glance(); err != nil {
				r.err = fmt.Errorf("somebody who looked while it went on saw: %w", err)
				return
			}
		}
	}()
	return r
}

// stop ends the reader, and returns what it saw that is wrong.
func (r *reader) stop() error {
	r.once.Do(func() { close(r.quit) })
	<-r.done
	return r.err
}

// glance looks at the destination once. Whoever reads a directory while it is switched reads the old one to its end,
// and may then see it removed under his hands: only what is still at the destination counts.
func (m *Machine) glance() error {
	_, looked, err := identify(m.Destination, m.Variant, m.releases())
	if err == nil || looked == nil && errors.Is(err, fs.ErrNotExist) && m.mayBeAbsent() {
		return nil
	}
	now, statErr := os.Lstat(m.Destination)
	if looked != nil && (statErr != nil || !os.SameFile(looked, now)) {
		if errors.Is(statErr, fs.ErrNotExist) && m.mayBeAbsent() {
			return nil
		}
		return statErr
	}
	return err
}
