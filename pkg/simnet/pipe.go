package simnet

import (
	"io"
	"math"
	"slices"
	"syscall"
	"time"
)

// never is an instant that does not come.
const never = time.Duration(math.MaxInt64)

// A pipe is one direction of a connection: the packets that are under way or
// have arrived and are not read, in order. The lock of the wire guards it. Whoever
// changes it wakes those who wait for the wire.
type pipe struct {
	link, back *link // the way of the data, and of the news that there is room
	capacity   int

	queue   []packet
	last    time.Duration // when the last packet of the queue arrives, or the one before it did
	used    int           // bytes of the capacity
	credits []credit      // room that the writer will hear of

	heldSince time.Duration // when the first packet that is held was sent, or never
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

// A packet is what one Write sent, or as much of it as there was room for.
type packet struct {
	kind    kind
	data    []byte
	sent    time.Duration
	leaves  time.Duration // the time that it is not lost; never while it is held
	arrives time.Duration
}

func (p packet) held() bool { return p.leaves == never }

// A credit is room for n bytes, of which the writer knows from an instant on.
type credit struct {
	n  int
	at time.Duration // never while the way back is a black hole
}

func newPipe(link, back *link) *pipe {
	p := &pipe{link: link, back: back, heldSince: never, resetAt: never}
	if p.capacity = link.load().Buffer; p.capacity == 0 {
		p.capacity = defaultBuffer
	}
	return p
}

// send puts a packet on its way and returns when it arrives.
func (p *pipe) send(k kind, b []byte, now time.Duration, f fate) time.Duration {
	pk := packet{kind: k, data: slices.Clone(b), sent: now}
	p.used += len(b)
	p.finished = p.finished || k == fin
	if f.fault == BlackHole || p.heldSince != never {
		pk.leaves = never
		p.heldSince = min(p.heldSince, now)
	} else {
		pk.leaves = now + f.late
	}
	p.schedule(&pk, f.latency)
	p.queue = append(p.queue, pk)
	return pk.arrives
}

// schedule sets when a packet arrives, behind those sent before.
func (p *pipe) schedule(pk *packet, latency time.Duration) {
	pk.arrives = never
	if !pk.held() {
		pk.arrives = max(p.last, pk.leaves+latency)
		p.last = pk.arrives
	}
	if pk.kind == reset {
		p.resetAt = pk.arrives
	}
}

// take reads what has arrived, or the end of it. It reports false if that is
// nothing.
func (p *pipe) take(b []byte, now time.Duration) (n int, ok bool, err error) {
	for n < len(b) && p.hasArrived(now) {
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
		k := copy(b[n:], head.data)
		n += k
		if head.data = head.data[k:]; len(head.data) == 0 {
			p.queue = slices.Delete(p.queue, 0, 1)
		}
	}
	if n > 0 {
		p.credit(n, now)
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

// credit tells the writer that n bytes were read. Such news is not lost one by
// one, since the next says the same; a black hole swallows all of it.
func (p *pipe) credit(n int, now time.Duration) {
	c := p.back.load()
	at := now + c.Latency
	if c.fault == BlackHole {
		at = never
	}
	p.credits = append(p.credits, credit{n, at})
}

// space returns for how many bytes there is room, as far as the writer knows.
func (p *pipe) space(now time.Duration) int {
	p.credits = slices.DeleteFunc(p.credits, func(c credit) bool {
		if c.at > now {
			return false
		}
		p.used -= c.n
		return true
	})
	return p.capacity - p.used
}

// nextSpace returns when the writer hears of more room.
func (p *pipe) nextSpace() time.Duration {
	at := never
	for _, c := range p.credits {
		at = min(at, c.at)
	}
	return at
}

// timeout returns when the sender gives up on what is held.
func (p *pipe) timeout() time.Duration {
	if p.heldSince == never {
		return never
	}
	return p.heldSince + dataTimeout
}

// hold keeps what has not left yet, since the link became a black hole.
func (p *pipe) hold(now time.Duration) {
	from := slices.IndexFunc(p.queue, func(pk packet) bool { return pk.leaves > now })
	if from < 0 {
		return
	}
	p.heldSince = p.queue[from].sent
	for i := from; i < len(p.queue); i++ {
		p.queue[i].leaves = never
		p.schedule(&p.queue[i], 0)
	}
	p.last = 0
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
		f := p.link.fate(leaves, pk.data)
		pk.leaves = leaves + f.late
		p.schedule(pk, f.latency)
	}
	p.heldSince = never
}

// releaseCredits lets the writer hear of room, since the way back is open again.
func (p *pipe) releaseCredits(now time.Duration) {
	for i := range p.credits {
		if p.credits[i].at == never {
			p.credits[i].at = now + p.back.load().Latency
		}
	}
}
