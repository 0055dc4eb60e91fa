#ifndef TK_TEST_QUERY_MEMORY_STORE_H
#define TK_TEST_QUERY_MEMORY_STORE_H
/* memory_store - a store of whole traces for tests of what stands above it. One project. */
#include "query/assemble.h"
#include "query/spans.h"
#include "store/store.h"

#include <stdlib.h>

enum { MEMORY_STORE_MAX = 64 };

struct memory_store {
    struct tk_store store;
    struct tk_store_view view;
    struct tk_store_scan scan;
    struct tk_store_trace trace[MEMORY_STORE_MAX];
    uint32_t count, at;
    struct tk_store_range range;
    uint32_t scanned; /* traces that scans yielded */
};

static struct memory_store memory_store;

/* Newest first, ties by id. */
static inline int
memory_store_compare(const void *a, const void *b)
{
    const struct tk_store_trace *x = a, *y = b;
    if (x->start_nano != y->start_nano)
        return x->start_nano > y->start_nano ? -1 : 1;
    return tk_trace_id_cmp(x->id, y->id);
}

/* Takes the batch over; its spans get the trace id 0...0<id>. */
static inline void
memory_store_add(struct tk_batch *spans, uint64_t id)
{
    struct tk_store_trace *trace = &memory_store.trace[memory_store.count++];
    assert_true(memory_store.count <= MEMORY_STORE_MAX);
    for (uint32_t row = 0; row < spans->span_count; row++)
        spans->trace_id[row] = (struct tk_trace_id){0, id};
    *trace = (struct tk_store_trace){.id = {0, id}, .spans = spans};
    tk_trace_times(spans, &trace->start_nano, &trace->end_nano);
    qsort(memory_store.trace, memory_store.count, sizeof *trace, memory_store_compare);
}

static inline enum tk_err
memory_store_view_open(struct tk_store *store, uint32_t project, struct tk_store_view **ret_view,
                       struct tk_error *err)
{
    (void)store;
    (void)project;
    (void)err;
    *ret_view = &memory_store.view;
    return TK_OK;
}

static inline void
memory_store_view_close(struct tk_store_view *view)
{
    (void)view;
}

static inline enum tk_err
memory_store_find(struct tk_store_view *view, struct tk_trace_id id,
                  const struct tk_store_want *want, struct tk_batch *to, struct tk_error *err)
{
    (void)want;
    (void)view;
    (void)err;
    for (uint32_t i = 0; i < memory_store.count; i++) {
        const struct tk_batch *spans = memory_store.trace[i].spans;
        struct tk_batch_map map;
        enum tk_err result = TK_OK;
        if (!tk_trace_id_eq(memory_store.trace[i].id, id))
            continue;
        assert_int_equal(tk_batch_map_init(&map, spans), TK_OK);
        for (uint32_t row = 0; row < spans->span_count && result == TK_OK; row++)
            result = tk_batch_copy_span(to, spans, row, true, &map);
        tk_batch_map_release(&map);
        return result;
    }
    return TK_ERR_NOT_FOUND;
}

static inline enum tk_err
memory_store_scan_open(struct tk_store_view *view, const struct tk_store_range *range,
                       struct tk_store_scan **ret_scan, struct tk_error *err)
{
    (void)view;
    (void)err;
    memory_store.range = *range;
    memory_store.at = 0;
    *ret_scan = &memory_store.scan;
    return TK_OK;
}

static inline enum tk_err
memory_store_scan_next(struct tk_store_scan *scan, struct tk_store_trace *ret_trace,
                       struct tk_error *err)
{
    const struct tk_store_range *range = &memory_store.range;
    (void)scan;
    (void)err;
    if (range->expired != NULL && range->expired(range->expired_arg))
        return TK_ERR_TIMEOUT;
    while (memory_store.at < memory_store.count) {
        const struct tk_store_trace *trace = &memory_store.trace[memory_store.at++];
        struct tk_store_trace after = {.id = range->after_id,
                                       .start_nano = range->after_start_nano};
        if (trace->start_nano < range->begin_nano ||
            (range->end_nano != 0 && trace->start_nano >= range->end_nano) ||
            (range->after && memory_store_compare(trace, &after) <= 0))
            continue;
        memory_store.scanned++;
        *ret_trace = *trace;
        return TK_OK;
    }
    return TK_ERR_END;
}

static inline void
memory_store_scan_close(struct tk_store_scan *scan)
{
    (void)scan;
}

static const struct tk_store_vtable memory_store_vtable = {
    .view_open = memory_store_view_open,
    .view_close = memory_store_view_close,
    .find = memory_store_find,
    .scan_open = memory_store_scan_open,
    .scan_next = memory_store_scan_next,
    .scan_close = memory_store_scan_close,
};

static inline void
memory_store_begin(void)
{
    memory_store = (struct memory_store){
        .store = {&memory_store_vtable},
        .view = {&memory_store_vtable},
        .scan = {&memory_store_vtable},
    };
}

static inline void
memory_store_end(void)
{
    for (uint32_t i = 0; i < memory_store.count; i++)
        tk_batch_free((struct tk_batch *)(uintptr_t)memory_store.trace[i].spans);
    memory_store.count = 0;
}

#endif
