// Package lives tells which goroutines belong to a program that was cut off: they
// stay where they are, and nobody is to blame for it. A goroutine belongs to the life
// of the goroutine that started it, as its profiler labels do, which is how it is
// known.
package lives

import (
	"context"
	"os"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// label is the name of the profiler label whose value is the number of a life.
const label = "dojo-life"

var (
	last  atomic.Int64
	ended sync.Map // int64 → struct{}
)

// A Life is a program's, from its start until it is cut off.
type Life struct{ number int64 }

// New returns a life that has yet to start.
func New() *Life { return &Life{last.Add(1)} }

// Start runs f on a new goroutine, as the first of the life. Whatever f passes the
// context to keeps the label, should it set labels of its own.
func (l *Life) Start(ctx context.Context, f func(context.Context)) {
	go func() {
		ctx := pprof.WithLabels(ctx, pprof.Labels(label, strconv.FormatInt(l.number, 10)))
		pprof.SetGoroutineLabels(ctx)
		f(ctx)
	}()
}

// End says that the life was cut off.
func (l *Life) End() { ended.Store(l.number, struct{}{}) }

// InHeader reports whether the goroutine of a stack's header, as [WithLabels] lets
// the runtime write it, belongs to a life that was cut off.
func InHeader(header string) bool {
	_, value, ok := strings.Cut(header, `"`+label+`": "`)
	if !ok {
		return false
	}
	value, _, _ = strings.Cut(value, `"`)
	number, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return false
	}
	_, ok = ended.Load(number)
	return ok
}

// WithLabels calls f while the runtime writes labels into the headers of stacks, if
// any life was cut off. Go 1.26 does so on demand.
func WithLabels(f func()) {
	some := false
	ended.Range(func(_, _ any) bool { some = true; return false })
	if some {
		old, was := os.LookupEnv("GODEBUG")
		_ = os.Setenv("GODEBUG", strings.TrimPrefix(old+",tracebacklabels=1", ",")) // a name without = or NUL cannot fail
		defer func() {
			if was {
				_ = os.Setenv("GODEBUG", old)
			} else {
				_ = os.Unsetenv("GODEBUG")
			}
		}()
	}
	f()
}
