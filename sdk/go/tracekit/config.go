package tracekit

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// Version is the SDK's version.
const Version = "0.1.0"

// Config says who a service is and where its spans go. What is left out comes from the
// environment, then from the default.
type Config struct {
	// APIKey lets the service send to its project (TRACEKIT_API_KEY). Leave it out of the code.
	// Without a key spans are made and passed on, but not sent.
	APIKey string

	// ServiceName is the service's own, unique name (TRACEKIT_SERVICE_NAME, OTEL_SERVICE_NAME).
	ServiceName string

	// Endpoint is the server's base URL (TRACEKIT_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT;
	// http://localhost:4318). Spans are posted to /v1/traces below it.
	Endpoint string

	// Environment is where the service runs, such as "production" (TRACEKIT_ENVIRONMENT).
	Environment string

	// Release is the version of the service (TRACEKIT_RELEASE).
	Release string

	// SampleRate is the share of new traces that is recorded, above 0 and at most 1
	// (TRACEKIT_SAMPLE_RATE, OTEL_TRACES_SAMPLER(_ARG); 1). Requests that come with a trace follow
	// its decision. To record none, say 0 in the environment.
	SampleRate float64

	// TracePropagationTargets limits which requests of the traced HTTP client carry the trace:
	// each is a string, found in the URL's scheme, host, port and path, or a *regexp.Regexp that
	// matches there. Nil: all requests. Empty: none.
	TracePropagationTargets []any

	// Debug logs the set-up and the result of the first export (TRACEKIT_DEBUG).
	Debug bool

	// Disabled turns everything off: no spans, no headers (OTEL_SDK_DISABLED).
	Disabled bool
}

const defaultEndpoint = "http://localhost:4318/v1/traces"

// config is a Config completed from the environment.
type config struct {
	Config
	endpoint   string // the whole URL
	sampleRate float64
	targets    targets
	headers    map[string]string
	resource   []resourceAttribute // of OTEL_RESOURCE_ATTRIBUTES
	debug      bool
}

type resourceAttribute struct{ key, value string }

// complete never fails for what the environment says: that is another person's, at another
// time than the code's.
func complete(c Config) (config, error) {
	targets, err := newTargets(c.TracePropagationTargets)
	if err != nil {
		return config{}, err
	}
	out := config{Config: c, targets: targets, debug: c.Debug || envBool("TRACEKIT_DEBUG")}
	out.Disabled = c.Disabled || envBool("OTEL_SDK_DISABLED")
	out.resource = parsePairs(os.Getenv("OTEL_RESOURCE_ATTRIBUTES"))
	out.headers = map[string]string{}
	for _, pair := range parsePairs(firstOf(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
		os.Getenv("OTEL_EXPORTER_OTLP_HEADERS"))) {
		out.headers[pair.key] = pair.value
	}
	out.APIKey = strings.TrimSpace(firstOf(c.APIKey, os.Getenv("TRACEKIT_API_KEY")))
	if out.APIKey != "" {
		out.headers["X-API-Key"] = out.APIKey
	}
	out.ServiceName = firstOf(c.ServiceName, os.Getenv("TRACEKIT_SERVICE_NAME"),
		os.Getenv("OTEL_SERVICE_NAME"), out.resourceValue("service.name"),
		"unknown_service:"+filepath.Base(os.Args[0]))
	out.Environment = firstOf(c.Environment, os.Getenv("TRACEKIT_ENVIRONMENT"),
		out.resourceValue("deployment.environment.name"))
	out.Release = firstOf(c.Release, os.Getenv("TRACEKIT_RELEASE"),
		out.resourceValue("service.version"))
	out.endpoint = configuredEndpoint(c.Endpoint)
	out.sampleRate = configuredRate(c.SampleRate)
	return out, nil
}

// canSend says whether the server will know whose spans these are: by our key, or by the
// headers OpenTelemetry's variables give.
func (c config) canSend() bool { return len(c.headers) > 0 }

func (c config) resourceValue(key string) string {
	for _, attribute := range c.resource {
		if attribute.key == key {
			return attribute.value
		}
	}
	return ""
}

func configuredEndpoint(fromCode string) string {
	value := firstOf(fromCode, os.Getenv("TRACEKIT_ENDPOINT"),
		os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"))
	endpoint, err := tracesURL(value)
	if err != nil {
		say("%v; using %s", err, defaultEndpoint)
		return defaultEndpoint
	}
	return endpoint
}

// tracesURL makes the URL that spans are posted to from a base URL, from that URL itself, or
// from a host and port: https but for this machine.
func tracesURL(endpoint string) (string, error) {
	endpoint = strings.TrimSpace(endpoint)
	if endpoint == "" {
		return defaultEndpoint, nil
	}
	if !strings.Contains(endpoint, "://") {
		scheme := "https://"
		host, _, _ := strings.Cut(endpoint, "/")
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
			scheme = "http://"
		}
		endpoint = scheme + endpoint
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("the endpoint %q is not the URL of a web server", endpoint)
	}
	path := strings.TrimRight(u.Path, "/")
	if !strings.HasSuffix(path, "/v1/traces") {
		path += "/v1/traces"
	}
	u.Path, u.RawPath = path, ""
	return u.String(), nil
}

func redacted(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "the endpoint"
	}
	return u.Redacted()
}

func configuredRate(fromCode float64) float64 {
	rate := fromCode
	if rate == 0 {
		text := firstOf(os.Getenv("TRACEKIT_SAMPLE_RATE"), otelRate())
		if text == "" {
			return 1
		}
		var err error
		if rate, err = strconv.ParseFloat(text, 64); err != nil {
			rate = -1
		}
	}
	if !validRate(rate) {
		say("the sample rate is not a number from 0 to 1; recording every trace")
		return 1
	}
	return rate
}

// otelRate is what OpenTelemetry's sampler would do at a root; other samplers have no such rate.
func otelRate() string {
	sampler := os.Getenv("OTEL_TRACES_SAMPLER")
	switch {
	case strings.HasSuffix(sampler, "always_off"):
		return "0"
	case sampler == "" || strings.HasSuffix(sampler, "traceidratio"):
		return os.Getenv("OTEL_TRACES_SAMPLER_ARG")
	}
	return ""
}

func validRate(rate float64) bool { return rate >= 0 && rate <= 1 } // NaN is not

func envBool(name string) bool {
	value, err := strconv.ParseBool(os.Getenv(name))
	return err == nil && value
}

func firstOf(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

// parsePairs reads OpenTelemetry's `key=value,key=value`, values percent-encoded.
func parsePairs(text string) (pairs []resourceAttribute) {
	for _, pair := range strings.Split(text, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if key = strings.TrimSpace(key); !ok || key == "" {
			continue
		}
		value = strings.TrimSpace(value)
		if decoded, err := url.PathUnescape(value); err == nil {
			value = decoded
		}
		pairs = append(pairs, resourceAttribute{key, value})
	}
	return pairs
}

// resourceMessage says who sends, with the names of the semantic conventions.
func resourceMessage(c config) (b []byte) {
	set := func(key, value string) {
		if value != "" {
			b = appendStringAttribute(b, tagResourceAttribute, cleanKey(key), value)
		}
	}
	host, _ := os.Hostname() // left out when the system has none
	set("service.name", c.ServiceName)
	set("service.version", c.Release)
	set("service.instance.id", newUUID())
	set("deployment.environment.name", c.Environment)
	set("telemetry.sdk.name", "tracekit")
	set("telemetry.sdk.language", "go")
	set("telemetry.sdk.version", Version)
	set("process.runtime.version", runtime.Version())
	set("host.name", host)
	for _, attribute := range c.resource {
		switch attribute.key {
		case "service.name", "service.version", "deployment.environment.name",
			"service.instance.id", "telemetry.sdk.name", "telemetry.sdk.language",
			"telemetry.sdk.version", "process.runtime.version", "host.name", "process.pid":
		default:
			set(attribute.key, attribute.value)
		}
	}
	return appendAttribute(b, tagResourceAttribute, "process.pid", os.Getpid())
}

func scopeMessage() []byte {
	return appendStringField(appendStringField(nil, tagScopeName, "tracekit"),
		tagScopeVersion, Version)
}
