package simnode_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/backend-kata/dojo/pkg/internal/golden"
	"github.com/backend-kata/dojo/pkg/internal/race"
	"github.com/backend-kata/dojo/pkg/simdisk"
	"github.com/backend-kata/dojo/pkg/simnet"
	"github.com/backend-kata/dojo/pkg/simnode"
)

// counts explores three counters with some flaws.
func counts(t *testing.T, f flaws) simnode.Report {
	t.Helper()
	budget := simnode.Budget
	if race.Enabled {
		budget = 400
	}
	return simnode.ExploreWithin(t, budget, func(t *testing.T, c *simnode.Cluster) { countsOnce(t, c, f) })
}

func countsOnce(t *testing.T, c *simnode.Cluster, f flaws) {
	for _, name := range []string{"a", "b", "c"} {
		c.Start(name, program(f))
	}
	client := newClient(c.Network.Host("client"), "a", "b", "c")
	defer client.CloseIdleConnections()
	client.add("x", 1)
	c.Note("1 was added")
	client.add("y", 2)
	c.Note("2 was added")
	c.Wait()
	client.add("z", 4)
	c.Note("4 was added")
	c.Wait()
	for _, pair := range [][]string{{"a", "b"}, {"b", "c"}, {"a", "c"}} {
		if sum := client.count(pair...); sum != 7 {
			t.Errorf("%s and %s count %d, and 7 was added", pair[0], pair[1], sum)
		}
	}
}

// idle waits for the end of its context.
func idle(ctx context.Context, _ *simnet.Host, _ *simdisk.Disk) error {
	<-ctx.Done()
	return nil
}

// The programs fail, each in its own way. TestPrograms compares what they print with
// the files in testdata.
var programs = map[string]func(t *testing.T){
	"doc":                      doc,
	"answers-before-sync":      func(t *testing.T) { counts(t, flaws{noSync: true}) },
	"name-not-synced":          func(t *testing.T) { counts(t, flaws{noSyncDir: true}) },
	"torn-line":                func(t *testing.T) { counts(t, flaws{tornLine: true}) },
	"counts-twice":             func(t *testing.T) { counts(t, flaws{noIDs: true}) },
	"in-memory":                func(t *testing.T) { counts(t, flaws{memoryOnly: true}) },
	"does-not-stop":            func(t *testing.T) { counts(t, flaws{ignoresCtx: true}) },
	"fails-without-a-crash":    func(t *testing.T) { simnode.Explore(t, func(t *testing.T, _ *simnode.Cluster) { t.Error("it fails") }) },
	"nothing-to-crash":         func(t *testing.T) { simnode.Explore(t, func(*testing.T, *simnode.Cluster) {}) },
	"budget":                   budget,
	"out-of-time":              outOfTime,
	"panics-on-what-is-left":   panicsOnWhatIsLeft,
	"returns":                  returns,
	"crash-by-hand":            crashByHand,
	"many-nodes":               manyNodes,
	"goroutine-of-a-live-node": leaks,
}

// doc is the test of the package comment.
func doc(t *testing.T) {
	counter := program(flaws{noSync: true})
	simnode.Explore(t, func(t *testing.T, c *simnode.Cluster) {
		c.Start("a", counter)
		c.Start("b", counter)
		client := newClient(c.Network.Host("client"), "a", "b")
		defer client.CloseIdleConnections()
		client.add("first", 1)
		c.Note("1 was added")
		c.Wait()
		for _, name := range []string{"a", "b"} {
			if sum := client.count(name); sum != 1 {
				t.Errorf("%s counts %d, and 1 was added", name, sum)
			}
		}
	})
}

func budget(t *testing.T) {
	simnode.ExploreWithin(t, 8, func(t *testing.T, c *simnode.Cluster) { countsOnce(t, c, flaws{}) })
	t.Error("shown")
}

func outOfTime(t *testing.T) {
	defer simnode.Within(0)()
	simnode.Explore(t, func(t *testing.T, c *simnode.Cluster) { countsOnce(t, c, flaws{}) })
	t.Error("shown")
}

func panicsOnWhatIsLeft(t *testing.T) {
	simnode.Explore(t, func(_ *testing.T, c *simnode.Cluster) {
		c.Start("a", func(ctx context.Context, _ *simnet.Host, disk *simdisk.Disk) error {
			if data, err := simdisk.ReadFile(disk, "config"); err == nil {
				_ = data[0] // it may be empty
			} else {
				f, err := simdisk.Create(disk, "config")
				if err != nil {
					return err
				}
				if _, err := f.Write([]byte("1")); err != nil {
					return err
				}
			}
			<-ctx.Done()
			return nil
		})
		c.Wait()
	})
}

func returns(t *testing.T) {
	simnode.Explore(t, func(_ *testing.T, c *simnode.Cluster) {
		c.Start("a", func(context.Context, *simnet.Host, *simdisk.Disk) error { return nil })
		time.Sleep(time.Second)
		c.Start("b", func(context.Context, *simnet.Host, *simdisk.Disk) error { return errors.New("no config\nat all") })
		time.Sleep(time.Second)
	})
}

func crashByHand(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := simnode.New(t)
		a := c.Start("a", program(flaws{noSync: true}))
		c.Start("b", program(flaws{}))
		client := newClient(c.Network.Host("client"), "a", "b")
		defer client.CloseIdleConnections()
		client.add("x", 1)
		a.Crash(simnet.Reset, 1)
		c.Note("a is down")
		time.Sleep(time.Minute)
		a.Restart()
		if sum := client.count("a"); sum != 1 {
			t.Errorf("a counts %d, and 1 was added", sum)
		}
	})
}

func manyNodes(t *testing.T) {
	simnode.Explore(t, func(t *testing.T, c *simnode.Cluster) {
		for i := range 8 {
			c.Start(fmt.Sprint("node-", i), idle)
		}
		for _, name := range []string{"left", "right"} {
			if _, err := c.Network.Host(name).Dial("tcp", "node-0:80"); err == nil {
				t.Error("nobody listens there")
			}
		}
		t.Error("shown")
	})
}

// A goroutine that a node leaves behind is a leak as long as the node has not crashed.
func leaks(t *testing.T) {
	simnode.Explore(t, func(_ *testing.T, c *simnode.Cluster) {
		c.Start("a", func(ctx context.Context, host *simnet.Host, disk *simdisk.Disk) error {
			go func() { <-make(chan int) }()
			return idle(ctx, host, disk)
		})
		c.Wait()
	})
}

const programVar = "DOJO_SIMNODE_PROGRAM"

func TestProgram(t *testing.T) {
	name := os.Getenv(programVar)
	if name == "" {
		t.Skip("TestPrograms runs it in a process of its own")
	}
	defer simnode.Within(time.Hour)() // a busy machine finds what a quiet one does
	programs[name](t)
}

// long are the programs that take hundreds of runs to fail. With -race a run takes six
// times as long, and they fail in the same words.
var long = map[string]bool{"counts-twice": true, "torn-line": true}

func TestPrograms(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		t.Run(name, func(t *testing.T) {
			if race.Enabled && long[name] {
				t.Skip("the plain test runs it")
			}
			t.Parallel()
			golden.Check(t, name, output(name))
		})
	}
}

// The story in the package comment is a real one.
func TestDoc(t *testing.T) {
	comment, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	story, err := os.ReadFile("testdata/doc.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, told, _ := strings.Cut(string(comment), "syncs its log:\n//\n")
	told, _, _ = strings.Cut(told, "\n//\n// [New]")
	rest := string(story)
	for line := range strings.SplitSeq(told, "\n") {
		text := strings.TrimSpace(strings.TrimPrefix(line, "//"))
		_, after, ok := strings.Cut(rest, text)
		if !ok {
			t.Errorf("the comment has %q, which the test of its example does not print, or not there", text)
		}
		rest = after
	}
	if strings.Count(told, "\n") < 10 {
		t.Errorf("the comment has no story, or another text before it: %q", told)
	}
}

// The run that a failure prints fails alone, in the same way.
func TestReplay(t *testing.T) {
	for _, name := range []string{"answers-before-sync", "counts-twice", "in-memory", "panics-on-what-is-left"} {
		t.Run(name, func(t *testing.T) {
			if race.Enabled && long[name] {
				t.Skip("the plain test runs it")
			}
			t.Parallel()
			found := output(name)
			m := regexp.MustCompile(`DOJO_CRASH=(\S+) `).FindStringSubmatch(found)
			if m == nil {
				t.Fatalf("the program prints no crash:\n%s", found)
			}
			if diff := cmp.Diff(found, output(name, "DOJO_CRASH="+m[1])); diff != "" {
				t.Errorf("%s was expected to fail in the same way (-found +again):\n%s", m[1], diff)
			}
		})
	}
}

func TestReplayOfWhatIsNoCrash(t *testing.T) {
	for text, want := range map[string]string{
		"silent":               `it has 1 parts of 5`,
		"a:after:999:1:silent": `of the crashes of DOJO_CRASH=a:after:999:1:silent these came: none`,
		"a:after:1:1":          `it has 4 parts of 5`,
		"a:later:1:1:silent":   `its second part is "later", and not before, after or wait`,
		"a:after:one:1:silent": `invalid syntax`,
		"a:after:1:one:silent": `invalid syntax`,
		"a:after:1:1:loud":     `its last part is "loud", and not silent or reset`,
	} {
		got := output("budget", "DOJO_CRASH="+text)
		if !strings.Contains(got, want) || !strings.Contains(got, "FAIL") {
			t.Errorf("DOJO_CRASH=%s: %s\nwant %q", text, got, want)
		}
	}
}

var neutralities = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`goroutine \d+`), "goroutine N"},
	{regexp.MustCompile(`synctest bubble \d+`), "synctest bubble N"},
	{regexp.MustCompile(`(\w+\.go):\d+ *`), "$1:N "},
	{regexp.MustCompile(`0x[0-9a-f]+|\+0x[0-9a-f]+`), "0xN"},
	{regexp.MustCompile(`(?m)^\s+/.*/(\w+\.go)`), "\t$1"},
}

// output runs a program in a child process and returns what it prints, without what
// differs from run to run.
func output(name string, env ...string) string {
	text := golden.Child(append(env, programVar+"="+name), "-test.timeout=5m", "-test.run=^TestProgram$")
	for _, n := range neutralities {
		text = n.pattern.ReplaceAllString(text, n.with)
	}
	return text
}
