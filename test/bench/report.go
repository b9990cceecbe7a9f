package main

import (
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/google/renameio/v2"
)

// render writes a figure's rows as a table in markdown that can be read as it is, too, and reports whether every goal
// is met.
func render(about string, rows []row) (text string, met bool) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", strings.TrimSpace(about))
	if len(rows) == 0 {
		return b.String(), true
	}
	fmt.Fprintln(&b)
	table := [][]string{{"what", "Dropship", "alternative", "takes", "ratio", "goal", "met"}}
	var notes []string
	met = true
	for _, r := range rows {
		cells := []string{r.what, r.ours, r.against, r.theirs, "", r.goal, ""}
		if r.ratio != 0 {
			cells[4] = fmt.Sprintf("**%.2f**", r.ratio)
		}
		if r.goal != "" {
			cells[6] = "yes"
			if !r.met {
				cells[6], met = "**no**", false
			}
		}
		if r.note != "" {
			notes = append(notes, r.note)
			cells[6] = strings.TrimSpace(fmt.Sprintf("%s [%d]", cells[6], len(notes)))
		}
		table = append(table, cells)
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
	for i, note := range notes {
		fmt.Fprintf(&b, "- [%d] %s\n", i+1, note)
	}
	return b.String(), met
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
