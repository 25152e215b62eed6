package simnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// A Dialer dials from a host with the options of a [net.Dialer]. It obeys Timeout,
// Deadline, Control, ControlContext, KeepAlive and KeepAliveConfig, and no other
// field. With it a test tries code that guards its dials by a control function, for
// example. It is safe for concurrent use while its fields are not changed.
//
// A control function gets each address before it is dialled, with "tcp4" or "tcp6".
// Its [syscall.RawConn] has no file descriptor, and returns [errors.ErrUnsupported].
type Dialer struct {
	net.Dialer

	Host *Host
}

// Dial is [Dialer.DialContext] without a context.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext does the same as [Host.DialContext], with the options of d.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if d.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.Timeout)
		defer cancel()
	}
	if !d.Deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, d.Deadline)
		defer cancel()
	}
	if err := d.Host.alive(); err != nil {
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(unreachable):
		}
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	targets, err := d.Host.targets(ctx, network, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	var first error
	for i, to := range targets {
		c, err := d.dialShare(ctx, network, to, len(targets)-i)
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = &net.OpError{Op: "dial", Net: network, Addr: to.addr(), Err: err}
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// dialShare dials the first of the addresses that are left. It gets its share of
// the time, and 2 s at least (partialDeadline of package net).
func (d *Dialer) dialShare(ctx context.Context, network string, to target, left int) (*Conn, error) {
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		rest := time.Until(deadline)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, max(rest/time.Duration(left), min(rest, 2*time.Second)))
		defer cancel()
	}
	if err := d.control(ctx, network, to); err != nil {
		return nil, err
	}
	source, err := d.Host.source(to)
	if err != nil {
		return nil, err
	}
	w := d.Host.net.wire(d.Host, to)
	w.source, w.keepAlive = source, keepAliveOf(&d.Dialer)
	c, err := w.dial(ctx)
	if err != nil {
		d.Host.net.finish(w)
		return nil, err
	}
	return c, nil
}

// control calls the control function.
func (d *Dialer) control(ctx context.Context, network string, to target) error {
	switch {
	case !to.ip.IsValid():
	case to.ip.Is4():
		network = "tcp4"
	default:
		network = "tcp6"
	}
	switch {
	case d.ControlContext != nil:
		return d.ControlContext(ctx, network, to.addr().String(), noFile{})
	case d.Control != nil:
		return d.Control(network, to.addr().String(), noFile{})
	}
	return nil
}

// noFile is the socket of a connection without one.
type noFile struct{}

func (noFile) Control(func(uintptr)) error    { return errors.ErrUnsupported }
func (noFile) Read(func(uintptr) bool) error  { return errors.ErrUnsupported }
func (noFile) Write(func(uintptr) bool) error { return errors.ErrUnsupported }

// A target is what a dial goes to.
type target struct {
	host *Host      // nil if nobody has the address
	name string     // of the host, or the address
	ip   netip.Addr // none if the host has a name alone
	port int
}

func (t target) addr() net.Addr { return address(t.name, t.ip, t.port) }

// String returns what the trace calls it.
func (t target) String() string { return net.JoinHostPort(t.name, strconv.Itoa(t.port)) }

// targets returns what there is to dial, in order.
func (h *Host) targets(ctx context.Context, network, address string) ([]target, error) {
	name, port, err := split(network, address)
	if err != nil {
		return nil, err
	}
	if name == "" {
		name = "localhost"
	}
	ips, named, err := h.resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	if named != nil {
		return []target{{host: named, name: named.name, port: port}}, nil
	}
	var all []target
	for _, ip := range ips {
		if fits(network, ip) {
			all = append(all, h.target(ip, port))
		}
	}
	if len(all) == 0 {
		return nil, &net.AddrError{Err: "no suitable address found", Addr: name}
	}
	return all, nil
}

// target finds the host that has an address. As on Linux the unspecified address
// is the host itself.
func (h *Host) target(ip netip.Addr, port int) target {
	switch ip {
	case netip.IPv4Unspecified():
		ip = loopback4
	case netip.IPv6Unspecified():
		ip = loopback6
	}
	h.net.mu.Lock()
	host := h.net.ips[ip]
	h.net.mu.Unlock()
	if host == nil && ip.IsLoopback() {
		host = h
	}
	if host == nil {
		return target{name: ip.String(), ip: ip, port: port}
	}
	return target{host: host, name: host.name, ip: ip, port: port}
}
