package dropship

import "time"

// LocalTime returns a time as part of a text for people: by the clock of this machine, with its zone, as systemctl
// writes it. What programs read is RFC 3339, and never taken from such a text.
func LocalTime(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }
