package simnode_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simdisk"
	"github.com/backend-kata/dojo/pkg/simnet"
	"github.com/backend-kata/dojo/pkg/simnode"
)

// note is a program: it keeps the text that was PUT last, and shows it. It does what
// every program should: it opens its files anew, serves until its context ends, and
// then returns.
func note(ctx context.Context, host *simnet.Host, disk *simdisk.Disk) error {
	var mu sync.Mutex // guards the file
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /", func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err == nil {
			mu.Lock()
			err = replace(disk, "note", text)
			mu.Unlock()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		text, err := simdisk.ReadFile(disk, "note")
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(text) // who asked may be gone
	})
	l, err := host.Listen("tcp", ":80")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// replace puts a text into a file, or leaves what was there.
func replace(fsys simdisk.FS, name string, text []byte) error {
	f, err := simdisk.Create(fsys, name+".new")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := fsys.Rename(name+".new", name); err != nil {
		return err
	}
	return simdisk.SyncDir(fsys, ".")
}

// An answer to a PUT means that the text outlives every crash.
func TestNote(t *testing.T) {
	simnode.Explore(t, func(t *testing.T, c *simnode.Cluster) {
		c.Start("server", note)
		client := c.Network.Host("laptop").Client()
		client.Timeout = time.Second
		defer client.CloseIdleConnections()

		put(client, "hello")
		c.Note("hello was saved")
		c.Wait()
		if got := get(client); got != "hello" {
			t.Errorf("hello was saved, and the note says %q", got)
		}
	})
}

// put and get ask again until the server answers.
func put(client *http.Client, text string) {
	ask(client, http.MethodPut, text)
}

func get(client *http.Client) string { return ask(client, http.MethodGet, "") }

func ask(client *http.Client, method, text string) string {
	for {
		r, err := http.NewRequest(method, "http://server/", strings.NewReader(text))
		if err != nil {
			panic(err) // the address is right
		}
		if resp, err := client.Do(r); err == nil {
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err == nil && resp.StatusCode == http.StatusOK {
				return string(body)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// A test that crashes a node at a moment of its own choice.
func TestNoteWhileDown(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		c := simnode.New(t)
		server := c.Start("server", note)
		client := c.Network.Host("laptop").Client()
		client.Timeout = time.Second
		defer client.CloseIdleConnections()

		put(client, "hello")
		server.Crash(simnet.BlackHole, 1) // nothing that is in doubt survives
		time.AfterFunc(time.Hour, server.Restart)
		before := time.Now()
		if got := get(client); got != "hello" || time.Since(before) < time.Hour {
			t.Errorf("the note says %q after %v", got, time.Since(before))
		}
	})
}
