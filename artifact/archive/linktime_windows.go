package archive

import "time"

// setLinkTime leaves a symlink the time at which it was made: nothing on Windows reads another one.
func (t *tree) setLinkTime(string, time.Time) error { return nil }
