package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// openWay opens a directory. Symlinks on the way must be root's or our own: whoever else owns one decides what it is
// that we write to.
func openWay(path string) (*os.Root, error) {
	walked, err := walkWay(path, false)
	if err != nil {
		return nil, err
	}
	defer walked.Close()
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	want, err := walked.Stat()
	if err == nil {
		var got fs.FileInfo
		if got, err = root.Stat("."); err == nil && !os.SameFile(got, want) {
			err = &fs.PathError{Op: "open", Path: path, Err: errReplaced}
		}
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// makeWay makes what is missing of a directory, with mode 0755 whatever the umask.
func makeWay(path string) error {
	walked, err := walkWay(path, true)
	if err != nil {
		return err
	}
	return walked.Close()
}

// maxLinks is the kernel's own limit.
const maxLinks = 40

// walkWay walks an absolute path as the kernel does, and returns where it ends, good for Stat only.
func walkWay(path string, create bool) (_ *os.File, err error) {
	open := func(dir *os.File, name string) (*os.File, error) { return openAt(dir, name, unix.O_PATH, 0) }
	top := func() (*os.File, error) { return os.OpenFile("/", unix.O_PATH|unix.O_DIRECTORY, 0) }
	at, err := top()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			at.Close()
		}
	}()
	links := 0
	for rest := strings.Split(path, "/"); len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		if part == "" || part == "." {
			continue
		}
		next, err := open(at, part)
		if create && errors.Is(err, fs.ErrNotExist) {
			next, err = makeDir(at, part)
		}
		if err != nil {
			return nil, err
		}
		info, err := next.Stat()
		if err == nil && info.Mode()&fs.ModeSymlink == 0 {
			at.Close()
			at = next
			continue
		}
		var target string
		if err == nil {
			target, err = follow(next, info)
		}
		next.Close()
		if links++; err == nil && links > maxLinks {
			err = &fs.PathError{Op: "open", Path: path, Err: unix.ELOOP}
		}
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(target, "/") {
			root, err := top()
			if err != nil {
				return nil, err
			}
			at.Close()
			at = root
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return at, nil
}

// follow returns where an opened symlink leads.
func follow(link *os.File, info fs.FileInfo) (string, error) {
	if uid := ownerOf(info); uid != 0 && uid != os.Geteuid() {
		return "", fmt.Errorf("%s is a symbolic link of uid %d, who could lead releases anywhere; "+
			"name the directory itself, or give the link to root (chown -h)", link.Name(), uid)
	}
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(link.Fd()), "", target)
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: link.Name(), Err: err}
	}
	return string(target[:n]), nil
}

// makeDir makes a directory and opens it for Stat only.
func makeDir(dir *os.File, name string) (*os.File, error) {
	err := unix.Mkdirat(int(dir.Fd()), name, 0o755)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, &fs.PathError{Op: "mkdirat", Path: dir.Name() + "/" + name, Err: err}
	}
	f, oerr := openAt(dir, name, unix.O_PATH, 0)
	if oerr != nil || err != nil {
		return f, oerr
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() && ownerOf(info) == os.Geteuid() && info.Mode().Perm() != 0o755 {
		err = os.Chmod(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), 0o755) // fchmod refuses such a descriptor
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
