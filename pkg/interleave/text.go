package interleave

import (
	"fmt"
	"time"
)

// A text is what an actor says of a point, or of what came of it. It is formatted
// when a story is told. That saves most of them, and package fmt keeps a sync.Pool:
// two actors that go through it are in order in the race detector's eyes.
type text struct {
	format string
	args   []any
}

// newText keeps a format and its arguments. Those that could look different later are
// formatted at once.
//
//go:norace
func newText(format string, args []any) text {
	t := text{format, make([]any, len(args))}
	for i, arg := range args {
		if !isFixed(arg) {
			return text{"%s", []any{fmt.Sprintf(format, args...)}}
		}
		t.args[i] = arg
	}
	return t
}

// isFixed reports whether v is a value without any reference, and is written without
// a method of the user's.
//
//go:norace
func isFixed(v any) bool {
	switch v.(type) {
	case nil, bool, string, time.Duration, float32, float64,
		int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return true
	}
	return false
}

func (t text) String() string { return fmt.Sprintf(t.format, t.args...) }
