/* trace - one trace as the unified waterfall. */
#include "cli/remote.h"
#include "cli/waterfall.h"

enum { ARENA_LIMIT = 1 << 30 };

enum tk_exit
tk_cli_trace(int argc, char **argv)
{
    struct tk_remote remote = TK_REMOTE_DEFAULTS;
    bool json = false;
    const struct tk_option table[] = {
        TK_REMOTE_OPTIONS(&remote),
        {"json", TK_OPTION_BOOL, &json, NULL, "the API's answer as it is", NULL, NULL},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    static const struct tk_cli_usage usage = {
        .command = "trace",
        .usage = "tracekit trace ID [options]",
        .about = "Draws one trace as a waterfall: a row for each visit to a service, its spans "
                 "below.",
        .positional_min = 1,
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
    status = tk_remote_open(&remote, "trace", &arena);
    if (status != TK_EXIT_GOOD)
        goto out;
    tk_buf_append(&path, TK_STR("/api/v1/traces/"));
    tk_buf_append(&path, tk_str_from(options.positional[0]));
    if (json)
        status = tk_remote_print(&remote, &path);
    else if ((status = tk_remote_get_json(&remote, &path, &root)) == TK_EXIT_GOOD &&
             !tk_cli_waterfall(root, TK_STR_NONE, &arena))
        status = tk_cli_fail(TK_EXIT_CANNOT_START, "trace", "out of memory");
out:
    tk_remote_close(&remote);
    tk_buf_release(&path);
    tk_arena_release(&arena);
    return status;
}
