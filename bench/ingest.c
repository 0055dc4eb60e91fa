/*
 * bench_ingest - how many spans a second a server acknowledges, and how soon.
 *
 * One thread, non-blocking sockets, one request at a time on each connection.  Without --rate each
 * connection sends again as soon as it was answered; with --rate requests fall due at even times,
 * and their latency counts from then, so that a server that stalls cannot hide it.
 *
 * Bodies are made beforehand (lib/bodies.h).  A compressed body cannot be changed, so those are all
 * made beforehand, and the run ends when they are used up.
 */
#include "base/options.h"
#include "lib/bodies.h"
#include "lib/http.h"
#include "wire/compress.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CONNECTIONS_MAX = 256, LATENCIES_MAX = 1 << 20, HEADERS_SIZE = 512 };

struct config {
    const char *url, *key, *format, *encoding;
    uint64_t spans, bodies, connections, seconds, warmup, rate, seed, core;
};

struct packed {
    char *ptr; /* owned */
    size_t len;
};

struct connection {
    struct tk_http http;
    char *body; /* owned */
    bool busy;
    double due; /* when the request under way should have left */
    uint32_t span_count;
};

struct run {
    struct config config;
    enum tk_format format;
    enum tk_encoding encoding;
    struct tk_body *bodies; /* [config.bodies] */
    struct packed *packed;  /* the same, compressed; NULL when nothing is */
    uint64_t sendings, requests;
    struct connection *connections;
    char headers[HEADERS_SIZE];
    /* what counts, from the end of the warm-up on */
    double begin, end;
    uint64_t acked_spans, sent_bytes, failed_requests;
    double *latencies;
    size_t latency_count;
    char failure[256]; /* the first one */
};

static double
now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static uint64_t
wall_nano(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_REALTIME, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int
parse(struct config *config, int argc, char **argv)
{
    const struct tk_option table[] = {
        {"url", TK_OPTION_STRING, &config->url, "URL", "server [http://127.0.0.1:4318]", NULL,
         NULL},
        {"api-key", TK_OPTION_STRING, &config->key, "KEY", "a server key [none]", NULL, NULL},
        {"format", TK_OPTION_CHOICE, &config->format, "FORMAT", "protobuf|json [protobuf]",
         "protobuf|json", NULL},
        {"encoding", TK_OPTION_CHOICE, &config->encoding, "ENCODING", "none|gzip|zstd [none]",
         "none|gzip|zstd", NULL},
        {"spans", TK_OPTION_NUMBER, &config->spans, "N", "spans of a body [1000]", NULL, NULL},
        {"bodies", TK_OPTION_NUMBER, &config->bodies, "N", "bodies made beforehand [64]", NULL,
         NULL},
        {"connections", TK_OPTION_NUMBER, &config->connections, "N", "[8]", NULL, NULL},
        {"seconds", TK_OPTION_NUMBER, &config->seconds, "N", "measured [10]", NULL, NULL},
        {"warmup", TK_OPTION_NUMBER, &config->warmup, "N", "seconds before [1]", NULL, NULL},
        {"rate", TK_OPTION_NUMBER, &config->rate, "N", "spans a second; 0: all it takes [0]", NULL,
         NULL},
        {"seed", TK_OPTION_NUMBER, &config->seed, "N", "of the generator [1]", NULL, NULL},
        {"core", TK_OPTION_NUMBER, &config->core, "N", "to run on, from 1; 0: any [0]", NULL, NULL},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    struct tk_arena arena;
    struct tk_error err = {0};
    tk_arena_init(&arena, 4096, 1 << 20); /* lives as long as the program: the values lie in it */
    if (tk_options_parse(&options, argc - 1, argv + 1, &arena, &err) != TK_OK) {
        (void)fprintf(stderr, "bench_ingest: %s\n", err.message);
        return 2;
    }
    if (options.help) {
        struct tk_buf help;
        tk_buf_init(&help, 1 << 16);
        tk_options_help(&options, &help);
        (void)printf("%.*s", TK_STR_ARG(tk_buf_str(&help)));
        tk_buf_release(&help);
        return 1;
    }
    return 0;
}

static bool
make_bodies(struct run *run)
{
    struct tk_generate generate;
    /* JSON keeps the times that it was made with. */
    struct tk_generate_options options = {.seed = run->config.seed, .start_nano = wall_nano()};
    run->bodies = calloc(run->config.bodies, sizeof *run->bodies);
    if (run->encoding != TK_ENCODING_NONE)
        run->packed = calloc(run->config.bodies, sizeof *run->packed);
    if (run->bodies == NULL || (run->encoding != TK_ENCODING_NONE && run->packed == NULL) ||
        tk_generate_init(&generate, &options) != TK_OK)
        return false;
    bool good = true;
    for (uint64_t i = 0; i < run->config.bodies && good; i++) {
        struct tk_body *body = &run->bodies[i];
        good = tk_body_make(body, &generate, (uint32_t)run->config.spans, run->format) == TK_OK;
        if (!good || run->packed == NULL)
            continue;
        /* Moved to the present, like the others; what is left of the plain one is its count. */
        tk_body_copy(body, i, wall_nano(), body->ptr);
        good = tk_compress(run->encoding, 3, (tk_str){body->ptr, body->len}, &run->packed[i].ptr,
                           &run->packed[i].len) == TK_OK;
        uint32_t span_count = body->span_count;
        tk_body_release(body);
        body->span_count = span_count;
    }
    tk_generate_release(&generate);
    return good;
}

static bool
open_connections(struct run *run, struct tk_error *err)
{
    char host[256], port[16];
    size_t largest = 1;
    if (!tk_http_parse_url(run->config.url, host, port)) {
        (void)tk_error_set(err, TK_ERR_INPUT, "%s is not http://HOST:PORT", run->config.url);
        return false;
    }
    for (uint64_t i = 0; i < run->config.bodies; i++)
        largest = run->bodies[i].len > largest ? run->bodies[i].len : largest;
    for (uint64_t i = 0; i < run->config.connections; i++) {
        struct connection *connection = &run->connections[i];
        connection->body = malloc(largest);
        if (connection->body == NULL ||
            tk_http_connect(&connection->http, host, port, true, err) != TK_OK)
            return false;
    }
    return true;
}

static void
begin_request(struct run *run, struct connection *connection, double due)
{
    uint64_t sending = run->sendings++, which = sending % run->config.bodies;
    const struct tk_body *body = &run->bodies[which];
    tk_str bytes = {connection->body, body->len};
    if (run->packed != NULL)
        bytes = (tk_str){run->packed[which].ptr, run->packed[which].len};
    else
        tk_body_copy(body, sending, wall_nano(), connection->body);
    connection->span_count = body->span_count;
    connection->due = due;
    connection->busy = true;
    tk_http_begin(&connection->http, "POST", "/v1/traces", run->headers, bytes);
}

/* An acknowledgement of every span: 200, and no partial success in it. */
static bool
is_acknowledged(const struct tk_http *http)
{
    return http->status == 200 &&
           (http->answer_body.len == 0 || tk_str_eq(http->answer_body, TK_STR("{}")));
}

static void
note_answer(struct run *run, struct connection *connection)
{
    const struct tk_http *http = &connection->http;
    double time = now();
    connection->busy = false;
    run->requests++;
    if (!is_acknowledged(http)) {
        if (run->failed_requests++ == 0)
            (void)snprintf(run->failure, sizeof run->failure, "%d %.*s", http->status,
                           http->answer_body.len < 200 ? (int)http->answer_body.len : 200,
                           http->answer_body.ptr);
        return;
    }
    if (time < run->begin || time > run->end)
        return;
    run->acked_spans += connection->span_count;
    run->sent_bytes += http->head_len + http->body.len;
    if (run->latency_count < LATENCIES_MAX)
        run->latencies[run->latency_count++] = time - connection->due;
}

/* When the next request may leave; in the past when it should have left. */
static double
next_due(const struct run *run, double start)
{
    if (run->config.rate == 0)
        return now();
    return start + (double)run->sendings * (double)run->config.spans / (double)run->config.rate;
}

static bool
is_used_up(const struct run *run)
{
    return run->packed != NULL && run->sendings >= run->config.bodies;
}

/* Goes on with every connection that can; false when one broke. */
static bool
step_all(struct run *run, double start, bool send, struct tk_error *err)
{
    for (uint64_t i = 0; i < run->config.connections; i++) {
        struct connection *connection = &run->connections[i];
        double due = next_due(run, start);
        if (!connection->busy && send && !is_used_up(run) && due <= now())
            begin_request(run, connection, due);
        if (!connection->busy)
            continue;
        enum tk_err code = tk_http_step(&connection->http, err);
        if (code == TK_OK)
            note_answer(run, connection);
        else if (code != TK_ERR_BUSY)
            return false;
    }
    return true;
}

static uint64_t
wait_for_sockets(struct run *run, double due)
{
    struct pollfd fds[CONNECTIONS_MAX];
    uint64_t busy = 0;
    for (uint64_t i = 0; i < run->config.connections; i++)
        if (run->connections[i].busy)
            fds[busy++] = (struct pollfd){.fd = run->connections[i].http.fd,
                                          .events = tk_http_events(&run->connections[i].http)};
    double left = due - now();
    bool idle = busy < run->config.connections;
    if (idle && left <= 0)
        return busy;
    if (!idle || left > 0.1)
        left = 0.1;
    struct timespec timeout = {.tv_nsec = (long)(left * 1e9)};
    (void)ppoll(fds, busy, &timeout, NULL);
    return busy;
}

static bool
run_load(struct run *run, struct tk_error *err)
{
    double start = now();
    run->begin = start + (double)run->config.warmup;
    run->end = run->begin + (double)run->config.seconds;
    for (;;) {
        bool send = now() < run->end && !is_used_up(run);
        if (!step_all(run, start, send, err))
            return false;
        uint64_t busy = wait_for_sockets(run, send ? next_due(run, start) : now() + 1);
        if (!send && busy == 0)
            break;
    }
    if (is_used_up(run) && now() < run->end)
        run->end = now();
    return true;
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double
quantile_ms(const struct run *run, double q)
{
    if (run->latency_count == 0)
        return 0;
    return run->latencies[(size_t)(q * (double)(run->latency_count - 1))] * 1000;
}

static void
report(struct run *run)
{
    double seconds = run->end - run->begin;
    if (run->latency_count > 0)
        qsort(run->latencies, run->latency_count, sizeof *run->latencies, by_size);
    (void)printf("{\"spans_per_second\":%.0f,\"spans\":%llu,\"seconds\":%.3f,"
                 "\"bytes_per_second\":%.0f,\"ack_p50_ms\":%.3f,\"ack_p99_ms\":%.3f,"
                 "\"requests\":%llu,\"failed_requests\":%llu}\n",
                 (double)run->acked_spans / seconds, (unsigned long long)run->acked_spans, seconds,
                 (double)run->sent_bytes / seconds, quantile_ms(run, 0.5), quantile_ms(run, 0.99),
                 (unsigned long long)run->requests, (unsigned long long)run->failed_requests);
    if (run->failed_requests > 0)
        (void)fprintf(stderr, "bench_ingest: %llu requests were not acknowledged, the first: %s\n",
                      (unsigned long long)run->failed_requests, run->failure);
}

static void
pin(uint64_t core)
{
    cpu_set_t set;
    if (core == 0)
        return;
    CPU_ZERO(&set);
    CPU_SET(core - 1, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

static void
write_headers(struct run *run)
{
    const struct config *config = &run->config;
    int len = snprintf(run->headers, sizeof run->headers, "Content-Type: application/%s\r\n",
                       run->format == TK_FORMAT_OTLP_JSON ? "json" : "x-protobuf");
    if (run->encoding != TK_ENCODING_NONE)
        len += snprintf(run->headers + len, sizeof run->headers - (size_t)len,
                        "Content-Encoding: %s\r\n", config->encoding);
    if (config->key != NULL)
        (void)snprintf(run->headers + len, sizeof run->headers - (size_t)len, "X-API-Key: %s\r\n",
                       config->key);
}

int
main(int argc, char **argv)
{
    static struct run run = {.config = {.url = "http://127.0.0.1:4318",
                                        .format = "protobuf",
                                        .encoding = "none",
                                        .spans = 1000,
                                        .bodies = 64,
                                        .connections = 8,
                                        .seconds = 10,
                                        .warmup = 1,
                                        .seed = 1}};
    struct tk_error err = {0};
    int status = parse(&run.config, argc, argv);
    if (status != 0)
        return status == 1 ? 0 : status;
    if (run.config.connections == 0 || run.config.connections > CONNECTIONS_MAX ||
        run.config.bodies == 0 || run.config.spans == 0) {
        (void)fprintf(stderr, "bench_ingest: 1 to %d connections, and at least one body and span\n",
                      CONNECTIONS_MAX);
        return 2;
    }
    run.format =
        strcmp(run.config.format, "json") == 0 ? TK_FORMAT_OTLP_JSON : TK_FORMAT_OTLP_PROTOBUF;
    if (strcmp(run.config.encoding, "none") != 0)
        (void)tk_encoding_parse(tk_str_from(run.config.encoding), &run.encoding);
    pin(run.config.core);
    write_headers(&run);
    run.latencies = calloc(LATENCIES_MAX, sizeof *run.latencies);
    run.connections = calloc(run.config.connections, sizeof *run.connections);
    if (run.latencies == NULL || run.connections == NULL || !make_bodies(&run)) {
        (void)fprintf(stderr, "bench_ingest: out of memory\n");
        return 1;
    }
    if (!open_connections(&run, &err) || !run_load(&run, &err)) {
        (void)fprintf(stderr, "bench_ingest: %s\n", err.message);
        return 3;
    }
    report(&run);
    return run.failed_requests > 0;
}
