// Package teamclient takes a clone into a team dojo: it joins a session, keeps what admits it and what is
// still to be sent on the disk, sends that when the network is there, and listens to what the session says.
package teamclient

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// A Seat is a clone's place in a session.
type Seat struct {
	Address string    // of the server, with its scheme
	Laptop  string    // a random name
	Until   time.Time // when the session is over at the latest, by this laptop's clock
	team.Joined
}

// A Folder is where a clone's seat and its queue are kept. Several processes may use it at a time.
type Folder struct {
	dir string

	mu     sync.Mutex
	judged map[int]time.Time // of what this process queued, by number
}

// At returns the folder of the clone with that root. Clones share a cache, and each has its own seat.
func At(cache, root string) *Folder {
	sum := sha256.Sum256([]byte(root))
	name := filepath.Base(root) + "-" + hex.EncodeToString(sum[:6])
	return &Folder{dir: filepath.Join(cache, "team", name), judged: map[int]time.Time{}}
}

func (f *Folder) seatFile() string { return filepath.Join(f.dir, "seat.json") }

// Seat returns the clone's seat, or nil where it has none or the session is over.
func (f *Folder) Seat() (*Seat, error) {
	text, err := os.ReadFile(f.seatFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no seat is an answer
	}
	if err != nil {
		return nil, fmt.Errorf("what is known of the team's session cannot be read: %w", err)
	}
	var s Seat
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("%s is damaged: go tool dojo leave removes it, and you can join again", f.seatFile())
	}
	if time.Now().After(s.Until) {
		return nil, nil //nolint:nilnil // likewise
	}
	return &s, nil
}

// Sit keeps a seat. What was queued for another session is dropped.
func (f *Folder) Sit(s Seat) error {
	if old, err := f.Seat(); err != nil || old == nil || old.Session != s.Session || old.Laptop != s.Laptop {
		if err := f.Leave(); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return err
	}
	err = os.MkdirAll(f.queueDir(), 0o700) // for nobody else: the seat has the token
	if err == nil {
		err = os.Chmod(f.dir, 0o700)
	}
	if err == nil {
		err = workbook.Replace(f.seatFile(), append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("your place in the session cannot be kept: %w", err)
	}
	return nil
}

// Leave forgets the seat and what was not sent.
func (f *Folder) Leave() error {
	if err := os.RemoveAll(f.dir); err != nil {
		return fmt.Errorf("what is known of the team's session cannot be removed: %w", err)
	}
	return nil
}

// leave forgets the seat with that token: meanwhile the clone may have joined another session.
func (f *Folder) leave(token string) {
	if s, err := f.Seat(); err == nil && s != nil && s.Token == token {
		_ = f.Leave() // the server refuses the token in any case
	}
}
