// The users' service, on port 8080: asks for their orders.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/Tracekit-Dev/go-sdk/tracekit"
	"github.com/gin-gonic/gin"
)

func main() {
	sdk, err := tracekit.NewSDK(tracekit.Config{
		APIKey:      os.Getenv("TRACEKIT_API_KEY"),
		ServiceName: "users",
	})
	if err != nil {
		log.Fatal(err)
	}
	go func() { // nobody wants to wait for a whole batch here
		for range time.Tick(100 * time.Millisecond) {
			sdk.Flush(context.Background())
		}
	}()

	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(sdk.GinMiddleware())
	r.GET("/users", func(c *gin.Context) {
		resp, err := tracekit.HTTPClient.Get(setting("ORDERS_URL", "http://localhost:5000") + "/orders")
		if err != nil {
			sdk.CaptureException(err)
			c.String(http.StatusBadGateway, "null")
			return
		}
		defer resp.Body.Close()
		orders, _ := io.ReadAll(resp.Body)
		c.Data(http.StatusOK, "application/json", orders)
	})

	listener, err := net.Listen("tcp", "127.0.0.1:"+setting("PORT", "8080"))
	if err != nil {
		log.Fatal(err)
	}
	go http.Serve(listener, r)
	fmt.Println("ready http://" + listener.Addr().String())

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	sdk.Shutdown(context.Background())
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
