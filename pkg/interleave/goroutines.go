package interleave

import (
	"bytes"
	"runtime"
	"runtime/metrics"
	"strconv"
)

// A goroutine is known by two numbers of the header of its stack.
type goroutine struct{ id, bubble int }

// self returns the calling goroutine. It reads no more than the header of its
// own stack, which takes 1 to 2 µs.
func self() goroutine {
	var buf [96]byte
	g, _ := parseHeader(buf[:runtime.Stack(buf[:], false)])
	return g
}

// births counts the goroutines that the program has started, which unlike the
// number of those alive never hides one behind another that has ended. Reading it
// takes 0.1 µs, and it is exact on one processor. A goroutine that is not the
// bubble's counts too: then Schedule asks the runtime more often than it must.
type births struct {
	sample []metrics.Sample
	before uint64
}

func newBirths() births {
	b := births{sample: []metrics.Sample{{Name: "/sched/goroutines-created:goroutines"}}}
	b.before = b.now()
	return b
}

func (b births) now() uint64 {
	metrics.Read(b.sample)
	return b.sample[0].Value.Uint64()
}

// since returns how many were started since b was made.
func (b births) since() int { return int(b.now() - b.before) }

// stacks is what look reads, kept from one look to the next. It is guarded by
// exploring.
var stacks = make([]byte, 64<<10)

// look reads the stacks of all goroutines. It reports whether one that is newer
// than root is on its way in root's bubble, and whether one waits for what is not
// in the bubble, such as a lock. A goroutine that helps the garbage collector is
// in no bubble meanwhile.
func look(root goroutine) (busy, lock bool) {
	n := runtime.Stack(stacks, true)
	for n == len(stacks) {
		stacks = make([]byte, 2*len(stacks))
		n = runtime.Stack(stacks, true)
	}
	for entry := range bytes.SplitSeq(stacks[:n], []byte("\n\n")) {
		g, state := parseHeader(entry)
		if g.id <= root.id || g.bubble != root.bubble && g.bubble != 0 {
			continue
		}
		// What a goroutine waited for last is still called durable when it runs again.
		name, durable := bytes.CutSuffix(state, []byte(" (durable)"))
		switch {
		case bytes.HasPrefix(name, []byte("run")):
			busy = true
		case g.bubble == 0: // one that helps the garbage collector, or none of ours
			busy = busy || bytes.Contains(name, []byte("GC")) || bytes.Equal(name, []byte("semacquire"))
		case durable:
		case waiting[string(name)]:
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

// parseHeader reads a line such as
//
//	goroutine 8 [chan receive (durable), 2 minutes, synctest bubble 1]:
func parseHeader(stack []byte) (g goroutine, state []byte) {
	header, _, _ := bytes.Cut(stack, []byte("]:"))
	number, status, _ := bytes.Cut(bytes.TrimPrefix(header, []byte("goroutine ")), []byte(" ["))
	g.id, _ = strconv.Atoi(string(number))
	if _, n, ok := bytes.Cut(status, []byte("synctest bubble ")); ok {
		g.bubble, _ = strconv.Atoi(string(n))
	}
	state, _, _ = bytes.Cut(status, []byte(", "))
	return g, state
}
