package dropship

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/hooks"
)

// historyLimit is how many updates of a service are remembered; the oldest goes first.
const historyLimit = 50

// hooksLimit is how many hooks of one update are remembered, each with the end of its output.
const hooksLimit = 100

// A Record is one past update of a service: the file history/SERVICE/ID.json in the state directory. Updates that
// were abandoned with nothing changed have none, nor do checks.
type Record struct {
	Service      string       `json:"service"`
	UpdateID     string       `json:"update_id"`
	Status       hooks.Status `json:"status"` // that it began with: "update" or "rollback"
	Outcome      Outcome      `json:"outcome"`
	Hash         string       `json:"hash"`          // wanted; md5 in hex
	PreviousHash string       `json:"previous_hash"` // at the destination before
	Installed    string       `json:"installed"`     // the hash at the destination afterwards
	By           string       `json:"by,omitempty"`  // the person who asked for it; empty: nobody, there was something new
	Reason       string       `json:"reason,omitempty"`
	Recovered    bool         `json:"recovered,omitempty"` // another process began it, and was killed
	Times        int          `json:"times,omitempty"`     // so often in a row the same hash was given up, this being the last time
	Started      time.Time    `json:"started"`
	Took         Seconds      `json:"took"`
	Step         Step         `json:"step,omitempty"` // that failed
	Error        string       `json:"error,omitempty"`
	Steps        []StepRecord `json:"steps"`
	Hooks        []HookRecord `json:"hooks"`
}

// A StepRecord is how one step went.
type StepRecord struct {
	Step    Step      `json:"step"`
	Started time.Time `json:"started"`
	Took    Seconds   `json:"took"`
	Error   string    `json:"error,omitempty"`
}

// A HookRecord is how one hook went.
type HookRecord struct {
	HookEvent
	Status  hooks.Status `json:"status"`
	Started time.Time    `json:"started"`
	Took    Seconds      `json:"took"`
	Error   string       `json:"error,omitempty"`
}

// A recorder writes the history of updates. What it cannot write is logged: no update fails for it.
type recorder struct {
	store  *Store
	logger *slog.Logger

	mu     sync.Mutex
	checks map[string][]StepRecord // the steps of a check, which may become an update
	open   map[string]*Record      // by service
}

func newRecorder(store *Store, logger *slog.Logger) *recorder {
	return &recorder{store: store, logger: logger, checks: make(map[string][]StepRecord), open: make(map[string]*Record)}
}

// Observe implements Observer.
func (r *recorder) Observe(e Event) {
	if ended := r.take(e); ended != nil {
		if err := r.store.record(ended); err != nil {
			r.logger.WarnContext(context.Background(), "cannot keep what is known of an update", "service", e.Service, "update_id", e.UpdateID, "error", err)
		}
	}
}

// take notes an event, and returns the record that is complete with it.
func (r *recorder) take(e Event) (ended *Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.open[e.Service]
	switch e.Type {
	case UpdateBegun:
		r.open[e.Service] = &Record{
			Service: e.Service, UpdateID: e.UpdateID, Status: e.Status, Hash: e.Hash, PreviousHash: e.PreviousHash,
			By: e.By, Reason: e.Reason, Recovered: e.Recovered, Started: e.Time.UTC(), Steps: append([]StepRecord{}, r.checks[e.Service]...), Hooks: []HookRecord{},
		}
		delete(r.checks, e.Service)
	case StepEnded:
		step := StepRecord{Step: e.Step, Started: e.started(), Took: e.Took, Error: e.Error}
		if rec == nil {
			r.checks[e.Service] = append(r.checks[e.Service], step)
		} else if len(rec.Steps) < hooksLimit {
			rec.Steps = append(rec.Steps, step)
		}
	case HookEnded:
		if rec != nil && len(rec.Hooks) < hooksLimit {
			rec.Hooks = append(rec.Hooks, HookRecord{HookEvent: *e.Hook, Status: e.Status, Started: e.started(), Took: e.Took, Error: e.Error})
		}
	case Checked:
		delete(r.checks, e.Service)
	case UpdateEnded:
		delete(r.open, e.Service)
		if rec == nil || e.Outcome == Abandoned || e.Outcome == Held || e.Outcome == UpToDate || e.Outcome == Quarantine {
			return nil
		}
		rec.Outcome, rec.Installed, rec.Took, rec.Step, rec.Error = e.Outcome, e.Hash, e.Took, e.Step, e.Error
		if rec.Hash == "" && rec.Outcome == Updated {
			rec.Hash = e.Hash // not known before the download
		}
		return rec
	}
	return nil
}

// started returns when what ended began.
func (e Event) started() time.Time { return e.Time.Add(-time.Duration(e.Took)).UTC() }

func (s *Store) historyDir(service string) string { return filepath.Join(s.dir, "history", service) }

// record keeps a record, and removes the oldest ones.
func (s *Store) record(r *Record) error {
	dir := s.historyDir(r.Service)
	again := s.again(r)
	if again != nil {
		r.Times = max(again.Times, 1) + 1
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := writeDurably(filepath.Join(dir, r.UpdateID+".json"), append(data, '\n')); err != nil {
		return err
	}
	if again != nil {
		err = os.Remove(filepath.Join(dir, again.UpdateID+".json"))
	}
	halves, _ := filepath.Glob(filepath.Join(dir, "*"+newSuffix)) // of processes that were killed
	for _, half := range halves {
		err = errors.Join(err, os.Remove(half))
	}
	ids, lerr := s.updates(r.Service)
	err = errors.Join(err, lerr)
	for len(ids) > historyLimit && err == nil {
		err = os.Remove(filepath.Join(dir, ids[len(ids)-1]+".json"))
		ids = ids[:len(ids)-1]
	}
	return err
}

// again returns the last record if r is no more than its repetition: what cannot be installed is tried again and again,
// and would take the place of all that was.
func (s *Store) again(r *Record) *Record {
	if r.Outcome != GivenUp || r.By != "" {
		return nil
	}
	last, err := s.History(r.Service, 1)
	if err != nil || len(last) == 0 || last[0].Outcome != GivenUp || last[0].By != "" || last[0].Hash != r.Hash || last[0].Step != r.Step {
		return nil
	}
	return &last[0]
}

// updates returns the IDs of the updates of a service that are remembered, newest first.
func (s *Store) updates(service string) ([]string, error) {
	entries, err := os.ReadDir(s.historyDir(service))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), ".json"); ok && install.ValidID(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids) // they begin with the time
	slices.Reverse(ids)
	return ids, nil
}

// History returns what is remembered of the last updates of a service, newest first: limit of them, or, with 0, all. A
// file that cannot be read is left out, and named by the error.
func (s *Store) History(service string, limit int) ([]Record, error) {
	ids, err := s.updates(service)
	if err != nil {
		return nil, fmt.Errorf("cannot list the history of service %s: %w", service, err)
	}
	records := []Record{}
	var errs []error
	for _, id := range ids {
		var r Record
		data, err := os.ReadFile(filepath.Join(s.historyDir(service), id+".json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err == nil {
			err = json.Unmarshal(data, &r)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("cannot read the history of service %s: update %s: %w", service, id, err))
			continue
		}
		records = append(records, r)
	}
	// Within a second the IDs are in no order.
	slices.SortStableFunc(records, func(a, b Record) int { return b.Started.Compare(a.Started) })
	if limit > 0 && len(records) > limit {
		records = records[:limit]
	}
	return records, errors.Join(errs...)
}
