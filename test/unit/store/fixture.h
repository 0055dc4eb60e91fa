#ifndef TK_TEST_STORE_FIXTURE_H
#define TK_TEST_STORE_FIXTURE_H
/*
 * fixture - spans, directories and waiting for the store's tests.
 *
 * A span is told in one line; what is not told is 0.  What it carries beyond that (attributes of
 * every type, an event, a link, texts) is made from its span id, so that two sides can compare all
 * of it.
 */
#include "store/embedded/embedded.h"
#include "wire/otlp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct fx_span {
    uint64_t trace, span, parent;
    uint64_t start, end; /* ns; end 0: start + 1000 */
    uint32_t attrs;      /* beyond the usual */
    const char *name;
};

static inline struct tk_trace_id
fx_trace_id(uint64_t trace)
{
    return (struct tk_trace_id){trace, 0xABCD000000000000u | trace};
}

static inline struct tk_value
fx_text(const char *text)
{
    return (struct tk_value){.type = TK_VALUE_STRING, .len = (uint32_t)strlen(text), .ptr = text};
}

static inline void
fx_attr(struct tk_batch *batch, const char *key, struct tk_value value)
{
    assert_int_equal(tk_batch_add_attr(batch, tk_str_from(key), value), TK_OK);
}

/* Attributes of each type; nested ones as protobuf: an array of one int, a map of one string. */
static inline struct tk_range
fx_attrs(struct tk_batch *batch, uint64_t seed, uint32_t more)
{
    static _Thread_local char numbers[512][24];
    struct tk_range range = {batch->attr_count, 0};
    fx_attr(batch, "http.route", fx_text("/users/:id"));
    fx_attr(batch, "empty", fx_text(""));
    fx_attr(batch, "big",
            (struct tk_value){.type = TK_VALUE_INT, .i = INT64_MIN + (int64_t)(seed % 1000)});
    fx_attr(batch, "ratio", (struct tk_value){.type = TK_VALUE_DOUBLE, .d = 0.1 * (double)seed});
    fx_attr(batch, "yes", (struct tk_value){.type = TK_VALUE_BOOL, .b = seed % 2 == 0});
    fx_attr(batch, "nothing", (struct tk_value){.type = TK_VALUE_EMPTY});
    fx_attr(batch, "raw", (struct tk_value){.type = TK_VALUE_BYTES, .len = 3, .ptr = "\0\xFF\x01"});
    fx_attr(batch, "list",
            (struct tk_value){.type = TK_VALUE_ARRAY, .len = 4, .ptr = "\n\x02\x18\x05"});
    fx_attr(
        batch, "map",
        (struct tk_value){.type = TK_VALUE_MAP, .len = 10, .ptr = "\n\x08\n\x01k\x12\x03\n\x01v"});
    for (uint32_t i = 0; i < more; i++) {
        (void)snprintf(numbers[i % 512], sizeof numbers[0], "more.%u", i % 512);
        fx_attr(batch, numbers[i % 512], (struct tk_value){.type = TK_VALUE_INT, .i = i});
    }
    range.count = batch->attr_count - range.begin;
    return range;
}

static inline void
fx_add_resource(struct tk_batch *batch)
{
    uint32_t index;
    struct tk_range attrs = {batch->attr_count, 2};
    fx_attr(batch, "service.name", fx_text("users-api"));
    fx_attr(batch, "service.instance.id", fx_text("627cc493-f310-47de-96bd-71410b7dec09"));
    assert_int_equal(tk_batch_add_resource(batch, &index), TK_OK);
    batch->resources[index] =
        (struct tk_resource){.attrs = attrs, .dropped_attrs = 3, .schema_url = TK_STR("res/1")};
    attrs = (struct tk_range){batch->attr_count, 1};
    fx_attr(batch, "scope.attr", fx_text("s"));
    assert_int_equal(tk_batch_add_scope(batch, &index), TK_OK);
    batch->scopes[index] = (struct tk_scope){.name = TK_STR("lib"),
                                             .version = TK_STR("1.2"),
                                             .schema_url = TK_STR("scope/1"),
                                             .attrs = attrs,
                                             .dropped_attrs = 4};
}

static inline void
fx_add_event_and_link(struct tk_batch *batch, uint32_t row, uint64_t seed)
{
    uint32_t index;
    struct tk_range attrs = fx_attrs(batch, seed, 0);
    assert_int_equal(tk_batch_add_event(batch, &index), TK_OK);
    batch->event[index] = (struct tk_event){.time_nano = batch->start_nano[row] - 5,
                                            .name = TK_STR("exception"),
                                            .attrs = attrs,
                                            .dropped_attrs = 1};
    batch->events[row] = (struct tk_range){index, 1};
    attrs = fx_attrs(batch, seed, 0);
    assert_int_equal(tk_batch_add_link(batch, &index), TK_OK);
    batch->link[index] = (struct tk_link){.trace_id = {seed, 7},
                                          .span_id = seed + 1,
                                          .trace_state = TK_STR("v=1"),
                                          .attrs = attrs,
                                          .dropped_attrs = 2,
                                          .flags = 0x301};
    batch->links[row] = (struct tk_range){index, 1};
}

static inline void
fx_add_span(struct tk_batch *batch, const struct fx_span *span)
{
    uint32_t row;
    uint64_t seed = span->span;
    if (batch->resource_count == 0)
        fx_add_resource(batch);
    assert_int_equal(tk_batch_add_span(batch, &row), TK_OK);
    batch->trace_id[row] = fx_trace_id(span->trace);
    batch->span_id[row] = span->span;
    batch->parent_id[row] = span->parent;
    batch->start_nano[row] = span->start;
    batch->end_nano[row] = span->end != 0 ? span->end : span->start + 1000;
    batch->name[row] = tk_str_from(span->name != NULL ? span->name : "GET /users");
    batch->trace_state[row] = seed % 3 == 0 ? TK_STR("ot=th:0") : TK_STR_NONE;
    batch->status[row] = (int32_t)(seed % 3);
    batch->status_message[row] = seed % 3 == 2 ? TK_STR("failed") : TK_STR_NONE;
    batch->kind[row] = (int32_t)(seed % 6);
    batch->flags[row] = 0x100u | (uint32_t)(seed % 2);
    batch->dropped_attrs[row] = (uint32_t)(seed % 4);
    batch->dropped_events[row] = (uint32_t)(seed % 5);
    batch->dropped_links[row] = (uint32_t)(seed % 7);
    struct tk_range attrs = fx_attrs(batch, seed, span->attrs);
    batch->attrs[row] = attrs;
    fx_add_event_and_link(batch, row, seed);
}

static inline struct tk_batch *
fx_batch(const struct fx_span *spans, size_t count)
{
    struct tk_batch *batch = tk_batch_new();
    assert_non_null(batch);
    for (size_t i = 0; i < count; i++)
        fx_add_span(batch, &spans[i]);
    return batch;
}

/* OTLP of all rows; the caller releases it. */
static inline void
fx_encode(const struct tk_batch *batch, struct tk_buf *out)
{
    tk_buf_init(out, SIZE_MAX / 2);
    tk_otlp_protobuf_encode(batch, (struct tk_range){0, batch->span_count}, out);
    assert_int_equal(out->status, TK_OK);
}

static inline struct tk_batch *
fx_decode(tk_str body)
{
    struct tk_rejected rejected;
    struct tk_error err = {0};
    struct tk_batch *batch = tk_batch_new();
    assert_non_null(batch);
    if (tk_wire_decode(TK_FORMAT_OTLP_PROTOBUF, TK_ENCODING_NONE, body, NULL, SIZE_MAX / 2, batch,
                       &rejected, &err) != TK_OK)
        fail_msg("decode: %s", err.message);
    assert_int_equal(rejected.span_count, 0);
    return batch;
}

/* Waiting for `done`. */
struct fx_done {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done;
    enum tk_err result;
};
#define FX_DONE_INIT                                                                               \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, TK_OK                          \
    }

static inline void
fx_on_done(void *arg, enum tk_err result, const struct tk_error *err)
{
    struct fx_done *done = arg;
    (void)err;
    pthread_mutex_lock(&done->lock);
    done->is_done = true;
    done->result = result;
    pthread_cond_signal(&done->changed);
    pthread_mutex_unlock(&done->lock);
}

static inline enum tk_err
fx_wait(struct fx_done *done)
{
    pthread_mutex_lock(&done->lock);
    while (!done->is_done)
        pthread_cond_wait(&done->changed, &done->lock);
    pthread_mutex_unlock(&done->lock);
    return done->result;
}

/* Appends one request and waits: TK_OK means acknowledged. */
static inline enum tk_err
fx_send(struct tk_store *store, uint32_t project, const struct fx_span *spans, size_t count)
{
    struct fx_done done = FX_DONE_INIT;
    struct tk_buf body;
    struct tk_error err;
    struct tk_batch *made = fx_batch(spans, count);
    fx_encode(made, &body);
    tk_batch_free(made);
    struct tk_store_append append = {.project = project,
                                     .format = TK_FORMAT_OTLP_PROTOBUF,
                                     .body = tk_buf_str(&body),
                                     .batch = fx_decode(tk_buf_str(&body)),
                                     .done = fx_on_done,
                                     .arg = &done};
    enum tk_err code = tk_store_append(store, &append, &err);
    if (code == TK_OK)
        code = fx_wait(&done);
    else
        tk_batch_free(append.batch);
    tk_buf_release(&body);
    return code;
}

#define FX_SEND(store, project, ...)                                                               \
    fx_send((store), (project), (struct fx_span[]){__VA_ARGS__},                                   \
            sizeof((struct fx_span[]){__VA_ARGS__}) / sizeof(struct fx_span))

/* A directory of this test's own, and its end. */
static inline char *
fx_dir(void)
{
    const char *base = getenv("TMPDIR");
    char *dir;
    assert_true(asprintf(&dir, "%s/tracekit-store-XXXXXX", base != NULL ? base : "/tmp") > 0);
    assert_non_null(mkdtemp(dir));
    return dir;
}

static inline int
fx_remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void
fx_remove_dir(char *dir)
{
    (void)nftw(dir, fx_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(dir);
}

static inline uint32_t
fx_row_of(const struct tk_batch *batch, uint64_t span)
{
    for (uint32_t row = 0; row < batch->span_count; row++)
        if (batch->span_id[row] == span)
            return row;
    fail_msg("span %llu is not there", (unsigned long long)span);
    return 0;
}

/* The trace's spans, or NULL; the caller frees it. */
static inline struct tk_batch *
fx_find(struct tk_store *store, uint32_t project, uint64_t trace)
{
    struct tk_store_view *view;
    struct tk_error err = {0};
    struct tk_batch *found = tk_batch_new();
    assert_int_equal(tk_store_view_open(store, project, &view, &err), TK_OK);
    enum tk_err code = tk_store_find(view, fx_trace_id(trace), NULL, found, &err);
    tk_store_view_close(view);
    if (code == TK_OK)
        return found;
    if (code != TK_ERR_NOT_FOUND)
        fail_msg("find: %s: %s", tk_err_text(code), err.message);
    tk_batch_free(found);
    return NULL;
}

static inline uint32_t
fx_span_count(struct tk_store *store, uint32_t project, uint64_t trace)
{
    struct tk_batch *found = fx_find(store, project, trace);
    uint32_t count = found != NULL ? found->span_count : 0;
    tk_batch_free(found);
    return count;
}

/* The traces of a scan, by the number they were made from, and how many spans all had. */
struct fx_scan {
    uint64_t trace[4096], start[4096];
    uint32_t count;
    uint64_t span_count;
};

static inline void
fx_scan(struct tk_store *store, uint32_t project, struct tk_store_range range, uint32_t limit,
        struct fx_scan *ret_scan)
{
    struct tk_store_view *view;
    struct tk_store_scan *scan;
    struct tk_store_trace trace;
    struct tk_error err = {0};
    enum tk_err code = TK_OK;
    *ret_scan = (struct fx_scan){.count = 0};
    assert_int_equal(tk_store_view_open(store, project, &view, &err), TK_OK);
    assert_int_equal(tk_store_scan_open(view, &range, &scan, &err), TK_OK);
    while (ret_scan->count < limit && ret_scan->count < 4096) {
        code = tk_store_scan_next(scan, &trace, &err);
        if (code != TK_OK)
            break;
        ret_scan->trace[ret_scan->count] = trace.id.high;
        ret_scan->start[ret_scan->count++] = trace.start_nano;
        ret_scan->span_count += trace.spans->span_count;
        for (uint32_t row = 0; row < trace.spans->span_count; row++)
            assert_true(tk_trace_id_eq(trace.spans->trace_id[row], trace.id));
    }
    if (code != TK_OK && code != TK_ERR_END)
        fail_msg("scan: %s: %s", tk_err_text(code), err.message);
    tk_store_scan_close(scan);
    tk_store_view_close(view);
}

static inline int
fx_compare_rows(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Rows in order of span id, as OTLP: equal bytes mean that nothing was lost. */
static inline void
fx_sorted_otlp(const struct tk_batch *batch, struct tk_buf *out)
{
    struct tk_batch_map map;
    struct tk_batch *sorted = tk_batch_new();
    uint64_t *order = calloc(batch->span_count, 2 * sizeof *order);
    assert_int_equal(tk_batch_map_init(&map, batch), TK_OK);
    for (uint32_t row = 0; row < batch->span_count; row++) {
        order[2 * row] = batch->span_id[row];
        order[2 * row + 1] = row;
    }
    qsort(order, batch->span_count, 2 * sizeof *order, fx_compare_rows);
    for (uint32_t i = 0; i < batch->span_count; i++)
        assert_int_equal(tk_batch_copy_span(sorted, batch, (uint32_t)order[2 * i + 1], false, &map),
                         TK_OK);
    fx_encode(sorted, out);
    tk_batch_map_release(&map);
    free(order);
    tk_batch_free(sorted);
}

static inline void
fx_assert_same_spans(const struct tk_batch *a, const struct tk_batch *b)
{
    struct tk_buf x, y;
    fx_sorted_otlp(a, &x);
    fx_sorted_otlp(b, &y);
    assert_int_equal(x.len, y.len);
    assert_memory_equal(x.ptr, y.ptr, x.len);
    tk_buf_release(&x);
    tk_buf_release(&y);
}

#endif
