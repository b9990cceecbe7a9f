package install

import (
	"errors"
	"fmt"
	"syscall"
)

// How a site switches.
const (
	methodExchange   = "exchange"
	methodTwoRenames = "two renames"
)

// probe finds out, once per Site, whether the file system can exchange two names, by doing it. On a full disk it cannot
// find out, and takes for granted that it can for this time: an exchange itself needs no space, a rollback must not
// fail for want of it, and a file system that cannot says so before anything has changed.
func (d *directory) probe() error {
	d.site.mu.Lock()
	defer d.site.mu.Unlock()
	if d.site.method == "" {
		method, err := d.tryExchange()
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			d.method = methodExchange
			return nil
		}
		if err != nil {
			return err
		}
		d.site.method = method
	}
	d.method = d.site.method
	return nil
}

func (d *directory) tryExchange() (method string, err error) {
	name := d.path(trashPrefix + "probe")
	if err := d.removeAll(name); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, d.removeAll(name)) }()
	for _, dir := range []string{name, name + "/a", name + "/b"} {
		if err := d.root.Mkdir(dir, 0o700); err != nil {
			return "", err
		}
	}
	switch err := exchange(d.root, name+"/a", name+"/b"); {
	case err == nil:
		return methodExchange, nil
	case errors.Is(err, errors.ErrUnsupported):
		return methodTwoRenames, nil
	default:
		return "", fmt.Errorf("cannot find out how to switch: %w", err)
	}
}
