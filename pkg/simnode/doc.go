// Package simnode crashes machines and starts them again, to test what a service of
// several nodes does when one of them dies.
//
// A program may keep its promises on every disk that a crash can leave, and on every
// broken network, and still break them where both meet: a node answers and dies, or
// dies before it has answered, or comes back with half of what it had, while the
// others go on and the clients ask again. Here a node is a host of package simnet, a
// disk of package simdisk and a program, and all of it stops at once, at any operation
// of the disk:
//
//	func TestCounter(t *testing.T) {
//		simnode.Explore(t, func(t *testing.T, c *simnode.Cluster) {
//			c.Start("a", counter)
//			c.Start("b", counter)
//			client := newClient(c.Network.Host("client"), "a", "b")
//			defer client.CloseIdleConnections()
//			client.add("first", 1)
//			c.Note("1 was added")
//			c.Wait()
//			for _, name := range []string{"a", "b"} {
//				if sum := client.count(name); sum != 1 {
//					t.Errorf("%s counts %d, and 1 was added", name, sum)
//				}
//			}
//		})
//	}
//
// Explore runs the body without a crash, and then once for each node, each operation of
// its disk, each choice of what survives there, and both ways in which others notice: in
// silence, as of a machine without power, or by a reset, as of a process that was
// killed. After that it draws pairs of crashes by lot. A failure tells the story of all
// nodes side by side, and its last line is the command that makes just this run again. Here
// the counter answers before it syncs its log:
//
//	        test                        a                              b
//	    0s                              starts
//	    0s                              create log
//	    0s                              sync log
//	    0s                              sync dir .
//	    0s                                                             starts
//	    0s                                                             create log
//	    0s                                                             sync log
//	    0s                                                             sync dir .
//	   2ms  → a POST /add?id=first&n=1
//	   3ms                              lost: write log, 8 bytes at 0
//	   3ms                              → client 200 OK
//	   6ms  → b POST /add?id=first&n=1
//	   7ms                                                             write log, 8 bytes at 0
//	   7ms                                                             → client 200 OK
//	   8ms  1 was added
//	   8ms                              ---- crash, silent ----
//	1.008s  → a GET /additions
//	1.008s                              starts again
//	1.008s                              sync log
//	1.008s                              sync dir .
//	1.009s                              → client resets
//	1.012s  → a GET /additions
//	1.013s                              → client 200 OK
//
// [New] is for a test that crashes a node at a moment of its own choice, by [Node.Crash].
//
// # What a crash does
//
// The disk takes no further write, and what [simdisk.Disk.Crash] leaves is what the
// next life starts on. The host is dead to its peers, see [simnet.Host.Crash]. The
// context of the program ends. Its goroutines cannot be stopped where they are: what
// each asks of its disk or its network next fails, so that it gives back the locks that it
// holds, and what it asks then ends it. Nothing of that reaches the disk of the next life or
// a peer, what the program returns is ignored, and goroutines that are left are no leak.
//
// # Cost
//
// A run of three nodes with an HTTP server each and a dozen requests takes about 1 ms,
// and six times that with -race (BenchmarkRun).
//
// # Limits
//
// A goroutine of a node that has crashed goes on until it asks its disk or its host for
// something, and sees an error then. So it can still write to memory that it shares with
// the test or with other nodes: let them share none. A program that panics where a sync
// fails ends the test binary, unless it does so in the goroutine that it was called on.
//
// A goroutine belongs to the node whose goroutine started it. One that a timer starts,
// as [time.AfterFunc] does, belongs to nobody, and is a leak if it does not end.
//
// What a node does in one instant is in the order of Go. If the order of a disk's
// operations differs from run to run, so do the crashes. Give the network and the disk
// the latency that keeps apart what should be. But virtual time stands still while a
// goroutine waits for a lock: if the holder waits for an answer or for a disk with a
// latency meanwhile, the bubble says so and the test fails.
//
// What a program has started ends by its context when the test is over, and not by a
// time-out: the clock stands still once the body has returned.
//
// A program with a bug that takes more than two crashes is not found out. The clock of
// a node goes on while it is down. A node that is slow, or whose disk fails but lives, is
// for the faults of simdisk and simnet.
//
// # Peers
//
// FoundationDB's simulation kills machines in one process and in virtual time, at random
// (Zhou et al., FoundationDB: A Distributed Unbundled Transactional Key Value Store,
// SIGMOD 2021). Here the moments are tried in order, as ALICE does for one
// disk (Pillai et al., All File Systems Are Not Created Equal, OSDI 2014): an
// operation of the disk is where a crash makes a difference that lasts. The nearest
// peers in Go are gosim, which rewrites the program under test, and seedfall, which runs
// it as WebAssembly: both take the program as it is, goroutines included, and draw
// faults from a seed. Here it is called with the host and the disk that it is to use.
package simnode
