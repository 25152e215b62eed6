package simdisk

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// FS is the part of package os that a store of data needs. A [Disk] satisfies
// it, and so does the real file system, as [OS]. The methods do what the
// functions of those names in package os do, and fail with the same errors.
type FS interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	MkdirAll(name string, perm fs.FileMode) error
	Rename(oldname, newname string) error
	Remove(name string) error
	ReadDir(name string) ([]fs.DirEntry, error)
	Stat(name string) (fs.FileInfo, error)
}

// File is the part of [os.File] that a store of data needs. To sync a folder,
// open it for reading and call Sync, or use [SyncDir].
type File interface {
	io.Reader
	io.Writer
	io.ReaderAt
	io.WriterAt
	io.Seeker
	io.Closer
	Name() string
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	Sync() error
}

// Open opens a file or a folder for reading, as [os.Open] does.
func Open(fsys FS, name string) (File, error) {
	return fsys.OpenFile(name, os.O_RDONLY, 0)
}

// Create opens a file for reading and writing and cuts it to nothing, as
// [os.Create] does. Its name is not certain to survive before [SyncDir].
func Create(fsys FS, name string) (File, error) {
	return fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// ReadFile returns all that is in a file, as [os.ReadFile] does.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := Open(fsys, name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	return data, errors.Join(err, f.Close())
}

// SyncDir makes the names in a folder certain: what was created in it, renamed
// or removed. The names of the folder's own parents need a sync of theirs.
func SyncDir(fsys FS, name string) error {
	dir, err := Open(fsys, name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
