//go:build linux

package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// limit is far longer than anything here takes, on a busy machine.
const limit = time.Minute

// within gives up what takes longer than limit. What hangs in the kernel cannot be ended, so that it is left behind.
func within(what string, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("%s hangs for %s already: see what keeps the kernel from it in /proc/*/stack, as a dead FUSE server does", what, limit)
	}
}

// run runs a command, which is killed a moment before within gives it up: then one that can be killed leaves nothing.
func run(ctx context.Context, name string, args ...string) error {
	what := name + " " + strings.Join(args, " ")
	ctx, cancel := context.WithTimeoutCause(ctx, limit*3/4, errors.New("it hangs, and was killed"))
	defer cancel()
	return within(what, func() error {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.WaitDelay = time.Second
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", what, errors.Join(err, context.Cause(ctx)), out)
		}
		return nil
	})
}

// attach makes an image a loop device, for as long as somebody has it open or mounted. Unlike mount -o loop and
// losetup it looks at no other loop device: one that is on a file system that hangs would hang it, too.
func attach(image string) (loop *os.File, err error) {
	err = within("making a loop device of "+image, func() (err error) {
		loop, err = attachNow(image)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot make a loop device of %s: %w", image, err)
	}
	return loop, nil
}

func attachNow(image string) (*os.File, error) {
	file, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	for {
		free, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, err
		}
		loop, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", free), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		config := unix.LoopConfig{Fd: uint32(file.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}}
		err = unix.IoctlLoopConfigure(int(loop.Fd()), &config)
		if err == nil {
			return loop, nil
		}
		loop.Close()
		if !errors.Is(err, unix.EBUSY) { // else somebody was faster: the next one is free
			return nil, err
		}
	}
}
