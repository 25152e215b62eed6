package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/page"
	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
	"github.com/backend-kata/dojo/cmd/dojo/internal/teamserve"
	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
)

const teamPort = "4242"

type serveCommand struct {
	Address   string `arg:"" optional:"" help:"Where others reach this laptop, as host, host:port or :port. Without it, only this laptop does."`
	Lan       bool   `help:"Let the room in, at every address of this laptop."`
	New       bool   `help:"Begin another session, though the last one has not ended."`
	NoBrowser bool   `help:"Do not open the board in a browser."`
}

// Run serves a session of the team dojo until it is interrupted.
func (c serveCommand) Run(ctx context.Context, d *desk) error {
	hosts, port, err := c.addresses()
	if err != nil {
		return err
	}
	listeners, reached, err := listen(hosts, port)
	if err != nil {
		return err
	}
	version, err := team.Version(d.book.Root)
	if err != nil {
		return err
	}
	file, again, err := sessionFile(reached[0], c.New)
	if err != nil {
		return err
	}
	config := d.serverConfig(file, version, reached)
	server, err := teamserve.New(config)
	if err == nil && again && server.Over() { // it ended while nobody served it
		file, _, err = sessionFile(reached[0], true)
		if err == nil {
			config.File = file
			server, err = teamserve.New(config)
			again = false
		}
	}
	if err != nil {
		return err
	}
	board := "http://" + reached[0] + "/#" + server.Word()
	if c.Lan && len(hosts) == 0 {
		d.say("This laptop is in no network now. Join one, and start again.")
	}
	d.sayServing(server, board, file, reached[1:], again)
	if d.screen.Interactive && !c.NoBrowser {
		openBrowser(board)
	}
	err = server.Serve(ctx, listeners...)
	switch {
	case ctx.Err() == nil:
	case server.Over():
		d.say("", "The session has ended, and its pages are closed. What was kept as one file opens anywhere.")
	default:
		d.say("", "Nobody serves the session now. It is kept for 12 hours: go tool dojo serve goes on with it.")
	}
	return err
}

// addresses returns where to listen besides this laptop's own address, and the port.
func (c serveCommand) addresses() ([]string, string, error) {
	host, port := c.Address, teamPort
	if h, p, err := net.SplitHostPort(c.Address); err == nil {
		host, port = h, p
	}
	host = strings.Trim(host, "[]")
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return nil, "", fmt.Errorf("%q is no port: give one from 1 to 65535, as in go tool dojo serve :4243", port)
	}
	anywhere := host == "0.0.0.0" || host == "::"
	local := host == "" || host == "localhost" || host == "127.0.0.1"
	switch {
	case c.Lan || anywhere:
		return lanAddresses(), port, nil
	case local:
		return nil, port, nil
	}
	return []string{host}, port, nil
}

// lanAddresses returns this laptop's addresses in its networks.
func lanAddresses() []string {
	var hosts []string
	addrs, _ := net.InterfaceAddrs() // none if the system does not say
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && !prefix.Addr().IsLoopback() && !prefix.Addr().IsLinkLocalUnicast() {
			hosts = append(hosts, prefix.Addr().Unmap().String())
		}
	}
	slices.SortStableFunc(hosts, func(a, b string) int { return strings.Count(a, ":") - strings.Count(b, ":") })
	return hosts
}

// listen listens on this laptop's own address first, which no second server can have, and then where others come in.
func listen(hosts []string, port string) ([]net.Listener, []string, error) {
	var listeners []net.Listener
	var reached []string
	for _, host := range append([]string{"127.0.0.1"}, hosts...) {
		address := net.JoinHostPort(host, port)
		l, err := net.Listen("tcp", address)
		if err != nil {
			for _, l := range listeners {
				_ = l.Close() // nobody has come yet
			}
			return nil, nil, unlistened(address, port, err)
		}
		if port == "0" {
			_, port, _ = net.SplitHostPort(l.Addr().String()) // a listener's own address is well formed
		}
		listeners, reached = append(listeners, l), append(reached, net.JoinHostPort(host, port))
	}
	return listeners, reached, nil
}

func unlistened(address, port string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) || strings.Contains(err.Error(), "Only one usage of each socket address") {
		next := "4243"
		if n, err := strconv.Atoi(port); err == nil && n < 65535 {
			next = strconv.Itoa(n + 1)
		}
		return fmt.Errorf("port %s is in use, perhaps by another dojo serve: choose another one, as in go tool dojo serve :%s", port, next)
	}
	return fmt.Errorf("%s is no address of this laptop that it can listen on: %w", address, err)
}

// sessionFile returns the file of the session to go on with, or of a new one. The port is the lock: a session is
// served at the one where it began.
func sessionFile(local string, another bool) (path string, again bool, err error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", false, fmt.Errorf("there is no folder of yours to keep the session in: %w", err)
	}
	_, port, _ := net.SplitHostPort(local) // as it was joined
	dir = filepath.Join(dir, "dojo", "sessions")
	old, err := filepath.Glob(filepath.Join(dir, port+"-*.jsonl"))
	if err != nil {
		return "", false, fmt.Errorf("the sessions that are kept cannot be listed: %w", err)
	}
	slices.Sort(old)
	if len(old) > 0 && !another {
		last := old[len(old)-1]
		if info, err := os.Stat(last); err == nil && info.Size() > 0 {
			return last, true, nil
		}
	}
	return filepath.Join(dir, port+"-"+time.Now().UTC().Format("20060102T150405.000")+".jsonl"), false, nil
}

func (d *desk) serverConfig(file, version string, reached []string) teamserve.Config {
	hosts := slices.Clone(reached)
	_, port, _ := net.SplitHostPort(reached[0]) // as it was joined
	hosts = append(hosts, "localhost:"+port)
	config := teamserve.Config{File: file, Version: version, Hosts: hosts, Join: reached[1:], Trouble: d.sayTrouble, Ask: d.questions}
	if len(reached) == 1 {
		config.Join = reached
	}
	for _, k := range d.book.Here() {
		steps, _ := k.Steps() // broken here, they are for other clones to show
		config.Katas = append(config.Katas, teamserve.Kata{Name: k.Name(), Title: k.Title, Steps: len(steps)})
	}
	return config
}

// questions are the follow-ups of a kata's answer page.
func (d *desk) questions(kata string) []teamserve.Question {
	k, err := d.book.Kata(kata)
	if err != nil {
		return nil
	}
	answer, err := page.Read(k.Answer())
	if err != nil {
		return nil
	}
	var all []teamserve.Question
	for _, f := range answer.FollowUps() {
		all = append(all, teamserve.Question{Text: f.Question, Answer: f.Answer, Seeks: f.Seeks})
	}
	return all
}

func (d *desk) sayServing(server *teamserve.Server, board, file string, others []string, again bool) {
	if again {
		d.say("The session of "+server.Began().Format("15:04")+" goes on; --new begins another.", "")
	}
	d.say("The board, where you facilitate: " + d.screen.In(terminal.Loud, board))
	code := d.screen.In(terminal.Loud, team.Grouped(server.Code()))
	if len(others) == 0 {
		d.say("Only this laptop can reach it: go tool dojo serve --lan lets the room in.",
			"", "Other clones on this laptop:", "  go tool dojo join "+strings.TrimPrefix(strings.Split(board, "/#")[0], "http://")+" "+code)
	} else {
		d.say("", "The others, in their own clones:")
		for _, host := range others {
			d.say("  go tool dojo join " + quoted(host) + " " + code) // a shell takes [ for something else
		}
		d.say("and to watch, in a browser:")
		for _, host := range others {
			d.say("  http://" + host + "/#" + server.Code())
		}
		d.say("", "This is plain HTTP: whoever shares the network can read what is sent.")
	}
	d.say("", "Code "+code+" admits until the session ends. All of it is kept in "+file+".", "Ctrl-C stops serving.")
}

// sayTrouble says once that the disk refuses, and once that it takes again.
func (d *desk) sayTrouble(err error) {
	if err == nil {
		d.say("The disk takes the session again: nothing was lost.")
		return
	}
	d.say(d.screen.In(terminal.Bad, "The disk refuses: "+err.Error()+". The session goes on in memory, and is lost if this stops."))
}

// openBrowser opens the board where there is a program for that. The address is printed as well.
func openBrowser(url string) {
	name, args := "xdg-open", []string{url}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", url}
	}
	cmd := exec.Command(name, args...)
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }() // how it ended is its own affair
	}
}
