package simnet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simnet"
)

func TestLookups(t *testing.T) {
	n := office()
	n.SetAddrs("db.example.com", "10.0.0.1", "fd00::1")
	n.SetAddrs("gone")
	n.SetLookup("broken", func(context.Context) ([]netip.Addr, error) { return nil, errors.New("server misbehaving") })
	n.SetLookup("slow", func(context.Context) ([]netip.Addr, error) { return nil, context.DeadlineExceeded })
	n.SetLookup("timeout", func(context.Context) ([]netip.Addr, error) {
		return nil, &net.DNSError{Err: "i/o timeout", IsTimeout: true}
	})
	n.SetAnswers("nothing")
	n.SetAddrs("named", "10.0.0.9")
	n.SetLookup("named", nil)
	for _, test := range []struct{ network, name, want string }{
		{"ip", "DB.example.com.", "[10.0.0.1 fd00::1]"},
		{"ip4", "db.example.com", "[10.0.0.1]"},
		{"ip6", "db.example.com", "[fd00::1]"},
		{"ip", "prices", "[10.0.0.1 fd00::1]"},
		{"ip6", "old", "lookup old: no such host"},
		{"ip", "10.1.2.3", "[10.1.2.3]"},
		{"ip", "localhost", "[127.0.0.1 ::1]"},
		{"ip", "named", "lookup named: the host named has no IP address"},
		{"ip", "gone", "lookup gone: no such host"},
		{"ip", "nothing", "lookup nothing: no such host"},
		{"ip", "nowhere", "lookup nowhere: no such host"},
		{"ip", "", "lookup : no such host"},
		{"ip", "broken", "lookup broken: server misbehaving"},
		{"ip", "slow", "lookup slow: context deadline exceeded"},
		{"ip", "timeout", "lookup : i/o timeout"},
		{"udp", "prices", "unknown network udp"},
	} {
		ips, err := n.Host("shop").LookupNetIP(t.Context(), test.network, test.name)
		got := fmt.Sprint(ips)
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("LookupNetIP(%s, %s) = %s, want %s", test.network, test.name, got, test.want)
		}
		dns, ok := errors.AsType[*net.DNSError](err)
		if ok && dns.IsNotFound != (strings.Contains(test.want, "no such host") || test.name == "named") {
			t.Errorf("LookupNetIP(%s, %s): IsNotFound is %t", test.network, test.name, dns.IsNotFound)
		}
		if ok && dns.IsTimeout != (test.name == "slow" || test.name == "timeout") {
			t.Errorf("LookupNetIP(%s, %s): IsTimeout is %t", test.network, test.name, dns.IsTimeout)
		}
	}
	h := n.Host("shop")
	names, err1 := h.LookupHost(t.Context(), "prices")
	ips, err2 := h.LookupIP(t.Context(), "ip6", "prices")
	addrs, err3 := h.LookupIPAddr(t.Context(), "prices")
	got := fmt.Sprint(names, err1, ips, err2, addrs, err3)
	if got != "[10.0.0.1 fd00::1] <nil> [fd00::1] <nil> [{10.0.0.1 } {fd00::1 }] <nil>" {
		t.Errorf("the other look-ups say %s", got)
	}
	if _, err := h.LookupHost(t.Context(), "nowhere"); err == nil {
		t.Error("LookupHost found a host that is nowhere")
	}
}

// A name is checked and then dialled, and has another address by then.
func TestAnswersChange(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		n := office()
		l, err := n.Host("shop").Listen("tcp", "127.0.0.1:80")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		echo(t, l)
		n.SetAnswers("evil.example", []string{"10.0.0.1"}, []string{"127.0.0.1"})
		shop := n.Host("shop")
		first, err := shop.LookupHost(t.Context(), "evil.example")
		if err != nil || fmt.Sprint(first) != "[10.0.0.1]" {
			t.Errorf("the first answer is %v, %v", first, err)
		}
		for range 2 {
			if got := call(shop, "tcp", "evil.example:80"); !strings.HasPrefix(got, "127.0.0.1:80 from 127.0.0.1:") {
				t.Errorf("the next answer leads to %s", got)
			}
		}
		for _, want := range []string{
			"  0s  shop               looks up evil.example: 10.0.0.1\n",
			"  0s  shop               looks up evil.example: 127.0.0.1\n",
			"  0s  shop → shop:80 #1  dials 127.0.0.1:80\n",
		} {
			if got := n.Trace(); !strings.Contains(got, want) {
				t.Errorf("the trace does not say %q:\n%s", want, got)
			}
		}
	})
}

// The addresses of a name share the time that there is.
func TestDialTriesAllAddresses(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		n := office()
		l, err := n.Host("prices").Listen("tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		echo(t, l)
		n.SetAddrs("db", "10.0.0.8", "10.0.0.9", "10.0.0.1")
		dialer := simnet.Dialer{Dialer: net.Dialer{Timeout: 30 * time.Second}, Host: n.Host("shop")}
		start := time.Now()
		c, err := dialer.Dial("tcp", "db:80")
		if err != nil {
			t.Fatalf("Dial says %v\n%s", err, n.Trace())
		}
		_ = c.Close()
		if took := time.Since(start); took != 20*time.Second+40*ms {
			t.Errorf("connected after %v, want 20.04s: two of three addresses are nobody's", took)
		}
		n.SetAddrs("db", "10.0.0.8", "10.0.0.1")
		dialer.Timeout, dialer.Deadline = 0, time.Now().Add(3*time.Second)
		start = time.Now()
		if c, err = dialer.Dial("tcp", "db:80"); err != nil {
			t.Fatalf("Dial says %v", err)
		}
		_ = c.Close()
		if took := time.Since(start); took != 2*time.Second+40*ms {
			t.Errorf("connected after %v, want 2.04s: a share is 2 s at least", took)
		}
		n.SetAddrs("db", "10.0.0.8", "10.0.0.9")
		dialer.Deadline = time.Now().Add(time.Second)
		if _, err = dialer.Dial("tcp", "db:80"); err == nil || err.Error() != "dial tcp 10.0.0.8:80: context deadline exceeded" {
			t.Errorf("nobody has the addresses, and Dial says %v", err)
		}
	})
}

// A dialer's control function sees what is dialled, and can refuse it.
func TestControl(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		n := office()
		l, err := n.Host("prices").Listen("tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		echo(t, l)
		private := errors.New("the address is private")
		var saw []string
		dialer := &simnet.Dialer{Host: n.Host("named"), Dialer: net.Dialer{Control: func(network, address string, c syscall.RawConn) error {
			saw = append(saw, network+" "+address)
			for _, err := range []error{c.Control(nil), c.Read(nil), c.Write(nil)} {
				if !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("the RawConn says %v", err)
				}
			}
			if strings.HasPrefix(address, "10.") {
				return private
			}
			return nil
		}}}
		n.SetAddrs("db", "10.0.0.1", "fd00::1")
		c, err := dialer.DialContext(t.Context(), "tcp", "db:80")
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		_, err = dialer.Dial("tcp4", "db:80")
		if !errors.Is(err, private) || err.Error() != "dial tcp4 10.0.0.1:80: the address is private" {
			t.Errorf("the control function refused, and Dial says %v", err)
		}
		if _, err := dialer.Dial("tcp", "named:80"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial says %v", err)
		}
		dialer.ControlContext = func(_ context.Context, _, _ string, _ syscall.RawConn) error { return io.ErrNoProgress }
		if _, err := dialer.Dial("tcp", "db:80"); !errors.Is(err, io.ErrNoProgress) {
			t.Errorf("ControlContext refused, and Dial says %v", err)
		}
		if got := fmt.Sprint(saw); got != "[tcp4 10.0.0.1:80 tcp6 [fd00::1]:80 tcp4 10.0.0.1:80 tcp named:80]" {
			t.Errorf("the control function saw %s", got)
		}
	})
}
