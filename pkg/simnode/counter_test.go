package simnode_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/backend-kata/dojo/pkg/simdisk"
	"github.com/backend-kata/dojo/pkg/simnet"
	"github.com/backend-kata/dojo/pkg/simnode"
)

// A counter is one of the nodes that keep a count together. Each keeps additions
// in a log, by an ID that the client gives, so that one that is sent twice counts
// once. An addition is done when two nodes of three have it, and the count is that of
// all that any two have: whichever two they are, one has it.
type counter struct {
	flaws

	mu    sync.Mutex // held while the log is written, so that its lines are whole
	log   simdisk.File
	added map[string]int // by ID
}

// flaws are what could be wrong with it.
type flaws struct {
	noSync     bool // an answer comes before the log is synced
	noSyncDir  bool // the log's name is never synced
	tornLine   bool // what a crash has left of a last line is not cut off
	noIDs      bool // an addition that is sent twice counts twice
	memoryOnly bool // there is no log
	ignoresCtx bool // the program goes on when its context has ended
}

const logName = "log"

// program is a node's, with an HTTP server for /add?id=a&n=1 and /additions.
func program(f flaws) simnode.Program {
	return func(ctx context.Context, host *simnet.Host, disk *simdisk.Disk) error {
		c := &counter{flaws: f, added: map[string]int{}}
		if err := c.open(disk); err != nil {
			return err
		}
		l, err := host.Listen("tcp", ":80")
		if err != nil {
			return err
		}
		server := &http.Server{Handler: c.handler()}
		stop := context.AfterFunc(ctx, func() {
			if !f.ignoresCtx {
				_ = server.Close()
			}
		})
		defer stop()
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return c.log.Close()
	}
}

// open reads the log, and cuts off what a crash has left of a last line.
func (c *counter) open(disk *simdisk.Disk) error {
	f, err := disk.OpenFile(logName, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	c.log = f
	data, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(data, '\n') + 1
	for line := range bytes.Lines(data[:whole]) {
		id, n, err := parse(string(line))
		if err != nil {
			return fmt.Errorf("the log is damaged: %w", err)
		}
		c.add(id, n)
	}
	if whole < len(data) && !c.tornLine {
		if err := f.Truncate(int64(whole)); err != nil {
			return err
		}
		if _, err := f.Seek(int64(whole), io.SeekStart); err != nil {
			return err
		}
	}
	if c.noSyncDir {
		return nil
	}
	return errors.Join(f.Sync(), simdisk.SyncDir(disk, "."))
}

func parse(line string) (id string, n int, err error) {
	id, number, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
	if !ok {
		return "", 0, fmt.Errorf("no line: %q", line)
	}
	n, err = strconv.Atoi(number)
	return id, n, err
}

func (c *counter) add(id string, n int) {
	if c.noIDs {
		c.added[id] += n
	} else {
		c.added[id] = n
	}
}

func (c *counter) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.FormValue("n"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := c.keep(r.FormValue("id"), n); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /additions", func(w http.ResponseWriter, _ *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for id, n := range c.added {
			fmt.Fprintln(w, id, n)
		}
	})
	return mux
}

// keep returns when an addition is on the disk.
func (c *counter) keep(id string, n int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.added[id]; there && !c.noIDs {
		return nil
	}
	if !c.memoryOnly {
		if _, err := fmt.Fprintln(c.log, id, n); err != nil {
			return err
		}
	}
	if !c.memoryOnly && !c.noSync {
		if err := c.log.Sync(); err != nil {
			return err
		}
	}
	c.add(id, n)
	return nil
}

// A client talks to all nodes.
type client struct {
	*http.Client

	nodes []string
}

func newClient(host *simnet.Host, nodes ...string) *client {
	c := &client{host.Client(), nodes}
	c.Timeout = 300 * time.Millisecond
	return c
}

// add returns when two nodes have the addition. It asks again until then.
func (c *client) add(id string, n int) {
	have := map[string]bool{}
	for len(have) < 2 {
		for _, node := range c.nodes {
			if have[node] || len(have) == 2 {
				continue
			}
			query := url.Values{"id": {id}, "n": {strconv.Itoa(n)}}
			resp, err := c.Post("http://"+node+"/add?"+query.Encode(), "", nil)
			if err == nil {
				have[node] = resp.StatusCode == http.StatusOK
				_ = resp.Body.Close()
			}
		}
	}
}

// count returns what these nodes have together. It asks again until each answers.
func (c *client) count(nodes ...string) int {
	all := map[string]int{}
	for _, node := range nodes {
		for !c.read(node, all) {
			time.Sleep(100 * time.Millisecond)
		}
	}
	sum := 0
	for _, n := range all {
		sum += n
	}
	return sum
}

func (c *client) read(node string, all map[string]int) bool {
	resp, err := c.Get("http://" + node + "/additions")
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		id, n, err := parse(lines.Text())
		if err != nil {
			return false
		}
		all[id] = n
	}
	return lines.Err() == nil
}
