package tracekit

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
)

// captureLog gives what f writes to the standard logger.
func captureLog(t *testing.T, f func()) string {
	t.Helper()
	var text lockedBuffer
	log.SetOutput(&text)
	defer log.SetOutput(os.Stderr)
	f()
	return text.String()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// echoServer answers 200 and gives the headers of each request it got.
func echoServer(t *testing.T) (url string, headers chan http.Header) {
	t.Helper()
	headers = make(chan http.Header, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers <- r.Header
		io.WriteString(w, "data")
	}))
	t.Cleanup(server.Close)
	return server.URL, headers
}

func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// serveAndCall serves a request with the given headers, makes one with HTTPClient while doing
// so, and gives the headers of that.
func serveAndCall(t *testing.T, incoming http.Header) http.Header {
	t.Helper()
	sdk := newCollector(t).sdk(t, Config{})
	downstream, sent := echoServer(t)
	handler := sdk.HTTPHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		get(t, HTTPClient, downstream)
	}), "serve")
	r := httptest.NewRequest("GET", "/", nil)
	r.Header = incoming
	handler.ServeHTTP(httptest.NewRecorder(), r)
	return <-sent
}
