package tracekit

import (
	"strings"
	"unicode/utf8"
)

// W3C Baggage, https://www.w3.org/TR/baggage/: what a program wants to be known further down.
// It goes out with the requests of the traced client as it came in, and is on no span.
const (
	baggageHeader     = "Baggage"
	maxBaggageMembers = 64
	maxBaggageBytes   = 8192
)

// baggageMember is one key of the header; its properties are kept as they came.
type baggageMember struct{ key, value, properties string }

// Baggage gives the value that the request's baggage has for key, or "".
func (sc SpanContext) Baggage(key string) string {
	for _, m := range parseBaggage([]string{sc.BaggageHeader()}) {
		if m.key == key {
			return m.value
		}
	}
	return ""
}

// parseBaggage combines the values of all headers; a bad member is left out alone, and of
// members with the same key the last value stays, in the first place.
func parseBaggage(values []string) (members []baggageMember) {
	index := map[string]int{}
	for _, text := range strings.Split(strings.Join(values, ","), ",") {
		pair, properties, _ := strings.Cut(text, ";")
		key, value, ok := strings.Cut(pair, "=")
		key, value = strings.Trim(key, " \t"), strings.Trim(value, " \t")
		if !ok || !isToken(key) || !isBaggageValue(value) {
			continue
		}
		m := baggageMember{key, percentDecoded(value), strings.Trim(properties, " \t")}
		if i, twice := index[key]; twice {
			members[i] = m
		} else if len(members) < maxBaggageMembers {
			index[key] = len(members)
			members = append(members, m)
		}
	}
	return members
}

// formatBaggage leaves out what is not valid and what does not fit.
func formatBaggage(members []baggageMember) string {
	var header strings.Builder
	count := 0
	for _, m := range members {
		text := m.key + "=" + percentEncoded(m.value)
		if m.properties != "" {
			text += ";" + m.properties
		}
		if !isToken(m.key) || count == maxBaggageMembers ||
			header.Len()+len(text)+min(count, 1) > maxBaggageBytes {
			continue
		}
		if count > 0 {
			header.WriteByte(',')
		}
		header.WriteString(text)
		count++
	}
	return header.String()
}

func isToken(key string) bool {
	for i := 0; i < len(key); i++ {
		c := key[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		digit := c >= '0' && c <= '9'
		if !letter && !digit && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return key != ""
}

func isBaggageByte(c byte) bool {
	return c > ' ' && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\'
}

func isBaggageValue(value string) bool {
	for i := 0; i < len(value); i++ {
		if !isBaggageByte(value[i]) {
			return false
		}
	}
	return true
}

// percentDecoded keeps what is no escape.
func percentDecoded(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			var c [1]byte
			if decodeLowerHex(c[:], strings.ToLower(text[i+1:i+3])) {
				out.WriteByte(c[0])
				i += 2
				continue
			}
		}
		out.WriteByte(text[i])
	}
	return strings.ToValidUTF8(out.String(), "\uFFFD")
}

func percentEncoded(text string) string {
	const digits = "0123456789ABCDEF"
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if c := text[i]; isBaggageByte(c) && c != '%' {
			out.WriteByte(c)
		} else {
			out.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return out.String()
}
