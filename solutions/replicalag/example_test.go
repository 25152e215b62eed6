//go:build solutions

package replicalag_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/backend-kata/dojo/pkg/bubble"
)

// example: wrong
func profile(ctx context.Context, replica *sql.DB, id int64) (name string, err error) {
	err = replica.QueryRowContext(ctx, `SELECT name FROM users WHERE id = $1`, id).Scan(&name)
	return name, err // perhaps the name before the user's last change
}

// end

// example: right
func profileSince(ctx context.Context, lsn string, primary, replica *sql.DB, id int64) (name string, err error) {
	conn, err := replica.Conn(ctx) // a pool may lead to several servers
	if err != nil {
		return "", err
	}
	defer conn.Close()
	ask := conn.QueryRowContext
	var there bool // asked before the row is read, on the same connection
	err = ask(ctx, `SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn`, lsn).Scan(&there)
	if err != nil || !there {
		ask = primary.QueryRowContext
	}
	err = ask(ctx, `SELECT name FROM users WHERE id = $1`, id).Scan(&name)
	return name, err
}

// end

// The example of docs/replicalag.md, on servers that answer like PostgreSQL. TestPostgresReplicaLag in the folder bench sends
// the same statements to a real primary and its standby.
func TestExample(t *testing.T) {
	bubble.Run(t, func(t *testing.T) {
		changed, from := time.Now(), ""
		open := func(name string, lag time.Duration) *sql.DB {
			return sql.OpenDB(&server{asked: func() bool { from = name; return time.Since(changed) >= lag }})
		}
		primary, replica := open("primary", 0), open("replica", time.Second)
		defer primary.Close()
		defer replica.Close()
		log := "Ann was renamed Bo:\n"
		see := func(call, want string, name string, err error) {
			got := fmt.Sprintf("%s, from the %s", name, from)
			if err != nil || got != want {
				t.Errorf("%s: %s and %v, want %s", call, got, err, want)
			}
			log += fmt.Sprintf("  %-13s %s\n", call, got)
		}
		name, err := profile(t.Context(), replica, 1)
		see("profile", "Ann, from the replica", name, err)
		name, err = profileSince(t.Context(), commit, primary, replica, 1)
		see("profileSince", "Bo, from the primary", name, err)
		time.Sleep(time.Second)
		log += "a second later:\n"
		name, err = profileSince(t.Context(), commit, primary, replica, 1)
		see("profileSince", "Bo, from the replica", name, err)
		t.Log("\n" + log)
	})
}

const commit = "0/3000A28" // where the change was committed

// A server has one row. It is asked whether it has the change.
type server struct{ asked func() bool }

func (s *server) Connect(context.Context) (driver.Conn, error) { return s, nil }
func (s *server) Driver() driver.Driver                        { return nil }
func (s *server) Prepare(string) (driver.Stmt, error)          { return nil, errors.New("not needed") }

func (s *server) Begin() (driver.Tx, error) { return nil, errors.New("not needed") }
func (s *server) Close() error              { return nil }

func (s *server) QueryContext(_ context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	there := s.asked()
	switch {
	case strings.Contains(query, "pg_last_wal_replay_lsn") && args[0].Value == commit:
		return &row{there}, nil
	case there:
		return &row{"Bo"}, nil
	}
	return &row{"Ann"}, nil
}

// A row is a result of one value.
type row []driver.Value

func (*row) Columns() []string { return []string{""} }
func (*row) Close() error      { return nil }

func (r *row) Next(into []driver.Value) error {
	if len(*r) == 0 {
		return io.EOF
	}
	into[0], *r = (*r)[0], (*r)[1:]
	return nil
}
