package power

import "math/rand/v2"

// A Log is what happened on all disks of a machine, and outside it, in order.
type Log struct{ entries []entry }

// A Cut is an instant at which the power fails.
type Cut struct {
	At     int      // that many entries of the log have happened
	Lost   Lost     // what becomes of writes that were not flushed
	Events []string // what the world outside had been told by then
	// OnEvent says that the last of them was told at this very instant.
	OnEvent bool
}

// LastEvent returns the last event, zero if there is none.
func (c Cut) LastEvent() Event {
	if len(c.Events) == 0 {
		return Event{}
	}
	return parse(c.Events[len(c.Events)-1])
}

// Lost says what becomes of the writes after the last flush.
type Lost string

// The kernel's cache is lost in any case.
const (
	LostAll  Lost = "all unflushed writes lost"
	LostNone Lost = "no write lost"
	LostSome Lost = "some unflushed writes lost"
)

// Cuts returns the instants worth a look: around each flush, with its writes lost, there, and there in part, and
// right after each event with all lost that was not flushed by then.
func (l *Log) Cuts() []Cut {
	var cuts []Cut
	var events []string
	pending := map[*Disk]bool{}
	cut := func(at int, lost Lost) {
		cuts = append(cuts, Cut{At: at, Lost: lost, Events: events[:len(events):len(events)]})
	}
	for i, e := range l.entries {
		switch {
		case e.event != "":
			events = append(events, e.event)
			cut(i+1, LostAll)
			cuts[len(cuts)-1].OnEvent = true
		case e.flush && pending[e.disk]:
			cut(i, LostSome)
			cut(i, LostNone)
			cut(i+1, LostAll)
			pending[e.disk] = false
		case !e.flush:
			pending[e.disk] = true
		}
	}
	return cuts
}

func (l *Log) events() []string {
	var events []string
	for _, e := range l.entries {
		if e.event != "" {
			events = append(events, e.event)
		}
	}
	return events
}

// Flushes returns how often a disk was flushed.
func (l *Log) Flushes() int {
	n := 0
	for _, e := range l.entries {
		if e.flush {
			n++
		}
	}
	return n
}

// After returns the disk as it is found after a cut. The caller removes it.
func (l *Log) After(d *Disk, c Cut, rnd *rand.Rand) *Disk {
	flushed := 0
	for i, e := range l.entries[:c.At] {
		if e.disk == d && e.flush {
			flushed = i
		}
	}
	content := d.base.clone()
	for i, e := range l.entries[:c.At] {
		switch {
		case e.disk != d || e.flush:
		case i < flushed || c.Lost == LostNone:
			content.write(e.data, e.off)
		case c.Lost == LostSome:
			content.writeSome(e.data, e.off, rnd)
		}
	}
	return d.recorder.diskOf(d.size, content)
}

// Sectors are written whole or not at all. Those of 512 bytes, which old disks have, would tear the kernel's own
// superblocks, whose checksums are over more: then nothing is mounted, whoever wrote to it.
const sectorSize = 4096

// writeSome writes all of data, none of it, or some of its sectors.
func (b blocks) writeSome(data []byte, off int64, rnd *rand.Rand) {
	switch rnd.IntN(4) {
	case 0:
	case 1:
		for i := 0; i < len(data); i += sectorSize {
			if rnd.IntN(2) == 0 {
				b.write(data[i:min(i+sectorSize, len(data))], off+int64(i))
			}
		}
	default:
		b.write(data, off)
	}
}
