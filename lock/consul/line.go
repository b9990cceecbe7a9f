package consul

import (
	"context"
	"slices"

	"github.com/dropship/dropship/lock"
)

var _ lock.Line = (*Locker)(nil)

// Line implements lock.Line. The read is consistent, and needs key read on the group's folder.
func (l *Locker) Line(ctx context.Context, group string) ([]lock.Holder, error) {
	if err := lock.ValidateNames(group); err != nil {
		return nil, err
	}
	s, err := newStore(l.dial, l.connection, l.prefix, group)
	if err != nil {
		return nil, err
	}
	defer s.close()
	q, err := s.line(ctx)
	if err != nil {
		return nil, err
	}
	line := q.ahead(len(q.contenders))
	// Who stands before a slot that is still closed comes before holders of the others.
	slices.SortStableFunc(line, func(a, b lock.Holder) int {
		switch {
		case a.Holding == b.Holding:
			return 0
		case a.Holding:
			return -1
		default:
			return 1
		}
	})
	return line, nil
}
