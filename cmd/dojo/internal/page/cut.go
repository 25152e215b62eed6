package page

import (
	"bufio"
	"fmt"
	"regexp"
	"strings"
)

// An Excerpt is code that a page shows, cut from a file that is compiled and
// tested. On the page it stands in a fence, below a comment that names it:
//
//	<!-- example: one-query -->
//
// and in the file between the lines "// example: one-query" and "// end".
type Excerpt struct {
	Name, Code string
}

var excerpt = regexp.MustCompile("(?ms)^<!-- example: (\\S+) -->\n```[^\n]*\n(.*?)^```[ \t]*$")

// Excerpts returns the page's, in order.
func (p Page) Excerpts() []Excerpt {
	var all []Excerpt
	for _, m := range excerpt.FindAllStringSubmatch(p.Text, -1) {
		all = append(all, Excerpt{m[1], m[2]})
	}
	return all
}

// WithExcerpts returns the page with the code that the files have today.
func (p Page) WithExcerpts(code map[string]string) string {
	return rewrite(excerpt, p.Text, func(name, old string) string {
		if today, ok := code[name]; ok {
			return today
		}
		return old
	})
}

// rewrite replaces what stands below each mark of a pattern: its first group is the
// mark's name, and its second what stands there.
func rewrite(pattern *regexp.Regexp, text string, today func(name, old string) string) string {
	var out strings.Builder
	last := 0
	for _, at := range pattern.FindAllStringSubmatchIndex(text, -1) {
		out.WriteString(text[last:at[4]])
		out.WriteString(today(text[at[2]:at[3]], text[at[4]:at[5]]))
		last = at[5]
	}
	return out.String() + text[last:]
}

// Cut finds the excerpts in a file, by their names. They lose the indentation
// that their lines have in common and empty lines at their ends, and tabs become
// four spaces.
func Cut(file string) (map[string]string, error) {
	all := map[string]string{}
	name := ""
	var lines []string
	scanner := bufio.NewScanner(strings.NewReader(file))
	for scanner.Scan() {
		line := strings.ReplaceAll(scanner.Text(), "\t", "    ")
		bare := strings.TrimSpace(line)
		switch next, opens := strings.CutPrefix(bare, "// example: "); {
		case opens && name != "":
			return nil, fmt.Errorf("the example %s has no // end", name)
		case opens:
			name, lines = next, nil
			if _, twice := all[name]; twice {
				return nil, fmt.Errorf("there are two examples %s", name)
			}
		case name != "" && bare == "// end":
			all[name], name = dedent(lines), ""
		case name != "":
			lines = append(lines, line)
		}
	}
	if name != "" {
		return nil, fmt.Errorf("the example %s has no // end", name)
	}
	return all, scanner.Err()
}

func dedent(lines []string) string {
	least := -1
	for _, line := range lines {
		if indent := len(line) - len(strings.TrimLeft(line, " ")); strings.TrimSpace(line) != "" && (least < 0 || indent < least) {
			least = indent
		}
	}
	var out strings.Builder
	for _, line := range lines {
		out.WriteString(strings.TrimRight(line[min(max(least, 0), len(line)):], " ") + "\n")
	}
	return strings.Trim(out.String(), "\n") + "\n"
}
