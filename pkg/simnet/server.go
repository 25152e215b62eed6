package simnet

import (
	"context"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// Client returns an [http.Client] of this host, with connections of its own. Call
// its CloseIdleConnections before the bubble ends, or they are taken for leaks.
func (h *Host) Client() *http.Client { return &http.Client{Transport: h.Transport()} }

// Transport returns an [http.Transport] that dials from this host. Like
// [http.DefaultTransport] it gives up a dial after 30 s, and closes idle
// connections after 90 s. A dial goes on when the request that it was for has
// given up, as always with net/http; CloseIdleConnections ends it.
func (h *Host) Transport() *http.Transport {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		return h.DialContext(ctx, network, address)
	}
	return &http.Transport{DialContext: dial, IdleConnTimeout: 90 * time.Second}
}

// A Server is an HTTP server of a host, as httptest.Server is one of this machine.
type Server struct {
	URL      string // like http://prices or http://[fd00::1]
	Listener *Listener
	Config   *http.Server
}

// NewTestServer starts an HTTP server at port 80 of a host. It is closed when the
// test, or the body of its bubble, is over. The test fails if the handler panics
// with another value than [http.ErrAbortHandler].
func NewTestServer(t testing.TB, h *Host, handler http.Handler) *Server {
	t.Helper()
	l, err := h.Listen("tcp", ":80")
	if err != nil {
		t.Fatalf("simnet: no server for %s: %v", h.name, err)
	}
	guarded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				if v != http.ErrAbortHandler { //nolint:errorlint,err113 // package http compares likewise
					t.Errorf("simnet: the handler of %s panicked at %s %s: %v\n%s", h.name, r.Method, r.URL.Path, v, debug.Stack())
				}
				panic(http.ErrAbortHandler) // ends the connection without a log
			}
		}()
		handler.ServeHTTP(w, r)
	})
	url := "http://" + h.name
	if strings.Contains(h.name, ":") {
		url = "http://[" + h.name + "]"
	}
	s := &Server{URL: url, Listener: l, Config: &http.Server{Handler: guarded}} //nolint:gosec // without time limits, as httptest.Server
	go func() { _ = s.Config.Serve(l) }()
	t.Cleanup(s.Close)
	return s
}

// Close stops the server at once, as when its process dies: it listens no longer,
// and its connections are closed in the middle of a request, also those that a
// handler has hijacked, such as websockets. Handlers see their request's context
// end. It may be called again.
func (s *Server) Close() {
	_ = s.Config.Close() // which does not know the hijacked ones
	for _, c := range s.Listener.host.net.conns(func(c *Conn) bool { return c.listener == s.Listener }) {
		_ = c.Close()
	}
}
