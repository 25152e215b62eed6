package simnet_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simnet"
)

// reads returns what each Read gets until n bytes have come.
func (p *pair) reads(n int) (got []string) {
	p.t.Helper()
	for buffer := make([]byte, 1<<20); n > 0; {
		k, err := p.server.Read(buffer)
		if err != nil {
			p.t.Fatal(err)
		}
		got = append(got, string(buffer[:k]))
		n -= k
	}
	return got
}

// A program that takes one Read for one message fails, whether messages come one
// by one or together, with most seeds.
func TestOneWriteIsNotOneRead(t *testing.T) {
	var once, cut, whole, joined, part int
	const seeds = 50
	for seed := range uint64(seeds) {
		inPair(t, &simnet.Network{Seed: seed, Default: simnet.Link{Latency: ms}}, func(p *pair) {
			alone := true
			for i := range 5 {
				p.write(p.client, fmt.Sprintf("message %d;", i))
				alone = len(p.reads(10)) == 1 && alone
				if i == 0 && !alone {
					once++
				}
			}
			if !alone {
				cut++
			}
			p.write(p.client, "one;")
			p.write(p.client, "two;")
			switch got := fmt.Sprintf("%q", p.reads(8)); got {
			case `["one;" "two;"]`:
				whole++
			case `["one;two;"]`:
				joined++
			default:
				part++
			}
		})
	}
	if once < seeds/2 || cut < seeds*9/10 {
		t.Errorf("of %d seeds %d cut a message, and %d one of five, want most and nine of ten", seeds, once, cut)
	}
	if whole == 0 || joined == 0 || part < seeds/2 {
		t.Errorf("two messages came whole with %d seeds, in one Read with %d and otherwise with %d of %d", whole, joined, part, seeds)
	}
}

// What one Read returns depends on the seed and on nothing that changes from run
// to run.
func TestReadsAreDeterministic(t *testing.T) {
	run := func(seed uint64) (got []string) {
		inPair(t, &simnet.Network{Seed: seed, Default: simnet.Link{Latency: ms, Jitter: ms}}, func(p *pair) {
			p.write(p.client, strings.Repeat("0123456789", 1000))
			got = p.reads(10_000)
		})
		return got
	}
	first := fmt.Sprint(run(1))
	for range 5 {
		if again := fmt.Sprint(run(1)); again != first {
			t.Fatalf("one seed, and other reads:\n%s\n%s", again, first)
		}
	}
	if fmt.Sprint(run(2)) == first {
		t.Error("two seeds have the same reads")
	}
	if n := len(run(1)); n < 5 {
		t.Errorf("10,000 bytes, which are 7 packets, came in %d reads", n)
	}
}

// transfer sends so many bytes from shop to prices, where somebody reads them, and
// returns how long that takes.
func transfer(t *testing.T, n *simnet.Network, size int) (took time.Duration) {
	inPair(t, n, func(p *pair) {
		bubble.Go(t, func() {
			p.write(p.client, strings.Repeat("x", size))
			_ = p.client.Close()
		})
		got, err := io.Copy(io.Discard, p.server)
		if int(got) != size || err != nil {
			t.Errorf("read %d of %d bytes: %v", got, size, err)
		}
		took = time.Since(p.start)
	})
	return took
}

func TestThroughput(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct {
		name     string
		link     simnet.Link
		size     int
		from, to time.Duration
	}{
		{"a window that grows", simnet.Link{Latency: 50 * ms}, 10 * mib, 700 * ms, 800 * ms},
		{"a window that does not", simnet.Link{Latency: 50 * ms, Buffer: 64 << 10}, 10 * mib, 16 * time.Second, 17 * time.Second},
		{"the largest window", simnet.Link{Latency: time.Second}, 30 * mib, 20 * time.Second, 24 * time.Second},
		{"no latency", simnet.Link{}, 10 * mib, 0, 0},
		{"bandwidth", simnet.Link{Bandwidth: mib}, 10 * mib, 9999 * ms, 10 * time.Second},
		{"bandwidth and latency", simnet.Link{Latency: 50 * ms, Bandwidth: mib}, 10 * mib, 10 * time.Second, 10100 * ms},
		{"loss", simnet.Link{Latency: 50 * ms, Loss: 0.01}, 10 * mib, time.Second, 5 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			if took := transfer(t, &simnet.Network{Seed: 1, Default: test.link}, test.size); took < test.from || took > test.to {
				t.Errorf("%d bytes took %v, want %v to %v", test.size, took, test.from, test.to)
			}
		})
	}
}

// Bandwidth is a queue: what was sent later waits.
func TestBandwidth(t *testing.T) {
	n := &simnet.Network{}
	n.SetLink("shop", "prices", simnet.Link{Latency: 10 * ms, Bandwidth: 1000})
	inPair(t, n, func(p *pair) {
		p.start = time.Now()
		p.write(p.client, strings.Repeat("a", 500))
		p.write(p.client, strings.Repeat("b", 100))
		p.at(0, "both were written")
		p.read(p.server, strings.Repeat("a", 500))
		p.at(510*ms, "the first arrived")
		p.read(p.server, strings.Repeat("b", 100))
		p.at(610*ms, "the second arrived")
		p.write(p.server, strings.Repeat("c", 1000))
		p.read(p.client, strings.Repeat("c", 1000))
		p.at(610*ms, "the other way has no limit")
		p.write(p.client, strings.Repeat("d", 1000))
		p.network.Fail("shop", "prices", simnet.BlackHole)
		time.Sleep(time.Second)
		p.network.Heal("shop", "prices")
		p.read(p.server, strings.Repeat("d", 1000))
		p.at(610*ms+1400*ms+1010*ms, "what had not left is sent again after 1.4 s")
	})
}

// The window grows for a reader alone: a Write to a peer that does not read waits
// as soon as the first window is full. Only what is written before that is known is
// kept by the sender, to a limit.
func TestTheWindowOfWhoDoesNotRead(t *testing.T) {
	for _, test := range []struct {
		name        string
		network     *simnet.Network
		pause       time.Duration
		least, most int
	}{
		{"one by one", far(), ms, 60_000, 100_000},
		{"without latency", &simnet.Network{}, 0, 60_000, 64 << 10},
		{"a burst", far(), 0, 4 << 20, 4<<20 + 64<<10},
		{"a burst with a buffer", &simnet.Network{Default: simnet.Link{Latency: ms, Buffer: 5000}}, 0, 5000, 5000},
	} {
		t.Run(test.name, func(t *testing.T) {
			inPair(t, test.network, func(p *pair) {
				sent := 0
				bubble.Go(t, func() {
					for {
						n, err := p.client.Write(bytes.Repeat([]byte("x"), 1000))
						sent += n
						if err != nil {
							return
						}
						if test.pause > 0 {
							time.Sleep(test.pause)
						}
					}
				})
				time.Sleep(time.Hour)
				synctest.Wait()
				if sent < test.least || sent > test.most {
					t.Errorf("nobody reads, and %d bytes were sent, want %d to %d", sent, test.least, test.most)
				}
			})
		})
	}
}

// What the sender keeps is sent behind what it sent before, whatever happens: the
// end of the connection, or an outage.
func TestWhatTheSenderKeeps(t *testing.T) {
	payload := bytes.Repeat([]byte("0123456789"), 100_000)
	inPair(t, far(), func(p *pair) {
		p.write(p.client, string(payload))
		p.at(0, "a Write does not wait for what is under way")
		_ = p.client.Close()
		got, err := io.ReadAll(p.server)
		if !bytes.Equal(got, payload) || err != nil {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
		p.at(170*ms, "the end came") // windows of 64, 128, 256, 512 KiB, and the rest
	})
	inPair(t, far(), func(p *pair) {
		p.write(p.client, string(payload))
		p.network.Partition("shop", "prices")
		time.AfterFunc(time.Second, func() { p.network.Heal("shop", "prices") })
		p.read(p.server, string(payload))
		p.at(1160*ms, "all arrived") // the first window was under way; the news of room came after a second
	})
	inPair(t, far(), func(p *pair) {
		p.write(p.client, string(payload))
		p.read(p.server, string(payload[:60_000]))
		p.network.Fail("prices", "shop", simnet.BlackHole) // the news of room is swallowed, but for what was on its way
		time.AfterFunc(time.Second, func() { p.network.Heal("shop", "prices") })
		p.read(p.server, string(payload[60_000:]))
	})
	inPair(t, far(), func(p *pair) {
		p.write(p.client, string(payload))
		p.network.Partition("shop", "prices")
		p.fails(p.client, syscall.ETIMEDOUT)
		p.network.Heal("shop", "prices")
		if got, err := io.ReadAll(p.server); !errors.Is(err, syscall.ETIMEDOUT) || len(got) > 64<<10 {
			t.Errorf("the sender gave up, and the peer reads %d bytes, %v", len(got), err)
		}
	})
	inPair(t, far(), func(p *pair) {
		p.write(p.client, string(payload))
		p.write(p.server, "x")
		time.Sleep(time.Second)
		_ = p.client.Close() // resets
		if got, err := io.ReadAll(p.server); !errors.Is(err, syscall.ECONNRESET) || len(got) > 64<<10 {
			t.Errorf("the sender reset the connection, and the peer reads %d bytes, %v", len(got), err)
		}
	})
	inPair(t, far(), func(p *pair) {
		p.write(p.client, string(payload))
		time.Sleep(5 * ms)
		p.network.Fail("shop", "prices", simnet.Reset)
		if got, err := io.ReadAll(p.server); !errors.Is(err, syscall.ECONNRESET) || len(got) > 64<<10 {
			t.Errorf("the link resets what is sent now, and the peer reads %d bytes, %v", len(got), err)
		}
		p.fails(p.client, syscall.ECONNRESET)
		p.says("1000000 B in 45 packets, is answered by a reset\n")
	})
}
