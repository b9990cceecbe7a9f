// Demo shows the main job of Dropship on this one machine, for real and without any server: a service is
// installed, updated, and rolled back when its new version is broken. It needs nothing but Go, ends by
// itself in under a minute, and leaves nothing behind.
package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

//go:embed demo.hcl
var configuration []byte

func main() {
	ldflags := flag.String("ldflags", "", "build dropship with these `FLAGS` for the linker, which tell it its version")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *ldflags)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, ldflags string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "dropship-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	d := &demo{dir: dir, address: address, ldflags: ldflags, lines: make(chan string, 1000)}
	if err := d.build(ctx); err != nil {
		return err
	}

	say("Version 1 lies in a directory of artifacts. The agent starts, and looks at once.")
	if err := d.publish("1", ""); err != nil {
		return err
	}
	if err := d.start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	if err := d.updated(ctx, "version 1"); err != nil {
		return err
	}

	say("Version 2 is published. The agent notices, stages it beside the live one, switches, checks.")
	if err := d.publish("2", ""); err != nil {
		return err
	}
	if err := d.updated(ctx, "version 2"); err != nil {
		return err
	}

	say("Version 3 is published, and broken: it answers 503. The check fails, so version 2 comes back.")
	if err := d.publish("3", "cannot reach the database"); err != nil {
		return err
	}
	if err := d.logs(ctx, "update rolled back"); err != nil {
		return err
	}
	if err := d.answers(ctx, "version 2"); err != nil {
		return err
	}

	say("The hash of version 3 is quarantined on this machine: it is not tried again.")
	if err := d.logs(ctx, "waiting for another one"); err != nil {
		return err
	}

	say("Version 4 mends it: a new hash is welcome.")
	if err := d.publish("4", ""); err != nil {
		return err
	}
	if err := d.updated(ctx, "version 4"); err != nil {
		return err
	}
	say(`That was the main job. What to try next:
    - read what the demo ran: test/demo/demo.hcl
    - your own first service, in ten lines: README.md, "A first service"
    - S3, Swift, turns through Consul, marks on your graphs: examples/
    - the same against the real servers: make test`)
	return nil
}

// A demo is the agent, the application it keeps up to date, and the directory they live in.
type demo struct {
	dir, address string
	ldflags      string // for what is built: its version and commit
	agent        *exec.Cmd
	ended        chan error
	lines        chan string // what the agent logs
}

func (d *demo) build(ctx context.Context) error {
	say("Building dropship and a small web application …")
	for name, pkg := range map[string]string{"dropship": "./cmd/dropship", "app": "./test/demo/app"} {
		build := exec.CommandContext(ctx, "go", "build", "-ldflags", d.ldflags, "-o", filepath.Join(d.dir, name), pkg)
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot build %s: %w\n%s", pkg, err, out)
		}
	}
	for _, sub := range []string{"artifacts", "srv"} {
		if err := os.Mkdir(filepath.Join(d.dir, sub), 0o755); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(d.dir, "dropship.hcl"), configuration, 0o644)
}

// publish puts a tar.gz of the application where the agent looks for it, as a build job would.
func (d *demo) publish(version, broken string) error {
	files := map[string]string{"VERSION": version}
	if broken != "" {
		files["BROKEN"] = broken
	}
	return pack(filepath.Join(d.dir, "artifacts", "hello.tar.gz"), filepath.Join(d.dir, "app"), files)
}

func (d *demo) start(ctx context.Context) error {
	d.agent = exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(d.dir, "dropship"), "agent", "--config", filepath.Join(d.dir, "dropship.hcl"))
	d.agent.Env = append(os.Environ(), "DEMO_DIR="+d.dir, "DEMO_ADDRESS="+d.address)
	d.agent.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the demo, which then ends the agent
	stderr, err := d.agent.StderrPipe()
	if err != nil {
		return err
	}
	if err := d.agent.Start(); err != nil {
		return err
	}
	d.ended = make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() { d.show(stderr) })
	go func() {
		wg.Wait()
		d.ended <- d.agent.Wait()
	}()
	return nil
}

// tooMuch is what every line of the agent's log has, and one who watches need not read.
var tooMuch = regexp.MustCompile(`time=\S+ |service=hello |update_id=\S+ `)

// show prints what the agent logs as it comes, and keeps it for those who wait.
func (d *demo) show(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		line := lines.Text()
		fmt.Println("   ", strings.ReplaceAll(tooMuch.ReplaceAllString(line, ""), d.dir, "…"))
		select {
		case d.lines <- line:
		default: // nobody waits for so many
		}
	}
}

// stop ends the agent and the application.
func (d *demo) stop() error {
	if err := d.agent.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	err := <-d.ended
	data, readErr := os.ReadFile(filepath.Join(d.dir, "srv", "hello.pid"))
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	pid, convErr := strconv.Atoi(strings.TrimSpace(string(data)))
	if convErr != nil {
		return errors.Join(err, convErr)
	}
	return errors.Join(err, syscall.Kill(pid, syscall.SIGTERM))
}

// updated waits until the agent has updated the application, and shows what it answers then.
func (d *demo) updated(ctx context.Context, want string) error {
	if err := d.logs(ctx, "msg=updated"); err != nil {
		return err
	}
	return d.answers(ctx, want)
}

// answers waits until the application gives that answer, and shows it.
func (d *demo) answers(ctx context.Context, want string) error {
	return d.wait(ctx, "the application to answer "+want, func() bool {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.address+"/", nil)
		if err != nil {
			return false
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		got := strings.TrimSpace(string(body))
		if got == want {
			fmt.Printf("    GET http://%s/ -> %s\n", d.address, got)
		}
		return got == want
	})
}

// logs waits until the agent logs that.
func (d *demo) logs(ctx context.Context, want string) error {
	return d.wait(ctx, "the agent to log "+strconv.Quote(want), func() bool {
		for {
			select {
			case line := <-d.lines:
				if strings.Contains(line, want) {
					return true
				}
			default:
				return false
			}
		}
	})
}

func (d *demo) wait(ctx context.Context, what string, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case err := <-d.ended:
			d.ended <- err
			return fmt.Errorf("the agent ended while the demo waited for %s: %w", what, err)
		case <-ctx.Done():
			return fmt.Errorf("waited in vain for %s: %w", what, context.Cause(ctx))
		}
	}
	return nil
}

func say(text string) { fmt.Printf("\n==> %s\n", text) }

func freeAddress(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
