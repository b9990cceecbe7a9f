package config

import (
	"path/filepath"
	"strings"
)

// A spot is a path as it is written, and the same one as it is on this machine, where a directory on the
// way may be a link to another.
type spot struct{ path, real string }

// locate follows all links on the way to path and at it.
func locate(path string) (spot, error) {
	if _, err := filepath.EvalSymlinks(path); err != nil {
		return spot{}, err // which names it as it was given
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return spot{}, err
	}
	real, err := filepath.EvalSymlinks(abs)
	return spot{abs, real}, err
}

// A resolver follows the links on the way to paths. Most services are installed beside others, so it remembers the
// directories.
type resolver map[string]string

// spot resolves the directories on the way to path, an absolute one, as far as they exist. What path names itself stays
// as it is.
func (r resolver) spot(path string) spot {
	return spot{path, filepath.Join(r.directory(filepath.Dir(path)), filepath.Base(path))}
}

func (r resolver) directory(dir string) string {
	if real, ok := r[dir]; ok {
		return real
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		real = dir
		if parent := filepath.Dir(dir); parent != dir {
			real = filepath.Join(r.directory(parent), filepath.Base(dir))
		}
	}
	r[dir] = real
	return real
}

// own is the folder beside a destination that holds its releases.
func (s spot) own() spot { return spot{ownFolder(s.path), ownFolder(s.real)} }

func ownFolder(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".dropship")
}

func (s spot) same(other spot) bool { return s.path == other.path || s.real == other.real }

// within reports whether s is other or below it, by one way or another.
func (s spot) within(other spot) bool {
	return within(s.path, other.path) || within(s.real, other.real)
}

// within reports whether path is dir or below it. Both are clean, and both absolute or both relative.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, separator)+separator)
}

const separator = string(filepath.Separator)
