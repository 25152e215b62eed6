package teamclient

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
	"github.com/backend-kata/dojo/kata"
)

// kataOn makes a clone with one kata, whose files have those texts.
func kataOn(t *testing.T, files map[string]string) workbook.Kata {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return workbook.Kata{Question: kata.Question{Folder: "breaker"}, Root: root}
}

func TestSnapshotIsOfTheLearnersCodeAlone(t *testing.T) {
	k := kataOn(t, map[string]string{
		"kata/breaker/breaker.go":                          "package breaker\n",
		"kata/breaker/extra.go":                            "package breaker // extra\n",
		"kata/breaker/mine_test.go":                        "package breaker // test\n",
		"kata/breaker/breaker_test.go":                     "steps",
		"kata/breaker/helpers_test.go":                     "helpers",
		"kata/breaker/solution.go":                         "forwarder",
		"kata/breaker/secret.txt":                          "secret",
		"kata/breaker/.hidden.go":                          "secret",
		"kata/breaker/.kept/then/breaker.go":               "secret",
		"kata/breaker/sub/sub.go":                          "secret",
		"kata/breaker/large.go":                            strings.Repeat("x", team.MaxFile+1),
		"kata/breaker/full.go":                             strings.Repeat("x", team.MaxFile),
		"kata/breaker/with space; rm -rf.go":               "secret",
		"solutions/breaker/tests.sum":                      "0  breaker_test.go\n",
		"elsewhere/id_rsa":                                 "secret",
		"kata/other/other.go":                              "secret",
		"kata/breaker/folder.go/x":                         "secret",
		"kata/breaker/breaker_test.go.orig":                "secret",
		"kata/breaker/\xd0\xb0bc.go":                       "secret",
		"kata/breaker/" + strings.Repeat("n", 120) + ".go": "secret",
	})
	for name, target := range map[string]string{
		"link.go": "../../elsewhere/id_rsa", "inside.go": "extra.go", "out.go": "/etc/hostname",
	} {
		if err := os.Symlink(target, filepath.Join(k.Dir(), name)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	files, left, err := Snapshot(k)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
		if strings.Contains(f.Text, "secret") {
			t.Errorf("%s is sent, with %q", f.Name, f.Text)
		}
	}
	if got, want := strings.Join(names, " "), "breaker.go extra.go full.go mine_test.go"; got != want {
		t.Errorf("sent are %s, want %s", got, want)
	}
	if got, want := strings.Join(left, " "), "inside.go large.go link.go out.go"; got != want {
		t.Errorf("left out, and said, are %s; want %s", got, want)
	}
}

func TestSnapshotOfAFolderThatIsALink(t *testing.T) {
	k := kataOn(t, map[string]string{"solutions/breaker/tests.sum": "", "kata/catalog.go": ""})
	elsewhere := t.TempDir()
	if err := os.WriteFile(filepath.Join(elsewhere, "breaker.go"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, k.Dir()); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if files, _, err := Snapshot(k); err == nil || len(files) > 0 {
		t.Errorf("the kata's folder leads out of the clone, and sent is %+v, %v; want an error", files, err)
	}
}

func TestAHostileStateChangesNothing(t *testing.T) {
	k := kataOn(t, map[string]string{
		"kata/breaker/breaker.go":     "mine",
		"solutions/breaker/tests.sum": "0  breaker_test.go\n0  probe_test.go\n",
	})
	good := team.File{Name: "breaker.go", Text: "package breaker\n"}
	for _, name := range []string{
		"../../evil.go", "..", ".", "", "/etc/evil.go", `..\evil.go`, `C:\evil.go`, "sub/evil.go", ".evil.go", "evil.sh", "evil.go\x00", "evil\x1b[2J.go",
		"solution.go", "breaker_test.go", "BREAKER_TEST.go", "helpers_test.go", "probe_test.go", "breaker.go", "Breaker.go", "NUL .go", "évil.go", strings.Repeat("x", 200) + ".go",
	} {
		err := Check(k, team.State{Files: []team.File{good, {Name: name, Text: "evil"}}})
		if err == nil || !strings.Contains(err.Error(), "nothing was changed") && !strings.Contains(err.Error(), "twice") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("a state with a file %q gives %v; want it refused", name, err)
		}
	}
	for what, files := range map[string][]team.File{
		"none":       nil,
		"too large":  {{Name: "breaker.go", Text: strings.Repeat("x", team.MaxFile+1)}},
		"too many":   append(make([]team.File, team.MaxFiles), good),
		"no stub":    {{Name: "extra.go"}},
		"other name": {{Name: "BREAKER.GO"}},
	} {
		if err := Check(k, team.State{Files: files}); err == nil {
			t.Errorf("a state with %s is taken", what)
		}
	}
	if err := Check(k, team.State{Files: []team.File{good, {Name: "extra_2.go"}, {Name: "mine_test.go"}}}); err != nil {
		t.Errorf("a good state is refused: %v", err)
	}
}

func TestWriteFollowsNoLinks(t *testing.T) {
	k := kataOn(t, map[string]string{"kata/breaker/extra.go": "mine", "precious.txt": "precious"})
	for name, target := range map[string]string{"breaker.go": "../../precious.txt", ".dojo-take-extra.go": "../../precious.txt"} {
		if err := os.Symlink(target, filepath.Join(k.Dir(), name)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	err := Write(k, []team.File{{Name: "breaker.go", Text: "new"}, {Name: "extra.go", Text: "extra"}})
	if precious, _ := os.ReadFile(filepath.Join(k.Root, "precious.txt")); string(precious) != "precious" {
		t.Errorf("a link was followed, and the file it leads to is %q", precious)
	}
	info, statErr := os.Lstat(k.Stub())
	text, _ := os.ReadFile(k.Stub())
	if err != nil || statErr != nil || !info.Mode().IsRegular() || string(text) != "new" {
		t.Errorf("in the link's place was expected a file with the pair's code: %v, %v, %q", err, statErr, text)
	}
}
