//go:build !solutions

// Package schemaevolution is the kata "How do you handle schema evolution in distributed systems?". README.md in this folder is
// the contract.
package schemaevolution

import "github.com/backend-kata/dojo/kata/schemaevolution/schema"

// A Reader reads what one schema wrote as another.
type Reader struct{}

// NewReader returns the Reader of two schemas, which may be incompatible.
func NewReader(writer, reader *schema.Schema) *Reader { return &Reader{} }

// Read reads one value.
func (r *Reader) Read(b []byte) (*Message, error) { return &Message{}, nil }

// A Message is a value that was read.
type Message struct{}

// Value returns it as the reader sees it.
func (m *Message) Value() map[string]any { return nil }

// Set changes what is at a path of the reader's field names and of positions in lists (int).
func (m *Message) Set(v any, path ...any) error { return nil }

// Encode returns the bytes of it.
func (m *Message) Encode() []byte { return nil }

// Incompatible returns what the reader refuses of what the writer writes.
func Incompatible(writer, reader *schema.Schema) *schema.Refused { return nil }

// A Registry keeps the versions of each subject. It is for one caller at a time.
type Registry struct{}

// NewRegistry returns a Registry with the modes of its subjects; one without has the zero Mode.
func NewRegistry(modes map[string]schema.Mode) *Registry { return &Registry{} }

// Add adds a version.
func (r *Registry) Add(subject string, s *schema.Schema) (schema.Order, error) { return "", nil }
