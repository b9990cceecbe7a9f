package config_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropship/dropship/dropship/config"
)

// What is no size, or no duration, is told with what one looks like.
func TestUnits(t *testing.T) {
	t.Parallel()
	const (
		units     = "Write a whole number and a unit of bytes (B, KB, MB, GB, TB, KiB, MiB, GiB, TiB), such as "
		size      = units + `"500MiB" or "20GiB".`
		bandwidth = units + `"20MiB/s": it is bytes a second, not bits.`
		duration  = ` is no duration. Write numbers with units (ms, s, m, h) and no spaces, such as "10s", "1m30s" or "2h".`
		interval  = "service \"a\" {\n  checkInterval = %s\n  artifact \"s3\" {\n    bucket = \"b\"\n    path = \"p\"\n    destination = \"/srv/a\"\n  }\n}\n"
		maxSize   = "service \"a\" {\n  artifact \"s3\" {\n    bucket = \"b\"\n    path = \"p\"\n    destination = \"/srv/a\"\n    maxSize = %s\n  }\n}\n"
		limit     = "maxBandwidth = %s\n"
	)
	for _, test := range []struct{ text, value, want string }{ // in the one mistake; empty: there is none
		{limit, `"20MB/s"`, ""},
		{limit, `"20 MiB/s"`, ""},
		{limit, `"20GB"`, ""},
		{limit, `"20Mbit/s"`, `"Mbit" is no unit of size. ` + bandwidth},
		{limit, `"20mbps"`, `"mbps" is no unit of size. ` + bandwidth},
		{limit, `"20MiB/min"`, `"20MiB/min" is no size. ` + bandwidth},
		{limit, `"٣MiB"`, `"٣MiB" is no size. ` + bandwidth},
		{limit, `"-20MiB/s"`, `"-20MiB/s" is no size. ` + bandwidth},
		{limit, `"20/s"`, `20 bytes a second bring no artifact. Write a unit, such as "20MiB/s".`},
		{limit, `1e400`, "maxBandwidth must be more than zero and less than 8 EiB."},
		{maxSize, `"20GiB"`, ""},
		{maxSize, `"20GiB/s"`, `"20GiB/s" is no size. ` + size},
		{maxSize, `"1.5GiB"`, `"1.5GiB" is no size. ` + size},
		{maxSize, `-1`, `"-1" is no size. ` + size},
		{maxSize, `"5 m"`, `"m" is no unit of size. ` + size},
		{maxSize, `""`, `"" is no size. ` + size},
		{interval, `"1h5m"`, ""},
		{interval, `"5 m"`, `"5 m"` + duration},
		{interval, `"5"`, `"5"` + duration},
		{interval, `"1d"`, `"1d"` + duration},
		{interval, `"10s/s"`, `"10s/s"` + duration},
		{interval, `"٣s"`, `"٣s"` + duration},
		{interval, `"1e400s"`, `"1e400s"` + duration},
		{interval, `"-5m"`, "checkInterval must be longer than zero."},
		{interval, `-5`, `checkInterval must be a duration such as "10s" or "1m30s", and longer than zero.`},
		{interval, `2.5`, `A duration needs quotes and a unit: checkInterval = "2.5s", if seconds are meant.`},
		{interval, `1e400`, `checkInterval must be a duration such as "10s" or "1m30s"`},
	} {
		t.Run(test.value, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "x.hcl")
			write(t, path, fmt.Sprintf(test.text, test.value), 0o640)
			_, diags := config.Load(path, kinds())
			mistakes := diags.Errors()
			if test.want == "" && len(mistakes) == 0 {
				return
			}
			if test.want == "" || len(mistakes) != 1 || !strings.Contains(mistakes[0].Detail, test.want) {
				t.Errorf("got %v, want one with %q", mistakes, test.want)
			}
		})
	}
}
