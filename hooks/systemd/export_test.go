package systemd

// At has a hook look for systemd elsewhere: at a socket of the test's own, on a machine that systemd runs if the
// directory booted is there.
func At(h *Hook, socket, booted string) *Hook {
	return &Hook{action: h.action, unit: h.unit, at: place{socket: socket, booted: booted}}
}
