package systemd

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
	"unicode"
)

const (
	// journalTimeout bounds what is done for an error's last lines; after the end of a hook's context it is journalLate.
	journalTimeout = 20 * time.Second
	journalLate    = 2 * time.Second
	journalLines   = 10
	journalBytes   = 2 << 10
)

// journal returns the last lines of a unit in the journal, systemd's own about it among them, or "" where they cannot be
// had: an error is none the worse without. They are found by time and not by the unit's invocation, which the journal does
// not know of a process that has ended before its line was read. journalctl reads them, since the library that can
// takes cgo.
func journal(ctx context.Context, unit string, since time.Time) string {
	limit := journalTimeout
	if ctx.Err() != nil {
		limit = journalLate
	}
	ctx, end := outlive(ctx, journalLate)
	defer end()
	// What a program printed as the last thing it did may not have been written yet. Where the disk is busy some of the
	// lines are better than none.
	_, _ = journalctl(ctx, limit/2, "--sync")
	// Its own, and what systemd says of it: not by --unit, which leaves out why a program could not be executed where the
	// process that says so is gone too soon.
	out, _ := journalctl(ctx, limit/2, "--quiet", "--no-pager", "--output=cat", fmt.Sprintf("--lines=%d", journalLines),
		fmt.Sprintf("--since=@%d.%06d", since.Unix(), since.Nanosecond()/1000),
		"_SYSTEMD_UNIT="+unit, "+", "UNIT="+unit, "_UID=0")
	return lastLines(out)
}

func journalctl(ctx context.Context, limit time.Duration, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "journalctl", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8"}
	cmd.WaitDelay = journalLate / 2
	var out tail
	cmd.Stdout = &out
	err := cmd.Run()
	return string(out), err
}

// A tail keeps the end of what is written to it. One entry of the journal may be of any size.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	const limit = 4 * journalBytes
	*t = append(*t, p[max(0, len(p)-limit):]...)
	*t = (*t)[max(0, len(*t)-limit):]
	return len(p), nil
}

// lastLines returns the last lines of text that have something in them, without what garbles a terminal.
func lastLines(text string) string {
	var lines []string
	for line := range strings.Lines(strings.ToValidUTF8(text, "")) {
		line = strings.TrimSpace(strings.Map(func(r rune) rune {
			switch {
			case unicode.IsPrint(r):
				return r
			case unicode.IsSpace(r):
				return ' '
			default:
				return -1
			}
		}, line))
		if line != "" {
			lines = append(lines, line)
		}
	}
	text = strings.Join(lines[max(0, len(lines)-journalLines):], "\n")
	return strings.ToValidUTF8(text[max(0, len(text)-journalBytes):], "")
}
