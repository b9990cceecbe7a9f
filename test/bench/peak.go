package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// peakOf runs a program and returns the sum of the most memory, in bytes, that it and each process below it ever had;
// of bash only what is below. It is read while they run: what wait4 tells of a process counts the memory of the one
// that started it, too.
func peakOf(ctx context.Context, dir, name string, args ...string) (float64, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("cannot start %s: %w", name, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	peaks := map[int]float64{}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		look(cmd.Process.Pid, peaks)
		select {
		case <-tick.C:
		case err := <-ended:
			if err != nil {
				return 0, fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out.Bytes()))
			}
			if name == "bash" {
				delete(peaks, cmd.Process.Pid)
			}
			sum := 0.0
			for _, peak := range peaks {
				sum += peak
			}
			return sum, nil
		}
	}
}

var highWater = regexp.MustCompile(`(?m)^VmHWM:\s*(\d+) kB$`)

// look notes the peaks of a process and of those below it. One that has ended keeps what was seen last.
func look(pid int, peaks map[int]float64) {
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	if match := highWater.FindSubmatch(content(filepath.Join(proc, "status"))); match != nil {
		kib, _ := strconv.ParseFloat(string(match[1]), 64)
		peaks[pid] = kib * 1024
	}
	threads, _ := os.ReadDir(filepath.Join(proc, "task"))
	for _, thread := range threads {
		for _, child := range strings.Fields(string(content(filepath.Join(proc, "task", thread.Name(), "children")))) {
			if below, err := strconv.Atoi(child); err == nil {
				look(below, peaks)
			}
		}
	}
}
