package config

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// A lasting setting is one that an agent keeps until it ends.
type lasting struct {
	name  string    // "stateDir", `metrics "graphite"`
	value string    // another one is a change
	shown string    // the same for people
	at    hcl.Range // where it stands; zero: nowhere, it is the default
}

// Reload is Load for an agent that runs with c: a change of what it keeps until its end is a mistake, too.
func (c *Config) Reload(path string, kinds Kinds) (*Config, *Diagnostics) {
	return load(path, kinds, c)
}

// compare reports what differs from the configuration that an agent runs with, and cannot. While a file is broken there
// is no telling what is gone.
func (l *loader) compare(running *Config) {
	if running == nil || l.broken {
		return
	}
	for _, s := range l.lasting {
		old, had := find(running.lasting, s.name)
		switch {
		case !had:
			l.errorf(s.summary(), &s.at, "The agent was started without it. Restart the agent, or take it out.")
		case old.value == s.value:
		case s.name == socketName && running.Socket != old.value: // the agent was given another one when it was started
		case s.at == hcl.Range{}:
			l.gone(old)
		default:
			l.errorf(s.summary(), &s.at, "The agent was started with %s. Restart the agent, or change it back.", old.shown)
		}
	}
	for _, old := range running.lasting {
		if _, has := find(l.lasting, old.name); !has {
			l.gone(old)
		}
	}
}

func find(all []lasting, name string) (lasting, bool) {
	i := slices.IndexFunc(all, func(s lasting) bool { return s.name == name })
	if i < 0 {
		return lasting{}, false
	}
	return all[i], true
}

func (s lasting) summary() string { return s.name + " cannot change while the agent runs" }

// gone reports a setting at the place where it was.
func (l *loader) gone(old lasting) {
	old.at.Start.Byte, old.at.End.Byte = formerly, formerly
	l.errorf(old.summary(), &old.at, "The agent was started with what stood here. Restart the agent, or put it back.")
}

// formerly stands for the offset of a place in a file as it was: the line is another one now, and not shown.
const formerly = -1
