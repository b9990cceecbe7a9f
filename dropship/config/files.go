package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/dropship/dropship/lock"
)

// A loader is one load: what was read so far, and what was wrong with it.
type loader struct {
	kinds    Kinds
	hostname string
	files    []*file
	broken   bool            // one of them is, so that a name that seems missing may well be in it
	reached  map[string]bool // by real path, so that a file reached twice is read once
	diags    hcl.Diagnostics
	secrets  []string // values that no message may show
	// configuration is where all was read from: every file, and every directory, to which files may be added.
	configuration []spot
	places        []string // destinations and the stateDir, which messages may show
	destinations  []destination
	lasting       []lasting

	// What the shared blocks made, for the services.
	shared       []string // what they were made from, for fingerprints
	repositories map[string]*repository
	locker       lock.Locker
	lockerMade   bool // or tried: a mistake in it is reported once
}

// A file is one *.hcl file.
type file struct {
	path   string
	real   string // absolute, without links
	mode   fs.FileMode
	source *source
	root   rootBlock
	// broken: it does not parse, so that what it would have said is unknown; of root only what leads to
	// other files and the names of repositories are used.
	broken bool
}

func newLoader(kinds Kinds) *loader {
	return &loader{kinds: kinds, reached: make(map[string]bool), repositories: make(map[string]*repository)}
}

// apart returns a loader for a part of the load that goes on beside others: it shares what is not changed any more, and
// what it finds is its own until join.
func (l *loader) apart() *loader {
	return &loader{kinds: l.kinds, hostname: l.hostname, broken: l.broken, repositories: l.repositories}
}

func (l *loader) join(part *loader) {
	l.diags = append(l.diags, part.diags...)
	l.secrets = append(l.secrets, part.secrets...)
	l.places = append(l.places, part.places...)
}

func (l *loader) errorf(summary string, subject *hcl.Range, detail string, args ...any) {
	l.diags = append(l.diags, problem(summary, subject, detail, args...))
}

// problem returns an error at subject.
func problem(summary string, subject *hcl.Range, detail string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  summary,
		Detail:   fmt.Sprintf(detail, args...),
		Subject:  subject,
	}
}

// warning returns a warning at subject.
func warning(summary string, subject *hcl.Range, detail string, args ...any) *hcl.Diagnostic {
	diag := problem(summary, subject, detail, args...)
	diag.Severity = hcl.DiagWarning
	return diag
}

// read reads the file or the directory at path, and all that it leads to.
func (l *loader) read(path string) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.errorf("No configuration", nil,
			"There is no file or directory %s. Create it, or name another with --config.", path)
	case err != nil:
		l.unreadable("configuration", nil, err)
	case info.IsDir():
		l.readDirectory(path, nil)
		if len(l.files) == 0 && len(l.diags) == 0 {
			l.errorf("No configuration", nil, "There is no *.hcl in %s. Create one, or name another directory with --config.", path)
		}
	default:
		l.readFile(path, nil)
	}
}

// readDirectory reads every *.hcl in dir, in the order of their names. Hidden files are left out: editors
// keep their own beside the ones being edited. Named is where the directory is named, if it is.
func (l *loader) readDirectory(dir string, named *hcl.Range) {
	entries, err := os.ReadDir(dir) // sorted
	switch {
	case errors.Is(err, fs.ErrNotExist):
		l.errorf("No such directory", named,
			"There is no directory %s. Create it, even if it stays empty: mkdir -p %s", dir, dir)
		return
	case err != nil:
		l.unreadable("directory", named, err)
		return
	}
	at, err := locate(dir)
	if err != nil {
		l.unreadable("directory", named, err)
		return
	}
	l.configuration = append(l.configuration, at)
	var readings []reading
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") || filepath.Ext(entry.Name()) != ".hcl" {
			continue
		}
		r := reading{path: filepath.Join(dir, entry.Name())}
		if entry.Type()&fs.ModeSymlink == 0 {
			// No link but those on the way to dir, which are followed once for all.
			r.at = spot{filepath.Join(at.path, entry.Name()), filepath.Join(at.real, entry.Name())}
		}
		readings = append(readings, r)
	}
	each(len(readings), func(i int) { readings[i].read() })
	for _, r := range readings {
		l.add(r, named)
	}
}

func (l *loader) readFile(path string, named *hcl.Range) {
	r := reading{path: path}
	r.read()
	l.add(r, named)
}

// add takes a file into the load, and reads what it leads to.
func (l *loader) add(r reading, named *hcl.Range) {
	if r.at != (spot{}) {
		if l.reached[r.at.real] {
			return
		}
		l.reached[r.at.real] = true
	}
	if r.err != nil {
		l.unreadable("file", named, r.err)
		return
	}
	f := r.file
	l.files = append(l.files, f)
	l.broken = l.broken || f.broken
	l.configuration = append(l.configuration, r.at)
	l.diags = append(l.diags, r.syntax...)
	if !f.broken {
		l.fromKind(f, "service", r.structure)
	}
	l.readServicePath(f)
}

func (l *loader) readServicePath(f *file) {
	attr := f.root.ServicePath
	if attr == nil {
		return
	}
	s := l.scope(f)
	dir := s.fields.text(attr, "")
	l.take(s)
	if dir == "" {
		return
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(filepath.Dir(f.path), dir)
	}
	l.readDirectory(dir, attr.Expr.Range().Ptr())
}

// setting reads an attribute that stands outside of blocks, in any of the files.
func (l *loader) setting(of func(rootBlock) *hcl.Attribute, read func(*fields, *hcl.Attribute)) {
	all := placedIn(l.files, func(r rootBlock) []*hcl.Attribute {
		if attr := of(r); attr != nil {
			return []*hcl.Attribute{attr}
		}
		return nil
	})
	for i, p := range slices.Backward(all) {
		if i > 0 {
			l.errorf("Duplicate "+p.part.Name, &p.part.NameRange,
				"%s is set at %s already. Keep one of the two.", p.part.Name, place(all[0].part.NameRange))
		}
		s := l.scope(p.file)
		read(s.fields, p.part)
		l.take(s)
	}
}

// A placed is a part of a file.
type placed[Part any] struct {
	file *file
	part Part
}

// placedIn returns parts of the files that parse, in order. Of those that there can be one of, all are read, so that
// their mistakes are told beside that there are several: backward, so that it is the first that counts.
func placedIn[Part any](files []*file, of func(rootBlock) []Part) []placed[Part] {
	var all []placed[Part]
	for _, f := range files {
		if f.broken {
			continue
		}
		for _, part := range of(f.root) {
			all = append(all, placed[Part]{f, part})
		}
	}
	return all
}

// othersRead is the permission that lets every user of the machine read a file.
const othersRead = 0o004

// warnReadable warns of files that hold credentials and that every user of the machine can read.
func (l *loader) warnReadable() {
	for _, f := range l.files {
		if f.mode&othersRead == 0 || !mayHoldCredential(f.source.text) {
			continue
		}
		if literal := f.source.credentials().literal; literal != nil {
			l.diags = append(l.diags, warning("Credentials that others can read", literal,
				`Every user of this machine can read this file: chmod 640 %s. Or take the value from elsewhere, with env("NAME") or file("path").`, f.path))
		}
	}
}

// place writes where r begins, as editors and compilers do.
func place(r hcl.Range) string {
	return fmt.Sprintf("%s:%d:%d", r.Filename, r.Start.Line, r.Start.Column)
}
