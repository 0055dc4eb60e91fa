/*
 * bench_seal - what sealing costs: time by step, and where the bytes of a segment go.
 *
 *     bench_seal [SPANS] [SPANS_PER_BODY] [LEVEL] [ROUNDS] [FILE]
 *
 * Spans come in as a server gets them (protobuf bodies, decoded), gather in a buffer and become one
 * segment; CPU time of one thread.
 */
#include "base/assert.h"
#include "bench/round.h"
#include "store/embedded/seal.h"
#include "store/segment/group_head.h"
#include "store/segment/zstd.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LIMIT = 1 << 30 };

static double
now(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Decoded bodies of `per_body` spans; returns how many spans. */
static uint64_t
fill(struct tk_buffer *buffer, uint64_t span_count, uint32_t per_body)
{
    const struct tk_round_options options = {.generate.seed = 1,
                                             .spans = (uint32_t)span_count,
                                             .body_spans = per_body,
                                             .format = TK_FORMAT_OTLP_PROTOBUF};
    struct tk_round round;
    uint64_t spans = 0;
    TK_ASSERT(tk_round_make(&round, &options) == TK_OK);
    for (uint32_t i = 0; i < round.body_count; i++) {
        struct tk_batch *batch = tk_batch_new();
        struct tk_rejected rejected;
        tk_str body = {round.bytes + round.bodies[i].offset, round.bodies[i].len};
        TK_ASSERT(batch != NULL);
        TK_ASSERT(tk_wire_decode(TK_FORMAT_OTLP_PROTOBUF, TK_ENCODING_NONE, body, NULL, LIMIT,
                                 batch, &rejected, NULL) == TK_OK);
        spans += batch->span_count;
        TK_ASSERT(tk_buffer_add(buffer, batch) == TK_OK);
    }
    tk_round_release(&round);
    return spans;
}

static void
step(const char *what, double *since, uint64_t spans)
{
    double time = now();
    (void)printf("%-24s %7.1f ns/span\n", what, (time - *since) * 1e9 / (double)spans);
    *since = time;
}

struct file {
    char *bytes;
    size_t size;
    uint64_t spans;
};

/* The bytes of a part before compression; the caller frees them. */
static char *
read_part(const struct file *file, struct tk_part part)
{
    char *raw = malloc(part.raw_size + 1);
    TK_ASSERT(raw != NULL && part.offset + part.size <= file->size);
    if (part.size == part.raw_size)
        memcpy(raw, file->bytes + part.offset, part.size);
    else
        TK_ASSERT(tk_zstd_decompress((tk_str){file->bytes + part.offset, part.size}, raw,
                                     part.raw_size) == TK_OK);
    return raw;
}

static void
say_bytes(const struct file *file, const char *what, tk_str key, uint64_t bytes)
{
    if (bytes > 0)
        (void)printf("%8.3f B/span  %s %.*s\n", (double)bytes / (double)file->spans, what,
                     (int)key.len, key.len > 0 ? key.ptr : "");
}

static void
say_columns(const struct file *file, const struct tk_footer *footer, const struct tk_schema *schema)
{
    static const char *const owners[] = {"fixed", "span", "event", "link"};
    static const char *const kinds[] = {"numbers", "dictionary", "plain"};
    uint64_t *sizes = calloc(footer->column_count, sizeof *sizes), heads = 0, groups = 0;
    char *entries = read_part(file, footer->groups);
    TK_ASSERT(sizes != NULL);
    for (uint32_t i = 0; i < footer->group_count; i++) {
        struct tk_group_entry group;
        struct tk_chunk chunk, *before = NULL;
        memcpy(&group, entries + i * sizeof group, sizeof group);
        const unsigned char *head = (const unsigned char *)file->bytes + group.offset;
        struct tk_reader in = {head, head + group.head_size, true};
        while (tk_reader_left(&in) > 0 &&
               tk_group_head_next(&in, footer->version, before, &chunk)) {
            sizes[chunk.column] += chunk.size;
            before = &chunk;
        }
        heads += group.head_size;
        groups += group.size;
    }
    for (uint32_t c = 0; c < footer->column_count; c++) {
        char what[64];
        (void)snprintf(what, sizeof what, "%4u %s %s", c, owners[schema->columns[c].column.owner],
                       kinds[schema->columns[c].column.kind]);
        say_bytes(file, what, schema->columns[c].column.key, sizes[c]);
    }
    say_bytes(file, "all groups", TK_STR_NONE, groups);
    say_bytes(file, "of which heads", TK_STR_NONE, heads);
    free(sizes);
    free(entries);
}

static void
say_sections(const struct file *file, const struct tk_footer *footer, uint64_t groups_end)
{
    struct tk_part sum[4] = {{0}};
    static const char *const names[] = {"dictionaries", "zones", "indexes, postings", "counts"};
    char *bytes = read_part(file, footer->columns);
    const unsigned char *end = (const unsigned char *)bytes + footer->columns.raw_size;
    struct tk_reader in = {(const unsigned char *)bytes, end, true};
    while (tk_reader_left(&in) > 0 && in.ok) {
        (void)tk_get_bytes(&in, 4);
        (void)tk_get_bytes(&in, (size_t)tk_get_varint(&in));
        (void)tk_get_varint(&in);
        (void)tk_get_varint(&in);
        for (uint32_t i = 0; i < 4; i++) {
            struct tk_part part;
            const void *from = tk_get_bytes(&in, sizeof part);
            TK_ASSERT(from != NULL);
            memcpy(&part, from, sizeof part);
            sum[i].size += part.size;
            sum[i].raw_size += part.raw_size;
        }
    }
    for (uint32_t i = 0; i < 4; i++) {
        say_bytes(file, names[i], TK_STR_NONE, sum[i].size);
        say_bytes(file, names[i], TK_STR("(raw)"), sum[i].raw_size);
    }
    say_bytes(file, "columns section", TK_STR_NONE, footer->columns.size);
    say_bytes(file, "shapes", TK_STR_NONE, footer->shapes.size);
    say_bytes(file, "operations", TK_STR_NONE, footer->operations.size);
    say_bytes(file, "group index", TK_STR_NONE, footer->groups.size);
    say_bytes(file, "all behind the groups, and value index pages", TK_STR_NONE,
              file->size - groups_end);
    say_bytes(file, "the file", TK_STR_NONE, file->size);
    free(bytes);
}

static void
say_file(const char *path, const struct tk_schema *schema, uint64_t spans)
{
    FILE *from = fopen(path, "rb");
    struct file file = {.spans = spans};
    struct tk_footer footer;
    uint64_t groups_end = 0;
    TK_ASSERT(from != NULL && fseek(from, 0, SEEK_END) == 0);
    file.size = (size_t)ftell(from);
    rewind(from);
    file.bytes = malloc(file.size);
    TK_ASSERT(file.bytes != NULL && fread(file.bytes, 1, file.size, from) == file.size);
    (void)fclose(from);
    memcpy(&footer, file.bytes + file.size - sizeof footer, sizeof footer);
    char *entries = read_part(&file, footer.groups);
    for (uint32_t i = 0; i < footer.group_count; i++) {
        struct tk_group_entry group;
        memcpy(&group, entries + i * sizeof group, sizeof group);
        groups_end += group.size;
    }
    free(entries);
    say_columns(&file, &footer, schema);
    say_sections(&file, &footer, groups_end);
    (void)printf("%u groups, %u columns, %u shapes, %u resources\n", footer.group_count,
                 footer.column_count, schema->shape_count, schema->resource_count);
    free(file.bytes);
}

static struct tk_seal
seal_once(struct tk_buffer *buffer, const char *path, int level, uint64_t spans)
{
    struct tk_segment_writer *writer;
    struct tk_seal seal;
    struct tk_error err = {0};
    double since = now(), begin = since;
    (void)remove(path);
    TK_ASSERT(tk_seal_init(&seal, buffer, &err) == TK_OK);
    step("schema, dictionaries", &since, spans);
    TK_ASSERT(tk_segment_writer_open(tk_env_host(), path, (struct tk_segment_name){1, 1, 1},
                                     &seal.builder.schema, level, &writer, &err) == TK_OK);
    TK_ASSERT(tk_seal_write(&seal, writer, NULL, &err) == TK_OK);
    step("groups", &since, spans);
    TK_ASSERT(tk_segment_writer_finish(writer, 0, &err) == TK_OK);
    step("sections", &since, spans);
    (void)printf("%-24s %7.1f ns/span\n", "all", (since - begin) * 1e9 / (double)spans);
    return seal;
}

int
main(int argc, char **argv)
{
    uint64_t spans = argc > 1 ? (uint64_t)atoll(argv[1]) : 200000;
    uint32_t per_body = argc > 2 ? (uint32_t)atoi(argv[2]) : 1000;
    int level = argc > 3 ? atoi(argv[3]) : 1, rounds = argc > 4 ? atoi(argv[4]) : 3;
    const char *path = argc > 5 ? argv[5] : "bench-seal.seg";
    struct tk_buffer *buffer = tk_buffer_new(1);
    struct tk_trace_entry *entries;
    uint32_t trace_count;
    TK_ASSERT(buffer != NULL);
    spans = fill(buffer, spans, per_body);
    double since = now();
    TK_ASSERT(tk_buffer_list(buffer, tk_buffer_batch_count(buffer), NULL, &entries, &trace_count) ==
              TK_OK);
    free(entries);
    step("index of traces, order", &since, spans);
    for (int i = 0; i < rounds; i++) {
        struct tk_seal seal = seal_once(buffer, path, level, spans);
        if (i == rounds - 1)
            say_file(path, &seal.builder.schema, spans);
        tk_seal_release(&seal);
    }
    (void)printf("%llu spans, %u traces\n", (unsigned long long)spans, trace_count);
    (void)remove(path);
    tk_buffer_unref(buffer);
    return 0;
}
