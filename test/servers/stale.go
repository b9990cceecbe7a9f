package servers

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// clusterName begins the names of what a cluster of this process makes on the machine: with the process's id, so that
// another one can tell when it is gone. With what comes after it, it fits into the 15 bytes of a link's name.
func clusterName() string { return fmt.Sprintf("ds%06x%03x", os.Getpid(), rand.IntN(1<<12)) }

var ofCluster = regexp.MustCompile(`^ds([0-9a-f]{6})[0-9a-f]{3}(hub|n[0-9]|p[0-9])$`)

// removeStale removes namespaces and links of test processes that have ended without doing so: by a panic, a timeout
// or a signal. Another process may remove the same ones at the same time, so what cannot be removed is left.
func removeStale() {
	for _, kind := range []struct{ folder, object string }{{"/run/netns", "netns"}, {"/sys/class/net", "link"}} {
		names, _ := filepath.Glob(filepath.Join(kind.folder, "ds*"))
		for _, name := range names {
			if name = filepath.Base(name); stale(name) {
				_ = exec.Command("ip", strings.Fields(kind.object+" delete "+name)...).Run() //nolint:noctx // takes no time
			}
		}
	}
}

func stale(name string) bool {
	parts := ofCluster.FindStringSubmatch(name)
	if parts == nil {
		return false
	}
	pid, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil {
		return false
	}
	_, err = os.Stat(fmt.Sprint("/proc/", pid))
	return os.IsNotExist(err)
}
