package graphite

import (
	"strconv"
	"strings"

	"github.com/marpaia/graphite-golang"

	"github.com/dropship/dropship/dropship/metrics"
)

// part makes a value that may stand between two dots of a name: "web-01.example.com" becomes "web-01_example_com". What
// is no ASCII letter, no digit and none of "_-:" becomes "_", since Graphite has a meaning of its own for much of it.
func part(s string) string {
	if s == "" {
		return "_"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("_-:", r):
			return r
		}
		return '_'
	}, s)
}

// path returns the name of a sample below the prefix.
func path(s metrics.Sample) string {
	pairs := make([]string, 0, 2*len(s.Labels))
	for i, label := range s.Labels {
		pairs = append(pairs, "{"+label+"}", part(s.Values[i]))
	}
	return strings.NewReplacer(pairs...).Replace(s.Path)
}

// hashDigits is how many hex digits of a hash a float64 holds, which is what Graphite keeps: 48 bits of its 53.
const hashDigits = 12

// lines returns what carbon is told of samples at a time, in seconds since 1970.
func lines(samples []metrics.Sample, at int64) []graphite.Metric {
	var all []graphite.Metric
	add := func(name string, value float64) {
		all = append(all, graphite.NewMetric(name, strconv.FormatFloat(value, 'f', -1, 64), at))
	}
	for _, s := range samples {
		name := path(s)
		switch {
		case s.Type == metrics.Summary:
			add(name+".sum", s.Value)
			add(name+".count", float64(s.Count))
		case s.Hashed:
			hash := s.Values[len(s.Values)-1]
			if n, err := strconv.ParseUint(hash[:min(hashDigits, len(hash))], 16, 64); err == nil {
				add(name, float64(n))
			}
		default:
			add(name, s.Value)
		}
	}
	return all
}
