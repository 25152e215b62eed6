package pagination_test

import (
	"fmt"
	"strings"
)

// parseLinks reads Link fields as RFC 8288 §3 has them: several links in a field, several relations in a link, commas
// and semicolons within quotes. It returns the target of each relation.
func parseLinks(fields []string) (map[string]string, error) {
	links := map[string]string{}
	rest := strings.Join(fields, ",")
	for {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "" {
			return links, nil
		}
		if rest[0] != '<' {
			return nil, fmt.Errorf("a link begins with <, not with %.20q", rest)
		}
		target, after, ok := strings.Cut(rest[1:], ">")
		if !ok || strings.ContainsAny(target, " \"<") {
			return nil, fmt.Errorf("the target in %.80q is no URI reference in < and >", rest)
		}
		params, after, err := parseParams(after)
		if err != nil {
			return nil, err
		}
		if _, elsewhere := params["anchor"]; !elsewhere { // else the link is that of another resource
			for rel := range strings.FieldsSeq(strings.ToLower(params["rel"])) {
				if other, twice := links[rel]; twice && other != target {
					return nil, fmt.Errorf("two links have the relation %s", rel)
				}
				links[rel] = target
			}
		}
		rest = after
	}
}

// parseParams reads the parameters of one link, and returns what stands behind them. Of several with one name the first
// counts.
func parseParams(rest string) (params map[string]string, after string, err error) {
	params = map[string]string{}
	for {
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" || rest[0] == ',' {
			return params, rest, nil
		}
		if rest[0] != ';' {
			return nil, "", fmt.Errorf("a parameter begins with ;, not with %.20q", rest)
		}
		rest = strings.TrimLeft(rest[1:], " \t")
		end := strings.IndexAny(rest+",", "=;, \t")
		name := strings.ToLower(rest[:end])
		value := ""
		rest = strings.TrimLeft(rest[end:], " \t")
		if strings.HasPrefix(rest, "=") {
			value, rest, err = parseValue(strings.TrimLeft(rest[1:], " \t"))
			if err != nil {
				return nil, "", err
			}
		}
		if _, twice := params[name]; !twice && name != "" {
			params[name] = value
		}
	}
}

// parseValue reads a token or a quoted string.
func parseValue(rest string) (value, after string, err error) {
	if !strings.HasPrefix(rest, `"`) {
		end := strings.IndexAny(rest+",", ";, \t")
		return rest[:end], rest[end:], nil
	}
	var b strings.Builder
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '"':
			return b.String(), rest[i+1:], nil
		case '\\':
			i++
			if i == len(rest) {
				continue
			}
		}
		b.WriteByte(rest[i])
	}
	return "", "", fmt.Errorf("the quotes in %.80q do not end", rest)
}
