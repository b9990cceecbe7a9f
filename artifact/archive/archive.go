// Package archive unpacks artifacts, in one pass over the bytes and confined to one directory.
package archive

import (
	"context"
	"io"
	"os"
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

// ParseFormat returns the format of that name; the error lists the names there are.
func ParseFormat(name string) (Format, error) { panic("to be written") }

// FormatOf returns the format that path's extension tells (".tgz", ".tar.gz", ".zip" …, in any case),
// or false where it tells none.
func FormatOf(path string) (Format, bool) { panic("to be written") }

// Limits bound what an archive may unpack to. A zero field means its default.
type Limits struct {
	Size    int64 // bytes of all files together
	Entries int   // files, directories, links
	Ratio   int64 // unpacked bytes per packed byte, once past the first 64 MiB
}

// Options say how to unpack.
type Options struct {
	Format Format
	// Sniff is set where Format is File only because nothing told another: then content that looks like
	// an archive is an error. A Format that the user wrote is taken at their word.
	Sniff    bool
	Limits   Limits
	Setuid   bool // keep setuid and setgid bits; without it an entry that has them is an error
	UID, GID int  // owner of everything unpacked, -1: the process's own
}

// Stats is what was unpacked.
type Stats struct {
	Packed, Unpacked int64 // bytes
	Entries          int
}

// Unpack reads an artifact from r to its very end and creates it as name in dir: a directory for an
// archive, a file for File. (contract to be completed by its author)
func Unpack(ctx context.Context, dir *os.Root, name string, r io.Reader, o Options) (Stats, error) {
	panic("to be written")
}
