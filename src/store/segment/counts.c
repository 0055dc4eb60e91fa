/*
 * counts - see counts.h.
 *
 * Operations are counts too: their codes are handed out in order of first sight, and an operation's
 * name, {kind, length of the service, service, name} written as bytes, is interned to find it.
 *
 * What is counted is bounded: beyond TK_OPERATIONS_MAX of them, or when their histograms or names
 * take too much memory, everything is let go, and there are "too many" from then on.  Who asks
 * falls back on the rows.
 */
#include "store/segment/counts.h"

#include "base/assert.h"
#include "store/segment/columns.h"
#include "store/segment/numbers.h"
#include "store/segment/varint.h"

#include <stdlib.h>

enum {
    NAME_HEAD = 8,         /* bytes before service and name */
    TEXT_MAX = 16 << 20,   /* bytes of all names */
    BUCKETS_MAX = 4 << 20, /* between first and last one of all histograms of operations */
    ARENA_MAX = 64 << 20,  /* TEXT_MAX with heads, and what decoding needs */
    ARENA_CHUNK = 4096,
    FIRST_CAPACITY = 64,
    AT_ONCE = 32, /* spans whose memory is asked for together */
};

/* ---- counts ---- */

static bool
resize(void *column_ptr, size_t count, size_t size)
{
    void *column;
    memcpy(&column, column_ptr, sizeof column);
    column = realloc(column, count * size);
    if (column == NULL)
        return false;
    memcpy(column_ptr, &column, sizeof column);
    return true;
}

/*
 * Histograms as they are kept once they were read.  A segment that many spans came to has hundreds
 * of them with hundreds of buckets each: as arrays those of some ten segments would fill the cache.
 * Of each code the bytes from begin[code] on: varints, the first bucket and how many lie from there
 * to the last one; then of each bucket that is not empty how far it is behind the one before, and
 * its count.  Nothing of a code without spans.
 */
struct tk_packed_histograms {
    uint32_t *begin; /* [codes + 1] */
    struct tk_buf bytes;
};

static void
free_packed(struct tk_packed_histograms *packed)
{
    if (packed == NULL)
        return;
    free(packed->begin);
    tk_buf_release(&packed->bytes);
    free(packed);
}

/* Adds a code's histogram to `to`. */
static enum tk_err
unpack(const struct tk_packed_histograms *packed, uint32_t code, struct tk_histogram *to)
{
    const unsigned char *bytes = (const unsigned char *)packed->bytes.ptr;
    if (packed->begin[code] == packed->begin[code + 1])
        return TK_OK;
    struct tk_reader in = {bytes + packed->begin[code], bytes + packed->begin[code + 1], true};
    uint32_t bucket = (uint32_t)tk_get_varint(&in);
    enum tk_err result = tk_histogram_add(to, bucket, 0);
    if (result == TK_OK) /* room for all of them at once */
        result = tk_histogram_add(to, bucket + (uint32_t)tk_get_varint(&in), 0);
    while (result == TK_OK && in.at < in.end) {
        bucket += (uint32_t)tk_get_varint(&in);
        result = tk_histogram_add(to, bucket, tk_get_varint(&in));
    }
    return result;
}

/* Room for `capacity` codes; those behind `code_count` are zeroed. */
static enum tk_err
reserve(struct tk_counts *counts, uint32_t capacity, bool histograms)
{
    uint32_t from = counts->code_count;
    size_t room = capacity > 0 ? capacity : 1;
    if (!resize(&counts->span_count, room, sizeof *counts->span_count) ||
        !resize(&counts->error_count, room, sizeof *counts->error_count) ||
        !resize(&counts->last_nano, room, sizeof *counts->last_nano) ||
        (histograms && !resize(&counts->durations, room, sizeof *counts->durations)))
        return TK_ERR_MEMORY;
    for (uint32_t i = from; i < capacity; i++) {
        counts->span_count[i] = counts->error_count[i] = counts->last_nano[i] = 0;
        if (histograms)
            counts->durations[i] = (struct tk_histogram){0};
    }
    return TK_OK;
}

enum tk_err
tk_counts_init_with(struct tk_counts *counts, uint32_t code_count, bool durations)
{
    *counts = (struct tk_counts){0};
    enum tk_err code = reserve(counts, code_count, durations);
    if (code != TK_OK)
        tk_counts_release(counts);
    else
        counts->code_count = code_count;
    return code;
}

enum tk_err
tk_counts_init(struct tk_counts *counts, uint32_t code_count)
{
    return tk_counts_init_with(counts, code_count, code_count <= TK_COUNTS_HISTOGRAMS_MAX);
}

void
tk_counts_release(struct tk_counts *counts)
{
    for (uint32_t i = 0; counts->durations != NULL && i < counts->code_count; i++)
        tk_histogram_release(&counts->durations[i]);
    free(counts->span_count);
    free(counts->error_count);
    free(counts->last_nano);
    free(counts->durations);
    free_packed(counts->packed);
    *counts = (struct tk_counts){0};
}

void
tk_counts_clear(struct tk_counts *counts, uint32_t code_count)
{
    TK_ASSERT(code_count <= counts->code_count && counts->packed == NULL);
    memset(counts->span_count, 0, code_count * sizeof *counts->span_count);
    memset(counts->error_count, 0, code_count * sizeof *counts->error_count);
    memset(counts->last_nano, 0, code_count * sizeof *counts->last_nano);
    for (uint32_t i = 0; counts->durations != NULL && i < code_count; i++)
        tk_histogram_clear(&counts->durations[i]);
}

enum tk_err
tk_counts_durations(const struct tk_counts *counts, uint32_t code, struct tk_histogram *scratch,
                    const struct tk_histogram **ret_durations)
{
    *ret_durations = counts->durations != NULL ? &counts->durations[code] : NULL;
    if (counts->packed == NULL)
        return TK_OK;
    tk_histogram_clear(scratch);
    *ret_durations = scratch;
    return unpack(counts->packed, code, scratch);
}

/* What adding these will want. */
static void
fetch(const struct tk_counts *counts, const struct tk_counted_span *spans, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        tk_counts_fetch(counts, spans[i].code, &spans[i]);
}

enum tk_err
tk_counts_add(struct tk_counts *counts, const struct tk_counted_span *spans, uint32_t count)
{
    enum tk_err code = TK_OK;
    for (uint32_t at = 0, end; at < count && code == TK_OK; at = end) {
        end = count - at < AT_ONCE ? count : at + AT_ONCE;
        fetch(counts, spans + at, end - at);
        for (uint32_t i = at; i < end && code == TK_OK; i++)
            code = tk_counts_span(counts, spans[i].code, &spans[i]);
    }
    return code;
}

static enum tk_err
merge_code(struct tk_counts *to, uint32_t code, const struct tk_counts *from, uint32_t from_code)
{
    TK_ASSERT(code < to->code_count);
    to->span_count[code] += from->span_count[from_code];
    to->error_count[code] += from->error_count[from_code];
    if (from->last_nano[from_code] > to->last_nano[code])
        to->last_nano[code] = from->last_nano[from_code];
    if (to->durations == NULL)
        return TK_OK;
    if (from->packed != NULL)
        return unpack(from->packed, from_code, &to->durations[code]);
    TK_ASSERT(from->durations != NULL); /* it has fewer codes than what it is merged into */
    return tk_histogram_merge(&to->durations[code], &from->durations[from_code]);
}

enum tk_err
tk_counts_merge(struct tk_counts *to, const struct tk_counts *from, const uint32_t *map)
{
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < from->code_count && code == TK_OK; i++)
        code = merge_code(to, map[i], from, i);
    return code;
}

/* ---- their bytes ---- */

/* Appends a histogram's buckets that are not empty and their counts.  Of small segments most are
   empty: those are passed over four at a time. */
static void
list_buckets(const struct tk_histogram *h, struct tk_buf *buckets, struct tk_buf *numbers)
{
    size_t room = (h->end - h->begin) * sizeof(uint64_t), len = 0;
    char *to_buckets = tk_buf_reserve(buckets, room), *to_numbers = tk_buf_reserve(numbers, room);
    if (to_buckets == NULL || to_numbers == NULL) /* or there are none yet */
        return;
    const uint64_t *from = tk_histogram_place(h, h->begin); /* NULL: it is empty */
    for (uint32_t i = h->begin; i < h->end; i++, from++) {
        while (h->end - i > 4 && (from[0] | from[1] | from[2] | from[3]) == 0) {
            i += 4;
            from += 4;
        }
        uint64_t bucket = i, number = *from;
        memcpy(to_buckets + len, &bucket, sizeof bucket);
        memcpy(to_numbers + len, &number, sizeof number);
        len += number != 0 ? sizeof number : 0;
    }
    buckets->len += len;
    numbers->len += len;
}

static void
write_histograms(const struct tk_counts *counts, struct tk_buf *out)
{
    uint32_t codes = counts->code_count;
    uint64_t *lengths = calloc((size_t)codes + 1, sizeof *lengths);
    enum tk_err code = lengths != NULL ? TK_OK : TK_ERR_MEMORY;
    struct tk_histogram scratch = {0};
    struct tk_buf buckets, numbers; /* of uint64_t */
    tk_buf_init(&buckets, SIZE_MAX / 2);
    tk_buf_init(&numbers, SIZE_MAX / 2);
    for (uint32_t i = 0; i < codes && code == TK_OK; i++) {
        const struct tk_histogram *h;
        size_t before = numbers.len;
        code = tk_counts_durations(counts, i, &scratch, &h);
        if (code == TK_OK)
            list_buckets(h, &buckets, &numbers);
        lengths[i] = (numbers.len - before) / sizeof *lengths;
    }
    if (code != TK_OK || buckets.status != TK_OK || numbers.status != TK_OK) {
        out->status = TK_ERR_MEMORY;
    } else {
        uint32_t filled = (uint32_t)(numbers.len / sizeof *lengths);
        tk_numbers_encode(lengths, codes, 0, out);
        tk_numbers_encode((const void *)buckets.ptr, filled, 0, out);
        tk_numbers_encode((const void *)numbers.ptr, filled, 0, out);
    }
    tk_histogram_release(&scratch);
    tk_buf_release(&buckets);
    tk_buf_release(&numbers);
    free(lengths);
}

void
tk_counts_write(const struct tk_counts *counts, struct tk_buf *out)
{
    tk_numbers_encode(counts->span_count, counts->code_count, 0, out);
    tk_numbers_encode(counts->error_count, counts->code_count, 0, out);
    tk_numbers_encode(counts->last_nano, counts->code_count, 0, out);
    if (counts->durations != NULL || counts->packed != NULL)
        write_histograms(counts, out);
}

/* One histogram: buckets ascend, none is empty, and together they are `total`. */
static enum tk_err
pack(struct tk_buf *out, const uint64_t *buckets, const uint64_t *numbers, uint64_t length,
     uint64_t total)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < length; i++) {
        if (buckets[i] >= TK_HISTOGRAM_BUCKETS || numbers[i] == 0 ||
            (i > 0 && buckets[i] <= buckets[i - 1]))
            return TK_ERR_CORRUPT;
        sum += numbers[i];
    }
    if (length > 0) {
        tk_put_varint(out, buckets[0]);
        tk_put_varint(out, buckets[length - 1] - buckets[0]);
    }
    for (uint64_t i = 0; i < length; i++) {
        tk_put_varint(out, i > 0 ? buckets[i] - buckets[i - 1] : 0);
        tk_put_varint(out, numbers[i]);
    }
    return sum == total ? TK_OK : TK_ERR_CORRUPT;
}

static enum tk_err
pack_all(struct tk_packed_histograms *to, const struct tk_counts *counts, const uint64_t *lengths,
         const uint64_t *buckets, const uint64_t *numbers)
{
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < counts->code_count && code == TK_OK; i++) {
        code = pack(&to->bytes, buckets, numbers, lengths[i], counts->span_count[i]);
        buckets += lengths[i];
        numbers += lengths[i];
        to->begin[i + 1] = (uint32_t)to->bytes.len;
    }
    return code == TK_OK ? to->bytes.status : code;
}

/* Empty, for so many codes; NULL: out of memory. */
static struct tk_packed_histograms *
new_packed(uint32_t codes)
{
    struct tk_packed_histograms *packed = calloc(1, sizeof *packed);
    if (packed == NULL)
        return NULL;
    tk_buf_init(&packed->bytes, UINT32_MAX);
    packed->begin = calloc((size_t)codes + 1, sizeof *packed->begin);
    if (packed->begin != NULL)
        return packed;
    free_packed(packed);
    return NULL;
}

static enum tk_err
read_histograms(tk_str *in, struct tk_counts *counts)
{
    uint32_t codes = counts->code_count;
    uint64_t filled = 0, *buckets = NULL;
    uint64_t *lengths = malloc(((size_t)codes + 1) * sizeof *lengths);
    enum tk_err code = lengths != NULL ? tk_numbers_decode(in, codes, lengths) : TK_ERR_MEMORY;
    for (uint32_t i = 0; i < codes && code == TK_OK; i++) {
        filled += lengths[i];
        if (lengths[i] > TK_HISTOGRAM_BUCKETS || filled > BUCKETS_MAX)
            code = TK_ERR_CORRUPT;
    }
    if (code == TK_OK && (buckets = malloc((filled + 1) * 2 * sizeof *buckets)) == NULL)
        code = TK_ERR_MEMORY;
    if (code == TK_OK)
        code = tk_numbers_decode(in, (uint32_t)filled, buckets);
    if (code == TK_OK)
        code = tk_numbers_decode(in, (uint32_t)filled, buckets + filled);
    if (code == TK_OK && (counts->packed = new_packed(codes)) == NULL)
        code = TK_ERR_MEMORY;
    if (code == TK_OK)
        code = pack_all(counts->packed, counts, lengths, buckets, buckets + filled);
    free(lengths);
    free(buckets);
    return code;
}

/* Into counts that are all zero, and have no histograms yet. */
static enum tk_err
read_counts(tk_str in, bool durations, struct tk_counts *counts)
{
    enum tk_err code = tk_numbers_decode(&in, counts->code_count, counts->span_count);
    if (code == TK_OK)
        code = tk_numbers_decode(&in, counts->code_count, counts->error_count);
    if (code == TK_OK)
        code = tk_numbers_decode(&in, counts->code_count, counts->last_nano);
    for (uint32_t i = 0; i < counts->code_count && code == TK_OK; i++)
        if (counts->error_count[i] > counts->span_count[i])
            code = TK_ERR_CORRUPT;
    if (code == TK_OK && durations)
        code = read_histograms(&in, counts);
    return code == TK_OK && in.len > 0 ? TK_ERR_CORRUPT : code;
}

enum tk_err
tk_counts_read(tk_str section, uint32_t code_count, struct tk_counts *ret_counts)
{
    struct tk_counts counts;
    enum tk_err code = tk_counts_init_with(&counts, code_count, false);
    bool durations = code_count <= TK_COUNTS_HISTOGRAMS_MAX;
    if (code == TK_OK && (code = read_counts(section, durations, &counts)) != TK_OK)
        tk_counts_release(&counts);
    if (code == TK_OK)
        *ret_counts = counts;
    return code;
}

/* The buckets between first and last, which is about the memory that it takes. */
static uint64_t
extent(const struct tk_histogram *h)
{
    return h->end - h->begin;
}

size_t
tk_counts_memory(const struct tk_counts *counts)
{
    size_t memory = sizeof *counts + counts->code_count * 3 * sizeof *counts->span_count;
    for (uint32_t i = 0; counts->durations != NULL && i < counts->code_count; i++)
        memory += sizeof *counts->durations + extent(&counts->durations[i]) * sizeof(uint64_t);
    if (counts->packed != NULL)
        memory += sizeof *counts->packed + counts->packed->bytes.capacity +
                  counts->code_count * sizeof *counts->packed->begin;
    return memory;
}

/* ---- operations ---- */

struct tk_operations {
    struct tk_counts counts; /* by number of the name */
    struct tk_intern names;
    struct tk_arena arena; /* of the names */
    struct tk_buf name;    /* the one being looked up */
    uint32_t capacity;     /* of counts */
    uint64_t text_bytes, buckets;
    bool too_many;
};

struct tk_operations *
tk_operations_new(void)
{
    struct tk_operations *operations = calloc(1, sizeof *operations);
    if (operations == NULL)
        return NULL;
    tk_intern_init(&operations->names, TK_OPERATIONS_MAX);
    tk_arena_init(&operations->arena, ARENA_CHUNK, ARENA_MAX);
    tk_buf_init(&operations->name, SIZE_MAX / 2);
    operations->capacity = FIRST_CAPACITY;
    if (reserve(&operations->counts, FIRST_CAPACITY, true) == TK_OK)
        return operations;
    tk_operations_free(operations);
    return NULL;
}

static void
release_operations(struct tk_operations *operations)
{
    tk_counts_release(&operations->counts);
    tk_intern_release(&operations->names);
    tk_arena_release(&operations->arena);
    tk_buf_release(&operations->name);
}

void
tk_operations_free(struct tk_operations *operations)
{
    if (operations != NULL)
        release_operations(operations);
    free(operations);
}

static void
give_up(struct tk_operations *operations)
{
    release_operations(operations);
    *operations = (struct tk_operations){.too_many = true};
}

static void
write_name(struct tk_buf *out, tk_str service, tk_str name, int32_t kind)
{
    uint32_t length = (uint32_t)service.len;
    tk_buf_clear(out);
    tk_buf_append(out, (tk_str){(const char *)&kind, sizeof kind});
    tk_buf_append(out, (tk_str){(const char *)&length, sizeof length});
    tk_buf_append(out, service);
    tk_buf_append(out, name);
}

static void
split_name(tk_str text, tk_str *ret_service, tk_str *ret_name, int32_t *ret_kind)
{
    uint32_t length;
    memcpy(ret_kind, text.ptr, sizeof *ret_kind);
    memcpy(&length, text.ptr + sizeof *ret_kind, sizeof length);
    *ret_service = (tk_str){text.ptr + NAME_HEAD, length};
    *ret_name = (tk_str){text.ptr + NAME_HEAD + length, text.len - NAME_HEAD - length};
}

static enum tk_err
add_operation(struct tk_operations *operations, uint32_t *ret_number)
{
    struct tk_counts *counts = &operations->counts;
    if (counts->code_count == operations->capacity) {
        uint32_t grown = operations->capacity * 2;
        if (reserve(counts, grown, true) != TK_OK)
            return TK_ERR_MEMORY;
        operations->capacity = grown;
    }
    enum tk_err code = tk_intern_copy(&operations->names, &operations->arena,
                                      tk_buf_str(&operations->name), ret_number);
    if (code != TK_OK)
        return code;
    operations->text_bytes += operations->name.len;
    counts->code_count = *ret_number + 1;
    return TK_OK;
}

enum tk_err
tk_operations_intern(struct tk_operations *operations, tk_str service, tk_str name, int32_t kind,
                     uint32_t *ret_number)
{
    *ret_number = UINT32_MAX;
    if (operations->too_many)
        return TK_OK;
    write_name(&operations->name, service, name, kind);
    if (operations->name.status != TK_OK)
        return operations->name.status;
    if (tk_intern_find(&operations->names, tk_buf_str(&operations->name), ret_number))
        return TK_OK;
    if (operations->names.count < TK_OPERATIONS_MAX &&
        operations->text_bytes + operations->name.len <= TEXT_MAX)
        return add_operation(operations, ret_number);
    give_up(operations);
    *ret_number = UINT32_MAX;
    return TK_OK;
}

enum tk_err
tk_operations_add(struct tk_operations *operations, const struct tk_counted_span *spans,
                  uint32_t count)
{
    enum tk_err code = TK_OK;
    for (uint32_t at = 0, end; at < count && code == TK_OK; at = end) {
        end = count - at < AT_ONCE ? count : at + AT_ONCE;
        if (operations->too_many)
            break;
        fetch(&operations->counts, spans + at, end - at);
        for (uint32_t i = at; i < end && code == TK_OK; i++) {
            const struct tk_histogram *h = &operations->counts.durations[spans[i].code];
            uint64_t before = extent(h);
            code = tk_counts_span(&operations->counts, spans[i].code, &spans[i]);
            operations->buckets += extent(h) - before;
        }
        if (operations->buckets > BUCKETS_MAX)
            give_up(operations);
    }
    return code;
}

enum tk_err
tk_operations_merge(struct tk_operations *to, const struct tk_operations *from)
{
    enum tk_err code = TK_OK;
    if (from == NULL || from->too_many)
        give_up(to);
    for (uint32_t i = 0; !to->too_many && i < from->counts.code_count && code == TK_OK; i++) {
        tk_str service, name;
        int32_t kind;
        uint32_t number;
        split_name(from->names.strings[i], &service, &name, &kind);
        code = tk_operations_intern(to, service, name, kind, &number);
        if (code != TK_OK || to->too_many)
            break;
        uint64_t before = extent(&to->counts.durations[number]);
        code = merge_code(&to->counts, number, &from->counts, i);
        to->buckets += extent(&to->counts.durations[number]) - before;
        if (to->buckets > BUCKETS_MAX)
            give_up(to);
    }
    return code;
}

void
tk_operations_write(const struct tk_operations *operations, struct tk_buf *out)
{
    uint32_t count = operations->counts.code_count;
    if (operations->too_many)
        return;
    tk_str *texts = malloc(((size_t)count + 1) * 2 * sizeof *texts);
    uint64_t *kinds = malloc(((size_t)count + 1) * sizeof *kinds);
    if (texts == NULL || kinds == NULL) {
        out->status = TK_ERR_MEMORY;
    } else {
        for (uint32_t i = 0; i < count; i++) {
            int32_t kind;
            split_name(operations->names.strings[i], &texts[i], &texts[count + i], &kind);
            kinds[i] = tk_zigzag(kind);
        }
        tk_put_varint(out, count);
        tk_texts_encode(texts, count, 0, out);
        tk_texts_encode(texts + count, count, 0, out);
        tk_numbers_encode(kinds, count, 0, out);
        tk_counts_write(&operations->counts, out);
    }
    free(texts);
    free(kinds);
}

/* Their names; *in is left at the counts. */
static enum tk_err
read_names(tk_str *in, struct tk_operations *operations)
{
    struct tk_reader reader = {(const unsigned char *)in->ptr,
                               (const unsigned char *)in->ptr + in->len, true};
    uint64_t count = tk_get_varint(&reader);
    if (!reader.ok || count > TK_OPERATIONS_MAX)
        return TK_ERR_CORRUPT;
    *in = (tk_str){(const char *)reader.at, tk_reader_left(&reader)};
    struct tk_arena arena; /* of what is decoded */
    tk_arena_init(&arena, ARENA_CHUNK, ARENA_MAX);
    uint32_t n = (uint32_t)count, number;
    tk_str *texts = tk_arena_alloc(&arena, (n + 1) * 2 * sizeof *texts);
    uint64_t *kinds = tk_arena_alloc(&arena, (n + 1) * sizeof *kinds);
    enum tk_err code = texts != NULL && kinds != NULL ? TK_OK : TK_ERR_MEMORY;
    if (code == TK_OK)
        code = tk_texts_decode(in, n, TEXT_MAX, &arena, texts);
    if (code == TK_OK)
        code = tk_texts_decode(in, n, TEXT_MAX, &arena, texts + n);
    if (code == TK_OK)
        code = tk_numbers_decode(in, n, kinds);
    for (uint32_t i = 0; i < n && code == TK_OK; i++) {
        int64_t kind = tk_unzigzag(kinds[i]);
        if (kind != (int32_t)kind)
            code = TK_ERR_CORRUPT;
        else
            code = tk_operations_intern(operations, texts[i], texts[n + i], (int32_t)kind, &number);
        if (code == TK_OK && number != i) /* twice the same, or too many */
            code = TK_ERR_CORRUPT;
    }
    tk_arena_release(&arena);
    return code;
}

/* From first to last bucket, of all of them. */
static uint64_t
sum_extents(const struct tk_packed_histograms *packed, uint32_t codes)
{
    const unsigned char *bytes = (const unsigned char *)packed->bytes.ptr;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < codes; i++) {
        if (packed->begin[i] == packed->begin[i + 1])
            continue;
        struct tk_reader in = {bytes + packed->begin[i], bytes + packed->begin[i + 1], true};
        (void)tk_get_varint(&in);
        sum += tk_get_varint(&in) + 1;
    }
    return sum;
}

enum tk_err
tk_operations_read(tk_str section, struct tk_operations **ret_operations)
{
    struct tk_operations *operations = tk_operations_new();
    if (operations == NULL)
        return TK_ERR_MEMORY;
    struct tk_counts *counts = &operations->counts;
    enum tk_err code = read_names(&section, operations);
    free(counts->durations); /* all empty */
    counts->durations = NULL;
    if (code == TK_OK)
        code = read_counts(section, true, counts);
    if (code == TK_OK && sum_extents(counts->packed, counts->code_count) > BUCKETS_MAX)
        code = TK_ERR_CORRUPT;
    if (code == TK_OK)
        *ret_operations = operations;
    else
        tk_operations_free(operations);
    return code;
}

uint64_t
tk_operations_total(const struct tk_operations *operations)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < operations->counts.code_count; i++)
        total += operations->counts.span_count[i];
    return total;
}

size_t
tk_operations_memory(const struct tk_operations *operations)
{
    return tk_counts_memory(&operations->counts) + operations->text_bytes +
           operations->counts.code_count * 2 * sizeof(tk_str); /* names, and where they are */
}

enum tk_err
tk_operations_each(const struct tk_operations *operations, bool want_durations,
                   enum tk_err (*each)(void *arg, tk_str service, tk_str name, int32_t kind,
                                       const struct tk_store_count *count),
                   void *arg)
{
    const struct tk_counts *counts = &operations->counts;
    struct tk_histogram scratch = {0};
    enum tk_err code = TK_OK;
    for (uint32_t i = 0; i < counts->code_count && code == TK_OK; i++) {
        struct tk_store_count count = {.span_count = counts->span_count[i],
                                       .error_count = counts->error_count[i],
                                       .last_nano = counts->last_nano[i]};
        tk_str service, name;
        int32_t kind;
        if (want_durations)
            code = tk_counts_durations(counts, i, &scratch, &count.durations);
        split_name(operations->names.strings[i], &service, &name, &kind);
        if (code == TK_OK)
            code = each(arg, service, name, kind, &count);
    }
    tk_histogram_release(&scratch);
    return code;
}
