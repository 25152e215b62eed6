package simnet_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simnet"
)

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })

// request makes one request on a connection that is kept.
func request(b *testing.B, client *http.Client, url string) {
	resp, err := client.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
}

// BenchmarkRequest compares a request over loopback with one over simnet, without
// latency in real time, and over several kinds of link in a bubble. There the
// ratio of virtual to real time is reported too.
func BenchmarkRequest(b *testing.B) {
	b.Run("loopback", func(b *testing.B) {
		server := httptest.NewServer(hello)
		defer server.Close()
		for b.Loop() {
			request(b, server.Client(), server.URL)
		}
		rate(b)
	})
	b.Run("simnet", func(b *testing.B) {
		var n simnet.Network
		server := simnet.NewTestServer(b, n.Host("server"), hello)
		client := n.Host("client").Client()
		for b.Loop() {
			request(b, client, server.URL)
		}
		rate(b)
	})
	inBubble(b, "bubble", simnet.Link{})
	inBubble(b, "bubble-10ms", simnet.Link{Latency: 10 * time.Millisecond})
	inBubble(b, "bubble-10ms-jitter-loss", simnet.Link{Latency: 10 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.01})
}

func rate(b *testing.B) { b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s") }

// inBubble makes b.N requests in a bubble. A test of its own lends the
// *testing.T that a bubble needs.
func inBubble(b *testing.B, name string, link simnet.Link) {
	b.Run(name, func(b *testing.B) {
		n, virtual := b.N, time.Duration(0) // not b.Loop, which must be called on b's own goroutine
		lend := func(t *testing.T) {
			bubble.RunWithin(t, 1<<63-1, func(t *testing.T) {
				network := &simnet.Network{Seed: 1, Default: link}
				server := simnet.NewTestServer(t, network.Host("server"), hello)
				client := network.Host("client").Client()
				defer client.CloseIdleConnections()
				start := time.Now()
				for range n {
					request(b, client, server.URL)
				}
				virtual += time.Since(start)
				n = 0 // RunTests obeys -count too
			})
		}
		if !testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: b.Name(), F: lend}}) {
			b.Fatal("the bubble failed")
		}
		rate(b)
		if virtual > 0 {
			b.ReportMetric(virtual.Seconds()/b.Elapsed().Seconds(), "virtual/real")
		}
	})
}

// BenchmarkTransfer sends 10 MiB to a reader that is 50 ms away. MB/s is real
// time; in virtual time a transfer takes 0.7 s.
func BenchmarkTransfer(b *testing.B) {
	const size = 10 << 20
	b.SetBytes(size)
	n := b.N
	lend := func(t *testing.T) {
		for ; n > 0; n-- {
			transfer(t, &simnet.Network{Default: simnet.Link{Latency: 50 * time.Millisecond}}, size)
		}
	}
	if !testing.RunTests(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: b.Name(), F: lend}}) {
		b.Fatal("the bubble failed")
	}
}
