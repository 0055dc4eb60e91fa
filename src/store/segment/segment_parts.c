/*
 * segment_parts - what belongs to a whole segment, read through the cache (segment.h).
 *
 * Every part is checked against its checksum and then, as if that meant nothing, parsed with every
 * count and size checked: a forged file is an error value too.
 */
#include "store/segment/segment.h"

#include "store/segment/numbers.h"
#include "store/segment/zstd.h"
#include "wire/otlp.h"

#include <stdlib.h>

enum { ARENA_CHUNK = 4096 };
static const size_t ARENA_LIMIT = (size_t)1 << 32;

static enum tk_err
no_memory(struct tk_error *err)
{
    return tk_error_set(err, TK_ERR_MEMORY, "out of memory for a part of a segment");
}

enum tk_err
tk_segment_read_part(struct tk_segment *segment, const struct tk_part *part, char **ret_bytes,
                     struct tk_error *err)
{
    char *bytes;
    if (part->raw_size > TK_SEGMENT_PART_MAX)
        return tk_segment_corrupt(segment, part->offset, "a section", "it is too large", err);
    enum tk_err code = tk_segment_read(segment, part->offset, part->size, &bytes, err);
    if (code == TK_ERR_CORRUPT)
        return tk_segment_corrupt(segment, part->offset, "a section", "it cannot be read", err);
    if (code != TK_OK)
        return code;
    if (!tk_checksum_is(tk_hash_stable((tk_str){bytes, part->size}), part->checksum)) {
        free(bytes);
        return tk_segment_corrupt(segment, part->offset, "a section", "wrong checksum", err);
    }
    if (part->size != part->raw_size) {
        char *raw = malloc(part->raw_size + 1);
        code = raw == NULL ? TK_ERR_MEMORY
                           : tk_zstd_decompress((tk_str){bytes, part->size}, raw, part->raw_size);
        free(bytes);
        if (code != TK_OK) {
            free(raw);
            return code == TK_ERR_CORRUPT ? tk_segment_corrupt(segment, part->offset, "a section",
                                                               "it does not decompress", err)
                                          : no_memory(err);
        }
        bytes = raw;
    }
    *ret_bytes = bytes;
    return TK_OK;
}

/* The cache keeps a block of bytes with the view of it in front. */
static enum tk_err
keep(struct tk_segment *segment, uint64_t part, void *value, size_t bytes,
     void (*free_value)(void *value), struct tk_cache_item **ret_item, struct tk_error *err)
{
    struct tk_cache_key key = {segment->serial, part};
    *ret_item = tk_cache_put(segment->host->cache, key, value, bytes, free_value);
    return *ret_item != NULL ? TK_OK : no_memory(err);
}

static struct tk_cache_item *
look_up(struct tk_segment *segment, uint64_t part)
{
    return tk_cache_get(segment->host->cache, (struct tk_cache_key){segment->serial, part});
}

static void
free_bytes(void *value)
{
    tk_str *view = value;
    free((char *)(uintptr_t)view->ptr);
    free(view);
}

/* Takes `bytes` over. */
static enum tk_err
keep_bytes(struct tk_segment *segment, uint64_t part, char *bytes, size_t size,
           struct tk_cache_item **ret_item, struct tk_error *err)
{
    tk_str *view = malloc(sizeof *view);
    if (view == NULL) {
        free(bytes);
        return no_memory(err);
    }
    *view = (tk_str){bytes, size};
    return keep(segment, part, view, size + sizeof *view, free_bytes, ret_item, err);
}

enum tk_err
tk_segment_section(struct tk_segment *segment, const struct tk_part *part,
                   struct tk_cache_item **ret_item, struct tk_error *err)
{
    /* Absent ones share a key: offset 0 is a group's. */
    uint64_t key = TK_SEGMENT_KEY(TK_SEGMENT_SECTION, part->size > 0 ? part->offset : 0);
    struct tk_cache_item *item = look_up(segment, key);
    char *bytes = NULL;
    if (item != NULL) {
        *ret_item = item;
        return TK_OK;
    }
    enum tk_err code = TK_OK;
    if (part->size > 0)
        code = tk_segment_read_part(segment, part, &bytes, err);
    if (code != TK_OK)
        return code;
    return keep_bytes(segment, key, bytes, part->size > 0 ? part->raw_size : 0, ret_item, err);
}

enum tk_err
tk_segment_page(struct tk_segment *segment, const struct tk_page *page,
                struct tk_cache_item **ret_item, struct tk_error *err)
{
    uint64_t key = TK_SEGMENT_PAGE_KEY(page->offset);
    struct tk_cache_item *item = look_up(segment, key);
    char *bytes;
    if (item != NULL && ((const tk_str *)item->value)->len == page->size) {
        *ret_item = item;
        return TK_OK;
    }
    tk_cache_release(item);
    enum tk_err code = tk_segment_read(segment, page->offset, page->size, &bytes, err);
    if (code == TK_ERR_CORRUPT)
        return tk_segment_corrupt(segment, page->offset, "a page", "it cannot be read", err);
    if (code != TK_OK)
        return code;
    if (!tk_checksum_is(tk_page_checksum((tk_str){bytes, page->size}), page->checksum)) {
        free(bytes);
        return tk_segment_corrupt(segment, page->offset, "a page", "wrong checksum", err);
    }
    return keep_bytes(segment, key, bytes, page->size, ret_item, err);
}

enum tk_err
tk_segment_lookup(struct tk_segment *segment, const struct tk_value_index_run *run, uint64_t hash,
                  uint32_t *groups, uint32_t capacity, uint32_t *ret_count, struct tk_error *err)
{
    struct tk_page page = tk_value_index_page_of(run, hash);
    struct tk_cache_item *item;
    *ret_count = 0;
    if (page.size == 0)
        return TK_OK;
    enum tk_err code = tk_segment_page(segment, &page, &item, err);
    if (code != TK_OK)
        return code;
    code =
        tk_value_index_lookup(run, *(const tk_str *)item->value, hash, groups, capacity, ret_count);
    tk_cache_release(item);
    if (code == TK_ERR_CORRUPT)
        return tk_segment_corrupt(segment, page.offset, "a page", "it makes no sense", err);
    return code;
}

/* Columns and shapes. */

static void
free_schema(void *value)
{
    struct tk_schema_view *schema = value;
    tk_arena_release(&schema->_arena);
    free(schema);
}

static struct tk_part
get_part(struct tk_reader *in)
{
    struct tk_part part = {0};
    const void *bytes = tk_get_bytes(in, sizeof part);
    if (bytes != NULL)
        memcpy(&part, bytes, sizeof part);
    return part;
}

static tk_str
get_text(struct tk_reader *in, size_t len)
{
    const void *bytes = tk_get_bytes(in, len);
    return bytes != NULL ? (tk_str){bytes, len} : TK_STR_NONE;
}

/* Numbers lie in fixed columns of numbers and in attributes of number types. */
bool
tk_column_is_text(const struct tk_schema_view *schema, uint32_t column)
{
    if (column >= TK_COLUMN_FIXED) {
        uint8_t type = schema->columns[column].type;
        return type != TK_VALUE_EMPTY && type != TK_VALUE_BOOL && type != TK_VALUE_INT &&
               type != TK_VALUE_DOUBLE;
    }
    switch (column) {
    case TK_COLUMN_NAME:
    case TK_COLUMN_TRACE_STATE:
    case TK_COLUMN_STATUS_MESSAGE:
    case TK_COLUMN_OTHER:
    case TK_COLUMN_EVENT_NAME:
    case TK_COLUMN_EVENT_OTHER:
    case TK_COLUMN_LINK_STATE:
    case TK_COLUMN_LINK_OTHER:
        return true;
    default:
        return false;
    }
}

bool
tk_column_texts_ok(const struct tk_schema_view *schema, uint32_t column, const tk_str *texts,
                   uint32_t count)
{
    uint8_t type = schema->columns[column].type;
    if (column == TK_COLUMN_OTHER || column == TK_COLUMN_EVENT_OTHER ||
        column == TK_COLUMN_LINK_OTHER)
        type = TK_VALUE_MAP;
    else if (column < TK_COLUMN_FIXED || (type != TK_VALUE_ARRAY && type != TK_VALUE_MAP))
        return true;
    for (uint32_t i = 0; i < count; i++) {
        struct tk_value nested = {.type = type, .len = (uint32_t)texts[i].len};
        nested.ptr = texts[i].ptr;
        if (!tk_value_is_whole(nested))
            return false;
    }
    return true;
}

/* Fixed columns whose numbers are read as they are. */
static bool
is_raw(uint32_t column)
{
    return column < TK_COLUMN_NAME || (column >= TK_COLUMN_RESOURCE && column <= TK_COLUMN_SHAPE) ||
           column == TK_COLUMN_EVENTS || column == TK_COLUMN_LINKS ||
           column == TK_COLUMN_EVENT_SHAPE || column == TK_COLUMN_LINK_SHAPE ||
           column == TK_COLUMN_LINK_HIGH || column == TK_COLUMN_LINK_LOW;
}

static bool
column_ok(const struct tk_schema_view *schema, uint32_t number)
{
    const struct tk_column *column = &schema->columns[number];
    bool is_fixed = number < TK_COLUMN_FIXED;
    if (column->kind > TK_COLUMN_PLAIN || column->type > TK_VALUE_MAP ||
        column->owner > TK_COLUMN_OF_LINK || (column->owner == TK_COLUMN_OF_ALL) != is_fixed)
        return false;
    if (column->kind == TK_COLUMN_DICTIONARY && is_fixed && is_raw(number))
        return column->dictionary.size == 0; /* it holds numbers */
    if (column->kind == TK_COLUMN_DICTIONARY && column->distinct > TK_DICTIONARY_MAX)
        return false;
    if (column->kind == TK_COLUMN_DICTIONARY) /* names of events where no span has one: no text */
        return column->distinct > 0 ? column->dictionary.size > 0
                                    : column->dictionary.size == 0 && column->value_count == 0;
    return (column->kind == TK_COLUMN_PLAIN) == tk_column_is_text(schema, number) &&
           column->dictionary.size == 0;
}

static bool
parse_columns(struct tk_schema_view *schema, tk_str bytes)
{
    struct tk_reader in = {(const unsigned char *)bytes.ptr,
                           (const unsigned char *)bytes.ptr + bytes.len, true};
    for (uint32_t i = 0; i < schema->column_count && in.ok; i++) {
        struct tk_column *column = &schema->columns[i];
        tk_str fixed = get_text(&in, 4);
        if (!in.ok)
            return false;
        *column = (struct tk_column){.owner = (uint8_t)fixed.ptr[0],
                                     .type = (uint8_t)fixed.ptr[1],
                                     .kind = (uint8_t)fixed.ptr[2]};
        column->key = get_text(&in, tk_get_u32(&in));
        column->value_count = tk_get_varint(&in);
        column->distinct = tk_get_u32(&in);
        column->dictionary = get_part(&in);
        column->zones = get_part(&in);
        column->index = get_part(&in);
        column->counts = get_part(&in);
        if (!column_ok(schema, i))
            return false;
    }
    return in.ok && in.at == in.end;
}

/* All of one owner, none twice. */
static bool
shape_ok(const struct tk_schema_view *schema, const struct tk_shape *shape, uint32_t *seen,
         uint32_t number)
{
    for (uint32_t i = 0; i < shape->count; i++) {
        uint32_t column = shape->columns[i];
        if (column < TK_COLUMN_FIXED || column >= schema->column_count || seen[column] == number ||
            schema->columns[column].owner != schema->columns[shape->columns[0]].owner)
            return false;
        seen[column] = number;
    }
    return true;
}

static enum tk_err
parse_shapes(struct tk_schema_view *schema, tk_str bytes)
{
    struct tk_reader in = {(const unsigned char *)bytes.ptr,
                           (const unsigned char *)bytes.ptr + bytes.len, true};
    uint32_t count = tk_get_count(&in);
    if (!in.ok || count == 0 || count > TK_SHAPES_MAX)
        return TK_ERR_CORRUPT;
    uint32_t *seen = tk_arena_zalloc(&schema->_arena, schema->column_count, sizeof *seen);
    schema->shapes = tk_arena_zalloc(&schema->_arena, count, sizeof *schema->shapes);
    if (schema->shapes == NULL || seen == NULL)
        return TK_ERR_MEMORY;
    schema->shape_count = count;
    for (uint32_t i = 0; i < count && in.ok; i++) {
        uint32_t column_count = tk_get_count(&in);
        uint32_t *columns = tk_arena_alloc(&schema->_arena, column_count * sizeof *columns + 1);
        if (columns == NULL)
            return TK_ERR_MEMORY;
        for (uint32_t k = 0; k < column_count && in.ok; k++)
            columns[k] = tk_get_u32(&in);
        schema->shapes[i] = (struct tk_shape){column_count, columns};
        if (!in.ok || (i == 0 && column_count > 0) ||
            !shape_ok(schema, &schema->shapes[i], seen, i + 1))
            return TK_ERR_CORRUPT;
    }
    return in.ok && in.at == in.end ? TK_OK : TK_ERR_CORRUPT;
}

/* Moves `bytes` into the arena. */
static tk_str
own(struct tk_schema_view *schema, char *bytes, size_t size)
{
    tk_str copy = tk_arena_copy(&schema->_arena, (tk_str){bytes, size});
    free(bytes);
    return copy;
}

static enum tk_err
load_schema(struct tk_segment *segment, struct tk_schema_view *schema, struct tk_error *err)
{
    char *bytes = NULL;
    schema->column_count = segment->column_count;
    schema->columns =
        tk_arena_zalloc(&schema->_arena, schema->column_count, sizeof *schema->columns);
    if (schema->columns == NULL)
        return no_memory(err);
    enum tk_err code = tk_segment_read_part(segment, &segment->_columns, &bytes, err);
    if (code != TK_OK)
        return code;
    tk_str text = own(schema, bytes, segment->_columns.raw_size);
    if (text.ptr == NULL)
        return no_memory(err);
    if (!parse_columns(schema, text))
        return tk_segment_corrupt(segment, segment->_columns.offset, "the section of columns",
                                  "it makes no sense", err);
    code = tk_segment_read_part(segment, &segment->_shapes, &bytes, err);
    if (code != TK_OK)
        return code;
    code = parse_shapes(schema, (tk_str){bytes, segment->_shapes.raw_size});
    free(bytes);
    if (code == TK_ERR_MEMORY)
        return no_memory(err);
    return code == TK_OK ? TK_OK
                         : tk_segment_corrupt(segment, segment->_shapes.offset,
                                              "the section of shapes", "it makes no sense", err);
}

enum tk_err
tk_segment_schema(struct tk_segment *segment, struct tk_cache_item **ret_item, struct tk_error *err)
{
    uint64_t key = TK_SEGMENT_KEY(TK_SEGMENT_SCHEMA, 0);
    struct tk_cache_item *item = look_up(segment, key);
    if (item != NULL) {
        *ret_item = item;
        return TK_OK;
    }
    struct tk_schema_view *schema = calloc(1, sizeof *schema);
    if (schema == NULL)
        return no_memory(err);
    tk_arena_init(&schema->_arena, ARENA_CHUNK, ARENA_LIMIT);
    enum tk_err code = load_schema(segment, schema, err);
    if (code != TK_OK) {
        free_schema(schema);
        return code;
    }
    return keep(segment, key, schema, schema->_arena.used + sizeof *schema, free_schema, ret_item,
                err);
}

/* Dictionaries. */

static void
free_dictionary(void *value)
{
    struct tk_dictionary *dictionary = value;
    tk_arena_release(&dictionary->_arena);
    free(dictionary);
}

static struct tk_dictionary *
new_dictionary(uint32_t count)
{
    struct tk_dictionary *dictionary = calloc(1, sizeof *dictionary);
    if (dictionary == NULL)
        return NULL;
    dictionary->count = count;
    tk_arena_init(&dictionary->_arena, ARENA_CHUNK, ARENA_LIMIT);
    return dictionary;
}

static enum tk_err
parse_texts(struct tk_dictionary *dictionary, tk_str bytes)
{
    tk_str *texts =
        tk_arena_alloc(&dictionary->_arena, (size_t)dictionary->count * sizeof *texts + 1);
    if (texts == NULL)
        return TK_ERR_MEMORY;
    enum tk_err code =
        tk_texts_decode(&bytes, dictionary->count, TK_SEGMENT_PART_MAX, &dictionary->_arena, texts);
    dictionary->texts = texts;
    return code == TK_OK && bytes.len > 0 ? TK_ERR_CORRUPT : code;
}

static enum tk_err
parse_numbers(struct tk_dictionary *dictionary, tk_str bytes)
{
    uint64_t *numbers =
        tk_arena_alloc(&dictionary->_arena, (size_t)dictionary->count * sizeof *numbers + 1);
    if (numbers == NULL)
        return TK_ERR_MEMORY;
    enum tk_err code = tk_numbers_decode(&bytes, dictionary->count, numbers);
    dictionary->numbers = numbers;
    return code == TK_OK && bytes.len > 0 ? TK_ERR_CORRUPT : code;
}

/* Binary search needs it. */
static bool
is_in_order(const struct tk_dictionary *dictionary)
{
    for (uint32_t i = 1; i < dictionary->count; i++)
        if (dictionary->texts != NULL
                ? tk_str_cmp(dictionary->texts[i - 1], dictionary->texts[i]) >= 0
                : dictionary->numbers[i - 1] >= dictionary->numbers[i])
            return false;
    return true;
}

enum tk_err
tk_segment_dictionary(struct tk_segment *segment, const struct tk_schema_view *schema,
                      uint32_t column, struct tk_cache_item **ret_item, struct tk_error *err)
{
    uint64_t key = TK_SEGMENT_KEY(TK_SEGMENT_DICTIONARY, column);
    struct tk_cache_item *item = look_up(segment, key);
    if (item != NULL) {
        *ret_item = item;
        return TK_OK;
    }
    const struct tk_column *of = &schema->columns[column];
    char *bytes = NULL;
    enum tk_err code = TK_OK;
    if (of->dictionary.size > 0)
        code = tk_segment_read_part(segment, &of->dictionary, &bytes, err);
    if (code != TK_OK)
        return code;
    struct tk_dictionary *dictionary = new_dictionary(of->distinct);
    tk_str text = {bytes, of->dictionary.raw_size};
    if (dictionary == NULL)
        code = TK_ERR_MEMORY;
    else if (of->distinct > 0)
        code = tk_column_is_text(schema, column) ? parse_texts(dictionary, text)
                                                 : parse_numbers(dictionary, text);
    free(bytes);
    if (code == TK_OK && (!is_in_order(dictionary) ||
                          (dictionary->texts != NULL &&
                           !tk_column_texts_ok(schema, column, dictionary->texts, of->distinct))))
        code = TK_ERR_CORRUPT;
    if (code != TK_OK) {
        if (dictionary != NULL)
            free_dictionary(dictionary);
        return code == TK_ERR_CORRUPT ? tk_segment_corrupt(segment, of->dictionary.offset,
                                                           "a dictionary", "it makes no sense", err)
                                      : no_memory(err);
    }
    return keep(segment, key, dictionary, dictionary->_arena.used + sizeof *dictionary,
                free_dictionary, ret_item, err);
}

bool
tk_dictionary_find_text(const struct tk_dictionary *dictionary, tk_str text, uint32_t *ret_code)
{
    uint32_t low = 0, high = dictionary->texts != NULL ? dictionary->count : 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = tk_str_cmp(text, dictionary->texts[middle]);
        if (order == 0) {
            *ret_code = middle;
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

bool
tk_dictionary_find_number(const struct tk_dictionary *dictionary, uint64_t number,
                          uint32_t *ret_code)
{
    for (uint32_t i = 0; dictionary->numbers != NULL && i < dictionary->count; i++)
        if (dictionary->numbers[i] == number) {
            *ret_code = i;
            return true;
        }
    return false;
}

enum tk_err
tk_segment_code(struct tk_segment *segment, const struct tk_schema_view *schema, uint32_t column,
                uint64_t number, uint64_t *ret_code, struct tk_error *err)
{
    struct tk_cache_item *item;
    uint32_t found;
    *ret_code = number;
    if (schema->columns[column].dictionary.size == 0)
        return TK_OK;
    enum tk_err code = tk_segment_dictionary(segment, schema, column, &item, err);
    if (code != TK_OK)
        return code;
    *ret_code = tk_dictionary_find_number(item->value, number, &found) ? found : UINT64_MAX;
    tk_cache_release(item);
    return TK_OK;
}

/* Zones. */

static void
free_zones(void *value)
{
    tk_zones_release(value);
    free(value);
}

enum tk_err
tk_segment_zones(struct tk_segment *segment, const struct tk_schema_view *schema, uint32_t column,
                 struct tk_cache_item **ret_item, struct tk_error *err)
{
    uint64_t key = TK_SEGMENT_KEY(TK_SEGMENT_ZONES, column);
    struct tk_cache_item *item = look_up(segment, key);
    if (item != NULL) {
        *ret_item = item;
        return TK_OK;
    }
    const struct tk_column *of = &schema->columns[column];
    struct tk_zones *zones = calloc(1, sizeof *zones);
    char *bytes = NULL;
    if (zones == NULL)
        return no_memory(err);
    enum tk_err code = TK_OK;
    zones->all = true; /* not there: every group may have it */
    zones->count = segment->group_count;
    if (of->zones.size > 0) {
        code = tk_segment_read_part(segment, &of->zones, &bytes, err);
        if (code == TK_OK) {
            code = tk_zones_read((tk_str){bytes, of->zones.raw_size}, segment->group_count,
                                 of->kind == TK_COLUMN_NUMBERS && column >= TK_COLUMN_FIXED, zones);
            if (code == TK_ERR_CORRUPT)
                code = tk_segment_corrupt(segment, of->zones.offset, "zones", "they make no sense",
                                          err);
        }
        free(bytes);
    }
    if (code != TK_OK) {
        free(zones);
        return code;
    }
    size_t memory = sizeof *zones + zones->count * 20u;
    return keep(segment, key, zones, memory, free_zones, ret_item, err);
}

/* Resources and scopes. */

static enum tk_err
message_page(struct tk_segment *segment, enum tk_message what, uint32_t number, uint32_t *ret_total,
             struct tk_page *ret_page, struct tk_error *err)
{
    const struct tk_part *part = &segment->_messages[what];
    struct tk_cache_item *item;
    uint64_t total = 0;
    enum tk_err code = tk_segment_section(segment, part, &item, err);
    if (code != TK_OK)
        return code;
    tk_str bytes = *(const tk_str *)item->value;
    if (bytes.len >= sizeof total)
        memcpy(&total, bytes.ptr, sizeof total);
    uint64_t pages = (total + TK_RESOURCE_PAGE - 1) / TK_RESOURCE_PAGE;
    if (total > UINT32_MAX || bytes.len != sizeof total + pages * sizeof *ret_page) {
        code = tk_segment_corrupt(segment, part->offset, "a list of resources", "it makes no sense",
                                  err);
    } else {
        *ret_total = (uint32_t)total;
        if (ret_page != NULL && number < pages)
            memcpy(ret_page, bytes.ptr + sizeof total + number * sizeof *ret_page,
                   sizeof *ret_page);
        else if (ret_page != NULL)
            code = tk_segment_corrupt(segment, part->offset, "a list of resources",
                                      "it is too short", err);
    }
    tk_cache_release(item);
    return code;
}

enum tk_err
tk_segment_message_count(struct tk_segment *segment, enum tk_message what, uint32_t *ret_count,
                         struct tk_error *err)
{
    return message_page(segment, what, 0, ret_count, NULL, err);
}

enum tk_err
tk_segment_messages(struct tk_segment *segment, enum tk_message what, uint32_t number,
                    struct tk_cache_item **ret_item, struct tk_error *err)
{
    uint64_t key = TK_SEGMENT_KEY(TK_SEGMENT_MESSAGES, (uint64_t)what << 32 | number);
    struct tk_cache_item *item = look_up(segment, key), *bytes;
    struct tk_page page;
    uint32_t total = 0;
    if (item != NULL) {
        *ret_item = item;
        return TK_OK;
    }
    enum tk_err code = message_page(segment, what, number, &total, &page, err);
    if (code == TK_OK)
        code = tk_segment_page(segment, &page, &bytes, err);
    if (code != TK_OK)
        return code;
    uint32_t left = total - number * TK_RESOURCE_PAGE;
    struct tk_dictionary *messages =
        new_dictionary(left < TK_RESOURCE_PAGE ? left : TK_RESOURCE_PAGE);
    code = messages != NULL ? parse_texts(messages, *(const tk_str *)bytes->value) : TK_ERR_MEMORY;
    tk_cache_release(bytes);
    if (code != TK_OK) {
        if (messages != NULL)
            free_dictionary(messages);
        return code == TK_ERR_CORRUPT
                   ? tk_segment_corrupt(segment, page.offset, "a page", "it makes no sense", err)
                   : no_memory(err);
    }
    return keep(segment, key, messages, messages->_arena.used + sizeof *messages, free_dictionary,
                ret_item, err);
}

/* The texts decoded, into a batch that has its own copy of them. */
static enum tk_err
decode_messages(const struct tk_dictionary *messages, enum tk_message what, struct tk_batch *batch)
{
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; code == TK_OK && i < messages->count; i++) {
        tk_str text = tk_arena_copy(&batch->arena, messages->texts[i]);
        if (text.ptr == NULL)
            return TK_ERR_MEMORY;
        code = what == TK_MESSAGE_SCOPE ? tk_otlp_scope_decode(text, batch, NULL)
                                        : tk_otlp_resource_decode(text, batch, NULL);
    }
    return code;
}

static void
free_batch(void *value)
{
    tk_batch_free(value);
}

enum tk_err
tk_segment_decoded(struct tk_segment *segment, enum tk_message what, uint32_t number,
                   struct tk_cache_item **ret_item, struct tk_error *err)
{
    uint64_t key = TK_SEGMENT_KEY(TK_SEGMENT_DECODED, (uint64_t)what << 32 | number);
    struct tk_cache_item *item = look_up(segment, key), *messages;
    if (item != NULL) {
        *ret_item = item;
        return TK_OK;
    }
    enum tk_err code = tk_segment_messages(segment, what, number, &messages, err);
    if (code != TK_OK)
        return code;
    struct tk_batch *batch = tk_batch_new();
    code = batch != NULL ? decode_messages(messages->value, what, batch) : TK_ERR_MEMORY;
    tk_cache_release(messages);
    if (code != TK_OK) {
        tk_batch_free(batch);
        return code == TK_ERR_MEMORY
                   ? no_memory(err)
                   : tk_segment_corrupt(segment, segment->_messages[what].offset,
                                        "a list of resources", "it does not decode", err);
    }
    return keep(segment, key, batch, tk_batch_memory(batch), free_batch, ret_item, err);
}
