package apivuln_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/kata/apivuln/shop"
	"github.com/backend-kata/dojo/kata/internal/step"
	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

// Object level (API1:2023): an order of somebody else is answered as one that is not there, whatever is asked of it.
func TestObjects(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		m := open(t)
		m.want(200, "", "GET", "/orders/1", "", "Ada reads her order.")
		m.want(404, missing, "GET", "/orders/99", "", "There is no order 99.")
		m.want(404, missing, "GET", "/orders/2", "", "Ada reads Bob's order by its id.")
		const bobs = "SELECT count(*)||' orders, '||min(note) FROM orders WHERE owner = 2"
		const before = "2 orders, secret of bob"
		m.want(404, missing, "PATCH", "/orders/2", `{"note":"mine"}`, "Ada writes on Bob's order.")
		step.Equal(t, before, m.read(bobs), "Ada wrote on Bob's order. What Bob has:")
		m.want(404, missing, "PATCH", "/orders/99", `{"note":"mine"}`, "There is no order 99 to write on.")
		m.want(404, missing, "DELETE", "/orders/2", "", "Ada cancels Bob's order.")
		step.Equal(t, before, m.read(bobs), "Ada cancelled Bob's order. What Bob has:")
		m.send("ada", "192.0.2.1:1", "POST", "/orders/2", "", "X-HTTP-Method-Override", "DELETE")
		step.Equal(t, before, m.read(bobs), "Ada cancelled Bob's order with POST and X-HTTP-Method-Override. What Bob has:")
		for _, path := range []string{"/orders?owner=1", "/orders?owner=2", "/orders?owner=0", "/orders?owner=x", "/orders"} {
			step.Equal(t, "200 [3 1]", m.orders("GET", path, ""), "Ada lists with GET %s. Hers are 3 and 1, the latest first:", path)
		}
		step.Equal(t, "200 [1 3]", m.orders("POST", "/orders/batch", `{"ids":[3,1]}`), "A batch of Ada's orders, by id:")
		step.Equal(t, "200 [1 3]", m.orders("POST", "/orders/batch", `{"ids":[3,4,2,99,1,3]}`),
			"A batch with two orders of Bob's, and Ada's 1 and 3:")
		step.Equal(t, "200 []", m.orders("POST", "/orders/batch", `{"ids":[2]}`), "A batch with an order of Bob's alone:")
		step.Equal(t, answer{200, "[]"}, m.ask("root", "GET", "/orders?owner=1", ""),
			"An admin has no orders, whatever the query says. GET /orders?owner=1:")
		for _, method := range []string{"GET", "PATCH", "DELETE"} {
			a := m.ask("root", method, "/orders/1", `{"note":"root was here"}`)
			step.Equal(t, answer{404, missing}, a, "Ada's order is not an admin's either, %s /orders/1:", method)
		}
		m.want(200, "", "PATCH", "/orders/1", `{"note":"changed"}`, "Ada writes on her order.")
		step.Equal(t, "changed", m.read("SELECT note FROM orders WHERE id = 1"), "The note of Ada's order is:")
		m.want(200, "", "DELETE", "/orders/1", "", "Ada cancels her order.")
		m.want(404, missing, "GET", "/orders/1", "", "Ada's order is gone.")
		step.Equal(t, before, m.read(bobs), "What Bob has in the end:")
	})
}

// Function level (API5:2023): an admin's route is closed to others however its request is written.
func TestFunctions(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		m := open(t)
		for _, path := range []string{"/admin/users", "/Admin//users/", "/admin%2fusers"} {
			step.Equal(t, answer{200, `["ada@shop","bob@shop","root@shop"]`}, m.ask("root", "GET", path, ""),
				"An admin lists the users, GET %s:", path)
		}
		for _, tt := range []struct{ method, path, override string }{
			{"GET", "/admin/users", ""},
			{"HEAD", "/admin/users", ""},
			{"DELETE", "/admin/users/2", ""},
			{"GET", "/admin/users/", ""},
			{"GET", "/ADMIN/users", ""},
			{"GET", "//admin/users", ""},
			{"GET", "/admin//users", ""},
			{"GET", "/admin%2fusers", ""},
			{"GET", "/%61dmin/users", ""},
			{"GET", "/me/../admin/users", ""},
			{"GET", "/products/../admin/users", ""},
			{"POST", "/admin/users", "GET"},
			{"POST", "/admin/users/2", "DELETE"},
			{"POST", "/admin/users/2", "delete"},
			{"DELETE", "/Admin/users//2/", ""},
		} {
			for _, who := range []struct {
				as     string
				status int
			}{{"ada", 403}, {"", 401}, {"stranger", 401}} {
				a := m.send(who.as, "192.0.2.1:1", tt.method, tt.path, "", "X-HTTP-Method-Override", tt.override)
				step.Expect(t, a.status == who.status,
					"%s %s%s is an admin's. In the session %q\n  it should be answered %d\n  and was %d %s",
					tt.method, tt.path, suffix(" with X-HTTP-Method-Override: ", tt.override), who.as, who.status, a.status, a.body)
				step.Equal(t, "3", m.read("SELECT count(*) FROM users"), "%s %s dismissed a user, and left:", tt.method, tt.path)
			}
		}
		a := m.send("root", "192.0.2.1:1", "POST", "/admin/users/2", "", "X-HTTP-Method-Override", "DELETE")
		step.Equal(t, 200, a.status, "An admin dismisses Bob with POST and X-HTTP-Method-Override:")
		step.Equal(t, "2", m.read("SELECT count(*) FROM users"), "Users that are left:")
		a = m.send("ada", "192.0.2.1:1", "POST", "/Orders/1/", "", "X-HTTP-Method-Override", "DELETE")
		step.Equal(t, 200, a.status, "Ada cancels her order as an old client does, POST /Orders/1/:")
		step.Equal(t, 200, m.ask("root", "GET", "/me", "").status, "An admin has an account too, GET /me:")
		step.Equal(t, 200, m.ask("", "GET", "/Products/", "").status, "The products are everyone's, GET /Products/:")
		step.Equal(t, 200, m.ask("", "POST", "/login", `{"email":"ada@shop","password":"a"}`).status, "Everyone may log in:")
		for _, path := range []string{"/me", "/orders", "/orders/3", "/products/../me"} {
			step.Equal(t, 401, m.ask("", "GET", path, "").status, "GET %s without a session:", path)
		}
	})
}

func suffix(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

// Properties (API3:2023): a client sets what is its own to set, and sees what is its own to see.
func TestProperties(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		m := open(t)
		m.want(201, "", "POST", "/orders", `{"product":1,"quantity":2,"note":"hi"}`, "Ada orders two pens.")
		step.Equal(t, "200", m.read("SELECT cents FROM orders WHERE id = 5"), "Two pens of 100 each cost:")
		for _, field := range []string{`"owner":2`, `"cents":1`, `"Cents":1`, `"id":77`, `"cost":1`} {
			m.ask("ada", "POST", "/orders", `{"product":1,"quantity":2,"note":"hi",`+field+`}`)
			wrong := "SELECT count(*) FROM orders WHERE id > 4 AND (id > 70 OR owner != 1 OR cents != 200 OR cost != 80 OR note != 'hi')"
			step.Equal(t, "0", m.read(wrong), "Ada orders two pens of 100 each, with the field %s. Orders that are not so:", field)
		}
		m.want(200, "", "PATCH", "/me", `{"name":"Ada L"}`, "Ada changes her name.")
		step.Equal(t, "Ada L", m.read("SELECT name FROM users WHERE id = 1"), "Ada's name is:")
		m.want(200, "", "PATCH", "/me", `{}`, "Ada changes nothing.")
		step.Equal(t, "Ada L", m.read("SELECT name FROM users WHERE id = 1"), "Ada changed nothing, and her name is:")
		m.want(200, "", "PATCH", "/me", `{"name":""}`, "Ada takes her name away.")
		step.Equal(t, "", m.read("SELECT name FROM users WHERE id = 1"), "Ada took her name away, and it is:")
		m.exec("UPDATE users SET name = 'Ada' WHERE id = 1")
		const users = "SELECT group_concat(id||' '||email||' '||role||' '||hash, ', ' ORDER BY id) FROM users"
		before := m.read(users)
		for _, field := range []string{`"role":"admin"`, `"Role":"admin"`, `"email":"a@shop"`, `"id":2`, `"hash":"x"`} {
			m.ask("ada", "PATCH", "/me", `{"name":"Ada",`+field+`}`)
			step.Equal(t, before, m.read(users), "Ada changes her name, with the field %s. The users:", field)
		}
		m.ask("ada", "PATCH", "/orders/1", `{"note":"x","cents":1,"quantity":9,"owner":2}`)
		step.Equal(t, "200 2 1", m.read("SELECT cents||' '||quantity||' '||owner FROM orders WHERE id = 1"),
			"The price, quantity and owner of Ada's order:")
		m.exec("UPDATE users SET name = 'Ada' WHERE id = 1")
		const ada = `{"id":1,"email":"ada@shop","name":"Ada","role":"customer"}`
		m.want(200, ada, "GET", "/me", "", "Ada reads her account, without what is internal.")
		m.want(200, ada, "PATCH", "/me", `{"name":"Ada"}`, "Ada changes her account, and sees nothing internal.")
		for _, field := range []string{`"role":"admin"`, `"email":"a@shop"`, `"id":2`} {
			a := m.ask("ada", "PATCH", "/me", `{"name":"Ada",`+field+`}`)
			step.Expect(t, a.status >= 400 || canonical(a.body) == canonical(ada),
				"Ada changes her name, with the field %s, and is told what her account is not: %d %s", field, a.status, a.body)
		}
		const one = `{"id":1,"product":1,"quantity":2,"cents":200,"note":"y"}`
		m.want(200, one, "PATCH", "/orders/1", `{"note":"y"}`, "A changed order shows nothing internal.")
		m.want(200, one, "GET", "/orders/1", "", "An order shows nothing internal.")
		m.want(200, "["+one+"]", "POST", "/orders/batch", `{"ids":[1]}`, "A batch shows nothing internal.")
		m.want(200, "", "PATCH", "/orders/1", `{}`, "A note that is missing is empty.")
		step.Equal(t, "", m.read("SELECT note FROM orders WHERE id = 1"), "Ada's order has no note any more, but:")
		m.want(200, "", "PATCH", "/orders/1", `{"note":"y"}`, "Ada writes the note again.")
		m.exec("DELETE FROM orders WHERE id > 1")
		m.want(200, "["+one+"]", "GET", "/orders", "", "A list of orders shows nothing internal.")
		m.want(201, `{"id":2,"product":2,"quantity":1,"cents":900,"note":"z"}`, "POST", "/orders", `{"product":2,"quantity":1,"note":"z"}`,
			"A new order shows nothing internal.")
		m.want(200, one, "DELETE", "/orders/1", "", "A cancelled order shows nothing internal.")
		m.want(200, `[{"id":1,"name":"pen","cents":100}]`, "GET", "/products?q=pen", "", "Products show nothing internal.")
		step.Equal(t, "", m.products("q=prototype"), "The prototype is hidden. A search for it finds:")
		m.want(404, missing, "POST", "/orders", `{"product":4,"quantity":1}`, "Product 4 is hidden.")
		m.want(404, missing, "POST", "/orders", `{"product":99,"quantity":1}`, "There is no product 99.")
		for _, tt := range []struct{ quantity, status int }{{-1, 400}, {0, 400}, {1, 201}, {shop.MaxQuantity, 201}, {shop.MaxQuantity + 1, 400}} {
			m.want(tt.status, "", "POST", "/orders", fmt.Sprintf(`{"product":1,"quantity":%d}`, tt.quantity), "An order has 1 to 10 pieces.")
		}
	})
}

// Injection (CWE-89): what a client sends is data, and never a part of the statement.
func TestInjection(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		m := open(t)
		m.exec("UPDATE products SET hidden = 0, cents = 70 WHERE id = 4; INSERT INTO products VALUES (6, 'pen', 70, 1, 0)")
		for _, tt := range []struct{ query, want string }{
			{"sort=cents", `a_b, prototype, O'Neill\n, pen, pen, ink 100%`},
			{"sort=-cents", `ink 100%, pen, prototype, O'Neill\n, pen, a_b`},
			{"", `O'Neill\n, a_b, ink 100%, pen, pen, prototype`},
			{"sort=", `O'Neill\n, a_b, ink 100%, pen, pen, prototype`},
			{"sort=name", `O'Neill\n, a_b, ink 100%, pen, pen, prototype`},
			{"q=pen", "pen, pen"},
			{"q=PEN", "pen, pen"},
			{"q=ot", "prototype"},
			{"q=zz' UNION SELECT id,hash,1,1,0 FROM users --", ""},
			{"q=O'N", `O'Neill\n`},
			{"q=%25", "ink 100%"},
			{"q=_", "a_b"},
			{"q=%5C", `O'Neill\n`},
			{"q=%5Cn", `O'Neill\n`},
			{"q=%5C%25", ""},
			{"q=%5C_", ""},
			{"q=' OR 1=1 --", ""},
		} {
			step.Equal(t, tt.want, m.products(tt.query),
				"A search is for text, each character of which stands for itself. GET /products?%s finds:", tt.query)
		}
		for _, sort := range []string{
			"cost", "-cost", "id", "CENTS", "price", "name,cost", "name+DESC",
			"(SELECT+hash+FROM+users)", "CASE+WHEN+1+THEN+name+END",
		} {
			m.want(400, "", "GET", "/products?sort="+sort, "", "There is no such sort.")
		}
		for _, note := range []string{`it's Ada's`, `x', owner = 2, cents = 0, note = 'y`, `50% \\ off`} {
			m.want(200, "", "PATCH", "/orders/1", `{"note":"`+note+`"}`, "A note is text.")
			step.Equal(t, "1 200 "+strings.ReplaceAll(note, `\\`, `\`), m.read("SELECT owner||' '||cents||' '||note FROM orders WHERE id = 1"),
				"Ada writes a note on her order. Owner, price and note are:")
		}
		m.want(200, "", "PATCH", "/me", `{"name":"x', role = 'admin"}`, "A name is text.")
		step.Equal(t, "x', role = 'admin customer", m.read("SELECT name||' '||role FROM users WHERE id = 1"), "Ada's name and role:")
		for _, email := range []string{`' UNION SELECT 3, 'hash of x' --`, `root@shop' --`, `' OR role = 'admin`} {
			a := m.ask("", "POST", "/login", `{"email":"`+email+`","password":"x"}`)
			step.Expect(t, a.status >= 400 && a.status < 500, "A login with the email %s should be refused, and was answered %d %s",
				email, a.status, a.body)
		}
		step.Equal(t, 200, m.ask("", "POST", "/login", `{"email":"root@shop","password":"r"}`).status, "A login of the admin's:")
		m.exec("INSERT INTO users VALUES (7, ' s@shop ', 'S', 'customer', 'hash of  p ')")
		for _, tt := range []struct {
			email, password string
			right           bool
		}{{" s@shop ", " p ", true}, {"s@shop", " p ", false}, {" s@shop ", "p", false}, {" root@shop", "r", false}, {"root@shop", "r ", false}} {
			a := m.send("", "192.0.2.2:1", "POST", "/login", fmt.Sprintf(`{"email":%q,"password":%q}`, tt.email, tt.password))
			step.Equal(t, tt.right, a.status == 200, "Spaces are text too. The login of %q with the password %q is right:", tt.email, tt.password)
		}
	})
}

// Resources (API4:2023): a page, a batch, a body and a search have their limits, and others' rows cost nothing.
func TestResources(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		m := open(t)
		for _, path := range []string{"/products", "/orders"} {
			for _, tt := range []struct {
				limit  string
				status int
			}{{"1", 200}, {"50", 200}, {"", 200}, {"1e9", 400}, {"51", 400}, {"0", 400}, {"-1", 400}, {"x", 400}, {"99999999999999999999", 400}} {
				m.want(tt.status, "", "GET", path+"?limit="+tt.limit, "", "A page has 1 to 50 entries.")
			}
		}
		m.want(200, "", "GET", "/products?q="+strings.Repeat("x", shop.MaxSearch), "", "A search has 64 bytes at most.")
		m.want(400, "", "GET", "/products?q="+strings.Repeat("x", shop.MaxSearch+1), "", "A search has 64 bytes at most.")
		m.want(400, "", "GET", "/products?q="+strings.Repeat("%C3%A9", shop.MaxSearch/2+1), "", "A search has 64 bytes at most, and é has two.")
		ids := strings.Repeat("1,", shop.MaxIDs-1)
		m.want(200, "", "POST", "/orders/batch", `{"ids":[`+ids+`1]}`, "A batch has 20 ids at most.")
		m.want(400, "", "POST", "/orders/batch", `{"ids":[`+ids+`1,1]}`, "A batch has 20 ids at most, each time that one stands there.")
		m.want(200, "[]", "POST", "/orders/batch", `{"ids":[]}`, "A batch may be empty.")
		m.served = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
		for _, tt := range []struct{ method, path, fields string }{
			{"POST", "/login", `{"email":"ada@shop","password":"a"`},
			{"PATCH", "/me", `{"name":"Ada"`},
			{"POST", "/orders", `{"product":1,"quantity":1,"note":""`},
			{"PATCH", "/orders/1", `{"note":""`},
			{"POST", "/orders/batch", `{"ids":[1]`},
			{"POST", "/webhook", `{"url":"http://198.51.100.7/"`},
		} {
			body := func(n int) string { return tt.fields + strings.Repeat(" ", n-len(tt.fields)-1) + "}" }
			for _, how := range []string{"identity", "chunked"} {
				a := m.send("ada", "192.0.2.1:1", tt.method, tt.path, body(shop.MaxBody), "Transfer-Encoding", how)
				step.Expect(t, a.status < 300,
					"%s %s with a body of 16 KiB, %s, should succeed, and was answered %d", tt.method, tt.path, how, a.status)
				a = m.send("ada", "192.0.2.1:1", tt.method, tt.path, body(shop.MaxBody+1), "Transfer-Encoding", how)
				step.Equal(t, 413, a.status, "%s %s with a body of 16 KiB and a byte, %s:", tt.method, tt.path, how)
			}
			a := m.ask("ada", tt.method, tt.path, tt.fields+"}"+strings.Repeat(" ", shop.MaxBody))
			step.Equal(t, 413, a.status, "%s %s with 16 KiB after the JSON:", tt.method, tt.path)
		}
		m = open(t)
		m.exec(`DELETE FROM products; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 100)
			INSERT INTO products SELECT i, printf('p%03d', i), 1, 1, i % 2 FROM n;
			WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i+1 FROM n LIMIT 100)
			INSERT INTO orders SELECT i, 1 + i % 2, 1, 1, 1, 1, '' FROM n`)
		for _, path := range []string{"/products", "/orders"} {
			for _, tt := range []struct {
				query string
				want  int
			}{{"", shop.Page}, {"?limit=30", 30}, {"?limit=1", 1}} {
				a := m.ask("ada", "GET", path+tt.query, "")
				step.Equal(t, tt.want, strings.Count(a.body, `"id"`), "There are enough for a whole page. GET %s%s has:", path, tt.query)
			}
		}
		read := func(path, body string) *sqlprobe.Recording {
			return m.probe.Record(func() {
				method := map[bool]string{true: "POST", false: "GET"}[body != ""]
				m.want(200, "", method, path, body, "Ada reads her orders.")
			})
		}
		few, batch := read("/orders", ""), read("/orders/batch", `{"ids":[1,2,3]}`)
		m.exec(`WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i+1 FROM n LIMIT 5000)
			INSERT INTO orders SELECT i, 2, 1, 1, 1, 1, '' FROM n`)
		err := sqlprobe.CheckWorkGrowth(few, read("/orders", ""), 1.5)
		step.Expect(t, err == nil, "Bob has 5,000 orders more, and Ada's list should cost no more: %v", err)
		err = sqlprobe.CheckWorkGrowth(batch, read("/orders/batch", `{"ids":[1,2,3]}`), 1.5)
		step.Expect(t, err == nil, "Bob has 5,000 orders more, and Ada's batch should cost no more: %v", err)
	})
}

// Authentication (API2:2023): guesses are limited, nobody else is locked out, and nothing tells who has an account.
func TestAuthentication(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		m := open(t)
		login := func(from, email, password string, header ...string) answer {
			return m.send("", from, "POST", "/login", fmt.Sprintf(`{"email":%q,"password":%q}`, email, password), header...)
		}
		a := login("192.0.2.9:1", "ADA@shop", "a")
		token := strings.TrimSuffix(strings.TrimPrefix(a.body, `{"token":"`), `"}`)
		step.Expect(t, a.status == 200 && m.ask(token, "GET", "/me", "").status == 200, "Ada logs in: %d %s", a.status, a.body)
		for i, tt := range []struct{ email, password, how string }{
			{"ada@shop", "a", "all alike"},
			{"ada@shop", "a", "whatever its port"},
			{"bob@shop", "b", "whatever X-Forwarded-For says"},
			{"root@shop", "r", "in whatever case"},
			{"eve@shop", "e", "who has no account"},
		} {
			host := fmt.Sprintf("192.0.2.1%d", i)
			guess := func(n int) (a answer, calls int) {
				from, email, password, forwarded := host+":1", tt.email, "guess", host
				switch {
				case i == 1:
					from = fmt.Sprintf("%s:%d", host, n)
				case i == 2:
					forwarded = fmt.Sprintf("10.0.0.%d", n)
				case i == 3 && n%2 == 0:
					email = strings.ToUpper(email)
				}
				if n > shop.PerAccount {
					password = tt.password
				}
				calls = m.verifies(func() { a = login(from, email, password, "X-Forwarded-For", forwarded) })
				return a, calls
			}
			for n := range shop.PerAccount {
				a, calls := guess(n + 1)
				step.Equal(t, answer{401, `{"message":"Unauthorized"}`}, a,
					"Guess %d for %s, and nothing tells whether there is such an account:", n+1, tt.email)
				step.Equal(t, 1, calls, "Verify is slow, so its time tells who has an account. Calls for a guess for %s:", tt.email)
			}
			for n := 6; n < 8; n++ {
				a, calls := guess(n)
				step.Equal(t, 429, a.status, "A host's sixth login for %s after five guesses, %s:", tt.email, tt.how)
				step.Equal(t, 0, calls, "Calls of Verify for a guess too many:")
			}
			if tt.email != "eve@shop" {
				step.Equal(t, 200, login("192.0.2.2:1", tt.email, tt.password).status,
					"%s logs in from another host, while somebody guesses:", tt.email)
			}
		}
		const from = "192.0.2.10:"
		step.Equal(t, 200, login(from+"1", "bob@shop", "b").status, "Bob logs in from the host that guessed for Ada:")
		time.Sleep(shop.Window - 1)
		step.Equal(t, 429, login(from+"1", "ada@shop", "a").status, "A login just before 15 minutes are over:")
		time.Sleep(time.Nanosecond)
		step.Equal(t, 200, login(from+"1", "ada@shop", "a").status, "A login when 15 minutes are over:")
		for _, password := range []string{"nothing", "hash of nothing", "of nothing", ""} {
			step.Equal(t, 401, login("192.0.2.4:1", "eve@shop", password).status,
				"There is no eve@shop, whose login with %q is answered:", password)
		}

		for i := range shop.PerHost {
			step.Equal(t, 401, login("192.0.2.5:1", fmt.Sprintf("u%d@shop", i), "z").status, "Guess %d of 20 for as many accounts:", i+1)
			if i%2 == 1 && i < shop.PerHost-1 {
				step.Equal(t, 200, login("192.0.2.5:1", "bob@shop", "b").status, "A right login is no guess. After guess %d Bob logs in:", i+1)
			}
		}
		calls := m.verifies(func() { a = login("192.0.2.5:2", "bob@shop", "b") })
		step.Equal(t, 429, a.status, "The 21st guess of a host within 15 minutes, for another account:")
		step.Equal(t, 0, calls, "Calls of Verify for the 21st guess:")
		step.Equal(t, 200, login("192.0.2.6:1", "bob@shop", "b").status, "Bob logs in from another host:")
		time.Sleep(shop.Window)
		step.Equal(t, 200, login("192.0.2.5:2", "bob@shop", "b").status, "Bob logs in from the host that guessed, when 15 minutes are over:")

		const one, two = "[2001:db8::1]:", "[2001:db8::2]:"
		for range shop.PerAccount {
			login(one+"1", "ada@shop", "z")
		}
		step.Equal(t, 429, login(one+"2", "ada@shop", "a").status, "An IPv6 host's sixth login after five guesses, from another port:")
		step.Equal(t, 200, login(two+"1", "ada@shop", "a").status, "Ada logs in from another IPv6 host:")
		for range 25 {
			login(one+"1", "ada@shop", "z")
		}
		step.Equal(t, 200, login(one+"1", "bob@shop", "b").status, "25 logins for Ada were answered 429, and count for nothing. Bob's:")
		for i := range shop.PerHost {
			login("192.0.2.20:1", fmt.Sprintf("u%d@shop", i), "z")
		}
		step.Equal(t, 200, login("192.0.2.21:1", "ada@shop", "a").status, "Ada logs in:")
		time.Sleep(shop.Window - time.Minute)
		for range shop.PerAccount {
			step.Equal(t, 429, login("192.0.2.20:1", "bob@shop", "z").status, "A login 14 minutes after 20 guesses of the host:")
			step.Equal(t, 401, login("192.0.2.21:1", "ada@shop", "z").status, "A guess for Ada, who has logged in 14 minutes before:")
		}
		time.Sleep(time.Minute)
		step.Equal(t, 200, login("192.0.2.20:1", "bob@shop", "b").status, "Logins answered 429 count for nothing. Bob's, a minute later:")
		step.Equal(t, 429, login("192.0.2.21:1", "ada@shop", "a").status, "A login a minute after five guesses, with a right login before them:")

		m.slow = time.Second
		calls = m.verifies(func() {
			var all []*step.Call[answer]
			for range 8 {
				all = append(all, step.Start(t, func() answer { return login("192.0.2.7:1", "bob@shop", "z") }))
			}
			for _, c := range all {
				c.Result()
			}
		})
		step.Equal(t, shop.PerAccount, calls, "Eight guesses at once are eight guesses. Calls of Verify:")
		calls = m.verifies(func() {
			var all []*step.Call[answer]
			for i := range 2 * shop.PerHost {
				all = append(all, step.Start(t, func() answer { return login("192.0.2.22:1", fmt.Sprintf("v%d@shop", i), "z") }))
			}
			for _, c := range all {
				c.Result()
			}
		})
		step.Equal(t, shop.PerHost, calls, "40 guesses of a host at once, for as many accounts. Calls of Verify:")
	})
}

// Server-side request forgery (API7:2023): the webhook connects to public addresses only, whatever the URL says.
func TestForgery(t *testing.T) {
	step.Bubble(t, func(t *step.T) {
		m := open(t)
		m.served = "HTTP/1.1 202 Accepted\r\nContent-Length: 6\r\nConnection: close\r\n\r\nsecret"
		m.names = map[string][][]string{
			"public.example":   {{"198.51.100.7"}},
			"redirect.example": {{"198.51.100.9"}},
			"localhost":        {{"127.0.0.1"}},
			"inside.example":   {{"10.1.2.3"}},
			"2130706433":       {{"127.0.0.1"}},
			"127.1":            {{"127.0.0.1"}},
			"rebind.example":   {{"198.51.100.7"}, {"169.254.169.254"}},
			"first.example":    {{"10.0.0.1", "198.51.100.7"}},
			"last.example":     {{"198.51.100.7", "10.0.0.1"}},
		}
		for _, tt := range []struct{ url, address string }{
			{"http://public.example/hook", "198.51.100.7:80"},
			{"http://198.51.100.8:8080/hook", "198.51.100.8:8080"},
			{"http://172.32.0.1/hook", "172.32.0.1:80"},
			{"http://100.63.255.255/hook", "100.63.255.255:80"},
			{"http://100.128.0.0/hook", "100.128.0.0:80"},
			{"http://[2001:db8::1]/hook", "[2001:db8::1]:80"},
			{"http://[2003::1]/hook", "[2003::1]:80"},
		} {
			a, dialled := m.hook(tt.url)
			step.Equal(t, 200, a.status, "A webhook to the public %s:", tt.url)
			step.Equal(t, []string{tt.address}, dialled, "A webhook to the public %s connects to:", tt.url)
		}
		const refused = `{"message":"Bad Request"}`
		for _, host := range []string{
			"10.0.0.1", "localhost", "inside.example", "2130706433", "127.1", "127.0.0.1", "127.9.9.9", "172.16.0.1", "192.168.1.1",
			"169.254.169.254",
			"0.0.0.0", "0.1.2.3", "100.64.0.0", "100.127.255.255", "224.0.0.1", "[::1]", "[::]", "[fe80::1]", "[fd00::1]", "[ff02::1]",
			"[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::ffff:a9fe:a9fe]", "[::ffff:100.64.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::1]",
		} {
			a, dialled := m.hook("http://" + host + "/latest/meta-data")
			step.Equal(t, 0, len(dialled), "%s is not public. Connections of the shop, which answered %d %s:", host, a.status, a.body)
			step.Equal(t, 400, a.status, "A webhook to %s:", host)
			step.Equal(t, refused, a.body, "Nothing tells why the webhook to %s is refused:", host)
		}
		a, dialled := m.hook("http://rebind.example/latest/meta-data")
		step.Equal(t, []string{"198.51.100.7:80"}, dialled,
			"rebind.example is public the first time that it is resolved. The shop connected to:")
		step.Equal(t, 200, a.status, "A webhook to rebind.example, which is public the first time:")
		a, dialled = m.hook("http://rebind.example/latest/meta-data")
		step.Equal(t, 0, len(dialled),
			"rebind.example resolves to 169.254.169.254 the second time. Connections of the shop, which answered %d %s:", a.status, a.body)
		for _, name := range []string{"first.example", "last.example"} {
			_, dialled = m.hook("http://" + name + "/")
			step.Expect(t, !strings.Contains(fmt.Sprint(dialled), "10.0.0.1"),
				"%s has the address 10.0.0.1 beside a public one; the shop connected to %s", name, dialled)
		}
		for _, url := range []string{"ftp://public.example/", "public.example", "http://nowhere.example/", "http://[::1", ""} {
			a, dialled = m.hook(url)
			step.Equal(t, answer{400, refused}, a, "A webhook to the URL %q, which leads nowhere:", url)
			step.Equal(t, 0, len(dialled), "Connections for the URL %q:", url)
		}
		a, _ = m.hook("http://public.example/hook")
		step.Equal(t, answer{200, `{"status":202}`}, a, "A webhook tells the status alone:")
		for _, location := range []string{"http://169.254.169.254/latest/meta-data", "http://public.example/next"} {
			m.served = "HTTP/1.1 307 Temporary Redirect\r\nLocation: " + location + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
			a, dialled = m.hook("http://redirect.example/")
			step.Equal(t, []string{"198.51.100.9:80"}, dialled, "redirect.example redirects to %s. The shop connected to:", location)
			step.Equal(t, answer{200, fmt.Sprintf(`{"status":%d}`, http.StatusTemporaryRedirect)}, a,
				"A redirect to %s is not followed, and its status is told:", location)
		}
	})
}
