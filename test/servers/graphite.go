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

// startGraphite starts a carbon-cache and, in gunicorn, a graphite-web with a SQLite database.
func (u *up) startGraphite(ctx context.Context, p *ports) (Graphite, error) {
	c := graphiteConfig{
		Dir:  filepath.Join(u.dir, "graphite"),
		Line: p.next(), Pickle: p.next(), Query: p.next(), Web: p.next(),
	}
	settings := filepath.Join(c.Dir, "settings")
	for file, path := range map[string]string{
		"carbon.conf":          filepath.Join(c.Dir, "conf", "carbon.conf"),
		"storage-schemas.conf": filepath.Join(c.Dir, "conf", "storage-schemas.conf"),
		"dropship_settings.py": filepath.Join(settings, "dropship_settings.py"),
	} {
		if err := render("graphite/"+file, path, c); err != nil {
			return Graphite{}, err
		}
	}
	for _, dir := range []string{"storage/whisper", "log"} {
		if err := os.MkdirAll(filepath.Join(c.Dir, dir), 0o755); err != nil {
			return Graphite{}, fmt.Errorf("cannot make a directory for graphite: %w", err)
		}
	}

	carbon, err := u.launch("carbon", nil, "carbon-cache",
		"--config="+filepath.Join(c.Dir, "conf", "carbon.conf"), "--nodaemon", "--debug", "start")
	if err != nil {
		return Graphite{}, err
	}
	env := []string{
		"DJANGO_SETTINGS_MODULE=graphite.settings",
		"GRAPHITE_SETTINGS_MODULE=dropship_settings",
		"PYTHONPATH=" + settings,
		"PYTHONDONTWRITEBYTECODE=1",
	}
	migrate := exec.CommandContext(ctx, "graphite-manage", "migrate", "--run-syncdb")
	migrate.Env = append(os.Environ(), env...)
	if out, err := migrate.CombinedOutput(); err != nil {
		return Graphite{}, fmt.Errorf("cannot make graphite's database: %w\n%s", err, out)
	}
	web, err := u.launch("graphite-web", env, "gunicorn",
		"--bind", loopback(c.Web), "--workers", "2", "--threads", "2", "--graceful-timeout", "2", "graphite.wsgi:application")
	if err != nil {
		return Graphite{}, err
	}

	g := Graphite{URL: "http://" + loopback(c.Web), Carbon: loopback(c.Line)}
	if err := carbon.await(ctx, dials(g.Carbon)); err != nil {
		return Graphite{}, err
	}
	err = web.await(ctx, func(ctx context.Context) error {
		if _, err := probe(ctx, http.MethodGet, g.URL+"/events/get_data", nil); err != nil {
			return err
		}
		version, err := probe(ctx, http.MethodGet, g.URL+"/version/", nil)
		g.Version = strings.TrimSpace(string(version))
		return err
	})
	return g, err
}
