package tracekitchi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/Tracekit-Dev/go-sdk/internal/otlptest"
	"github.com/Tracekit-Dev/go-sdk/tracekit"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

func TestASpanIsNamedByTheWholeRoute(t *testing.T) {
	collector := otlptest.New(t)
	sdk, err := tracekit.NewSDK(tracekit.Config{APIKey: "k", ServiceName: "chi", Endpoint: collector.URL})
	if err != nil {
		t.Fatal(err)
	}
	tagged := func(_ http.ResponseWriter, r *http.Request) {
		sdk.GetCurrentSpan(r.Context()).SetTag("user.id", chi.URLParam(r, "id"))
	}
	r := chi.NewRouter()
	r.Use(middleware.Recoverer, Middleware(sdk))
	r.Get("/users/{id}", tagged)
	r.Route("/teams/{team}", func(r chi.Router) {
		r.Use(middleware.WithValue("copies", "the request"))
		r.Get("/users/{id}", tagged)
		r.Get("/panics", func(http.ResponseWriter, *http.Request) { panic("the handler's") })
	})
	mounted := chi.NewRouter()
	mounted.Post("/{id}", tagged)
	r.Mount("/mounted", mounted)
	for _, request := range [][2]string{{"GET", "/users/42"}, {"GET", "/teams/a/users/42"},
		{"POST", "/mounted/42"}, {"GET", "/teams/a/panics"}, {"GET", "/nowhere"}} {
		r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(request[0], request[1], nil))
	}
	if err := sdk.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	spans := collector.ByName()
	for _, name := range []string{"GET /users/{id}", "GET /teams/{team}/users/{id}", "POST /mounted/{id}"} {
		if got := spans[name].Attributes["user.id"]; got != "42" {
			t.Errorf("%s has user.id %v", name, got)
		}
	}
	if got := spans["GET /teams/{team}/panics"]; got.StatusCode != 2 || len(got.Events) != 1 {
		t.Errorf("of the panic: %+v", got)
	}
	if got := spans["GET"].Attributes["http.response.status_code"]; got != int64(404) || len(spans) != 5 {
		t.Errorf("of no route: %v; %d spans", got, len(spans))
	}
}

func TestTheRouteCostsFourAllocationsAtMost(t *testing.T) {
	sdk, err := tracekit.NewSDK(tracekit.Config{Endpoint: "http://localhost:1"})
	if err != nil {
		t.Fatal(err)
	}
	answer := func(http.ResponseWriter, *http.Request) {}
	allocations := func(use func(http.Handler) http.Handler) float64 {
		r := chi.NewRouter()
		r.Use(use)
		r.Get("/users/{id}", answer)
		request, writer := httptest.NewRequest("GET", "/users/42", nil), httptest.NewRecorder()
		return testing.AllocsPerRun(100, func() { r.ServeHTTP(writer, request) })
	}
	plain, routed := allocations(sdk.HTTPMiddleware("")), allocations(Middleware(sdk))
	// chi joins the patterns of its routers and cleans that up, we join the method and the route.
	t.Logf("%v allocations with the route, %v without", routed, plain)
	if routed > plain+4 {
		t.Errorf("%v allocations, %v of them net/http's middleware", routed, plain)
	}
}
