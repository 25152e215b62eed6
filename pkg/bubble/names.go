package bubble

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// name writes f's function as the source does: redis.(*Client).Get and not
// go-redis/v9.(*Client).Get, (*Queue).Take and not (*Queue[...]).Take. A function
// without a name keeps the one that the compiler gives it, such as TestX.func1.
func (p paths) name(f frame) string {
	pkg := f.pkg()
	fn := strings.TrimPrefix(f.fn[len(pkg):], ".")
	fn = strings.TrimSuffix(strings.ReplaceAll(fn, "[...]", ""), "-fm") // a method value
	if pkg == "" {
		return fn
	}
	return p.packageName(f) + "." + fn
}

var (
	packageNames  sync.Map // by import path: a library may be read only once
	packageClause = regexp.MustCompile(`(?m)^package (\w+)`)
	majorVersion  = regexp.MustCompile(`^v[0-9]+$`)
	versionSuffix = regexp.MustCompile(`\.v[0-9]+$`)
)

// packageName reads the package clause of f's file or, where the file is not to be
// had, guesses from the import path.
func (p paths) packageName(f frame) string {
	if known, _ := packageNames.Load(f.pkg()); known != nil {
		return fmt.Sprint(known)
	}
	name := guessPackage(f.pkg())
	if !p.standard(f) { // whose files have functions of other packages too
		if text, err := p.read(f); err == nil {
			if clause := packageClause.FindSubmatch(text); clause != nil {
				name = string(clause[1])
			}
		}
	}
	packageNames.Store(f.pkg(), name)
	return name
}

// guessPackage returns the last element of an import path that is not a version.
func guessPackage(importPath string) string {
	importPath = unescape(importPath)
	base := path.Base(importPath)
	if parent := path.Dir(importPath); majorVersion.MatchString(base) && parent != "." {
		base = path.Base(parent)
	}
	return versionSuffix.ReplaceAllString(base, "")
}

// unescape undoes what the linker does to dots and odd bytes in the last element.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// read returns the source file of f. Under -trimpath only those of the package
// under test are found.
func (p paths) read(f frame) ([]byte, error) {
	text, err := os.ReadFile(f.file)
	if err != nil && strings.HasPrefix(f.pkg()+"/", path.Dir(f.file)) {
		text, err = os.ReadFile(filepath.Join(p.wd, path.Base(f.file)))
	}
	return text, err
}

// own reports whether f is neither of the standard library nor of a dependency.
func (p paths) own(f frame) bool {
	return !hidden(f) && !p.standard(f) &&
		!strings.Contains(f.file, "/pkg/mod/") && !strings.Contains(f.file, "/vendor/") && !strings.Contains(f.file, "@v")
}

// innermost is how many calls a stack that is cut shows before all others.
const innermost = 4

// cut chooses maxFrames of many frames to show: where the goroutine is, then the
// user's own, then the nearest. A number below zero stands for so many left out.
func (p paths) cut(frames []frame) []int {
	keep := make([]bool, len(frames))
	left := maxFrames
	choose := func(wanted func(i int) bool) {
		for i := range frames {
			if left > 0 && !keep[i] && wanted(i) {
				keep[i] = true
				left--
			}
		}
	}
	choose(func(i int) bool { return i < innermost })
	choose(func(i int) bool { return p.own(frames[i]) })
	choose(func(int) bool { return true })
	var shown []int
	for i, kept := range keep {
		switch {
		case kept:
			shown = append(shown, i)
		case len(shown) > 0 && shown[len(shown)-1] < 0:
			shown[len(shown)-1]--
		default:
			shown = append(shown, -1)
		}
	}
	return shown
}
