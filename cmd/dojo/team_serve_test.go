package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/cmd/dojo/internal/teamserve"
)

func TestServeListensWhereItIsTold(t *testing.T) {
	lan := lanAddresses()
	for _, test := range []struct {
		name  string
		call  serveCommand
		hosts []string
		port  string
		fails string
	}{
		{"by itself", serveCommand{}, nil, "4242", ""},
		{"the room", serveCommand{Lan: true}, lan, "4242", ""},
		{"another port", serveCommand{Address: ":4243"}, nil, "4243", ""},
		{"the room at another port", serveCommand{Address: ":4243", Lan: true}, lan, "4243", ""},
		{"everywhere", serveCommand{Address: "0.0.0.0:80"}, lan, "80", ""},
		{"an address", serveCommand{Address: "192.0.2.1"}, []string{"192.0.2.1"}, "4242", ""},
		{"an address and a port", serveCommand{Address: "[2001:db8::1]:99"}, []string{"2001:db8::1"}, "99", ""},
		{"a name", serveCommand{Address: "localhost"}, nil, "4242", ""},
		{"no port", serveCommand{Address: "here:http"}, nil, "", `"http" is no port`},
		{"a port beyond", serveCommand{Address: ":70000"}, nil, "", `"70000" is no port`},
	} {
		t.Run(test.name, func(t *testing.T) {
			hosts, port, err := test.call.addresses()
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Errorf("%v, expected %q", err, test.fails)
				}
				return
			}
			if err != nil || !slices.Equal(hosts, test.hosts) || port != test.port {
				t.Errorf("%q %s %v, expected %q %s", hosts, port, err, test.hosts, test.port)
			}
		})
	}
}

func TestServeSaysInASentenceWhyItCannotListen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	if _, _, err := listen(nil, port); err == nil || !strings.HasPrefix(err.Error(), "port "+port+" is in use, perhaps by another dojo serve: choose another one, as in go tool dojo serve :") {
		t.Errorf("a second server: %v", err)
	}
	if _, _, err := listen([]string{"192.0.2.1"}, "0"); err == nil || !strings.Contains(err.Error(), "is no address of this laptop") {
		t.Errorf("another's address: %v", err)
	}
}

func TestServeGoesOnWithASessionThatHasNotEnded(t *testing.T) {
	config := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", config) // where users' folders are on Linux
	t.Setenv("HOME", config)
	t.Setenv("AppData", config)
	first, again, err := sessionFile("127.0.0.1:4242", false)
	if err != nil || again {
		t.Fatal(first, again, err)
	}
	if dir, err := os.UserConfigDir(); err != nil || filepath.Dir(first) != filepath.Join(dir, "dojo", "sessions") {
		t.Errorf("it is kept in %s", first)
	}
	server, err := teamserve.New(teamserve.Config{File: first})
	if err != nil {
		t.Fatal(err)
	}
	if path, again, err := sessionFile("127.0.0.1:4242", false); err != nil || !again || path != first {
		t.Errorf("after a crash: %s %v %v", path, again, err)
	}
	if path, again, err := sessionFile("127.0.0.1:4243", false); err != nil || again || path == first {
		t.Errorf("a second server, at another port: %s %v %v", path, again, err)
	}
	if path, again, err := sessionFile("127.0.0.1:4242", true); err != nil || again || path == first {
		t.Errorf("--new: %s %v %v", path, again, err)
	}
	if server.Over() {
		t.Error("a session that has just begun is over")
	}
}
