package teamserve

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
)

// screens are those that a board must be readable on.
var screens = []struct {
	name          string
	width, height int64
}{{"1080p", 1920, 1080}, {"phone", 360, 800}}

func TestEveryPageFitsEveryScreen(t *testing.T) {
	for _, pairs := range []int{3, 12, 40} {
		r, _ := play(t, pairs)
		for _, screen := range screens {
			for _, scheme := range []string{"light", "dark"} {
				if pairs > 3 && (scheme == "dark") != (screen.name == "phone") {
					continue // every pair of them is seen with three pairs
				}
				t.Run(fmt.Sprintf("%d pairs, %s, %s", pairs, screen.name, scheme), func(t *testing.T) {
					b := openTab(t, screen.width, screen.height)
					b.media(scheme)
					b.do(chromedp.Navigate("http://" + r.host + "/#" + r.Word()))
					b.says("and")
					name := func(page string) string { return fmt.Sprintf("%s-%d-%s-%s", page, pairs, screen.name, scheme) }
					b.fits()
					b.shoot(name("board"))
					if pairs != 3 {
						return
					}
					b.do(chromedp.Navigate(fmt.Sprintf("http://%s/light/%d", r.host, r.lastRed(1).id)))
					b.says("charged twice")
					b.fits()
					b.shoot(name("light"))
					for _, page := range []string{"retrospective", "facilitate"} {
						b.do(chromedp.Navigate("http://" + r.host + "/" + page))
						b.fits()
						b.shoot(name(page))
					}
				})
			}
		}
	}
}

// fits holds that nobody must scroll sideways to read a page.
func (b *tab) fits() {
	b.t.Helper()
	if over := evaluate[int](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); over > 0 {
		b.t.Errorf("%s is %d pixels wider than the screen", evaluate[string](b, "location.pathname"), over)
	}
}

// lastRed is the last red light of a pair.
func (r *room) lastRed(pair int) *light {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var last *light
	for _, l := range r.pairs[pair-1].lights {
		if l.Light == "red" {
			last = l
		}
	}
	return last
}

func TestAViewerTypesTheCodeAndTheBoardFollows(t *testing.T) {
	r := open(t)
	b := openTab(t, 1280, 800)
	b.allow("401") // the first page is asked for without the code
	b.do(chromedp.Navigate("http://" + r.host + "/retrospective"))
	b.says("The code that the server printed")
	b.allow("403")
	b.do(chromedp.SendKeys(chromedp.CSS("#code"), "AAAA-AAAA\r"))
	b.says("That is not this session's code.")
	b.do(chromedp.SendKeys(chromedp.CSS("#code"), strings.ToLower(team.Grouped(r.Code()))+"\r"))
	b.says("Nobody is here yet.")
	b.says("go tool dojo join " + r.host)

	ada := r.join("Ada")
	b.says("Ada")
	ada.shine(redAt(2, "package a\n"))
	b.says("2/6")
	v := redAt(0, "package a\n")
	v.Light, v.Failure = team.Green, ""
	ada.shine(v)
	b.until(`document.querySelector("td.step").className === "step green"`)
	if n := evaluate[int](b, `document.querySelectorAll("a.spot").length`); n != 2 {
		t.Errorf("the board shows %d lights of 2", n)
	}
	if text := evaluate[string](b, "document.body.innerText"); strings.Contains(text, "Facilitate") {
		t.Error("the code makes a facilitator")
	}
}

// The board replaces its main part while somebody uses it. A click, the focus and a form that is being filled in survive.
func TestTheBoardIsReplacedWithoutHarm(t *testing.T) {
	r := open(t)
	ada := r.join("Ada")
	ada.shine(redAt(1, "package a\n"))
	b := openTab(t, 1280, 800)
	b.do(chromedp.Navigate("http://" + r.host + "/#" + r.Word()))
	b.says("1/6")
	b.do(chromedp.KeyEvent(kb.ArrowDown))
	b.until(`document.activeElement.matches("a.spot")`)
	ada.shine(redAt(2, "package b\n"))
	b.says("2/6")
	b.until(`document.activeElement.matches("a.spot") && document.activeElement.ariaLabel.includes("step 1")`)

	pressed := evaluate[bool](b, `window.held = document.activeElement, held.dispatchEvent(new PointerEvent("pointerdown", {bubbles: true}))`)
	ada.shine(redAt(3, "package c\n"))
	b.until(`performance.getEntriesByType("resource").filter(e => e.initiatorType === "fetch").length >= 3`) // it knows of step 3
	if !pressed || !evaluate[bool](b, "held.isConnected") || strings.Contains(evaluate[string](b, "document.body.innerText"), "3/6") {
		t.Error("what is pressed is replaced, so a click is lost")
	}
	evaluate[bool](b, `held.dispatchEvent(new PointerEvent("pointerup", {bubbles: true}))`)
	b.says("3/6")

	b.do(chromedp.Navigate("http://" + r.host + "/facilitate"))
	b.says("The driver changes every")
	evaluate[bool](b, `(i => (i.focus(), i.value = 12, true))(document.querySelector("[name=turn]"))`)
	r.join("Bo")
	b.until(`performance.getEntriesByType("resource").filter(e => e.initiatorType === "fetch").length >= 2`)
	if got := evaluate[string](b, `document.querySelector("[name=turn]").value`); got != "12" {
		t.Errorf("the form says %s", got)
	}
	evaluate[bool](b, `(document.activeElement.blur(), true)`)
	r.join("Cyd")
	b.until(`document.querySelector("[name=pair]").textContent.includes("Cyd")`)

	b.allow("ERR_")
	r.stop()
	b.says("The server does not answer.")
}

func TestArrowKeysWalkAlongAPairAndBetweenPairs(t *testing.T) {
	r := open(t)
	ada, bo := r.join("Ada"), r.join("Bo")
	for _, s := range []*seated{ada, bo} {
		for n := range 3 {
			s.shine(redAt(n+1, fmt.Sprintf("package %c\n", 'a'+n)))
		}
	}
	b := openTab(t, 1280, 800)
	b.do(chromedp.Navigate("http://" + r.host + "/#" + r.Code()))
	b.says("Bo")
	b.do(chromedp.KeyEvent(kb.ArrowDown)) // the last light of the first pair
	b.until(`document.activeElement.ariaLabel === "Ada, red at minute 0, step 3 of idempotency"`)
	b.do(chromedp.KeyEvent(kb.ArrowLeft))
	b.until(`document.activeElement.ariaLabel.includes("step 2")`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.says("Ada ✗ red")
	b.says("step 2 of 6")
	b.do(chromedp.KeyEvent(kb.ArrowRight))
	b.says("step 3 of 6")
	b.do(chromedp.KeyEvent(kb.ArrowDown))
	b.says("Bo ✗ red")
	b.do(chromedp.KeyEvent(kb.ArrowLeft))
	b.until(`/step [12] of 6/.test(document.body.innerText) && document.body.innerText.includes("Bo ✗ red")`)
	b.do(chromedp.KeyEvent(kb.ArrowUp))
	b.says("Ada ✗ red")
}

func TestTheFacilitatorRunsASession(t *testing.T) {
	r := open(t)
	ada, bo := r.join("Ada"), r.join("Bo")
	ada.shine(redAt(2, "package a\n"))
	bo.shine(redAt(2, "package a\n"))
	adaHears, boHears := r.listen(ada, ""), r.listen(bo, "")
	adaHears.expect(`"Text":"waiting"`)
	boHears.expect(`"Text":"waiting"`)

	b := openTab(t, 1280, 800)
	b.do(chromedp.Navigate("http://" + r.host + "/#" + r.Word()))
	b.says("Facilitate")
	b.click(`a[href="/facilitate"]`)
	b.says("The driver changes every")
	b.press("Start")
	b.says("turn 1, the driver changes in")
	adaHears.expect(`"Text":"running"`)
	boHears.expect(`"Text":"running"`)

	if v := evaluate[string](b, `document.querySelector("[name=kata]").value + document.querySelector("[name=step]").value`); v != "idempotency2" {
		t.Errorf("the hint is for %s, though both pairs are at step 2 of idempotency", v)
	}
	b.press("Show it")
	b.says("hint 1 of step 2 of idempotency")
	adaHears.expect(`{"Kind":"hint","Kata":"idempotency","Step":2,"N":1}`)
	b.unfold(`[action="/facilitate/reveal"]`)
	b.press("Reveal")
	b.says("the reference of idempotency is revealed")
	adaHears.expect(`{"Kind":"reveal","Kata":"idempotency"}`)
	b.press("Pause")
	b.says("paused")
	adaHears.expect(`"Text":"paused"`)
	b.press("Go on")
	b.says("running")
	adaHears.expect(`"Text":"running"`)

	b.unfold("[name=pair]")
	b.press("Remove this pair")
	b.says("Ada was removed")
	adaHears.expect(`"Kind":"removed"`)
	adaHears.ends()
	if status, body := ada.send(redAt(3, "")); status != 410 || !strings.Contains(body, "removed this pair") {
		t.Errorf("a pair that was removed sends: %d %s", status, body)
	}
	b.unfold(`[action="/facilitate/end"]`)
	b.press("End the session")
	b.says("The session is over.")
	boHears.expect(`"Text":"ended"`)
	b.click(`main a[href="/retrospective"]`)
	b.says("Where the time went")
	if text := evaluate[string](b, "document.body.innerText"); strings.Contains(text, "Ada") || !strings.Contains(text, "Bo") {
		t.Errorf("the retrospective shows the wrong pairs:\n%s", text)
	}
}

// click clicks what is found, at once: between finding and clicking the board may be replaced.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.until(fmt.Sprintf("(e => e && (e.click(), true))(document.querySelector(%q))", selector))
}

// press presses the button that says so.
func (b *tab) press(button string) {
	b.t.Helper()
	// One expression finds and clicks: the board may be replaced between two.
	b.until(fmt.Sprintf(`(b => b && (b.click(), true))([...document.querySelectorAll("button")].find(b => b.textContent === %q && b.checkVisibility()))`, button))
}

// unfold opens the part of a page that holds something.
func (b *tab) unfold(selector string) {
	b.t.Helper()
	b.until(fmt.Sprintf("(s => s && (s.click(), true))(document.querySelector(`details:has(%s) summary`))", selector))
}

func TestEveryPageIsReadWithoutAScript(t *testing.T) {
	r := open(t)
	ada := r.join("Ada")
	ada.shine(redAt(1, "package a\n"))
	ada.shine(redAt(2, "package b\n"))
	b := openTab(t, 1280, 800)
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Navigate("http://"+r.host+"/"), chromedp.SendKeys(chromedp.CSS("#code"), r.Word()+"\r"))
	b.says("2/6")
	b.click("a.spot:last-of-type")
	b.says("+package b")
	b.click(".walk a")
	b.says("step 1 of 6")
	b.click(`a[href="/facilitate"]`)
	b.press("Start")
	b.says("running")
	b.click(`a[href="/retrospective"]`)
	b.says("Where the time went")
}

func TestAnExportedPageOpensAnywhere(t *testing.T) {
	r := open(t)
	r.join("Ada").shine(redAt(2, "package secret\n"))
	file := filepath.Join(t.TempDir(), "retrospective.html")
	if err := os.WriteFile(file, []byte(r.expect(r.browser(r.Code()), "/export")), 0o600); err != nil {
		t.Fatal(err)
	}
	r.stop()
	b := openTab(t, 1280, 800)
	b.do(chromedp.Navigate("file://" + file))
	b.says("package secret")
	if width := evaluate[string](b, `getComputedStyle(document.querySelector(".shape")).width`); width == "auto" || width == "1248px" {
		t.Error("its style is not applied")
	}
	b.click("ol a")
	b.until(`location.hash.startsWith("#light-") && document.querySelector(":target") !== null`)
}

// What a pair may send to do something in other people's browsers. None of it is more than text.
func TestNothingThatAPairSendsRunsInABrowser(t *testing.T) {
	r := open(t)
	evil := `"><img src=x onerror="window.owned=1"><script>window.owned=1</script></pre>{{.}}`
	ada := r.join(evil[:30])
	v := redAt(1, evil)
	v.Title, v.Failure, v.Mistake = evil, evil, evil
	ada.shine(v)
	v.Files[0].Text = "</code>" + evil
	ada.shine(v)
	if status, body := r.ask("POST", "/api/moment", team.Moment{Number: 9, Note: evil}, ada.header()...); status != 204 {
		t.Fatal(status, body)
	}
	b := openTab(t, 1280, 800)
	b.do(chromedp.Navigate("http://" + r.host + "/#" + r.Word()))
	b.says("Facilitate")
	for _, page := range []string{"/", fmt.Sprintf("/light/%d", r.lastLight(ada).id), "/retrospective", "/facilitate"} {
		b.do(chromedp.Navigate("http://" + r.host + page))
		b.until(`document.body.textContent.includes("<img")`)
		if evaluate[bool](b, `"owned" in window || document.querySelector("img, main script") !== null`) {
			t.Errorf("%s runs what a pair sent", page)
		}
	}
}
