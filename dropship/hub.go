package dropship

import "sync"

// backlog is how many events a subscriber may be behind.
const backlog = 1024

// A Hub hands events on to whoever listens at the moment. The zero value is ready. Safe for concurrent use.
type Hub struct {
	mu   sync.Mutex
	subs map[chan Event]struct{}
}

// Subscribe returns the events from now on, and a function that ends that. Work never waits for a subscriber: the channel
// of one that is 1,024 events behind is closed, and it may subscribe again.
func (h *Hub) Subscribe() (events <-chan Event, cancel func()) {
	c := make(chan Event, backlog)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs == nil {
		h.subs = make(map[chan Event]struct{})
	}
	h.subs[c] = struct{}{}
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.drop(c)
	}
}

// drop ends a subscription, once.
func (h *Hub) drop(c chan Event) {
	if _, ok := h.subs[c]; ok {
		delete(h.subs, c)
		close(c)
	}
}

// Observe implements Observer.
func (h *Hub) Observe(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.subs {
		select {
		case c <- e:
		default:
			h.drop(c)
		}
	}
}
