package simnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// SetAddrs says which addresses a name has for all hosts from now on, whether there
// is a host of that name or not. They need not be anybody's. Without any, the name
// does not exist. It panics if one is not an IP address.
func (n *Network) SetAddrs(name string, addrs ...string) {
	ips := parseIPs(addrs)
	n.SetLookup(name, func(context.Context) ([]netip.Addr, error) { return ips, nil })
}

// SetAnswers says what one look-up of a name after the other gets, and the last
// of the answers for ever: an attacker's name, for example, has a harmless address
// when it is checked and another when it is dialled. It panics if an address is no
// IP address.
func (n *Network) SetAnswers(name string, answers ...[]string) {
	var (
		mu   sync.Mutex
		left = make([][]netip.Addr, len(answers))
	)
	for i, addrs := range answers {
		left[i] = parseIPs(addrs)
	}
	n.SetLookup(name, func(context.Context) ([]netip.Addr, error) {
		mu.Lock()
		defer mu.Unlock()
		if len(left) == 0 {
			return nil, nil
		}
		ips := left[0]
		left = left[min(1, len(left)-1):]
		return ips, nil
	})
}

// SetLookup lets a function answer the look-ups of a name. It is called for each,
// also those of dials, by several goroutines at once, and can take its time until
// the context ends. No address and no error mean that there is no such host. An
// error that is no [net.DNSError] becomes one. With a nil function the name is again
// that of a host, if there is one.
func (n *Network) SetLookup(name string, lookup func(ctx context.Context) ([]netip.Addr, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.names == nil {
		n.names = map[string]func(context.Context) ([]netip.Addr, error){}
	}
	n.names[canonical(name)] = lookup
}

func parseIPs(addrs []string) []netip.Addr {
	ips := make([]netip.Addr, len(addrs))
	for i, s := range addrs {
		var ok bool
		if ips[i], ok = parseIP(s); !ok {
			panic(fmt.Sprintf("simnet: %q is not an IP address", s))
		}
	}
	return ips
}

// canonical writes a name in one way (RFC 4343, RFC 1034 §3.1).
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// LookupNetIP returns the addresses of a name, as [net.Resolver.LookupNetIP] does,
// in the order in which a dial tries them. It knows the names that SetAddrs,
// SetAnswers and SetLookup set, hosts that have addresses, and localhost. The network
// is "ip", "ip4" or "ip6". Errors are [net.DNSError]s.
func (h *Host) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	switch network {
	case "ip", "ip4", "ip6":
	default:
		return nil, net.UnknownNetworkError(network)
	}
	ips, named, err := h.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	if len(ips) == 0 {
		return nil, &net.DNSError{Err: "the host " + named.name + " has no IP address", Name: host, IsNotFound: true}
	}
	ips = slices.DeleteFunc(slices.Clone(ips), func(ip netip.Addr) bool { return !fits(network, ip) })
	if len(ips) == 0 {
		return nil, noSuchHost(host)
	}
	return ips, nil
}

// LookupHost does the same as [net.Resolver.LookupHost].
func (h *Host) LookupHost(ctx context.Context, host string) ([]string, error) {
	ips, err := h.LookupNetIP(ctx, "ip", host)
	return convert(ips, netip.Addr.String), err
}

// LookupIP does the same as [net.Resolver.LookupIP].
func (h *Host) LookupIP(ctx context.Context, network, host string) ([]net.IP, error) {
	ips, err := h.LookupNetIP(ctx, network, host)
	return convert(ips, func(ip netip.Addr) net.IP { return ip.AsSlice() }), err
}

// LookupIPAddr does the same as [net.Resolver.LookupIPAddr].
func (h *Host) LookupIPAddr(ctx context.Context, host string) ([]net.IPAddr, error) {
	ips, err := h.LookupNetIP(ctx, "ip", host)
	return convert(ips, func(ip netip.Addr) net.IPAddr { return net.IPAddr{IP: ip.AsSlice()} }), err
}

func convert[T any](ips []netip.Addr, to func(netip.Addr) T) []T {
	var all []T
	for _, ip := range ips {
		all = append(all, to(ip))
	}
	return all
}

func noSuchHost(name string) error {
	return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// resolve returns the addresses of a name, and the host if it is to be dialled by
// its name, since it has no address.
func (h *Host) resolve(ctx context.Context, name string) ([]netip.Addr, *Host, error) {
	if ip, ok := parseIP(name); ok {
		return []netip.Addr{ip}, nil, nil
	}
	h.net.mu.Lock()
	lookup := h.net.names[canonical(name)]
	h.net.mu.Unlock()
	if lookup != nil {
		ips, err := h.ask(ctx, name, lookup)
		return ips, nil, err
	}
	host := h.net.lookup(name)
	if host == nil {
		host = h.net.lookup(canonical(name))
	}
	local := host == nil && canonical(name) == "localhost"
	if local {
		host = h
	}
	if host == nil {
		return nil, nil, noSuchHost(name)
	}
	ips := host.addresses()
	if len(ips) > 0 {
		host = nil
	}
	if local {
		ips = []netip.Addr{loopback4, loopback6}
	}
	return ips, host, nil
}

// ask lets a function answer, and tells the trace.
func (h *Host) ask(ctx context.Context, name string, lookup func(context.Context) ([]netip.Addr, error)) ([]netip.Addr, error) {
	ips, err := lookup(ctx)
	if err == nil && len(ips) == 0 {
		err = noSuchHost(name)
	}
	if err == nil {
		h.tell("looks up " + name + ": " + strings.Join(convert(ips, netip.Addr.String), ", "))
		return convert(ips, netip.Addr.Unmap), nil
	}
	h.tell("looks up " + name + ": " + err.Error())
	if _, ok := errors.AsType[*net.DNSError](err); !ok {
		err = &net.DNSError{UnwrapErr: err, Err: err.Error(), Name: name, IsTimeout: errors.Is(err, context.DeadlineExceeded)}
	}
	return nil, err
}

// tell notes what the host does apart from connections.
func (h *Host) tell(text string) {
	e := line{event: event{at: h.net.now(), text: text}, where: h.name}
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	if len(h.net.lookups) == keptEvents {
		h.net.gone = max(h.net.gone, h.net.lookups[0].at+1)
		h.net.lookups = slices.Delete(h.net.lookups, 0, 1)
	}
	h.net.lookups = append(h.net.lookups, e)
}
