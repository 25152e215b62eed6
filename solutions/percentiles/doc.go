// Package percentiles is the reference solution of the kata "What are latency percentiles (p50, p95, p99)?".
//
// The solution itself is built with the tag "solutions" only.
package percentiles
