package serial

import (
	"fmt"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/pkg/internal/golden"
)

// Of long lists, long scans and long transactions the failure shows what matters.
func TestLongTexts(t *testing.T) {
	numbers := func(n int) string {
		var out strings.Builder
		for i := range n {
			fmt.Fprintf(&out, " %d", i+1)
		}
		return out.String()
	}
	var h strings.Builder
	for i := range 40 {
		fmt.Fprintf(&h, "a x %d; r x%s; r y%s; a y %d; r u; r v; r w; r a; r b; r c; ok\n", i+1, numbers(i+1), numbers(i), i+1)
	}
	h.WriteString("r x " + numbers(20) + "; r y " + numbers(40) + "; r x " + numbers(40) + "; ok\n")
	r, err := Analyze(history(h.String()))
	if err != nil {
		t.Fatal(err)
	}
	lists := history(h.String())[:40]
	lists = append(lists, history("r x 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 17 16; ok\n r x"+numbers(30)+"; ok")...)
	two, err := Analyze(lists)
	if err != nil {
		t.Fatal(err)
	}
	scans := make([]string, 9)
	for i := range scans {
		scans[i] = fmt.Sprintf("d%d=on", i+1)
	}
	load := "a d1 on; ok\na d2 on; ok\na d3 on; ok\na d4 on; ok\na d5 on; ok\na d6 on; ok\na d7 on; ok\na d8 on; ok\na d9 on; ok\n"
	skew, err := Analyze(history(load + "s d e " + strings.Join(scans, " ") + "; a d91 on; ok\ns d e " + strings.Join(scans, " ") + "; a d92 on; ok"))
	if err != nil {
		t.Fatal(err)
	}
	writes, err := Analyze(history("a x 1; a y 1; ok\na x 2; a y 2; ok\na x 3; a x 4; a x 5; a x 6; a x 7; a x 8; a x 9; a x 10; a x 11; a x 12; a x 13; ok\nr x" + numbers(13) + "; ok\nr y 2 1; ok"))
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "long", strings.Join([]string{r.String(), two.String(), skew.String(), writes.String()}, "\n"))
}
