// Package atomic stands in for the standard library's package sync/atomic, as
// package sync above it does for sync: under an exploration of package interleave
// each operation is a point, where another actor may go first. Outside one it is
// the standard operation, at the price of one more atomic load.
package atomic

import (
	"sync/atomic"

	"github.com/backend-kata/dojo/pkg/interleave/internal/hook"
)

func point(what string) {
	if hook.Active() {
		hook.Park(what, nil, nil)
	}
}

// An Int32 is [atomic.Int32] with a point before each operation.
type Int32 struct{ v atomic.Int32 }

// Load is a point, then [atomic.Int32.Load].
func (x *Int32) Load() int32 {
	point("Load")
	return x.v.Load()
}

// Store is a point, then [atomic.Int32.Store].
func (x *Int32) Store(val int32) {
	point("Store")
	x.v.Store(val)
}

// Swap is a point, then [atomic.Int32.Swap].
func (x *Int32) Swap(val int32) (old int32) {
	point("Swap")
	return x.v.Swap(val)
}

// CompareAndSwap is a point, then [atomic.Int32.CompareAndSwap].
func (x *Int32) CompareAndSwap(old, val int32) bool {
	point("CompareAndSwap")
	return x.v.CompareAndSwap(old, val)
}

// Add is a point, then [atomic.Int32.Add].
func (x *Int32) Add(delta int32) int32 {
	point("Add")
	return x.v.Add(delta)
}

// And is a point, then [atomic.Int32.And].
func (x *Int32) And(mask int32) (old int32) {
	point("And")
	return x.v.And(mask)
}

// Or is a point, then [atomic.Int32.Or].
func (x *Int32) Or(mask int32) (old int32) {
	point("Or")
	return x.v.Or(mask)
}

// An Int64 is [atomic.Int64] with a point before each operation.
type Int64 struct{ v atomic.Int64 }

// Load is a point, then [atomic.Int64.Load].
func (x *Int64) Load() int64 {
	point("Load")
	return x.v.Load()
}

// Store is a point, then [atomic.Int64.Store].
func (x *Int64) Store(val int64) {
	point("Store")
	x.v.Store(val)
}

// Swap is a point, then [atomic.Int64.Swap].
func (x *Int64) Swap(val int64) (old int64) {
	point("Swap")
	return x.v.Swap(val)
}

// CompareAndSwap is a point, then [atomic.Int64.CompareAndSwap].
func (x *Int64) CompareAndSwap(old, val int64) bool {
	point("CompareAndSwap")
	return x.v.CompareAndSwap(old, val)
}

// Add is a point, then [atomic.Int64.Add].
func (x *Int64) Add(delta int64) int64 {
	point("Add")
	return x.v.Add(delta)
}

// And is a point, then [atomic.Int64.And].
func (x *Int64) And(mask int64) (old int64) {
	point("And")
	return x.v.And(mask)
}

// Or is a point, then [atomic.Int64.Or].
func (x *Int64) Or(mask int64) (old int64) {
	point("Or")
	return x.v.Or(mask)
}

// A Uint32 is [atomic.Uint32] with a point before each operation.
type Uint32 struct{ v atomic.Uint32 }

// Load is a point, then [atomic.Uint32.Load].
func (x *Uint32) Load() uint32 {
	point("Load")
	return x.v.Load()
}

// Store is a point, then [atomic.Uint32.Store].
func (x *Uint32) Store(val uint32) {
	point("Store")
	x.v.Store(val)
}

// Swap is a point, then [atomic.Uint32.Swap].
func (x *Uint32) Swap(val uint32) (old uint32) {
	point("Swap")
	return x.v.Swap(val)
}

// CompareAndSwap is a point, then [atomic.Uint32.CompareAndSwap].
func (x *Uint32) CompareAndSwap(old, val uint32) bool {
	point("CompareAndSwap")
	return x.v.CompareAndSwap(old, val)
}

// Add is a point, then [atomic.Uint32.Add].
func (x *Uint32) Add(delta uint32) uint32 {
	point("Add")
	return x.v.Add(delta)
}

// And is a point, then [atomic.Uint32.And].
func (x *Uint32) And(mask uint32) (old uint32) {
	point("And")
	return x.v.And(mask)
}

// Or is a point, then [atomic.Uint32.Or].
func (x *Uint32) Or(mask uint32) (old uint32) {
	point("Or")
	return x.v.Or(mask)
}

// A Uint64 is [atomic.Uint64] with a point before each operation.
type Uint64 struct{ v atomic.Uint64 }

// Load is a point, then [atomic.Uint64.Load].
func (x *Uint64) Load() uint64 {
	point("Load")
	return x.v.Load()
}

// Store is a point, then [atomic.Uint64.Store].
func (x *Uint64) Store(val uint64) {
	point("Store")
	x.v.Store(val)
}

// Swap is a point, then [atomic.Uint64.Swap].
func (x *Uint64) Swap(val uint64) (old uint64) {
	point("Swap")
	return x.v.Swap(val)
}

// CompareAndSwap is a point, then [atomic.Uint64.CompareAndSwap].
func (x *Uint64) CompareAndSwap(old, val uint64) bool {
	point("CompareAndSwap")
	return x.v.CompareAndSwap(old, val)
}

// Add is a point, then [atomic.Uint64.Add].
func (x *Uint64) Add(delta uint64) uint64 {
	point("Add")
	return x.v.Add(delta)
}

// And is a point, then [atomic.Uint64.And].
func (x *Uint64) And(mask uint64) (old uint64) {
	point("And")
	return x.v.And(mask)
}

// Or is a point, then [atomic.Uint64.Or].
func (x *Uint64) Or(mask uint64) (old uint64) {
	point("Or")
	return x.v.Or(mask)
}

// A Uintptr is [atomic.Uintptr] with a point before each operation.
type Uintptr struct{ v atomic.Uintptr }

// Load is a point, then [atomic.Uintptr.Load].
func (x *Uintptr) Load() uintptr {
	point("Load")
	return x.v.Load()
}

// Store is a point, then [atomic.Uintptr.Store].
func (x *Uintptr) Store(val uintptr) {
	point("Store")
	x.v.Store(val)
}

// Swap is a point, then [atomic.Uintptr.Swap].
func (x *Uintptr) Swap(val uintptr) (old uintptr) {
	point("Swap")
	return x.v.Swap(val)
}

// CompareAndSwap is a point, then [atomic.Uintptr.CompareAndSwap].
func (x *Uintptr) CompareAndSwap(old, val uintptr) bool {
	point("CompareAndSwap")
	return x.v.CompareAndSwap(old, val)
}

// Add is a point, then [atomic.Uintptr.Add].
func (x *Uintptr) Add(delta uintptr) uintptr {
	point("Add")
	return x.v.Add(delta)
}

// And is a point, then [atomic.Uintptr.And].
func (x *Uintptr) And(mask uintptr) (old uintptr) {
	point("And")
	return x.v.And(mask)
}

// Or is a point, then [atomic.Uintptr.Or].
func (x *Uintptr) Or(mask uintptr) (old uintptr) {
	point("Or")
	return x.v.Or(mask)
}

// A Bool is [atomic.Bool] with a point before each operation.
type Bool struct{ v atomic.Bool }

// Load is a point, then [atomic.Bool.Load].
func (x *Bool) Load() bool {
	point("Load")
	return x.v.Load()
}

// Store is a point, then [atomic.Bool.Store].
func (x *Bool) Store(val bool) {
	point("Store")
	x.v.Store(val)
}

// Swap is a point, then [atomic.Bool.Swap].
func (x *Bool) Swap(val bool) (old bool) {
	point("Swap")
	return x.v.Swap(val)
}

// CompareAndSwap is a point, then [atomic.Bool.CompareAndSwap].
func (x *Bool) CompareAndSwap(old, val bool) bool {
	point("CompareAndSwap")
	return x.v.CompareAndSwap(old, val)
}

// A Pointer is [atomic.Pointer] with a point before each operation.
type Pointer[T any] struct{ v atomic.Pointer[T] }

// Load is a point, then [atomic.Pointer.Load].
func (x *Pointer[T]) Load() *T {
	point("Load")
	return x.v.Load()
}

// Store is a point, then [atomic.Pointer.Store].
func (x *Pointer[T]) Store(val *T) {
	point("Store")
	x.v.Store(val)
}

// Swap is a point, then [atomic.Pointer.Swap].
func (x *Pointer[T]) Swap(val *T) (old *T) {
	point("Swap")
	return x.v.Swap(val)
}

// CompareAndSwap is a point, then [atomic.Pointer.CompareAndSwap].
func (x *Pointer[T]) CompareAndSwap(old, val *T) bool {
	point("CompareAndSwap")
	return x.v.CompareAndSwap(old, val)
}

// A Value is [atomic.Value] with a point before each operation.
type Value struct{ v atomic.Value }

// Load is a point, then [atomic.Value.Load].
func (x *Value) Load() any {
	point("Load")
	return x.v.Load()
}

// Store is a point, then [atomic.Value.Store].
func (x *Value) Store(val any) {
	point("Store")
	x.v.Store(val)
}

// Swap is a point, then [atomic.Value.Swap].
func (x *Value) Swap(val any) (old any) {
	point("Swap")
	return x.v.Swap(val)
}

// CompareAndSwap is a point, then [atomic.Value.CompareAndSwap].
func (x *Value) CompareAndSwap(old, val any) bool {
	point("CompareAndSwap")
	return x.v.CompareAndSwap(old, val)
}
