// Command prometheus asks what Prometheus would be asked: the alert rules and the dashboard of examples/prometheus, by
// Prometheus' own parser, store and query engine. It is a module of its own since those need more than all of Dropship.
//
//	prometheus RULES DASHBOARD <SCRAPES
//
// SCRAPES are lines of JSON, {"time": milliseconds, "text": what /metrics answered}, in order. The answer is JSON on
// stdout: for each alert the services for which its expression holds at the time of the last scrape, whatever its for, and
// for each panel of the dashboard how many series it draws. It fails where an expression has a mistake, or names a metric
// that no scrape has.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/tsdb"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// An answer is what the rules and the dashboard say.
type answer struct {
	Alerts map[string][]string `json:"alerts"` // services
	Panels map[string]int      `json:"panels"` // series
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: prometheus RULES DASHBOARD <SCRAPES")
	}
	dir, err := os.MkdirTemp("", "dropship-prometheus-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	db, err := tsdb.Open(dir, slog.New(slog.DiscardHandler), nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	s := &scraped{db: db, metrics: make(map[string]bool), parser: parser.NewParser(parser.Options{})}
	s.engine = promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Parser: s.parser})
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		if err := s.add(ctx, lines.Bytes()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	a := answer{Alerts: make(map[string][]string), Panels: make(map[string]int)}
	if err := errors.Join(s.alerts(ctx, args[0], a.Alerts), s.panels(ctx, args[1], a.Panels)); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(a)
}

// scraped is what Prometheus has after some scrapes.
type scraped struct {
	db      *tsdb.DB
	engine  *promql.Engine
	parser  parser.Parser
	metrics map[string]bool // that there are
	last    time.Time
}

// add stores a scrape, as of the job and the instance of the example.
func (s *scraped) add(ctx context.Context, line []byte) error {
	var scrape struct {
		Time int64  `json:"time"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(line, &scrape); err != nil {
		return err
	}
	s.last = time.UnixMilli(scrape.Time)
	p, err := textparse.New([]byte(scrape.Text), "text/plain", labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		return err
	}
	app := s.db.Appender(ctx)
	add := func(l labels.Labels, value float64) error {
		s.metrics[l.Get(model.MetricNameLabel)] = true
		b := labels.NewBuilder(l)
		b.Set("job", "dropship")
		b.Set("instance", "web-01:10747")
		_, err := app.Append(0, b.Labels(), scrape.Time, value)
		return err
	}
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if entry != textparse.EntrySeries {
			continue
		}
		_, _, value := p.Series()
		var l labels.Labels
		p.Labels(&l)
		if err := add(l, value); err != nil {
			return err
		}
	}
	if err := add(labels.FromStrings(model.MetricNameLabel, "up"), 1); err != nil {
		return err
	}
	return app.Commit()
}

// query evaluates an expression at the time of the last scrape.
func (s *scraped) query(ctx context.Context, expr string) (promql.Vector, error) {
	parsed, err := s.parser.ParseExpr(expr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	parser.Inspect(parsed, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok && !s.metrics[v.Name] {
			err = fmt.Errorf("%s: there is no metric %q", expr, v.Name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	q, err := s.engine.NewInstantQuery(ctx, s.db, nil, expr, s.last)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	defer q.Close()
	result := q.Exec(ctx)
	vector, err := result.Vector()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	if len(result.Warnings) > 0 {
		return nil, fmt.Errorf("%s: %v", expr, result.Warnings.AsErrors())
	}
	return vector, nil
}

func (s *scraped) alerts(ctx context.Context, path string, alerts map[string][]string) error {
	groups, errs := rulefmt.ParseFile(path, false, model.LegacyValidation, s.parser, slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			vector, err := s.query(ctx, rule.Expr)
			if err != nil {
				return fmt.Errorf("alert %s: %w", rule.Alert, err)
			}
			alerts[rule.Alert] = []string{}
			for _, sample := range vector {
				alerts[rule.Alert] = append(alerts[rule.Alert], sample.Metric.Get("service"))
			}
		}
	}
	return nil
}

// grafana fills in what Grafana does, the variables of the dashboard as All.
var grafana = strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$job", "dropship", "$instance", ".*", "$service", ".*")

func (s *scraped) panels(ctx context.Context, path string, panels map[string]int) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var board struct {
		Templating struct {
			List []struct{ Name, Query string }
		}
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		return err
	}
	for _, variable := range board.Templating.List {
		metric, label, found := strings.Cut(strings.TrimPrefix(variable.Query, "label_values("), ",")
		if variable.Name == "datasource" {
			continue
		}
		vector, err := s.query(ctx, grafana.Replace(metric))
		if err != nil || !found || len(vector) == 0 || vector[0].Metric.Get(strings.Trim(label, " )")) == "" {
			return fmt.Errorf("variable %s of the dashboard: %s: %d series, %w", variable.Name, variable.Query, len(vector), err)
		}
	}
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			vector, err := s.query(ctx, grafana.Replace(target.Expr))
			if err != nil {
				return fmt.Errorf("panel %s: %w", panel.Title, err)
			}
			panels[panel.Title] += len(vector)
		}
	}
	return nil
}
