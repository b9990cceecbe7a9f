// Command servers starts and ends the servers that Dropship's tests run against.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"text/tabwriter"

	"github.com/dropship/dropship/test/servers"
)

const usage = `usage: servers [-dir DIR] [-consul FILE] [-versitygw FILE] COMMAND

Commands:
  up        start the servers on loopback, unless they are up, and print how to reach them
  down      end them
  status    print how to reach them; exit 1 if they are not up
  versions  print the name and version of each; exit 1 if they are not up

Flags:
`

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("servers", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	dir := flags.String("dir", filepath.Join(".cache", "servers"), "keep state, data and logs in `DIR`")
	consul := flags.String("consul", "consul", "the consul `program`")
	versitygw := flags.String("versitygw", "versitygw", "the versitygw `program`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return fmt.Errorf("want one command, got %q", flags.Args())
	}
	path, err := filepath.Abs(*dir)
	if err != nil {
		return fmt.Errorf("cannot resolve -dir: %w", err)
	}
	switch name := flags.Arg(0); name {
	case "up":
		set, started, err := servers.Up(ctx, path, servers.Tools{Consul: *consul, Versitygw: *versitygw})
		if err != nil {
			return err
		}
		if !started {
			fmt.Fprintln(stdout, "already up:")
		}
		return printSet(stdout, set)
	case "down":
		return servers.Down(ctx, path)
	case "status":
		set, err := servers.Status(path)
		if err != nil {
			return err
		}
		return printSet(stdout, set)
	case "versions":
		set, err := servers.Status(path)
		if err != nil {
			return err
		}
		return printVersions(stdout, set)
	default:
		flags.Usage()
		return fmt.Errorf("unknown command %q", name)
	}
}

// printSet includes the keys: they open nothing but servers on loopback, and are there to be used.
func printSet(w io.Writer, s servers.Set) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, version, address, login string) {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", name, version, address, login)
	}
	row("consul", s.Consul.Version, "http://"+s.Consul.Address, "")
	row("consul (ACL)", s.ConsulACL.Version, "http://"+s.ConsulACL.Address, "token "+s.ConsulACL.Token)
	row("s3 (versitygw)", s.S3.Version, s.S3.Endpoint, "key "+s.S3.AccessKey+" secret "+s.S3.Secret)
	row("s3 (swift)", s.SwiftS3.Version, s.SwiftS3.Endpoint, "key "+s.SwiftS3.AccessKey+" secret "+s.SwiftS3.Secret)
	row("swift", s.Swift.Version, s.Swift.AuthURL, "user "+s.Swift.User+" key "+s.Swift.Key)
	row("graphite", s.Graphite.Version, s.Graphite.URL, "")
	row("carbon", s.Graphite.Version, s.Graphite.Carbon, "")
	return table.Flush()
}

func printVersions(w io.Writer, s servers.Set) error {
	_, err := fmt.Fprintf(w, "real servers: Consul %s, versitygw %s, OpenStack Swift %s (Swift API and s3api), Graphite %s\n",
		s.Consul.Version, s.S3.Version, s.Swift.Version, s.Graphite.Version)
	return err
}
