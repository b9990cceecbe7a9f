package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/renameio/v2"
	"github.com/mitchellh/go-wordwrap"
)

// columns is how wide a table and its notes are at most, so that they can be read in a terminal, too.
const columns = 120

// render writes a figure's rows as a table in markdown that can be read as it is, too, and reports whether every goal
// is met. Below what Dropship takes stands each alternative to it.
func render(about string, rows []row) (text string, met bool) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", strings.TrimSpace(about))
	if len(rows) == 0 {
		return b.String(), true
	}
	fmt.Fprintln(&b)
	table := [][]string{{"Dropship, vs the alternative", "measured", "ratio", "goal", "met"}}
	var notes []string
	met = true
	for i, r := range rows {
		met = met && (r.met || r.goal == "" && r.ratioGoal == "")
		var lines [][]string
		if i == 0 || r.against == "" || r.what != rows[i-1].what || r.ours != rows[i-1].ours {
			lines = append(lines, []string{r.what, r.ours, "", r.goal, verdict(r.goal, r.met)})
		}
		if r.against != "" {
			lines = append(lines, []string{"vs " + r.against, r.theirs, fmt.Sprintf("**%.2f**", r.ratio), r.ratioGoal, verdict(r.ratioGoal, r.met)})
		}
		if r.note != "" {
			number := slices.Index(notes, r.note) + 1
			if number == 0 {
				notes = append(notes, r.note)
				number = len(notes)
			}
			noted := lines[0]
			if r.ratioGoal != "" {
				noted = lines[len(lines)-1]
			}
			noted[4] = strings.TrimSpace(fmt.Sprintf("%s [%d]", noted[4], number))
		}
		table = append(table, lines...)
	}
	width := make([]int, len(table[0]))
	for _, cells := range table {
		for i, c := range cells {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	for i, cells := range table {
		line(&b, cells, width, " ")
		if i == 0 {
			line(&b, make([]string, len(width)), width, "-")
		}
	}
	if len(notes) > 0 {
		fmt.Fprintln(&b)
	}
	const item = "- "
	for i, note := range notes {
		note = wordwrap.WrapString(fmt.Sprintf("[%d] %s", i+1, note), columns-uint(len(item)))
		fmt.Fprintf(&b, "%s%s\n", item, strings.ReplaceAll(note, "\n", "\n  "))
	}
	return b.String(), met
}

// verdict says whether a goal is met, if there is one.
func verdict(goal string, met bool) string {
	switch {
	case goal == "":
		return ""
	case met:
		return "yes"
	}
	return "**no**"
}

func line(b *strings.Builder, cells []string, width []int, fill string) {
	for i, c := range cells {
		fmt.Fprintf(b, "|%s%s%s", fill, c, strings.Repeat(fill, width[i]-utf8.RuneCountInString(c)+1))
	}
	b.WriteString("|\n")
}

// splice replaces what stands between the two markers of name in a document.
func splice(path, name, text string) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("cannot write what was measured: %w", err)
	}
	before, after, err := place(path, string(document), name)
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(path, []byte(before+text+after), 0o644); err != nil {
		return fmt.Errorf("cannot write what was measured: %w", err)
	}
	return nil
}

// findPlaces returns an error if the document has no place for one of the figures.
func findPlaces(path string, figures []figure) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("cannot write what will be measured: %w", err)
	}
	_, _, err = place(path, string(document), "machine")
	for _, f := range figures {
		if err == nil {
			_, _, err = place(path, string(document), f.name)
		}
	}
	return err
}

// place returns what stands before the place of name in a document, and after it, both with the markers.
func place(path, document, name string) (before, after string, err error) {
	begin, end := fmt.Sprintf("<!-- bench %s -->\n", name), fmt.Sprintf("<!-- /bench %s -->\n", name)
	before, rest, found := strings.Cut(document, begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return "", "", fmt.Errorf("cannot write what is measured: %s has no lines %q and %q", path, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return before + begin, end + after, nil
}
