// Command bench measures how fast and how light Dropship is, beside what people would use in its place.
//
// It prints a table for each figure. All that is compared is measured in one run: the contenders take turns, round by
// round, after a round that does not count, and what is printed is the median of their times and the median of the
// ratios of each round, since a machine that is slow for a moment is slow for all of them. The servers are the real
// ones of test/servers, on loopback.
//
// With -write the tables also replace those in a document, between the lines
//
//	<!-- bench NAME -->
//	<!-- /bench NAME -->
//
// A goal that is missed is marked as such, with the limit that was hit, and the exit status is 1.
package main
