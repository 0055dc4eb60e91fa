/*
 * search - what a query selects: traces, newest first, as a table, with the groups that a pipeline
 * makes of them below; or numbers over time, when that is what the query says.
 */
#include "cli/numbers.h"
#include "cli/remote.h"
#include "query/traceql.h"

#include <stdio.h>
#include <time.h>

enum { ARENA_LIMIT = 1 << 30, FIELDS_MAX = 1 << 20, NAME_WIDTH = 60 };

static void
print_summary(const struct tk_json_node *trace)
{
    char when[32], duration[24];
    uint64_t start = tk_json_get_u64(trace, "startTimeUnixNano");
    time_t seconds = (time_t)(start / 1000000000u);
    struct tm utc;
    (void)strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", gmtime_r(&seconds, &utc));
    tk_cli_duration(tk_json_get_u64(trace, "durationNano"), duration);
    (void)printf("%s.%03u  %.*s  %9s %6llu %5llu  ", when, (unsigned)(start / 1000000 % 1000),
                 TK_STR_ARG(tk_json_get_str(trace, "traceId")), duration,
                 (unsigned long long)tk_json_get_u64(trace, "spanCount"),
                 (unsigned long long)tk_json_get_u64(trace, "errorCount"));
    (void)tk_cli_print(tk_json_get_str(trace, "rootServiceName"), NAME_WIDTH);
    (void)fputs(": ", stdout);
    (void)tk_cli_print(tk_json_get_str(trace, "rootName"), NAME_WIDTH);
    (void)puts(tk_json_get(trace, "broken")->type == TK_JSON_TRUE ? "  (broken)" : "");
}

/* "    api  GET /users  12ms  .items=3" */
static void
print_span(const struct tk_json_node *span, struct tk_buf *fields)
{
    char duration[24];
    tk_cli_duration(tk_json_get_u64(span, "durationNano"), duration);
    (void)printf("    %9s  ", duration);
    (void)tk_cli_print(tk_json_get_str(span, "serviceName"), NAME_WIDTH);
    (void)fputs(": ", stdout);
    (void)tk_cli_print(tk_json_get_str(span, "name"), NAME_WIDTH);
    tk_buf_clear(fields);
    tk_cli_fields(tk_json_get(span, "attributes"), fields);
    (void)tk_cli_print(tk_buf_str(fields), FIELDS_MAX);
    (void)putchar('\n');
}

/* What a pipeline says of the trace. */
static void
print_groups(const struct tk_json_node *trace, struct tk_buf *fields)
{
    const struct tk_json_node *group = tk_json_get(trace, "spanSets")->child;
    uint64_t all = tk_json_get_u64(trace, "spanSetCount"), shown = 0;
    for (; group != NULL; group = group->next, shown++) {
        uint64_t matched = tk_json_get_u64(group, "matched"), listed = 0;
        tk_buf_clear(fields);
        tk_cli_fields(tk_json_get(group, "values"), fields);
        (void)printf("  %llu span%s", (unsigned long long)matched, matched == 1 ? "" : "s");
        (void)tk_cli_print(tk_buf_str(fields), FIELDS_MAX);
        (void)putchar('\n');
        const struct tk_json_node *span = tk_json_get(group, "spans")->child;
        for (; span != NULL; span = span->next, listed++)
            print_span(span, fields);
        if (matched > listed)
            (void)printf("    and %llu more\n", (unsigned long long)(matched - listed));
    }
    if (all > shown)
        (void)printf("  and %llu more groups\n", (unsigned long long)(all - shown));
}

static enum tk_exit
print_table(const struct tk_json_node *root)
{
    const struct tk_json_node *traces = tk_json_get(root, "traces");
    if (traces->child == NULL) {
        (void)fprintf(stderr, "tracekit search: nothing found\n");
        return TK_EXIT_FINDING;
    }
    (void)printf("%-23s  %-32s  %9s %6s %5s  %s\n", "START (UTC)", "TRACE", "DURATION", "SPANS",
                 "ERR", "ROOT");
    struct tk_buf fields;
    tk_buf_init(&fields, FIELDS_MAX);
    for (const struct tk_json_node *trace = traces->child; trace != NULL; trace = trace->next) {
        print_summary(trace);
        print_groups(trace, &fields);
    }
    tk_buf_release(&fields);
    if (tk_json_get(root, "cursor")->type == TK_JSON_STRING)
        (void)fprintf(stderr, "more: --cursor %.*s\n", TK_STR_ARG(tk_json_get_str(root, "cursor")));
    return TK_EXIT_GOOD;
}

static enum tk_exit
print_numbers(const struct tk_json_node *root)
{
    if (tk_cli_print_numbers(root))
        return TK_EXIT_GOOD;
    (void)fprintf(stderr, "tracekit search: nothing found; without --start it looks at one hour\n");
    return TK_EXIT_FINDING;
}

/* Does it end with a function, | rate()?  What is wrong with a query the server says. */
static bool
asks_for_numbers(const char *text, struct tk_arena *arena)
{
    struct tk_query *query;
    struct tk_query_error error;
    size_t position;
    if (text == NULL || tk_query_parse(tk_str_from(text), arena, &query, &error) != TK_OK)
        return false;
    bool numbers = tk_query_is_metrics(query, &position);
    tk_query_release(query);
    return numbers;
}

enum tk_exit
tk_cli_search(int argc, char **argv)
{
    struct tk_remote remote = TK_REMOTE_DEFAULTS;
    const char *start = NULL, *end = NULL, *limit = NULL, *cursor = NULL, *step = NULL, *by = NULL;
    bool json = false;
    const struct tk_option table[] = {
        TK_REMOTE_OPTIONS(&remote),
        {"start", TK_OPTION_STRING, &start, "TIME",
         "traces that began then or later; RFC 3339 or ns", NULL, NULL},
        {"end", TK_OPTION_STRING, &end, "TIME", "traces that began before", NULL, NULL},
        {"limit", TK_OPTION_STRING, &limit, "N", "1 to 1000 [20]", NULL, NULL},
        {"cursor", TK_OPTION_STRING, &cursor, "C", "where the page before ended", NULL, NULL},
        {"by", TK_OPTION_STRING, &by, "FIELDS",
         "numbers over time instead of traces, for each value: service, name, span.key ...", NULL,
         NULL},
        {"step", TK_OPTION_STRING, &step, "TIME", "numbers over time, in steps as long as this",
         NULL, NULL},
        {"json", TK_OPTION_BOOL, &json, NULL, "the API's answer as it is", NULL, NULL},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    static const struct tk_cli_usage usage = {
        .command = "search",
        .usage = "tracekit search [QUERY] [options]",
        .about = "QUERY is TraceQL, { span.order.id = \"42\" && duration > 200ms }, or shorthand,\n"
                 "order.id=42 service:api error duration>200ms. Without one: the newest traces. "
                 "One with a\n"
                 "function at its end, { status = error } | rate() by (name), gives numbers over "
                 "time.",
        .positional_max = 1,
    };
    struct tk_json_node *root;
    struct tk_arena arena;
    struct tk_buf path;
    enum tk_exit status = TK_EXIT_GOOD;

    tk_buf_init(&path, 1 << 20);
    tk_arena_init(&arena, 1 << 16, ARENA_LIMIT);
    if (!tk_cli_parse(&usage, &options, argc, argv, &arena, &status))
        goto out;
    status = tk_remote_open(&remote, "search", &arena);
    if (status != TK_EXIT_GOOD)
        goto out;
    const char *text = options.positional_count == 1 ? options.positional[0] : NULL;
    bool numbers = by != NULL || step != NULL || asks_for_numbers(text, &arena);
    tk_buf_append(&path, numbers ? TK_STR("/api/v1/metrics") : TK_STR("/api/v1/traces"));
    tk_remote_param(&path, "q", text);
    tk_remote_param(&path, "start", start);
    tk_remote_param(&path, "end", end);
    tk_remote_param(&path, "limit", numbers ? NULL : limit);
    tk_remote_param(&path, "cursor", numbers ? NULL : cursor);
    tk_remote_param(&path, "step", step);
    tk_remote_param(&path, "by", by);
    status = tk_remote_get_json(&remote, &path, &root);
    if (status == TK_EXIT_GOOD && json) {
        tk_remote_print_answer(&remote);
        if (tk_json_get(root, numbers ? "series" : "traces")->child == NULL)
            status = TK_EXIT_FINDING;
    } else if (status == TK_EXIT_GOOD) {
        status = numbers ? print_numbers(root) : print_table(root);
    }
out:
    tk_remote_close(&remote);
    tk_buf_release(&path);
    tk_arena_release(&arena);
    return status;
}
