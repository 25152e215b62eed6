package simnet

import (
	"slices"
	"time"
)

// The receive window of Linux: where it begins and how far it grows by itself
// (half of the default, and the largest value, of tcp_rmem = 4096 131072 6291456;
// see tcp(7)).
const firstWindow, lastWindow = 64 << 10, 6 << 20

// keptBySender is what the sender's kernel keeps until there is room (the largest
// value of tcp_wmem = 4096 16384 4194304).
const keptBySender = 4 << 20

// A window is how much of a pipe can be under way or unread. The reader opens it,
// and the writer hears of that a way back later.
type window struct {
	size, limit int // as the reader has it
	since       time.Duration
	copied      int // bytes read since then

	room       int // for so many bytes, as far as the writer knows
	credits    []credit
	sendBuffer int
}

// A credit is room for n bytes, of which the writer knows from an instant on.
type credit struct {
	n  int
	at time.Duration // never while the way back is a black hole
}

func newWindow(buffer int) window {
	if buffer > 0 {
		return window{size: buffer, limit: buffer, room: buffer}
	}
	return window{size: firstWindow, limit: lastWindow, room: firstWindow, sendBuffer: keptBySender}
}

// segment is the size of the packets. Nothing shorter is sent but the end of a
// Write, or tiny packets would fill tiny rooms (RFC 9293 §3.8.6.2.1).
func (w *window) segment() int { return min(mss, w.limit) }

// read tells the writer that n bytes were read. Such news is not lost one by
// one, since the next says the same; a black hole swallows all of it.
func (w *window) read(n int, now time.Duration, there, back conditions) {
	at := now + back.Latency
	if back.fault == BlackHole {
		at = never
	}
	n += w.grow(n, now, there.Latency+there.Jitter+back.Latency+back.Jitter)
	if last := len(w.credits) - 1; last >= 0 && w.credits[last].at == at {
		w.credits[last].n += n
		return
	}
	w.credits = append(w.credits, credit{n, at})
}

// grow doubles the window of a reader that keeps up, as Linux does ("dynamic
// right-sizing", tcp_rcv_space_adjust): when more than half of it was read within
// a round trip, it is what holds the sender back. It returns how much was added.
func (w *window) grow(n int, now, roundTrip time.Duration) int {
	if w.size == w.limit || roundTrip == 0 {
		return 0
	}
	if now-w.since > roundTrip {
		w.since, w.copied = now, 0
	}
	if w.copied += n; w.copied <= w.size/2 {
		return 0
	}
	more := min(w.size, w.limit-w.size)
	w.size += more
	w.since, w.copied = now, 0
	return more
}

// space returns for how many bytes there is room, as far as the writer knows.
func (w *window) space(now time.Duration) int {
	w.credits = slices.DeleteFunc(w.credits, func(c credit) bool {
		if c.at > now {
			return false
		}
		w.room += c.n
		return true
	})
	return w.room
}

// next makes room that the writer will hear of, and returns when it does.
func (w *window) next() (at time.Duration, ok bool) {
	if len(w.credits) == 0 || w.credits[0].at == never {
		return never, false
	}
	c := w.credits[0]
	w.credits = w.credits[1:]
	w.room += c.n
	return c.at, true
}

// nextSpace returns when the writer hears of more room.
func (w *window) nextSpace() time.Duration {
	at := never
	for _, c := range w.credits {
		at = min(at, c.at)
	}
	return at
}

// release lets the writer hear of room, since the way back is open again.
func (w *window) release(now, latency time.Duration) {
	for i := range w.credits {
		if w.credits[i].at == never {
			w.credits[i].at = now + latency
		}
	}
}
