package loadgen

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/backend-kata/dojo/pkg/internal/stack"
)

// Handler sends requests straight to a handler, without a network. The request
// gets the context that it is made with, and a body as a server's request has, if
// it has none.
//
// A panic of the handler fails its request alone, with the panic's text and place;
// of [http.ErrAbortHandler] the error wraps that. The ResponseWriter is an
// [http.Flusher] and knows the write deadline of [http.ResponseController]. It
// cannot be hijacked, pushes nothing, and has no read deadline.
func Handler(h http.Handler, request func(ctx context.Context, n int) *http.Request) Send {
	return func(ctx context.Context, n int) error {
		r := request(ctx, n)
		if r == nil {
			return errors.New("no request was made: the function given to Handler returned nil")
		}
		if r.Body == nil {
			r = r.WithContext(r.Context()) // a copy: the caller may give out one request twice
			r.Body = http.NoBody
		}
		w := &responseWriter{header: http.Header{}}
		if err := serve(h, w, r); err != nil {
			return err
		}
		w.WriteHeader(http.StatusOK)
		return Answer(w.status, w.sent)
	}
}

// serve calls the handler and turns a panic into an error.
func serve(h http.Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			err = fmt.Errorf("the handler panicked: %w", http.ErrAbortHandler)
		default:
			err = fmt.Errorf("the handler panicked: %v%s", v, panicPlace())
		}
	}()
	h.ServeHTTP(w, r)
	return nil
}

// panicPlace says where the panic that is being recovered began.
func panicPlace() string {
	calls := stack.Panic()
	if len(calls) == 0 {
		return ""
	}
	return fmt.Sprintf(" (at %s:%d)", filepath.Base(calls[0].File), calls[0].Line)
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
