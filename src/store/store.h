#ifndef TK_STORE_STORE_H
#define TK_STORE_STORE_H
/*
 * store - batch -> durable -> visible.  The contract; embedded/ fulfils it, later clickhouse/ too.
 *
 *  1 Durable.  `done` is called with TK_OK once the bytes are fsynced (group commit).  After a
 * crash at any instant every acknowledged span is there, once, and nothing half-written is served.
 *  2 Truthful.  What cannot be kept is refused: tk_store_append returns TK_ERR_BUSY (queue full),
 *    TK_ERR_FULL (disk), TK_ERR_IO (an fsync failed: the store takes nothing more until it is
 * opened again), or `done` gets that code.  A span sent twice (same project, trace id and span id)
 * is one span; the fuller one wins: more attributes + events + links, then the later end, then the
 *    later arrival.
 *  3 Visible.  A view opened after `done` sees the span.
 *  4 Ordered.  A scan yields whole traces, newest start first, ties by trace id ascending.
 *  5 Lossless.  What a view yields encodes to the OTLP that came in.
 *  7 Isolated.  Every call names one project, and yields nothing of another.
 *
 * Threads: everything but open and close may be called from any thread.
 */
#include "base/env.h"
#include "base/histogram.h"
#include "store/filter.h"
#include "store/thin.h"
#include "wire/wire.h"

struct tk_store;
struct tk_store_view;
struct tk_store_scan;
struct tk_count_values; /* count.h */

enum tk_fsync {
    TK_FSYNC_GROUP,  /* one fsync for what gathers in <= 5 ms or 1 MiB */
    TK_FSYNC_ALWAYS, /* one fsync per request */
    TK_FSYNC_ASYNC,  /* acknowledge after the write, fsync within a second */
};

/*
 * What is kept; 0: not given.  Age and cap are kept by dropping whole segments, so an age is
 * exceeded by up to the time that one segment spans.  What is not sealed yet is never dropped.
 */
static const uint64_t TK_STORE_UNLIMITED = UINT64_MAX;
struct tk_store_limits {
    uint64_t retention_nano; /* a segment goes when its newest span ended longer ago than this */
    uint64_t disk_bytes;     /* beyond it the segments with the oldest data go */
};

/*
 * How much of the spans is wanted.  Lean: ids, times, names, kind, status, flags, resource and
 * scope (with their attributes), dropped counts, and of the spans' own attributes those with
 * `keys`; no events, links, trace state or status message.  A store may yield more.
 */
struct tk_store_want {
    bool lean;
    const tk_str *keys; /* [key_count] */
    size_t key_count;
    tk_span_id only; /* this span alone is wanted, of a trace that may be long; 0: all */
};

struct tk_store_trace {
    struct tk_trace_id id;
    uint64_t start_nano, end_nano; /* over all its spans */
    const struct tk_batch *spans;  /* this trace's alone; good until the next call on the scan */
};

/*
 * What is left of old traces (thin.h).  Whole segments are thinned, once their newest span is old
 * enough, in the background.  A trace that `keep` holds for stays whole; it is asked about all of
 * the trace that is there, once for each segment that has a part of it.
 */
struct tk_store_thinning {
    struct tk_thin_step steps[TK_THIN_STEPS_MAX];
    size_t step_count;
    struct tk_store_want want;                                   /* what `keep` looks at */
    bool (*keep)(void *arg, const struct tk_store_trace *trace); /* NULL: for none */
    void *arg;
};

struct tk_store_options { /* zero means the default in brackets */
    struct tk_env *env;   /* [tk_env_host()] */
    const char *dir;      /* made when missing */
    enum tk_fsync fsync;
    size_t memory; /* budget in bytes of open buffers, queues and caches [256 MiB] */
    bool warm;     /* reads what any question needs before the first one, in the background [no] */
    struct tk_store_thinning thinning; /* [everything stays] */
};

/* What one request brought. */
struct tk_store_append {
    uint32_t project; /* 1.. */
    enum tk_format format;
    enum tk_encoding encoding;
    tk_str body;            /* as received; goes to the log; must live until done is called */
    struct tk_batch *batch; /* decoded from it, not empty; the store owns it once TK_OK came back */
    /* Called once, from the store's own thread, iff tk_store_append returned TK_OK. */
    void (*done)(void *arg, enum tk_err result, const struct tk_error *err);
    void *arg;
};

struct tk_store_tally {
    uint64_t segments, spans, bytes;
};

/* Of this start, but for what is there now. */
struct tk_store_stats {
    uint64_t spans_appended, bytes_appended, appends_refused;
    uint64_t log_bytes; /* there now */
    uint64_t log_written, log_syncs;
    uint64_t open_spans, open_bytes;                 /* now, in memory */
    uint64_t segments, segment_spans, segment_bytes; /* now */
    uint64_t oldest_nano;                            /* earliest start in a segment; 0: none */
    uint64_t disk_limit;                             /* 0: none */
    uint64_t cache_bytes, cache_hits, cache_misses;
    uint64_t damaged_blocks;
    uint64_t replayed_spans, replay_nano;
    struct tk_store_tally sealed, compacted; /* made */
    struct tk_store_tally thinned;           /* segments rewritten; spans and bytes that went */
    struct tk_store_tally expired, evicted;  /* dropped for their age; for a cap on the disk */
};

/* What one project takes. */
struct tk_store_usage {
    struct tk_store_tally sealed; /* in segments; what came twice counts twice until it is merged */
    uint64_t open_spans;          /* in memory and in the log, which all projects share */
    uint64_t oldest_nano;         /* earliest start of all these; 0: there are none */
    uint64_t newest_nano;         /* latest end */
    struct tk_store_tally due;    /* of `sealed`: what the limits asked about would drop now */
};

enum tk_err tk_store_append(struct tk_store *store, const struct tk_store_append *append,
                            struct tk_error *err) TK_MUST_USE;
/* Seals the open buffer and waits for it (shutdown, tests). */
enum tk_err tk_store_seal(struct tk_store *store, struct tk_error *err) TK_MUST_USE;
/* Deletes all data of a project. */
enum tk_err tk_store_drop(struct tk_store *store, uint32_t project,
                          struct tk_error *err) TK_MUST_USE;
/*
 * What holds for this project from now on; its cap counts its segments.  Project 0 is the store:
 * its cap counts the log and all projects, its age is that of every project that has none of its
 * own (TK_STORE_UNLIMITED: not even the store's).  Returns once what is too much is gone.  A store
 * remembers no limits: after it was opened say the projects' first, so that the store's age does
 * not take what a project keeps for longer.
 */
enum tk_err tk_store_set_limits(struct tk_store *store, uint32_t project,
                                const struct tk_store_limits *limits,
                                struct tk_error *err) TK_MUST_USE;
void tk_store_get_stats(struct tk_store *store, struct tk_store_stats *ret_stats);
/* What the project takes, and what would go if these were its limits (0 as in tk_store_set_limits)
   and the store's cap were not there.  Nothing is changed, and no file read. */
enum tk_err tk_store_usage(struct tk_store *store, uint32_t project,
                           const struct tk_store_limits *limits, struct tk_store_usage *ret_usage,
                           struct tk_error *err) TK_MUST_USE;
/* TK_OK, or why nothing can be appended now (TK_ERR_FULL, TK_ERR_IO). */
enum tk_err tk_store_ready(struct tk_store *store, struct tk_error *err) TK_MUST_USE;
/* Seals, stops the threads, frees. NULL is fine. */
void tk_store_close(struct tk_store *store);

/* A frozen picture of one project. Cheap; hold it for one query only. */
enum tk_err tk_store_view_open(struct tk_store *store, uint32_t project,
                               struct tk_store_view **ret_view, struct tk_error *err) TK_MUST_USE;
void tk_store_view_close(struct tk_store_view *view);

/* The whole trace, duplicates merged, rows in no order, behind the rows of `to` (all text copied or
   owned by `to`).  `want` NULL: everything.  TK_ERR_NOT_FOUND when there is none; TK_ERR_LIMIT when
   to->memory_max was reached: some of its spans are there.  Spans that cannot be read are left out
   and reported; err->code then says TK_ERR_CORRUPT, though TK_OK is returned. */
enum tk_err tk_store_find(struct tk_store_view *view, struct tk_trace_id id,
                          const struct tk_store_want *want, struct tk_batch *to,
                          struct tk_error *err) TK_MUST_USE;

/* What the view has of a trace, as a number: as long as it is the same (in any view of one store,
   as long as the store is open) tk_store_find yields the same spans.  Appending to the trace
   changes it; so may sealing and compacting, which change nothing else.  TK_ERR_NOT_FOUND as there.
 */
enum tk_err tk_store_stamp(struct tk_store_view *view, struct tk_trace_id id, uint64_t *ret_stamp,
                           struct tk_error *err) TK_MUST_USE;

/*
 * A scan yields every trace with begin <= its start < end, in order (contract 4), that may satisfy
 * all filters (filter.h).  With `after` set it begins behind that position: traces with
 * start < after_start, or the same start and an id > after_id.
 */
struct tk_store_range {
    uint64_t begin_nano, end_nano; /* end 0: no end */
    /* A scan may leave out traces whose last span ended before this: who counts spans by their own
       start scans from the beginning, and needs none of these. */
    uint64_t ended_nano;
    bool after;
    uint64_t after_start_nano;
    struct tk_trace_id after_id;
    const struct tk_filter *const *filters; /* [filter_count] */
    size_t filter_count;
    struct tk_store_want want;
    uint64_t step_nano; /* counts, see there; 0: all the range is one step */
    unsigned details;   /* counts: of enum tk_count_detail */
    /* Looked at now and then while the scan searches without yielding: TK_ERR_TIMEOUT when true. */
    bool (*expired)(void *arg); /* NULL: never */
    void *expired_arg;
};

enum tk_err tk_store_scan_open(struct tk_store_view *view, const struct tk_store_range *range,
                               struct tk_store_scan **ret_scan, struct tk_error *err) TK_MUST_USE;
/* TK_ERR_END after the last trace.  What is damaged is counted, reported in the log and skipped. */
enum tk_err tk_store_scan_next(struct tk_store_scan *scan, struct tk_store_trace *ret_trace,
                               struct tk_error *err) TK_MUST_USE;
void tk_store_scan_close(struct tk_store_scan *scan);

/*
 * What there is, counted: from what the store keeps beside the spans (dictionaries, counts made
 * when they were stored), without reading them where it can.  Spans that came twice count once, if
 * they had the same start.  `each` may be called several times for the same thing: who asks adds
 * up.  What it is given is good during the call.  Another code than TK_OK ends it and comes back.
 *
 * Of a range only begin_nano <= start of the span < end_nano, the steps, the details and `expired`
 * count.  With step_nano (and an end) the range is cut into steps from begin_nano on, the last one
 * maybe shorter, and each counts by itself: one call for all of them, as what is read is read once.
 * Counts made before thinning are kept, so they speak of all spans that came.
 */
struct tk_store_count {
    uint64_t span_count, error_count;
    uint64_t last_nano;                   /* the latest end */
    const struct tk_histogram *durations; /* of the spans, ns */
    uint32_t step;
};
/* What is to be told beside how many spans there are and how many of them failed.  The rest costs
   reading more, and may be 0, empty or NULL, or told all the same. */
enum tk_count_detail {
    TK_COUNT_NAMES = 1, /* operations: by name and kind too, not by service alone */
    TK_COUNT_LAST = 2,
    TK_COUNT_DURATIONS = 4,
};
/* Spans by service (tk_batch_service), name and kind. */
enum tk_err tk_store_operations(struct tk_store_view *view, const struct tk_store_range *range,
                                enum tk_err (*each)(void *arg, tk_str service, tk_str name,
                                                    int32_t kind,
                                                    const struct tk_store_count *count),
                                void *arg, struct tk_error *err) TK_MUST_USE;
/* Attribute keys with the types of their values. */
enum tk_err tk_store_keys(struct tk_store_view *view,
                          enum tk_err (*each)(void *arg, enum tk_owner owner, tk_str key,
                                              enum tk_value_type type),
                          void *arg, struct tk_error *err) TK_MUST_USE;
/*
 * Spans by the value of an attribute of theirs or of their resource or scope, event or link
 * (`owners` or-ed).  STRING, BOOL, INT and DOUBLE only; strings that begin with `prefix`.  Of each
 * owner a span counts once for a value, however many of its events have it.
 */
enum tk_err tk_store_values(struct tk_store_view *view, unsigned owners, tk_str key, tk_str prefix,
                            const struct tk_store_range *range,
                            enum tk_err (*each)(void *arg, struct tk_value value,
                                                const struct tk_store_count *count),
                            void *arg, struct tk_error *err) TK_MUST_USE;

/* What a fulfilment provides; tk_store_* calls go through it. First member of its own struct.
   operations, keys, values: NULL is fine, then they are counted by a scan. */
struct tk_store_vtable {
    enum tk_err (*append)(struct tk_store *, const struct tk_store_append *, struct tk_error *);
    enum tk_err (*seal)(struct tk_store *, struct tk_error *);
    enum tk_err (*drop)(struct tk_store *, uint32_t, struct tk_error *);
    enum tk_err (*set_limits)(struct tk_store *, uint32_t, const struct tk_store_limits *,
                              struct tk_error *);
    void (*get_stats)(struct tk_store *, struct tk_store_stats *);
    enum tk_err (*usage)(struct tk_store *, uint32_t, const struct tk_store_limits *,
                         struct tk_store_usage *, struct tk_error *);
    enum tk_err (*ready)(struct tk_store *, struct tk_error *);
    void (*close)(struct tk_store *);
    enum tk_err (*view_open)(struct tk_store *, uint32_t, struct tk_store_view **,
                             struct tk_error *);
    void (*view_close)(struct tk_store_view *);
    enum tk_err (*find)(struct tk_store_view *, struct tk_trace_id, const struct tk_store_want *,
                        struct tk_batch *, struct tk_error *);
    enum tk_err (*stamp)(struct tk_store_view *, struct tk_trace_id, uint64_t *, struct tk_error *);
    enum tk_err (*scan_open)(struct tk_store_view *, const struct tk_store_range *,
                             struct tk_store_scan **, struct tk_error *);
    enum tk_err (*scan_next)(struct tk_store_scan *, struct tk_store_trace *, struct tk_error *);
    void (*scan_close)(struct tk_store_scan *);
    enum tk_err (*operations)(struct tk_store_view *, const struct tk_store_range *,
                              enum tk_err (*)(void *, tk_str, tk_str, int32_t,
                                              const struct tk_store_count *),
                              void *, struct tk_error *);
    enum tk_err (*keys)(struct tk_store_view *,
                        enum tk_err (*)(void *, enum tk_owner, tk_str, enum tk_value_type), void *,
                        struct tk_error *);
    enum tk_err (*values)(struct tk_store_view *, const struct tk_store_range *,
                          struct tk_count_values *, struct tk_error *);
};
struct tk_store {
    const struct tk_store_vtable *vtable;
};
struct tk_store_view {
    const struct tk_store_vtable *vtable;
};
struct tk_store_scan {
    const struct tk_store_vtable *vtable;
};

#endif
