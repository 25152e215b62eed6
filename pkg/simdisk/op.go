package simdisk

import (
	"fmt"
	"syscall"
)

// A Kind is a kind of operation.
type Kind string

// The kinds of operations. Those that change what a crash can leave, and notes,
// are kept in the disk's record, see [Disk.Ops]; faults and latency apply to all
// but notes and bit rot.
const (
	OpCreate   Kind = "create" // a file that was not there, by OpenFile
	OpMkdir    Kind = "mkdir"  // each folder that MkdirAll makes
	OpWrite    Kind = "write"
	OpTruncate Kind = "truncate" // also by os.O_TRUNC
	OpRename   Kind = "rename"
	OpRemove   Kind = "remove"
	OpSync     Kind = "sync"     // of a file
	OpSyncDir  Kind = "sync dir" // of a folder
	OpNote     Kind = "note"     // by Note
	OpRot      Kind = "bit rot"  // by FlipBit

	OpOpen    Kind = "open" // of what is there; not kept
	OpRead    Kind = "read" // not kept
	OpReadDir Kind = "read dir"
	OpStat    Kind = "stat" // of a name; not kept
)

// An Op is one operation on a disk.
type Op struct {
	Kind Kind
	Name string // of the file or folder, from the root on, or the text of a note
	To   string // the new name, of a rename
	Off  int64  // of a read, a write or bit rot: where; of a truncate: the new size
	Len  int    // of a read or a write: how many bytes were asked for
	Err  error  // how it failed; a fault sees nil here
}

// String returns the operation on one line, as failures list it.
func (op Op) String() string {
	s := string(op.Kind) + " " + op.Name
	switch op.Kind {
	case OpWrite, OpRead:
		s += fmt.Sprintf(", %d bytes at %d", op.Len, op.Off)
	case OpTruncate:
		s += fmt.Sprintf(" to %d bytes", op.Off)
	case OpRename:
		s += " to " + op.To
	case OpRot:
		s += fmt.Sprintf(", a bit of byte %d", op.Off)
	case OpNote:
		s = fmt.Sprintf("note: %s", op.Name)
	default:
	}
	if op.Err != nil {
		s += fmt.Sprintf("; failed: %v", op.Err)
	}
	return s
}

// Short is a fault for a write: the first n bytes are written, and the write
// returns n and err. Nil as err means a full disk.
func Short(n int, err error) error {
	if err == nil {
		err = syscall.ENOSPC
	}
	return &shortWriteError{n, err}
}

type shortWriteError struct {
	n   int
	err error
}

func (s *shortWriteError) Error() string {
	return fmt.Sprintf("short write of %d bytes: %v", s.n, s.err)
}
func (s *shortWriteError) Unwrap() error { return s.err }
