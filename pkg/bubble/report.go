package bubble

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A report is one sentence, the goroutines involved, and at times a line of
// advice. It shows no more than this, and says how many it left out.
const (
	maxGroups = 8
	maxFrames = 12
)

// report writes the sentence, then gs, then the advice. Those of gs that the sentence is
// about come first.
func (s *scene) report(sentence string, gs []goroutine, advice string, first ...goroutine) string {
	isFirst := func(g goroutine) bool {
		return slices.ContainsFunc(first, func(f goroutine) bool { return f.id == g.id })
	}
	groups := group(append(slices.Clip(first), slices.DeleteFunc(slices.Clone(gs), isFirst)...))
	n := len(group(first))
	groups = append(groups[:n:n], s.paths.ownFirst(groups[n:])...)
	var b strings.Builder
	b.WriteString(sentence)
	b.WriteByte('\n')
	shown := 0
	for i, same := range groups {
		if i == maxGroups {
			fmt.Fprintf(&b, "\nand %s\n", count(len(gs)-shown, "more goroutine", "more goroutines"))
			break
		}
		b.WriteString("\n" + s.paths.describe(same))
		shown += len(same)
	}
	if advice != "" {
		b.WriteString("\n" + advice)
	}
	return strings.TrimRight(b.String(), "\n")
}

// group puts together the goroutines that wait at one place, in order.
func group(gs []goroutine) [][]goroutine {
	var groups [][]goroutine
	index := map[string]int{}
	for _, g := range gs {
		key := fmt.Sprintln(g.isBody(), g.state, g.durable, g.frames, g.creator)
		i, ok := index[key]
		if !ok {
			i = len(groups)
			index[key] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], g)
	}
	return groups
}

// ownFirst moves groups without a line of the user's behind those that have one,
// if there are more than are shown.
func (p paths) ownFirst(groups [][]goroutine) [][]goroutine {
	foreign := func(same []goroutine) bool {
		g := same[0]
		return !g.isBody() && !slices.ContainsFunc(append(slices.Clip(g.frames), g.creator), p.own)
	}
	if len(groups) <= maxGroups {
		return groups
	}
	var own, others [][]goroutine
	for _, same := range groups {
		if foreign(same) {
			others = append(others, same)
		} else {
			own = append(own, same)
		}
	}
	return append(own, others...)
}

// describe writes what a group of goroutines does and their common stack.
func (p paths) describe(same []goroutine) string {
	g := same[0]
	name := g.name()
	if n := len(same) - 1; n > 0 {
		name += fmt.Sprintf(" (and %d like it)", n)
	}
	_, call := p.visible(g)
	if call != "" {
		call = ", in " + call
	}
	return name + " " + g.phrase() + call + "\n" + p.stack(g)
}

// stack writes the visible frames of g in two columns.
func (p paths) stack(g goroutine) string {
	frames, _ := p.visible(g)
	rows := make([][2]string, 0, len(frames)+1)
	for _, i := range p.cut(frames) {
		if i < 0 {
			rows = append(rows, [2]string{"...", count(-i, "more call", "more calls")})
			continue
		}
		rows = append(rows, [2]string{p.place(frames[i]), p.name(frames[i])})
	}
	if c := g.creator; c.fn != "" && !hidden(c) {
		rows = append(rows, [2]string{p.place(c), "started by " + p.name(c)})
	}
	width := 0
	for _, row := range rows {
		width = max(width, len(row[0]))
	}
	var b strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&b, "    %-*s  %s\n", width, row[0], row[1])
	}
	return b.String()
}

// reportHere fails t with a sentence on how the calling goroutine came to run
// its deferred functions. The place shown is where the user's code did that;
// t.Error would name a line of package runtime.
func reportHere(t *testing.T, sentence string) {
	buf := make([]byte, 64<<10)
	p := newPaths()
	where, stack := "", ""
	for _, g := range parseStacks(string(buf[:runtime.Stack(buf, false)])) {
		g.creator = frame{}
		if frames, _ := p.visible(g); len(frames) > 0 {
			where = fmt.Sprintf("%s:%d: ", filepath.Base(frames[0].file), frames[0].line)
			stack = "\n\n" + p.stack(g)
		}
	}
	text := strings.TrimRight(where+sentence+stack, "\n")
	_, _ = fmt.Fprintln(t.Output(), strings.ReplaceAll(text, "\n", "\n    "))
	t.Fail()
}

func panicText(v any) string {
	switch v.(type) {
	case error, string, fmt.Stringer:
		return fmt.Sprint(v)
	}
	return fmt.Sprintf("%v (%T)", v, v)
}

// paths knows whose a file is, and a short name for it.
type paths struct {
	goroot string // where the standard library's files are; "" under -trimpath
	wd     string
}

func newPaths() paths {
	var p paths
	gc := runtime.FuncForPC(reflect.ValueOf(runtime.GC).Pointer())
	file, _ := gc.FileLine(gc.Entry())
	p.goroot, _, _ = strings.Cut(file, "runtime/mgc.go")
	p.wd, _ = os.Getwd()
	return p
}

// ownPackage is this package's import path.
var ownPackage = func() string {
	pc, _, _, _ := runtime.Caller(0)
	return frame{fn: runtime.FuncForPC(pc).Name()}.pkg()
}()

// hidden reports whether f belongs to the machinery of a test.
func hidden(f frame) bool {
	pkg := f.pkg()
	return pkg == "" || pkg == ownPackage || pkg == "internal/synctest" ||
		slices.ContainsFunc([]string{"runtime", "testing", "internal/runtime"}, func(root string) bool {
			return pkg == root || strings.HasPrefix(pkg, root+"/")
		})
}

// standard reports whether f is in the standard library.
func (p paths) standard(f frame) bool {
	if p.goroot != "" {
		return strings.HasPrefix(f.file, p.goroot)
	}
	if m := mainModule(); m != "" && strings.HasPrefix(strings.TrimSuffix(f.pkg(), "_test")+"/", m+"/") {
		return false
	}
	root, _, _ := strings.Cut(f.pkg(), "/")
	return !strings.Contains(root, ".")
}

// mainModule is the path of the module under test, which need not have a dot.
var mainModule = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.Main.Path
})

// visible returns the frames of g to show, innermost first: those outside the
// standard library or, if there are none, those in it. In the first case it also
// returns the function of the standard library that g is in, if it tells more
// than g's state does.
func (p paths) visible(g goroutine) (frames []frame, in string) {
	var std []frame
	for _, f := range g.frames {
		switch {
		case hidden(f):
		case p.standard(f):
			root, _, _ := strings.Cut(f.pkg(), "/")
			plain := root == "sync" || root == "time" || root == "internal" // g.phrase says it all
			if !plain {
				std = append(std, f)
			}
			if len(frames) == 0 {
				in = p.name(f)
				if plain {
					in = ""
				}
			}
		default:
			frames = append(frames, f)
		}
	}
	if len(frames) == 0 {
		return std, ""
	}
	return frames, in
}

// isFree reports whether g, outside any bubble, is code that may do something
// that a bubble waits for: not a test that waits for a bubble or a subtest, nor
// a goroutine of the standard library alone.
func (p paths) isFree(g goroutine) bool {
	inner := slices.IndexFunc(g.frames, func(f frame) bool { return f.pkg() != "" && f.pkg() != "runtime" })
	if inner < 0 || hidden(g.frames[inner]) {
		return false
	}
	return slices.ContainsFunc(g.frames, func(f frame) bool { return !hidden(f) && !p.standard(f) })
}

// place returns f's file and line, short enough to read and to click on.
func (p paths) place(f frame) string {
	return fmt.Sprintf("%s:%d", p.file(f.file), f.line)
}

func (p paths) file(name string) string {
	if p.goroot != "" {
		if rest, ok := strings.CutPrefix(name, p.goroot); ok {
			return rest
		}
	}
	if _, rest, ok := strings.Cut(name, "/pkg/mod/"); ok {
		return rest
	}
	rel, err := filepath.Rel(p.wd, name)
	if err != nil || strings.HasPrefix(filepath.ToSlash(rel), "../../../") {
		return name
	}
	return filepath.ToSlash(rel)
}
