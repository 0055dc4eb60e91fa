/*
 * search - see search.h.
 *
 * A scan of the store yields whole traces in the order of the answer, those alone that the query's
 * plan lets through.  So a search is a filter that stops one match after the limit: that one is
 * only counted, it tells that a next page exists.  A query for one trace id needs no scan.
 *
 * Where a summary is all that is wanted, spans come lean: with what it shows and deciding needs.
 */
#include "query/search.h"

#include "query/assemble.h"
#include "query/plan.h"

#include <stdio.h>

void
tk_cursor_format(const struct tk_cursor *cursor, char text[TK_CURSOR_TEXT + 1])
{
    (void)snprintf(text, TK_CURSOR_TEXT + 1, "%016llx%016llx%016llx",
                   (unsigned long long)cursor->start_nano, (unsigned long long)cursor->id.high,
                   (unsigned long long)cursor->id.low);
}

bool
tk_cursor_parse(tk_str text, struct tk_cursor *ret_cursor)
{
    struct tk_cursor cursor;
    tk_span_id start; /* 16 hex digits, not zero: just what a start time is */
    if (text.len != TK_CURSOR_TEXT || !tk_span_id_parse((tk_str){text.ptr, 16}, &start) ||
        !tk_trace_id_parse((tk_str){text.ptr + 16, TK_TRACE_ID_HEX}, &cursor.id))
        return false;
    cursor.start_nano = start;
    *ret_cursor = cursor;
    return true;
}

static enum tk_err
explain(const struct tk_search *search, enum tk_err code, struct tk_error *err)
{
    enum tk_query_budget hit = tk_query_hit(search->query);
    if (code == TK_ERR_TIMEOUT)
        return tk_error_set(err, code, "the search took too long; ask for a shorter span of time");
    if (code == TK_ERR_LIMIT && hit == TK_BUDGET_REGEX)
        return tk_error_set(err, code, "a regular expression of the query takes too many steps");
    if (code == TK_ERR_LIMIT && hit == TK_BUDGET_MEMORY)
        return tk_error_set(err, code,
                            "a trace is too long for the memory of one query; ask for fewer of "
                            "its spans first: { ... } | by( )");
    return code;
}

static bool
is_expired(void *arg)
{
    const struct tk_search *search = arg;
    return search->deadline_nano != 0 &&
           search->env->mono_nano(search->env) > search->deadline_nano;
}

/* Is the trace behind the cursor and within the times? */
static bool
is_in_range(const struct tk_search *search, const struct tk_store_trace *trace)
{
    const struct tk_cursor *after = search->after;
    if (trace->start_nano < search->begin_nano ||
        (search->end_nano != 0 && trace->start_nano >= search->end_nano))
        return false;
    return after == NULL || trace->start_nano < after->start_nano ||
           (trace->start_nano == after->start_nano && tk_trace_id_cmp(trace->id, after->id) > 0);
}

static enum tk_err
find_one(struct tk_store_view *view, const struct tk_search *search, const struct tk_plan *plan,
         struct tk_cursor *ret_last, struct tk_error *err)
{
    struct tk_store_trace trace = {.id = plan->trace_id};
    struct tk_batch *spans = tk_batch_new();
    bool matches = false;
    if (spans == NULL)
        return TK_ERR_MEMORY;
    enum tk_err result =
        tk_store_find(view, trace.id, search->lean ? &plan->want : NULL, spans, err);
    if (result == TK_OK)
        result = explain(search, tk_query_matches(search->query, spans, &matches), err);
    if (result == TK_OK && matches) {
        trace.spans = spans;
        tk_trace_times(spans, &trace.start_nano, &trace.end_nano);
        if (is_in_range(search, &trace)) {
            *ret_last = (struct tk_cursor){trace.start_nano, trace.id};
            result = search->each(search->arg, &trace);
        }
    }
    tk_batch_free(spans);
    return result == TK_ERR_NOT_FOUND ? TK_OK : result;
}

static enum tk_err
filter(struct tk_store_scan *scan, const struct tk_search *search, struct tk_cursor *ret_last,
       bool *ret_more, struct tk_error *err)
{
    struct tk_store_trace trace;
    uint32_t found = 0;
    enum tk_err result;
    for (;;) {
        bool matches = false;
        if (is_expired((void *)(uintptr_t)search))
            return explain(search, TK_ERR_TIMEOUT, err);
        if ((result = tk_store_scan_next(scan, &trace, err)) != TK_OK)
            return result == TK_ERR_END ? TK_OK : explain(search, result, err);
        if ((result = tk_query_matches(search->query, trace.spans, &matches)) != TK_OK)
            return explain(search, result, err);
        if (!matches)
            continue;
        if (search->limit != 0 && found == search->limit) {
            *ret_more = true;
            return TK_OK;
        }
        found++;
        *ret_last = (struct tk_cursor){trace.start_nano, trace.id};
        if ((result = search->each(search->arg, &trace)) != TK_OK)
            return result;
    }
}

static enum tk_err
run(struct tk_store_view *view, const struct tk_search *search, const struct tk_plan *plan,
    struct tk_cursor *ret_last, bool *ret_more, struct tk_error *err)
{
    struct tk_store_scan *scan;
    struct tk_store_range range = {
        .begin_nano = search->begin_nano,
        .end_nano = search->end_nano,
        .ended_nano = search->ended_nano,
        .filters = plan->filters,
        .filter_count = plan->filter_count,
        .expired = is_expired,
        .expired_arg = (void *)(uintptr_t)search,
    };
    if (search->lean)
        range.want = plan->want;
    if (search->after != NULL) {
        range.after = true;
        range.after_start_nano = search->after->start_nano;
        range.after_id = search->after->id;
    }
    enum tk_err result = tk_store_scan_open(view, &range, &scan, err);
    if (result != TK_OK)
        return explain(search, result, err);
    result = filter(scan, search, ret_last, ret_more, err);
    tk_store_scan_close(scan);
    return result;
}

enum tk_err
tk_search_run(struct tk_store_view *view, const struct tk_search *search,
              struct tk_cursor *ret_last, bool *ret_more, struct tk_error *err)
{
    struct tk_plan plan;
    size_t memory = search->memory != 0 ? search->memory : (size_t)TK_QUERY_MEMORY_MAX;
    enum tk_err result = tk_plan_make(search->query, &plan);
    *ret_more = false;
    if (result != TK_OK)
        return result;
    tk_query_set_budget(search->query, memory, is_expired, (void *)(uintptr_t)search);
    result = plan.one_trace ? find_one(view, search, &plan, ret_last, err)
                            : run(view, search, &plan, ret_last, ret_more, err);
    tk_query_set_budget(search->query, memory, NULL, NULL);
    return result;
}
