package simnet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/backend-kata/dojo/pkg/simnet"
)

// Give hosts addresses where the code under test looks at them.
func ExampleHost_AddIP() {
	var network simnet.Network
	network.Host("prices").AddIP("10.0.0.1", "fd00::1")
	network.Host("shop").AddIP("10.0.0.2", "fd00::2")
	if _, err := network.Host("prices").Listen("tcp", "[fd00::1]:80"); err != nil {
		fmt.Println(err)
		return
	}
	shop := network.Host("shop")
	fmt.Println(shop.LookupHost(context.Background(), "prices"))
	_, err := shop.Dial("tcp", "10.0.0.1:80")
	fmt.Println(err)
	c, err := shop.Dial("tcp", "prices:80") // tries both
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	fmt.Printf("%v → %v, %T\n", c.LocalAddr(), c.RemoteAddr(), c.RemoteAddr())
	// Output:
	// [10.0.0.1 fd00::1] <nil>
	// dial tcp 10.0.0.1:80: connect: connection refused
	// [fd00::2]:49152 → [fd00::1]:80, *net.TCPAddr
}

// An attacker's name has a public address when it is checked, and the service's own
// when it is dialled. A control function sees what is really dialled.
func ExampleNetwork_SetAnswers() {
	var network simnet.Network
	network.SetAnswers("evil.example", []string{"203.0.113.7"}, []string{"127.0.0.1"})
	shop := network.Host("shop")
	fmt.Println(shop.LookupHost(context.Background(), "evil.example"))

	dialer := simnet.Dialer{Host: shop, Dialer: net.Dialer{
		Control: func(_, address string, _ syscall.RawConn) error {
			if netip.MustParseAddrPort(address).Addr().IsLoopback() {
				return errors.New("the address is our own")
			}
			return nil
		},
	}}
	_, err := dialer.Dial("tcp", "evil.example:80")
	fmt.Println(err)
	// Output:
	// [203.0.113.7] <nil>
	// dial tcp 127.0.0.1:80: the address is our own
}
