//go:build unix

package main

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

// The test binary is the runner too, where this is set: so that a test can start
// it on a terminal of its own.
const asRunner = "DOJO_TEST_AS_RUNNER"

func TestMain(m *testing.M) {
	if os.Getenv(asRunner) != "" {
		limit = 2 * time.Second
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A screen is a terminal on which the runner runs, as a person sees it.
type screen struct {
	file *os.File // the person's end
	mu   sync.Mutex
	vt   *vt.Emulator
	cmd  *exec.Cmd
	done chan error
}

// goCache is where the go command keeps what it built. In the cache of a runner's own it would build the
// standard library again for each test.
var goCache = sync.OnceValue(func() string {
	out, _ := exec.Command("go", "env", "GOCACHE").Output() // without an answer it builds
	return strings.TrimSpace(string(out))
})

// onScreen starts the runner in the clone on a terminal of that size.
func (b *bench) onScreen(t *testing.T, cols, rows int, args ...string) *screen {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = b.root
	cmd.Env = append(os.Environ(), asRunner+"=1", "TERM=xterm-256color", "XDG_CACHE_HOME="+b.desk.tools.Cache, "XDG_CONFIG_HOME="+b.desk.tools.Cache, "VISUAL=", "EDITOR=")
	if !b.cold {
		cmd.Env = append(cmd.Env, "GOCACHE="+goCache())
	}
	file, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: uint16(rows), Cols: uint16(cols)})
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{file: file, vt: vt.NewEmulator(cols, rows), cmd: cmd, done: make(chan error, 1)}
	go func() { _, _ = io.Copy(file, s.vt) }() // what a terminal answers when it is asked what it is
	go func() {
		text := make([]byte, 1<<14)
		for {
			n, err := file.Read(text)
			s.mu.Lock()
			_, _ = s.vt.Write(text[:n]) // an emulator takes all
			s.mu.Unlock()
			if err != nil {
				break
			}
		}
		s.done <- cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has mostly ended
		_ = file.Close()
	})
	return s
}

// text is what stands on the screen.
func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := strings.Split(s.vt.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \r")
	}
	return strings.Join(lines, "\n")
}

// await waits until the words stand on the screen, line breaks aside, and
// returns all of it.
func (s *screen) await(t *testing.T, words ...string) string {
	t.Helper()
	return s.awaits(t, func(flat string) bool {
		for _, w := range words {
			if !strings.Contains(flat, w) {
				return false
			}
		}
		return true
	}, strings.Join(words, "\n"))
}

// awaits waits until what stands on the screen is as wanted.
func (s *screen) awaits(t *testing.T, wanted func(flat string) bool, what string) string {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if text := s.text(); wanted(strings.Join(strings.Fields(text), " ")) {
			return text
		}
	}
	t.Fatalf("after three minutes the screen was expected to show\n%s\nbut shows\n%s", what, s.text())
	return ""
}

// press types a key.
func (s *screen) press(t *testing.T, keys string) {
	t.Helper()
	if _, err := s.file.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

func (s *screen) resize(t *testing.T, cols, rows int) {
	t.Helper()
	s.mu.Lock()
	s.vt.Resize(cols, rows)
	s.mu.Unlock()
	if err := pty.Setsize(s.file, &pty.Winsize{Rows: uint16(rows), Cols: uint16(cols)}); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Process.Signal(syscall.SIGWINCH) // the kernel sends it too
}

// quits presses q and waits for the end.
func (s *screen) quits(t *testing.T) {
	t.Helper()
	s.press(t, "q")
	select {
	case err := <-s.done:
		if err != nil {
			t.Errorf("the runner ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Errorf("q was pressed, and the runner still runs:\n%s", s.text())
	}
}
