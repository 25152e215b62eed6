// Package page reads an answer page, docs/<kata>.md: its sections, the code that
// it cuts from files, the numbers that it takes from tests, and its links. It
// judges nothing, and runs nothing.
package page

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"unicode"
)

// A Page is an answer page.
type Page struct {
	Title    string // the native one, such as Covering indexes
	Asked    string // the line below it: the question as asked, its track and level, links
	Sections []Section
	Text     string // all of it
}

// A Section is what stands under a heading of the second level.
type Section struct {
	Title, Text string
}

// Read reads the page in a file.
func Read(path string) (Page, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Page{}, fmt.Errorf("reading an answer page: %w", err)
	}
	return Parse(string(text)), nil
}

// Parse takes a page apart.
func Parse(text string) Page {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	p := Page{Text: text}
	inCode := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			inCode = !inCode
		}
		bare := strings.TrimSpace(line)
		last := len(p.Sections) - 1
		switch {
		case !inCode && strings.HasPrefix(line, "## "):
			p.Sections = append(p.Sections, Section{Title: strings.TrimPrefix(bare, "## ")})
		case last >= 0:
			p.Sections[last].Text += line
		case strings.HasPrefix(line, "# "):
			p.Title = strings.TrimPrefix(bare, "# ")
		case bare != "":
			p.Asked = strings.TrimSpace(p.Asked + " " + bare)
		}
	}
	return p
}

// Section returns what stands under a heading. It is empty where there is none.
func (p Page) Section(title string) string {
	for _, s := range p.Sections {
		if s.Title == title {
			return s.Text
		}
	}
	return ""
}

// Say returns what is said in 45 seconds.
func (p Page) Say() string {
	for _, block := range Blocks(p.Section("Say this")) {
		if !strings.HasPrefix(block, "**The number:**") && !strings.HasPrefix(block, "![") {
			return Plain(block)
		}
	}
	return ""
}

// Number returns the number worth remembering, without what prints it.
func (p Page) Number() string {
	for _, block := range Blocks(p.Section("Say this")) {
		if number, ok := strings.CutPrefix(block, "**The number:**"); ok {
			number, _, _ = strings.Cut(number, "`go test")
			return strings.TrimRight(Plain(number), " (")
		}
	}
	return ""
}

// A FollowUp is a question that an interviewer asks next.
type FollowUp struct {
	Question string
	Answer   string
	Seeks    string // what the interviewer is after
}

var details = regexp.MustCompile(`(?s)<details>\s*<summary>(.*?)</summary>(.*?)</details>`)

// FollowUps returns the page's, in order.
func (p Page) FollowUps() []FollowUp {
	var all []FollowUp
	for _, m := range details.FindAllStringSubmatch(p.Section("Follow-ups"), -1) {
		f := FollowUp{Question: Plain(m[1])}
		var answer []string
		for _, block := range Blocks(m[2]) {
			if seeks, ok := strings.CutPrefix(block, "*Looking for:*"); ok {
				f.Seeks = Plain(seeks)
			} else {
				answer = append(answer, Plain(block))
			}
		}
		f.Answer = strings.Join(answer, "\n\n")
		all = append(all, f)
	}
	return all
}

// Blocks cuts a text at its empty lines. Code stays whole.
func Blocks(text string) []string {
	var blocks []string
	var block strings.Builder
	flush := func() {
		if b := strings.TrimSpace(block.String()); b != "" {
			blocks = append(blocks, b)
		}
		block.Reset()
	}
	inCode := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			inCode = !inCode
		}
		if strings.TrimSpace(line) == "" && !inCode {
			flush()
			continue
		}
		block.WriteString(line)
	}
	flush()
	return blocks
}

var (
	fence    = regexp.MustCompile("(?ms)^```[^\n]*\n(.*?)^```[ \t]*$")
	comment  = regexp.MustCompile(`(?s)<!--.*?-->`)
	tag      = regexp.MustCompile(`</?[a-z][^>]*>`)
	markdown = regexp.MustCompile(`(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]*)\)`)
	picture  = regexp.MustCompile(`!\[[^\]]*\]\([^()\s]*\)`)
	emphasis = regexp.MustCompile(`\*\*?`)
)

// Plain is a text without its marks and pictures: the words that a reader sees, on one line.
// Code stays between backquotes.
func Plain(text string) string {
	text = comment.ReplaceAllString(fence.ReplaceAllString(text, ""), "")
	text = picture.ReplaceAllString(text, "")
	text = markdown.ReplaceAllString(text, "$2")
	var out strings.Builder
	for i, part := range strings.Split(text, "`") {
		if i%2 == 0 {
			part = emphasis.ReplaceAllString(tag.ReplaceAllString(part, " "), "")
		} else {
			part = "`" + part + "`" // a star in it is a star
		}
		out.WriteString(part)
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// Words counts the words that a reader sees outside code.
func Words(text string) int {
	n := 0
	for word := range strings.FieldsSeq(Plain(text)) {
		if strings.ContainsFunc(word, isWord) {
			n++
		}
	}
	return n
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// Codes returns what stands between fences, in order.
func Codes(text string) []string {
	var codes []string
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		codes = append(codes, m[1])
	}
	return codes
}
