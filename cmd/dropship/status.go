package main

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/api"
)

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status [SERVICE…]",
		Short: "Show what is installed since when, and what is going on",
		Long: `Status asks the running agent about every service: the first characters of the hash that is installed, for how
long it has been, those of the hash that the repository held when it was last asked, and how the two stand to each
other. Below a service that needs a person stands why, as far as the line goes. Of services that are named it shows
all that is known. A configuration that was rejected is shown first.

With --json it is an array of what GET /v1/services/NAME answers, also for one service.`,
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, names []string) error {
			r := a.running()
			return r.explain(a.status(cmd.Context(), r, names, asJSON))
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) status(ctx context.Context, r *running, names []string, asJSON bool) error {
	agent, err := r.Agent(ctx)
	if err != nil {
		return err
	}
	services, err := r.choose(ctx, names)
	if err != nil {
		return err
	}
	if asJSON {
		printRejected(page{w: a.stderr, width: a.page().width}, agent, time.Now())
		return printJSON(a.stdout, services)
	}
	p := a.page()
	printRejected(p, agent, time.Now())
	if len(names) == 0 {
		p.status(services, time.Now())
		return nil
	}
	for i, s := range services {
		kept, err := r.Releases(ctx, s.Name)
		if err != nil {
			return err
		}
		if i > 0 {
			fmt.Fprintln(p.w)
		}
		p.details(s, kept, time.Now())
	}
	return nil
}

// printRejected says that the agent goes by an older configuration than the files hold.
func printRejected(p page, agent api.Agent, now time.Time) {
	if agent.Rejected == nil {
		return
	}
	p.wrap(red, fmt.Sprintf("CONFIGURATION REJECTED %s ago, and the one before is in force:", since(agent.Rejected.At, now)))
	for line := range strings.Lines(agent.Rejected.Error) {
		p.hang("  ", "", line)
	}
	fmt.Fprintln(p.w)
}

// status writes a line for each service.
func (p page) status(services []dropship.Status, now time.Time) {
	if len(services) == 0 {
		fmt.Fprintln(p.w, "no service is configured")
		return
	}
	t := table{head: []string{"SERVICE", "INSTALLED", "SINCE", "REPOSITORY", "STATE"}}
	for _, s := range services {
		r := row{cells: []string{s.Name, "nothing", "-", "-", state(s)}}
		if s.Installed != nil {
			r.cells[1], r.cells[2] = shortHash(cmp.Or(s.Installed.Hash, "unknown")), since(s.Installed.At, now)
		}
		if s.Repository != nil {
			r.cells[3] = shortHash(cmp.Or(s.Repository.Hash, sameHash(s), "unknown"))
		}
		switch {
		case s.Paused != nil:
			r.note, r.color = pauseNote(*s.Paused, now), yellow
		case needsPerson(s):
			r.note, r.color = note(s.Reason), red
		}
		t.rows = append(t.rows, r)
	}
	p.table(t)
}

// sameHash returns the hash of what the repository holds where it does not know that itself, but the last check found
// that it is what is installed.
func sameHash(s dropship.Status) string {
	if s.Installed == nil || s.Reason.Code != dropship.ReasonUpToDate {
		return ""
	}
	return s.Installed.Hash
}

// state is how a service stands, in one word.
func state(s dropship.Status) string {
	if s.Paused != nil && s.Reason.Code != dropship.ReasonUpdating {
		return "PAUSED"
	}
	return string(s.Reason.Code)
}

// needsPerson reports whether a service may not come to its repository's hash by itself.
func needsPerson(s dropship.Status) bool {
	switch s.Reason.Code {
	case dropship.ReasonUpToDate, dropship.ReasonUpdating, dropship.ReasonWaiting, dropship.ReasonNotChecked, dropship.ReasonBusy:
		return false
	}
	return true
}

// wholeHash is a hash among other words.
var wholeHash = regexp.MustCompile(`\b[0-9a-f]{32}\b`)

// shorten leaves of each hash in a text what tells it from others, so that more of the text fits in a line.
func shorten(text string) string { return wholeHash.ReplaceAllStringFunc(text, shortHash) }

// atTime is when something was, as dropship.LocalTime writes it, among other words.
var atTime = regexp.MustCompile(` (at|since) \d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z0-9+-]+`)

// note is a reason below a line that has its code: what it comes to, rather than when it was.
func note(r dropship.Reason) string {
	return strings.TrimPrefix(atTime.ReplaceAllString(shorten(r.Text), ""), strings.ReplaceAll(string(r.Code), "-", " ")+": ")
}

// pauseNote says by whom, since when, how long and why.
func pauseNote(p dropship.Pause, now time.Time) string {
	text := fmt.Sprintf("by %s, %s ago", p.By, since(p.Since, now))
	if !p.Until.IsZero() {
		text += ", until " + p.Until.Local().Format("2006-01-02 15:04 MST")
	}
	return text + ": " + p.Reason
}

// details writes all that is known of a service.
func (p page) details(s dropship.Status, kept []dropship.Kept, now time.Time) {
	color := ""
	switch {
	case s.Paused != nil:
		color = yellow
	case needsPerson(s):
		color = red
	}
	p.hang(s.Name+": ", color, state(s))
	p.line("reason", "%s", s.Reason.Text)
	if s.Reason.Remedy != "" {
		p.line("to change it", "%s", s.Reason.Remedy)
	}
	if s.Paused != nil && s.Reason.Code != dropship.ReasonPaused {
		p.line("paused", "%s", *s.Paused)
	}
	if s.Activity != nil {
		p.line("doing", "%s", doing(*s.Activity, now))
	}
	p.line("artifact", "%s", s.Artifact)
	p.line("destination", "%s", s.Destination)
	p.line("installed", "%s", installedNow(s.Installed))
	if r := s.Repository; r != nil {
		p.line("repository", "%s (revision %s, %s), %s ago", cmp.Or(r.Hash, sameHash(s), "md5 not known before the download"), r.Revision, size(r.Size), since(s.SeenAt, now))
	}
	if s.Group != "" {
		p.line("group", "%s", s.Group)
	}
	if c := s.LastCheck; c != nil {
		p.line("last check", "%s ago: %s", since(c.At, now), came(*c))
	}
	if s.NextCheck.After(now) {
		p.line("next check", "in %s", age(s.NextCheck.Sub(now)))
	}
	for _, q := range s.Quarantined {
		p.line("quarantined", "%s", q)
	}
	if f := s.Failed; f != nil {
		p.line("failed", "%s at %s: %s", f.Hash, dropship.LocalTime(f.At), f.Error)
	}
	for _, name := range s.Unfinished {
		p.line("unfinished", "%s", name)
	}
	for _, k := range kept {
		p.line("kept", "%s", keptLine(k))
	}
}

// doing says what is under way.
func doing(a dropship.Activity, now time.Time) string {
	text := "check"
	if a.UpdateID != "" {
		text = fmt.Sprintf("%s %s to %s", a.Status, a.UpdateID, cmp.Or(a.Hash, "a hash not known yet"))
	}
	if a.By != "" {
		text += ", asked for by " + a.By
	}
	if a.Step != "" {
		text += fmt.Sprintf(": step %s, for %s", a.Step, since(a.StepSince, now))
	}
	switch {
	case a.Hook != nil:
		text += fmt.Sprintf(", %s hook %d: %s", a.Hook.Phase, a.Hook.Index+1, a.Hook.Name)
	case a.Step == dropship.StepStage && a.Done > 0 && a.Total > 0:
		text += fmt.Sprintf(", %d of %s", a.Done, size(a.Total))
	case a.Step == dropship.StepSlot && len(a.Ahead) > 0:
		text += ", " + behind(a.Group, a.Ahead)
		if !a.AheadAt.IsZero() { // an agent older than this command does not tell
			text += fmt.Sprintf(", as of %s ago", since(a.AheadAt, now))
		}
	}
	return text
}

// came says what came of a check.
func came(c dropship.Check) string {
	if c.Error == "" {
		return string(c.Outcome)
	}
	text := cmp.Or(string(c.Outcome), "failed") + ": " + c.Error
	if c.FailingSince.Before(c.At) {
		text += fmt.Sprintf(" (failing since %s)", dropship.LocalTime(c.FailingSince))
	}
	return text
}

func installedNow(in *dropship.Installed) string {
	switch {
	case in == nil:
		return "nothing"
	case in.At.IsZero():
		return cmp.Or(in.Hash, "hash not known")
	default:
		return fmt.Sprintf("%s (since %s, update %s)", cmp.Or(in.Hash, "hash not known"), dropship.LocalTime(in.At), in.UpdateID)
	}
}

func keptLine(k dropship.Kept) string {
	text := fmt.Sprintf("%s, staged %s", cmp.Or(k.Hash, k.ID), dropship.LocalTime(k.Staged))
	if k.Current {
		text += " (current)"
	}
	if k.Quarantined {
		text += " (quarantined)"
	}
	return text
}

// shortHash is enough of a hash to tell it from others, and to name it to rollback.
func shortHash(hash string) string { return hash[:min(len(hash), 8)] }

func size(bytes int64) string {
	if bytes < 0 {
		return "size not known"
	}
	return count(int(bytes), "byte")
}

// since is how long ago something was.
func since(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return age(now.Sub(t))
}

// age is a duration in the largest unit that it fills.
func age(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	case d >= time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	case d >= time.Minute:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	default:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	}
}
