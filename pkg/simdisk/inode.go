package simdisk

import (
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// An inode is a file or a folder, whatever its names.
type inode struct {
	perm    fs.FileMode
	modTime time.Time
	links   int // names that it has
	opens   int // handles that are open

	// What reads see: the page cache.
	data    []byte            // of a file
	entries map[string]*inode // of a folder; nil for a file

	// What the disk held when it was started. What came since is in the disk's
	// atoms, and a crash chooses among them.
	startData    []byte
	startEntries map[string]*inode

	waiting []*atom // what the next sync writes
}

func newFile(perm fs.FileMode) *inode {
	return &inode{perm: perm.Perm(), modTime: time.Now()}
}

func newFolder(perm fs.FileMode) *inode {
	return &inode{perm: perm.Perm(), modTime: time.Now(), entries: map[string]*inode{}}
}

func (n *inode) isDir() bool { return n.entries != nil }

func (n *inode) names() []string { return slices.Sorted(maps.Keys(n.entries)) }

// started makes what the inode holds now what it held at the start.
func (n *inode) started() {
	n.startData, n.startEntries = slices.Clone(n.data), maps.Clone(n.entries)
}

func (n *inode) info(name string) fs.FileInfo {
	mode := n.perm
	if n.isDir() {
		mode |= fs.ModeDir
	}
	return info{name: path.Base(name), size: int64(len(n.data)), mode: mode, modTime: n.modTime}
}

// An info is what Stat tells.
type info struct {
	name    string
	size    int64
	mode    fs.FileMode
	modTime time.Time
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return i.modTime }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }

// clean turns a name as package os takes it into one from the root on: "." for
// the root itself, else without a slash in front.
func clean(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(name)), "/")
	if name == "" {
		return "."
	}
	return name
}

// find returns the inode of a clean name.
func (n *inode) find(name string) (*inode, error) {
	if name == "." {
		return n, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		if !n.isDir() {
			return nil, syscall.ENOTDIR
		}
		child, ok := n.entries[part]
		if !ok {
			return nil, syscall.ENOENT
		}
		n = child
	}
	return n, nil
}

// findFolder returns the folder that a clean name is in, and the name's last
// part.
func (n *inode) findFolder(name string) (*inode, string, error) {
	folder, err := n.find(clean(path.Dir(name)))
	if err != nil {
		return nil, "", err
	}
	if !folder.isDir() {
		return nil, "", syscall.ENOTDIR
	}
	return folder, path.Base(name), nil
}
