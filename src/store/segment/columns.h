#ifndef TK_STORE_COLUMNS_H
#define TK_STORE_COLUMNS_H
/*
 * columns - the fixed columns of a segment and the structs that lie in the file as they are
 * (docs/formats/segment.md).
 */
#include "base/hash.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the files are little-endian");

enum {
    TK_GROUP_ROWS = 2048,
    TK_GROUP_BYTES = 1 << 20, /* of values, about */
    TK_COLUMNS_MAX = 4096,
    TK_SHAPES_MAX = 65535,
    TK_DICTIONARY_MAX = 65536,
    TK_DICTIONARY_NUMBERS_MAX = 256,
    TK_DICTIONARY_BYTES_MAX = 4 << 20,
    TK_POSTINGS_MAX = 128,          /* groups in one list */
    TK_COUNTS_HISTOGRAMS_MAX = 256, /* codes of a column that have one */
    TK_OPERATIONS_MAX = 65536,
    TK_RESOURCE_PAGE = 256,
};

enum tk_column_number {
    TK_COLUMN_TRACE_HIGH,
    TK_COLUMN_TRACE_LOW,
    TK_COLUMN_TRACE_START,
    TK_COLUMN_TRACE_DURATION,
    TK_COLUMN_TRACE_ROWS,
    TK_COLUMN_TRACE_BEFORE,
    TK_COLUMN_TRACE_TOTAL,
    TK_COLUMN_SPAN_ID,
    TK_COLUMN_PARENT,
    TK_COLUMN_PARENT_ID,
    TK_COLUMN_START,
    TK_COLUMN_DURATION,
    TK_COLUMN_NAME,
    TK_COLUMN_TRACE_STATE,
    TK_COLUMN_STATUS_MESSAGE,
    TK_COLUMN_STATUS,
    TK_COLUMN_KIND,
    TK_COLUMN_FLAGS,
    TK_COLUMN_RESOURCE,
    TK_COLUMN_SCOPE,
    TK_COLUMN_SHAPE,
    TK_COLUMN_DROPPED_ATTRS,
    TK_COLUMN_DROPPED_EVENTS,
    TK_COLUMN_DROPPED_LINKS,
    TK_COLUMN_EVENTS,
    TK_COLUMN_LINKS,
    TK_COLUMN_OTHER,
    TK_COLUMN_EVENT_TIME,
    TK_COLUMN_EVENT_NAME,
    TK_COLUMN_EVENT_SHAPE,
    TK_COLUMN_EVENT_DROPPED,
    TK_COLUMN_EVENT_OTHER,
    TK_COLUMN_LINK_HIGH,
    TK_COLUMN_LINK_LOW,
    TK_COLUMN_LINK_SPAN,
    TK_COLUMN_LINK_STATE,
    TK_COLUMN_LINK_SHAPE,
    TK_COLUMN_LINK_DROPPED,
    TK_COLUMN_LINK_FLAGS,
    TK_COLUMN_LINK_OTHER,
    TK_COLUMN_FIXED, /* attributes from here on */
};

enum tk_column_owner { TK_COLUMN_OF_ALL, TK_COLUMN_OF_SPAN, TK_COLUMN_OF_EVENT, TK_COLUMN_OF_LINK };
enum tk_column_kind { TK_COLUMN_NUMBERS, TK_COLUMN_DICTIONARY, TK_COLUMN_PLAIN };

/* Which log files a segment covers. */
struct tk_segment_name {
    uint32_t project;
    uint64_t first, last;
};

/* A section of the file. */
struct tk_part {
    uint64_t offset, size, raw_size;
    uint64_t checksum; /* XXH3-64 of the bytes in the file */
};
_Static_assert(sizeof(struct tk_part) == 32, "docs/formats/segment.md");

/* A piece of a section that is read alone; anywhere in the file. */
struct tk_page {
    uint64_t offset;
    uint32_t size;     /* 0: nothing is there */
    uint32_t checksum; /* tk_page_checksum */
};
_Static_assert(sizeof(struct tk_page) == 16, "docs/formats/segment.md");

static inline uint32_t
tk_page_checksum(tk_str page) /* low half of the XXH3-64 */
{
    return (uint32_t)tk_hash_stable(page);
}

/* What fuzzing tries lies behind checksums, and there it does not care for them. */
static inline bool
tk_checksum_is(uint64_t checksum, uint64_t expected)
{
#ifdef TK_FUZZ
    (void)checksum;
    (void)expected;
    return true;
#else
    return checksum == expected;
#endif
}

struct tk_footer {
    uint32_t version, project;
    uint64_t first, last;
    uint64_t row_count, trace_count;
    uint64_t start_min, start_max, end_max;
    uint64_t thinned;
    struct tk_part groups, columns, shapes, resources, scopes, operations, summaries;
    uint32_t group_count, column_count, zero;
    uint32_t crc; /* CRC32C of the bytes before it */
    char magic[8];
};
_Static_assert(sizeof(struct tk_footer) == 320, "docs/formats/segment.md");

struct tk_group_entry {
    uint64_t offset;
    uint32_t size, head_size;
    uint32_t row_count, trace_count, event_count, link_count;
    uint64_t trace_start_max, trace_start_min;
    uint64_t start_min, start_max, duration_max; /* of rows */
    uint64_t checksum;                           /* of the head */
};
_Static_assert(sizeof(struct tk_group_entry) == 80, "docs/formats/segment.md");

/* One column as the section of columns describes it. */
struct tk_column {
    uint8_t owner, type, kind; /* enum tk_column_owner, tk_value_type, tk_column_kind */
    tk_str key;
    uint64_t value_count;
    uint32_t distinct; /* of a dictionary */
    struct tk_part dictionary, zones, index, counts;
};

#endif
