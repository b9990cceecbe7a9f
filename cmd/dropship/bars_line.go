package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

const (
	widest    = 100 // columns of a line: longer ones are hard to follow
	nameMost  = 24  // columns for the names of services
	barLeast  = 10  // columns of a bar; with less there is none
	rateEvery = 3 * time.Second
)

// A line is what happens to one service.
type line struct {
	service *dropship.Service
	busy    bool // events have come since the last end
	begun   bool // there is something to install
	outcome dropship.Outcome
	failed  bool

	status         hooks.Status
	step           dropship.Step
	since          time.Time // of the step, or of the hook
	hook           *dropship.HookEvent
	ahead          []lock.Holder
	progress       dropship.Event
	sample, before sample // of the download, for its rate
}

// A sample is how far a download was.
type sample struct {
	at   time.Time
	done int64
}

func newLine(s *dropship.Service) *line { return &line{service: s} }

func (l *line) observe(e dropship.Event) {
	switch e.Type {
	case dropship.UpdateBegun:
		l.begun, l.status = true, e.Status
	case dropship.StepBegun:
		l.busy, l.outcome, l.failed = true, "", false
		l.step, l.since, l.hook, l.ahead = e.Step, e.Time, nil, nil
		l.progress, l.sample, l.before = dropship.Event{}, sample{}, sample{}
	case dropship.Progress:
		l.progress = e
		if l.sample.at.IsZero() {
			l.sample, l.before = sample{l.since, 0}, sample{l.since, 0}
		}
		if e.Time.Sub(l.sample.at) >= rateEvery {
			l.before, l.sample = l.sample, sample{e.Time, e.Done}
		}
	case dropship.Waiting:
		l.ahead = e.Ahead
	case dropship.HookBegun:
		l.status, l.hook, l.since = e.Status, e.Hook, e.Time
	case dropship.UpdateEnded, dropship.Checked:
		l.busy, l.outcome, l.failed = false, e.Outcome, e.Err != nil
	}
}

// draw returns the lines that there is room for, one at least: first those that something happens to.
func (b *bars) draw(width, height int, now time.Time) []string {
	width = min(width-1, widest) // a full line would make some terminals begin another
	name := 0
	var active, ended []*line
	for _, l := range b.lines {
		switch {
		case l.busy:
			active = append(active, l)
		case l.begun || l.failed:
			ended = append(ended, l)
		default:
			continue
		}
		name = max(name, runewidth.StringWidth(dropship.Printable(l.service.Name)))
	}
	shown := append(active, ended...)
	more := 0
	if room := max(height, 1); len(shown) > room {
		more = len(shown) - room + 1
		shown = shown[:room-1]
	}
	name = min(name, nameMost, width/4)
	var all []string
	for _, l := range shown {
		label := runewidth.FillRight(fit(l.service.Name, name), name)
		text, color := l.text(width-name-2, now)
		if width <= name+2 {
			all = append(all, fit(l.service.Name, width))
			continue
		}
		all = append(all, label+"  "+b.page.paint(color, fit(text, width-name-2)))
	}
	if more > 0 {
		all = append(all, fit(fmt.Sprintf("… and %s more", count(more, "service")), width))
	}
	if all == nil {
		all = []string{""}
	}
	return all
}

// text says what happens, in so many columns as far as it can be made to fit.
func (l *line) text(width int, now time.Time) (text, color string) {
	if !l.busy {
		if l.failed {
			return cmp.Or(string(l.outcome), "not updated"), red
		}
		return string(l.outcome), ""
	}
	took := ""
	if d := now.Sub(l.since); d >= time.Second {
		took = age(d)
	}
	switch {
	case l.step == dropship.StepStage:
		return l.staging(width, now), ""
	case l.step == dropship.StepSlot && len(l.ahead) > 0:
		return ends("waiting behind "+others(l.ahead), took, width), yellow
	case l.hook != nil:
		chain := l.service.Before
		if l.hook.Phase == hooks.After {
			chain = l.service.After
		}
		text := fmt.Sprintf("%s %d/%d  %s", l.hook.Phase, l.hook.Index+1, len(chain), l.hook.Name)
		if l.status != hooks.StatusUpdate {
			return ends(l.doing()+": "+text, took, width), red
		}
		return ends(text, took, width), ""
	case l.step == dropship.StepHold:
		left := max(0, l.service.UpdateTTL-now.Sub(l.since)).Round(time.Second)
		return fmt.Sprintf("updated; keeps the slot for %s", left), ""
	}
	return ends(stepText[l.step], took, width), ""
}

// stepText says what a step does that has no more to tell.
var stepText = map[dropship.Step]string{
	dropship.StepCheck: "checking", dropship.StepSlot: "waiting for a slot", dropship.StepBefore: "before", dropship.StepSwitch: "switching",
	dropship.StepAfter: "after", dropship.StepRollback: "rolling back", dropship.StepSettle: "settling",
}

// doing is what goes on when it is no plain update.
func (l *line) doing() string {
	if l.status == hooks.StatusRollback {
		return "rolling back"
	}
	return "failed"
}

// others names who is ahead.
func others(ahead []lock.Holder) string {
	text := ahead[0].Host
	if n := len(ahead) - 1; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// ends puts the end of a text at the end of its line.
func ends(text, end string, width int) string {
	room := max(width-runewidth.StringWidth(end)-1, 0)
	if end == "" {
		return text
	}
	return runewidth.FillRight(fit(text, room), room) + " " + end
}

// fit returns as much of a text as there is room for, with nothing in it that acts on a terminal.
func fit(text string, width int) string {
	if width < 1 {
		return ""
	}
	return runewidth.Truncate(dropship.Printable(text), width, "…")
}

// staging draws the bar of a download, which is unpacked at the same time.
func (l *line) staging(width int, now time.Time) string {
	e := l.progress
	switch {
	case e.Type == "":
		return "waiting for other downloads"
	case e.Total < 0:
		return ends(fmt.Sprintf("downloading %s", human(e.Done)), l.rate(now), width)
	case e.Done >= e.Total:
		return ends(fmt.Sprintf("downloaded %s, unpacking: %s", human(e.Total), human(e.Unpacked)), "", width)
	}
	figures := human(e.Done) + " of " + human(e.Total)
	if rate := l.rate(now); rate != "" {
		figures += "  " + rate
	}
	const label = "downloading"
	room := width - len(label) - len(figures) - 5
	if room < barLeast {
		return ends(label, figures, width)
	}
	full := int(float64(room) * float64(e.Done) / float64(e.Total))
	head := ""
	if full < room {
		head = ">"
	}
	bar := strings.Repeat("=", full) + head
	return fmt.Sprintf("%s  [%-*s] %s", label, room, bar, figures)
}

// rate is how fast bytes come, over the last seconds.
func (l *line) rate(now time.Time) string {
	d := now.Sub(l.before.at)
	if l.before.at.IsZero() || d < time.Second/2 {
		return ""
	}
	return human(int64(float64(l.progress.Done-l.before.done)/d.Seconds())) + "/s"
}
