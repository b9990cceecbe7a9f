package config

import (
	"errors"
	"io/fs"
	"os"

	"github.com/hashicorp/hcl/v2"
)

// unreadable reports that a part of the configuration cannot be read. named is where it is named, if it is.
func (l *loader) unreadable(what string, named *hcl.Range, err error) {
	help := ""
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() > 0 { // negative: a system without such users
		help = " Run dropship as root, with sudo, or as the user that the agent runs as."
	}
	l.errorf("Cannot read the "+what, named, "%v.%s", err, help)
}
