// Package lock gives services their turn to update: a semaphore shared by the machines of a group.
//
// A Locker hands out slots, a Lease is a slot that is held. One folder below this one holds each kind
// of locker. The suite in locktest tests what the comments here promise.
package lock

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	// ErrLost means that a slot, or a place in line, can no longer be counted on.
	ErrLost = errors.New("slot lost")
	// ErrBusy means that the lock service works and every slot is held by others. It comes only
	// together with the end of the caller's context, as a *BusyError.
	ErrBusy = errors.New("no slot free")
)

// A Holder is who holds a slot or stands in line for one, as others can read it in the store.
type Holder struct {
	Host     string    `json:"host"`
	PID      int       `json:"pid"`
	Service  string    `json:"service"`
	Hash     string    `json:"hash"` // md5 of what it wants to install
	UpdateID string    `json:"update_id"`
	Slots    int       `json:"slots"` // how many slots it believes the group has
	Since    time.Time `json:"since"` // when it came into line
	Holding  bool      `json:"holding"`
}

func (h Holder) String() string {
	return fmt.Sprintf("%s (pid %d, service %s)", h.Host, h.PID, h.Service)
}

// A Request asks for one slot.
type Request struct {
	Group  string // who shares slots: a letter or digit, then letters, digits, "-", "_", "."
	Slots  int    // how many of the group may hold at once, at least 1
	Holder Holder // who asks; the locker fills Slots, Since and Holding
	// Waiting, if set, is told who is ahead in line, holders first: once when the wait begins and at
	// each change that the locker notices. It is called from Acquire's own goroutine and must return soon.
	Waiting func(ahead []Holder)
}

// A Locker hands out slots. Safe for concurrent use, also for several requests of one process on one group.
type Locker interface {
	// String names the locker for logs and plans, without a credential.
	String() string
	// Acquire waits in line until a slot is held, turns being given in order of arrival where the store
	// can order them. It gives up when ctx ends: with a *BusyError that wraps ctx's cause if it was
	// waiting for others and the store answered to the end, else with the cause (and the failure). An
	// unreachable lock service is an error (never a slot), at once or, while in line, when the place can no
	// longer be counted on. Contenders that disagree on Slots get a *SlotsError: whoever came later gives way.
	// Nothing stays behind in the store after an error, as far as the store can be reached; the rest expires
	// there. Acquire does not retry; its caller backs off.
	Acquire(ctx context.Context, req Request) (Lease, error)
}

// A Lease is a slot that is held. It is kept alive in the background until Release.
type Lease interface {
	// Lost is closed when the slot can no longer be counted on: before anybody else can be given it, but for
	// one that is taken away in the store itself, where the holder may hear of it later than the next in
	// line. It is not closed by Release.
	Lost() <-chan struct{}
	// Err is nil until Lost is closed; then it is an ErrLost that says why. It asks nobody.
	Err() error
	// Check asks the store, now and consistently, whether the slot is still held: nil if so, ErrLost if
	// not (also after Release), another error if the store refuses to say. A store that fails for other
	// reasons is asked again, until it answers, the slot is lost, or ctx ends: then the error has ctx's
	// cause and the failure. So the caller bounds ctx. It is the fence right before the switch.
	Check(ctx context.Context) error
	// Release gives the slot back. It may be called again, and after a loss. An error means that the slot
	// comes free only when it expires in the store.
	Release(ctx context.Context) error
}

// A BusyError is the end of a wait in line.
type BusyError struct {
	Group string
	Ahead []Holder // who was ahead, holders first
	Cause error    // why the wait ended: the context's cause
}

func (e *BusyError) Error() string {
	if len(e.Ahead) == 0 {
		return fmt.Sprintf("no slot of %s came free: %v", e.Group, e.Cause)
	}
	names := make([]string, min(len(e.Ahead), aheadNamed))
	for i := range names {
		names[i] = e.Ahead[i].String()
	}
	more := ""
	if n := len(e.Ahead) - len(names); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("no slot of %s came free: waiting behind %s%s: %v", e.Group, strings.Join(names, ", "), more, e.Cause)
}

// aheadNamed is how many of those ahead the text of a BusyError names: a line is as long as the machines are many.
const aheadNamed = 3

// Is makes every BusyError an ErrBusy.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

func (e *BusyError) Unwrap() error { return e.Cause }

// A SlotsError means that two machines of one group are configured with different updateSlots.
type SlotsError struct {
	Group string
	Slots int    // ours
	Other Holder // who came first, with its own Slots
}

func (e *SlotsError) Error() string {
	return fmt.Sprintf("updateSlots of group %s is %d here and %d on %s: set the same number on every machine",
		e.Group, e.Slots, e.Other.Slots, e.Other)
}

// WithLease returns a context that ends when the lease is lost, with the lease's Err as its cause, and a
// function that frees its resources. Work that must not outlive the slot runs under it. If the lease is lost
// already, so has the context ended.
func WithLease(ctx context.Context, l Lease) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	select {
	case <-l.Lost():
		cancel(l.Err())
	default:
		go func() {
			select {
			case <-l.Lost():
				cancel(l.Err())
			case <-ctx.Done():
			}
		}()
	}
	return ctx, func() { cancel(context.Canceled) }
}
