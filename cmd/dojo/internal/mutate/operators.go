package mutate

import "slices"

// An operator is one way to change a program.
type operator struct{ id, group, doc string }

var operators = []operator{
	{"boundary", "classic", "< to <=, > to >=, and back"},
	{"compare", "classic", "== to !=, < to >=, and back"},
	{"logic", "classic", "&& to || and back"},
	{"operand", "classic", "drop one side of && or ||"},
	{"arith", "classic", "+ to -, * to /, % to *, -x to +x, += to -="},
	{"incdec", "classic", "++ to -- and back"},
	{"const", "classic", "integer c to c+1, and to 0"},
	{"bool", "classic", "true to false and back"},
	{"negate", "classic", "negate a condition that is not a comparison"},
	{"guard", "classic", "never take the branch of an if"},
	{"else", "classic", "never take the else branch"},
	{"ret-err", "classic", "return nil instead of the error"},
	{"ret-zero", "classic", "return the zero value"},

	{"del-assign", "delete", "remove an assignment"},
	{"del-call", "delete", "remove a call statement"},
	{"del-defer", "delete", "remove a deferred call"},
	{"del-incdec", "delete", "remove ++ or --"},
	{"del-branch", "delete", "remove break or continue"},

	{"lock", "concurrency", "remove a function's Lock and Unlock of one mutex"},
	{"rlock", "concurrency", "Lock to RLock"},
	{"early-unlock", "concurrency", "defer x.Unlock() to x.Unlock()"},
	{"split", "concurrency", "let others in between two statements of a critical section"},
	{"unlock", "concurrency", "remove one Unlock"},
	{"go", "concurrency", "run a goroutine's function inline"},
	{"wg", "concurrency", "remove Add, Done or Wait of a WaitGroup"},
	{"once", "concurrency", "once.Do(f) to f(), sync.OnceFunc(f) to f"},
	{"atomic", "concurrency", "x.Add(n) to x.Store(x.Load()+n)"},
	{"cas", "concurrency", "CompareAndSwap to a blind store, and to check then store"},
	{"case-del", "concurrency", "a select case, or its default, that is never ready"},
	{"default-add", "concurrency", "a select that never waits"},
	{"chan-buf", "concurrency", "unbuffered channel to one of 1, buffered to unbuffered"},
	{"send", "concurrency", "remove a send"},
	{"recv", "concurrency", "remove a receive statement"},
	{"close", "concurrency", "remove close(ch)"},
	{"signal", "concurrency", "remove Signal or Broadcast of a Cond"},
	{"cancel", "concurrency", "remove a context's cancel()"},
	{"deadline", "concurrency", "context.WithTimeout or WithDeadline to WithCancel"},
	{"ctx-detach", "concurrency", "pass context.WithoutCancel(ctx) on instead of ctx"},
}

// isConcurrency reports whether an operator changes how goroutines work together.
func isConcurrency(id string) bool {
	return operators[slices.IndexFunc(operators, func(op operator) bool { return op.id == id })].group == "concurrency"
}
