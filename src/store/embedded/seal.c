/* seal - see seal.h. */
#include "store/embedded/seal.h"

#include "wire/value.h"

#include <stdlib.h>

enum { FEW_ROWS = 16 }; /* of a trace: looked through without a table */

struct row {
    const struct tk_batch *batch;
    const struct tk_batch_codes *codes;
    uint32_t row;
    tk_span_id span_id;
    uint64_t start_nano;
};

struct sealing {
    struct tk_seal *seal;
    const struct tk_schema *schema;
    const struct tk_column_emit *emit;
    const struct tk_batch **batches;
    struct tk_segment_writer *writer;
    const struct tk_seal_counted *counted;
    struct tk_buffer_row *places; /* [capacity] */
    struct row *rows;             /* [capacity] */
    uint32_t capacity;
    uint32_t *slots;
    uint32_t slot_count;
    struct tk_buf bytes; /* scratch */
};

static enum tk_err
no_memory(struct tk_error *err)
{
    return tk_error_set(err, TK_ERR_MEMORY, "out of memory while sealing");
}

enum tk_err
tk_seal_init(struct tk_seal *seal, struct tk_buffer *buffer, struct tk_error *err)
{
    seal->buffer = buffer;
    tk_schema_builder_init(&seal->builder);
    uint32_t count = tk_buffer_batch_count(buffer);
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < count && code == TK_OK; i++)
        code = tk_schema_builder_add(&seal->builder, tk_buffer_batch(buffer, i));
    if (code == TK_OK)
        code = tk_schema_builder_finish(&seal->builder);
    if (code == TK_OK)
        return TK_OK;
    tk_seal_release(seal);
    return tk_error_set(err, code, "%s while sealing", tk_err_text(code));
}

void
tk_seal_release(struct tk_seal *seal)
{
    tk_schema_builder_release(&seal->builder);
}

/* ---- a trace ----------------------------------------------------------------------------------
 */

static bool
reserve(struct sealing *s, uint32_t count)
{
    if (count <= s->capacity)
        return true;
    uint32_t capacity = s->capacity > 0 ? s->capacity : 256, slot_count;
    while (capacity < count)
        capacity *= 2;
    slot_count = capacity * 2;
    free(s->places);
    free(s->rows);
    free(s->slots);
    s->places = malloc(capacity * sizeof *s->places);
    s->rows = malloc(capacity * sizeof *s->rows);
    s->slots = malloc(slot_count * sizeof *s->slots);
    s->capacity = capacity;
    s->slot_count = slot_count;
    return s->places != NULL && s->rows != NULL && s->slots != NULL;
}

/* Is `b`, which arrived later, to be kept rather than `a`?  (store.h, contract 2) */
static bool
is_fuller(const struct row *a, const struct row *b)
{
    uint64_t a_size = (uint64_t)a->batch->attrs[a->row].count + a->batch->events[a->row].count +
                      a->batch->links[a->row].count;
    uint64_t b_size = (uint64_t)b->batch->attrs[b->row].count + b->batch->events[b->row].count +
                      b->batch->links[b->row].count;
    if (a_size != b_size)
        return b_size > a_size;
    return b->batch->end_nano[b->row] >= a->batch->end_nano[a->row];
}

/* The row with this span id among the first `count`, or NULL; `slot`: where it belongs. */
static struct row *
find_copy(struct sealing *s, uint32_t count, tk_span_id id, bool table, uint32_t mask,
          uint32_t **ret_slot)
{
    if (!table) {
        for (uint32_t i = 0; i < count; i++)
            if (s->rows[i].span_id == id)
                return &s->rows[i];
        return NULL;
    }
    uint32_t at = (uint32_t)tk_hash((tk_str){(const char *)&id, sizeof id}) & mask;
    for (; s->slots[at] != 0; at = (at + 1) & mask)
        if (s->rows[s->slots[at] - 1].span_id == id)
            return &s->rows[s->slots[at] - 1];
    *ret_slot = &s->slots[at];
    return NULL;
}

/* The rows of a trace, each span once; returns how many. */
static uint32_t
gather(struct sealing *s, const struct tk_trace_entry *entry)
{
    uint32_t count = 0, mask = 2 * FEW_ROWS - 1;
    bool table = entry->row_count > FEW_ROWS;
    tk_buffer_rows(s->seal->buffer, entry, s->places);
    while (mask < entry->row_count * 3 / 2)
        mask = mask * 2 + 1;
    if (table)
        memset(s->slots, 0, ((size_t)mask + 1) * sizeof *s->slots);
    for (uint32_t i = 0; i < entry->row_count; i++) {
        const struct tk_batch *batch = s->batches[s->places[i].batch];
        uint32_t row = s->places[i].row, *slot = NULL;
        struct row made = {batch, &s->seal->builder.codes[s->places[i].batch], row,
                           batch->span_id[row], batch->start_nano[row]};
        struct row *copy = find_copy(s, count, made.span_id, table, mask, &slot);
        if (copy == NULL) {
            s->rows[count++] = made;
            if (slot != NULL)
                *slot = count;
        } else if (is_fuller(copy, &made)) {
            *copy = made;
        }
    }
    return count;
}

static int
compare_rows(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->start_nano != y->start_nano)
        return x->start_nano < y->start_nano ? -1 : 1;
    return (x->span_id > y->span_id) - (x->span_id < y->span_id);
}

static void
sort_rows(struct row *rows, uint32_t count)
{
    if (count > FEW_ROWS) {
        qsort(rows, count, sizeof *rows, compare_rows);
        return;
    }
    for (uint32_t i = 1; i < count; i++) {
        struct row moved = rows[i];
        uint32_t at = i;
        for (; at > 0 && compare_rows(&rows[at - 1], &moved) > 0; at--)
            rows[at] = rows[at - 1];
        rows[at] = moved;
    }
}

/* ---- a row ------------------------------------------------------------------------------------
 */

static void
put_text(struct sealing *s, uint32_t column, tk_str text, uint32_t code)
{
    if (s->emit[column].is_text)
        tk_segment_writer_text(s->writer, column, text);
    else
        tk_segment_writer_number(s->writer, column, s->emit[column].order[code]);
}

/* Attributes of an owner whose shape has no columns, as KeyValueList. */
static void
put_other(struct sealing *s, uint32_t column, const struct tk_batch *batch, struct tk_range attrs)
{
    tk_buf_clear(&s->bytes);
    for (uint32_t i = attrs.begin; i < attrs.begin + attrs.count; i++)
        tk_key_value_put(&s->bytes, 1, batch->keys.strings[batch->attr_key[i]],
                         batch->attr_value[i]);
    tk_segment_writer_text(s->writer, column, tk_buf_str(&s->bytes));
}

static void
put_attrs(struct sealing *s, const struct row *row, struct tk_range attrs, uint32_t shape,
          uint32_t other)
{
    const uint32_t *columns = s->schema->shapes[shape].columns;
    const struct tk_value *values = row->batch->attr_value + attrs.begin;
    const uint32_t *codes = row->codes->attr + attrs.begin;
    if (shape == 0) {
        put_other(s, other, row->batch, attrs);
        return;
    }
    for (uint32_t i = 0; i < attrs.count; i++) {
        uint32_t column = columns[i];
        const struct tk_column_emit *emit = &s->emit[column];
        if (emit->order != NULL)
            tk_segment_writer_number(s->writer, column, emit->order[codes[i]]);
        else if (emit->is_text)
            tk_segment_writer_text(s->writer, column, tk_value_str(values[i]));
        else
            tk_segment_writer_number(s->writer, column, tk_value_number(values[i]));
    }
}

static void
put_events(struct sealing *s, const struct row *row)
{
    struct tk_range events = row->batch->events[row->row];
    for (uint32_t i = events.begin; i < events.begin + events.count; i++) {
        const struct tk_event *event = &row->batch->event[i];
        tk_segment_writer_number(s->writer, TK_COLUMN_EVENT_TIME,
                                 tk_zigzag((int64_t)(event->time_nano - row->start_nano)));
        put_text(s, TK_COLUMN_EVENT_NAME, event->name, row->codes->event_name[i]);
        tk_segment_writer_number(s->writer, TK_COLUMN_EVENT_SHAPE, row->codes->event_shape[i]);
        tk_segment_writer_number(s->writer, TK_COLUMN_EVENT_DROPPED, event->dropped_attrs);
        put_attrs(s, row, event->attrs, row->codes->event_shape[i], TK_COLUMN_EVENT_OTHER);
    }
}

static void
put_links(struct sealing *s, const struct row *row)
{
    struct tk_range links = row->batch->links[row->row];
    for (uint32_t i = links.begin; i < links.begin + links.count; i++) {
        const struct tk_link *link = &row->batch->link[i];
        tk_segment_writer_number(s->writer, TK_COLUMN_LINK_HIGH, link->trace_id.high);
        tk_segment_writer_number(s->writer, TK_COLUMN_LINK_LOW, link->trace_id.low);
        tk_segment_writer_number(s->writer, TK_COLUMN_LINK_SPAN, link->span_id);
        put_text(s, TK_COLUMN_LINK_STATE, link->trace_state, row->codes->link_trace_state[i]);
        tk_segment_writer_number(s->writer, TK_COLUMN_LINK_SHAPE, row->codes->link_shape[i]);
        tk_segment_writer_number(s->writer, TK_COLUMN_LINK_DROPPED, link->dropped_attrs);
        tk_segment_writer_number(s->writer, TK_COLUMN_LINK_FLAGS, link->flags);
        put_attrs(s, row, link->attrs, row->codes->link_shape[i], TK_COLUMN_LINK_OTHER);
    }
}

/* A code in the order of the file, or what stands for itself. */
static uint64_t
code_of(const struct sealing *s, uint32_t column, uint32_t code, uint64_t itself)
{
    return s->emit[column].order != NULL ? s->emit[column].order[code] : itself;
}

static void
fill_fixed(const struct sealing *s, const struct row *from, uint64_t *fixed)
{
    const struct tk_batch *batch = from->batch;
    const struct tk_batch_codes *codes = from->codes;
    uint32_t row = from->row;
    fixed[TK_COLUMN_NAME] = code_of(s, TK_COLUMN_NAME, codes->name[row], 0);
    fixed[TK_COLUMN_TRACE_STATE] = code_of(s, TK_COLUMN_TRACE_STATE, codes->trace_state[row], 0);
    fixed[TK_COLUMN_STATUS_MESSAGE] =
        code_of(s, TK_COLUMN_STATUS_MESSAGE, codes->status_message[row], 0);
    fixed[TK_COLUMN_STATUS] =
        code_of(s, TK_COLUMN_STATUS, codes->status[row], tk_zigzag(batch->status[row]));
    fixed[TK_COLUMN_KIND] =
        code_of(s, TK_COLUMN_KIND, codes->kind[row], tk_zigzag(batch->kind[row]));
    fixed[TK_COLUMN_FLAGS] = batch->flags[row];
    fixed[TK_COLUMN_RESOURCE] = codes->resource[batch->resource[row]] - 1;
    fixed[TK_COLUMN_SCOPE] = codes->scope[batch->scope[row]] - 1;
    fixed[TK_COLUMN_SHAPE] = codes->shape[row];
    fixed[TK_COLUMN_DROPPED_ATTRS] = batch->dropped_attrs[row];
    fixed[TK_COLUMN_DROPPED_EVENTS] = batch->dropped_events[row];
    fixed[TK_COLUMN_DROPPED_LINKS] = batch->dropped_links[row];
    fixed[TK_COLUMN_EVENTS] = batch->events[row].count;
    fixed[TK_COLUMN_LINKS] = batch->links[row].count;
}

static enum tk_err
write_row(struct sealing *s, const struct row *from, struct tk_error *err)
{
    const struct tk_batch *batch = from->batch;
    uint32_t number = from->row;
    struct tk_row row = {
        .span_id = from->span_id,
        .parent_id = batch->parent_id[number],
        .start_nano = from->start_nano,
        .duration_nano = batch->end_nano[number] - from->start_nano,
        .counted =
            s->counted == NULL || !s->counted->is_counted(s->counted->arg, batch->trace_id[number],
                                                          from->span_id, from->start_nano),
    };
    fill_fixed(s, from, row.fixed);
    enum tk_err code = tk_segment_writer_row(s->writer, &row, err);
    if (code != TK_OK)
        return code;
    if (s->emit[TK_COLUMN_NAME].is_text)
        tk_segment_writer_text(s->writer, TK_COLUMN_NAME, batch->name[number]);
    if (s->emit[TK_COLUMN_TRACE_STATE].is_text)
        tk_segment_writer_text(s->writer, TK_COLUMN_TRACE_STATE, batch->trace_state[number]);
    if (s->emit[TK_COLUMN_STATUS_MESSAGE].is_text)
        tk_segment_writer_text(s->writer, TK_COLUMN_STATUS_MESSAGE, batch->status_message[number]);
    put_attrs(s, from, batch->attrs[number], from->codes->shape[number], TK_COLUMN_OTHER);
    put_events(s, from);
    put_links(s, from);
    return s->bytes.status == TK_OK ? TK_OK : no_memory(err);
}

static enum tk_err
write_trace(struct sealing *s, const struct tk_trace_entry *entry, struct tk_error *err)
{
    if (!reserve(s, entry->row_count))
        return no_memory(err);
    uint32_t count = gather(s, entry);
    sort_rows(s->rows, count);
    enum tk_err code = tk_segment_writer_trace(s->writer, entry->id, entry->start_nano,
                                               entry->end_nano, count, err);
    for (uint32_t i = 0; i < count && code == TK_OK; i++)
        code = write_row(s, &s->rows[i], err);
    return code;
}

enum tk_err
tk_seal_write(struct tk_seal *seal, struct tk_segment_writer *writer,
              const struct tk_seal_counted *counted, struct tk_error *err)
{
    struct tk_trace_entry *entries = NULL;
    uint32_t count = 0, batch_count = seal->builder.batch_count;
    struct sealing s = {.seal = seal,
                        .schema = &seal->builder.schema,
                        .emit = seal->builder.emit,
                        .writer = writer,
                        .counted = counted};
    tk_buf_init(&s.bytes, SIZE_MAX / 2);
    s.batches = malloc(((size_t)batch_count + 1) * sizeof *s.batches);
    enum tk_err code = s.batches != NULL ? TK_OK : no_memory(err);
    for (uint32_t i = 0; i < batch_count && code == TK_OK; i++)
        s.batches[i] = tk_buffer_batch(seal->buffer, i);
    if (code == TK_OK && tk_buffer_list(seal->buffer, batch_count, NULL, &entries, &count) != TK_OK)
        code = no_memory(err);
    for (uint32_t i = 0; i < count && code == TK_OK; i++)
        code = write_trace(&s, &entries[i], err);
    tk_buf_release(&s.bytes);
    free(s.batches);
    free(s.places);
    free(s.rows);
    free(s.slots);
    free(entries);
    return code;
}
