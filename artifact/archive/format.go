package archive

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
)

// A Format is how an artifact is packed.
type Format string

// The formats, by the names that an artifact's `type` takes.
const (
	TarGzip  Format = "tar.gz"
	TarZstd  Format = "tar.zst"
	TarXz    Format = "tar.xz"
	TarBzip2 Format = "tar.bz2"
	Tar      Format = "tar"
	Zip      Format = "zip"
	File     Format = "file" // no archive: the artifact is the file
)

// formats says how each format is recognised. File has no mark.
var formats = []struct {
	format     Format
	looks      string // what a content with these magic bytes is called
	extensions []string
	magic      func(head []byte) bool
}{
	// The name of a tar's first entry is in its first bytes and can look like anything: its own mark is asked first.
	{Tar, "tar", []string{".tar"}, func(head []byte) bool {
		return len(head) >= headSize && string(head[257:262]) == "ustar"
	}},
	{TarGzip, "gzip", []string{".tar.gz", ".tgz", ".taz"}, prefix("\x1f\x8b")},
	{TarZstd, "zstd", []string{".tar.zst", ".tzst"}, func(head []byte) bool {
		// Parallel compressors begin with a skippable frame.
		skippable := len(head) >= 4 && head[0]&0xf0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18"
		return skippable || prefix("\x28\xb5\x2f\xfd")(head)
	}},
	{TarXz, "xz", []string{".tar.xz", ".txz"}, prefix("\xfd7zXZ\x00")},
	{TarBzip2, "bzip2", []string{".tar.bz2", ".tbz", ".tbz2"}, func(head []byte) bool {
		return len(head) >= 4 && string(head[:3]) == "BZh" && '1' <= head[3] && head[3] <= '9'
	}},
	{Zip, "zip", []string{".zip"}, func(head []byte) bool {
		return prefix("PK\x03\x04")(head) || prefix("PK\x05\x06")(head) || prefix("PK\x07\x08")(head)
	}},
	// These are zip files that are run as they are.
	{File, "", []string{".jar", ".war", ".ear"}, func([]byte) bool { return false }},
}

// headSize is how many of the first bytes tell the format: a tar's mark is the last of them.
const headSize = 262

func prefix(magic string) func([]byte) bool {
	return func(head []byte) bool { return bytes.HasPrefix(head, []byte(magic)) }
}

// ParseFormat returns the format of that name; the error lists the names there are.
func ParseFormat(name string) (Format, error) {
	var names []string
	for _, f := range formats {
		if name == string(f.format) {
			return f.format, nil
		}
		names = append(names, fmt.Sprintf("%q", f.format))
	}
	slices.Sort(names)
	return "", fmt.Errorf("cannot use %q as an artifact's type: it is one of %s", name, strings.Join(names, ", "))
}

// FormatOf returns the format that name's extension tells (".tgz", ".tar.gz", ".zip" …, in any case),
// or false where it tells none. A Java archive (".jar", ".war", ".ear") is a File: it is run as it is.
func FormatOf(name string) (Format, bool) {
	base := strings.ToLower(path.Base(name))
	for _, f := range formats {
		for _, extension := range f.extensions {
			if strings.HasSuffix(base, extension) {
				return f.format, true
			}
		}
	}
	return "", false
}

// agree says whether content that begins with head can be unpacked as format.
func agree(format Format, sniff bool, head []byte) error {
	var looks string
	var seen Format
	known := false
	for _, f := range formats {
		known = known || f.format == format
		if looks == "" && f.magic(head) {
			looks, seen = f.looks, f.format
		}
	}
	switch {
	case !known:
		_, err := ParseFormat(string(format))
		return err
	case format == File && sniff && looks != "":
		return fmt.Errorf("its content looks like %s, and nothing says whether to unpack it: set type = %q, or type = %q to keep it packed", looks, seen, File)
	case format == File, format == seen:
		return nil
	case len(head) == 0:
		return fmt.Errorf("it is empty, not %s", format)
	case looks != "":
		return fmt.Errorf("its content looks like %s, not %s: set type = %q", looks, format, seen)
	case format == Tar:
		return nil // tar before POSIX has no mark; its header has a checksum, which decides
	default:
		return fmt.Errorf("its content does not look like %s: it begins with the bytes % x", format, head[:min(len(head), 8)])
	}
}
