package testrun

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// kept is how much of a step's output is kept from its start, and as much
// again from its end.
const kept = 128 << 10

// printedLines is how many of a program's own lines a verdict shows.
const printedLines = 3

// output keeps the head and the tail of what a step printed.
type output struct {
	head, tail []byte
	total      int64
}

func (o *output) write(p []byte) {
	o.total += int64(len(p))
	if room := kept - len(o.head); room > 0 {
		n := min(room, len(p))
		o.head = append(o.head, p[:n]...)
		p = p[n:]
	}
	o.tail = append(o.tail, p...)
	if len(o.tail) > 4*kept {
		o.tail = append(o.tail[:0], o.tail[len(o.tail)-kept:]...)
	}
}

func (o *output) String() string {
	tail := o.tail[max(0, len(o.tail)-kept):]
	left := o.total - int64(len(o.head)) - int64(len(tail))
	if left == 0 {
		return string(o.head) + string(tail)
	}
	if i := bytes.IndexByte(tail, '\n'); i >= 0 {
		left += int64(i + 1)
		tail = tail[i+1:]
	}
	return fmt.Sprintf("%s\n[%d bytes left out]\n%s", o.head, left, tail)
}

var (
	lastWords = regexp.MustCompile(`(?m)^(panic: |fatal error: |runtime: |dojo guard: )`)
	notItsOwn = regexp.MustCompile(`^(    |\s*$|--- |=== |exit status |FAIL|PASS|\[\d+ bytes left out\])`)
)

// printed returns what a step's program printed beside what the testing package,
// the race detector and the runtime say: its last lines.
func printed(text string) []string {
	if at := lastWords.FindStringIndex(text); at != nil {
		text = text[:at[0]]
	}
	var own []string
	inReport := false
	for line := range strings.Lines(text) {
		line = strings.TrimLeft(strings.TrimRight(line, "\r\n"), "\x16") // test2json's mark
		switch {
		case line == "==================":
			inReport = !inReport
		case !inReport && !notItsOwn.MatchString(line):
			own = append(own, line)
		}
	}
	return own[max(0, len(own)-printedLines):]
}
