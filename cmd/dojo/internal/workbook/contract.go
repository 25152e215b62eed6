package workbook

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Promise is a sentence of a kata's contract, or a row of a table in it.
type Promise struct {
	File string // seen from the clone's root
	Line int
	Text string // as it stands, on one line
}

// Contract returns what the kata promises: the sections of its README whose heading
// begins with Contract, and then the comments of what the stub as shipped exports.
func (k Kata) Contract() ([]Promise, error) {
	readme, err := os.ReadFile(k.Readme())
	if err != nil {
		return nil, fmt.Errorf("reading the contract: %w", err)
	}
	stub, err := os.ReadFile(k.ShippedStub())
	if err != nil {
		return nil, fmt.Errorf("reading the stub as shipped: %w", err)
	}
	promises := cut(k.Rel(k.Readme()), contractLines(string(unixLines(readme))))
	comments, err := commentLines(stub)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", k.Rel(k.ShippedStub()), err)
	}
	return append(promises, cut(k.Rel(k.ShippedStub()), comments)...), nil
}

// A textLine is a line of a contract with its number. An empty one separates.
type textLine struct {
	number int
	text   string
}

// contractLines returns the lines of the README's contract.
func contractLines(readme string) []textLine {
	var lines []textLine
	inside := false
	number := 0
	for line := range strings.Lines(readme) {
		number++
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			inside = strings.HasPrefix(heading, "Contract")
		}
		if inside {
			lines = append(lines, textLine{number, strings.TrimRight(line, "\n")})
		}
	}
	return lines
}

// commentLines returns the lines of the comments on what a Go file exports: before
// declarations, fields and methods, and behind them.
func commentLines(source []byte) ([]textLine, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "", source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("it does not parse: %w", err)
	}
	ast.FileExports(file)
	var lines []textLine
	for _, decl := range file.Decls {
		ast.Inspect(decl, func(n ast.Node) bool {
			group, ok := n.(*ast.CommentGroup)
			if !ok {
				return true
			}
			for _, c := range group.List {
				text, isText := strings.CutPrefix(c.Text, "// ")
				if code, ok := strings.CutPrefix(c.Text, "//\t"); ok {
					text, isText = "\t"+code, true
				}
				if isText || c.Text == "//" {
					lines = append(lines, textLine{files.Position(c.Pos()).Line, strings.TrimPrefix(text, "//")})
				}
			}
			lines = append(lines, textLine{})
			return false
		})
	}
	return lines, nil
}

var (
	item      = regexp.MustCompile(`^\s*(?:[-*]|\d+\.) `)
	separator = regexp.MustCompile(`^\|[-:| ]+\|?$`)
)

// cut cuts lines into promises. Headings, code and the heads of tables are none.
func cut(file string, lines []textLine) []Promise {
	var promises []Promise
	var block []textLine
	flush := func() {
		promises = append(promises, sentences(file, block)...)
		block = nil
	}
	code := false
	for i, line := range lines {
		text := strings.TrimSpace(line.text)
		fence := strings.HasPrefix(text, "```")
		switch {
		case fence:
			flush()
			code = !code
		case code || strings.HasPrefix(line.text, "\t"): // in a comment a tab begins code
		case text == "" || strings.HasPrefix(text, "#") || strings.HasPrefix(text, "<!--"):
			flush()
		case strings.HasPrefix(text, "|"):
			flush()
			isHead := i+1 < len(lines) && separator.MatchString(strings.TrimSpace(lines[i+1].text))
			if !isHead && !separator.MatchString(text) {
				promises = append(promises, Promise{file, line.number, text})
			}
		default:
			if mark := item.FindString(line.text); mark != "" {
				flush()
				line.text = line.text[len(mark):]
			}
			block = append(block, line)
		}
	}
	flush()
	return promises
}

// sentences cuts a paragraph into sentences.
func sentences(file string, block []textLine) []Promise {
	var text strings.Builder
	starts := make([]int, len(block)) // of the lines
	for i, line := range block {
		starts[i] = text.Len()
		text.WriteString(strings.TrimSpace(line.text) + " ")
	}
	var promises []Promise
	rest, at := text.String(), 0
	for rest != "" {
		end := sentenceEnd(rest)
		if s := strings.TrimSpace(rest[:end]); s != "" {
			line, found := slices.BinarySearch(starts, at)
			if !found {
				line--
			}
			promises = append(promises, Promise{file, block[line].number, s})
		}
		rest, at = rest[end:], at+end
	}
	return promises
}

var abbreviations = []string{"e.g.", "i.e.", "cf.", "vs."}

// sentenceEnd returns where the first sentence of a text ends, the space behind it
// included: at a full stop that is followed by what may begin a sentence.
func sentenceEnd(text string) int {
	for i := range len(text) {
		if !strings.ContainsRune(".?!", rune(text[i])) {
			continue
		}
		end := i + 1
		for end < len(text) && strings.ContainsRune("\"')*", rune(text[end])) {
			end++
		}
		if end == len(text) || text[end] != ' ' {
			continue
		}
		next, _ := utf8.DecodeRuneInString(text[end+1:])
		begins := next == utf8.RuneError || !unicode.IsLower(next) && next != ','
		short := slices.ContainsFunc(abbreviations, func(a string) bool { return strings.HasSuffix(text[:i+1], a) })
		if begins && !short {
			return end + 1
		}
	}
	return len(text)
}

var link = regexp.MustCompile(`\[([^\[\]]+)\]\([^()]*\)`)

// Plain is a text without its marks, to compare what was quoted: links, code,
// emphasis and the ends of lines.
func Plain(text string) string {
	text = link.ReplaceAllString(text, "$1")
	text = strings.NewReplacer("`", "", "**", "", "[", "", "]", "").Replace(text)
	return strings.Join(strings.Fields(text), " ")
}

// A Quote finds words in a contract.
type Quote struct {
	texts   map[string]string // by file: its promises, joined
	bounds  map[string][]int  // where each begins there
	numbers map[string][]int  // and which it is
}

// NewQuote prepares the search in a contract.
func NewQuote(promises []Promise) Quote {
	q := Quote{map[string]string{}, map[string][]int{}, map[string][]int{}}
	for i, p := range promises {
		q.bounds[p.File] = append(q.bounds[p.File], len(q.texts[p.File]))
		q.numbers[p.File] = append(q.numbers[p.File], i)
		q.texts[p.File] += Plain(p.Text) + " "
	}
	return q
}

// Find returns which promises have some of these words, wherever they stand.
func (q Quote) Find(words string) []int {
	words = Plain(words)
	var found []int
	for file, text := range q.texts {
		for from := 0; words != ""; {
			i := strings.Index(text[from:], words)
			if i < 0 {
				break
			}
			begin, end := from+i, from+i+len(words)
			for j, start := range q.bounds[file] {
				stop := len(text)
				if j+1 < len(q.bounds[file]) {
					stop = q.bounds[file][j+1]
				}
				if start < end && begin < stop {
					found = append(found, q.numbers[file][j])
				}
			}
			from = end
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
