package pagination_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/backend-kata/dojo/kata/pagination"
)

// The answer is 42.
func TestAnswer(t *testing.T) {
	require.Equal(t, 42, pagination.Answer(), "the answer is expected to be 42")
}
