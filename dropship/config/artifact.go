package config

import (
	"fmt"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/install"
)

const defaultKeepReleases = 3

// artifact reads an artifact block: what to install, where, and what the repository was made from.
func (l *loader) artifact(f *file, s *scope, service serviceBlock, b artifactBlock) (artifact.Source, *install.Site, string) {
	target := s.destination(b)
	if target != "" {
		l.places = append(l.places, target)
		l.destinations = append(l.destinations, destination{spot: spot{path: target}, service: service.Name, at: b.Destination.Expr.Range()})
	}
	setuid, _ := s.fields.boolean(b.Setuid)
	options := install.Options{
		Destination: target,
		Keep:        int(s.fields.integer(b.KeepReleases, defaultKeepReleases, 0, maxReleases)),
		Persist:     s.persist(b.Persist),
		Archive: archive.Options{
			Limits: archive.Limits{
				Size:    s.fields.size(b.MaxSize),
				Entries: int(s.fields.integer(b.MaxEntries, 0, 1, maxEntries)),
				Ratio:   s.fields.integer(b.MaxRatio, 0, 1, maxEntries),
			},
			Setuid: setuid,
			UID:    s.owner(b.Owner, "user", userID),
			GID:    s.owner(b.Group, "group", groupID),
		},
	}
	source, made := l.source(f, s, b)
	options.Archive.Format, options.Archive.Sniff = s.format(source, b)
	if options.Archive.Format == archive.File && len(options.Persist) > 0 {
		s.fields.errorf("Nothing to persist", b.Persist,
			"The artifact is a single file, so that there are no paths in it to keep. If it is an archive, say so with type.")
	}
	return source, install.New(options), made
}

// destination reads where the artifact goes, absolute; empty if the block does not say, which is reported.
func (s *scope) destination(b artifactBlock) string {
	mistakes := len(s.fields.diags)
	path := s.fields.path(b.Destination, "")
	if path == "" && len(s.fields.diags) == mistakes {
		s.fields.diags = append(s.fields.diags, problem("Missing destination", &b.Def,
			"The artifact needs a destination: the directory or file that it becomes on this machine."))
	}
	return path
}

// More than these is a slip of the keyboard.
const (
	maxReleases = 1_000_000
	maxEntries  = 1_000_000_000
)

// source asks the repository for what the rest of the block names.
func (l *loader) source(f *file, s *scope, b artifactBlock) (artifact.Source, string) {
	r := l.repository(s, b.Repository, b.Label)
	if r == nil {
		return nil, ""
	}
	repository := r.Repository
	if repository == nil {
		if repository = l.standIn(s, r.kind); repository == nil {
			return nil, ""
		}
	}
	source, diags := repository.Source(b.Rest, s.ectx)
	l.fromKind(f, "artifact", diags, "destination", "type", "content-type", "keepReleases", "persist", "owner", "group",
		"setuid", "maxSize", "maxEntries", "maxRatio")
	if diags.HasErrors() {
		return nil, ""
	}
	return source, r.made
}

// mimeFormats are what a content-type can tell of the format. The content must agree in any case.
var mimeFormats = map[string]archive.Format{
	"application/gzip":              archive.TarGzip,
	"application/x-gzip":            archive.TarGzip,
	"application/x-tgz":             archive.TarGzip,
	"application/x-compressed-tar":  archive.TarGzip,
	"application/x-gtar-compressed": archive.TarGzip,
	"application/zstd":              archive.TarZstd,
	"application/x-zstd":            archive.TarZstd,
	"application/x-xz":              archive.TarXz,
	"application/x-bzip2":           archive.TarBzip2,
	"application/x-tar":             archive.Tar,
	"application/tar":               archive.Tar,
	"application/zip":               archive.Zip,
	"application/x-zip-compressed":  archive.Zip,
}

// format tells how the artifact is packed: its type, else its name's extension, else the content-type that
// the block gives, else it is a plain file. Guessed is true for the last: nothing said so.
func (s *scope) format(source artifact.Source, b artifactBlock) (format archive.Format, guessed bool) {
	mime, _, _ := strings.Cut(s.fields.text(b.ContentType, ""), ";")
	name := s.fields.text(b.Type, "")
	switch {
	case name != "":
		return s.formatNamed(name, b.Type), false
	case source == nil:
		return "", false // a mistake elsewhere
	}
	if format, ok := archive.FormatOf(source.String()); ok {
		return format, false
	}
	if format, ok := mimeFormats[strings.ToLower(strings.TrimSpace(mime))]; ok {
		return format, false
	}
	return archive.File, true
}

func (s *scope) formatNamed(name string, attr *hcl.Attribute) archive.Format {
	format, err := archive.ParseFormat(name)
	if err != nil {
		names := []string{"tar.gz", "tar.zst", "tar.xz", "tar.bz2", "tar", "zip", "file"}
		hint := didYouMean(name, names)
		if meant, ok := archive.FormatOf("artifact." + name); ok { // an extension: tgz
			hint = didYouMean(string(meant), names)
		}
		s.fields.errorf("Unknown artifact type", attr, "There is no artifact type %q. There are %s.%s", name, quoted(names), hint)
	}
	return format
}

// persist reads paths within a release.
func (s *scope) persist(attr *hcl.Attribute) []string {
	paths, at := s.fields.strings(attr)
	var persist []string
	for i, path := range paths {
		clean := filepath.Clean(path)
		if path == "" || clean == "." || !filepath.IsLocal(path) || strings.ContainsRune(path, 0) {
			s.fields.diags = append(s.fields.diags, problem("Invalid persist path", &at[i],
				"%q is no path within the release: it must be relative and must not lead out of it.", path))
			continue
		}
		for _, other := range persist {
			if within(clean, other) || within(other, clean) {
				s.fields.diags = append(s.fields.diags, problem("Invalid persist path", &at[i],
					"%q and %q are one within the other. Keep the outer one.", path, other))
			}
		}
		persist = append(persist, clean)
	}
	return persist
}

// owner reads a name or a number of who is to own the release; -1 if the file does not say.
func (s *scope) owner(attr *hcl.Attribute, what string, lookup func(string) (string, error)) int {
	name := s.fields.text(attr, "")
	if name == "" {
		return -1
	}
	number := name
	if strings.Trim(name, "0123456789") != "" {
		id, err := lookup(name)
		if err != nil {
			s.fields.errorf("Unknown "+what, attr, "There is no %s %q on this machine. Create it, or write its number.", what, name)
			return -1
		}
		number = id
	}
	id, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		s.fields.errorf("Invalid "+attr.Name, attr, "%q is no id of a %s.", name, what)
		return -1
	}
	return int(id)
}

func userID(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", fmt.Errorf("cannot look up user: %w", err)
	}
	return u.Uid, nil
}

func groupID(name string) (string, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return "", fmt.Errorf("cannot look up group: %w", err)
	}
	return g.Gid, nil
}
