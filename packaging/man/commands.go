package man

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Commands makes the pages of a program and of each of its commands. What is true of all of them (exit codes, signals,
// files) is taken from the manual in the directory docs.
func Commands(root *cobra.Command, docs string) ([]Page, error) {
	text, err := os.ReadFile(filepath.Join(docs, "operations.md"))
	if err != nil {
		return nil, err
	}
	operations := parse(string(text))
	exit, err := exitStatus(operations)
	if err != nil {
		return nil, err
	}
	program := exit
	for _, s := range []string{"Signals", "Logs", "Files", "Permissions"} {
		section, err := operations.section(s)
		if err != nil {
			return nil, err
		}
		if s == "Permissions" {
			s = "Permissions and environment"
		}
		program += "# " + strings.ToUpper(s) + "\n\n" + markup(section.text()) + "\n"
	}
	var pages []Page
	var add func(*cobra.Command)
	add = func(cmd *cobra.Command) {
		about := exit
		if !cmd.HasParent() {
			about = program
		}
		pages = append(pages, command(cmd, about))
		for _, sub := range visible(cmd) {
			add(sub)
		}
	}
	add(root)
	return pages, nil
}

// exitStatus is the table of the exit codes in the section of the commands.
func exitStatus(operations document) (string, error) {
	commands, err := operations.section("Commands")
	if err != nil {
		return "", err
	}
	for _, b := range commands.blocks {
		if strings.HasPrefix(b, "| exit code |") {
			return "# EXIT STATUS\n\n" + markup(b) + "\n", nil
		}
	}
	return "", fmt.Errorf("cannot find the table of exit codes in the section Commands of operations.md")
}

// command makes the page of one command; about goes between its options and what else to read.
func command(cmd *cobra.Command, about string) Page {
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	var b strings.Builder
	fmt.Fprintf(&b, "# SYNOPSIS\n\n%s\n\n", synopsis(cmd))
	fmt.Fprintf(&b, "# DESCRIPTION\n\n%s\n\n", plain(help(cmd)))
	if subs := visible(cmd); len(subs) > 0 {
		b.WriteString("# COMMANDS\n\n")
		for _, sub := range subs {
			fmt.Fprintf(&b, "**%s**\n: %s.\n\n", plain(page(sub)), plain(sub.Short))
		}
	}
	b.WriteString("# OPTIONS\n\n")
	options(&b, cmd.NonInheritedFlags())
	options(&b, cmd.InheritedFlags())
	b.WriteString(about)
	if cmd.HasExample() {
		fmt.Fprintf(&b, "# EXAMPLES\n\n```\n%s\n```\n\n", cmd.Example)
	}
	also := []string{"**dropship.hcl**(5)"}
	for _, c := range append(related(cmd), visible(cmd)...) {
		also = append(also, "**"+plain(name(c))+"**(8)")
	}
	fmt.Fprintf(&b, "# SEE ALSO\n\n%s\n\n%s\n", strings.Join(also, ", "), manual)
	return newPage(name(cmd), 8, lowerFirst(cmd.Short), b.String())
}

// synopsis shows the line of a command, with its own words in bold.
func synopsis(cmd *cobra.Command) string {
	line := strings.TrimPrefix(cmd.UseLine(), cmd.CommandPath())
	if cmd.HasAvailableSubCommands() {
		line = " *COMMAND* [flags]"
	}
	return "**" + cmd.CommandPath() + "**" + line
}

// help is what the command says of itself. The program's own ends with its exit codes, which the page tells at length.
func help(cmd *cobra.Command) string {
	if cmd.Long == "" {
		return cmd.Short + "."
	}
	text, _, _ := strings.Cut(cmd.Long, "\n\nExit codes:")
	return text
}

func options(b *strings.Builder, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Deprecated != "" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		fmt.Fprintf(b, "**--%s**", f.Name)
		if f.Shorthand != "" {
			fmt.Fprintf(b, ", **-%s**", f.Shorthand)
		}
		if value != "" {
			fmt.Fprintf(b, " *%s*", value)
		}
		fmt.Fprintf(b, "\n: %s.", plain(usage))
		if f.DefValue != "" && f.DefValue != "false" {
			fmt.Fprintf(b, " Default: %s.", plain(f.DefValue))
		}
		b.WriteString("\n\n")
	})
}

// related are the parents of a command.
func related(cmd *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	cmd.VisitParents(func(p *cobra.Command) { all = append([]*cobra.Command{p}, all...) })
	return all
}

// visible are the commands that a help text lists, but for help itself.
func visible(cmd *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			all = append(all, c)
		}
	}
	return all
}

// name is the name of a command's page.
func name(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

func page(cmd *cobra.Command) string { return name(cmd) + "(8)" }

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
