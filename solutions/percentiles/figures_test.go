//go:build solutions

package percentiles_test

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
	"github.com/backend-kata/dojo/solutions/percentiles"
)

// The figures and numbers of docs/percentiles.md come from here:
//
//	go test -tags solutions -v ./solutions/percentiles            # prints the numbers, checks the figures
//	go test -tags solutions ./solutions/percentiles -args -update # draws the figures
var update = flag.Bool("update", false, "write docs/figures/percentiles-*")

// A stall of 5 s in 100 s at 100 requests a second is measured in three ways.
func TestFigureStall(t *testing.T) {
	const n, interval = 10_000, 10 * time.Millisecond
	sent, corrected, due := percentiles.NewHistogram(), percentiles.NewHistogram(), percentiles.NewHistogram()
	bubble.Run(t, func(t *testing.T) {
		call, began := stallingServer(), time.Now()
		for time.Since(began) < n*interval {
			start := time.Now()
			call()
			took := time.Since(start)
			must(t, sent.Record(took))
			must(t, corrected.RecordCorrected(took, interval))
			time.Sleep(interval - time.Since(began)%interval)
		}
	})
	bubble.Run(t, func(t *testing.T) {
		must(t, percentiles.Pace(due, n, interval, stallingServer()))
	})

	lines := []line{
		{name: "from the send", class: "a", at: 6, of: sent},
		{name: "from when it was due", class: "b", at: 1800, of: due},
		{name: "from the send, corrected", class: "c", at: 700, of: corrected},
	}
	rows := [][]string{{"quantile", "from_the_send_ms", "corrected_ms", "from_when_due_ms"}}
	for i := 0; i <= 160; i++ {
		q := 1 - math.Pow(10, -float64(i)/40) // four nines, forty points for each
		row := []string{fmt.Sprintf("%.6f", q)}
		for _, h := range []*percentiles.Histogram{sent, corrected, due} {
			row = append(row, fmt.Sprintf("%.3f", milliseconds(h, q)))
		}
		rows = append(rows, row)
	}
	for _, q := range []float64{0.5, 0.9, 0.95, 0.99, 0.999, 1} {
		t.Logf("quantile %-5v  from the send %8.1f ms   corrected %8.1f ms   from when due %8.1f ms", q,
			milliseconds(sent, q), milliseconds(corrected, q), milliseconds(due, q))
	}
	t.Logf("values: from the send %d, corrected %d, from when due %d", sent.Count(), corrected.Count(), due.Count())
	current(t, "percentiles-stall", rows, stallChart(lines))
}

// stallingServer answers in 1 ms to a few, and stands still from second 30 to second 35.
func stallingServer() func() {
	r, began := rand.New(rand.NewPCG(1, 35)), time.Now()
	return func() {
		if at := time.Since(began); at >= 30*time.Second && at < 35*time.Second {
			time.Sleep(35*time.Second - at)
		}
		time.Sleep(time.Duration(float64(time.Millisecond) * math.Exp(0.25*r.NormFloat64())))
	}
}

// How likely a page meets a slow call, by how many calls it makes.
func TestFigureFanOut(t *testing.T) {
	rows := [][]string{{"calls", "p99", "p999"}}
	for calls := 1; calls <= 200; calls++ {
		rows = append(rows, []string{
			fmt.Sprint(calls),
			fmt.Sprintf("%.4f", percentiles.SlowChance(0.99, calls)),
			fmt.Sprintf("%.4f", percentiles.SlowChance(0.999, calls)),
		})
	}
	t.Logf("a page of 100 calls meets a p99 in %.1f %%, a p99.9 in %.1f %% of all cases",
		100*percentiles.SlowChance(0.99, 100), 100*percentiles.SlowChance(0.999, 100))
	current(t, "percentiles-fanout", rows, fanOutChart())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func milliseconds(h *percentiles.Histogram, q float64) float64 {
	d, err := h.Quantile(q)
	if err != nil {
		panic(err)
	}
	return d.Seconds() * 1000
}

// current checks that a figure's files are what they would be now, or writes them.
func current(t *testing.T, name string, rows [][]string, svg string) {
	t.Helper()
	var table bytes.Buffer
	for _, row := range rows {
		fmt.Fprintln(&table, strings.Join(row, ","))
	}
	for ext, want := range map[string]string{".csv": table.String(), ".svg": svg} {
		path := filepath.Join("..", "..", "docs", "figures", name+ext)
		if *update {
			must(t, os.WriteFile(path, []byte(want), 0o644))
			continue
		}
		got, err := os.ReadFile(path)
		must(t, err)
		if strings.ReplaceAll(string(got), "\r\n", "\n") != want {
			t.Errorf("%s is not current: go test -tags solutions ./solutions/percentiles -args -update", path)
		}
	}
}

// A line of the first chart, with its name at the height, in milliseconds, where there is room.
type line struct {
	name, class string
	at          float64
	of          *percentiles.Histogram
}

const (
	width, height            = 440, 360
	left, right, top, bottom = 62, 14, 62, 52
)

// The colours are those of Okabe and Ito, of which each pair can be told apart without colour vision; the lines differ in
// their dashes too.
const style = `<style>
text{font:14px system-ui,sans-serif;fill:#24292f}.t{font-weight:600;font-size:15px}.s{font-size:13px;fill:#57606a}
.g{stroke:#d0d7de;stroke-width:1}path{fill:none;stroke-width:2.5}
.a path{stroke:#c04d00}.a text{fill:#b34700;font-weight:600}.b path{stroke:#0072b2}.b text{fill:#0068a3;font-weight:600}
.c path{stroke:#007a58;stroke-dasharray:6 4}.c text{fill:#00704f;font-weight:600}
rect{fill:#fff}
@media(prefers-color-scheme:dark){rect{fill:#0d1117}text{fill:#e6edf3}.s{fill:#9198a1}.g{stroke:#30363d}
.a path{stroke:#e69f00}.a text{fill:#e69f00}.b path{stroke:#56b4e9}.b text{fill:#56b4e9}.c path{stroke:#2fc79a}.c text{fill:#2fc79a}}
</style>
`

// A chart maps values to the place on the paper.
type chart struct {
	out  strings.Builder
	x, y func(float64) float64
}

func newChart(title, subtitle, xLabel, alt string, x, y func(float64) float64) *chart {
	c := &chart{
		x: func(v float64) float64 { return left + x(v)*(width-left-right) },
		y: func(v float64) float64 { return height - bottom - y(v)*(height-top-bottom) },
	}
	fmt.Fprintf(&c.out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">`+"\n", width, height, alt)
	fmt.Fprint(&c.out, style)
	fmt.Fprintf(&c.out, "<rect width=\"%d\" height=\"%d\"/>\n", width, height)
	fmt.Fprintf(&c.out, "<text class=\"t\" x=\"12\" y=\"22\">%s</text>\n<text class=\"s\" x=\"12\" y=\"42\">%s</text>\n", title, subtitle)
	fmt.Fprintf(&c.out, "<text class=\"s\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", (left+width-right)/2, height-10, xLabel)
	return c
}

func (c *chart) xTick(v float64, label string) {
	x := c.x(v)
	fmt.Fprintf(&c.out, "<line class=\"g\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>\n", x, x, top, height-bottom)
	anchor := "middle"
	if x > width-right-20 {
		anchor = "end"
		x = width - right + 8
	}
	fmt.Fprintf(&c.out, "<text class=\"s\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">%s</text>\n", x, height-bottom+18, anchor, label)
}

func (c *chart) yTick(v float64, label string) {
	y := c.y(v)
	fmt.Fprintf(&c.out, "<line class=\"g\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>\n", left, width-right, y, y)
	fmt.Fprintf(&c.out, "<text class=\"s\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", left-7, y+4, label)
}

// plot draws a line of points and its name.
func (c *chart) plot(class, name string, atX, atY float64, anchor string, points [][2]float64) {
	fmt.Fprintf(&c.out, "<g class=\"%s\"><path d=\"", class)
	for i, p := range points {
		fmt.Fprintf(&c.out, "%c%.1f %.1f", "ML"[min(i, 1)], c.x(p[0]), c.y(p[1]))
	}
	fmt.Fprintf(&c.out, "\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text></g>\n", atX, atY, anchor, name)
}

func (c *chart) String() string { return c.out.String() + "</svg>\n" }

func stallChart(lines []line) string {
	nines := func(q float64) float64 { return -math.Log10(1-q) / 4 } // 0 to four nines
	c := newChart("A stall of 5 s in 100 s, measured in three ways", "latency; 100 requests a second, 1 ms each", "percentile",
		"Latency by percentile. Measured from the send, p99 is below 2 ms; measured from when the request was due, p99 is 4 s.",
		nines, func(ms float64) float64 { return math.Log10(ms/0.5) / math.Log10(20_000) })
	for _, tick := range []struct {
		q     float64
		label string
	}{{0, "p0"}, {0.9, "p90"}, {0.99, "p99"}, {0.999, "p99.9"}, {0.9999, "p99.99"}} {
		c.xTick(tick.q, tick.label)
	}
	for _, tick := range []struct {
		ms    float64
		label string
	}{{1, "1 ms"}, {10, "10 ms"}, {100, "100 ms"}, {1000, "1 s"}, {10_000, "10 s"}} {
		c.yTick(tick.ms, tick.label)
	}
	for _, l := range lines {
		var points [][2]float64
		for i := 0; i <= 400; i++ {
			q := 1 - math.Pow(10, -float64(i)/100)
			points = append(points, [2]float64{q, milliseconds(l.of, q)})
		}
		c.plot(l.class, l.name, width-right-8, c.y(l.at), "end", points)
	}
	return c.String()
}

func fanOutChart() string {
	c := newChart("How many pages meet a slow call", "share of pages with at least one call beyond the percentile", "calls that the page makes",
		"Share of pages with a slow call by calls of the page: with the p99, 63 percent of pages of 100 calls.",
		func(calls float64) float64 { return calls / 200 }, func(share float64) float64 { return share })
	for calls := 0.0; calls <= 200; calls += 50 {
		c.xTick(calls, fmt.Sprint(calls))
	}
	for share := 0; share <= 100; share += 25 {
		c.yTick(float64(share)/100, fmt.Sprintf("%d %%", share))
	}
	for _, l := range []struct {
		class, name string
		q           float64
		x, y        float64 // of the name
	}{{"a", "p99: 63 % at 100 calls", 0.99, 104, 0.58}, {"b", "p99.9: 10 % at 100 calls", 0.999, 70, 0.17}} {
		var points [][2]float64
		for calls := 0; calls <= 200; calls += 2 {
			points = append(points, [2]float64{float64(calls), percentiles.SlowChance(l.q, calls)})
		}
		c.plot(l.class, l.name, c.x(l.x), c.y(l.y), "start", points)
	}
	return c.String()
}
