// Package artifact says what an artifact is, where artifacts live, and how their bytes are trusted.
//
// A Repository makes Sources; a Source is one artifact. One folder below this one holds each kind of
// repository (s3, swift, http, file); archive unpacks, install puts in place. The conformance suite
// in artifacttest tests what the comments here promise.
package artifact

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/hashicorp/hcl/v2"
)

var (
	// ErrNotExist means that the repository answered and the artifact (or its bucket) is not there.
	// Refused access, an unreachable server and a malformed answer are other errors.
	ErrNotExist = errors.New("artifact does not exist")
	// ErrChanged means that the repository no longer holds the revision that was asked for.
	// The caller starts again from Stat.
	ErrChanged = errors.New("artifact changed in the repository")
)

// Info describes one state of an artifact as its repository advertises it.
type Info struct {
	// Revision is the repository's opaque token for these bytes (an ETag, a version id, an md5 …).
	// Equal revisions of one source mean equal bytes, but see Weak; different ones may still be the same bytes. Never empty.
	Revision string
	// Weak is set where bytes may change and the revision stay as it is, if only for a second: it is a weak ETag, or a time.
	// Then what two connections bring may be of different bytes, and only a checksum tells.
	Weak bool
	// MD5 is the md5 of the bytes in lower-case hex where the repository is sure of it, else empty:
	// unknown is not different. An S3 multipart ETag or a Swift large object's Etag is no md5 of the bytes.
	MD5         string
	Size        int64     // bytes, -1 if unknown
	ModTime     time.Time // zero if unknown
	ContentType string    // as advertised; a hint, never a decision
	// Ranges is set where parts of the bytes may be fetched by themselves, and over several connections that may be
	// faster; never where Weak is. It is a promise of nothing: an Open of a part may still fail.
	Ranges bool
}

// A Source is one artifact in a repository. Safe for concurrent use.
//
// No method retries: NewResumingReader, and the agent's back-off above it, do. Every error names the
// source, carries its cause, and shows no credential. After ctx ends, methods and reads return soon,
// with an error for which errors.Is(err, ctx.Err()) holds.
type Source interface {
	// String names the artifact for people: "s3://bucket/key", with the path as the last part (its
	// extension tells the archive format) and never a credential or a query.
	String() string

	// Stat asks what is in the repository now. It is what a check costs, so it is one small request
	// and reads no artifact bytes. An error is ErrNotExist only if the artifact is surely absent.
	Stat(ctx context.Context) (Info, error)

	// Checksums returns what the bytes of exactly that state can be checked against, strongest first;
	// it may ask the repository (a sidecar file, the sizes of the parts of a multipart upload).
	// It is called once per download, never in a check that finds nothing new. None at all is no error:
	// then only the size is checked. An md5 in info.MD5 is among them.
	Checksums(ctx context.Context, info Info) ([]Checksum, error)

	// Open streams length bytes of exactly info.Revision from offset (bytes from the start), or returns
	// ErrChanged, also when that shows only after the first bytes. With a length of -1 these are all from
	// offset on, which is at most info.Size where that is known. Else there is at least one byte, none is
	// beyond info.Size, which must be known, and no others are sent for it: that the repository sends no
	// parts is an error then. A body shorter than advertised ends in io.ErrUnexpectedEOF, never in io.EOF.
	// The bytes are not verified here. The caller closes the reader, also before its end; where it has
	// been read to io.EOF, its connection is used again.
	Open(ctx context.Context, info Info, offset, length int64) (io.ReadCloser, error)
}

// A Repository makes sources.
type Repository interface {
	// Source decodes what the repository's own attributes in an artifact block say (bucket, path …);
	// attributes that every artifact has are gone from body already. It does no I/O, so that
	// validation works offline; every mistake is a diagnostic at its place.
	Source(body hcl.Body, ectx *hcl.EvalContext) (Source, hcl.Diagnostics)
}
