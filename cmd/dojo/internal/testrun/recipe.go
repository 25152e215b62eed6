package testrun

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"go/build"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// Between a save and the next one only the kata's own files change. A recipe
// is what the go command knows of all else, asked for once: with it a build
// costs the compiler and the linker, and not the go command's own second look
// at two hundred packages. Where a recipe does not fit, the go command builds.

// A recipe is kept as a file, under a hash of what it depends on.
type recipe struct {
	Archives map[string]string // of compiled packages, by import path
	TestMain string            // the generated main function
	Lang     string            // the language version, as in go1.26
	Tools    string            // the folder of the compiler and the linker
}

// errNoRecipe sends a build back to the go command.
var errNoRecipe = errors.New("no recipe for this build")

// LearnRecipe asks the go command how it builds k, for later builds. It does
// nothing where the answer is known or is not to be had.
func (t *Toolchain) LearnRecipe(ctx context.Context, k workbook.Kata, race bool) {
	path := t.recipePath(k, race)
	if _, err := os.Stat(path); path == "" || err == nil {
		return
	}
	r, err := t.askRecipe(ctx, k, race)
	if err != nil {
		return
	}
	text, err := json.Marshal(r)
	if err == nil && os.MkdirAll(filepath.Dir(path), 0o755) == nil {
		_ = workbook.Replace(path, text) // the go command builds without it
	}
}

// askRecipe runs go list, which builds what is not built yet.
func (t *Toolchain) askRecipe(ctx context.Context, k workbook.Kata, race bool) (*recipe, error) {
	dir, err := t.temp()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	overlay, err := writeOverlay(dir, k, nil) // the guard has imports of its own
	if err != nil {
		return nil, err
	}
	args := []string{"list", "-test", "-deps", "-export", "-json=ImportPath,Export,ForTest,GoFiles,Module", "-overlay", overlay}
	if race {
		args = append(args, raceFlags...)
	}
	out, err := t.Command(ctx, append(args, "./kata/"+k.Name())...).Output()
	if err != nil {
		return nil, err
	}
	tools, err := t.Command(ctx, "env", "GOTOOLDIR").Output()
	if err != nil {
		return nil, err
	}
	r := &recipe{Archives: map[string]string{}, Tools: strings.TrimSpace(string(tools))}
	for list := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath, Export, ForTest string
			GoFiles                     []string
			Module                      *struct{ GoVersion string }
		}
		if err := list.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		switch {
		case p.ImportPath == k.Package()+".test":
			r.TestMain = p.GoFiles[0]
		case p.ForTest != "" && !strings.HasPrefix(p.ImportPath, k.Package()+"_test "):
			return nil, errNoRecipe // a package that is built once more for the test
		case p.ImportPath == k.Package() && p.Module != nil:
			version := strings.SplitN(p.Module.GoVersion, ".", 3)
			r.Lang = "go" + strings.Join(version[:min(2, len(version))], ".")
		case p.Export != "" && p.ForTest == "":
			r.Archives[p.ImportPath] = p.Export
		}
	}
	if r.TestMain == "" || r.Lang == "" {
		return nil, errNoRecipe
	}
	return r, nil
}

// recipePath names the recipe by all that it depends on but the kata's own
// files: the modules, the packages of this one that are linked, the steps, since
// the main function lists them, and the Go version.
func (t *Toolchain) recipePath(k workbook.Kata, race bool) string {
	hash := sha256.New()
	fmt.Fprintln(hash, k.Name(), race, raceFlags, runtime.Version(), t.Root)
	steps := func(path string) bool { return strings.HasSuffix(path, "_test.go") }
	if err := t.HashSources(hash, steps, k.Dir()); err != nil {
		return ""
	}
	return filepath.Join(t.Cache, "recipes", hex.EncodeToString(hash.Sum(nil))+".json")
}

// follow builds by the recipe. Its error is errNoRecipe where the go command
// has to look for itself, and a *CompileError where the code is to blame.
func (t *Toolchain) follow(ctx context.Context, b *Binary, race bool) error {
	text, err := os.ReadFile(t.recipePath(b.Kata, race))
	var r recipe
	if err != nil || json.Unmarshal(text, &r) != nil {
		return errNoRecipe
	}
	settings := build.Default
	if race {
		settings.BuildTags = []string{"race"}
	}
	files, err := settings.ImportDir(b.Kata.Dir(), 0)
	if err != nil || !plain(files) {
		return errNoRecipe
	}
	for _, path := range slices.Concat(files.Imports, files.XTestImports) {
		if r.Archives[path] == "" && path != b.Kata.Package() && path != "unsafe" {
			return errNoRecipe
		}
	}
	c := &cook{Toolchain: t, recipe: r, dir: b.dir, race: race}
	guard := filepath.Join(b.dir, "guard.go")
	kata, tests := b.Kata.Package(), b.Kata.Package()+"_test"
	for _, p := range []struct {
		path  string
		files []string
	}{
		{kata, inside(b.Kata.Dir(), files.GoFiles)},
		{tests, append(inside(b.Kata.Dir(), files.XTestGoFiles), guard)},
		{"main", []string{r.TestMain}},
	} {
		if err := c.compile(ctx, p.path, p.files); err != nil {
			return err
		}
	}
	return c.link(ctx, b.path)
}

// plain reports whether a package is Go alone, as a kata's is.
func plain(p *build.Package) bool {
	return len(p.CgoFiles) == 0 && len(p.SFiles) == 0 && len(p.TestGoFiles) == 0 &&
		len(p.EmbedPatterns) == 0 && len(p.XTestEmbedPatterns) == 0
}

func inside(dir string, names []string) []string {
	var paths []string
	for _, name := range names {
		paths = append(paths, filepath.Join(dir, name))
	}
	return paths
}

// A cook follows one recipe once.
type cook struct {
	*Toolchain
	recipe recipe
	dir    string
	race   bool
}

// tool returns a command of the toolchain's own.
func (c *cook) tool(ctx context.Context, name string, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.recipe.Tools, name), args...)
	cmd.Dir = c.Root
	return cmd
}

// compile compiles one package and adds its archive to the others.
func (c *cook) compile(ctx context.Context, path string, files []string) error {
	archive := filepath.Join(c.dir, filepath.Base(path)+".a")
	config, err := c.config()
	if err != nil {
		return err
	}
	args := []string{"-o", archive, "-p", path, "-lang=" + c.recipe.Lang, "-complete", "-c=2", "-trimpath", c.dir + "=>", "-importcfg", config, "-pack"}
	if c.race {
		args = append(args, "-race", "-installsuffix", "race")
	}
	out, err := c.tool(ctx, "compile", append(args, files...)).CombinedOutput()
	if err != nil && strings.Contains(string(out), "could not import") {
		return errNoRecipe // an archive is gone from the go command's cache
	}
	if err != nil {
		return c.buildError(ctx, string(out), err)
	}
	c.recipe.Archives[path] = archive
	return nil
}

func (c *cook) link(ctx context.Context, binary string) error {
	config, err := c.config()
	if err != nil {
		return err
	}
	args := []string{"-o", binary, "-importcfg", config, "-buildmode=exe", "-w", "-s", "-X", "testing.testBinary=1"}
	if c.race {
		args = append(args, "-race", "-installsuffix", "race")
	}
	if err := c.tool(ctx, "link", append(args, c.recipe.Archives["main"])).Run(); err != nil {
		return errNoRecipe // the go command says it better
	}
	return nil
}

// config writes where the packages compiled so far are.
func (c *cook) config() (string, error) {
	var text strings.Builder
	for path, archive := range c.recipe.Archives {
		fmt.Fprintf(&text, "packagefile %s=%s\n", path, archive)
	}
	path := filepath.Join(c.dir, "importcfg")
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		return "", fmt.Errorf("cannot write the files of a build: %w", err)
	}
	return path, nil
}
