/*
 * findings - GET /api/v1/traces/{traceId}/findings and GET /api/v1/findings: why is it not
 * connected?
 *
 * Other projects are looked into for whoever may see them all: a trace that goes on there is the
 * most certain finding of all.  Whoever may not is told nothing of them.
 */
#include "query/findings/findings.h"
#include "api/json_members.h"
#include "api/params.h"
#include "api/private.h"

enum {
    ARENA_CHUNK = 64 << 10,
    OTHER_PROJECTS_MAX = 32, /* that are looked into */
};

/* ---- the answer ---- */

static void
other_json(struct tk_json_writer *json, const struct tk_finding_other *other)
{
    tk_member(json, "other");
    tk_json_object(json);
    tk_member_trace_id(json, "traceId", other->trace_id);
    tk_member_span_id(json, "spanId", other->span_id);
    tk_member_string(json, "service", other->service);
    tk_optional_string(json, "project", other->project);
    tk_json_object_end(json);
}

static void
evidence_json(struct tk_json_writer *json, const struct tk_finding *finding)
{
    tk_member(json, "spans");
    tk_json_array(json);
    for (uint32_t i = 0; i < finding->span_count && i < TK_FINDING_SPANS_MAX; i++)
        tk_json_span_id(json, finding->spans[i]);
    tk_json_array_end(json);
    tk_member_uint(json, "spanCount", finding->span_count);
    if (finding->other.span_id != 0)
        other_json(json, &finding->other);
    tk_member(json, "traces");
    tk_json_array(json);
    for (uint32_t i = 0; i < finding->trace_count && i < TK_FINDING_TRACES_MAX; i++)
        tk_json_trace_id(json, finding->traces[i]);
    tk_json_array_end(json);
    tk_member_uint(json, "traceCount", finding->trace_count);
    tk_member_nano(json, "lastSeenUnixNano", finding->last_seen_nano);
}

static void
finding_json(struct tk_json_writer *json, const struct tk_finding *finding)
{
    static const char *const severities[] = {"error", "warning", "hint"};
    static const char *const confidences[] = {"certain", "likely", "possible"};
    struct tk_buf docs;
    tk_buf_init(&docs, 256);
    tk_buf_printf(&docs, "/docs/findings#%s", finding->rule);
    tk_json_object(json);
    tk_member_string(json, "rule", tk_str_from(finding->rule));
    tk_member_string(json, "severity", tk_str_from(severities[finding->severity]));
    tk_member_string(json, "confidence", tk_str_from(confidences[finding->confidence]));
    tk_optional_string(json, "service", finding->service);
    tk_optional_string(json, "peer", finding->peer);
    tk_member_string(json, "message", finding->message);
    tk_member_string(json, "cause", finding->cause);
    tk_member_string(json, "fix", finding->fix);
    tk_optional_string(json, "language", finding->language);
    tk_optional_string(json, "snippet", finding->snippet);
    tk_member_string(json, "docs", tk_buf_str(&docs));
    evidence_json(json, finding);
    tk_json_object_end(json);
    tk_buf_release(&docs);
}

static void
findings_json(struct tk_json_writer *json, const struct tk_findings *findings)
{
    static const char *const cuts[] = {NULL, "memory", "traces", "findings", "time"};
    tk_member_uint(json, "spanCount", findings->span_count);
    if (findings->cut != TK_FINDINGS_WHOLE)
        tk_member_string(json, "cut", tk_str_from(cuts[findings->cut]));
    tk_member(json, "findings");
    tk_json_array(json);
    for (const struct tk_finding *finding = findings->first; finding != NULL;
         finding = finding->next)
        finding_json(json, finding);
    tk_json_array_end(json);
}

/* ---- whom it asks ---- */

/* What one question holds open. */
struct question {
    struct tk_findings_ask ask;
    struct tk_findings_project others[OTHER_PROJECTS_MAX];
    struct tk_arena arena;
};

static enum tk_err
open_others(struct tk_call *call, struct question *question, struct tk_error *err)
{
    const struct tk_api_options *options = tk_api_options(call->api);
    struct tk_project *projects;
    size_t project_count;
    if (!call->identity.all_projects)
        return TK_OK;
    enum tk_err result =
        tk_account_project_list(options->account, &question->arena, &projects, &project_count, err);
    for (size_t i = 0; result == TK_OK && i < project_count; i++) {
        struct tk_findings_project *other = &question->others[question->ask.other_count];
        if (projects[i].id == call->identity.project_id)
            continue;
        if (question->ask.other_count == OTHER_PROJECTS_MAX)
            break;
        other->name = projects[i].name;
        result = tk_store_view_open(options->store, projects[i].id, &other->view, err);
        question->ask.other_count += result == TK_OK;
    }
    return result;
}

static enum tk_err
open_question(struct tk_call *call, struct question *question, struct tk_error *err)
{
    const struct tk_api_options *options = tk_api_options(call->api);
    *question = (struct question){.ask = {.env = options->env,
                                          .deadline_nano = tk_query_deadline(call),
                                          .memory = tk_query_memory(call)}};
    question->ask.others = question->others;
    question->ask.arena = &question->arena;
    tk_arena_init(&question->arena, ARENA_CHUNK, question->ask.memory);
    enum tk_err result =
        tk_store_view_open(options->store, call->identity.project_id, &question->ask.view, err);
    return result == TK_OK ? open_others(call, question, err) : result;
}

static void
close_question(struct question *question)
{
    for (size_t i = 0; i < question->ask.other_count; i++)
        tk_store_view_close(question->others[i].view);
    if (question->ask.view != NULL)
        tk_store_view_close(question->ask.view);
    tk_arena_release(&question->arena);
}

/* ---- the routes ---- */

void
tk_route_trace_findings(struct tk_call *call)
{
    struct question question;
    struct tk_findings findings;
    struct tk_error err = {.message = ""};
    struct tk_json_writer json;
    struct tk_buf body;
    struct tk_trace_id id;
    if (!tk_trace_id_parse(call->args[0], &id)) {
        tk_reply_problem(call, 400, "Bad trace id", "a trace id is 32 hex digits, not all zero");
        return;
    }
    tk_buf_init(&body, TK_REPLY_SIZE_MAX);
    enum tk_err result = open_question(call, &question, &err);
    if (result == TK_OK)
        result = tk_findings_of_trace(&question.ask, id, &findings, &err);
    if (result == TK_OK) {
        tk_json_writer_init(&json, &body);
        tk_json_object(&json);
        tk_member_trace_id(&json, "traceId", id);
        tk_member(&json, "settled");
        tk_json_bool(&json, findings.settled);
        findings_json(&json, &findings);
        tk_json_object_end(&json);
    }
    close_question(&question);
    if (result == TK_OK)
        tk_reply_json(call, 200, &body);
    else if (result == TK_ERR_NOT_FOUND)
        tk_reply_problem(call, 404, "No such trace", "no span of trace %.*s has arrived",
                         TK_STR_ARG(call->args[0]));
    else
        tk_reply_query_failed(call, NULL, result, &err);
}

void
tk_route_findings(struct tk_call *call)
{
    struct question question;
    struct tk_findings findings;
    struct tk_error err = {.message = ""};
    struct tk_json_writer json;
    struct tk_buf body;
    uint64_t begin, end;
    uint32_t limit;
    if (!tk_param_recent(call, &begin, &end) ||
        !tk_param_limit(call, TK_FINDINGS_TRACES, TK_LIMIT_MAX, &limit))
        return;
    tk_buf_init(&body, TK_REPLY_SIZE_MAX);
    enum tk_err result = open_question(call, &question, &err);
    if (result == TK_OK)
        result = tk_findings_of_project(&question.ask, begin, end, limit, &findings, &err);
    if (result == TK_OK) {
        tk_json_writer_init(&json, &body);
        tk_json_object(&json);
        tk_member_nano(&json, "startTimeUnixNano", begin);
        tk_member_nano(&json, "endTimeUnixNano", end);
        tk_member_uint(&json, "traceCount", findings.trace_count);
        findings_json(&json, &findings);
        tk_json_object_end(&json);
    }
    close_question(&question);
    if (result == TK_OK)
        tk_reply_json(call, 200, &body);
    else
        tk_reply_query_failed(call, NULL, result, &err);
}
