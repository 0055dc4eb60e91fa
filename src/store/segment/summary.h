#ifndef TK_STORE_SUMMARY_H
#define TK_STORE_SUMMARY_H
/*
 * summary - what the rows of every TK_SUMMARY_GROUPS groups (a stretch) count by service: spans,
 * errors and where their durations fall (docs/formats/segment.md, "Summaries").  A chart with wide
 * steps opens only the groups in which a step begins or ends.
 *
 * Unlike counts these are of the rows that lie there, whatever else counts them.
 */
#include "store/segment/counts.h"
#include "store/segment/segment.h"

enum {
    TK_SUMMARY_GROUPS = 16,
    TK_SUMMARY_SERVICES_MAX = 1024, /* of a segment: groups with others have no summary; */
    TK_SUMMARY_SHARE = 32,          /* nor if it took more than this part of their bytes */
};

/* ---- making: group by group ---- */

struct tk_summary_writer {
    struct tk_counts _counts; /* of the stretch at hand, by service */
    uint32_t *_resource;      /* [_counts.code_count]; by service: the first one met in it */
    uint32_t *_services;      /* [_service_count]; as they were met */
    bool *_met;               /* [_counts.code_count] */
    uint32_t _service_count;
    bool _too_many; /* services */
    uint64_t _bytes;
    uint32_t _group_count, _stretch_count; /* of the stretch; that are done */
    struct tk_buf _one, _buckets, _section;
};
enum tk_err tk_summary_writer_init(struct tk_summary_writer *writer,
                                   uint32_t resource_count) TK_MUST_USE;
void tk_summary_writer_release(struct tk_summary_writer *writer); /* zeroed is fine */
/* Rows of the group at hand: rows[i].code is the number of the service, in order of first sight. */
enum tk_err tk_summary_writer_rows(struct tk_summary_writer *writer,
                                   const struct tk_counted_span *rows, const uint64_t *resources,
                                   uint32_t count) TK_MUST_USE;
/* That was the group, of so many bytes. */
void tk_summary_writer_end_group(struct tk_summary_writer *writer, uint64_t bytes);
/* Ends the last stretch.  Empty if there was but one, of which the counts say the same. */
enum tk_err tk_summary_writer_section(struct tk_summary_writer *writer,
                                      tk_str *ret_section) TK_MUST_USE;

/* ---- reading ---- */

struct tk_summaries {
    tk_str section;
    uint32_t count;
    tk_str stretch[]; /* [count]; of the section; empty: it has none */
};
/* What a section must fit. */
struct tk_summary_of {
    const struct tk_group_entry *groups; /* NULL: how many rows they have is not asked */
    uint32_t group_count, resource_count;
};
/* Views the section. */
enum tk_err tk_summaries_read(tk_str section, const struct tk_summary_of *of,
                              struct tk_summaries **ret_summaries) TK_MUST_USE;
void tk_summaries_free(struct tk_summaries *summaries); /* NULL is fine; not the section */

/* One service of a stretch. */
struct tk_summary_entry {
    uint32_t resource; /* one that it has */
    uint64_t span_count, error_count;
    tk_str buckets; /* for tk_summary_durations */
};
/* The next one of what was read; false: that was all. */
bool tk_summary_next(tk_str *stretch, struct tk_summary_entry *ret_entry);
enum tk_err tk_summary_durations(const struct tk_summary_entry *entry,
                                 struct tk_histogram *to) TK_MUST_USE;

/* Through the cache: item->value is a struct tk_summaries.  TK_ERR_NOT_FOUND: it has none. */
enum tk_err tk_segment_summaries(struct tk_segment *segment, struct tk_cache_item **ret_item,
                                 struct tk_error *err) TK_MUST_USE;

#endif
