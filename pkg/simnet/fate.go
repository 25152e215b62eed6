package simnet

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"
)

// When TCP sends again, and when it gives up: the constants and defaults of
// Linux (TCP_RTO_MIN, TCP_RTO_MAX, tcp_retries2, TCP_TIMEOUT_INIT,
// tcp_syn_retries). RFC 6298 has the algorithm.
const (
	firstRetry  = 200 * time.Millisecond
	longestWait = 120 * time.Second
	dataRetries = 15
	synRetry    = time.Second
	synRetries  = 6
)

// dataTimeout is how long data can be unacknowledged: 924.6 s.
var dataTimeout = func() (total time.Duration) {
	wait := firstRetry
	for range dataRetries + 1 {
		total += wait
		wait = longer(wait)
	}
	return total
}()

func longer(wait time.Duration) time.Duration { return min(2*wait, longestWait) }

// nextTry returns when a packet that was first sent at an instant is sent
// again, at or after another.
func nextTry(sent, from time.Duration) time.Duration {
	at, wait := sent, firstRetry
	for at < from {
		at += wait
		wait = longer(wait)
	}
	return at
}

// A fate is what happens to a packet on a link.
type fate struct {
	fault     Fault
	latency   time.Duration
	bandwidth int
	lost      int           // so many times
	late      time.Duration // until it is sent the time that it is not lost
}

// fate decides what happens to a packet without data that leaves at an instant.
func (l *link) fate(at time.Duration, packet string) fate {
	if c := l.load(); c.Jitter == 0 && c.Loss == 0 {
		return fate{fault: c.fault, latency: c.Latency, bandwidth: c.Bandwidth}
	}
	return l.throw(l.dice(at, []byte(packet)))
}

// throw decides what happens to the next packet of a Write that threw the dice for
// those before it.
func (l *link) throw(dice *rand.Rand) fate {
	c := l.load()
	f := fate{fault: c.fault, latency: c.Latency, bandwidth: c.Bandwidth}
	if c.Jitter > 0 {
		f.latency += time.Duration(dice.Int64N(int64(c.Jitter) + 1))
	}
	if c.Loss > 0 {
		for wait := firstRetry; f.lost < dataRetries && dice.Float64() < c.Loss; wait = longer(wait) {
			f.lost++
			f.late += wait
		}
	}
	return f
}

// cut decides where a Read ends that comes to a packet of some size, or 0. Three of
// four are cut at any byte, the end included, so a Read gets a part of a message, a
// whole one, or one and a part.
func cut(dice *rand.Rand, size int) int {
	if dice.IntN(4) == 0 {
		return 0
	}
	return 1 + dice.IntN(size)
}

// dice seeds a generator with a hash of all that tells a Write from others. It
// depends on nothing but its arguments and the link, so it does not matter in
// which order goroutines ask.
func (l *link) dice(at time.Duration, sent []byte) *rand.Rand {
	h := sha256.New()
	var b [128]byte
	head := binary.LittleEndian.AppendUint64(b[:0], l.seed)
	head = binary.LittleEndian.AppendUint64(head, uint64(at))
	head = fmt.Appendf(head, "%q %q ", l.from, l.to)
	h.Write(head)
	h.Write(sent)
	sum := h.Sum(b[:0])
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum), binary.LittleEndian.Uint64(sum[8:])))
}
