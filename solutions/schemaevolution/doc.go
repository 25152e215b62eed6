// Package schemaevolution is the reference solution of the kata of that name. Build it
// with the tag solutions.
package schemaevolution
