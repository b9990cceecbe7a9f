package config

import (
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/dropship/dropship/dropship"
)

const (
	defaultCheckInterval = 30 * time.Second
	leastCheckInterval   = 100 * time.Millisecond // less is a load on the repository, and a slip of the keyboard
)

var hashPattern = regexp.MustCompile(`^[0-9A-Fa-f]{32}$`)

// A decoding makes one service, whatever the others are. So many of them go on side by side.
type decoding struct {
	file    *file
	block   *serviceBlock
	part    *loader // what it finds
	service *dropship.Service
}

func (l *loader) decodeServices(stateDir string) []*dropship.Service {
	var decodings []decoding
	for _, f := range l.files {
		if f.broken {
			continue
		}
		for i := range f.root.Services {
			b := &f.root.Services[i]
			l.useRepository(f, b)
			decodings = append(decodings, decoding{file: f, block: b, part: l.apart()})
		}
	}
	each(len(decodings), func(i int) {
		d := &decodings[i]
		d.service = d.part.decodeService(d.file, *d.block)
	})

	services := make([]*dropship.Service, len(decodings))
	first := make(map[string]hcl.Range)
	links := make(resolver)
	taken := &destinations{l: l, links: links, stateDir: links.spot(stateDir)}
	for i, d := range decodings {
		l.join(d.part)
		for _, to := range d.part.destinations {
			to.spot = links.spot(to.path)
			taken.add(to)
		}
		b := d.block
		if d.service.Turn != nil {
			l.useLocker(d.file, b.SequentialUpdates)
			d.service.Turn.Locker = l.locker
		}
		services[i] = d.service
		if !namePattern.MatchString(b.Name) {
			l.errorf("Invalid service name", &b.Label, "%q is no valid name: it %s.", b.Name, nameRule)
		}
		if at, ok := first[b.Name]; ok {
			l.errorf("Duplicate service", &b.Label, "Service %q is defined at %s already. Rename or remove one of the two.", b.Name, place(at))
			continue
		}
		first[b.Name] = b.Label
	}
	taken.check()
	for _, s := range services {
		s.Fingerprint = digest(append([]string{s.Fingerprint, stateDir}, l.shared...)...)
	}
	return services
}

// decodeService makes one service. Its fingerprint covers its own block and repository only, until all
// shared blocks are known.
func (l *loader) decodeService(f *file, b serviceBlock) *dropship.Service {
	s := l.scope(f)
	defer l.take(s)
	service := &dropship.Service{
		Name:          b.Name,
		File:          b.Def.Filename,
		CheckInterval: s.fields.duration(b.CheckInterval, defaultCheckInterval, leastCheckInterval),
		UpdateTTL:     s.fields.duration(b.UpdateTTL, 0, 0),
		Hash:          l.hash(s, b.Hash),
		Turn:          l.turn(s, b),
	}
	service.Before = append(l.command(s, b.PreCommand, "before"), l.chain(f, s, b.Before)...)
	service.After = append(l.chain(f, s, b.After), l.command(s, b.PostCommand, "after")...)

	var made string
	switch len(b.Artifacts) {
	case 0:
		l.errorf("Missing artifact block", &b.Def, "Service %q needs one artifact block, which says what to install and where.", b.Name)
	default:
		service.Source, service.Site, made = l.artifact(f, s, b, b.Artifacts[0])
		destinations := l.destinations
		for _, more := range b.Artifacts[1:] {
			l.errorf("Duplicate artifact block", &more.Def,
				"A service has one artifact, and there is one at %s already. Make this another service.", place(b.Artifacts[0].Def))
			l.artifact(f, s, b, more) // which may have mistakes of its own
		}
		l.destinations = destinations
	}
	service.Fingerprint = digest(f.block(b.Def, b.Body, s), made)
	return service
}

func (l *loader) hash(s *scope, attr *hcl.Attribute) string {
	hash := s.fields.text(attr, "")
	if hash != "" && !hashPattern.MatchString(hash) {
		s.fields.errorf("Invalid hash", attr, "%q is no md5: that has 32 hexadecimal digits.", hash)
		return ""
	}
	return strings.ToLower(hash)
}

// turn reads how the service takes turns, but for the locker; nil if it does not.
func (l *loader) turn(s *scope, b serviceBlock) *dropship.Turn {
	turn := &dropship.Turn{
		Group: s.fields.name(b.UpdateGroup, b.Name),
		Slots: int(s.fields.integer(b.UpdateSlots, 1, 1, maxSlots)),
	}
	switch sequential, ok := s.fields.boolean(b.SequentialUpdates); {
	case !ok:
		return nil
	case sequential:
		return turn
	}
	for _, attr := range []*hcl.Attribute{b.UpdateSlots, b.UpdateGroup, b.UpdateTTL} {
		if attr != nil {
			l.diags = append(l.diags, warning("No effect without sequentialUpdates", &attr.NameRange,
				"%s says how the service takes turns, and it takes none. Add sequentialUpdates = true.", attr.Name))
		}
	}
	return nil
}

// maxSlots is more machines than any group has.
const maxSlots = 1 << 20
