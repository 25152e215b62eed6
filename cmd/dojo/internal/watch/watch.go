// Package watch tells when the Go files of some folders are saved.
package watch

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// quiet is how long a folder must be left alone before it counts as saved:
// editors write, rename and set permissions one after the other.
const quiet = 15 * time.Millisecond

// Folders sends the path of a folder each time Go files in it were saved,
// until ctx ends. Folders that cannot be watched are an error.
func Folders(ctx context.Context, dirs []string) (<-chan string, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("this system does not report saved files: %w", err)
	}
	for _, dir := range dirs {
		if err := w.Add(dir); err != nil {
			_ = w.Close() // the first error is the one to tell
			return nil, fmt.Errorf("cannot watch %s: %w", dir, err)
		}
	}
	saved := make(chan string)
	go func() {
		defer close(saved)
		defer w.Close()
		follow(ctx, w.Events, saved)
	}()
	return saved, nil
}

func follow(ctx context.Context, events <-chan fsnotify.Event, saved chan<- string) {
	last := ""
	settled := time.NewTimer(time.Hour)
	for {
		select {
		case <-ctx.Done():
			return
		case event, ok := <-events:
			if !ok {
				return
			}
			if isSave(event) {
				last = filepath.Dir(event.Name)
				settled.Reset(quiet)
			}
		case <-settled.C:
			if last == "" {
				continue
			}
			select {
			case saved <- last:
			case <-ctx.Done():
				return
			}
		}
	}
}

// isSave passes over what editors keep beside a file: backups, locks and
// files whose name starts with a dot.
func isSave(event fsnotify.Event) bool {
	name := filepath.Base(event.Name)
	return strings.HasSuffix(name, ".go") && !strings.HasPrefix(name, ".") && event.Op != fsnotify.Chmod
}
