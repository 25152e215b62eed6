package page

import (
	"regexp"
	"strings"
)

// A Link leads from a page to a file of the clone, to a section or outside.
type Link struct {
	Text   string
	Target string // without the section
	Anchor string // of a section, or empty
	Image  bool
}

// Outside reports whether the link leaves the clone.
func (l Link) Outside() bool { return strings.Contains(l.Target, "://") }

// Links returns the links in a text, in order. Code and comments have none.
func Links(text string) []Link {
	var all []Link
	for _, m := range markdown.FindAllStringSubmatch(comment.ReplaceAllString(fence.ReplaceAllString(text, ""), ""), -1) {
		link := Link{Text: m[2], Image: m[1] != ""}
		link.Target, link.Anchor, _ = strings.Cut(m[3], "#")
		if link.Outside() {
			link.Target, link.Anchor = m[3], ""
		}
		all = append(all, link)
	}
	return all
}

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// Anchor is the name by which GitHub links to a heading.
func Anchor(heading string) string {
	plain := strings.ToLower(strings.ReplaceAll(Plain(heading), "`", ""))
	return strings.ReplaceAll(notInAnchor.ReplaceAllString(plain, ""), " ", "-")
}

// Anchors returns those of all headings in a text.
func Anchors(text string) map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(fence.ReplaceAllString(text, "")) {
		if heading := strings.TrimLeft(line, "#"); heading != line && strings.HasPrefix(heading, " ") {
			all[Anchor(heading)] = true
		}
	}
	return all
}

var span = regexp.MustCompile("`([^`\n]+)`")

// Prose is a text without code, tables' rules, links and comments, and Spans are
// the code spans in it: what a reader takes for words of this page.
func Prose(text string) (prose string, spans []string) {
	text = markdown.ReplaceAllString(comment.ReplaceAllString(fence.ReplaceAllString(text, ""), ""), "")
	for _, m := range span.FindAllStringSubmatch(text, -1) {
		spans = append(spans, m[1])
	}
	return span.ReplaceAllString(text, ""), spans
}
