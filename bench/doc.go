// Package bench compares what the katas build with well-kept libraries. It is a module of its own, so that these
// libraries are nobody else's dependency. Its benchmarks need the tag "solutions".
package bench
