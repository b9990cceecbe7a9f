// Package packaging holds what a package of Dropship installs, as far as the program itself needs it.
package packaging

import _ "embed"

// Unit is the systemd unit of the Debian package. Where there is no package, `dropship service install` writes it
// with its own paths.
//
//go:embed dropship.service
var Unit string
