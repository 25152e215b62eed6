//go:build !solutions

// Package putpatch is the kata "Difference between PUT vs PATCH". README.md in this folder is the contract.
package putpatch

import "net/http"

// Config says what a store of documents accepts.
type Config struct {
	// MaxBytes is the largest request body and the largest document, in bytes. Zero means 1 MiB (1,048,576).
	MaxBytes int64

	// RequireCondition makes the store answer 428 to a PUT or PATCH that has neither If-Match nor If-None-Match.
	RequireCondition bool

	// Validate says why a document may not be stored, or returns nil. It is called with every document before it is
	// stored, after PUT and PATCH alike. A nil Validate accepts all.
	//
	// It is safe for concurrent use, may take a long time, and may be called several times in a request. If it panics
	// or calls runtime.Goexit, the request may end in the same way; nothing is stored, and the store goes on.
	Validate func(document []byte) error
}

// NewHandler returns an empty store of JSON documents.
func NewHandler(cfg Config) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
}
