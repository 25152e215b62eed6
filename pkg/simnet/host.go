package simnet

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
)

// A Host is a machine of the network, known by its name. It listens and dials as
// package net does. It has no IP address but those that a test gives it: without
// one it is dialled by its name alone, and its addresses are [Addr]s; with one,
// they are [*net.TCPAddr]s.
type Host struct {
	name string
	net  *Network
	ips  []netip.Addr // guarded by net.mu

	mu        sync.Mutex
	listeners []*Listener

	power atomic.Pointer[power] // nil while it runs
}

// Host returns the host of that name, and makes it if there is none. A name that
// is an IP address, such as "10.0.0.1", is that of the host which has the address;
// if there is none, the host that is made has it.
func (n *Network) Host(name string) *Host {
	name = n.nameOf(name)
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hosts[name]
	if h == nil {
		h = &Host{name: name, net: n}
		if n.hosts == nil {
			n.hosts = map[string]*Host{}
		}
		n.hosts[name] = h
		if ip, ok := parseIP(name); ok {
			h.add(ip)
		}
	}
	return h
}

// nameOf returns the name of a host which can be told by its address.
func (n *Network) nameOf(host string) string {
	if ip, ok := parseIP(host); ok {
		n.mu.Lock()
		defer n.mu.Unlock()
		if h := n.ips[ip]; h != nil {
			return h.name
		}
	}
	return host
}

// lookup returns the host of that name, or nil.
func (n *Network) lookup(name string) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hosts[name]
}

// Name returns the host's name.
func (h *Host) Name() string { return h.name }

// AddIP gives the host addresses, such as "10.0.0.1" and "fd00::1", and its name
// resolves to them in this order. It panics if one is not an IP address, or that of
// another host. Every host has 127.0.0.1 and ::1 for itself; a host to which the
// test gives one of these can be dialled there by all.
func (h *Host) AddIP(addrs ...string) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	for _, s := range addrs {
		ip, ok := parseIP(s)
		if !ok {
			panic(fmt.Sprintf("simnet: %q is not an IP address", s))
		}
		h.add(ip)
	}
}

// add gives the host an address. The network is locked.
func (h *Host) add(ip netip.Addr) {
	if ip.IsUnspecified() || ip.IsMulticast() {
		panic(fmt.Sprintf("simnet: a host cannot have the address %v", ip))
	}
	if other := h.net.ips[ip]; other != nil && other != h {
		panic(fmt.Sprintf("simnet: %v is the address of %s, so %s cannot have it", ip, other.name, h.name))
	}
	if h.net.ips == nil {
		h.net.ips = map[netip.Addr]*Host{}
	}
	h.net.ips[ip] = h
	if !slices.Contains(h.ips, ip) {
		h.ips = append(h.ips, ip)
	}
}

// addresses returns the host's own addresses.
func (h *Host) addresses() []netip.Addr {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	return slices.Clone(h.ips)
}

// An Addr is the name of a host without an IP address, and a port.
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

var (
	loopback4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	loopback6 = netip.IPv6Loopback()
)

// parseIP reads an IP address. One that is IPv4 in the guise of IPv6 is IPv4, as
// the kernel takes it, and there are no zones.
func parseIP(s string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(s)
	return ip.Unmap().WithZone(""), err == nil
}

// fits reports whether a network, such as "tcp4" or "ip6", has an address.
func fits(network string, ip netip.Addr) bool {
	switch network[len(network)-1] {
	case '4':
		return ip.Is4()
	case '6':
		return ip.Is6()
	}
	return true
}

// split reads a network and an address.
func split(network, address string) (host string, port int, err error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return "", 0, net.UnknownNetworkError(network)
	}
	host, number, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(number)
	if err != nil || port < 0 || port > lastPort {
		return "", 0, &net.AddrError{Err: "unknown port", Addr: address}
	}
	return host, port, nil
}

// address returns a host's address.
func address(name string, ip netip.Addr, port int) net.Addr {
	if !ip.IsValid() {
		return Addr{name, port}
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(port)))
}

// source returns the address from which the host dials another, as the kernel
// chooses it: of the same family, and the loopback for itself.
func (h *Host) source(to target) (netip.Addr, error) {
	ips := h.addresses()
	if to.ip.IsLoopback() && to.host == h {
		return to.ip, nil
	}
	if len(ips) == 0 {
		return netip.Addr{}, nil
	}
	for _, ip := range ips {
		if !to.ip.IsValid() || ip.Is4() == to.ip.Is4() {
			return ip, nil
		}
	}
	return netip.Addr{}, os.NewSyscallError("connect", syscall.ENETUNREACH)
}
