package loadgen_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/loadgen"
)

// answers is a handler that answers with the status in the path.
var answers = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/empty":
	case "/body":
		w.Header().Set("Content-Type", "text/plain")
		w.Write([]byte("hello"))
	case "/early":
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusBadGateway)
		w.WriteHeader(http.StatusOK) // comes too late
	default:
		code, _ := strconv.Atoi(r.URL.Path[1:])
		w.WriteHeader(code)
	}
})

func TestHandler(t *testing.T) {
	tests := []struct {
		path            string
		refused, failed bool
		why             string
	}{
		{"/empty", false, false, "a handler that writes nothing has answered 200"},
		{"/body", false, false, "so has one that writes a body first"},
		{"/204", false, false, "a success"},
		{"/304", false, false, "an answer, if not a new one"},
		{"/404", false, false, "the server did its work"},
		{"/429", true, false, "the client is turned away"},
		{"/503", true, false, "everybody is"},
		{"/500", false, true, "broken"},
		{"/early", false, true, "an informational status is not the answer, and only the first one after it is"},
	}
	for _, tt := range tests {
		send := loadgen.Handler(answers, func(ctx context.Context, n int) *http.Request {
			if n != 7 {
				t.Errorf("%s: request %d was made, want 7", tt.path, n)
			}
			return httptest.NewRequestWithContext(ctx, http.MethodGet, tt.path, nil)
		})
		err := send(t.Context(), 7)
		if errors.Is(err, loadgen.ErrRefused) != tt.refused || (err != nil) != (tt.refused || tt.failed) {
			t.Errorf("%s: got %v, want refused %v, failed %v: %s", tt.path, err, tt.refused, tt.failed, tt.why)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	const most = 9223372036 * time.Second
	tests := []struct {
		value string
		want  time.Duration
		why   string
	}{
		{"", 0, "the server asks for nothing"},
		{"0", 0, "at once"},
		{"2", 2 * time.Second, "whole seconds"},
		{"soon", 0, "cannot be read"},
		{"-2", 0, "nor can a number below zero"},
		{"9223372036", most, "the most seconds that a Duration holds"},
		{"9223372037", most, "one more, which must not wrap round"},
		{"99999999999999999999", most, "more than an integer holds"},
	}
	for _, tt := range tests {
		header := http.Header{"Retry-After": {tt.value}}
		refused, ok := errors.AsType[*loadgen.RefusedError](loadgen.Answer(http.StatusServiceUnavailable, header))
		if !ok || refused.After != tt.want {
			t.Errorf("Retry-After %q: got %+v, want a pause of %v: %s", tt.value, refused, tt.want, tt.why)
		}
	}
}

// What panics outside of the handler fails its request alone, too.
func TestSendThatPanics(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		r := loadgen.Open{Arrivals: loadgen.Steady(3, time.Second).Even()}.Run(t.Context(), func(_ context.Context, n int) error {
			_ = []int{0, 1}[n]
			return nil
		})
		noRequest := loadgen.Handler(http.NotFoundHandler(), func(context.Context, int) *http.Request { return nil })
		if err := noRequest(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "returned nil") {
			t.Errorf("a request that is nil: %v", err)
		}
		if len(r.Errors) != 1 || !strings.HasPrefix(r.Errors[0].Text, "send panicked: runtime error: index out of range [2] with length 2 (at handler_test.go:") {
			t.Errorf("the errors are %v", r.Errors)
		}
	})
}
