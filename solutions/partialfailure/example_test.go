//go:build solutions

package partialfailure_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/simnet"
)

const ms = time.Millisecond

// A shop gets its parts from other services.
type shop struct {
	client *http.Client
}

// get returns the body of a 200, and an error for all else.
func (s *shop) get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", url, resp.Status)
	}
	return string(body), nil
}

// example: together
func (s *shop) page(ctx context.Context) (price, reviews string, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { price, err = s.get(ctx, "http://price/7"); return err })
	g.Go(func() (err error) { reviews, err = s.get(ctx, "http://reviews/7"); return err })
	err = g.Wait() // the first error cancels the other call
	return price, reviews, err
}

// end

// example: apart
func (s *shop) pageInTime(ctx context.Context) (price, reviews string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { price, err = s.get(ctx, "http://price/7"); return err })
	g.Go(func() (err error) {
		if reviews, err = s.get(ctx, "http://reviews/7"); err != nil {
			log.Print("page without reviews: ", err) // and count it
		}
		return nil // optional: its failure cancels nothing
	})
	err = g.Wait()
	return price, reviews, err
}

// end

// The example of docs/partialfailure.md, while the reviews answer, fail and hang.
func TestExample(t *testing.T) {
	defer log.SetOutput(log.Writer())
	log.SetOutput(io.Discard)
	var table strings.Builder
	fmt.Fprintf(&table, "%-12s  %-26s  %s\n", "the reviews", "page", "pageInTime")
	for _, reviews := range []struct {
		do     string
		status int
		takes  time.Duration
		page   string // wanted
		inTime string
	}{
		{"answer", http.StatusOK, 10 * ms, "price and reviews, 14 ms", "price and reviews, 14 ms"},
		{"answer 503", http.StatusServiceUnavailable, ms, "no page, 5 ms", "price, 14 ms"},
		{"hang", http.StatusOK, time.Hour, "no page, 10 s", "price, 500 ms"},
	} {
		page := visit(t, reviews.status, reviews.takes, (*shop).page)
		inTime := visit(t, reviews.status, reviews.takes, (*shop).pageInTime)
		fmt.Fprintf(&table, "%-12s  %-26s  %s\n", reviews.do, page, inTime)
		if page != reviews.page || inTime != reviews.inTime {
			t.Errorf("If the reviews %s, page gives %q and pageInTime %q; want %q and %q", reviews.do, page, inTime, reviews.page, reviews.inTime)
		}
	}
	t.Log("\n" + table.String())
}

// visit says what a browser that waits for 10 s gets from a page. The price takes 10 ms, and the network 1 ms each way.
func visit(t *testing.T, status int, takes time.Duration, page func(*shop, context.Context) (price, reviews string, err error)) (got string) {
	bubble.Run(t, func(t *testing.T) {
		network := &simnet.Network{Default: simnet.Link{Latency: ms}}
		simnet.NewTestServer(t, network.Host("price"), after(10*ms, http.StatusOK))
		simnet.NewTestServer(t, network.Host("reviews"), after(takes, status))
		s := &shop{network.Host("page").Client()}
		defer s.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		price, reviews, err := page(s, ctx)
		switch {
		case err != nil:
			got = "no page"
		case reviews == "":
			got = price
		default:
			got = price + " and " + reviews
		}
		took := time.Since(start)
		if took < time.Second {
			got += fmt.Sprintf(", %d ms", took.Milliseconds())
		} else {
			got += fmt.Sprintf(", %.0f s", took.Seconds())
		}
	})
	return got
}

// after answers with the name of its host, once that has taken a time.
func after(takes time.Duration, status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(takes):
			w.WriteHeader(status)
			_, _ = io.WriteString(w, r.Host)
		case <-r.Context().Done():
		}
	})
}

// example: budget
// A budget allows one retry for every ten first attempts, and ten at once.
type budget struct {
	mu     sync.Mutex
	tokens float64
}

func (b *budget) firstAttempt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(b.tokens+0.1, 10)
}

func (b *budget) mayRetry() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// end
