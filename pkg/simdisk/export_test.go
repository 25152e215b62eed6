package simdisk

// Space returns how many bytes the disk counts as used, and how many its files
// have.
func Space(d *Disk) (used, have int64) {
	d.lock()
	defer d.mu.Unlock()
	return d.used, size(d.root, map[*inode]bool{})
}
