package tracekit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/Tracekit-Dev/go-sdk/internal/otlptest"
)

type semconvCase struct {
	Name    string
	Request struct{ Method, Target, Host, UserAgent, URL string }
	Route   *string
	Status  int
	Expect  struct {
		Name, Kind, Status string
		Attributes         map[string]any
	}
}

// check compares what a case expects; route is how the framework writes the case's.
func (c semconvCase) check(t *testing.T, got otlptest.Span, route string) {
	t.Helper()
	kinds := map[string]uint64{"SERVER": 2, "CLIENT": 3}
	statuses := map[string]uint64{"UNSET": 0, "ERROR": 2}
	if got.Name != strings.ReplaceAll(c.Expect.Name, "{route}", route) ||
		got.Kind != kinds[c.Expect.Kind] || got.StatusCode != statuses[c.Expect.Status] {
		t.Errorf("%q, kind %d, status %d", got.Name, got.Kind, got.StatusCode)
	}
	for key, want := range c.Expect.Attributes {
		if text, ok := want.(string); ok {
			want = strings.ReplaceAll(text, "{route}", route)
		}
		if value := got.Attributes[key]; fmt.Sprint(value) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", key, value, want)
		}
	}
}

func TestSemanticConventionVectors(t *testing.T) {
	var vectors struct {
		Server, Client []semconvCase
		Exceptions     []struct {
			Name, Type, Message string
			Expect              struct {
				Events                           int
				Status, StatusMessage, ErrorType string
			}
		}
	}
	readVectors(t, "semconv.json", &vectors)
	for _, v := range vectors.Server {
		t.Run(v.Name, func(t *testing.T) {
			server := newCollector(t)
			sdk := server.sdk(t, Config{})
			route := ""
			if v.Route != nil {
				route = *v.Route
			}
			answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(v.Status) })
			r := httptest.NewRequest(v.Request.Method, v.Request.Target, nil)
			r.Host = v.Request.Host
			if v.Request.UserAgent != "" {
				r.Header.Set("User-Agent", v.Request.UserAgent)
			}
			handler := sdk.HTTPHandler(answer, "")
			if route != "" {
				mux := http.NewServeMux()
				mux.Handle(route, answer)
				handler = sdk.HTTPHandler(mux, "")
			}
			handler.ServeHTTP(httptest.NewRecorder(), r)
			server.flushed(t, sdk)
			got := server.Spans()[0]
			v.check(t, got, route)
			otlptest.CheckNames(t, got.Attributes, "server")
		})
	}
	for _, v := range vectors.Client {
		t.Run(v.Name, func(t *testing.T) {
			server := newCollector(t)
			sdk := server.sdk(t, Config{})
			client := sdk.HTTPClient(&http.Client{Transport: roundTripper(
				func(r *http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: v.Status, ProtoMajor: 1, ProtoMinor: 1, Request: r,
						Body: io.NopCloser(bytes.NewReader(nil))}, nil
				})})
			r, err := http.NewRequestWithContext(context.Background(), v.Request.Method, v.Request.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			server.flushed(t, sdk)
			got := server.Spans()[0]
			v.check(t, got, "")
			otlptest.CheckNames(t, got.Attributes, "client")
		})
	}
	for _, v := range vectors.Exceptions {
		t.Run(v.Name, func(t *testing.T) {
			server := newCollector(t)
			sdk := server.sdk(t, Config{})
			_, span := sdk.StartSpan(context.Background(), "fails")
			span.CaptureException(TypeError(v.Message))
			span.End()
			server.flushed(t, sdk)
			got := server.Spans()[0]
			// Go's types have their package in front.
			if got.Attributes["error.type"] != "tracekit."+v.Expect.ErrorType || got.StatusCode != 2 ||
				got.StatusMessage != v.Expect.StatusMessage || len(got.Events) != v.Expect.Events {
				t.Fatalf("%+v", got)
			}
			event := got.Events[0]
			if event.Name != "exception" || event.Attributes["exception.type"] != "tracekit."+v.Type ||
				event.Attributes["exception.message"] != v.Message {
				t.Errorf("%+v", event)
			}
			otlptest.CheckNames(t, event.Attributes, "exception")
		})
	}
}

// TypeError has the name of the vectors' exception.
type TypeError string

func (e TypeError) Error() string { return string(e) }

func TestAResourceHasNamesOfTheConventions(t *testing.T) {
	server := newCollector(t)
	sdk := server.sdk(t, Config{ServiceName: "users", Environment: "production", Release: "1.2"})
	_, span := sdk.StartSpan(context.Background(), "any")
	span.End()
	server.flushed(t, sdk)
	resource := server.Resource()
	otlptest.CheckNames(t, resource, "resource")
	if resource["service.name"] != "users" || resource["deployment.environment.name"] != "production" ||
		resource["service.version"] != "1.2" || resource["telemetry.sdk.language"] != "go" {
		t.Errorf("the resource is %v", resource)
	}
}
