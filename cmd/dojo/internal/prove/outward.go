package prove

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/page"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// read says where the text behind a link was read.
var read = regexp.MustCompile(`^(a stored copy|.+ at commit [0-9a-f]{7,40}|not opened)$`)

// outward checks that each link of the answer pages which leaves the clone is in
// docs/links.txt, with where its text was read.
func outward(book workbook.Book) []Finding {
	const list = "docs/links.txt"
	text, err := os.ReadFile(filepath.Join(book.Root, filepath.FromSlash(list)))
	if err != nil {
		return []Finding{{File: list, Text: "it is missing: the links that leave the clone, each with where its text was read"}}
	}
	known, findings := readLinks(list, string(text))
	linked := map[string]bool{}
	for _, k := range book.Here() {
		answer, err := page.Read(k.Answer())
		if err != nil {
			continue // said with its kata
		}
		for _, l := range page.Links(answer.Text) {
			if l.Outside() && !known[l.Target] {
				findings = append(findings, Finding{File: k.Rel(k.Answer()), Text: "it links to " + l.Target + ", which is not in " + list})
			}
			linked[l.Target] = true
		}
	}
	for _, url := range slices.Sorted(maps.Keys(known)) {
		if !linked[url] {
			findings = append(findings, Finding{File: list, Text: url + ": no answer page links to it"})
		}
	}
	return findings
}

// readLinks reads the list.
func readLinks(file, text string) (known map[string]bool, findings []Finding) {
	find := func(text string) { findings = append(findings, Finding{File: file, Text: text}) }
	known = map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		url, how, _ := strings.Cut(line, " ")
		if how = strings.TrimSpace(how); !read.MatchString(how) {
			find(url + ": it does not say where the text was read: a stored copy, owner/name at commit abcdef0, or not opened")
		}
		if known[url] {
			find(url + ": it is there twice")
		}
		known[url] = true
	}
	return known, findings
}

// sortedLinks is the list in order, its comments first. Two branches that each add a link
// merge without a conflict, and out of order.
func sortedLinks(text string) string {
	var head, links []string
	for line := range strings.Lines(text) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "#"):
			head = append(head, line)
		case line != "":
			links = append(links, line)
		}
	}
	slices.Sort(links)
	return strings.Join(append(head, slices.Compact(links)...), "\n") + "\n"
}
