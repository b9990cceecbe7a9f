package main

import (
	"context"
	"strings"

	"github.com/dropship/dropship/test/servers"
)

// figures are all that can be measured, in the order in which they are.
var figures = []figure{installing, memory, downtime, rollback, publishing, ranges, validate, idle, start, reload, handOver, profiles}

// A figure measures one thing, and returns its rows.
type figure struct {
	name, title string
	about       string // markdown: what is measured, against what, and how
	run         func(ctx context.Context, b *bench) ([]row, error)
}

// A row is what Dropship takes for something, beside one alternative. Rows that follow each other and differ in the
// alternative alone share a line.
type row struct {
	what      string  // "256 MiB tar.gz of 2,000 files"
	ours      string  // our median, with its unit
	goal      string  // for ours: "≤ 10 ms"; empty: none
	against   string  // the alternative; empty: none
	theirs    string  // its median
	ratio     float64 // the median of the rounds' ratios, ours to theirs
	ratioGoal string  // for the ratio, where there is no goal for ours: "≤ 0.9"; empty: none
	met       bool    // the goal
	note      string  // the limit that was hit, or what else there is to know
}

// A bench is what a figure is measured with.
type bench struct {
	set      servers.Set
	dropship string // path of the program
	dir      string // of this figure alone; removed at the end
	rounds   int
	quick    bool // small sizes: it shows only that all works
	logf     func(format string, args ...any)
	after    strings.Builder // markdown that follows the table

	bucket  string   // made by the first publish
	objects []string // in it
}
