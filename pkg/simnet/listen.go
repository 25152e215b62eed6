package simnet

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
)

// Listen listens at a port of the host: at all its addresses, as with ":80",
// "0.0.0.0:80" and "[::]:80", or at one, as with "10.0.0.1:80" and "127.0.0.1:80".
// Port 0 means one that is free. The name of the host stands for its first address,
// or for all of a host that has a name alone, as does localhost there. The network
// is "tcp", or "tcp4" and "tcp6" for the addresses of these alone.
func (h *Host) Listen(network, address string) (*Listener, error) {
	err := h.alive()
	var l *Listener
	if err == nil {
		l, err = h.listen(network, address)
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	taken := func() bool { return slices.ContainsFunc(h.listeners, l.overlaps) }
	if l.port == 0 {
		for l.port = firstPort; taken() && l.port < lastPort; {
			l.port++
		}
	}
	l.addr = l.address()
	if taken() {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: l.addr, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	h.listeners = append(h.listeners, l)
	return l, nil
}

// listen reads where to listen.
func (h *Host) listen(network, address string) (*Listener, error) {
	name, port, err := split(network, address)
	if err != nil {
		return nil, err
	}
	l := &Listener{host: h, network: network, port: port}
	l.changed.L = &l.mu
	ip, literal := parseIP(name)
	if name == "" || literal && ip.IsUnspecified() {
		return l, nil
	}
	targets, err := h.targets(context.Background(), network, address)
	if err != nil {
		return nil, err
	}
	if targets[0].host != h {
		return nil, os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)
	}
	l.ip = targets[0].ip
	return l, nil
}

// address returns what Addr says. All addresses are [::], as the kernel writes it,
// or the name of a host that has no other.
func (l *Listener) address() net.Addr {
	ip := l.ip
	if !ip.IsValid() && len(l.host.addresses()) > 0 {
		ip = netip.IPv6Unspecified()
		if l.network == "tcp4" {
			ip = netip.IPv4Unspecified()
		}
	}
	return address(l.host.name, ip, l.port)
}

// takes reports whether what is sent to an address, or to none but the name, is
// for the listener.
func (l *Listener) takes(ip netip.Addr) bool {
	if l.ip.IsValid() {
		return l.ip == ip
	}
	return !ip.IsValid() || fits(l.network, ip)
}

// overlaps reports whether two listeners cannot be at once.
func (l *Listener) overlaps(other *Listener) bool {
	switch {
	case l.port != other.port:
		return false
	case l.ip.IsValid():
		return other.takes(l.ip)
	case other.ip.IsValid():
		return l.takes(other.ip)
	}
	return l.network == other.network || l.network == "tcp" || other.network == "tcp"
}

// listener returns who listens where a host of some name dials, or nil.
func (h *Host) listener(to target, from string) *Listener {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.listeners {
		if l.port == to.port && (l.takes(to.ip) || !to.ip.IsValid() && from == h.name && l.ip.IsLoopback()) {
			return l
		}
	}
	return nil
}
