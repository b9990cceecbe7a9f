// Package trap stops a program at its system calls, counted over all its threads, and lets them go on, fail, or kill
// the program. It is made of seccomp's user notification (Linux 5.19 and later): the program runs at full speed but
// for the calls that are asked for, and a call that is to fail or to kill has no effect at all.
//
// strace can inject faults, too, but counts the calls of each thread for itself, and a Go program goes on in any of
// its threads: the same number is another call in each run. It also cannot tell what a call is about.
package trap

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Call is a system call that a thread of the program, or of one of its children, is about to make.
type Call struct {
	Name   string // "renameat2"
	Args   [6]uint64
	Thread int
	Own    bool // of the program itself, not of a child
}

// Path returns what the descriptor in the call's first argument stands for, "" if that cannot be told.
func (c Call) Path() string {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", c.Thread, int32(c.Args[0])))
	if err != nil {
		return ""
	}
	return path
}

// A Verdict is what becomes of a call. The zero one lets it go on.
type Verdict struct {
	Kill  bool          // kill -9 of the program, in place of the call
	Errno syscall.Errno // the call has no effect and returns this
}

// Judge decides about calls, one after another. It is not called any more once it has returned Kill.
type Judge func(Call) Verdict

// Start starts cmd under a trap for the named calls. An openat is stopped only where it may create. The returned wait
// takes the place of cmd.Wait; it returns when the program has ended. What children of the program are still alive
// then remain under the trap, whose calls go on from then on; when the last has ended, so has everything of the trap.
//
// The program that calls Start calls [ExecIfAsked] first thing in main.
func Start(cmd *exec.Cmd, calls []string, judge Judge) (wait func() error, err error) {
	numbers := make([]string, len(calls))
	for i, name := range calls {
		nr, ok := callNumbers[name]
		if !ok {
			return nil, fmt.Errorf("cannot trap %s: no such call in the table", name)
		}
		numbers[i] = strconv.Itoa(int(nr))
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot make a socket for the trap: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "trap"), os.NewFile(uintptr(fds[1]), "trap")
	defer ours.Close()
	defer theirs.Close()
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find the program that sets the trap: %w", err)
	}
	if cmd.Err != nil {
		return nil, cmd.Err
	}
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Args = append([]string{cmd.Args[0], cmd.Path}, cmd.Args[1:]...)
	cmd.Path = self
	cmd.ExtraFiles = append(cmd.ExtraFiles, theirs)
	cmd.Env = append(slices.Clone(cmd.Env), fmt.Sprintf("%s=%d,%s", askEnv, 2+len(cmd.ExtraFiles), strings.Join(numbers, ",")))
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	theirs.Close()
	listener, err := receive(ours)
	if err != nil {
		return nil, errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	t := &trapper{listener: listener, pid: cmd.Process.Pid, judge: judge}
	stopped := make(chan error, 1)
	go func() { stopped <- t.serve() }()
	return func() error {
		err := cmd.Wait()
		t.retire()
		select {
		case serveErr := <-stopped:
			return errors.Join(err, serveErr)
		default: // children are left
			return err
		}
	}, nil
}

// receive takes the listener that the child sends.
func receive(from *os.File) (int, error) {
	conn, err := net.FileConn(from)
	if err != nil {
		return 0, fmt.Errorf("cannot receive the trap: %w", err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return 0, fmt.Errorf("cannot receive the trap: %w", err)
	}
	oob := make([]byte, unix.CmsgSpace(4))
	text := make([]byte, 512)
	n, oobn, _, _, err := conn.(*net.UnixConn).ReadMsgUnix(text, oob)
	if err != nil {
		return 0, fmt.Errorf("cannot receive the trap: %w", err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		return 0, fmt.Errorf("the trap could not be set: %s", text[:n])
	}
	received, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(received) != 1 {
		return 0, fmt.Errorf("the trap was not received: %w", err)
	}
	unix.CloseOnExec(received[0])
	return received[0], nil
}

// As in linux/seccomp.h.
type notification struct {
	id    uint64
	pid   uint32
	flags uint32
	nr    int32
	arch  uint32
	ip    uint64
	args  [6]uint64
}

type response struct {
	id    uint64
	val   int64
	errno int32
	flags uint32
}

type trapper struct {
	listener int
	pid      int

	mu    sync.Mutex
	judge Judge // nil when nobody is judged any more
}

// serve judges calls until no process is under the trap any more.
func (t *trapper) serve() error {
	defer func() { _ = unix.Close(t.listener) }()
	for {
		poll := []unix.PollFd{{Fd: int32(t.listener), Events: unix.POLLIN}}
		_, err := unix.Poll(poll, -1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot wait at the trap: %w", err)
		}
		if poll[0].Revents&unix.POLLIN == 0 {
			return nil // POLLHUP: nobody is left
		}
		var n notification
		if err := t.ioctl(unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)); err != nil {
			if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ENOENT) { // the thread was killed meanwhile
				continue
			}
			return fmt.Errorf("cannot read from the trap: %w", err)
		}
		answer := response{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		verdict := t.decide(n)
		if verdict.Kill {
			t.retire()
			if err := unix.Kill(t.pid, unix.SIGKILL); err != nil {
				return fmt.Errorf("cannot kill the program in the trap: %w", err)
			}
			continue // no answer: with one, the call could still be made
		}
		if verdict.Errno != 0 {
			answer.flags, answer.errno = 0, -int32(verdict.Errno)
		}
		if err := t.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&answer)); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("cannot answer from the trap: %w", err)
		}
	}
}

// retire returns when the judge has judged for the last time.
func (t *trapper) retire() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.judge = nil
}

func (t *trapper) decide(n notification) Verdict {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.judge == nil {
		return Verdict{}
	}
	_, err := os.Lstat(fmt.Sprintf("/proc/%d/task/%d", t.pid, n.pid))
	return t.judge(Call{Name: callNames[n.nr], Args: n.args, Thread: int(n.pid), Own: err == nil})
}

func (t *trapper) ioctl(request uintptr, p unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(t.listener), request, uintptr(p)); errno != 0 {
		return errno
	}
	return nil
}
