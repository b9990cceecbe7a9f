package file

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dropship/dropship/lock"
)

// maxHolder is more than a holder's JSON takes; a file may hold anything.
const maxHolder = 64 << 10

// errLocked means that another open file, here or in another process, holds the lock.
var errLocked = errors.New("locked")

// holders returns who holds the slots of a group, also those beyond the number of slots that we believe in.
func (l *Locker) holders(group string) ([]lock.Holder, error) {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read the directory for locks: %w", err)
	}
	var holders []lock.Holder
	for _, e := range entries {
		slot, ours := strings.CutPrefix(e.Name(), group+".")
		if _, err := strconv.ParseUint(slot, 10, 31); !ours || err != nil {
			continue
		}
		path := filepath.Join(l.dir, e.Name())
		f, err := lockFile(path)
		switch {
		case errors.Is(err, errLocked):
			holders = append(holders, read(path))
		case err != nil:
			return nil, err
		default:
			f.Close()
		}
	}
	return holders, nil
}

// read returns who holds a locked file.
func read(path string) lock.Holder {
	unknown := lock.Holder{Host: "an unknown holder of " + path}
	f, err := os.Open(path)
	if err != nil {
		return unknown
	}
	defer f.Close()
	var h lock.Holder
	if err := json.NewDecoder(io.LimitReader(f, maxHolder)).Decode(&h); err != nil || h.Host == "" {
		return unknown
	}
	return h
}

// write says in a locked file who holds it.
func write(f *os.File, h lock.Holder) error {
	value, err := json.Marshal(h)
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt(append(value, '\n'), 0)
	}
	if err != nil {
		return fmt.Errorf("cannot write who holds %s: %w", f.Name(), err)
	}
	return nil
}
