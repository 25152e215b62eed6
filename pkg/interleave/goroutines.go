package interleave

import (
	"bytes"
	"runtime"
	"runtime/metrics"
	"strings"

	"github.com/backend-kata/dojo/pkg/internal/race"
	"github.com/backend-kata/dojo/pkg/internal/stack"
)

// births counts the goroutines that the program has started, which unlike the
// number of those alive never hides one behind another that has ended. Reading it
// takes 0.1 µs, and it is exact on one processor. A goroutine that is not the
// bubble's counts too: then Schedule asks the runtime more often than it must.
type births struct {
	sample []metrics.Sample
	before uint64
}

// The first call of metrics.Read fills a map of the runtime's, which later ones read.
// Those of now look to the race detector as if nothing put them after it, so it is
// made here, which is before all else.
var _ = newBirths()

func newBirths() births {
	b := births{sample: []metrics.Sample{{Name: "/sched/goroutines-created:goroutines"}}}
	b.before = b.now()
	return b
}

//go:norace
func (b births) now() uint64 {
	race.Disable()
	metrics.Read(b.sample)
	race.Enable()
	return b.sample[0].Value.Uint64()
}

// since returns how many were started since b was made.
//
//go:norace
func (b births) since() int { return int(b.now() - b.before) }

// dump is what dumpAll returns, kept from one look to the next. It is guarded by
// exploring.
var dump = make([]byte, 64<<10)

// dumpAll returns the stacks of all goroutines, until the next call.
func dumpAll() []byte {
	n := runtime.Stack(dump, true)
	for n == len(dump) {
		dump = make([]byte, 2*len(dump))
		n = runtime.Stack(dump, true)
	}
	return dump[:n]
}

// look reads the stacks of all goroutines. It reports whether one that is newer
// than root is on its way in root's bubble, and whether one waits for what is not
// in the bubble, such as a lock. A goroutine that helps the garbage collector is
// in no bubble meanwhile.
func look(root stack.Header) (busy, lock bool) {
	for entry := range bytes.SplitSeq(dumpAll(), []byte("\n\n")) {
		g := stack.Parse(entry)
		if g.ID <= root.ID || g.Bubble != root.Bubble && g.Bubble != 0 {
			continue
		}
		switch {
		case g.Runs():
			busy = true
		case g.Bubble == 0: // one that helps the garbage collector, or none of ours
			busy = busy || strings.Contains(g.State, "GC") || g.State == "semacquire"
		case g.Durable:
		case waiting[g.State]:
			lock = true
		default:
			busy = true
		}
	}
	return busy, lock
}

// waiting are the states in which a goroutine waits for another one, although
// virtual time does not pass over it.
var waiting = map[string]bool{
	"sync.Mutex.Lock": true, "sync.RWMutex.Lock": true, "sync.RWMutex.RLock": true,
	"chan receive": true, "chan send": true, "select": true, "sync.WaitGroup.Wait": true, "sync.Cond.Wait": true,
}
