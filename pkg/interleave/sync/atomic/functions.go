package atomic

import (
	"sync/atomic"
	"unsafe"
)

// LoadInt32 is a point, then [atomic.LoadInt32].
func LoadInt32(addr *int32) int32 {
	point("Load")
	return atomic.LoadInt32(addr)
}

// StoreInt32 is a point, then [atomic.StoreInt32].
func StoreInt32(addr *int32, val int32) {
	point("Store")
	atomic.StoreInt32(addr, val)
}

// SwapInt32 is a point, then [atomic.SwapInt32].
func SwapInt32(addr *int32, val int32) (old int32) {
	point("Swap")
	return atomic.SwapInt32(addr, val)
}

// CompareAndSwapInt32 is a point, then [atomic.CompareAndSwapInt32].
func CompareAndSwapInt32(addr *int32, old, val int32) bool {
	point("CompareAndSwap")
	return atomic.CompareAndSwapInt32(addr, old, val)
}

// AddInt32 is a point, then [atomic.AddInt32].
func AddInt32(addr *int32, delta int32) int32 {
	point("Add")
	return atomic.AddInt32(addr, delta)
}

// AndInt32 is a point, then [atomic.AndInt32].
func AndInt32(addr *int32, mask int32) (old int32) {
	point("And")
	return atomic.AndInt32(addr, mask)
}

// OrInt32 is a point, then [atomic.OrInt32].
func OrInt32(addr *int32, mask int32) (old int32) {
	point("Or")
	return atomic.OrInt32(addr, mask)
}

// LoadInt64 is a point, then [atomic.LoadInt64].
func LoadInt64(addr *int64) int64 {
	point("Load")
	return atomic.LoadInt64(addr)
}

// StoreInt64 is a point, then [atomic.StoreInt64].
func StoreInt64(addr *int64, val int64) {
	point("Store")
	atomic.StoreInt64(addr, val)
}

// SwapInt64 is a point, then [atomic.SwapInt64].
func SwapInt64(addr *int64, val int64) (old int64) {
	point("Swap")
	return atomic.SwapInt64(addr, val)
}

// CompareAndSwapInt64 is a point, then [atomic.CompareAndSwapInt64].
func CompareAndSwapInt64(addr *int64, old, val int64) bool {
	point("CompareAndSwap")
	return atomic.CompareAndSwapInt64(addr, old, val)
}

// AddInt64 is a point, then [atomic.AddInt64].
func AddInt64(addr *int64, delta int64) int64 {
	point("Add")
	return atomic.AddInt64(addr, delta)
}

// AndInt64 is a point, then [atomic.AndInt64].
func AndInt64(addr *int64, mask int64) (old int64) {
	point("And")
	return atomic.AndInt64(addr, mask)
}

// OrInt64 is a point, then [atomic.OrInt64].
func OrInt64(addr *int64, mask int64) (old int64) {
	point("Or")
	return atomic.OrInt64(addr, mask)
}

// LoadUint32 is a point, then [atomic.LoadUint32].
func LoadUint32(addr *uint32) uint32 {
	point("Load")
	return atomic.LoadUint32(addr)
}

// StoreUint32 is a point, then [atomic.StoreUint32].
func StoreUint32(addr *uint32, val uint32) {
	point("Store")
	atomic.StoreUint32(addr, val)
}

// SwapUint32 is a point, then [atomic.SwapUint32].
func SwapUint32(addr *uint32, val uint32) (old uint32) {
	point("Swap")
	return atomic.SwapUint32(addr, val)
}

// CompareAndSwapUint32 is a point, then [atomic.CompareAndSwapUint32].
func CompareAndSwapUint32(addr *uint32, old, val uint32) bool {
	point("CompareAndSwap")
	return atomic.CompareAndSwapUint32(addr, old, val)
}

// AddUint32 is a point, then [atomic.AddUint32].
func AddUint32(addr *uint32, delta uint32) uint32 {
	point("Add")
	return atomic.AddUint32(addr, delta)
}

// AndUint32 is a point, then [atomic.AndUint32].
func AndUint32(addr *uint32, mask uint32) (old uint32) {
	point("And")
	return atomic.AndUint32(addr, mask)
}

// OrUint32 is a point, then [atomic.OrUint32].
func OrUint32(addr *uint32, mask uint32) (old uint32) {
	point("Or")
	return atomic.OrUint32(addr, mask)
}

// LoadUint64 is a point, then [atomic.LoadUint64].
func LoadUint64(addr *uint64) uint64 {
	point("Load")
	return atomic.LoadUint64(addr)
}

// StoreUint64 is a point, then [atomic.StoreUint64].
func StoreUint64(addr *uint64, val uint64) {
	point("Store")
	atomic.StoreUint64(addr, val)
}

// SwapUint64 is a point, then [atomic.SwapUint64].
func SwapUint64(addr *uint64, val uint64) (old uint64) {
	point("Swap")
	return atomic.SwapUint64(addr, val)
}

// CompareAndSwapUint64 is a point, then [atomic.CompareAndSwapUint64].
func CompareAndSwapUint64(addr *uint64, old, val uint64) bool {
	point("CompareAndSwap")
	return atomic.CompareAndSwapUint64(addr, old, val)
}

// AddUint64 is a point, then [atomic.AddUint64].
func AddUint64(addr *uint64, delta uint64) uint64 {
	point("Add")
	return atomic.AddUint64(addr, delta)
}

// AndUint64 is a point, then [atomic.AndUint64].
func AndUint64(addr *uint64, mask uint64) (old uint64) {
	point("And")
	return atomic.AndUint64(addr, mask)
}

// OrUint64 is a point, then [atomic.OrUint64].
func OrUint64(addr *uint64, mask uint64) (old uint64) {
	point("Or")
	return atomic.OrUint64(addr, mask)
}

// LoadUintptr is a point, then [atomic.LoadUintptr].
func LoadUintptr(addr *uintptr) uintptr {
	point("Load")
	return atomic.LoadUintptr(addr)
}

// StoreUintptr is a point, then [atomic.StoreUintptr].
func StoreUintptr(addr *uintptr, val uintptr) {
	point("Store")
	atomic.StoreUintptr(addr, val)
}

// SwapUintptr is a point, then [atomic.SwapUintptr].
func SwapUintptr(addr *uintptr, val uintptr) (old uintptr) {
	point("Swap")
	return atomic.SwapUintptr(addr, val)
}

// CompareAndSwapUintptr is a point, then [atomic.CompareAndSwapUintptr].
func CompareAndSwapUintptr(addr *uintptr, old, val uintptr) bool {
	point("CompareAndSwap")
	return atomic.CompareAndSwapUintptr(addr, old, val)
}

// AddUintptr is a point, then [atomic.AddUintptr].
func AddUintptr(addr *uintptr, delta uintptr) uintptr {
	point("Add")
	return atomic.AddUintptr(addr, delta)
}

// AndUintptr is a point, then [atomic.AndUintptr].
func AndUintptr(addr *uintptr, mask uintptr) (old uintptr) {
	point("And")
	return atomic.AndUintptr(addr, mask)
}

// OrUintptr is a point, then [atomic.OrUintptr].
func OrUintptr(addr *uintptr, mask uintptr) (old uintptr) {
	point("Or")
	return atomic.OrUintptr(addr, mask)
}

// LoadPointer is a point, then [atomic.LoadPointer].
func LoadPointer(addr *unsafe.Pointer) unsafe.Pointer {
	point("Load")
	return atomic.LoadPointer(addr)
}

// StorePointer is a point, then [atomic.StorePointer].
func StorePointer(addr *unsafe.Pointer, val unsafe.Pointer) {
	point("Store")
	atomic.StorePointer(addr, val)
}

// SwapPointer is a point, then [atomic.SwapPointer].
func SwapPointer(addr *unsafe.Pointer, val unsafe.Pointer) (old unsafe.Pointer) {
	point("Swap")
	return atomic.SwapPointer(addr, val)
}

// CompareAndSwapPointer is a point, then [atomic.CompareAndSwapPointer].
func CompareAndSwapPointer(addr *unsafe.Pointer, old, val unsafe.Pointer) bool {
	point("CompareAndSwap")
	return atomic.CompareAndSwapPointer(addr, old, val)
}
