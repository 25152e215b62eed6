package bubble

import "time"

// longestStep bounds how far the watcher may lag behind the bubble's clock.
const longestStep = 100 * time.Hour

// mark notes how far the bubble's clock has come, about once a look of the
// watcher: in virtual time the next mark is twice as far away while the clock
// runs ahead, and half as far when looks come faster. A bubble of an hour has six
// marks. None comes after the limit, when a bubble without other timers must be
// seen to be without timers.
func (r *run) mark(step time.Duration) {
	passed := time.Since(r.begun)
	r.clock.Store(int64(passed))
	r.stopIfAsked("")
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

// stopIfAsked stops the bubble's clock for good if the watcher wants it.
func (r *run) stopIfAsked(dump string) {
	if r.halt.Load() {
		r.late <- dump
		<-r.never // not a durable wait, so the clock stops
	}
}

// pastLimit runs in the bubble when the limit has passed. Whatever is left of
// the bubble waits now, but perhaps forever: the timer behind pastLimit hid from
// synctest that no other was left. So unless somebody is seen to sleep, time
// goes on in ever longer steps. With no other timer they take no real time,
// pastLimit returns, and synctest sees the deadlock. Otherwise the watcher soon
// asks to stop the clock.
func (left *remains) pastLimit() {
	r := left.r
	dump := lastDump()
	r.overtime.Store(&dump)
	s := newScene(parseStacks(dump), int(r.id.Load()))
	asleep := len(s.sleepers()) > 0
	for step := time.Duration(1); step < 1<<60; step *= 2 {
		if asleep {
			r.halt.Store(true)
		}
		r.stopIfAsked(dump)
		time.Sleep(step)
	}
}
