package teamserve

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

func TestAVerdictIsOnEveryPage(t *testing.T) {
	r := open(t, func(c *Config) {
		c.Ask = func(kata string) []Question {
			return []Question{{"How long is a key kept in " + kata + "?", "A day.", "a bound"}}
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
	r.expect(cookie, "/retrospective", "idempotency 4: title of step 4", "forget the key", "we saw why", "How long is a key kept in idempotency?", "1 of 1", "still red")
	with := r.expect(cookie, "/export", "var a = 2", "default-src &#39;none&#39;", `id="light-`)
	if strings.Contains(with, "<script") {
		t.Error("the exported page has a script")
	}
	if without := r.expect(cookie, "/export?code=no", "the card was charged twice"); strings.Contains(without, "var a") {
		t.Error("the page that is exported without the code has it")
	}
	r.expect(r.browser(r.Word()), "/facilitate", "Ada &amp; Bo", "Start")
}
