package servers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sync/errgroup"
)

const (
	swiftPorts   = 6
	swiftAccount = "test"
	swiftUser    = "tester"
	swiftKey     = "testing"
	swiftRegion  = "us-east-1"
)

// swiftConfig fills the templates in templates/swift.
type swiftConfig struct {
	Server string // account, container, object or proxy
	Port   int
	S3     bool // of a proxy: it speaks S3 too

	Memcached          int // the proxies keep the tokens they gave out there
	User               string
	Etc, Devices       string
	Account, Name, Key string
	Region             string
}

// startSwift starts one server of each kind, and a second proxy that speaks S3 over the same objects.
func (u *up) startSwift(ctx context.Context, p *ports) (Swift, S3, error) {
	me, err := user.Current()
	if err != nil {
		return Swift{}, S3{}, fmt.Errorf("cannot start swift: %w", err)
	}
	dir := filepath.Join(u.dir, "swift")
	base := swiftConfig{
		Memcached: p.next(), User: me.Username, Etc: filepath.Join(dir, "etc"), Devices: filepath.Join(dir, "devices"),
		Account: swiftAccount, Name: swiftUser, Key: swiftKey, Region: swiftRegion,
	}
	if err := os.MkdirAll(filepath.Join(base.Devices, "d1"), 0o755); err != nil {
		return Swift{}, S3{}, fmt.Errorf("cannot make a device for swift: %w", err)
	}
	if err := render("swift/swift.conf", filepath.Join(base.Etc, "swift.conf"), base); err != nil {
		return Swift{}, S3{}, err
	}
	stores := []swiftConfig{
		base.server("account", p.next()), base.server("container", p.next()), base.server("object", p.next()),
	}
	proxy, s3proxy := base.server("proxy", p.next()), base.server("proxy", p.next())
	s3proxy.S3 = true

	rings, ringsCtx := errgroup.WithContext(ctx)
	for _, c := range stores {
		rings.Go(func() error { return c.buildRing(ringsCtx) })
	}
	if err := rings.Wait(); err != nil {
		return Swift{}, S3{}, err
	}
	if err := u.startMemcached(ctx, base); err != nil {
		return Swift{}, S3{}, err
	}
	servers, serversCtx := errgroup.WithContext(ctx)
	for _, c := range append(stores, proxy, s3proxy) {
		servers.Go(func() error { return u.startSwiftServer(serversCtx, c) })
	}
	if err := servers.Wait(); err != nil {
		return Swift{}, S3{}, err
	}

	version, err := proxy.version(ctx)
	login := swiftAccount + ":" + swiftUser
	return Swift{AuthURL: proxy.url("/auth/v1.0"), User: login, Key: swiftKey, Version: version},
		S3{Endpoint: s3proxy.url(""), AccessKey: login, Secret: swiftKey, Region: swiftRegion, Version: version}, err
}

func (c swiftConfig) server(kind string, port int) swiftConfig {
	c.Server, c.Port = kind, port
	return c
}

func (c swiftConfig) url(path string) string { return "http://" + loopback(c.Port) + path }

func (c swiftConfig) name() string {
	if c.S3 {
		return "swift-" + c.Server + "-s3"
	}
	return "swift-" + c.Server
}

// buildRing makes the ring that says where this kind of server keeps what: one replica on one device.
func (c swiftConfig) buildRing(ctx context.Context) error {
	builder := filepath.Join(c.Etc, c.Server+".builder")
	for _, args := range [][]string{
		{"create", "4", "1", "1"},
		{"add", "--region", "1", "--zone", "1", "--ip", "127.0.0.1", "--port", strconv.Itoa(c.Port), "--device", "d1", "--weight", "1"},
		{"rebalance"},
	} {
		out, err := exec.CommandContext(ctx, "swift-ring-builder", append([]string{builder}, args...)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("cannot build swift's %s ring: %s: %w\n%s", c.Server, args[0], err, out)
		}
	}
	return nil
}

// startMemcached returns when it answers: a proxy that cannot reach it gives out tokens that it does not know again.
func (u *up) startMemcached(ctx context.Context, c swiftConfig) error {
	p, err := u.launch("memcached", nil, "memcached",
		"-l", "127.0.0.1", "-p", strconv.Itoa(c.Memcached), "-U", "0", "-m", "32", "-u", c.User)
	if err != nil {
		return err
	}
	return p.await(ctx, dials(loopback(c.Memcached)))
}

func (u *up) startSwiftServer(ctx context.Context, c swiftConfig) error {
	template := "swift/storage.conf"
	if c.Server == "proxy" {
		template = "swift/proxy.conf"
	}
	config := filepath.Join(c.Etc, c.name()+".conf")
	if err := render(template, config, c); err != nil {
		return err
	}
	p, err := u.launch(c.name(), nil, "swift-"+c.Server+"-server", config, "-v")
	if err != nil {
		return err
	}
	return p.await(ctx, func(ctx context.Context) error {
		_, err := probe(ctx, http.MethodGet, c.url("/healthcheck"), nil)
		return err
	})
}

func (c swiftConfig) version(ctx context.Context) (string, error) {
	var info struct {
		Swift struct {
			Version string `json:"version"`
		} `json:"swift"`
	}
	if err := probeJSON(ctx, http.MethodGet, c.url("/info"), nil, &info); err != nil {
		return "", fmt.Errorf("cannot ask Swift for its version: %w", err)
	}
	return info.Swift.Version, nil
}
