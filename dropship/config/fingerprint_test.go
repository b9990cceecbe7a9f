package config_test

import (
	"path/filepath"
	"strings"
	"testing"
)

const fingerprinted = `
consul {
  address = "127.0.0.1:8500"
}

lock "consul" {
  prefix = "dropship"
}

repo "s3" {
  accessKey = "AKIA"
  secret = env("DROPSHIP_TEST_SECRET", "none")
  token  = env("DROPSHIP_TEST_TOKEN", "none")
}

repo "file" {
  root = "/srv/artifacts"
}

service "web" {
  sequentialUpdates = true

  before "script" {
    command = file("command")
  }

  artifact "s3" {
    bucket      = "b"
    path        = "web.tar.gz"
    destination = "/srv/web"
  }
}

service "other" {
  artifact "file" {
    path        = "other.tar.gz"
    destination = "/srv/other"
  }
}
`

func TestFingerprint(t *testing.T) {
	fingerprints := func(t *testing.T, change ...string) (web, other string) {
		t.Helper()
		dir := t.TempDir()
		path := filepath.Join(dir, "dropship.hcl")
		r := strings.NewReplacer(change...)
		write(t, path, r.Replace(fingerprinted), 0o640)
		write(t, filepath.Join(dir, "command"), r.Replace("systemctl stop web"), 0o640)
		c := load(t, path)
		return service(t, c, "web").Fingerprint, service(t, c, "other").Fingerprint
	}
	t.Setenv("DROPSHIP_TEST_SECRET", planted)
	web, other := fingerprints(t)
	if strings.Contains(web, planted) || len(web) != 64 {
		t.Errorf("the fingerprint %s is no sha256", web)
	}

	tests := map[string]struct {
		change     []string
		web, other bool // whether the fingerprint changes
	}{
		"nothing":     {nil, false, false},
		"its block":   {[]string{"web.tar.gz", "web2.tar.gz"}, true, false},
		"its file()":  {[]string{"systemctl stop", "systemctl kill"}, true, false},
		"its repo":    {[]string{`"none"`, `"nothing"`}, true, false},
		"other repo":  {[]string{"/srv/artifacts", "/srv/packages"}, false, true},
		"the lock":    {[]string{`"dropship"`, `"deploy"`}, true, true},
		"consul":      {[]string{"8500", "8501"}, true, true},
		"state":       {[]string{"consul {", "stateDir = \"/srv/state\"\nconsul {"}, true, true},
		"a new block": {[]string{"service \"other\"", "service \"third\" {\n  artifact \"s3\" {\n    bucket = \"b\"\n    path = \"3.zip\"\n    destination = \"/srv/3\"\n  }\n}\nservice \"other\""}, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			gotWeb, gotOther := fingerprints(t, test.change...)
			if got, want := gotWeb != web, test.web; got != want {
				t.Errorf("web changed: %t, want %t", got, want)
			}
			if got, want := gotOther != other, test.other; got != want {
				t.Errorf("other changed: %t, want %t", got, want)
			}
		})
	}
	t.Run("again and again", func(t *testing.T) {
		t.Setenv("DROPSHIP_TEST_TOKEN", "token")
		web, _ := fingerprints(t)
		for range 20 {
			if again, _ := fingerprints(t); again != web {
				t.Fatal("one configuration has two fingerprints")
			}
		}
	})
	t.Run("env() the other way round", func(t *testing.T) {
		t.Setenv("DROPSHIP_TEST_TOKEN", "token")
		web, _ := fingerprints(t)
		t.Setenv("DROPSHIP_TEST_TOKEN", planted)
		t.Setenv("DROPSHIP_TEST_SECRET", "token")
		if swapped, _ := fingerprints(t); swapped == web {
			t.Error("web did not change")
		}
	})
	t.Run("its env()", func(t *testing.T) {
		t.Setenv("DROPSHIP_TEST_SECRET", "another")
		gotWeb, gotOther := fingerprints(t)
		if gotWeb == web || gotOther != other {
			t.Errorf("web changed: %t, other changed: %t; want only web to", gotWeb != web, gotOther != other)
		}
	})
}
