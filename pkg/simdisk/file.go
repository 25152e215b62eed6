package simdisk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// A handle is an open file or folder.
type handle struct {
	disk *Disk
	name string // as it was opened
	path string // clean
	flag int
	node *inode

	// Guarded by disk.mu.
	off    int64
	closed bool
}

var (
	errNegative     = errors.New("negative offset")
	errWriteAtAtEnd = errors.New("os: invalid use of WriteAt on file opened with O_APPEND")
)

func (h *handle) access() int  { return h.flag & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR) }
func (h *handle) reads() bool  { return h.access() != os.O_WRONLY }
func (h *handle) writes() bool { return h.access() != os.O_RDONLY }

func (h *handle) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: h.name, Err: err}
}

// check returns why an operation cannot be, if it cannot. The lock is held.
func (h *handle) check(allowed bool, fault error) error {
	switch {
	case h.closed:
		return fs.ErrClosed
	case fault != nil:
		return fault
	case !allowed:
		return syscall.EBADF
	case h.node.isDir():
		return syscall.EISDIR
	}
	return nil
}

func (h *handle) Name() string { return h.name }

func (h *handle) Stat() (fs.FileInfo, error) {
	h.disk.lock()
	defer h.disk.unlock()
	if h.closed {
		return nil, h.fail("stat", fs.ErrClosed)
	}
	return h.node.info(h.name), nil
}

func (h *handle) Close() error {
	h.disk.lock()
	defer h.disk.unlock()
	if h.closed {
		return h.fail("close", fs.ErrClosed)
	}
	h.closed = true
	h.node.opens--
	h.disk.release(h.node)
	return nil
}

func (h *handle) Seek(offset int64, whence int) (int64, error) {
	h.disk.lock()
	defer h.disk.unlock()
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += h.off
	case io.SeekEnd:
		offset += int64(len(h.node.data))
	default:
		offset = -1
	}
	switch {
	case h.closed:
		return 0, h.fail("seek", fs.ErrClosed)
	case offset < 0:
		return 0, h.fail("seek", syscall.EINVAL)
	}
	h.off = offset
	return offset, nil
}

func (h *handle) Read(p []byte) (int, error) {
	n, err := h.read(p, -1)
	if err == nil && n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, err
}

func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, &fs.PathError{Op: "readat", Path: h.name, Err: errNegative}
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := h.read(p, off)
	if err == nil && n < len(p) {
		return n, io.EOF
	}
	return n, err
}

// own stands for a handle's own offset.
const own = -1

// read reads at off, or at the handle's own offset and moves it.
func (h *handle) read(p []byte, off int64) (int, error) {
	fault := h.disk.begin(Op{Kind: OpRead, Name: h.path, Off: h.place(off, false), Len: len(p)})
	h.disk.lock()
	defer h.disk.unlock()
	err := h.check(h.reads(), fault)
	if len(p) == 0 && !h.closed && fault == nil {
		return 0, nil // so it is on a real one, readable or not
	}
	if err != nil {
		return 0, h.fail("read", err)
	}
	at, n := off, 0
	if off == own {
		at = h.off
	}
	if at < int64(len(h.node.data)) {
		n = copy(p, h.node.data[at:])
	}
	if off == own {
		h.off += int64(n)
	}
	return n, nil
}

// place says where a read or write at off will be, as far as it is known before
// it has its turn.
func (h *handle) place(off int64, write bool) int64 {
	h.disk.lock()
	defer h.disk.unlock()
	switch {
	case off != own:
		return off
	case write && h.flag&os.O_APPEND != 0:
		return int64(len(h.node.data))
	default:
		return h.off
	}
}

func (h *handle) Write(p []byte) (int, error) { return h.write(p, own) }

func (h *handle) WriteAt(p []byte, off int64) (int, error) {
	switch {
	case h.flag&os.O_APPEND != 0:
		return 0, errWriteAtAtEnd
	case off < 0:
		return 0, &fs.PathError{Op: "writeat", Path: h.name, Err: errNegative}
	case len(p) == 0:
		return 0, nil
	}
	return h.write(p, off)
}

// write writes at off, or at the handle's own offset and moves it.
func (h *handle) write(p []byte, off int64) (int, error) {
	op := Op{Kind: OpWrite, Name: h.path, Off: h.place(off, true), Len: len(p)}
	fault := h.disk.begin(op)
	h.disk.lock()
	defer h.disk.unlock()
	at := off
	switch {
	case off == own && h.flag&os.O_APPEND != 0:
		at = int64(len(h.node.data))
	case off == own:
		at = h.off
	}
	op.Off = at
	n, err := h.fits(at, p, fault)
	h.disk.keep(op, err)
	if n > 0 {
		h.node.modTime = time.Now()
		h.disk.put(h.node, int(at), p[:n])
	}
	if off == own && n > 0 {
		h.off = at + int64(n)
	}
	if err != nil {
		return n, h.fail("write", err)
	}
	return n, nil
}

// fits says how much of p can be written, and why no more. The lock is held.
func (h *handle) fits(at int64, p []byte, fault error) (int, error) {
	n := len(p)
	short, isShort := errors.AsType[*shortWriteError](fault)
	if isShort {
		n, fault = min(max(short.n, 0), n), nil
	}
	if err := h.check(h.writes(), fault); err != nil {
		return 0, err
	}
	room := h.disk.room()
	if more := at + int64(n) - int64(len(h.node.data)); more > room {
		return int(max(int64(len(h.node.data))+room-at, 0)), syscall.ENOSPC
	}
	if isShort {
		return n, short.err
	}
	return n, nil
}

// Truncate sets the size.
func (h *handle) Truncate(size int64) error {
	op := Op{Kind: OpTruncate, Name: h.path, Off: size}
	fault := h.disk.begin(op)
	h.disk.lock()
	defer h.disk.unlock()
	err := fault
	switch {
	case h.closed:
		err = fs.ErrClosed
	case err != nil:
	case size < 0 || !h.writes():
		err = syscall.EINVAL
	case size-int64(len(h.node.data)) > h.disk.room():
		err = syscall.ENOSPC
	}
	h.disk.keep(op, err)
	if err != nil {
		return h.fail("truncate", err)
	}
	h.node.modTime = time.Now()
	if int(size) != len(h.node.data) {
		h.disk.resize(h.node, int(size), 0)
	}
	return nil
}

// empty is os.O_TRUNC.
func (h *handle) empty() error {
	info, err := h.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	writable := *h
	writable.flag |= os.O_RDWR
	return writable.Truncate(0)
}

// Sync makes what was written to the file before the call certain to survive a
// crash, or the names in a folder. If it fails, what it should have written may
// survive or not, whatever a later Sync says: the page cache takes it for
// written.
func (h *handle) Sync() error {
	op := Op{Kind: OpSync, Name: h.path}
	if h.node.isDir() {
		op.Kind = OpSyncDir
	}
	atoms := h.handOver()
	fault := h.disk.begin(op)
	h.disk.lock()
	defer h.disk.unlock()
	if h.closed {
		fault = fs.ErrClosed
	}
	h.disk.keep(op, fault)
	if fault != nil {
		return h.fail("sync", fault) // no later sync will write the atoms
	}
	for _, a := range atoms {
		a.certain = len(h.disk.ops)
	}
	return nil
}

// handOver gives what waits in the page cache to a sync.
func (h *handle) handOver() []*atom {
	h.disk.lock()
	defer h.disk.unlock()
	if h.closed {
		return nil
	}
	atoms := h.node.waiting
	h.node.waiting = nil
	return atoms
}
