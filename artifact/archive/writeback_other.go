//go:build !linux

package archive

import "os"

func startWriteback(*os.File, int64, int64) {}
