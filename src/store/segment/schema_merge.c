/*
 * schema_merge - see schema_merge.h.
 *
 * Columns, shapes, resources and scopes of the sources are interned by their bytes.  Dictionaries
 * are in order, so those of one column are merged like any sorted lists; a text is looked at once
 * for each source that has it, however many rows do.
 */
#include "store/segment/schema_merge.h"

#include "base/assert.h"

#include <stdlib.h>

enum {
    ARENA_CHUNK = 64 << 10,
    MEMORY_MAX = 48 << 20, /* of maps, and of resources and scopes */
    DICTIONARIES_MAX =
        16 << 20,           /* bytes of the new ones together; what comes then is written out */
    MESSAGES_MAX = 1 << 20, /* resources, scopes */
};

static enum tk_err
no_memory(struct tk_error *err)
{
    return tk_error_set(err, TK_ERR_MEMORY, "out of memory for a merged schema");
}

static enum tk_err
too_large(struct tk_error *err)
{
    return tk_error_set(err, TK_ERR_LIMIT, "too much for the schema of one segment");
}

/* An arena that is full is a limit. */
static void *
take(struct tk_schema_merge *merge, size_t count, size_t size)
{
    return tk_arena_zalloc(&merge->_arena, count > 0 ? count : 1, size);
}

/* ---- columns and shapes ------------------------------------------------------------------------
 */

/* The number of a column of attributes: fixed ones keep theirs. */
static enum tk_err
intern_column(struct tk_schema_merge *merge, const struct tk_column *column, uint32_t *ret_to,
              struct tk_error *err)
{
    struct tk_buf name;
    uint32_t number;
    tk_buf_init(&name, SIZE_MAX / 2);
    tk_buf_append_char(&name, (char)column->owner);
    tk_buf_append_char(&name, (char)column->type);
    tk_buf_append(&name, column->key);
    enum tk_err code = name.status;
    if (code == TK_OK)
        code = tk_intern_copy(&merge->_keys, &merge->_arena, tk_buf_str(&name), &number);
    tk_buf_release(&name);
    if (code != TK_OK)
        return code == TK_ERR_LIMIT ? too_large(err) : no_memory(err);
    *ret_to = TK_COLUMN_FIXED + number;
    return TK_OK;
}

static enum tk_err
map_columns(struct tk_schema_merge *merge, struct tk_source_map *source, struct tk_error *err)
{
    const struct tk_schema_view *schema = source->schema;
    enum tk_err code = TK_OK;
    source->columns = take(merge, schema->column_count, sizeof *source->columns);
    if (source->columns == NULL)
        return too_large(err);
    for (uint32_t c = 0; c < schema->column_count && code == TK_OK; c++) {
        source->columns[c].to = c;
        if (c >= TK_COLUMN_FIXED)
            code = intern_column(merge, &schema->columns[c], &source->columns[c].to, err);
    }
    return code;
}

/* Shape 0 stays; another one without columns is interned like the rest. */
static enum tk_err
map_shapes(struct tk_schema_merge *merge, struct tk_source_map *source, struct tk_error *err)
{
    const struct tk_schema_view *schema = source->schema;
    source->shapes = take(merge, schema->shape_count, sizeof *source->shapes);
    uint32_t *columns = malloc(((size_t)schema->column_count + 1) * sizeof *columns);
    enum tk_err code = source->shapes != NULL && columns != NULL ? TK_OK : TK_ERR_MEMORY;
    for (uint32_t s = 1; s < schema->shape_count && code == TK_OK; s++) {
        const struct tk_shape *shape = &schema->shapes[s];
        uint32_t number;
        for (uint32_t i = 0; i < shape->count; i++)
            columns[i] = source->columns[shape->columns[i]].to;
        tk_str bytes = {(const char *)columns, shape->count * sizeof *columns};
        code = tk_intern_copy(&merge->_shapes, &merge->_arena, bytes, &number);
        source->shapes[s] = number + 1;
    }
    free(columns);
    if (code == TK_OK)
        return TK_OK;
    return code == TK_ERR_LIMIT ? too_large(err) : no_memory(err);
}

static enum tk_err
list_shapes(struct tk_schema_merge *merge)
{
    struct tk_schema *schema = &merge->schema;
    schema->shape_count = merge->_shapes.count + 1;
    schema->shapes = take(merge, schema->shape_count, sizeof *schema->shapes);
    if (schema->shapes == NULL)
        return TK_ERR_LIMIT;
    for (uint32_t s = 1; s < schema->shape_count; s++) {
        tk_str bytes = merge->_shapes.strings[s - 1];
        const void *columns = bytes.ptr; /* the arena aligns */
        schema->shapes[s] =
            (struct tk_schema_shape){(uint32_t)(bytes.len / sizeof(uint32_t)), columns};
    }
    return TK_OK;
}

/* ---- dictionaries ------------------------------------------------------------------------------
 */

static enum tk_err
hold(struct tk_schema_merge *merge, struct tk_cache_item *item)
{
    if (merge->_item_count == merge->_item_capacity) {
        uint32_t capacity = merge->_item_capacity > 0 ? merge->_item_capacity * 2 : 64;
        struct tk_cache_item **items = realloc(merge->_items, capacity * sizeof *items);
        if (items == NULL) {
            tk_cache_release(item);
            return TK_ERR_MEMORY;
        }
        merge->_items = items;
        merge->_item_capacity = capacity;
    }
    merge->_items[merge->_item_count++] = item;
    return TK_OK;
}

/* What the sources have of one new column. */
struct part {
    struct tk_column_map *map;
    const struct tk_dictionary *dictionary; /* NULL: it has values, not codes */
    uint32_t *codes;
    uint32_t at;
};

/* Is the next value of `a` less than, equal to or greater than that of `b`? */
static int
compare_next(const struct part *a, const struct part *b)
{
    const struct tk_dictionary *x = a->dictionary, *y = b->dictionary;
    if (x->texts != NULL)
        return tk_str_cmp(x->texts[a->at], y->texts[b->at]);
    return (x->numbers[a->at] > y->numbers[b->at]) - (x->numbers[a->at] < y->numbers[b->at]);
}

/* All values in order, each once; how many bytes they are.  Maps are filled. */
static uint32_t
merge_values(struct part *parts, uint32_t count, tk_str *texts, uint64_t *numbers,
             size_t *ret_bytes)
{
    uint32_t made = 0;
    *ret_bytes = 0;
    for (;; made++) {
        const struct part *least = NULL;
        for (uint32_t i = 0; i < count; i++)
            if (parts[i].at < parts[i].dictionary->count &&
                (least == NULL || compare_next(&parts[i], least) < 0))
                least = &parts[i];
        if (least == NULL)
            return made;
        struct part next = *least;
        if (next.dictionary->texts != NULL) {
            texts[made] = next.dictionary->texts[next.at];
            *ret_bytes += texts[made].len;
        } else {
            numbers[made] = next.dictionary->numbers[next.at];
        }
        for (uint32_t i = 0; i < count; i++)
            if (parts[i].at < parts[i].dictionary->count && compare_next(&parts[i], &next) == 0)
                parts[i].codes[parts[i].at++] = made;
    }
}

/* No dictionary any more: each code is its value. */
static void
write_out(struct tk_schema_column *column, struct part *parts, uint32_t count, bool text)
{
    column->column.kind = text ? TK_COLUMN_PLAIN : TK_COLUMN_NUMBERS;
    column->column.distinct = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].dictionary == NULL)
            continue;
        parts[i].map->texts = parts[i].dictionary->texts;
        parts[i].map->numbers = parts[i].dictionary->numbers;
    }
}

static enum tk_err
merge_dictionaries(struct tk_schema_merge *merge, struct tk_schema_column *column,
                   struct part *parts, uint32_t count, bool text)
{
    size_t total = 0, bytes;
    for (uint32_t i = 0; i < count; i++)
        total += parts[i].dictionary->count;
    tk_str *texts = malloc((total + 1) * sizeof *texts);
    uint64_t *numbers = malloc((total + 1) * sizeof *numbers);
    enum tk_err code = texts != NULL && numbers != NULL ? TK_OK : TK_ERR_MEMORY;
    for (uint32_t i = 0; i < count && code == TK_OK; i++)
        if ((parts[i].codes = take(merge, parts[i].dictionary->count, sizeof(uint32_t))) == NULL)
            code = TK_ERR_LIMIT;
    if (code == TK_OK) {
        uint32_t made = merge_values(parts, count, texts, numbers, &bytes);
        bool fits = bytes <= TK_DICTIONARY_BYTES_MAX &&
                    made <= (text ? TK_DICTIONARY_MAX : TK_DICTIONARY_NUMBERS_MAX) &&
                    merge->_dictionary_bytes + bytes <= DICTIONARIES_MAX;
        size_t size = text ? sizeof *texts : sizeof *numbers;
        void *kept = fits ? take(merge, made, size) : NULL;
        if (kept != NULL) {
            memcpy(kept, text ? (const void *)texts : (const void *)numbers, made * size);
            column->texts = text ? kept : NULL;
            column->numbers = text ? NULL : kept;
            column->column.kind = TK_COLUMN_DICTIONARY;
            column->column.distinct = made;
            merge->_dictionary_bytes += bytes;
        } else {
            write_out(column, parts, count, text);
        }
        for (uint32_t i = 0; i < count && kept != NULL; i++)
            parts[i].map->codes = parts[i].codes;
    }
    free(texts);
    free(numbers);
    return code;
}

/* *ret_all: those that have any values have a dictionary. */
static enum tk_err
find_parts(struct tk_schema_merge *merge, struct tk_segment *const *segments, const uint32_t *from,
           struct part *parts, uint32_t *ret_count, bool *ret_all, struct tk_error *err)
{
    *ret_count = 0;
    *ret_all = true;
    for (uint32_t s = 0; s < merge->source_count; s++) {
        struct tk_source_map *source = &merge->sources[s];
        if (from[s] == UINT32_MAX)
            continue;
        const struct tk_column *column = &source->schema->columns[from[s]];
        struct part part = {.map = &source->columns[from[s]]};
        if (column->kind == TK_COLUMN_DICTIONARY && column->distinct > 0) {
            struct tk_cache_item *item;
            enum tk_err code =
                tk_segment_dictionary(segments[s], source->schema, from[s], &item, err);
            if (code != TK_OK)
                return code;
            part.dictionary = item->value;
            if (hold(merge, item) != TK_OK)
                return no_memory(err);
        } else if (column->value_count == 0) {
            continue; /* it has nothing, in whichever way */
        } else {
            *ret_all = false;
        }
        parts[(*ret_count)++] = part;
    }
    return TK_OK;
}

/* The new column `to`; `from`: its number in each source, UINT32_MAX: none. */
static enum tk_err
merge_column(struct tk_schema_merge *merge, struct tk_segment *const *segments, uint32_t to,
             const uint32_t *from, struct part *parts, struct tk_error *err)
{
    struct tk_schema_column *column = &merge->schema.columns[to];
    const struct tk_source_map *first = NULL;
    uint32_t count, number = 0;
    bool all;
    for (uint32_t s = merge->source_count; s > 0; s--)
        if (from[s - 1] != UINT32_MAX) {
            first = &merge->sources[s - 1];
            number = from[s - 1];
        }
    TK_ASSERT(first != NULL);
    const struct tk_column *like = &first->schema->columns[number];
    bool text = tk_column_is_text(first->schema, number);
    column->column =
        (struct tk_column){.owner = like->owner, .type = like->type, .kind = like->kind};
    column->column.key = like->key;
    if (to == TK_COLUMN_RESOURCE || to == TK_COLUMN_SCOPE)
        return TK_OK; /* codes, but of their own sections */
    enum tk_err code = find_parts(merge, segments, from, parts, &count, &all, err);
    if (code != TK_OK)
        return code;
    if (!all)
        write_out(column, parts, count, text);
    else if (count > 0)
        code = merge_dictionaries(merge, column, parts, count, text);
    if (code != TK_OK)
        return code == TK_ERR_LIMIT ? too_large(err) : no_memory(err);
    return TK_OK;
}

static enum tk_err
merge_columns(struct tk_schema_merge *merge, struct tk_segment *const *segments,
              struct tk_error *err)
{
    uint32_t sources = merge->source_count, columns = TK_COLUMN_FIXED + merge->_keys.count;
    uint32_t *from = malloc((size_t)columns * sources * sizeof *from);
    struct part *parts = malloc(sources * sizeof *parts);
    merge->schema.column_count = columns;
    merge->schema.columns = take(merge, columns, sizeof *merge->schema.columns);
    enum tk_err code = from != NULL && parts != NULL ? TK_OK : no_memory(err);
    if (code == TK_OK && merge->schema.columns == NULL)
        code = too_large(err);
    if (code == TK_OK)
        memset(from, 0xFF, (size_t)columns * sources * sizeof *from);
    for (uint32_t s = 0; s < sources && code == TK_OK; s++)
        for (uint32_t c = 0; c < merge->sources[s].schema->column_count; c++)
            from[(size_t)merge->sources[s].columns[c].to * sources + s] = c;
    for (uint32_t c = 0; c < columns && code == TK_OK; c++)
        code = merge_column(merge, segments, c, &from[(size_t)c * sources], parts, err);
    free(from);
    free(parts);
    return code;
}

/* ---- resources and scopes ----------------------------------------------------------------------
 */

static enum tk_err
map_messages(struct tk_schema_merge *merge, struct tk_segment *segment, enum tk_message what,
             struct tk_intern *messages, uint32_t **ret_map, uint32_t *ret_count,
             struct tk_error *err)
{
    uint32_t count;
    enum tk_err code = tk_segment_message_count(segment, what, &count, err);
    if (code != TK_OK)
        return code;
    uint32_t *map = take(merge, count, sizeof *map);
    if (map == NULL)
        return too_large(err);
    for (uint32_t i = 0; i < count;) {
        struct tk_cache_item *item;
        code = tk_segment_messages(segment, what, i / TK_RESOURCE_PAGE, &item, err);
        if (code != TK_OK)
            return code;
        const struct tk_dictionary *page = item->value;
        for (uint32_t k = 0; k < page->count && code == TK_OK; k++)
            code = tk_intern_copy(messages, &merge->_arena, page->texts[k], &map[i++]);
        tk_cache_release(item);
        if (code != TK_OK)
            return too_large(err);
    }
    *ret_map = map;
    *ret_count = count;
    return TK_OK;
}

static enum tk_err
map_source(struct tk_schema_merge *merge, struct tk_segment *segment, struct tk_source_map *source,
           struct tk_error *err)
{
    enum tk_err code = tk_segment_schema(segment, &source->item, err);
    if (code != TK_OK)
        return code;
    source->schema = source->item->value;
    code = map_columns(merge, source, err);
    if (code == TK_OK)
        code = map_shapes(merge, source, err);
    if (code == TK_OK)
        code = map_messages(merge, segment, TK_MESSAGE_RESOURCE, &merge->_resources,
                            &source->resources, &source->resource_count, err);
    if (code == TK_OK)
        code = map_messages(merge, segment, TK_MESSAGE_SCOPE, &merge->_scopes, &source->scopes,
                            &source->scope_count, err);
    if (code == TK_OK) {
        source->columns[TK_COLUMN_RESOURCE].codes = source->resources;
        source->columns[TK_COLUMN_SCOPE].codes = source->scopes;
        source->columns[TK_COLUMN_SHAPE].codes = source->shapes;
        source->columns[TK_COLUMN_EVENT_SHAPE].codes = source->shapes;
        source->columns[TK_COLUMN_LINK_SHAPE].codes = source->shapes;
    }
    return code;
}

/* Where all codes stay what they are, they need not be read. */
static void
find_same(struct tk_source_map *source)
{
    for (uint32_t c = 0; c < source->schema->column_count; c++) {
        struct tk_column_map *map = &source->columns[c];
        uint32_t count = map->codes == source->resources ? source->resource_count
                         : map->codes == source->scopes  ? source->scope_count
                         : map->codes == source->shapes  ? source->schema->shape_count
                                                         : source->schema->columns[c].distinct;
        map->same = map->codes != NULL;
        for (uint32_t i = 0; i < count && map->same; i++)
            map->same = map->codes[i] == i;
    }
}

enum tk_err
tk_schema_merge_init(struct tk_schema_merge *merge, struct tk_segment *const *segments,
                     uint32_t count, struct tk_error *err)
{
    *merge = (struct tk_schema_merge){.source_count = 0};
    tk_arena_init(&merge->_arena, ARENA_CHUNK, MEMORY_MAX);
    tk_intern_init(&merge->_keys, TK_COLUMNS_MAX - TK_COLUMN_FIXED);
    tk_intern_init(&merge->_shapes, TK_SHAPES_MAX - 1);
    tk_intern_init(&merge->_resources, MESSAGES_MAX);
    tk_intern_init(&merge->_scopes, MESSAGES_MAX);
    enum tk_err code = TK_OK;
    merge->sources = take(merge, count, sizeof *merge->sources);
    if (merge->sources == NULL)
        code = no_memory(err);
    else
        merge->source_count = count;
    for (uint32_t s = 0; s < count && code == TK_OK; s++)
        code = map_source(merge, segments[s], &merge->sources[s], err);
    if (code == TK_OK)
        code = merge_columns(merge, segments, err);
    for (uint32_t s = 0; s < count && code == TK_OK; s++)
        find_same(&merge->sources[s]);
    if (code == TK_OK && list_shapes(merge) != TK_OK)
        code = too_large(err);
    struct tk_schema *schema = &merge->schema;
    schema->resources = merge->_resources.strings;
    schema->resource_count = merge->_resources.count;
    schema->scopes = merge->_scopes.strings;
    schema->scope_count = merge->_scopes.count;
    if (code != TK_OK) {
        tk_schema_merge_release(merge);
        return code;
    }
    schema->columns[TK_COLUMN_RESOURCE].column.distinct = schema->resource_count;
    schema->columns[TK_COLUMN_SCOPE].column.distinct = schema->scope_count;
    return TK_OK;
}

void
tk_schema_merge_release(struct tk_schema_merge *merge)
{
    for (uint32_t s = 0; s < merge->source_count; s++)
        tk_cache_release(merge->sources[s].item);
    for (uint32_t i = 0; i < merge->_item_count; i++)
        tk_cache_release(merge->_items[i]);
    free(merge->_items);
    tk_intern_release(&merge->_keys);
    tk_intern_release(&merge->_shapes);
    tk_intern_release(&merge->_resources);
    tk_intern_release(&merge->_scopes);
    tk_arena_release(&merge->_arena);
    *merge = (struct tk_schema_merge){.source_count = 0};
}
