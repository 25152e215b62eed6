package teamserve

import "github.com/backend-kata/dojo/cmd/dojo/internal/team"

// A kind says what a record is.
type kind string

const (
	opened  kind = "opened"  // the session began; the first line of the file
	joined  kind = "joined"  // a laptop has a place, and a new token
	left    kind = "left"    // a laptop gave its place back
	verdict kind = "verdict" //
	moment  kind = "moment"  //
	phase   kind = "phase"   //
	hint    kind = "hint"    //
	reveal  kind = "reveal"  //
	removed kind = "removed" // a pair
)

// A record is a line of the session's file: everything that ever changed the session, in the order in which it did.
// To read the file is to live through the session again, so there is nothing else to keep.
type record struct {
	Seq    int64         // from 1, without gaps
	At     int64         // milliseconds since the session began, by the server's clock; of a verdict, when it was judged
	Kind   kind          //
	Opened *birth        `json:",omitempty"`
	Pair   int           `json:",omitempty"`
	Laptop string        `json:",omitempty"`
	Join   *place        `json:",omitempty"`
	Light  *team.Verdict `json:",omitempty"`
	Moment *team.Moment  `json:",omitempty"`
	Phase  string        `json:",omitempty"`
	Turn   int64         `json:",omitempty"` // of a phase: milliseconds until the driver changes; 0 if never
	Kata   string        `json:",omitempty"`
	Step   int           `json:",omitempty"`
	N      int           `json:",omitempty"` // the hint's number
}

// A birth is what a session is from its beginning.
type birth struct {
	Name   string // its own, new each time
	Began  int64  // milliseconds since 1970 by this laptop's clock, which is compared with no other's
	Code   string // admits
	Word   string // administers, from this laptop only
	Secret []byte // signs cookies
}

// A place is what a laptop gets that joins.
type place struct {
	Name    string // of the pair
	Key     string // of the pair
	Token   []byte // hashed: whoever reads the file cannot be the laptop
	Version string // of the clone
}
