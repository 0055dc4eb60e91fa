/*
 * findings - see findings.h.
 *
 * A project is asked trace by trace, each like a trace that somebody opened: the same rules, the
 * same looks around, one book.  Its sample takes the newest traces of each of a few parts of the
 * time, so that an hour is not judged by its last second alone.
 */
#include "query/findings/around.h"
#include "query/findings/rules.h"

#include <stdlib.h>

static const uint64_t SECOND_NANO = 1000000000;

enum {
    ARENA_CHUNK = 64 << 10,
    PARTS = 10,        /* of the time that a sample is taken from */
    PROJECT_LOOKS = 64 /* for servers beside a trace, in one project */
};

/* ---- one trace ---- */

/*
 * All of it where that fits; else what a lean read leaves of it; else as many of its spans as fit:
 * then TK_ERR_LIMIT, which is not told.
 */
static enum tk_err
read_trace(const struct tk_findings_ask *ask, struct tk_trace_id id, struct tk_batch *trace,
           bool *ret_whole, struct tk_error *err)
{
    const struct tk_store_want lean = {
        .lean = true, .keys = tk_exam_keys, .key_count = tk_exam_key_count};
    trace->memory_max = ask->memory / 4;
    enum tk_err result = tk_store_find(ask->view, id, NULL, trace, err);
    if (result == TK_ERR_LIMIT) {
        tk_batch_clear(trace);
        trace->memory_max = ask->memory / 2;
        result = tk_store_find(ask->view, id, &lean, trace, err);
    }
    *ret_whole = result == TK_OK;
    return result == TK_ERR_LIMIT && trace->span_count > 0 ? TK_OK : result;
}

/* The latest end lies well behind, or so far ahead that the clock it came from is wrong. */
static bool
is_settled(const struct tk_findings_ask *ask, uint64_t end_nano)
{
    uint64_t now = ask->env->wall_nano(ask->env);
    uint64_t apart = now > end_nano ? now - end_nano : end_nano - now;
    return apart > TK_FINDINGS_SETTLED_SECONDS * SECOND_NANO;
}

static enum tk_err
examine(struct tk_around *around, struct tk_book *book, const struct tk_batch *trace, bool whole,
        bool *ret_settled, struct tk_error *err)
{
    struct tk_arena arena;
    struct tk_exam exam;
    tk_arena_init(&arena, ARENA_CHUNK, around->ask->memory);
    enum tk_err result = tk_exam_begin(&exam, trace, &arena);
    if (result == TK_OK) {
        exam.book = book;
        exam.whole = whole;
        exam.settled = *ret_settled = is_settled(around->ask, exam.tree.end_nano);
        if ((result = tk_around_elsewhere(around, &exam, err)) == TK_OK &&
            (result = tk_around_look(around, &exam, err)) == TK_OK)
            tk_exam_run(&exam);
        tk_around_forget(&exam);
    }
    tk_arena_release(&arena);
    return book->out_of_memory ? TK_ERR_MEMORY : result;
}

/* By severity, then as found. */
static void
list_findings(const struct tk_book *book, struct tk_findings *findings)
{
    struct tk_finding **end = &findings->first;
    for (unsigned severity = TK_SEVERITY_ERROR; severity <= TK_SEVERITY_HINT; severity++) {
        for (uint32_t i = 0; i < book->keys.count; i++) {
            if (book->finding[i] == NULL || book->finding[i]->severity != severity)
                continue;
            *end = book->finding[i];
            end = &book->finding[i]->next;
        }
    }
    findings->count = book->keys.count;
    if (book->full && findings->cut == TK_FINDINGS_WHOLE)
        findings->cut = TK_FINDINGS_CUT_COUNT;
}

static enum tk_err
find_and_examine(struct tk_around *around, struct tk_book *book, struct tk_trace_id id,
                 struct tk_findings *findings, struct tk_error *err)
{
    struct tk_batch *trace = tk_batch_new();
    bool whole = true;
    if (trace == NULL)
        return TK_ERR_MEMORY;
    enum tk_err result = read_trace(around->ask, id, trace, &whole, err);
    if (result == TK_OK)
        result = examine(around, book, trace, whole, &findings->settled, err);
    if (result == TK_OK) {
        findings->trace_count++;
        findings->span_count += trace->span_count;
        if (!whole)
            findings->cut = TK_FINDINGS_CUT_MEMORY;
    }
    tk_batch_free(trace);
    return result;
}

/* What ran out, for people. */
static enum tk_err
explain(enum tk_err code, struct tk_error *err)
{
    if (code == TK_ERR_TIMEOUT)
        return tk_error_set(err, code, "looking around this trace took too long");
    if (code == TK_ERR_LIMIT || code == TK_ERR_MEMORY)
        return tk_error_set(err, TK_ERR_LIMIT, "the trace is too long for the memory of one query");
    return code;
}

static enum tk_err
new_book(const struct tk_findings_ask *ask, struct tk_book **ret_book)
{
    struct tk_book *book = tk_arena_alloc(ask->arena, sizeof *book);
    if (book == NULL)
        return TK_ERR_MEMORY;
    tk_book_init(book, ask->arena);
    *ret_book = book;
    return TK_OK;
}

enum tk_err
tk_findings_of_trace(const struct tk_findings_ask *ask, struct tk_trace_id id,
                     struct tk_findings *ret_findings, struct tk_error *err)
{
    struct tk_around around = {.ask = ask, .looks_left = 1, .deadline_nano = ask->deadline_nano};
    struct tk_findings findings = {.first = NULL};
    struct tk_book *book;
    enum tk_err result = new_book(ask, &book);
    if (result != TK_OK)
        return result;
    result = find_and_examine(&around, book, id, &findings, err);
    list_findings(book, &findings);
    tk_book_release(book);
    if (result == TK_OK)
        *ret_findings = findings;
    return explain(result, err);
}

/* ---- a project ---- */

struct sample {
    struct tk_trace_id *id;
    uint32_t count;
    bool more; /* than it took */
};

static bool
is_expired(void *arg)
{
    const struct tk_around *around = arg;
    return around->ask->env->mono_nano(around->ask->env) > around->deadline_nano;
}

static bool
is_taken(const struct sample *sample, struct tk_trace_id id)
{
    for (uint32_t i = 0; i < sample->count; i++)
        if (tk_trace_id_eq(sample->id[i], id))
            return true;
    return false;
}

/* The newest traces of one part. */
static enum tk_err
sample_part(struct tk_around *around, uint64_t begin_nano, uint64_t end_nano, uint32_t count_max,
            struct sample *sample, struct tk_error *err)
{
    struct tk_store_range range = {.begin_nano = begin_nano,
                                   .end_nano = end_nano,
                                   .want = {.lean = true},
                                   .expired = is_expired,
                                   .expired_arg = around};
    struct tk_store_scan *scan;
    struct tk_store_trace found;
    enum tk_err result = tk_store_scan_open(around->ask->view, &range, &scan, err);
    if (result != TK_OK)
        return result;
    for (uint32_t taken = 0; result == TK_OK;) {
        result = tk_store_scan_next(scan, &found, err);
        if (result != TK_OK || is_taken(sample, found.id))
            continue;
        sample->more = taken == count_max;
        if (sample->more)
            break;
        sample->id[sample->count++] = found.id;
        taken++;
    }
    tk_store_scan_close(scan);
    return result == TK_ERR_END ? TK_OK : result;
}

/* Each part its share; then the newest of what is left. */
static enum tk_err
take_sample(struct tk_around *around, uint64_t begin_nano, uint64_t end_nano, uint32_t limit,
            struct sample *sample, struct tk_error *err)
{
    uint64_t part = (end_nano - begin_nano) / PARTS;
    enum tk_err result = TK_OK;
    for (uint32_t i = PARTS; i-- > 0 && part > 0 && result == TK_OK;)
        result = sample_part(around, begin_nano + i * part, begin_nano + (i + 1) * part,
                             limit / PARTS, sample, err);
    if (result == TK_OK)
        result = sample_part(around, begin_nano, end_nano, limit - sample->count, sample, err);
    return result;
}

static enum tk_err
examine_sample(struct tk_around *around, const struct sample *sample, struct tk_book *book,
               struct tk_findings *findings, struct tk_error *err)
{
    enum tk_err result = TK_OK;
    for (uint32_t i = 0; i < sample->count && result == TK_OK; i++) {
        if (is_expired(around))
            return TK_ERR_TIMEOUT;
        result = find_and_examine(around, book, sample->id[i], findings, err);
        if (result == TK_ERR_NOT_FOUND) /* damaged, and reported */
            result = TK_OK;
    }
    return result;
}

enum tk_err
tk_findings_of_project(const struct tk_findings_ask *ask, uint64_t begin_nano, uint64_t end_nano,
                       uint32_t limit, struct tk_findings *ret_findings, struct tk_error *err)
{
    struct tk_around around = {.ask = ask, .looks_left = PROJECT_LOOKS};
    struct tk_findings findings = {.settled = true};
    struct sample sample = {.id = tk_arena_alloc(ask->arena, limit * sizeof *sample.id)};
    struct tk_book *book;
    enum tk_err result = new_book(ask, &book);
    if (result != TK_OK || sample.id == NULL)
        return TK_ERR_MEMORY;
    around.deadline_nano = ask->env->mono_nano(ask->env) + TK_FINDINGS_SECONDS * SECOND_NANO;
    if (ask->deadline_nano != 0 && ask->deadline_nano < around.deadline_nano)
        around.deadline_nano = ask->deadline_nano;
    result = take_sample(&around, begin_nano, end_nano, limit, &sample, err);
    if (result == TK_OK)
        result = examine_sample(&around, &sample, book, &findings, err);
    if (sample.more)
        findings.cut = TK_FINDINGS_CUT_TRACES;
    if (result == TK_ERR_TIMEOUT) { /* what was seen until now is true */
        findings.cut = TK_FINDINGS_CUT_TIME;
        result = TK_OK;
    }
    list_findings(book, &findings);
    tk_book_release(book);
    if (result == TK_OK)
        *ret_findings = findings;
    return explain(result, err);
}
