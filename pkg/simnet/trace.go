package simnet

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// How much the trace remembers: the connections that are over, and what happened
// on each.
const (
	keptWires  = 1000
	keptEvents = 1000
)

// An event is a line of the trace.
type event struct {
	at      time.Duration
	side    int // of the wire: who did it
	text    string
	written *written // then it is the text
	data    bool     // likewise, in a record
}

// wire starts the record of a dial.
func (n *Network) wire(dialler *Host, to target) *wire {
	from := dialler.name
	w := &wire{net: n, dialler: dialler, link: n.link(from, to.name), back: n.link(to.name, from), to: to, began: n.now(), dropped: -1}
	w.news.L = &w.mu
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.wires == nil {
		n.wires = map[*wire]struct{}{}
	}
	n.wires[w] = struct{}{}
	return w
}

// finish keeps a wire for the trace only.
func (n *Network) finish(w *wire) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, ok := n.wires[w]; !ok {
		return // a crash has finished it
	}
	delete(n.wires, w)
	n.finished = append(n.finished, w)
	if len(n.finished) > keptWires {
		old := n.finished[0]
		n.finished = slices.Delete(n.finished, 0, 1)
		if len(old.events) > 0 { // nobody writes to it any more
			n.gone = max(n.gone, old.events[len(old.events)-1].at+1)
		}
	}
}

// tell notes an event of the dial.
func (w *wire) tell(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note(event{at: w.net.now(), text: text})
}

// note keeps an event. The wire is locked.
func (w *wire) note(e event) {
	if len(w.events) == keptEvents {
		w.dropped = w.events[0].at
		w.events = slices.Delete(w.events, 0, 1)
	}
	w.events = append(w.events, e)
}

// A written is what one Write sent, which is one line however many packets it
// takes. The lock of the wire guards it.
type written struct {
	line           string
	bytes          int // of the Write
	sent, packets  int // of it, until now
	resent         int // packets that were lost
	lost           int // how often, all in all
	late           time.Duration
	swallowed      int // packets
	reset          bool
	earliest, last time.Duration // arrivals
}

// add counts a packet.
func (s *written) add(size int, f fate, arrives time.Duration) {
	s.sent += size
	s.packets++
	if f.lost > 0 {
		s.resent++
		s.lost += f.lost
		s.late = f.late
	}
	switch {
	case arrives == never:
		s.swallowed++
	case s.packets == 1:
		s.earliest, s.last = arrives, arrives
	default:
		s.last = arrives
	}
}

// String says what was sent, and how it fares.
func (s *written) String() string {
	var b strings.Builder
	if s.line != "" {
		b.WriteString(s.line + " · ")
	}
	fmt.Fprintf(&b, "%d B", s.bytes)
	if s.packets > 1 {
		fmt.Fprintf(&b, " in %d packets", s.packets)
	}
	if s.sent < s.bytes && !s.reset {
		fmt.Fprintf(&b, ", %d B of it until now", s.sent)
	}
	switch {
	case s.lost > 0 && s.packets == 1:
		fmt.Fprintf(&b, ", lost %s, sent again after %v", times(s.lost), s.late)
	case s.lost > 0:
		fmt.Fprintf(&b, ", %d lost and sent again", s.resent)
	}
	switch {
	case s.reset:
		b.WriteString(", is answered by a reset")
	case s.swallowed == s.packets:
		b.WriteString(", is swallowed")
	case s.swallowed > 0:
		fmt.Fprintf(&b, ", %d swallowed", s.swallowed)
	case s.earliest == s.last:
		fmt.Fprintf(&b, ", arrives at %v", s.last)
	default:
		fmt.Fprintf(&b, ", arrives from %v to %v", s.earliest, s.last)
	}
	return b.String()
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// firstLine returns the first line of a text, or nothing if it is none.
func firstLine(b []byte) string {
	const longest = 60
	line, _, _ := strings.Cut(string(b[:min(len(b), longest+1)]), "\n")
	line = strings.TrimSuffix(line, "\r")
	for _, r := range line {
		if r < ' ' || r > '~' {
			return ""
		}
	}
	if len(line) > longest {
		line = line[:longest] + "…"
	}
	return line
}

// OpenConns returns the connections of which at least one end is not closed, like
// "shop:49152 → prices:80", in order. Idle ones of an [http.Client] are among
// them until its CloseIdleConnections has been called and the goodbye has arrived.
func (n *Network) OpenConns() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var open []string
	for w := range n.wires {
		w.mu.Lock()
		if c := w.ends[0]; c != nil {
			open = append(open, fmt.Sprintf("%v → %v", c.local, c.remote))
		}
		w.mu.Unlock()
	}
	slices.Sort(open)
	return open
}

// Trace returns what passed until now, a line each: when, between whom, and what.
// Connections between two addresses are numbered in the order of their dials.
// Equal runs in a bubble have equal traces. It remembers the last 1,000
// connections that are over, and the last 1,000 lines of each.
func (n *Network) Trace() string {
	var b strings.Builder
	lines, from := n.lines()
	if from > 0 {
		fmt.Fprintf(&b, "what happened before %v is forgotten\n", from)
	}
	when, where := 0, 0
	for _, l := range lines {
		when, where = max(when, len(l.at.String())), max(where, len([]rune(l.where)))
	}
	for _, l := range lines {
		fmt.Fprintf(&b, "%*v  %-*s  %s\n", when, l.at, where, l.where, l.text)
	}
	return b.String()
}

// An Event is a line of the trace, for a test that tells a story of its own.
type Event struct {
	At         time.Time
	Host, Peer string // the names of who did it, and to whom; both are "" if the test did it to the network
	Text       string // as the trace has it
	Data       bool   // whether it is data that were sent
}

// Events returns what [Network.Trace] tells.
func (n *Network) Events() []Event {
	var events []Event
	lines, _ := n.lines()
	for _, l := range lines {
		events = append(events, Event{n.start.Add(l.at), l.host, l.peer, l.text, l.data})
	}
	return events
}

// A line is an event with its place.
type line struct {
	event

	where      string
	host, peer string
	wire       int // its rank; below 0 what is on none
	seq        int // on the wire
}

// lines returns the events in an order that does not depend on which goroutine
// ran first, and from when on they are complete.
func (n *Network) lines() ([]line, time.Duration) {
	now, ok := n.clock()
	if !ok { // the bubble is over, and so is all that was to come
		now = never
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	from := n.gone
	var lines []line
	for i, e := range n.changes {
		lines = append(lines, line{event: e, where: "network", wire: -2, seq: i})
	}
	for _, l := range n.lookups {
		lines = append(lines, line{event: l.event, where: l.where, wire: -1})
	}
	for rank, r := range n.records() {
		from = max(from, r.dropped+1)
		for i, e := range r.events {
			lines = append(lines, line{event: e, where: r.where(e.side), host: r.hosts[e.side], peer: r.hosts[1-e.side], wire: rank, seq: i})
		}
	}
	lines = slices.DeleteFunc(lines, func(l line) bool { return l.at < from || l.at > now })
	slices.SortFunc(lines, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.wire, b.wire), cmp.Compare(a.seq, b.seq),
			cmp.Compare(a.where, b.where), cmp.Compare(a.text, b.text))
	})
	return lines, from
}

// A record is what happened on a wire.
type record struct {
	from, to string
	hosts    [2]string // the names, of side 0 and 1
	number   int
	began    time.Duration
	dropped  time.Duration
	events   []event
	story    string
}

func (r record) where(side int) string {
	if side == 0 {
		return fmt.Sprintf("%s → %s #%d", r.from, r.to, r.number)
	}
	return fmt.Sprintf("%s → %s #%d", r.to, r.from, r.number)
}

// records returns the wires in the order of their dials. Where that is the same
// the story of each decides, and wires of one story can change places.
func (n *Network) records() []record {
	var records []record
	for w := range n.wires {
		records = append(records, w.record())
	}
	for _, w := range n.finished {
		records = append(records, w.record())
	}
	slices.SortFunc(records, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.began, b.began), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to), cmp.Compare(a.story, b.story))
	})
	numbers := map[[2]string]int{}
	for i := range records {
		r := &records[i]
		numbers[[2]string{r.from, r.to}]++
		r.number = numbers[[2]string{r.from, r.to}]
	}
	return records
}

func (w *wire) record() record {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := record{from: w.link.from, to: w.to.String(), hosts: [2]string{w.link.from, w.to.name}, began: w.began, dropped: w.dropped, events: slices.Clone(w.events)}
	for i, e := range r.events {
		if e.written != nil {
			r.events[i] = event{at: e.at, side: e.side, text: e.written.String(), data: true}
		}
	}
	// Where both ways take time, what the two ends do in one instant is not cause
	// and effect, and either may have come first.
	duplex := w.link.load().Latency > 0 && w.back.load().Latency > 0
	slices.SortStableFunc(r.events, func(a, b event) int {
		order := cmp.Compare(a.at, b.at)
		if order == 0 && duplex {
			order = cmp.Compare(a.side, b.side)
		}
		return order
	})
	r.story = fmt.Sprint(r.events)
	return r
}
