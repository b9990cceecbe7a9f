package dropship

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"sync"
	"time"
)

// A Machine is what the services of one server share. Safe for concurrent use.
type Machine struct {
	Hostname string
	Store    *Store
	Logger   *slog.Logger

	observers []Observer
	stopping  context.Context // of the agent, which goes on over reloads; nil: that of Update
	downloads downloads
	attempts  attempts
	said      sync.Map // by topic: what was said, or done, last, and need not be again
}

// NewMachine returns a machine, which keeps the history of its updates in the store.
func NewMachine(hostname string, store *Store, logger *slog.Logger) *Machine {
	return &Machine{Hostname: hostname, Store: store, Logger: logger, observers: []Observer{newRecorder(store, logger)}}
}

// A topic is what is said of a service, or done about it, once and not at each check. There is a handful for each service.
type topic struct{ service, name string }

// once reports whether what is to be said is another thing than what was said on that topic last.
func (m *Machine) once(service, name, what string) bool {
	last, said := m.said.Swap(topic{service, name}, what)
	return !said || last != what
}

// again has what was said last on a topic be said again.
func (m *Machine) again(service, name string) { m.said.Delete(topic{service, name}) }

// newUpdateID returns an identifier that sorts by time and can name a folder: 20260102T150405Z-9f3a61c2.
func newUpdateID(now time.Time) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand since Go 1.24)
	return now.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(b[:])
}
