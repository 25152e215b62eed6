//go:build solutions

package schemaevolution_test

import (
	"testing"

	"github.com/backend-kata/dojo/solutions/internal/figure"
)

// TestRollout counts what is refused where the picture says so.
func TestFigureDeploy(t *testing.T) {
	figure.Drawn(t, "schemaevolution-deploy", figure.Lanes{
		Title:  "Deploying needs backward, rolling back needs forward",
		Assume: "Readers are deployed first. The log keeps the records of every version.",
		Alt: "Writers of version 1 fill the log. Readers are deployed first: version 2 reads a record of version 1, which takes backward " +
			"compatibility. Then the writers write version 2. The readers are rolled back to version 1 and get a record of version 2, which " +
			"takes forward compatibility. Years later readers of version 9 replay the log from version 1 on, which takes transitive " +
			"backward compatibility.",
		Parties: []string{"writers", "log", "readers"},
		Steps: []figure.Step{
			{From: "writers", To: "log", Words: "record v1"},
			{From: "readers", Words: "deployed: v2"},
			{From: "log", To: "readers", Words: "record v1", Role: figure.Right},
			{From: "readers", Words: "v2 reads v1: backward", Role: figure.Right},
			{From: "writers", Words: "deployed: v2"},
			{From: "writers", To: "log", Words: "record v2"},
			{From: "readers", Words: "rolled back: v1"},
			{From: "log", To: "readers", Words: "record v2", Role: figure.Wrong},
			{From: "readers", Words: "v1 reads v2: forward", Role: figure.Wrong},
			{From: "readers", Words: "years later: v9"},
			{From: "log", To: "readers", Words: "replay: v1, v2 … v9", Role: figure.Right},
			{From: "readers", Words: "v9 reads all: transitive", Role: figure.Right},
		},
	})
}
