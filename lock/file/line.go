package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dropship/dropship/lock"
)

var _ lock.Line = (*Locker)(nil)

// Line implements lock.Line. Who waits is not known: the kernel keeps no line. It reads only, so that whoever may read
// the directory may ask; and it looks while nobody else does, so that nobody finds a free slot locked.
func (l *Locker) Line(ctx context.Context, group string) ([]lock.Holder, error) {
	if err := lock.ValidateNames(group); err != nil {
		return nil, err
	}
	for {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("cannot tell who holds the slots of %s at %s: %w", group, l, context.Cause(ctx))
		}
		holders, err := l.line(group)
		switch {
		case errors.Is(err, errLocked): // somebody else looks at this very moment
			sleep(ctx, firstPoll)
		case err != nil:
			return nil, fmt.Errorf("cannot tell who holds the slots of %s at %s: %w", group, l, err)
		default:
			return holders, nil
		}
	}
}

// line returns who holds the slots of a group, or errLocked.
func (l *Locker) line(group string) ([]lock.Holder, error) {
	turn, err := share(filepath.Join(l.dir, group+".lock"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nobody has asked for a slot yet
	}
	if err != nil {
		return nil, err
	}
	defer turn.Close()
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, err
	}
	var holders []lock.Holder
	for _, e := range entries {
		slot, ours := strings.CutPrefix(e.Name(), group+".")
		if _, err := strconv.ParseUint(slot, 10, 31); !ours || err != nil {
			continue
		}
		path := filepath.Join(l.dir, e.Name())
		f, err := share(path)
		switch {
		case errors.Is(err, errLocked):
			holders = append(holders, read(path))
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile
		case err != nil:
			return nil, err
		default:
			f.Close()
		}
	}
	return holders, nil
}
