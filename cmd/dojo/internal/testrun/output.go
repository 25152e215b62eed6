package testrun

import (
	"bytes"
	"fmt"
)

// kept is how much of a step's output is kept from its start, and as much
// again from its end.
const kept = 128 << 10

// output keeps the head and the tail of what a step printed.
type output struct {
	head, tail []byte
	total      int64
}

func (o *output) write(p []byte) {
	o.total += int64(len(p))
	if room := kept - len(o.head); room > 0 {
		n := min(room, len(p))
		o.head = append(o.head, p[:n]...)
		p = p[n:]
	}
	o.tail = append(o.tail, p...)
	if len(o.tail) > 4*kept {
		o.tail = append(o.tail[:0], o.tail[len(o.tail)-kept:]...)
	}
}

func (o *output) String() string {
	tail := o.tail[max(0, len(o.tail)-kept):]
	left := o.total - int64(len(o.head)) - int64(len(tail))
	if left == 0 {
		return string(o.head) + string(tail)
	}
	if i := bytes.IndexByte(tail, '\n'); i >= 0 {
		left += int64(i + 1)
		tail = tail[i+1:]
	}
	return fmt.Sprintf("%s\n[%d bytes left out]\n%s", o.head, left, tail)
}
