package backpressure_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/backend-kata/dojo/kata/backpressure"
	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// Every accepted job is handled once.
func TestEveryJobIsHandledOnce(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open(t, 1, 3)
		for _, j := range jobs(1, 20, time.Second) { // a goroutine that waits for the end of the context is left over
			step.NoError(t, s.submit(context.WithoutCancel(t.Context()), j), "Submit should accept job %d as soon as there is room.", j.id)
		}
		s.closes(span(1, 20)...)
	})
	step.Bubble(t, func(t *step.T) {
		var handled [2]atomic.Int32 // by length
		handle := func(_ context.Context, job []string) { handled[len(job)].Add(1) }
		q := queue(t, backpressure.Config[[]string]{Workers: 1, Capacity: 3, Handle: handle})
		for _, job := range [][]string{nil, {"soup"}, {"soup"}} {
			step.NoError(t, q.TrySubmit(job), "3 jobs may wait, so TrySubmit should accept one.")
		}
		step.NoError(t, q.Close(t.Context()), "Close has enough time, so it should succeed.")
		step.Equal(t, [2]int32{1, 2}, [2]int32{handled[0].Load(), handled[1].Load()}, "One job is nil, and two are equal. Handled of either:")
	})

	// A worker runs out of jobs just as others come.
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		s := open(t, 1, 1)
		s.fill(job{id: 1, gated: true})
		acts(x, "job 1", "ends", func() { close(s.gate) })
		second, third := s.comes(x, "TrySubmit", job{id: 2}), s.comes(x, "TrySubmit", job{id: 3})
		x.Run()
		synctest.Wait()
		s.isTrue(2, *second)
		s.isTrue(3, *third)
		s.closes(1)
	})
}

// No more jobs run than there are workers, and no more wait than the capacity, whatever comes in.
// No job waits while a worker is idle.
func TestBounds(t *testing.T) {
	for _, tt := range []struct{ workers, capacity int }{{1, 0}, {1, 1}, {3, 2}, {2, 8}, {4, 0}} {
		step.Bubble(t, func(t *step.T) {
			s := open(t, tt.workers, tt.capacity)
			room := tt.workers + tt.capacity
			for _, j := range jobs(1, room, time.Minute) {
				s.fill(j)
				step.Equal(t, min(j.id, tt.workers), s.record().running, "No job should wait while a worker is idle. Jobs that run:")
			}
			s.isFull(fmt.Sprintf("%d jobs run and %d wait", tt.workers, tt.capacity))
			var calls []*step.Call[error]
			for i, j := range jobs(room+1, room+10, time.Second) {
				calls = append(calls, s.begin(t.Context(), j))
				step.Expect(t, calls[i].Waits(), "%d jobs run and %d wait, so Submit should wait. It returned.", tt.workers, tt.capacity)
			}
			for i, c := range calls {
				step.NoError(t, c.Result(), "Submit of job %d should succeed once there is room.", room+1+i)
			}
			s.closes(span(1, room+10)...)
			step.Equal(t, tt.workers, s.record().peak, "With %d workers, the most jobs that ever ran at once:", tt.workers)
		})
	}
	step.Bubble(t, func(t *step.T) {
		s := open(t, 3, 7)
		for _, j := range append([]job{{id: 1, takes: time.Hour}}, jobs(2, 7, time.Second)...) {
			step.NoError(t, s.try(j), "There is room, so TrySubmit should accept job %d.", j.id)
		}
		synctest.Wait()
		step.Equal(t, 3, s.record().running, "7 jobs came at once, and 3 workers were idle. Jobs that run:")
		time.Sleep(time.Minute)
		step.Equal(t, 7, len(s.record().started), "Job 1 takes an hour, and no other should wait for its worker. Jobs started:")
		s.closes(span(1, 7)...)
	})
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		s := open(t, 1, 1)
		var answers []*error
		for i, how := range []string{"TrySubmit", "TrySubmit", "Submit"} {
			answers = append(answers, s.comes(x, how, job{id: i + 1, gated: true}))
		}
		x.Run()
		time.AfterFunc(time.Second, func() { close(s.gate) }) // when Close waits
		s.closes()
		for i, err := range answers {
			s.isTrue(i+1, *err)
		}
		n := len(s.record().started)
		step.Expect(t, n == 1 || n == 2, "Three jobs came at once: one may run and one may wait. The queue accepted %d.", n)
		step.Equal(t, 1, s.record().peak, "There is one worker. The most jobs that ever ran at once:")
	})
}

// TrySubmit says full at once, and a job that it refused never runs.
// It does not pass those who wait in Submit, and accepts again as soon as there is room.
func TestTrySubmitSaysFull(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open(t, 2, 1)
		s.fill(jobs(1, 3, time.Second)...)
		s.isFull("two jobs run and one waits")
		time.Sleep(1500 * time.Millisecond) // 1 and 2 are done, 3 runs
		s.fill(jobs(4, 5, 3*time.Second)...)
		s.isFull("two jobs run and one waits again")
		waiting := s.begin(t.Context(), job{id: 6, takes: time.Second})
		step.Expect(t, waiting.Waits(), "Submit should wait, since the queue is full. It returned.")
		s.isFull("it is full and somebody waits in Submit")
		step.NoError(t, waiting.Result(), "Submit of job 6 should succeed once there is room.")
		s.closes(span(1, 6)...)
		s.isClosed("Close")
	})
	arriveBehind(t, "TrySubmit")
}

// Submit waits while the queue is full, first come, first served, and jobs start in the order in which they were accepted.
// A context that has ended already is never accepted, room or not.
func TestSubmitWaitsInTurn(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open(t, 1, 1)
		var calls []*step.Call[error]
		for _, j := range jobs(1, 9, time.Second) {
			calls = append(calls, s.begin(t.Context(), j)) // each waits before the next comes
			step.Expect(t, calls[j.id-1].Waits() == (j.id > 2), "One job may run and one may wait. With job %d Submit does otherwise.", j.id)
		}
		for last := 3; last <= 9; last++ {
			time.Sleep(time.Second) // a job ends
			var in []int
			for i, c := range calls {
				if !c.Waits() {
					in = append(in, i+1)
				}
			}
			step.Equal(t, span(1, last), in, "A job ends each second, and one more should be let in, first come, first served. Let in:")
		}
		s.closes(span(1, 9)...)
		step.Equal(t, span(1, 9), s.record().started, "Jobs should start in the order in which their Submits came.")
	})
	step.Bubble(t, func(t *step.T) {
		s := open(t, 1, 10)
		for burst := range 20 { // one may be in order by luck
			first := 10*burst + 1
			for _, j := range jobs(first, first+9, time.Millisecond) {
				step.NoError(t, s.try(j), "10 jobs may wait, so TrySubmit should accept job %d.", j.id)
			}
			time.Sleep(time.Second)
			step.Equal(t, span(first, first+9), s.record().started[10*burst:], "Jobs should start in the order in which they were taken.")
		}
		s.closes(span(1, 200)...)
	})
	step.Bubble(t, func(t *step.T) {
		s := open(t, 1, 200)
		s.fill(job{id: 1, takes: time.Hour})
		for range 200 { // a select takes either, by chance
			step.Equal(t, context.Canceled, s.submit(ended(t), job{id: extra}), "There is room, but Submit's context has ended already.")
		}
		s.fill(jobs(2, 201, time.Second)...)
		late := s.begin(ended(t), job{id: extra})
		step.Expect(t, !late.Waits(), "The queue is full, and Submit's context has ended already. It waits all the same.")
		step.Equal(t, context.Canceled, late.Result(), "The queue is full, and Submit's context has ended already.")
		s.closes(span(1, 201)...)
	})
	arriveBehind(t, "Submit")
}

// ended returns a context that has ended, for a reason of its caller's own.
func ended(t *step.T) context.Context {
	ctx, end := context.WithCancelCause(t.Context())
	end(errors.New("the guest has left"))
	return ctx
}

// arriveBehind has job 3 come, and job 1 end, in every order, while the caller of job 2 waits in Submit.
func arriveBehind(t *testing.T, how string) {
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		s := open(t, 1, 0)
		s.fill(job{id: 1, gated: true})
		second := s.begin(t.Context(), job{id: 2})
		acts(x, "job 1", "ends", func() { close(s.gate) })
		err := s.comes(x, how, job{id: 3})
		x.Run()
		step.Expect(t, !second.Waits(), "Job 1 has ended, so Submit of job 2 should be let in. It still waits.")
		step.NoError(t, second.Result(), "Job 1 has ended, so Submit of job 2 should be let in.")
		want := []int{1, 2}
		if *err == nil || how == "Submit" {
			step.NoError(t, *err, "Jobs 1 and 2 have ended, so Submit of job 3 should be let in. It waited a minute.")
			want = append(want, 3)
		}
		step.Equal(t, want, s.record().started, "Job 2 waited in Submit first, and %s of job 3 should not pass it. Jobs started:", how)
		s.closes(want...)
	})
}

// A caller that gives up leaves nothing behind: its job never runs, and those behind it move up.
func TestGivingUp(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open(t, 1, 0)
		s.fill(job{id: 1, takes: 10 * time.Second})
		impatient, cancel := context.WithTimeoutCause(t.Context(), 3*time.Second, errors.New("lunch is over"))
		defer cancel()
		calls := map[int]*step.Call[error]{}
		for _, id := range span(2, 6) {
			calls[id] = s.begin([]context.Context{impatient, t.Context()}[id%2], job{id: id, takes: time.Second})
			step.Expect(t, calls[id].Waits(), "Submit of job %d should wait, since the only worker is busy. It returned.", id)
		}
		time.Sleep(3 * time.Second)
		for _, id := range []int{2, 4, 6} { // the first, one in the middle, and the last
			step.Expect(t, !calls[id].Waits(), "Submit of job %d should give up, since its context has ended. It still waits.", id)
			step.Equal(t, context.DeadlineExceeded, calls[id].Result(), "Submit of job %d gave up, and should return ctx.Err().", id)
		}
		step.Expect(t, calls[3].Waits() && calls[5].Waits(), "Submit of jobs 3 and 5 should wait on, and one of them returned.")
		time.Sleep(time.Minute)
		step.Expect(t, !calls[3].Waits() && !calls[5].Waits(), "Submit of jobs 3 and 5 should move up, and one of them still waits.")
		step.NoError(t, errors.Join(calls[3].Result(), calls[5].Result()), "Submit of jobs 3 and 5 should move up and be let in.")
		s.closes(1, 3, 5)
		step.Equal(t, []int{1, 3, 5}, s.record().started, "The callers of jobs 2, 4 and 6 gave up. Jobs started:")
	})

	// A caller gives up just as it is let in.
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		s := open(t, 1, 0)
		s.fill(job{id: 1, gated: true})
		ctx, cancel := context.WithCancel(t.Context())
		second := s.begin(ctx, job{id: 2, takes: time.Second, stubborn: true})
		third := s.begin(t.Context(), job{id: 3})
		acts(x, "job 1", "ends", func() { close(s.gate) })
		acts(x, "caller 2", "gives up", cancel)
		x.Run()
		step.Expect(t, !second.Waits(), "The context has ended, so Submit of job 2 should have returned. It still waits.")
		time.Sleep(time.Minute)
		step.Expect(t, !third.Waits(), "Nothing runs any more, so Submit of job 3 should be let in. It still waits.")
		step.NoError(t, third.Result(), "Nothing runs any more, so Submit of job 3 should be let in.")
		s.isTrue(2, second.Result())
		s.fill(job{id: 4}) // nobody's place is lost
		s.closes(1, 3, 4)
	})
	for range 30 { // the same by luck, for a queue without points
		step.Bubble(t, func(t *step.T) {
			s := open(t, 1, 1)
			s.fill(jobs(1, 2, time.Second)...)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			third, fourth := s.begin(ctx, job{id: 3}), s.begin(ctx, job{id: 4})
			time.Sleep(10 * time.Second)
			s.isTrue(3, third.Result())
			s.isTrue(4, fourth.Result())
			s.fill(jobs(5, 6, time.Second)...)
			s.isFull("one job runs and one waits")
			s.closes(1, 2, 5, 6)
		})
	}
}

// Close refuses new work, also that of callers who wait, and returns when all that was accepted is handled.
// It may be called twice, and in the middle of Submits.
func TestCloseDrains(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open(t, 2, 2)
		s.fill(jobs(1, 4, 10*time.Second+1)...)
		var waiting [3]*step.Call[error]
		for i := range waiting {
			waiting[i] = s.begin(t.Context(), job{id: 5 + i})
			step.Expect(t, waiting[i].Waits(), "Submit should wait, since the queue is full. It returned.")
		}
		first := step.Start(t, func() error { return s.close(t.Context()) })
		again := step.Start(t, func() error { return s.close(t.Context()) })
		for i, c := range waiting {
			step.Expect(t, !c.Waits(), "Close should send all callers in Submit away at once. That of job %d still waits.", 5+i)
			step.Equal(t, backpressure.ErrClosed, c.Result(), "Close sends the caller of job %d in Submit away. Its answer:", 5+i)
		}
		s.isClosed("the call of Close")
		step.Expect(t, first.Waits() && again.Waits(), "Both calls of Close should wait for the jobs that were accepted. One returned.")
		step.NoError(t, errors.Join(first.Result(), again.Result()), "All is handled, so both calls of Close should succeed.")
		step.Equal(t, [2]time.Duration{20*time.Second + 2, 20*time.Second + 2}, [2]time.Duration{first.Took(), again.Took()},
			"Both calls of Close should return as soon as the last job, which ends after 20 s and 2 ns, is handled. They took:")
		s.closes(1, 2, 3, 4)
		step.Equal(t, "4 []", fmt.Sprint(len(s.record().started), s.record().cancelled), "4 were accepted, and had time. Started, cancelled:")
	})
	step.Bubble(t, func(t *step.T) {
		for n := range 100 { // a select takes either, by chance
			s := open(t, 1, 0)
			s.fill(jobs(1, n%2, 0)...) // none or one, and it is handled
			for range 2 {
				step.NoError(t, s.close(ended(t)), "Nothing is left: Close should succeed, although its context has ended.")
			}
			s.isClosed("Close")
			s.closes(span(1, n%2)...)
		}
	})

	// Two calls of Close come just as a job comes, and one just as a job ends and a caller is let in, or gives up.
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		s := open(t, 1, 1)
		a, b := s.closer(t.Context(), x, "Close A"), s.closer(t.Context(), x, "Close B")
		first := s.comes(x, "TrySubmit", job{id: 1, takes: time.Second})
		x.Run()
		a.waited()
		b.waited()
		s.isTrue(1, *first)
		s.closes()
	})
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		s := open(t, 1, 0)
		s.fill(job{id: 1, gated: true})
		ctx, cancel := context.WithCancel(t.Context())
		second := s.begin(ctx, job{id: 2, takes: time.Second, stubborn: true})
		acts(x, "job 1", "ends", func() { close(s.gate) })
		acts(x, "caller 2", "gives up", cancel)
		c := s.closer(t.Context(), x, "Close")
		x.Run()
		c.waited()
		s.isTrue(2, second.Result())
		s.closes(1)
	})
	for range 20 { // the same by luck, for a queue without points
		step.Bubble(t, func(t *step.T) {
			s := open(t, 2, 2)
			var errs [81]error
			step.AtOnce(t, 5, func(caller int) {
				if caller == 4 {
					errs[80] = s.queue.Close(t.Context())
					return
				}
				for id := 20 * caller; id < 20*(caller+1); id += 2 {
					errs[id] = s.queue.Submit(t.Context(), job{id: id})
					errs[id+1] = s.queue.TrySubmit(job{id: id + 1})
				}
			})
			step.NoError(t, errs[80], "Close in the middle of Submits has enough time, so it should succeed.")
			for id, err := range errs[:80] {
				s.isTrue(id, err)
			}
		})
	}
}

// A Close that runs out of time says how many jobs were waiting and how many running, drops the former and cancels the
// context of the latter.
func TestCloseOutOfTime(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open(t, 2, 3)
		submits, end := context.WithCancel(t.Context())
		step.NoError(t, s.submit(submits, job{id: 1, takes: time.Hour}), "A worker is idle, so Submit should accept job 1.")
		s.fill(jobs(2, 5, time.Hour)...)
		end()
		synctest.Wait()
		step.Equal(t, nil, s.record().cancelled, "A job's context is not that of its Submit. Jobs cancelled:")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Second, errors.New("the deployment goes on"))
		defer cancel()
		patient := step.Start(t, func() error { return s.close(t.Context()) })
		hasty := step.Start(t, func() error { return s.close(ctx) })
		s.gaveUp(ctx, hasty.Result(), left{3, 2})
		step.Equal(t, 5*time.Second, hasty.Took(), "Close should give up when its context ends. It took:")
		step.NoError(t, patient.Result(), "Nothing is left, so the other call of Close should succeed.")
		step.Equal(t, 2, len(s.record().cancelled), "Close gave up, so the context of both jobs that run should end. Jobs cancelled:")
		step.Equal(t, 5*time.Second, patient.Took(), "The other call of Close should return when the jobs that ran have. It took:")
		s.isClosed("a Close that gave up")
		time.Sleep(2 * time.Hour)
		step.Equal(t, 2, len(s.record().started), "The jobs that waited were dropped, and should never start. Jobs started:")
	})
	step.Bubble(t, func(t *step.T) {
		s := open(t, 1, 2)
		s.fill(job{id: 1, gated: true, stubborn: true}, job{id: 2}, job{id: 3})
		waiting := s.begin(t.Context(), job{id: 4})
		s.givesUp(ended(t), left{2, 1})
		step.Equal(t, backpressure.ErrClosed, waiting.Result(), "Close gave up, and sends the caller in Submit away. Its answer:")
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			s.givesUp(ctx, left{0, 1}) // job 1 does not heed its context
			cancel()
		}
		last := step.Start(t, func() error { return s.close(t.Context()) })
		step.Expect(t, last.Waits(), "A Close with time should wait for the job that still runs. It returned.")
		close(s.gate)
		step.NoError(t, last.Result(), "The last job is handled, so Close should succeed.")
		step.Equal(t, []int{1}, s.record().started, "Jobs 2 and 3 were dropped, and should never start. Jobs started:")
	})
	step.Bubble(t, func(t *step.T) {
		s := open(t, 2, 1)
		s.fill(job{id: 1, takes: time.Hour})
		s.givesUp(ended(t), left{0, 1}) // and nobody calls Close again
	})

	// Close gives up just as job 1 ends, and job 2 starts if there is one.
	for waiting := range 2 {
		step.Explore(t, func(t *step.T, x *interleave.Schedule) {
			s := open(t, 1, 1)
			s.fill(job{id: 1, gated: true, stubborn: true})
			s.fill(jobs(2, 1+waiting, time.Hour)...)
			acts(x, "job 1", "ends", func() { close(s.gate) })
			ctx := ended(t)
			c := s.closer(ctx, x, "Close")
			x.Run()
			synctest.Wait()
			dropped := 1 + waiting - len(s.record().started)
			if c.err != nil || waiting > 0 {
				s.gaveUp(ctx, c.err, left{dropped, 1}, left{dropped, 1 - dropped}) // job 1 may have ended
			}
			s.closes(1)
		})
	}
	step.Bubble(t, func(t *step.T) {
		apart.Pairs(t, func() *rush { return newRush(t) },
			apart.Call[*rush]{Name: "TrySubmit", Do: func(r *rush) {
				_ = errors.Join(r.TrySubmit(1), r.TrySubmit(2), r.TrySubmit(3)) // one starts, one waits, one is refused
			}},
			apart.Call[*rush]{Name: "Submit", Do: func(r *rush) {
				for n := range 3 { // the same, and one more waits in line
					r.soon(func(ctx context.Context) error { return r.Submit(ctx, n) })
				}
				bubble.Go(t.T, func() { _ = r.Submit(r.patient, 3) })
			}},
			apart.Call[*rush]{Name: "Close", Do: func(r *rush) { r.soon(r.Close) }},
			apart.Call[*rush]{Name: "a worker whose job ends", Do: func(r *rush) { r.ends <- struct{}{}; synctest.Wait() }},
		)
	})
}

// A job that panics, or ends its goroutine, costs no worker.
func TestFurtherPanic(t *testing.T) {
	var text strings.Builder
	before, writer, flags := slog.Default(), log.Writer(), log.Flags()
	defer func() { slog.SetDefault(before); log.SetOutput(writer); log.SetFlags(flags) }()
	slog.SetDefault(slog.New(slog.NewTextHandler(&text, nil)))
	values := map[string]any{"soup": "too hot", "roast": errors.New("too hot")}
	ends := map[string]func(){"soup": func() { panic(values["soup"]) }, "roast": func() { panic(values["roast"]) }, "wine": runtime.Goexit}
	for n := range 24 {
		first, capacity, later, told := []string{"soup", "roast", "wine"}[n%3], n/3%2*2, time.Duration(1-n/6%2)*time.Minute, n/12 == 0
		step.Bubble(t, func(t *step.T) {
			text.Reset()
			var q *backpressure.Queue[string]
			var story string                      // there is one worker, so one line at a time
			its, start := t.Context(), time.Now() // its is of the job that runs
			tell := func(takes time.Duration, what string) {
				time.Sleep(takes)
				story += fmt.Sprintf("%s after %v, context %v; ", what, time.Since(start), its.Err())
			}
			cfg := backpressure.Config[string]{Workers: 1, Capacity: capacity, Handle: func(ctx context.Context, job string) {
				its = ctx //nolint:fatcontext // the context of each job
				tell(time.Second, job+" ends")
				if job == first {
					_ = q.TrySubmit("more") // to hear that there is no room
					ends[job]()
				}
			}}
			if told {
				cfg.Panicked = func(job string, value any) {
					tell(3*time.Second, fmt.Sprintf("%s panicked (with this very value: %t)", job, value == values[job]))
					_ = q.TrySubmit("more")
				}
			}
			seconds, want := 1, first+" ends after 1s, context <nil>; "
			if told && first != "wine" {
				seconds, want = 4, want+first+" panicked (with this very value: true) after 4s, context <nil>; "
			}
			q = queue(t, cfg)
			step.NoError(t, q.TrySubmit(first), "The worker is idle, so TrySubmit should accept %s.", first)
			synctest.Wait()
			for _, job := range []string{"bread", "cake"} {
				call := step.Start(t, func() error { return q.Submit(t.Context(), job) })
				step.Expect(t, call.Waits() == (capacity == 0), "One job runs, and %d may wait. For %s Submit does otherwise.", capacity, job)
				if capacity > 0 || later > 0 {
					seconds++
					want += fmt.Sprintf("%s ends after %ds, context <nil>; ", job, seconds)
				}
			}
			time.Sleep(later)
			closing := step.Start(t, func() error { return q.Close(t.Context()) })
			time.Sleep(time.Minute)
			step.Expect(t, !closing.Waits(), "What happened: [%s]. Close, %v later, still waits, and %d could wait.", story, later, capacity)
			step.NoError(t, closing.Result(), "All jobs have returned, panicked or ended their goroutine.")
			step.Expect(t, want == story, "The worker should go on after %s. Expected: [%s], but: [%s]", first, want, story)
			step.Expect(t, later > 0 || closing.Took() == time.Duration(seconds)*time.Second,
				"Close should wait until all jobs have ended and Panicked has returned, %d s. It waited %v.", seconds, closing.Took())
			logged := !told && first != "wine"
			step.Expect(t, strings.Contains(text.String(), "too hot") == logged && (strings.Count(text.String(), "level=ERROR") == 1) == logged,
				"A panic's value should be logged with slog at level Error, once, if there is no Panicked (%t). Logged: %q.", logged, text.String())
		})
	}
}

// In front of the queue, HTTP turns full into 503 with Retry-After.
func TestFurtherHTTP(t *testing.T) {
	parse := func(r *http.Request) (job, error) {
		id, err := strconv.Atoi(r.URL.Query().Get("id"))
		return job{id: id, takes: time.Second}, err
	}
	step.Bubble(t, func(t *step.T) {
		s := open(t, 1, 1)
		ask := func(retryAfter time.Duration, id string) string {
			t.Helper()
			start, w := time.Now(), httptest.NewRecorder()
			backpressure.Handler(s.queue, retryAfter, parse).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/jobs?id="+id, nil))
			got := fmt.Sprintf("%d %q", w.Code, w.Header()["Retry-After"])
			t.Tell("POST /jobs?id=%s: %s", id, got)
			step.Equal(t, 0, time.Since(start), "The handler should answer at once. It took:")
			synctest.Wait()
			return got
		}
		step.Equal(t, `202 []`, ask(time.Second, "1"), "A worker is idle. Status and Retry-After:")
		step.Equal(t, `202 []`, ask(time.Second, "2"), "There is room for one that waits. Status and Retry-After:")
		full := func(want string, afters ...time.Duration) {
			t.Helper()
			for _, after := range afters {
				step.Equal(t, want, ask(after, "3"), "The queue is full. Status, and Retry-After of %v:", after)
			}
		}
		full(`503 ["2"]`, 1500*time.Millisecond, 1200*time.Millisecond, time.Second+1, 2*time.Second)
		full(`503 ["1"]`, time.Second, time.Second-1, 1, 0, -time.Second)
		full(`503 ["9223372037"]`, 1<<63-1)
		step.Equal(t, `400 []`, ask(time.Second, "four"), "The request is no job. Status and Retry-After:")
		time.Sleep(1500 * time.Millisecond)
		step.Equal(t, `400 []`, ask(time.Second, "five"), "The request is no job, room or not. Status and Retry-After:")
		step.Equal(t, `202 []`, ask(time.Second, "6"), "There is room again. Status and Retry-After:")
		s.closes(1, 2, 6)
		step.Equal(t, []int{1, 2, 6}, s.record().started, "What was not answered with 202 should never run. Jobs started:")
		step.Equal(t, `503 []`, ask(time.Second, "7"), "The queue is closed, and will not open again. Status and Retry-After:")
		step.Equal(t, `400 []`, ask(time.Second, "eight"), "The request is no job, closed or not. Status and Retry-After:")
	})
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		s := open(t, 1, 2)
		handler := backpressure.Handler(s.queue, time.Second, parse)
		answers := [2]*httptest.ResponseRecorder{httptest.NewRecorder(), httptest.NewRecorder()}
		for i, w := range answers {
			r := httptest.NewRequest(http.MethodPost, fmt.Sprint("/jobs?id=", i+1), nil)
			acts(x, fmt.Sprint("request ", i+1), "comes", func() { handler.ServeHTTP(w, r) })
		}
		x.Run()
		step.Equal(t, [2]int{202, 202}, [2]int{answers[0].Code, answers[1].Code}, "Two jobs came, and two may wait. The answers:")
		s.closes(1, 2)
	})
}

// Two queues in a row: when the second is slow, the first slows its producer too, and no more jobs are under way than
// both have room for.
func TestFurtherTwoInARow(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		second := open(t, 1, 2)
		first := queue(t, backpressure.Config[job]{Workers: 2, Capacity: 3, Handle: func(ctx context.Context, j job) {
			_ = second.submit(ctx, j) // that it succeeds is seen in the end
		}})
		var submitted atomic.Int32
		producer := step.Start(t, func() (err error) {
			for _, j := range jobs(1, 30, time.Minute) {
				err = errors.Join(err, first.Submit(t.Context(), j))
				submitted.Add(1)
			}
			return err
		})
		for minute := range 20 {
			synctest.Wait()
			under := int(submitted.Load()) - len(second.record().handled)
			step.Equal(t, 2+3+1+2, under, "The producer should be held back once both are full. Jobs under way after %d min:", minute)
			time.Sleep(time.Minute)
		}
		step.NoError(t, producer.Result(), "The first queue should accept every job in the end.")
		step.NoError(t, first.Close(t.Context()), "Close of the first queue has enough time, so it should succeed.")
		second.closes(span(1, 30)...)
	})
}

// A configuration that cannot work is refused in words.
func TestFurtherBadConfiguration(t *testing.T) {
	step.Outside(t, func(t *step.T) {
		nothing := func(context.Context, int) {}
		for _, tt := range []struct {
			field, why string
			cfg        backpressure.Config[int]
		}{
			{"Workers", "0 workers would handle no job", backpressure.Config[int]{Workers: 0, Capacity: 1, Handle: nothing}},
			{"Workers", "there cannot be -1 workers", backpressure.Config[int]{Workers: -1, Capacity: 1, Handle: nothing}},
			{"Capacity", "-1 jobs cannot wait", backpressure.Config[int]{Workers: 1, Capacity: -1, Handle: nothing}},
			{"Handle", "Handle is nil", backpressure.Config[int]{Workers: 1, Capacity: 1}},
		} {
			q, err := backpressure.New(tt.cfg)
			step.Expect(t, err != nil && q == nil, "New should return an error and nil, since %s. "+
				"It returned the error %v and %s.", tt.why, err, map[bool]string{true: "nil", false: "a queue"}[q == nil])
			for _, field := range []string{"Workers", "Capacity", "Handle"} {
				step.Equal(t, field == tt.field, strings.Contains(err.Error(), field), "%q should name %s alone. If it names %s:", err, tt.field, field)
			}
		}
	})
}
