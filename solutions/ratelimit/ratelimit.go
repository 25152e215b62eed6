//go:build solutions

package ratelimit

import (
	"cmp"
	"container/heap"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"net/http"
	"net/netip"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/backend-kata/dojo/pkg/interleave/sync"
)

// ErrSize says that a call asks for less than 1, or for more than can ever pass at once.
var ErrSize = errors.New("so many can never pass at once")

// A Limit is a rate and a burst. Its numbers are positive, and an empty limit takes less than 100 years to fill up.
type Limit struct {
	Name  string        // letters and digits, for the header fields; no other limit has it
	N     int           // this many
	Per   time.Duration // in this time, and
	Burst int           // this many at once after a rest
}

// A moment is exact: nanoseconds since some beginning, and Nths of one more.
type moment struct{ NS, Part int64 }

// up returns the first nanosecond that is not before m.
func (m moment) up() int64 { return m.NS + min(m.Part, 1) }

// plus adds the time that k take at the rate. The product needs 128 bits: a million days in nanoseconds do not fit 64.
func (l Limit) plus(m moment, k int) moment {
	high, low := bits.Mul64(uint64(max(k, -k)), uint64(l.Per))
	ns, part := bits.Div64(high, low, uint64(l.N))
	if k >= 0 {
		m.NS, m.Part = m.NS+int64(ns), m.Part+int64(part)
	} else {
		m.NS, m.Part = m.NS-int64(ns)-1, m.Part-int64(part)+int64(l.N)
	}
	return moment{m.NS + m.Part/int64(l.N), m.Part % int64(l.N)}
}

// A state says when each limit is full again, which is all there is to know: the generic cell rate algorithm, GCRA.
type state []moment

// turn returns when n more fit all limits.
func (s state) turn(limits []Limit, now int64, n int) int64 {
	turn := now
	for i, l := range limits {
		turn = max(turn, l.plus(s[i], n-l.Burst).up())
	}
	return turn
}

// after returns the state when n pass now.
func (s state) after(limits []Limit, now int64, n int) state {
	s = slices.Clone(s)
	for i, l := range limits {
		if s[i].up() <= now {
			s[i] = moment{NS: now}
		}
		s[i] = l.plus(s[i], n)
	}
	return s
}

// full returns when all limits are, and nothing counts any more.
func (s state) full() int64 {
	return slices.MaxFunc(s, func(a, b moment) int { return cmp.Compare(a.up(), b.up()) }).up()
}

// possible reports whether n can ever pass.
func possible(limits []Limit, n int) bool {
	return n >= 1 && !slices.ContainsFunc(limits, func(l Limit) bool { return n > l.Burst })
}

// Config says what a Limiter lets through.
type Config struct {
	Limits  []Limit          // at least one
	MaxKeys int              // how many keys it may remember; positive
	Now     func() time.Time // the clock; nil stands for time.Now
}

// A Limiter limits by key.
type Limiter struct {
	limits  []Limit
	maxKeys int
	clock   func() time.Time
	began   time.Time

	mu        sync.Mutex // guards what follows, and is held while the clock is asked: nobody decides by an old time
	now, late int64      // since began: the latest time, which never goes back, and what the clock is behind
	keys      map[string]*key
	places    places // of all keys; the first is the first to be full, and so as good as new
}

// A key has a place.
type key struct {
	state

	name  string
	place int
}

// New returns a Limiter that has let nothing through yet.
func New(c Config) *Limiter {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Limiter{limits: c.Limits, maxKeys: c.MaxKeys, clock: c.Now, began: c.Now(), keys: map[string]*key{}}
}

// Allow lets n through or none, and returns how long to wait for n, which is 0 if they passed.
func (l *Limiter) Allow(key string, n int) (wait time.Duration, err error) {
	if !possible(l.limits, n) {
		return 0, ErrSize
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	wait, _ = l.decide(key, n)
	return wait, nil
}

// decide lets n pass or none. The key is nil if there is no place for it. The caller holds mu.
func (l *Limiter) decide(name string, n int) (wait time.Duration, k *key) {
	told := int64(l.clock().Sub(l.began))
	l.now = max(l.now, told)
	l.late = l.now - told
	if k = l.keys[name]; k == nil {
		if len(l.keys) == l.maxKeys {
			if free := l.places[0].full(); free > l.now {
				return time.Duration(free - told), nil
			}
			gone, _ := heap.Pop(&l.places).(*key)
			delete(l.keys, gone.name)
		}
		k = &key{state: make(state, len(l.limits)), name: name}
		l.keys[name] = k
		heap.Push(&l.places, k)
	}
	if turn := k.turn(l.limits, l.now, n); turn > l.now {
		return time.Duration(turn - told), k
	}
	k.state = k.after(l.limits, l.now, n)
	heap.Fix(&l.places, k.place)
	return 0, k
}

// places is a heap.
type places []*key

func (p *places) Len() int           { return len(*p) }
func (p *places) Less(i, j int) bool { return (*p)[i].full() < (*p)[j].full() }
func (p *places) Swap(i, j int) {
	(*p)[i], (*p)[j] = (*p)[j], (*p)[i]
	(*p)[i].place, (*p)[j].place = i, j
}

func (p *places) Push(x any) {
	k, _ := x.(*key)
	k.place = len(*p)
	*p = append(*p, k)
}

func (p *places) Pop() any {
	last := (*p)[len(*p)-1]
	*p = slices.Delete(*p, len(*p)-1, len(*p))
	return last
}

// HTTP says how requests are counted.
type HTTP struct {
	Hops   int                       // how many trusted proxies a request comes through
	Weight func(r *http.Request) int // what a request counts; nil: each counts 1
}

// Handler limits the requests that reach next, by client.
func (l *Limiter) Handler(c HTTP, next http.Handler) http.Handler {
	var policies []string
	for _, m := range l.limits {
		policy := fmt.Sprintf("%q;q=%d", m.Name, m.N)
		if m.Per%time.Second == 0 { // a window is whole seconds, and not 0
			policy += fmt.Sprintf(";w=%d", m.Per/time.Second)
		}
		policies = append(policies, policy)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := 1
		if c.Weight != nil {
			n = c.Weight(r)
		}
		if !possible(l.limits, n) {
			http.Error(w, "no request of this weight ever passes", http.StatusBadRequest)
			return
		}
		wait, left := l.request(Client(r, c.Hops).String(), n)
		w.Header().Set("Ratelimit-Policy", strings.Join(policies, ", "))
		w.Header().Set("Ratelimit", left) // net/http writes it so, and names of fields have no case
		if wait > 0 {
			w.Header().Set("Retry-After", strconv.FormatInt(seconds(wait), 10))
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// request is Allow, and says what is left: r can pass now under a limit, and if they do, the next one in t.
func (l *Limiter) request(name string, n int) (wait time.Duration, left string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wait, k := l.decide(name, n)
	var items []string
	for i, m := range l.limits {
		r, t := 0, wait
		if k != nil {
			s, only := k.state[i:i+1], []Limit{m}
			r = sort.Search(m.Burst, func(r int) bool { return s.turn(only, l.now, r+1) > l.now })
			t = time.Duration(s.after(only, l.now, r).turn(only, l.now, 1) - l.now + l.late)
		}
		items = append(items, fmt.Sprintf("%q;r=%d;t=%d", m.Name, r, seconds(t)))
	}
	return wait, strings.Join(items, ", ")
}

// seconds rounds up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// Client returns whose request it is: an IPv4 address as a /32, an IPv6 address as its /64, or the zero Prefix if there is none.
func Client(r *http.Request, hops int) netip.Prefix {
	chain := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := range chain {
		chain[i] = strings.TrimSpace(chain[i])
	}
	chain = append(slices.DeleteFunc(chain, func(s string) bool { return s == "" }), r.RemoteAddr)
	for _, s := range chain[max(0, len(chain)-1-hops):] {
		a, err := netip.ParseAddr(strings.Trim(s, "[]"))
		if both, wrong := netip.ParseAddrPort(s); wrong == nil {
			a, err = both.Addr(), nil
		}
		if a = a.Unmap(); err == nil {
			return netip.PrefixFrom(a, min(a.BitLen(), 64)).Masked()
		}
	}
	return netip.Prefix{}
}

// A Store holds texts for all servers. Each call is atomic and safe for concurrent use.
type Store interface {
	// Load returns the text of a key, at first "".
	Load(key string) string
	// CompareAndSwap replaces a text that is old by next, and reports whether it did.
	CompareAndSwap(key, old, next string) bool
}

// Shared limits by key for all servers that share its Store, and remembers nothing itself. Its fields are set.
type Shared struct {
	Limits []Limit
	Store  Store
	Now    func() time.Time
}

// Allow is what it is for a Limiter that has room for every key.
func (s Shared) Allow(key string, n int) (wait time.Duration, err error) {
	if !possible(s.Limits, n) {
		return 0, ErrSize
	}
	for {
		told := s.Now().UnixNano() // before the text is read: whatever passed until then is in it
		old := s.Store.Load(key)
		kept := struct {
			At   int64
			Full state
		}{Full: make(state, len(s.Limits))}
		if err := json.Unmarshal([]byte(cmp.Or(old, "{}")), &kept); err != nil {
			return 0, err
		}
		now := max(told, kept.At) // another server's clock may be ahead
		if turn := kept.Full.turn(s.Limits, now, n); turn > now {
			return time.Duration(turn - told), nil
		}
		kept.At, kept.Full = now, kept.Full.after(s.Limits, now, n)
		next, err := json.Marshal(kept)
		if err != nil {
			return 0, err
		}
		if s.Store.CompareAndSwap(key, old, string(next)) {
			return 0, nil
		}
	}
}
