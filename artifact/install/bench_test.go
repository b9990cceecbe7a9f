//go:build linux

package install_test

import (
	"fmt"
	"testing"
)

// A switch costs the same whatever the size of the releases.
func BenchmarkSwitch(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("%d files", n), func(b *testing.B) {
			f := files{}
			for i := range n {
				f[fmt.Sprintf("dir%d/file%d", i%100, i)] = "content"
			}
			s := newSite(b)
			packed := tarball(b, f)
			stage(b, s, "a", packed)
			stage(b, s, "b", packed)
			if err := s.Switch("a", ""); err != nil {
				b.Fatal(err)
			}
			to, from := "b", "a"
			for b.Loop() {
				if err := s.Switch(to, from); err != nil {
					b.Fatal(err)
				}
				to, from = from, to
			}
		})
	}
}
