package simnet_test

import (
	"net"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/backend-kata/dojo/pkg/simnet"
)

// TestConn is the test suite for implementations of net.Conn, in real time.
func TestConn(t *testing.T) {
	links := map[string]simnet.Link{
		"perfect": {},
		"far":     {Latency: 100 * time.Microsecond, Jitter: 100 * time.Microsecond},
		"narrow":  {Buffer: 100},
	}
	for name, link := range links {
		t.Run(name, func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				network := simnet.Network{Default: link}
				c1, c2, err = connect(&network)
				if err != nil {
					return nil, nil, nil, err
				}
				return c1, c2, func() { _, _ = c1.Close(), c2.Close() }, nil
			})
		})
	}
}

// connect joins shop and prices.
func connect(network *simnet.Network) (client, server net.Conn, err error) {
	l, err := network.Host("prices").Listen("tcp", ":80")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	client, err = network.Host("shop").Dial("tcp", "prices:80")
	if err != nil {
		return nil, nil, err
	}
	server, err = l.Accept()
	return client, server, err
}
