package teamserve

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

func TestAVerdictIsOnEveryPage(t *testing.T) {
	r := open(t, func(c *Config) {
		c.Ask = func(kata string) []Question {
			return []Question{{"How long is a `key` kept in " + kata + "?", "A day.\n\nOr `a<b` of it.", "a bound"}}
		}
	})
	ada := r.join("Ada & Bo")
	ada.shine(redAt(3, "package idempotency\n\nvar a = 1\n"))
	v := redAt(4, "package idempotency\n\nvar a = 2\n")
	v.Mistake, v.Predicted = "forget the key", team.Red
	ada.shine(v)
	if status, body := r.ask("POST", "/api/moment", team.Moment{Number: 9, Note: "we saw why"}, ada.header()...); status != http.StatusNoContent {
		t.Fatal(status, body)
	}
	cookie := r.browser(r.Code())
	light := fmt.Sprintf("/light/%d", r.lastLight(ada).id)

	r.expect(cookie, "/", "Ada &amp; Bo", "4/6", "known mistake: forget the key", "predicted 1/1", light, "a marked moment", "red for less than a minute")
	r.expect(cookie, light, "step 4 of 6", "the card was charged twice</p>", `<pre class="failure" tabindex="0">expected once</pre>`, `<span class="removed">-var a = 1</span>`,
		`<span class="added">&#43;var a = 2</span>`, `<span>var a = 2</span>`, "as the pair predicted", "Marked: we saw why")
	r.expect(cookie, "/retrospective", "idempotency 4: title of step 4", "forget the key", "we saw why", "How long is a <code>key</code> kept in idempotency?", "<p>A day.</p><p>Or <code>a&lt;b</code> of it.</p>", "1 of 1", "still red")
	with := r.expect(cookie, "/export", "var a = 2", "default-src &#39;none&#39;", `id="light-`)
	if strings.Contains(with, "<script") {
		t.Error("the exported page has a script")
	}
	if without := r.expect(cookie, "/export?code=no", "the card was charged twice"); strings.Contains(without, "var a") {
		t.Error("the page that is exported without the code has it")
	}
	r.expect(r.browser(r.Word()), "/facilitate", "Ada &amp; Bo", "Start")
}

func TestHowLongAPairIsNotGreen(t *testing.T) {
	hand := newHand()
	r := open(t, func(c *Config) { c.Now = hand.now })
	ada, cookie := r.join("Ada"), r.browser(r.Code())
	ada.shine(redAt(3, "package idempotency"))
	hand.move(3 * time.Minute)
	r.expect(cookie, "/", "red for 3 min")
	ada.shine(team.Verdict{Kata: "idempotency", Light: team.Amber, Reason: team.NotBuilt})
	r.expect(cookie, "/", "amber or red for 3 min")
}

func TestAHintIsOfAStepThatTheKataHas(t *testing.T) {
	r := open(t)
	header := append([]string{"Origin", "http://" + r.host}, r.browser(r.Word())...)
	form := url.Values{"kata": {"idempotency"}, "step": {"7"}, "hint": {"1"}}
	if status, body := r.ask("POST", "/facilitate/hint", form, header...); status != http.StatusBadRequest || !strings.Contains(body, "The kata idempotency has 6 steps.") {
		t.Errorf("a hint for step 7 of 6: %d %s", status, body)
	}
	form.Set("step", "6")
	if status, body := r.ask("POST", "/facilitate/hint", form, header...); status != http.StatusSeeOther {
		t.Errorf("a hint for step 6 of 6: %d %s", status, body)
	}
}
