/*
 * bench_decode - what decoding costs: nanoseconds and bytes per span, one core, from memory.
 *
 *     bench_decode [SPANS_PER_BODY] [SECONDS] [ONLY]
 */
#include "lib/generate.h"
#include "base/assert.h"
#include "wire/compress.h"
#include "wire/otlp.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LIMIT = 1 << 30 };

static const char *only; /* NULL: all */

static double
now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void
measure(const char *name, enum tk_format format, enum tk_encoding encoding, tk_str body,
        double seconds)
{
    if (only != NULL && strcmp(only, name) != 0)
        return;
    struct tk_rejected rejected;
    uint64_t spans = 0;
    double begin = now(), best = 1e9;
    uint32_t attrs = 0;
    while (now() - begin < seconds) {
        double before = now();
        struct tk_batch *batch = tk_batch_new();
        TK_ASSERT(batch != NULL && tk_wire_decode(format, encoding, body, NULL, LIMIT, batch,
                                                  &rejected, NULL) == TK_OK);
        double each = (now() - before) / batch->span_count;
        best = each < best ? each : best;
        spans += batch->span_count;
        attrs = batch->attr_count / batch->span_count;
        tk_batch_free(batch);
    }
    (void)printf("%-22s %7.0f ns/span mean, %7.0f best, %u attributes/span, %zu bytes/body\n", name,
                 (now() - begin) * 1e9 / (double)spans, best * 1e9, attrs, body.len);
}

int
main(int argc, char **argv)
{
    uint32_t count = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000;
    double seconds = argc > 2 ? atof(argv[2]) : 1;
    only = argc > 3 ? argv[3] : NULL;
    struct tk_generate generate;
    struct tk_batch *batch = tk_batch_new();
    struct tk_buf protobuf, json;
    char *packed;
    size_t len;
    TK_ASSERT(batch != NULL);
    TK_ASSERT(tk_generate_init(&generate, &(struct tk_generate_options){.seed = 1}) == TK_OK);
    TK_ASSERT(tk_generate_spans(&generate, count, batch) == TK_OK);
    tk_buf_init(&protobuf, LIMIT);
    tk_buf_init(&json, LIMIT);
    tk_otlp_protobuf_encode(batch, (struct tk_range){0, batch->span_count}, &protobuf);
    tk_otlp_json_encode(batch, (struct tk_range){0, batch->span_count}, &json);
    (void)printf("%u spans, %zu bytes/span in protobuf\n", batch->span_count,
                 protobuf.len / batch->span_count);
    measure("protobuf", TK_FORMAT_OTLP_PROTOBUF, TK_ENCODING_NONE, tk_buf_str(&protobuf), seconds);
    measure("json", TK_FORMAT_OTLP_JSON, TK_ENCODING_NONE, tk_buf_str(&json), seconds);
    for (enum tk_encoding e = TK_ENCODING_GZIP; e <= TK_ENCODING_ZSTD; e++) {
        static const char *const names[] = {"", "protobuf, gzip", "protobuf, deflate",
                                            "protobuf, zstd"};
        TK_ASSERT(tk_compress(e, 3, tk_buf_str(&protobuf), &packed, &len) == TK_OK);
        measure(names[e], TK_FORMAT_OTLP_PROTOBUF, e, (tk_str){packed, len}, seconds);
        free(packed);
    }
    tk_buf_release(&protobuf);
    tk_buf_release(&json);
    tk_generate_release(&generate);
    tk_batch_free(batch);
    return 0;
}
