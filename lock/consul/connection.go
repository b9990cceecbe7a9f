package consul

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/dropship/secret"
)

// A Connection says how to reach Consul: the consul block that the lock and the hooks share. What is empty
// comes from the CONSUL_* environment (CONSUL_HTTP_ADDR, CONSUL_HTTP_TOKEN, CONSUL_HTTP_TOKEN_FILE,
// CONSUL_CACERT …) and else is Consul's default: the agent on 127.0.0.1:8500, without a token.
type Connection struct {
	Address    string        // host:port, http://…, https://… or unix:///path
	Token      secret.String // ACL token
	User       string        // HTTP basic auth, for a proxy in front of Consul
	Password   secret.String
	UseSSL     *bool  // nil: as the address or the environment says
	CAFile     string // PEM file with the CA of Consul's certificate
	Datacenter string // empty: the agent's own
}

// Client returns a client with its own connections. It reads the environment, and the CA and token files
// that are named there, so a client made later sees what changed in them. A connection that cannot be
// opened within 5 s is an error; for the rest, requests last as long as the context given with them.
func (c Connection) Client() (*api.Client, error) {
	client, _, err := c.dial()
	return client, err
}

// dial returns a client, and its transport, whose idle connections the owner of a short-lived client closes.
func (c Connection) dial() (*api.Client, *http.Transport, error) {
	config, transport := c.config()
	client, err := api.NewClient(config)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a Consul client for %s: %w", config.Address, err)
	}
	confine(config.HttpClient, config) // which the client has made, and uses
	return client, transport, nil
}

func (c Connection) config() (*api.Config, *http.Transport) {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       time.Minute,
		MaxIdleConnsPerHost:   4,
		DisableCompression:    true, // the agent is on this machine, as a rule: it would cost both more than the bytes do
	}
	config := api.DefaultConfig()
	config.Transport = transport
	if c.Address != "" {
		config.Address = c.Address
	}
	takeCredentials(config)
	if c.Token != "" {
		config.Token = c.Token.Reveal()
	}
	if c.User != "" {
		config.HttpAuth = &api.HttpBasicAuth{Username: c.User, Password: c.Password.Reveal()}
	}
	if c.UseSSL != nil {
		config.Scheme = "http"
		if *c.UseSSL {
			config.Scheme = "https"
		}
	}
	if c.CAFile != "" {
		config.TLSConfig.CAFile = c.CAFile
	}
	if c.Datacenter != "" {
		config.Datacenter = c.Datacenter
	}
	return config, transport
}

// override returns c with what is set in o in place of its own.
func (c Connection) override(o Connection) Connection {
	for _, f := range []struct{ mine, other *string }{
		{&c.Address, &o.Address},
		{&c.User, &o.User},
		{&c.CAFile, &o.CAFile},
		{&c.Datacenter, &o.Datacenter},
	} {
		if *f.other != "" {
			*f.mine = *f.other
		}
	}
	if o.Token != "" {
		c.Token = o.Token
	}
	if o.Password != "" {
		c.Password = o.Password
	}
	if o.UseSSL != nil {
		c.UseSSL = o.UseSSL
	}
	return c
}

// takeCredentials moves a user and password that stand in the address, as CONSUL_HTTP_ADDR may have them, to
// where they are sent from and not printed: Consul's client takes them for a part of the host's name.
func takeCredentials(config *api.Config) {
	scheme, rest, found := strings.Cut(config.Address, "://")
	if !found {
		scheme, rest = "", config.Address
	}
	i := strings.LastIndex(rest, "@")
	if i < 0 || scheme == "unix" {
		return
	}
	user, password, _ := strings.Cut(rest[:i], ":")
	if config.HttpAuth == nil {
		config.HttpAuth = &api.HttpBasicAuth{Username: user, Password: password}
	}
	config.Address = rest[i+1:]
	if found {
		config.Address = scheme + "://" + config.Address
	}
}
