package consul

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/dropship/secret"
)

const (
	// requestTimeout bounds one request that does not wait for a change. Consul itself holds a request
	// back for up to 7 s while it elects a leader.
	requestTimeout = 10 * time.Second
	// watchTime is how long Consul keeps a blocking query open. Shorter is more requests; longer is more
	// time on a connection that a firewall forgot without telling.
	watchTime = 30 * time.Second
	// watchTimeout leaves Consul the jitter that it adds (1/16), and the way back.
	watchTimeout = watchTime + watchTime/16 + 5*time.Second
)

// maxDelay is the longest lock delay that Consul keeps.
const maxDelay = time.Minute

var (
	// errNoSession means that Consul knows the session no more.
	errNoSession = errors.New("the session has ended in Consul")
	// errNoticed means that a slot was not taken because of a notice on the board.
	errNoticed = errors.New("the hash is on the board")
)

// A store is Consul as one contender uses it: a session, a key, and the folder of the group.
type store struct {
	client    *api.Client
	transport *http.Transport
	failures
	folder string // PREFIX/GROUP/
}

// A dialer makes the client of one contender.
type dialer func(Connection) (*api.Client, *http.Transport, error)

func newStore(dial dialer, c Connection, prefix, group string) (*store, error) {
	client, transport, err := dial(c)
	if err != nil {
		return nil, err
	}
	config, _ := c.config()
	credentials := []secret.String{secret.String(config.Token)}
	if config.HttpAuth != nil {
		credentials = append(credentials, secret.String(config.HttpAuth.Password))
	}
	return &store{
		client:    client,
		transport: transport,
		failures:  failures{where: config.Address, prefix: prefix, credentials: credentials},
		folder:    prefix + "/" + group + "/",
	}, nil
}

func (s *store) close() { s.transport.CloseIdleConnections() }

// createSession makes a session that hangs on no health check, since a flapping agent would lose the slot,
// and whose end deletes its keys. If it is ended for its holder, and not by it, the slot that it held stays closed
// for the lock delay: for as long as a holder that was not told may count on it.
func (s *store) createSession(ctx context.Context, name string, ttl time.Duration) (string, error) {
	ctx, cancel := bounded(ctx, requestTimeout)
	defer cancel()
	id, _, err := s.client.Session().CreateNoChecks(&api.SessionEntry{
		Name:      name,
		TTL:       ttl.String(),
		Behavior:  api.SessionBehaviorDelete,
		LockDelay: min(ttl, maxDelay),
	}, (&api.WriteOptions{}).WithContext(ctx))
	if err != nil {
		return "", s.sessionRefused(ttl, s.failed(ctx, "create a session", err))
	}
	return id, nil
}

// renewSession keeps the session for another TTL, or returns errNoSession.
func (s *store) renewSession(ctx context.Context, id string, timeout time.Duration) error {
	ctx, cancel := bounded(ctx, timeout)
	defer cancel()
	entry, _, err := s.client.Session().Renew(id, (&api.WriteOptions{}).WithContext(ctx))
	if err != nil {
		return s.failed(ctx, "renew session "+id, err)
	}
	if entry == nil {
		return errNoSession
	}
	return nil
}

// destroySession ends the session, and with it goes what it holds, in one request. A session that is gone already is
// no error.
func (s *store) destroySession(ctx context.Context, id string, timeout time.Duration) error {
	ctx, cancel := bounded(ctx, timeout)
	defer cancel()
	if _, err := s.client.Session().Destroy(id, (&api.WriteOptions{}).WithContext(ctx)); err != nil {
		return s.failed(ctx, "destroy session "+id, err)
	}
	return nil
}

// line reads the group's folder consistently.
func (s *store) line(ctx context.Context) (queue, error) {
	ctx, cancel := bounded(ctx, requestTimeout)
	defer cancel()
	pairs, meta, err := s.client.KV().List(s.folder, options(ctx, 0))
	switch {
	case err != nil:
		return queue{}, s.failed(ctx, "read "+s.folder, err)
	case meta.ResultsFilteredByACLs:
		return queue{}, s.partial("read " + s.folder)
	}
	q := newQueue(s.folder, pairs, meta.LastIndex)
	q.whole = true
	return q, nil
}

// names returns which keys there are in the group's folder, without what is deeper: at once if index is 0, else when that
// has changed since index or after watchTime. It is a small part of line, for who knows the rest.
func (s *store) names(ctx context.Context, index uint64) (keys []string, now uint64, err error) {
	ctx, cancel := bounded(ctx, limit(index))
	defer cancel()
	keys, meta, err := s.client.KV().Keys(s.folder, "/", options(ctx, index))
	switch {
	case err != nil:
		return nil, 0, s.failed(ctx, "read the names below "+s.folder, err)
	case meta.ResultsFilteredByACLs:
		return nil, 0, s.partial("read the names below " + s.folder)
	}
	return keys, meta.LastIndex, nil
}

// slots returns which session holds each slot, by its key, when that has changed since index, or after watchTime. Who
// comes into line does not change it.
func (s *store) slots(ctx context.Context, index uint64) (sessions map[string]string, now uint64, err error) {
	ctx, cancel := bounded(ctx, limit(index))
	defer cancel()
	prefix := s.folder + slotPrefix
	pairs, meta, err := s.client.KV().List(prefix, options(ctx, index))
	switch {
	case err != nil:
		return nil, 0, s.failed(ctx, "watch "+prefix, err)
	case meta.ResultsFilteredByACLs:
		return nil, 0, s.partial("watch " + prefix)
	}
	q := newQueue(s.folder, pairs, meta.LastIndex)
	return q.slots, q.index, nil
}

// key returns who holds key when it has changed since index, or after watchTime; without a session if the key is gone
// or held by nobody. The read is consistent, since "gone" is a loss where the key is one's own.
func (s *store) key(ctx context.Context, key string, index uint64) (contender, error) {
	ctx, cancel := bounded(ctx, limit(index))
	defer cancel()
	pair, meta, err := s.client.KV().Get(key, options(ctx, index))
	switch {
	case err != nil:
		return contender{}, s.failed(ctx, "watch "+key, err)
	case pair == nil:
		return contender{key: key, modified: meta.LastIndex}, nil
	}
	return newContender(pair), nil
}

// write puts value into key, held by session, and returns the whole line as of that very write: one
// transaction, so nothing can come between. (What the token may not see is left out of it silently, so the
// line is not marked as whole.)
func (s *store) write(ctx context.Context, session, key string, value []byte) (queue, error) {
	pairs, errs, err := s.transact(ctx, "write "+key, api.TxnOps{
		{KV: &api.KVTxnOp{Verb: api.KVLock, Key: key, Value: value, Session: session}}, // which answers without the value
		{KV: &api.KVTxnOp{Verb: api.KVGetTree, Key: s.folder}},
	})
	if err == nil && errs != nil {
		err = s.refused(key, errs)
	}
	return newQueue(s.folder, pairs, 0), err
}

// enter writes value into key and takes slot, both or neither, and returns the index of that write. The key must be there
// and held by the session already: one that somebody deleted is not made anew at the end of the line. The index is 0 if
// the slot was not free, that is held by another session or closed after the loss of one, or if the key left, unless it
// is empty, was still there. If notice is not empty, and there, nothing is taken, and the error is errNoticed.
func (s *store) enter(ctx context.Context, session, key string, value []byte, slot, notice, left string) (index uint64, err error) {
	const slotOp = 2
	ops := api.TxnOps{
		{KV: &api.KVTxnOp{Verb: api.KVCheckSession, Key: key, Session: session}},
		{KV: &api.KVTxnOp{Verb: api.KVLock, Key: key, Value: value, Session: session}},
		{KV: &api.KVTxnOp{Verb: api.KVLock, Key: slot, Session: session}},
	}
	for _, absent := range []string{left, notice} { // Consul refuses this to a token without rights, so nothing is overlooked for want of them
		if absent != "" {
			ops = append(ops, &api.TxnOp{KV: &api.KVTxnOp{Verb: api.KVCheckNotExists, Key: absent}})
		}
	}
	doing := "take " + slot
	results, errs, err := s.transact(ctx, doing, ops)
	if err != nil {
		return 0, err
	}
	noticed := false
	for _, e := range errs {
		if e.OpIndex < slotOp || e.OpIndex >= len(ops) || strings.Contains(e.What, permissionDenied) {
			return 0, s.refused(key, errs)
		}
		noticed = noticed || ops[e.OpIndex].KV.Key == notice
	}
	switch {
	case noticed:
		return 0, errNoticed
	case errs != nil:
		return 0, nil
	}
	i := slices.IndexFunc(results, func(p *api.KVPair) bool { return p.Key == key && p.Session == session && p.ModifyIndex > 0 })
	if i < 0 {
		return 0, refusal{fmt.Errorf("cannot %s at %s: the answer does not say that it was taken", doing, s.where)}
	}
	return results[i].ModifyIndex, nil
}

// giveBack lets the next one in, by one transaction: the keys go while the session still lives, and so no lock delay
// begins. It is refused if the session does not hold the slot.
func (s *store) giveBack(ctx context.Context, session, key, slot string, timeout time.Duration) error {
	ctx, cancel := bounded(ctx, timeout)
	defer cancel()
	_, errs, err := s.transact(ctx, "give back "+slot, api.TxnOps{
		{KV: &api.KVTxnOp{Verb: api.KVCheckSession, Key: slot, Session: session}},
		{KV: &api.KVTxnOp{Verb: api.KVDelete, Key: slot}},
		{KV: &api.KVTxnOp{Verb: api.KVDelete, Key: key}},
	})
	if err == nil && errs != nil {
		err = s.refused(slot, errs)
	}
	return err
}

// missing returns those of keys that the session does not hold, by one consistent read, whatever else is in the group.
func (s *store) missing(ctx context.Context, session string, keys ...string) ([]string, error) {
	ctx, cancel := bounded(ctx, requestTimeout)
	defer cancel()
	var ops api.TxnOps
	for _, key := range keys {
		ops = append(ops, &api.TxnOp{KV: &api.KVTxnOp{Verb: api.KVCheckSession, Key: key, Session: session}})
	}
	doing := "read " + strings.Join(keys, " and ")
	ok, answer, _, err := s.client.Txn().Txn(ops, options(ctx, 0))
	if err != nil {
		return nil, s.failed(ctx, doing, err)
	}
	if ok { // it answers with what it found, which is believed and not the status alone
		return slices.DeleteFunc(keys, func(key string) bool {
			return slices.ContainsFunc(answer.Results, func(r *api.TxnResult) bool {
				return r.KV != nil && r.KV.Key == key && r.KV.Session == session
			})
		}), nil
	}
	var missing []string
	for _, e := range answer.Errors {
		if strings.Contains(e.What, permissionDenied) {
			return nil, s.denied(fmt.Errorf("cannot %s at %s", doing, s.where))
		}
		missing = append(missing, keys[e.OpIndex])
	}
	return missing, nil
}

// transact runs all of ops or none of them. It returns the pairs that they answer with, each as the last of them left it,
// or why the transaction was rolled back.
func (s *store) transact(ctx context.Context, doing string, ops api.TxnOps) (api.KVPairs, api.TxnErrors, error) {
	ctx, cancel := bounded(ctx, requestTimeout)
	defer cancel()
	ok, answer, _, err := s.client.Txn().Txn(ops, (&api.QueryOptions{}).WithContext(ctx))
	if err != nil {
		return nil, nil, s.failed(ctx, doing, err)
	}
	if !ok {
		return nil, answer.Errors, nil
	}
	last := map[string]*api.KVPair{}
	for _, r := range answer.Results {
		if r.KV != nil {
			last[r.KV.Key] = r.KV
		}
	}
	return slices.Collect(maps.Values(last)), nil, nil
}

func options(ctx context.Context, index uint64) *api.QueryOptions {
	o := &api.QueryOptions{RequireConsistent: true}
	if index > 0 {
		o.WaitIndex, o.WaitTime = index, watchTime
	}
	return o.WithContext(ctx)
}

func limit(index uint64) time.Duration {
	if index > 0 {
		return watchTimeout
	}
	return requestTimeout
}

func bounded(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
}
