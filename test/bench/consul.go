package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/test/servers"
)

// A consulServer is a Consul of this figure alone, which takes as many connections from one address as there are.
type consulServer struct {
	address string
	client  *api.Client
	pid     int
	stop    func()
}

// cpu returns how long this process, with all its machines, and the server have computed.
func (s *consulServer) cpu() (time.Duration, error) {
	theirs, err := cpuOf(s.pid)
	if err != nil {
		return 0, err
	}
	ours, err := cpuOf(os.Getpid())
	return ours + theirs, err
}

// startConsul starts a server that keeps its data in memory, as the one of the tests does.
func (b *bench) startConsul(ctx context.Context) (*consulServer, error) {
	tools, err := servers.RunningTools()
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(ctx, 3)
	if err != nil {
		return nil, err
	}
	config := filepath.Join(b.dir, "consul.hcl")
	text := fmt.Sprintf("bind_addr = \"127.0.0.1\"\nlog_level = \"warn\"\ndisable_update_check = true\nui_config { enabled = false }\n"+
		"limits { http_max_conns_per_client = 10000 }\n"+
		"ports {\n  http = %d\n  server = %d\n  serf_lan = %d\n  serf_wan = -1\n  dns = -1\n  grpc = -1\n  grpc_tls = -1\n}\n", ports[0], ports[1], ports[2])
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	output, err := os.Create(filepath.Join(b.dir, "consul.log"))
	if err != nil {
		return nil, err
	}
	defer output.Close()
	cmd := exec.CommandContext(ctx, tools.Consul, "agent", "-dev", "-config-file="+config)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start Consul: %w", err)
	}
	s := &consulServer{address: fmt.Sprintf("127.0.0.1:%d", ports[0]), pid: cmd.Process.Pid}
	s.stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended already
		_ = cmd.Wait()
	}
	if s.client, err = api.NewClient(&api.Config{Address: s.address}); err == nil {
		err = s.await(ctx)
	}
	if err != nil {
		s.stop()
		text, _ := os.ReadFile(output.Name())
		return nil, fmt.Errorf("cannot use the Consul that was started: %w\n%s", err, text)
	}
	return s, nil
}

// await returns when the server keeps sessions.
func (s *consulServer) await(ctx context.Context) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		id, _, err := s.client.Session().CreateNoChecks(nil, nil)
		if err == nil {
			_, err = s.client.Session().Destroy(id, nil)
			return err
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// freePorts returns ports of loopback that nobody listens on.
func freePorts(ctx context.Context, n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// roundTrips measures a consistent read of a small key, and a transaction that writes it, while so many other keys are
// watched, each by a blocking query of its own.
func (s *consulServer) roundTrips(ctx context.Context, watchers int) (read, write series, err error) {
	unwatch, err := s.watch(ctx, watchers)
	if err != nil {
		return nil, nil, err
	}
	defer unwatch()
	query := (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx)
	for range 200 {
		start := time.Now()
		ok, _, _, err := s.client.Txn().Txn(api.TxnOps{{KV: &api.KVTxnOp{Verb: api.KVSet, Key: "bench", Value: []byte("value")}}}, query)
		if err != nil || !ok {
			return nil, nil, fmt.Errorf("cannot write a key: %w", err)
		}
		written := time.Now()
		if _, _, err := s.client.KV().Get("bench", query); err != nil {
			return nil, nil, err
		}
		read, write = append(read, time.Since(written).Seconds()), append(write, written.Sub(start).Seconds())
	}
	return read, write, nil
}

// watch opens n blocking queries, and returns what ends them.
func (s *consulServer) watch(ctx context.Context, n int) (end func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var watches, sent sync.WaitGroup
	end = func() {
		cancel()
		watches.Wait()
		_, _ = s.client.KV().DeleteTree("watched/", nil) // what stays is in nobody's way
	}
	for i := range n {
		key := fmt.Sprint("watched/", i)
		if _, err := s.client.KV().Put(&api.KVPair{Key: key}, (&api.WriteOptions{}).WithContext(ctx)); err != nil {
			end()
			return nil, err
		}
		_, meta, err := s.client.KV().Get(key, (&api.QueryOptions{}).WithContext(ctx))
		if err != nil {
			end()
			return nil, err
		}
		sent.Add(1)
		trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { sent.Done() }}
		query := &api.QueryOptions{RequireConsistent: true, WaitIndex: meta.LastIndex, WaitTime: patience}
		watches.Go(func() {
			_, _, _ = s.client.KV().Get(key, query.WithContext(httptrace.WithClientTrace(ctx, trace))) // ends when it is not needed any more
		})
	}
	sent.Wait()
	return end, nil
}

// A counter stands before Consul and counts requests.
type counter struct {
	address            string
	requests, renewals atomic.Int64
	close              func()
}

func (s *consulServer) counter() *counter {
	c := &counter{}
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: s.address})
	behind.ErrorLog = log.New(io.Discard, "", 0)
	behind.Transport = &http.Transport{MaxIdleConnsPerHost: 1000}
	behind.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { // who asked has gone, as a rule
		w.WriteHeader(http.StatusBadGateway)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/session/renew/") {
			c.renewals.Add(1)
		} else {
			c.requests.Add(1)
		}
		behind.ServeHTTP(w, r)
	}))
	c.address, c.close = server.Listener.Addr().String(), server.Close
	return c
}
