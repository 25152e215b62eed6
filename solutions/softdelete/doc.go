// Package softdelete is the reference for the kata "What is soft delete vs hard delete?". It is empty without the
// build tag solutions.
package softdelete
