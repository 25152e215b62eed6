package simnode

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/internal/rerun"
	"github.com/backend-kata/dojo/pkg/simnet"
)

// Budget is how many runs [Explore] makes at most.
const Budget = 1_000

// TimeLimit is the real time after which an exploration makes no further run. Right
// code is not to fail because it is slow, or the machine is.
const TimeLimit = 5 * time.Second

// longest is the virtual time that a run may take. A client that asks a node again and
// again that will never answer is to be told of within seconds.
const longest = time.Hour

// limit is TimeLimit, but for this package's tests.
var limit = TimeLimit

// replayVariable is the environment variable that has the crashes of the one run to
// make.
const replayVariable = "DOJO_CRASH"

// A Report says what an exploration has seen.
type Report struct {
	Moments   int  // at which a node could crash, those of all nodes together
	Single    int  // runs with one crash
	Double    int  // runs with two, drawn by lot
	Exhausted bool // all runs with one crash were made
	OutOfTime bool // it ended because TimeLimit was over
}

// String says how far an exploration came.
func (r Report) String() string {
	all := "as many as the budget allows"
	switch {
	case r.Exhausted:
		all = "all there are"
	case r.OutOfTime:
		all = fmt.Sprintf("as many as there were in %v", limit)
	}
	return fmt.Sprintf("%d moments for a crash; runs with one crash: %d, %s; with two: %d", r.Moments, r.Single, all, r.Double)
}

// Explore calls body once without a crash, and then again and again with one crash
// in each run, each time in a bubble and a cluster of its own, until a run fails or
// all have been made, [Budget] have, or [TimeLimit] is over. In the last two cases it
// logs how far it came, and the test passes. It fails if there was nothing to try.
//
// A crash comes at each operation of each node's disk that changes something: right
// after it was done, before it if something else happened on the node since the one
// before, and when the test calls [Cluster.Wait]. The node stops and is started again
// after [Cluster.Downtime]. Each such moment is tried with nothing in doubt on the
// disk surviving, with all of it, and with each other choice of
// [simdisk.Disk.Crash], and each of these in silence and with a reset. The plain ones
// come first, at all moments of all nodes; at least a quarter of the budget is
// for runs with two crashes, drawn by lot with a fixed seed.
//
// A run fails if it takes more than an hour of virtual time. The body starts the nodes, does what is to be interrupted from hosts of its own,
// calls Wait, and checks. It has to be deterministic, or the crashes differ from run
// to run. If the environment variable DOJO_CRASH is set, Explore makes just that run,
// as a failure prints it, and fails if its crashes do not come.
func Explore(t *testing.T, body func(t *testing.T, c *Cluster)) Report {
	t.Helper()
	return ExploreWithin(t, Budget, body)
}

// ExploreWithin is [Explore] with another budget.
func ExploreWithin(t *testing.T, budget int, body func(t *testing.T, c *Cluster)) Report {
	t.Helper()
	// One goroutine runs at a time, so that those that wake in the same instant do it
	// in one order more often.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	x := &exploration{t: t, body: body, deadline: time.Now().Add(limit)}
	if text := os.Getenv(replayVariable); text != "" {
		p, err := parsePlan(text)
		if err != nil {
			t.Fatalf("simnode: %s: %v", replayVariable, err)
		}
		x.left = 1
		x.run(p)
		if came := p.came(); len(came) < len(p) {
			t.Fatalf("simnode: of the crashes of %s=%s these came: %s; the nodes did not do what they did when it was printed, so explore again",
				replayVariable, p, came)
		}
		return Report{}
	}
	x.left = budget
	x.singles(x.run(nil), budget/4)
	if x.report.Moments == 0 {
		t.Fatalf("nothing was tried: no node asked its disk for anything, and the body did not call Wait\n\nagain: %s", rerun.Command(t.Name()))
	}
	x.doubles()
	if !x.report.Exhausted {
		t.Log(x.report)
	}
	return x.report
}

// An exploration is a call of Explore.
type exploration struct {
	t        *testing.T
	body     func(*testing.T, *Cluster)
	left     int // of the budget
	deadline time.Time
	choices  []choice
	report   Report
}

// A choice is a moment, and what was tried there.
type choice struct {
	moment

	most  int  // survivals that there are; 0 while that is not known
	gone  bool // the moment did not come again
	tried map[try]bool
}

type try struct {
	number int
	fault  simnet.Fault
}

// run makes one run, and stops the test if it fails. It returns the cluster, for a
// look at what happened.
func (x *exploration) run(p plan) *Cluster {
	x.t.Helper()
	x.left--
	var c *Cluster
	failedBefore := x.t.Failed()
	defer func() {
		if c != nil && !failedBefore && x.t.Failed() {
			x.t.Logf("\n%s\nagain: %s=%s %s", c.Story(), replayVariable, p.came(), rerun.Command(x.t.Name()))
		}
	}()
	bubble.RunWithin(x.t, longest, func(t *testing.T) {
		c = newCluster(t, p)
		t.Cleanup(c.stop)
		x.body(t, c)
	})
	if x.t.Failed() {
		x.t.FailNow()
	}
	return c
}

// goes reports whether another run may be made, with some of the budget kept back.
func (x *exploration) goes(kept int) bool {
	if x.left <= kept {
		return false
	}
	x.report.OutOfTime = !time.Now().Before(x.deadline)
	return !x.report.OutOfTime
}

// singles makes the runs with one crash: what is plain at all moments, and then what
// is less so.
func (x *exploration) singles(c *Cluster, kept int) {
	x.t.Helper()
	x.choices = c.moments()
	x.report.Moments = len(x.choices)
	for round := 0; ; round++ {
		more := false
		for i := range x.choices {
			at := &x.choices[i]
			s := at.variant(round)
			if s == nil {
				continue
			}
			more = true
			if at.tried[try{s.number, s.fault}] {
				continue
			}
			if !x.goes(kept) {
				return
			}
			at.tried[try{s.number, s.fault}] = true
			x.run(plan{s})
			x.report.Single++
			at.learn(s)
		}
		if !more {
			x.report.Exhausted = true
			return
		}
	}
}

// variant is what is tried at a moment in a round: nothing survives and all is
// silent, all survives and connections are reset, and the other way round; then the
// other survivals, in silence and with a reset. It is nil if there is no more.
func (at *choice) variant(round int) *step {
	number, fault := round/2+1, []simnet.Fault{simnet.BlackHole, simnet.Reset}[round%2]
	if round < 4 {
		number = []int{1, 2, 1, 2}[round]
		fault = []simnet.Fault{simnet.BlackHole, simnet.Reset, simnet.Reset, simnet.BlackHole}[round]
	}
	switch {
	case at.gone || at.most > 0 && number > max(at.most, 2):
		return nil
	case at.most > 0:
		number = min(number, at.most)
	}
	return &step{moment: at.moment, number: number, fault: fault}
}

// learn takes in what a run has shown: how many survivals there are, or that the
// moment did not come this time.
func (at *choice) learn(s *step) {
	switch {
	case s.left == 0:
		at.gone = true
	case s.left < s.number:
		at.most = s.left
		at.tried[try{s.left, s.fault}] = true
	}
}

// doubles makes the runs with two crashes, as many as the budget has room for.
func (x *exploration) doubles() {
	x.t.Helper()
	for seed := uint64(1); x.goes(0); seed++ {
		lot := rand.New(rand.NewPCG(seed, seed))
		x.run(plan{x.draw(lot), x.draw(lot)})
		x.report.Double++
	}
}

// draw draws a crash by lot. After a restart there are more operations than there
// were without one.
func (x *exploration) draw(lot *rand.Rand) *step {
	at := x.choices[lot.IntN(len(x.choices))]
	s := &step{moment: at.moment, number: 1 + lot.IntN(4), fault: simnet.BlackHole}
	if lot.IntN(2) == 1 {
		s.fault = simnet.Reset
	}
	if s.when != wait && lot.IntN(2) == 1 {
		s.op += 1 + lot.IntN(s.op+4)
	}
	return s
}
