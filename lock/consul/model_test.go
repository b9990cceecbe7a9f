package consul_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/lock"
)

// A model is what a Consul cluster shows to lockers: sessions, keys, lock delays, transactions and blocking queries,
// as the documentation has them and the real servers of the other tests bear out. It is as hasty as Consul may be: a
// session ends at the very instant its TTL is over.
type model struct {
	mu       sync.Mutex
	index    uint64
	sessions map[string]*modelSession
	keys     map[string]*api.KVPair
	closed   map[string]time.Time // until when a key cannot be locked
	down     bool                 // no leader
	changed  chan struct{}        // closed at each change
	ahead    int                  // of one that took a slot stood so many in line, at the most
}

type modelSession struct {
	ttl, delay time.Duration
	end        *time.Timer
}

func newModel() *model {
	return &model{
		sessions: map[string]*modelSession{}, keys: map[string]*api.KVPair{}, closed: map[string]time.Time{},
		changed: make(chan struct{}),
	}
}

func (m *model) change() {
	m.index++
	close(m.changed)
	m.changed = make(chan struct{})
}

// invalidate ends a session as its TTL, an operator, or the leaving of its agent does.
func (m *model) invalidate(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sessions[id]
	if s == nil {
		return
	}
	s.end.Stop()
	delete(m.sessions, id)
	for _, p := range m.keys {
		if p.Session == id {
			delete(m.keys, p.Key)
			m.closed[p.Key] = time.Now().Add(s.delay)
		}
	}
	m.change()
}

// holders returns the sessions that hold a slot.
func (m *model) holders() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var ids []string
	for _, p := range m.keys {
		if strings.Contains(p.Key, "/.slot-") {
			ids = append(ids, p.Session)
		}
	}
	slices.Sort(ids)
	return ids
}

// position returns how many came into line before the contender with that session, and are still there.
func (m *model) position(session string) (ahead int) {
	in := func(p *api.KVPair) bool { return p.Session != "" && strings.HasSuffix(p.Key, "/"+p.Session) }
	var created uint64
	for _, p := range m.keys {
		if p.Session == session && in(p) {
			created = p.CreateIndex
		}
	}
	for _, p := range m.keys {
		if in(p) && p.CreateIndex < created {
			ahead++
		}
	}
	return ahead
}

// notice puts the hash that h wants to install on the board of the group web, or takes it away.
func (m *model) notice(h lock.Holder, there bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := "slots/.quarantine/web/" + h.Service + "/" + h.Hash
	delete(m.keys, key)
	m.change()
	if there {
		m.keys[key] = &api.KVPair{Key: key, CreateIndex: m.index, ModifyIndex: m.index}
	}
}

// elect is a change of the leader: for so long there is none, and the new one gives every session its whole TTL again.
func (m *model) elect(took time.Duration) {
	m.setDown(true)
	time.Sleep(took)
	m.setDown(false)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.sessions {
		s.end.Reset(s.ttl)
	}
}

func (m *model) setDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
	close(m.changed)
	m.changed = make(chan struct{})
}

// serve answers one request, whose body was read.
func (m *model) serve(r *http.Request, body []byte) *http.Response {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	m.mu.Lock()
	down := m.down
	m.mu.Unlock()
	if id, found := strings.CutPrefix(path, "session/destroy/"); found && !down {
		m.invalidate(id)
		return answer(http.StatusOK, true, 0)
	}
	if key, found := strings.CutPrefix(path, "kv/"); found && !down {
		return m.read(r, key)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.down:
		return answer(http.StatusInternalServerError, "No cluster leader", 0)
	case path == "session/create":
		return m.create(body)
	case strings.HasPrefix(path, "session/renew/"):
		id := strings.TrimPrefix(path, "session/renew/")
		s := m.sessions[id]
		if s == nil {
			return answer(http.StatusNotFound, "no session", 0)
		}
		s.end.Reset(s.ttl)
		return answer(http.StatusOK, []api.SessionEntry{{ID: id}}, 0)
	case path == "txn":
		return m.transact(body)
	}
	panic("the model has no " + path)
}

func (m *model) create(body []byte) *http.Response {
	var entry struct{ TTL, LockDelay string }
	if err := json.Unmarshal(body, &entry); err != nil {
		panic(err)
	}
	m.index++
	id := fmt.Sprintf("session-%06d", m.index)
	s := &modelSession{}
	s.ttl, _ = time.ParseDuration(entry.TTL)
	s.delay, _ = time.ParseDuration(entry.LockDelay)
	s.end = time.AfterFunc(s.ttl, func() { m.invalidate(id) })
	m.sessions[id] = s
	return answer(http.StatusOK, map[string]string{"ID": id}, 0)
}

// read answers for a key or a folder, at once or when it has changed.
func (m *model) read(r *http.Request, key string) *http.Response {
	query := r.URL.Query()
	after, _ := strconv.ParseUint(query.Get("index"), 10, 64)
	wait, _ := time.ParseDuration(query.Get("wait"))
	over := time.NewTimer(wait)
	defer over.Stop()
	for expired := after == 0; ; {
		m.mu.Lock()
		pairs, index := m.below(key, query.Has("recurse") || query.Has("keys"))
		down, changed := m.down, m.changed
		m.mu.Unlock()
		switch {
		case down:
			return answer(http.StatusInternalServerError, "No cluster leader", 0)
		case (expired || index > after) && len(pairs) == 0:
			return answer(http.StatusNotFound, nil, index)
		case (expired || index > after) && query.Has("keys"):
			var names []string // nothing in the model is deeper
			for _, p := range pairs {
				names = append(names, p.Key)
			}
			return answer(http.StatusOK, names, index)
		case expired || index > after:
			return answer(http.StatusOK, pairs, index)
		}
		select {
		case <-changed:
		case <-over.C:
			expired = true
		case <-r.Context().Done():
			return nil
		}
	}
}

// below returns copies. What was deleted counts as a change now, as Consul may have it.
func (m *model) below(key string, folder bool) (pairs api.KVPairs, index uint64) {
	for _, name := range slices.Sorted(maps.Keys(m.keys)) {
		if name == key || folder && strings.HasPrefix(name, key) {
			p := *m.keys[name]
			pairs = append(pairs, &p)
			index = max(index, p.ModifyIndex)
		}
	}
	if folder || len(pairs) == 0 {
		index = max(m.index, 1)
	}
	return pairs, index
}

func (m *model) transact(body []byte) *http.Response {
	var ops []struct{ KV api.KVTxnOp }
	if err := json.Unmarshal(body, &ops); err != nil {
		panic(err)
	}
	var errs api.TxnErrors
	for i, op := range ops {
		p := m.keys[op.KV.Key]
		switch op.KV.Verb {
		case api.KVCheckSession:
			if p == nil || p.Session != op.KV.Session {
				errs = append(errs, &api.TxnError{OpIndex: i, What: "failed session check"})
			}
		case api.KVCheckNotExists:
			if p != nil {
				errs = append(errs, &api.TxnError{OpIndex: i, What: "the key exists"})
			}
		case api.KVLock:
			if m.sessions[op.KV.Session] == nil {
				errs = append(errs, &api.TxnError{OpIndex: i, What: "invalid session"})
			} else if p != nil && p.Session != "" && p.Session != op.KV.Session || time.Now().Before(m.closed[op.KV.Key]) {
				errs = append(errs, &api.TxnError{OpIndex: i, What: "lock is held, or delayed"})
			}
		}
	}
	if errs != nil {
		return answer(http.StatusConflict, map[string]any{"Errors": errs}, 0)
	}
	var results api.TxnResults
	m.change()
	for _, op := range ops {
		switch op.KV.Verb {
		case api.KVCheckSession:
			p := *m.keys[op.KV.Key]
			p.Value = nil
			results = append(results, &api.TxnResult{KV: &p})
		case api.KVLock:
			p := &api.KVPair{Key: op.KV.Key, CreateIndex: m.index}
			if old := m.keys[op.KV.Key]; old != nil {
				p.CreateIndex = old.CreateIndex
			}
			p.Value, p.Session, p.ModifyIndex = op.KV.Value, op.KV.Session, m.index
			m.keys[p.Key] = p
			if strings.Contains(p.Key, "/.slot-") {
				m.ahead = max(m.ahead, m.position(p.Session))
			}
			bare := *p
			bare.Value = nil
			results = append(results, &api.TxnResult{KV: &bare})
		case api.KVDelete:
			delete(m.keys, op.KV.Key)
		case api.KVGetTree:
			pairs, _ := m.below(op.KV.Key, true)
			for _, p := range pairs {
				results = append(results, &api.TxnResult{KV: p})
			}
		}
	}
	return answer(http.StatusOK, map[string]any{"Results": results}, 0)
}

func answer(code int, v any, index uint64) *http.Response {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	header := http.Header{"X-Consul-Index": {strconv.FormatUint(index, 10)}, "Content-Type": {"application/json"}}
	return &http.Response{StatusCode: code, Header: header, Body: io.NopCloser(bytes.NewReader(data)), ProtoMajor: 1, ProtoMinor: 1}
}
