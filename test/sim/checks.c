/* checks - what the store shows against what the model says (world.h). */
#include "fail.h"
#include "features.h"
#include "heap.h"
#include "sched.h"
#include "world.h"

#include <inttypes.h>
#include <string.h>

bool
world_excuses(const struct world *world, enum tk_err code)
{
    struct disk_counts now = disk_counts();
    const struct disk_counts *then = &world->at_open;
    bool failed = now.failed > then->failed || now.failed_syncs > then->failed_syncs;
    switch (code) {
    case TK_ERR_MEMORY:
        return heap_refused() + sched_create_failures() > world->refused_at_open;
    case TK_ERR_FULL:
        return world->is.disk_capacity > 0 || world->is.limits.disk_bytes > 0 ||
               now.full > then->full;
    case TK_ERR_IO:
    case TK_ERR_EXISTS: /* what could not be removed is in the way */
        return failed || now.full > then->full;
    case TK_ERR_CORRUPT:
        return world->damaged || now.failed_reads > then->failed_reads;
    case TK_ERR_END:
    case TK_ERR_UNSUPPORTED:
        return world->damaged;
    case TK_ERR_BUSY:
        return true;
    default:
        return false;
    }
}

static bool
world_reads_failed(const struct world *world)
{
    return disk_counts().failed_reads > world->at_open.failed_reads;
}

bool
world_may_miss(const struct world *world)
{
    return world->damaged || world->is.limits.disk_bytes != 0 || world_reads_failed(world);
}

/* Reads that failed since the picture was made leave holes that it does not know. */
static bool
may_judge(const struct world *world, const struct picture *picture)
{
    return !world_may_miss(world) || picture->all_optional;
}

struct ages
world_ages(const struct world *world)
{
    uint64_t now = sched_now(), retention_nano = world->is.limits.retention_nano;
    const struct tk_store_thinning *thinning = &world->is.thinning;
    return (struct ages){
        .expired_nano = retention_nano != 0 ? now - retention_nano : 0,
        .thinned_nano = thinning->step_count > 0 ? now - thinning->steps[0].age_nano : 0,
        .thin_threshold = thinning->steps[0].threshold,
    };
}

static void
must_excuse(const struct world *world, enum tk_err code, const struct tk_error *err,
            const char *what)
{
    SIM_CHECK(code != TK_ERR_BUSY && world_excuses(world, code), "%s: %s (%s)", what,
              tk_err_text(code), err->message);
}

static void
trace_text(struct tk_trace_id id, char text[TK_TRACE_ID_HEX + 1])
{
    tk_trace_id_format(id, text);
}

static const struct expected_span *
find_span(const struct picture *picture, const struct expected_trace *trace, uint64_t id)
{
    uint32_t low = trace->first, high = trace->first + trace->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (picture->spans[middle].id == id)
            return &picture->spans[middle];
        if (picture->spans[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool
is_allowed(const struct picture *picture, const struct expected_span *span, const struct copy *copy)
{
    for (uint32_t i = span->first; i < span->first + span->count; i++) {
        const struct copy *one = picture->allowed[i];
        if (one->start_nano == copy->start_nano && one->end_nano == copy->end_nano &&
            (copy->fullness == UINT64_MAX || one->fullness == copy->fullness) &&
            (copy->hash == 0 || one->hash == copy->hash))
            return true;
    }
    return false;
}

/* For whoever reads the story of a failure: what was ever sent of a trace. */
static void
say_copies(const struct world *world, uint32_t id, struct tk_trace_id trace)
{
    static const char *const states[] = {"asked", "seen", "acked", "failed", "gone"};
    const struct model_project *project = &world->model.projects[id - 1];
    for (uint32_t k = 0; k < project->count; k++)
        for (uint32_t i = 0; i < project->requests[k]->count; i++) {
            const struct request *request = project->requests[k];
            const struct copy *copy = &request->copies[i];
            if (tk_trace_id_eq(copy->trace, trace))
                sim_say("    request %u (%s%s): span %016" PRIx64 " from %" PRIu64 " to %" PRIu64
                        ", %" PRIu64 " full",
                        request->number, states[request->state],
                        k < project->dropped ? ", dropped" : "", copy->span, copy->start_nano,
                        copy->end_nano, copy->fullness);
        }
}

/* How much of a span is compared: what a lean one has; its numbers; all of it. */
enum depth { LEAN, USUAL, DEEP };

/* The spans of one trace, each once, each the fullest. */
static void
check_rows(const struct world *world, const struct picture *picture,
           const struct expected_trace *trace, const struct tk_batch *batch, enum depth depth)
{
    char text[TK_TRACE_ID_HEX + 1];
    unsigned char *seen = sim_alloc(trace->count);
    trace_text(trace->id, text);
    for (uint32_t row = 0; row < batch->span_count; row++) {
        struct copy copy = copy_of_row(batch, row, depth == DEEP);
        if (depth == LEAN)
            copy.fullness = UINT64_MAX;
        SIM_CHECK(tk_trace_id_eq(copy.trace, trace->id), "p%u: trace %s has a span of another",
                  picture->project, text);
        const struct expected_span *span = find_span(picture, trace, copy.span);
        SIM_CHECK(span != NULL, "p%u: trace %s: span %016" PRIx64 " should not be there",
                  picture->project, text, copy.span);
        SIM_CHECK(!seen[span - picture->spans - trace->first]++,
                  "p%u: trace %s: span %016" PRIx64 " twice", picture->project, text, copy.span);
        if (!is_allowed(picture, span, &copy))
            say_copies(world, picture->project, trace->id);
        SIM_CHECK(is_allowed(picture, span, &copy),
                  "p%u: trace %s: span %016" PRIx64 " is not the copy that was asked for",
                  picture->project, text, copy.span);
    }
    for (uint32_t i = 0; i < trace->count; i++)
        SIM_CHECK(seen[i] || !picture->spans[trace->first + i].must,
                  "p%u: trace %s: span %016" PRIx64 " is missing", picture->project, text,
                  picture->spans[trace->first + i].id);
    sim_free(seen);
}

struct looking {
    struct world *world;
    struct tk_store_view *view;
    struct tk_batch *batch;
    bool excused;
};

static bool
is_there(void *arg, const struct request *request)
{
    struct looking *looking = arg;
    struct tk_error err = {0};
    if (looking->excused)
        return false;
    heap_pause();
    tk_batch_clear(looking->batch);
    enum tk_err code =
        tk_store_find(looking->view, request->copies[0].trace, NULL, looking->batch, &err);
    heap_resume();
    if (code != TK_OK && code != TK_ERR_NOT_FOUND) {
        must_excuse(looking->world, code, &err, "find");
        looking->excused = true;
    }
    for (uint32_t row = 0; row < looking->batch->span_count; row++)
        if (looking->batch->span_id[row] == request->copies[0].span)
            return true;
    return false;
}

static struct held
look(struct world *world, const struct model_project *project, bool may_miss)
{
    struct held held = {0};
    struct tk_error err = {0};
    struct looking looking = {.world = world};
    /* What is acknowledged from here on may be in the view or not. */
    enum request_state *states = picture_states(project);
    enum tk_err code = tk_store_view_open(world->store, project->id, &looking.view, &err);
    if (code != TK_OK) {
        must_excuse(world, code, &err, "view");
        sim_free(states);
        return held;
    }
    heap_pause();
    looking.batch = tk_batch_new();
    heap_resume();
    struct picture_options options = {.may_miss = may_miss || world_reads_failed(world),
                                      .ages = world_ages(world),
                                      .states = states,
                                      .is_there = is_there,
                                      .arg = &looking};
    struct picture *must = picture_new(project, &options);
    sim_free(states);
    tk_batch_free(looking.batch);
    if (looking.excused) {
        picture_free(must);
        tk_store_view_close(looking.view);
        return held;
    }
    return (struct held){looking.view, must};
}

struct held
world_look(struct world *world, struct model_project *project)
{
    return look(world, project, world_may_miss(world));
}

void
world_look_away(struct held *held)
{
    tk_store_view_close(held->view);
    picture_free(held->picture);
    *held = (struct held){0};
}

void
check_find(struct world *world, const struct held *held, struct tk_trace_id id)
{
    struct tk_error err = {0};
    char text[TK_TRACE_ID_HEX + 1];
    const struct picture *picture = held->picture;
    const struct expected_trace *trace = picture_find(picture, id);
    struct tk_batch *batch = tk_batch_new();
    if (batch == NULL)
        return;
    bool lean = rng_one_in(&world->rng, 4);
    struct tk_store_want want = {.lean = lean};
    enum tk_err code = tk_store_find(held->view, id, lean ? &want : NULL, batch, &err);
    trace_text(id, text);
    if (code == TK_ERR_NOT_FOUND) {
        SIM_CHECK(trace == NULL || !trace->must || world_may_miss(world),
                  "p%u: trace %s is not found", picture->project, text);
    } else if (code != TK_OK) {
        must_excuse(world, code, &err, "find");
    } else {
        SIM_CHECK(trace != NULL, "p%u: trace %s is found, but should not be there",
                  picture->project, text);
        if (may_judge(world, picture))
            check_rows(world, picture, trace, batch, lean ? LEAN : DEEP);
    }
    tk_batch_free(batch);
}

static bool
is_in_range(const struct tk_store_range *range, struct tk_trace_id id, uint64_t start_nano)
{
    if (start_nano < range->begin_nano || (range->end_nano != 0 && start_nano >= range->end_nano))
        return false;
    if (!range->after || start_nano < range->after_start_nano)
        return true;
    return start_nano == range->after_start_nano && tk_trace_id_cmp(id, range->after_id) > 0;
}

static bool
must_be_in(const struct tk_store_range *range, const struct expected_trace *trace)
{
    return trace->must && is_in_range(range, trace->id, trace->start_nano) &&
           is_in_range(range, trace->id, trace->start_max);
}

struct scanning {
    struct world *world;
    const struct picture *picture;
    struct tk_store_range asked, *rest;
    unsigned char *seen; /* [picture->trace_count] */
    uint32_t at;         /* of picture->traces, when nothing is optional */
    uint64_t features;   /* that are asked for */
};

/* Is there a span for which the filter holds, whichever copy of it is shown? */
static bool
has_feature(const struct picture *picture, const struct expected_trace *trace, uint64_t feature)
{
    for (uint32_t i = trace->first; i < trace->first + trace->count; i++) {
        const struct expected_span *span = &picture->spans[i];
        bool has = span->must;
        for (uint32_t k = span->first; k < span->first + span->count; k++)
            has = has && (picture->allowed[k]->features & feature) != 0;
        if (has)
            return true;
    }
    return false;
}

/* Must a scan yield it? */
static bool
is_wanted(const struct scanning *scanning, const struct tk_store_range *range,
          const struct expected_trace *trace)
{
    if (!must_be_in(range, trace))
        return false;
    for (unsigned i = 0; i < FEATURE_COUNT; i++)
        if ((scanning->features >> i & 1) != 0 &&
            !has_feature(scanning->picture, trace, (uint64_t)1 << i))
            return false;
    return true;
}

/* The trace that must come next. */
static const struct expected_trace *
next_expected(struct scanning *scanning, const struct tk_store_trace *trace)
{
    char text[TK_TRACE_ID_HEX + 1], wanted[TK_TRACE_ID_HEX + 1];
    const struct picture *picture = scanning->picture;
    trace_text(trace->id, text);
    while (scanning->at < picture->trace_count &&
           !is_wanted(scanning, scanning->rest, &picture->traces[scanning->at]) &&
           !tk_trace_id_eq(trace->id, picture->traces[scanning->at].id))
        scanning->at++; /* a filter may be generous */
    if (scanning->at == picture->trace_count)
        say_copies(scanning->world, picture->project, trace->id);
    SIM_CHECK(scanning->at < picture->trace_count, "p%u: trace %s behind the last",
              picture->project, text);
    const struct expected_trace *expected = &picture->traces[scanning->at++];
    trace_text(expected->id, wanted);
    SIM_CHECK(tk_trace_id_eq(trace->id, expected->id),
              "p%u: a scan yields trace %s (start %" PRIu64 ") in place of %s (start %" PRIu64 ")",
              picture->project, text, trace->start_nano, wanted, expected->start_nano);
    return expected;
}

/* One trace that a scan yielded. */
static void
check_yielded(struct scanning *scanning, const struct tk_store_trace *trace)
{
    char text[TK_TRACE_ID_HEX + 1];
    struct world *world = scanning->world;
    const struct picture *picture = scanning->picture;
    trace_text(trace->id, text);
    SIM_CHECK(is_in_range(scanning->rest, trace->id, trace->start_nano),
              "p%u: trace %s is out of the range or the order", picture->project, text);
    const struct expected_trace *expected =
        picture->loose ? picture_find(picture, trace->id) : next_expected(scanning, trace);
    SIM_CHECK(expected != NULL, "p%u: trace %s should not be there", picture->project, text);
    bool fits = trace->start_nano >= expected->start_nano &&
                trace->start_nano <= expected->start_max && trace->end_nano >= expected->end_min &&
                trace->end_nano <= expected->end_nano;
    if (!fits)
        say_copies(world, picture->project, trace->id);
    SIM_CHECK(fits,
              "p%u: trace %s from %" PRIu64 " to %" PRIu64 " in place of %" PRIu64 " to %" PRIu64,
              picture->project, text, trace->start_nano, trace->end_nano, expected->start_nano,
              expected->end_nano);
    SIM_CHECK(!scanning->seen[expected - picture->traces]++, "p%u: a scan yields trace %s twice",
              picture->project, text);
    check_rows(world, picture, expected, trace->spans,
               scanning->asked.want.lean    ? LEAN
               : rng_one_in(&world->rng, 8) ? DEEP
                                            : USUAL);
}

static void
check_end(const struct scanning *scanning)
{
    char text[TK_TRACE_ID_HEX + 1];
    const struct picture *picture = scanning->picture;
    for (uint32_t i = 0; i < picture->trace_count; i++) {
        const struct expected_trace *trace = &picture->traces[i];
        trace_text(trace->id, text);
        if (!scanning->seen[i] && is_wanted(scanning, &scanning->asked, trace))
            say_copies(scanning->world, picture->project, trace->id);
        SIM_CHECK(scanning->seen[i] || !is_wanted(scanning, &scanning->asked, trace),
                  "p%u: a scan ends without trace %s, %u of %u", picture->project, text, i,
                  picture->trace_count);
    }
}

bool
check_scan(struct world *world, const struct held *held, struct tk_store_range *range,
           uint64_t features, uint32_t limit)
{
    const struct tk_filter *filters[FEATURE_COUNT];
    struct tk_store_scan *scan;
    struct tk_store_trace trace;
    struct tk_error err = {0};
    struct scanning scanning = {world, held->picture, *range, range, NULL, 0, features};
    range->filters = filters;
    range->filter_count = 0;
    for (unsigned i = 0; i < FEATURE_COUNT; i++)
        if ((features >> i & 1) != 0)
            filters[range->filter_count++] = feature_filter(i);
    enum tk_err code = tk_store_scan_open(held->view, range, &scan, &err);
    if (code != TK_OK) {
        must_excuse(world, code, &err, "scan");
        return false;
    }
    scanning.seen = sim_alloc(held->picture->trace_count);
    for (uint32_t i = 0; i < limit; i++) {
        code = tk_store_scan_next(scan, &trace, &err);
        if (code != TK_OK || !may_judge(world, held->picture))
            break;
        check_yielded(&scanning, &trace);
        range->after = true;
        range->after_start_nano = trace.start_nano;
        range->after_id = trace.id;
    }
    tk_store_scan_close(scan);
    if (code != TK_OK && code != TK_ERR_END)
        must_excuse(world, code, &err, "scan");
    if (code == TK_ERR_END && !world_may_miss(world))
        check_end(&scanning);
    sim_free(scanning.seen);
    return code == TK_OK;
}

static enum tk_err
add_operation(void *arg, tk_str service, tk_str name, int32_t kind,
              const struct tk_store_count *count)
{
    (void)service;
    (void)name;
    (void)kind;
    *(uint64_t *)arg += count->span_count;
    return TK_OK;
}

static enum tk_err
add_value(void *arg, struct tk_value value, const struct tk_store_count *count)
{
    (void)value;
    *(uint64_t *)arg += count->span_count;
    return TK_OK;
}

static void
check_count(const struct picture *picture, uint64_t count, const char *by)
{
    /* Where an older segment could not be read when a newer one was made, both count a span. */
    bool may_exceed = disk_counts().failed_reads > 0;
    SIM_CHECK(count >= picture->span_count && (may_exceed || count <= picture->told_count),
              "p%u: %" PRIu64 " spans are counted by %s, there are %u (%u)", picture->project,
              count, by, picture->span_count, picture->told_count);
}

void
check_counts(struct world *world, const struct held *held)
{
    struct tk_error err = {0};
    struct tk_store_range range = {0};
    uint64_t of_operations = 0, of_services = 0;
    enum tk_err code = tk_store_operations(held->view, &range, add_operation, &of_operations, &err);
    range.details = rng_one_in(&world->rng, 2) ? TK_COUNT_DURATIONS : 0;
    if (code == TK_OK)
        code = tk_store_values(held->view, TK_OWNER_RESOURCE, TK_STR("service.name"), TK_STR(""),
                               &range, add_value, &of_services, &err);
    if (code != TK_OK)
        must_excuse(world, code, &err, "counts");
    if (code != TK_OK || held->picture->loose || world_may_miss(world))
        return;
    check_count(held->picture, of_operations, "operation");
    check_count(held->picture, of_services, "service");
}

void
check_all(struct world *world)
{
    for (uint32_t p = 0; p < world->model.project_count; p++) {
        struct tk_store_range range = {0};
        struct held held = world_look(world, &world->model.projects[p]);
        if (held.view == NULL)
            continue;
        (void)check_scan(world, &held, &range, 0, UINT32_MAX);
        for (uint32_t i = 0; i < 3 && held.picture->trace_count > 0; i++) {
            uint64_t at = rng_below(&world->rng, held.picture->trace_count);
            check_find(world, &held, held.picture->traces[at].id);
        }
        world_look_away(&held);
    }
}

/* The drop that was asked when the process died took place as a whole, or not at all: any request
   that was there for certain tells, if its body was sent but once. */
static void
settle_drop(struct looking *looking, struct model_project *project)
{
    struct ages ages = world_ages(looking->world);
    if (!project->drop_asked || project->lenient)
        return;
    project->drop_asked = false;
    for (uint32_t k = project->dropped; k < project->drop_asks; k++) {
        const struct request *request = project->requests[k];
        project->lenient =
            project->lenient || request->state == REQUEST_ACKED; /* until one tells */
        if (request->state != REQUEST_ACKED || model_has_twin(project, request) ||
            model_may_be_gone(&ages, request, &request->copies[0]))
            continue;
        bool there = is_there(looking, request);
        if (looking->excused || (!there && world_may_miss(looking->world)))
            return;
        project->lenient = false;
        if (!there)
            project->dropped = project->drop_asks;
        return;
    }
}

static void
settle(struct looking *looking, struct model_project *project)
{
    struct ages ages = world_ages(looking->world);
    settle_drop(looking, project);
    for (uint32_t k = project->dropped; k < project->count; k++) {
        struct request *request = project->requests[k];
        if (request->state != REQUEST_ASKED && request->state != REQUEST_FAILED)
            continue;
        bool there = is_there(looking, request);
        bool old = model_may_be_gone(&ages, request, &request->copies[0]);
        if (!looking->excused && (there || (!old && !world_may_miss(looking->world))))
            request->state = there ? REQUEST_SEEN : REQUEST_GONE;
        request->doubtful = there && model_has_twin(project, request);
    }
}

void
check_survivors(struct world *world)
{
    if (world_may_miss(world))
        return;
    for (uint32_t p = 0; p < world->model.project_count; p++) {
        struct model_project *project = &world->model.projects[p];
        struct looking looking = {.world = world};
        struct tk_error err = {0};
        enum tk_err code = tk_store_view_open(world->store, project->id, &looking.view, &err);
        if (code != TK_OK) {
            must_excuse(world, code, &err, "view");
            continue;
        }
        heap_pause();
        looking.batch = tk_batch_new();
        heap_resume();
        settle(&looking, project);
        tk_batch_free(looking.batch);
        tk_store_view_close(looking.view);
    }
}

static void
say_damage(void *arg, const char *line)
{
    (void)arg;
    sim_say("    check: %s", line);
}

/* Are fewer spans of the project shown than must be there? */
static bool
misses_some(struct world *world, const struct model_project *project)
{
    struct held held = look(world, project, false);
    struct tk_store_scan *scan;
    struct tk_store_trace trace;
    struct tk_store_range range = {0};
    struct tk_error err = {0};
    uint64_t count = 0;
    if (held.view == NULL)
        return true;
    enum tk_err code = tk_store_scan_open(held.view, &range, &scan, &err);
    while (code == TK_OK) {
        code = tk_store_scan_next(scan, &trace, &err);
        count += code == TK_OK ? trace.spans->span_count : 0;
        if (code != TK_OK)
            tk_store_scan_close(scan);
    }
    bool misses = !held.picture->loose && count < held.picture->span_count;
    world_look_away(&held);
    return misses;
}

void
check_damage_is_reported(struct world *world)
{
    struct tk_embedded_check check = {0};
    struct tk_store_stats stats;
    struct tk_error err = {0};
    bool misses = false;
    for (uint32_t p = 0; p < world->model.project_count; p++)
        misses = misses_some(world, &world->model.projects[p]) || misses;
    if (!misses)
        return;
    tk_store_get_stats(world->store, &stats);
    enum tk_err code = tk_embedded_check(disk_env(), "data", say_damage, NULL, &check, &err);
    SIM_CHECK(code != TK_OK || check.damaged_blocks + check.damaged_files > 0,
              "spans are missing, and check finds nothing");
    SIM_CHECK(stats.damaged_blocks > 0, "spans are missing, and no damage is counted");
}

void
check_directory(struct world *world)
{
    struct tk_embedded_check check = {0};
    struct tk_error err = {0};
    enum tk_err code = tk_embedded_check(disk_env(), "data", say_damage, NULL, &check, &err);
    if (code != TK_OK) {
        must_excuse(world, code, &err, "check");
        return;
    }
    SIM_CHECK(world_may_miss(world) || check.damaged_blocks + check.damaged_files == 0,
              "check finds %" PRIu64 " damaged blocks and %" PRIu64 " damaged files",
              check.damaged_blocks, check.damaged_files);
}
