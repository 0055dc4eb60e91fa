/* check - reads and verifies a whole data directory, without changing it. */
#include "cli/cli.h"
#include "store/embedded/embedded.h"

#include <stdio.h>

static void
print_damage(void *arg, const char *line)
{
    (void)arg;
    (void)printf("%s\n", line);
}

enum tk_exit
tk_cli_check(int argc, char **argv)
{
    struct tk_options options = {0};
    static const struct tk_cli_usage usage = {
        .command = "check",
        .usage = "tracekit check DIR",
        .about = "Reads and verifies everything in a data directory, beside a running server or\n"
                 "without one, and changes nothing. Exit status 1: there is damage.",
        .positional_min = 1,
        .positional_max = 1,
    };
    struct tk_embedded_check check = {0};
    struct tk_error err = {0};
    struct tk_arena arena;
    enum tk_exit status = TK_EXIT_GOOD;

    tk_arena_init(&arena, 4096, 1 << 20);
    if (!tk_cli_parse(&usage, &options, argc, argv, &arena, &status))
        goto out;
    enum tk_err result =
        tk_embedded_check(tk_env_host(), options.positional[0], print_damage, NULL, &check, &err);
    if (result != TK_OK) {
        status = tk_cli_fail(result == TK_ERR_NOT_FOUND ? TK_EXIT_USAGE : TK_EXIT_CANNOT_START,
                             "check", "%s", err.message);
        goto out;
    }
    (void)printf("%llu files, %llu segments, %llu blocks, %llu spans, %llu log records: ",
                 (unsigned long long)check.files, (unsigned long long)check.segments,
                 (unsigned long long)check.blocks, (unsigned long long)check.spans,
                 (unsigned long long)check.log_records);
    if (check.damaged_blocks == 0 && check.damaged_files == 0) {
        (void)printf("all is well\n");
    } else {
        (void)printf("%llu damaged blocks, %llu damaged files\n",
                     (unsigned long long)check.damaged_blocks,
                     (unsigned long long)check.damaged_files);
        status = TK_EXIT_FINDING;
    }
out:
    tk_arena_release(&arena);
    return status;
}
