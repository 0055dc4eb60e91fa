#ifndef TK_STORE_SEGMENT_FORMAT_H
#define TK_STORE_SEGMENT_FORMAT_H
/* segment_format - what segment.c and segment_write.c must agree on (docs/formats/segment.md). */
#include "base/hash.h"
#include "store/embedded/segment.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the files are little-endian");

static const char TK_SEGMENT_MAGIC[8] = {'T', 'K', 'S', 'E', 'G', '\r', '\n', 0x1A};

/* A part of the file other than a block. */
struct tk_segment_part {
    uint64_t offset, size, raw_size;
    uint64_t checksum; /* XXH3-64 of the bytes before compression */
};

struct tk_segment_footer {
    uint32_t version;
    uint32_t project;
    uint64_t first, last;
    uint64_t row_count, trace_count;
    uint64_t start_min, start_max, end_max;
    struct tk_segment_part table, filter, index;
    uint32_t block_count;
    uint32_t crc; /* CRC32C of the bytes before it */
    char magic[8];
};
_Static_assert(sizeof(struct tk_segment_footer) == 176, "docs/formats/segment.md");

struct tk_segment_index_entry {
    uint64_t offset, checksum;
    uint32_t size, raw_size, row_count, reserved;
};
_Static_assert(sizeof(struct tk_segment_index_entry) == 32, "docs/formats/segment.md");

/*
 * The filter is a Bloom filter in blocks of one cache line: a trace id has one line of 512 bits and
 * eight bits in it.  At 16 bits a trace about one id in a thousand passes that is not there.
 */
enum { TK_FILTER_LINE_WORDS = 8, TK_FILTER_BITS_PER_TRACE = 16 };

static inline uint64_t
tk_filter_words(uint64_t trace_count)
{
    uint64_t lines = (trace_count * TK_FILTER_BITS_PER_TRACE + 511) / 512;
    return (lines > 0 ? lines : 1) * TK_FILTER_LINE_WORDS;
}

/* Calls for each of the eight bits of `id`: sets it, or tells whether all are set. */
static inline bool
tk_filter_visit(uint64_t *words, uint64_t word_count, struct tk_trace_id id, bool set)
{
    uint64_t hash = tk_hash_stable((tk_str){(const char *)&id, sizeof id});
    uint64_t lines = word_count / TK_FILTER_LINE_WORDS;
    uint64_t *line = &words[(hash >> 32) * lines / ((uint64_t)1 << 32) * TK_FILTER_LINE_WORDS];
    uint64_t bits = hash * 0x9E3779B97F4A7C15u;
    for (unsigned i = 0; i < TK_FILTER_LINE_WORDS; i++) {
        uint64_t bit = (uint64_t)1 << ((bits >> (8 * i)) & 63);
        if (set)
            line[i] |= bit;
        else if ((line[i] & bit) == 0)
            return false;
    }
    return true;
}

#endif
