package lives

import (
	"runtime"
	"sync"

	"github.com/backend-kata/dojo/pkg/internal/stack"
)

// Dead is what a program finds that asks a dead machine for something. A goroutine gets
// one refusal, so that it gives back the locks that it holds: while another waits for
// them a bubble's clock stands still. If it asks again it is ended, so that it does not
// ask for ever. The zero value is ready, and safe for concurrent use.
type Dead struct {
	mu   sync.Mutex
	told map[int]bool // by goroutine
}

// Ask returns if the calling goroutine asks for the first time. The next time it ends it.
func (d *Dead) Ask() {
	id := stack.Self().ID
	d.mu.Lock()
	told := d.told[id]
	if d.told == nil {
		d.told = map[int]bool{}
	}
	d.told[id] = true
	d.mu.Unlock()
	if told {
		runtime.Goexit()
	}
}
