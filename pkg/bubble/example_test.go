package bubble_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
)

// retry is the code under test: it tries again every minute until ctx is done.
func retry(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(time.Minute):
		case <-ctx.Done():
			return err
		}
	}
}

// An outage of an hour takes no time, and the number of tries is exact.
func TestExampleRetry(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		up := time.Now().Add(time.Hour)
		tries := 0
		err := retry(t.Context(), func() error {
			tries++
			if time.Now().Before(up) {
				return errors.New("down")
			}
			return nil
		})
		if err != nil || tries != 61 {
			t.Errorf("retry gave %v after %d tries, want success after 61", err, tries)
		}
	})
}

// A goroutine of the test's own starts with Go, so that its panic is a failure
// of this test and no more. Wait returns when everything in the bubble waits.
func TestExampleGo(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		gaveUp := make(chan error, 1)
		bubble.Go(t, func() {
			gaveUp <- retry(ctx, func() error { return errors.New("down") })
		})
		time.Sleep(89 * time.Second)
		synctest.Wait()
		if len(gaveUp) > 0 {
			t.Fatalf("retry gave up early, with %v", <-gaveUp)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(gaveUp) == 0 {
			t.Fatal("retry did not give up when its time was over")
		}
	})
}

// A test that expects to be done soon says so: should retry ever wait for longer
// than that, the failure shows where.
func TestExampleRunWithin(t *testing.T) {
	bubble.RunWithin(t, 2*time.Hour, func(t *testing.T) {
		down := 90
		if err := retry(t.Context(), func() error {
			if down--; down > 0 {
				return errors.New("down")
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
}

// An HTTP server and its client work in a bubble over connections in memory. Both
// are closed before the body returns; one that is forgotten is called by its name.
func TestExampleServer(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		l := newListener()
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Hour)
			w.WriteHeader(http.StatusNoContent)
		})}
		bubble.Go(t, func() { _ = srv.Serve(l) })
		defer srv.Close()
		client := &http.Client{Transport: &http.Transport{DialContext: l.dial}}
		defer client.CloseIdleConnections()

		start := time.Now()
		resp, err := client.Get("http://slow/")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if took := time.Since(start); took != time.Hour {
			t.Errorf("the answer took %v, want an hour", took)
		}
	})
}
