package hookstest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// leavesNothing remembers what runs now, and returns a function that fails the test unless no more
// than that runs soon after.
func leavesNothing(t *testing.T) (check func()) {
	t.Helper()
	goroutines, children := runtime.NumGoroutine(), childProcesses(t)
	return func() {
		t.Helper()
		deadline := time.Now().Add(soon)
		for {
			left := leftBehind(goroutines, children, childProcesses(t))
			if left == "" {
				return
			}
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("Run left behind %s:\n%s", left, stacks[:runtime.Stack(stacks, true)])
			}
			runtime.Gosched()
			time.Sleep(time.Millisecond)
		}
	}
}

func leftBehind(goroutines int, before, after map[string]bool) string {
	var left []string
	if n := runtime.NumGoroutine() - goroutines; n > 0 {
		left = append(left, fmt.Sprintf("%d goroutines", n))
	}
	for pid := range after {
		if !before[pid] {
			left = append(left, "process "+pid)
		}
	}
	return strings.Join(left, " and ")
}

// childProcesses returns the processes that this one started and that it has not yet waited for.
func childProcesses(t *testing.T) map[string]bool {
	t.Helper()
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	children := map[string]bool{}
	for _, list := range lists {
		// A thread may end between the two calls.
		pids, _ := os.ReadFile(list)
		for pid := range strings.FieldsSeq(string(pids)) {
			children[pid] = true
		}
	}
	return children
}
