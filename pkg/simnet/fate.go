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
	fault   Fault
	latency time.Duration
	lost    int           // so many times
	late    time.Duration // until it is sent the time that it is not lost
}

// fate decides what happens to a packet that leaves at an instant. It depends on
// nothing but its arguments and the link, so it does not matter in which order
// goroutines ask.
func (l *link) fate(at time.Duration, packet []byte) fate {
	c := l.load()
	f := fate{fault: c.fault, latency: c.Latency}
	if c.Jitter == 0 && c.Loss == 0 {
		return f
	}
	random := l.source(at, packet)
	if c.Jitter > 0 {
		f.latency += time.Duration(random.Int64N(int64(c.Jitter) + 1))
	}
	for wait := firstRetry; f.lost < dataRetries && random.Float64() < c.Loss; wait = longer(wait) {
		f.lost++
		f.late += wait
	}
	return f
}

// source seeds a generator with a hash of all that tells the packet from others.
func (l *link) source(at time.Duration, packet []byte) *rand.Rand {
	h := sha256.New()
	fmt.Fprintf(h, "%d %q %q %d ", l.seed, l.from, l.to, at)
	h.Write(packet)
	sum := h.Sum(nil)
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum), binary.LittleEndian.Uint64(sum[8:])))
}
