package testrun

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// A goroutine is one stack of a trace that a dying program prints.
type goroutine struct {
	state  string // as in "chan receive, 2 minutes"
	frames []frame
}

// A frame is one line of a stack, innermost first.
type frame struct {
	function string
	place    string // path:line
}

var (
	goroutineLine = regexp.MustCompile(`^goroutine \d+ .*?\[([^\]]*)\]`)
	placeLine     = regexp.MustCompile(`^\s+(\S.*\.(?:go|s):\d+)(?: \+0x[0-9a-f]+)?$`)
)

// parseStacks reads the goroutines off a trace; what is none is passed over.
func parseStacks(text string) []goroutine {
	var all []goroutine
	function := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if m := goroutineLine.FindStringSubmatch(line); m != nil {
			all = append(all, goroutine{state: m[1]})
			continue
		}
		if len(all) == 0 {
			continue
		}
		if m := placeLine.FindStringSubmatch(line); m != nil {
			g := &all[len(all)-1]
			g.frames = append(g.frames, frame{function: function, place: m[1]})
			continue
		}
		function = line
	}
	return all
}

// in returns the innermost frame in a file below dir, the learner's before
// the tests'.
func (g goroutine) in(dir string) (frame, bool) {
	var test frame
	for _, f := range g.frames {
		switch {
		case !strings.HasPrefix(f.place, dir), strings.Contains(f.place, "dojo_guard_test.go"):
		case !strings.Contains(f.place, "_test.go:"):
			return f.located(), true
		case test.place == "":
			test = f
		}
	}
	return test, test.place != ""
}

// runs reports whether one of the goroutine's frames is in that function.
func (g goroutine) runs(function string) bool {
	for _, f := range g.frames {
		if strings.HasPrefix(f.function, function) {
			return true
		}
	}
	return false
}

// located places a frame that the compiler left on line 1, as it does with a
// loop that has nothing in it, at the line of its function.
func (f frame) located() frame {
	file, ok := strings.CutSuffix(f.place, ".go:1")
	if !ok {
		return f
	}
	name, _, _ := strings.Cut(f.function, "(...)")
	name = name[strings.LastIndexByte(name, '.')+1:]
	text, err := os.ReadFile(file + ".go")
	if err != nil {
		return f
	}
	declared := regexp.MustCompile(`(?m)^func (\([^)]*\) )?` + regexp.QuoteMeta(name) + `[(\[]`).FindIndex(text)
	if declared == nil {
		return f
	}
	f.place = fmt.Sprintf("%s.go:%d", file, 1+bytes.Count(text[:declared[0]], []byte("\n")))
	return f
}
