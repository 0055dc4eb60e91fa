#ifndef TK_TEST_QUERY_SPANS_H
#define TK_TEST_QUERY_SPANS_H
/* spans - traces for tests, written down in a few lines. Times are milliseconds. */
#include "trace/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)
#define EPOCH UINT64_C(1700000000000000000)

static inline struct tk_value
string_attr(const char *text)
{
    return (struct tk_value){.type = TK_VALUE_STRING, .len = (uint32_t)strlen(text), .ptr = text};
}

static inline struct tk_value
int_attr(int64_t number)
{
    return (struct tk_value){.type = TK_VALUE_INT, .i = number};
}

static inline struct tk_value
double_attr(double number)
{
    return (struct tk_value){.type = TK_VALUE_DOUBLE, .d = number};
}

static inline struct tk_value
bool_attr(bool truth)
{
    return (struct tk_value){.type = TK_VALUE_BOOL, .b = truth};
}

static inline struct tk_batch *
new_batch(void)
{
    struct tk_batch *batch = tk_batch_new();
    assert_non_null(batch);
    return batch;
}

/* A resource whose only attribute is service.name (none when `service` is NULL). */
static inline uint32_t
add_service(struct tk_batch *batch, const char *service)
{
    uint32_t resource;
    assert_int_equal(tk_batch_add_resource(batch, &resource), TK_OK);
    batch->resources[resource].attrs.begin = batch->attr_count;
    if (service != NULL)
        assert_int_equal(tk_batch_add_attr(batch, TK_STR("service.name"), string_attr(service)),
                         TK_OK);
    batch->resources[resource].attrs.count = service != NULL;
    if (batch->scope_count == 0) {
        uint32_t scope;
        assert_int_equal(tk_batch_add_scope(batch, &scope), TK_OK);
    }
    return resource;
}

static inline uint32_t
add_span(struct tk_batch *batch, uint32_t resource, tk_span_id id, tk_span_id parent,
         const char *name, uint64_t start_ms, uint64_t duration_ms)
{
    uint32_t row;
    assert_int_equal(tk_batch_add_span(batch, &row), TK_OK);
    batch->trace_id[row] = (struct tk_trace_id){0x4bf92f3577b34da6, 0xa3ce929d0e0e4736};
    batch->span_id[row] = id;
    batch->parent_id[row] = parent;
    batch->name[row] = tk_str_from(name);
    batch->start_nano[row] = EPOCH + start_ms * MS;
    batch->end_nano[row] = EPOCH + (start_ms + duration_ms) * MS;
    batch->kind[row] = TK_KIND_INTERNAL;
    batch->resource[row] = resource;
    batch->attrs[row].begin = batch->attr_count;
    return row;
}

/* An attribute of the newest span. */
static inline void
add_attr(struct tk_batch *batch, const char *key, struct tk_value value)
{
    assert_int_equal(tk_batch_add_attr(batch, tk_str_from(key), value), TK_OK);
    batch->attrs[batch->span_count - 1].count++;
}

/* The document's trace: a click that crosses three services. */
static inline struct tk_batch *
document_trace(void)
{
    struct tk_batch *batch = new_batch();
    uint32_t go = add_service(batch, "Go Microservice");
    uint32_t node = add_service(batch, "Node.js API");
    uint32_t react = add_service(batch, "React Frontend");
    add_span(batch, go, 7, 6, "db.Query", 110, 180);
    add_span(batch, go, 6, 4, "GET /users", 80, 240);
    add_span(batch, node, 5, 3, "validate-auth", 350, 40);
    add_span(batch, node, 4, 3, "GET /api/users", 40, 300);
    add_span(batch, node, 3, 2, "Node.js API", 30, 360);
    add_span(batch, react, 2, 1, "fetch /api/users", 20, 380);
    add_span(batch, react, 1, 0, "React Frontend", 0, 420);
    return batch;
}

#endif
