//go:build !solutions

// Package putpatch is the kata "Difference between PUT vs PATCH". README.md in this folder is the contract.
package putpatch

import "net/http"

// Config says what a store of documents accepts. The zero value is ready to use.
type Config struct {
	// MaxBytes is the largest request body and the largest document, in bytes. Zero means 1 MiB.
	MaxBytes int64

	// RequireCondition makes the store answer 428 to a PUT or PATCH that has neither If-Match nor If-None-Match.
	RequireCondition bool

	// Validate says why a document may not be stored, or returns nil if it may. It is called with every document
	// that is about to be stored, after a PUT as after a PATCH. A nil Validate accepts every JSON value.
	//
	// It is safe for concurrent use, does not change the document, and may be called more than once in a request.
	// It may take long. If it panics or calls runtime.Goexit, nothing is stored, and the store goes on.
	Validate func(document []byte) error
}

// NewHandler returns an empty store of JSON documents, which live at /documents/{id}. GET and HEAD read a document,
// PUT creates it or replaces it whole, PATCH changes a part of it.
//
// The handler is safe for concurrent use and does not panic. It answers other requests while the body of one is still
// arriving. It has no Close, so a goroutine that it starts ends when its work is done.
func NewHandler(cfg Config) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
}
