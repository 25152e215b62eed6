package testrun

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseFailures(t *testing.T) {
	const output = `=== RUN   TestJobs
the program's own line
    queue_test.go:26: Jobs handled: Expected and got:
          [1 2 3]
          [1 2]
    
    What happened:
              0s  job 1 starts
         1h30m0s  job 1 ends
    
    again: go test -run '^TestJobs$' ./kata/queue
    testing.go:1712: race detected during execution of test
`
	want := []Explanation{
		{Place: "queue_test.go:26", Lines: []string{"Jobs handled: Expected and got:", "  [1 2 3]", "  [1 2]"}},
		{Place: "queue_test.go:26", Lines: []string{"What happened:", "          0s  job 1 starts", "     1h30m0s  job 1 ends", "", "again: go test -run '^TestJobs$' ./kata/queue"}},
	}
	if diff := cmp.Diff(want, parseFailures(output)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
