package install

import (
	"errors"
	"fmt"
)

// How a site switches.
const (
	methodExchange   = "exchange"
	methodTwoRenames = "two renames"
)

// probe finds out, once per Site, whether the file system can exchange two names, by doing it.
func (d *directory) probe() error {
	d.site.mu.Lock()
	defer d.site.mu.Unlock()
	if d.site.method != "" {
		return nil
	}
	name := d.path(trashPrefix + "probe")
	if err := d.removeAll(name); err != nil {
		return err
	}
	for _, dir := range []string{name, name + "/a", name + "/b"} {
		if err := d.root.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	switch err := exchange(d.root, name+"/a", name+"/b"); {
	case err == nil:
		d.site.method = methodExchange
	case errors.Is(err, errors.ErrUnsupported):
		d.site.method = methodTwoRenames
	default:
		return fmt.Errorf("cannot find out how to switch: %w", err)
	}
	return d.removeAll(name)
}
