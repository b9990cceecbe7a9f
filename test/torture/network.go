package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dropship/dropship/test/faultproxy"
)

// A networkFault is a way for the network to break: while small requests are answered, and while an artifact is sent.
type networkFault struct {
	name  string
	link  func(*faultproxy.Proxy) // the link as a whole; nil: answers, as follows
	small faultproxy.Fault
	large func(at int64) faultproxy.Fault // at that byte of the artifact
}

// status is the same at all times.
func status(code int, after string) networkFault {
	f := faultproxy.Status(code, "Retry-After", after)
	return networkFault{name: http.StatusText(code), small: f, large: func(int64) faultproxy.Fault { return f }}
}

func networkFaults() []Fault {
	var all []Fault
	for _, f := range []networkFault{
		{name: "connection cut", small: faultproxy.Refuse(), large: faultproxy.Cut},
		{name: "connection reset", link: (*faultproxy.Proxy).Down},
		{name: "answer lost", small: faultproxy.Lose(), large: faultproxy.Reset},
		{name: "stall", small: faultproxy.Silence(), large: faultproxy.Stall},
		{name: "no word", link: (*faultproxy.Proxy).Mute},
		{name: "trickle", small: faultproxy.Trickle(1, 20*time.Millisecond), large: func(int64) faultproxy.Fault { return faultproxy.Trickle(10, 20*time.Millisecond) }},
		{name: "wrong bytes", small: faultproxy.Raw("220 mail.example.com ESMTP\r\n\r\n"), large: faultproxy.Flip},
		{name: "truncated", small: faultproxy.Raw("HTTP/1.1 200 OK\r\nContent-Le"), large: faultproxy.Short},
		status(http.StatusInternalServerError, ""),
		status(http.StatusServiceUnavailable, "1"),
		status(http.StatusTooManyRequests, "1"),
		{name: "flapping", link: func(p *faultproxy.Proxy) { p.Flap(200*time.Millisecond, 300*time.Millisecond) }},
	} {
		all = append(all, Fault{
			Name:  "network: " + strings.ToLower(f.name),
			Steps: []string{"check", "stage", "slot", "after", "hold"},
			Round: f.round,
		})
	}
	return all
}

// A network is the way from a machine to its repository and to Consul.
type network struct{ store, consul *faultproxy.Proxy }

// newNetwork puts proxies before the servers of the round, of which the machine knows nothing else from here on.
func newNetwork(r *Round, kind string) (*network, error) {
	n := &network{}
	var err error
	if n.consul, err = faultproxy.New("http://"+r.Servers.Consul.Address, nil); err != nil {
		return nil, err
	}
	r.Servers.Consul.Address = strings.TrimPrefix(n.consul.URL, "http://")
	switch kind {
	case "s3":
		if n.store, err = faultproxy.New(r.Servers.S3.Endpoint, nil); err == nil {
			r.Servers.S3.Endpoint = n.store.URL
		}
	case "swift":
		var at *url.URL
		if at, err = url.Parse(r.Servers.Swift.AuthURL); err != nil {
			break
		}
		if n.store, err = faultproxy.New("http://"+at.Host, nil); err == nil {
			r.Servers.Swift.AuthURL = n.store.URL + at.Path
		}
	}
	if err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// reach puts a proxy before the web server of a machine, which has one of its own.
func (n *network) reach(m *Machine) error {
	s, ok := m.store.(*httpStore)
	if !ok {
		return nil
	}
	var err error
	if n.store, err = faultproxy.New(s.url, nil); err != nil {
		return err
	}
	s.url = n.store.URL
	return m.Configure("")
}

func (n *network) close() {
	for _, p := range []*faultproxy.Proxy{n.store, n.consul} {
		if p != nil {
			p.Close()
		}
	}
}

// heal puts everything in order. What hangs is reset, as it is when a network comes back.
func (n *network) heal() {
	for _, p := range []*faultproxy.Proxy{n.store, n.consul} {
		p.Heal()
		p.Down()
		p.Up()
	}
}

// round breaks the network of an agent at a step of its update, and checks that the agent goes on by itself.
func (f networkFault) round(ctx context.Context, r *Round) (_ Seen, err error) {
	v := r.Variant()
	v.Agent = true
	v.Repo = []string{"http", "s3", "swift"}[r.Number%3]
	n, err := newNetwork(r, v.Repo)
	if err != nil {
		return "", err
	}
	defer n.close()
	m, err := NewMachine(ctx, r, v)
	if err != nil {
		return "", err
	}
	defer func() {
		n.heal()
		err = errors.Join(err, m.Close())
	}()
	if err := n.reach(m); err != nil {
		return "", err
	}
	if err := m.Publish(ctx, Good(2)); err != nil {
		return "", err
	}

	n.store.Forget()
	n.consul.Forget()
	at := r.Rand.Int64N(20_000)
	late := r.Step == "after" || r.Step == "hold" || r.Step == "stage" && f.link != nil
	if !late {
		f.strike(n, r.Step, at)
	}
	p, err := m.Start(ctx, "agent", nil)
	if err != nil {
		return "", err
	}
	if late {
		if err := reachOrPass(ctx, p, r.Step); err != nil {
			return "", err
		}
		f.strike(n, r.Step, at)
	} else if err := f.struck(ctx, n, r.Step, p); err != nil {
		return "", err
	}
	select {
	case <-time.After(time.Duration(r.Rand.Int64N(int64(300 * time.Millisecond)))):
	case <-p.done:
	case <-ctx.Done():
	}
	seen, err := m.Struck()
	if err != nil {
		return "", err
	}
	n.heal()
	if err := m.Settle(ctx, p); err != nil {
		return "", err
	}
	if err := p.Stop(ctx); err != nil {
		return "", err
	}
	return seen, m.Check(ctx)
}

// reachOrPass waits until an agent is in a step, or past it: the after chain of an update may begin and end between
// two looks.
func reachOrPass(ctx context.Context, p *Process, step string) error {
	tick := time.NewTicker(500 * time.Microsecond)
	defer tick.Stop()
	for {
		for _, s := range []string{step, "hold"} {
			if been, err := p.progress.Been(s); err != nil || been {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-p.done:
			return errors.New("the agent ended before its update:\n" + p.Log())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// strike breaks what the step needs: the repository, Consul, or both.
func (f networkFault) strike(n *network, step string, at int64) {
	only, fault := faultproxy.All, f.small
	if step == "stage" && f.link == nil {
		only, fault = isDownload, f.large(at)
	}
	for _, p := range []*faultproxy.Proxy{n.store, n.consul} {
		switch {
		case p == n.store && step == "slot", p == n.consul && (step == "check" || step == "stage"):
		case f.link != nil:
			f.link(p)
		default:
			p.Break(-1, fault, only)
		}
	}
}

func isDownload(r *http.Request) bool {
	return r.Method == http.MethodGet && (strings.HasSuffix(r.URL.Path, ".tar.gz") || strings.HasSuffix(r.URL.Path, ".sh"))
}

// struck waits until the agent has met the fault.
func (f networkFault) struck(ctx context.Context, n *network, step string, p *Process) error {
	proxy := n.store
	if step == "slot" {
		proxy = n.consul
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		met := proxy.Refused() > 0
		for _, r := range proxy.Requests() {
			met = met || step != "stage" || isDownload(r)
		}
		if met {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.done:
			return errors.New("the agent ended before it met the fault:\n" + p.Log())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
