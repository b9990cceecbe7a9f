package servers

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
)

// consulConfig fills templates/consul.hcl.
type consulConfig struct {
	Node               string
	HTTP, Server, Serf int
	DataDir            string // empty: the agent is started with -dev and keeps its state in memory
	Token              string // not empty: ACLs are on, deny by default, and this is the management token
}

func newConsulConfig(node string, p *ports) consulConfig {
	return consulConfig{Node: node, HTTP: p.next(), Server: p.next(), Serf: p.next()}
}

const consulPorts = 3

func (c consulConfig) address() string { return loopback(c.HTTP) }

func loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// startConsul starts an agent in -dev mode.
func (u *up) startConsul(ctx context.Context, cfg consulConfig) (Consul, error) {
	config := filepath.Join(u.dir, cfg.Node, "consul.hcl")
	if err := render("consul.hcl", config, cfg); err != nil {
		return Consul{}, err
	}
	p, err := u.launch(cfg.Node, nil, u.tools.Consul, "agent", "-dev", "-config-file="+config)
	if err != nil {
		return Consul{}, err
	}
	if err := p.await(ctx, cfg.ready); err != nil {
		return Consul{}, err
	}
	version, err := cfg.version(ctx)
	return Consul{Address: cfg.address(), Token: cfg.Token, Version: version}, err
}

// ready makes and destroys a session: that needs a leader, a write through it, and the node in the catalog with its
// health check passing, which an agent that answers does not have at once.
func (c consulConfig) ready(ctx context.Context) error {
	return sessionProbe(ctx, "http://"+c.address(), c.header())
}

// sessionProbe makes and destroys a session at the agent whose address is base.
func sessionProbe(ctx context.Context, base string, header http.Header) error {
	var session struct{ ID string }
	if err := probeJSON(ctx, http.MethodPut, base+"/v1/session/create", header, &session); err != nil {
		return err
	}
	var destroyed bool
	return probeJSON(ctx, http.MethodPut, base+"/v1/session/destroy/"+url.PathEscape(session.ID), header, &destroyed)
}

func (c consulConfig) version(ctx context.Context) (string, error) {
	var self struct{ Config struct{ Version string } }
	if err := probeJSON(ctx, http.MethodGet, "http://"+c.address()+"/v1/agent/self", c.header(), &self); err != nil {
		return "", fmt.Errorf("cannot ask Consul for its version: %w", err)
	}
	return self.Config.Version, nil
}

func (c consulConfig) header() http.Header {
	header := http.Header{}
	if c.Token != "" {
		header.Set("X-Consul-Token", c.Token)
	}
	return header
}
