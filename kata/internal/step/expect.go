package step

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Expect stops the step unless ok. The sentence says what the system should do,
// and what it did; it is formatted as by [fmt.Sprintf].
func Expect(t testing.TB, ok bool, sentence string, args ...any) {
	t.Helper()
	if !ok {
		t.Fatalf(sentence, args...)
	}
}

// Equal stops the step unless got equals want, and prints both, or how they differ
// where they are long. An error equals those that it wraps. The sentence says what
// is compared, and why it should be so; it is formatted as by [fmt.Sprintf].
func Equal[V any](t testing.TB, want, got V, sentence string, args ...any) {
	t.Helper()
	if cmp.Equal(want, got, options) {
		return
	}
	t.Fatalf("%s %s", strings.TrimRight(fmt.Sprintf(sentence, args...), " \n"), difference(want, got))
}

// NoError stops the step if there is an error, and prints it. The sentence says
// what should have succeeded, and why; it is formatted as by [fmt.Sprintf].
func NoError(t testing.TB, err error, sentence string, args ...any) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s Got the error: %v", strings.TrimRight(fmt.Sprintf(sentence, args...), " \n"), err)
	}
}

var options = cmp.Options{
	cmp.Exporter(func(reflect.Type) bool { return true }),
	cmpopts.EquateErrors(),
}

// difference shows two values side by side if that fits a line, one above the
// other if each does, and else what differs.
func difference(want, got any) string {
	w, g := show(want), show(got)
	switch {
	case isLong(w) || isLong(g):
		return "Expected (-), got (+):\n" + strings.TrimRight(cmp.Diff(want, got, options), "\n")
	case len(w)+len(g) > 60:
		return fmt.Sprintf("Expected and got:\n  %s\n  %s", w, g)
	}
	return fmt.Sprintf("Expected %s, got %s.", w, g)
}

// show writes a value as a reader of Go would: text in quotes, an error by its
// words, what has a String method by that.
func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case error:
		return fmt.Sprintf("the error %q", v.Error())
	case fmt.Stringer:
		return v.String()
	}
	switch reflect.ValueOf(v).Kind() {
	case reflect.String:
		return fmt.Sprintf("%q", v)
	case reflect.Slice, reflect.Array:
		if reflect.TypeOf(v).Elem().Kind() == reflect.String {
			return fmt.Sprintf("%q", v)
		}
		return fmt.Sprintf("%v", v)
	case reflect.Struct, reflect.Pointer, reflect.Interface:
		return fmt.Sprintf("%+v", v)
	default:
		return fmt.Sprintf("%v", v)
	}
}

func isLong(text string) bool {
	return utf8.RuneCountInString(text) > 100 || strings.Contains(text, "\n")
}
