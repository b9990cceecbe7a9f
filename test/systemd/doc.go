// Package systemd tests the Debian package as its users meet it: installed by apt on a clean Debian that a systemd of
// its own has booted (boot.sh).
package systemd
