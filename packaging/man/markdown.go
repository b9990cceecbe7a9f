package man

import (
	"fmt"
	"regexp"
	"strings"
)

// A document is a page of the manual, cut at its headings of the second level.
type document struct {
	blocks   []string // what stands ahead of the first section, without the title
	sections []section
}

// A section is a heading and the blocks below it, which blank lines part: paragraphs, lists, tables, examples.
type section struct {
	title  string
	blocks []string
}

func (s section) text() string { return strings.Join(s.blocks, "\n\n") }

// preface is what a document begins with, without the lists of links into itself.
func (d document) preface() string {
	var kept []string
	for _, b := range d.blocks {
		if !strings.Contains(b, "](#") {
			kept = append(kept, b)
		}
	}
	return strings.Join(kept, "\n\n")
}

func (d document) section(title string) (section, error) {
	for _, s := range d.sections {
		if s.title == title {
			return s, nil
		}
	}
	return section{}, fmt.Errorf("cannot find the section %q", title)
}

// parse cuts a document into sections and blocks.
func parse(text string) document {
	var d document
	for _, b := range blocks(text) {
		switch title, found := strings.CutPrefix(b, "## "); {
		case found:
			d.sections = append(d.sections, section{title: title})
		case strings.HasPrefix(b, "# "):
		case len(d.sections) == 0:
			d.blocks = append(d.blocks, b)
		default:
			last := &d.sections[len(d.sections)-1]
			last.blocks = append(last.blocks, b)
		}
	}
	return d
}

// blocks cuts a text at its blank lines, but not within an example.
func blocks(text string) []string {
	var all []string
	var block []string
	fenced := false
	for line := range strings.SplitSeq(text+"\n", "\n") {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if line != "" || fenced {
			block = append(block, line)
			continue
		}
		if len(block) > 0 {
			all = append(all, strings.Join(block, "\n"))
			block = nil
		}
	}
	return all
}

// markup turns the manual's Markdown into what a manual page can show: tables become lists of terms, since their long
// cells fit into no terminal, and links become their text.
func markup(text string) string {
	all := blocks(text)
	for i, b := range all {
		switch {
		case strings.HasPrefix(b, "```"):
		case strings.HasPrefix(b, "|"):
			all[i] = terms(unlink(b))
		default:
			all[i] = unlink(b)
		}
	}
	return strings.Join(all, "\n\n") + "\n"
}

// link is a link in Markdown: its text, and where it leads to.
var link = regexp.MustCompile(`\[([^\]]+)\]\(([^)]+)\)`)

// unlink puts a link's text in place of the link. One to another page of the manual names that page, too.
func unlink(text string) string {
	return link.ReplaceAllStringFunc(text, func(s string) string {
		m := link.FindStringSubmatch(s)
		label := m[1]
		file, _, _ := strings.Cut(m[2], "#")
		file = strings.TrimPrefix(file, "../")
		switch {
		case file == "hooks.md":
			return "HOOKS"
		case file == "" || file == "configuration.md" || strings.Contains(file, "://") || strings.HasPrefix(file, label):
			return label
		default:
			return label + " (" + file + ")"
		}
	})
}

// terms turns a table into a list of terms: the first cell of each row is the term, the others describe it, each named
// by its column.
func terms(table string) string {
	rows := strings.Split(table, "\n")
	head := cells(rows[0])
	var b strings.Builder
	term := ""
	for _, row := range rows[2:] {
		c := cells(row)
		rest := 1
		if c[0] != "" {
			term = c[0]
		}
		b.WriteString(term)
		if head[1] == "attribute" { // what it belongs to stands in the first column
			b.WriteString(", " + c[1])
			rest = 2
		}
		var about []string
		for i := rest; i < len(c); i++ {
			if s := describe(head[i], c[i], len(head) == 2); s != "" {
				about = append(about, s)
			}
		}
		fmt.Fprintf(&b, "\n: %s\n\n", strings.Join(about, " "))
	}
	return strings.TrimRight(b.String(), "\n")
}

// describe is one cell as a sentence. The only one of its row needs no name.
func describe(column, cell string, only bool) string {
	if cell == "" {
		return ""
	}
	if !only && column != "" && column != "meaning" && !strings.HasPrefix(cell, "required") {
		cell = upperFirst(column) + ": " + cell
	}
	cell = upperFirst(cell)
	if !strings.ContainsAny(cell[len(cell)-1:], ".!?:") {
		cell += "."
	}
	return cell
}

// cells are the cells of a row of a table.
func cells(row string) []string {
	all := strings.Split(strings.Trim(row, "|"), " |")
	for i, c := range all {
		all[i] = strings.TrimSpace(c)
	}
	return all
}

// upperFirst begins a sentence with a capital letter, unless its first word is a name such as md5.
func upperFirst(s string) string {
	if word, _, _ := strings.Cut(s, " "); strings.ContainsAny(word, "0123456789") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// special are the characters of a plain text that Markdown would take for its own.
var special = strings.NewReplacer(`*`, `\*`, `_`, `\_`, "`", "\\`", `[`, `\[`, `<`, `\<`)

// plain is a text that is not Markdown, written in it.
func plain(text string) string { return special.Replace(text) }
