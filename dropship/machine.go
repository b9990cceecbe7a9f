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
	said      sync.Map // what was logged once and is not to be logged again
}

// NewMachine returns a machine, which keeps the history of its updates in the store.
func NewMachine(hostname string, store *Store, logger *slog.Logger) *Machine {
	return &Machine{Hostname: hostname, Store: store, Logger: logger, observers: []Observer{newRecorder(store, logger)}}
}

// once reports whether this is the first time that key is asked for.
func (m *Machine) once(key string) bool {
	_, said := m.said.LoadOrStore(key, true)
	return !said
}

// newUpdateID returns an identifier that sorts by time and can name a folder: 20260102T150405Z-9f3a61c2.
func newUpdateID(now time.Time) string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand since Go 1.24)
	return now.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(b[:])
}
