#ifndef TK_STORE_INTERNAL_H
#define TK_STORE_INTERNAL_H
/*
 * internal - the embedded store's state, shared by the files that make it up.
 *
 *   embedded.c  open, close, stats, drop, seal: the calls of the contract
 *   replay.c    what the log holds becomes generations again, at start
 *   writer.c    the log-writer thread: queue -> log -> sync -> open buffer -> done
 *   sealer.c    the sealing thread: oldest sealed-off generation -> segments -> log file deleted
 *   compact.c   the compaction thread: many small neighbouring segments -> one
 *   retention.c what goes when: age, and the cap on the disk
 *   thinner.c   which segments are due to be thinned, and which traces stay
 *   catalog.c   which segments there are, and how one becomes visible or goes away
 *   view.c      pictures, finding, scanning
 *   view_count.c  counting: operations, keys, values
 *   check.c     verifies a directory
 *
 * A *generation* is what gathers in memory beside one log file: generation 12 and log/00000012.log
 * hold the same spans.  When it is large or old enough it is closed off, the next one opens, and
 * the sealer turns it into one segment per project, named after the log files it covers.
 *
 * What makes a crash harmless at every instant:
 *   (1) a span is acknowledged only when its log file is synced;
 *   (2) a log file is deleted only when each project in it has a synced segment that covers it;
 *   (3) replay leaves out the projects that have such a segment: what is there is there once;
 *   (4) generations are sealed in order, so a compacted segment covers no unsealed one; and log
 *       files are deleted in order, so that a drop is remembered as long as what it drops;
 *   (5) a segment whose log files another one covers too is a leftover, deleted at start.
 *
 * Locks: `lock` guards everything here that is not said to be otherwise, and is held for instants
 * only.  `files_lock` serializes whatever adds or removes segment files (sealing, compaction,
 * retention, drop); it is taken before `lock`, never after.
 */
#include "store/embedded/embedded.h"
#include "store/embedded/merge.h"
#include "store/segment/segment_write.h"
#include "store/embedded/wal.h"

#include <pthread.h>

struct tk_generation {
    uint64_t number;            /* of its log file */
    struct tk_buffer **buffers; /* [buffer_count]; one per project, by project */
    uint32_t buffer_count, buffer_capacity;
    size_t bytes; /* of memory */
    uint64_t span_count;
    uint64_t log_bytes;
    uint64_t opened_nano; /* monotonic; of its first batch */
    struct tk_generation *newer;
};

struct tk_project {
    uint32_t id;
    struct tk_segment **segments; /* [count], by first log file */
    uint32_t count, capacity;
    struct tk_store_limits limits; /* its own */
    bool damaged; /* a file of it could not be opened: nothing is compacted across the hole */
};

struct tk_pending {                /* an append or a drop on its way to the log */
    struct tk_store_append append; /* batch NULL: a drop of append.project */
    size_t bytes;                  /* of memory */
    struct tk_pending *next;
};

struct tk_embedded {
    struct tk_store base;
    struct tk_env *env;
    char *dir, *log_dir;
    tk_file *lock_file;
    enum tk_fsync fsync;
    struct tk_store_limits limits; /* for all projects together */
    struct tk_store_thinning thinning;
    size_t queue_max;          /* bytes of memory, as are these */
    size_t seal_min, seal_max; /* a generation is large enough: the sealer is idle; or not */
    size_t unsealed_min;       /* so much may always be unsealed */
    size_t warm_max;           /* of the cache, before anybody has asked */
    struct tk_cache cache;
    struct tk_segment_host host;

    pthread_mutex_t lock, files_lock;
    pthread_cond_t work;    /* the writer: something came, or is to be done */
    pthread_cond_t sealing; /* the sealer: a generation was closed off */
    pthread_cond_t sealed;  /* who waits for sealing: it got on, or failed */
    pthread_cond_t grown;   /* the compactor: a segment came */

    struct tk_pending *queue_head, **queue_tail;
    size_t queue_bytes;
    uint64_t first_log;                  /* no log file before this one is left */
    struct tk_generation *oldest, *open; /* a list, oldest to open; the open one is the newest */
    size_t unsealed_bytes, unsealed_max; /* the latter more than unsealed_min after a replay */
    uint64_t unsealed_log_bytes;
    struct tk_project *projects; /* [project_count], by id */
    uint32_t project_count, project_capacity;

    bool replaying;
    bool rotate; /* close the open generation off now */
    bool stop;   /* writer, sealer: finish and end */
    atomic_bool stop_compact;
    uint64_t changes; /* of segments and limits: whoever saw fewer looks again before it waits */
    uint64_t compacting_bytes; /* of segments that are being rewritten: as much comes on top */
    bool full;                 /* the last write did not fit; asked again when it matters */
    struct tk_error failure;   /* code != TK_OK: nothing more can be appended */
    struct tk_error seal_failure;
    bool retry_seal;        /* somebody waits: do not wait after a failure */
    uint64_t seal_attempts; /* ended ones, well or not */
    double seal_nano;       /* for each byte, the last time */
    struct tk_store_stats stats;

    struct tk_wal wal;            /* the writer's alone */
    uint64_t unsynced_since_nano; /* the writer's alone; TK_FSYNC_ASYNC; 0: all is synced */
    pthread_t writer, sealer, compactor;
};

/* A rewriting of one segment that takes traces away. */
struct tk_thinner {
    struct tk_embedded *store;
    uint64_t threshold;
    struct tk_store_view *view; /* of the project, to judge whole traces */
    struct tk_batch *batch;
    uint64_t spans_gone;
};

/* catalog.c; under files_lock where it says so, and they take `lock` themselves */
void tk_catalog_project_dir(const struct tk_embedded *store, uint32_t project,
                            char path[TK_WAL_PATH_SIZE]);
/* Reads what is there, deletes leftovers. Raises *last to the last log file that is covered. */
enum tk_err tk_catalog_load(struct tk_embedded *store, uint64_t *last,
                            struct tk_error *err) TK_MUST_USE;
void tk_catalog_release(struct tk_embedded *store);
/* Is there a segment of the project that covers this log file? */
bool tk_catalog_covers(struct tk_embedded *store, uint32_t project, uint64_t number);
/* NULL: the project has no segments.  Under `lock`. */
struct tk_project *tk_catalog_find(struct tk_embedded *store, uint32_t project);
/* The same, but makes an empty one.  NULL: out of memory. */
struct tk_project *tk_catalog_add(struct tk_embedded *store, uint32_t project);
enum tk_err tk_catalog_writer(struct tk_embedded *store, struct tk_segment_name name,
                              const struct tk_schema *schema, int level,
                              struct tk_segment_writer **ret_writer,
                              struct tk_error *err) TK_MUST_USE;
/* The file that tk_catalog_writer began, finished, gets its name; open in *ret_segment. Under
   files_lock. */
enum tk_err tk_catalog_publish(struct tk_embedded *store, struct tk_segment_name name,
                               struct tk_segment **ret_segment, struct tk_error *err) TK_MUST_USE;
void tk_catalog_discard(struct tk_embedded *store, struct tk_segment_name name);
/* Takes `segment` over and makes it visible in place of those that it covers.  Under `lock`. */
enum tk_err tk_catalog_install(struct tk_embedded *store, struct tk_segment *segment) TK_MUST_USE;
void tk_catalog_count(struct tk_store_tally *tally, const struct tk_segment *segment);
/* It is not visible any more; lets go of it.  Under `lock`. */
void tk_catalog_forget(struct tk_embedded *store, struct tk_segment *segment);
/* Deletes the project's segments that end before log file `before`.  Under files_lock. */
enum tk_err tk_catalog_drop(struct tk_embedded *store, uint32_t project, uint64_t before,
                            struct tk_error *err) TK_MUST_USE;
enum tk_err tk_catalog_remove_file(struct tk_embedded *store, struct tk_segment_name name,
                                   struct tk_error *err) TK_MUST_USE;
/* "<first>-<last>.seg" */
bool tk_catalog_parse_name(const char *file, struct tk_segment_name *ret_name);

/* generation.c; under `lock` */
struct tk_generation *tk_generation_new(uint64_t number) TK_MUST_USE;
void tk_generation_free(struct tk_generation *generation);
/* Takes the batch over on success. */
enum tk_err tk_generation_add(struct tk_embedded *store, struct tk_generation *generation,
                              uint32_t project, struct tk_batch *batch, size_t bytes) TK_MUST_USE;
struct tk_buffer *tk_generation_find(const struct tk_generation *generation, uint32_t project);
/* Takes the project's buffer out (sealed, or dropped). */
void tk_generation_remove(struct tk_generation *generation, uint32_t project);
/* Closes the open generation off and opens the next; nothing when the open one is empty. */
enum tk_err tk_generation_rotate(struct tk_embedded *store) TK_MUST_USE;

/* writer.c */
void *tk_writer_run(void *store);
enum tk_err tk_writer_append(struct tk_store *store, const struct tk_store_append *append,
                             struct tk_error *err) TK_MUST_USE;
enum tk_err tk_writer_ready(struct tk_store *store, struct tk_error *err) TK_MUST_USE;
/* Forgets what the project has in memory and in segments that end before log file `before`. */
enum tk_err tk_writer_apply_drop(struct tk_embedded *store, uint32_t project, uint64_t before,
                                 struct tk_error *err) TK_MUST_USE;
size_t tk_writer_cost(const struct tk_batch *batch);

/* sealer.c, compact.c */
void *tk_sealer_run(void *store);
void *tk_compact_run(void *store);
/* Waits before so many bytes more come in, unless sealing fails: while half the memory for what is
   unsealed is taken as long as sealing them will take, while three quarters are until they are
   not.  Whoever sends and waits for the answer slows down to what disk and cores can do, evenly,
   before anybody is refused. */
void tk_sealer_catch_up(struct tk_embedded *store, size_t bytes);
/* After a replay, which may leave more unsealed than is of use: twice of what is left is the most
   that may be, until it is what it always is.  Under `lock`. */
void tk_sealer_set_room(struct tk_embedded *store);

/* thinner.c */
/* It is done: `to` stands in the place of `from`.  Under `lock`. */
void tk_thinner_count(const struct tk_thinner *thinner, const struct tk_segment *from,
                      const struct tk_segment *to);
/* The oldest segment that is due, held, or NULL; and how far it is to be thinned.  Under `lock`. */
struct tk_segment *tk_thinner_pick(struct tk_embedded *store, uint64_t *ret_threshold);
enum tk_err tk_thinner_init(struct tk_thinner *thinner, struct tk_embedded *store, uint32_t project,
                            uint64_t threshold, struct tk_error *err) TK_MUST_USE;
void tk_thinner_release(struct tk_thinner *thinner);
/* Does this trace stay?  TK_ERR_NOT_FOUND: it goes, with these rows. */
enum tk_err tk_thinner_judge(struct tk_thinner *thinner, const struct tk_trace_entry *entry,
                             uint32_t row_count, struct tk_error *err) TK_MUST_USE;

/* retention.c: drops what is too old or too much. */
enum tk_err tk_retention_run(struct tk_embedded *store, struct tk_error *err) TK_MUST_USE;
/* Keeps room under the cap for this much that a compaction is about to write; 0 when it is over.
   False: it is too much for so small a cap. */
bool tk_retention_reserve(struct tk_embedded *store, uint64_t bytes);
/* The most that fits.  Under `lock`. */
uint64_t tk_retention_reserve_max(const struct tk_embedded *store);
enum tk_err tk_retention_set_limits(struct tk_store *store, uint32_t project,
                                    const struct tk_store_limits *limits,
                                    struct tk_error *err) TK_MUST_USE;
enum tk_err tk_retention_usage(struct tk_store *store, uint32_t project,
                               const struct tk_store_limits *limits,
                               struct tk_store_usage *ret_usage, struct tk_error *err) TK_MUST_USE;

/* replay.c: every log file becomes a generation; on success the open one is numbered behind. */
enum tk_err tk_replay(struct tk_embedded *store, uint64_t last_covered,
                      struct tk_error *err) TK_MUST_USE;

/* view.c */
struct tk_view { /* a picture of one project */
    struct tk_store_view base;
    struct tk_sources sources;
};
enum tk_err tk_view_open(struct tk_store *store, uint32_t project, struct tk_store_view **ret_view,
                         struct tk_error *err) TK_MUST_USE;
void tk_view_close(struct tk_store_view *view);
enum tk_err tk_view_find(struct tk_store_view *view, struct tk_trace_id id,
                         const struct tk_store_want *want, struct tk_batch *to,
                         struct tk_error *err) TK_MUST_USE;
enum tk_err tk_view_stamp(struct tk_store_view *view, struct tk_trace_id id, uint64_t *ret_stamp,
                          struct tk_error *err) TK_MUST_USE;
enum tk_err tk_view_scan_open(struct tk_store_view *view, const struct tk_store_range *range,
                              struct tk_store_scan **ret_scan, struct tk_error *err) TK_MUST_USE;
enum tk_err tk_view_scan_next(struct tk_store_scan *scan, struct tk_store_trace *ret_trace,
                              struct tk_error *err) TK_MUST_USE;
void tk_view_scan_close(struct tk_store_scan *scan);

/* view_count.c */
enum tk_err tk_view_operations(struct tk_store_view *view, const struct tk_store_range *range,
                               enum tk_err (*each)(void *arg, tk_str service, tk_str name,
                                                   int32_t kind,
                                                   const struct tk_store_count *count),
                               void *arg, struct tk_error *err) TK_MUST_USE;
enum tk_err tk_view_keys(struct tk_store_view *view,
                         enum tk_err (*each)(void *arg, enum tk_owner owner, tk_str key,
                                             enum tk_value_type type),
                         void *arg, struct tk_error *err) TK_MUST_USE;
enum tk_err tk_view_values(struct tk_store_view *view, const struct tk_store_range *range,
                           struct tk_count_values *values, struct tk_error *err) TK_MUST_USE;

/* check_index.c: what indexes, zones and the group index say of a group, against its rows. */
enum tk_err tk_check_index(struct tk_segment *segment, struct tk_group *group, uint32_t number,
                           struct tk_error *err) TK_MUST_USE;
/* check_summary.c: the summaries against the rows; what its groups miss is theirs to tell. */
enum tk_err tk_check_summaries(struct tk_segment *segment, const struct tk_schema_view *schema,
                               struct tk_error *err) TK_MUST_USE;

/* embedded.c */
extern const struct tk_store_vtable tk_embedded_vtable;

#endif
