package archive_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/dropship/dropship/artifact/archive"
)

// compressed are tars in what real compressors make, and in headers that ask for more than they would.
func compressed() []torture {
	var all []torture
	add := func(format archive.Format, name, script string) {
		all = append(all, torture{name: string(format) + ", " + name, format: format, script: script})
	}
	const bomb = "mkdir -p d; tar -cf - d; head -c 80M /dev/zero"
	const zeros = "truncate -s 80M f; tar -cf - f | "
	for _, tool := range []struct {
		format  archive.Format
		command string
	}{{archive.TarGzip, "gzip"}, {archive.TarBzip2, "bzip2"}, {archive.TarXz, "xz -0"}, {archive.TarZstd, "zstd -q"}} {
		add(tool.format, "two streams, the cut within a file", "seq 10000 >f; tar -cf t f; head -c 20000 t | "+tool.command+"; tail -c +20001 t | "+tool.command)
		add(tool.format, "garbage at the end", "tree; tar -cf - d | "+tool.command+"; echo garbage")
		add(tool.format, "zeros at the end", "tree; tar -cf - d | "+tool.command+"; head -c 512 /dev/zero")
		add(tool.format, "cut off in the middle", "seq 10000 >f; tar -cf - f | "+tool.command+" >z; head -c $(($(wc -c <z) / 2)) z")
		add(tool.format, "cut off before the last byte", "tree; tar -cf - d | "+tool.command+" >z; head -c -1 z")
		add(tool.format, "nothing in it", "true | "+tool.command)
		add(tool.format, "no tar in it", "seq 10000 | "+tool.command)
		add(tool.format, "packed twice", "tree; tar -cf - d | "+tool.command+" | "+tool.command)
	}
	add(archive.TarGzip, "a file of zeros", zeros+"gzip")
	add(archive.TarZstd, "a file of zeros", zeros+"zstd -q")
	add(archive.TarGzip, "zeros after the end of the tar", "{ "+bomb+"; } | gzip")
	add(archive.TarGzip, "pigz, in parallel", "seq 100000 >f; tar -cf - f | pigz -p 4 -b 128")
	add(archive.TarGzip, "pigz, independent blocks", "seq 100000 >f; tar -cf - f | pigz -p 4 -b 128 -i")
	add(archive.TarGzip, "with a name and a comment", "tree; tar -cf t.tar d; pigz -c -C comment t.tar")
	add(archive.TarGzip, "zlib instead", "tree; tar --mtime=@0 -cf - d | pigz -z")
	add(archive.TarBzip2, "blocks of 100k", "seq 100000 >f; tar -cf - f | bzip2 -1")
	for _, check := range []string{"none", "crc32", "crc64", "sha256"} {
		add(archive.TarXz, "check "+check, "tree; tar -cf - d | xz -C "+check)
	}
	add(archive.TarXz, "in blocks", "seq 100000 >f; tar -cf - f | xz -0 --block-size=65536")
	add(archive.TarXz, "in blocks with their sizes", "seq 100000 >f; tar -cf - f | xz -0 -T2 --block-size=65536")
	add(archive.TarXz, "a dictionary of 128 MiB", "tree; tar -cf - d | xz --lzma2=preset=0,dict=128MiB")
	add(archive.TarXz, "a dictionary of 192 MiB", "tree; tar -cf - d | xz --lzma2=preset=0,dict=192MiB")
	add(archive.TarXz, "a dictionary of 192 MiB in the second block", "echo x >f; tar -cf t f; head -c 1000 t | xz -0; tail -c +1001 t | xz --lzma2=preset=0,dict=192MiB")
	add(archive.TarXz, "a filter for programs", "tree; tar -cf - d | xz --x86 --lzma2=preset=0")
	add(archive.TarXz, "the format before xz", "tree; tar -cf - d | xz --format=lzma")
	add(archive.TarZstd, "with a checksum, --ultra -22", "tree; tar -cf - d | zstd -q --check --ultra -22")
	add(archive.TarZstd, "a window of 128 MiB", "tree; tar -cf - d | zstd -q --long=27")
	add(archive.TarZstd, "a window of 2 GiB", "tree; tar -cf - d | zstd -q --long=31 --zstd=wlog=31")
	add(archive.TarZstd, "a dictionary that nobody has", "seq 1000 >s; split -n 50 s p; zstd -q --train p* -o dict --maxdict=1024 2>/dev/null || head -c 1000 s >dict; tree; tar -cf - d | zstd -q -D dict")
	add(archive.TarZstd, "in several threads", "seq 100000 >f; tar -cf - f | zstd -q -T2 -B65536")
	add(archive.TarGzip, "an archive in an archive is a file", "tree; tar --mtime=@0 --owner=root:0 --group=root:0 -cf inner.tar d; tar -czf - inner.tar")

	all = append(all,
		torture{
			name: "tar.xz, a dictionary of 4 GiB", format: archive.TarXz, how: "the header of an xz stream with the largest dictionary there is",
			bytes: func(testing.TB) []byte { return xzHeader(40) },
		},
		torture{
			name: "tar.zst, a window of 3.75 TiB", format: archive.TarZstd, how: "the header of a zstd frame with the largest window there is",
			bytes: func(testing.TB) []byte { return []byte("\x28\xb5\x2f\xfd\x00\xff\x01\x00\x00") },
		},
		torture{
			name: "tar.zst, skippable frames alone", format: archive.TarZstd, how: "a thousand skippable frames, empty",
			bytes: func(testing.TB) []byte { return bytes.Repeat([]byte("\x50\x2a\x4d\x18\x00\x00\x00\x00"), 1000) },
		},
		torture{
			name: "tar.gz, a name without an end", format: archive.TarGzip, how: "a gzip header whose file name goes on for 1 MiB",
			bytes: func(testing.TB) []byte {
				return append([]byte("\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\x03"), bytes.Repeat([]byte("n"), 1<<20)...)
			},
		},
		torture{
			name: "tar.bz2, empty streams", format: archive.TarBzip2, how: "ten thousand bzip2 streams without a block",
			bytes: func(testing.TB) []byte {
				return bytes.Repeat([]byte("BZh9\x17\x72\x45\x38\x50\x90\x00\x00\x00\x00"), 10_000)
			},
		},
	)
	return all
}

// xzHeader is a stream's header and that of its first block, whose dictionary has the size that is coded so.
func xzHeader(dictionary byte) []byte {
	sum := func(b []byte) []byte { return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b)) }
	flags := []byte{0, 1}
	stream := append([]byte("\xfd7zXZ\x00"), flags...)
	stream = binary.LittleEndian.AppendUint32(stream, crc32.ChecksumIEEE(flags))
	block := sum([]byte{2, 0, 0x21, 1, dictionary, 0, 0, 0})
	return append(append(stream, block...), 0)
}
