package sqltext

import "strings"

// Summary is db.query.summary: the operation and what it is done to, SELECT users. It has few
// values, whatever the query's literals are.
func Summary(query string, backslash bool) string {
	operation, named := "", false
	for i := 0; i < len(query); {
		end, _ := sqlToken(query, i, backslash)
		token := query[i:end]
		i = end
		switch {
		case operation == "" && isSpace(token[0]) || strings.HasPrefix(token, "--") ||
			strings.HasPrefix(token, "/*"):
			continue
		case operation == "":
			if !isWordByte(token[0]) {
				return ""
			}
			operation = strings.ToUpper(token)
		case named && !isSpace(token[0]):
			if length := identifier(query[i-len(token):]); length > 0 {
				return operation + " " + query[i-len(token):i-len(token)+length]
			}
			named = false // FROM (SELECT ...
		}
		named = named && isSpace(token[0]) || isBeforeTarget(token)
	}
	return operation
}

// isBeforeTarget says whether what follows a word is a table. UPDATE is an operation, too.
func isBeforeTarget(word string) bool {
	for _, keyword := range []string{"FROM", "INTO", "UPDATE", "TABLE", "JOIN"} {
		if strings.EqualFold(word, keyword) {
			return true
		}
	}
	return false
}

// identifier gives the length of a name, s.t and "t 1" among them.
func identifier(s string) int {
	n := 0
	for n < len(s) {
		switch c := s[n]; {
		case c == '"' || c == '`':
			n += quoted(s[n:], false)
		case c == '.':
			n++
		case isWordByte(c):
			n += word(s[n:])
		default:
			return n
		}
	}
	return n
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
