package archive_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io/fs"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact/archive"
)

// zipsOfTools are zips that Info-ZIP and bsdtar make.
func zipsOfTools() []torture {
	var all []torture
	add := func(name, script string) {
		all = append(all, torture{name: "zip, " + name, format: archive.Zip, script: script})
	}
	add("Info-ZIP", "tree; zip -qry z.zip .; cat z.zip")
	add("stored", "tree; zip -qry0 z.zip .; cat z.zip")
	add("without directories", "tree; zip -qryD z.zip .; cat z.zip")
	add("data descriptors", "tree; zip -qry -fd - d | cat")
	add("zip64", "tree; zip -qry -fz z.zip d; cat z.zip")
	add("from a pipe, zip64 and data descriptors", "echo hello | zip -q - - | cat")
	add("bsdtar", "tree; bsdtar --format=zip -cf - d e symlink hardlink")
	add("bsdtar, stored", "tree; bsdtar --format=zip --options zip:compression=store -cf - d")
	add("bzip2 inside", "seq 10000 >f; zip -q -Z bzip2 z.zip f; cat z.zip")
	add("encrypted", "echo x >f; zip -q -P password z.zip f; cat z.zip")
	add("encrypted, AES", "echo x >f; bsdtar --format=zip --options zip:encryption=aes256 --passphrase password -cf - f")
	add("with a comment", "echo x >f; echo 'a comment' | zip -qz z.zip f; cat z.zip")
	add("garbage at the end", "echo x >f; zip -q z.zip f; cat z.zip; echo garbage")
	add("garbage before it", "echo x >f; zip -q z.zip f; echo garbage; cat z.zip")
	add("that is a program", "echo x >f; zip -q z.zip f; cat /bin/true z.zip")
	add("cut off", "seq 10000 >f; zip -q z.zip f; head -c 10000 z.zip")
	add("cut off in the table of contents", "tree; zip -qr z.zip .; head -c -30 z.zip")
	add("first part of two", "head -c 200000 /dev/urandom >f; zip -q -s 100k z.zip f; cat z.z01")
	add("last part of two", "head -c 200000 /dev/zero | tr '\\0' x >f; zip -q0 -s 100k z.zip f; cat z.zip")
	add("no entry", "echo x >f; zip -q z.zip f; zip -qd z.zip f 2>/dev/null >&2; printf 'PK\\5\\6'; head -c 18 /dev/zero")
	add("empty", "true")
	add("setuid", "echo x >su; chmod 4755 su; zip -q z.zip su; cat z.zip")
	add("symlink to an absolute path", "ln -s /etc/passwd l; zip -qy z.zip l; cat z.zip")
	add("symlink outside", "mkdir d; ln -s ../../passwd d/l; zip -qry z.zip d; cat z.zip")
	add("absolute name", `bsdtar -P --format=zip -cf - "$AROUND/passwd"`)
	add("name with ..", "mkdir d; echo x >neighbour; cd d; zip -q z.zip ../neighbour; cat z.zip")
	add("names with every kind of byte", `touch 'new
line' $'\xff\xfe' ' ' '...' '~'; zip -qr z.zip .; cat z.zip`)
	add("names in two cases", "echo x >f; echo y >F; zip -q z.zip F f; cat z.zip")
	add("10,000 entries", "mkdir d; (cd d; seq 10000 | xargs touch); zip -qr z.zip d; cat z.zip")
	add("nested like 42.zip", "truncate -s 1M f; for i in {1..5}; do touch -d @1000000000 f; zip -qX $i.zip f; cp $i.zip f; done; zip -q z.zip f; cat z.zip")
	add("a file of zeros", "truncate -s 80M f; zip -q z.zip f; cat z.zip")
	return all
}

// zipsByHand are zips that no tool makes.
func zipsByHand() []torture {
	var all []torture
	add := func(name, how string, pack func(tb testing.TB) []byte) {
		all = append(all, torture{name: "zip, " + name, format: archive.Zip, how: how, bytes: pack})
	}
	entries := func(name, how string, z ...zipped) {
		add(name, how, func(tb testing.TB) []byte { return packZip(tb, z...) })
	}
	for _, name := range []string{
		"../neighbour", "a/../../neighbour", "a/..", "..", "./../neighbour", "/etc/dropship-test", "//etc/dropship-test", "../stage2/file",
		`..\neighbour`, `C:\neighbour`, `a\b`, "a\x00b", "", "/", ".", "./", "a//b", "./a", "a/./b", "C:/neighbour", "\xff", "a/ /b",
	} {
		add(fmt.Sprintf("named %q", name), "one file of that name", func(tb testing.TB) []byte {
			// Go's own writer takes no name for a file's that ends in a slash.
			return bytes.ReplaceAll(packZip(tb, zipped{strings.ReplaceAll(name, "/", "|"), "x", 0o644}), []byte("|"), []byte("/"))
		})
	}
	entries("a name of 256 bytes", "one file of that name", zipped{strings.Repeat("n", 256), "x", 0o644})
	entries("a path of 4352 bytes", "one file of that name", zipped{strings.Repeat(strings.Repeat("n", 255)+"/", 17) + "f", "x", 0o644})
	entries("10,000 directories deep", "one file", zipped{strings.Repeat("d/", 10_000) + "f", "x", 0o644})
	entries("through a symlink", "a directory, a symlink to it, a file through that", zipped{"d/", "", fs.ModeDir | 0o755}, zipped{"s", "d", fs.ModeSymlink | 0o777}, zipped{"s/f", "x", 0o644})
	entries("directory replaced by a symlink", "a directory, and a symlink of its name", zipped{"d/", "", fs.ModeDir | 0o755}, zipped{"d", ".", fs.ModeSymlink | 0o777})
	entries("below a file", "a file, and a file below it", zipped{"f", "x", 0o644}, zipped{"f/g", "y", 0o644})
	entries("the same file twice", "two files of one name", zipped{"f", "first", 0o644}, zipped{"f", "second", 0o600})
	entries("a symlink of 1 MiB", "a symlink with that target", zipped{"l", strings.Repeat("a", 1<<20), fs.ModeSymlink | 0o777})
	entries("a device", "a character device", zipped{"dev", "", fs.ModeDevice | fs.ModeCharDevice | 0o644})
	entries("a socket", "a socket", zipped{"socket", "", fs.ModeSocket | 0o644})
	add("a directory with content", "a name that ends in /, and content", func(tb testing.TB) []byte {
		return bytes.ReplaceAll(packZip(tb, zipped{"dir+", "content", 0o644}), []byte("dir+"), []byte("dir/"))
	})

	const overlap = "files of zeros that all share their compressed bytes, as in the bombs of David Fifield"
	add("overlapping files", "four such "+overlap, func(tb testing.TB) []byte { return overlapping(tb, 4, 1<<10) })
	add("overlapping files, a bomb", "a thousand such "+overlap, func(tb testing.TB) []byte { return overlapping(tb, 1000, 1<<20) })
	patched := func(name, how string, patch func(z []byte, table int)) {
		add(name, how, func(tb testing.TB) []byte {
			z := packZip(tb, zipped{"f", "hello", 0o644})
			patch(z, bytes.Index(z, []byte("PK\x01\x02")))
			return z
		})
	}
	patched("wrong checksum", "a file whose CRC-32 is another", func(z []byte, table int) { z[table+16] ^= 1; z[bytes.Index(z, []byte("PK\x07\x08"))+4] ^= 1 })
	patched("a size that is too small", "a file of 5 bytes that is said to have 3", func(z []byte, table int) { z[table+24] = 3 })
	patched("a size that is too large", "a file of 5 bytes that is said to have 4 GiB", func(z []byte, table int) { copy(z[table+24:], "\xfe\xff\xff\xff") })
	patched("a packed size beyond the end", "a file that is said to have 4 GiB, packed", func(z []byte, table int) { copy(z[table+20:], "\xfe\xff\xff\xff") })
	patched("an offset beyond the end", "a file that is said to begin at 4 GiB", func(z []byte, table int) { copy(z[table+42:], "\xfe\xff\xff\xff") })
	patched("two names", "the table says f, what it leads to says /", func(z []byte, _ int) { z[30] = '/' })
	patched("an unknown compression", "method 99", func(z []byte, table int) { z[table+10], z[8] = 99, 99 })
	patched("65,535 entries that are not there", "the end of the table says so", func(z []byte, _ int) {
		end := bytes.LastIndex(z, []byte("PK\x05\x06"))
		copy(z[end+8:], "\xff\xff\xff\xff")
	})
	patched("a table of 4 GiB", "the end of the table says so", func(z []byte, _ int) {
		copy(z[bytes.LastIndex(z, []byte("PK\x05\x06"))+12:], "\xfe\xff\xff\xff")
	})
	return all
}

// overlapping is a zip whose entries all have their compressed bytes at one place: each local header is followed,
// by way of an extra field that covers the next ones, by what the last one has.
func overlapping(tb testing.TB, files, size int) []byte {
	tb.Helper()
	content := make([]byte, size)
	var deflated bytes.Buffer
	w := zip.NewWriter(&deflated)
	f, err := w.CreateHeader(&zip.FileHeader{Name: "f", Method: zip.Deflate})
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := f.Write(content); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	whole := deflated.Bytes()
	data := whole[31:bytes.Index(whole, []byte("PK\x07\x08"))]
	le := binary.LittleEndian
	header := func(b []byte, name string) []byte {
		b = append(b, "\x14\x00\x00\x00\x08\x00\x00\x00\x00\x00"...)
		b = le.AppendUint32(b, crc32.ChecksumIEEE(content))
		b = le.AppendUint32(b, uint32(len(data)))
		b = le.AppendUint32(b, uint32(size))
		return le.AppendUint16(b, uint16(len(name)))
	}
	const local = 30 + 4 // with its name
	var out, table []byte
	for i := range files {
		name := fmt.Sprintf("%04d", i)
		// What is left of the local headers up to the data is the extra field of this one.
		out = le.AppendUint16(header(append(out, "PK\x03\x04"...), name), uint16((files-1-i)*local))
		out = append(out, name...)
		table = header(append(table, "PK\x01\x02\x14\x03"...), name)
		table = append(table, make([]byte, 12)...)
		table = le.AppendUint32(table, uint32(i*local))
		table = append(table, name...)
	}
	out = append(out, data...)
	start := len(out)
	out = append(append(out, table...), "PK\x05\x06\x00\x00\x00\x00"...)
	out = le.AppendUint16(le.AppendUint16(out, uint16(files)), uint16(files))
	out = le.AppendUint32(le.AppendUint32(out, uint32(len(table))), uint32(start))
	return append(out, 0, 0)
}
