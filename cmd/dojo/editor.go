package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// opensEditor opens the learner's code at the place of the failure.
func (v *view) opensEditor() tea.Cmd {
	place := v.kata.Rel(v.kata.Stub())
	if s, red := v.step(); red && s.Explanation.Yours != "" {
		place = s.Explanation.Yours
	}
	file, line, _ := strings.Cut(place, ":")
	path := filepath.Join(v.kata.Root, filepath.FromSlash(file))
	cmd := editorAt(path, line)
	if cmd == nil {
		v.panel = func(d *desk) error {
			d.say(d.screen.Lines("", "", "Neither $VISUAL nor $EDITOR is set, and there is no code on the PATH. The place is")...)
			d.say(d.screen.Link(path, place))
			return nil
		}
		return nil
	}
	return tea.ExecProcess(cmd, func(err error) tea.Msg { return editedMessage{err} })
}

// editorAt returns the command that opens a file at a line, each editor in its
// own manner, or nil where no editor is known.
func editorAt(path, line string) *exec.Cmd {
	words := strings.Fields(os.Getenv("VISUAL"))
	if len(words) == 0 {
		words = strings.Fields(os.Getenv("EDITOR"))
	}
	if len(words) == 0 {
		if _, err := exec.LookPath("code"); err != nil {
			return nil
		}
		words = []string{"code"}
	}
	name := strings.TrimSuffix(filepath.Base(words[0]), ".exe")
	switch {
	case line == "":
		words = append(words, path)
	case name == "code" || name == "codium" || name == "cursor":
		words = append(words, "-g", path+":"+line)
	case name == "vi" || name == "vim" || name == "nvim" || name == "nano" || name == "emacs" || name == "emacsclient" || name == "micro" || name == "kak":
		words = append(words, "+"+line, path)
	case name == "hx" || name == "subl" || name == "zed":
		words = append(words, path+":"+line)
	default:
		words = append(words, path)
	}
	return exec.Command(words[0], words[1:]...)
}
