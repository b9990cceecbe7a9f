package main

import (
	"embed"
	"fmt"
	"regexp"
	"strings"

	"github.com/dropship/dropship/packaging"
)

// serviceFiles is what the service managers are told, with @dropship@ and @config@ for the paths.
//
//go:embed service
var serviceFiles embed.FS

// content returns what the manager's file holds for a program and a configuration with these absolute paths.
func (m *manager) content(program, config string) (string, error) {
	for _, path := range []string{program, config} {
		if i := strings.IndexFunc(path, notPlain); i >= 0 {
			return "", fmt.Errorf("the path %q has %q in it, which means something else in the files of %s: use letters, digits and . / _ + - only",
				path, []rune(path[i:])[0], m.name)
		}
	}
	if m.source == "" {
		return unit(program, config), nil
	}
	content, err := serviceFiles.ReadFile("service/" + m.source)
	if err != nil {
		return "", err
	}
	return strings.NewReplacer("@dropship@", program, "@config@", config).Replace(string(content)), nil
}

// notPlain reports whether a character of a path may mean something else in some file of a manager, or in the
// command lines that it makes of that. No quoting is right for all of them.
func notPlain(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	default:
		return !strings.ContainsRune("./_+-", r)
	}
}

var packagedCommand = regexp.MustCompile(`/usr/bin/dropship (\w+)`)

// unit is the package's systemd unit with other paths.
func unit(program, config string) string {
	lines := strings.Split(packaging.Unit, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "Exec") {
			lines[i] = packagedCommand.ReplaceAllString(line, program+" ${1} --config "+config)
		}
	}
	return strings.Join(lines, "\n")
}
