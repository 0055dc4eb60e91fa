/*
 * rules_spans - what the spans of one trace say of each other: parents, projects, names, times.
 */
#include "query/findings/rules.h"

static const uint64_t MS_NANO = 1000000;
static const uint64_t SECOND_NANO = 1000000000;

enum {
    CLOCK_MS = 10,     /* that clocks may differ by */
    LATE_MS = 10,      /* that a span may outlive its request by */
    LATE_SECONDS = 60, /* after its root a trace is over */
};

/* ---- projects and names ---- */

void
tk_check_continues_elsewhere(struct tk_exam *exam, const struct tk_rule *rule)
{
    for (const struct tk_exam_elsewhere *there = exam->elsewhere; there != NULL;
         there = there->next) {
        const struct tk_batch *spans = there->spans;
        for (uint32_t row = 0; row < spans->span_count; row++) {
            uint32_t parent = tk_known_find(&exam->known, spans->parent_id[row]);
            if (parent == TK_NO_SPAN)
                continue;
            struct tk_report report = tk_report_at(exam, parent, TK_CONFIDENCE_CERTAIN);
            report.peer = report.service;
            report.service = tk_batch_service(spans, row);
            report.language = tk_resource_text(spans, row, "telemetry.sdk.language");
            report.other = (struct tk_finding_other){.trace_id = spans->trace_id[row],
                                                     .span_id = spans->span_id[row],
                                                     .service = report.service,
                                                     .project = there->project};
            tk_exam_report(exam, rule, &report,
                           "this trace goes on in project `%.*s`: `%.*s`, which `%.*s` called, "
                           "sends its spans there",
                           TK_STR_ARG(there->project), TK_STR_ARG(report.service),
                           TK_STR_ARG(report.peer));
        }
    }
}

/* Is the parent of a span in another project?  Then which span is it? */
static bool
find_parent_elsewhere(const struct tk_exam *exam, uint32_t position,
                      struct tk_finding_other *ret_other)
{
    tk_span_id parent = exam->trace->parent_id[tk_exam_row(exam, position)];
    for (const struct tk_exam_elsewhere *there = exam->elsewhere; there != NULL;
         there = there->next) {
        const struct tk_batch *spans = there->spans;
        uint32_t row = tk_known_find(&there->known, parent);
        if (row == TK_NO_SPAN)
            continue;
        *ret_other = (struct tk_finding_other){.trace_id = spans->trace_id[row],
                                               .span_id = parent,
                                               .service = tk_batch_service(spans, row),
                                               .project = there->project};
        return true;
    }
    return false;
}

void
tk_check_parent_elsewhere(struct tk_exam *exam, const struct tk_rule *rule)
{
    for (uint32_t i = 0; i < exam->tree.span_count && exam->elsewhere != NULL; i++) {
        struct tk_finding_other parent;
        if (!exam->tree.orphan[i] || !find_parent_elsewhere(exam, i, &parent))
            continue;
        struct tk_report report = tk_report_at(exam, i, TK_CONFIDENCE_CERTAIN);
        report.other = parent;
        report.peer = report.other.service;
        tk_exam_report(exam, rule, &report,
                       "`%.*s` was called by `%.*s`, which sends its spans to project `%.*s`",
                       TK_STR_ARG(report.service), TK_STR_ARG(report.peer),
                       TK_STR_ARG(report.other.project));
    }
}

/* What the service of a span was seen with first; NULL: this is the first time. */
static const struct tk_language *
first_language(struct tk_exam *exam, uint32_t position, tk_str language)
{
    struct tk_book *book = exam->book;
    tk_str service = tk_exam_service(exam, position);
    uint32_t number, known = book->services.count, row = tk_exam_row(exam, position);
    if (tk_intern_copy(&book->services, book->arena, service, &number) != TK_OK)
        return NULL;
    if (number < known)
        return &book->language[number];
    book->language[number] = (struct tk_language){
        .language = tk_arena_copy(book->arena, language),
        .where = {.trace_id = exam->trace->trace_id[row],
                  .span_id = exam->trace->span_id[row],
                  .service = book->services.strings[number]},
    };
    return NULL;
}

void
tk_check_shared_name(struct tk_exam *exam, const struct tk_rule *rule)
{
    bool *seen = tk_arena_zalloc(exam->arena, exam->trace->resource_count, sizeof *seen);
    if (seen == NULL) {
        exam->book->out_of_memory = true;
        return;
    }
    for (uint32_t i = 0; i < exam->tree.span_count; i++) {
        bool *met = &seen[exam->trace->resource[tk_exam_row(exam, i)]];
        if (*met)
            continue;
        *met = true;
        struct tk_report report = tk_report_at(exam, i, TK_CONFIDENCE_CERTAIN);
        if (report.language.len == 0 ||
            tk_str_starts_with(report.service, TK_STR("unknown_service")))
            continue;
        const struct tk_language *first = first_language(exam, i, report.language);
        if (first == NULL || first->language.len == 0 ||
            tk_str_eq(first->language, report.language))
            continue;
        report.other = first->where;
        tk_exam_report(
            exam, rule, &report, "two programs are both called `%.*s`: one in %.*s, one in %.*s",
            TK_STR_ARG(report.service), TK_STR_ARG(first->language), TK_STR_ARG(report.language));
    }
}

/* ---- parents ---- */

static bool
has_beginning(const struct tk_exam *exam)
{
    return exam->trace->parent_id[tk_exam_row(exam, exam->tree.root)] == 0;
}

static bool
is_explained(const struct tk_exam *exam, uint32_t position)
{
    struct tk_finding_other other;
    return find_parent_elsewhere(exam, position, &other);
}

/* `tracekit verify` begins traces without a span of its own, and says so. */
static bool
is_of_verify(const struct tk_exam *exam, uint32_t position)
{
    tk_str state = exam->trace->trace_state[tk_exam_row(exam, position)];
    while (state.len > 0)
        if (tk_str_eq(tk_str_trim(tk_str_split(&state, ',')), TK_STR("tracekit=verify")))
            return true;
    return false;
}

void
tk_check_missing_root(struct tk_exam *exam, const struct tk_rule *rule)
{
    uint32_t root = exam->tree.root;
    if (has_beginning(exam) || is_explained(exam, root) || is_of_verify(exam, root))
        return;
    struct tk_report report = tk_report_at(exam, root, TK_CONFIDENCE_CERTAIN);
    tk_exam_report(exam, rule, &report,
                   "this trace has no beginning: the span that called `%.*s` is not here",
                   TK_STR_ARG(report.service));
}

/* Is there a call in this trace that this server span, whose parent is missing, would answer? */
static const struct tk_call *
find_call_to(const struct tk_exam *exam, uint32_t position)
{
    struct tk_address address;
    if (!tk_server_address(exam->trace, tk_exam_row(exam, position), &address))
        return NULL;
    for (uint32_t i = 0; i < exam->call_count; i++)
        if (tk_same_host(&exam->call[i].address, &address) &&
            tk_str_eq(exam->call[i].address.path, address.path))
            return &exam->call[i];
    return NULL;
}

void
tk_check_broken_parent(struct tk_exam *exam, const struct tk_rule *rule)
{
    if (!has_beginning(exam)) /* then whatever is missing may be missing with it */
        return;
    for (uint32_t i = 0; i < exam->tree.span_count; i++) {
        if (!exam->tree.orphan[i] || is_explained(exam, i))
            continue;
        struct tk_report report = tk_report_at(exam, i, TK_CONFIDENCE_CERTAIN);
        const struct tk_call *call = find_call_to(exam, i);
        if (call != NULL) {
            report.peer = tk_exam_service(exam, call->position);
            report.cause = "Something between the two (a proxy, a service mesh) makes spans of its "
                           "own, writes their ids into `traceparent`, and does not send them here.";
            report.fix = "Let it send its spans to the same project, or pass `traceparent` on as "
                         "it came.";
        }
        tk_exam_report(exam, rule, &report,
                       "spans of `%.*s` name a parent that is not in this trace",
                       TK_STR_ARG(report.service));
    }
}

/* ---- times ---- */

/* By how much the callee's clock is wrong at least, in ns: it cannot begin before it was called,
   nor after it was answered.  0: nothing is wrong for certain. */
static uint64_t
skew_of(const struct tk_exam *exam, uint32_t position, bool *ret_ahead)
{
    const struct tk_batch *trace = exam->trace;
    uint32_t row = tk_exam_row(exam, position), up = tk_exam_row(exam, exam->tree.parent[position]);
    uint64_t began = trace->start_nano[row], tolerance = CLOCK_MS * MS_NANO;
    *ret_ahead = began > trace->start_nano[up];
    if (began + tolerance < trace->start_nano[up])
        return trace->start_nano[up] - began;
    if (began > trace->end_nano[up] + tolerance &&
        tk_batch_find_attr(trace, trace->attrs[up], TK_STR("http.response.status_code")) != NULL)
        return began - trace->end_nano[up];
    return 0;
}

void
tk_check_clock_skew(struct tk_exam *exam, const struct tk_rule *rule)
{
    const struct tk_tree *tree = &exam->tree;
    for (uint32_t i = 0; i < tree->span_count; i++) {
        bool ahead;
        if (tree->parent[i] == TK_NO_SPAN ||
            exam->trace->kind[tk_exam_row(exam, i)] != TK_KIND_SERVER ||
            exam->trace->kind[tk_exam_row(exam, tree->parent[i])] != TK_KIND_CLIENT)
            continue;
        uint64_t skew = skew_of(exam, i, &ahead);
        if (skew == 0)
            continue;
        struct tk_report report = tk_report_at(exam, i, TK_CONFIDENCE_CERTAIN);
        report.peer = tk_exam_service(exam, tree->parent[i]);
        tk_exam_report(exam, rule, &report,
                       "the clock of `%.*s` is at least %.1f ms %s that of `%.*s`",
                       TK_STR_ARG(report.service), (double)skew / (double)MS_NANO,
                       ahead ? "ahead of" : "behind", TK_STR_ARG(report.peer));
    }
}

/* When the trace's root ended, if it has one; later spans are of another time. */
static uint64_t
over_nano(const struct tk_exam *exam)
{
    return has_beginning(exam) ? exam->trace->end_nano[tk_exam_row(exam, exam->tree.root)] +
                                     LATE_SECONDS * SECOND_NANO
                               : UINT64_MAX;
}

/* Does it outlive the request that its service served? */
static bool
is_left_behind(const struct tk_exam *exam, uint32_t position)
{
    const struct tk_batch *trace = exam->trace;
    uint32_t entry = exam->entry[position], row = tk_exam_row(exam, position);
    return entry != position && trace->kind[tk_exam_row(exam, entry)] == TK_KIND_SERVER &&
           trace->kind[row] != TK_KIND_PRODUCER &&
           trace->end_nano[row] > trace->end_nano[tk_exam_row(exam, entry)] + LATE_MS * MS_NANO;
}

void
tk_check_async(struct tk_exam *exam, const struct tk_rule *rule)
{
    uint64_t over = over_nano(exam);
    for (uint32_t i = 0; i < exam->tree.span_count; i++) {
        uint32_t row = tk_exam_row(exam, i);
        if (!is_left_behind(exam, i) || is_left_behind(exam, exam->tree.parent[i]) ||
            exam->trace->start_nano[row] > over)
            continue;
        uint64_t answered = exam->trace->end_nano[tk_exam_row(exam, exam->entry[i])];
        struct tk_report report = tk_report_at(
            exam, i,
            exam->trace->start_nano[row] > answered ? TK_CONFIDENCE_CERTAIN : TK_CONFIDENCE_LIKELY);
        tk_exam_report(exam, rule, &report,
                       "`%.*s` answers before `%.*s` is done: it goes on for %.1f ms",
                       TK_STR_ARG(report.service), TK_STR_ARG(exam->trace->name[row]),
                       (double)(exam->trace->end_nano[row] - answered) / (double)MS_NANO);
    }
}

/* What waits in a queue may come when it likes. */
void
tk_check_late_spans(struct tk_exam *exam, const struct tk_rule *rule)
{
    const struct tk_tree *tree = &exam->tree;
    uint64_t over = over_nano(exam);
    bool *queued = tk_arena_zalloc(exam->arena, tree->span_count, sizeof *queued);
    if (queued == NULL) {
        exam->book->out_of_memory = true;
        return;
    }
    for (uint32_t i = 0; i < tree->span_count; i++) {
        uint32_t row = tk_exam_row(exam, i), up = tree->parent[i];
        int32_t kind = exam->trace->kind[row];
        queued[i] = kind == TK_KIND_PRODUCER || kind == TK_KIND_CONSUMER ||
                    (up != TK_NO_SPAN && queued[up]);
        if (queued[i] || exam->trace->start_nano[row] <= over ||
            (up != TK_NO_SPAN && exam->trace->start_nano[tk_exam_row(exam, up)] > over))
            continue;
        struct tk_report report = tk_report_at(exam, i, TK_CONFIDENCE_CERTAIN);
        uint64_t late = exam->trace->start_nano[row] - (over - LATE_SECONDS * SECOND_NANO);
        tk_exam_report(exam, rule, &report,
                       "`%.*s` of `%.*s` begins %.0f s after this trace was over",
                       TK_STR_ARG(exam->trace->name[row]), TK_STR_ARG(report.service),
                       (double)late / (double)SECOND_NANO);
    }
}

/* ---- sampling ---- */

/* The threshold in tracestate (ot=...;th:8;...); empty when there is none. */
static tk_str
threshold_of(tk_str state)
{
    while (state.len > 0) {
        tk_str member = tk_str_trim(tk_str_split(&state, ','));
        if (!tk_str_starts_with(member, TK_STR("ot=")))
            continue;
        tk_str fields = {member.ptr + 3, member.len - 3};
        while (fields.len > 0) {
            tk_str field = tk_str_split(&fields, ';');
            if (tk_str_starts_with(field, TK_STR("th:")))
                return (tk_str){field.ptr + 3, field.len - 3};
        }
    }
    return TK_STR("");
}

void
tk_check_sampling(struct tk_exam *exam, const struct tk_rule *rule)
{
    const struct tk_batch *trace = exam->trace;
    for (uint32_t i = 0; i < exam->tree.span_count; i++) {
        uint32_t up = exam->tree.parent[i];
        if (exam->entry[i] != i || up == TK_NO_SPAN)
            continue;
        tk_str own = threshold_of(trace->trace_state[tk_exam_row(exam, i)]);
        tk_str parents = threshold_of(trace->trace_state[tk_exam_row(exam, up)]);
        if (own.len == 0 || parents.len == 0 || tk_str_eq(own, parents))
            continue;
        struct tk_report report = tk_report_at(exam, i, TK_CONFIDENCE_CERTAIN);
        report.peer = tk_exam_service(exam, up);
        tk_exam_report(exam, rule, &report,
                       "`%.*s` decides by itself which traces it records (th:%.*s) instead of as "
                       "`%.*s` did (th:%.*s): some traces lack its part",
                       TK_STR_ARG(report.service), TK_STR_ARG(own), TK_STR_ARG(report.peer),
                       TK_STR_ARG(parents));
    }
}
