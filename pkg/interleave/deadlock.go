package interleave

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/backend-kata/dojo/pkg/interleave/internal/hook"
	"github.com/backend-kata/dojo/pkg/internal/stack"
)

const (
	maxCalls = 8 // of a stack
	maxIdle  = 5 // goroutines that are no actors
)

// A waiter is a goroutine of the bubble, as a deadlock shows it.
type waiter struct {
	stack.Header

	calls string // those of the user's code, a line each
}

// waits says of each actor that has yet to end what it waits for, who has that and since
// where, and what led there; and then of the bubble's other goroutines.
func (s *stage) waits(all []waiter) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	byID := map[int]waiter{}
	for _, w := range all {
		byID[w.ID] = w
	}
	for _, a := range s.actors {
		_, lives := byID[a.id]
		a.done = !lives // a goroutine of the code under test does not say when it ends
	}
	var b strings.Builder
	for _, a := range s.actors {
		if !a.done && !a.crashed {
			fmt.Fprintf(&b, "%s %s\n%s\n", a.name, s.reason(a, byID[a.id]), byID[a.id].calls)
		}
		delete(byID, a.id)
	}
	idle := 0
	for _, w := range all {
		if _, isOther := byID[w.ID]; isOther {
			if idle++; idle <= maxIdle {
				fmt.Fprintf(&b, "a goroutine without points %s\n%s\n", reasons[w.State], w.calls)
			}
		}
	}
	if idle > maxIdle {
		fmt.Fprintf(&b, "and %s more without points\n", plural(idle-maxIdle, "goroutine"))
	}
	return strings.TrimRight(b.String(), "\n")
}

// reason says what an actor waits for. It is called with mu held.
func (s *stage) reason(a *actor, w waiter) string {
	p := a.parked
	switch {
	case p == nil && reasons[w.State] != "":
		return reasons[w.State]
	case p == nil:
		return "runs"
	case p.lock == nil:
		return fmt.Sprintf("waits at %v", p)
	}
	if a.isPending(p.lock) {
		return fmt.Sprintf("waits to %v%s", p, s.holders(a))
	}
	for _, other := range s.actors {
		if other.isPending(p.lock) {
			return fmt.Sprintf("waits at %v, behind %s, which waits until nobody reads", p, other.name)
		}
	}
	return fmt.Sprintf("waits at %v%s", p, s.holders(a))
}

// holders says who has what an actor waits for. It is called with mu held.
func (s *stage) holders(a *actor) string {
	var holders []string
	for h := s.holds; h != nil; h = h.next {
		if h.lock == a.parked.lock {
			holders = append(holders, h.describe(a))
		}
	}
	if len(holders) == 0 {
		return ", which no actor holds"
	}
	return ", held by " + strings.Join(holders, ", and by ")
}

// isPending reports whether the actor waits to write until the readers have left.
func (a *actor) isPending(lock any) bool {
	return a.parked != nil && a.parked.lock == lock && a.parked.what.format == hook.Pending
}

// describe says for the actor that waits who has the lock.
func (h *hold) describe(waits *actor) string {
	name, state := h.by.name, ""
	switch {
	case h.by == waits:
		name = "itself"
	case h.by.done:
		state = ", which has ended"
	case h.by.crashed:
		state = ", which has crashed"
	}
	return fmt.Sprintf("%s since %v%s", name, h.at, state)
}

// reasons are the states in which a goroutine waits, in plain words.
var reasons = map[string]string{
	"chan receive":            "waits to receive from a channel",
	"chan send":               "waits to send on a channel",
	"chan receive (nil chan)": "waits to receive from a nil channel",
	"chan send (nil chan)":    "waits to send on a nil channel",
	"select":                  "waits in a select",
	"select (no cases)":       "waits in a select without cases",
	"sleep":                   "sleeps",
	"sync.Cond.Wait":          "waits for a signal",
	"sync.WaitGroup.Wait":     "waits for a standard WaitGroup",
	"sync.Mutex.Lock":         "waits for a standard Mutex",
	"sync.RWMutex.Lock":       "waits for a standard RWMutex",
	"sync.RWMutex.RLock":      "waits for a standard RWMutex",
}

// stacks returns the goroutines of root's bubble that are newer than it.
func stacks(root stack.Header) []waiter {
	var all []waiter
	for entry := range bytes.SplitSeq(dumpAll(), []byte("\n\n")) {
		w := waiter{Header: stack.Parse(entry)}
		if w.ID > root.ID && w.Bubble == root.Bubble {
			w.calls = userCalls(string(entry))
			all = append(all, w)
		}
	}
	return all
}

// userCalls returns the calls of a stack that are the user's, as package bubble shows
// them: the place, and the function with its package.
func userCalls(entry string) string {
	var b strings.Builder
	_, rest, _ := strings.Cut(entry, "\n")
	shown := 0
	for call, rest, ok := strings.Cut(rest, "\n"); ok; call, rest, ok = strings.Cut(rest, "\n") {
		var place string
		place, rest, _ = strings.Cut(rest, "\n")
		function, isCreator := strings.CutPrefix(call, "created by ")
		if isCreator {
			function, _, _ = strings.Cut(function, " in goroutine ")
		} else if i := strings.LastIndexByte(call, '('); i > 0 {
			function = call[:i]
		}
		file, line := stack.ParsePlace(place)
		if isHidden(stack.Package(function), file) {
			continue
		}
		if shown++; shown > maxCalls {
			continue
		}
		short := strings.ReplaceAll(function[strings.LastIndexByte(function, '/')+1:], "%2e", ".")
		if isCreator {
			short = "started by " + short
		}
		fmt.Fprintf(&b, "    %s:%d  %s\n", shortPath(file), line, short)
	}
	if shown > maxCalls {
		fmt.Fprintf(&b, "    and %s\n", plural(shown-maxCalls, "more call"))
	}
	return b.String()
}

// shortPath writes a file as seen from the test's folder, if it is not far.
func shortPath(file string) string {
	here, _ := os.Getwd()
	rel, err := filepath.Rel(here, file)
	if err != nil || strings.HasPrefix(filepath.ToSlash(rel), "../../../") {
		return filepath.Base(file)
	}
	return filepath.ToSlash(rel)
}
