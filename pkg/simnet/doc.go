// Package simnet is a network in memory and in virtual time, for testing what a
// service does when the network fails.
//
// Latency, loss and partitions are where services break, and a real network
// fails neither on demand nor twice in the same way. Here hosts have names,
// connections are [net.Conn], an [http.Client] and an [http.Server] work
// unchanged, and each link between two hosts can be slow, lossy or broken, each
// way by itself, while connections are open. In a bubble of
// [testing/synctest] an hour of outage takes no time, and one seed gives one
// outcome, in every run:
//
//	bubble.Run(t, func(t *testing.T) {
//		network := simnet.Network{Seed: 1, Default: simnet.Link{Latency: 5 * time.Millisecond}}
//		shop, prices := network.Host("shop"), network.Host("prices")
//		server := simnet.NewTestServer(t, prices, handler)
//		client := shop.Client()
//		defer client.CloseIdleConnections()
//
//		network.Partition("shop", "prices")
//		time.AfterFunc(5*time.Second, func() { network.Heal("shop", "prices") })
//		resp, err := client.Get(server.URL + "/price/1")
//		...
//		if failed {
//			t.Errorf("...\n%s", network.Trace())
//		}
//	})
//
// [Network.Trace] tells a failed test what passed:
//
//	    0s  network              shop → prices: black hole
//	    0s  network              prices → shop: black hole
//	    0s  shop → prices:80 #1  dials
//	    0s  shop → prices:80 #1  SYN is swallowed
//	    1s  shop → prices:80 #1  SYN is swallowed
//	    3s  shop → prices:80 #1  SYN is swallowed
//	    5s  network              shop → prices: healthy
//	    5s  network              prices → shop: healthy
//	 7.01s  shop → prices:80 #1  is connected
//	 7.01s  shop → prices:80 #1  GET /price/1 HTTP/1.1 · 94 B, arrives at 7.015s
//	7.015s  prices:80 → shop #1  HTTP/1.1 200 OK · 120 B, arrives at 7.02s
//
// The nearest peers are net.Pipe, which has no buffer, grpc's bufconn, which has
// no network, the in-memory server of net/http/httptest of Go 1.27, which has one
// host and no faults, and the simulators glycerine/gosimnet and
// jpgomesr/netchaos.
//
// # How it behaves
//
// As TCP between two Linux machines, as far as a program can see it:
//
//   - A dial takes a round trip. The peer accepts when the third segment arrives.
//     Where nobody listens, the dial is refused after a round trip; where nobody has
//     the address, it gets no answer.
//   - A Write is sent in packets of at most 1,448 bytes, as over Ethernet. Each
//     arrives after the latency and a random part of the jitter, never before what
//     was sent earlier. With a bandwidth they leave one after the other.
//   - One Write is not one Read. The seed cuts three of four packets at some byte, and
//     a Read returns what has arrived up to the next cut: a part of a message, a whole
//     one, or one and a part of the next. Right programs do not notice. Those that take
//     one Read for one message fail in a test, with most seeds.
//   - A lost packet is sent again after 200 ms, then 400 ms and so on up to 120 s
//     (a SYN after 1 s, then 2 s and so on). So loss and a healed black hole are seen
//     as delay, and what was sent behind it waits too.
//   - A dial that gets no answer gives up after 127 s, a connection whose data are
//     not acknowledged after 924.6 s, both with [syscall.ETIMEDOUT]. These are the
//     defaults tcp_syn_retries = 6 and tcp_retries2 = 15.
//   - Keep-alive is on, as package net has it: an end that hears nothing for 15 s
//     probes every 15 s, and after 9 probes without an answer its calls fail with
//     [syscall.ETIMEDOUT]. So who waits for an answer that was swallowed waits for
//     150 s. Probes are worked out while a link is a black hole, and not sent before,
//     so a bubble still sees a deadlock over healthy links.
//   - Sent and not yet read are at most [Link.Buffer] bytes. By default that is a
//     window of 64 KiB which doubles while the reader keeps up, as Linux tunes it: 10
//     MiB to a host that is 50 ms away take 0.7 s. While packets are under way the
//     sender's kernel keeps 4 MiB more (tcp_wmem). Then Write waits, and so it does
//     when the peer has a whole window that it does not read. The news that there is
//     room takes the way back, and is lost there too.
//   - Close says goodbye behind the data, or resets the connection if it leaves
//     data unread. Data for an end that was closed are answered by a reset.
//   - A process that is killed resets its connections; a machine without power falls
//     silent, and once it is up again answers by a reset what comes on connections of
//     before. [Host.Crash] does either.
//   - Errors are those of package net: a [net.OpError] around a deadline, a
//     [syscall.Errno], a [net.DNSError] or [net.ErrClosed]; [io.EOF] at the end.
//
// # Names and addresses
//
// A host has a name, and that is enough: it listens at ":80" and is dialled at
// "prices:80". For programs that look at IP addresses, [Host.AddIP] gives it some, or
// its name is one, as in network.Host("10.0.0.1"). Then it listens at all of them or
// at one, its name resolves to them, and its connections have addresses of type
// [*net.TCPAddr]. 127.0.0.1, ::1 and the unspecified address are the host itself.
//
// [Network.SetAddrs] gives addresses to any name, [Network.SetAnswers] others at the
// second look-up, and [Network.SetLookup] has a function answer. Dials obey them, and
// so do the methods of [Host] that are called like those of [net.Resolver], for code
// that takes an interface. [Dialer] adds what a [net.Dialer] can be told, such as a
// control function.
//
// # How it is decided
//
// Goroutines that wake in the same instant run in any order, so a random source
// that they share would give different outcomes from run to run. Here the fate of
// a packet is a function of the seed, the two hosts, the instant and the bytes
// themselves, and nothing else. The trace puts what happened in the same instant
// into an order of its own, and numbers the connections in it.
//
// No lock is shared by two connections while they read and write, so the network
// does not order goroutines that the code under test leaves unordered, and the race
// detector sees what it would see on a real one.
//
// # Cost
//
// On two cores a request on a kept connection takes about 30 µs, in a bubble or
// not, and about 45 µs over loopback; 10 MiB take about 30 ms. BenchmarkRequest and
// BenchmarkTransfer measure them.
//
// # Limits
//
// Equal bytes sent between the same hosts in the same instant have the same fate.
// Outside a bubble instants differ from run to run, and with them what the seed
// decides.
//
// With no latency everything happens in one instant, and where both ends of a
// connection write in it, the trace may list them in either order.
//
// Each connection has the bandwidth of the link for itself: if two shared it, which
// packet goes first would depend on which goroutine ran first. There is no congestion
// control: a sender starts with the whole window, and loss does not slow it down. A
// time to send again is not adapted to the round trip. A line of the trace says when
// packets would arrive as they were sent; a black hole that comes later is a line of
// its own.
//
// A Write that waits for room under a lock which others want stops the clock of a
// bubble, which says so. Clients that send from several goroutines do that, nats.go
// and the HTTP/2 client of net/http among them, when what they send at once is more
// than the sender's kernel keeps. A large Buffer helps.
//
// There is no TLS of its own, no UDP, and no DNS server: a [net.Resolver] does not
// work here. Look-ups take no time unless a function of the test does. A Conn is no
// [*net.TCPConn] and has no file descriptor. Keep-alive is set in a Dialer, not on a
// connection. The addresses of a name are tried one after the other, not two families
// at once. A host that was named exists for ever; [Host.Crash] takes it down.
//
// A Network belongs into the bubble in which it is used: a use inside and another
// outside panic. Only what describes it (SetLink, Host, AddIP and the like) can be
// called before. The trace can be read after the bubble is over. Outside of bubbles a
// Network works in real time.
package simnet
