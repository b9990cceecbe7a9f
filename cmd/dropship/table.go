package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
	"github.com/mitchellh/go-wordwrap"

	"github.com/dropship/dropship/dropship"
)

const (
	red, yellow, bold, plain = "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[0m"
	// leastCell is how narrow a cell may become that does not fit.
	leastCell = 6
	// nameWidth is that of the names in lines of a name and a value.
	nameWidth = 12
)

// A page is where text for people goes: lines no longer than it is wide, in which nothing acts on a terminal but its
// own colours.
type page struct {
	w     io.Writer
	color bool
	width int
}

// page returns that of the results.
func (a *app) page() page {
	color, width := terminal(a.stdout)
	return page{a.stdout, color, int(width)}
}

// paint gives text a colour, where there are any.
func (p page) paint(color, text string) string {
	if !p.color || color == "" {
		return text
	}
	return color + text + plain
}

// cut writes a line of its own, as far as there is room for it.
func (p page) cut(indent, color, text string) {
	text = runewidth.Truncate(strings.TrimSpace(dropship.Printable(text)), p.width-len(indent), "…")
	fmt.Fprintf(p.w, "%s%s\n", indent, p.paint(color, text))
}

// wrap writes all of a text, in as many lines as it takes.
func (p page) wrap(color, text string) { p.hang("", color, text) }

// line writes a name and what it is, in as many lines as it takes.
func (p page) line(name, format string, args ...any) {
	p.hang(fmt.Sprintf("  %-*s ", nameWidth, name), "", fmt.Sprintf(format, args...))
}

// hang writes a text behind a beginning, and its further lines below where it begins.
func (p page) hang(begin, color, text string) {
	room := max(p.width-len(begin), 2*leastCell)
	for line := range strings.Lines(wordwrap.WrapString(dropship.Printable(text), uint(room))) {
		fmt.Fprintf(p.w, "%s%s\n", begin, p.paint(color, strings.TrimRight(line, " \n")))
		begin = strings.Repeat(" ", len(begin))
	}
}

// sentence writes a text behind a beginning: as one line, however long, which what reads it need not put together; on a
// terminal as several, between words.
func (a *app) sentence(begin, text string) {
	if isTerminal(a.stdout) {
		a.page().hang(begin, "", text)
		return
	}
	fmt.Fprintf(a.stdout, "%s%s\n", begin, dropship.Printable(text))
}

// A table is rows below a head. Cells that do not fit in the width are cut, the widest first.
type table struct {
	head []string
	rows []row
}

// A row of a table, with a line of its own below it, if there is something to say.
type row struct {
	cells []string
	note  string
	color string // of the last cell, and the note
}

func (p page) table(t table) {
	widths := make([]int, len(t.head))
	for i, name := range t.head {
		widths[i] = runewidth.StringWidth(name)
	}
	for _, r := range t.rows {
		for i, cell := range r.cells {
			r.cells[i] = dropship.Printable(cell)
			widths[i] = max(widths[i], runewidth.StringWidth(r.cells[i]))
		}
	}
	p.fit(widths)
	p.row(widths, t.head, bold, bold)
	for _, r := range t.rows {
		p.row(widths, r.cells, "", r.color)
		if r.note != "" {
			p.cut("  ", r.color, r.note)
		}
	}
}

// fit makes columns narrower until all of them have room.
func (p page) fit(widths []int) {
	total := 2 * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; total > p.width; total-- {
		widest := 0
		for i := range widths {
			if widths[i] > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= leastCell {
			return
		}
		widths[widest]--
	}
}

func (p page) row(widths []int, cells []string, color, last string) {
	var b strings.Builder
	for i, cell := range cells {
		cell = runewidth.Truncate(cell, widths[i], "…")
		if i == len(cells)-1 {
			b.WriteString(p.paint(last, cell))
			break
		}
		b.WriteString(p.paint(color, runewidth.FillRight(cell, widths[i])) + "  ")
	}
	fmt.Fprintln(p.w, strings.TrimRight(b.String(), " "))
}
