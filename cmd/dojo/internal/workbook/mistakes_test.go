package workbook

import "testing"

func TestAMistakeIsWrittenAsItWasRead(t *testing.T) {
	const text = `Title: forget the key
Why: it looks kind
Breaks: The first answer is kept.
Breaks: Errors are answers too.
Caught-by: TestFailureIsReplayed
Symptom: charged twice

--- a/x.go
+++ b/x.go
`
	m, err := ParseMistake(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Text(); got != text {
		t.Errorf("got\n%s\nwant\n%s", got, text)
	}
	if len(m.Breaks) != 2 || m.Breaks[1] != "Errors are answers too." {
		t.Errorf("it breaks %q, want two sentences", m.Breaks)
	}
}

func TestAMistakeForItsSentenceAloneNeedsNoStory(t *testing.T) {
	const text = "Title: forget the key\nBreaks: The first answer is kept.\nCaught-by: TestFailureIsReplayed\nSymptom: charged twice\n\n--- a/x.go\n"
	m, err := ParseMistake(text)
	if err != nil || m.Text() != text {
		t.Errorf("got %v and\n%s\nwant\n%s", err, m.Text(), text)
	}
	_, err = ParseMistake("Title: forget the key\nCaught-by: TestFailureIsReplayed\nSymptom: charged twice\n\n--- a/x.go\n")
	if err == nil || err.Error() != "the preface has no Why, nor a sentence that it Breaks" {
		t.Errorf("neither story nor sentence gives %v", err)
	}
}
