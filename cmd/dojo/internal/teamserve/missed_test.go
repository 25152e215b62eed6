package teamserve

import (
	"strings"
	"testing"
)

// A laptop that has heard nothing but how things stand, and loses the network, misses no hint.
func TestALaptopThatComesBackHearsWhatItMissed(t *testing.T) {
	r := open(t)
	ada := r.join("Ada")
	first := r.listen(ada, "")
	id, ok := strings.CutPrefix(first.expect("id: "), "id: ")
	if !ok {
		t.Fatal("the first event has no identity")
	}
	first.expect(`"Text":"waiting"`)
	if err := r.tell(record{Kind: hint, Kata: "idempotency", Step: 2, N: 1}); err != nil {
		t.Fatal(err)
	}
	r.listen(ada, id).expect(`{"Kind":"hint","Kata":"idempotency","Step":2,"N":1}`)
}
