package lives_test

import (
	"context"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/pkg/internal/lives"
)

// header returns the first line of the stack of the goroutine that f gets started.
func header(start func(f func())) string {
	got := make(chan string)
	start(func() {
		lives.WithLabels(func() {
			buf := make([]byte, 1000)
			line, _, _ := strings.Cut(string(buf[:runtime.Stack(buf, false)]), "\n")
			got <- line
		})
	})
	return <-got
}

func TestLives(t *testing.T) {
	ended, goesOn := lives.New(), lives.New()
	ended.End()
	in := func(l *lives.Life) func(f func()) {
		return func(f func()) { l.Start(t.Context(), func(context.Context) { f() }) }
	}
	for name, test := range map[string]struct {
		start func(f func())
		want  bool
	}{
		"a life that ended": {in(ended), true},
		"a goroutine of it": {func(f func()) { in(ended)(func() { go f() }) }, true},
		"one that goes on":  {in(goesOn), false},
		"no life":           {func(f func()) { go f() }, false},
		"a life that was left": {func(f func()) {
			in(ended)(func() { pprof.SetGoroutineLabels(context.Background()); f() })
		}, false},
		"labels of its own": {func(f func()) {
			ended.Start(t.Context(), func(ctx context.Context) {
				pprof.Do(ctx, pprof.Labels("k", "v"), func(context.Context) { f() })
			})
		}, true},
	} {
		if line := header(test.start); lives.InHeader(line) != test.want {
			t.Errorf("%s: cut off is %v, want %v: %s", name, !test.want, test.want, line)
		}
	}
	if line := header(in(ended)); !strings.Contains(line, "labels") {
		t.Errorf("the runtime writes no labels on demand: %s", line)
	}
}
