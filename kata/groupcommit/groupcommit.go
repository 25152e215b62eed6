//go:build !solutions

// Package groupcommit is the kata "How do you design a system for high write throughput?". README.md in this folder is
// the contract.
package groupcommit

import (
	"context"
	"errors"
	"iter"

	// The standard library's sync, with points at which a step lets another goroutine go first. With plain "sync" the same
	// code is right, and the step sees less.
	"github.com/backend-kata/dojo/pkg/interleave/sync"
	"github.com/backend-kata/dojo/pkg/simdisk"
)

// ErrClosed is the answer to an Append that comes after Close.
var ErrClosed = errors.New("groupcommit: the log is closed")

// ErrCorrupt is in every error that says that acknowledged records are damaged.
var ErrCorrupt = errors.New("groupcommit: the log is damaged")

// ErrFailed is in every error of a log that is out of use since a sync has failed.
var ErrFailed = errors.New("groupcommit: the log has failed")

// Options are the limits of a log. The zero value is ready for use.
type Options struct {
	// MaxGroup is how many bytes of records may share a sync, 1 MiB if it is 0. A record that is larger goes alone.
	MaxGroup int

	// SegmentSize is for the further steps: a file that has so many bytes is followed by a new one. 0 means one file.
	SegmentSize int64
}

// A Record is what was appended, and its place in the log: 1 for the first, 2 for the second.
type Record struct {
	Index uint64
	Data  []byte
}

// A Log is an append-only list of records that survive a crash. It is safe for concurrent use.
type Log struct {
	mu sync.Mutex // yours to use or to replace
}

// Open opens the log in dir, which it makes if it is not there. It cuts a torn tail. What it finds is certain to survive
// when it returns. If records are damaged that were acknowledged, Open or Records returns an error with ErrCorrupt in it.
func Open(fsys simdisk.FS, dir string, opts Options) (*Log, error) {
	return &Log{}, nil
}

// Append adds a record and returns its index when the record is certain to survive a crash. Many calls share a sync. If
// ctx ends first, Append returns its error at once, and the record is in the log or not.
func (l *Log) Append(ctx context.Context, record []byte) (uint64, error) {
	return 0, nil
}

// Records yields the acknowledged records from an index on, in order. It ends with an error where it finds damage.
func (l *Log) Records(from uint64) iter.Seq2[Record, error] {
	return func(func(Record, error) bool) {}
}

// DropBefore is for the further steps: it removes the files that have only records before an index, but never the last.
func (l *Log) DropBefore(index uint64) error {
	return nil
}

// Close refuses new appends, waits until those under way have their answer, and closes the files.
func (l *Log) Close() error {
	return nil
}
