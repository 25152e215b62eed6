package loadgen

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// A Pattern is how the rate of requests changes over time: one phase after the
// other. Join patterns with [slices.Concat].
type Pattern []Phase

// A Phase is a while in which the rate changes in a straight line, or not at
// all. Rates are in requests a second, finite and not negative; For is not
// negative.
type Phase struct {
	From, To float64
	For      time.Duration
}

// Steady is the same rate all the time.
func Steady(rate float64, length time.Duration) Pattern {
	return Pattern{{rate, rate, length}}
}

// Ramp is a rate that rises or falls in a straight line.
func Ramp(from, to float64, length time.Duration) Pattern {
	return Pattern{{from, to, length}}
}

// Spike is a rate that jumps to its peak and back.
func Spike(base, peak float64, before, during, after time.Duration) Pattern {
	return slices.Concat(Steady(base, before), Steady(peak, during), Steady(base, after))
}

// Length returns how long the pattern lasts.
func (p Pattern) Length() time.Duration {
	var length time.Duration
	for _, phase := range p {
		length += phase.For
	}
	return length
}

// Even returns arrivals with even gaps, the first at once: 1/rate at a steady
// rate. It panics if a phase makes no sense, as Poisson does.
func (p Pattern) Even() iter.Seq[time.Duration] {
	p.check()
	return func(yield func(time.Duration) bool) {
		first := true
		p.walk(yield, func() float64 {
			if first {
				first = false
				return 0
			}
			return 1
		})
	}
}

// Poisson returns arrivals of a Poisson process: users who know nothing of
// each other. The same seed gives the same arrivals, also when they are ranged
// over again.
func (p Pattern) Poisson(seed uint64) iter.Seq[time.Duration] {
	p.check()
	return func(yield func(time.Duration) bool) {
		r := rand.New(rand.NewPCG(seed, 0))
		p.walk(yield, r.ExpFloat64)
	}
}

func (p Pattern) check() {
	for i, phase := range p {
		for _, rate := range []float64{phase.From, phase.To} {
			if !(rate >= 0) || math.IsInf(rate, 1) { // the negation is true for NaN
				panic(fmt.Sprintf("loadgen: phase %d of the pattern has the rate %v; want a finite one that is not negative", i+1, rate))
			}
		}
		if phase.For < 0 {
			panic(fmt.Sprintf("loadgen: phase %d of the pattern lasts %v", i+1, phase.For))
		}
	}
}

// walk yields an arrival after each gap. A gap is measured in requests, as a
// rate of 1 would space them: where the rate is high, little time holds many.
// That turns a process of rate 1 into one of any rate (Çinlar, Introduction to
// Stochastic Processes, 1975).
func (p Pattern) walk(yield func(time.Duration) bool, gap func() float64) {
	next := gap() // requests from the start of the phase to the arrival
	var start time.Duration
	for _, phase := range p {
		seconds := phase.For.Seconds()
		all := (phase.From + phase.To) / 2 * seconds
		for next < all {
			at := start + time.Duration(phase.when(next, seconds)*float64(time.Second))
			if !yield(min(at, start+phase.For)) {
				return
			}
			next += gap()
		}
		next -= all
		start += phase.For
	}
}

// when returns after how many seconds of the phase so many requests have come:
// the root of From·t + (To-From)/(2·seconds)·t² = requests, in the form that
// neither cancels nor divides by a slope of 0.
func (phase Phase) when(requests, seconds float64) float64 {
	if requests == 0 {
		return 0
	}
	slope := (phase.To - phase.From) / seconds
	return 2 * requests / (phase.From + math.Sqrt(max(0, phase.From*phase.From+2*slope*requests)))
}
