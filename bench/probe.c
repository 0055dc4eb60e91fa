/*
 * bench_probe - how long a span, once acknowledged, cannot be found.
 *
 * Sends one span with a value that no other has, and from its acknowledgement on searches for that
 * value until the answer holds the trace.  The search begins at the span's own start, so that what
 * is measured is when a span can be seen, not how fast everything stored is scanned; the time of
 * the search that finds it counts in full.
 */
#include "base/options.h"
#include "lib/http.h"
#include "trace/ids.h"

#include <sys/random.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PROBES_MAX = 100000, GIVE_UP_SECONDS = 10 };

struct config {
    const char *url, *send_key, *read_key;
    uint64_t probes, pause_ms;
};

static double
now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static unsigned long long
wall_nano(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_REALTIME, &time);
    return (unsigned long long)time.tv_sec * 1000000000u + (unsigned long long)time.tv_nsec;
}

static int
parse(struct config *config, int argc, char **argv)
{
    const struct tk_option table[] = {
        {"url", TK_OPTION_STRING, &config->url, "URL", "server [http://127.0.0.1:4318]", NULL,
         NULL},
        {"api-key", TK_OPTION_STRING, &config->send_key, "KEY", "a server key [none]", NULL, NULL},
        {"read-key", TK_OPTION_STRING, &config->read_key, "KEY", "a read key [none]", NULL, NULL},
        {"probes", TK_OPTION_NUMBER, &config->probes, "N", "[100]", NULL, NULL},
        {"pause", TK_OPTION_NUMBER, &config->pause_ms, "MS", "between two probes [20]", NULL, NULL},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    struct tk_arena arena;
    struct tk_error err = {0};
    tk_arena_init(&arena, 4096, 1 << 20); /* lives as long as the program: the values lie in it */
    if (tk_options_parse(&options, argc - 1, argv + 1, &arena, &err) != TK_OK) {
        (void)fprintf(stderr, "bench_probe: %s\n", err.message);
        return 2;
    }
    return 0;
}

static void
key_header(char *text, size_t size, const char *more, const char *key)
{
    if (key != NULL)
        (void)snprintf(text, size, "%sX-API-Key: %s\r\n", more, key);
    else
        (void)snprintf(text, size, "%s", more);
}

static bool
exchange(struct tk_http *http, struct tk_error *err)
{
    enum tk_err code;
    do
        code = tk_http_step(http, err);
    while (code == TK_ERR_BUSY);
    if (code == TK_OK && http->status != 200)
        code = tk_error_set(err, TK_ERR_IO, "%d %.*s", http->status,
                            http->answer_body.len < 200 ? (int)http->answer_body.len : 200,
                            http->answer_body.ptr);
    return code == TK_OK;
}

/* Seconds from acknowledged to found, negative on failure. */
static double
probe(struct tk_http *http, const struct config *config, struct tk_error *err)
{
    char trace_id[TK_TRACE_ID_HEX + 1], body[1024], target[512], headers[512], found[64];
    struct tk_trace_id id;
    unsigned long long time = wall_nano();
    if (getrandom(&id, sizeof id, 0) != sizeof id)
        return -1;
    tk_trace_id_format(id, trace_id);
    int len = snprintf(
        body, sizeof body,
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":"
        "{\"stringValue\":\"bench-probe\"}}]},\"scopeSpans\":[{\"spans\":[{\"traceId\":\"%s\","
        "\"spanId\":\"%.16s\",\"name\":\"probe\",\"startTimeUnixNano\":\"%llu\","
        "\"endTimeUnixNano\":\"%llu\",\"attributes\":[{\"key\":\"bench.probe\",\"value\":"
        "{\"stringValue\":\"%s\"}}]}]}]}]}",
        trace_id, trace_id, time, time + 1000, trace_id);
    key_header(headers, sizeof headers, "Content-Type: application/json\r\n", config->send_key);
    tk_http_begin(http, "POST", "/v1/traces", headers, (tk_str){body, (size_t)len});
    if (!exchange(http, err))
        return -1;
    double acknowledged = now();
    (void)snprintf(
        target, sizeof target,
        "/api/v1/traces?limit=1&q=%%7B%%20span.bench.probe%%20%%3D%%20%%22%s%%22%%20%%7D",
        trace_id);
    key_header(headers, sizeof headers, "", config->read_key);
    (void)snprintf(found, sizeof found, "\"traceId\":\"%s\"", trace_id);
    while (now() < acknowledged + GIVE_UP_SECONDS) {
        tk_http_begin(http, "GET", target, headers, TK_STR_NONE);
        if (!exchange(http, err))
            return -1;
        if (strstr(http->answer_body.ptr, found) != NULL)
            return now() - acknowledged;
    }
    (void)tk_error_set(err, TK_ERR_TIMEOUT, "not found within %d seconds", GIVE_UP_SECONDS);
    return -1;
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
    static struct tk_http http;
    static double seconds[PROBES_MAX];
    struct config config = {.url = "http://127.0.0.1:4318", .probes = 100, .pause_ms = 20};
    struct tk_error err = {0};
    char host[256], port[16];
    if (parse(&config, argc, argv) != 0)
        return 2;
    if (config.probes == 0 || config.probes > PROBES_MAX ||
        !tk_http_parse_url(config.url, host, port)) {
        (void)fprintf(stderr, "bench_probe: 1 to %d probes of http://HOST:PORT\n", PROBES_MAX);
        return 2;
    }
    bool good = tk_http_connect(&http, host, port, false, &err) == TK_OK;
    for (uint64_t i = 0; i < config.probes && good; i++) {
        struct timespec pause = {.tv_nsec = (long)config.pause_ms % 1000 * 1000000};
        seconds[i] = probe(&http, &config, &err);
        good = seconds[i] >= 0;
        (void)nanosleep(&pause, NULL);
    }
    if (!good) {
        (void)fprintf(stderr, "bench_probe: %s\n", err.message);
        return 3;
    }
    qsort(seconds, config.probes, sizeof *seconds, by_size);
    (void)printf("{\"probes\":%llu,\"found_p50_ms\":%.3f,\"found_p99_ms\":%.3f,"
                 "\"found_max_ms\":%.3f}\n",
                 (unsigned long long)config.probes, seconds[config.probes / 2] * 1000,
                 seconds[(config.probes - 1) * 99 / 100] * 1000, seconds[config.probes - 1] * 1000);
    tk_http_close(&http);
    return 0;
}
