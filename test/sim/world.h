#ifndef SIM_WORLD_H
#define SIM_WORLD_H
/*
 * world - one simulation: a store, its disk, its model, and what the seed made of the
 * circumstances.
 */
#include "disk.h"
#include "model.h"

#include "store/embedded/embedded.h"

enum { HELD_MAX = 4 };

struct circumstances { /* drawn from the seed */
    enum tk_fsync fsync;
    size_t memory;
    uint64_t disk_capacity;
    struct disk_faults faults;
    bool any_faults;
    uint64_t memory_fails_one_in;
    struct tk_store_limits limits; /* set after each start */
    struct tk_store_thinning thinning;
    uint64_t crash_calls_max; /* 0: no crash */
    uint64_t power_one_in;    /* of crashes; the others are kills */
    uint64_t flips_one_in;    /* of starts; 0: never */
    uint32_t operations;
    struct request_shape shape;
    uint32_t weights[16]; /* of operations */
};

struct held { /* a view that somebody keeps open for a while */
    struct tk_store_view *view;
    struct picture *picture;
};

struct world {
    struct rng rng;
    struct circumstances is;
    struct model model;
    struct tk_store *store;
    struct held held[HELD_MAX];
    struct disk_counts at_open; /* what the disk had done when this process began */
    uint64_t refused_at_open;   /* memory */
    uint32_t operations_left;
    bool damaged;     /* bits flipped: anything may be missing, but nothing is wrong */
    bool log_flipped; /* one of them in the log, where an end cannot be told from damage */
    bool log_failed;  /* somebody was told that the log cannot be written any more */
    bool last;        /* no faults, no crash: everything must be there */
};

/* run.c: a whole simulation. */
void world_run(uint64_t seed);
/* A fixed script with its nth allocation refused (and all behind it): false when it has no nth. */
bool world_run_refused(uint64_t n, bool forever);
/* answers.c: the same for decoding, queries and answers. */
bool answers_run_refused(uint64_t n, bool forever);

/* checks.c */
/* Does what happened to disk and memory since the start excuse this code? */
bool world_excuses(const struct world *world, enum tk_err code);
/* May anything be missing, because it could not be read? */
bool world_may_miss(const struct world *world);
struct ages world_ages(const struct world *world);
/* A view and what it must show; NULL view: excused. */
struct held world_look(struct world *world, struct model_project *project);
void world_look_away(struct held *held);
void check_find(struct world *world, const struct held *held, struct tk_trace_id id);
/* Compares up to `limit` traces of the range that have each of `features` (features.h); returns
   whether there may be more, and the last one's place in *range. */
bool check_scan(struct world *world, const struct held *held, struct tk_store_range *range,
                uint64_t features, uint32_t limit);
/* The store's counts against the spans of the picture. */
void check_counts(struct world *world, const struct held *held);
/* Every project, whole. */
void check_all(struct world *world);
/* What was in doubt when the process died: is it there? */
void check_survivors(struct world *world);
/* tk_embedded_check finds damage if and only if there is some. */
void check_directory(struct world *world);
/* What flipped bits have cost is told by the store and by the check. */
void check_damage_is_reported(struct world *world);

#endif
