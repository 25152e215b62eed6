package simnet

import (
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"
)

// never is an instant that does not come.
const never = time.Duration(math.MaxInt64)

// mss is the most that a packet carries: the 1,500 bytes of Ethernet (RFC 894)
// without the headers of IPv4 (20), TCP (20) and the timestamps (RFC 7323, 12)
// that Linux sends by default.
const mss = 1500 - 20 - 20 - 12

// A pipe is one direction of a connection: the packets that are under way or
// have arrived and are not read, in order. The lock of the wire guards it. Whoever
// changes it wakes those who wait for the wire.
type pipe struct {
	link, back *link // the way of the data, and of the acknowledgements
	other      *pipe

	queue  []packet
	before time.Duration // when the packet ahead of the queue arrived
	last   time.Duration // when the last packet that is not held arrives
	free   time.Duration // when the link has bandwidth for the next
	window window

	backlog []packet      // behind the queue: what the sender's kernel keeps until there is room
	waiting int           // bytes of it
	opens   time.Duration // when there was room for what was sent last

	heldSince time.Duration // when the first packet that is held was sent, or never
	unacked   time.Duration // when the first one was sent that cannot be acknowledged, or never
	resetAt   time.Duration // when a reset arrives, or never
	finished  bool          // a FIN was sent
	busy      bool          // a Write is under way
}

type kind int

const (
	data kind = iota
	fin
	reset
)

func (k kind) String() string { return [...]string{"data", "FIN", "RST"}[k] }

// A packet is a TCP segment.
type packet struct {
	kind    kind
	data    []byte
	cut     int        // a Read ends after so many bytes of it; 0 means that none does
	dice    *rand.Rand // of the Write; nil if there are no data
	record  *written   // of the trace, likewise
	sent    time.Duration
	leaves  time.Duration // the time that it is not lost; never while it is held
	arrives time.Duration
}

func (p packet) held() bool { return p.leaves == never }

func newPipe(link, back *link) *pipe {
	return &pipe{
		link: link, back: back, window: newWindow(link.load().Buffer),
		heldSince: never, unacked: never, resetAt: never,
	}
}

// accepts reports whether a Write can send a packet: there is room for it, or the
// sender's kernel keeps it. That it does only while something is under way, so a peer
// that does not read stops the writer as soon as the window is full.
func (p *pipe) accepts(size int, now time.Duration) bool {
	if len(p.backlog) == 0 && p.window.space(now) >= size {
		return true
	}
	flows := p.last > now || p.window.nextSpace() != never
	return flows && p.waiting+size <= p.window.sendBuffer
}

// send puts a packet on its way, or behind those that wait for room. A reset does
// not wait, and they are gone.
func (p *pipe) send(pk packet, now time.Duration) {
	p.finished = p.finished || pk.kind == fin
	switch {
	case pk.kind == reset:
		p.dropBacklog()
		p.put(pk, now)
	case len(p.backlog) > 0 || p.window.space(now) < len(pk.data):
		p.backlog = append(p.backlog, pk)
		p.waiting += len(pk.data)
		p.drain(now)
	default:
		p.put(pk, now)
	}
}

func (p *pipe) dropBacklog() { p.backlog, p.waiting = nil, 0 }

// drain sends what waited for room, each packet when the news of that comes.
func (p *pipe) drain(now time.Duration) {
	for len(p.backlog) > 0 {
		pk := p.backlog[0]
		for p.window.room < len(pk.data) {
			at, ok := p.window.next()
			if !ok {
				return
			}
			p.opens = max(p.opens, at)
		}
		if p.link.load().fault == Reset {
			p.reset(max(now, p.opens), pk.record)
			return
		}
		p.put(pk, max(now, p.opens))
		p.waiting -= len(pk.data)
		p.backlog[0] = packet{}
		p.backlog = p.backlog[1:]
	}
}

// reset is what the link does to what is sent, and so to both ends.
func (p *pipe) reset(at time.Duration, record *written) {
	if record != nil {
		record.reset = true
	}
	p.send(packet{kind: reset}, at)
	p.other.send(packet{kind: reset}, p.resetAt)
}

// put lets a packet leave, unless the link is a black hole.
func (p *pipe) put(pk packet, at time.Duration) {
	f := p.fate(pk, at)
	pk.sent, pk.leaves, pk.arrives = at, never, never
	p.window.room -= len(pk.data)
	if f.fault == BlackHole || p.heldSince != never {
		p.heldSince = min(p.heldSince, at)
	} else {
		p.depart(&pk, at, f)
	}
	if pk.kind != reset && (pk.held() || p.back.load().fault == BlackHole) {
		p.unacked = min(p.unacked, at)
	}
	if pk.record != nil {
		pk.record.add(len(pk.data), f, pk.arrives)
	}
	p.queue = append(p.queue, pk)
}

func (p *pipe) fate(pk packet, at time.Duration) fate {
	if pk.dice == nil {
		return p.link.fate(at, pk.kind.String())
	}
	return p.link.throw(pk.dice)
}

// depart lets a packet leave at an instant or when the link has bandwidth for it,
// and sets when it arrives, behind those sent before.
func (p *pipe) depart(pk *packet, at time.Duration, f fate) {
	at = max(at, p.opens)
	if f.bandwidth > 0 {
		at = max(at, p.free) + time.Duration(len(pk.data))*time.Second/time.Duration(f.bandwidth)
		p.free = at
	}
	pk.leaves = at + f.late
	pk.arrives = max(p.last, pk.leaves+f.latency)
	p.last = pk.arrives
	if pk.kind == reset {
		p.resetAt = pk.arrives
	}
}

// take reads what has arrived, as far as one Read gets it, or the end of it. It
// reports false if that is nothing.
func (p *pipe) take(b []byte, now time.Duration) (n int, ok bool, err error) {
	for cut := false; n < len(b) && !cut && p.hasArrived(now); {
		head := &p.queue[0]
		if head.kind != data {
			if n > 0 {
				break
			}
			if head.kind == reset {
				return 0, true, syscall.ECONNRESET
			}
			return 0, true, io.EOF
		}
		part := head.data
		if head.cut > 0 {
			part = part[:head.cut]
		}
		k := copy(b[n:], part)
		n += k
		cut = k == head.cut
		head.cut = max(0, head.cut-k)
		if head.data = head.data[k:]; len(head.data) == 0 {
			p.before = head.arrives
			p.queue[0] = packet{}
			p.queue = p.queue[1:]
		}
	}
	if n > 0 {
		p.window.read(n, now, p.link.load(), p.back.load())
		p.drain(now)
	}
	return n, n > 0, nil
}

func (p *pipe) hasArrived(now time.Duration) bool {
	return len(p.queue) > 0 && p.queue[0].arrives <= now
}

// nextArrival returns when there will be something to read.
func (p *pipe) nextArrival() time.Duration {
	if len(p.queue) == 0 {
		return never
	}
	return p.queue[0].arrives
}

// timeout returns when the sender gives up on what is not acknowledged.
func (p *pipe) timeout() time.Duration {
	if p.unacked == never {
		return never
	}
	return p.unacked + dataTimeout
}

// hold keeps what has not left yet, since the link became a black hole.
func (p *pipe) hold(now time.Duration) {
	from := slices.IndexFunc(p.queue, func(pk packet) bool { return pk.leaves > now })
	if from < 0 {
		return
	}
	p.heldSince = p.queue[from].sent
	p.unacked = min(p.unacked, p.heldSince)
	p.free = 0
	for i := from; i < len(p.queue); i++ {
		pk := &p.queue[i]
		pk.leaves, pk.arrives = never, never
		if pk.kind == reset {
			p.resetAt = never
		}
	}
	p.last = p.before
	if from > 0 {
		p.last = p.queue[from-1].arrives
	}
}

// release lets what is held leave, since the link is no black hole any more: when
// the first of it is sent again, the rest follows.
func (p *pipe) release(now time.Duration) {
	if p.heldSince == never {
		return
	}
	from := slices.IndexFunc(p.queue, packet.held)
	if now >= p.timeout() {
		p.queue = p.queue[:from]
		return // the sender has given up, and stays so
	}
	leaves := nextTry(p.heldSince, now)
	for i := from; i < len(p.queue); i++ {
		pk := &p.queue[i]
		p.depart(pk, leaves, p.fate(*pk, leaves))
	}
	p.heldSince = never
}

// unanswered notes what will not be acknowledged, since the way back became a
// black hole: what arrives from now on.
func (p *pipe) unanswered(now time.Duration) {
	first := slices.IndexFunc(p.queue, func(pk packet) bool { return pk.arrives > now && pk.kind != reset })
	if first >= 0 {
		p.unacked = min(p.unacked, p.queue[first].sent)
	}
}
