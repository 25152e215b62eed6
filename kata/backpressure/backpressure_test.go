package backpressure_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/backend-kata/dojo/kata/backpressure"
	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// Every accepted job is handled once.
func TestEveryJobIsHandledOnce(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		q, s := open(t, 1, 3)
		for id := 1; id <= 20; id++ {
			require.NoError(t, q.Submit(t.Context(), job{id, time.Second}), "Submit of job %d was expected to succeed%s", id, s.story())
		}
		closes(t, q, s, span(1, 20)...)
	})
	bubble.Run(t, func(t *testing.T) {
		q, s := open(t, 4, 2)
		var producers sync.WaitGroup
		for p := range 5 {
			producers.Go(func() {
				for n := range 20 {
					if err := q.Submit(t.Context(), job{100*p + n, time.Duration(1+(p*n)%7) * time.Millisecond}); err != nil {
						t.Errorf("Submit of job %d was expected to succeed: %v", 100*p+n, err)
					}
				}
			})
		}
		producers.Wait()
		for p := range 5 {
			closes(t, q, s, span(100*p, 100*p+19)...)
		}
	})
}

// No more jobs run than there are workers, and no more wait than the capacity, whatever comes in.
// All workers are put to use before a job has to wait.
func TestBounds(t *testing.T) {
	for _, tt := range []struct{ workers, capacity int }{{1, 0}, {1, 1}, {3, 2}, {2, 8}, {4, 0}} {
		bubble.Run(t, func(t *testing.T) {
			q, s := open(t, tt.workers, tt.capacity)
			room := tt.workers + tt.capacity
			fill(t, q, s, 0, room, time.Minute)
			require.Equal(t, tt.workers, s.running, "%d jobs were accepted, and %d of them were expected to run at once; %d run%s", room, tt.workers, s.running, s.story())
			expectFull(t, q, s, fmt.Sprintf("%d jobs run and %d wait", tt.workers, tt.capacity))
			var calls []*call
			for id := room; id < room+10; id++ {
				calls = append(calls, submit(q, t.Context(), job{id, time.Second}))
			}
			require.Equal(t, tt.workers, s.running, "ten more were submitted, and still %d jobs were expected to run; %d run%s", tt.workers, s.running, s.story())
			for i, c := range calls {
				require.True(t, c.waits(), "Submit %d of 10 was expected to wait, since %d jobs run and %d wait%s", i+1, tt.workers, tt.capacity, s.story())
			}
			for _, c := range calls {
				<-c.ended
				require.NoError(t, c.err, "a Submit that waited was expected to succeed once there was room%s", s.story())
			}
			closes(t, q, s, span(0, room+9)...)
			require.Equal(t, tt.workers, s.peak, "at most %d jobs were expected to run at once; %d did%s", tt.workers, s.peak, s.story())
		})
	}
	interleave.Explore(t, func(t *testing.T, x *interleave.Schedule) {
		gate, handled := make(chan struct{}), 0
		var errs [3]error // by caller, since one that waited for a lock goes on at the same time
		q, err := backpressure.New(backpressure.Config[int]{Workers: 1, Capacity: 1, Handle: func(context.Context, int) { <-gate; handled++ }})
		require.NoError(t, err, "one worker and a capacity of 1 are a right configuration")
		synctest.Wait()
		for id := range errs {
			x.Go(fmt.Sprintf("TrySubmit %d", id), func() {
				x.Point("begin")
				errs[id] = q.TrySubmit(id)
				x.Note("%v", errs[id])
			})
		}
		x.Run()
		accepted := 0
		for _, err := range errs {
			if err == nil {
				accepted++
			}
		}
		close(gate)
		require.NoError(t, q.Close(t.Context()), "Close was expected to succeed, since nothing holds the jobs up")
		require.LessOrEqual(t, accepted, 2, "one worker is busy and one job may wait, and %d jobs were accepted of three that came at the same time", accepted)
		require.Positive(t, accepted, "nothing ran, and the first of three jobs that came at the same time was expected to be accepted")
		require.Equal(t, accepted, handled, "%d jobs were accepted, and were expected to be handled; %d were", accepted, handled)
	})
}

// TrySubmit says full at once, and a job that it refused never runs.
// It does not pass those who wait in Submit, and accepts again as soon as there is room.
func TestTrySubmitSaysFull(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		q, s := open(t, 2, 1)
		fill(t, q, s, 1, 3, time.Second)
		for range 3 {
			expectFull(t, q, s, "two jobs run and one waits")
		}
		time.Sleep(1500 * time.Millisecond) // 1 and 2 are done, 3 runs
		synctest.Wait()
		fill(t, q, s, 4, 2, 3*time.Second) // beside 3: one runs, one waits
		expectFull(t, q, s, "two jobs run and one waits again")

		waiting := submit(q, t.Context(), job{6, time.Second})
		require.True(t, waiting.waits(), "Submit was expected to wait, since the queue is full%s", s.story())
		expectFull(t, q, s, "it is full, and somebody waits")
		<-waiting.ended
		require.NoError(t, waiting.err, "the Submit that waited was expected to succeed%s", s.story())
		closes(t, q, s, span(1, 6)...)
		require.Zero(t, s.handled[-1], "the jobs that were refused were expected never to run; %d did%s", s.handled[-1], s.story())
		require.ErrorIs(t, q.TrySubmit(job{-1, 0}), backpressure.ErrClosed, "after Close TrySubmit was expected to say ErrClosed")
	})
}

// Submit waits while the queue is full, first come, first served.
// A context that has ended already is never accepted, room or not.
func TestSubmitWaitsInTurn(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		q, s := open(t, 1, 1)
		fill(t, q, s, 1, 2, time.Second)
		var calls []*call
		for id := 3; id <= 9; id++ {
			calls = append(calls, submit(q, t.Context(), job{id, time.Second})) // each waits before the next comes
		}
		for i, c := range calls {
			require.True(t, c.waits(), "Submit of job %d was expected to wait, since one job runs and one waits%s", i+3, s.story())
		}
		for i := range calls {
			time.Sleep(time.Second) // a job ends, and so one of those who wait is let in
			for k, c := range calls {
				require.Equal(t, k > i, c.waits(), "after %d s the first %d of 7 that wait in Submit were expected to have been let in, in their order; number %d has another fate%s", i+1, i+1, k+1, s.story())
			}
		}
		closes(t, q, s, span(1, 9)...)
		require.Equal(t, span(1, 9), s.started, "jobs were expected to start in the order in which their Submits came%s", s.story())
	})
	bubble.Run(t, func(t *testing.T) {
		q, s := open(t, 1, 200)
		fill(t, q, s, 1, 1, time.Hour)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for range 200 { // a select would take either, by chance
			err := q.Submit(ended, job{-1, 0})
			require.ErrorIs(t, err, context.Canceled, "there is room, but the context had ended before Submit was called: expected its error")
		}
		closes(t, q, s, 1)
		require.Zero(t, s.handled[-1], "a job whose Submit failed was expected never to run; %d did", s.handled[-1])
	})
}

// A caller that gives up leaves nothing behind: its job never runs, and those behind it move up.
func TestGivingUp(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		q, s := open(t, 1, 0)
		fill(t, q, s, 1, 1, 10*time.Second)
		impatient, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		first := submit(q, t.Context(), job{2, time.Second})
		second := submit(q, impatient, job{3, time.Second})
		third := submit(q, t.Context(), job{4, time.Second})
		time.Sleep(3 * time.Second)
		require.False(t, second.waits(), "the caller's context has ended, and Submit was expected to give up; it still waits%s", s.story())
		require.ErrorIs(t, second.err, context.DeadlineExceeded, "a Submit that gave up was expected to return its context's error%s", s.story())
		require.True(t, first.waits() && third.waits(), "the two other callers were expected to wait on%s", s.story())
		<-first.ended
		<-third.ended
		require.NoError(t, errors.Join(first.err, third.err), "the two other callers were expected to be let in%s", s.story())
		closes(t, q, s, 1, 2, 4)
		require.Equal(t, []int{1, 2, 4}, s.started, "job 3 was given up, and was expected never to run%s", s.story())
	})

	// All callers give up in the very instant in which room is made.
	for round := range 100 {
		bubble.Run(t, func(t *testing.T) {
			q, s := open(t, 1, 1)
			fill(t, q, s, 1, 2, time.Second)
			atOnce, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var calls []*call
			for id := 3; id <= 6; id++ {
				calls = append(calls, submit(q, atOnce, job{id, time.Second}))
			}
			for _, c := range calls {
				<-c.ended
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			fill(t, q, s, 7, 2, time.Second) // nobody's place is lost
			expectFull(t, q, s, "one job runs and one waits")
			closes(t, q, s, 1, 2, 7, 8)
			for i, c := range calls {
				want := 0
				if c.err == nil {
					want = 1
				}
				require.Equal(t, want, s.handled[i+3], "round %d: Submit of job %d returned %v, and the job was expected to be handled %d times; it was %d times%s",
					round, i+3, c.err, want, s.handled[i+3], s.story())
			}
		})
	}
}

// Close refuses new work, also that of callers who wait, and returns when all that was accepted is handled.
// It may be called twice, and in the middle of Submits.
func TestCloseDrains(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		q, s := open(t, 2, 2)
		fill(t, q, s, 1, 4, 10*time.Second)
		waiting := submit(q, t.Context(), job{-1, time.Second})
		require.True(t, waiting.waits(), "Submit was expected to wait, since the queue is full%s", s.story())

		closing := start(func() error { return q.Close(t.Context()) })
		again := start(func() error { return q.Close(t.Context()) })
		require.False(t, waiting.waits(), "Close was expected to send the caller in Submit away at once; it still waits%s", s.story())
		require.ErrorIs(t, waiting.err, backpressure.ErrClosed, "a caller whom Close sends away was expected to be told ErrClosed%s", s.story())
		require.ErrorIs(t, q.TrySubmit(job{-1, 0}), backpressure.ErrClosed, "TrySubmit during Close was expected to say ErrClosed")
		require.ErrorIs(t, q.Submit(t.Context(), job{-1, 0}), backpressure.ErrClosed, "Submit during Close was expected to say ErrClosed")
		time.Sleep(19 * time.Second)
		require.True(t, closing.waits() && again.waits(), "after 19 s two jobs still run, and both calls of Close were expected to wait for them%s", s.story())
		<-closing.ended
		<-again.ended
		require.NoError(t, errors.Join(closing.err, again.err), "both calls of Close were expected to succeed, since all is handled%s", s.story())
		require.Equal(t, 20*time.Second, time.Since(s.opened), "Close was expected to return when the last job was handled%s", s.story())
		closes(t, q, s, 1, 2, 3, 4)
		require.Zero(t, s.handled[-1], "jobs that were refused were expected never to run%s", s.story())
	})

	// Close comes while many submit, on all processors at once. Each job has a
	// place of its own, so nothing but the queue orders the goroutines.
	for round := range 50 {
		const producers, each = 4, 25
		handled := make([]int, producers*each)
		accepted := make([]bool, producers*each)
		bubble.Run(t, func(t *testing.T) {
			q, err := backpressure.New(backpressure.Config[int]{Workers: 2, Capacity: 2, Handle: func(_ context.Context, id int) { handled[id]++ }})
			require.NoError(t, err, "two workers and a capacity of 2 are a right configuration")
			var all sync.WaitGroup
			for p := range producers {
				all.Go(func() {
					for id := p * each; id < (p+1)*each; id++ {
						if id%2 == 0 {
							accepted[id] = q.Submit(t.Context(), id) == nil
						} else {
							accepted[id] = q.TrySubmit(id) == nil
						}
					}
				})
			}
			if err := q.Close(t.Context()); err != nil {
				t.Errorf("Close in the middle of Submits was expected to succeed: %v", err)
			}
			all.Wait()
		})
		for id := range handled {
			want := 0
			if accepted[id] {
				want = 1
			}
			require.Equal(t, want, handled[id], "round %d: Close came while four producers submitted, and job %d (accepted: %t) was expected to be handled %d times", round, id, accepted[id], want)
		}
	}
}

// A Close that runs out of time says how many jobs were waiting and how many running, drops the former and cancels the context of the latter.
func TestCloseOutOfTime(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		q, s := open(t, 2, 3)
		fill(t, q, s, 1, 5, time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		u := unfinished(t, q.Close(ctx), s)
		require.Equal(t, 5*time.Second, time.Since(s.opened), "Close was expected to give up when its context ended, after 5 s%s", s.story())
		require.Equal(t, "3 waiting, 2 running", fmt.Sprintf("%d waiting, %d running", u.Waiting, u.Running), "Close gave up with three jobs waiting and two running, and was expected to say so%s", s.story())
		require.ErrorIs(t, u, context.DeadlineExceeded, "the *UnfinishedError was expected to wrap the error of Close's context")
		require.NotEmpty(t, u.Error(), "the *UnfinishedError was expected to have a text")
		synctest.Wait()
		require.Len(t, s.cancelled, 2, "the context of the two running jobs was expected to end with Close%s", s.story())
		closes(t, q, s)
		time.Sleep(2 * time.Hour)
		require.Equal(t, []int{1, 2}, s.started, "the jobs that waited were dropped, and were expected never to start%s", s.story())
	})
	bubble.Run(t, func(t *testing.T) {
		q, s := open(t, 2, 3)
		fill(t, q, s, 1, 1, time.Second)
		closes(t, q, s, 1)
		require.Empty(t, s.cancelled, "Close had time enough, and the job's context was expected to last until it was handled%s", s.story())
		ended, end := context.WithCancel(t.Context())
		end()
		for range 100 { // a select would find it out by luck
			require.NoError(t, q.Close(ended), "nothing was left, and Close was expected to succeed, although its context has ended%s", s.story())
		}
	})
	bubble.Run(t, func(t *testing.T) {
		stubborn := make(chan struct{})
		q, err := backpressure.New(backpressure.Config[int]{Workers: 1, Capacity: 1, Handle: func(context.Context, int) { <-stubborn }})
		require.NoError(t, err, "one worker and a capacity of 1 are a right configuration")
		require.NoError(t, q.TrySubmit(1), "an idle worker was expected to take the job")
		synctest.Wait()
		s := &shop{opened: time.Now()}
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			u := unfinished(t, q.Close(ctx), s)
			cancel()
			require.Equal(t, "0 waiting, 1 running", fmt.Sprintf("%d waiting, %d running", u.Waiting, u.Running), "the job does not heed its context, and each Close was expected to say that it still runs")
		}
		last := start(func() error { return q.Close(t.Context()) })
		require.True(t, last.waits(), "a Close with time was expected to wait for the job that still runs")
		close(stubborn)
		<-last.ended
		require.NoError(t, last.err, "the last job is handled, and Close was expected to succeed")
	})
}

// A handler that panics costs one job and no worker.
func TestFurtherPanic(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []string
		handled := 0
		q, err := backpressure.New(backpressure.Config[int]{
			Workers: 2, Capacity: 20,
			Handle: func(_ context.Context, n int) {
				if n%2 == 0 {
					panic("cannot do " + strconv.Itoa(n))
				}
				mu.Lock()
				defer mu.Unlock()
				handled++
			},
			Panicked: func(n int, value any) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, fmt.Sprint(n, " ", value))
			},
		})
		require.NoError(t, err, "two workers and a capacity of 20 are a right configuration")
		for n := range 10 {
			require.NoError(t, q.Submit(t.Context(), n), "Submit was expected to succeed although handlers panic")
		}
		require.NoError(t, q.Close(t.Context()), "Close was expected to succeed although handlers panicked")
		require.Equal(t, 5, handled, "five of ten jobs panicked, and the other five were expected to be handled")
		require.ElementsMatch(t, []string{"0 cannot do 0", "2 cannot do 2", "4 cannot do 4", "6 cannot do 6", "8 cannot do 8"}, told,
			"Panicked was expected to be told each job that panicked, and the value")
	})
}

// In front of the queue, HTTP turns full into 503 with Retry-After.
func TestFurtherHTTP(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		q, s := open(t, 1, 1)
		h := backpressure.Handler(q, 1500*time.Millisecond, func(r *http.Request) (job, error) {
			id, err := strconv.Atoi(r.URL.Query().Get("id"))
			return job{id, time.Second}, err
		})
		ask := func(query string, want int, retryAfter, why string) {
			t.Helper()
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/jobs?id="+query, nil))
			require.Equal(t, want, w.Code, "POST /jobs?id=%s was expected to be answered %d, since %s%s", query, want, why, s.story())
			require.Equal(t, retryAfter, w.Header().Get("Retry-After"), "Retry-After was expected to be %q, since %s", retryAfter, why)
			synctest.Wait()
		}
		ask("1", http.StatusAccepted, "", "a worker is idle")
		ask("2", http.StatusAccepted, "", "there is room for one that waits")
		ask("3", http.StatusServiceUnavailable, "2", "the queue is full, and 1.5 s are 2 in whole seconds, rounded up")
		ask("four", http.StatusBadRequest, "", "the request is no job")
		closes(t, q, s, 1, 2)
		ask("5", http.StatusServiceUnavailable, "", "the queue is closed, and will not come back")
	})
}

// Two queues in a row: when the second is slow, the first slows its producer too, and no more jobs are under way than both have room for.
func TestFurtherTwoInARow(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		second, s := open(t, 1, 2)
		first, err := backpressure.New(backpressure.Config[job]{Workers: 2, Capacity: 3, Handle: func(ctx context.Context, j job) {
			if err := second.Submit(ctx, j); err != nil {
				t.Errorf("the second queue was expected to accept job %d in the end: %v", j.id, err)
			}
		}})
		require.NoError(t, err, "two workers and a capacity of 3 are a right configuration")
		const room = 2 + 3 + 1 + 2
		var producer sync.WaitGroup
		submitted := 0
		var mu sync.Mutex
		producer.Go(func() {
			for id := 1; id <= 30; id++ {
				if err := first.Submit(t.Context(), job{id, time.Minute}); err != nil {
					t.Errorf("the first queue was expected to accept job %d in the end: %v", id, err)
				}
				mu.Lock()
				submitted++
				mu.Unlock()
			}
		})
		for minute := range 20 {
			synctest.Wait()
			mu.Lock()
			under := submitted - len(s.handled)
			mu.Unlock()
			require.Equal(t, room, under, "after %d min the producer was expected to be held back with %d jobs under way, as many as both queues have room for; %d are%s", minute, room, under, s.story())
			time.Sleep(time.Minute)
		}
		producer.Wait()
		require.NoError(t, first.Close(t.Context()), "Close of the first queue was expected to succeed")
		closes(t, second, s, span(1, 30)...)
	})
}

// A configuration that cannot work is refused in words.
func TestFurtherBadConfiguration(t *testing.T) {
	nothing := func(context.Context, int) {}
	for _, tt := range []struct {
		cfg backpressure.Config[int]
		why string
	}{
		{backpressure.Config[int]{Workers: 0, Capacity: 1, Handle: nothing}, "without a worker nothing is ever handled"},
		{backpressure.Config[int]{Workers: -1, Capacity: 1, Handle: nothing}, "the number of workers is negative"},
		{backpressure.Config[int]{Workers: 1, Capacity: -1, Handle: nothing}, "the capacity is negative"},
		{backpressure.Config[int]{Workers: 1, Capacity: 1}, "there is no Handle"},
	} {
		q, err := backpressure.New(tt.cfg)
		require.Error(t, err, "New was expected to return an error, since %s", tt.why)
		require.Nil(t, q, "New was expected to return no queue, since %s", tt.why)
		require.Greater(t, len(err.Error()), 10, "the error was expected to say what is wrong: %s", tt.why)
	}
	bubble.Run(t, func(t *testing.T) {
		q, err := backpressure.New(backpressure.Config[int]{Workers: 1, Handle: nothing})
		require.NoError(t, err, "a capacity of 0 is right: a job is accepted if a worker is idle")
		require.NoError(t, q.Close(t.Context()), "Close of an idle queue was expected to succeed")
	})
}
