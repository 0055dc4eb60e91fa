/*
 * block_decode - bytes into a span batch (block.h, docs/formats/segment.md).
 *
 * The bytes passed a checksum, yet nothing here trusts them: every number is checked against what
 * it counts or points into, so that a damaged or forged block is an error value.  The memory taken
 * is bounded by the bytes that are there: each element has at least one byte of its own.
 */
#include "store/embedded/block.h"
#include "store/embedded/block_format.h"
#include "store/embedded/varint.h"

#include <stdlib.h>

struct shape {
    uint32_t begin, count; /* in `typed_keys` */
};

struct decoder {
    struct tk_reader in;
    struct tk_batch *batch;
    enum tk_err code; /* TK_OK, TK_ERR_MEMORY or what the batch said */

    tk_str *texts;
    uint32_t text_count, text_next;

    uint32_t resource_count, scope_count, span_count, event_count, link_count;
    struct shape *shapes;
    uint32_t shape_count;
    uint32_t *typed_keys; /* of all shapes */
    uint32_t *columns;    /* the same, as column numbers */
    uint32_t column_count;
    uint32_t *shape_of; /* [owner_count] */
    uint32_t owner_count, owner_next;
    struct tk_value *values; /* column by column */
    uint32_t *column_begin;  /* [column_count + 1]; then the reading position of each */
};

static bool
going(const struct decoder *dec)
{
    return dec->in.ok && dec->code == TK_OK;
}

/* calloc of one more than asked, so that an empty column is not NULL. */
static void *
column(struct decoder *dec, size_t count, size_t size)
{
    void *made = calloc(count + 1, size);
    if (made == NULL)
        dec->code = TK_ERR_MEMORY;
    return made;
}

static void
read_dictionary(struct decoder *dec, const char *bytes, size_t size, uint32_t offset)
{
    struct tk_reader in = {(const unsigned char *)bytes + offset,
                           (const unsigned char *)bytes + size, true};
    uint32_t count = tk_get_count(&in);
    dec->texts = column(dec, count, sizeof *dec->texts);
    if (dec->texts == NULL)
        return;
    for (uint32_t i = 0; i < count; i++)
        dec->texts[i].len = tk_get_u32(&in);
    for (uint32_t i = 0; i < count && in.ok; i++)
        dec->texts[i].ptr = tk_get_bytes(&in, dec->texts[i].len);
    dec->text_count = count;
    dec->in.ok = in.ok && in.at == in.end;
}

static tk_str
get_text(struct decoder *dec)
{
    uint64_t code = tk_get_varint(&dec->in);
    if (code == TK_BLOCK_TEXT_EMPTY)
        return TK_STR_NONE;
    uint64_t id = code == TK_BLOCK_TEXT_NEW ? dec->text_next++ : code - TK_BLOCK_TEXT_KNOWN;
    if (id >= dec->text_count) {
        dec->in.ok = false;
        return TK_STR_NONE;
    }
    return dec->texts[id];
}

static void
read_keys(struct decoder *dec)
{
    uint32_t count = tk_get_count(&dec->in), id = 0;
    for (uint32_t i = 0; i < count && going(dec); i++) {
        dec->code = tk_intern_add(&dec->batch->keys, get_text(dec), &id);
        if (id != i)
            dec->in.ok = false; /* twice the same key */
    }
}

static uint32_t
type_of(uint32_t typed_key)
{
    return typed_key % TK_BLOCK_TYPES;
}

/* Columns are numbered as their typed keys are first met, from 1 (0: not met). */
static void
read_shape(struct decoder *dec, struct shape *shape, uint32_t *capacity, uint32_t *column_of)
{
    uint32_t count = tk_get_count(&dec->in);
    if (shape->begin + count > *capacity) {
        *capacity = (shape->begin + count) * 2;
        uint32_t *keys = realloc(dec->typed_keys, *capacity * sizeof *keys);
        if (keys != NULL)
            dec->typed_keys = keys;
        uint32_t *columns = realloc(dec->columns, *capacity * sizeof *columns);
        if (columns != NULL)
            dec->columns = columns;
        if (keys == NULL || columns == NULL) {
            dec->code = TK_ERR_MEMORY;
            return;
        }
    }
    for (uint32_t i = 0; i < count && dec->in.ok; i++) {
        uint32_t typed_key = tk_get_u32(&dec->in);
        if (typed_key / TK_BLOCK_TYPES >= dec->batch->keys.count) {
            dec->in.ok = false;
            return;
        }
        if (column_of[typed_key] == 0)
            column_of[typed_key] = ++dec->column_count;
        dec->typed_keys[shape->begin + i] = typed_key;
        dec->columns[shape->begin + i] = column_of[typed_key] - 1;
    }
    shape->count = count;
}

static void
read_shapes(struct decoder *dec)
{
    uint32_t count = tk_get_count(&dec->in), capacity = 0;
    uint32_t *column_of =
        column(dec, (size_t)dec->batch->keys.count * TK_BLOCK_TYPES, sizeof *column_of);
    dec->shapes = column(dec, count, sizeof *dec->shapes);
    for (uint32_t i = 0; i < count && going(dec); i++) {
        if (i > 0)
            dec->shapes[i].begin = dec->shapes[i - 1].begin + dec->shapes[i - 1].count;
        read_shape(dec, &dec->shapes[i], &capacity, column_of);
        dec->shape_count++;
    }
    free(column_of);
}

/* Which shape each owner has; counts into column_begin how many values each column holds. */
static uint64_t
read_owners(struct decoder *dec)
{
    uint64_t attr_count = 0;
    dec->shape_of = column(dec, dec->owner_count, sizeof *dec->shape_of);
    dec->column_begin = column(dec, (size_t)dec->column_count + 1, sizeof *dec->column_begin);
    for (uint32_t i = 0; i < dec->owner_count && going(dec); i++) {
        uint64_t number = tk_get_varint(&dec->in);
        if (number >= dec->shape_count) {
            dec->in.ok = false;
            break;
        }
        struct shape shape = dec->shapes[number];
        dec->shape_of[i] = (uint32_t)number;
        attr_count += shape.count;
        if (attr_count > tk_reader_left(&dec->in))
            dec->in.ok = false; /* each value takes a byte or more */
        for (uint32_t k = 0; k < shape.count && dec->in.ok; k++)
            dec->column_begin[dec->columns[shape.begin + k] + 1]++;
    }
    for (uint32_t c = 1; c <= dec->column_count && going(dec); c++)
        dec->column_begin[c] += dec->column_begin[c - 1];
    return attr_count;
}

static struct tk_value
get_value(struct decoder *dec, uint32_t type)
{
    struct tk_value value = {.type = (uint8_t)type};
    tk_str text;
    uint64_t bits;
    switch (type) {
    case TK_VALUE_EMPTY:
        (void)tk_get_varint(&dec->in);
        break;
    case TK_VALUE_BOOL:
        value.b = tk_get_varint(&dec->in) != 0;
        break;
    case TK_VALUE_INT:
        value.i = tk_unzigzag(tk_get_varint(&dec->in));
        break;
    case TK_VALUE_DOUBLE:
        bits = tk_get_u64(&dec->in);
        memcpy(&value.d, &bits, sizeof value.d);
        break;
    default:
        text = get_text(dec);
        value.ptr = text.ptr;
        value.len = (uint32_t)text.len;
    }
    return value;
}

static void
read_values(struct decoder *dec)
{
    uint64_t attr_count = read_owners(dec);
    uint32_t *types = column(dec, dec->column_count, sizeof *types);
    if (going(dec))
        dec->values = column(dec, attr_count, sizeof *dec->values);
    if (!going(dec))
        goto out;
    for (uint32_t s = 0; s < dec->shape_count; s++)
        for (uint32_t k = 0; k < dec->shapes[s].count; k++) {
            uint32_t at = dec->shapes[s].begin + k;
            types[dec->columns[at]] = type_of(dec->typed_keys[at]);
        }
    for (uint32_t c = 0; c < dec->column_count; c++)
        for (uint32_t i = dec->column_begin[c]; i < dec->column_begin[c + 1] && dec->in.ok; i++)
            dec->values[i] = get_value(dec, types[c]);
out:
    free(types);
}

/* The attributes of the next owner, taken from their columns. */
static struct tk_range
next_attrs(struct decoder *dec)
{
    struct tk_range range = {dec->batch->attr_count, 0};
    if (!going(dec))
        return range;
    struct shape shape = dec->shapes[dec->shape_of[dec->owner_next++]];
    for (uint32_t k = 0; k < shape.count && going(dec); k++) {
        uint32_t key = dec->typed_keys[shape.begin + k] / TK_BLOCK_TYPES;
        uint32_t from = dec->column_begin[dec->columns[shape.begin + k]]++;
        dec->code = tk_batch_add_attr_id(dec->batch, key, dec->values[from]);
    }
    range.count = shape.count;
    return range;
}

static void
read_resources_and_scopes(struct decoder *dec)
{
    uint32_t index;
    for (uint32_t i = 0; i < dec->resource_count && going(dec); i++) {
        struct tk_resource resource = {.attrs = next_attrs(dec)};
        resource.schema_url = get_text(dec);
        resource.dropped_attrs = tk_get_u32(&dec->in);
        if (going(dec))
            dec->code = tk_batch_add_resource(dec->batch, &index);
        if (going(dec))
            dec->batch->resources[index] = resource;
    }
    for (uint32_t i = 0; i < dec->scope_count && going(dec); i++) {
        struct tk_scope scope = {.attrs = next_attrs(dec)};
        scope.name = get_text(dec);
        scope.version = get_text(dec);
        scope.schema_url = get_text(dec);
        scope.dropped_attrs = tk_get_u32(&dec->in);
        if (going(dec))
            dec->code = tk_batch_add_scope(dec->batch, &index);
        if (going(dec))
            dec->batch->scopes[index] = scope;
    }
}

static void
read_ids(struct decoder *dec)
{
    struct tk_batch *batch = dec->batch;
    for (uint32_t row = 0; row < dec->span_count && dec->in.ok;) {
        uint64_t run = tk_get_varint(&dec->in);
        struct tk_trace_id id;
        id.high = tk_get_u64(&dec->in);
        id.low = tk_get_u64(&dec->in);
        if (run == 0 || run > dec->span_count - row || tk_trace_id_is_none(id))
            dec->in.ok = false;
        for (uint64_t k = 0; k < run && dec->in.ok; k++)
            batch->trace_id[row++] = id;
    }
    for (uint32_t row = 0; row < dec->span_count && dec->in.ok; row++) {
        batch->span_id[row] = tk_get_u64(&dec->in);
        if (batch->span_id[row] == 0)
            dec->in.ok = false;
    }
    for (uint32_t row = 0; row < dec->span_count && dec->in.ok; row++) {
        uint64_t code = tk_get_varint(&dec->in);
        if (code == TK_BLOCK_PARENT_FAR)
            batch->parent_id[row] = tk_get_u64(&dec->in);
        else if (code > row + (uint64_t)TK_BLOCK_PARENT_NEAR)
            dec->in.ok = false;
        else if (code != TK_BLOCK_PARENT_NONE)
            batch->parent_id[row] = batch->span_id[row - (code - TK_BLOCK_PARENT_NEAR)];
    }
}

static void
read_times(struct decoder *dec)
{
    struct tk_batch *batch = dec->batch;
    uint64_t before = 0;
    for (uint32_t row = 0; row < dec->span_count && dec->in.ok; row++) {
        before += (uint64_t)tk_unzigzag(tk_get_varint(&dec->in));
        batch->start_nano[row] = before;
    }
    for (uint32_t row = 0; row < dec->span_count && dec->in.ok; row++) {
        uint64_t end = batch->start_nano[row] + tk_get_varint(&dec->in);
        if (batch->start_nano[row] == 0 || end < batch->start_nano[row] || end > INT64_MAX)
            dec->in.ok = false;
        batch->end_nano[row] = end;
    }
}

static void
read_i32(struct decoder *dec, int32_t *to)
{
    for (uint32_t row = 0; row < dec->span_count && dec->in.ok; row++)
        to[row] = (int32_t)tk_unzigzag(tk_get_u32(&dec->in));
}

static void
read_u32(struct decoder *dec, uint32_t *to, uint64_t limit)
{
    for (uint32_t row = 0; row < dec->span_count && dec->in.ok; row++) {
        to[row] = tk_get_u32(&dec->in);
        if (to[row] >= limit)
            dec->in.ok = false;
    }
}

static void
read_texts(struct decoder *dec, tk_str *to)
{
    for (uint32_t row = 0; row < dec->span_count && dec->in.ok; row++)
        to[row] = get_text(dec);
}

/* How many events or links each span has; together they are `total`. */
static void
read_ranges(struct decoder *dec, struct tk_range *to, uint32_t total)
{
    uint64_t sum = 0;
    for (uint32_t row = 0; row < dec->span_count && dec->in.ok; row++) {
        to[row].begin = (uint32_t)sum;
        to[row].count = tk_get_u32(&dec->in);
        sum += to[row].count;
        if (sum > total)
            dec->in.ok = false;
    }
    if (sum != total)
        dec->in.ok = false;
}

static void
read_spans(struct decoder *dec)
{
    struct tk_batch *batch = dec->batch;
    uint32_t index;
    for (uint32_t i = 0; i < dec->span_count && going(dec); i++)
        dec->code = tk_batch_add_span(batch, &index);
    for (uint32_t i = 0; i < dec->span_count && going(dec); i++)
        batch->attrs[i] = next_attrs(dec);
    if (!going(dec))
        return;
    read_ids(dec);
    read_times(dec);
    read_texts(dec, batch->name);
    read_texts(dec, batch->trace_state);
    read_texts(dec, batch->status_message);
    read_i32(dec, batch->status);
    read_i32(dec, batch->kind);
    read_u32(dec, batch->flags, UINT64_MAX);
    read_u32(dec, batch->resource, dec->resource_count);
    read_u32(dec, batch->scope, dec->scope_count);
    read_u32(dec, batch->dropped_attrs, UINT64_MAX);
    read_u32(dec, batch->dropped_events, UINT64_MAX);
    read_u32(dec, batch->dropped_links, UINT64_MAX);
    read_ranges(dec, batch->events, dec->event_count);
    read_ranges(dec, batch->links, dec->link_count);
}

static void
read_event(struct decoder *dec, uint64_t span_start)
{
    uint32_t index;
    struct tk_event event = {.attrs = next_attrs(dec)};
    event.time_nano = span_start + (uint64_t)tk_unzigzag(tk_get_varint(&dec->in));
    event.name = get_text(dec);
    event.dropped_attrs = tk_get_u32(&dec->in);
    if (going(dec))
        dec->code = tk_batch_add_event(dec->batch, &index);
    if (going(dec))
        dec->batch->event[index] = event;
}

static void
read_link(struct decoder *dec)
{
    uint32_t index;
    struct tk_link link = {.attrs = next_attrs(dec)};
    link.trace_id.high = tk_get_u64(&dec->in);
    link.trace_id.low = tk_get_u64(&dec->in);
    link.span_id = tk_get_u64(&dec->in);
    link.trace_state = get_text(dec);
    link.dropped_attrs = tk_get_u32(&dec->in);
    link.flags = tk_get_u32(&dec->in);
    if (going(dec))
        dec->code = tk_batch_add_link(dec->batch, &index);
    if (going(dec))
        dec->batch->link[index] = link;
}

static void
read_counts(struct decoder *dec)
{
    dec->resource_count = tk_get_count(&dec->in);
    dec->scope_count = tk_get_count(&dec->in);
    dec->span_count = tk_get_count(&dec->in);
    dec->event_count = tk_get_count(&dec->in);
    dec->link_count = tk_get_count(&dec->in);
    uint64_t owners = (uint64_t)dec->resource_count + dec->scope_count + dec->span_count +
                      dec->event_count + dec->link_count;
    if (owners > tk_reader_left(&dec->in))
        dec->in.ok = false;
    dec->owner_count = (uint32_t)owners;
}

static void
decoder_release(struct decoder *dec)
{
    free(dec->texts);
    free(dec->shapes);
    free(dec->typed_keys);
    free(dec->columns);
    free(dec->shape_of);
    free(dec->values);
    free(dec->column_begin);
}

enum tk_err
tk_block_decode(char *bytes, size_t size, struct tk_batch *batch)
{
    struct decoder dec = {.batch = batch};
    uint32_t dictionary;
    if (size < sizeof dictionary || size > UINT32_MAX)
        return TK_ERR_CORRUPT;
    memcpy(&dictionary, bytes, sizeof dictionary);
    if (dictionary < sizeof dictionary || dictionary > size)
        return TK_ERR_CORRUPT;
    dec.in = (struct tk_reader){(const unsigned char *)bytes + sizeof dictionary,
                                (const unsigned char *)bytes + dictionary, true};
    read_dictionary(&dec, bytes, size, dictionary);
    if (going(&dec))
        read_counts(&dec);
    if (going(&dec))
        read_keys(&dec);
    if (going(&dec))
        read_shapes(&dec);
    if (going(&dec))
        read_values(&dec);
    read_resources_and_scopes(&dec);
    read_spans(&dec);
    for (uint32_t row = 0; row < dec.span_count && going(&dec); row++)
        for (uint32_t k = 0; k < batch->events[row].count && going(&dec); k++)
            read_event(&dec, batch->start_nano[row]);
    for (uint32_t row = 0; row < dec.span_count && going(&dec); row++)
        for (uint32_t k = 0; k < batch->links[row].count && going(&dec); k++)
            read_link(&dec);
    enum tk_err code = dec.code;
    if (code == TK_OK && (!dec.in.ok || dec.in.at != dec.in.end))
        code = TK_ERR_CORRUPT;
    decoder_release(&dec);
    if (code == TK_OK)
        tk_batch_adopt(batch, bytes);
    else
        tk_batch_clear(batch);
    return code == TK_OK || code == TK_ERR_MEMORY ? code : TK_ERR_CORRUPT;
}
