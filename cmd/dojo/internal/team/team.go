// Package team is what the laptops of a team dojo say to each other: a server, pairs that join it,
// and the limits of both. Clients send data of these kinds, and the server answers with data; neither
// sends a command, a path or a program to run.
//
// All times of a session are the server's. A client says how long ago something was, and no wall clock
// is compared with another one.
package team

import "time"

// Limits of what is sent. The server refuses what is larger before it reads it, and the client does not send it.
const (
	MaxFile     = 64 << 10       // bytes of a file
	MaxFiles    = 16             // files of a verdict
	MaxBody     = 1280 << 10     // bytes of a request
	MaxName     = 40             // runes of a pair's name
	MaxText     = 500            // runes of any other text: a step's title, a moment's note
	MaxFailure  = 16 << 10       // bytes of a failure
	MaxSession  = 1 << 30        // bytes of a session's file
	MaxPairs    = 40             //
	SessionLife = 12 * time.Hour // from its start; then everybody has left
)

// A Light is what a verdict comes to.
type Light string

// The lights. Amber has a Reason.
const (
	Red   Light = "red"
	Amber Light = "amber"
	Green Light = "green"
)

// A Reason says why a verdict is amber.
type Reason string

// The reasons.
const (
	NotBuilt Reason = "does not compile"
	Blocked  Reason = "blocked"
	NoEnd    Reason = "no end"
	NoMemory Reason = "out of memory"
)

// A Join asks for a place in the session: POST /api/join. A laptop that comes back sends its Token and keeps its pair.
type Join struct {
	Code    string // 8 of 32 letters, as the server printed it
	Pair    string // the pair's name: two laptops that say the same name and know the pair's Key are one pair
	Key     string // of a pair that is there already; printed by `dojo join` on its first laptop, 4 of 32 letters
	Laptop  string // a random name of this laptop, made once
	Version string // of the clone: a hash of the katas' step files and the runner
}

// A Joined is the answer to Join.
type Joined struct {
	Session string // its name, new each time
	Token   string // admits this laptop to all other calls, as "Authorization: Bearer …"
	Pair    int    // from 1, in order of arrival
	Name    string // as it will be shown
	Key     string // with which the pair's other laptop joins
	Colour  Colour // of the pair
	Ends    int64  // milliseconds until the session is over
	Same    bool   // whether the clone's version is the server's
}

// A Colour is one of a palette that colour-blind people can tell apart (Okabe and Ito, 2008), with a shape beside it.
type Colour struct{ Name, Hex, Shape string }

// A File is what a verdict was built from: a regular *.go file of the kata's folder.
type File struct{ Name, Text string }

// A Verdict is a light on its way: POST /api/verdict. The server takes each (Laptop, Number) once, and answers 204
// again if it comes again, after it is on the disk.
type Verdict struct {
	Number    int    // counted by the laptop, from 1
	Ago       int64  // milliseconds since it was judged, by the laptop's monotonic clock where that knows
	Kata      string // the folder's name
	Light     Light  //
	Reason    Reason // of amber
	Step      int    // the first that is red, from 1; 0 if none
	Steps     int    // that a green kata needs
	Passed    int    // of them
	Title     string // of the step
	Failure   string // in words; the first line is a sentence
	Mistake   string // the title of the known mistake that it looks like; empty if none
	Predicted Light  // what the pair said before it saved; empty if nothing
	Race      bool   // whether the race detector looked
	Altered   bool   // a step file is not as shipped
	Files     []File //
}

// A Moment is marked by a pair: POST /api/moment.
type Moment struct {
	Number int // as of a Verdict; both are counted together
	Ago    int64
	Note   string
}

// A Kind says what an Event is.
type Kind string

// The kinds of events that a client gets from GET /api/events, a stream of server-sent events.
const (
	Phase   Kind = "phase"   // Text is waiting, running, paused or ended
	Turn    Kind = "turn"    // the driver changes: N is the turn, from 1
	HintAll Kind = "hint"    // the facilitator shows everybody hint N of step Step of Kata
	Reveal  Kind = "reveal"  // the clients show their own reference of Kata
	Removed Kind = "removed" // this pair is not in the session any more
)

// An Event tells a client something. It names nothing but a kata, a step and numbers.
type Event struct {
	Kind Kind
	Text string `json:",omitempty"`
	Kata string `json:",omitempty"`
	Step int    `json:",omitempty"`
	N    int    `json:",omitempty"`
	Left int64  `json:",omitempty"` // milliseconds until the driver changes, of Phase and Turn; 0 if no timer runs
}

// A State is a pair's last saved code: GET /api/state, for `dojo take`.
type State struct {
	Kata  string
	Files []File
	Ago   int64
	By    string // "this laptop" or "the other laptop"
}
