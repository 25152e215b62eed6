package simnet

import (
	"fmt"
	"net"
	"time"
)

// keepAlive is how an end finds out that its peer does not answer any more: after
// a while without news it probes, and after so many probes without an answer it
// gives up. The zero value never does.
type keepAlive struct {
	idle, interval time.Duration
	count          int
}

// The defaults of net.Dialer and net.ListenConfig.
const (
	keepAliveTime  = 15 * time.Second
	keepAliveCount = 9
)

func defaultKeepAlive() keepAlive { return keepAlive{keepAliveTime, keepAliveTime, keepAliveCount} }

// keepAliveOf reads the fields of a net.Dialer as package net does.
func keepAliveOf(d *net.Dialer) keepAlive {
	k := defaultKeepAlive()
	if !d.KeepAliveConfig.Enable {
		switch {
		case d.KeepAlive < 0:
			return keepAlive{}
		case d.KeepAlive > 0:
			k.idle, k.interval = d.KeepAlive, d.KeepAlive
		}
		return k
	}
	// Negative values leave what Linux has: tcp_keepalive_time, _intvl and _probes.
	k.idle = choose(d.KeepAliveConfig.Idle, k.idle, 7200*time.Second)
	k.interval = choose(d.KeepAliveConfig.Interval, k.interval, 75*time.Second)
	k.count = choose(d.KeepAliveConfig.Count, k.count, 9)
	return k
}

func choose[T int | time.Duration](value, zero, negative T) T {
	switch {
	case value == 0:
		return zero
	case value < 0:
		return negative
	}
	return value
}

// patience is for how long nothing is heard until the end gives up.
func (k keepAlive) patience() time.Duration { return k.idle + time.Duration(k.count)*k.interval }

// listenFor sees to an end whose links are broken, or no longer. Probes that are
// answered change nothing, so they are not sent, and a bubble's clock can stand
// still on a healthy network. Once either way is a black hole, what counts is when
// the last one was answered.
func (c *Conn) listenFor(now time.Duration) {
	switch deaf := c.out.link.load().fault == BlackHole || c.in.link.load().fault == BlackHole; {
	case !deaf:
		c.heard = never
		c.out.unacked = never
	case c.heard == never:
		c.heard = max(c.born, c.in.last) // the handshake, or data
		if c.out.last > 0 {
			c.heard = max(c.heard, c.out.last+c.in.link.load().Latency) // an acknowledgement
		}
		if c.keepAlive.idle > 0 {
			c.heard += max(0, now-c.heard).Truncate(c.keepAlive.idle)
		}
	}
}

// silence returns when the end gives up since nobody answers its probes. While
// data are not acknowledged they are sent again, and there are no probes.
func (c *Conn) silence() time.Duration {
	if c.heard == never || c.keepAlive.idle == 0 || c.out.unacked != never {
		return never
	}
	return max(c.heard, c.in.last) + c.keepAlive.patience()
}

// timeout returns when the end gives up on its peer.
func (c *Conn) timeout() time.Duration { return min(c.out.timeout(), c.silence()) }

// givenUp reports whether the end has given up on its peer.
func (c *Conn) givenUp(now time.Duration) bool {
	at := c.timeout()
	if c.dead || c.closed || now < at {
		return c.dead
	}
	c.dead = true
	c.out.dropBacklog()
	why := "nothing was acknowledged for " + dataTimeout.String()
	if at == c.silence() {
		why = fmt.Sprintf("nothing was heard for %v, and no keep-alive probe was answered", c.keepAlive.patience())
	}
	c.wire.note(event{at: at, side: c.side, text: "gives up: " + why})
	return true
}
