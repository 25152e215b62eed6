package teamserve

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// from sends a request as if it came from another address.
func (r *room) from(remote, method, path, body string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, "http://"+r.host+path, strings.NewReader(body))
	req.RemoteAddr = remote
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, req)
	return w
}

func TestFiveWrongCodesAMinuteFromOneSource(t *testing.T) {
	clock := newHand()
	r := open(t, func(c *Config) { c.Now = clock.now })
	join := func(remote, code, key string) *httptest.ResponseRecorder {
		return r.from(remote, "POST", "/api/join", fmt.Sprintf(`{"Code":%q,"Pair":"Eve","Key":%q,"Laptop":"aaaabbbbccccdddd%04d"}`, code, key, clock.now().Second()))
	}
	enter := func(remote, code string) int {
		form := url.Values{"code": {code}}.Encode()
		return r.from(remote, "POST", "/enter", form, "Content-Type", "application/x-www-form-urlencoded").Code
	}
	for i := range 5 {
		if i%2 == 0 {
			if w := join("10.0.0.1:1", "AAAABBBB", ""); w.Code != http.StatusForbidden {
				t.Fatalf("wrong code %d: %d %s", i+1, w.Code, w.Body)
			}
		} else if status := enter("10.0.0.1:2", "AAAABBBB"); status != http.StatusForbidden {
			t.Fatalf("wrong code %d in a browser: %d", i+1, status)
		}
	}
	w := join("10.0.0.1:3", r.Code(), "")
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "60" {
		t.Errorf("the sixth try, with the right code: %d, Retry-After %s", w.Code, w.Header().Get("Retry-After"))
	}
	if status := enter("10.0.0.1:4", r.Word()); status != http.StatusTooManyRequests {
		t.Errorf("the sixth try in a browser: %d", status)
	}
	if status := enter("10.0.0.2:1", r.Code()); status != http.StatusSeeOther {
		t.Errorf("another source waits too: %d", status)
	}
	clock.move(time.Minute)
	if w := join("10.0.0.1:5", r.Code(), ""); w.Code != http.StatusOK {
		t.Errorf("after a minute: %d %s", w.Code, w.Body)
	}
	// One laptop's network, as an IPv6 provider gives it, is one source.
	for i := range 5 {
		join(fmt.Sprintf("[2001:db8::%d]:1", i+1), "AAAABBBB", "")
	}
	if w := join("[2001:db8::99]:1", r.Code(), ""); w.Code != http.StatusTooManyRequests {
		t.Errorf("the sixth address of one network: %d", w.Code)
	}
	// Keys are guessed as codes are.
	clock.move(time.Second)
	for range 5 {
		if w := join("10.0.0.3:1", r.Code(), "AAAA"); w.Code != http.StatusForbidden {
			t.Fatalf("a wrong key: %d %s", w.Code, w.Body)
		}
	}
	if w := join("10.0.0.3:1", r.Code(), "AAAA"); w.Code != http.StatusTooManyRequests {
		t.Errorf("the sixth key: %d", w.Code)
	}
}

func TestTheMemoryOfWrongCodesIsBounded(t *testing.T) {
	clock := newHand()
	r := open(t, func(c *Config) { c.Now = clock.now })
	for i := range maxSources + 100 {
		r.from(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255), "POST", "/api/join", `{"Code":"AAAABBBB"}`)
	}
	if n := len(r.tries.wrong); n > maxSources {
		t.Errorf("%d sources are remembered", n)
	}
}

func TestTheWordAdministersFromThisLaptopAlone(t *testing.T) {
	r := open(t)
	form := url.Values{"code": {r.Word()}}.Encode()
	if w := r.from("10.0.0.1:1", "POST", "/enter", form, "Content-Type", "application/x-www-form-urlencoded"); w.Code != http.StatusForbidden {
		t.Errorf("the word is taken from another laptop: %d", w.Code)
	}
	cookie := r.browser(r.Word())
	if w := r.from("10.0.0.1:1", "GET", "/facilitate", "", cookie...); w.Code != http.StatusForbidden {
		t.Errorf("the facilitator's cookie is taken from another laptop: %d", w.Code)
	}
	viewer := r.browser(r.Code())
	origin := []string{"Origin", "http://" + r.host}
	for name, header := range map[string][]string{
		"a viewer":               append(origin, viewer...),
		"nobody":                 origin,
		"a cookie made up":       append(origin, viewer[0], strings.Replace(viewer[1], "viewer", "facilitator", 1)),
		"no Origin":              cookie,
		"another site's Origin":  append([]string{"Origin", "http://evil.example"}, cookie...),
		"an opaque Origin":       append([]string{"Origin", "null"}, cookie...),
		"this host, another way": append([]string{"Origin", "https://" + r.host}, cookie...),
	} {
		if status, body := r.ask("POST", "/facilitate/end", url.Values{}, header...); status != http.StatusForbidden {
			t.Errorf("%s ends the session: %d %s", name, status, body)
		}
	}
	if r.Over() {
		t.Error("the session has ended")
	}
	if status, body := r.ask("POST", "/facilitate/end", url.Values{}, append(origin, cookie...)...); status != http.StatusSeeOther || !r.Over() {
		t.Errorf("the facilitator cannot end the session: %d %s", status, body)
	}
}

func TestOnlyThePrintedHostsAreAnswered(t *testing.T) {
	r := open(t)
	for _, host := range []string{"evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", ""} {
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.Host = host
		w := httptest.NewRecorder()
		r.Handler().ServeHTTP(w, req)
		if w.Code != http.StatusMisdirectedRequest {
			t.Errorf("Host %q: %d", host, w.Code)
		}
	}
	ada := r.join("Ada")
	if status, _ := r.ask("POST", "/api/verdict", redAt(1, ""), append(ada.header(), "Origin", "http://evil.example")...); status != http.StatusForbidden {
		t.Errorf("another site's page sends a verdict: %d", status)
	}
}

func TestNoGetChangesAnythingAndEveryAnswerIsSealed(t *testing.T) {
	r := open(t)
	ada := r.join("Ada")
	ada.shine(redAt(1, "package a\n"))
	cookie := append(r.browser(r.Word()), ada.header()...)
	seq := r.seq
	for _, path := range []string{
		"/", "/enter", "/?code=" + r.Code(), "/enter?code=" + r.Code(), "/light/3", "/light/99", "/light/x", "/retrospective", "/export", "/facilitate", "/facilitate/start",
		"/facilitate/end", "/facilitate/remove?pair=1", "/api/join", "/api/verdict", "/api/leave", "/api/state", "/api/moment", "/../../etc/passwd", "/nothing",
	} {
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "TRACE", "OPTIONS"} {
			w := r.from("127.0.0.1:1", method, path, "", cookie...)
			h := w.Header()
			if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'") || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") ||
				h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" {
				t.Errorf("%s %s is not sealed: %v", method, path, h)
			}
			if method != "GET" && method != "HEAD" && w.Code < 300 {
				t.Errorf("%s %s: %d", method, path, w.Code)
			}
		}
	}
	if r.seq != seq {
		t.Errorf("%d records were written", r.seq-seq)
	}
	if w := r.from("127.0.0.1:1", "GET", "/stream", ""); w.Code != http.StatusUnauthorized {
		t.Errorf("the stream without a cookie: %d", w.Code)
	}
}

func TestACookieIsForThisServerAlone(t *testing.T) {
	r := open(t)
	form := url.Values{"code": {r.Code()}}.Encode()
	cookie := r.from("127.0.0.1:1", "POST", "/enter", form, "Content-Type", "application/x-www-form-urlencoded").Header().Get("Set-Cookie")
	for _, part := range []string{"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("the cookie lacks %s: %s", part, cookie)
		}
	}
}

func TestALargeBodyIsRefusedBeforeItIsRead(t *testing.T) {
	r := open(t)
	ada := r.join("Ada")
	for _, path := range []string{"/api/verdict", "/enter"} {
		conn, err := net.Dial("tcp", r.host)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", path, r.host, ada.Token, team.MaxBody+1)
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil) // though no byte of the body was sent
		if err != nil || answer.StatusCode != http.StatusRequestEntityTooLarge {
			t.Fatalf("a body that says it is too large, to %s: %v %v", path, answer, err)
		}
		answer.Body.Close()
		conn.Close()
	}

	for path, header := range map[string][]string{"/api/verdict": ada.header(), "/api/moment": ada.header(), "/api/join": nil} {
		body := &counted{r: strings.NewReader(`{"Note":"` + strings.Repeat("a", 8<<20))}
		req := httptest.NewRequest(http.MethodPost, "http://"+r.host+path, body)
		req.ContentLength = -1 // it does not say how large it is
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		r.Handler().ServeHTTP(w, req)
		if w.Code != http.StatusRequestEntityTooLarge || body.n > team.MaxBody+64<<10 {
			t.Errorf("%s with 8 MiB that it did not announce: %d, after %d bytes", path, w.Code, body.n)
		}
	}
	body := &counted{r: strings.NewReader(strings.Repeat("a", 1<<20))}
	req := httptest.NewRequest(http.MethodPost, "http://"+r.host+"/api/verdict", body)
	req.Header.Set("Authorization", "Bearer 00")
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, req)
	if w.Code != http.StatusUnauthorized || body.n > 0 {
		t.Errorf("a stranger's verdict: %d, after %d bytes", w.Code, body.n)
	}
}

// counted counts what is read.
type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	r := open(t)
	ada := r.join("Ada")
	file := func(name, text string) func(*team.Verdict) {
		return func(v *team.Verdict) { v.Files = []team.File{{Name: name, Text: text}} }
	}
	for why, change := range map[string]func(*team.Verdict){
		"no number":               func(v *team.Verdict) { v.Number = 0 },
		"a number below":          func(v *team.Verdict) { v.Number = -1 },
		"a number beyond":         func(v *team.Verdict) { v.Number = 1 << 40 },
		"a kata that climbs":      func(v *team.Verdict) { v.Kata = "../../etc" },
		"a kata with a space":     func(v *team.Verdict) { v.Kata = "a b" },
		"another light":           func(v *team.Verdict) { v.Light = "blue" },
		"another reason":          func(v *team.Verdict) { v.Light, v.Reason = team.Amber, "<b>" },
		"a red with a reason":     func(v *team.Verdict) { v.Reason = team.Blocked },
		"another prediction":      func(v *team.Verdict) { v.Predicted = "amber" },
		"a step below":            func(v *team.Verdict) { v.Step = -1 },
		"a step beyond":           func(v *team.Verdict) { v.Steps = 1 << 30 },
		"a path that climbs":      file("../evil.go", ""),
		"a folder":                file("a/evil.go", ""),
		"a folder of Windows":     file(`a\evil.go`, ""),
		"a drive":                 file("C:evil.go", ""),
		"a hidden file":           file(".evil.go", ""),
		"another kind of file":    file("evil.sh", ""),
		"a name with an end":      file("evil.go\x00", ""),
		"a name with a line":      file("evil\n.go", ""),
		"a name that is too long": file(strings.Repeat("a", 200)+".go", ""),
		"a large file":            file("a.go", strings.Repeat("a", team.MaxFile+1)),
		"one name twice":          func(v *team.Verdict) { v.Files = []team.File{{Name: "a.go"}, {Name: "a.go"}} },
		"many files": func(v *team.Verdict) {
			v.Files = nil
			for i := range team.MaxFiles + 1 {
				v.Files = append(v.Files, team.File{Name: fmt.Sprintf("a%d.go", i)})
			}
		},
	} {
		v := redAt(1, "package a\n")
		v.Number = 1
		change(&v)
		if status, body := ada.send(v); status != http.StatusBadRequest || !strings.HasSuffix(body, ".\n") {
			t.Errorf("%s: %d %s", why, status, body)
		}
	}
	for why, body := range map[string]string{
		"nothing": "", "no JSON": "hello", "half of it": `{"Number":1`, "more behind it": `{"Number":1,"Kata":"a","Light":"red"}{}`, "a list": "[]",
		"another type": `{"Number":"1"}`, "a number that overflows": `{"Number":1e99}`, "deep nesting": strings.Repeat(`{"Files":[`, 20_000),
	} {
		if status, answer := r.ask("POST", "/api/verdict", body, ada.header()...); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", why, status, answer)
		}
	}
	if n := len(r.pairs[0].lights); n != 0 {
		t.Errorf("%d lights were taken", n)
	}
}

func TestTextIsCutAndCleanedBeforeItIsKept(t *testing.T) {
	r := open(t)
	status, body := r.ask("POST", "/api/join", team.Join{
		Code: r.Code(), Laptop: laptopOf("x"), Pair: "  \x1b[31mA\u0301\u0301\u0301\u0301da\r\n\u202eeoB\u200b\x00" + strings.Repeat("é", 100),
	})
	if status != http.StatusOK {
		t.Fatal(status, body)
	}
	name := r.pairs[0].name
	if strings.ContainsAny(name, "\x1b\r\n\u202e\u200b\x00") || len([]rune(name)) != team.MaxName || !strings.HasSuffix(name, "…") {
		t.Errorf("the name is %q", name)
	}
	if strings.Count(name, "\u0301") != 2 {
		t.Errorf("the name's marks cover its neighbours: %q", name)
	}
	bo := r.join("Bo")
	v := redAt(1, "package a // \x1b]0;evil\x07\xff\n")
	v.Title, v.Mistake, v.Failure = "\x1b[2Ja\nb", "\u009b31m", "one\x1b[1A\ntwo\r\n\tthree"+strings.Repeat("x", 1<<20)
	bo.shine(v)
	cookie := r.browser(r.Code())
	for _, path := range []string{"/", fmt.Sprintf("/light/%d", r.lastLight(bo).id), "/retrospective", "/export"} {
		if page := r.expect(cookie, path); strings.ContainsAny(page, "\x1b\x07\u009b\r") {
			t.Errorf("%s has control characters", path)
		} else if len(page) > 200<<10 {
			t.Errorf("%s has %d bytes", path, len(page))
		}
	}
	if l := r.lastLight(bo); l.Title != "\uFFFD[2Ja b" || l.Failure != "one\uFFFD[1A" {
		t.Errorf("kept: %q, %q", l.Title, l.Failure)
	}
}

func TestARequestSentAgainChangesNothing(t *testing.T) {
	r := open(t)
	ada := r.join("Ada")
	v := redAt(1, "package a\n")
	v.Number = 7
	for range 3 {
		if status, body := ada.send(v); status != http.StatusNoContent {
			t.Fatal(status, body)
		}
	}
	v.Light = team.Green // under a number that was taken
	ada.send(v)
	if lights := r.pairs[0].lights; len(lights) != 1 || lights[0].Light != team.Red {
		t.Errorf("%d lights", len(lights))
	}
	again := r.join("Ada") // its answer was lost: the laptop knows neither token nor key
	if again.Pair != ada.Pair || again.Token == ada.Token || len(r.pairs) != 1 {
		t.Errorf("joining again: pair %d", again.Pair)
	}
	if status, _ := ada.send(v); status != http.StatusUnauthorized {
		t.Errorf("the token that was lost is good: %d", status)
	}
	status, body := r.ask("POST", "/api/join", team.Join{}, again.header()...)
	if status != http.StatusOK || !strings.Contains(body, again.Token) || !strings.Contains(body, again.Key) {
		t.Errorf("coming back with the token: %d %s", status, body)
	}
}

func TestOnePairCannotUseUpTheSession(t *testing.T) {
	r := open(t)
	ada, bo := r.join("Ada"), r.join("Bo")
	r.pairs[0].bytes = maxPair + 1
	ada.next = 1
	v := redAt(1, "")
	v.Number = 1
	if status, body := ada.send(v); status != http.StatusInsufficientStorage {
		t.Errorf("a pair that has sent an eighth of it all: %d %s", status, body)
	}
	r.pairs[0].bytes = 0
	for n := range maxMoments + 1 {
		status, body := r.ask("POST", "/api/moment", team.Moment{Number: n + 10}, ada.header()...)
		if want := map[bool]int{true: 204, false: 507}[n < maxMoments]; status != want {
			t.Fatalf("moment %d: %d %s", n+1, status, body)
		}
	}
	bo.shine(redAt(1, ""))
	r.journal.size = team.MaxSession - 100
	v.Number = 9
	if status, body := bo.send(v); status != http.StatusInsufficientStorage || !strings.Contains(body, "as large as it may get") {
		t.Errorf("the session's budget: %d %s", status, body)
	}
	if strings.Contains(r.expect(r.browser(r.Code()), "/"), "disk refuses") {
		t.Error("the budget is taken for a fault of the disk")
	}
}

func TestFortyPairsAndNoMore(t *testing.T) {
	r := open(t)
	looks := map[string]bool{}
	for i := range team.MaxPairs {
		s := r.join(fmt.Sprintf("Pair %d", i))
		looks[s.Colour.Name+" "+s.Colour.Shape] = true
	}
	if len(looks) != team.MaxPairs {
		t.Errorf("40 pairs have %d looks", len(looks))
	}
	status, body := r.ask("POST", "/api/join", team.Join{Code: r.Code(), Pair: "late", Laptop: laptopOf("late")})
	if status != http.StatusConflict {
		t.Errorf("the pair 41: %d %s", status, body)
	}
}

// Files that were made up so that a diff takes long: short lines of few kinds in another order.
func TestADiffThatIsMadeUpToBeSlow(t *testing.T) {
	for name, lineCount := range map[string]int{"as many lines as are compared": maxLines, "as many as fit": team.MaxFile / 2} {
		t.Run(name, func(t *testing.T) { slowDiff(t, lineCount) })
	}
}

func slowDiff(t *testing.T, lineCount int) {
	t.Helper()
	r := open(t)
	ada := r.join("Ada")
	for turn := range 2 {
		v := redAt(1, "")
		v.Files = nil
		for f := range 12 { // 16 such files are larger than a body may be
			var text strings.Builder
			for n := uint32(turn*7919 + f + 1); text.Len() < 2*lineCount; n = n*1664525 + 1013904223 {
				text.WriteString(string(rune('a'+n>>28)) + "\n")
			}
			v.Files = append(v.Files, team.File{Name: fmt.Sprintf("f%d.go", f), Text: text.String()})
		}
		ada.shine(v)
	}
	cookie := r.browser(r.Code())
	began := time.Now()
	page := r.expect(cookie, fmt.Sprintf("/light/%d", r.lastLight(ada).id), map[bool]string{true: "too many lines to be compared", false: "@@ "}[lineCount > maxLines])
	t.Logf("%d bytes in %v", len(page), time.Since(began))
}

func TestConnectionsOfOneSourceAreBounded(t *testing.T) {
	d := newDoors()
	addr := sourceAt("10.0.0.1:1")
	for range maxFromSource {
		if !d.take(addr) {
			t.Fatal("a connection is refused too early")
		}
	}
	if d.take(addr) {
		t.Error("one source may have any number of connections")
	}
	if !d.take(sourceAt("10.0.0.2:1")) {
		t.Error("another source is refused")
	}
	d.give(addr)
	if !d.take(addr) {
		t.Error("a connection that was closed counts for ever")
	}
}
