package power

import (
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// watch starts a process that cleans up when this one was killed, until ended is called. A process that dies while
// one of its threads waits in the kernel for an answer of its own recorder would stay for ever otherwise, as would all
// that is mounted: nobody answers any more, and the kernel does not notice.
func watch(dir string) (ended func(), err error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return nil, err
	}
	const script = `
while state=$(sed -n 's/^State:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null) && [ -n "$state" ] && [ "${state#Z}" = "$state" ]; do sleep 0.5; done
echo 1 >"/sys/fs/fuse/connections/$2/abort"`
	cmd := exec.Command("/bin/sh", "-c", script, "watch", fmt.Sprint(os.Getpid()), fmt.Sprint(unix.Minor(st.Dev))) //nolint:noctx // it has to outlive this process
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot watch over the recorder at %s: %w", dir, err)
	}
	return func() {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		_ = cmd.Wait() // it was killed
	}, nil
}
