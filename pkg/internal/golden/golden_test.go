package golden

import (
	"os"
	"strings"
	"testing"
)

// A fake keeps what it is told, and ends the check as t.FailNow does.
type fake struct {
	testing.TB

	said string
}

func (f *fake) Helper() {}

func (f *fake) Errorf(_ string, args ...any) { f.said = args[1].(string) }

func (f *fake) Fatal(args ...any) {
	f.said = args[0].(error).Error()
	panic(f)
}

func checked(t *testing.T, got string) (said string) {
	f := &fake{TB: t}
	defer func() {
		if r := recover(); r != nil && r != any(f) {
			panic(r)
		}
		said = f.said
	}()
	Check(f, "story", got)
	return f.said
}

func TestCheck(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if said := checked(t, "once"); !strings.Contains(said, "story.txt") {
		t.Errorf("there is no file, and the check said %q", said)
	}
	*update = true
	said := checked(t, "once")
	*update = false
	if said != "" {
		t.Errorf("the file was to be written, and the check said %q", said)
	}
	if said := checked(t, "once"); said != "" {
		t.Errorf("the text is that of the file, and the check said %q", said)
	}
	if said := checked(t, "twice"); !strings.Contains(said, "once") || !strings.Contains(said, "twice") {
		t.Errorf("the text is another, and both were expected to be shown; the check said %q", said)
	}
}
