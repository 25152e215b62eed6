package numbers

import "testing"

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 20_010: "20,010", 999_999: "999,999", 1_234_567: "1,234,567"} {
		if got := Thousands(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	if got, want := Table([][]string{{"a", "b"}, {"1", "2"}, {"3", ""}}), "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 |  |"; got != want {
		t.Errorf("the table is\n%s\nwant\n%s", got, want)
	}
}
