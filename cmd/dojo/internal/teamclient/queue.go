package teamclient

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/backend-kata/dojo/cmd/dojo/internal/team"
	"github.com/backend-kata/dojo/cmd/dojo/internal/workbook"
)

// maxQueue is how many bytes may wait: hours of saves without a network.
const maxQueue = 64 << 20

// A message waits to be sent: a verdict or a moment, in a file whose name is its number.
type message struct {
	Session string // for which it is
	Judged  int64  // milliseconds of this laptop's clock
	Verdict *team.Verdict
	Moment  *team.Moment
}

func (f *Folder) queueDir() string { return filepath.Join(f.dir, "queue") }

func (f *Folder) messageFile(number int) string {
	return filepath.Join(f.queueDir(), fmt.Sprintf("%08d", number))
}

// QueueVerdict keeps a verdict until it is sent.
func (f *Folder) QueueVerdict(s *Seat, v team.Verdict) error {
	err := f.queue(message{Session: s.Session, Verdict: &v})
	if err == nil {
		_ = os.WriteFile(f.lastFile(), digest(v.Kata, v.Light, v.Files), 0o600) // else it is sent twice
	}
	return err
}

// IsLast reports whether the verdict that was queued last is of the same code, and the same light.
func (f *Folder) IsLast(kata string, light team.Light, files []team.File) bool {
	last, err := os.ReadFile(f.lastFile())
	return err == nil && bytes.Equal(last, digest(kata, light, files))
}

func (f *Folder) lastFile() string { return filepath.Join(f.dir, "last") }

func digest(kata string, light team.Light, files []team.File) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", kata, light, files))
	return []byte(hex.EncodeToString(sum[:]))
}

// QueueMoment keeps a moment until it is sent.
func (f *Folder) QueueMoment(s *Seat, note string) error {
	return f.queue(message{Session: s.Session, Moment: &team.Moment{Note: note}})
}

func (f *Folder) queue(m message) error {
	now := time.Now()
	m.Judged = now.UnixMilli()
	if _, size, err := f.waiting(); err != nil || size > maxQueue {
		if err == nil {
			err = fmt.Errorf("%d MiB wait for the team's server already", size>>20)
		}
		return fmt.Errorf("the team does not get this: %w", err)
	}
	number, err := f.claim()
	if err != nil {
		return fmt.Errorf("the team does not get this, since it cannot be kept until it is sent: %w", err)
	}
	f.mu.Lock()
	f.judged[number] = now
	f.mu.Unlock()
	text, err := encode(m)
	if err == nil {
		err = workbook.Replace(f.messageFile(number), text)
	}
	return err
}

// claim takes the next number, which no other process has or had, by an empty file, into whose place the message
// comes. What was sent gets another name, and goes once there is a higher number. So the highest never falls; where
// a number is still the highest after it was taken, it cannot have been taken and removed before. A file that has
// its first name is removed by nobody: it may be one into whose place a message is just coming.
func (f *Folder) claim() (int, error) {
	for {
		numbers, _, err := f.taken()
		if err != nil {
			return 0, err
		}
		number := 1
		if len(numbers) > 0 {
			number = numbers[len(numbers)-1] + 1
		}
		file, err := os.OpenFile(f.messageFile(number), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue // another process was quicker
		}
		if err != nil {
			return 0, err
		}
		if err := file.Close(); err != nil {
			return 0, err
		}
		if numbers, _, err = f.taken(); err != nil || slices.Max(append(numbers, number)) == number {
			return number, err
		}
		_ = os.Remove(f.messageFile(number)) // nobody else writes it, and it is empty
	}
}

// sentSuffix ends the name of a message that was sent.
const sentSuffix = ".sent"

// taken returns the numbers that have a file, in order, and the sizes of those that are not sent.
func (f *Folder) taken() (numbers []int, sizes map[int]int64, err error) {
	entries, err := os.ReadDir(f.queueDir())
	if err != nil {
		return nil, nil, err
	}
	sizes = map[int]int64{}
	for _, entry := range entries {
		name, sent := strings.CutSuffix(entry.Name(), sentSuffix)
		number, err := strconv.Atoi(strings.TrimLeft(name, "0"))
		info, infoErr := entry.Info()
		if err != nil || infoErr != nil || !info.Mode().IsRegular() {
			continue // being written, or sent meanwhile
		}
		if !slices.Contains(numbers, number) {
			numbers = append(numbers, number)
		}
		if !sent {
			sizes[number] = info.Size()
		}
	}
	slices.Sort(numbers)
	return numbers, sizes, nil
}

// waiting returns the numbers of what is to be sent, in order, and its size in bytes.
func (f *Folder) waiting() (numbers []int, size int64, err error) {
	all, sizes, err := f.taken()
	for _, number := range all {
		if sizes[number] > 0 {
			numbers = append(numbers, number)
			size += sizes[number]
		}
	}
	return numbers, size, err
}

// Waiting returns how many messages wait to be sent.
func (f *Folder) Waiting() int {
	numbers, _, _ := f.waiting() // a folder that is gone has none
	return len(numbers)
}

// Send sends what waits, in order, until all is sent or the first fails in a way that may pass. What the
// server will never take is dropped, and the error says why. Where this laptop has no place any more, the
// seat is forgotten.
func (f *Folder) Send(ctx context.Context, s *Seat) error {
	numbers, _, err := f.waiting()
	if err != nil {
		return fmt.Errorf("what waits for the team's server cannot be read: %w", err)
	}
	var dropped error
	for _, number := range numbers {
		err := f.send(ctx, s, number)
		if refusal, ok := errors.AsType[*RefusalError](err); ok {
			if refusal.out() {
				f.leave(s.Token)
				return err
			}
			if refusal.final() {
				dropped, err = fmt.Errorf("the team does not get one verdict: %w", err), nil
			}
		}
		if err != nil {
			return err
		}
		f.sent(number)
	}
	return dropped
}

func (f *Folder) send(ctx context.Context, s *Seat, number int) error {
	text, err := os.ReadFile(f.messageFile(number))
	var m message
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(text) == 0 {
		return nil // another process has sent it
	}
	if err != nil {
		return fmt.Errorf("a verdict for the team cannot be read: %w", err)
	}
	if !json.Valid(text) {
		return nil // damaged, and never to be sent
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf("a verdict for the team cannot be read: %w", err)
	}
	if m.Session != s.Session {
		return nil // it is over
	}
	ago := f.elapsed(number, m.Judged).Milliseconds()
	switch {
	case m.Verdict != nil:
		m.Verdict.Number, m.Verdict.Ago = number, ago
		err := call(ctx, http.MethodPost, s.Address+"/api/verdict", s.Token, m.Verdict, nil)
		if refusal, ok := errors.AsType[*RefusalError](err); ok && refusal.Status == http.StatusRequestEntityTooLarge {
			m.Verdict.Files = nil // a light without its code is better than none
			err = call(ctx, http.MethodPost, s.Address+"/api/verdict", s.Token, m.Verdict, nil)
		}
		return err
	case m.Moment != nil:
		m.Moment.Number, m.Moment.Ago = number, ago
		return call(ctx, http.MethodPost, s.Address+"/api/moment", s.Token, m.Moment, nil)
	}
	return nil
}

// elapsed is how long ago a message was judged. The process that queued it asks the monotonic clock, which
// nobody sets and which stands still while the laptop sleeps; the wall clock knows of the sleep.
// So the longer of both is taken, and by another process that of the wall clock.
func (f *Folder) elapsed(number int, judged int64) time.Duration {
	elapsed := time.Since(time.UnixMilli(judged))
	f.mu.Lock()
	at, ok := f.judged[number]
	f.mu.Unlock()
	if ok {
		elapsed = max(elapsed, time.Since(at))
	}
	return min(max(elapsed, 0), team.SessionLife)
}

// sent takes a message out of the queue, and removes those before it that were sent.
func (f *Folder) sent(number int) {
	f.mu.Lock()
	delete(f.judged, number)
	f.mu.Unlock()
	_ = os.Rename(f.messageFile(number), f.messageFile(number)+sentSuffix) // else it is sent once more, which the server knows
	numbers, sizes, err := f.taken()
	if err != nil || len(numbers) == 0 {
		return
	}
	for _, n := range numbers[:len(numbers)-1] {
		if _, waits := sizes[n]; !waits {
			_ = os.Remove(f.messageFile(n) + sentSuffix) // another process may have been quicker
		}
	}
}
