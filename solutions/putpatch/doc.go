// Package putpatch is the reference solution of the kata "Difference between PUT vs PATCH".
//
// The solution itself is built with the tag "solutions" only.
package putpatch
