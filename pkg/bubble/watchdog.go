package bubble

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// pace says how often the watcher looks and what it takes to be sure. Only
// this package's tests change it.
var pace = struct {
	every    time.Duration // between two looks
	patience int           // looks in a row where something outside could still help
	busy     time.Duration // processor time of the same goroutines, and no other change
	endless  time.Duration // processor time with the body waiting at one place
	lost     time.Duration // virtual time in which nothing but timers woke
}{250 * time.Millisecond, 40, 10 * time.Second, 60 * time.Second, 1000 * time.Hour}

// watch waits for the bubble to end, or gives up on it. It returns what to fail
// the test with, and whether code of the bubble still runs.
func (r *run) watch() (report string, busy bool) {
	timer := time.NewTimer(pace.every)
	defer timer.Stop()
	var w watcher
	for {
		select {
		case <-r.done:
			return r.conclude(), false
		case end := <-r.late:
			r.gone.Store(true)
			all, id := parseStacks(end.dump), int(r.id.Load())
			switch {
			case end.deadlock:
				return deadlockReport(all, id), false
			case w.lost != "":
				return w.lost, false
			}
			return limitReport(all, id, r.limit), false
		case <-timer.C:
		}
		r.looks.Add(1)
		report, busy = w.look(int(r.id.Load()), time.Duration(r.clock.Load()))
		if w.lost != "" && !busy {
			r.halt.Store(true) // what ticks would go on, so wait until the clock has stopped
			timer.Reset(w.pause())
			continue
		}
		if report != "" && !isClosed(r.done) {
			r.gone.Store(true)
			return report, busy
		}
		if r.overtime.Load() != nil {
			// Past the limit, and the clock still moves. It does so for a moment if there
			// are no other timers, so give it until the look after the next.
			r.halt.Store(w.late)
			w.late = true
		}
		timer.Reset(w.pause())
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// conclude turns the end of synctest.Test into a report, "" if all is well.
func (r *run) conclude() string {
	overtime := r.overtime.Load()
	if r.crash == nil && overtime == nil {
		return ""
	}
	all, id := parseStacks(r.dump), int(r.id.Load())
	text := fmt.Sprint(r.crash)
	left := strings.HasPrefix(text, "deadlock: main bubble goroutine has exited")
	switch {
	case overtime != nil && (r.crash == nil || left): // it ended after all, but late
		return limitReport(parseStacks(*overtime), id, r.limit)
	case left && r.returned.Load() && len(newScene(all, id).own) == 0:
		r.spared = true
		return ""
	case left && !r.returned.Load() && !r.skipped.Load():
		return count(len(newScene(all, id).own), "goroutine was", "goroutines were") + " left over" + endedEarly
	case left:
		return leakReport(all, id)
	}
	return "synctest.Test panicked: " + text
}

// A watcher compares one look with those before it.
type watcher struct {
	buf     []byte
	cost    time.Duration // of the last look
	blocked streak        // all wait, at the same places
	busy    streak        // the same goroutines run, all others wait at the same places
	endless streak        // something runs, the body waits at the same place
	stall   stall         // only timers wake
	lost    string        // the verdict, if it waits for the clock to be stopped
	soon    bool          // one more look may settle it
	late    bool          // the limit on virtual time had passed at an earlier look
}

// A streak counts looks in a row that found the same.
type streak struct {
	found string
	looks int
	clock time.Duration // virtual time at the first of them
	since time.Duration // processor time at the first of them
}

// see counts a look. An empty string never makes a streak.
func (s *streak) see(found string, clock, cpu time.Duration) {
	if found == "" || found != s.found {
		*s = streak{found: found, clock: clock, since: cpu}
	}
	if found != "" {
		s.looks++
	}
}

// pause returns the time until the next look. A look stops the world, so at
// most a tenth of the time goes into looking.
func (w *watcher) pause() time.Duration {
	every := pace.every
	if w.soon {
		every /= 5
	}
	return max(every, 9*w.cost)
}

// look takes the stacks and returns the verdict, if there is one.
func (w *watcher) look(bubble int, clock time.Duration) (report string, busy bool) {
	start := time.Now()
	dump, complete := dumpAll(w.buf)
	w.buf = dump[:cap(dump)]
	all := parseStacks(string(dump))
	w.cost = time.Since(start)
	w.soon = false
	if !complete || bubble == 0 {
		return "", false
	}
	return w.judge(newScene(all, bubble), clock, cpuTime())
}

// judge is look without the looking.
func (w *watcher) judge(s scene, clock, cpu time.Duration) (report string, busy bool) {
	w.blocked.see(s.blocked(), clock, cpu)
	w.busy.see(s.busy(), clock, cpu)
	w.endless.see(s.endless(), clock, cpu)
	w.stall.see(&s, clock, cpu)
	w.soon = w.stall.overdue(clock, cpu)
	need := pace.patience
	if s.closed() {
		need = 2
		w.soon = w.soon || w.blocked.looks > 0
	}
	switch {
	case w.blocked.looks >= need:
		s.forgetCutOff()
		return s.stuckReport(), false
	case w.busy.looks >= pace.patience && cpu-w.busy.since >= pace.busy:
		return s.busyReport(pace.busy), true
	case w.lost != "":
		return "", false
	case w.stall.stuck(&s, clock, cpu):
		w.lost = w.stall.report(&s, clock)
	case w.endless.looks >= pace.patience && cpu-w.endless.since >= pace.endless:
		passed := clock - w.endless.clock
		switch {
		case s.sleepIsPassing(passed):
		case passed > 0:
			w.lost = s.endlessReport(pace.endless)
		default:
			return s.endlessReport(pace.endless), true
		}
	}
	return "", false
}

// forgetCutOff leaves out of a blocked scene what belongs to programs that were cut off,
// unless it is that which blocks.
func (s *scene) forgetCutOff() {
	var gone []int
	for _, g := range parseStacks(lastDump()) {
		if g.cutOff {
			gone = append(gone, g.id)
		}
	}
	rest := scene{own: slices.DeleteFunc(slices.Clone(s.own), func(g goroutine) bool { return slices.Contains(gone, g.id) })}
	if rest.blocked() != "" {
		s.own = rest.own
	}
}

// endProcess ends the test binary in package testing's own way, so that the
// test is named and its output printed.
func endProcess(t *testing.T) {
	panic(fmt.Sprintf("bubble: %s still runs, and a running goroutine cannot be stopped; "+
		"the test binary ends here, so that it does not disturb the tests after it", t.Name()))
}
