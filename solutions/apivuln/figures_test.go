//go:build solutions

package apivuln_test

import (
	"testing"

	"github.com/backend-kata/dojo/solutions/internal/figure"
)

func TestFigureChecks(t *testing.T) {
	figure.Drawn(t, "apivuln-checks", figure.Boxes{
		Title:  "Seven checks, each where its fact is known",
		Assume: "One request, from top to bottom. API1–API10: OWASP, 2023. API6 and API9 show in no single request.",
		Alt: "A request passes its checks from top to bottom. Limits on size and rate answer 413 or 429 (API4). The session answers 401 (API2). " +
			"The matched route asks for the role and answers 403 (API5). The decoder takes known fields only, or answers 400 (API3). " +
			"The SQL statement has the owner in its condition, and 404 follows (API1); its values are bound (CWE-89). " +
			"Then a response shows listed fields and no internal error (API3, API8), " +
			"and an outgoing connection goes to public addresses only, whose answers are not trusted (API7, API10).",
		Rows: [][]figure.Box{
			{{Name: "limits", Note: "size and rate: 413, 429 (API4)"}},
			{{Name: "session", Note: "who is it? 401 (API2)"}},
			{{Name: "matched route", Note: "may this role? 403 (API5)"}},
			{{Name: "decoder", Note: "known fields only: 400 (API3)"}},
			{{Name: "SQL statement", Note: "owner in WHERE: 404 (API1), values bound (CWE-89)", Role: figure.Right}},
			{
				{Name: "response", Note: "listed fields (API3), no internals (API8)"},
				{Name: "outgoing connection", Note: "address at connect (API7), answer checked (API10)"},
			},
		},
		Arrows: []figure.Arrow{
			{From: "limits", To: "session"},
			{From: "session", To: "matched route", Words: "a user"},
			{From: "matched route", To: "decoder", Words: "a function"},
			{From: "decoder", To: "SQL statement", Words: "properties"},
			{From: "SQL statement", To: "response", Words: "an object"},
			{From: "SQL statement", To: "outgoing connection", Words: "a webhook"},
		},
	})
}
