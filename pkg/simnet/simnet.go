// Package simnet is a network in memory and in virtual time, for testing what a
// service does when the network fails.
//
// Latency, loss and partitions are where services break, and a real network
// fails neither on demand nor twice in the same way. Here hosts have names,
// connections are [net.Conn], an [http.Client] and an [http.Server] work
// unchanged, and each link between two hosts can be slow, lossy or broken, each
// way by itself, while connections are open. In a bubble of
// [testing/synctest] an hour of outage takes no time, and one seed gives one
// outcome, in every run:
//
//	bubble.Run(t, func(t *testing.T) {
//		network := simnet.Network{Seed: 1, Default: simnet.Link{Latency: 5 * time.Millisecond}}
//		shop, prices := network.Host("shop"), network.Host("prices")
//		server := simnet.NewTestServer(t, prices, handler)
//		client := shop.Client()
//		defer client.CloseIdleConnections()
//
//		network.Partition("shop", "prices")
//		time.AfterFunc(5*time.Second, func() { network.Heal("shop", "prices") })
//		resp, err := client.Get(server.URL + "/price/1")
//		...
//		if failed {
//			t.Errorf("...\n%s", network.Trace())
//		}
//	})
//
// [Network.Trace] tells a failed test what passed:
//
//	    0s  network              shop → prices: black hole
//	    0s  network              prices → shop: black hole
//	    0s  shop → prices:80 #1  dials
//	    0s  shop → prices:80 #1  SYN is swallowed
//	    1s  shop → prices:80 #1  SYN is swallowed
//	    3s  shop → prices:80 #1  SYN is swallowed
//	    5s  network              shop → prices: healthy
//	    5s  network              prices → shop: healthy
//	 7.01s  shop → prices:80 #1  is connected
//	 7.01s  shop → prices:80 #1  GET /price/1 HTTP/1.1 · 94 B, arrives at 7.015s
//	7.015s  prices:80 → shop #1  HTTP/1.1 200 OK · 120 B, arrives at 7.02s
//
// The nearest peers are net.Pipe, which has no buffer, grpc's bufconn, which has
// no network, the in-memory server of net/http/httptest of Go 1.27, which has one
// host and no faults, and the simulators glycerine/gosimnet and
// jpgomesr/netchaos.
//
// # How it behaves
//
// As TCP between two Linux machines, as far as a program can see it:
//
//   - A dial takes a round trip. The peer accepts when the third segment arrives.
//     Where nobody listens, the dial is refused after a round trip.
//   - What one Write sends is one packet, whatever its size, and arrives after the
//     latency and a random part of the jitter, never before what was sent earlier.
//   - A lost packet is sent again after 200 ms, then 400 ms and so on up to 120 s
//     (a SYN after 1 s, then 2 s and so on). So loss and a healed black hole are seen
//     as delay, and what was sent behind it waits too.
//   - A dial that gets no answer gives up after 127 s, a connection whose data are
//     not acknowledged after 924.6 s, both with [syscall.ETIMEDOUT]. These are the
//     defaults tcp_syn_retries = 6 and tcp_retries2 = 15.
//   - Sent and not yet read are at most [Link.Buffer] bytes, then Write waits. The
//     news that there is room takes the way back, and is lost there too.
//   - Close says goodbye behind the data, or resets the connection if it leaves
//     data unread. Data for an end that was closed are answered by a reset.
//   - Errors are those of package net: a [net.OpError] around a deadline, a
//     [syscall.Errno] or [net.ErrClosed]; [io.EOF] at the end.
//
// # How it is decided
//
// Goroutines that wake in the same instant run in any order, so a random source
// that they share would give different outcomes from run to run. Here the fate of
// a packet is a function of the seed, the two hosts, the instant and the bytes
// themselves, and nothing else. The trace puts what happened in the same instant
// into an order of its own, and numbers the connections in it.
//
// No lock is shared by two connections while they read and write, so the network
// does not order goroutines that the code under test leaves unordered, and the race
// detector sees what it would see on a real one.
//
// # Cost
//
// On two cores a request on a kept connection takes about 30 µs, in a bubble or
// not, and about 45 µs over loopback; BenchmarkRequest compares them.
//
// # Limits
//
// Equal bytes sent between the same hosts in the same instant have the same fate.
//
// With no latency everything happens in one instant, and where both ends of a
// connection write in it, the trace may list them in either order.
//
// There is no bandwidth, no congestion control, no keep-alive probe, no TLS of
// its own, no UDP and no name service: whoever waits for an answer that was
// swallowed, and sends nothing, waits for ever. A time to send again is not
// adapted to the round trip. A host that was named exists for ever; stop its
// servers to take it down.
//
// A Network belongs into the bubble in which it is used: a use inside and another
// outside panic. Only SetLink can be called before. Outside of bubbles it works in
// real time.
package simnet

import (
	"fmt"
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
	links    map[[2]string]*link
	wires    map[*wire]struct{} // dialling or open
	finished []*wire            // for the trace
	changes  []event            // of links
	gone     time.Duration      // the trace has forgotten what happened up to here
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

	// Buffer is how many bytes of a connection can be under way or unread, this
	// way, before Write waits. Zero means 64 KiB. A connection keeps the buffer that
	// it was made with.
	Buffer int
}

const defaultBuffer = 64 << 10

func (l Link) check() {
	if l.Latency < 0 || l.Jitter < 0 || l.Buffer < 0 || !(l.Loss >= 0 && l.Loss < 1) {
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
// field is out of its range.
func (n *Network) SetLink(from, to string, l Link) {
	l.check()
	n.change(from, to, func(c conditions) conditions { c.Link = l; return c })
}

// Fail breaks the link from one host to another, this way only, until another
// Fail or Heal.
func (n *Network) Fail(from, to string, f Fault) {
	n.change(from, to, func(c conditions) conditions { c.fault = f; return c })
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
	l := n.link(from, to)
	n.mu.Lock()
	defer n.mu.Unlock()
	old := l.load()
	c := f(old)
	l.now.Store(&c)
	if c.fault == old.fault {
		return
	}
	n.changes = append(n.changes, event{at: n.now(), text: fmt.Sprintf("%s → %s: %v", from, to, c.fault)})
	// A Write that saw the old conditions has its wire locked, so its packet is
	// there when this gets the lock; one that comes later sees the new ones.
	for w := range n.wires {
		w.changed(l, old.fault, c.fault)
	}
}

// Host returns the host of that name, and makes it if there is none.
func (n *Network) Host(name string) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hosts[name]
	if h == nil {
		h = &Host{name: name, net: n, listeners: map[int]*Listener{}}
		if n.hosts == nil {
			n.hosts = map[string]*Host{}
		}
		n.hosts[name] = h
	}
	return h
}

// lookup returns the host of that name, or nil.
func (n *Network) lookup(name string) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hosts[name]
}

// now is the time since it was first asked for, which SetLink does not do, so that
// links can be described in a table outside the bubble.
func (n *Network) now() time.Duration {
	n.once.Do(func() { n.start = time.Now() })
	t := time.Since(n.start)
	if t.Abs() > 20*365*24*time.Hour {
		panic("simnet: the network was used both inside and outside a bubble, which have different clocks")
	}
	return t
}

// link returns the link from one host to another.
func (n *Network) link(from, to string) *link {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.links[[2]string{from, to}]
	if l == nil {
		n.Default.check()
		l = &link{from: from, to: to, seed: n.Seed}
		l.now.Store(&conditions{Link: n.Default})
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

	fault Fault
}

func (l *link) load() conditions { return *l.now.Load() }
