package prove

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/page"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// sections are those of an answer page, in order.
var sections = []string{
	"Say this", "Example", "The ways", "How it works", "What goes wrong", "In your stack", "Follow-ups", "Do not say", "Sources",
}

// An answer is the check of a page.
type answer struct {
	kata     workbook.Kata
	page     page.Page
	findings []Finding
}

func (a *answer) find(format string, args ...any) {
	a.findings = append(a.findings, found(a.kata, a.kata.Answer(), format, args...))
}

// checkAnswer finds what an answer page lacks. Whether its numbers are what its
// tests log is seen when these run.
func checkAnswer(k workbook.Kata, fix bool) []Finding {
	text, err := page.Read(k.Answer())
	if err != nil {
		return []Finding{found(k, k.Answer(), "it is missing: the answer to the question")}
	}
	a := &answer{kata: k, page: text}
	a.head()
	if a.inOrder() {
		a.say()
		a.example()
		a.ways()
		a.works()
		a.wrong()
		a.rest()
	}
	a.excerpts(fix)
	a.links()
	a.words()
	return a.findings
}

// between finds a count that is too low or too high.
func (a *answer) between(n, least, most int, what string) {
	if n < least || n > most {
		want := fmt.Sprintf("%d to %d", least, most)
		switch most {
		case least:
			want = strconv.Itoa(least)
		case anyNumber:
			want = fmt.Sprintf("%d at least", least)
		}
		a.find("%s: %d, want %s", what, n, want)
	}
}

const anyNumber = 1 << 30

func (a *answer) head() {
	k := a.kata
	if a.page.Title == "" || strings.HasSuffix(a.page.Title, "?") {
		a.find("its title is the subject, not the question: # Covering indexes")
	}
	want := fmt.Sprintf("*%s* · %s · level %d · [kata](../kata/%s) · [reference](../solutions/%[4]s/%[4]s.go) · related: [", k.Text, k.Track, k.Level, k.Name())
	if !strings.HasPrefix(a.page.Asked, want) {
		a.find("below the title it says %q, want %s…", a.page.Asked, want)
	}
}

func (a *answer) inOrder() bool {
	var have []string
	for _, s := range a.page.Sections {
		have = append(have, s.Title)
		if page.Words(s.Text) == 0 {
			a.find("it says nothing under %q", s.Title)
		}
	}
	if !slices.Equal(have, sections) {
		a.find("it has the sections %q, want %q", have, sections)
		return false
	}
	a.between(page.Words(a.page.Text), 1200, 1600, "words")
	return true
}

// say checks what is said in 45 seconds, the number and the picture.
func (a *answer) say() {
	a.between(page.Words(a.page.Say()), 90, 110, "words of Say this, without the number")
	text := a.page.Section("Say this")
	switch number := a.page.Number(); {
	case number == "":
		a.find("Say this has no line that begins with **The number:**")
	case page.Words(number) > 30:
		a.find("the number takes %d words, want 30 at most", page.Words(number))
	case !slices.ContainsFunc(page.Blocks(text), func(b string) bool {
		return strings.HasPrefix(b, "**The number:**") && strings.Contains(b, "<!-- from: ")
	}):
		a.find("the number is not between the marks <!-- from: TestName --> and <!-- /from -->")
	}
	if !slices.ContainsFunc(page.Links(text), func(l page.Link) bool { return l.Image }) {
		a.find("Say this has no picture")
	}
}

// example checks that the example goes from wrong to right to what you see.
func (a *answer) example() {
	codes := page.Codes(a.page.Section("Example"))
	if len(codes) < 3 {
		a.find("the example has %d pieces of code, want what is wrong, what is right, and what you see", len(codes))
		return
	}
	a.between(strings.Count(codes[0], "\n"), 1, 10, "lines of the wrong example")
	a.between(strings.Count(codes[1], "\n"), 1, 15, "lines of the right example")
	if cut := len(a.page.Excerpts()); cut < 2 {
		a.find("it shows %d pieces of code from files that are compiled, want 2 at least: <!-- example: name --> above each", cut)
	}
}

// rows returns the rows of the first table in a text, without its head.
func rows(text string) []string {
	var table []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "|") {
			table = append(table, line)
		} else if len(table) > 0 {
			break
		}
	}
	return table[min(2, len(table)):]
}

func (a *answer) ways() {
	table := rows(a.page.Section("The ways"))
	a.between(len(table), 4, 12, "rows of The ways")
	for _, row := range table {
		if strings.Count(strings.Trim(strings.TrimSpace(row), "|"), "|") < 3 {
			a.find("a row of The ways has fewer than four columns (approach, use it when, price, where you find it): %s", strings.TrimSpace(row))
		}
	}
}

// leads returns the paragraphs and list items that begin in bold.
func leads(text string) []string {
	var all []string
	for _, block := range page.Blocks(text) {
		for i, part := range strings.Split("\n"+block, "\n- ") {
			if part = strings.TrimSpace(part); strings.HasPrefix(part, "**") {
				all = append(all, part)
			} else if i > 0 && len(all) > 0 {
				all[len(all)-1] += "\n" + part
			}
		}
	}
	return all
}

func (a *answer) works() {
	paragraphs := leads(a.page.Section("How it works"))
	a.between(len(paragraphs), 4, 6, "paragraphs of How it works that begin in bold")
	for _, p := range paragraphs {
		if n := page.Words(p); n > 80 {
			a.find("a paragraph has %d words, want 80 at most: %s", n, opening(p))
		}
	}
}

func opening(text string) string {
	words := strings.Fields(page.Plain(text))
	return strings.Join(words[:min(6, len(words))], " ") + "…"
}

func (a *answer) wrong() {
	text := a.page.Section("What goes wrong")
	all := leads(text)
	a.between(len(all), 4, 6, "failures under What goes wrong that begin in bold")
	for _, failure := range all {
		if !strings.Contains(failure, "](../solutions/"+a.kata.Name()+"/mistakes/") {
			a.find("a failure links to no mistake of the kata: %s", opening(failure))
		}
	}
	if len(rows(text)) == 0 || !strings.Contains(text, "<!-- from: ") {
		a.find("What goes wrong has no table that a test logs")
	}
}

func items(text string) int {
	n := len(rows(text))
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "- ") {
			n++
		}
	}
	return n
}

func (a *answer) rest() {
	a.between(items(a.page.Section("In your stack")), 4, anyNumber, "products of In your stack")
	followUps := a.page.FollowUps()
	a.between(len(followUps), 6, 8, "follow-ups in <details>")
	for _, f := range followUps {
		if n := page.Words(f.Answer); n > 60 {
			a.find("a follow-up's answer has %d words, want 60 at most: %s", n, f.Question)
		}
		if f.Answer == "" || f.Seeks == "" {
			a.find("a follow-up lacks its answer, or the line *Looking for:* …: %s", f.Question)
		}
	}
	a.between(items(a.page.Section("Do not say")), 3, 3, "sentences not to say")
	sources := a.page.Section("Sources")
	a.between(items(sources), 1, 8, "sources")
	for line := range strings.Lines(sources) {
		if source, ok := strings.CutPrefix(line, "- "); ok && !strings.Contains(source, "](http") {
			a.find("a source has no link: %s", opening(source))
		}
	}
}

// excerpts checks that examples are what the compiled files say, or writes them.
func (a *answer) excerpts(fix bool) {
	code, err := excerptsOf(a.kata)
	if err != nil {
		a.find("%v", err)
		return
	}
	if today := a.page.WithExcerpts(code); fix && today != a.page.Text {
		if err := workbook.Replace(a.kata.Answer(), []byte(today)); err == nil {
			a.page = page.Parse(today)
		}
	}
	for _, e := range a.page.Excerpts() {
		switch today, ok := code[e.Name]; {
		case !ok:
			a.find("it shows the example %s, which no Go file in %s or %s has", e.Name, a.kata.Rel(a.kata.Solutions()), a.kata.Rel(a.kata.Dir()))
		case today != e.Code:
			a.find("the example %s is not what the file says: go tool dojo prove --fix writes it", e.Name)
		}
	}
}

// excerptsOf cuts the examples out of a kata's Go files.
func excerptsOf(k workbook.Kata) (map[string]string, error) {
	all := map[string]string{}
	for _, dir := range []string{k.Solutions(), k.Dir()} {
		paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			code, err := page.Cut(string(text))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k.Rel(path), err)
			}
			for name := range code {
				if _, twice := all[name]; twice {
					return nil, fmt.Errorf("%s: there are two examples %s", k.Rel(path), name)
				}
				all[name] = code[name]
			}
		}
	}
	return all, nil
}

// links checks those that lead into the clone, and the figures. Clone checks the
// others.
func (a *answer) links() {
	for _, l := range page.Links(a.page.Text) {
		if l.Outside() {
			continue
		}
		target := a.kata.Answer()
		if l.Target != "" {
			target = filepath.Join(filepath.Dir(target), filepath.FromSlash(l.Target))
		}
		text, err := os.ReadFile(target)
		if _, missing := os.Stat(target); missing != nil {
			a.find("it links to %s, which is not there", l.Target)
			continue
		}
		if l.Anchor != "" && (err != nil || !page.Anchors(string(text))[l.Anchor]) {
			a.find("it links to the section #%s of %s, which is not there", l.Anchor, a.kata.Rel(target))
		}
		if l.Image && l.Text == "" {
			a.find("the picture %s has no words for those who cannot see it", l.Target)
		}
		if l.Image && filepath.Ext(target) == ".svg" && !strings.Contains(string(text), `class="assumptions"`) {
			a.find("the picture %s does not say its assumptions", l.Target)
		}
	}
}

// swallowed is text behind a mark at the start of a line, where Markdown takes the
// whole line for HTML.
var swallowed = regexp.MustCompile(`(?m)^<!-- (?:from: \w+|/from) --> *\S.*$`)

var stepNumber = regexp.MustCompile(`(?i)\bsteps? \d`)

// words finds what only a learner of the kata knows, and is no link.
func (a *answer) words() {
	stub, err := os.ReadFile(a.kata.ShippedStub())
	if err != nil {
		return // said elsewhere
	}
	api, err := workbook.API(a.kata.ShippedStub(), stub)
	if err != nil {
		return
	}
	if line := swallowed.FindString(a.page.Text); line != "" {
		a.find("a line begins with a mark and goes on, so Markdown leaves it as it is: move the mark into the line: %s", opening(line))
	}
	prose, spans := page.Prose(a.page.Text)
	shown := strings.Join(page.Codes(a.page.Text), "\n")
	if m := stepNumber.FindString(prose); m != "" {
		a.find("%q says nothing to whoever has not seen the kata: make it a link, or say what happens there", m)
	}
	for _, name := range slices.Sorted(maps.Keys(api)) {
		word := regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`)
		bare := regexp.MustCompile(`^` + regexp.QuoteMeta(name) + `(\(.*\))?$`)
		if slices.ContainsFunc(spans, bare.MatchString) && !word.MatchString(shown) {
			a.find("only the kata knows `%s`: make it a link, show it in the example, or say what it is", name)
		}
	}
	mistakes, err := a.kata.MistakePaths()
	if err != nil {
		return
	}
	for _, path := range mistakes {
		slug := strings.TrimSuffix(filepath.Base(path), ".patch")
		if strings.Contains(slug, "-") && (slices.Contains(spans, slug) || regexp.MustCompile(`\b`+regexp.QuoteMeta(slug)+`\b`).MatchString(prose)) {
			a.find("%s is the file name of a mistake: make it a link, or say what it does", slug)
		}
	}
}
