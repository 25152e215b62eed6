//go:build solutions && unix

package bench_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/backend-kata/dojo/pkg/sqlprobe"
)

// The tests on a real PostgreSQL ask DOJO_POSTGRES for it. It holds the address of a server,
// such as "host=/tmp user=postgres dbname=postgres", or "start": then one is started from the
// system's own binaries, in a temporary folder, and is gone afterwards. Without it they are skipped.

// connect opens the database behind a probe. The question marks of the katas' SQL are right there too.
// There is one connection: make temporary tables, and they are yours.
func connect(t *testing.T) (*sql.DB, *sqlprobe.Probe) {
	t.Helper()
	address := os.Getenv("DOJO_POSTGRES")
	switch address {
	case "":
		t.Skip("DOJO_POSTGRES names no server: give it an address, or start")
	case "start":
		var err error
		if address, err = started(); err != nil {
			t.Fatalf("PostgreSQL was to be started, and was not: %v", err)
		}
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		t.Fatalf("DOJO_POSTGRES is neither start nor an address: %v", err)
	}
	probe := sqlprobe.New(numbered{stdlib.GetConnector(*config)}, nil)
	db := sql.OpenDB(probe)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db, probe
}

func run(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

// numbered gives PostgreSQL $1, $2 and so on where the katas' SQL has question marks.
type numbered struct{ driver.Connector }

type numberedConn struct{ *stdlib.Conn }

func (n numbered) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := n.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return numberedConn{c.(*stdlib.Conn)}, nil
}

func (c numberedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	var b strings.Builder
	for i, part := range strings.Split(query, "?") {
		if i > 0 {
			b.WriteString("$" + strconv.Itoa(i))
		}
		b.WriteString(part)
	}
	return c.Conn.QueryContext(ctx, b.String(), args)
}

// A cluster is PostgreSQL's word for a folder of data and the server on it.
type cluster struct {
	bin    string // the folder of initdb and pg_ctl
	folder string
	as     *user.User // nil for whoever runs the test; PostgreSQL refuses to run as root
}

var (
	theCluster cluster // the one that started made
	started    = sync.OnceValues(theCluster.start)
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := theCluster.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "PostgreSQL was not stopped:", err)
		code = 1
	}
	os.Exit(code)
}

func (c *cluster) start() (address string, err error) {
	if err := c.prepare(); err != nil {
		return "", err
	}
	if err := c.run("initdb", "-D", c.folder, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"); err != nil {
		return "", err
	}
	return c.serve()
}

// prepare finds PostgreSQL's programs and makes an empty folder for the data.
func (c *cluster) prepare() (err error) {
	if c.bin, err = binaries(); err != nil {
		return err
	}
	root, parent := os.Geteuid() == 0, ""
	if root {
		parent = "/tmp" // a folder of root's own may be closed to others
	}
	if c.folder, err = os.MkdirTemp(parent, "dojo-pg-"); err != nil {
		return err
	}
	if root {
		return c.giveAway()
	}
	return nil
}

// serve starts a server on the folder, with settings such as "autovacuum=off".
func (c *cluster) serve(settings ...string) (address string, err error) {
	// A socket in the folder and no port: it cannot collide with another server.
	options := "-c listen_addresses='' -c unix_socket_directories='" + c.folder + "' -c fsync=off"
	for _, s := range settings {
		options += " -c " + s
	}
	if err := c.run("pg_ctl", "-D", c.folder, "-w", "-l", filepath.Join(c.folder, "log"), "-o", options, "start"); err != nil {
		log, _ := os.ReadFile(filepath.Join(c.folder, "log"))
		return "", fmt.Errorf("%w\n%s", err, log)
	}
	return "host=" + c.folder + " user=postgres dbname=postgres", nil
}

func (c *cluster) stop() error {
	if c.folder == "" {
		return nil
	}
	var err error
	if _, none := os.Stat(filepath.Join(c.folder, "postmaster.pid")); none == nil {
		err = c.run("pg_ctl", "-D", c.folder, "-w", "-m", "immediate", "stop")
	}
	return errors.Join(err, os.RemoveAll(c.folder))
}

// giveAway makes the folder that of another user than root.
func (c *cluster) giveAway() error {
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			c.as = u
			uid, gid := ids(u)
			return os.Chown(c.folder, int(uid), int(gid))
		}
	}
	return errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
}

func ids(u *user.User) (uid, gid uint32) {
	a, errA := strconv.ParseUint(u.Uid, 10, 32)
	b, errB := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(errA, errB); err != nil {
		panic(err) // they are numbers on every Unix
	}
	return uint32(a), uint32(b)
}

func (c *cluster) run(name string, args ...string) error {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.folder
	if c.as != nil {
		uid, gid := ids(c.as)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	}
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s in %s: %w\n%s", name, c.folder, err, said)
	}
	return nil
}

// binaries finds the folder of PostgreSQL's programs, which Debian, Red Hat and Homebrew keep out of PATH.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err != nil { // the others need not be beside a link
			return "", err
		}
		return filepath.Dir(path), nil
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin"} {
		folders, _ := filepath.Glob(filepath.Join(pattern, "initdb"))
		if len(folders) > 0 {
			return filepath.Dir(folders[len(folders)-1]), nil
		}
	}
	return "", errors.New("initdb was not found: install PostgreSQL (Debian: apt-get install postgresql), or put its bin folder on PATH")
}
