/*
 * findings - what keeps traces from connecting, as the server's doctor sees it in the spans that
 * arrived: of one trace, or of the project.
 */
#include "cli/remote.h"

#include <stdio.h>

enum { ARENA_LIMIT = 1 << 30 };

static void
print_text(const char *label, tk_str text)
{
    if (text.len == 0)
        return;
    (void)fputs(label, stdout);
    (void)tk_cli_print(text, tk_cli_columns(text));
    (void)putchar('\n');
}

/* Code, line by line, set in. */
static void
print_snippet(tk_str snippet)
{
    while (snippet.len > 0)
        print_text("      ", tk_str_split(&snippet, '\n'));
}

/* "traces: 4bf9..., 0af7... and 3 more" */
static void
print_traces(const struct tk_json_node *finding)
{
    const struct tk_json_node *trace = tk_json_get(finding, "traces")->child;
    uint64_t more = tk_json_get_u64(finding, "traceCount");
    for (const char *between = "    traces: "; trace != NULL; trace = trace->next, between = ", ") {
        (void)printf("%s%.*s", between, TK_STR_ARG(trace->text));
        more -= more > 0;
    }
    if (more > 0)
        (void)printf(" and %llu more", (unsigned long long)more);
    (void)putchar('\n');
}

static void
print_finding(const struct tk_json_node *finding, bool of_project, bool colour)
{
    tk_str severity = tk_json_get_str(finding, "severity");
    bool error = tk_str_eq(severity, TK_STR("error"));
    tk_str service = tk_json_get_str(finding, "service");
    (void)printf("%s%.*s%s %.*s (%.*s)",
                 !colour ? ""
                 : error ? "\033[1;31m"
                         : "\033[1;33m",
                 TK_STR_ARG(severity), colour ? "\033[0m" : "",
                 TK_STR_ARG(tk_json_get_str(finding, "rule")),
                 TK_STR_ARG(tk_json_get_str(finding, "confidence")));
    print_text(service.len > 0 ? "  " : "", service);
    if (service.len == 0)
        (void)putchar('\n');
    print_text("    ", tk_json_get_str(finding, "message"));
    print_text("    cause: ", tk_json_get_str(finding, "cause"));
    print_text("    cure: ", tk_json_get_str(finding, "fix"));
    print_snippet(tk_json_get_str(finding, "snippet"));
    if (of_project)
        print_traces(finding);
    (void)putchar('\n');
}

static bool
is_error(const struct tk_json_node *finding)
{
    return tk_str_eq(tk_json_get_str(finding, "severity"), TK_STR("error"));
}

static bool
has_error(const struct tk_json_node *root)
{
    const struct tk_json_node *one = tk_json_get(root, "findings")->child;
    while (one != NULL && !is_error(one))
        one = one->next;
    return one != NULL;
}

static void
print_all(const struct tk_json_node *root, bool of_project)
{
    const struct tk_json_node *list = tk_json_get(root, "findings")->child;
    tk_str cut = tk_json_get_str(root, "cut");
    bool colour = tk_cli_colour();
    for (const struct tk_json_node *one = list; one != NULL; one = one->next)
        print_finding(one, of_project, colour);
    if (list == NULL)
        (void)puts("nothing is wrong");
    if (of_project)
        (void)printf("%llu traces were looked at%s\n",
                     (unsigned long long)tk_json_get_u64(root, "traceCount"),
                     cut.len > 0 ? ", not all" : "");
    else if (tk_json_get(root, "settled")->type == TK_JSON_FALSE)
        (void)puts("the trace may still be arriving: ask again in half a minute");
    else if (cut.len > 0)
        (void)puts("the trace is too long to look at all of it");
}

enum tk_exit
tk_cli_findings(int argc, char **argv)
{
    struct tk_remote remote = TK_REMOTE_DEFAULTS;
    const char *start = NULL, *end = NULL, *limit = NULL;
    bool json = false;
    const struct tk_option table[] = {
        TK_REMOTE_OPTIONS(&remote),
        {"start", TK_OPTION_STRING, &start, "TIME", "traces since then [an hour ago]", NULL, NULL},
        {"end", TK_OPTION_STRING, &end, "TIME", "traces before", NULL, NULL},
        {"limit", TK_OPTION_STRING, &limit, "N", "traces to look at [200]", NULL, NULL},
        {"json", TK_OPTION_BOOL, &json, NULL, "the API's answer as it is", NULL, NULL},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    static const struct tk_cli_usage usage = {
        .command = "findings",
        .usage = "tracekit findings [TRACE] [options]",
        .about = "Says what keeps traces from connecting, from the spans that arrived: of one "
                 "trace, or of the\nproject's newest. Exit status 1: one of the findings is an "
                 "error.",
        .positional_max = 1,
    };
    struct tk_json_node *root;
    struct tk_arena arena;
    struct tk_buf path;
    enum tk_exit status = TK_EXIT_GOOD;

    tk_buf_init(&path, 1 << 16);
    tk_arena_init(&arena, 1 << 16, ARENA_LIMIT);
    if (!tk_cli_parse(&usage, &options, argc, argv, &arena, &status))
        goto out;
    bool of_project = options.positional_count == 0;
    status = tk_remote_open(&remote, "findings", &arena);
    if (status != TK_EXIT_GOOD)
        goto out;
    if (of_project)
        tk_buf_append(&path, TK_STR("/api/v1/findings"));
    else
        tk_buf_printf(&path, "/api/v1/traces/%s/findings", options.positional[0]);
    if (of_project) {
        tk_remote_param(&path, "start", start);
        tk_remote_param(&path, "end", end);
        tk_remote_param(&path, "limit", limit);
    }
    status = tk_remote_get_json(&remote, &path, &root);
    if (status == TK_EXIT_GOOD && json)
        tk_remote_print_answer(&remote);
    else if (status == TK_EXIT_GOOD)
        print_all(root, of_project);
    if (status == TK_EXIT_GOOD && has_error(root))
        status = TK_EXIT_FINDING;
out:
    tk_remote_close(&remote);
    tk_buf_release(&path);
    tk_arena_release(&arena);
    return status;
}
