package team

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Version hashes what a verdict of a clone depends on besides the learner's code: the katas' steps, and the runner.
// Clones of one commit have one version, on Windows too.
func Version(root string) (string, error) {
	clone := os.DirFS(root)
	hash := sha256.New()
	for _, folder := range []string{"kata", "cmd/dojo", "pkg"} {
		err := fs.WalkDir(clone, folder, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata"):
				return fs.SkipDir
			case !entry.Type().IsRegular() || path.Ext(name) != ".go":
				return nil
			case folder == "kata" && !isStep(name):
				return nil // the learner's
			}
			text, err := fs.ReadFile(clone, name)
			fmt.Fprintf(hash, "%s %x\n", name, sha256.Sum256(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))))
			return err
		})
		if err != nil {
			return "", fmt.Errorf("which version of the dojo this clone is: %w", err)
		}
	}
	return hex.EncodeToString(hash.Sum(nil)[:8]), nil
}

// isStep reports whether a file of the katas is as shipped: a kata's steps, their helpers, or what all steps share.
func isStep(name string) bool {
	dir, base := path.Split(name)
	return base == path.Base(dir)+"_test.go" || base == "helpers_test.go" || strings.HasPrefix(name, "kata/internal/")
}
