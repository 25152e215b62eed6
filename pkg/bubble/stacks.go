package bubble

import (
	"runtime"
	"strings"
	"time"

	"github.com/backend-kata/dojo/pkg/internal/lives"
	"github.com/backend-kata/dojo/pkg/internal/stack"
)

// A goroutine is one entry of the text that runtime.Stack writes.
type goroutine struct {
	id      int
	state   string // as in the header, for example "chan receive"
	durable bool   // synctest counts this wait as idle
	bubble  int    // 0 outside of any bubble
	cutOff  bool   // it belongs to a program that was cut off; known at the end of a bubble
	frames  []frame
	sleeps  time.Duration // the argument of time.Sleep; 0 if it is not known
	creator frame         // the go statement; its fn is "" for the main goroutine
}

// A frame is one call on a stack.
type frame struct {
	fn   string // import path and function, without arguments
	file string
	line int
}

// maxDump bounds the memory for one look: a dump that does not fit ends in the
// middle of a goroutine, and no verdict is made from it.
const maxDump = 64 << 20

// lastDump is dumpAll at the end of a bubble, when it matters who is to blame for what
// is left.
func lastDump() string {
	var dump []byte
	lives.WithLabels(func() { dump, _ = dumpAll(nil) })
	return string(dump)
}

// dumpAll returns the stacks of all goroutines as of one instant, since
// runtime.Stack stops the world. It reports false if they did not fit.
func dumpAll(buf []byte) ([]byte, bool) {
	if len(buf) == 0 {
		buf = make([]byte, 64<<10)
	}
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			return buf[:n], true
		}
		if len(buf) >= maxDump {
			return buf, false
		}
		buf = make([]byte, 2*len(buf))
	}
}

// parseStacks reads the text of runtime.Stack. It skips what it does not know.
func parseStacks(dump string) []goroutine {
	var all []goroutine
	for entry := range strings.SplitSeq(dump, "\n\n") {
		header, rest, _ := strings.Cut(strings.TrimSpace(entry), "\n")
		if !strings.HasPrefix(header, "goroutine ") {
			continue
		}
		g := parseHeader(header)
		g.parseFrames(rest)
		all = append(all, g)
	}
	return all
}

func parseHeader(header string) goroutine {
	h := stack.Parse([]byte(header))
	return goroutine{id: h.ID, state: h.State, durable: h.Durable, bubble: h.Bubble, cutOff: lives.InHeader(header)}
}

// parseFrames reads pairs of lines, a call and its place.
func (g *goroutine) parseFrames(text string) {
	var call string
	for line := range strings.SplitSeq(text, "\n") {
		place, isPlace := strings.CutPrefix(line, "\t")
		if !isPlace {
			call = line
			continue
		}
		var f frame
		f.file, f.line = stack.ParsePlace(place)
		if by, ok := strings.CutPrefix(call, "created by "); ok {
			f.fn, _, _ = strings.Cut(by, " in goroutine ")
			g.creator = f
			continue
		}
		g.sleeps = max(g.sleeps, parseSleep(call))
		f.fn = call
		if i := strings.LastIndexByte(call, '('); i > 0 {
			f.fn = call[:i]
		}
		g.frames = append(g.frames, f)
	}
}

// pkg returns the import path of the frame's function.
func (f frame) pkg() string { return stack.Package(f.fn) }

// calls reports whether a function whose name starts with prefix is on the stack.
func (g *goroutine) calls(prefix string) bool {
	for _, f := range g.frames {
		if strings.HasPrefix(f.fn, prefix) {
			return true
		}
	}
	return false
}
