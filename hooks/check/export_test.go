package check

import (
	"context"
	"time"
)

// Poll runs the loop of all checks with a try of the test's own, so that its timing can be tested on a
// clock of the test's own as well, which no real connection would follow.
func Poll(ctx context.Context, interval, tryTimeout, deadline time.Duration, successes int, try func(context.Context) error) error {
	return poll{interval, tryTimeout, deadline, successes}.run(ctx, try)
}
