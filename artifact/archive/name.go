package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// What names may have. Nobody could open a longer one by its path; and since each step of a path costs the
// kernel a look-up, time must not grow with the square of a depth that only the packer chooses.
const (
	maxPath  = 4095 // bytes: Linux' PATH_MAX without the NUL. Also of a symlink's target
	maxPart  = 255  // bytes: NAME_MAX of Linux, and of the file systems that are in use
	maxDepth = 256  // parts; the deepest node_modules have some 50
)

// clean returns an entry's name as os.Root takes it: relative, with nothing to skip, "." for the top.
func clean(entry string) (string, error) {
	switch {
	case entry == "":
		return "", errors.New("its name is empty")
	case len(entry) > maxPath:
		return "", fmt.Errorf("its name has %d bytes, more than the %d of a path", len(entry), maxPath)
	case strings.HasPrefix(entry, "/"):
		return "", errors.New("its name is absolute")
	case strings.Contains(entry, "\x00"):
		return "", errors.New("its name has a NUL in it")
	}
	for part := range strings.SplitSeq(entry, "/") {
		switch {
		case part == "..":
			return "", errors.New("its name leads outside with \"..\"")
		case len(part) > maxPart:
			return "", fmt.Errorf("a part of its name has %d bytes, more than the %d that file systems take", len(part), maxPart)
		}
	}
	name := path.Clean(entry)
	if depth := strings.Count(name, "/") + 1; depth > maxDepth {
		return "", fmt.Errorf("it is %d levels deep, more than the %d that are allowed", depth, maxDepth)
	}
	return name, nil
}

// cleanLink returns the clean names of a hard link and of the entry that it is one to.
func cleanLink(entry, target string) (name, to string, err error) {
	if name, err = clean(entry); err != nil {
		return "", "", err
	}
	if to, err = clean(target); err != nil {
		return "", "", fmt.Errorf("it is a link to %q: %w", cut(target), err)
	}
	if to == name {
		return "", "", errors.New("it is a link to itself")
	}
	return name, to, nil
}

// checkTarget says whether target leads outside the tree from a symlink at name. winding: it goes up
// after it went down, and so what is there decides. All other targets are surely inside: they go up
// through real directories only, and a symlink that they meet on the way down is checked itself.
func checkTarget(name, target string) (winding bool, err error) {
	switch {
	case target == "":
		return false, errors.New("it is a symlink to nothing")
	case len(target) > maxPath:
		return false, errors.New("it is a symlink with a target that is too long")
	case strings.HasPrefix(target, "/"):
		return false, fmt.Errorf("it is a symlink to %q, which is absolute: link to a path relative to it", cut(target))
	case strings.Contains(target, "\x00"):
		return false, errors.New("it is a symlink with a NUL in its target")
	}
	depth := strings.Count(name, "/")
	down := false
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			depth--
			winding = winding || down
		default:
			depth++
			down = true
		}
		if depth < 0 {
			return false, fmt.Errorf("it is a symlink to %q, which leads outside", cut(target))
		}
	}
	return winding, nil
}

// shown is how many bytes of a name go into an error. Errors are logged again and again, and how long a name in
// an archive is, its packer chooses.
const shown = 200

func cut(name string) string {
	if len(name) <= shown {
		return name
	}
	return name[:shown] + "…"
}

// short cuts the names in an error of os.Root.
func short(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: e.Op, Path: cut(e.Path), Err: e.Err}
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return &os.LinkError{Op: e.Op, Old: cut(e.Old), New: cut(e.New), Err: e.Err}
	}
	return err
}

// entryError adds the entry's name.
func entryError(name string, err error) error {
	name = cut(name)
	if limit, ok := errors.AsType[*LimitError](err); ok {
		limit.Entry = name
	}
	return fmt.Errorf("cannot unpack %q: %w", name, err)
}
