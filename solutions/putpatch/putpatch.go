//go:build solutions

package putpatch

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

const (
	// maxDepth bounds the nesting of documents and patches. The patch library decodes one level at a time and scans
	// all that is left at each, so its cost grows with the square of the depth.
	maxDepth = 200

	allowed    = "GET, HEAD, PUT, PATCH"
	mergeType  = "application/merge-patch+json"
	jsonType   = "application/json-patch+json"
	patchTypes = mergeType + ", " + jsonType
)

// Config says what a store of documents accepts. The zero value is ready to use.
type Config struct {
	// MaxBytes is the largest request body that is read and the largest document that is stored, in bytes.
	// Zero means 1 MiB.
	MaxBytes int64

	// RequireCondition makes the store answer 428 to a PUT or PATCH that has neither If-Match nor If-None-Match.
	RequireCondition bool

	// Validate says why a document may not be stored, or returns nil if it may. It is called with every document
	// that is about to be stored, after a PUT as after a PATCH. A nil Validate accepts every JSON value.
	//
	// It is safe for concurrent use, does not change the document, and may be called more than once in a request.
	// It may take long.
	Validate func(document []byte) error
}

// NewHandler returns an empty store of JSON documents, which live at /documents/{id}. GET and HEAD read a document,
// PUT creates it or replaces it whole, PATCH changes a part of it.
//
// The handler is safe for concurrent use and never panics. It answers other requests while the body of one is still
// arriving.
func NewHandler(cfg Config) http.Handler {
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 1 << 20
	}
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

// A document never changes once it is stored: a write puts another one in its place. So a pointer to one stands for
// one state, and whoever holds it may read it.
type document struct {
	body []byte
	etag string // strong, with its quotes
}

// load returns the document, or nil if there is none.
func (s *store) load(id string) *document {
	v, _ := s.documents.Load(id)
	doc, _ := v.(*document)
	return doc
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
	case http.MethodPut:
		return s.put(w, r)
	case http.MethodPatch:
		return s.patch(w, r)
	case http.MethodPost, http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		w.Header().Set("Allow", allowed)
		return problemf(http.StatusMethodNotAllowed, "a document has the methods %s", allowed)
	default:
		return problemf(http.StatusNotImplemented, "%s is no method of this server", r.Method)
	}
}

func (s *store) get(w http.ResponseWriter, r *http.Request) *problem {
	doc := s.load(r.PathValue("id"))
	if doc == nil {
		return problemf(http.StatusNotFound, "there is no such document")
	}
	switch status := precondition(r, doc); status {
	case http.StatusOK:
		w.Header().Set("ETag", doc.etag)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(doc.body) // fails only if the client is gone
		return nil
	case http.StatusNotModified:
		w.Header().Set("ETag", doc.etag)
		w.WriteHeader(status)
		return nil
	default:
		return problemf(status, "the document is in another state")
	}
}

func (s *store) put(w http.ResponseWriter, r *http.Request) *problem {
	if mediaType(r) != "application/json" {
		return problemf(http.StatusUnsupportedMediaType, "PUT takes application/json")
	}
	return s.change(w, r, func(_, body []byte) ([]byte, *problem) { return body, nil })
}

func (s *store) patch(w http.ResponseWriter, r *http.Request) *problem {
	switch mediaType(r) {
	case mergeType:
		return s.change(w, r, mergePatch)
	case jsonType:
		return s.change(w, r, s.jsonPatch)
	default:
		w.Header().Set("Accept-Patch", patchTypes)
		return problemf(http.StatusUnsupportedMediaType, "PATCH takes %s", patchTypes)
	}
}

// change stores what apply makes of the document and the request's body.
//
// It does inside the server what If-Match does between client and server: it works on one state without holding a lock,
// stores the result only if that is still the state, and begins again otherwise. So a slow body, patch or validation
// holds up nobody, and the condition is sure to hold at the moment of the change.
func (s *store) change(w http.ResponseWriter, r *http.Request, apply func(doc, body []byte) ([]byte, *problem)) *problem {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.cfg.MaxBytes))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return problemf(http.StatusRequestEntityTooLarge, "a body has at most %d bytes", tooLarge.Limit)
	} else if err != nil {
		return problemf(http.StatusBadRequest, "the body could not be read: %v", err)
	}
	id := r.PathValue("id")
	for {
		old := s.load(id)
		doc, p := s.next(r, old, body, apply)
		if p != nil {
			return p
		}
		if !s.swap(id, old, doc) {
			continue
		}
		w.Header().Set("ETag", doc.etag) // a PUT is stored as it was sent, so its answer may have one
		if old == nil {
			w.WriteHeader(http.StatusCreated)
		} else {
			w.WriteHeader(http.StatusNoContent)
		}
		return nil
	}
}

// next returns the document that the request makes of old, which is nil if there is none. The checks are in the order
// that RFC 9110 §13.2.1 demands: the condition after whatever else can be told without the body, and before the body.
func (s *store) next(r *http.Request, old *document, body []byte, apply func(doc, body []byte) ([]byte, *problem)) (*document, *problem) {
	if old == nil && r.Method == http.MethodPatch {
		return nil, problemf(http.StatusNotFound, "there is no such document, and PATCH creates none")
	}
	if status := precondition(r, old); status != http.StatusOK {
		return nil, problemf(status, "the document is in another state")
	}
	if s.cfg.RequireCondition && r.Header["If-Match"] == nil && r.Header["If-None-Match"] == nil {
		return nil, problemf(http.StatusPreconditionRequired, "send If-Match with the ETag that you read, or If-None-Match: *")
	}
	if !json.Valid(body) {
		return nil, problemf(http.StatusBadRequest, "the body is not one JSON value")
	}
	if depth(body) > maxDepth {
		return nil, problemf(http.StatusUnprocessableEntity, "the body is nested deeper than %d levels", maxDepth)
	}
	var current []byte
	if old != nil {
		current = old.body
	}
	changed, p := apply(current, body)
	if p != nil {
		return nil, p
	}
	if err := s.validate(changed); err != nil {
		return nil, problemf(http.StatusUnprocessableEntity, "the result is not a valid document: %v", err)
	}
	return &document{body: changed, etag: fmt.Sprintf(`"%x"`, sha256.Sum256(changed))}, nil
}

func (s *store) validate(doc []byte) error {
	if int64(len(doc)) > s.cfg.MaxBytes {
		return fmt.Errorf("it has %d bytes, and %d are allowed", len(doc), s.cfg.MaxBytes)
	}
	if depth(doc) > maxDepth {
		return fmt.Errorf("it is nested deeper than %d levels", maxDepth)
	}
	if s.cfg.Validate == nil {
		return nil
	}
	return s.cfg.Validate(doc)
}

// precondition evaluates If-Match, then If-None-Match, in the order of RFC 9110 §13.2.2. It returns 200 if the request
// may go on, else the status to answer with. If-Match compares strongly: a weak tag there matches nothing.
func precondition(r *http.Request, doc *document) int {
	if tags := entityTags(r, "If-Match"); tags != nil {
		if doc == nil || !slices.Contains(tags, "*") && !slices.Contains(tags, doc.etag) {
			return http.StatusPreconditionFailed
		}
	}
	for _, tag := range entityTags(r, "If-None-Match") {
		if doc != nil && (tag == "*" || strings.TrimPrefix(tag, "W/") == doc.etag) {
			if r.Method == http.MethodGet || r.Method == http.MethodHead {
				return http.StatusNotModified
			}
			return http.StatusPreconditionFailed
		}
	}
	return http.StatusOK
}

// entityTags returns the tags in all lines of a header field, or nil if there is none. A tag may itself hold a comma and
// then falls to pieces here; no piece can equal a tag of ours, which holds none.
func entityTags(r *http.Request, field string) []string {
	var tags []string
	for _, line := range r.Header.Values(field) {
		for tag := range strings.SplitSeq(line, ",") {
			tags = append(tags, strings.TrimSpace(tag))
		}
	}
	return tags
}

// mediaType returns the type of the body in lower case and without parameters.
func mediaType(r *http.Request) string {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return t
}

// mergePatch applies a merge patch (RFC 7396) to a document. Both are valid JSON.
func mergePatch(doc, patch []byte) ([]byte, *problem) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(merge(decode(doc), decode(patch))); err != nil {
		return nil, problemf(http.StatusUnprocessableEntity, "the patch cannot be applied: %v", err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
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

// decode decodes valid JSON. It keeps numbers as they are spelled: float64 holds no integer beyond 2^53 for sure, and
// makes 1.0 into 1.
func decode(text []byte) (v any) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	_ = dec.Decode(&v) // valid, so it cannot fail
	return v
}

// jsonPatch applies a JSON patch (RFC 6902) to a document. It works on a copy, so a patch that fails half way leaves
// nothing behind.
func (s *store) jsonPatch(doc, patch []byte) (changed []byte, failed *problem) {
	operations, err := jsonpatch.DecodePatch(patch)
	if err != nil || operations == nil { // the library takes null for a patch without operations
		return nil, problemf(http.StatusBadRequest, "the body is not a JSON patch: %v", err)
	}
	for _, op := range operations {
		if _, ok := op["value"]; !ok && op.Kind() == "test" { // the one missing member that the library lets pass
			return nil, problemf(http.StatusBadRequest, "a test needs a value")
		}
	}
	defer func() {
		// The library panics when it compares a null inside an array.
		if p := recover(); p != nil {
			changed, failed = nil, problemf(http.StatusInternalServerError, "the patch could not be applied")
		}
	}()
	options := jsonpatch.NewApplyOptions()
	options.SupportNegativeIndices = false // RFC 6901 §4 has none
	options.EscapeHTML = false
	options.AccumulatedCopySizeLimit = s.cfg.MaxBytes // a copy of a copy of a copy doubles each time
	changed, err = operations.ApplyWithOptions(bytes.TrimSpace(doc), options)
	noIndex := new(strconv.NumError)
	switch {
	case err == nil:
		return changed, nil
	case errors.Is(err, jsonpatch.ErrMissing), errors.Is(err, jsonpatch.ErrTestFailed),
		errors.Is(err, jsonpatch.ErrInvalidIndex), errors.As(err, &noIndex):
		return nil, problemf(http.StatusConflict, "the patch does not fit the document: %v", err)
	default:
		return nil, problemf(http.StatusUnprocessableEntity, "the patch cannot be applied: %v", err)
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

// A problem is an answer of 400 or above, in the form of RFC 9457. Its type is left out, which means about:blank:
// the status says all, and the title is the status's own.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

func problemf(status int, format string, args ...any) *problem {
	return &problem{Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

func (p *problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) //nolint:errchkjson // fails only if the client is gone
}
