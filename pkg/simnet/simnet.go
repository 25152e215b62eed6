package simnet

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// A Network joins hosts. The zero value is ready: a perfect network, without
// delay. Set the fields before the first use and do not copy it after. All methods
// are safe for concurrent use, and links may change while connections are open.
type Network struct {
	// Seed decides jitter and loss. Equal seeds give equal runs.
	Seed uint64

	// Default is how every link is for which SetLink was not called.
	Default Link

	once  sync.Once
	start time.Time // of the clock that now reads

	mu       sync.Mutex
	hosts    map[string]*Host
	ips      map[netip.Addr]*Host
	names    map[string]func(context.Context) ([]netip.Addr, error)
	links    map[[2]string]*link
	wires    map[*wire]struct{} // dialling or open
	finished []*wire            // for the trace
	changes  []event            // of links
	lookups  []line
	gone     time.Duration // the trace has forgotten what happened up to here
}

// Link says how packets fare on the way from one host to another. The zero value
// is a perfect link. Its fields cannot be negative.
type Link struct {
	// Latency is how long a packet takes, one way.
	Latency time.Duration

	// Jitter is how much longer it may take, at most; how much is random.
	Jitter time.Duration

	// Loss is the share of packets that get lost, below 1. TCP sends them again,
	// so programs see a delay.
	Loss float64

	// Bandwidth is how many bytes a second each connection carries, this way,
	// headers not counted. Zero means that there is no limit.
	Bandwidth int

	// Buffer is how many bytes of a connection can be under way or unread, this
	// way, before Write waits. Zero means what Linux does: a window of 64 KiB, twice as
	// large whenever a reader that keeps up reads more than half of it within a round
	// trip, up to 6 MiB; and 4 MiB that the sender keeps while packets are under way. A
	// connection keeps the buffer that it was made with.
	Buffer int
}

func (l Link) check() {
	if l.Latency < 0 || l.Jitter < 0 || l.Bandwidth < 0 || l.Buffer < 0 || !(l.Loss >= 0 && l.Loss < 1) {
		panic(fmt.Sprintf("simnet: %+v: no field can be negative, and Loss must be below 1 (a link that loses all is a BlackHole)", l))
	}
}

// A Fault is how a link is broken.
type Fault int

const (
	// Healthy is a link that is not broken.
	Healthy Fault = iota

	// Refuse turns away new connections from this side, as if nobody listened. Open
	// ones are not touched.
	Refuse

	// Reset lets connections be made, and resets them, for both ends, as soon as
	// something is sent this way.
	Reset

	// BlackHole swallows everything sent this way, without a word. What was on its
	// way already arrives. Once it is healed, what was swallowed is sent again.
	BlackHole
)

// String returns what the trace calls the fault.
func (f Fault) String() string {
	switch f {
	case Healthy:
		return "healthy"
	case Refuse:
		return "refuses"
	case Reset:
		return "resets"
	case BlackHole:
		return "black hole"
	}
	return fmt.Sprintf("Fault(%d)", int(f))
}

// SetLink says how packets fare from one host to another, this way only. It is
// for those sent from now on. It neither breaks nor heals the link. It panics if a
// field is out of its range. Here, as in Fail, Partition and Heal, a host can be
// told by an address that it has already.
func (n *Network) SetLink(from, to string, l Link) {
	l.check()
	n.change(from, to, func(c conditions) conditions { c.Link = l; return c })
}

// Fail breaks the link from one host to another, this way only, until another
// Fail or Heal.
func (n *Network) Fail(from, to string, f Fault) {
	n.change(from, to, func(c conditions) conditions { c.set = f; return c })
}

// Partition turns the link between two hosts into a black hole both ways.
func (n *Network) Partition(a, b string) {
	n.Fail(a, b, BlackHole)
	n.Fail(b, a, BlackHole)
}

// Heal ends whatever Fail and Partition did between two hosts, both ways. What a
// black hole swallowed arrives when TCP next sends it again.
func (n *Network) Heal(a, b string) {
	n.Fail(a, b, Healthy)
	n.Fail(b, a, Healthy)
}

// change gives a link other conditions, and sees to the packets that wait for it.
func (n *Network) change(from, to string, f func(conditions) conditions) {
	l := n.link(n.nameOf(from), n.nameOf(to))
	n.mu.Lock()
	defer n.mu.Unlock()
	if was, is := n.alter(l, f); was.set != is.set {
		n.changes = append(n.changes, event{at: n.now(), text: fmt.Sprintf("%s → %s: %v", l.from, l.to, is.set)})
	}
}

// alter does so while the network is locked, and returns what held and what holds.
func (n *Network) alter(l *link, f func(conditions) conditions) (was, is conditions) {
	was = l.load()
	is = f(was).settled()
	l.now.Store(&is)
	if (is.fault == BlackHole) == (was.fault == BlackHole) {
		return was, is
	}
	// A Write that saw the old conditions has its wire locked, so its packet is
	// there when this gets the lock; one that comes later sees the new ones.
	for w := range n.wires {
		w.changed(l, is.fault == BlackHole)
	}
	return was, is
}

// now is the time since it was first asked for, which SetLink does not do, so that
// links can be described in a table outside the bubble.
func (n *Network) now() time.Duration {
	t, ok := n.clock()
	if !ok {
		panic("simnet: the network was used both inside and outside a bubble, which have different clocks: make it and its servers in the body of the bubble")
	}
	return t
}

// clock reports false if it is asked with another clock than before.
func (n *Network) clock() (now time.Duration, ok bool) {
	n.once.Do(func() { n.start = time.Now() })
	now = time.Since(n.start)
	return now, now.Abs() < 20*365*24*time.Hour
}

// link returns the link from one host to another.
func (n *Network) link(from, to string) *link {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.links[[2]string{from, to}]
	if l == nil {
		n.Default.check()
		l = &link{from: from, to: to, seed: n.Seed}
		c := conditions{Link: n.Default, down: n.isDown(from) || n.isDown(to)}.settled()
		l.now.Store(&c)
		if n.links == nil {
			n.links = map[[2]string]*link{}
		}
		n.links[[2]string{from, to}] = l
	}
	return l
}

// A link is the way from one host to another.
type link struct {
	from, to string
	seed     uint64
	now      atomic.Pointer[conditions] // not a lock, which would order those who write
	dialled  atomic.Int64               // connections made this way; each gets a port
}

// conditions are what holds for a link at the moment.
type conditions struct {
	Link

	set   Fault // by Fail
	down  bool  // one of the hosts is without power
	fault Fault // what comes of both
}

func (c conditions) settled() conditions {
	c.fault = c.set
	if c.down {
		c.fault = BlackHole
	}
	return c
}

func (l *link) load() conditions { return *l.now.Load() }
