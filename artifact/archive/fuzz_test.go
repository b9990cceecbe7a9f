package archive_test

import (
	"bytes"
	"testing"

	"github.com/dropship/dropship/artifact/archive"
)

// Whatever the bytes are, nothing is written outside the tree, nothing in it leads outside, and nothing panics.
func FuzzUnpack(f *testing.F) {
	formats := []archive.Format{
		archive.Tar, archive.TarGzip, archive.TarZstd, archive.TarXz, archive.TarBzip2, archive.Zip, archive.File,
	}
	packed := packedEverywhere(f)
	for i, format := range formats {
		f.Add(uint8(i), packed[format])
	}
	f.Add(uint8(0), packTar(f, dir("d"), symlink("d/top", ".."), symlink("x", "d/top/../neighbour"), file("x/f")))
	f.Add(uint8(0), packTar(f, file("../neighbour"), hardLink("l", "../neighbour")))
	f.Add(uint8(5), packZip(f, zipped{"../neighbour", "x", 0o4755}, zipped{`..\neighbour`, "x", 0o644}))
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		s := newSandbox(t)
		o := options(formats[int(which)%len(formats)])
		o.Sniff = which >= 128
		o.Limits = archive.Limits{Size: 1 << 20, Entries: 100}
		stats, err := s.unpack(t.Context(), bytes.NewReader(data), o)
		s.checkAround(t)
		if err != nil {
			if list, _, err := archive.List(t.Context(), bytes.NewReader(data), o); err == nil {
				t.Errorf("List: got %d entries of what is refused to be unpacked", len(list))
			}
			return
		}
		wantListed(t, data, o, s.stage, stats, nil)
		s.checkTree(t)
		if stats.Packed != int64(len(data)) || stats.Unpacked > o.Limits.Size || stats.Entries > o.Limits.Entries {
			t.Errorf("got %+v of %d bytes", stats, len(data))
		}
	})
}
