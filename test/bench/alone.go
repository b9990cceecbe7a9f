package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/dropship/dropship/test/servers"
)

// An asking is the request of a check and nothing else: what an agent cannot do without, by the library that it does it with.
type asking struct {
	S3     *servers.S3 // ask by HeadObject of the AWS SDK; nil: by net/http
	Bucket string
	Base   string // URL before the keys
	Token  string // X-Auth-Token, if any
	Keys   []string
	Beat   time.Duration // between ten and the next ten, as with an agent
}

// by is what the requests are made with.
func (a asking) by() string {
	if a.S3 != nil {
		return "HeadObject of the AWS SDK alone"
	}
	return "HEAD by net/http alone"
}

// askVariable has this program make requests, and nothing else: its CPU time is theirs then.
const askVariable = "DROPSHIP_BENCH_ASK"

// asker reports whether this process is there to make requests. For each line of its standard input it makes some, and
// writes how long it computed for one, in seconds.
func asker() bool {
	text := os.Getenv(askVariable)
	if text == "" {
		return false
	}
	var a asking
	err := json.Unmarshal([]byte(text), &a)
	if err == nil {
		err = a.obey(context.Background(), os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot ask:", err)
		os.Exit(1)
	}
	return true
}

func (a asking) obey(ctx context.Context, orders io.Reader, results io.Writer) error {
	head := a.head()
	for lines := bufio.NewScanner(orders); lines.Scan(); {
		before, err := computed()
		if err != nil {
			return err
		}
		if err := a.all(ctx, head); err != nil {
			return err
		}
		after, err := computed()
		if err != nil {
			return err
		}
		fmt.Fprintln(results, (after-before).Seconds()/float64(len(a.Keys)))
	}
	return nil
}

// all asks for each key once, for ten at each beat.
func (a asking) all(ctx context.Context, head func(context.Context, string) error) error {
	beats := time.NewTicker(a.Beat)
	defer beats.Stop()
	group, ctx := errgroup.WithContext(ctx)
	for i, key := range a.Keys {
		if i%10 == 0 {
			<-beats.C
		}
		group.Go(func() error { return head(ctx, key) })
	}
	return group.Wait()
}

// head returns what asks for one key.
func (a asking) head() func(ctx context.Context, key string) error {
	if a.S3 != nil {
		client := s3.New(s3.Options{
			BaseEndpoint: aws.String(a.S3.Endpoint), UsePathStyle: true, Region: a.S3.Region, Retryer: aws.NopRetryer{},
			Credentials: credentials.NewStaticCredentialsProvider(a.S3.AccessKey, a.S3.Secret, ""),
		})
		return func(ctx context.Context, key string) error {
			_, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &a.Bucket, Key: &key})
			return err
		}
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	return func(ctx context.Context, key string) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodHead, a.Base+key, nil)
		if err != nil {
			return err
		}
		if a.Token != "" {
			req.Header.Set("X-Auth-Token", a.Token)
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("cannot ask for %s: %s", key, resp.Status)
		}
		return nil
	}
}

// computed is how long this process has computed, user and system.
func computed() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}

// An alone is a process that asks when it is told to.
type alone struct {
	asking
	cmd     *exec.Cmd
	orders  io.WriteCloser
	results *bufio.Scanner
}

// start starts this program anew as such a process.
func (a asking) start(ctx context.Context) (*alone, error) {
	text, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &alone{asking: a, cmd: exec.CommandContext(ctx, self)}
	p.cmd.Env = append(os.Environ(), askVariable+"="+string(text))
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.results = bufio.NewScanner(out)
	if p.orders, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return p, p.cmd.Start()
}

// ask returns how long a request computes, in seconds.
func (p *alone) ask() (cpu float64, err error) {
	if _, err := fmt.Fprintln(p.orders); err != nil {
		return 0, fmt.Errorf("cannot tell a process to ask: %w", err)
	}
	if !p.results.Scan() {
		return 0, errors.Join(errors.New("a process that asks has ended"), p.results.Err())
	}
	_, err = fmt.Sscan(p.results.Text(), &cpu)
	return cpu, err
}

func (p *alone) stop() error {
	p.orders.Close()
	return p.cmd.Wait()
}
