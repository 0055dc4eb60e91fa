/*
 * batch - see batch.h.
 *
 * The span columns grow together and lie behind each other in one block; each of the other kinds
 * has one or two columns.  A large block comes as zeroes from the kernel, page by page as they are
 * touched; so its new rows are not written to, and columns that stay zero take no memory.  A growth
 * that fails halfway leaves some columns larger than their capacity says, which is harmless:
 * capacity and count are raised only when all of them have grown.
 */
#include "trace/batch.h"

#include "base/memory.h"

#include "base/assert.h"

#include <malloc.h>
#include <stdlib.h>

enum { FIRST_CAPACITY = 32, ARENA_CHUNK = 4096 };

/* Those of 8 and 16 bytes first, so that each is aligned wherever the one before it ends. */
#define SPAN_COLUMNS(X)                                                                            \
    X(trace_id)                                                                                    \
    X(span_id)                                                                                     \
    X(parent_id)                                                                                   \
    X(start_nano)                                                                                  \
    X(end_nano)                                                                                    \
    X(name)                                                                                        \
    X(trace_state)                                                                                 \
    X(status_message)                                                                              \
    X(attrs)                                                                                       \
    X(events)                                                                                      \
    X(links)                                                                                       \
    X(status)                                                                                      \
    X(kind)                                                                                        \
    X(flags)                                                                                       \
    X(resource)                                                                                    \
    X(scope)                                                                                       \
    X(dropped_attrs)                                                                               \
    X(dropped_events)                                                                              \
    X(dropped_links)

struct tk_batch *
tk_batch_new(void)
{
    struct tk_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return NULL;
    tk_intern_init(&batch->keys, TK_BATCH_KEYS_MAX);
    tk_arena_init(&batch->arena, ARENA_CHUNK, TK_BATCH_ARENA_LIMIT);
    return batch;
}

static void
forget_shapes(struct tk_batch *batch)
{
    free(batch->shape);
    free(batch->shapes);
    batch->shape = NULL;
    batch->shapes = NULL;
    batch->shape_count = 0;
}

void
tk_batch_free(struct tk_batch *batch)
{
    if (batch == NULL)
        return;
    free(batch->_spans);
    free(batch->attr_key);
    free(batch->attr_value);
    free(batch->event);
    free(batch->link);
    free(batch->resources);
    free(batch->scopes);
    forget_shapes(batch);
    tk_intern_release(&batch->keys);
    tk_arena_release(&batch->arena);
    free(batch->_source);
    free(batch);
}

void
tk_batch_clear(struct tk_batch *batch)
{
    batch->span_count = batch->attr_count = batch->event_count = batch->link_count = 0;
    batch->resource_count = batch->scope_count = 0;
    batch->memory_max = 0;
    forget_shapes(batch);
    tk_intern_clear(&batch->keys);
    tk_arena_clear(&batch->arena);
    free(batch->_source);
    batch->_source = NULL;
}

void
tk_batch_adopt(struct tk_batch *batch, void *source)
{
    TK_ASSERT(batch->_source == NULL);
    batch->_source = source;
}

static size_t
span_size(const struct tk_batch *batch)
{
    size_t size = 0;
#define X(column) size += sizeof *batch->column;
    SPAN_COLUMNS(X)
#undef X
    return size;
}

static size_t
attr_size(const struct tk_batch *batch)
{
    return sizeof *batch->attr_key + sizeof *batch->attr_value;
}

size_t
tk_batch_memory(const struct tk_batch *batch)
{
    return sizeof *batch + batch->_span_capacity * span_size(batch) +
           batch->_attr_capacity * attr_size(batch) +
           batch->_event_capacity * sizeof *batch->event +
           batch->_link_capacity * sizeof *batch->link +
           batch->_resource_capacity * sizeof *batch->resources +
           batch->_scope_capacity * sizeof *batch->scopes + malloc_usable_size(batch->shape) +
           malloc_usable_size(batch->shapes) +
           batch->keys._capacity * (sizeof *batch->keys.strings + sizeof *batch->keys._hashes +
                                    sizeof *batch->keys._followers) +
           batch->keys._slot_count * sizeof *batch->keys._slots + batch->arena.used +
           malloc_usable_size(batch->_source);
}

/* `wanted`, or as much of it as may still be had for elements of `size` bytes, at least
   `capacity`. */
static uint32_t
affordable(const struct tk_batch *batch, uint32_t capacity, uint32_t wanted, size_t size)
{
    if (batch->memory_max == 0)
        return wanted;
    size_t used = tk_batch_memory(batch);
    size_t more = used < batch->memory_max ? (batch->memory_max - used) / size : 0;
    return wanted - capacity < more ? wanted : capacity + (uint32_t)more;
}

/* What `capacity` grows to; 0 when that would be beyond a limit. */
static uint32_t
next_capacity(const struct tk_batch *batch, uint32_t capacity, size_t size)
{
    uint32_t wanted = capacity > 0 ? capacity * 2 : FIRST_CAPACITY;
    if (capacity > TK_BATCH_ELEMENTS_MAX / 2)
        wanted = TK_BATCH_ELEMENTS_MAX;
    uint32_t grown = affordable(batch, capacity, wanted, size);
    return grown > capacity ? grown : 0;
}

/* Grows the column at *column_ptr, whatever it points to, to `capacity` elements. */
static bool
grow_column(void *column_ptr, uint32_t capacity, size_t element_size)
{
    void *column;
    memcpy(&column, column_ptr, sizeof column);
    column = realloc(column, capacity * element_size);
    if (column == NULL)
        return false;
    memcpy(column_ptr, &column, sizeof column);
    return true;
}

#define GROW(column) grow_column(&(column), capacity, sizeof *(column))

/* The columns move into a block with room for `capacity` spans. */
static enum tk_err
grow_spans_to(struct tk_batch *batch, uint32_t capacity)
{
    size_t size = capacity * span_size(batch);
    bool large = size >= TK_MEMORY_HUGE;
    char *block = large ? calloc(1, size) : malloc(size), *at = block;
    if (block == NULL)
        return TK_ERR_MEMORY;
    tk_memory_huge(block, size);
#define X(column)                                                                                  \
    if (batch->span_count > 0)                                                                     \
        memcpy(at, batch->column, batch->span_count * sizeof *batch->column);                      \
    batch->column = (void *)at;                                                                    \
    at += capacity * sizeof *batch->column;
    SPAN_COLUMNS(X)
#undef X
    free(batch->_spans);
    batch->_spans = block;
    batch->_span_capacity = capacity;
    batch->_spans_used = large ? batch->span_count : capacity;
    return TK_OK;
}

static enum tk_err
grow_spans(struct tk_batch *batch)
{
    uint32_t capacity = next_capacity(batch, batch->_span_capacity, span_size(batch));
    return capacity > 0 ? grow_spans_to(batch, capacity) : TK_ERR_LIMIT;
}

enum tk_err
tk_batch_add_span(struct tk_batch *batch, uint32_t *ret_row)
{
    if (batch->span_count == batch->_span_capacity) {
        enum tk_err code = grow_spans(batch);
        if (code != TK_OK)
            return code;
    }
    uint32_t row = *ret_row = batch->span_count++;
    if (row >= batch->_spans_used) {
        batch->_spans_used = row + 1;
        return TK_OK;
    }
#define X(column) memset(&batch->column[row], 0, sizeof *batch->column);
    SPAN_COLUMNS(X)
#undef X
    return TK_OK;
}

static enum tk_err
grow_attrs_to(struct tk_batch *batch, uint32_t capacity)
{
    if (!GROW(batch->attr_key) || !GROW(batch->attr_value))
        return TK_ERR_MEMORY;
    batch->_attr_capacity = capacity;
    return TK_OK;
}

enum tk_err
tk_batch_grow_attrs(struct tk_batch *batch)
{
    uint32_t capacity = next_capacity(batch, batch->_attr_capacity, attr_size(batch));
    return capacity > 0 ? grow_attrs_to(batch, capacity) : TK_ERR_LIMIT;
}

/* What a column of `capacity` grows to, so that `more` fit behind `count`, as far as the limit
   allows; `capacity` when they do already.  Who reserves a little again and again pays for it only
   now and then. */
static uint32_t
capacity_for(uint32_t capacity, uint32_t count, uint32_t more)
{
    if (more <= capacity - count)
        return capacity;
    if (more > TK_BATCH_ELEMENTS_MAX - count)
        more = TK_BATCH_ELEMENTS_MAX - count;
    uint32_t grown = capacity + capacity / 2;
    if (grown < count + more)
        return count + more;
    return grown < TK_BATCH_ELEMENTS_MAX ? grown : TK_BATCH_ELEMENTS_MAX;
}

enum tk_err
tk_batch_reserve(struct tk_batch *batch, uint32_t spans, uint32_t attrs)
{
    enum tk_err code = TK_OK;
    spans = capacity_for(batch->_span_capacity, batch->span_count, spans);
    spans = affordable(batch, batch->_span_capacity, spans, span_size(batch));
    if (spans > batch->_span_capacity)
        code = grow_spans_to(batch, spans);
    attrs = capacity_for(batch->_attr_capacity, batch->attr_count, attrs);
    attrs = affordable(batch, batch->_attr_capacity, attrs, attr_size(batch));
    if (code == TK_OK && attrs > batch->_attr_capacity)
        code = grow_attrs_to(batch, attrs);
    return code;
}

enum tk_err
tk_batch_add_attr(struct tk_batch *batch, tk_str key, struct tk_value value)
{
    uint32_t key_id;
    enum tk_err code = tk_intern_add(&batch->keys, key, &key_id);
    return code != TK_OK ? code : tk_batch_add_attr_id(batch, key_id, value);
}

/* The small columns of whole structs. */
#define DEFINE_ADD(what, column, count, capacity_field)                                            \
    enum tk_err tk_batch_add_##what(struct tk_batch *batch, uint32_t *ret_index)                   \
    {                                                                                              \
        if (batch->count == batch->capacity_field) {                                               \
            uint32_t capacity =                                                                    \
                next_capacity(batch, batch->capacity_field, sizeof *batch->column);                \
            if (capacity == 0)                                                                     \
                return TK_ERR_LIMIT;                                                               \
            if (!GROW(batch->column))                                                              \
                return TK_ERR_MEMORY;                                                              \
            batch->capacity_field = capacity;                                                      \
        }                                                                                          \
        memset(&batch->column[batch->count], 0, sizeof *batch->column);                            \
        *ret_index = batch->count++;                                                               \
        return TK_OK;                                                                              \
    }
DEFINE_ADD(event, event, event_count, _event_capacity)
DEFINE_ADD(link, link, link_count, _link_capacity)
DEFINE_ADD(resource, resources, resource_count, _resource_capacity)
DEFINE_ADD(scope, scopes, scope_count, _scope_capacity)

struct tk_batch_mark
tk_batch_mark(const struct tk_batch *batch)
{
    return (struct tk_batch_mark){batch->span_count, batch->attr_count, batch->event_count,
                                  batch->link_count};
}

void
tk_batch_rewind(struct tk_batch *batch, struct tk_batch_mark mark)
{
    TK_ASSERT(mark.span_count <= batch->span_count && mark.attr_count <= batch->attr_count);
    TK_ASSERT(mark.event_count <= batch->event_count && mark.link_count <= batch->link_count);
    batch->span_count = mark.span_count;
    batch->attr_count = mark.attr_count;
    batch->event_count = mark.event_count;
    batch->link_count = mark.link_count;
}

enum tk_err
tk_batch_map_init(struct tk_batch_map *map, const struct tk_batch *from)
{
    map->resource = calloc((size_t)from->resource_count + 1, sizeof *map->resource);
    map->scope = calloc((size_t)from->scope_count + 1, sizeof *map->scope);
    map->key = calloc((size_t)from->keys.count + 1, sizeof *map->key);
    if (map->resource != NULL && map->scope != NULL && map->key != NULL)
        return TK_OK;
    tk_batch_map_release(map);
    return TK_ERR_MEMORY;
}

void
tk_batch_map_release(struct tk_batch_map *map)
{
    free(map->resource);
    free(map->scope);
    free(map->key);
    *map = (struct tk_batch_map){0};
}

/* One copy under way; the first failure sticks in `code`, the rest then does nothing. */
struct copy {
    struct tk_batch *to;
    const struct tk_batch *from;
    struct tk_batch_map *map;
    bool deep;
    enum tk_err code;
};

static tk_str
copy_text(struct copy *copy, tk_str text)
{
    if (!copy->deep || copy->code != TK_OK || text.len == 0)
        return text.len > 0 ? text : TK_STR_NONE;
    tk_str own = tk_arena_copy(&copy->to->arena, text);
    if (own.ptr == NULL)
        copy->code = TK_ERR_MEMORY;
    return own;
}

static uint32_t
copy_key(struct copy *copy, uint32_t id)
{
    uint32_t known = copy->map->key[id];
    if (known != 0)
        return known - 1;
    tk_str key = copy->from->keys.strings[id];
    uint32_t new_id = 0;
    copy->code = copy->deep ? tk_intern_copy(&copy->to->keys, &copy->to->arena, key, &new_id)
                            : tk_intern_add(&copy->to->keys, key, &new_id);
    if (copy->code == TK_OK)
        copy->map->key[id] = new_id + 1;
    return new_id;
}

static struct tk_range
copy_attrs(struct copy *copy, struct tk_range range)
{
    struct tk_range made = {copy->to->attr_count, 0};
    for (uint32_t i = range.begin; i < range.begin + range.count && copy->code == TK_OK; i++) {
        struct tk_value value = copy->from->attr_value[i];
        uint32_t key = copy_key(copy, copy->from->attr_key[i]);
        switch (value.type) {
        case TK_VALUE_STRING:
        case TK_VALUE_BYTES:
        case TK_VALUE_ARRAY:
        case TK_VALUE_MAP:
            value.ptr = copy_text(copy, tk_value_str(value)).ptr;
            break;
        default:
            break;
        }
        if (copy->code == TK_OK)
            copy->code = tk_batch_add_attr_id(copy->to, key, value);
    }
    made.count = copy->to->attr_count - made.begin;
    return made;
}

static uint32_t
copy_resource(struct copy *copy, uint32_t index)
{
    if (copy->map->resource[index] != 0)
        return copy->map->resource[index] - 1;
    uint32_t new_index = 0;
    copy->code = tk_batch_add_resource(copy->to, &new_index);
    if (copy->code != TK_OK)
        return 0;
    const struct tk_resource *resource = &copy->from->resources[index];
    copy->to->resources[new_index] = (struct tk_resource){
        .attrs = copy_attrs(copy, resource->attrs),
        .dropped_attrs = resource->dropped_attrs,
        .schema_url = copy_text(copy, resource->schema_url),
    };
    if (copy->code == TK_OK)
        copy->map->resource[index] = new_index + 1;
    else
        copy->to->resource_count--;
    return new_index;
}

static uint32_t
copy_scope(struct copy *copy, uint32_t index)
{
    if (copy->map->scope[index] != 0)
        return copy->map->scope[index] - 1;
    uint32_t new_index = 0;
    copy->code = tk_batch_add_scope(copy->to, &new_index);
    if (copy->code != TK_OK)
        return 0;
    const struct tk_scope *scope = &copy->from->scopes[index];
    copy->to->scopes[new_index] = (struct tk_scope){
        .name = copy_text(copy, scope->name),
        .version = copy_text(copy, scope->version),
        .schema_url = copy_text(copy, scope->schema_url),
        .attrs = copy_attrs(copy, scope->attrs),
        .dropped_attrs = scope->dropped_attrs,
    };
    if (copy->code == TK_OK)
        copy->map->scope[index] = new_index + 1;
    else
        copy->to->scope_count--;
    return new_index;
}

static struct tk_range
copy_events(struct copy *copy, struct tk_range range)
{
    struct tk_range made = {copy->to->event_count, 0};
    for (uint32_t i = range.begin; i < range.begin + range.count && copy->code == TK_OK; i++) {
        struct tk_event event = copy->from->event[i];
        uint32_t index;
        event.name = copy_text(copy, event.name);
        event.attrs = copy_attrs(copy, event.attrs);
        if (copy->code == TK_OK)
            copy->code = tk_batch_add_event(copy->to, &index);
        if (copy->code == TK_OK)
            copy->to->event[index] = event;
    }
    made.count = copy->to->event_count - made.begin;
    return made;
}

static struct tk_range
copy_links(struct copy *copy, struct tk_range range)
{
    struct tk_range made = {copy->to->link_count, 0};
    for (uint32_t i = range.begin; i < range.begin + range.count && copy->code == TK_OK; i++) {
        struct tk_link link = copy->from->link[i];
        uint32_t index;
        link.trace_state = copy_text(copy, link.trace_state);
        link.attrs = copy_attrs(copy, link.attrs);
        if (copy->code == TK_OK)
            copy->code = tk_batch_add_link(copy->to, &index);
        if (copy->code == TK_OK)
            copy->to->link[index] = link;
    }
    made.count = copy->to->link_count - made.begin;
    return made;
}

/* The scalar columns as they are; text and ranges are put right by the caller. */
static void
copy_columns(struct tk_batch *to, uint32_t to_row, const struct tk_batch *from, uint32_t row)
{
#define X(column) to->column[to_row] = from->column[row];
    SPAN_COLUMNS(X)
#undef X
}

enum tk_err
tk_batch_copy_span(struct tk_batch *to, const struct tk_batch *from, uint32_t row, bool deep,
                   struct tk_batch_map *map)
{
    struct copy copy = {to, from, map, deep, TK_OK};
    uint32_t resource = copy_resource(&copy, from->resource[row]);
    uint32_t scope = copy.code == TK_OK ? copy_scope(&copy, from->scope[row]) : 0;
    if (copy.code != TK_OK)
        return copy.code;
    struct tk_batch_mark before = tk_batch_mark(to);
    uint32_t new_row;
    copy.code = tk_batch_add_span(to, &new_row);
    if (copy.code != TK_OK)
        return copy.code;
    copy_columns(to, new_row, from, row);
    to->resource[new_row] = resource;
    to->scope[new_row] = scope;
    to->name[new_row] = copy_text(&copy, from->name[row]);
    to->trace_state[new_row] = copy_text(&copy, from->trace_state[row]);
    to->status_message[new_row] = copy_text(&copy, from->status_message[row]);
    to->attrs[new_row] = copy_attrs(&copy, from->attrs[row]);
    to->events[new_row] = copy_events(&copy, from->events[row]);
    to->links[new_row] = copy_links(&copy, from->links[row]);
    if (copy.code != TK_OK)
        tk_batch_rewind(to, before);
    return copy.code;
}

const struct tk_value *
tk_batch_find_attr(const struct tk_batch *batch, struct tk_range range, tk_str key)
{
    uint32_t id;
    if (range.count == 0 || !tk_intern_find(&batch->keys, key, &id))
        return NULL;
    for (uint32_t i = range.begin; i < range.begin + range.count; i++)
        if (batch->attr_key[i] == id)
            return &batch->attr_value[i];
    return NULL;
}

tk_str
tk_batch_service(const struct tk_batch *batch, uint32_t row)
{
    return tk_batch_resource_service(batch, batch->resource[row]);
}

tk_str
tk_batch_resource_service(const struct tk_batch *batch, uint32_t resource)
{
    const struct tk_value *value =
        tk_batch_find_attr(batch, batch->resources[resource].attrs, TK_STR("service.name"));
    if (value == NULL || value->type != TK_VALUE_STRING || value->len == 0)
        return TK_STR("unknown_service");
    return tk_value_str(*value);
}
