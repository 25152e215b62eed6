package loadgen

import (
	"context"
	"fmt"
	"net/http"
)

// Handler sends requests straight to a handler, without a network. The request
// gets the context that it is made with.
func Handler(h http.Handler, request func(ctx context.Context, n int) *http.Request) Send {
	return func(ctx context.Context, n int) error {
		w := &statusWriter{header: http.Header{}}
		h.ServeHTTP(w, request(ctx, n))
		return Status(max(w.status, http.StatusOK))
	}
}

// Status says what an HTTP status means to load: 429 and 503 are refusals,
// every other status from 500 on is a failure, and the rest was served.
func Status(code int) error {
	switch {
	case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable:
		return fmt.Errorf("status %d: %w", code, ErrRefused)
	case code >= http.StatusInternalServerError:
		return fmt.Errorf("status %d", code)
	}
	return nil
}

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
