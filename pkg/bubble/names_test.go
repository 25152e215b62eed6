package bubble

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNames(t *testing.T) {
	source := filepath.Join(t.TempDir(), "client.go")
	if err := os.WriteFile(source, []byte("// package comment\n\npackage redis // as it is imported\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ fn, file, want, why string }{
		{"example.com/go-redis/v9.(*Client).Get", source, "redis.(*Client).Get", "the source knows"},
		{"example.com/go-redis/v9.(*Client).Get.func1", "/elsewhere.go", "redis.(*Client).Get.func1", "and is read once"},
		{"example.com/mux/v2.(*Router).Handle", "/gone.go", "mux.(*Router).Handle", "a guess leaves the major version out"},
		{"gopkg.in/yaml%2ev3.(*Decoder).Decode", "/gone.go", "yaml.(*Decoder).Decode", "also that of gopkg.in"},
		{"example.com/caf%c3%a9.Open", "/gone.go", "café.Open", "the linker escapes odd bytes"},
		{"example.com/shop/cart%2ego.Open", "/gone.go", "cart.go.Open", "and dots"},
		{"v2.Open", "/gone.go", "v2.Open", "nothing is before this version"},
		{"example.com/shop/queue.(*Queue[...]).Take", "/gone.go", "queue.(*Queue).Take", "type arguments are not known"},
		{"example.com/shop/queue.Map[...].func1", "/gone.go", "queue.Map.func1", "of functions either"},
		{"example.com/shop/queue.(*Queue).Close-fm", "/gone.go", "queue.(*Queue).Close", "a method value"},
		{"main.main", "/gone.go", "main.main", "no path"},
		{"panic", "", "panic", "a builtin"},
	}
	for _, tt := range tests {
		if got := (paths{}).name(frame{fn: tt.fn, file: tt.file}); got != tt.want {
			t.Errorf("%s is called %s, want %s: %s", tt.fn, got, tt.want, tt.why)
		}
	}
}

// A stack that is cut keeps where the goroutine is and the user's own calls.
func TestCut(t *testing.T) {
	stack := func(ownAt ...int) []frame {
		frames := make([]frame, 30)
		for i := range frames {
			frames[i] = frame{fn: "example.com/lib.f", file: "/go/pkg/mod/example.com/lib@v1.0.0/f.go", line: i}
		}
		for _, i := range ownAt {
			frames[i] = frame{fn: "example.com/shop.f", file: "/home/me/shop/f.go", line: i}
		}
		return frames
	}
	tests := []struct {
		frames []frame
		want   string
		why    string
	}{
		{stack()[:12], "[0 1 2 3 4 5 6 7 8 9 10 11]", "all of a short one"},
		{stack(), "[0 1 2 3 4 5 6 7 8 9 10 11 -18]", "the nearest of many alike"},
		{stack(28, 29), "[0 1 2 3 4 5 6 7 8 9 -18 28 29]", "who called the library"},
		{stack(15, 28), "[0 1 2 3 4 5 6 7 8 9 -5 15 -12 28 -1]", "a callback and who started it all"},
		{stack(10, 11, 12, 13, 14, 15, 16, 17, 18, 19), "[0 1 2 3 -6 10 11 12 13 14 15 16 17 -12]", "many of one's own"},
	}
	for _, tt := range tests {
		if got := fmt.Sprint((paths{goroot: "/usr/local/go/src/"}).cut(tt.frames)); got != tt.want {
			t.Errorf("shown are %s, want %s: %s", got, tt.want, tt.why)
		}
	}
}

// The user's goroutines come before those of libraries if not all are shown.
func TestOwnFirst(t *testing.T) {
	var groups [][]goroutine
	for i := range 10 {
		groups = append(groups, []goroutine{{id: i, frames: []frame{{fn: "example.com/lib.f", file: "/go/pkg/mod/example.com/lib@v1.0.0/f.go"}}}})
	}
	groups[9][0].creator = frame{fn: "example.com/shop.f", file: "/home/me/shop/f.go"}
	var ids []int
	for _, g := range (paths{goroot: "/usr/local/go/src/"}).ownFirst(groups) {
		ids = append(ids, g[0].id)
	}
	if diff := cmp.Diff([]int{9, 0, 1, 2, 3, 4, 5, 6, 7, 8}, ids); diff != "" {
		t.Errorf("order of ten goroutines, the last of which is the user's (-want +got):\n%s", diff)
	}
}
