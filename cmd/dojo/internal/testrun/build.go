package testrun

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// MemoryLimit is what the steps of a kata may use: the race runtime multiplies
// it by five or so.
const MemoryLimit = 512 << 20

//go:embed guard.go.txt
var guardText string

// raceFlags build for the race detector. It is kept out of SQLite, which is C
// translated to Go and called by one goroutine at a time: steps with a database
// take a quarter to two thirds of the time then.
var raceFlags = []string{"-race", "-gcflags=github.com/ncruces/go-sqlite3-wasm/...=-race=false"}

// A Flavour is one way to build a kata's test binary.
type Flavour struct {
	Race      bool
	Solutions bool              // the reference in place of the learner's code
	Replace   map[string]string // files to take from elsewhere, as in go build -overlay
}

// A Binary is a kata's steps, built. It may run several times at once. Close
// removes it.
type Binary struct {
	Kata  workbook.Kata
	Race  bool
	Built time.Duration // processor time that the go command took for it
	path  string
	dir   string
	runs  atomic.Int64 // so far
}

// Close removes the binary.
func (b *Binary) Close() error { return os.RemoveAll(b.dir) }

// A CompileError is what the compiler said of a kata.
type CompileError struct {
	Output string // the compiler's lines, paths seen from the clone's root
}

func (e *CompileError) Error() string { return "it does not compile:\n" + e.Output }

// Build compiles the steps of k. Its error is a *CompileError where the go
// command blames the code.
func (t *Toolchain) Build(ctx context.Context, k workbook.Kata, f Flavour) (*Binary, error) {
	dir, err := t.temp()
	if err != nil {
		return nil, err
	}
	b := &Binary{Kata: k, Race: f.Race, dir: dir, path: filepath.Join(dir, k.Name()+".test")}
	if runtime.GOOS == "windows" {
		b.path += ".exe"
	}
	if err := t.compile(ctx, b, f); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// BuildShipped builds the steps on the files as shipped, whatever the learner
// wrote.
func (t *Toolchain) BuildShipped(ctx context.Context, k workbook.Kata, f Flavour) (*Binary, error) {
	further, err := k.Further()
	if err != nil {
		return nil, err
	}
	replace := map[string]string{k.Stub(): k.ShippedStub()}
	for _, path := range further {
		replace[path] = ""
	}
	maps.Copy(replace, f.Replace)
	f.Replace = replace
	return t.Build(ctx, k, f)
}

// BuildText builds the steps on another text of the reference.
func (t *Toolchain) BuildText(ctx context.Context, k workbook.Kata, text string, race bool) (*Binary, error) {
	dir, err := t.temp()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, k.Name()+".go")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return nil, fmt.Errorf("cannot write the files of a build: %w", err)
	}
	return t.BuildShipped(ctx, k, Flavour{Solutions: true, Race: race, Replace: map[string]string{k.Reference(): path}})
}

func (t *Toolchain) compile(ctx context.Context, b *Binary, f Flavour) error {
	overlay, err := writeOverlay(b.dir, b.Kata, f.Replace)
	if err != nil {
		return err
	}
	if !f.Solutions && len(f.Replace) == 0 {
		if err := t.follow(ctx, b, f.Race); !errors.Is(err, errNoRecipe) {
			return err
		}
	}
	// Vet's checks belong to lint, and a panic's trace needs no symbol table.
	args := []string{"test", "-c", "-vet=off", "-ldflags=-w -s", "-o", b.path, "-overlay", overlay}
	if f.Race {
		args = append(args, raceFlags...)
	}
	if f.Solutions {
		args = append(args, "-tags=solutions")
	}
	if t.Slow != nil {
		defer time.AfterFunc(3*time.Second, t.Slow).Stop()
	}
	cmd := t.Command(ctx, append(args, "./kata/"+b.Kata.Name())...)
	out, err := cmd.CombinedOutput()
	b.Built = Used(cmd)
	if err != nil {
		return t.buildError(ctx, string(out), err)
	}
	if _, err := os.Stat(b.path); err != nil {
		return fmt.Errorf("the kata %s has no test files: git checkout -- kata/%s brings them back", b.Kata.Name(), b.Kata.Name())
	}
	return nil
}

func (t *Toolchain) buildError(ctx context.Context, out string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if strings.Contains(out, "no space left on device") {
		return fmt.Errorf("the disk is full, so the kata could not be built: free some space and try again")
	}
	var lines []string
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || strings.HasPrefix(line, "# ") || strings.HasPrefix(line, "FAIL") {
			continue
		}
		lines = append(lines, strings.ReplaceAll(line, t.Root+string(filepath.Separator), ""))
	}
	if len(lines) == 0 {
		return fmt.Errorf("the go command failed and said nothing: %w", err)
	}
	return &CompileError{Output: strings.Join(lines, "\n")}
}

// writeOverlay writes the overlay file of one build: the guard, and whatever
// else is replaced.
func writeOverlay(dir string, k workbook.Kata, replace map[string]string) (string, error) {
	guard := filepath.Join(dir, "guard.go")
	text := strings.NewReplacer("PACKAGE", k.Name(), "MEMORY", strconv.Itoa(MemoryLimit)).Replace(guardText)
	files := map[string]string{filepath.Join(k.Dir(), "dojo_guard_test.go"): guard}
	maps.Copy(files, replace)
	overlay, err := json.Marshal(map[string]any{"Replace": files})
	if err != nil {
		return "", fmt.Errorf("writing the overlay: %w", err)
	}
	path := filepath.Join(dir, "overlay.json")
	err = errors.Join(os.WriteFile(guard, []byte(text), 0o644), os.WriteFile(path, overlay, 0o644))
	if err != nil {
		return "", fmt.Errorf("cannot write the files of a build: %w", err)
	}
	return path, nil
}
