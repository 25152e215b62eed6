//go:build solutions

package putpatch

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

const maxDepth = 200 // of documents and patches: what the patch library does grows with the square of the depth

// Config says what a store of documents accepts. The zero value is ready to use.
type Config struct {
	MaxBytes         int64                       // of a request's body and of a document; zero means 1 MiB
	RequireCondition bool                        // answer 428 to a PUT or PATCH without a condition
	Validate         func(document []byte) error // says why a document may not be stored; nil accepts all
}

// NewHandler returns an empty store of JSON documents, which live at /documents/{id}. It is safe for concurrent use.
func NewHandler(cfg Config) http.Handler {
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, 1<<20)
	s := &store{cfg: cfg}
	mux := http.NewServeMux()
	mux.HandleFunc("/documents/{id}", func(w http.ResponseWriter, r *http.Request) {
		if p := s.serve(w, r); p != nil {
			p.write(w)
		}
	})
	return mux
}

type store struct {
	cfg       Config
	documents sync.Map // from id to *document
}

// A document never changes once it is stored: a write puts another one in its place. A pointer to one stands for one state.
type document struct {
	body []byte
	etag string // strong, with its quotes
}

func (s *store) load(id string) *document {
	v, _ := s.documents.Load(id)
	doc, _ := v.(*document)
	return doc // nil if there is none
}

// swap stores doc if the state is still old, and reports whether it was.
func (s *store) swap(id string, old, doc *document) bool {
	if old == nil {
		_, taken := s.documents.LoadOrStore(id, doc)
		return !taken
	}
	return s.documents.CompareAndSwap(id, old, doc)
}

func (s *store) serve(w http.ResponseWriter, r *http.Request) *problem {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return s.get(w, r)
	case http.MethodPut, http.MethodPatch:
		return s.change(w, r)
	case http.MethodPost, http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		w.Header().Set("Allow", "GET, HEAD, PUT, PATCH")
		return problemf(http.StatusMethodNotAllowed, "a document has no method %s", r.Method)
	default:
		return problemf(http.StatusNotImplemented, "%s is no method of this server", r.Method)
	}
}

func (s *store) get(w http.ResponseWriter, r *http.Request) *problem {
	doc := s.load(r.PathValue("id"))
	if doc == nil {
		return problemf(http.StatusNotFound, "there is no such document")
	}
	w.Header().Set("ETag", doc.etag)
	if p := precondition(r, doc); p != nil {
		return p
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(doc.body) // fails only if the client is gone
	return nil
}

// change stores what a PUT or PATCH makes of the document. It does inside the server what If-Match does between client and
// server: it works on one state without a lock, stores the result only if that is still the state, and begins again
// otherwise. So a slow body, patch or validation holds up nobody, and the condition holds at the moment of the change.
func (s *store) change(w http.ResponseWriter, r *http.Request) *problem {
	var apply func(current *document, body []byte) ([]byte, *problem)
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); { // in lower case and without parameters
	case r.Method == http.MethodPut && kind == "application/json":
		apply = func(_ *document, body []byte) ([]byte, *problem) { return body, nil }
	case r.Method == http.MethodPatch && kind == "application/merge-patch+json":
		apply = mergePatch
	case r.Method == http.MethodPatch && kind == "application/json-patch+json":
		apply = s.jsonPatch
	default:
		w.Header().Set("Accept-Patch", "application/merge-patch+json, application/json-patch+json")
		return problemf(http.StatusUnsupportedMediaType, "PUT takes application/json, and PATCH one of the two patch types")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.cfg.MaxBytes))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return problemf(http.StatusRequestEntityTooLarge, "a body has at most %d bytes", tooLarge.Limit)
	} else if err != nil {
		return problemf(http.StatusBadRequest, "the body could not be read: %v", err)
	}
	for id := r.PathValue("id"); ; {
		old := s.load(id)
		doc, p := s.next(r, old, body, apply)
		if p != nil {
			return p
		}
		if s.swap(id, old, doc) {
			w.Header().Set("ETag", doc.etag) // a PUT is stored as it was sent, so its answer may have one
			if old == nil {
				w.WriteHeader(http.StatusCreated)
			} else {
				w.WriteHeader(http.StatusNoContent)
			}
			return nil
		}
	}
}

// next returns the document that the request makes of old, which may be nil. Its checks are in the order of RFC 9110 §13.2.1.
func (s *store) next(
	r *http.Request, old *document, body []byte, apply func(*document, []byte) ([]byte, *problem),
) (*document, *problem) {
	p := precondition(r, old)
	switch {
	case old == nil && r.Method == http.MethodPatch:
		return nil, problemf(http.StatusNotFound, "there is no such document, and PATCH creates none")
	case p != nil:
		return nil, p
	case s.cfg.RequireCondition && r.Header["If-Match"] == nil && r.Header["If-None-Match"] == nil:
		return nil, problemf(http.StatusPreconditionRequired, "send If-Match with the ETag that you read, or If-None-Match: *")
	case !json.Valid(body):
		return nil, problemf(http.StatusBadRequest, "the body is not one JSON value")
	case depth(body) > maxDepth:
		return nil, problemf(http.StatusUnprocessableEntity, "the body is nested deeper than %d levels", maxDepth)
	}
	changed, p := apply(old, body)
	switch {
	case p != nil:
		return nil, p
	case int64(len(changed)) > s.cfg.MaxBytes:
		return nil, problemf(http.StatusUnprocessableEntity, "the result has %d bytes, and %d are allowed", len(changed), s.cfg.MaxBytes)
	case depth(changed) > maxDepth:
		return nil, problemf(http.StatusUnprocessableEntity, "the result is nested deeper than %d levels", maxDepth)
	case s.cfg.Validate != nil:
		if err := s.cfg.Validate(changed); err != nil {
			return nil, problemf(http.StatusUnprocessableEntity, "the result is not a valid document: %v", err)
		}
	}
	return &document{body: changed, etag: fmt.Sprintf(`"%x"`, sha256.Sum256(changed))}, nil
}

// precondition evaluates If-Match, which compares strongly, and then If-None-Match (RFC 9110 §13.2.2).
func precondition(r *http.Request, doc *document) *problem {
	is := func(tag string) bool { return doc != nil && (tag == "*" || tag == doc.etag) }
	if r.Header["If-Match"] != nil && !slices.ContainsFunc(entityTags(r, "If-Match"), is) {
		return problemf(http.StatusPreconditionFailed, "the document is in another state")
	}
	if slices.ContainsFunc(entityTags(r, "If-None-Match"), func(tag string) bool { return is(strings.TrimPrefix(tag, "W/")) }) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return problemf(http.StatusNotModified, "")
		}
		return problemf(http.StatusPreconditionFailed, "the document is in that state")
	}
	return nil
}

// entityTags returns the tags in all lines of a header field. One with a comma falls to pieces, none of which is a tag of ours.
func entityTags(r *http.Request, field string) []string {
	return strings.FieldsFunc(strings.Join(r.Header[field], ","), func(c rune) bool { return c == ',' || c == ' ' || c == '\t' })
}

// mergePatch applies a merge patch (RFC 7396). Both are valid JSON.
func mergePatch(current *document, patch []byte) ([]byte, *problem) {
	changed, _ := json.Marshal(merge(decode(current.body), decode(patch))) //nolint:errchkjson // what was decoded can be encoded
	return changed, nil
}

// merge is the function of RFC 7396 §2. It reuses target's maps.
func merge(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	result, ok := target.(map[string]any)
	if !ok {
		result = make(map[string]any)
	}
	for name, value := range changes {
		if value == nil {
			delete(result, name)
		} else {
			result[name] = merge(result[name], value)
		}
	}
	return result
}

// decode decodes valid JSON, and keeps numbers as they are spelled: a float64 would make 1.0 into 1 and round what is long.
func decode(text []byte) (v any) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	_ = dec.Decode(&v) // valid, so it cannot fail
	return v
}

// jsonPatch applies a JSON patch (RFC 6902) to a copy of a document, so a patch that fails half way leaves nothing behind.
func (s *store) jsonPatch(current *document, patch []byte) (changed []byte, failed *problem) {
	operations, err := jsonpatch.DecodePatch(patch)
	if err != nil || operations == nil { // the library takes null for a patch without operations
		return nil, problemf(http.StatusBadRequest, "the body is not a JSON patch: %v", err)
	}
	for _, op := range operations {
		if _, ok := op["value"]; !ok && op.Kind() == "test" { // the one missing member that the library lets pass
			return nil, problemf(http.StatusBadRequest, "a test needs a value")
		}
		from, _ := op.From() // the library takes it away first, and then the next element is at its place
		path, _ := op.Path()
		if op.Kind() == "move" && strings.HasPrefix(path, from+"/") {
			failed = problemf(http.StatusConflict, "a value cannot be moved into itself (RFC 6902 §4.4)")
		}
	}
	if failed != nil {
		return nil, failed
	}
	defer func() {
		if p := recover(); p != nil { // the library panics when it compares a null inside an array
			changed, failed = nil, problemf(http.StatusInternalServerError, "the patch could not be applied")
		}
	}()
	options := jsonpatch.ApplyOptions{AccumulatedCopySizeLimit: s.cfg.MaxBytes} // its defaults allow negative indices
	changed, err = operations.ApplyWithOptions(bytes.TrimSpace(current.body), &options)
	switch tooLarge := new(jsonpatch.AccumulatedCopySizeError); {
	case err == nil:
		return changed, nil
	case errors.As(err, &tooLarge):
		return nil, problemf(http.StatusUnprocessableEntity, "the result would be too large: %v", err)
	default: // a missing path, a bad index, a test that fails: the library has an error for each
		return nil, problemf(http.StatusConflict, "the patch does not fit the document: %v", err)
	}
}

// depth returns how deep the arrays and objects of a valid JSON text are nested.
func depth(text []byte) int {
	level, deepest, inString := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return deepest
}

// A problem is an answer of 400 or above in the form of RFC 9457, or a 304. Its type is left out: the status says all.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

func problemf(status int, format string, args ...any) *problem {
	return &problem{Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

func (p *problem) write(w http.ResponseWriter) {
	if p.Status == http.StatusNotModified {
		w.WriteHeader(p.Status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) //nolint:errchkjson // fails only if the client is gone
}
