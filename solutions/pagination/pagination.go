//go:build solutions

package pagination

// Answer is the first exported name of the contract.
func Answer() int { return 42 }
