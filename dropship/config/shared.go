package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/dropship/dropship/artifact"
)

// A repository is one that artifacts can name. It is nil inside where its own block is wrong or missing,
// which is reported.
type repository struct {
	artifact.Repository
	kind string // its type, empty if that is not known
	def  hcl.Range
	made string // what it was made from, for fingerprints
}

// block returns the source of a block and what its expressions were given.
func (f *file) block(def hcl.Range, body hcl.Body, s *scope) string {
	src := f.source.text[def.Start.Byte:body.(*hclsyntax.Body).SrcRange.End.Byte]
	return digest(string(src), s.digest())
}

func (l *loader) decodeConsul() {
	if l.kinds.Consul == nil {
		return
	}
	all := placedIn(l.files, func(r rootBlock) []sharedBlock { return r.Consul })
	for i, p := range slices.Backward(all) {
		f, b := p.file, p.part
		if i > 0 {
			l.errorf("Duplicate consul block", &b.Def, "There is one at %s already, and all of dropship shares it.", place(all[0].part.Def))
		}
		s := l.scope(f)
		l.fromKind(f, "consul", l.kinds.Consul(b.Rest, s.ectx))
		l.take(s)
		l.shared = append(l.shared, f.block(b.Def, b.Body, s))
	}
}

func (l *loader) decodeLock() {
	for _, f := range l.files {
		l.lockerMade = l.lockerMade || len(f.root.Locks) > 0 // also of a file that is broken
	}
	all := placedIn(l.files, func(r rootBlock) []kindBlock { return r.Locks })
	for i, p := range slices.Backward(all) {
		f, b := p.file, p.part
		if i > 0 {
			l.errorf("Duplicate lock block", &b.Def, "There is one at %s already, and all services share it.", place(all[0].part.Def))
		}
		newLocker, ok := l.kinds.Lockers[b.Kind]
		if !ok {
			l.unknown("Unknown lock", b.Label, "lock", b.Kind, slices.Collect(maps.Keys(l.kinds.Lockers)))
			continue
		}
		s := l.scope(f)
		locker, diags := newLocker(b.Rest, s.ectx)
		l.fromKind(f, "lock "+b.Kind, diags)
		l.take(s)
		l.locker = locker
		l.shared = append(l.shared, f.block(b.Def, b.Body, s))
	}
}

// defaultLocker is Consul's, where no lock block says otherwise: never silently one that other machines
// do not see.
const defaultLocker = "consul"

// useLocker makes the default locker at the first service that takes turns, if there is no lock block.
func (l *loader) useLocker(f *file, attr *hcl.Attribute) {
	if l.lockerMade {
		return
	}
	l.lockerMade = true
	newLocker, ok := l.kinds.Lockers[defaultLocker]
	if !ok {
		l.errorf("No lock block", attr.Expr.Range().Ptr(), "sequentialUpdates needs a lock block.")
		return
	}
	locker, diags := newLocker(nil, l.scope(f).ectx)
	for _, diag := range diags {
		diag.Subject = attr.Expr.Range().Ptr() // there is no block to point at
	}
	l.diags = append(l.diags, diags...)
	l.locker = locker
}

func (l *loader) decodeRepositories() {
	for _, f := range l.files {
		for _, b := range f.root.Repositories {
			l.decodeRepository(f, b)
		}
		for _, b := range f.root.Rackspace {
			if !f.broken {
				l.diags = append(l.diags, warning("Deprecated block", &b.Def,
					`A top-level rackspace block still works. Write repo "rackspace" { … } instead.`))
			}
			l.decodeRepository(f, repoBlock{Name: "rackspace", Label: b.Def, Body: b.Body, Rest: b.Rest, Def: b.Def})
		}
	}
}

func (l *loader) decodeRepository(f *file, b repoBlock) {
	if f.broken {
		if _, ok := l.repositories[b.Name]; !ok {
			r := &repository{def: b.Def}
			if b.Type == nil {
				r.kind = b.Name
			}
			l.repositories[b.Name] = r
		}
		return
	}
	r := &repository{def: b.Def}
	if first, ok := l.repositories[b.Name]; ok {
		l.errorf("Duplicate repo", &b.Label, "Repo %q is defined at %s already. Give one of them another name, and say its kind with type.",
			b.Name, place(first.def))
	} else {
		l.repositories[b.Name] = r
	}
	s := l.scope(f)
	kind, at := s.fields.text(b.Type, b.Name), b.Label
	if b.Type != nil {
		at = b.Type.Expr.Range()
	}
	l.take(s)
	newRepository, ok := l.kinds.Repositories[kind]
	if !ok {
		l.unknown("Unknown repo type", at, "type of repo", kind, slices.Collect(maps.Keys(l.kinds.Repositories)))
		return
	}
	value, diags := newRepository(b.Rest, s.ectx)
	l.fromKind(f, "repo "+kind, diags, "type")
	l.take(s)
	r.kind, r.made = kind, f.block(b.Def, b.Body, s)
	if !diags.HasErrors() {
		r.Repository = value
	}
}

// standIn returns a repository of that type to find the mistakes in artifacts with, whose own repository
// could not be made: one with all defaults, else any other. Nil if there is none.
func (l *loader) standIn(s *scope, kind string) artifact.Repository {
	newRepository, ok := l.kinds.Repositories[kind]
	if !ok {
		return nil
	}
	if value, diags := newRepository(hcl.EmptyBody(), s.ectx); !diags.HasErrors() {
		return value
	}
	for _, r := range l.repositories {
		if r.kind == kind && r.Repository != nil {
			return r.Repository
		}
	}
	return nil
}

// useRepository makes the repository with all defaults that a service names by its type, unless there is one, or that
// type cannot do without a repo block.
func (l *loader) useRepository(f *file, b *serviceBlock) {
	for _, a := range b.Artifacts {
		newRepository, ok := l.kinds.Repositories[a.Repository]
		if !ok || l.repositories[a.Repository] != nil {
			continue
		}
		if value, diags := newRepository(hcl.EmptyBody(), l.scope(f).ectx); !diags.HasErrors() {
			l.repositories[a.Repository] = &repository{Repository: value, kind: a.Repository, def: a.Label}
		}
	}
}

// repository returns the repository of that name, as an artifact block at label names it. Nil if the name is
// unknown. What is wrong with it is reported.
func (l *loader) repository(s *scope, name string, label hcl.Range) *repository {
	if r, ok := l.repositories[name]; ok {
		return r
	}
	newRepository, ok := l.kinds.Repositories[name]
	if !ok {
		if !l.broken {
			known := slices.AppendSeq(slices.Collect(maps.Keys(l.repositories)), maps.Keys(l.kinds.Repositories))
			l.unknown("Unknown repo", label, "repo", name, known)
		}
		return nil
	}
	if !l.broken {
		_, diags := newRepository(hcl.EmptyBody(), s.ectx)
		var needs []string
		for _, diag := range diags {
			needs = append(needs, diag.Detail)
		}
		l.errorf("No repo block", &label, "There is no repo %q block, and it needs one. %s", name, strings.Join(needs, " "))
	}
	return &repository{kind: name, def: label}
}
