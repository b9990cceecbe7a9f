// Screens writes docs/screens.md: what a person sees of Dropship in a terminal of 80 columns and 24 lines. It runs the
// real thing on this machine, in tmux, and takes down what is on the screen. `make screens` runs it; it needs root, for
// a host name of its own, and tmux.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed screens.hcl
var configuration string

const (
	dir      = "/tmp/dropship" // short, since it is on the screens
	hostname = "web-01"
	page     = "docs/screens.md"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := write(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "screens:", err)
		os.Exit(1)
	}
}

// write makes the world, lives through the scenes, and writes the page.
func write(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make the directory of the demonstration, remove what is there: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server := &slowServer{}
	url, err := server.start()
	if err != nil {
		return err
	}
	if err := build(ctx, url); err != nil {
		return err
	}
	if err := startTerminals(ctx); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, endAgent(), endTerminals())
	}()
	text, err := scenes(ctx, server)
	if err != nil {
		return err
	}
	return os.WriteFile(page, []byte(text), 0o644)
}

// build makes the program, and one of its name that knows the configuration.
func build(ctx context.Context, url string) error {
	for _, name := range []string{"bin", "artifacts", "srv"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", filepath.Join(dir, "dropship"), "./cmd/dropship")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build dropship: %w\n%s", err, out)
	}
	wrapper := "#!/bin/sh\nexec " + dir + "/dropship \"$@\" --config " + dir + "/dropship.hcl\n"
	text := strings.NewReplacer("$DIR", dir, "$URL", url).Replace(configuration)
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "bin", "dropship"), []byte(wrapper), 0o755),
		os.WriteFile(filepath.Join(dir, "dropship.hcl"), []byte(text), 0o644),
	)
}

// scenes lives through a few minutes of a machine, and returns the page.
func scenes(ctx context.Context, server *slowServer) (string, error) {
	web := map[string]string{"bin/web": noise(1, 2<<20), "etc/web.conf": "workers = 4\n", "static/logo.svg": "<svg/>", "VERSION": "1\n"}
	err := errors.Join(
		publish("api.tar.gz", map[string]string{"VERSION": "1"}), publish("docs.tar.gz", map[string]string{"VERSION": "1"}),
		publish("mail.tar.gz", map[string]string{"VERSION": "1"}), server.publish(web),
	)
	if err != nil {
		return "", err
	}
	if _, err := open(ctx, "agent", "echo $$ >agent.pid; exec dropship agent 2>agent.log"); err != nil {
		return "", err
	}
	if err := logged(ctx, "msg=updated", 4); err != nil {
		return "", err
	}
	if _, err := run(ctx, "pause", `dropship pause mail --reason "the database is being moved" --for 2h`); err != nil {
		return "", err
	}
	delete(web, "static/logo.svg")
	web["bin/web"], web["static/logo.png"], web["VERSION"] = noise(2, 6<<20), noise(3, 1000), "2\n"
	err = errors.Join(
		publish("mail.tar.gz", map[string]string{"VERSION": "2"}), publish("docs.tar.gz", map[string]string{"VERSION": "2", "BROKEN": "1"}),
		server.publish(web),
	)
	if err == nil {
		err = logged(ctx, "update rolled back", 1)
	}
	if err != nil {
		return "", err
	}
	b := &book{}
	b.say("# On the screen\n\nWhat a terminal of 80 columns and 24 lines shows, as `make screens` took it down: the real program, "+
		"on a machine\ncalled %s, with four services and an agent that runs. Hashes and times are others at each run. "+
		"`--config` is\nleft out.\n", hostname)
	b.section("What runs here?", "One line for each service, and below it what needs a person. Colours, red and yellow, are on a terminal only.")
	b.run(ctx, "status", "dropship status")
	b.section("Why not the new version?", "One reason, and what would change it.")
	b.run(ctx, "why-docs", "dropship why docs")
	b.run(ctx, "why-mail", "dropship why mail")
	b.run(ctx, "why-api", "dropship why api")
	b.section("What happened?", "")
	b.run(ctx, "history", "dropship history docs")
	b.section("What would an update do?", "Plan takes no slot and writes nothing. `--json` names all files.")
	b.run(ctx, "plan", "dropship plan web")
	b.apply(ctx, server)
	return b.text.String(), b.err
}

// endAgent tells the agent to stop, and waits: to the end of its terminal alone it would pay no heed.
func endAgent() error {
	text, err := os.ReadFile(filepath.Join(dir, "agent.pid"))
	if err != nil {
		return nil //nolint:nilerr // it was not started
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return nil //nolint:nilerr // it has ended
	}
	return until(context.Background(), "the end of the agent", func() (bool, error) {
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH), nil
	})
}

// logged waits until the agent has logged that so many times.
func logged(ctx context.Context, text string, times int) error {
	var log []byte
	err := until(ctx, text, func() (ok bool, err error) {
		log, err = os.ReadFile(filepath.Join(dir, "agent.log"))
		if errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		return bytes.Count(log, []byte(text)) >= times, err
	})
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, log)
	}
	return err
}

// A book is the page in the making. After an error nothing more is done.
type book struct {
	text strings.Builder
	err  error
}

func (b *book) say(format string, args ...any) { fmt.Fprintf(&b.text, format, args...) }

func (b *book) section(title, text string) {
	b.say("\n## %s\n", title)
	if text != "" {
		b.say("\n%s\n", text)
	}
}

func (b *book) show(screen string) {
	var lines []string
	for line := range strings.Lines(screen) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	b.say("\n```\n%s\n```\n", strings.Join(lines, "\n"))
}

func (b *book) run(ctx context.Context, name, line string) {
	if b.err != nil {
		return
	}
	var screen string
	if screen, b.err = run(ctx, name, line); b.err == nil {
		b.show(screen)
	}
}

// apply shows an update as it goes on.
func (b *book) apply(ctx context.Context, server *slowServer) {
	b.section("Update it now", "On a terminal a line for each service that is worked on shows how far it is. Without one there is the log.")
	if b.err != nil {
		return
	}
	server.slow(3 << 20 / 2)
	w, err := open(ctx, "apply", "echo '$ dropship apply'; dropship apply; echo '"+end+"'; exec sleep 1000")
	if err != nil {
		b.err = err
		return
	}
	for _, scene := range []struct {
		text string
		on   []string
	}{
		{"While it downloads, and unpacks what has come:", []string{"=======>", "/s"}},
		{"In the hooks before the switch:", []string{"before 1/1", "1s"}},
		{"In those after it:", []string{"after 1/2", "1s"}},
		{"The slot is kept for `updateTTL`, so that trouble has time to show before another machine's turn:", []string{"keeps the slot"}},
		{"In the end there is what came of it. A service that is paused or quarantined makes the exit code 1:", []string{end}},
	} {
		screen, err := w.when(scene.on...)
		if err != nil {
			b.err = err
			return
		}
		b.say("\n%s\n", scene.text)
		b.show(strings.TrimRight(strings.TrimSuffix(screen, end), "\n"))
	}
}
