package prove

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
	"github.com/backend-kata/dojo/kata"
)

func TestRulesOfStepCode(t *testing.T) {
	tests := []struct{ name, code, want string }{
		{"a bubble has a clock", `func TestOne(t *testing.T) { step.Bubble(t, func(t *step.T) { time.Sleep(1) }) }`, ""},
		{"a fake runs on whatever clock it is called", `func TestOne(t *testing.T) { f := func() { time.Sleep(1) }; step.Bubble(t, func(t *step.T) { f() }) }`, ""},
		{"a helper of a bubble", `func nap() { time.Sleep(1) }; func TestOne(t *testing.T) { step.Bubble(t, func(t *step.T) { nap() }) }`, ""},
		{"set-up that must not fail", `func TestOne(t *testing.T) { require.NoError(t, nil) }`, ""},
		{"a real sleep", `func TestOne(t *testing.T) { time.Sleep(1) }`, "line 3: TestOne calls time.Sleep on the real clock"},
		{"a real clock outside", `func TestOne(t *testing.T) { step.Outside(t, func(t *step.T) { _ = time.Now() }) }`, "line 3: TestOne calls time.Now on the real clock"},
		{"in a subtest", `func TestOne(t *testing.T) { t.Run("a", func(t *testing.T) { <-time.After(1) }) }`, "TestOne calls time.After on the real clock"},
		{"through a helper's helper", `func nap[T any]() { time.Sleep(1) }; func rest() { nap[int]() }; func TestOne(t *testing.T) { rest() }`, "TestOne calls rest on the real clock"},
		{"in parallel", `func TestOne(t *testing.T) { t.Parallel() }`, "line 3: t.Parallel: steps run one after the other"},
		{"a claim by require", `func TestOne(t *testing.T) { require.Equal(t, 1, 1) }`, "require.Equal: only require.NoError is for set-up"},
		{"a claim by assert", `func TestOne(t *testing.T) { assert.True(t, true) }`, "assert.True: a step claims with step.Expect"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := workbook.Kata{Question: kata.Question{Folder: "saga"}, Root: t.TempDir()}
			write(t, k.Tests(), "package saga_test\n\n"+test.code+"\n")
			expectFinding(t, checkStepCode(k), test.want)
		})
	}
}

func TestBuildLines(t *testing.T) {
	k := workbook.Kata{Question: kata.Question{Folder: "saga"}, Root: t.TempDir()}
	other := filepath.Join(k.Solutions(), "right", "other.go.txt")
	right := []workbook.Right{{Path: other, Slug: "other"}}
	files := []struct{ path, good, bad string }{
		{k.ShippedStub(), "//go:build !solutions\n\npackage saga\n", "package saga\n"},
		{k.Reference(), "//go:build solutions\n\npackage saga\n", "// Mine.\n\n//go:build solutions\n\npackage saga\n"},
		{other, "//go:build solutions\r\n\r\npackage saga\r\n", "//go:build !solutions\n\npackage saga\n"},
		{k.Tests(), "package saga_test\n", "// Steps.\n\n//go:build !solutions\n\npackage saga_test\n"},
	}
	for _, f := range files {
		write(t, f.path, f.good)
	}
	expectFinding(t, checkBuildLines(k, right), "")
	for _, f := range files {
		write(t, f.path, f.bad)
		expectFinding(t, checkBuildLines(k, right), "build")
		write(t, f.path, f.good)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// expectFinding expects one finding that says want, or none.
func expectFinding(t *testing.T, findings []Finding, want string) {
	t.Helper()
	switch {
	case want == "" && len(findings) > 0:
		t.Errorf("found %v, want nothing", findings)
	case want != "" && (len(findings) != 1 || !strings.Contains(findings[0].Text, want)):
		t.Errorf("found %v, want one that says %q", findings, want)
	}
}
