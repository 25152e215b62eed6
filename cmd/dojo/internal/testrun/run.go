package testrun

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// StepLimit is how long a step may take before the runner ends it, and twice as
// long with -race. All steps of a kata together are meant to take under a second,
// under three with -race; those of a right program that does more than the
// reference take longer.
const StepLimit = 10 * time.Second

// hasty is the limit of the steps after one that was ended: what holds up one mostly
// holds up others, and the learner waits for the first.
const hasty = 3 * time.Second

// A Result is what became of one step.
type Result struct {
	Step    string
	Passed  bool
	Skipped bool          // it has not judged all that it is to judge, and says why
	Output  string        // what it printed; the middle of very much is left out
	Printed int64         // bytes, all told
	Died    bool          // the process ended with this step
	Begun   bool          // a step had begun when it did
	Overdue bool          // the runner ended it
	Limit   time.Duration // what the step was given
	Exit    string        // how it ended, if it died: "exit status 2", "signal: killed"
}

// Red reports whether the step failed.
func (r Result) Red() bool { return !r.Passed && !r.Skipped }

// Options of a run.
type Options struct {
	Steps    []string            // to run, in order
	Args     []string            // further flags of the test binary
	Env      []string            // further settings of its environment
	Limit    time.Duration       // for one step
	FailFast bool                // stop after the first red step
	Began    func(step string)   // called as the program starts, with no step, and as each step begins; may be nil
	Each     func(Result)        // called as each step ends; may be nil
	Used     func(time.Duration) // called with the processor time of each process; may be nil
}

// Run runs the steps. A step that takes the process with it is red, and the
// steps after it run in a fresh process, so that each has a verdict.
func (b *Binary) Run(ctx context.Context, o Options) ([]Result, error) {
	var all []Result
	for steps := o.Steps; len(steps) > 0; {
		results, err := b.once(ctx, steps, o)
		if err != nil {
			return all, err
		}
		all = append(all, results...)
		last := results[len(results)-1]
		if !last.Died || o.FailFast {
			break
		}
		steps = steps[slices.Index(steps, last.Step)+1:]
		if last.Overdue {
			o.Limit = min(o.Limit, hasty)
		}
		if !last.Begun {
			return append(all, alike(last, steps, o.Each)...), nil // the others would fare no better
		}
	}
	return all, nil
}

// alike gives steps the result of one before them, with which the program ended
// before it began any.
func alike(r Result, steps []string, each func(Result)) []Result {
	var all []Result
	for _, step := range steps {
		r.Step = step
		all = append(all, r)
		if each != nil {
			each(r)
		}
	}
	return all
}

// once runs the binary once. It returns at least one result.
func (b *Binary) once(ctx context.Context, steps []string, o Options) ([]Result, error) {
	args := []string{"-test.v=test2json", "-test.paniconexit0", "-test.run=^(" + strings.Join(steps, "|") + ")$"}
	if o.FailFast {
		args = append(args, "-test.failfast")
	}
	cmd := exec.CommandContext(ctx, b.path, append(args, o.Args...)...)
	cmd.Dir = b.Kata.Dir()
	order := filepath.Join(b.dir, fmt.Sprint("order", b.runs.Add(1)))
	cmd.Env = slices.Concat(os.Environ(), []string{
		"GORACE=atexit_sleep_ms=0 suppress_equal_stacks=0", "GOTRACEBACK=all", "PWD=" + cmd.Dir, "DOJO_ORDER=" + order,
	}, o.Env)
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting the steps of %s: %w", b.Kata.Name(), err)
	}
	defer read.Close()
	cmd.Stdout, cmd.Stderr = write, write
	err = errors.Join(cmd.Start(), write.Close())
	if err != nil {
		return nil, fmt.Errorf("starting the steps of %s: %w", b.Kata.Name(), err)
	}
	if o.Began == nil {
		o.Began = func(string) {}
	}
	o.Began("")
	s := &stream{steps: steps, began: o.Began, each: o.Each, limit: o.Limit}
	s.alarm = time.AfterFunc(o.Limit, func() { s.overdue.Store(true); end(cmd, order) })
	readErr := s.read(read)
	s.alarm.Stop()
	waitErr := cmd.Wait()
	_ = os.Remove(order) // most often there was none
	if o.Used != nil {
		o.Used(Used(cmd))
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if readErr != nil {
		return nil, fmt.Errorf("reading the steps of %s: %w", b.Kata.Name(), readErr)
	}
	return s.finish(waitErr), nil
}

// end asks a stuck program for its stacks, and kills one that does not answer.
func end(cmd *exec.Cmd, order string) {
	if err := os.WriteFile(order, nil, 0o644); err == nil {
		time.Sleep(3 * time.Second)
	}
	_ = cmd.Process.Kill() // it may be gone already
}

// A stream turns what a test binary prints under -test.v=test2json into
// results. The binary marks its own lines with a control character.
type stream struct {
	steps   []string
	began   func(step string)
	each    func(Result)
	alarm   *time.Timer
	limit   time.Duration
	begun   bool        // a step has
	overdue atomic.Bool // the alarm went off
	results []Result
	out     *output // of the last step, running or not
	pending *Result // ended, and told once the next line is known to be another's
	running string
}

// mark precedes each line that the testing package says for itself.
const mark = 0x16

// Exit codes of a test binary that came to its end.
const (
	failedExit = 1
	raceExit   = 66
)

var framing = regexp.MustCompile(`^\s*(=== RUN|=== NAME|=== PAUSE|=== CONT|--- PASS:|--- FAIL:|--- SKIP:|PASS$|FAIL$)\s*(\S*)`)

func (s *stream) read(from io.Reader) error {
	s.out = &output{}
	lines := bufio.NewReaderSize(from, 64<<10)
	for {
		line, err := lines.ReadSlice('\n')
		s.line(line)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, os.ErrClosed):
			return nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return err
		}
	}
}

func (s *stream) line(line []byte) {
	before, marked, ok := bytes.Cut(line, []byte{mark})
	m := framing.FindSubmatch(marked)
	if !ok || m == nil {
		s.out.write(line)
		return
	}
	if len(bytes.TrimSpace(before)) > 0 {
		s.out.write(append(bytes.TrimRight(before, " "), '\n'))
	}
	name := string(m[2])
	switch word := string(m[1]); {
	case strings.Contains(name, "/"):
		if word == "--- FAIL:" {
			s.out.write(marked)
		}
	case word == "=== RUN":
		s.tell()
		s.out = &output{}
		s.running = name
		s.begun = true
		s.began(name)
		s.alarm.Reset(s.limit)
	case strings.HasPrefix(word, "---"):
		s.running = ""
		s.pending = &Result{Step: name, Passed: word == "--- PASS:", Skipped: word == "--- SKIP:"}
		if s.pending.Red() {
			return // a panic's trace follows its verdict
		}
		s.tell()
	}
}

// tell hands on the step that ended last.
func (s *stream) tell() {
	if s.pending == nil {
		return
	}
	r := *s.pending
	s.pending = nil
	r.Output, r.Printed, r.Limit = s.out.String(), s.out.total, s.limit
	r.Begun, r.Overdue = s.begun, r.Died && s.overdue.Load()
	s.results = append(s.results, r)
	if s.each != nil {
		s.each(r)
	}
}

// finish closes the account once the process has ended. A process that ended
// too early, or badly after its last step, did so in the last step it named.
func (s *stream) finish(ended error) []Result {
	early := s.running != "" || (s.pending == nil && len(s.results) == 0)
	var exit *exec.ExitError
	if s.pending != nil && errors.As(ended, &exit) && exit.ExitCode() != failedExit && exit.ExitCode() != raceExit {
		early = true // the panic that ended the step ended the process too
	}
	failed := slices.ContainsFunc(s.results, Result.Red) || s.pending != nil
	switch {
	case early && s.pending != nil:
		s.pending.Died = true
	case early && s.running != "":
		s.pending = &Result{Step: s.running, Died: true}
	case early:
		s.pending = &Result{Step: s.steps[0], Died: true}
	case ended != nil && !failed: // every step passed, and then it ended badly
		last := &s.results[len(s.results)-1]
		last.Passed, last.Skipped, last.Died, last.Exit = false, false, true, ended.Error()
		last.Output, last.Printed = s.out.String(), s.out.total
	}
	if s.pending != nil && s.pending.Died {
		s.pending.Exit = "exit status 0"
		if ended != nil {
			s.pending.Exit = ended.Error()
		}
	}
	s.tell()
	return s.results
}
