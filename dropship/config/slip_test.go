package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropship/dropship/dropship/config"
)

// Credentials in every place that has some, in every form that they are written in.
const slippery = `repo "http" {
  url      = "https://artifacts.example.com"
  user     = "me"
  password = "pLaNtEd-password"
  headers = {
    "X-Auth"      = "pLaNtEd-header"
    Authorization = "Bearer pLaNtEd-bearer"
  }
}

repo "s3" {
  accessKey = "pLaNtEd-id"
  secret    = "pLaNtEd-secret"
  token     = <<EOT
pLaNtEd-token
EOT
}

service "web" {
  before "script" {
    command = "true"
    env = {
      MODE  = "pLaNtEd-env"
      OTHER = "pLaNtEd-${hostname}"
    }
  }

  artifact "s3" {
    bucket      = "b"
    path        = "web.tar.gz"
    destination = "/srv/web"
  }
}
`

// Whichever one character is forgotten, or typed too much, no mistake that follows from it shows a credential.
func TestNoSlipShowsACredential(t *testing.T) {
	t.Parallel()
	slips := map[string]func(i int) string{
		"forgotten": func(i int) string { return slippery[:i] + slippery[i+1:] },
		"a quote":   func(i int) string { return slippery[:i] + `"` + slippery[i:] },
		"a comment": func(i int) string { return slippery[:i] + "#" + slippery[i:] },
	}
	for name, slip := range slips {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "dropship.hcl")
			for i := range slippery {
				write(t, path, slip(i), 0o640)
				_, diags := config.Load(path, kinds())
				if out := printed(diags); strings.Contains(out, "LaNtE") {
					t.Errorf("%q at %d:\n%s", slippery[i], i, out)
				}
			}
		})
	}
}
