/*
 * compare - why one trace took longer than another: the time on their critical paths, service by
 * service and operation by operation.  The differences add up to the difference of the durations.
 */
#include "cli/remote.h"

#include <stdio.h>

enum { ARENA_LIMIT = 1 << 30, ROWS_DEFAULT = 20, NAME_MAX = 60 };

static void
signed_duration(uint64_t before, uint64_t after, char text[26])
{
    text[0] = after < before ? '-' : '+';
    tk_cli_duration(after < before ? before - after : after - before, text + 1);
    if (after == before)
        (void)snprintf(text, 26, "=");
}

static void
print_line(uint64_t first, uint64_t second, const char *counts)
{
    char a[24], b[24], change[26];
    tk_cli_duration(first, a);
    tk_cli_duration(second, b);
    signed_duration(first, second, change);
    (void)printf("%10s %10s %11s  %-11s ", a, b, change, counts);
}

static void
print_row(const struct tk_json_node *row)
{
    const struct tk_json_node *first = tk_json_get(row, "first");
    const struct tk_json_node *second = tk_json_get(row, "second");
    uint64_t nano[] = {tk_json_get_u64(first, "pathNano"), tk_json_get_u64(second, "pathNano")};
    uint64_t spans[] = {tk_json_get_u64(first, "spanCount"), tk_json_get_u64(second, "spanCount")};
    tk_str service = tk_json_get_str(row, "serviceName");
    char counts[48];
    if (nano[0] == nano[1] && spans[0] == spans[1])
        return;
    (void)snprintf(counts, sizeof counts, "%llu / %llu", (unsigned long long)spans[0],
                   (unsigned long long)spans[1]);
    print_line(nano[0], nano[1], service.len > 0 ? counts : "");
    if (service.len == 0) {
        (void)puts("(no span)");
        return;
    }
    (void)tk_cli_print(service, NAME_MAX);
    (void)fputs(": ", stdout);
    (void)tk_cli_print(tk_json_get_str(row, "name"), NAME_MAX);
    (void)putchar('\n');
}

/* What is not listed, in one line: the lines add up to the last one. */
static void
print_others(const struct tk_json_node *row)
{
    uint64_t first = 0, second = 0;
    unsigned count = 0;
    for (; row != NULL; row = row->next, count++) {
        first += tk_json_get_u64(tk_json_get(row, "first"), "pathNano");
        second += tk_json_get_u64(tk_json_get(row, "second"), "pathNano");
    }
    if (count == 0)
        return;
    print_line(first, second, "");
    (void)printf("(%u others)\n", count);
}

static void
print_table(const struct tk_json_node *root, uint64_t limit)
{
    const struct tk_json_node *row = tk_json_get(root, "operations")->child;
    (void)printf("%10s %10s %11s  %-11s %s\n", "FIRST", "SECOND", "CHANGE", "SPANS", "OPERATION");
    for (; row != NULL && limit > 0; row = row->next, limit--)
        print_row(row);
    print_others(row);
    print_line(tk_json_get_u64(tk_json_get(root, "first"), "durationNano"),
               tk_json_get_u64(tk_json_get(root, "second"), "durationNano"), "");
    (void)puts("the trace");
}

enum tk_exit
tk_cli_compare(int argc, char **argv)
{
    struct tk_remote remote = TK_REMOTE_DEFAULTS;
    uint64_t limit = ROWS_DEFAULT;
    bool json = false;
    const struct tk_option options_table[] = {
        TK_REMOTE_OPTIONS(&remote),
        {"limit", TK_OPTION_NUMBER, &limit, "N", "operations that differ most [20]", NULL, NULL},
        {"json", TK_OPTION_BOOL, &json, NULL, "the API's answer as it is", NULL, NULL},
    };
    struct tk_options options = {.options = options_table,
                                 .option_count = sizeof options_table / sizeof *options_table};
    static const struct tk_cli_usage usage = {
        .command = "compare",
        .usage = "tracekit compare TRACE TRACE [options]",
        .about = "Why the second trace took longer than the first: for each operation its time on "
                 "the critical\npath of both. The changes add up to the change of the whole.",
        .positional_min = 2,
        .positional_max = 2,
    };
    struct tk_json_node *root;
    struct tk_arena arena;
    struct tk_buf path;
    enum tk_exit status = TK_EXIT_GOOD;

    tk_buf_init(&path, 1 << 16);
    tk_arena_init(&arena, 1 << 16, ARENA_LIMIT);
    if (!tk_cli_parse(&usage, &options, argc, argv, &arena, &status))
        goto out;
    status = tk_remote_open(&remote, "compare", &arena);
    if (status != TK_EXIT_GOOD)
        goto out;
    tk_buf_append(&path, TK_STR("/api/v1/compare"));
    tk_remote_param(&path, "first", options.positional[0]);
    tk_remote_param(&path, "second", options.positional[1]);
    if (json) {
        status = tk_remote_print(&remote, &path);
    } else if ((status = tk_remote_get_json(&remote, &path, &root)) == TK_EXIT_GOOD) {
        print_table(root, limit);
    }
out:
    tk_remote_close(&remote);
    tk_arena_release(&arena);
    tk_buf_release(&path);
    return status;
}
