package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/dropship/dropship/test/servers"
)

// validateGoal is how long dropship validate may take for a thousand services.
const validateGoal = 300 * time.Millisecond

var validate = figure{
	name:  "validate",
	title: "Validate",
	about: `The whole command, for services in a file each: a slot, an artifact in S3, a script before, a Graphite event and a
script after. Beside it, ` + "`consul validate`" + ` reads a directory of as many service definitions, in HCL, too: a name, a port, tags,
and an HTTP check each.`,
	run: func(ctx context.Context, b *bench) ([]row, error) {
		tools, err := servers.RunningTools()
		if err != nil {
			return nil, err
		}
		sizes := []int{1_000, 5_000}
		if b.quick {
			sizes = []int{50}
		}
		var rows []row
		for _, services := range sizes {
			r, err := b.validate(ctx, tools.Consul, services)
			if err != nil {
				return nil, err
			}
			rows = append(rows, r)
		}
		return rows, nil
	},
}

func (b *bench) validate(ctx context.Context, consul string, services int) (row, error) {
	dir := filepath.Join(b.dir, fmt.Sprint(services))
	config, err := b.configure(filepath.Join(filepath.Base(dir), "dropship"), "service_path = \"services\"\n", "")
	if err != nil {
		return row{}, err
	}
	ours, theirs := filepath.Join(filepath.Dir(config), "services"), filepath.Join(dir, "consul.d")
	for _, d := range []string{ours, theirs} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return row{}, fmt.Errorf("cannot write a configuration: %w", err)
		}
	}
	agent := fmt.Sprintf("data_dir = %q\n", filepath.Join(dir, "consul"))
	if err := os.WriteFile(filepath.Join(theirs, "agent.hcl"), []byte(agent), 0o600); err != nil {
		return row{}, fmt.Errorf("cannot write a configuration: %w", err)
	}
	for i := range services {
		name := fmt.Sprintf("service-%05d", i)
		for path, text := range map[string]string{
			filepath.Join(ours, name+".hcl"):   fmt.Sprintf(typicalService, name, filepath.Join(dir, "srv", name)),
			filepath.Join(theirs, name+".hcl"): fmt.Sprintf(consulService, name),
		} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				return row{}, fmt.Errorf("cannot write a configuration: %w", err)
			}
		}
	}

	var cpu series
	all, err := interleave(ctx, b.rounds,
		contender{name: "dropship validate", run: func(ctx context.Context) (float64, error) {
			u, err := command(ctx, dir, b.dropship, "validate", "--config", config)
			cpu = append(cpu, u.cpu.Seconds())
			return u.wall.Seconds(), err
		}},
		timed("consul validate", consul, "validate", theirs),
		timed("dropship version", b.dropship, "version"),
	)
	if err != nil {
		return row{}, err
	}
	peak, err := peakOf(ctx, dir, b.dropship, "validate", "--config", config)
	if err != nil {
		return row{}, err
	}
	took, start := all[0], all[2]
	r := row{
		what:    fmt.Sprintf("%d services", services),
		ours:    took.seconds(),
		against: "consul validate",
		theirs:  all[1].seconds(),
		ratio:   took.over(all[1]),
		note: fmt.Sprintf("%.3g s of CPU time, %.0f MiB of memory at most, in one more round; of the time, %.3g ms are the start of the process (dropship version)",
			cpu.median(), peak/mebi, start.median()*1000),
	}
	if services == 1_000 {
		r.goal = "≤ 300 ms"
		r.met = took.median() <= validateGoal.Seconds()
	}
	return r, nil
}

// typicalService is a service by its name and destination.
const typicalService = `service %[1]q {
  # Use a semaphore to update one machine at a time
  sequentialUpdates = true

  # Check for updates every 10s
  checkInterval = "10s"

  # Run this command before update starts
  before "script" {
    command = "systemctl stop %[1]s"
  }

  artifact "s3" {
    bucket      = "my-s3bucket"
    path        = "%[1]s.tar.gz"
    destination = %[2]q
  }

  # After successful update send an event to graphite
  # this allows you to show deploy annotations in tools like grafana
  after "graphite-event" {
    host = "http://graphite.example.com"
    tags = "deployment"
    what = "deployed to {{.Name}} on {{.Hostname}}"
    data = "{{.Hash}}"
  }

  # Run this command after the update finishes
  after "script" {
    command = "systemctl start %[1]s"
  }
}
`

const consulService = `service {
  id   = %[1]q
  name = %[1]q
  port = 8080
  tags = ["deployment", "web"]

  check {
    id       = "%[1]s-health"
    name     = "the health page of %[1]s"
    http     = "http://127.0.0.1:8080/health"
    interval = "10s"
    timeout  = "2s"
  }
}
`
