package ratelimit_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/ratelimit"
	"github.com/backend-kata/dojo/pkg/apart"
	"github.com/backend-kata/dojo/pkg/interleave"
)

// at opens a desk with 100 places in a bubble, for a body that runs so many times.
func at(t *testing.T, times int, body func(d *desk), limits ...ratelimit.Limit) {
	t.Helper()
	step.Bubble(t, func(t *step.T) {
		d := open(t, 100, limits...)
		d.exact = t.Name() != "TestBurstThenRate"
		for range times {
			body(d)
		}
	})
}

// A line says that ann asks for n after a while.
type line struct {
	after time.Duration
	n     int
	why   string
}

func script(t *testing.T, l ratelimit.Limit, lines ...line) {
	t.Helper()
	at(t, 1, func(d *desk) {
		for _, line := range lines {
			d.sleep(line.after)
			d.ask("ann", line.n, line.why)
		}
	}, l)
}

const day, year, million = 24 * time.Hour, 365 * 24 * time.Hour, 1_000_000

// A burst passes at once and then the rate, in every window of time, and a caller who keeps to the rate always passes.
func TestBurstThenRate(t *testing.T) {
	at(t, 1, func(d *desk) {
		for n := range 11 {
			d.ask("ann", 1, fmt.Sprintf("A new key may have 10 at once, and has had %d", n))
		}
	}, limit(10, time.Minute, 10))
	script(t, limit(10, time.Minute, 10),
		line{59900 * time.Millisecond, 10, "Shortly before the full minute a new key may have 10"},
		line{100 * time.Millisecond, 10, "Ten passed just before the full minute, and a new minute begins"},
		line{0, 1, "Ten passed 100 ms ago, and the next one is there after 6 s"})
	script(t, limit(10, time.Minute, 10),
		line{0, 10, "All 10 are there"},
		line{24 * time.Second, 4, "Ten passed 24 s ago, and four have come back"})
	script(t, limit(10, time.Minute, 10),
		line{0, 10, "All 10 are there"},
		line{0, 1, "All 10 were had"},
		line{6 * time.Second, 1, "All 10 were had, one was refused, and one has come back"},
		line{3 * time.Second, 1, "Half of the next one has come back"},
		line{3 * time.Second, 1, "A half had come back, and the other half has now"},
		line{54 * time.Second, 10, "A key rests, and has 9 of its burst of 10 again"},
		line{6 * time.Second, 10, "A key has rested long enough for its burst of 10"},
		line{0, 1, "A key has rested, and then had its burst of 10 once more"})
	script(t, limit(2, time.Minute, 5),
		line{0, 5, "The burst is 5, of 2 a minute"},
		line{time.Minute, 3, "The burst is 5, but no more than 2 come back in a minute"},
		line{0, 2, "The burst is 5, and 2 have come back in a minute"},
		line{time.Hour, 5, "The burst is 5, and an hour has brought no more than that"},
		line{0, 1, "The burst is 5, and an hour has brought no more than that"})
	at(t, 500, func(d *desk) {
		d.sleep(7 * time.Millisecond)
		d.ask("ann", 1, "It is asked 50 times as often as it may")
	}, limit(3, time.Second, 5)) // a third of a second is no whole number of nanoseconds
	at(t, 600, func(d *desk) { d.onTime(1, "It asks for hours at the very nanosecond") }, limit(7, time.Minute, 2))
	at(t, 1000, func(d *desk) {
		d.ask("ann", 1, "It keeps to the rate, with a third of a second and no more between two")
		d.sleep(time.Second/3 + 1)
	}, limit(3, time.Second, 1))
	script(t, limit(million, time.Second, million),
		line{0, million, "A million a second"},
		line{65 * time.Hour, million, "A million a second, after a quiet weekend"},
		line{0, 1, "A million a second, right after the burst that followed a quiet weekend"})
	script(t, limit(million, day, million),
		line{0, million, "A million a day"},
		line{86_400_000, 1, "A million a day, of which all were had, and a millionth of a day is over"},
		line{4 * time.Minute, 10_000, "A million a day, of which all were had, and nothing was asked for 4 minutes"},
		line{6 * time.Hour, million / 2, "A million a day, of which all were had, and a quarter of a day is over"},
		line{99 * year, million, "A million a day, after 99 years"})
	script(t, limit(1, time.Second, 2),
		line{0, 2, "Both of a burst pass"},
		line{-time.Hour, 1, "The clock has gone back an hour"},
		line{time.Hour, 1, "The clock went back an hour, and an hour later shows the same as at first"})
	script(t, limit(1, time.Second, 2),
		line{time.Hour, 1, "One of two passes"},
		line{-time.Hour, 1, "The clock has gone back an hour, and one of two is left"},
		line{0, 1, "The clock has gone back an hour, and both are had"},
		line{time.Hour + 1500*time.Millisecond, 2, "One of two has come back"},
		line{-time.Second, 1, "One had come back when two were refused, and then the clock went back"})
	for seed := range 40 {
		r := rand.New(rand.NewPCG(5, uint64(seed)))
		n, per, burst := 1+r.IntN(10), time.Duration(1+r.IntN(5000)), 1+r.IntN(6)
		at(t, 100, func(d *desk) {
			d.sleep(time.Duration(r.IntN(2*int(per)/n + 2)))
			d.ask("ann", 1+r.IntN(burst), fmt.Sprintf("Seed %d, %d in %v and a burst of %d", seed, n, per, burst))
		}, limit(n, per, burst))
	}
}

// A refused call costs nothing, and its wait is exact to the nanosecond. Several at once are all or none.
func TestRefused(t *testing.T) {
	usual := limit(10, time.Second, 10)
	script(t, usual,
		line{0, 10, "All 10 are there"},
		line{0, 1, "All 10 were had, and one takes 100 ms"})
	script(t, limit(3, time.Second, 3),
		line{0, 3, "There are 3"},
		line{0, 1, "A third of a second is rounded up"},
		line{333_333_333, 1, "A third of a nanosecond is left to wait, which is rounded up to one"},
		line{1, 1, "A third of a second is over"},
		line{0, 1, "Two thirds of a nanosecond more than a third of a second were over"},
		line{0, 3, "A third of a nanosecond more than two thirds of a second are left"})
	at(t, 1, func(d *desk) {
		d.ask("ann", 10, "All 10 are there")
		for range 1000 {
			d.ask("ann", 1, "All 10 were had, and another is asked for again and again")
		}
		d.onTime(1, "It was refused a thousand times, which costs nothing, and asks when it was told to")
	}, usual)
	script(t, usual,
		line{0, 7, "There are 10, and 7 are asked for at once"},
		line{0, 5, "There are 3, and 5 are asked for at once"},
		line{0, 3, "There are 3, and none of the 5 that were refused has taken one"},
		line{0, 10, "None is left, and 10 are asked for at once"},
		line{400 * time.Millisecond, 4, "4 have come back"},
		line{-time.Minute, 1, "The clock has gone back a minute, which is a minute more to wait"})
	for _, wrong := range []int{0, -1, -10, 11, 1000, math.MaxInt, math.MinInt} {
		at(t, 1, func(d *desk) {
			d.ask("ann", 10, "All 10 are had")
			for _, key := range []string{"ann", "new"} {
				wait, err := d.allow(key, wrong)
				step.Equal(d, answer{0, ratelimit.ErrSize}, answer{wait, err}, "Of a burst of 10 nobody can have %d. What Allow returns:", wrong)
			}
			d.onTime(3, fmt.Sprintf("%d were asked for, which is an error, and costs and brings nothing", wrong))
			d.ask("new", 10, fmt.Sprintf("A new key has asked for %d, which is an error, and costs nothing", wrong))
		}, usual)
	}
	at(t, 3, func(d *desk) {
		d.clock.asked = 0
		d.ask("ann", 4, "The clock's calls are counted")
		step.Expect(d, d.clock.asked <= 1, "The clock should be asked once a call. It was asked %d times.", d.clock.asked)
	}, usual)
	at(t, 1, func(d *desk) {
		d.allow = ratelimit.New(ratelimit.Config{Limits: d.limits, MaxKeys: 9}).Allow
		d.ask("ann", 10, "Now is nil, so time.Now is the clock")
		time.Sleep(300 * time.Millisecond)
		d.sleep(300 * time.Millisecond)
		d.ask("ann", 4, "Now is nil, so time.Now is the clock, which shows 300 ms more")
		d.ask("ann", 3, "Now is nil, so time.Now is the clock, which shows 300 ms more")
	}, usual)
}

// Keys are independent, and 20,000 of them pass through 1,000 places. Busy keys stay, whoever else comes.
func TestKeys(t *testing.T) {
	at(t, 1, func(d *desk) {
		keys := []string{"ann", "Ann", "ann ", "", "\x00", "\xff", "\xfe", "änn", strings.Repeat("a", 1000), strings.Repeat("a", 1001)}
		for _, key := range keys {
			d.ask(key, 2, fmt.Sprintf("%.20q is a key of its own, and new", key))
		}
		for _, key := range keys {
			d.ask(key, 1, fmt.Sprintf("%.20q has had its burst", key))
		}
	}, limit(1, time.Second, 2))
	step.Bubble(t, func(t *step.T) {
		const places, size = 1000, 2 << 10
		d := open(t, places, limit(10, time.Second, 4))
		before := inUse()
		few := func(who string) {
			t.Helper()
			kept := (inUse() - before) / size
			step.Expect(t, kept <= places*5/4, "%s. There are 1,000 places, and no more keys than that should be in memory. "+
				"About %d are.", who, kept)
		}
		for n := range 20 * places { // 400 are busy at a time
			wait, err := d.allow(strings.Repeat("k", size)+strconv.Itoa(n), 4)
			step.Expect(t, err == nil && wait == 0, "There are 1,000 places, and 400 keys are busy. Key %d is new and should pass. "+
				"It was told: %v.", n+1, answer{wait, err})
			d.sleep(time.Millisecond)
		}
		few("20,000 keys have passed, one after the other")
		for n := range 3 * places {
			_, _ = d.allow(strings.Repeat("l", size)+strconv.Itoa(n), 4)
		}
		few("3,000 more keys have come at the same moment, most of whom have to wait")
		runtime.KeepAlive(d)
	})
	used := map[string]func(n int) int{"nothing": func(int) int { return 10 }, "something": func(n int) int { return 1 + n%10 }}
	for places := range 20 {
		crowd(t, places+1, used["something"], func(*desk) {})
	}
	for _, has := range []string{"nothing", "something"} {
		crowd(t, 20, used[has], func(d *desk) {
			for n := range 1000 {
				wait, err := d.allow("new "+strconv.Itoa(n), 1+n%3)
				step.Expect(d, len(d.keys) < 20 || wait > 0 && err == nil, "All 20 places are taken by busy keys, which have %s left. "+
					"A new key should have to wait. New key %d was told: %v.", has, n+1, answer{wait, err})
			}
			for n := range 20 {
				if d.keys[busy(n)] != nil {
					d.ask(busy(n), 10, "A busy key goes on, after a thousand new ones came")
					d.ask(busy(n), 1, "A busy key goes on, after a thousand new ones came")
				}
			}
			for d.sleep(6 * time.Second); has == "something" && d.clock.shows.Load() < int64(10*time.Second); d.sleep(time.Second) {
				d.ask(fmt.Sprint("late", d.clock.shows.Load()), 10, "Fewer than half of the keys are still busy")
				d.ask(busy(19), 10, "A key is still busy when others are not, and a new one comes")
			}
		})
	}
	crowd(t, 20, used["something"], func(d *desk) {
		wait, err := d.allow("new", 10)
		step.NoError(d, err, "There is no place, and a new key should be told how long to wait.")
		for _, left := range []time.Duration{1, wait + time.Minute, 0} {
			if d.clock.shows.Store(int64(wait - left)); wait > 0 { // it goes back a minute in between
				now, _ := d.allow("new", 10)
				step.Equal(d, left, now, "At 0s a new key is told to wait %v for a place, and comes at %v. The wait then:", wait, wait-left)
			}
		}
	})
	step.Bubble(t, func(t *step.T) {
		d := open(t, 1, limit(3, 10, 3))
		for n := range 100 {
			d.ask(busy(n%2), 1+n%3, "Two keys come for one place, one each nanosecond, of which three come back in ten")
			d.sleep(1)
		}
	})
}

func busy(n int) string { return "busy " + strconv.Itoa(n) }

// crowd has a desk whose places are taken by busy keys, or half of them at least.
func crowd(t *testing.T, places int, used func(n int) int, body func(d *desk)) {
	t.Helper()
	step.Bubble(t, func(t *step.T) {
		d := open(t, places, limit(1, time.Second, 10))
		for n := range 50 {
			_, _ = d.allow("wrong "+strconv.Itoa(n), 11) // takes no place
		}
		for n := range places {
			wait, err := d.allow(busy(n), used(n))
			step.Expect(t, wait == 0 && err == nil || 2*n >= places, "%d of %d places are taken, and a new key should pass. It was told: %v.",
				n, places, answer{wait, err})
			if wait == 0 {
				d.pass(busy(n), 0, used(n))
			}
		}
		body(d)
	})
}

// inUse is the memory that is in use.
func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Several limits hold together: a call passes all of them, or costs nothing in any.
func TestSeveralLimits(t *testing.T) {
	both, others := rule{limit(10, time.Second, 10), limit(1000, day, 1000)}, rule{limit(1, time.Second, 5), limit(1, time.Minute, 3)}
	for range 2 {
		both, others = rule{both[1], both[0]}, rule{others[1], others[0]}
		at(t, 1, func(d *desk) {
			for n := range 100 {
				d.ask("ann", 10, fmt.Sprintf("10 a second and 1,000 a day, of which %d were had", 10*n))
				d.ask("ann", 10, "10 a second and 1,000 a day, of which the second's were just had")
				d.sleep(time.Second)
			}
			d.ask("ann", 1, "10 a second and 1,000 a day, of which the day's were all had")
			d.onTime(1, "The day's were all had, and it waits for the day and not for the second")
		}, both...)
		step.Bubble(t, func(t *step.T) {
			d := open(t, 1, both...)
			wait, err := d.allow("ann", 11)
			step.Equal(d, answer{0, ratelimit.ErrSize}, answer{wait, err}, "One burst is 10 and the other one 1,000. What Allow returns for 11:")
			d.ask("ann", 10, "There is one place")
			d.sleep(time.Minute)
			d.ask("ben", 1, "There is one place. Its key has all of its 10 a second again, but not of its 1,000 a day, so it is busy")
			d.ask("ann", 10, "Somebody new had no place")
		})
		at(t, 1, func(d *desk) {
			d.ask("ann", 3, "There are 5 of one limit and 3 of the other one")
			for range 10 {
				d.ask("ann", 2, "One limit refuses, and the other one has 2")
			}
			d.ask("ann", 3, "Both limits refuse, one of them for longer")
			d.sleep(2 * time.Minute)
			d.ask("ann", 2, "The calls that one limit refused should not count in the other one")
			d.onTime(3, "Both limits are asked for 3")
		}, others...)
	}
	for seed := range 40 {
		r := rand.New(rand.NewPCG(4, uint64(seed)))
		var limits []ratelimit.Limit
		for range 2 + seed%2 {
			limits = append(limits, limit(1+r.IntN(10), time.Duration(1+r.IntN(5000)), 3+r.IntN(6)))
		}
		at(t, 80, func(d *desk) {
			d.sleep(time.Duration(r.IntN(1000)))
			d.ask("ann", 1+r.IntN(3), fmt.Sprintf("Seed %d, with the limits %v", seed, limits))
		}, limits...)
	}
}

// Callers come at the same time while the clock moves on: no more pass than may, and nobody who may pass is refused.
func TestAtTheSameTime(t *testing.T) {
	two, slow := limit(1, tick, 2), limit(1, 4*tick, 2)
	explore(t, 300, func(t *step.T, m meeting) *desk { return open(t, m.places, m.limits...) },
		meeting{"One is left, and one comes for two", 9, 1, 0, rule{two}, calls{{ask("ann", 1), ask("ann", 1)}}},
		meeting{"One is left, and two come", 9, 1, 0, rule{two}, calls{{ask("ann", 1)}, {ask("ann", 1)}}},
		meeting{"Two new keys come for one place", 1, 0, 0, rule{two}, calls{{ask("ben", 1)}, {ask("cem", 1)}}},
		meeting{"Two are there, and three come", 9, 0, 0, rule{two}, calls{{ask("ann", 1)}, {ask("ann", 1)}, {ask("ann", 1)}}},
		meeting{"Two are there, and 2 and 1 are asked for", 9, 0, 0, rule{two}, calls{{ask("ann", 2)}, {ask("ann", 1)}}},
		meeting{"All are there, and time passes", 9, 0, 1, rule{two}, calls{{ask("ann", 1)}, {ask("ann", 1)}}},
		meeting{"All were had, and time passes", 9, 2, 2, rule{two}, calls{{ask("ann", 1)}, {ask("ann", 1), ask("ann", 1)}}},
		meeting{"Two new keys come for a place that becomes free", 1, 1, 1, rule{two}, calls{{ask("ben", 1)}, {ask("cem", 1)}}},
		meeting{"A key goes on, and a new one comes for its place", 1, 1, 1, rule{two}, calls{{ask("ann", 2)}, {ask("ben", 2)}}},
		meeting{"One limit has 2 and the other one 1", 9, 0, 0, rule{two, limit(1, tick, 1)}, calls{{ask("ann", 1)}, {ask("ann", 1)}}},
		meeting{"Two limits, and time passes", 9, 1, 1, rule{slow, limit(1, tick, 1)}, calls{{ask("ann", 1)}, {ask("ann", 1)}}},
	)
	step.Bubble(t, func(t *step.T) {
		allow := func(key string, n int) func(l *ratelimit.Limiter) {
			return func(l *ratelimit.Limiter) { _, _ = l.Allow(key, n) }
		}
		apart.Pairs(t.T, func() *ratelimit.Limiter {
			return ratelimit.New(ratelimit.Config{Limits: []ratelimit.Limit{two}, MaxKeys: 1, Now: func() time.Time { return noon }})
		},
			apart.Call[*ratelimit.Limiter]{Name: "Allow of 1", Do: allow("192.0.2.1/32", 1)},
			apart.Call[*ratelimit.Limiter]{Name: "Allow of 2", Do: allow("192.0.2.1/32", 2)},
			apart.Call[*ratelimit.Limiter]{Name: "Allow of 3", Do: allow("192.0.2.1/32", 3)},
			apart.Call[*ratelimit.Limiter]{Name: "Allow for another key", Do: allow("ben", 1)},
			apart.Call[*ratelimit.Limiter]{Name: "a request", Do: func(l *ratelimit.Limiter) { get(l, ratelimit.HTTP{}, from("192.0.2.1:5")) }},
		)
	})
}

// Over HTTP a client is told 429 and when to come back, never too early, and every answer says what is left.
func TestOverHTTP(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		d := open(t, 9, limit(10, time.Second, 10))
		w, r, ran := httptest.NewRecorder(), from("192.0.2.1:5"), 0
		d.Handler(ratelimit.HTTP{}, http.HandlerFunc(func(w2 http.ResponseWriter, r2 *http.Request) {
			ran++
			step.Expect(t, w2 == http.ResponseWriter(w) && r2 == r, "A request that passes should reach next as it came, with the same w and r.")
		})).ServeHTTP(w, r)
		step.Equal(t, 1, ran, "A request passes, and next runs once. Runs:")
		d.pass("192.0.2.1/32", 0, 1)
		d.ask("192.0.2.1/32", 9, "A request counts for the key 192.0.2.1/32")
		d.request("192.0.2.1", 1, "The key 192.0.2.1/32 has had its burst")
	})
	for _, left := range []time.Duration{100 * time.Millisecond, 1, time.Second, time.Minute - 1, time.Minute, time.Minute + 1} {
		step.Bubble(t, func(t *step.T) {
			d := open(t, 9, limit(1, time.Hour, 1))
			d.request("192.0.2.1", 1, "A client has a burst of 1")
			d.sleep(time.Hour - left)
			d.request("192.0.2.1", 1, fmt.Sprintf("%v are left to wait", left))
		})
	}
	for _, limits := range []rule{
		{named("second", limit(10, time.Second, 12)), named("day", limit(1000, day, 100))},
		{named("short", limit(300, 1500*time.Millisecond, 40)), named("tiny", limit(5, 100*time.Millisecond, 30)), limit(7, time.Minute, 4)},
		{named("slow", limit(1, 10*time.Second, 3)), named("slower", limit(7, time.Minute, 4))},
		{limit(million, day, million)},
	} {
		step.Bubble(t, func(t *step.T) {
			d := open(t, 1, limits...)
			for n := range 30 {
				d.request("192.0.2.1", 1+n%3, fmt.Sprintf("Request %d of a client, each for 1 to 3; before the 27th the clock goes back", n+1))
				d.request("192.0.2.2", 1, "Another client has the only place")
				d.sleep(time.Duration(n%7-n/25*20) * 431 * time.Millisecond)
			}
		})
	}
	step.Explore(t, func(t *step.T, x *interleave.Schedule) {
		d, got := open(t, 9, limit(1, time.Hour, 2)), [2]result{}
		d.clock.x = x
		for i := range got {
			x.Go("request "+strconv.Itoa(i+1), func() {
				x.Point("comes")
				got[i] = get(d.Limiter, ratelimit.HTTP{}, from("192.0.2.1:5"))
			})
		}
		x.Run()
		first, second := got[0].header.Get("Ratelimit"), got[1].header.Get("Ratelimit")
		step.Expect(t, strings.Contains(first+second, "r=1") && strings.Contains(first+second, "r=0"),
			"Two requests come at once for the last two. One should be told r=1, the other one r=0. They are told %s and %s.", first, second)
	})
	step.Bubble(t, func(t *step.T) {
		d := open(t, 9, limit(1, time.Second, 20), limit(1, time.Second, 10))
		for _, wrong := range []int{0, -3, 11} {
			got := get(d.Limiter, ratelimit.HTTP{Weight: func(*http.Request) int { return wrong }}, from("192.0.2.1:5"))
			step.Equal(t, http.StatusBadRequest, got.status, "A request of the weight %d can never pass. The status:", wrong)
			step.Equal(t, 0, got.ran, "A request of the weight %d can never pass. How often next ran:", wrong)
		}
		d.request("192.0.2.1", 4, "Nothing has passed yet, and there are 10")
		d.request("192.0.2.1", 7, "6 of 10 are left, and another one comes back in a second")
		d.request("192.0.2.1", 6, "6 of 10 are left, since the refused one costs nothing")
	})
}

// A result is what came of a request.
type result struct {
	status int
	header http.Header
	ran    int // how often next ran
}

// from makes a request.
func from(remote string, forwarded ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.RemoteAddr = remote
	for _, line := range forwarded {
		r.Header.Add("X-Forwarded-For", line)
	}
	return r
}

// get sends a request through a limiter's handler.
func get(l *ratelimit.Limiter, c ratelimit.HTTP, r *http.Request) (got result) {
	w := httptest.NewRecorder()
	l.Handler(c, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		got.ran++
		w.WriteHeader(http.StatusNoContent)
	})).ServeHTTP(w, r)
	got.status, got.header = w.Code, w.Result().Header
	return got
}

// request sends a request of a weight, and expects what the contract says.
func (d *desk) request(remote string, weight int, why string) {
	d.Helper()
	shows, key := d.clock.shows.Load(), remote+"/32"
	d.latest = max(d.latest, shows)
	now, wait, c := d.latest, d.turn(key, d.latest, weight)-shows, ratelimit.HTTP{Weight: func(*http.Request) int { return weight }}
	got := get(d.Limiter, c, from(remote+":5"))
	d.Tell("at %v: %d for %s → %v %v", time.Duration(shows), weight, remote, got.status, got.header)
	if wait == now-shows {
		step.Equal(d, http.StatusNoContent, got.status, "%s. The request should pass, and be answered by next. The status:", why)
		step.Equal(d, "", got.header.Get("Retry-After"), "%s. The request passes, and there is nothing to retry. Retry-After:", why)
		d.pass(key, now, weight)
	} else {
		step.Equal(d, http.StatusTooManyRequests, got.status, "%s. The request should have to wait. The status:", why)
		step.Equal(d, 0, got.ran, "%s. The request has to wait. How often next ran:", why)
		step.Equal(d, seconds(wait), got.header.Get("Retry-After"), "%s. Retry-After:", why)
	}
	for _, l := range d.limits {
		d.says(got, "RateLimit-Policy", l, fmt.Sprintf("q=%d", l.N), why)
		w := map[bool]string{true: fmt.Sprintf("w=%d", l.Per/time.Second), false: "no w"}[l.Per%time.Second == 0]
		d.says(got, "RateLimit-Policy", l, w, why)
		r, next := 0, d.place(key, now)
		if next == now {
			r = sort.Search(l.Burst, func(n int) bool { return fits(d.keys[key], l, now, n+1) > now })
			next = fits(append(slices.Clone(d.keys[key]), pass{now, int64(r)}), l, now, 1)
		}
		why := fmt.Sprintf("%s. %d can pass now, and if they do, the next one in %v", why, r, time.Duration(next-shows))
		d.says(got, "RateLimit", l, fmt.Sprintf("r=%d", r), why)
		d.says(got, "RateLimit", l, "t="+seconds(next-shows), why)
	}
}

// says expects a parameter of a limit's item in a List (RFC 9651), or "no" parameter. No text in it has a comma or a semicolon.
func (d *desk) says(got result, field string, l ratelimit.Limit, want, why string) {
	d.Helper()
	list, found := strings.ReplaceAll(strings.Join(got.header.Values(field), ","), " ", ""), [][]string{}
	for item := range strings.SplitSeq(list, ",") {
		if parts := strings.Split(item, ";"); parts[0] == strconv.Quote(l.Name) {
			found = append(found, parts)
		}
	}
	step.Expect(d, len(found) == 1, "%s. %s should have one item for the limit %q. It is %q.", why, field, l.Name, list)
	none, absent := strings.CutPrefix(want, "no ")
	right := func(part string) bool { return part == want || absent && strings.HasPrefix(part, none+"=") }
	holds := slices.ContainsFunc(found[0], right) != absent
	step.Expect(d, holds, "%s. %s should say %s of the limit %q, which is %d in %v. It is %s.", why, field, want, l.Name, l.N, l.Per, list)
}

// seconds rounds up.
func seconds(ns int64) string {
	return strconv.FormatInt((ns+int64(time.Second)-1)/int64(time.Second), 10)
}

// The client is found behind as many trusted proxies as configured, whatever it claims about itself.
func TestClient(t *testing.T) {
	for _, tt := range []struct {
		why          string
		hops         int
		remote, want string
		forwarded    []string
	}{
		{"nobody is between", 0, "192.0.2.1:5", "192.0.2.1/32", nil},
		{"nobody is between, whatever the client writes", 0, "192.0.2.1:5", "192.0.2.1/32", []string{"203.0.113.9"}},
		{"one proxy has appended whom it saw", 1, "10.0.0.1:5", "203.0.113.9/32", []string{"203.0.113.9"}},
		{"the client wrote an address, and one proxy has appended", 1, "10.0.0.1:5", "203.0.113.9/32", []string{"198.51.100.1, 203.0.113.9"}},
		{"each has a line of its own", 2, "10.0.0.1:5", "203.0.113.9/32", []string{"2.2.2.2", "203.0.113.9", "10.0.0.2"}},
		{"it came through one proxy and not two", 2, "10.0.0.1:5", "203.0.113.9/32", []string{"203.0.113.9"}},
		{"it came through none of three proxies", 3, "192.0.2.1:5", "192.0.2.1/32", nil},
		{"there are spaces and tabs around it", 2, "10.0.0.1:5", "203.0.113.9/32", []string{"1.1.1.1 , \t203.0.113.9\t ,10.0.0.2 "}},
		{"empty elements do not count", 2, "10.0.0.1:5", "203.0.113.9/32", []string{"", "203.0.113.9,, 10.0.0.2, ,", ""}},
		{"the element has a port", 1, "10.0.0.1:5", "203.0.113.9/32", []string{"203.0.113.9:4711"}},
		{"the element is IPv6 and has a port", 1, "10.0.0.1:5", "2001:db8:1:2::/64", []string{"[2001:db8:1:2::9]:4711"}},
		{"all of a /64 are one client", 0, "[2001:db8:1:2:aaaa:bbbb:cccc:dddd]:5", "2001:db8:1:2::/64", nil},
		{"the next /64 is another client", 0, "[2001:db8:1:3:aaaa:bbbb:cccc:dddd]:5", "2001:db8:1:3::/64", nil},
		{"it is IPv4 written as IPv6", 1, "10.0.0.1:5", "203.0.113.9/32", []string{"::ffff:203.0.113.9"}},
		{"the element is no address, and RemoteAddr comes after it", 1, "10.0.0.1:5", "10.0.0.1/32", []string{"203.0.113.9, unknown"}},
		{"the element is no address, and the one after it is", 2, "10.0.0.1:5", "10.0.0.2/32", []string{"203.0.113.9, unknown, 10.0.0.2"}},
		{"it is IPv4 written as IPv6, with a port", 1, "10.0.0.1:5", "203.0.113.9/32", []string{"[::ffff:203.0.113.9]:4711"}},
		{"RemoteAddr is IPv4 written as IPv6", 0, "[::ffff:192.0.2.1]:5", "192.0.2.1/32", nil},
		{"it came over a Unix socket", 0, "@", "invalid Prefix", []string{"203.0.113.9"}},
		{"the element is no address, and neither is RemoteAddr", 1, "@", "invalid Prefix", []string{"203.0.113.9, unknown"}},
		{"RemoteAddr is empty and has its place", 1, "", "203.0.113.9/32", []string{"2.2.2.2, 203.0.113.9"}},
	} {
		step.Bubble(t, func(t *step.T) {
			r := from(tt.remote, tt.forwarded...)
			r.Header["X-Real-Ip"], r.Header["Forwarded"] = []string{"8.8.8.8"}, []string{"for=8.8.8.8"}
			step.Equal(t, tt.want, ratelimit.Client(r, tt.hops).String(), "Hops are %d, RemoteAddr is %s, X-Forwarded-For is %q. "+
				"Since %s, the client is:", tt.hops, tt.remote, tt.forwarded, tt.why)
			d := open(t, 9, limit(1, time.Second, 1))
			get(d.Limiter, ratelimit.HTTP{Hops: tt.hops}, r)
			d.pass(tt.want, 0, 1)
			d.ask(tt.want, 1, "A request has counted for its client")
		})
	}
}

// Servers that share a store with nothing but compare-and-swap let through together what one alone would.
func TestFurtherServers(t *testing.T) {
	two, slow := rule{limit(1, tick, 2)}, limit(1, 4*tick, 2)
	step.Bubble(t, func(t *step.T) {
		d := share(t, limit(2, time.Second, 6), limit(3, time.Second, 5), limit(7, 10*time.Second, 8))
		d.ask("ann", 4, "The store is empty")
		d.ask("ann", 1, "4 of 5 were had")
		before := d.store.swaps
		for range 4 {
			d.ask("ann", 4, "All 5 were had")
		}
		step.Equal(t, before, d.store.swaps, "What is refused costs nothing, and nothing is written for it. Compare-and-swaps:")
		d.ask("ben", 5, "Another key has had nothing")
		for n := range 50 {
			d.onTime(1+n%3, "It asks at the very nanosecond")
		}
		for _, wrong := range []int{0, -1, 6} {
			wait, err := d.allow("ann", wrong)
			step.Equal(t, answer{0, ratelimit.ErrSize}, answer{wait, err}, "Of a burst of 5 nobody can have %d. What Allow returns:", wrong)
		}
	})
	for _, times := range []int{1, 20} {
		step.Bubble(t, func(t *step.T) {
			d := share(t, limit(1, time.Second, 10+times))
			d.store.sooner, d.store.other = times, func() { d.ask("ann", 1, "Another server is quicker") }
			wait, err := d.allow("ann", 10)
			step.Equal(t, answer{0, nil}, answer{wait, err}, "Other servers are quicker, %d times, and leave 10. What Allow returns for 10:", times)
			d.pass("ann", 0, 10)
			d.ask("ann", 1, "Other servers were quicker and left 10, which were had")
		})
	}
	step.Bubble(t, func(t *step.T) {
		d, other := share(t, limit(1, time.Second, 3)), &clock{}
		d.sleep(time.Minute)
		d.ask("ann", 2, "The store is empty")
		behind := ratelimit.Shared{Limits: d.limits, Store: d.store, Now: other.now}
		for _, want := range []time.Duration{0, 61 * time.Second} {
			wait, err := behind.Allow("ann", 1)
			step.Equal(t, answer{want, nil}, answer{wait, err}, "A server's clock shows a minute less than another one's. "+
				"One of 3 is left, and the next one comes back a second later. It says:")
		}
		d.pass("ann", d.latest, 1)
		d.onTime(1, "A server whose clock is behind had the last")
	})
	explore(t, 200, func(t *step.T, m meeting) *desk { return share(t, m.limits...) },
		meeting{"Two servers, and 2 and 1 are asked for", 0, 0, 0, two, calls{{ask("ann", 2)}, {ask("ann", 1)}}},
		meeting{"Two servers, and time passes", 0, 2, 2, two, calls{{ask("ann", 1)}, {ask("ann", 1)}}},
		meeting{"One is left, time passes, and 2 and 1 are asked for", 0, 1, 1, rule{slow}, calls{{ask("ann", 2)}, {ask("ann", 1)}}},
		meeting{"One of 3 limits refuses 2", 0, 1, 0, rule{limit(1, tick, 3), slow, limit(2, tick, 3)}, calls{{ask("ann", 2)}, {ask("ann", 1)}}},
		meeting{"Three servers, and two are there", 0, 0, 0, two, calls{{ask("ann", 1)}, {ask("ann", 1)}, {ask("ann", 1)}}},
		meeting{"Two servers and two keys", 0, 0, 0, two, calls{{ask("ann", 2), ask("ann", 1)}, {ask("ben", 2)}}},
	)
}
