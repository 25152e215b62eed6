package figure

import "path/filepath"

// Sample says whether testdata holds the drawing, or writes it with -update.
func Sample(name string, d Drawing) string {
	if err := drawn(filepath.Join("testdata", name+".svg"), d, *update); err != nil {
		return err.Error()
	}
	return "as in testdata/" + name + ".svg"
}
