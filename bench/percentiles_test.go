//go:build solutions

// The histogram of the kata percentiles beside two well-kept libraries, on the same data:
//
//	make bench
//
// or, in this folder, GOWORK=off go test -tags solutions -run '^$' -bench . -benchmem ./...
package bench_test

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/backend-kata/dojo/solutions/percentiles"
)

// A sketch is what is compared.
type sketch interface {
	record(d time.Duration)
	quantile(q float64) time.Duration
	marshal() []byte
}

type dojo struct{ h *percentiles.Histogram }

func (s dojo) record(d time.Duration) { check(s.h.Record(d)) }

func (s dojo) quantile(q float64) time.Duration {
	d, err := s.h.Quantile(q)
	check(err)
	return d
}

func (s dojo) marshal() []byte {
	data, err := s.h.MarshalBinary()
	check(err)
	return data
}

type hdr struct{ h *hdrhistogram.Histogram }

func (s hdr) record(d time.Duration) { check(s.h.RecordValue(int64(d))) }

func (s hdr) quantile(q float64) time.Duration { return time.Duration(s.h.ValueAtPercentile(100 * q)) }

func (s hdr) marshal() []byte {
	data, err := s.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	check(err)
	return data
}

type dd struct{ s *ddsketch.DDSketch }

func (s dd) record(d time.Duration) { check(s.s.Add(float64(d))) }

func (s dd) quantile(q float64) time.Duration {
	v, err := s.s.GetValueAtQuantile(q)
	check(err)
	return time.Duration(v)
}

func (s dd) marshal() []byte {
	var data []byte
	s.s.Encode(&data, false)
	return data
}

// Neither library locks, and the kata's histogram does, so each is also measured behind a mutex.
type locked struct {
	mu sync.Mutex
	sketch
}

func (l *locked) record(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sketch.record(d)
}

var sketches = []struct {
	name string
	make func() sketch
}{
	{"dojo", func() sketch { return dojo{percentiles.NewHistogram()} }},
	{"HdrHistogram", newHDR},
	{"HdrHistogram+mutex", func() sketch { return &locked{sketch: newHDR()} }},
	{"DDSketch", newDD},
	{"DDSketch+mutex", func() sketch { return &locked{sketch: newDD()} }},
}

// newHDR covers 1 ns to 1 h with two significant digits, which is 1 %: a lowest value of 1 µs would count in steps of 512 ns.
func newHDR() sketch { return hdr{hdrhistogram.New(1, int64(time.Hour), 2)} }

func newDD() sketch {
	s, err := ddsketch.NewDefaultDDSketch(0.01)
	check(err)
	return dd{s}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// latencies are spread evenly over the orders of magnitude from 1 µs to 1 h.
var latencies = func() []time.Duration {
	r := rand.New(rand.NewPCG(35, 35))
	values := make([]time.Duration, 1<<16)
	for i := range values {
		values[i] = time.Duration(float64(time.Microsecond) * math.Pow(3.6e9, r.Float64()))
	}
	return values
}()

// BenchmarkRecord is the time to record one latency.
func BenchmarkRecord(b *testing.B) {
	for _, kind := range sketches {
		b.Run(kind.name, func(b *testing.B) {
			s, i := full(kind.make), 0
			b.ReportAllocs()
			for b.Loop() {
				s.record(latencies[i%len(latencies)])
				i++
			}
		})
	}
}

// BenchmarkRecordParallel is the same from all processors at once, for those that allow it.
func BenchmarkRecordParallel(b *testing.B) {
	for _, kind := range sketches {
		s := full(kind.make)
		switch s.(type) {
		case hdr, dd:
			continue
		}
		b.Run(kind.name, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					s.record(latencies[i%len(latencies)])
				}
			})
		})
	}
}

// BenchmarkQuantile is the time to ask for the p99.
func BenchmarkQuantile(b *testing.B) {
	for _, kind := range sketches {
		b.Run(kind.name, func(b *testing.B) {
			s := full(kind.make)
			for b.Loop() {
				s.quantile(0.99)
			}
		})
	}
}

// BenchmarkState is what a histogram of 65,536 latencies takes up in memory and on the wire, and the largest error of
// its quantiles 0.002 to 1. The time says nothing.
func BenchmarkState(b *testing.B) {
	sorted := slices.Sorted(slices.Values(latencies))
	for _, kind := range sketches {
		b.Run(kind.name, func(b *testing.B) {
			var s sketch
			var memory float64
			for b.Loop() {
				before := heap()
				s = full(kind.make)
				memory = heap() - before
			}
			worst := 0.0
			for i := 1; i <= 500; i++ {
				q := float64(i) / 500
				right, err := percentiles.Quantile(sorted, q)
				check(err)
				worst = max(worst, math.Abs(float64(s.quantile(q)-right))/float64(right))
			}
			b.ReportMetric(memory, "B-in-memory")
			b.ReportMetric(float64(len(s.marshal())), "B-marshalled")
			b.ReportMetric(100*worst, "%-error")
		})
	}
}

func full(empty func() sketch) sketch {
	s := empty()
	for _, d := range latencies {
		s.record(d)
	}
	return s
}

func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
