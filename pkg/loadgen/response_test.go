package loadgen_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/loadgen"
)

// ask sends one request to h, made as a client makes it, without a body.
func ask(t *testing.T, h http.HandlerFunc) error {
	return loadgen.Handler(h, func(ctx context.Context, _ int) *http.Request {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://shop/", nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	})(t.Context(), 0)
}

func TestHandlerPanics(t *testing.T) {
	var stock map[string]int
	tests := []struct {
		name  string
		panic func()
		want  string // and then the line
		is    error
		why   string
	}{
		{"bug", func() { stock["a"] = 1 }, "the handler panicked: assignment to entry in nil map (at response_test.go:", nil, "by the runtime"},
		{"value", func() { panic("out of stock") }, "the handler panicked: out of stock (at response_test.go:", nil, "a text"},
		{"refusal", func() { panic(loadgen.ErrRefused) }, "the handler panicked: refused (at", nil, "no refusal on purpose"},
		{"abort", func() { panic(http.ErrAbortHandler) }, "the handler panicked: net/http: abort Handler", http.ErrAbortHandler, "as ReverseProxy does"},
	}
	for _, tt := range tests {
		err := ask(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusOK) // does not help
			tt.panic()
		})
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) ||
			errors.Is(err, loadgen.ErrRefused) || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: got %v, want a failure that begins with %q: %s", tt.name, err, tt.want, tt.why)
		}
	}
}

// A handler that panics for some requests leaves the others alone, and the report says why.
func TestPanicsInARun(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.RawQuery, "7") {
				panic(http.ErrAbortHandler)
			}
		})
		request := func(ctx context.Context, n int) *http.Request {
			r, _ := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://shop/?n=%d", n), nil)
			return r
		}
		load := loadgen.Open{Arrivals: loadgen.Steady(10, 10*time.Second).Even()}
		r := load.Run(t.Context(), loadgen.Handler(h, request))
		if r.Good != 90 || r.Failed != 10 || len(r.Errors) != 1 || r.Errors[0].Count != 10 {
			t.Errorf("%d good, %d failed, errors %v; want 90, 10 and 10 of one kind", r.Good, r.Failed, r.Errors)
		}
	})
}

// What a handler may expect of its ResponseWriter and its request.
func TestResponseWriter(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		expect := func(what string, got, want error) {
			t.Helper()
			if !errors.Is(got, want) {
				t.Errorf("%s: got %v, want %v", what, got, want)
			}
		}
		err := ask(t, func(w http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			expect("reading the body of a request without one", err, nil)
			control := http.NewResponseController(w)
			expect("full duplex", control.EnableFullDuplex(), nil)
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
			w.Header().Set("Retry-After", "8")
			expect("flushing", control.Flush(), nil)
			w.(http.Flusher).Flush()
			n, err := io.WriteString(w, "closed")
			if n != len("closed") || err != nil {
				t.Errorf("a body of 6 bytes: %d were written, %v", n, err)
			}
			expect("a write deadline", control.SetWriteDeadline(time.Now().Add(time.Second)), nil)
			time.Sleep(time.Second)
			_, err = w.Write([]byte("late"))
			expect("writing at the deadline", err, os.ErrDeadlineExceeded)
			_, err = io.WriteString(w, "late")
			expect("writing a string at the deadline", err, os.ErrDeadlineExceeded)
			expect("flushing at the deadline", control.Flush(), os.ErrDeadlineExceeded)
			_, _, err = control.Hijack()
			expect("hijacking", err, http.ErrNotSupported)
		})
		if refused, ok := errors.AsType[*loadgen.RefusedError](err); !ok || refused.After != 7*time.Second {
			t.Errorf("got %v, want a refusal for 7 s, as the header was when it was sent", err)
		}
	})
	for _, status := range []int{http.StatusNoContent, http.StatusNotModified, http.StatusSwitchingProtocols} {
		_ = ask(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			if _, err := w.Write([]byte("body")); !errors.Is(err, http.ErrBodyNotAllowed) {
				t.Errorf("a body with status %d: got %v, want that it is not allowed", status, err)
			}
		})
	}
	err := ask(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(0) })
	if err == nil || !strings.Contains(err.Error(), "invalid WriteHeader code 0") {
		t.Errorf("the status 0: got %v, want the panic of a server", err)
	}
	err = ask(t, func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		w.WriteHeader(http.StatusInternalServerError) // comes too late
	})
	if err != nil {
		t.Errorf("flushed before a status: got %v, want that 200 was sent", err)
	}
}

// Errors that differ in every request are bounded in number and length.
func TestErrorsAreBounded(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		r := loadgen.Open{Arrivals: loadgen.Steady(10, 10*time.Second).Even()}.Run(t.Context(), func(_ context.Context, n int) error {
			if n%2 == 0 {
				return loadgen.Answer(http.StatusInternalServerError, nil)
			}
			return fmt.Errorf("request %d:\n%s", n, strings.Repeat("ä", 300))
		})
		if len(r.Errors) != loadgen.MaxErrors || r.OtherErrors != 43 {
			t.Fatalf("%d kinds and %d others, want %d and 43 of 51 different errors", len(r.Errors), r.OtherErrors, loadgen.MaxErrors)
		}
		if want := (loadgen.ErrorCount{Text: "status 500", Count: 50}); r.Errors[0] != want {
			t.Errorf("the first is %v, want the most frequent, %v", r.Errors[0], want)
		}
		if n := len([]rune(r.Errors[1].Text)); n != 200 || strings.Contains(r.Errors[1].Text, "\n") {
			t.Errorf("an error has %d characters, want 200 in one line: %s", n, r.Errors[1].Text)
		}
		if want := "43  others, met after the first 8 kinds\n"; !strings.Contains(r.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, r)
		}
	})
}
