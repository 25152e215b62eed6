package prove

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/page"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// What was green is kept in the user's cache folder, under a hash of all that it
// depends on, and is not run again until something of that changes. Papers are
// quickly checked, and always are. Nothing breaks where a proof cannot be kept.

// A Kept proof is one that was green before.
type Kept struct {
	At   time.Time
	Work Work // that it took then
}

// runsOrKept runs what the kata has to run, unless it was green before.
func (p *proof) runsOrKept(ctx context.Context) ([]Finding, error) {
	ran := p.hash(ctx)
	p.report.Soak.Same = ran != "" && p.report.Soak.Ran == ran
	path := p.keptPath(ran)
	var kept Kept
	if !p.Options.Fresh && recall(path, &kept) && !kept.At.IsZero() {
		p.report.Kept = &kept
		return nil, nil
	}
	findings, err := p.runs(ctx)
	if err != nil || len(findings) > 0 || p.hash(ctx) != ran {
		return findings, err // a file that changed meanwhile may or may not have been built
	}
	store(path, Kept{At: time.Now(), Work: p.report.Work})
	p.soaked(ran)
	return nil, nil
}

// hash hashes what a proof builds and runs, and what with. It is empty where
// that cannot be told, and then nothing is kept.
func (p *proof) hash(ctx context.Context) string {
	k := p.kata
	tools := p.outside.tools(ctx, p.Prover)
	if tools == "" {
		return ""
	}
	hash := sha256.New()
	fmt.Fprintln(hash, tools, p.names())
	for _, m := range p.mistakes { // one whose papers are wrong is not run
		fmt.Fprintln(hash, m.Slug)
	}
	if answer, err := page.Read(k.Answer()); err == nil {
		fmt.Fprintln(hash, answer.Logged(), answer.Commands())
	}
	figures, err := filepath.Glob(filepath.Join(k.Root, "docs", "figures", k.Name()+"-*"))
	if err != nil {
		return ""
	}
	code := func(path string) bool { return filepath.Ext(path) != ".md" }
	if p.Tools.HashSources(hash, code, append(figures, k.Dir(), k.Solutions())...) != nil {
		return ""
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// keptPath names a proof by what it ran, how often, and the prover that did.
func (p *proof) keptPath(ran string) string {
	prover := p.outside.prover()
	if ran == "" || prover == "" {
		return ""
	}
	sum := sha256.Sum256(fmt.Append(nil, ran, prover, p.Options.Runs, p.Options.Thorough))
	return filepath.Join(p.Tools.Cache, "proofs", hex.EncodeToString(sum[:])+".json")
}

// recall reads what store wrote.
func recall(path string, v any) bool {
	text, err := os.ReadFile(path)
	return err == nil && json.Unmarshal(text, v) == nil
}

// store writes a file of the cache, if it can.
func store(path string, v any) {
	text, err := json.Marshal(v)
	if path == "" || err != nil || os.MkdirAll(filepath.Dir(path), 0o755) != nil {
		return
	}
	_ = workbook.Replace(path, text) // what is not kept is proved again
}

// outside is what a proof depends on that is in no file of the clone. It is
// asked for once.
type outside struct {
	toolsOnce, proverOnce sync.Once
	toolsText, proverText string
}

// settings are those of the go command that change what is built.
var settings = []string{
	"CC", "GOVERSION", "GOFLAGS", "GOEXPERIMENT", "GODEBUG", "GOOS", "GOARCH", "GOAMD64", "GOARM64", "CGO_ENABLED", "CGO_CFLAGS", "CGO_LDFLAGS",
}

// variables are those of the environment that the steps' binary reads.
var variables = []string{"DOJO_", "GOGC=", "GOMAXPROCS=", "GOMEMLIMIT="}

// tools describes the go command and its settings, with -race the C compiler,
// and the variables. It is empty where one of them cannot be told.
func (o *outside) tools(ctx context.Context, p *Prover) string {
	o.toolsOnce.Do(func() {
		out, err := p.Tools.Command(ctx, append([]string{"env"}, settings...)...).Output()
		if err != nil {
			return
		}
		text := string(out)
		if p.Options.Race {
			cc, _, _ := strings.Cut(text, "\n")
			name, _, _ := strings.Cut(cc, " ")
			version, err := exec.CommandContext(ctx, name, "--version").Output()
			if err != nil && runtime.GOOS != "darwin" { // the race runtime there needs no C compiler
				return
			}
			text += "-race " + string(version)
		}
		for _, v := range os.Environ() {
			if slices.ContainsFunc(variables, func(prefix string) bool { return strings.HasPrefix(v, prefix) }) {
				text += v + "\n"
			}
		}
		o.toolsText = text
	})
	return o.toolsText
}

// prover hashes the program that is running.
func (o *outside) prover() string {
	o.proverOnce.Do(func() {
		path, err := os.Executable()
		if err != nil {
			return
		}
		if program, err := os.ReadFile(path); err == nil {
			o.proverText = workbook.Sum(program)
		}
	})
	return o.proverText
}
