// Package stack reads the headers of goroutine stacks, which tell what no
// other interface of the runtime does: who calls, in which bubble, and what a
// goroutine waits for. It knows the text of Go 1.26.
package stack

import (
	"bytes"
	"runtime"
	"strconv"
	"strings"
)

// A Header is the first line of one goroutine's stack.
type Header struct {
	ID      int
	Bubble  int    // 0 outside of any bubble
	State   string // for example "chan receive"
	Durable bool   // synctest counts this wait as idle
}

// Self returns the header of the calling goroutine. It takes 1 to 2 µs.
func Self() Header {
	var buf [128]byte
	return Parse(buf[:runtime.Stack(buf[:], false)])
}

// Parse reads a line such as
//
//	goroutine 8 [chan receive (durable), 2 minutes, synctest bubble 1]:
//
// and whatever follows it. It skips what it does not know.
func Parse(text []byte) Header {
	var h Header
	line, _, _ := bytes.Cut(text, []byte("]:"))
	number, status, _ := bytes.Cut(bytes.TrimPrefix(line, []byte("goroutine ")), []byte(" ["))
	h.ID, _ = strconv.Atoi(string(number))
	if _, n, ok := bytes.Cut(status, []byte(", synctest bubble ")); ok {
		n, _, _ = bytes.Cut(n, []byte(" ")) // profiler labels may follow
		h.Bubble, _ = strconv.Atoi(string(n))
	}
	state, _, _ := bytes.Cut(status, []byte(", "))
	state = bytes.TrimSuffix(state, []byte(" (scan)"))
	state, h.Durable = bytes.CutSuffix(state, []byte(" (durable)"))
	h.State = string(state)
	// What a goroutine waited for last is still called durable when it runs again.
	h.Durable = h.Durable && !h.Runs()
	return h
}

// Runs reports whether the goroutine is on its way, or could be.
func (h Header) Runs() bool { return strings.HasPrefix(h.State, "run") }
