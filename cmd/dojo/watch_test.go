package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/teamclient/teamfake"
	"github.com/backend-kata/dojo/cmd/dojo/internal/terminal"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// A pipe is an output that a test reads while it is written.
type pipe struct {
	mu   sync.Mutex
	text strings.Builder
}

func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

// await waits until the words have been written, and returns all text so far.
func (p *pipe) await(t *testing.T, words string) string {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		p.mu.Lock()
		text := p.text.String()
		p.mu.Unlock()
		if strings.Contains(text, words) {
			return text
		}
	}
	t.Fatalf("watch did not say %q within a minute, but:\n%s", words, p.text.String())
	return ""
}

func TestWatchJudgesEverySave(t *testing.T) {
	b := clone(t)
	out := &pipe{}
	b.desk.screen = &terminal.Screen{Writer: out, Width: 80}
	ctx, stop := context.WithCancel(t.Context())
	b.body(t, "Second", "", "return 0")
	ended := make(chan error, 1)
	go func() { ended <- watchCommand{Kata: "breaker"}.Run(ctx, b.desk) }()
	out.await(t, "The second was expected to be 2, and is 0.")
	b.body(t, "Third", "", "return 0")
	out.await(t, "The third was expected to be 3, and is 0.")
	b.body(t, "Third", "", "return three")
	out.await(t, "undefined: three")
	b.write(t, stub, goodStub)
	text := out.await(t, "read the answer")
	if strings.Contains(text, "\x1b[") {
		t.Error("the output is no terminal, and has control sequences")
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("watch ended with %v", err)
	}
}

// BenchmarkSaveToVerdict measures what a learner waits for in the katas that
// are here: the first verdict, and the one with the race detector.
func BenchmarkSaveToVerdict(b *testing.B) {
	book, err := workbook.Open(".")
	if err != nil {
		b.Fatal(err)
	}
	for _, k := range book.Here() {
		b.Run(k.Name(), func(b *testing.B) { saveToVerdict(b, book, k.Name()) })
	}
}

func saveToVerdict(b *testing.B, book workbook.Book, name string) {
	root := b.TempDir()
	if err := copyTree(book.Root, root); err != nil {
		b.Fatal(err)
	}
	bench := &bench{root: root}
	bench.open(b)
	k, err := bench.desk.book.Kata(name)
	if err != nil {
		b.Fatal(err)
	}
	text, err := os.ReadFile(k.ShippedStub())
	if err != nil {
		b.Fatal(err)
	}
	var first, last []time.Duration
	for n := 0; b.Loop(); n++ {
		head, rest, _ := strings.Cut(string(text), "\n\n") // a changed line in the middle, and all after it moved
		edit := fmt.Sprintf("%s\n%s\n%s\nvar edit%d = %d\n", head, strings.Repeat("\n", 1+n%3), rest, n, n)
		if err := os.WriteFile(k.Stub(), []byte(edit), 0o644); err != nil {
			b.Fatal(err)
		}
		var told []time.Duration
		bench.desk.judgeTwice(b.Context(), k, func(message any) {
			n, ok := message.(news)
			if !ok {
				return
			}
			if n.err != nil {
				b.Fatal(n.err)
			}
			told = append(told, n.took)
		})
		first, last = append(first, told[0]), append(last, told[len(told)-1])
	}
	b.ReportMetric(float64(median(first).Milliseconds()), "ms/first")
	b.ReportMetric(float64(median(last).Milliseconds()), "ms/race")
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

func TestWatchLogsWhatTheTeamSays(t *testing.T) {
	server := teamfake.Start(t)
	b := clone(t)
	b.joins(t, server)
	out := &pipe{}
	b.desk.screen = &terminal.Screen{Writer: out, Width: 80}
	ctx, stop := context.WithCancel(t.Context())
	b.body(t, "Second", "", "return 0")
	ended := make(chan error, 1)
	go func() { ended <- watchCommand{Kata: "breaker"}.Run(ctx, b.desk) }()
	out.await(t, "team: blue circle Ada & Bob · running")
	out.await(t, "The second was expected to be 2, and is 0.")
	server.Send("data: {\"Kind\":\"turn\",\"N\":2}\n\ndata: {\"Kind\":\"reveal\",\"Kata\":\"breaker\"}\n\n")
	out.await(t, "turn 2: the driver changes")
	out.await(t, "The reference of breaker, as the facilitator reveals it")
	out.await(t, "func Second() int { return 2 }")
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		verdicts, _ := server.Got()
		if len(verdicts) == 1 && verdicts[0].Step == 2 {
			break
		}
		if len(verdicts) > 1 || time.Now().After(end) {
			t.Fatalf("one verdict was expected at the server, and it has %+v", verdicts)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("watch ended with %v", err)
	}
}
