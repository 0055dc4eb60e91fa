package tracekit

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// targets are Config.TracePropagationTargets, checked. Nil: every request of a traced client
// gets the headers.
type targets []any

func newTargets(list []any) (targets, error) {
	for _, target := range list {
		switch t := target.(type) {
		case string:
		case *regexp.Regexp:
			if t == nil {
				return nil, fmt.Errorf("tracekit: a propagation target is a nil *regexp.Regexp")
			}
		default:
			return nil, fmt.Errorf(
				"tracekit: a propagation target is a string or a *regexp.Regexp, not a %T", target)
		}
	}
	return targets(list), nil
}

// PropagatesTo says whether a request to u carries the trace on, by the configuration's
// TracePropagationTargets. It is for code that traces another protocol than HTTP.
func (s *SDK) PropagatesTo(u *url.URL) bool { return s.config.targets.match(u) }

// match looks at scheme, host, port and path alone: a third party that has one of our hosts in
// its user-info, query or fragment gets no header.
func (list targets) match(u *url.URL) bool {
	if list == nil {
		return true
	}
	location := (&url.URL{
		Scheme: u.Scheme, Host: resolvedHost(u), Path: u.Path, RawPath: u.RawPath,
	}).String()
	for _, target := range list {
		switch t := target.(type) {
		case string:
			if t != "" && strings.Contains(location, t) {
				return true
			}
		case *regexp.Regexp:
			if t.MatchString(location) {
				return true
			}
		}
	}
	return false
}

// resolvedHost is in lower case and without a port that the scheme implies, as browsers have it.
func resolvedHost(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "http":
		return strings.TrimSuffix(host, ":80")
	case "https":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}
