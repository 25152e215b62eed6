package stack

import (
	"runtime"
	"strconv"
	"strings"
)

// ParsePlace reads the second line of a call as the runtime writes it, such as
// "/dir/file.go:12 +0x1d". The line is 0 if there is none.
func ParsePlace(text string) (file string, line int) {
	text, _, _ = strings.Cut(strings.TrimSpace(text), " +0x")
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return text, 0
	}
	line, _ = strconv.Atoi(text[i+1:])
	return text[:i], line
}

// Package returns the import path of a function, and "" for a builtin such as panic.
func Package(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	if dot := strings.IndexByte(function[slash:], '.'); dot >= 0 {
		return function[:slash+dot]
	}
	return ""
}

// Panic returns the calls that led to the panic which a deferred function has recovered
// from, the innermost first, without those of the runtime. It is called by the deferred
// function or below it.
func Panic() []runtime.Frame {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	var calls []runtime.Frame
	panicking := false
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicking = true
		case panicking && !strings.HasPrefix(f.Function, "runtime."):
			calls = append(calls, f)
		}
		if !more {
			return calls
		}
	}
}
