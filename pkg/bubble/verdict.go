package bubble

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A wait is what a goroutine does, as seen from the bubble.
type wait int

const (
	runs    wait = iota // on its way, or in a state that this package does not know
	idle                // virtual time can pass over it
	lock                // a lock; its holder may be anywhere
	foreign             // a channel or WaitGroup from outside the bubble
	network             // a real socket, pipe or file
	system              // a system call, or code in C
)

var waits = map[string]wait{
	"sync.Mutex.Lock":     lock,
	"sync.RWMutex.Lock":   lock,
	"sync.RWMutex.RLock":  lock,
	"semacquire":          lock,
	"chan receive":        foreign,
	"chan send":           foreign,
	"select":              foreign,
	"sync.WaitGroup.Wait": foreign,
	"IO wait":             network,
	"syscall":             system,
}

func (g *goroutine) wait() wait {
	if g.durable {
		return idle
	}
	return waits[g.state]
}

var phrases = map[string]string{
	"chan receive":            "waits to receive from a channel",
	"chan send":               "waits to send on a channel",
	"chan receive (nil chan)": "waits to receive from a nil channel, forever",
	"chan send (nil chan)":    "waits to send on a nil channel, forever",
	"select":                  "waits in a select",
	"select (no cases)":       "waits in a select without cases, forever",
	"sleep":                   "sleeps",
	"sync.Cond.Wait":          "waits for a sync.Cond",
	"sync.WaitGroup.Wait":     "waits for a sync.WaitGroup",
	"sync.Mutex.Lock":         "waits for a sync.Mutex",
	"sync.RWMutex.Lock":       "waits to write-lock a sync.RWMutex",
	"sync.RWMutex.RLock":      "waits to read-lock a sync.RWMutex",
	"semacquire":              "waits for a lock",
	"synctest.Wait":           "waits in synctest.Wait",
	"coroutine":               "waits for the other side of an iter.Pull",
	"syscall":                 "is in a system call",
	"ticks":                   "is woken by a timer, again and again", // found by a stall
}

// phrase says in plain words what g does.
func (g *goroutine) phrase() string {
	switch {
	case g.state == "IO wait" && !g.calls("net."):
		return "waits for a pipe or a file"
	case g.state == "IO wait" && g.accepts():
		return "waits for a connection on a real socket"
	case g.state == "IO wait":
		return "waits for the network"
	case phrases[g.state] == "":
		return "runs"
	case g.wait() == foreign:
		return phrases[g.state] + " from outside the bubble"
	}
	return phrases[g.state]
}

// accepts reports whether g waits on a listener. Such a wait ends only if
// somebody connects, whereas data can come at any time on a connection.
func (g *goroutine) accepts() bool { return g.calls("net.(*netFD).accept") }

// isBody reports whether g is the goroutine of the function given to Run.
func (g *goroutine) isBody() bool { return g.calls("testing.tRunner") }

func (g *goroutine) name() string {
	switch {
	case g.isBody() && g.calls("testing.(*common).runCleanup"):
		return "a cleanup function of the body"
	case g.isBody():
		return "the body"
	}
	return fmt.Sprint("goroutine ", g.id)
}

// place is where g waits. All places of a running goroutine are one.
func (g *goroutine) place() string {
	if g.wait() == runs {
		return "runs"
	}
	return fmt.Sprint(g.state, g.durable, g.frames)
}

// A scene is one look at a bubble.
type scene struct {
	own     []goroutine // the bubble's, without those of the test's machinery; the body first
	moving  bool        // the machinery was at work, so the clock may have moved
	outside bool        // a goroutine outside could release what the bubble waits for
	paths   paths
}

func newScene(all []goroutine, bubble int) scene {
	s := scene{paths: newPaths()}
	for _, g := range all {
		machinery := g.calls("testing/synctest.Test") || g.calls(ownPackage+".(*remains).pastLimit") || g.calls(ownPackage+".(*run).mark")
		switch {
		case g.cutOff:
		case g.bubble == bubble && machinery:
			s.moving = s.moving || g.wait() == runs
		case g.bubble == bubble:
			s.own = append(s.own, g)
		case g.bubble == 0:
			s.outside = s.outside || s.paths.isFree(g)
		default: // the goroutines of a stuck bubble stay, and release nothing
			w := g.wait()
			s.outside = s.outside || w == runs || w == network || w == system
		}
	}
	// The body first, then by what they do: ids differ from one run to the next.
	key := func(g goroutine) string { return fmt.Sprint(!g.isBody(), g.place(), g.creator) }
	slices.SortStableFunc(s.own, func(a, b goroutine) int { return strings.Compare(key(a), key(b)) })
	return s
}

func (s *scene) having(w wait) []goroutine {
	return slices.DeleteFunc(slices.Clone(s.own), func(g goroutine) bool { return g.wait() != w })
}

func (s *scene) sleepers() []goroutine {
	return slices.DeleteFunc(s.having(idle), func(g goroutine) bool { return g.state != "sleep" })
}

// mayHaveTimers reports whether a channel waited for may be a timer's.
func (s *scene) mayHaveTimers() bool {
	return slices.ContainsFunc(s.having(idle), func(g goroutine) bool {
		return g.state == "chan receive" || g.state == "select"
	})
}

func (s *scene) places() string {
	var b strings.Builder
	for _, g := range s.own {
		fmt.Fprintln(&b, g.id, g.place())
	}
	return b.String()
}

// blocked identifies a bubble in which all wait, and not only for each other
// and the clock, or is "".
func (s *scene) blocked() string {
	waiting := len(s.own) - len(s.having(idle))
	if s.moving || waiting == 0 || len(s.having(runs)) > 0 {
		return ""
	}
	return s.places()
}

// closed reports whether nothing but the bubble can end the waits in it. A
// channel from outside may be a real timer's, which has no goroutine.
func (s *scene) closed() bool {
	open := func(g goroutine) bool {
		switch g.wait() {
		case foreign:
			return g.state != "sync.WaitGroup.Wait"
		case network:
			return !g.accepts()
		case system:
			return true
		}
		return false
	}
	return !s.outside && !slices.ContainsFunc(s.own, open)
}

// busy identifies a bubble in which some run and the clock does not, or is "".
func (s *scene) busy() string {
	if s.moving || len(s.having(runs)) == 0 {
		return ""
	}
	return s.places()
}

// endless identifies a bubble in which some run and the body waits, or is "".
func (s *scene) endless() string {
	if !s.moving && len(s.having(runs)) == 0 {
		return ""
	}
	if len(s.own) == 0 || !s.own[0].isBody() {
		return "the body has ended"
	}
	if s.own[0].wait() == runs {
		return ""
	}
	return s.own[0].place()
}

func deadlockReport(all []goroutine, bubble int) string {
	s := newScene(all, bubble)
	return s.report("deadlock: every goroutine of the bubble waits, and nothing is left that could wake one", s.own, "")
}

func limitReport(all []goroutine, bubble int, limit time.Duration) string {
	s := newScene(all, bubble)
	advice := "RunWithin sets another limit."
	if len(s.own) > 0 && s.own[0].wait() == idle && s.own[0].state != "sleep" {
		advice += " If what wakes the body was lost, this is a deadlock that a ticker or timer hides."
	}
	return s.report(fmt.Sprintf("too long: %s of virtual time passed and the bubble had not ended", plain(limit)), s.own, advice)
}

// stuckReport explains a bubble in which blocked has found a streak.
func (s *scene) stuckReport() string {
	if len(s.own) > 0 && !s.own[0].isBody() {
		return s.leakReport()
	}
	locked := s.having(lock)
	switch sleepers := s.sleepers(); {
	case len(locked) > 0 && len(sleepers) > 0:
		sleeper, what, advice := sleepers[0], "sleeps", "If the one that sleeps holds the lock, release it before sleeping."
		if i := slices.IndexFunc(sleepers, isDiskLatency); i >= 0 {
			sleeper, what, advice = sleepers[i], "sleeps for the latency of a simdisk.Disk", diskLatency
		}
		return s.report(fmt.Sprintf("the clock stands still: %s %s while %s %s, and virtual time does not move while a goroutine waits for a lock",
			locked[0].name(), locked[0].phrase(), sleeper.name(), what), s.own, advice, locked[0], sleeper)
	case len(locked) > 0 && s.mayHaveTimers():
		return s.report(fmt.Sprintf("the clock stands still: %s %s, and virtual time does not move while a goroutine waits for a lock",
			locked[0].name(), locked[0].phrase()), s.own,
			"If the lock's holder waits for a timer, release the lock before that. If not, this is a deadlock.")
	case len(locked) > 0 && s.outside: // and may still be about to
		return s.report(fmt.Sprintf("blocked: %s %s, which nothing in the bubble releases, and nobody outside did in %s of real time",
			locked[0].name(), locked[0].phrase(), plain(time.Duration(pace.patience)*pace.every)), s.own, "")
	case len(locked) > 0:
		return s.report(fmt.Sprintf("deadlock: %s %s, which nothing in the bubble releases", locked[0].name(), locked[0].phrase()), s.own, "")
	}
	stopped, why := s.having(network), "real input and output do not advance virtual time"
	if len(stopped) > 0 && stopped[0].calls("net.") {
		why = "a real socket does not advance virtual time"
	}
	if len(stopped) == 0 {
		stopped, why = s.having(system), "virtual time does not move in a system call"
	}
	if len(stopped) == 0 {
		stopped, why = s.having(foreign), "virtual time does not move meanwhile"
	}
	return s.report(fmt.Sprintf("the clock stands still: %s %s, and %s", stopped[0].name(), stopped[0].phrase(), why), s.own, "")
}

// isDiskLatency reports whether g sleeps because a disk of package simdisk takes its time.
func isDiskLatency(g goroutine) bool {
	return g.calls(strings.TrimSuffix(ownPackage, "bubble") + "simdisk.(*Disk).take")
}

const diskLatency = "It is the disk's latency that sleeps, as simdisk.Disk.Latency sets it. " +
	"If the one that sleeps holds the lock, release it before using the disk, or set no latency in this test."

// busyReport and endlessReport say what is known. Whether the rest takes another
// second or forever is not.

func (s *scene) busyReport(cpu time.Duration) string {
	running := s.having(runs)
	return s.report(fmt.Sprintf("busy: %s did not end in %s of processor time, in which nothing else in the bubble moved; it is running%s",
		running[0].name(), plain(cpu), s.at(running[0])), running, slowOrEndless)
}

func (s *scene) endlessReport(cpu time.Duration) string {
	at := ""
	if len(s.own) > 0 {
		at = s.at(s.own[0])
	}
	return s.report(fmt.Sprintf("busy: the body did not end in %s of processor time; it waits%s, and others run", plain(cpu), at), s.own, slowOrEndless)
}

const slowOrEndless = "It is slow or in a loop without end, which from outside look alike."

// at is where g is in the code under test, if that is known.
func (s *scene) at(g goroutine) string {
	frames, _ := s.paths.visible(g)
	if len(frames) == 0 {
		return ""
	}
	return " at " + s.paths.place(frames[0])
}

// plain writes a long span in days and drops zero units.
func plain(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day && d%day == 0 {
		return fmt.Sprint(int64(d/day), " days")
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}
