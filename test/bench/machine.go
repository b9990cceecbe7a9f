package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/dropship/dropship/test/servers"
)

// describe names the machine, and what is measured with what.
func describe(ctx context.Context, dropship string, set servers.Set) (string, error) {
	version, err := exec.CommandContext(ctx, dropship, "version").Output()
	if err != nil {
		return "", fmt.Errorf("cannot ask %s for its version: %w", dropship, err)
	}
	memory := meminfo.FindSubmatch(content("/proc/meminfo"))
	model := cpuinfo.FindSubmatch(content("/proc/cpuinfo"))
	var uts syscall.Utsname
	if err := syscall.Uname(&uts); err != nil {
		return "", fmt.Errorf("cannot ask for the kernel: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "- Machine: %s, %d cores, %s of memory, Linux %s; everything runs on it, the servers, too\n",
		last(model), runtime.NumCPU(), gibibytes(last(memory)), text(uts.Release[:]))
	fmt.Fprintf(&b, "- Temporary files on %s\n", filesystem(ctx, os.TempDir()))
	fmt.Fprintf(&b, "- Dropship: %s\n", strings.Join(strings.Fields(string(version)), " "))
	fmt.Fprintf(&b, "- Servers: versitygw %s, Consul %s, Swift %s, on loopback\n", set.S3.Version, set.Consul.Version, set.Swift.Version)
	fmt.Fprintf(&b, "- Alternatives: %s, %s, %s, %s\n", tool(ctx, "curl"), tool(ctx, "tar"), tool(ctx, "gzip"), tool(ctx, "zstd"))
	return b.String(), nil
}

var (
	cpuinfo = regexp.MustCompile(`(?m)^model name\s*: (.*)$`)
	meminfo = regexp.MustCompile(`(?m)^MemTotal:\s*(\d+)`)
	version = regexp.MustCompile(`\d+(\.\d+)+`)
)

// gibibytes writes what /proc/meminfo has in KiB.
func gibibytes(kibi string) string {
	n, err := strconv.ParseInt(kibi, 10, 64)
	if err != nil {
		return kibi
	}
	return fmt.Sprintf("%.0f GiB", float64(n)/(1<<20))
}

func content(path string) []byte {
	data, _ := os.ReadFile(path) // what cannot be read is not named
	return data
}

func last(match [][]byte) string {
	if len(match) == 0 {
		return "unknown"
	}
	return string(bytes.TrimSpace(match[len(match)-1]))
}

// text is a string as the kernel writes it.
func text(name []int8) string {
	var b strings.Builder
	for _, c := range name {
		if c == 0 {
			break
		}
		b.WriteByte(byte(c))
	}
	return b.String()
}

// filesystem names the kind of file system that a path is on.
func filesystem(ctx context.Context, path string) string {
	out, err := exec.CommandContext(ctx, "df", "--output=fstype", path).Output()
	if err != nil {
		return "an unknown file system"
	}
	lines := strings.Fields(string(out)) // a heading, and the kind
	return lines[len(lines)-1]
}

// tool names a program with its version.
func tool(ctx context.Context, name string) string {
	out, err := exec.CommandContext(ctx, name, "--version").Output()
	if err != nil {
		return "no " + name
	}
	return name + " " + string(version.Find(out))
}
