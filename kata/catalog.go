// Package kata holds the catalogue of the 43 questions. The exercises
// themselves are the folders beside it, one a question.
package kata

// A Track groups related questions on the board.
type Track string

// The tracks.
const (
	API         Track = "API"
	Data        Track = "Data"
	Distributed Track = "Distributed systems"
	Concurrency Track = "Concurrency"
	Scale       Track = "Scale"
	Operations  Track = "Operations"
)

// Tracks returns the tracks in the order in which the board shows them.
func Tracks() []Track {
	return []Track{API, Concurrency, Data, Distributed, Scale, Operations}
}

// A Question is one row of the catalogue.
type Question struct {
	Number   int    // its place in the deck, from 1
	Text     string // the question, in the deck's words
	Folder   string // the name of its folders in kata, solutions and docs
	Track    Track
	Level    int    // 1 first, 2 next, 3 last
	Path     int    // its place on the path through all of them, gentlest first, from 1
	Title    string // its subject in a few words
	Exercise string // what the kata has you build, in one line
}

// Questions returns the 43 questions in the deck's order, whether or not
// their kata exists yet: that is read off the file system. The slice is the
// caller's own.
func Questions() []Question {
	return []Question{
		{
			1, "What is API versioning?", "apiversion", API, 2, 15, "API versioning",
			"date-pinned versions of one HTTP API, with transforms up and down, deprecation and sunset headers",
		},
		{
			2, "What are common API vulnerabilities?", "apivuln", API, 2, 17, "API vulnerabilities",
			"close the holes of a vulnerable service: each step is an exploit from the OWASP API Security Top 10",
		},
		{
			3, "Difference between PUT vs PATCH", "putpatch", API, 2, 4, "PUT vs PATCH",
			"a document resource with PUT, merge patch, JSON patch and conditional requests",
		},
		{
			4, "How do you secure APIs?", "apiauth", API, 2, 16, "Securing APIs",
			"verify JSON Web Tokens with rotating keys and enforce scopes",
		},
		{
			5, "What is rate limiting?", "ratelimit", API, 2, 5, "Rate limiting",
			"a limiter per key with exact Retry-After and bounded memory",
		},
		{
			6, "How do you prevent duplicate requests?", "idempotency", API, 2, 6, "Preventing duplicate requests",
			"HTTP middleware for the Idempotency-Key header, right under every schedule",
		},
		{
			7, "What is covering index?", "coveringindex", Data, 1, 2, "Covering index",
			"choose indexes until the query plan never touches the table",
		},
		{
			8, "What is N+1 query problem?", "nplusone", Data, 2, 7, "N+1 queries",
			"constant query counts, and a batching loader",
		},
		{
			9, "What is isolation level?", "isolation", Data, 3, 38, "Isolation levels",
			"a multi-version store at read committed, snapshot and serializable",
		},
		{
			10, "What is schema migration strategy?", "migration", Data, 3, 34, "Schema migration",
			"a migration runner, and expand–backfill–contract under live traffic",
		},
		{
			11, "How do you handle schema evolution in distributed systems?", "schemaevolution", Data, 3, 35, "Schema evolution",
			"reader and writer schemas, compatibility checks before deploy",
		},
		{
			12, "What is soft delete vs hard delete?", "softdelete", Data, 2, 8, "Soft vs hard delete",
			"trash, restore, unique names, purge and erasure on SQL",
		},
		{
			13, "How do you handle replication lag?", "replicalag", Data, 2, 22, "Replication lag",
			"read your writes and monotonic reads over lagging replicas",
		},
		{
			14, "What happens when cache and DB are inconsistent?", "cacheaside", Data, 2, 14, "Cache and database consistency",
			"a cache that cannot keep a stale value, nor stampede",
		},
		{
			15, "What is distributed lock?", "distlock", Distributed, 2, 19, "Distributed lock",
			"leases with fencing tokens",
		},
		{
			16, "What is distributed transaction?", "twophase", Distributed, 3, 39, "Distributed transaction",
			"two-phase commit that survives a crash at every point",
		},
		{
			17, "What is Saga pattern?", "saga", Distributed, 2, 21, "Saga pattern",
			"steps and compensations, resumed from a log",
		},
		{
			18, "How do you handle partial failure in microservices?", "partialfailure", Distributed, 2, 18, "Partial failure",
			"deadlines, retry budgets, hedging and fallbacks over a failing network",
		},
		{
			19, "How do you ensure data consistency across services?", "outbox", Distributed, 2, 20, "Consistency across services",
			"transactional outbox and inbox: effects exactly once",
		},
		{
			20, "What is service mesh?", "servicemesh", Distributed, 3, 43, "Service mesh",
			"a sidecar: mutual TLS identity, outlier ejection, traffic split",
		},
		{
			21, "How do you design for multi-region systems?", "multiregion", Distributed, 3, 42, "Multi-region systems",
			"replicas that take writes on both sides of a partition and converge",
		},
		{
			22, "What is fan-out problem?", "fanout", Scale, 2, 31, "Fan-out",
			"timelines by push, by pull, and the hybrid that survives celebrities",
		},
		{
			23, "What is backpressure?", "backpressure", Concurrency, 2, 11, "Backpressure",
			"a bounded worker queue that slows its producers and loses nothing",
		},
		{
			24, "How do you handle high traffic spikes?", "loadshed", Scale, 3, 37, "Traffic spikes",
			"load shedding that keeps goodput at ten times capacity",
		},
		{
			25, "How do you design a system for high write throughput?", "groupcommit", Scale, 3, 36, "High write throughput",
			"a durable log with group commit, crash-tested",
		},
		{
			26, "How do you handle the hot key problem in Redis?", "hotkey", Scale, 2, 32, "Hot keys",
			"find the hot keys and spread or cache them",
		},
		{
			27, "How do you handle hot partitions in sharding?", "hotpartition", Scale, 2, 33, "Hot partitions",
			"consistent hashing with bounded loads, and splitting a hot tenant",
		},
		{
			28, "How do you design pagination at scale?", "pagination", Data, 2, 10, "Pagination at scale",
			"keyset pages with signed cursors, stable under writes",
		},
		{
			29, "What is connection pooling?", "connpool", Data, 2, 13, "Connection pooling",
			"a pool with fair waiters, lifetimes and health",
		},
		{
			30, "DB is becoming bottleneck, what next?", "dbbottleneck", Operations, 2, 29, "Database bottleneck",
			"climb the ladder of remedies, each with its cost budget",
		},
		{
			31, "Your DB CPU is 100%. What do you do?", "dbcpu", Operations, 2, 28, "Database CPU at 100%",
			"triage the statement statistics, stop the bleeding safely",
		},
		{
			32, "What is blue-green deployment?", "bluegreen", Operations, 2, 30, "Blue-green deployment",
			"switch under load with no failed request, and back",
		},
		{
			33, "How do you design a system that supports rollback safely?", "rollback", Operations, 3, 40, "Safe rollback",
			"a canary controller that knows the point of no return",
		},
		{
			34, "What is observability?", "observability", Operations, 2, 25, "Observability",
			"requests, errors, duration; trace context; bounded cardinality",
		},
		{
			35, "What are latency percentiles (p50, p95, p99)?", "percentiles", Operations, 2, 9, "Latency percentiles",
			"a mergeable histogram with bounded error, and honest load measurement",
		},
		{
			36, "How do you debug a production issue?", "incident", Operations, 1, 3, "Debugging production",
			"find the culprit in the telemetry of simulated outages",
		},
		{
			37, "Your system is slow under high load, how do you debug?", "slowload", Operations, 2, 27, "Slow under load",
			"find the bottleneck by queueing laws, then remove it",
		},
		{
			38, "How do you identify a slow API?", "slowapi", Operations, 2, 26, "Slow APIs",
			"rank routes by what they cost, follow the critical path",
		},
		{
			39, "What is circuit breaker?", "breaker", Distributed, 2, 12, "Circuit breaker",
			"closed, open, half-open, right under concurrency",
		},
		{
			40, "Difference between process vs thread vs async (event loop)", "eventloop", Concurrency, 2, 24, "Process, thread, event loop",
			"an event loop with timers and offloading, and what isolation buys",
		},
		{
			41, "Explain blocking vs non-blocking I/O", "nonblocking", Concurrency, 3, 41, "Blocking vs non-blocking I/O",
			"one goroutine, thousands of sockets: a readiness-based server",
		},
		{
			42, "How do you handle race conditions?", "races", Concurrency, 1, 1, "Race conditions",
			"counters, check-then-act, lock order, lost updates, copy-on-write",
		},
		{
			43, "How does garbage collection impact performance?", "gcpressure", Concurrency, 2, 23, "Garbage collection",
			"the same work with a tenth of the allocations and of the pointers to scan",
		},
	}
}
