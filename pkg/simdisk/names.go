package simdisk

import (
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"
)

// OpenFile opens a file, or a folder for reading, as [os.OpenFile] does. Flags
// other than O_APPEND, O_CREATE, O_EXCL and O_TRUNC are refused with EINVAL.
func (d *Disk) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	const known = os.O_RDONLY | os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREATE | os.O_EXCL | os.O_TRUNC
	h := &handle{disk: d, name: name, path: clean(name), flag: flag}
	if flag&^known != 0 {
		return nil, h.fail("open", syscall.EINVAL)
	}
	op := Op{Kind: OpOpen, Name: h.path}
	if flag&os.O_CREATE != 0 && !d.exists(h.path) {
		op.Kind = OpCreate
	}
	if err := d.open(h, perm, op, d.begin(op)); err != nil {
		return nil, h.fail("open", err)
	}
	if flag&os.O_TRUNC != 0 {
		if err := h.empty(); err != nil {
			_ = h.Close() // of a handle that nobody has: it cannot fail
			return nil, h.fail("open", err)
		}
	}
	return h, nil
}

func (d *Disk) exists(path string) bool {
	d.lock()
	defer d.unlock()
	_, err := d.root.find(path)
	return err == nil
}

// open finds or makes the file of a handle. It is given the fault, if there is
// one to be.
func (d *Disk) open(h *handle, perm fs.FileMode, op Op, fault error) error {
	d.lock()
	defer d.unlock()
	n, err := d.root.find(h.path)
	switch {
	case fault != nil:
		err = fault
	case err == syscall.ENOENT && h.flag&os.O_CREATE != 0: //nolint:errorlint // find returns it as it is
		n, err = d.create(h.path, newFile(perm), op)
	case err != nil:
	case h.flag&os.O_CREATE != 0 && h.flag&os.O_EXCL != 0:
		err = syscall.EEXIST
	case n.isDir() && (h.writes() || h.flag&os.O_CREATE != 0):
		err = syscall.EISDIR
	}
	if err != nil {
		if op.Kind == OpCreate {
			d.keep(op, err)
		}
		return err
	}
	n.opens++
	h.node = n
	return nil
}

// create gives a new inode its name, and keeps the operation. The lock is held,
// here and below.
func (d *Disk) create(name string, n *inode, op Op) (*inode, error) {
	folder, last, err := d.root.findFolder(name)
	if err != nil {
		return nil, err
	}
	d.keep(op, nil)
	d.relink(folder, "", last, n)
	return n, nil
}

// relink changes names in one folder, as one atom: del goes and add comes.
func (d *Disk) relink(folder *inode, del, add string, child *inode) {
	d.add(&atom{on: folder, part: namesOf, del: del, add: add, child: child})
	folder.modTime = time.Now()
	if add != "" {
		child.links++ // before its old name goes, or the file goes with it
		if folder.entries[add] != nil {
			d.unlink(folder, add)
		}
		folder.entries[add] = child
	}
	if del != "" {
		d.unlink(folder, del)
	}
}

func (d *Disk) unlink(folder *inode, name string) {
	n := folder.entries[name]
	delete(folder.entries, name)
	n.links--
	d.release(n)
}

// release gives the space of a file back that has neither name nor handle.
func (d *Disk) release(n *inode) {
	if n.links == 0 && n.opens == 0 {
		d.used -= int64(len(n.data))
	}
}

// MkdirAll makes a folder and those that it is in, as [os.MkdirAll] does.
func (d *Disk) MkdirAll(name string, perm fs.FileMode) error {
	full := clean(name)
	for i := range len(full) + 1 {
		if i < len(full) && full[i] != '/' {
			continue
		}
		if err := d.mkdir(full[:i], perm); err != nil {
			return &fs.PathError{Op: "mkdir", Path: name, Err: err}
		}
	}
	return nil
}

func (d *Disk) mkdir(name string, perm fs.FileMode) error {
	op := Op{Kind: OpMkdir, Name: name}
	if d.exists(name) {
		op.Kind = OpOpen
	}
	fault := d.begin(op)
	d.lock()
	defer d.unlock()
	n, err := d.root.find(name)
	switch {
	case fault != nil:
		err = fault
	case err == nil && !n.isDir():
		err = syscall.ENOTDIR
	case err == nil:
		return nil
	default:
		_, err = d.create(name, newFolder(perm), op)
	}
	if err != nil && op.Kind == OpMkdir {
		d.keep(op, err)
	}
	return err
}

// Rename gives a file or folder another name, in place of a file that has it, as
// [os.Rename] does. Within one folder a crash leaves the old name or the new one.
// From one folder to another, each folder's change is certain only after its own
// sync: a crash may leave both names, or none.
func (d *Disk) Rename(oldname, newname string) error {
	op := Op{Kind: OpRename, Name: clean(oldname), To: clean(newname)}
	fault := d.begin(op)
	d.lock()
	defer d.unlock()
	from, to, err := d.checkRename(op)
	if fault != nil {
		err = fault
	}
	if err != nil {
		d.keep(op, err)
		return &os.LinkError{Op: "rename", Old: oldname, New: newname, Err: err}
	}
	if op.Name == op.To {
		return nil
	}
	d.keep(op, nil)
	last, child := path.Base(op.Name), from.entries[path.Base(op.Name)]
	if from == to {
		d.relink(from, last, path.Base(op.To), child)
		return nil
	}
	d.relink(to, "", path.Base(op.To), child)
	d.relink(from, last, "", nil)
	return nil
}

// checkRename returns the folders of both names, or why it cannot be.
func (d *Disk) checkRename(op Op) (from, to *inode, err error) {
	if op.Name == "." || op.To == "." {
		return nil, nil, syscall.EBUSY
	}
	from, old, err := d.root.findFolder(op.Name)
	if err != nil {
		return nil, nil, err
	}
	to, last, err := d.root.findFolder(op.To)
	if err != nil {
		return nil, nil, err
	}
	child, target := from.entries[old], to.entries[last]
	switch {
	case child == nil:
		return nil, nil, syscall.ENOENT
	case target != nil && target.isDir():
		return nil, nil, syscall.EEXIST // so says package os, whatever the kernel says
	case child.isDir() && strings.HasPrefix(op.To, op.Name+"/"):
		return nil, nil, syscall.EINVAL
	case target != nil && child.isDir():
		return nil, nil, syscall.ENOTDIR
	}
	return from, to, nil
}

// Remove removes a file or an empty folder, as [os.Remove] does. Handles of the
// file go on working.
func (d *Disk) Remove(name string) error {
	op := Op{Kind: OpRemove, Name: clean(name)}
	fault := d.begin(op)
	d.lock()
	defer d.unlock()
	n, err := d.root.find(op.Name)
	switch {
	case fault != nil:
		err = fault
	case err != nil:
	case op.Name == ".":
		err = syscall.EBUSY
	case len(n.entries) > 0:
		err = syscall.ENOTEMPTY
	}
	d.keep(op, err)
	if err != nil {
		return &fs.PathError{Op: "remove", Path: name, Err: err}
	}
	folder, last, _ := d.root.findFolder(op.Name) // it was found above
	d.relink(folder, last, "", nil)
	return nil
}

// ReadDir returns what is in a folder, sorted by name, as [os.ReadDir] does.
func (d *Disk) ReadDir(name string) ([]fs.DirEntry, error) {
	fault := d.begin(Op{Kind: OpReadDir, Name: clean(name)})
	d.lock()
	defer d.unlock()
	n, err := d.root.find(clean(name))
	switch {
	case fault != nil:
		err = fault
	case err == nil && !n.isDir():
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	var entries []fs.DirEntry
	for _, name := range n.names() {
		entries = append(entries, fs.FileInfoToDirEntry(n.entries[name].info(name)))
	}
	return entries, nil
}

// Stat describes a file or folder, as [os.Stat] does.
func (d *Disk) Stat(name string) (fs.FileInfo, error) {
	fault := d.begin(Op{Kind: OpStat, Name: clean(name)})
	d.lock()
	defer d.unlock()
	n, err := d.root.find(clean(name))
	if fault != nil {
		err = fault
	}
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return n.info(name), nil
}
