package terminal

import (
	"fmt"
	"os"

	"golang.org/x/term"
)

// CtrlC is the key that Keys sends for an interrupt, which a raw terminal
// does not turn into a signal.
const CtrlC = 3

// Keys switches the terminal to single keys and sends each. Restore puts it
// back. Where in is no terminal there are no keys, and no error.
func Keys(in *os.File) (keys <-chan byte, restore func(), err error) {
	fd := int(in.Fd())
	if !term.IsTerminal(fd) {
		return nil, func() {}, nil
	}
	old, err := term.MakeRaw(fd)
	if err != nil {
		return nil, nil, fmt.Errorf("the terminal does not give single keys: %w", err)
	}
	pressed := make(chan byte)
	go func() {
		defer close(pressed)
		key := make([]byte, 1)
		for {
			if n, err := in.Read(key); n == 0 || err != nil {
				return
			}
			pressed <- key[0]
		}
	}()
	return pressed, func() { _ = term.Restore(fd, old) }, nil // nothing is left to do if it fails
}

// Raw writes to a terminal in raw mode, where a new line does not return to
// the first column by itself.
type Raw struct{ *os.File }

func (r Raw) Write(p []byte) (int, error) {
	out := make([]byte, 0, len(p)+16)
	for _, b := range p {
		if b == '\n' {
			out = append(out, '\r')
		}
		out = append(out, b)
	}
	if _, err := r.File.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}
