package bubble

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestStall(t *testing.T) {
	const body = "8; chan receive*; testing.tRunner"
	source := filepath.Join(t.TempDir(), "wait.go")
	if err := os.WriteFile(source, []byte(sourceOfWaits), 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(state string, line int, sleeps time.Duration) goroutine {
		return goroutine{id: 1, state: state, durable: true, sleeps: sleeps, frames: []frame{{fn: "m.f", file: source, line: line}}}
	}
	ticks, lost := sceneOf(t, body, "9; chan receive*; m.tick"), sceneOf(t, body, "9; running; m.tick")
	awake := sceneOf(t, "8; running; testing.tRunner", "9; chan receive*; m.tick")
	with := func(g goroutine) scene { return scene{own: append(lost.own[:2:2], g)} }
	tests := []struct {
		name   string
		looks  []scene // in turn
		hours  int     // of virtual time for a look
		second int     // of processor time for a look
		want   bool
		why    string
	}{
		{"a ticker", []scene{ticks, lost}, 100, 0, true, "the rule"},
		{"a ticker, soon", []scene{ticks, lost}, 20, 0, false, "800 hours are not a thousand"},
		{"a fast ticker", []scene{ticks, lost}, 1, 1, true, "10 s of processor time are enough"},
		{"the clock stands still", []scene{ticks, lost}, 0, 1, false, "then it is not a timer that runs"},
		{"the body runs", []scene{ticks, lost, awake}, 100, 0, false, "it was woken"},
		{"the body sleeps", []scene{sceneOf(t, "8; sleep*; testing.tRunner", "9; running; m.tick")}, 100, 0, false, "it will wake"},
		{"the body has ended", []scene{sceneOf(t, "9; running; m.tick")}, 100, 0, false, "nobody is lost"},
		{"a worker", []scene{ticks, lost, sceneOf(t, body, "9; sleep*; m.work")}, 100, 0, false, "it waits at two places"},
		{"a new goroutine", []scene{ticks, lost, sceneOf(t, body, "10; chan receive*; m.tick")}, 100, 0, false, "something is getting on"},
		{"a socket", []scene{sceneOf(t, body, "9; IO wait; net.(*conn).Read")}, 100, 0, false, "the clock cannot move meanwhile"},
		{"a sleeper", []scene{with(at("sleep", 0, 1e6*time.Hour))}, 100, 0, false, "it may wake the body, later"},
		{"a sleeper that woke", []scene{with(at("sleep", 0, time.Hour))}, 100, 0, true, "it sleeps again, so it ticks"},
		{"an unknown sleeper", []scene{with(at("sleep", 0, 0))}, 100, 0, false, "for how long is not known"},
		{"a receive", []scene{with(at("chan receive", 4, 0))}, 100, 0, true, "of a value"},
		{"a receive from time.After", []scene{with(at("chan receive", 5, 0))}, 100, 0, false, "of a timer"},
		{"a select with a timer", []scene{with(at("select", 6, 0))}, 100, 0, false, "one case names the channel of a timer"},
		{"a select without", []scene{with(at("select", 11, 0))}, 100, 0, true, "the timer is used after it"},
		{"beyond the source", []scene{with(at("select", 99, 0))}, 100, 0, false, "it may be a timer"},
	}
	for _, tt := range tests {
		var w watcher
		w.stall.see(&tt.looks[0], 0, 0)
		for i := range 43 {
			s := tt.looks[i%len(tt.looks)]
			// The watcher's rules for what runs are tested elsewhere.
			w.stall.see(&s, time.Duration(i*tt.hours)*time.Hour, time.Duration(i*tt.second)*time.Second)
		}
		last := tt.looks[0]
		got := w.stall.stuck(&last, time.Duration(43*tt.hours)*time.Hour, time.Duration(43*tt.second)*time.Second)
		if got != tt.want {
			t.Errorf("%s: judged stuck %v, want %v: %s", tt.name, got, tt.want, tt.why)
		}
	}
}

const sourceOfWaits = `package m

func f() {
	<-done
	<-time.After(time.Hour)
	select {
	case <-done:
		return
	case <-timer.C:
	}
	select {
	case <-done:
		<-timer.C
	case <-ctx.Done():
	}
}
`

func TestParseSleep(t *testing.T) {
	for call, want := range map[string]time.Duration{
		"time.Sleep(0x3b9aca00)":  time.Second,
		"time.Sleep(0x3b9aca00?)": 0, // may be stale
		"time.Sleep(...)":         0,
		"time.Now()":              0,
	} {
		if got := parseSleep(call); got != want {
			t.Errorf("parseSleep(%q) = %v, want %v", call, got, want)
		}
	}
}
