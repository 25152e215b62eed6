package teamserve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// serveForKilling is what a process of this test binary does that is to be killed: it serves a session.
func serveForKilling(file, address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s, err := New(Config{File: file, Hosts: []string{address}})
	if err != nil {
		return err
	}
	fmt.Println(s.Code())
	return s.Serve(context.Background(), l)
}

// Clients send verdicts while the server is killed again and again. Each repeats what was not acknowledged. In the
// end all that was acknowledged is in the file, once. DOJO_KILLS says how often, 5 times without it.
func TestNothingAcknowledgedIsLostWhenTheServerIsKilled(t *testing.T) {
	kills := 5
	if n, err := strconv.Atoi(os.Getenv("DOJO_KILLS")); err == nil {
		kills = n
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // for a port that is free
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	file := filepath.Join(t.TempDir(), "session.jsonl")
	server, code := startForKilling(t, file, address)

	const clients = 8
	var acknowledged [clients]int
	var repeated atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for c := range clients {
		join, err := json.Marshal(team.Join{Code: code, Pair: fmt.Sprint("pair ", c), Laptop: laptopOf(fmt.Sprint(c))})
		if err != nil {
			t.Fatal(err)
		}
		answer, body := post(t, address, "/api/join", "", join)
		var as team.Joined
		if err := json.Unmarshal(body, &as); answer != http.StatusOK || err != nil {
			t.Fatal(answer, string(body))
		}
		wg.Go(func() {
			for n := 1; ; n++ {
				v := redAt(1, fmt.Sprintf("package a // %d\n", n))
				v.Number = n
				text, _ := json.Marshal(v)
				for {
					if status, _ := post(t, address, "/api/verdict", as.Token, text); status == http.StatusNoContent {
						acknowledged[c] = n
						break
					}
					repeated.Add(1)
					time.Sleep(2 * time.Millisecond) // the server is being started
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for range kills {
		time.Sleep(time.Duration(rand.N(60)) * time.Millisecond) // the moment of the kill is what chance decides
		_ = server.Process.Kill()
		_ = server.Wait()
		server, _ = startForKilling(t, file, address)
	}
	close(stop)
	wg.Wait()
	_ = server.Process.Kill()
	_ = server.Wait()

	seen := [clients]map[int]int{}
	for c := range seen {
		seen[c] = map[int]int{}
	}
	seq := int64(0)
	j, err := openJournal(file, func(r record, _ span) error {
		if seq++; r.Seq != seq {
			return fmt.Errorf("record %d stands where %d should", r.Seq, seq)
		}
		if r.Kind == verdict {
			seen[r.Pair-1][r.Light.Number]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	j.file.Close()
	total := 0
	for c, last := range acknowledged {
		total += last
		for n := 1; n <= last; n++ {
			if times := seen[c][n]; times != 1 {
				t.Errorf("verdict %d of client %d is in the file %d times", n, c, times)
			}
		}
		if last == 0 {
			t.Errorf("client %d got nothing acknowledged", c)
		}
	}
	t.Logf("%d kills, %d verdicts acknowledged, %d sent again", kills, total, repeated.Load())
}

func startForKilling(t *testing.T, file, address string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DOJO_SERVE_FOR_KILLING="+file, "DOJO_ADDRESS="+address)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	code := make([]byte, 8)
	if _, err := io.ReadFull(out, code); err != nil {
		t.Fatalf("the server did not start: %v", err)
	}
	return cmd, string(code)
}

// post sends as a client does; status 0 is no answer.
func post(t *testing.T, address, path, token string, text []byte) (int, []byte) {
	req, err := http.NewRequest(http.MethodPost, "http://"+address+path, bytes.NewReader(text))
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	req.Header.Set("Authorization", "Bearer "+token)
	answer, err := (&http.Client{Timeout: 5 * time.Second}).Do(req)
	if err != nil {
		return 0, nil
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, nil
	}
	return answer.StatusCode, body
}
