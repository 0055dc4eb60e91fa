/*
 * group - reading (group.h, docs/formats/segment.md, "Group").
 *
 * Everything that is decoded goes into the group's arena and is never changed again, so that
 * whoever got a pointer needs no lock; `lock` is held while something new is read.  All counts of a
 * column follow from other columns (how many rows, which shapes), so each is known, and checked,
 * before a column is decoded.
 */
#include "store/segment/group.h"

#include "base/assert.h"
#include "store/segment/group_head.h"
#include "store/segment/told.h"

#include <stdlib.h>

enum { ARENA_CHUNK = 16 << 10, OWNERS = TK_COLUMN_OF_LINK + 1 };
static const size_t ARENA_LIMIT = (size_t)1 << 32;

struct chunk {
    uint32_t column;
    uint32_t size;
    uint32_t checksum;
    uint64_t offset; /* from the begin of the group */
};

struct tk_group {
    struct tk_segment *segment;
    uint32_t number;
    const struct tk_group_entry *entry;
    struct tk_cache_item *schema_item;
    const struct tk_schema_view *schema;
    struct tk_cache_item *item; /* its own in the cache, or NULL */
    pthread_mutex_t lock;
    struct tk_arena arena;
    size_t counted; /* bytes that the cache knows of */
    char *bytes;    /* the whole group, or NULL */
    struct chunk *chunks;
    uint32_t chunk_count;
    struct tk_values fixed[TK_COLUMN_FIXED]; /* number and text NULL: not asked for yet */
    struct tk_values *values;                /* [chunk_count]; of attribute columns */
    const void *arrays[TK_GROUP_ARRAYS];
    uint32_t *attr_values[OWNERS]; /* [column_count]: values of the columns of this owner */
    struct tk_group_attrs attrs[OWNERS];
};

/* What columns hold that nobody wrote; enough for all but events and links. */
static const uint64_t zeroes[TK_GROUP_ROWS];
static const tk_str nothings[TK_GROUP_ROWS];

static enum tk_err
corrupt(struct tk_group *group, const char *why, struct tk_error *err)
{
    return tk_segment_corrupt(group->segment, group->entry->offset, "a group", why, err);
}

static enum tk_err
no_memory(struct tk_error *err)
{
    return tk_error_set(err, TK_ERR_MEMORY, "out of memory for a group");
}

/* `size` bytes at `offset` of the group; to be freed when *ret_own.  `checksum`: those bits of
   theirs that `mask` has. */
static enum tk_err
get_bytes(struct tk_group *group, uint64_t offset, uint64_t size, uint64_t checksum, uint64_t mask,
          const char **ret_bytes, char **ret_own, struct tk_error *err)
{
    *ret_own = NULL;
    if (group->bytes != NULL) {
        *ret_bytes = group->bytes + offset;
    } else {
        enum tk_err code =
            tk_segment_read(group->segment, group->entry->offset + offset, size, ret_own, err);
        if (code == TK_ERR_CORRUPT)
            return corrupt(group, "the disk cannot read it", err);
        if (code != TK_OK)
            return code;
        *ret_bytes = *ret_own;
    }
    if (tk_checksum_is(tk_hash_stable((tk_str){*ret_bytes, size}) & mask, checksum))
        return TK_OK;
    free(*ret_own);
    return corrupt(group, "wrong checksum", err);
}

static enum tk_err
read_head(struct tk_group *group, struct tk_error *err)
{
    const struct tk_group_entry *entry = group->entry;
    const char *bytes;
    char *own;
    enum tk_err code =
        get_bytes(group, 0, entry->head_size, entry->checksum, UINT64_MAX, &bytes, &own, err);
    if (code != TK_OK)
        return code;
    uint32_t most = entry->head_size / TK_CHUNK_HEAD_MIN, count = 0;
    uint64_t offset = entry->head_size;
    struct tk_reader in = {(const unsigned char *)bytes,
                           (const unsigned char *)bytes + entry->head_size, true};
    struct tk_chunk chunk, *before = NULL;
    group->chunks = tk_arena_alloc(&group->arena, most * sizeof *group->chunks + 1);
    group->values = tk_arena_zalloc(&group->arena, (size_t)most + 1, sizeof *group->values);
    if (group->chunks == NULL || group->values == NULL)
        code = no_memory(err);
    while (code == TK_OK && tk_reader_left(&in) > 0) {
        if (!tk_group_head_next(&in, group->segment->version, before, &chunk) ||
            chunk.column >= group->schema->column_count || chunk.size > entry->size - offset) {
            code = corrupt(group, "its head makes no sense", err);
            break;
        }
        group->chunks[count++] = (struct chunk){chunk.column, chunk.size, chunk.checksum, offset};
        offset += chunk.size;
        before = &chunk;
    }
    if (code == TK_OK && offset != entry->size)
        code = corrupt(group, "its head misses bytes", err);
    group->chunk_count = count;
    free(own);
    return code;
}

enum tk_err
tk_group_open(struct tk_segment *segment, uint32_t number, bool whole, struct tk_group **ret_group,
              struct tk_error *err)
{
    TK_ASSERT(number < segment->group_count);
    struct tk_group *group = calloc(1, sizeof *group);
    if (group == NULL)
        return no_memory(err);
    group->segment = segment;
    group->number = number;
    group->entry = &segment->groups[number];
    pthread_mutex_init(&group->lock, NULL);
    tk_arena_init(&group->arena, ARENA_CHUNK, ARENA_LIMIT);
    enum tk_err code = tk_segment_schema(segment, &group->schema_item, err);
    if (code == TK_OK)
        group->schema = group->schema_item->value;
    if (code == TK_OK && whole)
        code =
            tk_segment_read(segment, group->entry->offset, group->entry->size, &group->bytes, err);
    if (code == TK_ERR_CORRUPT && group->schema != NULL)
        code = TK_OK; /* then chunk by chunk, as far as they can be read */
    if (code == TK_OK)
        code = read_head(group, err);
    if (code != TK_OK)
        tk_group_close(group);
    else
        *ret_group = group;
    return code;
}

void
tk_group_close(struct tk_group *group)
{
    if (group == NULL)
        return;
    tk_cache_release(group->schema_item);
    for (int owner = 0; owner < OWNERS; owner++)
        free(group->attr_values[owner]);
    tk_arena_release(&group->arena);
    pthread_mutex_destroy(&group->lock);
    free(group->bytes);
    free(group);
}

static void
free_group(void *value)
{
    tk_group_close(value);
}

static size_t
memory_of(const struct tk_group *group)
{
    return sizeof *group + group->arena.used + (group->bytes != NULL ? group->entry->size : 0);
}

enum tk_err
tk_segment_group(struct tk_segment *segment, uint32_t number, bool whole,
                 struct tk_cache_item **ret_item, struct tk_error *err)
{
    struct tk_cache_key key = {segment->serial, TK_SEGMENT_KEY(TK_SEGMENT_GROUP, number)};
    struct tk_cache_item *item = tk_cache_get(segment->host->cache, key);
    if (item == NULL) {
        struct tk_group *group;
        enum tk_err code = tk_group_open(segment, number, whole, &group, err);
        if (code != TK_OK)
            return code;
        group->counted = memory_of(group);
        item = tk_cache_put(segment->host->cache, key, group, group->counted, free_group);
        if (item == NULL)
            return no_memory(err);
        pthread_mutex_lock(&group->lock);
        group->item = item;
        pthread_mutex_unlock(&group->lock);
    }
    *ret_item = item;
    return TK_OK;
}

const struct tk_group_entry *
tk_group_entry(const struct tk_group *group)
{
    return group->entry;
}

const struct tk_schema_view *
tk_group_schema(const struct tk_group *group)
{
    return group->schema;
}

/* NULL: the column has none. */
static const struct chunk *
find_chunk(const struct tk_group *group, uint32_t column)
{
    uint32_t low = 0, high = group->chunk_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (group->chunks[middle].column < column)
            low = middle + 1;
        else
            high = middle;
    }
    bool there = low < group->chunk_count && group->chunks[low].column == column;
    return there ? &group->chunks[low] : NULL;
}

/* From here on under the lock. */

static enum tk_err get_values(struct tk_group *group, uint32_t column, struct tk_values *ret_values,
                              struct tk_error *err);

static enum tk_err
count_equal(struct tk_group *group, uint32_t column, uint64_t wanted, uint32_t *ret_count,
            struct tk_error *err)
{
    struct tk_values values;
    enum tk_err code = get_values(group, column, &values, err);
    if (code != TK_OK)
        return code;
    *ret_count = 0;
    for (uint32_t i = 0; i < values.count; i++)
        *ret_count += values.number[i] == wanted;
    return TK_OK;
}

/* How many values a fixed column must have. */
static enum tk_err
count_fixed(struct tk_group *group, uint32_t column, uint32_t *ret_count, struct tk_error *err)
{
    switch (column) {
    case TK_COLUMN_PARENT_ID:
        return count_equal(group, TK_COLUMN_PARENT, 1, ret_count, err);
    case TK_COLUMN_OTHER:
        return count_equal(group, TK_COLUMN_SHAPE, 0, ret_count, err);
    case TK_COLUMN_EVENT_OTHER:
        return count_equal(group, TK_COLUMN_EVENT_SHAPE, 0, ret_count, err);
    case TK_COLUMN_LINK_OTHER:
        return count_equal(group, TK_COLUMN_LINK_SHAPE, 0, ret_count, err);
    default:
        *ret_count = column <= TK_COLUMN_TRACE_TOTAL ? group->entry->trace_count
                     : column < TK_COLUMN_EVENT_TIME ? group->entry->row_count
                     : column < TK_COLUMN_LINK_HIGH  ? group->entry->event_count
                                                     : group->entry->link_count;
        return TK_OK;
    }
}

static const uint32_t shape_column[OWNERS] = {[TK_COLUMN_OF_SPAN] = TK_COLUMN_SHAPE,
                                              [TK_COLUMN_OF_EVENT] = TK_COLUMN_EVENT_SHAPE,
                                              [TK_COLUMN_OF_LINK] = TK_COLUMN_LINK_SHAPE};

static bool
shape_fits(const struct tk_schema_view *schema, uint64_t number, enum tk_column_owner owner)
{
    if (number >= schema->shape_count)
        return false;
    const struct tk_shape *shape = &schema->shapes[number];
    return shape->count == 0 || schema->columns[shape->columns[0]].owner == owner;
}

/* How many values each attribute column of an owner has. */
static enum tk_err
count_attrs(struct tk_group *group, enum tk_column_owner owner, struct tk_error *err)
{
    const struct tk_schema_view *schema = group->schema;
    struct tk_values shapes;
    if (group->attr_values[owner] != NULL)
        return TK_OK;
    enum tk_err code = get_values(group, shape_column[owner], &shapes, err);
    if (code != TK_OK)
        return code;
    uint32_t *counts = calloc((size_t)schema->column_count + 1, sizeof *counts);
    uint32_t *used = calloc((size_t)schema->shape_count + 1, sizeof *used);
    if (counts == NULL || used == NULL)
        code = no_memory(err);
    for (uint32_t i = 0; i < shapes.count && code == TK_OK; i++)
        if (!shape_fits(schema, shapes.number[i], owner))
            code = corrupt(group, "a shape makes no sense", err);
        else
            used[shapes.number[i]]++;
    for (uint32_t s = 0; s < schema->shape_count && code == TK_OK; s++)
        for (uint32_t k = 0; used[s] > 0 && k < schema->shapes[s].count; k++)
            counts[schema->shapes[s].columns[k]] += used[s];
    free(used);
    if (code == TK_OK)
        group->attr_values[owner] = counts;
    else
        free(counts);
    return code;
}

static enum tk_err
count_values(struct tk_group *group, uint32_t column, uint32_t *ret_count, struct tk_error *err)
{
    if (column < TK_COLUMN_FIXED)
        return count_fixed(group, column, ret_count, err);
    enum tk_column_owner owner = group->schema->columns[column].owner;
    enum tk_err code = count_attrs(group, owner, err);
    if (code == TK_OK)
        *ret_count = group->attr_values[owner][column];
    return code;
}

/* Values [begin, begin + part->count) of the `count` that a column has, as far as its chunk tells
   them; by name: the names are made. */
static enum tk_err
decode_values(struct tk_group *group, uint32_t column, tk_str bytes, uint32_t count, uint32_t begin,
              struct tk_arena *arena, struct tk_values *part)
{
    const struct tk_column *of = &group->schema->columns[column];
    struct tk_values values = {.count = part->count};
    enum tk_err code;
    if (of->value_count == 0 && count > 0)
        return TK_ERR_CORRUPT; /* of an empty column: codes stand for nothing */
    if (of->kind == TK_COLUMN_PLAIN) {
        tk_str *texts = tk_arena_alloc(arena, (size_t)values.count * sizeof *texts + 1);
        if (texts == NULL)
            return TK_ERR_MEMORY;
        code = tk_texts_decode_part(&bytes, count, begin, values.count, TK_SEGMENT_PART_MAX, arena,
                                    texts);
        if (code == TK_OK && !tk_column_texts_ok(group->schema, column, texts, values.count))
            code = TK_ERR_CORRUPT;
        values.text = texts;
    } else {
        uint64_t *numbers = tk_arena_alloc(arena, (size_t)values.count * sizeof *numbers + 1);
        if (numbers == NULL)
            return TK_ERR_MEMORY;
        const uint32_t *names = group->arrays[TK_GROUP_NAMES];
        if (tk_told_of(group->segment->version, column) == TK_TOLD_BY_NAME)
            code = tk_told_get_by_name(&bytes, names, names[count], count, begin, values.count,
                                       numbers);
        else
            code = tk_numbers_decode_part(&bytes, count, begin, values.count, numbers);
        uint64_t beyond = 0; /* no way out of the loop: several at a time */
        for (uint32_t i = 0; code == TK_OK && of->distinct > 0 && i < values.count; i++)
            beyond |= (uint64_t)(numbers[i] >= of->distinct);
        if (beyond != 0)
            code = TK_ERR_CORRUPT;
        values.number = numbers;
    }
    if (code == TK_OK && bytes.len > 0)
        code = TK_ERR_CORRUPT;
    if (code == TK_OK)
        *part = values;
    return code;
}

/* A fixed column without a chunk. */
static enum tk_err
make_zeroes(struct tk_group *group, uint32_t count, struct tk_values *ret_values,
            struct tk_error *err)
{
    struct tk_values values = {count, zeroes, nothings};
    if (count > TK_GROUP_ROWS) {
        values.number = tk_arena_zalloc(&group->arena, count, sizeof *values.number);
        values.text = tk_arena_zalloc(&group->arena, count, sizeof *values.text);
        if (values.number == NULL || values.text == NULL)
            return no_memory(err);
    }
    *ret_values = values;
    return TK_OK;
}

static enum tk_err get_array(struct tk_group *group, enum tk_group_array what,
                             const void **ret_array, struct tk_error *err);

/* Values [begin, begin + part->count) of the `count` in a chunk. */
static enum tk_err
read_chunk(struct tk_group *group, const struct chunk *chunk, uint32_t count, uint32_t begin,
           struct tk_arena *arena, struct tk_values *part, struct tk_error *err)
{
    const char *bytes;
    const void *names;
    char *own;
    if (tk_told_of(group->segment->version, chunk->column) == TK_TOLD_BY_NAME) {
        enum tk_err told = get_array(group, TK_GROUP_NAMES, &names, err);
        if (told != TK_OK)
            return told;
    }
    enum tk_err code = get_bytes(group, chunk->offset, chunk->size, chunk->checksum, UINT32_MAX,
                                 &bytes, &own, err);
    if (code != TK_OK)
        return code;
    code = decode_values(group, chunk->column, (tk_str){bytes, chunk->size}, count, begin, arena,
                         part);
    free(own);
    if (code == TK_ERR_CORRUPT)
        return corrupt(group, "a column makes no sense", err);
    return code == TK_OK ? TK_OK : no_memory(err);
}

/* What tells columns beside the traces. */
static enum tk_err
get_traces(struct tk_group *group, uint32_t column, struct tk_told_traces *traces,
           struct tk_error *err)
{
    struct tk_values rows, before, other = {0};
    const void *row = NULL, *link = NULL;
    bool is_link = column == TK_COLUMN_LINK_HIGH || column == TK_COLUMN_LINK_LOW;
    uint32_t beside = column == TK_COLUMN_LINK_HIGH  ? TK_COLUMN_TRACE_HIGH
                      : column == TK_COLUMN_LINK_LOW ? TK_COLUMN_TRACE_LOW
                                                     : TK_COLUMN_TRACE_DURATION;
    enum tk_err code = get_array(group, TK_GROUP_TRACE_ROW, &row, err);
    if (code == TK_OK)
        code = get_values(group, TK_COLUMN_TRACE_ROWS, &rows, err);
    if (code == TK_OK)
        code = get_values(group, TK_COLUMN_TRACE_BEFORE, &before, err);
    if (code == TK_OK && column != TK_COLUMN_TRACE_TOTAL)
        code = get_values(group, beside, &other, err);
    if (code == TK_OK && is_link)
        code = get_array(group, TK_GROUP_LINK_BEGIN, &link, err);
    if (code == TK_OK)
        *traces = (struct tk_told_traces){.count = group->entry->trace_count,
                                          .row = row,
                                          .link = link,
                                          .rows = rows.number,
                                          .before = before.number,
                                          .duration = other.number,
                                          .id = other.number};
    return code;
}

/* Makes what traces tell part of the values [begin, begin + values->count) of a chunk, or of none
   (zeroes). */
static enum tk_err
add_traces(struct tk_group *group, uint32_t column, uint32_t begin, struct tk_arena *arena,
           struct tk_values *values, struct tk_error *err)
{
    struct tk_told_traces traces;
    enum tk_err code = get_traces(group, column, &traces, err);
    if (code != TK_OK)
        return code;
    size_t size = (size_t)values->count * sizeof(uint64_t);
    uint64_t *numbers = tk_arena_alloc(arena, size + 1);
    if (numbers == NULL)
        return no_memory(err);
    memcpy(numbers, values->number, size);
    tk_told_by_trace(&traces, column, begin, values->count, numbers);
    values->number = numbers;
    return TK_OK;
}

static enum tk_err
read_all(struct tk_group *group, const struct chunk *chunk, uint32_t count,
         struct tk_values *ret_values, struct tk_error *err)
{
    struct tk_values values = {.count = count};
    enum tk_err code = read_chunk(group, chunk, count, 0, &group->arena, &values, err);
    if (code == TK_OK)
        *ret_values = values;
    return code;
}

static enum tk_err
get_values(struct tk_group *group, uint32_t column, struct tk_values *ret_values,
           struct tk_error *err)
{
    const struct chunk *chunk = find_chunk(group, column);
    uint32_t count = 0;
    if (column >= TK_COLUMN_FIXED && chunk == NULL) {
        *ret_values = (struct tk_values){0};
        return TK_OK;
    }
    struct tk_values *values =
        column < TK_COLUMN_FIXED ? &group->fixed[column] : &group->values[chunk - group->chunks];
    enum tk_err code = TK_OK;
    if (values->number == NULL && values->text == NULL)
        code = count_values(group, column, &count, err);
    if (code == TK_OK && values->number == NULL && values->text == NULL) {
        struct tk_values made;
        code = chunk == NULL ? make_zeroes(group, count, &made, err)
                             : read_all(group, chunk, count, &made, err);
        if (code == TK_OK && tk_told_of(group->segment->version, column) == TK_TOLD_BY_TRACE)
            code = add_traces(group, column, 0, &group->arena, &made, err);
        if (code == TK_OK)
            *values = made;
    }
    if (code == TK_OK)
        *ret_values = *values;
    return code;
}

/* Prefix sums of counts that add up to `total`, each at least `least`. */
static enum tk_err
sum_up(struct tk_group *group, uint32_t column, uint32_t total, uint64_t least, void *array,
       struct tk_error *err)
{
    struct tk_values counts;
    uint32_t *begin = array;
    uint64_t sum = 0;
    enum tk_err code = get_values(group, column, &counts, err);
    for (uint32_t i = 0; code == TK_OK && i < counts.count; i++) {
        begin[i] = (uint32_t)sum;
        if (counts.number[i] < least || counts.number[i] > total - sum)
            return corrupt(group, "counts do not add up", err);
        sum += counts.number[i];
    }
    if (code != TK_OK)
        return code;
    begin[counts.count] = (uint32_t)sum;
    return sum == total ? TK_OK : corrupt(group, "counts do not add up", err);
}

static enum tk_err
make_names(struct tk_group *group, uint32_t *names, struct tk_error *err)
{
    struct tk_values values;
    const struct tk_column *column = &group->schema->columns[TK_COLUMN_NAME];
    enum tk_err code = get_values(group, TK_COLUMN_NAME, &values, err);
    if (code != TK_OK)
        return code;
    bool plain = column->kind == TK_COLUMN_PLAIN;
    bool ok = tk_told_names(plain ? NULL : values.number, values.text, values.count,
                            column->distinct, names, &names[values.count]);
    return ok ? TK_OK : no_memory(err);
}

static enum tk_err
make_starts(struct tk_group *group, uint64_t *starts, struct tk_error *err)
{
    struct tk_values trace_start, start, duration;
    const void *array;
    enum tk_err code = get_array(group, TK_GROUP_TRACE_ROW, &array, err);
    if (code == TK_OK)
        code = get_values(group, TK_COLUMN_TRACE_START, &trace_start, err);
    if (code == TK_OK)
        code = get_values(group, TK_COLUMN_START, &start, err);
    if (code == TK_OK)
        code = get_values(group, TK_COLUMN_DURATION, &duration, err);
    const uint32_t *trace_row = array;
    for (uint32_t t = 0; code == TK_OK && t < trace_start.count; t++) {
        uint64_t before = trace_start.number[t];
        for (uint32_t row = trace_row[t]; row < trace_row[t + 1]; row++) {
            starts[row] = before + start.number[row];
            if (starts[row] < before || starts[row] == 0 || starts[row] > INT64_MAX ||
                duration.number[row] > INT64_MAX - starts[row])
                return corrupt(group, "a time makes no sense", err);
            before = starts[row];
        }
    }
    return code;
}

static enum tk_err
get_array(struct tk_group *group, enum tk_group_array what, const void **ret_array,
          struct tk_error *err)
{
    const struct tk_group_entry *entry = group->entry;
    enum tk_err code = TK_OK;
    if (group->arrays[what] == NULL) {
        void *array =
            tk_arena_alloc(&group->arena, ((size_t)entry->row_count + 1) * sizeof(uint64_t));
        if (array == NULL)
            return no_memory(err);
        switch (what) {
        case TK_GROUP_TRACE_ROW:
            code = sum_up(group, TK_COLUMN_TRACE_ROWS, entry->row_count, 1, array, err);
            break;
        case TK_GROUP_EVENT_BEGIN:
            code = sum_up(group, TK_COLUMN_EVENTS, entry->event_count, 0, array, err);
            break;
        case TK_GROUP_LINK_BEGIN:
            code = sum_up(group, TK_COLUMN_LINKS, entry->link_count, 0, array, err);
            break;
        case TK_GROUP_NAMES:
            code = make_names(group, array, err);
            break;
        default:
            code = make_starts(group, array, err);
        }
        if (code != TK_OK)
            return code;
        group->arrays[what] = array;
    }
    *ret_array = group->arrays[what];
    return TK_OK;
}

/* How many values each column has of the owners before `first`. */
static void
count_before(const struct tk_schema_view *schema, const uint64_t *shapes, uint32_t first,
             uint32_t *used, uint32_t *next)
{
    for (uint32_t i = 0; i < first; i++)
        used[shapes[i]]++;
    for (uint32_t s = 0; first > 0 && s < schema->shape_count; s++)
        for (uint32_t k = 0; used[s] > 0 && k < schema->shapes[s].count; k++)
            next[schema->shapes[s].columns[k]] += used[s];
}

/* Of owners [first, first + count). */
static enum tk_err
make_attrs(struct tk_group *group, enum tk_column_owner owner, uint32_t first, uint32_t count,
           struct tk_arena *arena, struct tk_group_attrs *attrs, struct tk_error *err)
{
    const struct tk_schema_view *schema = group->schema;
    struct tk_values shapes;
    uint32_t total = 0;
    enum tk_err code = count_attrs(group, owner, err);
    if (code == TK_OK)
        code = get_values(group, shape_column[owner], &shapes, err);
    if (code != TK_OK)
        return code;
    TK_ASSERT(first <= shapes.count && count <= shapes.count - first);
    size_t tallies = (size_t)schema->column_count + schema->shape_count + 1;
    uint32_t *next = calloc(tallies, sizeof *next); /* by column; behind them: used, by shape */
    uint32_t *shape = tk_arena_alloc(arena, (size_t)count * sizeof *shape + 1);
    uint32_t *begin = tk_arena_alloc(arena, ((size_t)count + 1) * sizeof *begin);
    for (uint32_t i = 0; begin != NULL && i < count; i++) {
        uint64_t of = shapes.number[first + i];
        begin[i] = total;
        total += of == 0 ? 1 : schema->shapes[of].count;
        begin[i + 1] = total;
    }
    uint32_t *at = tk_arena_alloc(arena, (size_t)total * sizeof *at + 1);
    if (next == NULL || shape == NULL || begin == NULL || at == NULL) {
        free(next);
        return no_memory(err);
    }
    begin[0] = 0;
    uint32_t *used = next + schema->column_count;
    count_before(schema, shapes.number, first, used, next);
    uint32_t other = used[0];
    for (uint32_t i = 0, k = 0; i < count; i++) {
        shape[i] = (uint32_t)shapes.number[first + i];
        const struct tk_shape *of = &schema->shapes[shape[i]];
        if (shape[i] == 0)
            at[k++] = other++;
        for (uint32_t c = 0; c < of->count; c++)
            at[k++] = next[of->columns[c]]++;
    }
    free(next);
    *attrs = (struct tk_group_attrs){shape, begin, at};
    return TK_OK;
}

static void
unlock(struct tk_group *group)
{
    size_t memory = memory_of(group);
    if (group->item != NULL && memory > group->counted) {
        tk_cache_grow(group->item, memory - group->counted);
        group->counted = memory;
    }
    pthread_mutex_unlock(&group->lock);
}

enum tk_err
tk_group_values(struct tk_group *group, uint32_t column, struct tk_values *ret_values,
                struct tk_error *err)
{
    TK_ASSERT(column < group->schema->column_count);
    pthread_mutex_lock(&group->lock);
    enum tk_err code = get_values(group, column, ret_values, err);
    unlock(group);
    return code;
}

/* Was all of it asked for before? */
static bool
is_made(const struct tk_group *group, const struct chunk *chunk)
{
    const struct tk_values *values = chunk->column < TK_COLUMN_FIXED
                                         ? &group->fixed[chunk->column]
                                         : &group->values[chunk - group->chunks];
    return values->number != NULL || values->text != NULL;
}

/* Out of a column that is made; *part says how many. */
static enum tk_err
cut_values(struct tk_group *group, uint32_t column, uint32_t begin, struct tk_values *part,
           struct tk_error *err)
{
    struct tk_values all;
    enum tk_err code = get_values(group, column, &all, err);
    if (code != TK_OK)
        return code;
    begin = begin < all.count ? begin : all.count;
    part->count = part->count < all.count - begin ? part->count : all.count - begin;
    part->number = all.number != NULL ? all.number + begin : NULL;
    part->text = all.text != NULL ? all.text + begin : NULL;
    return TK_OK;
}

enum tk_err
tk_group_part(struct tk_group *group, uint32_t column, uint32_t begin, uint32_t count,
              struct tk_arena *arena, struct tk_values *ret_values, struct tk_error *err)
{
    struct tk_values part = {.count = count};
    uint32_t total = 0;
    enum tk_err code;
    pthread_mutex_lock(&group->lock);
    const struct chunk *chunk = find_chunk(group, column);
    if (chunk == NULL || is_made(group, chunk)) {
        code = cut_values(group, column, begin, &part, err);
    } else {
        code = count_values(group, column, &total, err);
        begin = begin < total ? begin : total;
        part.count = count < total - begin ? count : total - begin;
        if (code == TK_OK)
            code = read_chunk(group, chunk, total, begin, arena, &part, err);
        if (code == TK_OK && tk_told_of(group->segment->version, column) == TK_TOLD_BY_TRACE)
            code = add_traces(group, column, begin, arena, &part, err);
    }
    unlock(group);
    if (code == TK_OK)
        *ret_values = part;
    return code;
}

enum tk_err
tk_group_chunk(struct tk_group *group, uint32_t column, tk_str *ret_chunk, uint32_t *ret_checksum,
               struct tk_error *err)
{
    const struct chunk *chunk = find_chunk(group, column);
    const char *bytes;
    char *own;
    *ret_chunk = TK_STR_NONE;
    *ret_checksum = 0;
    if (chunk == NULL)
        return TK_OK;
    if (group->bytes == NULL) /* it could not be read at once: something of it is damaged */
        return corrupt(group, "the disk cannot read it", err);
    enum tk_err code = get_bytes(group, chunk->offset, chunk->size, chunk->checksum, UINT32_MAX,
                                 &bytes, &own, err);
    if (code != TK_OK)
        return code;
    *ret_chunk = (tk_str){bytes, chunk->size};
    *ret_checksum = chunk->checksum;
    return TK_OK;
}

enum tk_err
tk_group_array(struct tk_group *group, enum tk_group_array what, const void **ret_array,
               struct tk_error *err)
{
    pthread_mutex_lock(&group->lock);
    enum tk_err code = get_array(group, what, ret_array, err);
    unlock(group);
    return code;
}

enum tk_err
tk_group_attrs(struct tk_group *group, enum tk_column_owner owner, struct tk_group_attrs *ret_attrs,
               struct tk_error *err)
{
    uint32_t count = owner == TK_COLUMN_OF_SPAN    ? group->entry->row_count
                     : owner == TK_COLUMN_OF_EVENT ? group->entry->event_count
                                                   : group->entry->link_count;
    enum tk_err code = TK_OK;
    pthread_mutex_lock(&group->lock);
    if (group->attrs[owner].begin == NULL)
        code = make_attrs(group, owner, 0, count, &group->arena, &group->attrs[owner], err);
    if (code == TK_OK)
        *ret_attrs = group->attrs[owner];
    unlock(group);
    return code;
}

enum tk_err
tk_group_attrs_part(struct tk_group *group, uint32_t first, uint32_t count, struct tk_arena *arena,
                    struct tk_group_attrs *ret_attrs, struct tk_error *err)
{
    pthread_mutex_lock(&group->lock);
    enum tk_err code = make_attrs(group, TK_COLUMN_OF_SPAN, first, count, arena, ret_attrs, err);
    unlock(group);
    return code;
}
