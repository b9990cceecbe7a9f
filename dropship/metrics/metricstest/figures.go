package metricstest

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/dropship/dropship/dropship/metrics"
)

// poll is the pause between two looks at a figure.
const poll = 50 * time.Millisecond

// wantFigure waits until a figure is as it should be.
func (a *agent) wantFigure(metric *metrics.Metric, want string, ok func(Figure) bool, labels ...string) {
	a.t.Helper()
	a.await(func() (string, bool) {
		f, found := a.subject.Read(a.t, metric, labels...)
		return fmt.Sprintf("%s%q: got %+v (there: %t), want %s", metric.Name, labels, f, found, want), found && ok(f)
	})
}

func (a *agent) want(metric *metrics.Metric, want float64, labels ...string) {
	a.t.Helper()
	a.wantFigure(metric, fmt.Sprint(want), func(f Figure) bool { return f.Value == want }, labels...)
}

func (a *agent) wantCount(metric *metrics.Metric, want float64, labels ...string) {
	a.t.Helper()
	a.wantFigure(metric, fmt.Sprintf("a count of %v", want), func(f Figure) bool {
		return f.Count == want && (f.Value > 0) == (want > 0) && f.Value < deadline.Seconds()
	}, labels...)
}

// wantHash waits until the service web is said to have a hash, which is a label here and the value there.
func (a *agent) wantHash(hash string) {
	a.t.Helper()
	number, err := strconv.ParseUint(hash[:12], 16, 64)
	if err != nil {
		a.t.Fatal(err)
	}
	a.wantFigure(metrics.InstalledInfo, "1, or "+fmt.Sprint(number), func(f Figure) bool {
		return f.Value == 1 || f.Value == float64(number)
	}, "web", hash)
}

func (a *agent) wantGone(metric *metrics.Metric, labels ...string) {
	a.t.Helper()
	a.await(func() (string, bool) {
		f, found := a.subject.Read(a.t, metric, labels...)
		return fmt.Sprintf("%s%q: got %+v, want none", metric.Name, labels, f), !found
	})
}

func (a *agent) await(done func() (string, bool)) {
	a.t.Helper()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	late := time.After(deadline)
	for {
		got, ok := done()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			a.t.Fatalf("after %s: %s", deadline, got)
		}
	}
}

func md5sum(content string) string {
	sum := md5.Sum([]byte(content))
	return hex.EncodeToString(sum[:])
}
