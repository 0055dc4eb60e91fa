/*
 * rules - the table, and the cures by language; see rules.h.
 */
#include "query/findings/rules.h"

/* ---- cures ---- */

static const struct tk_snippet targets[] = {
    {"webjs", "TraceKit.init({\n  // ...\n  tracePropagationTargets: ['{host}'],\n});"},
    {"nodejs", "TraceKit.init({\n  // ...\n  tracePropagationTargets: ['{host}'],\n});"},
    {NULL, NULL},
};

static const struct tk_snippet cors[] = {
    {"nodejs", "app.use(cors({\n  origin: 'http://localhost:3000', // the page's own\n"
               "  allowedHeaders: ['Content-Type', 'Authorization', 'traceparent', 'tracestate'],\n"
               "}));"},
    {"go", "config := cors.DefaultConfig()\n"
           "config.AllowOrigins = []string{\"http://localhost:3000\"} // the page's own\n"
           "config.AllowHeaders = append(config.AllowHeaders, \"traceparent\", \"tracestate\")\n"
           "r.Use(cors.New(config))"},
    {NULL, NULL},
};

static const struct tk_snippet middleware[] = {
    {"nodejs", "// Express: before the routes\napp.use(TraceKit.Handlers.requestHandler());\n"
               "app.use(TraceKit.Handlers.tracingHandler());\n"
               "// Fastify\nfastify.register(require('@tracekit/node').fastifyPlugin);"},
    {"go", "// before the routes\nr.Use(sdk.GinMiddleware())  // Gin\n"
           "e.Use(sdk.EchoMiddleware()) // Echo\n"
           "http.ListenAndServe(addr, sdk.HTTPHandler(mux, \"\")) // net/http"},
    {"python", "# Django: early in the list\nMIDDLEWARE = [\n"
               "    'tracekit.integrations.django.TracekitMiddleware',\n]\n"
               "# FastAPI\nfrom tracekit.integrations.fastapi import TracekitMiddleware\n"
               "app.add_middleware(TracekitMiddleware)"},
    {NULL, NULL},
};

static const struct tk_snippet client[] = {
    {"nodejs", "const { tracekit } = require('@tracekit/node');\n"
               "const response = await tracekit.fetch(url);"},
    {"go", "resp, err := tracekit.HTTPClient.Get(url)"},
    {"python", "import tracekit\nresponse = tracekit.requests.get(url)"},
    {NULL, NULL},
};

static const struct tk_snippet service_name[] = {
    {"webjs", "TraceKit.init({\n  // ...\n  serviceName: '{service}-web',\n});"},
    {"nodejs", "TraceKit.init({\n  // ...\n  serviceName: '{service}-api',\n});"},
    {"go", "sdk, err := tracekit.NewSDK(tracekit.Config{ServiceName: \"{service}-go\"})"},
    {"python", "tracekit.init(service_name='{service}-python')"},
    {NULL, NULL},
};

static const struct tk_snippet shutdown[] = {
    {"nodejs", "await TraceKit.shutdown(); // before process.exit()"},
    {"go", "defer sdk.Shutdown(context.Background()) // in main"},
    {NULL, NULL},
};

static const struct tk_snippet await[] = {
    {"nodejs", "await work(); // then answer"},
    {"python", "await work()  # then answer"},
    {"go", "group.Wait() // a sync.WaitGroup; then answer"},
    {NULL, NULL},
};

/* ---- the table ---- */

#define NOW false
#define BY_ABSENCE true

const struct tk_rule tk_rules[] = {
    {"not-a-target", TK_SEVERITY_ERROR, NOW, tk_check_not_target,
     "The address is not covered by tracePropagationTargets, so that no `traceparent` is sent.",
     "Add the host to tracePropagationTargets. Across origins the backend's CORS must allow "
     "`traceparent` and `tracestate` then.",
     targets},
    {"same-origin-default", TK_SEVERITY_ERROR, NOW, tk_check_same_origin_default,
     "tracePropagationTargets is not set: then only requests to the page's own origin carry "
     "headers.",
     "Set tracePropagationTargets to the hosts of your backends. Their CORS must allow "
     "`traceparent` and `tracestate` then.",
     targets},
    {"cors-refused", TK_SEVERITY_ERROR, BY_ABSENCE, tk_check_cors_refused,
     "The backend's CORS does not allow `traceparent` and `tracestate` in "
     "Access-Control-Allow-Headers, or not this page's origin, or `*` with credentials; or it "
     "cannot be reached.",
     "Allow both headers and the page's origin by name. The browser's console says which is "
     "missing.",
     cors},
    {"backend-silent", TK_SEVERITY_ERROR, BY_ABSENCE, tk_check_backend_silent,
     "The backend has no SDK or no middleware, its TRACEKIT_API_KEY is missing, refused or of "
     "another project, or the host is not yours.",
     "Install the SDK there, register its middleware before the routes, set TRACEKIT_API_KEY, and "
     "read its log for a line of TraceKit. If the host is not yours, take it out of "
     "tracePropagationTargets.",
     NULL},
    {"not-extracted", TK_SEVERITY_ERROR, BY_ABSENCE, tk_check_not_extracted,
     "Its middleware is not registered, or its SDK is set to read other headers than W3C's.",
     "Register the middleware before the routes.", middleware},
    {"header-stripped", TK_SEVERITY_ERROR, BY_ABSENCE, tk_check_header_stripped,
     "Something between the two (a proxy, a gateway, a load balancer, a service worker) takes "
     "`traceparent` out.",
     "Let it pass `traceparent` and `tracestate` on.", targets},
    {"raw-client", TK_SEVERITY_WARNING, BY_ABSENCE, tk_check_raw_client,
     "Only the traced client sends `traceparent`; the standard library's does not.",
     "Call your own services with the traced client.", client},
    {"continues-in-other-project", TK_SEVERITY_ERROR, NOW, tk_check_continues_elsewhere,
     "The two services have keys of different projects.",
     "Give both a TRACEKIT_API_KEY of the same project.", NULL},
    {"parent-in-other-project", TK_SEVERITY_ERROR, NOW, tk_check_parent_elsewhere,
     "The two services have keys of different projects.",
     "Give both a TRACEKIT_API_KEY of the same project.", NULL},
    {"shared-service-name", TK_SEVERITY_WARNING, NOW, tk_check_shared_name,
     "Both set the same serviceName, so that their spans are shown as one service's.",
     "Give each service a name of its own.", service_name},
    {"missing-root", TK_SEVERITY_HINT, BY_ABSENCE, tk_check_missing_root,
     "The caller does not send its spans to this project (a request by hand with a `traceparent`, "
     "a program that is not set up, a key of another project), did not sample them, or they are "
     "older than what is kept.",
     "If the caller is yours, set its SDK up with a key of this project.", NULL},
    {"broken-parent", TK_SEVERITY_WARNING, BY_ABSENCE, tk_check_broken_parent,
     "The parent was never sent: its process ended before it could, its exporter dropped it, or "
     "it never ended.",
     "End every span, and shut the SDK down before the process ends.", shutdown},
    {"clock-skew", TK_SEVERITY_WARNING, NOW, tk_check_clock_skew,
     "The clocks of the two machines are not synchronised.",
     "Run NTP (chrony, systemd-timesyncd) on both.", NULL},
    {"async-after-response", TK_SEVERITY_HINT, NOW, tk_check_async,
     "Work is begun that nobody waits for.",
     "If it belongs to the request, wait for it before answering; if not, all is well.", await},
    {"late-spans", TK_SEVERITY_HINT, NOW, tk_check_late_spans,
     "A context was kept beyond its request: by a timer, a cache, a connection that lives on.",
     "Begin a trace of its own there, and link it to this one.", NULL},
    {"sampling-mismatch", TK_SEVERITY_WARNING, NOW, tk_check_sampling,
     "Its sampler does not look at its parent's decision.",
     "Let it follow its parent (OTEL_TRACES_SAMPLER=parentbased_traceidratio); TraceKit's SDKs "
     "do.",
     NULL},
};
const size_t tk_rule_count = sizeof tk_rules / sizeof *tk_rules;
