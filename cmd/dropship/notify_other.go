//go:build !linux

package main

// reloading is for nobody: systemd is on Linux only.
func reloading() string { return "RELOADING=1" }
