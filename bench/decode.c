/*
 * bench_decode - what decoding costs: nanoseconds and bytes per span, one core, from memory.
 *
 *     bench_decode [SPANS_PER_BODY] [SECONDS] [ONLY]
 */
#include "base/assert.h"
#include "base/memory.h"
#include "bench/round.h"
#include "wire/compress.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LIMIT = 1 << 30, SPANS = 100000 };

struct bodies {
    tk_str *bodies; /* owned, as are their bytes */
    uint32_t count;
    uint64_t byte_count, span_count;
};

static const char *only; /* NULL: all */

static double
now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct bodies
make_bodies(enum tk_format format, enum tk_encoding encoding, uint32_t body_spans)
{
    const struct tk_round_options options = {
        .generate.seed = 1, .spans = SPANS, .body_spans = body_spans, .format = format};
    struct tk_round round;
    TK_ASSERT(tk_round_make(&round, &options) == TK_OK);
    struct bodies bodies = {.bodies = calloc(round.body_count, sizeof *bodies.bodies),
                            .count = round.body_count,
                            .span_count = round.span_count};
    TK_ASSERT(bodies.bodies != NULL);
    for (uint32_t i = 0; i < round.body_count; i++) {
        tk_str plain = {round.bytes + round.bodies[i].offset, round.bodies[i].len};
        char *bytes = malloc(plain.len);
        size_t len = plain.len;
        TK_ASSERT(bytes != NULL);
        memcpy(bytes, plain.ptr, plain.len);
        if (encoding != TK_ENCODING_NONE) {
            free(bytes);
            TK_ASSERT(tk_compress(encoding, encoding == TK_ENCODING_ZSTD ? 3 : 6, plain, &bytes,
                                  &len) == TK_OK);
        }
        bodies.bodies[i] = (tk_str){bytes, len};
        bodies.byte_count += len;
    }
    tk_round_release(&round);
    return bodies;
}

static void
measure(const char *name, enum tk_format format, enum tk_encoding encoding, uint32_t body_spans,
        double seconds)
{
    if (only != NULL && strcmp(only, name) != 0)
        return;
    struct bodies bodies = make_bodies(format, encoding, body_spans);
    struct tk_rejected rejected;
    uint64_t spans = 0, attrs = 0;
    double begin = now(), best = 1e9;
    for (uint32_t i = 0; now() - begin < seconds; i = (i + 1) % bodies.count) {
        double before = now();
        struct tk_batch *batch = tk_batch_new();
        TK_ASSERT(batch != NULL && tk_wire_decode(format, encoding, bodies.bodies[i], NULL, LIMIT,
                                                  batch, &rejected, NULL) == TK_OK);
        double each = (now() - before) / batch->span_count;
        best = each < best ? each : best;
        spans += batch->span_count;
        attrs += batch->attr_count;
        tk_batch_free(batch);
    }
    (void)printf("%-22s %7.0f ns/span mean, %.0f best, %.1f attributes/span, %.0f bytes/span, %.0f "
                 "spans/body\n",
                 name, (now() - begin) * 1e9 / (double)spans, best * 1e9,
                 (double)attrs / (double)spans,
                 (double)bodies.byte_count / (double)bodies.span_count,
                 (double)bodies.span_count / bodies.count);
    for (uint32_t i = 0; i < bodies.count; i++)
        free((void *)(uintptr_t)bodies.bodies[i].ptr);
    free(bodies.bodies);
}

int
main(int argc, char **argv)
{
    tk_memory_setup(LIMIT); /* as the server does */
    uint32_t body_spans = argc > 1 ? (uint32_t)atoi(argv[1]) : 0;
    double seconds = argc > 2 ? atof(argv[2]) : 1;
    only = argc > 3 ? argv[3] : NULL;
    static const char *const names[] = {"protobuf", "protobuf, gzip", "protobuf, deflate",
                                        "protobuf, zstd"};
    for (enum tk_encoding e = TK_ENCODING_NONE; e <= TK_ENCODING_ZSTD; e++)
        measure(names[e], TK_FORMAT_OTLP_PROTOBUF, e, body_spans, seconds);
    measure("json", TK_FORMAT_OTLP_JSON, TK_ENCODING_NONE, body_spans, seconds);
    return 0;
}
