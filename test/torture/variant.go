package main

import "fmt"

// A Variant is one of the ways in which a machine can be set up.
type Variant struct {
	Repo      string // "file", "http", "s3", "swift"
	PlainFile bool   // the artifact is a plain file, not a tar.gz of a directory
	Renames   bool   // the file system cannot exchange two names: every such call fails with EINVAL
	Persist   bool   // the directory has persistent paths
	Slot      bool   // updates take a slot in Consul, and hold it for a moment
	Agent     bool   // the agent does it, not apply
}

func (v Variant) String() string {
	artifact, method, more := "directory", "exchange", ""
	if v.PlainFile {
		artifact = "plain file"
	}
	if v.Renames {
		method = "two renames"
	}
	if v.Persist {
		more += ", persist"
	}
	if v.Slot {
		more += ", slot"
	}
	command := "apply"
	if v.Agent {
		command = "agent"
	}
	return fmt.Sprintf("%s, %s, %s, %s%s", command, v.Repo, artifact, method, more)
}

// layouts are the ways to install that make different system calls.
var layouts = []Variant{
	{},
	{Renames: true},
	{PlainFile: true},
	{Persist: true},
	{PlainFile: true, Renames: true},
	{Persist: true, Renames: true},
}

// Variant returns the variant that this round's number stands for. Steps that only a slot has, have one.
func (r *Round) Variant() Variant {
	v := layouts[r.Number%len(layouts)]
	v.Repo = []string{"file", "http", "s3", "swift"}[(r.Number+r.Number/len(layouts))%4]
	v.Slot = r.Step == "slot" || r.Step == "hold" || r.Rand.IntN(4) == 0
	v.Agent = r.Step == "reload" || r.Rand.IntN(3) == 0
	return v
}
