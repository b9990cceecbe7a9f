package dropship

// Alive reports whether every service has its loop: one that waits for its next check, or that works on an update,
// however long the hooks of that take. It does not return while the agent's own state is held by somebody who hangs.
func (a *Agent) Alive() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ctx == nil || a.ctx.Err() != nil {
		return true // nothing has to run
	}
	for _, l := range a.loops {
		select {
		case <-l.done:
			if a.ctx.Err() == nil {
				return false
			}
		default:
		}
	}
	return true
}
