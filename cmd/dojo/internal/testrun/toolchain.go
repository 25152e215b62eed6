// Package testrun builds a kata's test binary, runs its steps whatever the
// learner's code does to the process, and says in words what went wrong.
package testrun

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// A Toolchain runs the go command in a clone.
type Toolchain struct {
	Root  string        // of the clone
	Cache string        // for verdicts and test binaries; made when first used
	Limit time.Duration // for one step of a learner's code
	Slow  func()        // called when a build takes longer than usual; may be nil
}

// NewToolchain finds the go command and a folder to keep things in.
func NewToolchain(root string) (*Toolchain, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return nil, fmt.Errorf("the go command is not on the PATH: install Go from your system's packages or its own site, then try again")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return &Toolchain{Root: root, Cache: filepath.Join(cache, "dojo"), Limit: StepLimit}, nil
}

// Command returns a go command that runs in the clone's root, on the root
// module alone and free of the caller's GOFLAGS.
func (t *Toolchain) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = t.Root
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "PWD="+t.Root)
	return cmd
}

// Used returns the processor time that a command which has ended took, with its
// children: what it waited for is not counted.
func Used(cmd *exec.Cmd) time.Duration {
	if cmd.ProcessState == nil {
		return 0 // it was never started
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// NoRace says in one sentence why this machine cannot build with the race
// detector, or nothing where it can.
func (t *Toolchain) NoRace(ctx context.Context) string {
	if !raceSupported[runtime.GOOS+"/"+runtime.GOARCH] {
		return "Without -race: Go has no race detector for " + runtime.GOOS + "/" + runtime.GOARCH + "."
	}
	out, err := t.Command(ctx, "env", "CGO_ENABLED", "CC").Output()
	if err != nil {
		return "Without -race: go env failed."
	}
	enabled, cc, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if runtime.GOOS == "darwin" {
		return "" // the race runtime there needs no C compiler
	}
	name, _, _ := strings.Cut(cc, " ")
	if _, err := exec.LookPath(name); err != nil {
		return fmt.Sprintf("Without -race: there is no C compiler (%s is not on the PATH), so data races are not looked for.", name)
	}
	if enabled != "1" {
		return "Without -race: CGO_ENABLED is 0, so data races are not looked for."
	}
	return ""
}

// raceSupported lists the platforms of the Go race detector
// (internal/platform.RaceDetectorSupported, Go 1.26).
var raceSupported = map[string]bool{
	"linux/amd64": true, "linux/arm64": true, "linux/ppc64le": true, "linux/s390x": true, "linux/loong64": true, "linux/riscv64": true,
	"darwin/amd64": true, "darwin/arm64": true, "windows/amd64": true, "freebsd/amd64": true, "netbsd/amd64": true,
}

// temp makes a folder under the cache for one build. Its error is a sentence
// for people.
func (t *Toolchain) temp() (string, error) {
	if err := os.MkdirAll(t.Cache, 0o755); err != nil {
		return t.systemTemp()
	}
	dir, err := os.MkdirTemp(t.Cache, "build-")
	if errors.Is(err, os.ErrPermission) {
		return t.systemTemp()
	}
	if err != nil {
		return "", fmt.Errorf("cannot make a folder to build in: %w", err)
	}
	return dir, nil
}

func (t *Toolchain) systemTemp() (string, error) {
	dir, err := os.MkdirTemp("", "dojo-build-")
	if err != nil {
		return "", fmt.Errorf("cannot make a folder to build in: %w", err)
	}
	return dir, nil
}
