/*
 * spans - what a span costs: started, 0, 5 or 10 attributes set, ended, and its OTLP bytes ready in
 * a request.
 *
 * Prints, for each, nanoseconds of CPU a span: of the thread that makes it, and of the whole
 * process, with the request's body put together (uncompressed, discarded). `./bench_spans COUNT
 * ATTRIBUTES` runs one of them alone, for perf and callgrind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <tracekit.h>

enum { ROUND = 511 }; /* a span fewer than wakes the exporter */

static const double WARM_S = 0.25;

static uint64_t bytes;

static void
discard(void *data, const tracekit_post *post, tracekit_answer *answer)
{
    (void)data;
    bytes += post->body_size;
    answer->status = 200;
}

static double
seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Six strings, two integers, a double and a boolean, as the peers in the record. */
static void
one(int attributes)
{
    tracekit_span *span = tracekit_start("GET /api/users/{id}");
    if (attributes >= 5) {
        tracekit_set_string(span, "http.request.method", "GET");
        tracekit_set_string(span, "url.path", "/api/users/4711");
        tracekit_set_string(span, "http.route", "/api/users/{id}");
        tracekit_set_int(span, "http.response.status_code", 200);
        tracekit_set_string(span, "server.address", "api.example.com");
    }
    if (attributes >= 10) {
        tracekit_set_int(span, "server.port", 8080);
        tracekit_set_string(span, "user_agent.original", "curl/7.88.1");
        tracekit_set_string(span, "client.address", "10.1.2.3");
        tracekit_set_double(span, "app.ratio", 0.25);
        tracekit_set_bool(span, "app.cached", true);
    }
    tracekit_end(span);
}

static int
ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A round is a batch; its median is what the program's thread pays when nobody takes the core away.
 */
static void
measure(long count, int attributes)
{
    long rounds = count / ROUND > 0 ? count / ROUND : 1;
    double *taken = malloc((size_t)rounds * sizeof *taken), all = seconds(CLOCK_PROCESS_CPUTIME_ID);
    if (taken == NULL)
        exit(1);
    bytes = 0;
    for (long round = 0; round < rounds; round++) {
        double begin = seconds(CLOCK_MONOTONIC);
        for (int i = 0; i < ROUND; i++)
            one(attributes);
        taken[round] = seconds(CLOCK_MONOTONIC) - begin;
        tracekit_flush(10000);
    }
    all = seconds(CLOCK_PROCESS_CPUTIME_ID) - all;
    qsort(taken, (size_t)rounds, sizeof *taken, ascending);
    double made = (double)(rounds * ROUND);
    printf("%2d attributes: %6.1f ns a span on its thread, %6.1f ns of the process, %.0f bytes\n",
           attributes, taken[rounds / 2] * 1e9 / ROUND, all * 1e9 / made, (double)bytes / made);
    free(taken);
}

int
main(int argc, char **argv)
{
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 512 * 1000;
    setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none", 1);
    if (tracekit_init(&(tracekit_options){.service_name = "bench", .transport = discard}) != 0)
        return 1;
    if (argc > 2) {
        measure(count, atoi(argv[2]));
    } else {
        double begin = seconds(CLOCK_MONOTONIC);
        while (seconds(CLOCK_MONOTONIC) - begin <
               WARM_S) /* the library measures its clock meanwhile */
            measure(count / 16, 10);
        for (int attributes = 0; attributes <= 10; attributes += 5)
            measure(count, attributes);
    }
    tracekit_statistics statistics;
    tracekit_get_statistics(&statistics);
    if (statistics.dropped > 0)
        printf("%llu spans were dropped\n", (unsigned long long)statistics.dropped);
    return tracekit_shutdown(10000) != 0;
}
