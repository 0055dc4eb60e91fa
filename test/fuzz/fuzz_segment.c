/*
 * Any bytes as a segment file; no checksum is in the way (tk_checksum_is).  What opens is read as
 * `tracekit check` reads it, then found trace by trace, scanned, and searched with filters of every
 * kind: without leaving the bytes, and each trace's rows are of that trace.
 */
#include "memory_file.h"

#include "base/assert.h"
#include "store/embedded/embedded.h"
#include "store/segment/group.h"
#include "store/embedded/match.h"
#include "store/embedded/merge.h"
#include "store/embedded/pieces.h"
#include "wire/otlp.h"

#include <stdlib.h>

/* Beyond these a few bytes may stand for too much to be tried often. */
enum { EVENTS_MAX = 4096, DISTINCT_MAX = 4096, ENCODED_MAX = 1 << 26 };
static const struct tk_segment_name NAME = {1, 1, 1};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What does not matter here and only keeps the fuzzer from what does. */
static void
mend(char *bytes, size_t size)
{
    static const char magic[8] = {'T', 'K', 'S', 'E', 'G', '\r', '\n', 0x1A};
    struct tk_footer footer;
    char *at = bytes + size - sizeof footer;
    memcpy(&footer, at, sizeof footer);
    footer.version = footer.version == 2 ? 2 : TK_SEGMENT_VERSION;
    footer.project = NAME.project;
    footer.first = NAME.first;
    footer.last = NAME.last;
    memcpy(footer.magic, magic, sizeof magic);
    memcpy(at, &footer, sizeof footer);
}

static bool
is_small(struct tk_segment *segment)
{
    struct tk_cache_item *item;
    bool small = true;
    for (uint32_t i = 0; i < segment->group_count; i++)
        small = small && segment->groups[i].event_count <= EVENTS_MAX &&
                segment->groups[i].link_count <= EVENTS_MAX;
    if (tk_segment_schema(segment, &item, NULL) != TK_OK)
        return false;
    const struct tk_schema_view *schema = item->value;
    for (uint32_t c = 0; c < schema->column_count; c++)
        small = small && schema->columns[c].distinct <= DISTINCT_MAX;
    tk_cache_release(item);
    return small;
}

static bool
starts_with_r(void *arg, tk_str text)
{
    (void)arg;
    return text.len > 0 && text.ptr[0] == 'r';
}

static struct tk_filter
test_of(const char *key, enum tk_filter_op op, struct tk_value value)
{
    return (struct tk_filter){.type = TK_FILTER_TEST,
                              .field = TK_FIELD_ATTRIBUTE,
                              .owners = 31,
                              .key = tk_str_from(key),
                              .op = op,
                              .value = value,
                              .matches = starts_with_r};
}

static struct tk_value
text_of(const char *text)
{
    return (struct tk_value){.type = TK_VALUE_STRING, .len = (uint32_t)strlen(text), .ptr = text};
}

/* All of a trace is read out. */
static void
read_out(const struct tk_batch *batch, struct tk_trace_id id)
{
    struct tk_buf encoded;
    TK_ASSERT(batch->span_count > 0);
    for (uint32_t row = 0; row < batch->span_count; row++)
        TK_ASSERT(tk_trace_id_eq(batch->trace_id[row], id));
    tk_buf_init(&encoded, ENCODED_MAX);
    tk_otlp_protobuf_encode(batch, (struct tk_range){0, batch->span_count}, &encoded);
    tk_buf_release(&encoded);
}

static void
copy(struct tk_pieces *pieces, struct tk_trace_id id)
{
    struct tk_batch *batch = tk_batch_new();
    if (tk_pieces_copy(pieces, id, NULL, batch, NULL) == TK_OK)
        read_out(batch, id);
    tk_batch_free(batch);
}

/* As who asks for one trace: what was found looks at nothing that the store has. */
static void
find(const struct tk_sources *sources, struct tk_trace_id id)
{
    struct tk_batch *batch = tk_batch_new();
    struct tk_pieces pieces;
    tk_pieces_init(&pieces);
    pieces.deep = true;
    enum tk_err code = tk_sources_find(sources, id, true, &pieces, NULL);
    if (code == TK_OK)
        code = tk_pieces_copy(&pieces, id, NULL, batch, NULL);
    tk_pieces_release(&pieces);
    tk_cache_forget(sources->source[0].segment->host->cache, 0, 0);
    if (code == TK_OK)
        read_out(batch, id);
    tk_batch_free(batch);
}

static void
scan(const struct tk_sources *sources, const struct tk_filter *filter)
{
    struct tk_store_range range = {.filters = &filter, .filter_count = filter != NULL};
    struct tk_trace_entry entry;
    struct tk_merge *merge;
    struct tk_pieces pieces;
    enum tk_err code = tk_merge_open(sources, &range, &merge, NULL);
    if (code != TK_OK)
        return;
    tk_pieces_init(&pieces);
    while ((code = tk_merge_next(merge, &entry, &pieces, NULL)) == TK_OK || code == TK_ERR_CORRUPT)
        if (code == TK_OK && filter == NULL) {
            copy(&pieces, entry.id);
            find(sources, entry.id);
        }
    TK_ASSERT(code == TK_ERR_END || code == TK_ERR_MEMORY);
    tk_pieces_release(&pieces);
    tk_merge_close(merge);
}

/* All of it, and with one of the filters: more inputs in the same time find more. */
static void
scan_all(const struct tk_sources *sources, uint64_t which)
{
    const struct tk_value number = {.type = TK_VALUE_INT, .i = 3};
    const struct tk_filter filters[] = {
        test_of("http.route", TK_FILTER_EQ, text_of("/users/:id")),
        test_of("unique", TK_FILTER_EQ, text_of("req-9e3779b97f4a7c15")),
        test_of("unique", TK_FILTER_MATCHES, text_of("")),
        test_of("service.name", TK_FILTER_EQ, text_of("users-api")),
        test_of("twice", TK_FILTER_EXISTS, number),
        test_of("ratio", TK_FILTER_GT, number),
        test_of("big", TK_FILTER_LE, number),
        test_of("yes", TK_FILTER_EQ, (struct tk_value){.type = TK_VALUE_BOOL, .b = true}),
        {.type = TK_FILTER_TEST, .field = TK_FIELD_NAME, .op = TK_FILTER_EQ, .value = text_of("x")},
        {.type = TK_FILTER_TEST, .field = TK_FIELD_STATUS, .op = TK_FILTER_EQ, .value = number},
        {.type = TK_FILTER_TEST, .field = TK_FIELD_DURATION, .op = TK_FILTER_GT, .value = number},
        {.type = TK_FILTER_TEST,
         .field = TK_FIELD_EVENT_NAME,
         .op = TK_FILTER_EQ,
         .value = text_of("exception")},
    };
    scan(sources, NULL);
    scan(sources, &filters[which % (sizeof filters / sizeof *filters)]);
}

static void
use(struct tk_env *env, struct tk_segment *segment, uint64_t which)
{
    struct tk_embedded_check check;
    struct tk_sources sources;
    enum tk_err code = tk_embedded_check(env, "store", NULL, NULL, &check, NULL);
    TK_ASSERT(code == TK_OK || code == TK_ERR_MEMORY);
    tk_sources_init(&sources);
    if (tk_sources_add_segment(&sources, segment) == TK_OK)
        scan_all(&sources, which);
    tk_sources_release(&sources);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tk_cache cache;
    struct memory_env memory;
    struct tk_segment *segment;
    if (size < sizeof(struct tk_footer))
        return 0;
    char *bytes = malloc(size);
    memcpy(bytes, data, size);
    mend(bytes, size);
    memory_env_init(&memory, (tk_str){bytes, size});
    tk_cache_init(&cache, 1 << 20);
    struct tk_segment_host host = {.env = &memory.env, .cache = &cache};
    if (tk_segment_open(&host, "fuzz.seg", NAME, &segment, NULL) == TK_OK) {
        if (is_small(segment))
            use(&memory.env, segment, tk_hash_stable((tk_str){bytes, size}));
        tk_segment_unref(segment);
    }
    tk_cache_release_all(&cache);
    free(bytes);
    return 0;
}
