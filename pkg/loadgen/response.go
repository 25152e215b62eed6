package loadgen

import (
	"fmt"
	"net/http"
	"os"
	"time"
)

// A responseWriter keeps the status and the header, and drops the body. Like that of
// a server it is not for use by several goroutines at once.
type responseWriter struct {
	header   http.Header
	status   int         // 0 until the header is sent
	sent     http.Header // as it was at that moment
	deadline time.Time   // of writes, if it is not zero
}

// Header returns the header, which can be changed until it is sent.
func (w *responseWriter) Header() http.Header { return w.header }

// WriteHeader sends the header with the first status that is not informational. It
// panics, as that of a server does, if the status has not three digits.
func (w *responseWriter) WriteHeader(code int) {
	if code < 100 || code > 999 {
		panic(fmt.Sprintf("invalid WriteHeader code %d", code))
	}
	informational := code < http.StatusOK && code != http.StatusSwitchingProtocols
	if w.status == 0 && !informational {
		w.status, w.sent = code, w.header.Clone()
	}
}

// Write sends the header if need be, and accepts everything until the deadline if
// an answer with this status may have a body.
func (w *responseWriter) Write(p []byte) (int, error) {
	if err := w.ready(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteString is Write without a copy.
func (w *responseWriter) WriteString(s string) (int, error) {
	if err := w.ready(); err != nil {
		return 0, err
	}
	return len(s), nil
}

func (w *responseWriter) ready() error {
	if err := w.FlushError(); err != nil {
		return err
	}
	if w.status < http.StatusOK || w.status == http.StatusNoContent || w.status == http.StatusNotModified {
		return http.ErrBodyNotAllowed
	}
	return nil
}

// Flush sends the header.
func (w *responseWriter) Flush() { _ = w.FlushError() }

// FlushError is Flush for an http.ResponseController.
func (w *responseWriter) FlushError() error {
	w.WriteHeader(http.StatusOK)
	if !w.deadline.IsZero() && !time.Now().Before(w.deadline) {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// SetWriteDeadline lets writes fail from a time on; the zero time means never.
func (w *responseWriter) SetWriteDeadline(deadline time.Time) error {
	w.deadline = deadline
	return nil
}

// EnableFullDuplex has nothing to do: the body of the request can be read at any time.
func (w *responseWriter) EnableFullDuplex() error { return nil }
