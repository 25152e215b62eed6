// Package watch tells when the Go files of some folders are saved.
package watch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// quiet is how long a folder must be left alone before it counts as saved:
// editors write, rename and set permissions one after the other.
const quiet = 15 * time.Millisecond

// look is how often the folders themselves are looked at: a system tells of the
// files in a folder, and not when the folder is moved away and another one comes
// into its place.
const look = 500 * time.Millisecond

// Folders sends the path of a folder each time Go files in it were saved, or it
// went away or was replaced as a whole, until ctx ends. A folder may come and go. It is an
// error if one that is there cannot be watched.
func Folders(ctx context.Context, dirs []string) (<-chan string, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("this system does not report saved files: %w", err)
	}
	f := &follower{watcher: w, known: map[string]os.FileInfo{}, saved: make(chan string)}
	for _, dir := range dirs {
		f.known[dir] = nil
		if _, err := f.find(dir); err != nil {
			_ = w.Close() // the first error is the one to tell
			return nil, fmt.Errorf("cannot watch %s: %w", dir, err)
		}
	}
	go func() {
		defer close(f.saved)
		defer w.Close()
		f.follow(ctx)
	}()
	return f.saved, nil
}

// A follower watches folders. One goroutine owns it.
type follower struct {
	watcher *fsnotify.Watcher
	known   map[string]os.FileInfo // the folder that is watched under a path, nil if none
	saved   chan string
}

// find watches the folder that is at dir now, and reports whether it is another
// one than before, or gone.
func (f *follower) find(dir string) (changed bool, err error) {
	info, err := os.Stat(dir)
	if err != nil {
		changed = f.known[dir] != nil
		if changed {
			_ = f.watcher.Remove(dir) // it may have been forgotten already
			f.known[dir] = nil
		}
		return changed, nil
	}
	if f.known[dir] != nil && os.SameFile(info, f.known[dir]) {
		return false, nil
	}
	_ = f.watcher.Remove(dir) // what was there before
	if err := f.watcher.Add(dir); err != nil {
		return false, err
	}
	f.known[dir] = info
	return true, nil
}

func (f *follower) follow(ctx context.Context) {
	last := ""
	settled := time.NewTimer(time.Hour)
	settled.Stop()
	looking := time.NewTicker(look)
	defer looking.Stop()
	for {
		changed := ""
		select {
		case <-ctx.Done():
			return
		case event := <-f.watcher.Events: // nobody closes it meanwhile
			changed = saveIn(event)
		case <-looking.C:
			changed = f.replaced()
		case <-settled.C:
			select {
			case f.saved <- last:
			case <-ctx.Done():
				return
			}
		}
		if changed != "" {
			last = changed
			settled.Reset(quiet)
		}
	}
}

// replaced returns a folder that is another one than before, or gone, if there is one.
func (f *follower) replaced() string {
	changed := ""
	for dir := range f.known {
		if is, err := f.find(dir); is && err == nil { // it is looked for again
			changed = dir
		}
	}
	return changed
}

// saveIn returns the folder of a file that was saved. It passes over what
// editors keep beside a file: backups, locks and files whose name starts with a
// dot.
func saveIn(event fsnotify.Event) string {
	name := filepath.Base(event.Name)
	if !strings.HasSuffix(name, ".go") || strings.HasPrefix(name, ".") || event.Op == fsnotify.Chmod {
		return ""
	}
	return filepath.Dir(event.Name)
}
