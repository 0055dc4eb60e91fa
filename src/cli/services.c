/* services, tags - what sent spans, and what can be searched, as tables. */
#include "cli/remote.h"

#include <stdio.h>
#include <time.h>

enum { ARENA_LIMIT = 1 << 30 };

static void
print_service(const struct tk_json_node *service)
{
    char seen[32];
    time_t seconds = (time_t)(tk_json_get_u64(service, "lastSeenUnixNano") / 1000000000u);
    struct tm utc;
    (void)strftime(seen, sizeof seen, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
    (void)printf("%10llu %10llu  %-20s  %.*s\n",
                 (unsigned long long)tk_json_get_u64(service, "spanCount"),
                 (unsigned long long)tk_json_get_u64(service, "errorCount"), seen,
                 TK_STR_ARG(tk_json_get_str(service, "name")));
}

static void
print_tag(const struct tk_json_node *tag)
{
    (void)printf("%-10.*s %-8.*s %.*s\n", TK_STR_ARG(tk_json_get_str(tag, "scope")),
                 TK_STR_ARG(tk_json_get_str(tag, "type")), TK_STR_ARG(tk_json_get_str(tag, "key")));
}

struct listing {
    struct tk_cli_usage usage;
    const char *path, *member, *head;
    void (*print)(const struct tk_json_node *item);
};

static enum tk_exit
run(const struct listing *listing, int argc, char **argv)
{
    struct tk_remote remote = TK_REMOTE_DEFAULTS;
    bool json = false;
    const struct tk_option table[] = {
        TK_REMOTE_OPTIONS(&remote),
        {"json", TK_OPTION_BOOL, &json, NULL, "the API's answer as it is", NULL, NULL},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    struct tk_json_node *root;
    struct tk_arena arena;
    struct tk_buf path;
    enum tk_exit status = TK_EXIT_GOOD;

    tk_buf_init(&path, 1 << 20);
    tk_arena_init(&arena, 1 << 16, ARENA_LIMIT);
    if (!tk_cli_parse(&listing->usage, &options, argc, argv, &arena, &status))
        goto out;
    status = tk_remote_open(&remote, listing->usage.command, &arena);
    if (status != TK_EXIT_GOOD)
        goto out;
    tk_buf_append(&path, tk_str_from(listing->path));
    status = tk_remote_get_json(&remote, &path, &root);
    if (status != TK_EXIT_GOOD)
        goto out;
    const struct tk_json_node *items = tk_json_get(root, listing->member);
    if (json) {
        tk_remote_print_answer(&remote);
        status = items->child != NULL ? TK_EXIT_GOOD : TK_EXIT_FINDING;
        goto out;
    }
    if (items->child == NULL)
        status = tk_cli_fail(TK_EXIT_FINDING, listing->usage.command, "nothing was received yet");
    else
        (void)printf("%s\n", listing->head);
    for (const struct tk_json_node *item = items->child; item != NULL; item = item->next)
        listing->print(item);
out:
    tk_remote_close(&remote);
    tk_buf_release(&path);
    tk_arena_release(&arena);
    return status;
}

enum tk_exit
tk_cli_services(int argc, char **argv)
{
    static const struct listing services = {
        .usage = {.command = "services",
                  .usage = "tracekit services [options]",
                  .about = "Lists the services that sent spans, with counts."},
        .path = "/api/v1/services",
        .member = "services",
        .head = "     SPANS     ERRORS  LAST SEEN             SERVICE",
        .print = print_service,
    };
    return run(&services, argc, argv);
}

enum tk_exit
tk_cli_tags(int argc, char **argv)
{
    static const struct listing tags = {
        .usage = {.command = "tags",
                  .usage = "tracekit tags [options]",
                  .about = "Lists the attributes that can be searched."},
        .path = "/api/v1/tags",
        .member = "tags",
        .head = "SCOPE      TYPE     KEY",
        .print = print_tag,
    };
    return run(&tags, argc, argv);
}
