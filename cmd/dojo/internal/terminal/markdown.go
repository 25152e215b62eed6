package terminal

import (
	"regexp"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

var (
	listItem = regexp.MustCompile(`^(\s*)([-*]|\d+\.) +(.*)$`)
	mdLink   = regexp.MustCompile(`!?\[([^\]]*)\]\(([^)]*)\)`)
	comment  = regexp.MustCompile(`(?m:^)<!--(?:[^-\n]|-[^-\n])*-->\n|(?s)<!--.*?-->`)
	summary  = regexp.MustCompile(`<details>\s*<summary>(.*?)</summary>`)
	details  = regexp.MustCompile(`\n?</details>\n?`)
)

// Markdown lays out a text of the kind that hints and answers are: paragraphs,
// lists, headings, code and tables. Code keeps its lines, cut at the edge of the
// screen.
func (s *Screen) Markdown(text string) []string {
	var out, paragraph, rows []string
	first, rest := "", ""
	flush := func() {
		if len(rows) > 0 {
			out = append(out, s.table(rows)...)
			rows = nil
		}
		if len(paragraph) > 0 {
			out = append(out, s.Lines(first, rest, inline(strings.Join(paragraph, " ")))...)
		}
		paragraph, first, rest = nil, "", ""
	}
	inCode := false
	text = comment.ReplaceAllString(text, "")
	text = details.ReplaceAllString(summary.ReplaceAllString(text, "#### $1"), "") // all are open: a terminal folds nothing
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		line = strings.TrimRight(line, " \r")
		if strings.HasPrefix(line, "```") {
			flush()
			inCode = !inCode
			continue
		}
		if len(rows) > 0 && !strings.HasPrefix(line, "|") {
			flush()
		}
		m := listItem.FindStringSubmatch(line)
		switch {
		case inCode:
			out = append(out, s.cut("    "+strings.ReplaceAll(line, "\t", "    ")))
		case strings.HasPrefix(line, "    ") && paragraph == nil:
			out = append(out, s.cut(line))
		case line == "":
			flush()
			out = append(out, "")
		case strings.HasPrefix(line, "#"):
			flush()
			out = append(out, s.In(Loud, inline(strings.TrimLeft(line, "# "))))
		case strings.HasPrefix(line, "|"):
			if len(rows) == 0 {
				flush()
			}
			rows = append(rows, line)
		case m != nil:
			flush()
			first = m[1] + m[2] + " "
			rest = strings.Repeat(" ", len(first))
			paragraph = []string{m[3]}
		default:
			paragraph = append(paragraph, strings.TrimSpace(line))
		}
	}
	flush()
	return out
}

// inline takes away the marks that a terminal does not need. Backquotes stay,
// since they tell a name from a word.
func inline(text string) string {
	text = mdLink.ReplaceAllString(text, "$1")
	return strings.ReplaceAll(text, "**", "")
}

func (s *Screen) cut(line string) string { return ansi.Truncate(line, s.Width, "…") }
