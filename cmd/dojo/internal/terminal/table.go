package terminal

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// table lays out the rows of a Markdown table: in columns where they fit, else each
// row as lines, its first cell above and the others behind the names of their columns.
func (s *Screen) table(rows []string) []string {
	var cells [][]string
	for i, row := range rows {
		if i == 1 && strings.Trim(row, "|-: ") == "" {
			continue // the rule below the head
		}
		cells = append(cells, split(row))
	}
	if lines := s.columns(cells); lines != nil {
		return lines
	}
	head := cells[0]
	var out []string
	for i, row := range cells[1:] {
		if i > 0 {
			out = append(out, "")
		}
		for j, cell := range row {
			switch {
			case j == 0:
				out = append(out, s.Lines("", "  ", s.In(Loud, cell))...)
			case j < len(head) && head[j] != "" && cell != "":
				out = append(out, s.Lines("  "+head[j]+": ", "    ", cell)...)
			case cell != "":
				out = append(out, s.Lines("  ", "    ", cell)...)
			}
		}
	}
	return out
}

// columns is the table with its columns aligned, or nothing if it is too wide.
func (s *Screen) columns(cells [][]string) []string {
	var widths []int
	for _, row := range cells {
		for j, cell := range row {
			if j == len(widths) {
				widths = append(widths, 0)
			}
			widths[j] = max(widths[j], ansi.StringWidth(cell))
		}
	}
	var lines []string
	for i, row := range cells {
		line := ""
		for j, cell := range row {
			line += cell + strings.Repeat(" ", widths[j]-ansi.StringWidth(cell)+2)
		}
		line = strings.TrimRight(line, " ")
		if ansi.StringWidth(line) > s.Width {
			return nil
		}
		if i == 0 {
			line = s.In(Loud, line)
		}
		lines = append(lines, line)
	}
	return lines
}

// split cuts a row into its cells. A bar behind a backslash is part of a cell.
func split(row string) []string {
	row = strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(row), "|"), "|"), `\|`, "\x00")
	var cells []string
	for cell := range strings.SplitSeq(row, "|") {
		cells = append(cells, inline(strings.ReplaceAll(strings.TrimSpace(cell), "\x00", "|")))
	}
	return cells
}
