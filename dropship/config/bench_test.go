package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/dropship/dropship/dropship/config"
)

// serviceText is a service as people have it, by its name and the directory that it is installed in.
const serviceText = `# vim: set ft=hcl :
service "%[1]s" {
  # Use a semaphore to update one machine at a time
  sequentialUpdates = true

  # Check for updates every 10s
  checkInterval = "10s"

  # Run this command before update starts
  before "script" {
    command = "initctl %[1]s stop"
  }

  artifact "s3" {
    bucket      = "my-s3bucket"
    path        = "%[1]s.tar.gz"
    destination = "%[2]s/%[1]s"
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
    command = "initctl %[1]s start"
  }
}
`

// BenchmarkLoad loads so many services, each in a file of its own. What one service costs must not grow with their number.
func BenchmarkLoad(b *testing.B) {
	for _, services := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("services=%d", services), func(b *testing.B) {
			path := manyServices(b, services)
			b.ReportAllocs()
			for b.Loop() {
				if _, diags := config.Load(path, kinds()); diags.HasErrors() {
					b.Fatal(diags.Lines())
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(services), "ns/service")
		})
	}
}

// manyServices writes a configuration of so many services, and returns the path of its main file.
func manyServices(tb testing.TB, services int) string {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "services"), 0o750); err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(dir, "dropship.hcl")
	write(tb, path, "service_path = \"services\"\n\nrepo \"s3\" {\n  accessKey = \"access\"\n  secret    = \"a secret\"\n}\n", 0o640)
	for i := range services {
		name := fmt.Sprintf("service-%05d", i)
		write(tb, filepath.Join(dir, "services", name+".hcl"), fmt.Sprintf(serviceText, name, filepath.Join(dir, "srv")), 0o644)
	}
	return path
}
