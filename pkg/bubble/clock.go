package bubble

import (
	"math"
	"runtime/metrics"
	"slices"
	"time"
)

// longestStep bounds how far the watcher may lag behind the bubble's clock.
const longestStep = 100 * time.Hour

// endOfTime is the largest limit. The clock of a bubble runs over after 262 years.
// Tickers then spin inside the runtime, and nothing ends the test binary, not even
// -test.timeout.
const endOfTime = 100 * year

// mark notes how far the bubble's clock has come, about once a look of the
// watcher: in virtual time the next mark is twice as far away while the clock
// runs ahead, and half as far when looks come faster. A bubble of an hour has six
// marks. None comes after the limit, where pastLimit asks whether others have timers.
func (r *run) mark(step time.Duration) {
	passed := time.Since(r.begun)
	r.clock.Store(int64(passed))
	if r.halt.Load() {
		r.stop(ending{})
	}
	switch looks := r.looks.Swap(0); {
	case passed == 0:
	case looks == 0:
		step = min(2*step, longestStep)
	case looks > 2:
		step = max(step/2, time.Millisecond)
	}
	if passed+step < r.limit {
		time.AfterFunc(step+1, func() { r.mark(step) }) // hardly ever together with a timer of the test
	}
}

// An ending is what a bubble's clock was stopped at.
type ending struct {
	dump     string // "" before the limit
	deadlock bool   // nothing had a timer
}

// stop stops the bubble's clock for good.
func (r *run) stop(e ending) {
	r.late <- e
	<-r.never // not a durable wait, so the clock stops
}

// pastLimit runs in the bubble when the limit has passed, and stops the clock. Whatever
// is left of the bubble waits now, for a timer or forever. So unless somebody is seen
// to sleep, time goes on until there is no doubt: it passes in no time if nobody has a
// timer.
func (left *remains) pastLimit() {
	r := left.r
	dump := lastDump()
	r.overtime.Store(&dump)
	before := newScene(parseStacks(dump), int(r.id.Load()))
	if len(before.sleepers()) > 0 || r.timersLive() {
		r.stop(ending{dump: dump})
	}
	now := lastDump()
	after := newScene(parseStacks(now), int(r.id.Load()))
	if before.places() != after.places() { // a timer has woken somebody
		r.stop(ending{dump: dump})
	}
	r.stop(ending{dump: now, deadlock: true})
}

// timersLive lets more than half of the time pass that the clock can still show, in
// ever longer steps, or less if the watcher asks to stop. It reports whether more
// happens in long steps than in short ones, by what the runtime counts: it measures how
// long a goroutine that was woken waited for a processor, one time in eight for each
// goroutine. A ticker wakes two, its own and that of synctest. What goes on outside the
// bubble is counted too, in long steps as in short ones, so each of the last long steps
// must have more than any of the short ones between them.
//
// One step to the end would leave no way to stop a fast ticker. What ticks once in two
// years or less is not noticed.
func (r *run) timersLive() bool {
	const compared = 4
	longest := time.Duration(math.MaxInt64-time.Now().UnixNano()) / 8
	var long, short []uint64 // goroutines that were woken, by step
	take := func(step time.Duration) {
		if r.halt.Load() {
			return
		}
		long = append(long, wokenIn(step))
		short = append(short, wokenIn(1))
	}
	for step := time.Duration(1); step < longest; step *= 2 {
		take(step)
	}
	for range compared {
		take(longest)
	}
	if n := len(long) - compared; n >= 0 {
		return slices.Min(long[n:]) > slices.Max(short[n:])
	}
	return false
}

// wokenIn sleeps, and returns how many goroutines were woken meanwhile, of those that
// the runtime counts.
func wokenIn(step time.Duration) uint64 {
	before := wakeUps()
	time.Sleep(step)
	return wakeUps() - before
}

// wakeUps counts the goroutines that were woken since the process started.
func wakeUps() (n uint64) {
	sample := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return 0
	}
	for _, count := range sample[0].Value.Float64Histogram().Counts {
		n += count
	}
	return n
}
