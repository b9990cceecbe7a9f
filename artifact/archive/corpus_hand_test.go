package archive_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact/archive"
)

// tarsByHand are tars that no tool makes.
func tarsByHand() []torture {
	var all []torture
	add := func(name, how string, pack func(tb testing.TB) []byte) {
		all = append(all, torture{name: "tar, " + name, format: archive.Tar, how: how, bytes: pack})
	}
	entries := func(name, how string, headers ...tar.Header) {
		add(name, how, func(tb testing.TB) []byte { return packTar(tb, headers...) })
	}
	for _, name := range []string{
		"..", "../", "../stage2/file", "./../neighbour", "a/../../neighbour", "a/./../b", "/", "//passwd", "/../passwd", ".//f", "./", "a//b", "...", "a/...",
	} {
		add(fmt.Sprintf("named %q", name), "one file of that name", func(testing.TB) []byte { return block(name, tar.TypeReg, "", "x") })
	}
	entries("hard link to the outside", "a hard link to ../neighbour", hardLink("l", "../neighbour"))
	entries("hard link to an absolute path", "a hard link to /etc/passwd", hardLink("l", "/etc/passwd"))
	entries("hard link to itself", "a file, and a hard link of its name to it", file("l"), hardLink("l", "l"))
	entries("hard link to a directory", "a directory and a hard link to it", dir("d"), hardLink("l", "d"))
	entries("hard link through a symlink", "a hard link to a file, by way of a symlink", file("d/f"), symlink("s", "d"), hardLink("l", "s/f"))
	entries("hard link that moves a symlink", "a symlink that leads up, and a hard link to it higher up", file("f"), symlink("a/b/l", "../../f"), hardLink("l", "a/b/l"))
	entries("symlinks that lead outside together", "d/top -> .., and x -> d/top/../neighbour", file("d/f"), symlink("d/top", ".."), symlink("x", "d/top/../neighbour"))
	entries("symlinks that lead outside once more is there", "x -> a/b/../../f, then a/b -> ..", symlink("x", "a/b/../../f"), symlink("a/b", ".."))
	entries("1,000 symlinks to the same directory", "s0 -> ., s1 -> s0/s0, s2 -> s1/s1 …", symlinkTower(1000)...)
	entries("block device", "the first disk", tar.Header{Name: "sda", Typeflag: tar.TypeBlock, Devmajor: 8})
	entries("contiguous file", "a file of type 7", tar.Header{Name: "f", Typeflag: tar.TypeCont})
	entries("unknown type", "an entry of type Z", tar.Header{Name: "f", Typeflag: 'Z'})
	entries("global header", "a pax header for all entries, and a file", tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"path": "../neighbour", "size": "99"}}, file("f"))

	header := func(name, how string, change func(h []byte)) {
		add(name, how, func(tb testing.TB) []byte {
			packed := packTar(tb, file("f"))
			change(packed[:512])
			return sealed(packed)
		})
	}
	header("negative size, base 256", "a size of -1", func(h []byte) { copy(h[124:136], bytes.Repeat([]byte{0xff}, 12)) })
	header("negative size, octal", "a size of -1", func(h []byte) { copy(h[124:136], "-0000000001\x00") })
	header("huge size, base 256", "a size of 2^63 - 1", func(h []byte) { copy(h[124:136], "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff") })
	header("size that overflows, base 256", "a size of 2^64", func(h []byte) { copy(h[124:136], "\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00") })
	header("size of 8 GiB", "the largest size in octal", func(h []byte) { copy(h[124:136], "77777777777\x00") })
	header("time that overflows", "a time of 2^63 - 1 seconds", func(h []byte) { copy(h[136:148], "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff") })
	header("mode of all bits", "a mode of 7777777", func(h []byte) { copy(h[100:108], "7777777\x00") })
	header("directory with content", "a directory with a size", func(h []byte) { h[156] = tar.TypeDir })
	header("symlink with content", "a symlink with a size", func(h []byte) { h[156] = tar.TypeSymlink; h[157] = 'f' })
	header("name without an end", "a name of 100 bytes, without a NUL", func(h []byte) { copy(h[:100], strings.Repeat("n", 100)) })
	header("no name", "an empty name", func(h []byte) { h[0] = 0 })
	add("wrong checksum", "a header with another name than it had", func(tb testing.TB) []byte {
		packed := packTar(tb, file("f"))
		packed[0] = 'g'
		return packed
	})

	pax := func(name, records string) {
		add("pax record "+name, "a pax header before a file named f", func(tb testing.TB) []byte { return withPax(tb, records) })
	}
	pax("path", paxRecord("path", "../neighbour"))
	pax("path with a NUL", paxRecord("path", "a\x00b"))
	pax("path, twice", paxRecord("path", "one")+paxRecord("path", "two"))
	pax("path, taken back", paxRecord("path", "one")+paxRecord("path", ""))
	pax("size, smaller", paxRecord("size", "0"))
	pax("size, larger", paxRecord("size", "999999999999"))
	pax("size, negative", paxRecord("size", "-1"))
	pax("size, no number", paxRecord("size", "ten"))
	pax("linkpath", paxRecord("linkpath", "../neighbour"))
	pax("mtime", paxRecord("mtime", "-99999999999.999999999"))
	pax("mtime, no number", paxRecord("mtime", "soon"))
	pax("of a wrong length", "99 path=x\n")
	pax("of a negative length", "-5 path=x\n")
	pax("without a value", "9 comment\n")
	pax("GNU.sparse.map, backwards", paxRecord("GNU.sparse.size", "100")+paxRecord("GNU.sparse.numblocks", "2")+paxRecord("GNU.sparse.map", "50,1,0,1"))
	pax("GNU.sparse.map, beyond the end", paxRecord("GNU.sparse.size", "10")+paxRecord("GNU.sparse.numblocks", "1")+paxRecord("GNU.sparse.map", "50,1"))
	pax("GNU.sparse, a hole of 4 EiB", paxRecord("GNU.sparse.major", "0")+paxRecord("GNU.sparse.minor", "1")+paxRecord("GNU.sparse.size", "4611686018427387904")+
		paxRecord("GNU.sparse.numblocks", "1")+paxRecord("GNU.sparse.map", "0,1"))
	pax("GNU.sparse.name", paxRecord("GNU.sparse.major", "1")+paxRecord("GNU.sparse.minor", "0")+paxRecord("GNU.sparse.name", "../neighbour")+paxRecord("GNU.sparse.realsize", "1"))

	for _, long := range []struct {
		kind          byte
		name, content string
	}{
		{tar.TypeGNULongName, "GNU long name that leads outside", "../neighbour\x00"},
		{tar.TypeGNULongName, "GNU long name of 2 MiB", strings.Repeat("n", 2<<20)},
		{tar.TypeGNULongLink, "GNU long link that leads outside", "../neighbour\x00"},
	} {
		add(long.name, "such a header before a symlink l -> x", func(tb testing.TB) []byte {
			return append(block("././@LongLink", long.kind, "", long.content), packTar(tb, symlink("l", "x"))...)
		})
	}
	add("GNU long name before nothing", "such a header, and the end", func(testing.TB) []byte {
		return append(block("././@LongLink", tar.TypeGNULongName, "", "name\x00"), make([]byte, 1024)...)
	})
	add("10,000 pax headers, one after another", "a pax header before a pax header", func(testing.TB) []byte {
		return bytes.Repeat(block("x", tar.TypeXHeader, "", paxRecord("path", "f")), 10_000)
	})
	return all
}

// symlinkTower takes twice as many steps to follow with each of its symlinks, were it not for the kernel's limit.
func symlinkTower(height int) []tar.Header {
	headers := []tar.Header{symlink("s0", ".")}
	for i := 1; i < height; i++ {
		headers = append(headers, symlink(fmt.Sprintf("s%d", i), fmt.Sprintf("s%d/s%d", i-1, i-1)))
	}
	return headers
}

func paxRecord(key, value string) string {
	rest := " " + key + "=" + value + "\n"
	length := len(rest) + 1
	for len(fmt.Sprint(length))+len(rest) != length {
		length++
	}
	return fmt.Sprint(length) + rest
}

// withPax is a file that a pax header comes before.
func withPax(tb testing.TB, records string) []byte {
	tb.Helper()
	return append(block("PaxHeaders/f", tar.TypeXHeader, "", records), packTar(tb, tar.Header{Name: "f", Typeflag: tar.TypeReg, Size: 600})...)
}

// block is one entry of a tar, as it is written down.
func block(name string, kind byte, link, content string) []byte {
	h := make([]byte, 512)
	copy(h, name)
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	copy(h[124:], fmt.Sprintf("%011o\x0000000000000\x00", len(content)))
	h[156] = kind
	copy(h[157:], link)
	copy(h[257:], "ustar\x0000")
	h = append(sealed(h), content...)
	return append(h, make([]byte, (512-len(content)%512)%512)...)
}

// sealed gives the first header of a tar the checksum that it should have.
func sealed(packed []byte) []byte {
	copy(packed[148:156], "        ")
	sum := 0
	for _, c := range packed[:512] {
		sum += int(c)
	}
	copy(packed[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return packed
}
