// The user data service of the three-service example: Gin on port 8080, users in a SQLite file.
//
//	TRACEKIT_API_KEY   the key of this service's project
//	PORT               8080
//	DB_PATH            the SQLite file; one in the directory for temporary files
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/Tracekit-Dev/go-sdk/tracekit"
	"github.com/gin-contrib/cors"
	"github.com/gin-gonic/gin"
)

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatalf("go service: %v", err)
	}
}

func run() error {
	sdk, err := tracekit.NewSDK(tracekit.Config{ServiceName: "Go Microservice"})
	if err != nil {
		return err
	}
	raw, err := openUsers(env("DB_PATH", filepath.Join(os.TempDir(), "tracekit-users.db")))
	if err != nil {
		return err
	}
	db := sdk.WrapDB(raw, "sqlite")
	defer db.Close()

	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(gin.Recovery())
	// TraceKit middleware must be before routes
	r.Use(sdk.GinMiddleware())
	config := cors.DefaultConfig()
	config.AllowOrigins = []string{"http://localhost:3000", "http://127.0.0.1:3000"}
	config.AllowHeaders = append(config.AllowHeaders, "traceparent", "tracestate")
	r.Use(cors.New(config))
	r.GET("/users", listUsers(sdk, db))

	return serve(sdk, r, env("PORT", "8080"))
}

// serve answers until SIGTERM or SIGINT, then finishes what is in flight and sends the spans.
func serve(sdk *tracekit.SDK, handler http.Handler, port string) error {
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	listener, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(listener) }()
	// Some clients take localhost for ::1; not every machine has it.
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	if listener, err := net.Listen("tcp6", net.JoinHostPort("::1", port)); err == nil {
		go func() { failed <- server.Serve(listener) }()
	}
	fmt.Printf("ready http://%s\n", listener.Addr())

	select {
	case err = <-failed:
	case <-stop.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err = errors.Join(err, server.Shutdown(ctx))
	if lost := sdk.Shutdown(ctx); lost != nil {
		log.Print(lost) // a tracing server that is away is no failure of this one
	}
	return err
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
