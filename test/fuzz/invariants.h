#ifndef TK_FUZZ_INVARIANTS_H
#define TK_FUZZ_INVARIANTS_H
/*
 * invariants - what must hold for every batch that a decoder lets through: the invariants of
 * batch.h, and that it comes back the same from either encoding.
 */
#include "base/assert.h"
#include "wire/otlp.h"

enum { FUZZ_LIMIT = 1 << 26 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_range(struct tk_range range, uint32_t count)
{
    TK_ASSERT(range.begin <= count && range.count <= count - range.begin);
}

static bool
count_element(void *arg, tk_str key, struct tk_value value)
{
    TK_ASSERT(tk_utf8_valid(key, NULL));
    (void)value;
    (*(size_t *)arg)++;
    return true;
}

static void
check_attrs(const struct tk_batch *batch, struct tk_range range)
{
    size_t elements = 0;
    check_range(range, batch->attr_count);
    for (uint32_t i = range.begin; i < range.begin + range.count; i++) {
        struct tk_value value = batch->attr_value[i];
        TK_ASSERT(batch->attr_key[i] < batch->keys.count);
        if (value.type == TK_VALUE_STRING)
            TK_ASSERT(tk_utf8_valid(tk_value_str(value), NULL));
        if (value.type == TK_VALUE_ARRAY || value.type == TK_VALUE_MAP)
            tk_value_each(value, count_element, &elements);
    }
}

static void
check_span(const struct tk_batch *batch, uint32_t row)
{
    TK_ASSERT(!tk_trace_id_is_none(batch->trace_id[row]) && batch->span_id[row] != 0);
    TK_ASSERT(batch->start_nano[row] > 0 && batch->start_nano[row] <= batch->end_nano[row]);
    TK_ASSERT(batch->end_nano[row] <= INT64_MAX);
    TK_ASSERT(batch->resource[row] < batch->resource_count);
    TK_ASSERT(batch->scope[row] < batch->scope_count);
    TK_ASSERT(tk_utf8_valid(batch->name[row], NULL));
    check_attrs(batch, batch->attrs[row]);
    struct tk_range events = batch->events[row], links = batch->links[row];
    check_range(events, batch->event_count);
    for (uint32_t i = events.begin; i < events.begin + events.count; i++)
        check_attrs(batch, batch->event[i].attrs);
    check_range(links, batch->link_count);
    for (uint32_t i = links.begin; i < links.begin + links.count; i++)
        check_attrs(batch, batch->link[i].attrs);
}

static void
check_batch(const struct tk_batch *batch)
{
    for (uint32_t row = 0; row < batch->span_count; row++)
        check_span(batch, row);
    for (uint32_t i = 0; i < batch->resource_count; i++)
        check_attrs(batch, batch->resources[i].attrs);
    for (uint32_t i = 0; i < batch->scope_count; i++)
        check_attrs(batch, batch->scopes[i].attrs);
}

typedef void encode(const struct tk_batch *batch, struct tk_range rows, struct tk_buf *out);
typedef enum tk_err decode(tk_str body, struct tk_batch *batch, struct tk_rejected *ret_rejected,
                           struct tk_error *err);

/* Written, read and written again: the same bytes, and nothing refused on the way. */
static void
check_stable(const struct tk_batch *batch, encode *encode, decode *decode)
{
    struct tk_batch *again = tk_batch_new();
    struct tk_buf first, second;
    struct tk_rejected rejected;
    struct tk_error err = {0};
    TK_ASSERT(again != NULL);
    tk_buf_init(&first, FUZZ_LIMIT);
    tk_buf_init(&second, FUZZ_LIMIT);
    encode(batch, (struct tk_range){0, batch->span_count}, &first);
    TK_ASSERT(first.status == TK_OK);
    TK_ASSERT(decode(tk_buf_str(&first), again, &rejected, &err) == TK_OK);
    TK_ASSERT(rejected.span_count == 0 && again->span_count == batch->span_count);
    check_batch(again);
    encode(again, (struct tk_range){0, again->span_count}, &second);
    TK_ASSERT(tk_str_eq(tk_buf_str(&first), tk_buf_str(&second)));
    tk_buf_release(&first);
    tk_buf_release(&second);
    tk_batch_free(again);
}

/* The whole of a decoder's fuzz target. */
static int
check_decoder(decode *decode, const uint8_t *data, size_t size)
{
    struct tk_batch *batch = tk_batch_new();
    struct tk_rejected rejected;
    struct tk_error err = {0};
    TK_ASSERT(batch != NULL);
    enum tk_err code = decode((tk_str){(const char *)data, size}, batch, &rejected, &err);
    TK_ASSERT(code == TK_OK || (code == TK_ERR_INPUT && err.message[0] != '\0'));
    if (code == TK_OK) {
        TK_ASSERT((rejected.span_count > 0) == (rejected.reason[0] != '\0'));
        TK_ASSERT(tk_utf8_valid(tk_str_from(rejected.reason), NULL));
        check_batch(batch);
        check_stable(batch, tk_otlp_protobuf_encode, tk_otlp_protobuf_decode);
        check_stable(batch, tk_otlp_json_encode, tk_otlp_json_decode);
    }
    tk_batch_free(batch);
    return 0;
}

#endif
