package teamserve

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener in memory, so that hours of waiting pass in virtual time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// quiet runs a server in a bubble.
func quiet(t *testing.T, do func(s *Server, p *pipes)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{File: filepath.Join(t.TempDir(), "session.jsonl"), Hosts: []string{"here"}})
		if err != nil {
			t.Fatal(err)
		}
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Serve(ctx, p) }()
		do(s, p)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestAClientThatWritesSlowlyIsCutOff(t *testing.T) {
	quiet(t, func(_ *Server, p *pipes) {
		conn := p.dial()
		defer conn.Close()
		go func() { _, _ = io.Copy(io.Discard, conn) }() // net/http says why before it closes
		began := time.Now()
		for _, err := io.WriteString(conn, "GET / HTTP/1.1\r\n"); err == nil; _, err = io.WriteString(conn, "A: b\r\n") {
			time.Sleep(time.Second)
		}
		if took := time.Since(began); took > 7*time.Second {
			t.Errorf("a header may take %v", took)
		}
	})
}

func TestAClientThatReadsNothingIsCutOff(t *testing.T) {
	quiet(t, func(s *Server, p *pipes) {
		conn := p.dial()
		defer conn.Close()
		began := time.Now()
		_, err := io.WriteString(conn, "GET /stream HTTP/1.1\r\nHost: here\r\nCookie: "+s.cookie(viewer).String()+"\r\n\r\n")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil { // it is a stream, of which no more is read
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("the stream is open after %v: %v", time.Since(began), err)
		}
	})
}

func TestAStreamShowsThatItIsAliveForHours(t *testing.T) {
	quiet(t, func(s *Server, p *pipes) {
		conn := p.dial()
		defer conn.Close()
		_, err := io.WriteString(conn, "GET /stream HTTP/1.1\r\nHost: here\r\nCookie: "+s.cookie(viewer).String()+"\r\n\r\n")
		if err != nil {
			t.Fatal(err)
		}
		for until := time.Now().Add(3 * time.Hour); time.Now().Before(until); {
			_ = conn.SetReadDeadline(time.Now().Add(beat + time.Second))
			if _, err := conn.Read(make([]byte, 4096)); err != nil {
				t.Fatalf("no sign of life: %v", err)
			}
		}
	})
}
