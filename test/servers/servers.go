// Package servers gives tests the real servers that Dropship talks to, on loopback: Consul, S3 (versitygw, and
// Swift's S3 dialect), OpenStack Swift and Graphite.
//
// "make test-servers" (the command in cmd/servers) starts one set, on ports free at that moment, and writes how to
// reach it into a file; every test finds it there with [Get]. Tests share the set, so they make buckets, containers,
// keys and tags of their own, with names that no other test uses. A test that stops, kills or restarts Consul
// or carbon starts one of its own, with [NewConsul] or [NewGraphite].
package servers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A Set says how to reach each server. Every server listens on 127.0.0.1 only.
type Set struct {
	Consul    Consul   `json:"consul"`     // in memory, sessions may live as short as 1s
	ConsulACL Consul   `json:"consul_acl"` // denies what no token allows
	S3        S3       `json:"s3"`         // versitygw: versioning and stored checksums as on AWS
	SwiftS3   S3       `json:"swift_s3"`   // Swift's s3api: an older dialect, without stored checksums
	Swift     Swift    `json:"swift"`
	Graphite  Graphite `json:"graphite"`
}

// Consul is an agent in server mode.
type Consul struct {
	Address string `json:"address"` // host:port of the HTTP API
	Token   string `json:"token"`   // management token; empty where ACLs are off
	Version string `json:"version"`
}

// S3 is a server that speaks the S3 protocol and enforces authentication.
type S3 struct {
	Endpoint  string `json:"endpoint"` // http://host:port; buckets by path, not by host name
	AccessKey string `json:"access_key"`
	Secret    string `json:"secret"`
	Region    string `json:"region"`
	Version   string `json:"version"`
}

// Swift is an OpenStack Swift with one replica and tempauth.
type Swift struct {
	AuthURL string `json:"auth_url"` // v1 authentication
	User    string `json:"user"`
	Key     string `json:"key"`
	Version string `json:"version"`
}

// Graphite is graphite-web with the carbon-cache behind it.
type Graphite struct {
	URL     string `json:"url"`    // http://host:port of graphite-web
	Carbon  string `json:"carbon"` // host:port for metrics as lines, on TCP and UDP
	Version string `json:"version"`
}

// StateEnv names the environment variable that holds the path of the state file, where that is not
// .cache/servers/servers.json in the checkout.
const StateEnv = "DROPSHIP_TEST_SERVERS"

// Get returns the running set. When none is up it skips the test, or fails it where CI or DROPSHIP_REQUIRE_SERVERS
// is set in the environment: there a skipped test would be a test that is not run.
func Get(t testing.TB) Set {
	t.Helper()
	return get(t).Set
}

func get(t testing.TB) *state {
	t.Helper()
	s, err := findState()
	if err == nil {
		return s
	}
	if os.Getenv("CI") != "" || os.Getenv("DROPSHIP_REQUIRE_SERVERS") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
	return nil
}

// findState is liveState of the file that the environment names, or else of the checkout's.
func findState() (*state, error) {
	path := os.Getenv(StateEnv)
	if path == "" {
		root, err := checkout()
		if err != nil {
			return nil, err
		}
		path = statePath(filepath.Join(root, ".cache", "servers"))
	}
	return liveState(path)
}

// liveState reads a state file and makes sure that what it lists still runs.
func liveState(path string) (*state, error) {
	s, err := readState(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the test servers are not up (%s does not exist): run make test-servers", path)
	}
	if err != nil {
		return nil, err
	}
	if dead := s.dead(); len(dead) > 0 {
		return nil, fmt.Errorf("the test servers are not up (of those in %s, %q ended): run make test-servers", path, dead)
	}
	return s, nil
}

// checkout is the folder of the go.mod above the working directory, which for a test is its package's folder.
func checkout() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("cannot find the checkout: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("cannot find the checkout: no go.mod in the working directory or above")
		}
		dir = parent
	}
}
