package teamserve

import (
	"net"
	"net/netip"
	"sync"
)

// doors bounds how many connections are open, in all and from one source. A room behind one address has a laptop's
// two connections for each pair and a few boards.
type doors struct {
	mu    sync.Mutex
	open  map[netip.Addr]int // guarded by mu
	total int                // guarded by mu
}

const (
	maxOpen       = 1024
	maxFromSource = 300
)

func newDoors() *doors { return &doors{open: map[netip.Addr]int{}} }

func (d *doors) limit(l net.Listener) net.Listener { return &door{l, d} }

type door struct {
	net.Listener
	doors *doors
}

// Accept returns the next connection that may be open. One too many is closed at once.
func (l *door) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := sourceAt(conn.RemoteAddr().String())
		if l.doors.take(from) {
			return &guest{Conn: conn, leave: sync.OnceFunc(func() { l.doors.give(from) })}, nil
		}
		_ = conn.Close() // it is one too many
	}
}

func (d *doors) take(from netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.total >= maxOpen || d.open[from] >= maxFromSource {
		return false
	}
	d.total++
	d.open[from]++
	return true
}

func (d *doors) give(from netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total--
	if d.open[from]--; d.open[from] == 0 {
		delete(d.open, from)
	}
}

type guest struct {
	net.Conn
	leave func()
}

func (g *guest) Close() error {
	g.leave()
	return g.Conn.Close()
}
