package page

import (
	"regexp"
	"strings"
)

// A Logged is a number, a table or a text that a page takes from what a test logs:
//
//	<!-- from: TestStall -->45 times<!-- /from -->
//
// A table or a fence may stand between the marks too, on lines of its own.
type Logged struct {
	Test, Text string
}

var logged = regexp.MustCompile(`(?s)<!-- from: (\w+) -->(.*?)<!-- /from -->`)

// Logged returns what the page takes from tests, in order.
func (p Page) Logged() []Logged {
	var all []Logged
	for _, m := range logged.FindAllStringSubmatch(p.Text, -1) {
		all = append(all, Logged{m[1], Bare(m[2])})
	}
	return all
}

// Unclosed returns the tests of marks that nothing closes before the next one opens.
func (p Page) Unclosed() []string {
	var all []string
	for _, part := range strings.Split(p.Text, "<!-- from: ")[1:] {
		if !strings.Contains(part, "<!-- /from -->") {
			test, _, _ := strings.Cut(part, " ")
			all = append(all, test)
		}
	}
	return all
}

// WithLogs returns the page with what tests log today, where a test logs one
// thing alone and the page takes one thing from it.
func (p Page) WithLogs(logs map[string][]string) string {
	taken := map[string]int{}
	for _, l := range p.Logged() {
		taken[l.Test]++
	}
	return rewrite(logged, p.Text, func(test, old string) string {
		today := logs[test]
		if len(today) != 1 || taken[test] != 1 || strings.Contains(old, "<!--") {
			return old
		}
		if head, _, fenced := strings.Cut(strings.TrimLeft(old, "\n"), "\n"); fenced && strings.HasPrefix(head, "```") {
			return "\n" + head + "\n" + today[0] + "\n```\n"
		}
		if strings.Contains(today[0], "\n") {
			return "\n" + today[0] + "\n"
		}
		return today[0]
	})
}

// Bare is what stands between marks, without the fence around it.
func Bare(text string) string {
	text = strings.Trim(text, "\n")
	if m := fence.FindStringSubmatch(text); m != nil && strings.HasPrefix(text, "```") {
		text = m[1]
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n ")
}

var (
	running = regexp.MustCompile(`^=== (?:RUN|NAME|CONT) +(\w+)`)
	entry   = regexp.MustCompile(`^ +\w+\.go:\d+: (.*)`)
)

// Logs reads what `go test -v` printed: what each test logged, in order.
func Logs(out string) map[string][]string {
	logs := map[string][]string{}
	test := ""
	open := false // a line of four spaces more goes on with the last entry
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\r\n")
		if m := running.FindStringSubmatch(line); m != nil {
			test, open = m[1], false
			continue
		}
		if m := entry.FindStringSubmatch(line); m != nil {
			logs[test] = append(logs[test], m[1])
			open = true
			continue
		}
		if rest, ok := strings.CutPrefix(line, "        "); ok && open {
			last := len(logs[test]) - 1
			logs[test][last] += "\n" + rest
			continue
		}
		open = false
	}
	for _, entries := range logs {
		for i := range entries {
			entries[i] = Bare(entries[i])
		}
	}
	return logs
}

var command = regexp.MustCompile("`([^`\n]*go test [^`\n]*)`|(?m)^[ \t]*((?:[A-Z_]+=\\S+ )*go test .*)$")

// Commands returns the go test commands that the page gives.
func (p Page) Commands() []string {
	var all []string
	for _, m := range command.FindAllStringSubmatch(p.Text, -1) {
		all = append(all, m[1]+m[2])
	}
	return all
}
