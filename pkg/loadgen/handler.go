package loadgen

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Handler sends requests straight to a handler, without a network. The request
// gets the context that it is made with.
func Handler(h http.Handler, request func(ctx context.Context, n int) *http.Request) Send {
	return func(ctx context.Context, n int) error {
		w := &statusWriter{header: http.Header{}}
		h.ServeHTTP(w, request(ctx, n))
		return Answer(max(w.status, http.StatusOK), w.header)
	}
}

// Answer says what an HTTP answer means to load: the status 429 or 503 is a
// [*RefusedError], every other from 500 on is a failure, and the rest was
// served.
func Answer(status int, header http.Header) error {
	switch {
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		return &RefusedError{Status: status, After: seconds(header.Get("Retry-After"))}
	case status >= http.StatusInternalServerError:
		return fmt.Errorf("status %d", status)
	}
	return nil
}

// seconds reads a Retry-After. It is 0 for a date, which nobody here sends, and
// the longest pause of whole seconds for more than a Duration can hold.
func seconds(value string) time.Duration {
	const most = uint64(math.MaxInt64 / time.Second)
	n, err := strconv.ParseUint(value, 10, 64) // the largest number if the value is larger
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0
	}
	return time.Duration(min(n, most)) * time.Second
}

// A RefusedError is an answer that turns a request away. It wraps [ErrRefused].
type RefusedError struct {
	Status int
	After  time.Duration // from Retry-After in seconds, or 0
}

// Error names the status.
func (e *RefusedError) Error() string { return fmt.Sprintf("status %d: %v", e.Status, ErrRefused) }

// Unwrap returns ErrRefused.
func (e *RefusedError) Unwrap() error { return ErrRefused }

// A statusWriter keeps the status and drops the rest.
type statusWriter struct {
	header http.Header
	status int
}

// Header returns the header, which nobody reads.
func (w *statusWriter) Header() http.Header { return w.header }

// WriteHeader keeps the first status that is not informational.
func (w *statusWriter) WriteHeader(code int) {
	if w.status == 0 && code >= http.StatusOK {
		w.status = code
	}
}

// Write accepts everything.
func (w *statusWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return len(p), nil
}
