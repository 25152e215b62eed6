package bubble

import (
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A stall is a streak of looks in which the body waited at one place, and every
// other goroutine of the bubble was there all the time and waited at one place of
// its own whenever it did not run: the picture of a lost wake-up beside a ticker.
// A goroutine that works waits at several places, or starts others.
type stall struct {
	places map[int]string // by goroutine; "" if it was never seen to wait
	ran    map[int]bool   // goroutines that were seen to run at times
	looks  int
	clock  time.Duration // virtual time at the first look
	cpu    time.Duration // processor time at the first look
}

// see counts a look.
func (st *stall) see(s *scene, clock, cpu time.Duration) {
	now, ran, ok := s.stationary()
	if !ok {
		*st = stall{}
		return
	}
	if !st.agrees(now) {
		*st = stall{places: now, ran: ran, clock: clock, cpu: cpu}
	}
	for id, place := range now {
		if place != "" {
			st.places[id] = place
		}
	}
	maps.Copy(st.ran, ran)
	st.looks++
}

func (st *stall) agrees(now map[int]string) bool {
	if len(now) != len(st.places) {
		return false
	}
	for id, place := range now {
		before, known := st.places[id]
		if !known || place != "" && before != "" && place != before {
			return false
		}
	}
	return true
}

// stationary returns where the bubble's goroutines wait, unless the body runs,
// sleeps or has ended, or one waits for what only the world outside can end.
// Functions of time.AfterFunc come and go with their timer, and are left out.
func (s *scene) stationary() (places map[int]string, ran map[int]bool, ok bool) {
	if len(s.own) == 0 || !s.own[0].isBody() || s.own[0].wait() != idle || s.own[0].state == "sleep" {
		return nil, nil, false
	}
	places, ran = map[int]string{}, map[int]bool{}
	for _, g := range s.own {
		switch w := g.wait(); {
		case g.creator.fn == "time.goFunc":
		case w == runs:
			places[g.id], ran[g.id] = "", true
		case w == idle:
			places[g.id] = g.place()
		default:
			return nil, nil, false
		}
	}
	return places, ran, true
}

// overdue reports whether for long enough nothing but timers is known to have woken.
func (st *stall) overdue(clock, cpu time.Duration) bool {
	passed := clock - st.clock
	return st.looks > 0 && (passed >= pace.lost || passed > 0 && cpu-st.cpu >= pace.busy)
}

// stuck reports whether the body must be taken for lost: it is overdue, many looks
// have shown no goroutine at work, and none is seen to wait for a timer that is
// still to come.
func (st *stall) stuck(s *scene, clock, cpu time.Duration) bool {
	if !st.overdue(clock, cpu) || st.looks < pace.patience {
		return false
	}
	for _, g := range s.own {
		if !st.ran[g.id] && s.awaitsFarTimer(g, clock-st.clock) {
			return false
		}
	}
	return true
}

// awaitsFarTimer reports whether g sleeps for longer than has passed, or may wait
// in a statement that names a timer. A goroutine that woke meanwhile and sleeps
// again is a ticker.
func (s *scene) awaitsFarTimer(g goroutine, passed time.Duration) bool {
	switch g.state {
	case "sleep":
		return g.sleeps == 0 || g.sleeps > passed
	case "chan receive", "select":
		frames, _ := s.paths.visible(g)
		return len(frames) > 0 && s.paths.namesTimer(frames[0], g.state == "select")
	}
	return false
}

var timerInSource = regexp.MustCompile(`\btime\.After\(|\.C\b`)

// namesTimer reads the source at f: a line, or a select statement up to the end of
// its block. Without the source it says yes, since it may be so.
func (p paths) namesTimer(f frame, block bool) bool {
	text, err := p.read(f)
	if err != nil {
		return true
	}
	lines := strings.Split(string(text), "\n")
	if f.line < 1 || f.line > len(lines) {
		return true
	}
	lines = lines[f.line-1:]
	if timerInSource.MatchString(lines[0]) {
		return true
	}
	indent := lines[0][:len(lines[0])-len(strings.TrimLeft(lines[0], "\t "))]
	for _, line := range lines[1:] {
		if !block || strings.HasPrefix(line, indent+"}") {
			break
		}
		if strings.HasPrefix(strings.TrimSpace(line), "case ") && timerInSource.MatchString(line) {
			return true
		}
	}
	return false
}

// parseSleep reads the duration in a call such as "time.Sleep(0x3b9aca00)", or
// is 0. The runtime marks values that may be stale with "?".
func parseSleep(call string) time.Duration {
	digits, ok := strings.CutPrefix(call, "time.Sleep(0x")
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(digits, ")"), 16, 64)
	if err != nil {
		return 0
	}
	return time.Duration(n)
}

// sleepIsPassing reports whether the body sleeps and will have slept enough in
// twenty times the effort that it took to get so far.
func (s *scene) sleepIsPassing(passed time.Duration) bool {
	const effort = 20
	return len(s.own) > 0 && s.own[0].isBody() && s.own[0].state == "sleep" && passed > 0 && s.own[0].sleeps/effort <= passed
}

// report explains a stall that is stuck.
func (st *stall) report(s *scene, clock time.Duration) string {
	var own []goroutine
	for _, g := range s.own {
		if st.ran[g.id] {
			g.state = "ticks"
		}
		if g.creator.fn != "time.goFunc" {
			own = append(own, g)
		}
	}
	return s.report(fmt.Sprintf("stuck: the body %s, "+
		"and in %s of virtual time nothing has woken but what a ticker or timer wakes again and again",
		s.own[0].phrase(), plain((clock-st.clock).Truncate(time.Hour))), own,
		"A wake-up was lost, or never sent. If the body does wait for a timer that is far away, stop what ticks meanwhile.")
}
