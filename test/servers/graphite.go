package servers

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const graphitePorts = 4

// graphiteConfig fills the templates in templates/graphite.
type graphiteConfig struct {
	Dir                      string
	Line, Pickle, Query, Web int
}

// newGraphiteConfig makes the files of a Graphite below dir.
func newGraphiteConfig(dir string, p *ports) (graphiteConfig, error) {
	c := graphiteConfig{Dir: dir, Line: p.next(), Pickle: p.next(), Query: p.next(), Web: p.next()}
	for file, path := range map[string]string{
		"carbon.conf":          filepath.Join(c.Dir, "conf", "carbon.conf"),
		"storage-schemas.conf": filepath.Join(c.Dir, "conf", "storage-schemas.conf"),
		"dropship_settings.py": filepath.Join(c.settings(), "dropship_settings.py"),
	} {
		if err := render("graphite/"+file, path, c); err != nil {
			return c, err
		}
	}
	for _, dir := range []string{"storage/whisper", "log"} {
		if err := os.MkdirAll(filepath.Join(c.Dir, dir), 0o755); err != nil {
			return c, fmt.Errorf("cannot make a directory for graphite: %w", err)
		}
	}
	return c, nil
}

func (c graphiteConfig) settings() string { return filepath.Join(c.Dir, "settings") }

func (c graphiteConfig) carbon() []string {
	return []string{"carbon-cache", "--config=" + filepath.Join(c.Dir, "conf", "carbon.conf"), "--nodaemon", "--debug", "start"}
}

func (c graphiteConfig) web() []string {
	return []string{"gunicorn", "--bind", loopback(c.Web), "--workers", "2", "--threads", "2", "--graceful-timeout", "2", "graphite.wsgi:application"}
}

// env is that of graphite-web.
func (c graphiteConfig) env() []string {
	return []string{
		"DJANGO_SETTINGS_MODULE=graphite.settings",
		"GRAPHITE_SETTINGS_MODULE=dropship_settings",
		"PYTHONPATH=" + c.settings(),
		"PYTHONDONTWRITEBYTECODE=1",
	}
}

// migrate makes the database of graphite-web.
func (c graphiteConfig) migrate(ctx context.Context) error {
	migrate := exec.CommandContext(ctx, "graphite-manage", "migrate", "--run-syncdb")
	migrate.Env = append(os.Environ(), c.env()...)
	if out, err := migrate.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot make graphite's database: %w\n%s", err, out)
	}
	return nil
}

// startGraphite starts a carbon-cache and, in gunicorn, a graphite-web with a SQLite database.
func (u *up) startGraphite(ctx context.Context, p *ports) (Graphite, error) {
	c, err := newGraphiteConfig(filepath.Join(u.dir, "graphite"), p)
	if err != nil {
		return Graphite{}, err
	}
	carbon, err := u.launch("carbon", nil, c.carbon()...)
	if err != nil {
		return Graphite{}, err
	}
	if err := c.migrate(ctx); err != nil {
		return Graphite{}, err
	}
	web, err := u.launch("graphite-web", c.env(), c.web()...)
	if err != nil {
		return Graphite{}, err
	}

	g := Graphite{URL: "http://" + loopback(c.Web), Carbon: loopback(c.Line)}
	if err := carbon.await(ctx, dials(g.Carbon)); err != nil {
		return Graphite{}, err
	}
	g.Version, err = web.awaitWeb(ctx, g.URL)
	return g, err
}

// awaitWeb waits until graphite-web answers, and returns its version.
func (p *process) awaitWeb(ctx context.Context, url string) (version string, err error) {
	err = p.await(ctx, func(ctx context.Context) error {
		if _, err := probe(ctx, http.MethodGet, url+"/events/get_data", nil); err != nil {
			return err
		}
		text, err := probe(ctx, http.MethodGet, url+"/version/", nil)
		version = strings.TrimSpace(string(text))
		return err
	})
	return version, err
}
