/*
 * schema_build - see schema_build.h.
 *
 * Shapes do most of the work: a batch says which of its spans have the same keys with the same
 * types, such a shape is looked up once a batch, and from then on each attribute knows its column.
 */
#include "store/segment/schema_build.h"

#include "base/assert.h"
#include "wire/otlp.h"

#include <stdlib.h>

enum {
    COLUMN_SLOTS = 2 * TK_COLUMNS_MAX,
    ARENA_CHUNK = 1 << 16,
    RESOURCES_MAX = 1 << 24,
    NO_COLUMNS = 0, /* the shape of what has none */
};

#define SPREAD 0x9E3779B97F4A7C15u

struct tk_build_column {
    uint8_t owner, type;
    tk_str key;
    uint64_t hash;     /* of its key */
    uint32_t in_shape; /* the shape that is being made + 1: it has this column already */
    struct tk_dictionary_builder dictionary;
};

struct tk_build_shape {
    uint64_t hash;
    uint32_t *columns; /* [count] */
    uint32_t count;
    uint8_t owner;
};

/* ---- columns ----------------------------------------------------------------------------------
 */

static enum tk_err
add_column(struct tk_schema_builder *builder, uint8_t owner, uint8_t type, tk_str key,
           uint64_t hash)
{
    if (builder->_column_count == builder->_column_capacity) {
        uint32_t capacity = builder->_column_capacity > 0 ? builder->_column_capacity * 2 : 128;
        struct tk_build_column *columns = realloc(builder->_columns, capacity * sizeof *columns);
        if (columns == NULL)
            return TK_ERR_MEMORY;
        builder->_columns = columns;
        builder->_column_capacity = capacity;
    }
    struct tk_build_column *column = &builder->_columns[builder->_column_count++];
    *column = (struct tk_build_column){.owner = owner, .type = type, .key = key, .hash = hash};
    tk_dictionary_init(&column->dictionary, !tk_type_is_text(type));
    return TK_OK;
}

static uint32_t
column_slot(uint8_t owner, uint8_t type, uint64_t hash)
{
    return (uint32_t)((hash ^ (uint64_t)(owner * 8 + type)) * SPREAD >> 32) & (COLUMN_SLOTS - 1);
}

/* The column of a key; TK_ERR_LIMIT: there are too many. */
static enum tk_err
find_column(struct tk_schema_builder *builder, uint8_t owner, uint8_t type, tk_str key,
            uint64_t hash, uint32_t *ret_column)
{
    uint32_t *slots = builder->_column_slots, at = column_slot(owner, type, hash);
    for (; slots[at] != 0; at = (at + 1) & (COLUMN_SLOTS - 1)) {
        const struct tk_build_column *column = &builder->_columns[slots[at]];
        if (column->hash == hash && column->owner == owner && column->type == type &&
            tk_str_eq(column->key, key)) {
            *ret_column = slots[at];
            return TK_OK;
        }
    }
    if (builder->_column_count == TK_COLUMNS_MAX)
        return TK_ERR_LIMIT;
    enum tk_err code = add_column(builder, owner, type, key, hash);
    if (code == TK_OK)
        slots[at] = *ret_column = builder->_column_count - 1;
    return code;
}

static enum tk_err
add_fixed_columns(struct tk_schema_builder *builder)
{
    enum tk_err code = TK_OK;
    for (uint32_t c = 0; c < TK_COLUMN_FIXED && code == TK_OK; c++) {
        bool text = c == TK_COLUMN_NAME || c == TK_COLUMN_TRACE_STATE ||
                    c == TK_COLUMN_STATUS_MESSAGE || c == TK_COLUMN_EVENT_NAME ||
                    c == TK_COLUMN_LINK_STATE || c == TK_COLUMN_OTHER ||
                    c == TK_COLUMN_EVENT_OTHER || c == TK_COLUMN_LINK_OTHER;
        code = add_column(builder, TK_COLUMN_OF_ALL, text ? TK_VALUE_STRING : TK_VALUE_INT,
                          TK_STR_NONE, 0);
        bool codes = (c >= TK_COLUMN_NAME && c <= TK_COLUMN_KIND) || c == TK_COLUMN_EVENT_NAME ||
                     c == TK_COLUMN_LINK_STATE;
        if (code == TK_OK && !codes)
            builder->_columns[c].dictionary.gave_up = true;
    }
    return code;
}

/* ---- shapes -----------------------------------------------------------------------------------
 */

static uint64_t
hash_shape(const struct tk_batch *batch, struct tk_range attrs, uint8_t owner)
{
    uint64_t hash = attrs.count * 4 + owner;
    for (uint32_t i = attrs.begin; i < attrs.begin + attrs.count; i++) {
        uint64_t key = tk_intern_hash(&batch->keys, batch->attr_key[i]);
        hash = (hash ^ (key + batch->attr_value[i].type)) * SPREAD;
        hash ^= hash >> 29;
    }
    return hash;
}

static bool
is_shape_of(const struct tk_schema_builder *builder, const struct tk_build_shape *shape,
            const struct tk_batch *batch, struct tk_range attrs, uint8_t owner)
{
    if (shape->count != attrs.count || shape->owner != owner)
        return false;
    for (uint32_t i = 0; i < attrs.count; i++) {
        const struct tk_build_column *column = &builder->_columns[shape->columns[i]];
        uint32_t attr = attrs.begin + i;
        if (column->type != batch->attr_value[attr].type ||
            !tk_str_eq(column->key, batch->keys.strings[batch->attr_key[attr]]))
            return false;
    }
    return true;
}

static enum tk_err
grow_shapes(struct tk_schema_builder *builder)
{
    uint32_t capacity = builder->_shape_capacity > 0 ? builder->_shape_capacity * 2 : 64;
    struct tk_build_shape *shapes = realloc(builder->_shapes, capacity * sizeof *shapes);
    if (shapes == NULL)
        return TK_ERR_MEMORY;
    builder->_shapes = shapes;
    builder->_shape_capacity = capacity;
    uint32_t slot_count = capacity * 2;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL)
        return TK_ERR_MEMORY;
    for (uint32_t i = 1; i < builder->_shape_count; i++) {
        uint32_t at = (uint32_t)(shapes[i].hash >> 32) & (slot_count - 1);
        while (slots[at] != 0)
            at = (at + 1) & (slot_count - 1);
        slots[at] = i;
    }
    free(builder->_shape_slots);
    builder->_shape_slots = slots;
    builder->_shape_slot_count = slot_count;
    return TK_OK;
}

/* The columns of a shape that is new; TK_ERR_LIMIT: it cannot have any. */
static enum tk_err
find_columns(struct tk_schema_builder *builder, const struct tk_batch *batch, struct tk_range attrs,
             uint8_t owner, uint32_t *columns)
{
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < attrs.count && code == TK_OK; i++) {
        uint32_t key = batch->attr_key[attrs.begin + i];
        code =
            find_column(builder, owner, batch->attr_value[attrs.begin + i].type,
                        batch->keys.strings[key], tk_intern_hash(&batch->keys, key), &columns[i]);
        if (code != TK_OK)
            break;
        struct tk_build_column *column = &builder->_columns[columns[i]];
        if (column->in_shape == builder->_shape_count + 1)
            code = TK_ERR_LIMIT; /* a key twice */
        column->in_shape = builder->_shape_count + 1;
    }
    for (uint32_t i = 0; code == TK_ERR_LIMIT && i < builder->_column_count; i++)
        if (builder->_columns[i].in_shape == builder->_shape_count + 1)
            builder->_columns[i].in_shape = 0; /* the number will be another one's */
    return code;
}

static enum tk_err
find_shape(struct tk_schema_builder *builder, const struct tk_batch *batch, struct tk_range attrs,
           uint8_t owner, uint32_t *ret_shape)
{
    uint64_t hash = hash_shape(batch, attrs, owner);
    uint32_t mask = builder->_shape_slot_count - 1, at = (uint32_t)(hash >> 32) & mask;
    for (; builder->_shape_slots[at] != 0; at = (at + 1) & mask) {
        const struct tk_build_shape *shape = &builder->_shapes[builder->_shape_slots[at]];
        if (shape->hash == hash && is_shape_of(builder, shape, batch, attrs, owner)) {
            *ret_shape = builder->_shape_slots[at];
            return TK_OK;
        }
    }
    *ret_shape = NO_COLUMNS;
    if (builder->_shape_count == TK_SHAPES_MAX || attrs.count > TK_COLUMNS_MAX)
        return TK_OK;
    uint32_t *columns = tk_arena_alloc(&builder->_arena, (attrs.count + 1) * sizeof *columns);
    if (columns == NULL)
        return TK_ERR_MEMORY;
    enum tk_err code = find_columns(builder, batch, attrs, owner, columns);
    if (code == TK_ERR_LIMIT)
        return TK_OK;
    if (code == TK_OK && builder->_shape_count == builder->_shape_capacity) {
        code = grow_shapes(builder);
        mask = builder->_shape_slot_count - 1;
        for (at = (uint32_t)(hash >> 32) & mask; code == TK_OK && builder->_shape_slots[at] != 0;)
            at = (at + 1) & mask;
    }
    if (code != TK_OK)
        return code;
    builder->_shapes[builder->_shape_count] =
        (struct tk_build_shape){hash, columns, attrs.count, owner};
    *ret_shape = builder->_shape_slots[at] = builder->_shape_count++;
    return TK_OK;
}

/* ---- batches ----------------------------------------------------------------------------------
 */

void
tk_schema_builder_init(struct tk_schema_builder *builder)
{
    *builder = (struct tk_schema_builder){0};
    tk_intern_init(&builder->_resources, RESOURCES_MAX);
    tk_intern_init(&builder->_scopes, RESOURCES_MAX);
    tk_buf_init(&builder->_bytes, SIZE_MAX / 2);
    tk_arena_init(&builder->_arena, ARENA_CHUNK, SIZE_MAX / 2);
}

void
tk_schema_builder_release(struct tk_schema_builder *builder)
{
    for (uint32_t i = 0; i < builder->_column_count; i++)
        tk_dictionary_release(&builder->_columns[i].dictionary);
    for (uint32_t i = 0; i < builder->batch_count; i++)
        free(builder->codes[i].packed); /* one block, of which it is the first */
    free(builder->schema.columns);
    free(builder->schema.shapes);
    free(builder->emit);
    free(builder->codes);
    free(builder->_columns);
    free(builder->_column_slots);
    free(builder->_shapes);
    free(builder->_shape_slots);
    tk_intern_release(&builder->_resources);
    tk_intern_release(&builder->_scopes);
    tk_buf_release(&builder->_bytes);
    tk_arena_release(&builder->_arena);
    *builder = (struct tk_schema_builder){0};
}

/* What a builder needs before its first batch. */
static enum tk_err
begin(struct tk_schema_builder *builder)
{
    builder->_column_slots = calloc(COLUMN_SLOTS, sizeof *builder->_column_slots);
    if (builder->_column_slots == NULL)
        return TK_ERR_MEMORY;
    enum tk_err code = grow_shapes(builder);
    if (code == TK_OK)
        builder->_shapes[builder->_shape_count++] = (struct tk_build_shape){0};
    return code == TK_OK ? add_fixed_columns(builder) : code;
}

/* 8-byte words of a packed span. */
static size_t
packed_words(uint32_t attr_count)
{
    return (sizeof(struct tk_packed_span) + attr_count * sizeof(uint32_t) + 7) / 8;
}

static bool
allocate_codes(struct tk_batch_codes *codes, const struct tk_batch *batch)
{
    size_t spans = batch->span_count, events = batch->event_count, links = batch->link_count;
    size_t words = 0, others = events + links > 0 ? batch->attr_count : 0;
    for (uint32_t row = 0; row < batch->span_count; row++)
        words += packed_words(batch->attrs[row].count);
    size_t rest =
        spans + others + batch->resource_count + batch->scope_count + events * 2 + links * 2;
    if (words > UINT32_MAX)
        return false;
    codes->packed = malloc(words * sizeof *codes->packed + (rest + 1) * sizeof(uint32_t));
    if (codes->packed == NULL)
        return false;
    uint32_t *at = (uint32_t *)(codes->packed + words);
    codes->span = at;
    codes->attr = at += spans;
    codes->resource = at += others;
    codes->scope = at += batch->resource_count;
    codes->event_shape = at += batch->scope_count;
    codes->event_name = at += events;
    codes->link_shape = at += events;
    codes->link_trace_state = at + links;
    memset(codes->resource, 0,
           ((size_t)batch->resource_count + batch->scope_count) * sizeof *codes->resource);
    return true;
}

/* Codes of attributes, [attrs.count]. */
static enum tk_err
add_attrs(struct tk_schema_builder *builder, const struct tk_batch *batch, struct tk_range attrs,
          uint32_t shape, uint32_t *codes)
{
    const uint32_t *columns = builder->_shapes[shape].columns;
    enum tk_err code = TK_OK;
    if (shape == NO_COLUMNS)
        return TK_OK;
    for (uint32_t i = 0; i < attrs.count && code == TK_OK; i++) {
        struct tk_value value = batch->attr_value[attrs.begin + i];
        struct tk_dictionary_builder *dictionary = &builder->_columns[columns[i]].dictionary;
        if (dictionary->gave_up)
            continue;
        code = tk_type_is_text(value.type)
                   ? tk_dictionary_text(dictionary, tk_value_str(value), &codes[i])
                   : tk_dictionary_number(dictionary, tk_value_number(value), &codes[i]);
    }
    return code;
}

static enum tk_err
add_text(struct tk_schema_builder *builder, uint32_t column, tk_str text, uint32_t *ret_code)
{
    return tk_dictionary_text(&builder->_columns[column].dictionary, text, ret_code);
}

static enum tk_err
add_number(struct tk_schema_builder *builder, uint32_t column, int32_t number, uint32_t *ret_code)
{
    return tk_dictionary_number(&builder->_columns[column].dictionary, tk_zigzag(number), ret_code);
}

static enum tk_err
add_events_and_links(struct tk_schema_builder *builder, const struct tk_batch *batch, uint32_t row,
                     const struct tk_batch_codes *codes)
{
    struct tk_range events = batch->events[row], links = batch->links[row];
    enum tk_err code = TK_OK;
    for (uint32_t i = events.begin; i < events.begin + events.count && code == TK_OK; i++) {
        struct tk_range attrs = batch->event[i].attrs;
        code = find_shape(builder, batch, attrs, TK_COLUMN_OF_EVENT, &codes->event_shape[i]);
        if (code == TK_OK)
            code =
                add_attrs(builder, batch, attrs, codes->event_shape[i], codes->attr + attrs.begin);
        if (code == TK_OK)
            code = add_text(builder, TK_COLUMN_EVENT_NAME, batch->event[i].name,
                            &codes->event_name[i]);
    }
    for (uint32_t i = links.begin; i < links.begin + links.count && code == TK_OK; i++) {
        struct tk_range attrs = batch->link[i].attrs;
        code = find_shape(builder, batch, attrs, TK_COLUMN_OF_LINK, &codes->link_shape[i]);
        if (code == TK_OK)
            code =
                add_attrs(builder, batch, attrs, codes->link_shape[i], codes->attr + attrs.begin);
        if (code == TK_OK)
            code = add_text(builder, TK_COLUMN_LINK_STATE, batch->link[i].trace_state,
                            &codes->link_trace_state[i]);
    }
    return code;
}

/* The number + 1 of a resource or scope that says the same. */
static enum tk_err
add_message(struct tk_schema_builder *builder, struct tk_intern *messages, uint32_t *ret_number)
{
    uint32_t number;
    if (builder->_bytes.status != TK_OK)
        return builder->_bytes.status;
    enum tk_err code =
        tk_intern_copy(messages, &builder->_arena, tk_buf_str(&builder->_bytes), &number);
    if (code == TK_OK)
        *ret_number = number + 1;
    return code;
}

static enum tk_err
add_resource_and_scope(struct tk_schema_builder *builder, const struct tk_batch *batch,
                       uint32_t row, const struct tk_batch_codes *codes)
{
    uint32_t resource = batch->resource[row], scope = batch->scope[row];
    enum tk_err code = TK_OK;
    if (codes->resource[resource] == 0) {
        tk_buf_clear(&builder->_bytes);
        tk_otlp_resource_encode(batch, resource, &builder->_bytes);
        code = add_message(builder, &builder->_resources, &codes->resource[resource]);
    }
    if (code == TK_OK && codes->scope[scope] == 0) {
        tk_buf_clear(&builder->_bytes);
        tk_otlp_scope_encode(batch, scope, &builder->_bytes);
        code = add_message(builder, &builder->_scopes, &codes->scope[scope]);
    }
    return code;
}

static inline uint32_t *
fixed_of(struct tk_packed_span *packed, uint32_t column)
{
    return &packed->fixed[column - TK_COLUMN_NAME];
}

/* What of a packed span is neither a code nor an attribute. */
static void
pack_numbers(const struct tk_batch *batch, uint32_t row, struct tk_packed_span *packed)
{
    packed->span_id = batch->span_id[row];
    packed->parent_id = batch->parent_id[row];
    packed->start_nano = batch->start_nano[row];
    packed->attrs = batch->attrs[row];
    packed->duration_nano = batch->end_nano[row] - batch->start_nano[row];
    *fixed_of(packed, TK_COLUMN_FLAGS) = batch->flags[row];
    *fixed_of(packed, TK_COLUMN_DROPPED_ATTRS) = batch->dropped_attrs[row];
    *fixed_of(packed, TK_COLUMN_DROPPED_EVENTS) = batch->dropped_events[row];
    *fixed_of(packed, TK_COLUMN_DROPPED_LINKS) = batch->dropped_links[row];
    *fixed_of(packed, TK_COLUMN_EVENTS) = batch->events[row].count;
    *fixed_of(packed, TK_COLUMN_LINKS) = batch->links[row].count;
}

static enum tk_err
add_row(struct tk_schema_builder *builder, const struct tk_batch *batch, uint32_t row,
        uint32_t shape, const struct tk_batch_codes *codes)
{
    struct tk_packed_span *packed = (void *)(codes->packed + codes->span[row]);
    pack_numbers(batch, row, packed);
    *fixed_of(packed, TK_COLUMN_SHAPE) = shape;
    enum tk_err code = add_attrs(builder, batch, batch->attrs[row], shape, packed->attr_code);
    if (code == TK_OK)
        code =
            add_text(builder, TK_COLUMN_NAME, batch->name[row], fixed_of(packed, TK_COLUMN_NAME));
    if (code == TK_OK)
        code = add_text(builder, TK_COLUMN_TRACE_STATE, batch->trace_state[row],
                        fixed_of(packed, TK_COLUMN_TRACE_STATE));
    if (code == TK_OK)
        code = add_text(builder, TK_COLUMN_STATUS_MESSAGE, batch->status_message[row],
                        fixed_of(packed, TK_COLUMN_STATUS_MESSAGE));
    if (code == TK_OK)
        code = add_number(builder, TK_COLUMN_STATUS, batch->status[row],
                          fixed_of(packed, TK_COLUMN_STATUS));
    if (code == TK_OK)
        code =
            add_number(builder, TK_COLUMN_KIND, batch->kind[row], fixed_of(packed, TK_COLUMN_KIND));
    if (code == TK_OK)
        code = add_resource_and_scope(builder, batch, row, codes);
    *fixed_of(packed, TK_COLUMN_RESOURCE) = codes->resource[batch->resource[row]] - 1;
    *fixed_of(packed, TK_COLUMN_SCOPE) = codes->scope[batch->scope[row]] - 1;
    if (code == TK_OK && batch->events[row].count + batch->links[row].count > 0)
        code = add_events_and_links(builder, batch, row, codes);
    return code;
}

/* The shapes of the batch's own shapes; NULL in *ret_map: it has none. */
static enum tk_err
map_shapes(struct tk_schema_builder *builder, const struct tk_batch *batch, uint32_t **ret_map)
{
    enum tk_err code = TK_OK;
    *ret_map = NULL;
    if (batch->shape == NULL)
        return TK_OK;
    uint32_t *map = malloc(((size_t)batch->shape_count + 1) * sizeof *map);
    if (map == NULL)
        return TK_ERR_MEMORY;
    for (uint32_t i = 0; i < batch->shape_count && code == TK_OK; i++)
        code = find_shape(builder, batch, batch->shapes[i], TK_COLUMN_OF_SPAN, &map[i]);
    *ret_map = map;
    return code;
}

static enum tk_err
add_rows(struct tk_schema_builder *builder, const struct tk_batch *batch,
         const struct tk_batch_codes *codes)
{
    uint32_t *map, shape = NO_COLUMNS;
    size_t at = 0;
    enum tk_err code = map_shapes(builder, batch, &map);
    for (uint32_t row = 0; row < batch->span_count && code == TK_OK; row++) {
        codes->span[row] = (uint32_t)at;
        at += packed_words(batch->attrs[row].count);
        if (map != NULL)
            shape = map[batch->shape[row]];
        else
            code = find_shape(builder, batch, batch->attrs[row], TK_COLUMN_OF_SPAN, &shape);
        if (code == TK_OK)
            code = add_row(builder, batch, row, shape, codes);
    }
    free(map);
    return code;
}

enum tk_err
tk_schema_builder_add(struct tk_schema_builder *builder, const struct tk_batch *batch)
{
    enum tk_err code = TK_OK;
    if (builder->_column_count == 0)
        code = begin(builder);
    if (code == TK_OK && builder->batch_count == builder->_batch_capacity) {
        uint32_t capacity = builder->_batch_capacity > 0 ? builder->_batch_capacity * 2 : 64;
        struct tk_batch_codes *codes = realloc(builder->codes, capacity * sizeof *codes);
        if (codes == NULL)
            return TK_ERR_MEMORY;
        builder->codes = codes;
        builder->_batch_capacity = capacity;
    }
    if (code != TK_OK || !allocate_codes(&builder->codes[builder->batch_count], batch))
        return TK_ERR_MEMORY;
    return add_rows(builder, batch, &builder->codes[builder->batch_count++]);
}

/* ---- the schema -------------------------------------------------------------------------------
 */

static enum tk_err
finish_column(struct tk_schema_builder *builder, uint32_t c)
{
    struct tk_build_column *from = &builder->_columns[c];
    struct tk_schema_column *to = &builder->schema.columns[c];
    to->column.owner = from->owner;
    to->column.type = from->type;
    to->column.key = from->key;
    to->column.kind = tk_type_is_text(from->type) ? TK_COLUMN_PLAIN : TK_COLUMN_NUMBERS;
    builder->emit[c] = (struct tk_column_emit){NULL, to->column.kind == TK_COLUMN_PLAIN};
    if (c == TK_COLUMN_RESOURCE || c == TK_COLUMN_SCOPE) {
        to->column.kind = TK_COLUMN_DICTIONARY;
        to->column.distinct =
            c == TK_COLUMN_RESOURCE ? builder->_resources.count : builder->_scopes.count;
        return TK_OK;
    }
    if (from->dictionary.gave_up)
        return TK_OK;
    enum tk_err code = tk_dictionary_sort(&from->dictionary);
    to->column.kind = TK_COLUMN_DICTIONARY;
    to->column.distinct = from->dictionary.count;
    to->texts = from->dictionary.texts;
    to->numbers = from->dictionary.numbers;
    builder->emit[c] = (struct tk_column_emit){from->dictionary.order, false};
    return code;
}

enum tk_err
tk_schema_builder_finish(struct tk_schema_builder *builder)
{
    struct tk_schema *schema = &builder->schema;
    enum tk_err code = builder->_column_count == 0 ? begin(builder) : TK_OK;
    if (code != TK_OK)
        return code;
    schema->column_count = builder->_column_count;
    schema->shape_count = builder->_shape_count;
    schema->resources = builder->_resources.strings;
    schema->resource_count = builder->_resources.count;
    schema->scopes = builder->_scopes.strings;
    schema->scope_count = builder->_scopes.count;
    schema->columns = calloc(schema->column_count, sizeof *schema->columns);
    schema->shapes = calloc(schema->shape_count, sizeof *schema->shapes);
    builder->emit = calloc(schema->column_count, sizeof *builder->emit);
    if (schema->columns == NULL || schema->shapes == NULL || builder->emit == NULL)
        return TK_ERR_MEMORY;
    for (uint32_t c = 0; c < schema->column_count && code == TK_OK; c++)
        code = finish_column(builder, c);
    for (uint32_t i = 0; i < schema->shape_count; i++)
        schema->shapes[i] =
            (struct tk_schema_shape){builder->_shapes[i].count, builder->_shapes[i].columns};
    return code;
}
