/*
 * value_index - hash -> groups (value_index.h, docs/formats/segment.md).
 *
 * A lookup costs one page: top bits of the hash choose the page, and pairs that carry the next
 * ones, the tag, are the answer.  The key of a pair - all these bits and the group in one number -
 * is what a run is sorted by, so equal keys become neighbours and one, and a page is a list of
 * ascending numbers that are spread evenly.
 */
#include "store/segment/value_index.h"

#include "base/assert.h"
#include "base/hash.h"

#include <stdlib.h>

enum {
    PAGE_PAIRS = 2048, /* about; at most, on average */
    BUCKET_BITS = 6,
    BUCKETS = 1 << BUCKET_BITS,
    PAGE_BITS_MAX = 20,
    GROUP_BITS_MAX = 32,
    TAG_BITS_MAX = 16,
    WIDTH_MAX = 32,
    HEAD_SIZE = 16,
    COUNT_SIZE = 4, /* of a page: how many keys */
};

/* How the pages of a run are. */
enum { IN_BUCKETS /* segments of version 2; only read */, KEYS };

static const size_t CAPACITY_MIN = 1024, RUNS_LIMIT = (size_t)1 << 30;
_Static_assert(GROUP_BITS_MAX + TAG_BITS_MAX <= 56, "a pair is read in one go");

void
tk_value_index_init(struct tk_value_index *index, unsigned tag_bits)
{
    TK_ASSERT(tag_bits >= 1 && tag_bits <= TAG_BITS_MAX);
    *index = (struct tk_value_index){.tag_bits = tag_bits};
    tk_buf_init(&index->_runs, RUNS_LIMIT);
}

void
tk_value_index_release(struct tk_value_index *index)
{
    free(index->hash);
    free(index->group);
    tk_buf_release(&index->_runs);
    *index = (struct tk_value_index){0};
}

static enum tk_err
grow(struct tk_value_index *index)
{
    size_t capacity = index->_capacity > 0 ? index->_capacity * 2 : CAPACITY_MIN;
    uint64_t *hash = realloc(index->hash, capacity * sizeof *hash);
    if (hash == NULL)
        return TK_ERR_MEMORY;
    index->hash = hash;
    uint32_t *group = realloc(index->group, capacity * sizeof *group);
    if (group == NULL)
        return TK_ERR_MEMORY;
    index->group = group;
    index->_capacity = capacity;
    return TK_OK;
}

enum tk_err
tk_value_index_add(struct tk_value_index *index, uint64_t hash, uint32_t group)
{
    if (index->count == index->_capacity && grow(index) != TK_OK)
        return TK_ERR_MEMORY;
    index->hash[index->count] = hash;
    index->group[index->count++] = group;
    return TK_OK;
}

static unsigned
bits_of(uint64_t number)
{
    return number > 0 ? 64 - (unsigned)__builtin_clzll(number) : 0;
}

/* Least significant byte first; sorts `keys` by their low `bits`.  False: out of memory. */
static bool
sort_keys(uint64_t *keys, size_t count, unsigned bits)
{
    uint64_t *from = keys, *to = malloc(count * sizeof *to), *scratch = to;
    if (to == NULL)
        return false;
    for (unsigned shift = 0; shift < bits; shift += 8) {
        size_t begin[257] = {0};
        for (size_t i = 0; i < count; i++)
            begin[((from[i] >> shift) & 255) + 1]++;
        for (unsigned i = 0; i < 256; i++)
            begin[i + 1] += begin[i];
        for (size_t i = 0; i < count; i++)
            to[begin[(from[i] >> shift) & 255]++] = from[i];
        uint64_t *swapped = from;
        from = to;
        to = swapped;
    }
    if (from != keys)
        memcpy(keys, from, count * sizeof *keys);
    free(scratch);
    return true;
}

static size_t
drop_equal(uint64_t *keys, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || keys[i] != keys[i - 1])
            keys[kept++] = keys[i];
    return kept;
}

/* Numbers of `width` bits, least significant first, into bytes that are zeroed. */
static void
put_bits(unsigned char *bytes, uint64_t bit, unsigned width, uint64_t number)
{
    for (unsigned done = 0; done < width;) {
        unsigned at = (unsigned)(bit + done) & 7;
        bytes[(bit + done) >> 3] |= (unsigned char)(number >> done << at);
        done += 8 - at;
    }
}

static uint64_t
get_bits(tk_str bytes, uint64_t bit, unsigned width)
{
    uint64_t word = 0, at = bit >> 3;
    size_t left = bytes.len - at;
    if (left >= sizeof word) /* nearly always: one load */
        memcpy(&word, bytes.ptr + at, sizeof word);
    else
        memcpy(&word, bytes.ptr + at, left);
    return word >> (bit & 7) & (((uint64_t)1 << width) - 1);
}

/* How the keys of a page are cut in two, and where the parts lie. */
struct cut {
    uint64_t count, tops; /* tops: of how many values the upper part is one */
    unsigned low_bits;
    size_t high_at, size; /* size: of the page */
};

static struct cut
cut_of(uint64_t count, unsigned key_bits)
{
    unsigned top_bits = bits_of(count);
    top_bits = top_bits < key_bits ? top_bits : key_bits;
    struct cut cut = {count, (uint64_t)1 << top_bits, key_bits - top_bits, 0, 0};
    cut.high_at = COUNT_SIZE + (size_t)((count * cut.low_bits + 7) / 8);
    cut.size = cut.high_at + (size_t)((count + cut.tops + 7) / 8);
    return cut;
}

static uint64_t
low_mask(unsigned bits)
{
    return ((uint64_t)1 << bits) - 1;
}

/* The keys of one page, without what all of them share: ascending and all different, so that of the
   upper parts a bit each is enough, and another one for each step up (Elias and Fano). */
static void
write_page(const uint64_t *keys, size_t count, unsigned key_bits, struct tk_buf *out)
{
    struct cut cut = cut_of(count, key_bits);
    unsigned char *page = (unsigned char *)tk_buf_reserve(out, cut.size);
    uint32_t told = (uint32_t)count;
    if (page == NULL)
        return;
    memset(page, 0, cut.size);
    memcpy(page, &told, sizeof told);
    for (size_t i = 0; i < count; i++) {
        uint64_t key = keys[i] & low_mask(key_bits), bit = i + (key >> cut.low_bits);
        put_bits(page + COUNT_SIZE, i * cut.low_bits, cut.low_bits, key & low_mask(cut.low_bits));
        page[cut.high_at + (bit >> 3)] |= (unsigned char)(1u << (bit & 7));
    }
    out->len += cut.size;
}

/* Appends the pages to `out` and the table of them to `table`. */
static void
write_pages(const uint64_t *keys, size_t count, unsigned page_bits, unsigned pair_bits,
            uint64_t offset, struct tk_buf *out, struct tk_buf *table)
{
    size_t at = 0;
    for (uint64_t page = 0; page < (uint64_t)1 << page_bits; page++) {
        size_t begin = at, out_begin = out->len;
        while (at < count && keys[at] >> (pair_bits + BUCKET_BITS) == page)
            at++;
        struct tk_page entry = {0};
        if (at > begin)
            write_page(keys + begin, at - begin, BUCKET_BITS + pair_bits, out);
        if (at > begin && out->status == TK_OK) {
            tk_str bytes = {out->ptr + out_begin, out->len - out_begin};
            entry =
                (struct tk_page){offset + out_begin, (uint32_t)bytes.len, tk_page_checksum(bytes)};
        }
        tk_buf_append(table, (tk_str){(const char *)&entry, sizeof entry});
    }
}

enum tk_err
tk_value_index_flush(struct tk_value_index *index, uint64_t offset, struct tk_buf *pages)
{
    uint32_t group_max = 0;
    if (index->count == 0)
        return TK_OK;
    for (size_t i = 0; i < index->count; i++)
        group_max |= index->group[i];
    unsigned group_bits = bits_of(group_max), pair_bits = index->tag_bits + group_bits;
    unsigned page_bits = bits_of((index->count - 1) / PAGE_PAIRS);
    if (page_bits > PAGE_BITS_MAX)
        page_bits = PAGE_BITS_MAX;
    if (page_bits > 64 - BUCKET_BITS - pair_bits)
        page_bits = 64 - BUCKET_BITS - pair_bits;
    uint64_t *keys = index->hash;
    unsigned hash_bits = page_bits + BUCKET_BITS + index->tag_bits;
    for (size_t i = 0; i < index->count; i++)
        keys[i] = keys[i] >> (64 - hash_bits) << group_bits | index->group[i];
    if (!sort_keys(keys, index->count, hash_bits + group_bits))
        return TK_ERR_MEMORY;
    uint64_t count = drop_equal(keys, index->count);
    unsigned char head[HEAD_SIZE] = {0};
    memcpy(head, &count, sizeof count);
    head[8] = (unsigned char)page_bits;
    head[9] = (unsigned char)group_bits;
    head[10] = (unsigned char)index->tag_bits;
    head[11] = KEYS;
    tk_buf_append(&index->_runs, (tk_str){(const char *)head, sizeof head});
    write_pages(keys, count, page_bits, pair_bits, offset, pages, &index->_runs);
    index->count = 0;
    return pages->status != TK_OK ? pages->status : index->_runs.status;
}

tk_str
tk_value_index_section(const struct tk_value_index *index)
{
    return tk_buf_str(&index->_runs);
}

enum tk_err
tk_value_index_next(tk_str *rest, struct tk_value_index_run *ret_run)
{
    if (rest->len == 0)
        return TK_ERR_END;
    if (rest->len < HEAD_SIZE)
        return TK_ERR_CORRUPT;
    const unsigned char *head = (const unsigned char *)rest->ptr;
    struct tk_value_index_run run = {.page_bits = head[8],
                                     .group_bits = head[9],
                                     .tag_bits = head[10],
                                     .has_buckets = head[11] == IN_BUCKETS,
                                     .pages = rest->ptr + HEAD_SIZE};
    memcpy(&run.pair_count, head, sizeof run.pair_count);
    if (run.page_bits > PAGE_BITS_MAX || run.group_bits > GROUP_BITS_MAX || run.tag_bits < 1 ||
        run.tag_bits > TAG_BITS_MAX || head[11] > KEYS ||
        run.page_bits + BUCKET_BITS + run.tag_bits + run.group_bits > 64)
        return TK_ERR_CORRUPT;
    size_t size = HEAD_SIZE + (sizeof(struct tk_page) << run.page_bits);
    if (rest->len < size)
        return TK_ERR_CORRUPT;
    *rest = (tk_str){rest->ptr + size, rest->len - size};
    *ret_run = run;
    return TK_OK;
}

struct tk_page
tk_value_index_page_of(const struct tk_value_index_run *run, uint64_t hash)
{
    struct tk_page page;
    uint64_t number = run->page_bits > 0 ? hash >> (64 - run->page_bits) : 0;
    memcpy(&page, run->pages + number * sizeof page, sizeof page);
    return page;
}

/* What buckets [from, to) hold together; 8 bytes may be read from where a count begins. */
static uint64_t
sum_counts(const char *counts, unsigned width, uint64_t from, uint64_t to)
{
    uint64_t sum = 0, mask = ((uint64_t)1 << width) - 1;
    for (uint64_t i = from, at = from * width; i < to; i++, at += width)
        sum += tk_load_u64(counts + (at >> 3)) >> (at & 7) & mask;
    return sum;
}

/* Up to 64 bits from byte `at` on, zeroes behind the end. */
static uint64_t
load_bits(tk_str bytes, size_t at)
{
    uint64_t word = 0;
    memcpy(&word, bytes.ptr + at, bytes.len - at < sizeof word ? bytes.len - at : sizeof word);
    return word;
}

/* The bit behind the `steps`-th zero: where the keys begin whose upper part is that. */
static uint64_t
find_top(tk_str bits, uint64_t end, uint64_t steps)
{
    for (uint64_t at = 0; at < end && steps > 0; at += 64) {
        uint64_t zeroes = ~load_bits(bits, (size_t)(at >> 3));
        uint64_t count = (uint64_t)__builtin_popcountll(zeroes);
        if (count < steps) {
            steps -= count;
            continue;
        }
        while (--steps > 0)
            zeroes &= zeroes - 1;
        at += (uint64_t)__builtin_ctzll(zeroes) + 1;
        return at < end ? at : end;
    }
    return steps > 0 ? end : 0;
}

/* The answer as far as there is room for it. */
struct found {
    uint32_t *groups, capacity, count;
};

static void
add_found(struct found *found, uint64_t group)
{
    if (found->count < found->capacity)
        found->groups[found->count] = (uint32_t)group;
    found->count++;
}

/* All keys of a page that begin with the hash's bits. */
static enum tk_err
look_up_key(const struct tk_value_index_run *run, tk_str page, uint64_t hash, struct found *found)
{
    unsigned prefix_bits = BUCKET_BITS + run->tag_bits;
    uint32_t count = 0;
    if (page.len < COUNT_SIZE)
        return TK_ERR_CORRUPT;
    memcpy(&count, page.ptr, sizeof count);
    struct cut cut = cut_of(count, prefix_bits + run->group_bits);
    if (page.len != cut.size)
        return TK_ERR_CORRUPT;
    tk_str low = {page.ptr + COUNT_SIZE, page.len - COUNT_SIZE};
    tk_str high = {page.ptr + cut.high_at, page.len - cut.high_at};
    uint64_t prefix = hash << run->page_bits >> (64 - prefix_bits);
    uint64_t first = prefix << run->group_bits, last = first | low_mask(run->group_bits);
    uint64_t top = first >> cut.low_bits, end = count + cut.tops;
    for (uint64_t at = find_top(high, end, top), i = at - top; at < end; at++) {
        if (((unsigned char)high.ptr[at >> 3] >> (at & 7) & 1) == 0) {
            if (top++ == last >> cut.low_bits)
                break;
            continue;
        }
        if (i >= count)
            return TK_ERR_CORRUPT;
        uint64_t key = top << cut.low_bits | get_bits(low, i++ * cut.low_bits, cut.low_bits);
        if (key > last)
            break;
        if (key >= first)
            add_found(found, key & low_mask(run->group_bits));
    }
    return TK_OK;
}

static size_t
page_size(unsigned width, uint64_t pairs, unsigned pair_bits)
{
    return 1 + (size_t)width * (BUCKETS / 8) + (size_t)((pairs * pair_bits + 7) / 8);
}

/* The same in a page of version 2. */
static enum tk_err
look_up_bucket(const struct tk_value_index_run *run, tk_str page, uint64_t hash,
               struct found *found)
{
    unsigned pair_bits = run->group_bits + run->tag_bits;
    unsigned width = page.len > 0 ? (unsigned char)page.ptr[0] : WIDTH_MAX + 1;
    if (width > WIDTH_MAX || page.len < page_size(width, 0, pair_bits))
        return TK_ERR_CORRUPT;
    tk_str counts = {page.ptr + 1, page_size(width, 0, pair_bits) - 1};
    char padded[WIDTH_MAX * BUCKETS / 8 + sizeof(uint64_t)] = {0}; /* so that each is one load */
    memcpy(padded, counts.ptr, counts.len);
    uint64_t key = hash << run->page_bits, bucket = key >> (64 - BUCKET_BITS);
    uint64_t tag = key << BUCKET_BITS >> (64 - run->tag_bits);
    uint64_t begin = sum_counts(padded, width, 0, bucket);
    uint64_t end = begin + sum_counts(padded, width, bucket, bucket + 1);
    uint64_t total = end + sum_counts(padded, width, bucket + 1, BUCKETS);
    if (page.len != page_size(width, total, pair_bits))
        return TK_ERR_CORRUPT;
    tk_str pairs = {counts.ptr + counts.len, page.len - counts.len - 1};
    for (uint64_t i = begin; i < end; i++) {
        uint64_t pair = get_bits(pairs, i * pair_bits, pair_bits);
        if (pair >> run->group_bits == tag)
            add_found(found, pair & low_mask(run->group_bits));
    }
    return TK_OK;
}

enum tk_err
tk_value_index_lookup(const struct tk_value_index_run *run, tk_str page, uint64_t hash,
                      uint32_t *groups, uint32_t capacity, uint32_t *ret_count)
{
    struct found found = {groups, capacity, 0};
    enum tk_err code = run->has_buckets ? look_up_bucket(run, page, hash, &found)
                                        : look_up_key(run, page, hash, &found);
    *ret_count = found.count;
    return code;
}
