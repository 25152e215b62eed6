// Package rerun writes how a failed test is run again.
package rerun

import (
	"regexp"
	"strings"
)

// Pattern is the -run pattern of just the test of that name.
func Pattern(name string) string {
	return "^" + strings.ReplaceAll(regexp.QuoteMeta(name), "/", "$/^") + "$"
}
