package main

import (
	"strings"
	"testing"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
	"github.com/backend-kata/dojo/cmd/dojo/internal/teamclient/teamfake"
	"github.com/backend-kata/dojo/cmd/dojo/internal/testrun"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

func TestLightsOfDeaths(t *testing.T) {
	k := clone(t).desk.book.Here()[0]
	step := func(lines string, r testrun.Result) testrun.Verdict {
		r.Step = "TestFirst"
		return testrun.Verdict{Steps: []testrun.StepVerdict{{
			Step: workbook.Step{Name: "TestFirst", Number: 1}, Result: r, Explanation: testrun.Explanation{Lines: strings.Split(lines, "\n")},
		}}}
	}
	died := testrun.Result{Died: true, Begun: true}
	for _, test := range []struct {
		verdict testrun.Verdict
		light   team.Light
		reason  team.Reason
	}{
		{step("The program used more than 1024 MiB of memory, the most a step may take.", died), team.Amber, team.NoMemory},
		{step("The program asked for more memory than there is.", died), team.Amber, team.NoMemory},
		{step("deadlock: every goroutine of the bubble waits, and nothing is left that could wake one", testrun.Result{}), team.Amber, team.Blocked},
		{step("The Go runtime ended the program: all goroutines are asleep - deadlock!.", died), team.Amber, team.Blocked},
		{step("The step did not end within 2s, and was still running: it is slow, or in a loop without end.", testrun.Result{Died: true, Overdue: true}), team.Amber, team.NoEnd},
		{step("A function calls itself without end: the stack overflowed.", died), team.Amber, team.NoEnd},
		{step("too long: an hour of virtual time passed and the bubble had not ended", testrun.Result{}), team.Amber, team.NoEnd},
		{step("The card was charged twice.\nThe log says: deadlock: 40001", testrun.Result{}), team.Red, ""},
		{step("It panicked: boom", died), team.Red, ""},
		{step("only a build with -race sees them", testrun.Result{Skipped: true}), team.Green, ""},
		{step("", testrun.Result{Passed: true}), team.Green, ""},
	} {
		got := lightOf(k, test.verdict)
		if got.Light != test.light || got.Reason != test.reason {
			t.Errorf("%q gives %s %s, want %s %s", test.verdict.Steps[0].Explanation.Lines[0], got.Light, got.Reason, test.light, test.reason)
		}
	}
	long := lightOf(k, step(strings.Repeat("a line of a failure that is very long\n", 2000), testrun.Result{}))
	if n := len(long.Failure); n > team.MaxFailure || !strings.HasSuffix(long.Failure, "very long\n…") {
		t.Errorf("a long failure is cut to %d bytes, and ends with %q", n, long.Failure[n-20:])
	}
}

func TestAPairWithoutACCompilerSaysSo(t *testing.T) {
	s := teamfake.Start(t)
	withoutCCompiler(t)
	b := clone(t)
	b.joins(t, s)
	b.test(t)
	if verdicts, _ := s.Got(); len(verdicts) != 1 || verdicts[0].Light != team.Green || verdicts[0].Race {
		t.Errorf("without a C compiler the team got %+v; want green, and that the race detector has not looked", verdicts)
	}
}

func TestQuoted(t *testing.T) {
	for name, want := range map[string]string{
		"Ada and Bob": "Ada and Bob", "Ada & Bob": "'Ada & Bob'", "it's": `'it'\''s'`, "-rf": "'-rf'", "192.0.2.1:4242": "192.0.2.1:4242", "[fd00::2]:4242": "'[fd00::2]:4242'", "$(x)": "'$(x)'",
	} {
		if got := quoted(name); got != want {
			t.Errorf("%q is quoted as %s, want %s", name, got, want)
		}
	}
}
