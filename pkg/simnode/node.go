package simnode

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/backend-kata/dojo/pkg/internal/lives"
	"github.com/backend-kata/dojo/pkg/internal/stack"
	"github.com/backend-kata/dojo/pkg/simdisk"
	"github.com/backend-kata/dojo/pkg/simnet"
)

// A Node is a machine of a [Cluster]: a host, a disk and a program. It is safe for
// concurrent use.
type Node struct {
	name    string
	number  int
	cluster *Cluster
	program Program

	mu     sync.Mutex // guards all below
	now    *life      // nil while the node is down
	before []*life
	asks   []time.Duration // when the disk was asked for an operation, in all lives
	dones  []time.Duration // when one was done
}

// A life is what is between a start and a crash.
type life struct {
	host   *simnet.Host
	disk   *simdisk.Disk
	cancel context.CancelFunc
	ended  chan struct{} // closed when the program has returned
	self   *lives.Life
	crash  *simdisk.Crash // how it ended
	ops    atomic.Int64   // in the record of the disk
}

func (l *life) count() int { return int(l.ops.Add(1)) }

// Name returns the node's name.
func (n *Node) Name() string { return n.name }

// Up reports whether the node runs.
func (n *Node) Up() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.now != nil
}

// run starts the program.
func (n *Node) run(host *simnet.Host, disk *simdisk.Disk, how string) {
	ctx, cancel := context.WithCancel(context.Background())
	n.mu.Lock()
	l := &life{host: host, disk: disk, cancel: cancel, ended: make(chan struct{}), self: lives.New()}
	n.now = l
	n.mu.Unlock()
	n.cluster.tell(n, how)
	n.attend(l)
	l.self.Start(ctx, func(ctx context.Context) {
		defer close(l.ended)
		n.judge(l, ctx, n.call(ctx, l))
	})
}

// call calls the program, and turns a panic into an error.
func (n *Node) call(ctx context.Context, l *life) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n\n%s", v, stack.OfPanic("simnode.(*Node).call"))
		}
	}()
	return n.program(ctx, l.host, l.disk)
}

// judge fails the test if a program ended that should not have.
func (n *Node) judge(l *life, ctx context.Context, err error) {
	n.mu.Lock()
	over := n.now != l
	n.mu.Unlock()
	switch {
	case over:
	case err != nil:
		n.cluster.fail(n, "its program ends: "+firstLine(err.Error()), "the program of %s returned an error: %v", n.name, err)
	case ctx.Err() == nil:
		n.cluster.fail(n, "its program ends", "the program of %s returned, and its context had not ended", n.name)
	}
}

// Crash stops the node, all of it at once. The fault is what the others notice, see
// [simnet.Host.Crash], and the number what survives on the disk of that in doubt,
// see [simdisk.Disk.Crash]. The context of its program ends. Its goroutines end as
// [simdisk.Disk.Crash] and [simnet.Host.Crash] say, and are no leak. Crash returns what is left, or nil if the node is down already.
func (n *Node) Crash(f simnet.Fault, number int) *simdisk.Crash {
	n.mu.Lock()
	l := n.now
	if l == nil {
		n.mu.Unlock()
		return nil
	}
	n.now = nil
	n.before = append(n.before, l)
	n.mu.Unlock()

	l.self.End()
	l.crash = l.disk.Crash(number)
	l.host.Crash(f)
	// What the end of a context starts is a part of the life too.
	l.self.Start(context.Background(), func(context.Context) { l.cancel() })
	n.cluster.tell(n, "---- crash, "+manner(f)+" ----")
	return l.crash
}

// Restart starts the program again, on what the last crash has left. The other
// nodes went on meanwhile. It does nothing if the node is up.
func (n *Node) Restart() {
	n.mu.Lock()
	if n.now != nil {
		n.mu.Unlock()
		return
	}
	last := n.before[len(n.before)-1]
	n.mu.Unlock()
	n.run(last.host.Restart(), last.crash.Disk, "starts again")
}

// stop ends the program in an orderly way.
func (n *Node) stop() {
	n.cluster.t.Helper()
	n.mu.Lock()
	l := n.now
	n.mu.Unlock()
	if l != nil {
		l.cancel()
		select {
		case <-l.ended:
		case <-time.After(patience):
			n.cluster.t.Errorf("the program of %s did not return within %v after its context had ended", n.name, patience)
		}
	}
}

// attend counts what the disk of a life does, and crashes the node as planned.
func (n *Node) attend(l *life) {
	l.disk.Latency = n.cluster.Latency
	l.disk.Fault = func(op simdisk.Op) error {
		if changes(op) {
			n.at(before, n.count(l, &n.asks))
		}
		return nil
	}
	l.disk.Done = func(op simdisk.Op) {
		n.cluster.keep(event{column: n.number + 1, text: op.String(), life: l, op: l.count()})
		if changes(op) {
			n.at(after, n.count(l, &n.dones))
		}
	}
}

// changes reports whether an operation changes what a crash can leave.
func changes(op simdisk.Op) bool {
	switch op.Kind {
	case simdisk.OpCreate, simdisk.OpMkdir, simdisk.OpWrite, simdisk.OpTruncate, simdisk.OpRename, simdisk.OpRemove,
		simdisk.OpSync, simdisk.OpSyncDir:
		return true
	default:
		return false
	}
}

// count notes when something was done in a life, and returns how often it was done
// in all lives. It returns 0 if the life is over.
func (n *Node) count(l *life, times *[]time.Duration) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.now != l {
		return 0
	}
	*times = append(*times, time.Since(n.cluster.start))
	return len(*times)
}

// at crashes the node if the plan says so for a moment.
func (n *Node) at(w when, op int) {
	c := n.cluster
	s := c.planned(moment{n.name, w, op})
	if s == nil {
		return
	}
	crash := n.Crash(s.fault, s.number)
	if crash == nil { // it is down already, by another crash
		c.isUp()
		return
	}
	s.left = crash.Number
	downtime := c.Downtime
	if downtime == 0 {
		downtime = time.Second
	}
	time.AfterFunc(downtime, func() {
		defer c.isUp()
		n.Restart()
	})
}
