package tracekit

import (
	"net/url"
	"strings"
)

// redactURL gives the text of url.full: without user-info and fragment, and with the values
// of parameters that are credentials hidden.
func redactURL(u *url.URL) string {
	plain := *u
	plain.User, plain.Fragment, plain.RawFragment = nil, "", ""
	plain.RawQuery = redactQuery(u.RawQuery)
	return plain.String()
}

// redactQuery hides the values of the parameters that grant access (signed URLs), whatever
// the case of their names.
func redactQuery(query string) string {
	if !strings.Contains(query, "=") {
		return query
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		if name, _, ok := strings.Cut(pair, "="); ok && isCredential(name) {
			pairs[i] = name + "=REDACTED"
		}
	}
	return strings.Join(pairs, "&")
}

func isCredential(name string) bool {
	switch strings.ToLower(name) {
	case "awsaccesskeyid", "signature", "sig", "x-goog-signature",
		"x-amz-signature", "x-amz-credential", "x-amz-security-token":
		return true
	}
	return false
}
