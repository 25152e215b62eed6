package prove

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/page"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// logs checks that the numbers of the answer page are what its tests log, or
// writes them, and that the page gives the command that prints them. Those from
// bench need a database, and are compared by whoever has one.
func (p *proof) logs(ctx context.Context) ([]Finding, error) {
	k := p.kata
	answer, err := page.Read(k.Answer())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // said with the papers
	}
	if err != nil {
		return nil, err
	}
	places, findings := loggers(k, answer)
	logs := map[string][]string{}
	for _, dir := range []string{k.Solutions(), k.Dir()} {
		if len(places[dir]) == 0 {
			continue
		}
		out, bad, err := p.logged(ctx, dir, places[dir])
		if err != nil || len(bad) > 0 {
			return append(findings, bad...), err
		}
		maps.Copy(logs, page.Logs(out))
	}
	if today := answer.WithLogs(logs); p.Options.Fix && today != answer.Text {
		if err := workbook.Replace(k.Answer(), []byte(today)); err != nil {
			return findings, err
		}
		answer = page.Parse(today)
	}
	for _, l := range answer.Logged() {
		if slices.Contains(places[k.Solutions()], l.Test) || slices.Contains(places[k.Dir()], l.Test) {
			if !slices.Contains(logs[l.Test], l.Text) {
				f := found(k, k.Answer(), "%s does not log what stands between its marks: %s", l.Test, opening(l.Text))
				f.Output = strings.Split(strings.Join(logs[l.Test], "\n\n"), "\n")
				findings = append(findings, f)
			}
		}
	}
	return findings, nil
}

// logged runs tests of a folder as the page's reader does.
func (p *proof) logged(ctx context.Context, dir string, tests []string) (string, []Finding, error) {
	out, ok, err := p.goTest(ctx, "numbers", dir, "-v", "-count=1", "-run=^("+strings.Join(tests, "|")+")$")
	if err != nil || ok {
		return out, nil, err
	}
	return "", []Finding{p.said(dir, "the tests whose numbers the answer page takes are red", out)}, nil
}

// loggers finds the folders of the tests whose numbers a page takes, and those
// that are nowhere or that no command on the page prints.
func loggers(k workbook.Kata, answer page.Page) (places map[string][]string, findings []Finding) {
	find := func(format string, args ...any) { findings = append(findings, found(k, k.Answer(), format, args...)) }
	places = map[string][]string{}
	for _, test := range answer.Unclosed() {
		find("the mark <!-- from: %s --> is not closed by <!-- /from -->, on one line, before the next one", test)
	}
	seen := map[string]bool{}
	for _, l := range answer.Logged() {
		if seen[l.Test] {
			continue
		}
		seen[l.Test] = true
		dir := declaring(l.Test, k.Solutions(), k.Dir(), filepath.Join(k.Root, "bench"))
		if dir == "" {
			find("it takes a number from %s, which is no test of the kata's, its reference's or bench's", l.Test)
			continue
		}
		places[dir] = append(places[dir], l.Test)
		if !slices.ContainsFunc(answer.Commands(), func(c string) bool { return prints(c, l.Test) }) {
			find("it gives no command that prints what %s logs: go test -v … -run …", l.Test)
		}
	}
	return places, findings
}

// declaring returns the folder whose test files have the test.
func declaring(test string, dirs ...string) string {
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			continue
		}
		for _, file := range files {
			if text, err := os.ReadFile(file); err == nil && strings.Contains(string(text), "\nfunc "+test+"(") {
				return dir
			}
		}
	}
	return ""
}

// prints reports whether a go test command runs the test and shows what it logs.
func prints(command, test string) bool {
	words := strings.Fields(command)
	if !slices.Contains(words, "-v") {
		return false
	}
	i := slices.Index(words, "-run")
	if i < 0 {
		return true // it runs all
	}
	if i+1 == len(words) {
		return false
	}
	run, err := regexp.Compile(strings.Trim(words[i+1], "'"))
	return err == nil && run.MatchString(test)
}
