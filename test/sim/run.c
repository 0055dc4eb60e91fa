/*
 * run - one simulation from its seed (world.h).
 *
 * A life is a process: it opens the store, does things, and closes it or dies at some file call.
 * Then another one begins on what the disk has kept, until the operations are used up.  The last
 * one has no faults, and must find everything.
 */
#include "fail.h"
#include "features.h"
#include "heap.h"
#include "sched.h"
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum operation {
    OP_APPEND,
    OP_AGAIN,
    OP_WAIT,
    OP_SEAL,
    OP_DROP,
    OP_SCAN,
    OP_PAGES,
    OP_FIND,
    OP_HOLD,
    OP_LOOK,
    OP_ADVANCE,
    OP_CHECK,
    OP_REOPEN,
    OP_STATS,
    OP_COUNT,
};
_Static_assert(OP_COUNT <= 16, "circumstances.weights");

/* 2027-01-15T08:00:00Z, as good as any. */
#define BEGIN_NANO 1800000000000000000u
/* An answer takes no longer while disk and memory work. */
#define ANSWER_NANO (100ull * MILLI_NANO)
#define DAY_NANO (24ull * 3600 * SECOND_NANO)

static uint64_t
one_of(struct rng *rng, const uint64_t *values, size_t count)
{
    return values[rng_below(rng, count)];
}
#define ONE_OF(rng, ...)                                                                           \
    one_of((rng), (const uint64_t[]){__VA_ARGS__},                                                 \
           sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void
draw_faults(struct rng *rng, struct circumstances *is)
{
    struct disk_faults *faults = &is->faults;
    uint64_t kind = rng_below(rng, 10);
    if (kind < 5)
        return;
    if (kind == 5 || kind == 6) {
        faults->write_io = ONE_OF(rng, 0, 30, 300);
        faults->sync_io = ONE_OF(rng, 0, 30, 300);
        faults->name_io = ONE_OF(rng, 0, 30, 300);
        faults->read_io = ONE_OF(rng, 0, 0, 30, 300);
    } else if (kind == 7) {
        is->disk_capacity = rng_between(rng, 1200, 4000) << 10;
        faults->free_space_lies = rng_one_in(rng, 3);
        is->shape.big_text_one_in = 20;
    } else if (kind == 8) {
        faults->write_full = ONE_OF(rng, 5, 50, 300);
        faults->create_full = ONE_OF(rng, 0, 5, 50);
    } else {
        is->memory_fails_one_in = ONE_OF(rng, 100, 1000, 5000);
    }
    is->any_faults = true;
}

/* What thinning keeps. */
static bool
has_error(void *arg, const struct tk_store_trace *trace)
{
    (void)arg;
    for (uint32_t row = 0; row < trace->spans->span_count; row++)
        if (trace->spans->status[row] == TK_STATUS_ERROR)
            return true;
    return false;
}

static void
draw_weights(struct rng *rng, struct circumstances *is)
{
    static const uint32_t usual[OP_COUNT] = {
        [OP_APPEND] = 40, [OP_AGAIN] = 5, [OP_WAIT] = 12,  [OP_SEAL] = 12, [OP_DROP] = 2,
        [OP_SCAN] = 5,    [OP_PAGES] = 6, [OP_FIND] = 8,   [OP_HOLD] = 4,  [OP_LOOK] = 6,
        [OP_ADVANCE] = 4, [OP_CHECK] = 1, [OP_REOPEN] = 2, [OP_STATS] = 2,
    };
    for (int i = 0; i < OP_COUNT; i++) /* some seeds do a lot of something, or none */
        is->weights[i] = (uint32_t)(usual[i] * ONE_OF(rng, 0, 1, 1, 1, 1, 3));
    if (rng_one_in(rng, 4)) { /* many small segments: compaction */
        is->weights[OP_SEAL] = 40;
        is->weights[OP_DROP] = 0;
    }
    if (is->weights[OP_APPEND] == 0)
        is->weights[OP_APPEND] = 10;
}

static void
draw(struct world *world)
{
    struct rng *rng = &world->rng;
    struct circumstances *is = &world->is;
    uint64_t fsync = rng_below(rng, 10);
    is->fsync = fsync < 7 ? TK_FSYNC_GROUP : fsync == 7 ? TK_FSYNC_ALWAYS : TK_FSYNC_ASYNC;
    is->memory = (size_t)ONE_OF(rng, 256 << 20, 64 << 20, 64 << 20, 4 << 20, 1 << 20, 200 << 10);
    is->shape = (struct request_shape){
        .now_nano = BEGIN_NANO,
        .spans_max = (uint32_t)ONE_OF(rng, 3, 8, 8, 30),
        .giant_one_in = ONE_OF(rng, 0, 0, 0, 0, 0, 0, 0, 50),
        .big_text_one_in = ONE_OF(rng, 0, 0, 0, 500),
        .days = ONE_OF(rng, 0, 0, 1, 3),
        .otlp_only = rng_one_in(rng, 3),
    };
    draw_faults(rng, is);
    draw_weights(rng, is);
    if (rng_one_in(rng, 10))
        is->limits.retention_nano = ONE_OF(rng, 1, 12, 36) * 3600 * SECOND_NANO;
    if (rng_one_in(rng, 10)) {
        is->thinning = (struct tk_store_thinning){
            .steps = {{ONE_OF(rng, 1, 30) * 3600 * SECOND_NANO, TK_THIN_ALL / 4 * 3}},
            .step_count = 1,
            .want = {.lean = true},
            .keep = has_error,
        };
    }
    if (rng_one_in(rng, 20)) {
        is->limits.disk_bytes = ONE_OF(rng, 1500, 2500) << 10;
        is->shape.big_text_one_in = 5;
    }
    is->crash_calls_max = ONE_OF(rng, 0, 30, 100, 300, 300, 1000, 3000);
    is->power_one_in = ONE_OF(rng, 1, 1, 2);
    is->flips_one_in = rng_one_in(rng, 15) ? 2 : 0;
    is->operations = (uint32_t)ONE_OF(rng, 20, 60, 120, 120, 250);
    sim_say("fsync %d, memory %zu KiB, disk %" PRIu64 " KiB, %u operations, crash within %" PRIu64
            " calls",
            is->fsync, is->memory >> 10, is->disk_capacity >> 10, is->operations,
            is->crash_calls_max);
}

/* Operations. */

static struct model_project *
any_project(struct world *world)
{
    return &world->model.projects[rng_below(&world->rng, world->model.project_count)];
}

static void
on_done(void *arg, enum tk_err code, const struct tk_error *err)
{
    void **both = arg;
    struct world *world = both[0];
    struct request *request = both[1];
    sim_say("    answer to %u: %s%s%s", request->number, tk_err_text(code), err != NULL ? ": " : "",
            err != NULL ? err->message : "");
    SIM_CHECK(code == TK_OK || world_excuses(world, code), "request %u is answered: %s (%s)",
              request->number, tk_err_text(code), err != NULL ? err->message : "");
    SIM_CHECK(code != TK_OK || !world->log_failed,
              "request %u is acknowledged after the log had failed", request->number);
    world->log_failed = world->log_failed || code == TK_ERR_IO;
    model_answer(&world->model, request, code, sched_now());
    SIM_CHECK(world->is.any_faults || code != TK_OK || request->count > 100 ||
                  world->is.memory < (64u << 20) ||
                  request->answered_nano - request->asked_nano < ANSWER_NANO,
              "request %u is answered after %" PRIu64 " ms", request->number,
              (request->answered_nano - request->asked_nano) / MILLI_NANO);
    sim_free(both);
    sched_wake_waiters();
}

static void
ask(struct world *world, struct request *request)
{
    struct tk_error err = {0};
    model_ask(&world->model, request);
    struct tk_batch *batch = request_decode(request);
    if (batch == NULL) {
        request->state = REQUEST_GONE;
        request->answered = true;
        return;
    }
    void **both = sim_alloc(2 * sizeof *both);
    both[0] = world;
    both[1] = request;
    struct tk_store_append append = {.project = request->project,
                                     .format = request->format,
                                     .encoding = request->encoding,
                                     .body = {request->body, request->body_len},
                                     .batch = batch,
                                     .done = on_done,
                                     .arg = both};
    sim_say("  append %u%s to p%u: %u spans, %zu bytes", request->number,
            request->original != NULL ? " (again)" : "", request->project, request->count,
            request->body_len);
    enum tk_err code = tk_store_append(world->store, &append, &err);
    if (code == TK_OK)
        return;
    sim_say("    refused: %s: %s", tk_err_text(code), err.message);
    SIM_CHECK(world_excuses(world, code), "append: %s (%s)", tk_err_text(code), err.message);
    request->state = REQUEST_GONE;
    request->answered = true;
    tk_batch_free(batch);
    sim_free(both);
}

static void
op_append(struct world *world)
{
    struct model_project *project = any_project(world);
    world->is.shape.now_nano = sched_now();
    ask(world, request_new(&world->rng, &project->pool, &world->is.shape, project->id,
                           ++world->model.request_count));
}

static void
op_again(struct world *world)
{
    struct model_project *project = any_project(world);
    if (project->count == 0)
        return;
    const struct request *old = project->requests[rng_below(&world->rng, project->count)];
    if (old->answered)
        ask(world, request_again(old, ++world->model.request_count));
}

static void
wait_for_all(struct world *world)
{
    for (uint32_t p = 0; p < world->model.project_count; p++) {
        const struct model_project *project = &world->model.projects[p];
        for (uint32_t k = 0; k < project->count; k++)
            sched_wait_for(&project->requests[k]->answered);
    }
}

static void
op_wait(struct world *world)
{
    sim_say("  wait for all answers");
    wait_for_all(world);
}

/* Segments and log keep to the cap; with little else than a name in a segment they cannot. */
static void
check_cap(struct world *world)
{
    uint64_t used = disk_counts().bytes, cap = world->is.limits.disk_bytes;
    SIM_CHECK(used <= cap + cap / 8 + 65536, "%" PRIu64 " bytes on disk under a cap of %" PRIu64,
              used, cap);
}

static void
op_seal(struct world *world)
{
    struct tk_error err = {0};
    wait_for_all(world);
    sim_say("  seal");
    enum tk_err code = tk_store_seal(world->store, &err);
    sim_say("    %s %s", tk_err_text(code), err.message);
    SIM_CHECK(code == TK_OK || world_excuses(world, code), "seal: %s (%s)", tk_err_text(code),
              err.message);
    if (code == TK_OK && !world->log_failed)
        model_sealed(&world->model);
    if (code == TK_OK && world->is.limits.disk_bytes != 0 && !world->is.any_faults)
        check_cap(world);
}

static void
op_drop(struct world *world)
{
    struct tk_error err = {0};
    struct model_project *project = any_project(world);
    uint32_t asks = project->count;
    sim_say("  drop p%u", project->id);
    if (!project->drop_asked) {
        project->drop_asked = true;
        project->drop_asks = asks;
    }
    enum tk_err code = tk_store_drop(world->store, project->id, &err);
    sim_say("    %s %s", tk_err_text(code), err.message);
    SIM_CHECK(code == TK_OK || world_excuses(world, code), "drop: %s (%s)", tk_err_text(code),
              err.message);
    if (code == TK_OK)
        model_dropped(project, asks, sched_now(), world->is.fsync != TK_FSYNC_ASYNC);
    else
        project->lenient = true; /* nobody knows how far it got */
    if (code == TK_ERR_IO)
        project->drop_asked = true;
}

static struct tk_store_range
draw_range(struct world *world, const struct picture *picture)
{
    struct rng *rng = &world->rng;
    struct tk_store_range range = {0};
    range.want.lean = rng_one_in(rng, 4);
    if (picture->trace_count == 0 || rng_one_in(rng, 3))
        return range;
    const struct expected_trace *a = &picture->traces[rng_below(rng, picture->trace_count)];
    const struct expected_trace *b = &picture->traces[rng_below(rng, picture->trace_count)];
    if (rng_one_in(rng, 2))
        range.begin_nano = a->start_nano + rng_below(rng, 2);
    if (rng_one_in(rng, 2))
        range.end_nano = b->start_nano + rng_below(rng, 2);
    if (rng_one_in(rng, 3)) {
        range.after = true;
        range.after_start_nano = b->start_nano;
        range.after_id = b->id;
    }
    return range;
}

static uint64_t
draw_features(struct world *world)
{
    uint64_t features = 0;
    for (uint64_t i = rng_below(&world->rng, 3); i > 0; i--)
        features |= (uint64_t)1 << rng_below(&world->rng, FEATURE_COUNT);
    return features;
}

static void
op_scan(struct world *world)
{
    struct held held = world_look(world, any_project(world));
    if (held.view == NULL)
        return;
    struct tk_store_range range = draw_range(world, held.picture);
    uint32_t limit =
        rng_one_in(&world->rng, 2) ? UINT32_MAX : 1 + (uint32_t)rng_below(&world->rng, 20);
    sim_say("  scan p%u of %u traces%s", held.picture->project, held.picture->trace_count,
            range.after ? ", after a place" : "");
    (void)check_scan(world, &held, &range, draw_features(world), limit);
    if (rng_one_in(&world->rng, 3))
        check_counts(world, &held);
    world_look_away(&held);
}

static void do_something(struct world *world);

/* Page after page, each from a view of its own, while things go on. */
static void
op_pages(struct world *world)
{
    struct model_project *project = any_project(world);
    struct tk_store_range range = {0};
    uint32_t limit = 1 + (uint32_t)rng_below(&world->rng, 12);
    uint64_t features = draw_features(world);
    sim_say("  pages of p%u, %u traces each", project->id, limit);
    for (bool more = true; more && world->store != NULL;) {
        struct held held = world_look(world, project);
        if (held.view == NULL)
            return;
        more = check_scan(world, &held, &range, features, limit);
        world_look_away(&held);
        if (more && rng_one_in(&world->rng, 2) && world->operations_left > 0)
            do_something(world);
    }
}

static void
find_some(struct world *world, const struct held *held)
{
    struct rng *rng = &world->rng;
    const struct picture *picture = held->picture;
    for (uint64_t i = rng_between(rng, 1, 5); i > 0; i--) {
        struct tk_trace_id id = {rng_below(rng, 4), rng_next(rng)};
        if (picture->trace_count > 0 && !rng_one_in(rng, 5))
            id = picture->traces[rng_below(rng, picture->trace_count)].id;
        check_find(world, held, id);
    }
}

static void
op_find(struct world *world)
{
    struct held held = world_look(world, any_project(world));
    if (held.view == NULL)
        return;
    sim_say("  find some traces of p%u", held.picture->project);
    find_some(world, &held);
    world_look_away(&held);
}

static void
op_hold(struct world *world)
{
    struct held *held = &world->held[rng_below(&world->rng, HELD_MAX)];
    if (held->view != NULL)
        world_look_away(held);
    *held = world_look(world, any_project(world));
    if (held->view != NULL)
        sim_say("  hold a view of p%u", held->picture->project);
}

/* What a view that was opened earlier shows has not changed. */
static void
op_look(struct world *world)
{
    struct held *held = &world->held[rng_below(&world->rng, HELD_MAX)];
    if (held->view == NULL)
        return;
    struct tk_store_range range = draw_range(world, held->picture);
    sim_say("  look at a held view of p%u", held->picture->project);
    (void)check_scan(world, held, &range, draw_features(world), UINT32_MAX);
    find_some(world, held);
}

static void
op_advance(struct world *world)
{
    uint64_t nano = ONE_OF(&world->rng, 1, 200, 1100, 70000, 310000, 7200000) * MILLI_NANO;
    if (world->is.any_faults && nano > 5ull * SECOND_NANO)
        nano = 5ull * SECOND_NANO; /* who fails tries again every second */
    sim_say("  %" PRIu64 " ms pass", nano / MILLI_NANO);
    sched_sleep(nano);
}

static void
op_stats(struct world *world)
{
    struct tk_store_stats stats;
    struct tk_error err = {0};
    bool log_failed = world->log_failed;
    tk_store_get_stats(world->store, &stats);
    enum tk_err code = tk_store_ready(world->store, &err);
    sim_say("  stats: %" PRIu64 " open spans, %" PRIu64 " segments, %" PRIu64 " damaged; ready: %s",
            stats.open_spans, stats.segments, stats.damaged_blocks, tk_err_text(code));
    SIM_CHECK(code == TK_OK || world_excuses(world, code), "ready: %s (%s)", tk_err_text(code),
              err.message);
    SIM_CHECK(!log_failed || code != TK_OK, "ready after the log has failed");
    SIM_CHECK(stats.damaged_blocks == 0 || world_may_miss(world), "%" PRIu64 " damaged blocks",
              stats.damaged_blocks);
}

static void
op_check(struct world *world)
{
    sim_say("  check the directory");
    check_directory(world);
}

static enum tk_err
try_to_open(struct world *world, struct tk_error *err)
{
    struct tk_store_options options = {.env = disk_env(),
                                       .dir = "data",
                                       .fsync = world->is.fsync,
                                       .memory = world->is.memory,
                                       .thinning = world->is.thinning};
    world->at_open = disk_counts();
    world->refused_at_open = heap_refused() + sched_create_failures();
    world->log_failed = false;
    return tk_embedded_open(&options, &world->store, err);
}

static void
calm(void)
{
    disk_set_faults(NULL);
    heap_fail_by_chance(0, 0);
    heap_fail_at(0, false);
    sched_fail_create(0);
}

static void
open_store(struct world *world)
{
    struct tk_error err = {0};
    bool calmed = world->last;
    sim_say("open");
    enum tk_err code = try_to_open(world, &err);
    while (code != TK_OK) {
        sim_say("  %s: %s", tk_err_text(code), err.message);
        SIM_CHECK(world_excuses(world, code), "open: %s (%s)", tk_err_text(code), err.message);
        sched_free_values();
        SIM_CHECK(heap_live() == 0 && disk_counts().open_files == 0,
                  "a failed open leaves %" PRIu64 " blocks of memory and %" PRIu64 " files open",
                  heap_live(), disk_counts().open_files);
        if (world->damaged && calmed)
            return;
        calm(); /* for the rest of this life */
        calmed = true;
        code = try_to_open(world, &err);
    }
    check_survivors(world);
    if (world->is.limits.retention_nano != 0 || world->is.limits.disk_bytes != 0) {
        code = tk_store_set_limits(world->store, 0, &world->is.limits, &err);
        SIM_CHECK(code == TK_OK || world_excuses(world, code), "limits: %s (%s)", tk_err_text(code),
                  err.message);
    }
    check_all(world);
}

static void
close_store(struct world *world)
{
    struct tk_store_stats stats;
    tk_store_get_stats(world->store, &stats);
    sim_say("close: %" PRIu64 " spans appended, %" PRIu64 " in %" PRIu64 " segments, %" PRIu64
            " expired, %" PRIu64 " evicted, %" PRIu64 " thinned",
            stats.spans_appended, stats.segment_spans, stats.segments, stats.expired.spans,
            stats.evicted.spans, stats.thinned.spans);
    for (int i = 0; i < HELD_MAX; i++)
        if (world->held[i].view != NULL)
            world_look_away(&world->held[i]);
    struct disk_counts counts = disk_counts();
    bool syncs_failed =
        counts.failed_syncs > world->at_open.failed_syncs || counts.failed > world->at_open.failed;
    tk_store_close(world->store);
    world->store = NULL;
    for (uint32_t p = 0; p < world->model.project_count; p++) {
        const struct model_project *project = &world->model.projects[p];
        for (uint32_t k = 0; k < project->count; k++)
            SIM_CHECK(project->requests[k]->answered, "request %u was never answered",
                      project->requests[k]->number);
    }
    sched_free_values();
    if (heap_live() != 0)
        heap_say_leaks();
    SIM_CHECK(heap_live() == 0, "%" PRIu64 " blocks of memory are leaked", heap_live());
    SIM_CHECK(disk_counts().open_files == 0, "%" PRIu64 " files stay open",
              disk_counts().open_files);
    model_died(&world->model, false, syncs_failed, sched_now());
}

static void
op_reopen(struct world *world)
{
    close_store(world);
    if (rng_one_in(&world->rng, 2)) {
        sim_say("power loss");
        disk_crash(DISK_POWER);
        model_died(&world->model, true, false, sched_now());
    }
    open_store(world);
    if (world->store == NULL)
        world->last = true;
}

static void
do_something(struct world *world)
{
    static void (*const operations[OP_COUNT])(struct world *) = {
        [OP_APPEND] = op_append, [OP_AGAIN] = op_again,     [OP_WAIT] = op_wait,
        [OP_SEAL] = op_seal,     [OP_DROP] = op_drop,       [OP_SCAN] = op_scan,
        [OP_PAGES] = op_pages,   [OP_FIND] = op_find,       [OP_HOLD] = op_hold,
        [OP_LOOK] = op_look,     [OP_ADVANCE] = op_advance, [OP_CHECK] = op_check,
        [OP_REOPEN] = op_reopen, [OP_STATS] = op_stats,
    };
    uint32_t total = 0, at = 0;
    for (int i = 0; i < OP_COUNT; i++)
        total += world->is.weights[i];
    uint32_t drawn = (uint32_t)rng_below(&world->rng, total);
    while (drawn >= world->is.weights[at])
        drawn -= world->is.weights[at++];
    world->operations_left--;
    operations[at](world);
}

/* When all is old nothing is left. */
static void
check_expiry(struct world *world)
{
    op_seal(world);
    sched_sleep(world->is.limits.retention_nano + (world->is.shape.days + 1) * DAY_NANO);
    sched_sleep(120ull * SECOND_NANO);
    struct tk_store_stats stats;
    tk_store_get_stats(world->store, &stats);
    SIM_CHECK(stats.segments == 0, "%" PRIu64 " segments are left though all is old",
              stats.segments);
}

static void
life(void *arg)
{
    struct world *world = arg;
    open_store(world);
    if (world->store == NULL) {
        world->last = true;
        return;
    }
    while (world->operations_left > 0 && world->store != NULL && !world->last)
        do_something(world);
    if (world->store == NULL)
        return;
    if (!world->last && rng_one_in(&world->rng, 2))
        wait_for_all(world);
    if (world->last)
        check_directory(world);
    if (world->last && world->damaged && !world->log_flipped && world->is.limits.disk_bytes == 0)
        check_damage_is_reported(world);
    bool can_seal = world->is.disk_capacity == 0; /* else it tries every second, for days */
    if (world->last && world->is.limits.retention_nano != 0 && !world->damaged && can_seal)
        check_expiry(world);
    close_store(world);
}

static void
die(struct world *world)
{
    bool power = rng_one_in(&world->rng, world->is.power_one_in);
    bool syncs_failed = disk_counts().failed_syncs > world->at_open.failed_syncs;
    sim_say("%s", power ? "POWER LOSS" : "KILL");
    disk_crash(power ? DISK_POWER : DISK_KILL);
    heap_free_all();
    for (int i = 0; i < HELD_MAX; i++) {
        picture_free(world->held[i].picture);
        world->held[i] = (struct held){0};
    }
    world->store = NULL;
    model_died(&world->model, power, syncs_failed, sched_now());
}

/* A bit of the disk rots.  In the log it may undo a drop: that is reported, too, but cannot be
   mended. */
static void
flip(struct world *world)
{
    bool log = rng_one_in(&world->rng, 2);
    if (!disk_flip_bit(log ? ".log" : ".seg"))
        return;
    world->damaged = true;
    world->log_flipped = world->log_flipped || log;
    for (uint32_t p = 0; log && p < world->model.project_count; p++) {
        world->model.projects[p].lenient = true;
        world->model.projects[p].dropped = 0;
    }
}

static void
before_life(struct world *world)
{
    calm();
    if (world->last)
        return;
    disk_set_faults(&world->is.faults);
    heap_fail_by_chance(world->is.memory_fails_one_in, rng_next(&world->rng));
    sched_fail_create(world->is.any_faults ? 50 : 0);
    if (world->is.crash_calls_max > 0)
        disk_crash_at(rng_between(&world->rng, 1, world->is.crash_calls_max));
    if (rng_one_in(&world->rng, world->is.flips_one_in))
        flip(world);
}

/* What the refusal of memory is tried on: everything the store does, in a fixed order. */
static void
script(void *arg)
{
    struct world *world = arg;
    open_store(world);
    for (int i = 0; i < 10; i++) { /* enough segments for a compaction */
        op_append(world);
        op_append(world);
        if (i % 3 == 0)
            op_again(world);
        op_seal(world);
    }
    op_append(world);
    op_hold(world);
    op_scan(world);
    op_find(world);
    op_drop(world);
    op_append(world);
    wait_for_all(world);
    op_look(world);
    op_stats(world);
    op_check(world);
    sched_sleep(61ull * SECOND_NANO);
    op_pages(world);
    op_append(world);
    op_reopen(world);
    op_scan(world);
    close_store(world);
}

bool
world_run_refused(uint64_t n, bool forever)
{
    struct world world = {.rng = rng_stream(1, 0), .operations_left = 0};
    world.is = (struct circumstances){
        .memory = 64 << 20,
        .any_faults = true,
        .shape = {.now_nano = BEGIN_NANO, .spans_max = 4},
    };
    sched_init(1, BEGIN_NANO);
    disk_init(1, 0);
    model_init(&world.model, 2, false);
    uint64_t refused = heap_refused();
    heap_fail_at(n, forever);
    (void)sched_run(script, &world);
    heap_fail_at(0, false);
    refused = heap_refused() - refused;
    world.last = true;
    (void)sched_run(life, &world);
    model_release(&world.model);
    return refused > 0;
}

void
world_run(uint64_t seed)
{
    struct world world = {.rng = rng_stream(seed, 0)};
    draw(&world);
    sched_init(seed, BEGIN_NANO);
    disk_init(seed, world.is.disk_capacity);
    world.operations_left = world.is.operations;
    model_init(&world.model, (uint32_t)rng_between(&world.rng, 1, 3),
               world.is.fsync == TK_FSYNC_ASYNC);
    for (int lives = 0; !world.last; lives++) {
        world.last = world.operations_left == 0 || lives > 30;
        before_life(&world);
        if (!sched_run(life, &world))
            die(&world);
        disk_crash_at(0);
    }
    calm();
    model_release(&world.model);
    heap_free_all();
}
