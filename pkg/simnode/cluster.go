package simnode

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/pkg/internal/stack"
	"github.com/backend-kata/dojo/pkg/simdisk"
	"github.com/backend-kata/dojo/pkg/simnet"
)

// A Program is what runs on a node: it serves until its context ends, and then
// returns nil. The host and the disk are those of one life; after a crash the program
// is called again with others. An error that it returns, or a panic, fails the test,
// unless the life was over.
//
// What the program keeps in memory that it shares with the test survives a crash,
// which memory does not: let a test talk to a node over the network.
type Program func(ctx context.Context, host *simnet.Host, disk *simdisk.Disk) error

// A Cluster is a network and the nodes on it, in one bubble. Its methods are safe for
// concurrent use, but for Wait. The exported fields are set before the first node starts.
type Cluster struct {
	// Network joins the nodes, and the hosts that a test adds for its clients. A
	// packet takes 1 ms unless the test says otherwise.
	Network *simnet.Network

	// Latency is that of the nodes' disks, see [simdisk.Disk], where it also says what a
	// lock that is held over a sync makes of it. Nil means that nothing takes time.
	Latency func(simdisk.Op) time.Duration

	// Downtime is how long a node is down that an exploration has crashed. 0 means
	// one second.
	Downtime time.Duration

	t     *testing.T
	start time.Time
	plan  plan

	mu       sync.Mutex // guards all below
	nodes    []*Node
	events   []event
	waits    int           // calls of Wait
	failed   time.Duration // when the first program did what it should not have, or 0
	stopping bool          // the test is over
	down     int           // nodes that are to be restarted as planned
	changed  sync.Cond     // down has become less
}

// New returns a cluster for the body of a bubble, and must be called there. When the body is over the nodes'
// contexts end, and the test fails if a program does not return within a minute. If
// the test failed, the story is logged.
func New(t *testing.T) *Cluster {
	t.Helper()
	if stack.Self().Bubble == 0 {
		t.Fatal("simnode.New was called outside a bubble: call it in the body of bubble.Run")
	}
	c := newCluster(t, nil)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("\n" + c.Story())
		}
	})
	t.Cleanup(c.stop)
	return c
}

func newCluster(t *testing.T, p plan) *Cluster {
	c := &Cluster{
		Network: &simnet.Network{Default: simnet.Link{Latency: time.Millisecond}},
		t:       t, start: time.Now(), plan: p,
	}
	c.changed.L = &c.mu
	return c
}

// Start starts a program on a node with an empty disk. The name is that of its host.
func (c *Cluster) Start(name string, program Program) *Node {
	c.mu.Lock()
	n := &Node{name: name, cluster: c, program: program, number: len(c.nodes)}
	c.nodes = append(c.nodes, n)
	c.mu.Unlock()
	n.run(c.Network.Host(name), &simdisk.Disk{}, "starts")
	return n
}

// Note adds a remark to the story, such as "add 1 was acknowledged".
func (c *Cluster) Note(format string, args ...any) { c.tell(nil, fmt.Sprintf(format, args...)) }

// Wait says that the test has done what was to be interrupted, waits until nothing
// happens any more in this instant, and then until the nodes that an exploration has
// crashed are started again. It is itself a moment for such a crash: the one at which a
// node has promised something, and does nothing more about it. It must be called
// by the goroutine of the test's body.
func (c *Cluster) Wait() {
	synctest.Wait()
	c.mu.Lock()
	c.waits++
	call, nodes := c.waits, c.nodes
	c.mu.Unlock()
	for _, n := range nodes {
		n.at(wait, call)
	}
	for c.someAreDown() {
		synctest.Wait() // one that starts again may crash again
	}
}

// planned returns the crash that is planned for a moment, if there is one. A restart
// will follow.
func (c *Cluster) planned(m moment) *step {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.plan.of(m)
	if s == nil || c.stopping {
		return nil
	}
	c.down++
	return s
}

// someAreDown waits for planned restarts, and reports whether there were any.
func (c *Cluster) someAreDown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	down := c.down > 0
	for c.down > 0 {
		c.changed.Wait()
	}
	return down
}

// isUp says that what planned has announced was done.
func (c *Cluster) isUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down--
	c.changed.Broadcast()
}

// moments returns where a crash could have come in a run without one.
func (c *Cluster) moments() []choice {
	var choices []choice
	sent := c.Network.Events()
	add := func(m moment) { choices = append(choices, choice{moment: m, tried: map[try]bool{}}) }
	for _, n := range c.nodes {
		for i, asked := range n.asks {
			if i == 0 || i > len(n.dones) || busy(sent, n.name, c.start.Add(n.dones[i-1]), c.start.Add(asked)) {
				add(moment{n.name, before, i + 1})
			}
			if i < len(n.dones) {
				add(moment{n.name, after, i + 1})
			}
		}
		for i := range c.waits {
			add(moment{n.name, wait, i + 1})
		}
	}
	return choices
}

// busy reports whether a host did anything on the network between two instants.
func busy(events []simnet.Event, host string, from, to time.Time) bool {
	return slices.ContainsFunc(events, func(e simnet.Event) bool { return e.Host == host && !e.At.Before(from) && !e.At.After(to) })
}

// stop ends all programs.
func (c *Cluster) stop() {
	c.t.Helper()
	c.mu.Lock()
	c.stopping = true
	nodes := c.nodes
	c.mu.Unlock()
	for _, n := range nodes {
		n.stop()
	}
}

const patience = time.Minute // of virtual time, for a program whose context has ended

// tell adds to the story of a node, or of the test.
func (c *Cluster) tell(n *Node, text string) {
	e := event{column: 0, text: text}
	if n != nil {
		e.column = n.number + 1
	}
	c.keep(e)
}

// fail fails the test because of a program. What happens after that is no part of the
// story, since a test may go on asking for a long time.
func (c *Cluster) fail(n *Node, what, format string, args ...any) {
	c.tell(n, what)
	c.mu.Lock()
	if c.failed == 0 {
		c.failed = time.Since(c.start) + 1
	}
	c.mu.Unlock()
	c.t.Errorf(format, args...)
}

func (c *Cluster) keep(e event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e.at = time.Since(c.start)
	c.events = append(c.events, e)
}
