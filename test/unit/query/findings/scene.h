#ifndef TK_TEST_QUERY_FINDINGS_SCENE_H
#define TK_TEST_QUERY_FINDINGS_SCENE_H
/* scene - traces of programs that call each other, and what the doctor says of them. */
#include "query/findings/rules.h"
#include "query/memory_store.h"

enum { SCENE_ID = 1 }; /* of the trace that is asked for */

static struct tk_arena scene_arena;
static struct tk_findings scene_findings;
static uint64_t scene_age_nano; /* of EPOCH */
static uint64_t scene_mono_nano, scene_step_nano;

static inline uint64_t
scene_wall(struct tk_env *env)
{
    (void)env;
    return EPOCH + scene_age_nano;
}

static inline uint64_t
scene_mono(struct tk_env *env)
{
    (void)env;
    return scene_mono_nano += scene_step_nano;
}

static struct tk_env scene_env = {.wall_nano = scene_wall, .mono_nano = scene_mono};

static inline int
scene_begin(void **state)
{
    (void)state;
    memory_store_begin();
    tk_arena_init(&scene_arena, 1024, 1 << 28);
    scene_age_nano = 3600 * UINT64_C(1000000000);
    scene_mono_nano = 1;
    scene_step_nano = 0;
    return 0;
}

static inline int
scene_end(void **state)
{
    (void)state;
    memory_store_end();
    tk_arena_release(&scene_arena);
    return 0;
}

/* A program: a service in a language, with some SDK. */
static inline uint32_t
add_program(struct tk_batch *batch, const char *service, const char *language, const char *sdk)
{
    uint32_t resource = add_service(batch, service);
    assert_int_equal(
        tk_batch_add_attr(batch, TK_STR("telemetry.sdk.language"), string_attr(language)), TK_OK);
    assert_int_equal(tk_batch_add_attr(batch, TK_STR("telemetry.sdk.name"), string_attr(sdk)),
                     TK_OK);
    batch->resources[resource].attrs.count += 2;
    return resource;
}

/* A client span; status 0: no answer. */
static inline uint32_t
add_call(struct tk_batch *batch, uint32_t resource, tk_span_id id, tk_span_id parent,
         const char *url, int status, uint64_t start_ms, uint64_t duration_ms)
{
    uint32_t row = add_span(batch, resource, id, parent, "GET", start_ms, duration_ms);
    batch->kind[row] = TK_KIND_CLIENT;
    add_attr(batch, "http.request.method", string_attr("GET"));
    add_attr(batch, "url.full", string_attr(url));
    if (status != 0)
        add_attr(batch, "http.response.status_code", int_attr(status));
    return row;
}

/* A server span, asked at localhost:`port`. */
static inline uint32_t
add_server(struct tk_batch *batch, uint32_t resource, tk_span_id id, tk_span_id parent, int port,
           const char *path, const char *agent, uint64_t start_ms, uint64_t duration_ms)
{
    uint32_t row = add_span(batch, resource, id, parent, "GET", start_ms, duration_ms);
    batch->kind[row] = TK_KIND_SERVER;
    add_attr(batch, "http.request.method", string_attr("GET"));
    add_attr(batch, "server.address", string_attr("localhost"));
    add_attr(batch, "server.port", int_attr(port));
    add_attr(batch, "url.path", string_attr(path));
    add_attr(batch, "user_agent.original", string_attr(agent));
    return row;
}

static inline struct tk_findings_ask
scene_ask(void)
{
    return (struct tk_findings_ask){
        .view = &memory_store.view, .env = &scene_env, .memory = 64 << 20, .arena = &scene_arena};
}

/* One line a finding: severity, rule, confidence, service > peer, spans. */
static inline void
expect_text(const char *expected)
{
    static const char *const severities[] = {"error", "warning", "hint"};
    static const char *const confidences[] = {"certain", "likely", "possible"};
    struct tk_buf text;
    tk_buf_init(&text, 1 << 20);
    for (const struct tk_finding *f = scene_findings.first; f != NULL; f = f->next)
        tk_buf_printf(&text, "%s %s %s %.*s > %.*s %u\n", severities[f->severity], f->rule,
                      confidences[f->confidence], TK_STR_ARG(f->service), TK_STR_ARG(f->peer),
                      f->span_count);
    tk_buf_append_char(&text, '\0');
    assert_string_equal(text.ptr, expected);
    tk_buf_release(&text);
}

/* What is said of the trace SCENE_ID. */
static inline void
expect_findings(const char *expected)
{
    struct tk_findings_ask ask = scene_ask();
    struct tk_error err = {.message = ""};
    assert_int_equal(
        tk_findings_of_trace(&ask, (struct tk_trace_id){0, SCENE_ID}, &scene_findings, &err),
        TK_OK);
    expect_text(expected);
}

#endif
