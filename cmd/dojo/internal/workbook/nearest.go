package workbook

import "slices"

// nearest returns the name with the fewest single-letter edits from what was
// typed (Levenshtein, 1966), or nothing where half of the letters would be others.
func nearest(typed string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	name := slices.MinFunc(names, func(x, y string) int { return edits(typed, x) - edits(typed, y) })
	if 2*edits(typed, name) > len(name) {
		return ""
	}
	return name
}

func edits(from, to string) int {
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(from) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(to) {
			replace := diagonal
			if from[i] != to[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, diagonal+1)
		}
	}
	return row[len(to)]
}
