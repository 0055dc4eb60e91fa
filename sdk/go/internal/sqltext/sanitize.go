// Package sqltext reads just enough of SQL to say what a query does without its values.
package sqltext

import "strings"

// Sanitize puts ? in place of the literals of a query, as the semantic conventions ask for
// a query without parameters. It reads just enough of SQL: strings (quotes doubled or
// escaped, dollar-quoted), numbers, quoted identifiers and comments, which stay. In some
// databases a backslash escapes a quote; in others it is a character like any, and to be wrong
// about it would show what is in the next string.
func Sanitize(query string, backslash bool) string {
	var out strings.Builder
	for i := 0; i < len(query); {
		end, literal := sqlToken(query, i, backslash)
		if literal {
			out.WriteByte('?')
		} else {
			out.WriteString(query[i:end])
		}
		i = end
	}
	return out.String()
}

// sqlToken gives where the token that begins at i ends, and whether it is a literal.
func sqlToken(query string, i int, backslash bool) (end int, literal bool) {
	rest := query[i:]
	switch c := rest[0]; {
	case c == '\'':
		return i + quoted(rest, backslash || escapeString(query, i)), true
	case c == '"' || c == '`':
		return i + quoted(rest, false), false
	case strings.HasPrefix(rest, "--"):
		return i + through(rest, "\n"), false
	case strings.HasPrefix(rest, "/*"):
		return i + through(rest, "*/"), false
	case c == '$':
		if n := dollarQuoted(rest); n > 0 {
			return i + n, true
		}
		return i + word(rest), false
	case isDigit(c) || c == '.' && len(rest) > 1 && isDigit(rest[1]):
		return i + number(rest), true
	case isWordByte(c):
		return i + word(rest), false
	}
	return i + 1, false
}

// escapeString tells PostgreSQL's E'it\'s': the quote at i stands behind a lone E.
func escapeString(query string, i int) bool {
	return i > 0 && query[i-1]|0x20 == 'e' && (i == 1 || !isWordByte(query[i-2]))
}

// quoted gives the length of a text in quotes; a doubled quote is inside, and one behind a
// backslash where that escapes.
func quoted(s string, backslash bool) int {
	quote := s[0]
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && backslash:
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return len(s)
}

// dollarQuoted gives the length of PostgreSQL's $tag$text$tag$, or 0: $1 is a parameter.
func dollarQuoted(s string) int {
	n := 1
	for n < len(s) && s[n] != '$' && isWordByte(s[n]) {
		n++
	}
	if n == len(s) || s[n] != '$' || n > 1 && isDigit(s[1]) {
		return 0
	}
	tag := s[:n+1]
	return len(tag) + through(s[len(tag):], tag)
}

// through gives the length up to and with what ends it, or of all.
func through(s, end string) int {
	if n := strings.Index(s, end); n >= 0 {
		return n + len(end)
	}
	return len(s)
}

// number takes 12, 1.5, .5, 1e-9 and 0xff.
func number(s string) int {
	n := 1
	for n < len(s) && (isWordByte(s[n]) || s[n] == '.' || isSign(s[n]) && isExponent(s[n-1])) {
		n++
	}
	return n
}

func word(s string) int {
	n := 1
	for n < len(s) && isWordByte(s[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool    { return c >= '0' && c <= '9' }
func isSign(c byte) bool     { return c == '+' || c == '-' }
func isExponent(c byte) bool { return c == 'e' || c == 'E' }

func isWordByte(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}
