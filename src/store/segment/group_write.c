/* group_write - see group_write.h; docs/formats/segment.md, "Group". */
#include "store/segment/group_write.h"

#include "base/assert.h"
#include "store/segment/group_head.h"
#include "store/segment/segment.h"
#include "store/segment/told.h"

#include <stdlib.h>

enum {
    CAPACITY_MIN = 64,
    ARENA_CHUNK = 1 << 16,
    TEXT_BLOCK = 1 << 14,
    LOOK_BACK = 8, /* rows of a trace that are looked through; more get a table */
    PARENT_NONE = 0,
    PARENT_FAR = 1,
    PARENT_NEAR = 2,
    WITHOUT_ZSTD = 7, /* groups */
};

static bool
is_plain(const struct tk_schema *schema, uint32_t column)
{
    return schema->columns[column].column.kind == TK_COLUMN_PLAIN;
}

enum tk_err
tk_group_writer_init(struct tk_group_writer *group, const struct tk_schema *schema)
{
    *group = (struct tk_group_writer){.schema = schema};
    tk_arena_init(&group->_texts, ARENA_CHUNK, SIZE_MAX / 2);
    tk_buf_init(&group->_chunks, SIZE_MAX / 2);
    group->columns = calloc(schema->column_count, sizeof *group->columns);
    group->end_nano = malloc(TK_GROUP_ROWS * sizeof *group->end_nano);
    group->counted = malloc(TK_GROUP_ROWS * sizeof *group->counted);
    group->_start_nano = malloc(TK_GROUP_ROWS * sizeof *group->_start_nano);
    group->_parent_id = malloc(TK_GROUP_ROWS * sizeof *group->_parent_id);
    group->_slots = malloc(2 * TK_GROUP_ROWS * sizeof *group->_slots);
    group->_first = malloc(2 * (TK_GROUP_ROWS + 1) * sizeof *group->_first);
    group->_names = malloc((TK_GROUP_ROWS + 1) * sizeof *group->_names);
    bool ok = group->_first != NULL && group->_names != NULL && group->columns != NULL &&
              group->end_nano != NULL && group->counted != NULL && group->_start_nano != NULL &&
              group->_parent_id != NULL && group->_slots != NULL;
    for (uint32_t c = TK_COLUMN_NAME; c < TK_COLUMN_OTHER && ok; c++)
        if (!is_plain(schema, c)) {
            group->columns[c].number = malloc(TK_GROUP_ROWS * sizeof(uint64_t));
            group->columns[c].capacity = TK_GROUP_ROWS;
            ok = group->columns[c].number != NULL;
        }
    tk_group_writer_clear(group);
    return ok ? TK_OK : TK_ERR_MEMORY;
}

void
tk_group_writer_release(struct tk_group_writer *group)
{
    for (uint32_t i = 0; group->columns != NULL && i < group->schema->column_count; i++) {
        free(group->columns[i].number);
        free(group->columns[i].text);
        free(group->columns[i].row);
    }
    free(group->columns);
    free(group->end_nano);
    free(group->counted);
    free(group->_start_nano);
    free(group->_parent_id);
    free(group->_slots);
    free(group->_first);
    free(group->_names);
    tk_arena_release(&group->_texts);
    tk_buf_release(&group->_chunks);
    *group = (struct tk_group_writer){0};
}

void
tk_group_writer_clear(struct tk_group_writer *group)
{
    for (uint32_t i = 0; group->columns != NULL && i < group->schema->column_count; i++)
        group->columns[i].count = group->columns[i].chunk_count = 0;
    group->entry = (struct tk_group_entry){.trace_start_min = UINT64_MAX, .start_min = UINT64_MAX};
    group->bytes = 0;
    group->any_counted = false;
    group->_trace_row = 0;
    tk_arena_clear(&group->_texts);
    group->_text_left = 0;
}

/* The bytes until the group is cleared; NULL: out of memory. */
static inline char *
take_text(struct tk_group_writer *group, size_t len)
{
    if (len > group->_text_left) {
        size_t size = len > TEXT_BLOCK ? len : TEXT_BLOCK;
        group->_text_left = 0;
        group->_text_at = tk_arena_alloc(&group->_texts, size);
        if (group->_text_at == NULL)
            return NULL;
        group->_text_left = size;
    }
    char *text = group->_text_at;
    group->_text_at += len;
    group->_text_left -= len;
    return text;
}

bool
tk_group_writer_grow(struct tk_group_writer *group, uint32_t column)
{
    struct tk_group_column *grown = &group->columns[column];
    uint32_t capacity = grown->capacity > 0 ? grown->capacity * 2 : CAPACITY_MIN;
    if (is_plain(group->schema, column)) {
        tk_str *text = realloc(grown->text, capacity * sizeof *text);
        if (text == NULL)
            goto failed;
        grown->text = text;
    } else {
        uint64_t *number = realloc(grown->number, capacity * sizeof *number);
        if (number == NULL)
            goto failed;
        grown->number = number;
    }
    if (column >= TK_COLUMN_FIXED) {
        uint16_t *row = realloc(grown->row, capacity * sizeof *row);
        if (row == NULL)
            goto failed;
        grown->row = row;
    }
    grown->capacity = capacity;
    return true;
failed:
    group->status = TK_ERR_MEMORY;
    return false;
}

void
tk_group_writer_text(struct tk_group_writer *group, uint32_t column, tk_str text)
{
    struct tk_group_column *to = &group->columns[column];
    if (to->count == to->capacity && !tk_group_writer_grow(group, column))
        return;
    if (text.len > 0) {
        char *copy = take_text(group, text.len);
        if (copy == NULL) {
            group->status = TK_ERR_MEMORY;
            return;
        }
        memcpy(copy, text.ptr, text.len);
        text.ptr = copy;
    }
    if (to->row != NULL)
        to->row[to->count] = (uint16_t)(group->entry.row_count - 1);
    to->text[to->count++] = text;
    group->bytes += text.len + 4;
}

void
tk_group_writer_trace(struct tk_group_writer *group, struct tk_trace_id id, uint64_t start_nano,
                      uint64_t end_nano, uint32_t before, uint32_t total)
{
    struct tk_group_entry *entry = &group->entry;
    tk_group_writer_number(group, TK_COLUMN_TRACE_HIGH, id.high);
    tk_group_writer_number(group, TK_COLUMN_TRACE_LOW, id.low);
    tk_group_writer_number(group, TK_COLUMN_TRACE_START, start_nano);
    tk_group_writer_number(group, TK_COLUMN_TRACE_DURATION, end_nano - start_nano);
    tk_group_writer_number(group, TK_COLUMN_TRACE_ROWS, 0); /* known at its end */
    tk_group_writer_number(group, TK_COLUMN_TRACE_BEFORE, before);
    tk_group_writer_number(group, TK_COLUMN_TRACE_TOTAL, total);
    entry->trace_count++;
    if (start_nano < entry->trace_start_min)
        entry->trace_start_min = start_nano;
    if (start_nano > entry->trace_start_max)
        entry->trace_start_max = start_nano;
    group->_trace_row = entry->row_count;
    group->_trace_start = start_nano;
}

void
tk_group_writer_row(struct tk_group_writer *group, const struct tk_row *row)
{
    struct tk_group_entry *entry = &group->entry;
    uint32_t number = entry->row_count++;
    TK_ASSERT(number < TK_GROUP_ROWS);
    uint64_t before =
        number > group->_trace_row ? group->_start_nano[number - 1] : group->_trace_start;
    TK_ASSERT(row->start_nano >= before);
    group->_start_nano[number] = row->start_nano;
    group->_parent_id[number] = row->parent_id;
    group->end_nano[number] = row->start_nano + row->duration_nano;
    group->counted[number] = row->counted;
    group->any_counted |= row->counted;
    tk_group_writer_number(group, TK_COLUMN_SPAN_ID, row->span_id);
    tk_group_writer_number(group, TK_COLUMN_START, row->start_nano - before);
    tk_group_writer_number(group, TK_COLUMN_DURATION, row->duration_nano);
    for (uint32_t c = TK_COLUMN_NAME; c < TK_COLUMN_OTHER; c++) {
        struct tk_group_column *to = &group->columns[c];
        if (to->number != NULL) /* not plain: there is room for all rows */
            to->number[to->count++] = row->fixed[c];
    }
    group->bytes += (TK_COLUMN_OTHER - TK_COLUMN_NAME) * 4;
    entry->event_count += (uint32_t)row->fixed[TK_COLUMN_EVENTS];
    entry->link_count += (uint32_t)row->fixed[TK_COLUMN_LINKS];
    if (row->start_nano < entry->start_min)
        entry->start_min = row->start_nano;
    if (row->start_nano > entry->start_max)
        entry->start_max = row->start_nano;
    if (row->duration_nano > entry->duration_max)
        entry->duration_max = row->duration_nano;
}

static uint32_t
slot_of(uint64_t span_id, uint32_t mask)
{
    return (uint32_t)(span_id * 0x9E3779B97F4A7C15u >> 40) & mask;
}

/* The table of the rows [begin, end): the first of equal ids. */
static void
fill_slots(struct tk_group_writer *group, const uint64_t *ids, uint32_t begin, uint32_t end)
{
    group->_slot_count = LOOK_BACK;
    while (group->_slot_count < (end - begin) * 3 / 2 && group->_slot_count < 2 * TK_GROUP_ROWS)
        group->_slot_count *= 2;
    memset(group->_slots, 0, group->_slot_count * sizeof *group->_slots);
    for (uint32_t row = begin; row < end; row++) {
        uint32_t mask = group->_slot_count - 1, at = slot_of(ids[row], mask);
        while (group->_slots[at] != 0)
            at = (at + 1) & mask;
        group->_slots[at] = row + 1;
    }
}

/* The row in [begin, end) with this id, or `end`. */
static uint32_t
find_row(const struct tk_group_writer *group, const uint64_t *ids, uint32_t begin, uint32_t end,
         uint64_t id)
{
    if (end - begin <= LOOK_BACK) {
        uint32_t row = begin;
        while (row < end && ids[row] != id)
            row++;
        return row;
    }
    uint32_t mask = group->_slot_count - 1;
    for (uint32_t at = slot_of(id, mask); group->_slots[at] != 0; at = (at + 1) & mask)
        if (ids[group->_slots[at] - 1] == id)
            return group->_slots[at] - 1;
    return end;
}

void
tk_group_writer_end_trace(struct tk_group_writer *group)
{
    uint32_t begin = group->_trace_row, end = group->entry.row_count;
    if (group->status != TK_OK || begin == end)
        return;
    const uint64_t *ids = group->columns[TK_COLUMN_SPAN_ID].number;
    group->columns[TK_COLUMN_TRACE_ROWS].number[group->entry.trace_count - 1] = end - begin;
    if (end - begin > LOOK_BACK)
        fill_slots(group, ids, begin, end);
    for (uint32_t row = begin; row < end; row++) {
        uint64_t id = group->_parent_id[row];
        if (id == 0) {
            tk_group_writer_number(group, TK_COLUMN_PARENT, PARENT_NONE);
            continue;
        }
        uint32_t parent = find_row(group, ids, begin, end, id);
        if (parent < end) {
            tk_group_writer_number(group, TK_COLUMN_PARENT,
                                   PARENT_NEAR + tk_zigzag((int64_t)row - (int64_t)parent));
        } else {
            tk_group_writer_number(group, TK_COLUMN_PARENT, PARENT_FAR);
            tk_group_writer_number(group, TK_COLUMN_PARENT_ID, id);
        }
    }
    group->_trace_row = end;
}

void
tk_group_writer_values(struct tk_group_writer *group, uint32_t column, uint32_t count,
                       const uint64_t *numbers, const tk_str *texts)
{
    struct tk_group_column *to = &group->columns[column];
    while (to->capacity < count)
        if (!tk_group_writer_grow(group, column))
            return;
    if (to->text != NULL)
        memcpy(to->text, texts, count * sizeof *texts);
    else
        memcpy(to->number, numbers, count * sizeof *numbers);
    to->count = count;
}

void
tk_group_writer_copied(struct tk_group_writer *group, const struct tk_group_entry *entry)
{
    group->entry = *entry;
    group->_trace_row = entry->row_count; /* no trace is under construction */
}

/* A fixed column of zeroes (empty texts) is left out. */
static bool
is_left_out(const struct tk_schema *schema, const struct tk_group_column *from, uint32_t column)
{
    if (from->chunk_count > 0)
        return from->chunk.len == 0;
    if (column >= TK_COLUMN_FIXED)
        return from->count == 0;
    bool plain = is_plain(schema, column);
    for (uint32_t i = 0; i < from->count; i++)
        if (plain ? from->text[i].len > 0 : from->number[i] != 0)
            return false;
    return true;
}

/* The sums that reading makes (TK_GROUP_TRACE_ROW, TK_GROUP_LINK_BEGIN), and columns that traces
   tell are told beside them.  Of a copied group all of them have chunks. */
static void
tell_by_trace(struct tk_group_writer *group)
{
    static const uint32_t told[] = {TK_COLUMN_TRACE_TOTAL, TK_COLUMN_DURATION, TK_COLUMN_LINK_HIGH,
                                    TK_COLUMN_LINK_LOW};
    struct tk_group_column *columns = group->columns;
    uint32_t *row = group->_first, *link = row + TK_GROUP_ROWS + 1;
    if (columns[TK_COLUMN_TRACE_ROWS].chunk_count > 0)
        return;
    struct tk_told_traces traces = {.count = group->entry.trace_count,
                                    .row = row,
                                    .link = link,
                                    .rows = columns[TK_COLUMN_TRACE_ROWS].number,
                                    .before = columns[TK_COLUMN_TRACE_BEFORE].number,
                                    .duration = columns[TK_COLUMN_TRACE_DURATION].number};
    row[0] = link[0] = 0;
    for (uint32_t i = 0; i < traces.count; i++)
        row[i + 1] = row[i] + (uint32_t)traces.rows[i];
    for (uint32_t i = 0; i < group->entry.row_count; i++)
        link[i + 1] = link[i] + (uint32_t)columns[TK_COLUMN_LINKS].number[i];
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        struct tk_group_column *column = &columns[told[i]];
        traces.id = told[i] == TK_COLUMN_LINK_HIGH ? columns[TK_COLUMN_TRACE_HIGH].number
                                                   : columns[TK_COLUMN_TRACE_LOW].number;
        tk_told_by_trace(&traces, told[i], 0, column->count, column->number);
    }
}

/* What zstd does for a column is alike from group to group: where it was of no use it is tried
   again only now and then. */
static void
encode_numbers(struct tk_group_column *column, int level, struct tk_buf *out)
{
    size_t at = out->len;
    if (column->without_zstd > 0) {
        column->without_zstd--;
        level = 0;
    }
    tk_numbers_encode(column->number, column->count, level, out);
    if (level != 0 && !tk_numbers_is_zstd((tk_str){out->ptr + at, out->len - at}))
        column->without_zstd = WITHOUT_ZSTD;
}

static void
encode_column(struct tk_group_writer *group, uint32_t c, uint32_t name_count, int level,
              struct tk_buf *out)
{
    struct tk_group_column *from = &group->columns[c];
    if (from->chunk_count > 0)
        tk_buf_append(out, from->chunk);
    else if (is_plain(group->schema, c))
        tk_texts_encode(from->text, from->count, level, out);
    else if (tk_told_of(TK_SEGMENT_VERSION, c) != TK_TOLD_BY_NAME)
        encode_numbers(from, level, out);
    else if (!tk_told_put_by_name(group->_names, name_count, from->number, from->count, level, out))
        out->status = TK_ERR_MEMORY;
}

/* The chunks, and what the head says of them. */
static void
encode_chunks(struct tk_group_writer *group, int level, struct tk_buf *head, struct tk_buf *chunks)
{
    const struct tk_group_column *name = &group->columns[TK_COLUMN_NAME];
    uint32_t name_count = 0, before = 0;
    TK_ASSERT(name->count == group->entry.row_count);
    if (!tk_told_names(name->number, name->text, name->count,
                       group->schema->columns[TK_COLUMN_NAME].column.distinct, group->_names,
                       &name_count)) {
        head->status = TK_ERR_MEMORY;
        return;
    }
    tell_by_trace(group);
    for (uint32_t c = 0; c < group->schema->column_count; c++) {
        struct tk_group_column *from = &group->columns[c];
        size_t at = chunks->len;
        if (is_left_out(group->schema, from, c))
            continue;
        encode_column(group, c, name_count, level, chunks);
        if (chunks->status != TK_OK)
            return;
        tk_str bytes = {chunks->ptr + at, chunks->len - at};
        struct tk_chunk chunk = {c, (uint32_t)bytes.len,
                                 from->chunk_count > 0 ? from->chunk_checksum
                                                       : (uint32_t)tk_hash_stable(bytes)};
        tk_group_head_put(&chunk, before, head);
        before = c;
    }
}

void
tk_group_writer_encode(struct tk_group_writer *group, int level, struct tk_buf *out)
{
    struct tk_buf *chunks = &group->_chunks;
    size_t begin = out->len;
    tk_buf_clear(chunks);
    encode_chunks(group, level, out, chunks);
    tk_str head = {out->ptr + begin, out->len - begin};
    if (out->status == TK_OK)
        out->status = chunks->status;
    if (out->status == TK_OK && head.len + chunks->len > UINT32_MAX)
        out->status = TK_ERR_LIMIT;
    if (out->status != TK_OK)
        return;
    group->entry.size = (uint32_t)(head.len + chunks->len);
    group->entry.head_size = (uint32_t)head.len;
    group->entry.checksum = tk_hash_stable(head);
    tk_buf_append(out, tk_buf_str(chunks));
}
