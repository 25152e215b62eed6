package bubble

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// readDump reads stacks as runtime.Stack wrote them on Linux with Go 1.26.
func readDump(t *testing.T, name string) []goroutine {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "stacks", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return parseStacks(string(text))
}

func TestParseHeader(t *testing.T) {
	tests := []struct {
		header string
		want   goroutine
		why    string
	}{
		{"goroutine 1 [running]:", goroutine{id: 1, state: "running"}, "the plain form"},
		{"goroutine 8 [runnable (durable), synctest bubble 12]:", goroutine{id: 8, state: "runnable", bubble: 12}, "it waited durably before"},
		{"goroutine 8 [chan receive (durable), synctest bubble 12]:", goroutine{id: 8, state: "chan receive", durable: true, bubble: 12}, "a durable wait"},
		{"goroutine 8 [select, 3 minutes, locked to thread, synctest bubble 4]:", goroutine{id: 8, state: "select", bubble: 4}, "every other word there is"},
		{"goroutine 8 [chan receive (nil chan) (durable), synctest bubble 4]:", goroutine{id: 8, state: "chan receive (nil chan)", durable: true, bubble: 4}, "brackets within the state"},
		{"goroutine 8 [runnable (scan)]:", goroutine{id: 8, state: "runnable"}, "seen while the collector looks at it"},
		{"goroutine x", goroutine{}, "garbage is no panic"},
	}
	for _, test := range tests {
		got := parseHeader(test.header)
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(goroutine{}, frame{})); diff != "" {
			t.Errorf("parseHeader(%q), %s (-want +got):\n%s", test.header, test.why, diff)
		}
	}
}

func TestParseFrames(t *testing.T) {
	got := parseStacks(strings.Join([]string{
		"goroutine 7 [select]:",
		"gopkg.in/yaml%2ev3.(*Decoder).Decode(0xc000, {0x1, 0x2}, ...)",
		"\t/go/pkg/mod/gopkg.in/yaml.v3@v3.0.1/yaml.go:123 +0x1d",
		"main.sum[...](...)",
		"\tC:/work/main.go:9",
		"...additional frames elided...",
		"created by main.main.func1 in goroutine 1",
		"\t/work/main.go:5 +0x2f",
		"",
		"no goroutine at all",
		"",
		"goroutine 8 [run",
	}, "\n"))
	want := []goroutine{{
		id: 7, state: "select",
		frames: []frame{
			{fn: "gopkg.in/yaml%2ev3.(*Decoder).Decode", file: "/go/pkg/mod/gopkg.in/yaml.v3@v3.0.1/yaml.go", line: 123},
			{fn: "main.sum[...]", file: "C:/work/main.go", line: 9},
		},
		creator: frame{fn: "main.main.func1", file: "/work/main.go", line: 5},
	}, {id: 8, state: "run"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(goroutine{}, frame{})); diff != "" {
		t.Errorf("parseStacks (-want +got):\n%s", diff)
	}
	pkgs := []string{got[0].frames[0].pkg(), got[0].frames[1].pkg(), frame{fn: "panic"}.pkg()}
	if diff := cmp.Diff([]string{"gopkg.in/yaml%2ev3", "main", ""}, pkgs); diff != "" {
		t.Errorf("packages of frames (-want +got):\n%s", diff)
	}
}

func TestFileNames(t *testing.T) {
	p := paths{goroot: "/usr/local/go/src/", wd: "/home/me/shop/cart"}
	tests := []struct{ file, want, why string }{
		{"/home/me/shop/cart/cart.go", "cart.go", "in the package under test"},
		{"/home/me/shop/stock/stock.go", "../stock/stock.go", "in a neighbour"},
		{"/usr/local/go/src/net/http/server.go", "net/http/server.go", "in the standard library"},
		{"/home/me/go/pkg/mod/github.com/a/b@v1.2.3/b.go", "github.com/a/b@v1.2.3/b.go", "in a dependency"},
		{"/opt/else/where.go", "/opt/else/where.go", "too far away to be clearer as a relative path"},
		{"github.com/me/shop/cart/cart.go", "github.com/me/shop/cart/cart.go", "as -trimpath leaves it"},
	}
	for _, test := range tests {
		if got := p.file(test.file); got != test.want {
			t.Errorf("the name of %s, %s, is %s, want %s", test.file, test.why, got, test.want)
		}
	}
}

// A scene is described from its parts, one goroutine a line:
// id, state, * if durable, and its functions, innermost first.
func sceneOf(t *testing.T, lines ...string) scene {
	t.Helper()
	s := scene{}
	for _, line := range lines {
		var g goroutine
		fields := strings.Split(line, "; ")
		if _, err := fmt.Sscan(fields[0], &g.id); err != nil {
			t.Fatal(err)
		}
		g.state, g.durable = strings.CutSuffix(fields[1], "*")
		for _, fn := range fields[2:] {
			g.frames = append(g.frames, frame{fn: fn})
		}
		s.own = append(s.own, g)
	}
	return s
}

func TestJudge(t *testing.T) {
	const body = "; testing.tRunner"
	type look struct {
		s   scene
		cpu time.Duration
	}
	repeat := func(n int, s scene, step time.Duration) []look {
		looks := make([]look, n)
		for i := range looks {
			looks[i] = look{s, time.Duration(i) * step}
		}
		return looks
	}
	mutex := sceneOf(t, "8; sync.Mutex.Lock"+body)
	mutexElsewhere := sceneOf(t, "8; sync.Mutex.Lock; main.other"+body)
	outside := mutex
	outside.outside = true
	spin := sceneOf(t, "8; chan receive*"+body, "9; running")
	spinRunnable := sceneOf(t, "8; chan receive*"+body, "9; runnable; main.f")
	moving := spin
	moving.moving = true
	network := sceneOf(t, "8; IO wait; net.(*conn).Read"+body)
	churn := func(n int, step time.Duration) (looks []look) {
		for i := range n {
			looks = append(looks, look{sceneOf(t, "8; chan receive*"+body, fmt.Sprint(9+i, "; running")), time.Duration(i) * step})
		}
		return looks
	}
	tests := []struct {
		name  string
		looks []look
		want  string // how the report begins
		why   string
	}{
		{"a lock once", repeat(1, mutex, 0), "", "one look is no proof"},
		{"a lock twice", repeat(2, mutex, 0), "deadlock:", "nobody else can release it"},
		{"a lock elsewhere", []look{{mutex, 0}, {mutexElsewhere, 0}}, "", "it moved between the looks"},
		{"a lock from outside", repeat(39, outside, time.Hour), "", "a goroutine outside may release it"},
		{"a lock from outside, patiently", repeat(40, outside, 0), "blocked: the body waits for a sync.Mutex, which nothing in the bubble releases, and nobody outside did in 10s of real time", "nobody did for 40 looks"},
		{"network", repeat(39, network, time.Hour), "", "an answer may come"},
		{"network, patiently", repeat(40, network, 0), "the clock stands still:", "none came for 40 looks"},
		{"runs without processor time", repeat(1000, spin, time.Millisecond), "", "a slow or stopped machine, not a busy loop"},
		{"runs for few looks", repeat(39, spin, time.Second), "", "many processors at work elsewhere"},
		{"runs", repeat(41, spin, 250*time.Millisecond), "busy: goroutine 9 did not end in 10s of processor time", "the rule"},
		{"runs or is about to", append(repeat(20, spin, 250*time.Millisecond), look{spinRunnable, 5 * time.Second}), "", "not yet"},
		{"the clock moves", repeat(59, moving, time.Second), "", "time passes, so it is no busy loop"},
		{"the clock moves on and on", repeat(61, moving, time.Second), "busy: the body did not end in 1m of processor time; it waits", "60 s of it with the body in one place"},
		{"goroutines come and go", churn(60, time.Second), "", "something is getting on"},
		{"goroutines come and go on and on", churn(61, time.Second), "busy: the body did not end in 1m of processor time; it waits", "but not the body"},
		{"all durable", repeat(100, sceneOf(t, "8; sleep*"+body), time.Second), "", "synctest is at work on it"},
		{"an unknown state", repeat(1000, sceneOf(t, "8; GC assist wait"+body), time.Millisecond), "", "never taken for blocked"},
		{"nothing", repeat(100, scene{}, time.Hour), "", "not started, or ended"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var w watcher
			var got string
			for _, l := range test.looks {
				if got, _ = w.judge(l.s, 0, l.cpu); got != "" {
					break
				}
			}
			if test.want == "" && got != "" || !strings.HasPrefix(got, test.want) {
				t.Errorf("judged %q, want %q: %s", got, test.want, test.why)
			}
		})
	}
}

// Which goroutines outside the bubble count as a help.
func TestScene(t *testing.T) {
	s := newScene(readDump(t, "parallel"), 3)
	ids := []int{}
	for _, g := range s.own {
		ids = append(ids, g.id)
	}
	if diff := cmp.Diff([]int{24, 23}, ids, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("goroutines of bubble 3, the body first (-want +got):\n%s", diff)
	}
	if s.outside {
		t.Error("tests that wait for bubbles, and other bubbles that wait, are taken for a help from outside")
	}
	if s.moving {
		t.Error("the clock is said to move while synctest's own goroutines wait")
	}
}

func TestStuckReport(t *testing.T) {
	s := newScene(readDump(t, "parallel"), 3)
	s.paths = paths{goroot: "/usr/local/go/src/", wd: "/home/me/shop/cart"}
	want := `the clock stands still: goroutine 23 waits for a sync.Mutex while the body sleeps, and virtual time does not move while a goroutine waits for a lock

goroutine 23 waits for a sync.Mutex
    ../stock/stock.go:17  stock.(*Store).Take
    cart.go:88            cart.(*Cart).Add
    cart_test.go:29       started by cart_test.TestHold.func1

the body sleeps
    cart_test.go:31  cart_test.TestHold.func1

If the one that sleeps holds the lock, release it before sleeping.`
	if diff := cmp.Diff(want, s.stuckReport()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestPlain(t *testing.T) {
	for d, want := range map[time.Duration]string{
		365 * 24 * time.Hour:    "365 days",
		24 * time.Hour:          "24h",
		90 * time.Minute:        "1h30m",
		10 * time.Second:        "10s",
		time.Minute:             "1m",
		time.Hour + time.Second: "1h0m1s",
		0:                       "0s",
	} {
		if got := plain(d); got != want {
			t.Errorf("plain(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestReportIsShort(t *testing.T) {
	var s scene
	for i := range 20 {
		g := goroutine{id: i, state: "sleep", durable: true}
		for j := range 30 {
			g.frames = append(g.frames, frame{fn: "example.com/m.f", file: "/m.go", line: i*100 + j})
		}
		s.own = append(s.own, g)
	}
	got := s.report("sentence", s.own, "advice")
	if n := strings.Count(got, "\n"); n > maxGroups*(maxFrames+3)+4 {
		t.Errorf("a report of 20 deep goroutines has %d lines", n)
	}
	for _, want := range []string{"and 12 more goroutines\n", "18 more calls", "\nadvice"} {
		if !strings.Contains(got, want) {
			t.Errorf("the report lacks %q:\n%s", want, got)
		}
	}
}
