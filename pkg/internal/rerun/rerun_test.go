package rerun

import (
	"strings"
	"testing"
)

func TestCommand(t *testing.T) {
	t.Chdir(t.TempDir()) // changes nothing
	for name, want := range map[string]string{
		"TestPay":         "go test -run '^TestPay$' ./pkg/internal/rerun",
		"TestPay/a.b/1+1": `go test -run '^TestPay$/^a\.b$/^1\+1$' ./pkg/internal/rerun`,
	} {
		if got := Command(name); got != want {
			t.Errorf("%s is run again by %s, want %s", name, got, want)
		}
		want = strings.Replace(want, "test", "test -race", 1)
		if got := WithRace(name); got != want {
			t.Errorf("%s is run again with the detector by %s, want %s", name, got, want)
		}
	}
}
