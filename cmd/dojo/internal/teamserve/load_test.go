package teamserve

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// Forty pairs, three hours, a verdict every 20 seconds each, in virtual time: how large the file and the memory get,
// and what a verdict and a board cost at the end.
func TestThreeHoursOfFortyPairs(t *testing.T) {
	if os.Getenv("DOJO_LOAD") == "" {
		t.Skip("DOJO_LOAD is not set, and this takes as long as all other tests")
	}
	file := filepath.Join(t.TempDir(), "session.jsonl")
	var s *Server
	began := time.Now()
	synctest.Test(t, func(t *testing.T) { s = threeHours(t, file) })
	t.Logf("%d lights, each taken in %v without the disk's sync", len(s.lights), time.Since(began)/time.Duration(len(s.lights)))
	s.clock.now = time.Now // out of the bubble, whose clock stands

	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the file has %d MB, the heap %d MB", info.Size()>>20, memory.HeapAlloc>>20)
	if memory.HeapAlloc > 100<<20 {
		t.Errorf("the heap has %d MB, though code stays in the file", memory.HeapAlloc>>20)
	}
	for _, all := range []bool{false, true} {
		began := time.Now()
		page, err := s.boards.render(s, boardChoice{all: all})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("a board with all columns %v: %d kB in %v", all, len(page)>>10, time.Since(began))
		if !all && len(page) > 500<<10 {
			t.Errorf("a board has %d kB", len(page)>>10)
		}
	}
	began = time.Now()
	again, err := New(Config{File: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("opened again in %v", time.Since(began))
	if len(again.lights) != len(s.lights) || len(s.lights) != 40*3*180 {
		t.Errorf("%d lights, and %d come back", len(s.lights), len(again.lights))
	}
	again.journal.file.Close()
	s.journal.file.Close()
}

// threeHours plays them. The code of a verdict is 5 kB, as a kata's is.
func threeHours(t *testing.T, file string) *Server {
	s, err := New(Config{File: file})
	if err != nil {
		t.Fatal(err)
	}
	s.journal.file = unsynced{s.journal.file} // the disk's own time is measured by TestLoad
	code := strings.Repeat(storyCode, 9)
	var laptops []*laptop
	for i := range team.MaxPairs {
		if _, err := s.enter(team.Join{Pair: fmt.Sprint("pair ", i), Laptop: laptopOf(fmt.Sprint(i))}); err != nil {
			t.Fatal(err)
		}
		laptops = append(laptops, s.pairs[i].laptops[0])
	}
	for n := range 3 * 60 * 3 {
		for _, l := range laptops {
			v := redAt(1+n%6, code)
			v.Number, v.Failure = n+1, storyFailure
			if err := s.takeVerdict(l, v); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(20 * time.Second)
	}
	return s
}

type unsynced struct{ disk }

func (unsynced) Sync() error { return nil }

// The same for as long as DOJO_LOAD says (2m), in real time, with real connections and a real disk, while five boards
// follow: how long it is from a verdict to every board.
func TestLoad(t *testing.T) {
	lasts, err := time.ParseDuration(os.Getenv("DOJO_LOAD"))
	if err != nil {
		t.Skip("DOJO_LOAD says for how long")
	}
	r := open(t)
	var seats []*seated
	for i := range team.MaxPairs {
		seats = append(seats, r.join(fmt.Sprint("pair ", i)))
		r.listen(seats[i], "")
	}
	var mu sync.Mutex
	sent := map[string]time.Time{}
	var latencies, acks []time.Duration
	const boards = 5
	for range boards {
		go follow(r, func(page string, at time.Time) {
			mu.Lock()
			defer mu.Unlock()
			for _, part := range strings.Split(page, "stamp-")[1:] {
				stamp, _, _ := strings.Cut(part, "-")
				if began, known := sent[stamp]; known {
					latencies = append(latencies, at.Sub(began))
				}
			}
		})
	}
	code := strings.Repeat(storyCode, 9)
	deadline := time.Now().Add(lasts)
	var wg sync.WaitGroup
	for i, s := range seats {
		wg.Go(func() {
			time.Sleep(time.Duration(i) * 20 * time.Second / team.MaxPairs)
			for n := 1; time.Now().Before(deadline); n++ {
				v := redAt(1, code)
				v.Number = n
				stamp := fmt.Sprintf("%dx%d", i, n)
				v.Failure = "stamp-" + stamp + "-"
				began := time.Now()
				mu.Lock()
				sent[stamp] = began
				mu.Unlock()
				if status, body := s.send(v); status != http.StatusNoContent {
					t.Errorf("%d %s", status, body)
				}
				mu.Lock()
				acks = append(acks, time.Since(began))
				mu.Unlock()
				time.Sleep(time.Until(began.Add(20 * time.Second)))
			}
		})
	}
	wg.Wait()
	time.Sleep(2 * time.Second)
	mu.Lock()
	defer mu.Unlock()
	t.Logf("%v, %d verdicts; to the answer p50 %v, p99 %v; to %d boards p50 %v, p99 %v, seen %d of %d times", lasts, len(acks),
		percentile(acks, 50), percentile(acks, 99), boards, percentile(latencies, 50), percentile(latencies, 99), len(latencies), boards*len(acks))
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("heap %d MB, %d MB from the system, with the clients", memory.HeapAlloc>>20, memory.Sys>>20)
	if p99 := percentile(latencies, 99); p99 > time.Second {
		t.Errorf("it takes %v until a verdict is on every board", p99)
	}
}

// follow does what the page's script does, and hands on what it gets, each light the first time that it is shown.
func follow(r *room, show func(page string, at time.Time)) {
	cookie := r.browser(r.Code())
	req, _ := http.NewRequest(http.MethodGet, "http://"+r.host+"/stream", nil)
	req.Header.Set(cookie[0], cookie[1])
	stream, err := http.DefaultClient.Do(req)
	if err != nil {
		return
	}
	defer stream.Body.Close()
	shown := ""
	for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), "data:") {
			continue
		}
		req, _ := http.NewRequest(http.MethodGet, "http://"+r.host+"/", nil)
		req.Header.Set(cookie[0], cookie[1])
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			return
		}
		page, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		var fresh []string
		for _, part := range strings.Split(string(page), "stamp-")[1:] {
			stamp, _, _ := strings.Cut(part, "-")
			if !strings.Contains(shown, "stamp-"+stamp+"-") {
				fresh = append(fresh, "stamp-"+stamp+"-")
			}
		}
		shown = string(page)
		show(strings.Join(fresh, ""), time.Now())
	}
}

// percentile sorts, and picks.
func percentile(of []time.Duration, p int) time.Duration {
	if len(of) == 0 {
		return 0
	}
	slices.Sort(of)
	return of[(len(of)-1)*p/100].Round(time.Millisecond / 10)
}
