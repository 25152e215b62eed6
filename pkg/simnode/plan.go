package simnode

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/backend-kata/dojo/pkg/simnet"
)

// when says on which side of an operation of the disk a crash comes.
type when string

const (
	before when = "before" // when the operation is asked for
	after  when = "after"  // when it was done, and who asked has not heard
	wait   when = "wait"   // when the test calls Wait
)

// A moment is where a crash may come.
type moment struct {
	node string
	when when
	op   int // of the node, or which call of Wait, from 1 on
}

// A step of a plan crashes a node.
type step struct {
	moment

	number int          // of what survives, as simdisk.Disk.Crash takes it
	fault  simnet.Fault // what the others notice

	left int // the number that the disk gave, less than the one above if there are no more; 0 if the moment did not come
}

// A plan is the crashes of a run.
type plan []*step

// of returns the step of a moment, or nil.
func (p plan) of(m moment) *step {
	for _, s := range p {
		if s.moment == m {
			return s
		}
	}
	return nil
}

// came returns the crashes that came, as they came.
func (p plan) came() plan {
	var came plan
	for _, s := range p {
		if s.left > 0 {
			came = append(came, &step{moment: s.moment, number: s.left, fault: s.fault})
		}
	}
	return came
}

// String returns the plan as DOJO_CRASH takes it, such as
// b:after:7:1:silent.
func (p plan) String() string {
	if len(p) == 0 {
		return "none"
	}
	var steps []string
	for _, s := range p {
		steps = append(steps, fmt.Sprintf("%s:%s:%d:%d:%s", s.node, s.when, s.op, s.number, manner(s.fault)))
	}
	return strings.Join(steps, ",")
}

// parsePlan reads what String has written.
func parsePlan(text string) (plan, error) {
	if text == "none" {
		return plan{}, nil
	}
	var p plan
	for part := range strings.SplitSeq(text, ",") {
		s, err := parseStep(part)
		if err != nil {
			return nil, fmt.Errorf("%q is no crash: %w; one is like b:after:7:1:silent", part, err)
		}
		p = append(p, s)
	}
	return p, nil
}

func parseStep(text string) (*step, error) {
	words := strings.Split(text, ":")
	if len(words) < 5 {
		return nil, fmt.Errorf("it has %d parts of 5", len(words))
	}
	rest := words[len(words)-4:]
	s := &step{moment: moment{node: strings.Join(words[:len(words)-4], ":"), when: when(rest[0])}}
	var err error
	if s.op, err = strconv.Atoi(rest[1]); err != nil {
		return nil, err
	}
	if s.number, err = strconv.Atoi(rest[2]); err != nil {
		return nil, err
	}
	switch s.when {
	case before, after, wait:
	default:
		return nil, fmt.Errorf("its second part is %q, and not before, after or wait", rest[0])
	}
	switch rest[3] {
	case manner(simnet.Reset):
		s.fault = simnet.Reset
	case manner(simnet.BlackHole):
		s.fault = simnet.BlackHole
	default:
		return nil, fmt.Errorf("its last part is %q, and not silent or reset", rest[3])
	}
	return s, nil
}

// manner says how a crash looks from the network.
func manner(f simnet.Fault) string {
	if f == simnet.Reset {
		return "reset"
	}
	return "silent"
}
