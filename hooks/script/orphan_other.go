//go:build unix && !linux

package script

import "syscall"

// dieWithAgent does nothing where the kernel cannot do it.
func dieWithAgent(*syscall.SysProcAttr) {}
