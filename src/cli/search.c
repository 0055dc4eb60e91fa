/* search - traces that a query selects, newest first, as a table. */
#include "cli/remote.h"

#include <stdio.h>
#include <time.h>

enum { ARENA_LIMIT = 1 << 30 };

static void
print_summary(const struct tk_json_node *trace)
{
    char when[32], duration[24];
    uint64_t start = tk_json_get_u64(trace, "startTimeUnixNano");
    time_t seconds = (time_t)(start / 1000000000u);
    struct tm utc;
    (void)strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", gmtime_r(&seconds, &utc));
    tk_cli_duration(tk_json_get_u64(trace, "durationNano"), duration);
    (void)printf("%s.%03u  %.*s  %9s %6llu %5llu  %.*s: %.*s%s\n", when,
                 (unsigned)(start / 1000000 % 1000), TK_STR_ARG(tk_json_get_str(trace, "traceId")),
                 duration, (unsigned long long)tk_json_get_u64(trace, "spanCount"),
                 (unsigned long long)tk_json_get_u64(trace, "errorCount"),
                 TK_STR_ARG(tk_json_get_str(trace, "rootServiceName")),
                 TK_STR_ARG(tk_json_get_str(trace, "rootName")),
                 tk_json_get(trace, "broken")->type == TK_JSON_TRUE ? "  (broken)" : "");
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
    for (const struct tk_json_node *trace = traces->child; trace != NULL; trace = trace->next)
        print_summary(trace);
    if (tk_json_get(root, "cursor")->type == TK_JSON_STRING)
        (void)fprintf(stderr, "more: --cursor %.*s\n", TK_STR_ARG(tk_json_get_str(root, "cursor")));
    return TK_EXIT_GOOD;
}

enum tk_exit
tk_cli_search(int argc, char **argv)
{
    struct tk_remote remote = TK_REMOTE_DEFAULTS;
    const char *start = NULL, *end = NULL, *limit = NULL, *cursor = NULL;
    bool json = false;
    const struct tk_option table[] = {
        TK_REMOTE_OPTIONS(&remote),
        {"start", TK_OPTION_STRING, &start, "TIME",
         "traces that began then or later; RFC 3339 or ns", NULL, NULL},
        {"end", TK_OPTION_STRING, &end, "TIME", "traces that began before", NULL, NULL},
        {"limit", TK_OPTION_STRING, &limit, "N", "1 to 1000 [20]", NULL, NULL},
        {"cursor", TK_OPTION_STRING, &cursor, "C", "where the page before ended", NULL, NULL},
        {"json", TK_OPTION_BOOL, &json, NULL, "the API's answer as it is", NULL, NULL},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    static const struct tk_cli_usage usage = {
        .command = "search",
        .usage = "tracekit search [QUERY] [options]",
        .about = "QUERY is TraceQL, { span.order.id = \"42\" && duration > 200ms }, or shorthand,\n"
                 "order.id=42 service:api error duration>200ms. Without one: the newest traces.",
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
    tk_buf_append(&path, TK_STR("/api/v1/traces"));
    tk_remote_param(&path, "q", options.positional_count == 1 ? options.positional[0] : NULL);
    tk_remote_param(&path, "start", start);
    tk_remote_param(&path, "end", end);
    tk_remote_param(&path, "limit", limit);
    tk_remote_param(&path, "cursor", cursor);
    status = tk_remote_get_json(&remote, &path, &root);
    if (status == TK_EXIT_GOOD && json)
        status = tk_remote_print(&remote, &path);
    else if (status == TK_EXIT_GOOD)
        status = print_table(root);
out:
    tk_remote_close(&remote);
    tk_buf_release(&path);
    tk_arena_release(&arena);
    return status;
}
