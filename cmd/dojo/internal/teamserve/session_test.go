package teamserve

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

func (r *room) numbers(pair int) []int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var numbers []int
	for _, l := range r.pairs[pair-1].lights {
		numbers = append(numbers, l.Number)
	}
	return numbers
}

func TestOrderIsByPairAndNumberWheneverTheyCome(t *testing.T) {
	for _, test := range []struct {
		name string
		sent [][2]int64 // number and how long ago it was
		want []int
		why  string
	}{
		{"as they come", [][2]int64{{1, 0}, {2, 0}, {3, 0}}, []int{1, 2, 3}, "the usual case"},
		{"a queue after a lost network", [][2]int64{{4, 0}, {1, 60_000}, {2, 40_000}, {3, 20_000}}, []int{1, 2, 3, 4}, "the newest may be first to come through"},
		{"clocks that contradict", [][2]int64{{1, 0}, {2, 50_000}, {3, 90_000}}, []int{1, 2, 3}, "a laptop slept, and its clock did not count that"},
		{"backwards", [][2]int64{{3, 0}, {2, 0}, {1, 0}}, []int{1, 2, 3}, "all say now"},
		{"before the session", [][2]int64{{1, 1 << 60}, {2, -5}}, []int{1, 2}, "nothing was before it, and nothing is to come"},
	} {
		t.Run(test.name, func(t *testing.T) {
			clock := newHand()
			r := open(t, func(c *Config) { c.Now = clock.now })
			ada := r.join("Ada")
			clock.move(10 * time.Minute)
			for _, s := range test.sent {
				v := redAt(1, "")
				v.Number, v.Ago = int(s[0]), s[1]
				if status, body := ada.send(v); status != http.StatusNoContent {
					t.Fatal(status, body)
				}
				clock.move(time.Second)
			}
			if got := r.numbers(1); !slices.Equal(got, test.want) {
				t.Errorf("%v, expected %v: %s", got, test.want, test.why)
			}
			if !slices.IsSortedFunc(r.pairs[0].lights, func(a, b *light) int { return int(a.at - b.at) }) {
				t.Error("and their times go back")
			}
		})
	}
}

func TestTwoLaptopsAreOnePair(t *testing.T) {
	clock := newHand()
	r := open(t, func(c *Config) { c.Now = clock.now })
	ada := r.join("Ada and Bo")
	second := team.Join{Code: r.Code(), Pair: "ada AND bo", Laptop: laptopOf("second")}
	if status, body := r.ask("POST", "/api/join", second); status != http.StatusForbidden || !strings.Contains(body, "key") {
		t.Errorf("a laptop without the key joins a pair: %d %s", status, body)
	}
	wrong := second
	wrong.Key = "ZZZ" + string("01"[min(1, strings.Count(ada.Key, "ZZZ0"))])
	if status, body := r.ask("POST", "/api/join", wrong); status != http.StatusForbidden || !strings.Contains(body, "not the key") {
		t.Errorf("a laptop with a wrong key joins a pair: %d %s", status, body)
	}
	wrong.Pair, wrong.Key = "Ada und Bo", ada.Key
	if status, body := r.ask("POST", "/api/join", wrong); status != http.StatusForbidden || !strings.Contains(body, "No pair of that name") {
		t.Errorf("a key with another name makes a pair: %d %s", status, body)
	}
	second.Key = strings.ToLower(ada.Key)
	status, body := r.ask("POST", "/api/join", second)
	if status != http.StatusOK || !strings.Contains(body, `"Pair":1,"Name":"Ada and Bo"`) {
		t.Fatal(status, body)
	}
	_, token, _ := strings.Cut(body, `"Token":"`)
	bo := &seated{room: r, Joined: team.Joined{Token: token[:32]}}
	if status, _ := r.ask("GET", "/api/state", nil, bo.header()...); status != http.StatusNotFound {
		t.Errorf("a state before any verdict: %d", status)
	}
	ada.shine(redAt(1, "package ada\n"))
	clock.move(time.Second)
	bo.shine(redAt(2, "package bo\n"))
	clock.move(time.Second)
	bare := redAt(2, "")
	bare.Files = nil // too large to be sent
	bo.shine(bare)
	for who, by := range map[*seated]string{ada: "the other laptop", bo: "this laptop"} {
		if _, body := r.ask("GET", "/api/state", nil, who.header()...); !strings.Contains(body, `"By":"`+by+`"`) || !strings.Contains(body, "package bo") || !strings.Contains(body, `"Ago":1000`) {
			t.Errorf("the state that is saved by %s: %s", by, body)
		}
	}
	if n := len(r.pairs); n != 1 {
		t.Errorf("%d pairs", n)
	}
}

func TestATimerSaysWhenTheDriverChanges(t *testing.T) {
	clock := newHand()
	r := open(t, func(c *Config) { c.Now = clock.now })
	at := func() standing {
		r.mu.RLock()
		defer r.mu.RUnlock()
		return r.standingAt(r.clock.read())
	}
	clock.move(time.Hour)
	if s := at(); s.phase != waiting || s.turn != 0 || s.left != 0 {
		t.Errorf("before the start: %+v", s)
	}
	_ = r.setPhase(running, 5*minute)
	clock.move(12 * time.Minute)
	if s := at(); s.turn != 3 || s.left != 3*minute {
		t.Errorf("after 12 minutes of turns of 5: %+v", s)
	}
	_ = r.setPhase(paused, 0)
	clock.move(time.Hour)
	if s := at(); s.turn != 3 || s.left != 0 || s.phase != paused {
		t.Errorf("in a pause: %+v", s)
	}
	_ = r.setPhase(running, 5*minute)
	if s := at(); s.turn != 3 || s.left != 3*minute {
		t.Errorf("after the pause: %+v", s)
	}
	clock.move(-2 * time.Hour) // somebody sets the laptop's clock
	if s := at(); s.turn != 3 || s.left != 3*minute {
		t.Errorf("after the clock was set back: %+v", s)
	}
	clock.move(14 * time.Hour)
	if s := at(); s.phase != ended || s.ends != life {
		t.Errorf("after 12 hours: %+v", s)
	}
}

func TestAnEndedSessionTakesWhatWasJudgedBeforeItsEnd(t *testing.T) {
	clock := newHand()
	r := open(t, func(c *Config) { c.Now = clock.now })
	ada := r.join("Ada")
	clock.move(10 * time.Minute)
	_ = r.setPhase(ended, 0)
	clock.move(10 * time.Minute)
	v := redAt(1, "")
	v.Number, v.Ago = 1, 15*minute
	if status, body := ada.send(v); status != http.StatusNoContent {
		t.Errorf("queued before the end: %d %s", status, body)
	}
	v.Number, v.Ago = 2, 5*minute
	if status, _ := ada.send(v); status != http.StatusGone {
		t.Errorf("judged after the end: %d", status)
	}
	if status, _ := r.ask("POST", "/api/join", team.Join{Code: r.Code(), Pair: "Bo", Laptop: laptopOf("Bo")}); status != http.StatusGone {
		t.Errorf("joining after the end: %d", status)
	}
}

func TestAStreamTellsWhatItsClientHasMissed(t *testing.T) {
	r := open(t)
	ada := r.join("Ada")
	first := r.listen(ada, "")
	first.expect(`"Text":"waiting"`)
	if err := r.tell(record{Kind: hint, Kata: "idempotency", Step: 1, N: 1}); err != nil {
		t.Fatal(err)
	}
	id := strings.TrimPrefix(first.expect("id: "), "id: ")
	first.expect(`"Kind":"hint"`)
	if err := r.tell(record{Kind: hint, Kata: "idempotency", Step: 1, N: 2}); err != nil {
		t.Fatal(err)
	}
	r.listen(ada, id).expect(`"N":2`)
	fresh := r.listen(ada, "")
	fresh.expect(`"Text":"waiting"`)
	if err := r.tell(record{Kind: reveal, Kata: "ratelimit"}); err != nil {
		t.Fatal(err)
	}
	if line := fresh.expect(`"Kind"`); !strings.Contains(line, "reveal") {
		t.Errorf("a laptop that comes first hears of old hints: %s", line)
	}
}

func TestTimeIsCountedByStepWithoutPausesAndBreaks(t *testing.T) {
	clock := newHand()
	r := open(t, func(c *Config) { c.Now = clock.now })
	ada := r.join("Ada")
	_ = r.setPhase(running, 0)
	ada.shine(redAt(1, ""))
	clock.move(4 * time.Minute)
	_ = r.setPhase(paused, 0)
	clock.move(30 * time.Minute)
	_ = r.setPhase(running, 0)
	clock.move(2 * time.Minute)
	ada.shine(redAt(2, "")) // six minutes on step 1
	clock.move(3 * time.Minute)
	amber := redAt(0, "")
	amber.Light, amber.Reason, amber.Title = team.Amber, team.NotBuilt, ""
	ada.shine(amber) // still step 2
	clock.move(2 * time.Minute)
	ada.shine(redAt(3, "")) // five minutes on step 2
	clock.move(50 * time.Minute)
	r.mu.RLock()
	defer r.mu.RUnlock()
	page := r.retrospective()
	var got []string
	for _, s := range page.Steps {
		got = append(got, s.Title+": "+s.Spent)
	}
	want := []string{"title of step 3: 10 min", "title of step 1: 6 min", "title of step 2: 5 min"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, expected %q", got, want)
	}
	if len(page.Reds) != 3 || page.Reds[0].Took != "50 min" || !page.Reds[0].Open || page.Reds[1].Took != "6 min" || page.Reds[2].Took != "5 min" {
		t.Errorf("the reds: %+v", page.Reds)
	}
}

func TestGapsAreFoldedAndTheLongestRedComesFirst(t *testing.T) {
	clock := newHand()
	r := open(t, func(c *Config) { c.Now = clock.now })
	ada, bo, cyd := r.join("Ada"), r.join("Bo"), r.join("Cyd")
	bo.shine(redAt(1, ""))
	clock.move(time.Minute)
	ada.shine(redAt(1, ""))
	clock.move(2 * time.Minute) // one empty minute stays
	ada.shine(redAt(2, ""))
	clock.move(20 * time.Minute)
	green := redAt(0, "")
	green.Light = team.Green
	cyd.shine(green)
	clock.move(5 * time.Minute)
	r.mu.RLock()
	defer r.mu.RUnlock()
	b := r.board(boardChoice{byRed: true})
	var labels, names []string
	for _, c := range b.Columns {
		labels = append(labels, c.Label)
	}
	for _, row := range b.Rows {
		names = append(names, row.Name)
	}
	if want := []string{"0", "1", "2", "3", "19 min", "23", "5 min"}; !slices.Equal(labels, want) {
		t.Errorf("the columns are %q, expected %q", labels, want)
	}
	if want := []string{"Bo", "Ada", "Cyd"}; !slices.Equal(names, want) {
		t.Errorf("the rows are %q, expected %q", names, want)
	}
}

func TestARoomSeesWhatToKnowOfALight(t *testing.T) {
	r := open(t)
	status, body := r.ask("POST", "/api/join", team.Join{Code: r.Code(), Pair: "Old", Laptop: laptopOf("Old"), Version: "v0"})
	if status != http.StatusOK || !strings.Contains(body, `"Same":false`) {
		t.Fatal(status, body)
	}
	_, token, _ := strings.Cut(body, `"Token":"`)
	old := &seated{room: r, Joined: team.Joined{Token: token[:32], Pair: 1}}
	v := redAt(1, "")
	v.Race, v.Altered = false, true
	old.shine(v)
	notes := []string{"its steps are not as shipped", "judged without the race detector"}
	r.expect(r.browser(r.Code()), "/", append(notes, "another version of the clone")...)
	r.expect(r.browser(r.Code()), "/light/3", notes...)
}
