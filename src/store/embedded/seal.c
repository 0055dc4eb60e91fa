/*
 * seal - see seal.h.
 *
 * The spans of a trace came in many batches, so writing trace by trace goes back and forth through
 * all that the buffer holds, and would wait for memory most of the time.  What comes next is known,
 * so it is asked for ahead: first where a packed span lies, then the span, then its values, last
 * the texts of columns that have no dictionary.
 */
#include "store/embedded/seal.h"

#include "store/segment/group_write.h"
#include "wire/value.h"

#include <stdlib.h>

enum {
    FEW_ROWS = 16, /* of a trace: looked through without a table */
    AHEAD = 16,    /* rows, of each step */
    LINE = 64,     /* bytes that come at once */
};

struct row {
    const struct tk_packed_span *packed;
    uint32_t batch, row;
};

/* The attributes of a shape whose columns have texts. */
struct plain {
    uint32_t begin, count; /* in plain_attrs */
};

struct sealing {
    struct tk_seal *seal;
    const struct tk_schema *schema;
    const struct tk_column_emit *emit;
    const struct tk_batch **batches;
    struct tk_segment_writer *writer;
    struct tk_group_writer *group; /* the writer's */
    const struct tk_seal_counted *counted;
    struct tk_buffer_row *places; /* [place_count]; all rows in the order of the file */
    size_t place_count, place;    /* the next one */
    size_t asked[4];              /* places for which each step was done */
    struct plain *plain;          /* [shape_count] */
    uint32_t *plain_attrs;
    struct row *rows; /* [capacity]; of a trace */
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

/* ---- looking ahead -----------------------------------------------------------------------------
 */

static void
ask_for_texts(const struct sealing *s, const struct tk_packed_span *packed, uint32_t batch)
{
    const struct plain *plain = &s->plain[packed->fixed[TK_COLUMN_SHAPE - TK_COLUMN_NAME]];
    const struct tk_value *values = s->batches[batch]->attr_value + packed->attrs.begin;
    for (uint32_t i = plain->begin; i < plain->begin + plain->count; i++)
        __builtin_prefetch(values[s->plain_attrs[i]].ptr);
}

static void
ask(const struct sealing *s, struct tk_buffer_row place, unsigned step)
{
    const struct tk_batch_codes *codes = &s->seal->builder.codes[place.batch];
    if (step == 0) {
        __builtin_prefetch(&codes->span[place.row]);
        return;
    }
    const struct tk_packed_span *packed = tk_packed_span(codes, place.row);
    const char *values =
        step > 1 ? (const char *)(s->batches[place.batch]->attr_value + packed->attrs.begin) : NULL;
    if (step == 1) {
        for (size_t at = 0; at < sizeof *packed + LINE; at += LINE)
            __builtin_prefetch((const char *)packed + at);
    } else if (step == 2) {
        for (size_t at = 0; at < packed->attrs.count * sizeof(struct tk_value); at += LINE)
            __builtin_prefetch(values + at);
    } else {
        ask_for_texts(s, packed, place.batch);
    }
}

/* Up to `count` rows from here on will be wanted at once. */
static void
look_ahead(struct sealing *s, uint32_t count)
{
    for (unsigned step = 0; step < 4; step++) {
        size_t end = s->place + count + (size_t)AHEAD * (3 - step);
        end = end < s->place_count ? end : s->place_count;
        for (; s->asked[step] < end; s->asked[step]++)
            ask(s, s->places[s->asked[step]], step);
    }
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
    free(s->rows);
    free(s->slots);
    s->rows = malloc(capacity * sizeof *s->rows);
    s->slots = malloc(slot_count * sizeof *s->slots);
    s->capacity = capacity;
    s->slot_count = slot_count;
    return s->rows != NULL && s->slots != NULL;
}

/* Is `b`, which arrived later, to be kept rather than `a`?  (store.h, contract 2) */
static bool
is_fuller(const struct sealing *s, const struct row *a, const struct row *b)
{
    const struct tk_batch *x = s->batches[a->batch], *y = s->batches[b->batch];
    uint64_t a_size =
        (uint64_t)x->attrs[a->row].count + x->events[a->row].count + x->links[a->row].count;
    uint64_t b_size =
        (uint64_t)y->attrs[b->row].count + y->events[b->row].count + y->links[b->row].count;
    if (a_size != b_size)
        return b_size > a_size;
    return y->end_nano[b->row] >= x->end_nano[a->row];
}

/* The row with this span id among the first `count`, or NULL; `slot`: where it belongs. */
static struct row *
find_copy(struct sealing *s, uint32_t count, tk_span_id id, bool table, uint32_t mask,
          uint32_t **ret_slot)
{
    if (!table) {
        for (uint32_t i = 0; i < count; i++)
            if (s->rows[i].packed->span_id == id)
                return &s->rows[i];
        return NULL;
    }
    uint32_t at = (uint32_t)tk_hash((tk_str){(const char *)&id, sizeof id}) & mask;
    for (; s->slots[at] != 0; at = (at + 1) & mask)
        if (s->rows[s->slots[at] - 1].packed->span_id == id)
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
    while (mask < entry->row_count * 3 / 2)
        mask = mask * 2 + 1;
    if (table)
        memset(s->slots, 0, ((size_t)mask + 1) * sizeof *s->slots);
    for (uint32_t i = 0; i < entry->row_count; i++) {
        struct tk_buffer_row place = s->places[s->place++];
        const struct tk_batch_codes *codes = &s->seal->builder.codes[place.batch];
        struct row made = {tk_packed_span(codes, place.row), place.batch, place.row};
        uint32_t *slot = NULL;
        struct row *copy = find_copy(s, count, made.packed->span_id, table, mask, &slot);
        if (copy == NULL) {
            s->rows[count++] = made;
            if (slot != NULL)
                *slot = count;
        } else if (is_fuller(s, copy, &made)) {
            *copy = made;
        }
    }
    return count;
}

static int
compare_rows(const void *a, const void *b)
{
    const struct tk_packed_span *x = ((const struct row *)a)->packed;
    const struct tk_packed_span *y = ((const struct row *)b)->packed;
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
        tk_group_writer_text(s->group, column, text);
    else
        tk_group_writer_number(s->group, column, s->emit[column].order[code]);
}

/* Attributes of an owner whose shape has no columns, as KeyValueList. */
static void
put_other(struct sealing *s, uint32_t column, const struct tk_batch *batch, struct tk_range attrs)
{
    tk_buf_clear(&s->bytes);
    for (uint32_t i = attrs.begin; i < attrs.begin + attrs.count; i++)
        tk_key_value_put(&s->bytes, 1, batch->keys.strings[batch->attr_key[i]],
                         batch->attr_value[i]);
    tk_group_writer_text(s->group, column, tk_buf_str(&s->bytes));
}

static void
put_attrs(struct sealing *s, const struct tk_batch *batch, struct tk_range attrs,
          const uint32_t *codes, uint32_t shape, uint32_t other)
{
    const uint32_t *columns = s->schema->shapes[shape].columns;
    const struct tk_value *values = batch->attr_value + attrs.begin;
    if (shape == 0) {
        put_other(s, other, batch, attrs);
        return;
    }
    for (uint32_t i = 0; i < s->schema->shapes[shape].count; i++) {
        uint32_t column = columns[i];
        const struct tk_column_emit *emit = &s->emit[column];
        if (emit->order != NULL)
            tk_group_writer_number(s->group, column, emit->order[codes[i]]);
        else if (emit->is_text)
            tk_group_writer_text(s->group, column, tk_value_str(values[i]));
        else
            tk_group_writer_number(s->group, column, tk_value_number(values[i]));
    }
}

static void
put_events(struct sealing *s, const struct row *row)
{
    const struct tk_batch *batch = s->batches[row->batch];
    const struct tk_batch_codes *codes = &s->seal->builder.codes[row->batch];
    struct tk_range events = batch->events[row->row];
    for (uint32_t i = events.begin; i < events.begin + events.count; i++) {
        const struct tk_event *event = &batch->event[i];
        uint32_t shape = codes->event_shape[i];
        tk_group_writer_number(s->group, TK_COLUMN_EVENT_TIME,
                               tk_zigzag((int64_t)(event->time_nano - row->packed->start_nano)));
        put_text(s, TK_COLUMN_EVENT_NAME, event->name, codes->event_name[i]);
        tk_group_writer_number(s->group, TK_COLUMN_EVENT_SHAPE, shape);
        tk_group_writer_number(s->group, TK_COLUMN_EVENT_DROPPED, event->dropped_attrs);
        put_attrs(s, batch, event->attrs, codes->attr + event->attrs.begin, shape,
                  TK_COLUMN_EVENT_OTHER);
    }
}

static void
put_links(struct sealing *s, const struct row *row)
{
    const struct tk_batch *batch = s->batches[row->batch];
    const struct tk_batch_codes *codes = &s->seal->builder.codes[row->batch];
    struct tk_range links = batch->links[row->row];
    for (uint32_t i = links.begin; i < links.begin + links.count; i++) {
        const struct tk_link *link = &batch->link[i];
        uint32_t shape = codes->link_shape[i];
        tk_group_writer_number(s->group, TK_COLUMN_LINK_HIGH, link->trace_id.high);
        tk_group_writer_number(s->group, TK_COLUMN_LINK_LOW, link->trace_id.low);
        tk_group_writer_number(s->group, TK_COLUMN_LINK_SPAN, link->span_id);
        put_text(s, TK_COLUMN_LINK_STATE, link->trace_state, codes->link_trace_state[i]);
        tk_group_writer_number(s->group, TK_COLUMN_LINK_SHAPE, shape);
        tk_group_writer_number(s->group, TK_COLUMN_LINK_DROPPED, link->dropped_attrs);
        tk_group_writer_number(s->group, TK_COLUMN_LINK_FLAGS, link->flags);
        put_attrs(s, batch, link->attrs, codes->attr + link->attrs.begin, shape,
                  TK_COLUMN_LINK_OTHER);
    }
}

/* Codes as the file has them; what gave up its codes: numbers as they are. */
static void
fill_fixed(const struct sealing *s, const struct row *from, uint64_t *fixed)
{
    for (uint32_t c = TK_COLUMN_NAME; c < TK_COLUMN_OTHER; c++) {
        uint32_t code = from->packed->fixed[c - TK_COLUMN_NAME];
        fixed[c] = s->emit[c].order != NULL ? s->emit[c].order[code] : code;
    }
    const struct tk_batch *batch = s->batches[from->batch];
    if (s->emit[TK_COLUMN_STATUS].order == NULL)
        fixed[TK_COLUMN_STATUS] = tk_zigzag(batch->status[from->row]);
    if (s->emit[TK_COLUMN_KIND].order == NULL)
        fixed[TK_COLUMN_KIND] = tk_zigzag(batch->kind[from->row]);
}

/* Fixed columns of texts that have no dictionary. */
static void
put_plain(struct sealing *s, const struct tk_batch *batch, uint32_t row)
{
    if (s->emit[TK_COLUMN_NAME].is_text)
        tk_group_writer_text(s->group, TK_COLUMN_NAME, batch->name[row]);
    if (s->emit[TK_COLUMN_TRACE_STATE].is_text)
        tk_group_writer_text(s->group, TK_COLUMN_TRACE_STATE, batch->trace_state[row]);
    if (s->emit[TK_COLUMN_STATUS_MESSAGE].is_text)
        tk_group_writer_text(s->group, TK_COLUMN_STATUS_MESSAGE, batch->status_message[row]);
}

static enum tk_err
write_row(struct sealing *s, struct tk_trace_id id, const struct row *from, struct tk_error *err)
{
    const struct tk_batch *batch = s->batches[from->batch];
    const struct tk_packed_span *packed = from->packed;
    struct tk_row row;
    row.span_id = packed->span_id;
    row.parent_id = packed->parent_id;
    row.start_nano = packed->start_nano;
    row.duration_nano = packed->duration_nano;
    row.counted = s->counted == NULL ||
                  !s->counted->is_counted(s->counted->arg, id, row.span_id, row.start_nano);
    fill_fixed(s, from, row.fixed);
    enum tk_err code = tk_segment_writer_row(s->writer, &row, err);
    if (code != TK_OK)
        return code;
    put_plain(s, batch, from->row);
    put_attrs(s, batch, packed->attrs, packed->attr_code, (uint32_t)row.fixed[TK_COLUMN_SHAPE],
              TK_COLUMN_OTHER);
    if (row.fixed[TK_COLUMN_EVENTS] > 0)
        put_events(s, from);
    if (row.fixed[TK_COLUMN_LINKS] > 0)
        put_links(s, from);
    return s->bytes.status == TK_OK ? TK_OK : no_memory(err);
}

static enum tk_err
write_trace(struct sealing *s, const struct tk_trace_entry *entry, struct tk_error *err)
{
    if (!reserve(s, entry->row_count))
        return no_memory(err);
    look_ahead(s, entry->row_count);
    uint32_t count = gather(s, entry);
    sort_rows(s->rows, count);
    enum tk_err code = tk_segment_writer_trace(s->writer, entry->id, entry->start_nano,
                                               entry->end_nano, count, err);
    for (uint32_t i = 0; i < count && code == TK_OK; i++)
        code = write_row(s, entry->id, &s->rows[i], err);
    return code;
}

/* ---- all of them -------------------------------------------------------------------------------
 */

static bool
find_plain(struct sealing *s)
{
    const struct tk_schema *schema = s->schema;
    uint32_t total = 0, at = 0;
    for (uint32_t i = 0; i < schema->shape_count; i++)
        total += schema->shapes[i].count;
    s->plain = malloc(((size_t)schema->shape_count + 1) * sizeof *s->plain);
    s->plain_attrs = malloc(((size_t)total + 1) * sizeof *s->plain_attrs);
    if (s->plain == NULL || s->plain_attrs == NULL)
        return false;
    for (uint32_t i = 0; i < schema->shape_count; i++) {
        s->plain[i].begin = at;
        for (uint32_t k = 0; k < schema->shapes[i].count; k++)
            if (s->emit[schema->shapes[i].columns[k]].is_text)
                s->plain_attrs[at++] = k;
        s->plain[i].count = at - s->plain[i].begin;
    }
    return true;
}

static enum tk_err
prepare(struct sealing *s, struct tk_trace_entry **ret_entries, uint32_t *ret_count)
{
    uint32_t batch_count = s->seal->builder.batch_count;
    s->batches = malloc(((size_t)batch_count + 1) * sizeof *s->batches);
    if (s->batches == NULL || !find_plain(s))
        return TK_ERR_MEMORY;
    for (uint32_t i = 0; i < batch_count; i++)
        s->batches[i] = tk_buffer_batch(s->seal->buffer, i);
    enum tk_err code = tk_buffer_list(s->seal->buffer, batch_count, NULL, ret_entries, ret_count);
    if (code != TK_OK)
        return code;
    for (uint32_t i = 0; i < *ret_count; i++)
        s->place_count += (*ret_entries)[i].row_count;
    s->places = malloc((s->place_count + 1) * sizeof *s->places);
    if (s->places == NULL)
        return TK_ERR_MEMORY;
    struct tk_buffer_row *at = s->places;
    for (uint32_t i = 0; i < *ret_count; at += (*ret_entries)[i++].row_count)
        tk_buffer_rows(s->seal->buffer, &(*ret_entries)[i], at);
    return TK_OK;
}

enum tk_err
tk_seal_write(struct tk_seal *seal, struct tk_segment_writer *writer,
              const struct tk_seal_counted *counted, struct tk_error *err)
{
    struct tk_trace_entry *entries = NULL;
    uint32_t count = 0;
    struct sealing s = {.seal = seal,
                        .schema = &seal->builder.schema,
                        .emit = seal->builder.emit,
                        .writer = writer,
                        .group = tk_segment_writer_group(writer),
                        .counted = counted};
    tk_buf_init(&s.bytes, SIZE_MAX / 2);
    enum tk_err code = prepare(&s, &entries, &count);
    if (code != TK_OK)
        (void)no_memory(err);
    for (uint32_t i = 0; i < count && code == TK_OK; i++)
        code = write_trace(&s, &entries[i], err);
    tk_buf_release(&s.bytes);
    free(s.batches);
    free(s.places);
    free(s.plain);
    free(s.plain_attrs);
    free(s.rows);
    free(s.slots);
    free(entries);
    return code;
}
