package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// namesShown is how many files of each kind a plan names. All are in its JSON.
const namesShown = 5

func (a *app) planCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "plan [SERVICE…]",
		Short: "Show what apply would do, and change nothing",
		Long: `Plan asks each service's repository what it holds and shows what an update would do: revisions, bytes to
download, files that would change, who holds the slot and who waits for it, hooks in order. It takes no slot and
writes nothing. Exit code 1 if a service cannot be planned.

Which files would change is known of a release that is staged already, and of an artifact of 16 MiB or less, which
plan downloads to list it: in memory, for 30 seconds at the most. They are compared with what is at the destination by
kind, permissions, size and content. Directories, and paths that persist, are left out. A file of the application's own
beside the release is among the removed, as it would be. That the list, or the line for the slot, is not known is said
and is no error. A plan tries neither hooks nor rights, and unpacks nothing: it says that the update may fail where the
artifact cannot be listed, or has no room, and knows no more.

With --json it is an array with an object for each service: service, artifact, destination; present (something is at
the destination), installed, repository {revision, hash, size}; outcome ("up to date", "updated", "quarantined" or
"paused"), reason, paused {by, reason, since, until}; interrupted and unfinished {update_id, hash, hooks, error},
updates that are completed first. If there is something to install also fetch (bytes, -1: not known), staged,
changes {added, removed, changed} with all paths (".": the destination itself, where it is a file), or not_listed, why
they are not known; doubt, why it may fail; slot {locker, group, slots, hold (seconds), line, error}, whose line has who
holds (holding) and then who waits {host, pid, service, hash, update_id, slots, since, holding}; before and after,
arrays of {name, when, on_error, timeout (seconds)}. A service that cannot be planned has error and step.`,
		ValidArgsFunction: a.completeServices,
		RunE:              func(cmd *cobra.Command, names []string) error { return a.plan(cmd.Context(), names, asJSON) },
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) plan(ctx context.Context, names []string, asJSON bool) error {
	logger, err := a.logger()
	if err != nil {
		return err
	}
	m, services, err := a.chosen(logger, names)
	if err != nil {
		return err
	}
	page := a.page()
	if !isTerminal(a.stdout) {
		page.width = math.MaxInt16 // lines for other programs are not broken
	}
	failed, plans := 0, []dropship.Plan{}
	var refused error
	for _, s := range services {
		p, err := s.Plan(ctx, m)
		if err != nil {
			failed++
			refused = errors.Join(refused, err)
		}
		plans = append(plans, p)
		if !asJSON {
			page.plan(p, time.Now())
		}
	}
	if asJSON {
		if err := printJSON(a.stdout, plans); err != nil {
			return err
		}
	}
	if failed > 0 {
		return &exitError{exitFailed, fmt.Errorf("cannot plan %s%s", count(failed, "service"), asWhom(refused))}
	}
	return nil
}

// plan writes a plan in lines of a name and a value.
func (p page) plan(s dropship.Plan, now time.Time) {
	what, color := verdict(s)
	p.hang(s.Service+": ", color, what)
	p.line("artifact", "%s", s.Artifact)
	p.line("destination", "%s", s.Destination)
	p.line("installed", "%s", plannedOver(s))
	if u := s.Interrupted; u != nil {
		p.line("interrupted", "update %s to %s is completed or undone first", u.UpdateID, u.Hash)
	}
	if u := s.Unfinished; u != nil {
		p.line("unfinished", "%s, of update %s: %s", strings.Join(u.Hooks, ", "), u.UpdateID, u.Error)
	}
	if r := s.Repository; r != nil {
		p.line("repository", "%s", held(*r, knownHash(s)))
	}
	if s.Paused != nil {
		p.line("paused", "%s", pauseNote(*s.Paused, now))
	}
	if s.Reason != "" && s.Outcome != dropship.Held {
		p.line("reason", "%s", s.Reason)
	}
	if s.Error != "" {
		p.line("error", "%s", s.Error)
		return
	}
	if s.Outcome != dropship.Updated && s.Outcome != dropship.Held {
		return
	}
	switch {
	case s.Staged:
		p.line("download", "nothing: staged already")
	case s.Fetch < 0:
		p.line("download", "size not known")
	default:
		p.line("download", "%s", human(s.Fetch))
	}
	p.files(s)
	p.slot(s.Slot)
	p.chain("before", s.Before)
	p.line("switch", "%s", s.Destination)
	p.chain("after", s.After)
	if s.Slot != nil && s.Slot.Hold > 0 {
		p.line("hold", "the slot for %s", time.Duration(s.Slot.Hold))
	}
}

// verdict says what an update would come to, in a few words.
func verdict(s dropship.Plan) (what, color string) {
	would := "would be updated"
	if !s.Present {
		would = "would be installed"
	}
	switch {
	case s.Error == "" && s.Outcome == dropship.Updated && s.Doubt != "":
		return would + ", but that may fail", yellow
	case s.Error != "":
		return "cannot be updated", red
	case s.Outcome == dropship.Updated:
		return would, bold
	case s.Outcome == dropship.Held:
		return "PAUSED: " + would + " once it is resumed", yellow
	case s.Outcome == dropship.Quarantine:
		return string(s.Outcome), red
	default:
		return string(s.Outcome), ""
	}
}

// files says which files would change.
func (p page) files(s dropship.Plan) {
	if s.Doubt != "" && s.Doubt != s.NotListed {
		p.line("may fail", "%s", s.Doubt)
	}
	if s.Changes == nil {
		p.line("files", "not listed: %s", s.NotListed)
		return
	}
	c := s.Changes
	if len(c.Added)+len(c.Removed)+len(c.Changed) == 0 {
		p.line("files", "none would change")
		return
	}
	p.line("files", "%d added, %d removed, %d changed", len(c.Added), len(c.Removed), len(c.Changed))
	for _, kind := range []struct {
		mark  string
		names []string
	}{{"+", c.Added}, {"-", c.Removed}, {"~", c.Changed}} {
		for _, name := range kind.names[:min(len(kind.names), namesShown)] {
			if name == "." { // the destination itself, a plain file
				name = filepath.Base(s.Destination)
			}
			p.path(kind.mark, name)
		}
		if more := len(kind.names) - namesShown; more > 0 {
			p.line("", "%s and %d more, which plan --json %s names", kind.mark, more, s.Service)
		}
	}
}

// path writes the name of a file, the end of it where there is no room for all.
func (p page) path(mark, name string) {
	indent := strings.Repeat(" ", nameWidth+3)
	name = dropship.Printable(name)
	if over := runewidth.StringWidth(name) - max(p.width-len(indent)-2, leastCell); over > 0 {
		name = runewidth.TruncateLeft(name, over+1, "…")
	}
	fmt.Fprintf(p.w, "%s%s %s\n", indent, mark, name)
}

// slot says which turn would be taken, and after whom.
func (p page) slot(s *dropship.PlannedSlot) {
	if s == nil {
		return
	}
	p.line("slot", "one of %d in group %s, from %s", s.Slots, s.Group, s.Locker)
	if s.Error != "" {
		p.line("", "who holds it is not known: %s", s.Error)
		return
	}
	holding := 0
	for _, h := range s.Line {
		if h.Holding {
			p.line("held by", "%s", inLine(h))
			holding++
		}
	}
	if waiting := s.Line[holding:]; len(waiting) > 0 {
		p.line("waiting", "%s", firstOf(waiting))
	} else if holding < s.Slots {
		p.line("", "free now")
	}
}

// inLine names who takes a turn, and says since when it stands in line: when its turn came nobody tells.
func inLine(h lock.Holder) string {
	if h.Since.IsZero() { // it could not be read
		return h.String()
	}
	return fmt.Sprintf("%s, in line since %s", h, dropship.LocalTime(h.Since))
}

// firstOf names who comes first, and how many come after.
func firstOf(line []lock.Holder) string {
	text := inLine(line[0])
	if n := len(line) - 1; n > 0 {
		text += fmt.Sprintf(", and %d more", n)
	}
	return text
}

func (p page) chain(phase string, chain []dropship.PlannedHook) {
	for i, step := range chain {
		var policy []string
		if step.When != hooks.Always {
			policy = append(policy, "on "+string(step.When))
		}
		if step.OnError == hooks.Continue {
			policy = append(policy, "errors ignored")
		}
		suffix := ""
		if len(policy) > 0 {
			suffix = " (" + strings.Join(policy, ", ") + ")"
		}
		p.line(fmt.Sprintf("%s %d", phase, i+1), "%s%s", step.Name, suffix)
	}
}

// knownHash returns the hash of what is installed where that is what the repository holds, which may not know it.
func knownHash(s dropship.Plan) string {
	if s.Outcome != dropship.UpToDate || s.Installed == nil {
		return ""
	}
	return s.Installed.Hash
}

// held is what a repository holds. Many have the md5 for a revision, in quotes. known is the hash where it does not say.
func held(r dropship.Remote, known string) string {
	if r.Hash != "" && strings.Trim(r.Revision, `"`) == r.Hash {
		return r.Hash
	}
	return fmt.Sprintf("%s (revision %s)", cmp.Or(r.Hash, known, "md5 not known before the download"), r.Revision)
}

func plannedOver(s dropship.Plan) string {
	switch {
	case !s.Present:
		return "nothing"
	case s.Installed == nil || s.Installed.Hash == "":
		return "something that dropship did not install: it would be moved aside and kept"
	case s.Installed.At.IsZero():
		return s.Installed.Hash
	default:
		return fmt.Sprintf("%s (since %s)", s.Installed.Hash, dropship.LocalTime(s.Installed.At))
	}
}

// units of bytes, each 1,024 of the one before.
const units = "KMGT"

// human is a number of bytes in the unit that is best to read.
func human(bytes int64) string {
	if bytes < 1<<10 {
		return count(int(bytes), "byte")
	}
	value, unit := float64(bytes)/(1<<10), 0
	for value >= 1023.95 && unit < len(units)-1 {
		value /= 1 << 10
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}
