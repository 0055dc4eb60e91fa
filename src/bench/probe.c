/* probe - see probe.h. */
#include "bench/probe.h"

#include "bench/http.h"
#include "trace/ids.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

enum { GIVE_UP_SECONDS = 10, HEADERS_SIZE = 512 };

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

static void
write_headers(char *text, const char *more, const char *key)
{
    if (key != NULL)
        (void)snprintf(text, HEADERS_SIZE, "%sX-API-Key: %s\r\n", more, key);
    else
        (void)snprintf(text, HEADERS_SIZE, "%s", more);
}

static enum tk_err
send_span(struct tk_http *http, const struct tk_probe_options *options, const char *trace_id,
          struct tk_error *err)
{
    char body[1024], headers[HEADERS_SIZE];
    unsigned long long time = wall_nano();
    int len = snprintf(
        body, sizeof body,
        "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":"
        "{\"stringValue\":\"bench-probe\"}}]},\"scopeSpans\":[{\"spans\":[{\"traceId\":\"%s\","
        "\"spanId\":\"%.16s\",\"name\":\"probe\",\"startTimeUnixNano\":\"%llu\","
        "\"endTimeUnixNano\":\"%llu\",\"attributes\":[{\"key\":\"bench.probe\",\"value\":"
        "{\"stringValue\":\"%s\"}}]}]}]}]}",
        trace_id, trace_id, time, time + 1000, trace_id);
    write_headers(headers, "Content-Type: application/json\r\n", options->send_key);
    return tk_http_exchange(http, "POST", "/v1/traces", headers, (tk_str){body, (size_t)len}, err);
}

static enum tk_err
probe(struct tk_http *http, const struct tk_probe_options *options, double *ret_seconds,
      struct tk_error *err)
{
    char trace_id[TK_TRACE_ID_HEX + 1], target[512], headers[HEADERS_SIZE], wanted[64];
    struct tk_trace_id id;
    if (getrandom(&id, sizeof id, 0) != sizeof id)
        return tk_error_set(err, TK_ERR_IO, "the system gives no random bytes");
    tk_trace_id_format(id, trace_id);
    enum tk_err code = send_span(http, options, trace_id, err);
    double acknowledged = now();
    (void)snprintf(
        target, sizeof target,
        "/api/v1/traces?limit=1&q=%%7B%%20span.bench.probe%%20%%3D%%20%%22%s%%22%%20%%7D",
        trace_id);
    write_headers(headers, "", options->read_key);
    int wanted_len = snprintf(wanted, sizeof wanted, "\"traceId\":\"%s\"", trace_id);
    while (code == TK_OK && now() < acknowledged + GIVE_UP_SECONDS) {
        code = tk_http_exchange(http, "GET", target, headers, TK_STR_NONE, err);
        if (code == TK_OK && memmem(http->answer_body.ptr, http->answer_body.len, wanted,
                                    (size_t)wanted_len) != NULL) {
            *ret_seconds = now() - acknowledged;
            return TK_OK;
        }
    }
    if (code == TK_OK)
        code = tk_error_set(err, TK_ERR_TIMEOUT, "a span was not found within %d seconds",
                            GIVE_UP_SECONDS);
    return code;
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum tk_err
tk_probe_run(const struct tk_probe_options *options, struct tk_probe_result *ret_result,
             struct tk_error *err)
{
    struct tk_http http = {.fd = -1};
    char host[256], port[16];
    double *seconds = NULL;
    uint64_t count = options->count;
    enum tk_err code = TK_OK;
    if (!tk_http_parse_url(options->url, host, port))
        return tk_error_set(err, TK_ERR_INPUT, "%s is not http://HOST:PORT", options->url);
    seconds = calloc(count + 1, sizeof *seconds);
    if (seconds == NULL)
        return TK_ERR_MEMORY;
    code = tk_http_connect(&http, host, port, false, err);
    for (uint64_t i = 0; i < count && code == TK_OK; i++) {
        struct timespec pause = {.tv_sec = (time_t)(options->pause_ms / 1000),
                                 .tv_nsec = (long)(options->pause_ms % 1000) * 1000000};
        (void)nanosleep(&pause, NULL);
        code = probe(&http, options, &seconds[i], err);
    }
    if (code == TK_OK && count > 0) {
        qsort(seconds, count, sizeof *seconds, by_size);
        *ret_result = (struct tk_probe_result){
            .count = count,
            .found_p50_ms = seconds[count / 2] * 1000,
            .found_p99_ms = seconds[(count - 1) * 99 / 100] * 1000,
            .found_max_ms = seconds[count - 1] * 1000,
        };
    }
    tk_http_close(&http);
    free(seconds);
    return code;
}
