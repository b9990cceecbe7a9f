package trap

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// askEnv tells a process that it is the one between Start and the program: a filter can only be set from inside of
// the process that it is for. Its value: the socket's descriptor and the numbers of the calls.
const askEnv = "DROPSHIP_TORTURE_TRAP"

// ExecIfAsked does nothing, except in a process that Start made: there it sets the trap, becomes the program, and
// does not return.
func ExecIfAsked() {
	ask := os.Getenv(askEnv)
	if ask == "" {
		return
	}
	err := become(ask)
	fmt.Fprintln(os.Stderr, "trap:", err)
	os.Exit(127)
}

func become(ask string) error {
	runtime.LockOSThread() // the filter is the thread's, and so is the program that takes its place
	var numbers []int
	for field := range strings.SplitSeq(ask, ",") {
		n, err := strconv.Atoi(field)
		if err != nil {
			return fmt.Errorf("%s is %q: %w", askEnv, ask, err)
		}
		numbers = append(numbers, n)
	}
	socket := numbers[0]
	unix.CloseOnExec(socket)
	listener, err := install(filter(numbers[1:]))
	if err != nil {
		return fail(socket, fmt.Errorf("cannot set a seccomp filter: %w", err))
	}
	unix.CloseOnExec(listener)
	if err := unix.Sendmsg(socket, []byte{0}, unix.UnixRights(listener), nil, 0); err != nil {
		return fmt.Errorf("cannot hand over the trap: %w", err)
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, askEnv+"=") })
	if err := unix.Exec(os.Args[1], os.Args[1:], env); err != nil {
		return fmt.Errorf("cannot run %s: %w", os.Args[1], err)
	}
	return nil
}

// fail tells the parent why there is no trap.
func fail(socket int, err error) error {
	_ = unix.Sendmsg(socket, []byte(err.Error()), nil, nil, 0)
	return err
}

// filter returns a program for the kernel that stops these calls.
func filter(numbers []int) []unix.SockFilter {
	const nr, args2 = 0, 16 + 2*8 // offsets in struct seccomp_data; the lower half of an argument comes first here
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	give := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	program := []unix.SockFilter{load(nr)}
	for _, n := range numbers {
		if n == int(callNumbers["openat"]) {
			program = append(program,
				unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(n), Jf: 4},
				load(args2),
				unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: unix.O_CREAT, Jf: 1},
				give(unix.SECCOMP_RET_USER_NOTIF),
				give(unix.SECCOMP_RET_ALLOW))
			continue
		}
		program = append(program,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(n), Jf: 1},
			give(unix.SECCOMP_RET_USER_NOTIF))
	}
	return append(program, give(unix.SECCOMP_RET_ALLOW))
}

// install sets the filter for this thread and returns the descriptor that is notified.
func install(program []unix.SockFilter) (int, error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	// Killable: the signals by which Go's scheduler interrupts threads would else make a call start over, and count twice.
	const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return 0, errno
	}
	return int(fd), nil
}
