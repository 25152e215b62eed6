// Package bench holds the katas against the real thing: benchmarks beside well-kept libraries, and tests on a real
// PostgreSQL and a real Redis. It is a module of its own, so that these libraries are nobody else's dependency. All of it needs the tag
// "solutions".
package bench
