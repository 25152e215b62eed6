package simnet_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simnet"
)

// office is a network of hosts with addresses and one without.
func office() *simnet.Network {
	n := far()
	n.Host("prices").AddIP("10.0.0.1", "fd00::1")
	n.Host("shop").AddIP("10.0.0.2", "fd00::2")
	n.Host("old").AddIP("10.0.0.3")
	n.Host("named")
	return n
}

// echo answers each connection with both of its addresses.
func echo(t *testing.T, l *simnet.Listener) {
	t.Helper()
	bubble.Go(t, func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintf(c, "%v from %v", c.LocalAddr(), c.RemoteAddr())
			_ = c.Close()
		}
	})
}

// call dials and returns the addresses as both ends see them, or the error.
func call(h *simnet.Host, network, address string) string {
	c, err := h.Dial(network, address)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	there, err := io.ReadAll(c)
	if here := fmt.Sprintf("%v from %v", c.RemoteAddr(), c.LocalAddr()); here != string(there) || err != nil {
		return fmt.Sprintf("one end says %s, the other %s, %v", here, there, err)
	}
	return string(there)
}

func TestListenAndDial(t *testing.T) {
	const refused = "dial %s %s: connect: connection refused"
	for _, test := range []struct{ listen, from, dial, want string }{
		// A host with a name alone.
		{"named tcp :80", "named", "tcp named:80", "named:80 from named:49152"},
		{"named tcp 0.0.0.0:80", "shop", "tcp named:80", "named:80 from 10.0.0.2:49152"},
		{"named tcp localhost:80", "shop", "tcp named:80", "named:80 from 10.0.0.2:49152"},
		{"named tcp :80", "named", "tcp 127.0.0.1:80", "127.0.0.1:80 from 127.0.0.1:49152"},
		{"named tcp 127.0.0.1:80", "named", "tcp localhost:80", "named:80 from named:49152"},
		{"named tcp 127.0.0.1:80", "shop", "tcp named:80", refused},
		// One with addresses, at all of them.
		{"prices tcp :80", "shop", "tcp 10.0.0.1:80", "10.0.0.1:80 from 10.0.0.2:49152"},
		{"prices tcp 0.0.0.0:80", "shop", "tcp [fd00::1]:80", "[fd00::1]:80 from [fd00::2]:49152"},
		{"prices tcp [::]:80", "shop", "tcp prices:80", "10.0.0.1:80 from 10.0.0.2:49152"},
		{"prices tcp [::]:80", "shop", "tcp PRICES.:80", "10.0.0.1:80 from 10.0.0.2:49152"},
		{"prices tcp :80", "shop", "tcp6 prices:80", "[fd00::1]:80 from [fd00::2]:49152"},
		{"prices tcp :80", "shop", "tcp [::ffff:10.0.0.1]:80", "10.0.0.1:80 from 10.0.0.2:49152"},
		{"prices tcp :80", "named", "tcp prices:80", "10.0.0.1:80 from named:49152"},
		{"prices tcp :80", "old", "tcp6 prices:80", "dial tcp6 [fd00::1]:80: connect: network is unreachable"},
		{"prices tcp :80", "shop", "tcp4 [fd00::1]:80", "dial tcp4: address fd00::1: no suitable address found"},
		{"prices tcp4 :80", "shop", "tcp [fd00::1]:80", refused},
		{"prices tcp6 :80", "shop", "tcp prices:80", "[fd00::1]:80 from [fd00::2]:49152"}, // the second is tried
		// At one.
		{"prices tcp 10.0.0.1:80", "shop", "tcp 10.0.0.1:80", "10.0.0.1:80 from 10.0.0.2:49152"},
		{"prices tcp prices:80", "shop", "tcp 10.0.0.1:80", "10.0.0.1:80 from 10.0.0.2:49152"},
		{"prices tcp 10.0.0.1:80", "shop", "tcp [fd00::1]:80", refused},
		{"prices tcp 10.0.0.1:80", "prices", "tcp 127.0.0.1:80", refused},
		// To itself.
		{"prices tcp 127.0.0.1:80", "prices", "tcp 127.0.0.1:80", "127.0.0.1:80 from 127.0.0.1:49152"},
		{"prices tcp localhost:80", "prices", "tcp :80", "127.0.0.1:80 from 127.0.0.1:49152"},
		{"prices tcp [::1]:80", "prices", "tcp localhost:80", "[::1]:80 from [::1]:49152"},
		{"prices tcp :80", "prices", "tcp 0.0.0.0:80", "127.0.0.1:80 from 127.0.0.1:49152"},
		{"prices tcp :80", "prices", "tcp [::]:80", "[::1]:80 from [::1]:49152"},
		{"prices tcp :80", "prices", "tcp 127.8.8.8:80", "127.8.8.8:80 from 127.8.8.8:49152"},
		{"prices tcp localhost:80", "shop", "tcp 10.0.0.1:80", refused},
		{"prices tcp :80", "shop", "tcp 127.0.0.1:80", refused}, // that is shop
		// Nobody has the address.
		{"prices tcp :80", "shop", "tcp 10.0.0.9:80", "dial tcp 10.0.0.9:80: connect: connection timed out"},
	} {
		t.Run(test.listen+" "+test.from+" "+test.dial, func(t *testing.T) {
			bubble.Run(t, func(t *testing.T) {
				n := office()
				listen, dial := strings.Fields(test.listen), strings.Fields(test.dial)
				l, err := n.Host(listen[0]).Listen(listen[1], listen[2])
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				echo(t, l)
				want := test.want
				if want == refused {
					want = fmt.Sprintf(refused, dial[0], dial[1])
				}
				if got := call(n.Host(test.from), dial[0], dial[1]); got != want {
					t.Errorf("got %s\nwant %s\n%s", got, want, n.Trace())
				}
			})
		})
	}
}

func TestListenersOverlap(t *testing.T) {
	for _, test := range []struct{ first, second, addr, want string }{
		{"tcp :80", "tcp 10.0.0.1:80", "[::]:80", "listen tcp 10.0.0.1:80: bind: address already in use"},
		{"tcp 10.0.0.1:80", "tcp :80", "10.0.0.1:80", "listen tcp [::]:80: bind: address already in use"},
		{"tcp 10.0.0.1:80", "tcp 127.0.0.1:80", "10.0.0.1:80", ""},
		{"tcp 10.0.0.1:80", "tcp6 :80", "10.0.0.1:80", ""},
		{"tcp4 :80", "tcp6 :80", "0.0.0.0:80", ""},
		{"tcp4 :80", "tcp :80", "0.0.0.0:80", "listen tcp [::]:80: bind: address already in use"},
		{"tcp :80", "tcp :81", "[::]:80", ""},
		{"tcp :80", "tcp 10.0.0.2:81", "[::]:80", "listen tcp: bind: cannot assign requested address"},
		{"tcp :80", "tcp4 [::1]:81", "[::]:80", "listen tcp4: address ::1: no suitable address found"},
	} {
		h := office().Host("prices")
		network, address, _ := strings.Cut(test.first, " ")
		l, err := h.Listen(network, address)
		if err != nil || l.Addr().String() != test.addr {
			t.Errorf("Listen(%s) = %v, %v, want %s", test.first, l, err, test.addr)
		}
		network, address, _ = strings.Cut(test.second, " ")
		got := ""
		if _, err := h.Listen(network, address); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s and then %s: got %q, want %q", test.first, test.second, got, test.want)
		}
	}
}

// Libraries parse addresses, and look for their type.
func TestAddressesOfServers(t *testing.T) {
	for _, names := range [][2]string{{"10.0.0.1", "10.0.0.2"}, {"::1", "fe80::2"}, {"fd00::1", "fd00::2"}} {
		bubble.Run(t, func(t *testing.T) {
			var n simnet.Network
			server := simnet.NewTestServer(t, n.Host(names[0]), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				remote, err := netip.ParseAddrPort(r.RemoteAddr)
				local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
				if err != nil || !ok || local.Port != 80 {
					t.Errorf("RemoteAddr is %s, %v, and the local one %v", r.RemoteAddr, err, local)
				}
				fmt.Fprint(w, local.IP, " from ", remote.Addr())
			}))
			client := n.Host(names[1]).Client()
			defer client.CloseIdleConnections()
			if got := get(client, server.URL); got != "200 "+names[0]+" from "+names[1] {
				t.Errorf("got %s from %s", got, server.URL)
			}
		})
	}
}

func TestAnAddressIsAHost(t *testing.T) {
	n := office()
	if n.Host("10.0.0.1") != n.Host("prices") || n.Host("10.0.0.77").Name() != "10.0.0.77" {
		t.Error("a host was expected to be found by its address, and to be made with one")
	}
	n.Fail("fd00::2", "10.0.0.1", simnet.Refuse)
	n.Host("prices").AddIP("10.0.0.1") // again
	if got := n.Trace(); got != "0s  network  shop → prices: refuses\n" && !strings.HasSuffix(got, "shop → prices: refuses\n") {
		t.Errorf("the trace of a link that was told by addresses: %s", got)
	}
	for _, test := range []struct{ ip, want string }{
		{"ten", `simnet: "ten" is not an IP address`},
		{"0.0.0.0", "simnet: a host cannot have the address 0.0.0.0"},
		{"10.0.0.2", "simnet: 10.0.0.2 is the address of shop, so prices cannot have it"},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); got != test.want {
					t.Errorf("AddIP(%s) panics with %s, want %s", test.ip, got, test.want)
				}
			}()
			n.Host("prices").AddIP(test.ip)
		}()
	}
	defer func() {
		if got := fmt.Sprint(recover()); got != `simnet: "nine" is not an IP address` {
			t.Errorf("SetAddrs panics with %s", got)
		}
	}()
	n.SetAddrs("x", "nine")
}
