#ifndef TK_STORE_SEGMENT_H
#define TK_STORE_SEGMENT_H
/*
 * segment - one immutable file of one project: columns in groups of rows, traces together, newest
 * trace first.  docs/formats/segment.md describes the file, columns.h what lies in it as it is.
 *
 * What stays in memory of an open segment is its footer and its group index (80 bytes for 2048
 * rows); all else - the schema, dictionaries, indexes, groups - goes through the cache.  An item
 * that came from here is held for the caller (tk_cache_release).  What cannot be read or makes no
 * sense is TK_ERR_CORRUPT: counted and reported once a part, here.
 * Reference-counted; everything is thread-safe.
 */
#include "base/env.h"
#include "store/segment/cache.h"
#include "store/segment/columns.h"
#include "store/segment/trace_entry.h"
#include "store/segment/value_index.h"
#include "trace/batch.h"

#include <stdatomic.h>

enum {
    TK_SEGMENT_VERSION = 3,
    TK_SEGMENT_VERSION_MIN = 2,    /* that is still read */
    TK_SEGMENT_PART_MAX = 1 << 30, /* bytes of a section before compression */
};

/* What all segments of a store share; borrowed. */
struct tk_segment_host {
    struct tk_env *env;
    struct tk_cache *cache;
    atomic_uint_fast64_t damaged_blocks;         /* parts met so far, each counted once */
    void (*report)(void *arg, const char *line); /* one line per damage */
    void *report_arg;
};

struct tk_segment {
    struct tk_segment_host *host;
    struct tk_segment_name name;
    uint64_t serial; /* of this process: the cache's key */
    uint64_t size;   /* of the file */
    uint64_t row_count, trace_count;
    uint64_t start_min, start_max, end_max; /* ns, over its traces */
    uint64_t thinned;
    uint32_t version;
    uint32_t group_count, column_count;
    struct tk_group_entry *groups; /* [group_count] */
    struct tk_part operations, summaries;
    bool alone; /* too much to become one with its neighbours; the store's lock guards it */
    /* private */
    struct tk_part _columns, _shapes, _messages[2];
    struct tk_part _trace_index; /* out of the schema: every search asks it, of every segment */
    tk_file *_file;
    pthread_mutex_t _damage_lock;
    uint64_t *_damaged; /* [_damaged_count]: keys of parts that were reported */
    uint32_t _damaged_count;
    atomic_bool _any_damaged;
    bool _is_open; /* before that a damage is told by tk_segment_open alone */
    atomic_uint _references;
};

/* TK_ERR_CORRUPT when footer, group index, columns or shapes are damaged, TK_ERR_UNSUPPORTED when
   it was written by another version; else as the env fails. */
enum tk_err tk_segment_open(struct tk_segment_host *host, const char *path,
                            struct tk_segment_name name, struct tk_segment **ret_segment,
                            struct tk_error *err) TK_MUST_USE;
struct tk_segment *tk_segment_ref(struct tk_segment *segment);
void tk_segment_unref(struct tk_segment *segment); /* NULL is fine */
/* Has anything of it turned out to be unreadable so far? */
bool tk_segment_is_damaged(const struct tk_segment *segment);

/* Columns and shapes. */
struct tk_shape {
    uint32_t count;
    const uint32_t *columns; /* [count]; of one owner, none twice */
};
struct tk_schema_view {
    struct tk_column *columns; /* [column_count] */
    uint32_t column_count;
    struct tk_shape *shapes; /* [shape_count]; 0: attributes lie in OTHER columns */
    uint32_t shape_count;
    struct tk_arena _arena;
};
/* item->value is a struct tk_schema_view. */
enum tk_err tk_segment_schema(struct tk_segment *segment, struct tk_cache_item **ret_item,
                              struct tk_error *err) TK_MUST_USE;

struct tk_dictionary {
    uint32_t count;
    const tk_str *texts;     /* [count]; of texts, in order; NULL: of numbers */
    const uint64_t *numbers; /* [count]; ascending */
    struct tk_arena _arena;
};
/* item->value is a struct tk_dictionary; of a column that has one. */
enum tk_err tk_segment_dictionary(struct tk_segment *segment, const struct tk_schema_view *schema,
                                  uint32_t column, struct tk_cache_item **ret_item,
                                  struct tk_error *err) TK_MUST_USE;
/* The code of a text or number; false: it is not there. */
bool tk_dictionary_find_text(const struct tk_dictionary *dictionary, tk_str text,
                             uint32_t *ret_code);
bool tk_dictionary_find_number(const struct tk_dictionary *dictionary, uint64_t number,
                               uint32_t *ret_code);
/* What a group has for this number in a fixed column, dictionary or not; UINT64_MAX: nothing. */
enum tk_err tk_segment_code(struct tk_segment *segment, const struct tk_schema_view *schema,
                            uint32_t column, uint64_t number, uint64_t *ret_code,
                            struct tk_error *err) TK_MUST_USE;

/* Does the column hold texts (or codes of texts)? */
bool tk_column_is_text(const struct tk_schema_view *schema, uint32_t column);

/* Texts of a column as they were read: nested values are walked later, and nobody checks then. */
bool tk_column_texts_ok(const struct tk_schema_view *schema, uint32_t column, const tk_str *texts,
                        uint32_t count);

/* What was counted (counts.h).  TK_ERR_NOT_FOUND: it was not. */
enum tk_err tk_segment_counts(struct tk_segment *segment, const struct tk_schema_view *schema,
                              uint32_t column, struct tk_cache_item **ret_item,
                              struct tk_error *err) TK_MUST_USE; /* value: struct tk_counts */
enum tk_err tk_segment_operations(struct tk_segment *segment, struct tk_cache_item **ret_item,
                                  struct tk_error *err) TK_MUST_USE; /* struct tk_operations */

/* Other sections as they are before compression: item->value is a tk_str (zones, index).  Empty:
 * the section is absent. */
enum tk_err tk_segment_section(struct tk_segment *segment, const struct tk_part *part,
                               struct tk_cache_item **ret_item, struct tk_error *err) TK_MUST_USE;
/* The same of a page. */
enum tk_err tk_segment_page(struct tk_segment *segment, const struct tk_page *page,
                            struct tk_cache_item **ret_item, struct tk_error *err) TK_MUST_USE;
/* Groups of a hash in one run of a value index (tk_value_index_lookup). */
enum tk_err tk_segment_lookup(struct tk_segment *segment, const struct tk_value_index_run *run,
                              uint64_t hash, uint32_t *groups, uint32_t capacity,
                              uint32_t *ret_count, struct tk_error *err) TK_MUST_USE;
enum tk_err tk_segment_zones(struct tk_segment *segment, const struct tk_schema_view *schema,
                             uint32_t column, struct tk_cache_item **ret_item,
                             struct tk_error *err) TK_MUST_USE; /* value: struct tk_zones */

/* Resources and scopes; numbers are those in columns RESOURCE and SCOPE. */
enum tk_message { TK_MESSAGE_RESOURCE, TK_MESSAGE_SCOPE };
enum tk_err tk_segment_message_count(struct tk_segment *segment, enum tk_message what,
                                     uint32_t *ret_count, struct tk_error *err) TK_MUST_USE;
/* Messages page * TK_RESOURCE_PAGE and following: item->value is a struct tk_dictionary of their
   OTLP texts (not in order). */
enum tk_err tk_segment_messages(struct tk_segment *segment, enum tk_message what, uint32_t page,
                                struct tk_cache_item **ret_item, struct tk_error *err) TK_MUST_USE;
/* The same decoded: item->value is a struct tk_batch with these resources (or scopes). */
enum tk_err tk_segment_decoded(struct tk_segment *segment, enum tk_message what, uint32_t page,
                               struct tk_cache_item **ret_item, struct tk_error *err) TK_MUST_USE;

struct tk_group;
/* Trace `trace` of group `number` and what follows of it behind that. */
enum tk_err tk_segment_trace(struct tk_segment *segment, struct tk_group *group, uint32_t number,
                             uint32_t trace, struct tk_trace_entry *ret_entry,
                             struct tk_error *err) TK_MUST_USE;
/* TK_ERR_NOT_FOUND: not in this segment.  `whole`: its group is read at once (tk_group_open). */
enum tk_err tk_segment_find(struct tk_segment *segment, struct tk_trace_id id, bool whole,
                            struct tk_trace_entry *ret_entry, struct tk_error *err) TK_MUST_USE;

/*
 * Hints (segment_ahead.c): what a call will read and the cache has not is asked of the disk now.
 * Who asks several runs or segments one after the other says so of all of them first, and waits
 * once.
 */
void tk_segment_lookup_ahead(struct tk_segment *segment, const struct tk_value_index_run *run,
                             uint64_t hash);
void tk_segment_find_ahead(struct tk_segment *segment, struct tk_trace_id id);
/* Reads into the cache what questions of any kind need of the whole segment: index tables,
   dictionaries, resources and scopes.  What is damaged is reported, as by who asks for it. */
void tk_segment_warm(struct tk_segment *segment);

/* For those who read parts: `size` bytes of the file, malloc'ed.  TK_ERR_CORRUPT (not reported)
   when the file or the disk does not have them. */
enum tk_err tk_segment_read(struct tk_segment *segment, uint64_t offset, uint64_t size,
                            char **ret_bytes, struct tk_error *err) TK_MUST_USE;
/* The bytes of a section before compression, malloc'ed; a damage is reported. */
enum tk_err tk_segment_read_part(struct tk_segment *segment, const struct tk_part *part,
                                 char **ret_bytes, struct tk_error *err) TK_MUST_USE;
/* Reports and counts the damage, once for each part (its offset); returns TK_ERR_CORRUPT. */
enum tk_err tk_segment_corrupt(struct tk_segment *segment, uint64_t offset, const char *what,
                               const char *why, struct tk_error *err);
/* struct tk_cache_key.part: what, and which of them. */
enum tk_segment_part_type {
    TK_SEGMENT_SCHEMA,
    TK_SEGMENT_DICTIONARY,
    TK_SEGMENT_SECTION,
    TK_SEGMENT_PAGE,
    TK_SEGMENT_ZONES,
    TK_SEGMENT_MESSAGES,
    TK_SEGMENT_DECODED,
    TK_SEGMENT_GROUP,
    TK_SEGMENT_COUNTS,
    TK_SEGMENT_OPERATIONS,
    TK_SEGMENT_BLOCK_COUNTS, /* block_counts.h */
    TK_SEGMENT_SUMMARIES,
};
#define TK_SEGMENT_KEY(what, which) ((uint64_t)(what) << 60 | (uint64_t)(which))
#define TK_SEGMENT_PAGE_KEY(offset) TK_SEGMENT_KEY(TK_SEGMENT_PAGE, (offset) & (UINT64_MAX >> 4))

#endif
