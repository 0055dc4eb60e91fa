/*
 * compare - why one trace took longer than another: the time on their critical paths, service by
 * service and operation by operation.  The differences add up to the difference of the durations.
 */
#include "cli/critical_path.h"
#include "cli/remote.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_LIMIT = 1 << 30, ROWS_DEFAULT = 20, NAME_MAX = 60 };

struct comparison {
    struct tk_path_table table;
    uint64_t total[2];
};

static uint64_t
difference(const struct tk_path_row *row)
{
    return row->nano[1] > row->nano[0] ? row->nano[1] - row->nano[0] : row->nano[0] - row->nano[1];
}

static int
by_difference(const void *a, const void *b)
{
    uint64_t x = difference(a), y = difference(b);
    return (x < y) - (x > y);
}

static enum tk_exit
fill(struct comparison *comparison, struct tk_remote *remote, char **ids)
{
    struct tk_path_table *table = &comparison->table;
    for (int side = 0; side < 2; side++) {
        struct tk_json_node *trace;
        struct tk_buf path;
        tk_buf_init(&path, 1 << 16);
        tk_buf_printf(&path, "/api/v1/traces/%s", ids[side]);
        enum tk_exit status = tk_remote_get_json(remote, &path, &trace);
        tk_buf_release(&path);
        if (status != TK_EXIT_GOOD)
            return status;
        comparison->total[side] = tk_json_get_u64(trace, "durationNano");
        if (!tk_path_table_add(table, side, trace, remote->arena))
            return tk_cli_fail(TK_EXIT_CANNOT_START, "compare", "out of memory");
    }
    qsort(table->rows, table->count, sizeof *table->rows, by_difference);
    return TK_EXIT_GOOD;
}

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
print_table(const struct comparison *comparison, uint64_t limit)
{
    const struct tk_path_table *table = &comparison->table;
    (void)printf("%10s %10s %11s  %-11s %s\n", "FIRST", "SECOND", "CHANGE", "SPANS", "OPERATION");
    for (size_t i = 0; i < table->count && i < limit; i++) {
        const struct tk_path_row *row = &table->rows[i];
        char counts[48];
        if (difference(row) == 0 && row->count[0] == row->count[1])
            continue;
        (void)snprintf(counts, sizeof counts, "%llu / %llu", (unsigned long long)row->count[0],
                       (unsigned long long)row->count[1]);
        print_line(row->nano[0], row->nano[1], row->name.len > 0 ? counts : "");
        if (row->name.len == 0) {
            (void)puts("(no span)");
            continue;
        }
        (void)tk_cli_print(row->service, NAME_MAX);
        (void)fputs(": ", stdout);
        (void)tk_cli_print(row->name, NAME_MAX);
        (void)putchar('\n');
    }
    print_line(comparison->total[0], comparison->total[1], "");
    (void)puts("the trace");
}

static void
print_json(const struct comparison *comparison, char **ids)
{
    const struct tk_path_table *table = &comparison->table;
    static const char *const sides[] = {"first", "second"};
    struct tk_json_writer json;
    struct tk_buf out;
    tk_buf_init(&out, 1 << 30);
    tk_json_writer_init(&json, &out);
    tk_json_object(&json);
    for (int side = 0; side < 2; side++) {
        tk_json_key(&json, tk_str_from(sides[side]));
        tk_json_object(&json);
        tk_json_key(&json, TK_STR("traceId"));
        tk_json_string(&json, tk_str_from(ids[side]));
        tk_json_key(&json, TK_STR("durationNano"));
        tk_json_uint_string(&json, comparison->total[side]);
        tk_json_object_end(&json);
    }
    tk_json_key(&json, TK_STR("operations"));
    tk_json_array(&json);
    for (size_t i = 0; i < table->count; i++) {
        const struct tk_path_row *row = &table->rows[i];
        tk_json_object(&json);
        if (row->name.len > 0) {
            tk_json_key(&json, TK_STR("serviceName"));
            tk_json_string(&json, row->service);
            tk_json_key(&json, TK_STR("name"));
            tk_json_string(&json, row->name);
        }
        for (int side = 0; side < 2; side++) {
            tk_json_key(&json, tk_str_from(sides[side]));
            tk_json_object(&json);
            tk_json_key(&json, TK_STR("pathNano"));
            tk_json_uint_string(&json, row->nano[side]);
            tk_json_key(&json, TK_STR("spanCount"));
            tk_json_uint(&json, row->count[side]);
            tk_json_object_end(&json);
        }
        tk_json_object_end(&json);
    }
    tk_json_array_end(&json);
    tk_json_object_end(&json);
    (void)printf("%.*s\n", TK_STR_ARG(tk_buf_str(&out)));
    tk_buf_release(&out);
}

enum tk_exit
tk_cli_compare(int argc, char **argv)
{
    struct tk_remote remote = TK_REMOTE_DEFAULTS;
    struct comparison comparison = {.total = {0}};
    uint64_t limit = ROWS_DEFAULT;
    bool json = false;
    const struct tk_option options_table[] = {
        TK_REMOTE_OPTIONS(&remote),
        {"limit", TK_OPTION_NUMBER, &limit, "N", "operations that differ most [20]", NULL, NULL},
        {"json", TK_OPTION_BOOL, &json, NULL, "the result for programs, all operations", NULL,
         NULL},
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
    struct tk_arena arena;
    enum tk_exit status = TK_EXIT_GOOD;

    tk_path_table_init(&comparison.table);
    tk_arena_init(&arena, 1 << 16, ARENA_LIMIT);
    if (!tk_cli_parse(&usage, &options, argc, argv, &arena, &status))
        goto out;
    status = tk_remote_open(&remote, "compare", &arena);
    if (status == TK_EXIT_GOOD)
        status = fill(&comparison, &remote, (char **)options.positional);
    if (status == TK_EXIT_GOOD && json)
        print_json(&comparison, (char **)options.positional);
    else if (status == TK_EXIT_GOOD)
        print_table(&comparison, limit);
out:
    tk_remote_close(&remote);
    tk_path_table_release(&comparison.table);
    tk_arena_release(&arena);
    return status;
}
