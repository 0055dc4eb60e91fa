// Command w3c is the service that W3C's trace-context harness talks to: w3c http|gin|echo.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/Tracekit-Dev/go-sdk/tracekit"
	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"
)

type call struct {
	URL       string          `json:"url"`
	Arguments json.RawMessage `json:"arguments"`
}

// serve makes each of the calls the harness asks for, through the traced client.
func serve(r *http.Request) error {
	var calls []call
	if err := json.NewDecoder(r.Body).Decode(&calls); err != nil {
		return err
	}
	for _, c := range calls {
		if err := post(r.Context(), c); err != nil {
			return err
		}
	}
	return nil
}

func post(ctx context.Context, c call) error {
	r, err := http.NewRequestWithContext(ctx, "POST", c.URL, bytes.NewReader(c.Arguments))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := tracekit.HTTPClient.Do(r)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func handler(sdk *tracekit.SDK, framework string) http.Handler {
	switch framework {
	case "gin":
		gin.SetMode(gin.ReleaseMode)
		r := gin.New()
		r.Use(sdk.GinMiddleware())
		r.POST("/test", func(c *gin.Context) { answer(c.Writer, serve(c.Request)) })
		return r
	case "echo":
		e := echo.New()
		e.Use(sdk.EchoMiddleware())
		e.POST("/test", func(c echo.Context) error { return serve(c.Request()) })
		return e
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/test", func(w http.ResponseWriter, r *http.Request) { answer(w, serve(r)) })
	return sdk.HTTPHandler(mux, "")
}

func main() {
	sdk, err := tracekit.NewSDK(tracekit.Config{ServiceName: "w3c"})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ready http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, handler(sdk, os.Args[1])))
}
