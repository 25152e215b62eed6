package softdelete_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/kata/softdelete"
	"github.com/backend-kata/dojo/pkg/interleave"
	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

// What is deleted is in no list, no count, no search and no letter, and to delete it again changes nothing.
func TestGone(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open(t)
		ada, bob := s.customer("ada@example.com"), s.customer("bob@example.com")
		home := s.address(ada, "1 Analytical Way")
		work := s.address(ada, "2 Engine Street")
		hill := s.address(bob, "3 Hill Road")
		letters := []string{
			fmt.Sprintf("%d Ada, 1 Analytical Way", home), fmt.Sprintf("%d Ada, 2 Engine Street", work), fmt.Sprintf("%d Bob, 3 Hill Road", hill),
		}
		step.Equal(t, letters, s.letters(), "Letters has each address with its customer's name.")
		before := s.customers()
		step.Equal(t, []string{fmt.Sprintf("%d ada@example.com Ada", ada), fmt.Sprintf("%d bob@example.com Bob", bob)}, before, "Customers:")

		s.deletesAddress(home)
		step.Equal(t, before, s.customers(), "An address is deleted, and its customer is not.")
		step.Equal(t, 0, len(s.finds("Analytical")), "Customers that Search finds by an address that is deleted:")
		step.Equal(t, before[:1], s.finds("Engine"), "Search finds a customer by the address that is left.")
		step.Equal(t, letters[1:], s.letters(), "Letters does not have the address that is deleted.")

		s.deletes(bob)
		step.Equal(t, before[:1], s.customers(), "Customers does not have one that is deleted.")
		n, err := s.Count(t.Context())
		step.NoError(t, err, "Count should succeed.")
		step.Equal(t, 1, n, "Count does not count one that is deleted.")
		for _, text := range []string{"Bob", "bob@", "Hill"} {
			step.Equal(t, 0, len(s.finds(text)), "Customers that Search finds by %q, of one that is deleted:", text)
		}
		step.Equal(t, letters[1:2], s.letters(), "Letters has no address of a customer that is deleted.")

		time.Sleep(time.Hour)
		all := s.state()
		s.deletes(bob)
		s.same(all, "Bob was deleted again, which changes nothing.")
		s.deletesAddress(home)
		s.deletesAddress(hill)
		s.same(all, "Addresses were deleted again, which changes nothing.")
		s.Store = s.again()
		step.Equal(t, 3, len(s.audit()), "The database was opened again; entries of its audit:")
		s.same(all, "The database was opened again, and has all that it had.")

		for _, id := range []int64{0, -1, 99} {
			s.usesNot(id, id, "of nothing")
			s.refuses(softdelete.ErrNotFound, s.Erase(t.Context(), id), "Erase(%d), of nothing,", id)
		}
		s.same(all, "Calls with the ids of nothing change nothing.")
	})
	step.Bubble(t, func(t *step.T) {
		s := open(t)
		texts := []string{"o'hara@", "O'HARA@", "o'hara@ ", "100%@", "a_b@", "ünal@"}
		for _, email := range texts {
			id := s.named(email, "N. "+email)
			s.address(id, "c/o "+email)
			s.address(id, "again c/o "+email)
		}
		all := s.customers()
		step.Equal(t, len(texts), len(all), "Emails that differ in a byte are two; so many customers:")
		for _, c := range []struct {
			text string
			want []int
		}{
			{"", []int{0, 1, 2, 3, 4, 5}},
			{"o'hara", []int{0, 2}},
			{"O'HARA", []int{1}},
			{"@ ", []int{2}},
			{"%", []int{3}},
			{"_", []int{4}},
			{"ün", []int{5}},
			{"c/o a_b", []int{4}},
			{"N. a_b", []int{4}},
			{"N. a%b", nil},
		} {
			want := []string{}
			for _, i := range c.want {
				want = append(want, all[i])
			}
			step.Equal(t, want, s.finds(c.text), "Search finds each customer with the text %q, once:", c.text)
		}
	})
}

// The email of whoever is deleted is free, and to restore says so when it is taken.
func TestEmail(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open(t)
		taken := func(before string) {
			t.Helper()
			_, err := s.AddCustomer(t.Context(), "ada@example.com", "Another")
			s.refuses(softdelete.ErrTaken, err, "AddCustomer with the email of another")
			s.same(before, "AddCustomer returned ErrTaken, and has changed nothing.")
		}
		first := s.customer("ada@example.com")
		s.address(first, "1 Analytical Way")
		taken(s.state())
		s.deletes(first)
		time.Sleep(time.Hour)
		second := s.customer("ada@example.com")
		taken(s.state())
		s.deletes(second)
		time.Sleep(time.Hour)
		third := s.customer("ada@example.com")
		s.address(third, "3 Hill Road")

		all := s.state()
		for _, id := range []int64{first, second} {
			s.refuses(softdelete.ErrTaken, s.RestoreCustomer(t.Context(), id), "RestoreCustomer(%d), whose email another has,", id)
			s.same(all, "RestoreCustomer returned ErrTaken, and has changed nothing.")
		}
		s.restores(third)
		s.same(all, "A customer was restored that is not deleted, which changes nothing.")
		s.deletes(third)
		s.restores(first)
		step.Equal(t, []string{fmt.Sprintf("%d ada@example.com Ada", first)}, s.customers(), "The email is free, and the first customer is back.")
		taken(s.state())
		s.refuses(softdelete.ErrTaken, s.RestoreCustomer(t.Context(), third), "RestoreCustomer(%d), whose email the first has again,", third)
		s.named("", "Nobody")
		_, err := s.AddCustomer(t.Context(), "", "Nobody else")
		s.refuses(softdelete.ErrTaken, err, "AddCustomer with the empty email of another")
	})
}

// A restore brings back what went with the customer, and nothing that was deleted before.
func TestRestore(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open(t)
		ada, bob := s.customer("ada@example.com"), s.customer("bob@example.com")
		first, old := s.address(ada, "0 First Lane"), s.address(ada, "1 Old Lane")
		home, work := s.address(ada, "2 Home Street"), s.address(ada, "3 Work Road")
		hill := s.address(bob, "4 Hill Road")
		line := func(id int64, text string) string { return fmt.Sprintf("%d %s", id, text) }
		both := []string{line(home, "Ada, 2 Home Street"), line(work, "Ada, 3 Work Road")}

		s.deletesAddress(first)
		time.Sleep(time.Hour)
		s.deletesAddress(old) // all that follows in one instant
		s.deletes(ada)
		s.deletes(bob)
		for _, id := range []int64{old, home} {
			before := s.state()
			s.refuses(softdelete.ErrNotFound, s.RestoreAddress(t.Context(), id), "RestoreAddress(%d), whose customer is deleted,", id)
			s.same(before, "RestoreAddress returned ErrNotFound, and has changed nothing.")
		}
		s.deletesAddress(work) // which went with its customer
		s.restores(ada)
		step.Equal(t, []string{fmt.Sprintf("%d ada@example.com Ada", ada)}, s.customers(),
			"One of two customers who were deleted in one instant is back.")
		step.Equal(t, 0, count(s.letters(), line(first, "")), "Addresses that were deleted an hour before their customer, and are back:")
		step.Equal(t, 0, count(s.letters(), line(old, "")), "Addresses that were deleted in the instant of their customer, before, and are back:")
		step.Equal(t, both, s.letters(), "The addresses that were deleted with the customer are back, and no other.")
		step.Equal(t, []string{fmt.Sprintf("address %d", first), fmt.Sprintf("address %d", old), fmt.Sprintf("customer %d", bob)}, s.trash(),
			"The addresses that were deleted before are in the trash.")

		all := s.state()
		s.restores(ada)
		s.restoresAddress(home)
		s.same(all, "What is not deleted was restored, which changes nothing.")
		s.restoresAddress(old)
		step.Equal(t, append([]string{line(old, "Ada, 1 Old Lane")}, both...), s.letters(), "The address that was deleted alone is back.")

		time.Sleep(time.Hour)
		s.deletesAddress(home)
		s.deletes(ada)
		s.restores(ada)
		step.Equal(t, []string{line(old, "Ada, 1 Old Lane"), line(work, "Ada, 3 Work Road")}, s.letters(),
			"After another deletion, what went with the customer this time is back.")
		s.restores(bob)
		step.Equal(t, line(hill, "Bob, 4 Hill Road"), s.letters()[2], "The other customer's address came back with that customer.")
	})
}

// Nothing is attached to what is deleted, and what was ordered and done stays.
func TestHistory(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open(t)
		ada, bob, eve := s.customer("ada@example.com"), s.customer("bob@example.com"), s.customer("eve@example.com")
		home, work := s.address(ada, "1 Home Street"), s.address(ada, "2 Work Road")
		hill, gate := s.address(bob, "3 Hill Road"), s.address(eve, "4 Gate Lane")
		orders := []string{
			fmt.Sprintf("%d of %d: 1999 cents, \"Ada\" \"1 Home Street\"", s.order(ada, home, 1999), ada),
			fmt.Sprintf("%d of %d: -500 cents, \"Bob\" \"3 Hill Road\"", s.order(bob, hill, -500), bob),
			fmt.Sprintf("%d of %d: 9007199254740993 cents, \"Ada\" \"2 Work Road\"", s.order(ada, work, 9007199254740993), ada),
		}
		step.Equal(t, orders, s.orders(), "Orders has each with its customer's name and the address.")

		s.deletesAddress(home)
		s.deletes(bob)
		step.Equal(t, orders, s.orders(), "An address and a customer are deleted, and every order stays.")
		all := s.state()
		for _, c := range []struct {
			why               string
			customer, address int64
		}{
			{"to an address that is deleted", ada, home},
			{"to an address that is another's", ada, gate},
			{"to an address that is another's, who is deleted", ada, hill},
			{"of a customer who is deleted", bob, hill},
			{"of a customer who is deleted, to another's address", bob, work},
			{"to an address of nothing", ada, 99},
		} {
			_, err := s.PlaceOrder(t.Context(), c.customer, c.address, 1)
			s.refuses(softdelete.ErrNotFound, err, "PlaceOrder %s", c.why)
		}
		_, err := s.AddAddress(t.Context(), bob, "5 New Street")
		s.refuses(softdelete.ErrNotFound, err, "AddAddress of a customer who is deleted")
		s.same(all, "Nothing is attached to what is deleted.")

		s.restores(bob)
		s.order(bob, hill, 5)
		s.deletesAddress(hill)
		s.restoresAddress(hill)
		s.deletes(eve)
		_, err = s.AddCustomer(t.Context(), "ada@example.com", "Ada")
		s.refuses(softdelete.ErrTaken, err, "AddCustomer with the email of another")
		step.Equal(t, 1, count(s.audit(), "restored"), "A customer was restored; entries of the audit for that:")
		step.Equal(t, []string{
			fmt.Sprintf(`added %d "ada@example.com"`, ada), fmt.Sprintf(`added %d "bob@example.com"`, bob),
			fmt.Sprintf(`added %d "eve@example.com"`, eve), fmt.Sprintf(`deleted %d "bob@example.com"`, bob),
			fmt.Sprintf(`restored %d "bob@example.com"`, bob), fmt.Sprintf(`deleted %d "eve@example.com"`, eve),
		}, s.audit(), "Audit has an entry for each customer that a call changed, and no other.")
	})
}

// The trash is listed, and what has been in it for its time is purged, so many at once.
func TestTrash(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		s := open(t)
		ada, bob := s.customer("ada@example.com"), s.customer("bob@example.com")
		eve, dan := s.customer("eve@example.com"), s.customer("dan@example.com")
		old, home := s.address(ada, "1 Old Lane"), s.address(ada, "2 Home Street")
		hill, gate := s.address(bob, "3 Hill Road"), s.address(eve, "4 Gate Lane")
		time.Sleep(5*month + time.Second/2)
		other := &shop{Store: s.again(), t: t, db: s.db, probe: s.probe}
		s.deletes(eve) // three deletions in one instant, by two Stores, not in the order of their ids
		s.deletesAddress(old)
		other.deletes(bob)
		trash := []string{fmt.Sprintf("customer %d", eve), fmt.Sprintf("address %d", old), fmt.Sprintf("customer %d", bob)}
		step.Equal(t, trash, s.trash(), "The trash has what was deleted first at the top.")
		time.Sleep(time.Hour)
		s.deletes(ada)
		step.Equal(t, []string{trash[0], trash[2], fmt.Sprintf("customer %d", ada)}, s.trash(),
			"A customer is in the trash, and addresses of that customer are not.")
		s.restores(ada)
		step.Equal(t, trash, s.trash(), "The customer is back, and the address that was deleted before is in the trash again, in its place.")

		time.Sleep(month - time.Hour - 1)
		s.purges(0, month, 10, "it is a nanosecond too early")
		step.Equal(t, trash, s.trash(), "It is a nanosecond too early to purge anything.")
		time.Sleep(time.Nanosecond)
		s.purges(0, month, 0, "the limit is 0")
		s.purges(2, month, 2, "it is a month, and the limit is 2")
		step.Equal(t, trash[2:], s.trash(), "What was deleted first is purged first, and no more than the limit.")
		s.usesNot(eve, old, "which was purged")
		s.refuses(softdelete.ErrNotFound, s.RestoreAddress(t.Context(), gate), "RestoreAddress(%d), whose customer was purged,", gate)
		s.isNowhere("A customer without orders was purged", "Eve\x00", "4 Gate Lane", "1 Old Lane")
		step.Equal(t, fmt.Sprintf("%d Ada, 2 Home Street", home), s.letters()[0], "Of a customer who is not deleted only an address was purged.")

		s.restores(bob)
		s.deletes(bob)
		s.purges(0, month, 10, "the customer was restored and deleted again just now")
		time.Sleep(month / 2)
		s.deletes(bob)
		time.Sleep(month / 2)
		s.purges(1, month, 10, "a month has passed since the last deletion")
		step.Equal(t, 0, len(s.trash()), "In the trash:")
		s.usesNot(bob, hill, "which was purged")
		step.Equal(t, fmt.Sprintf(`purged %d "bob@example.com"`, bob), s.audit()[len(s.audit())-1], "The last entry of the audit:")
		step.Equal(t, fmt.Sprintf(`added %d "eve@example.com"`, eve), s.audit()[2], "The audit of a customer who was purged stays.")

		s.deletes(dan)
		last := s.address(ada, "5 Last Lane")
		s.deletesAddress(last)
		s.purges(2, 0, 10, "whatever is in the trash")
		s.Store = s.again()
		next, street := s.customer("zoe@example.com"), s.address(ada, "6 Next Street")
		step.Expect(t, next > dan && street > last,
			"An id should not be given out again; customer %d and address %d were purged, and the next are %d and %d.", dan, last, next, street)
	})
	step.Bubble(t, func(t *step.T) {
		s := open(t)
		ada := s.named("ada@example.com", "Lovelace")
		old, home := s.address(ada, "1 Old Lane"), s.address(ada, "2 Home Street")
		s.order(ada, home, 700)
		orders := s.orders()
		s.deletesAddress(old)
		time.Sleep(month)
		s.deletes(ada)
		s.purges(0, month, 9, "the customer is not long in the trash, and the address is not in it")
		s.restores(ada)
		step.Equal(t, []string{fmt.Sprintf("address %d", old)}, s.trash(),
			"The customer is back, and the address that was deleted before is in the trash.")
		s.deletes(ada)
		bob := s.named("bob@example.com", "Babbage")
		s.address(bob, "3 Hill Road")
		s.deletes(bob)
		s.purges(1, 0, 1, "the limit is 1")
		step.Equal(t, orders, s.orders(), "A customer was purged, and the orders stay.")
		s.isNowhere("The customer was purged, with the addresses", "1 Old Lane")
		step.Equal(t, []string{fmt.Sprintf("customer %d", bob)}, s.trash(), "The trash has who was deleted later.")
		s.purges(1, 0, 5, "one is left")
		s.isNowhere("A customer without orders was purged", "Babbage", "3 Hill Road")
	})
}

// Who is erased is found in no table, and the orders still add up.
func TestErase(t *testing.T) {
	for _, c := range []struct {
		why   string
		first func(s *shop, id int64)
	}{
		{"a customer who is not deleted", func(*shop, int64) {}},
		{"a customer who is deleted", (*shop).deletes},
		{"a customer who was purged", func(s *shop, id int64) { s.deletes(id); s.purges(1, 0, 9, "one is in the trash") }},
		{"a customer who was deleted and restored", func(s *shop, id int64) { s.deletes(id); s.restores(id) }},
	} {
		step.Bubble(t, func(t *step.T) {
			s := open(t)
			t.Tell("%s", c.why)
			ada := s.named("ada@lovelace.org", "Augusta King")
			other := s.named("twin@example.com", "Augusta Quinn")
			old, home := s.address(ada, "1 Ockham Park"), s.address(ada, "12 St James's Square")
			same := s.address(other, "7 Common Street")
			shared := s.address(ada, "7 Common Street")
			sums := []int64{s.order(ada, home, 700), s.order(other, same, 50), s.order(ada, shared, 3), s.order(ada, old, 4000)}
			s.deletesAddress(old)
			s.purges(1, 0, 9, "an address is in the trash")
			c.first(s, ada)
			entries := len(s.audit())

			s.erases(ada)
			s.isNowhere("Erased was "+c.why, "lovelace", "Augusta King", "Ockham", "James")
			step.Equal(t, len(sums), len(s.orders()), "The orders stay, so many:")
			step.Equal(t, []string{
				fmt.Sprintf(`%d of %d: 700 cents, "" ""`, sums[0], ada),
				fmt.Sprintf(`%d of %d: 50 cents, "Augusta Quinn" "7 Common Street"`, sums[1], other),
				fmt.Sprintf(`%d of %d: 3 cents, "" ""`, sums[2], ada), fmt.Sprintf(`%d of %d: 4000 cents, "" ""`, sums[3], ada),
			}, s.orders(), "The orders of %s, without name and address, and those of the other as they were:", c.why)
			step.Equal(t, []string{fmt.Sprintf("%d Augusta Quinn, 7 Common Street", same)}, s.letters(),
				"The other customer keeps what is the same.")
			step.Equal(t, []string{fmt.Sprintf("%d twin@example.com Augusta Quinn", other)}, s.customers(), "Customers:")
			step.Equal(t, 0, len(s.trash()), "In the trash:")
			audit := s.audit()
			step.Equal(t, entries+1, len(audit), "The audit has all its entries, and one more.")
			step.Equal(t, fmt.Sprintf(`added %d ""`, ada), audit[0], "The audit stays, without the email.")
			step.Equal(t, fmt.Sprintf(`added %d "twin@example.com"`, other), audit[1], "The audit of the other stays.")
			step.Equal(t, fmt.Sprintf(`erased %d ""`, ada), audit[entries], "The last entry of the audit:")

			s.usesNot(ada, home, "which was erased")
			again := s.named("ada@lovelace.org", "Augusta King")
			step.Expect(t, again != ada, "The email of %s should be free, for a customer with another id; it is %d again.", c.why, ada)
			s.address(again, "1 Ockham Park")
			all := s.state()
			s.erases(ada)
			s.same(all, "Who was erased was erased again, which changes nothing.")
		})
	}
	step.Bubble(t, func(t *step.T) {
		s := open(t)
		first := s.customer("ada@example.com")
		street := s.address(first, "1 Street")
		s.order(first, street, 5)
		s.deletes(first)
		second := s.customer("ada@example.com")
		s.order(second, s.address(second, "1 Street"), 6)
		customers, letters, orders := s.customers(), s.letters(), s.orders()
		s.erases(first)
		step.Equal(t, customers, s.customers(), "Erased was who had had the email before; customers:")
		step.Equal(t, letters, s.letters(), "Erased was who had had the address before; letters:")
		step.Equal(t, orders[1], s.orders()[1], "Erased was who had had the name and the address before; the other's order:")
		step.Equal(t, 1, count(s.audit(), fmt.Sprintf(`added %d "ada@example.com"`, second)),
			"Erased was who had had the email before; entries of the audit with the email of who has it now:")
	})
}

// A call that fails has changed nothing, and two at once do no harm, whatever the order of their statements.
func TestAtOnce(t *testing.T) {
	failing := []call{
		{"AddCustomer", func(ctx context.Context, s *shop) error {
			_, err := s.AddCustomer(ctx, "new@example.com", "New")
			return err
		}},
		{"AddAddress", func(ctx context.Context, s *shop) error {
			_, err := s.AddAddress(ctx, s.ada, "9 New Street")
			return err
		}},
		{"PlaceOrder", func(ctx context.Context, s *shop) error { _, err := s.PlaceOrder(ctx, s.ada, s.street, 9); return err }},
		{"DeleteCustomer", func(ctx context.Context, s *shop) error { return s.DeleteCustomer(ctx, s.ada) }},
		{"DeleteAddress", func(ctx context.Context, s *shop) error { return s.DeleteAddress(ctx, s.street) }},
		{"RestoreCustomer", func(ctx context.Context, s *shop) error { return s.RestoreCustomer(ctx, s.bob) }},
		{"RestoreAddress", func(ctx context.Context, s *shop) error { return s.RestoreAddress(ctx, s.lane) }},
		{"Purge", func(ctx context.Context, s *shop) error { _, err := s.Purge(ctx, 0, 9); return err }},
		{"Erase", func(ctx context.Context, s *shop) error { return s.Erase(ctx, s.ada) }},
	}
	for _, c := range failing {
		step.Bubble(t, func(t *step.T) {
			s := open(t)
			s.fill()
			before := s.state()
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			step.Equal(t, context.Canceled, c.do(ended, s), "Its context has ended. %s returns:", c.name)
			s.same(before, "The context of %s has ended, and nothing changed.", c.name)
			for n := 0; ; n++ {
				fault := s.probe.Inject(sqlprobe.Fault{Pattern: "^(BEGIN|SELECT|INSERT|UPDATE|DELETE|REPLACE|WITH)", Skip: n, Times: 1, Err: errDisk})
				err := c.do(t.Context(), s)
				fault.Remove()
				if fault.Fired() == 0 {
					step.NoError(t, err, "%s should succeed where nothing fails.", c.name)
					step.Expect(t, before != s.state(), "%s should change something; it changed nothing.", c.name)
					return
				}
				step.Expect(t, err != nil, "%s should return an error if its statement %d fails; it returned none.", c.name, n+1)
				s.same(before, "%s failed at its statement %d, and has changed nothing.", c.name, n+1)
			}
		})
	}
	for _, c := range failing {
		step.Bubble(t, func(t *step.T) {
			s := open(t)
			s.fill()
			lost := s.probe.Inject(sqlprobe.Fault{Pattern: "^COMMIT", Err: sqlprobe.ErrConnectionLost})
			err := c.do(t.Context(), s)
			step.Expect(t, err != nil || lost.Fired() == 0, "%s should return an error if its commit fails; it returned none.", c.name)
		})
	}
	step.Bubble(t, func(t *step.T) {
		s := open(t)
		s.fill()
		fault := s.probe.Inject(sqlprobe.Fault{Pattern: "^SELECT", Err: errDisk, AfterRows: sqlprobe.BeforeFirstRow})
		s.reads(t.Context(), errDisk, "if its rows cannot be read")
		fault.Remove()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		s.reads(ended, context.Canceled, "since its context has ended")
	})
	for _, pair := range pairs() {
		step.Explore(t, func(t *step.T, x *interleave.Schedule) {
			s := open(t)
			s.fill()
			errs := atOnce(t, x, s, pair.first, pair.second)
			pair.see(s, errs)
		})
	}
}

// fill makes three customers with an address each: Ada, who has an order, Bob, who is deleted, and Eve, whose lane is.
func (s *shop) fill() {
	s.t.Helper()
	var eve int64
	s.ada, s.bob, eve = s.customer("ada@example.com"), s.customer("bob@example.com"), s.customer("eve@example.com")
	s.street, _, s.lane = s.address(s.ada, "1 Street"), s.address(s.bob, "2 Road"), s.address(eve, "3 Lane")
	s.order(s.ada, s.street, 700)
	s.deletes(s.bob)
	s.deletesAddress(s.lane)
}

var errDisk = errors.New("the disk is full")

// reads expects that each call that reads returns an error.
func (s *shop) reads(ctx context.Context, want error, why string) {
	s.t.Helper()
	_, e1 := s.Customers(ctx)
	_, e2 := s.Search(ctx, "")
	_, e3 := s.Letters(ctx)
	_, e4 := s.Orders(ctx)
	_, e5 := s.Audit(ctx)
	_, e6 := s.Trash(ctx)
	_, e7 := s.Count(ctx)
	_, e8 := s.Purge(ctx, 0, 9)
	for i, err := range []error{e1, e2, e3, e4, e5, e6, e7, e8} {
		name := []string{"Customers", "Search", "Letters", "Orders", "Audit", "Trash", "Count", "Purge"}[i]
		step.Expect(s.t, errors.Is(err, want), "%s should return an error, %s; it returned: %v", name, why, err)
	}
}

// A pair of calls is made at once.
type pair struct {
	first, second call
	see           func(s *shop, errs [2]error)
}

func pairs() []pair {
	deletes := call{"DeleteCustomer", func(ctx context.Context, s *shop) error { return s.DeleteCustomer(ctx, s.ada) }}
	restores := call{"RestoreCustomer", func(ctx context.Context, s *shop) error { return s.RestoreCustomer(ctx, s.bob) }}
	erases := call{"Erase", func(ctx context.Context, s *shop) error { return s.Erase(ctx, s.ada) }}
	order := call{"PlaceOrder", func(ctx context.Context, s *shop) error { _, err := s.PlaceOrder(ctx, s.ada, s.street, 9); return err }}
	return []pair{
		{
			restores,
			call{"AddCustomer", func(ctx context.Context, s *shop) error {
				_, err := s.AddCustomer(ctx, "bob@example.com", "Bob")
				return err
			}},
			func(s *shop, errs [2]error) {
				step.Expect(s.t, (errs[0] == nil) != (errs[1] == nil) && errors.Is(errors.Join(errs[:]...), softdelete.ErrTaken),
					"One of two who want an email should get it, and the other ErrTaken; they got: %v and %v", errs[0], errs[1])
				step.Equal(s.t, 1, len(s.finds("bob@")), "Customers with one email:")
			},
		},
		{
			call{"AddAddress", func(ctx context.Context, s *shop) error {
				_, err := s.AddAddress(ctx, s.ada, "9 New Street")
				return err
			}},
			erases,
			func(s *shop, errs [2]error) {
				step.NoError(s.t, errs[1], "Erase should succeed.")
				s.isNowhere("The customer got an address while being erased", "9 New Street")
			},
		},
		{
			deletes,
			call{"DeleteAddress", func(ctx context.Context, s *shop) error { return s.DeleteAddress(ctx, s.street) }},
			func(s *shop, errs [2]error) {
				step.NoError(s.t, errors.Join(errs[:]...), "Both should succeed.")
				s.restores(s.ada)
				step.Equal(s.t, 1, len(s.letters())+count(s.trash(), fmt.Sprintf("address %d", s.street)),
					"The address is either back with its customer or in the trash; in so many places:")
			},
		},
		{
			restores,
			call{"Purge", func(ctx context.Context, s *shop) error { _, err := s.Purge(ctx, 0, 9); return err }},
			func(s *shop, errs [2]error) {
				step.Equal(s.t, errs[0] == nil, len(s.finds("bob@")) == 1, "RestoreCustomer returned %v, so the customer is there:", errs[0])
				step.Equal(s.t, errs[0] == nil, strings.Contains(fmt.Sprint(s.letters()), "Bob"),
					"RestoreCustomer returned %v, so the address is there:", errs[0])
			},
		},
		{
			order,
			erases,
			func(s *shop, errs [2]error) {
				step.NoError(s.t, errs[1], "Erase should succeed.")
				s.isNowhere("The customer ordered while being erased", "ada@", "1 Street")
				want := 1
				if errs[0] == nil {
					want = 2
				}
				step.Equal(s.t, want, len(s.orders()), "PlaceOrder returned %v; orders:", errs[0])
			},
		},
		{erases, erases, func(s *shop, errs [2]error) {
			step.NoError(s.t, errors.Join(errs[:]...), "Both should succeed.")
			step.Equal(s.t, 1, count(s.audit(), "erased "), "A customer was erased once, by one of two calls; entries of the audit:")
		}},
		{deletes, deletes, func(s *shop, errs [2]error) {
			step.NoError(s.t, errors.Join(errs[:]...), "Both should succeed.")
			step.Equal(s.t, 1, count(s.audit(), fmt.Sprintf("deleted %d ", s.ada)),
				"A customer was deleted once, by one of two calls; entries of the audit:")
		}},
		{restores, restores, func(s *shop, errs [2]error) {
			step.NoError(s.t, errors.Join(errs[:]...), "Both should succeed.")
			step.Equal(s.t, 1, count(s.audit(), "restored "), "A customer was restored once, by one of two calls; entries of the audit:")
		}},
	}
}
