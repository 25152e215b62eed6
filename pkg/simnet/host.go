package simnet

import (
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// A Host is a machine of the network, known by its name. It listens and dials as
// package net does.
type Host struct {
	name string
	net  *Network

	mu        sync.Mutex
	listeners map[int]*Listener // by port
}

// Name returns the host's name.
func (h *Host) Name() string { return h.name }

// An Addr is a host's name and a port.
type Addr struct {
	Host string
	Port int
}

// Network returns "tcp".
func (a Addr) Network() string { return "tcp" }

// String returns "host:port".
func (a Addr) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) }

// Ephemeral ports begin here (RFC 6335 §6).
const firstPort, lastPort = 49152, 65535

// parse reads an address. An empty host and localhost are h itself.
func (h *Host) parse(network, address string) (Addr, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return Addr{}, net.UnknownNetworkError(network)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return Addr{}, err
	}
	number, err := strconv.Atoi(port)
	if err != nil || number < 0 || number > lastPort {
		return Addr{}, &net.AddrError{Err: "unknown port", Addr: address}
	}
	if host == "" || host == "localhost" {
		host = h.name
	}
	return Addr{host, number}, nil
}

// Listen listens at a port of the host, such as ":80". Port 0 means one that is
// free. The address may have the host's name. The network is "tcp".
func (h *Host) Listen(network, address string) (*Listener, error) {
	addr, err := h.parse(network, address)
	if err == nil && addr.Host != h.name {
		err = os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for p := firstPort; addr.Port == 0; p++ {
		if h.listeners[p] == nil {
			addr.Port = p
		}
	}
	if h.listeners[addr.Port] != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: addr, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	l := &Listener{host: h, addr: addr}
	l.changed.L = &l.mu
	h.listeners[addr.Port] = l
	return l, nil
}

func (h *Host) listener(port int) *Listener {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.listeners[port]
}
