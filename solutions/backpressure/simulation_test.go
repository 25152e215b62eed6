//go:build solutions

package backpressure_test

import (
	"context"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/solutions/backpressure"
)

// The answer page's table: one worker does 10 jobs a second, and 11 a second
// come in, for an hour.
func TestAnHourAtElevenTenths(t *testing.T) {
	tests := []struct {
		capacity int
		want     outcome
	}{
		{1 << 30, outcome{refused: 0, left: 3601, longest: 360 * time.Second}},
		{1000, outcome{refused: 2601, left: 1000, longest: 100 * time.Second}},
		{20, outcome{refused: 3581, left: 20, longest: 2 * time.Second}},
	}
	for _, test := range tests {
		got := hour(t, test.capacity)
		if got != test.want {
			t.Errorf("a capacity of %d: got %+v, and docs/backpressure.md says %+v", test.capacity, got, test.want)
		}
	}
}

type outcome struct {
	refused int
	left    int           // jobs accepted and not handled when the hour is over
	longest time.Duration // that a job waited, in whole tenths of a second
}

func hour(t *testing.T, capacity int) (o outcome) {
	bubble.Run(t, func(t *testing.T) {
		const service, hour = 100 * time.Millisecond, time.Hour
		q, err := backpressure.New(backpressure.Config[time.Time]{Workers: 1, Capacity: capacity, Handle: func(_ context.Context, came time.Time) {
			o.longest = max(o.longest, time.Since(came).Round(service))
			time.Sleep(service)
		}})
		if err != nil {
			t.Fatal(err)
		}
		start, accepted := time.Now(), 0
		for time.Since(start) < hour {
			if q.TrySubmit(time.Now()) == nil {
				accepted++
			} else {
				o.refused++
			}
			time.Sleep(time.Second / 11)
		}
		o.left = accepted - int(hour/service) // what came, less what one busy worker handles
		if err := q.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	return o
}
