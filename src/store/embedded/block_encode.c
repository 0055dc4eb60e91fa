/*
 * block_encode - a span batch into bytes (block.h, docs/formats/segment.md).
 *
 * Columns, so that like lies beside like and zstd sees it.  Attributes first become *shapes*: the
 * list of (key, type) of one owner.  An owner is then one shape number, and values are written key
 * by key over all owners.  All text goes through one dictionary; a text that is met for the first
 * time is written as "the next one", so that columns of ids, which never repeat, cost nothing but
 * the text.
 *
 * Order everywhere: owners are resources, scopes, spans, events, links, each in batch order, events
 * and links by their span.
 */
#include "store/embedded/block.h"
#include "store/embedded/block_format.h"
#include "store/embedded/varint.h"

#include "base/hash.h"

#include <stdlib.h>

struct shape {
    uint32_t begin, count; /* in `columns_of` */
};

struct encoder {
    const struct tk_batch *batch;
    struct tk_buf *out;
    struct tk_intern texts;
    tk_str last; /* put, and its number: the next one of a column is often the same */
    uint32_t last_id;

    struct tk_range *owners; /* [owner_count]: attribute ranges */
    uint32_t owner_count;
    uint32_t attr_count; /* over all owners */

    uint32_t *column_of; /* [keys * TK_BLOCK_TYPES]: number + 1 */
    uint32_t column_count;
    struct shape *shapes; /* [owner_count] at most */
    uint32_t shape_count;
    uint32_t *shape_slots; /* number + 1; 0: free */
    uint32_t slot_count;
    uint32_t *shape_of; /* [owner_count] */
};

static void
put_text(struct encoder *enc, tk_str text)
{
    uint32_t known = enc->texts.count, id;
    if (text.len == 0) {
        tk_put_varint(enc->out, TK_BLOCK_TEXT_EMPTY);
        return;
    }
    if (tk_str_eq(text, enc->last)) {
        tk_put_varint(enc->out, (uint64_t)enc->last_id + TK_BLOCK_TEXT_KNOWN);
        return;
    }
    enum tk_err code = tk_intern_add(&enc->texts, text, &id);
    if (code != TK_OK) {
        enc->out->status = code;
        return;
    }
    if (id == known)
        tk_put_varint(enc->out, TK_BLOCK_TEXT_NEW);
    else
        tk_put_varint(enc->out, (uint64_t)id + TK_BLOCK_TEXT_KNOWN);
    enc->last = text;
    enc->last_id = id;
}

static void
list_owners(struct encoder *enc)
{
    const struct tk_batch *batch = enc->batch;
    struct tk_range *owner = enc->owners;
    for (uint32_t i = 0; i < batch->resource_count; i++)
        *owner++ = batch->resources[i].attrs;
    for (uint32_t i = 0; i < batch->scope_count; i++)
        *owner++ = batch->scopes[i].attrs;
    for (uint32_t i = 0; i < batch->span_count; i++)
        *owner++ = batch->attrs[i];
    for (uint32_t i = 0; i < batch->span_count; i++)
        for (uint32_t k = 0; k < batch->events[i].count; k++)
            *owner++ = batch->event[batch->events[i].begin + k].attrs;
    for (uint32_t i = 0; i < batch->span_count; i++)
        for (uint32_t k = 0; k < batch->links[i].count; k++)
            *owner++ = batch->link[batch->links[i].begin + k].attrs;
    enc->owner_count = (uint32_t)(owner - enc->owners);
    for (uint32_t i = 0; i < enc->owner_count; i++)
        enc->attr_count += enc->owners[i].count;
}

static uint32_t
sum_counts(const struct tk_range *ranges, uint32_t count)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += ranges[i].count;
    return sum;
}

static uint32_t
typed_key(const struct tk_batch *batch, uint32_t attr)
{
    return batch->attr_key[attr] * TK_BLOCK_TYPES + batch->attr_value[attr].type;
}

static bool
same_shape(const struct tk_batch *batch, struct tk_range a, struct tk_range b)
{
    if (a.count != b.count)
        return false;
    for (uint32_t i = 0; i < a.count; i++)
        if (typed_key(batch, a.begin + i) != typed_key(batch, b.begin + i))
            return false;
    return true;
}

/* A shape is remembered by the attribute range of the first owner that has it. */
static void
find_shape(struct encoder *enc, uint32_t owner)
{
    struct tk_range range = enc->owners[owner];
    uint64_t hash = range.count;
    for (uint32_t i = 0; i < range.count; i++)
        hash = (hash ^ typed_key(enc->batch, range.begin + i)) * 0x9E3779B97F4A7C15u;
    uint32_t at = (uint32_t)(hash >> 32) & (enc->slot_count - 1);
    for (; enc->shape_slots[at] != 0; at = (at + 1) & (enc->slot_count - 1)) {
        struct shape known = enc->shapes[enc->shape_slots[at] - 1];
        if (same_shape(enc->batch, (struct tk_range){known.begin, known.count}, range)) {
            enc->shape_of[owner] = enc->shape_slots[at] - 1;
            return;
        }
    }
    enc->shapes[enc->shape_count] = (struct shape){range.begin, range.count};
    enc->shape_of[owner] = enc->shape_count++;
    enc->shape_slots[at] = enc->shape_count;
    for (uint32_t i = 0; i < range.count; i++) {
        uint32_t *column = &enc->column_of[typed_key(enc->batch, range.begin + i)];
        if (*column == 0)
            *column = ++enc->column_count;
    }
}

static void
put_shapes(struct encoder *enc)
{
    for (uint32_t i = 0; i < enc->owner_count; i++)
        find_shape(enc, i);
    tk_put_varint(enc->out, enc->batch->keys.count);
    for (uint32_t i = 0; i < enc->batch->keys.count; i++)
        put_text(enc, enc->batch->keys.strings[i]);
    tk_put_varint(enc->out, enc->shape_count);
    for (uint32_t i = 0; i < enc->shape_count; i++) {
        tk_put_varint(enc->out, enc->shapes[i].count);
        for (uint32_t k = 0; k < enc->shapes[i].count; k++)
            tk_put_varint(enc->out, typed_key(enc->batch, enc->shapes[i].begin + k));
    }
    for (uint32_t i = 0; i < enc->owner_count; i++)
        tk_put_varint(enc->out, enc->shape_of[i]);
}

static void
put_value(struct encoder *enc, struct tk_value value)
{
    switch (value.type) {
    case TK_VALUE_BOOL:
        tk_put_varint(enc->out, value.b);
        break;
    case TK_VALUE_INT:
        tk_put_varint(enc->out, tk_zigzag(value.i));
        break;
    case TK_VALUE_DOUBLE:
        tk_put_bytes(enc->out, &value.d, sizeof value.d);
        break;
    case TK_VALUE_EMPTY:
        tk_put_varint(enc->out, 0); /* so that what is decoded is bounded by what is there */
        break;
    default:
        put_text(enc, tk_value_str(value));
    }
}

/* Values column by column: a counting sort of the attributes by their column. */
static void
put_values(struct encoder *enc)
{
    uint32_t *begin = calloc((size_t)enc->column_count + 2, sizeof *begin);
    uint32_t *order = malloc(((size_t)enc->attr_count + 1) * sizeof *order);
    if (begin == NULL || order == NULL) {
        enc->out->status = TK_ERR_MEMORY;
        goto out;
    }
    for (uint32_t i = 0; i < enc->owner_count; i++)
        for (uint32_t k = 0; k < enc->owners[i].count; k++)
            begin[enc->column_of[typed_key(enc->batch, enc->owners[i].begin + k)] + 1]++;
    for (uint32_t c = 1; c <= enc->column_count + 1; c++)
        begin[c] += begin[c - 1];
    for (uint32_t i = 0; i < enc->owner_count; i++)
        for (uint32_t k = 0; k < enc->owners[i].count; k++) {
            uint32_t attr = enc->owners[i].begin + k;
            order[begin[enc->column_of[typed_key(enc->batch, attr)]]++] = attr;
        }
    for (uint32_t i = 0; i < enc->attr_count; i++)
        put_value(enc, enc->batch->attr_value[order[i]]);
out:
    free(begin);
    free(order);
}

static void
put_resources_and_scopes(struct encoder *enc)
{
    const struct tk_batch *batch = enc->batch;
    for (uint32_t i = 0; i < batch->resource_count; i++) {
        put_text(enc, batch->resources[i].schema_url);
        tk_put_varint(enc->out, batch->resources[i].dropped_attrs);
    }
    for (uint32_t i = 0; i < batch->scope_count; i++) {
        put_text(enc, batch->scopes[i].name);
        put_text(enc, batch->scopes[i].version);
        put_text(enc, batch->scopes[i].schema_url);
        tk_put_varint(enc->out, batch->scopes[i].dropped_attrs);
    }
}

/* Rows of one trace lie together: an id once, and how many rows have it. */
static void
put_trace_ids(struct encoder *enc)
{
    const struct tk_batch *batch = enc->batch;
    for (uint32_t row = 0; row < batch->span_count;) {
        uint32_t begin = row;
        while (row < batch->span_count &&
               tk_trace_id_eq(batch->trace_id[row], batch->trace_id[begin]))
            row++;
        tk_put_varint(enc->out, row - begin);
        tk_put_bytes(enc->out, &batch->trace_id[begin], sizeof batch->trace_id[begin]);
    }
}

/* How many rows before `row` its parent lies; 0: not among the last TK_BLOCK_PARENT_REACH of its
   trace. */
static uint32_t
parent_distance(const struct tk_batch *batch, uint32_t row)
{
    for (uint32_t d = 1; d <= TK_BLOCK_PARENT_REACH && d <= row; d++) {
        if (batch->span_id[row - d] == batch->parent_id[row])
            return d;
        if (!tk_trace_id_eq(batch->trace_id[row - d], batch->trace_id[row]))
            return 0;
    }
    return 0;
}

static void
put_span_ids(struct encoder *enc)
{
    const struct tk_batch *batch = enc->batch;
    tk_put_bytes(enc->out, batch->span_id, batch->span_count * sizeof *batch->span_id);
    for (uint32_t row = 0; row < batch->span_count; row++) {
        uint32_t distance = parent_distance(batch, row);
        if (batch->parent_id[row] == 0) {
            tk_put_varint(enc->out, TK_BLOCK_PARENT_NONE);
        } else if (distance > 0) {
            tk_put_varint(enc->out, TK_BLOCK_PARENT_NEAR + distance);
        } else {
            tk_put_varint(enc->out, TK_BLOCK_PARENT_FAR);
            tk_put_bytes(enc->out, &batch->parent_id[row], sizeof batch->parent_id[row]);
        }
    }
}

#define PUT_COLUMN(expression)                                                                     \
    for (uint32_t row = 0; row < batch->span_count; row++)                                         \
    tk_put_varint(enc->out, (expression))
#define PUT_TEXTS(column)                                                                          \
    for (uint32_t row = 0; row < batch->span_count; row++)                                         \
    put_text(enc, batch->column[row])

static void
put_spans(struct encoder *enc)
{
    const struct tk_batch *batch = enc->batch;
    uint64_t before = 0;
    put_trace_ids(enc);
    put_span_ids(enc);
    for (uint32_t row = 0; row < batch->span_count; row++) {
        tk_put_varint(enc->out, tk_zigzag((int64_t)(batch->start_nano[row] - before)));
        before = batch->start_nano[row];
    }
    PUT_COLUMN(batch->end_nano[row] - batch->start_nano[row]);
    PUT_TEXTS(name);
    PUT_TEXTS(trace_state);
    PUT_TEXTS(status_message);
    PUT_COLUMN(tk_zigzag(batch->status[row]));
    PUT_COLUMN(tk_zigzag(batch->kind[row]));
    PUT_COLUMN(batch->flags[row]);
    PUT_COLUMN(batch->resource[row]);
    PUT_COLUMN(batch->scope[row]);
    PUT_COLUMN(batch->dropped_attrs[row]);
    PUT_COLUMN(batch->dropped_events[row]);
    PUT_COLUMN(batch->dropped_links[row]);
    PUT_COLUMN(batch->events[row].count);
    PUT_COLUMN(batch->links[row].count);
}

static void
put_events_and_links(struct encoder *enc)
{
    const struct tk_batch *batch = enc->batch;
    for (uint32_t row = 0; row < batch->span_count; row++)
        for (uint32_t k = 0; k < batch->events[row].count; k++) {
            const struct tk_event *event = &batch->event[batch->events[row].begin + k];
            tk_put_varint(enc->out,
                          tk_zigzag((int64_t)(event->time_nano - batch->start_nano[row])));
            put_text(enc, event->name);
            tk_put_varint(enc->out, event->dropped_attrs);
        }
    for (uint32_t row = 0; row < batch->span_count; row++)
        for (uint32_t k = 0; k < batch->links[row].count; k++) {
            const struct tk_link *link = &batch->link[batch->links[row].begin + k];
            tk_put_bytes(enc->out, &link->trace_id, sizeof link->trace_id);
            tk_put_bytes(enc->out, &link->span_id, sizeof link->span_id);
            put_text(enc, link->trace_state);
            tk_put_varint(enc->out, link->dropped_attrs);
            tk_put_varint(enc->out, link->flags);
        }
}

static void
put_dictionary(struct encoder *enc)
{
    tk_put_varint(enc->out, enc->texts.count);
    for (uint32_t i = 0; i < enc->texts.count; i++)
        tk_put_varint(enc->out, enc->texts.strings[i].len);
    for (uint32_t i = 0; i < enc->texts.count; i++)
        tk_buf_append(enc->out, enc->texts.strings[i]);
}

static bool
encoder_init(struct encoder *enc, const struct tk_batch *batch, struct tk_buf *out)
{
    uint32_t events = sum_counts(batch->events, batch->span_count);
    uint32_t links = sum_counts(batch->links, batch->span_count);
    size_t owners =
        (size_t)batch->resource_count + batch->scope_count + batch->span_count + events + links;
    *enc = (struct encoder){.batch = batch, .out = out, .slot_count = 16};
    tk_intern_init(&enc->texts, TK_BLOCK_TEXTS_MAX);
    while (enc->slot_count < owners * 2)
        enc->slot_count *= 2;
    enc->owners = malloc((owners + 1) * sizeof *enc->owners);
    enc->shapes = malloc((owners + 1) * sizeof *enc->shapes);
    enc->shape_of = malloc((owners + 1) * sizeof *enc->shape_of);
    enc->shape_slots = calloc(enc->slot_count, sizeof *enc->shape_slots);
    enc->column_of =
        calloc(((size_t)batch->keys.count + 1) * TK_BLOCK_TYPES, sizeof *enc->column_of);
    return enc->owners != NULL && enc->shapes != NULL && enc->shape_of != NULL &&
           enc->shape_slots != NULL && enc->column_of != NULL;
}

static void
encoder_release(struct encoder *enc)
{
    tk_intern_release(&enc->texts);
    free(enc->owners);
    free(enc->shapes);
    free(enc->shape_of);
    free(enc->shape_slots);
    free(enc->column_of);
}

void
tk_block_encode(const struct tk_batch *batch, struct tk_buf *out)
{
    struct encoder enc;
    size_t at = out->len;
    uint32_t dictionary;
    if (!encoder_init(&enc, batch, out)) {
        out->status = TK_ERR_MEMORY;
        goto out;
    }
    list_owners(&enc);
    tk_put_bytes(out, "\0\0\0\0", sizeof dictionary); /* where the dictionary is, known below */
    tk_put_varint(out, batch->resource_count);
    tk_put_varint(out, batch->scope_count);
    tk_put_varint(out, batch->span_count);
    tk_put_varint(out, sum_counts(batch->events, batch->span_count));
    tk_put_varint(out, sum_counts(batch->links, batch->span_count));
    put_shapes(&enc);
    put_values(&enc);
    put_resources_and_scopes(&enc);
    put_spans(&enc);
    put_events_and_links(&enc);
    dictionary = (uint32_t)(out->len - at);
    put_dictionary(&enc);
    if (out->len - at > UINT32_MAX)
        out->status = TK_ERR_LIMIT;
    if (out->status == TK_OK)
        memcpy(out->ptr + at, &dictionary, sizeof dictionary);
out:
    encoder_release(&enc);
}
