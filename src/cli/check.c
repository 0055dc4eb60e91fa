/* check - reads and verifies a whole data directory, without changing it. */
#include "base/json.h"
#include "cli/cli.h"
#include "store/embedded/embedded.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_LIMIT = 64 << 20, JSON_LIMIT = 64 << 20 };

/* One section of the segments. */
struct section {
    tk_str name;
    uint64_t bytes;
};

struct report {
    bool json;
    struct tk_arena *arena;
    struct tk_buf lines; /* JSON: damages, one a line */
    struct section *sections;
    size_t section_count, section_capacity;
    bool failed; /* memory */
};

static void
note_damage(void *arg, const char *line)
{
    struct report *report = arg;
    if (!report->json) {
        (void)printf("%s\n", line);
        return;
    }
    tk_buf_append(&report->lines, tk_str_from(line));
    tk_buf_append_char(&report->lines, '\n');
}

static void
note_section(void *arg, const char *name, uint64_t bytes)
{
    struct report *report = arg;
    for (size_t i = 0; i < report->section_count; i++)
        if (tk_str_eq(report->sections[i].name, tk_str_from(name))) {
            report->sections[i].bytes += bytes;
            return;
        }
    if (report->section_count == report->section_capacity) {
        size_t capacity = report->section_capacity * 2 + 64;
        struct section *grown = realloc(report->sections, capacity * sizeof *grown);
        if (grown == NULL) {
            report->failed = true;
            return;
        }
        report->sections = grown;
        report->section_capacity = capacity;
    }
    tk_str kept = tk_arena_copy(report->arena, tk_str_from(name));
    report->failed = report->failed || kept.ptr == NULL;
    report->sections[report->section_count++] = (struct section){kept, bytes};
}

static int
by_size(const void *a, const void *b)
{
    const struct section *x = a, *y = b;
    return (y->bytes > x->bytes) - (y->bytes < x->bytes);
}

static void
put_count(struct tk_json_writer *json, const char *name, uint64_t count)
{
    tk_json_key(json, tk_str_from(name));
    tk_json_uint(json, count);
}

static void
print_json(struct report *report, const struct tk_embedded_check *check)
{
    struct tk_json_writer json;
    struct tk_buf out;
    tk_buf_init(&out, JSON_LIMIT);
    tk_json_writer_init(&json, &out);
    tk_json_object(&json);
    put_count(&json, "files", check->files);
    put_count(&json, "segments", check->segments);
    put_count(&json, "groups", check->groups);
    put_count(&json, "spans", check->spans);
    put_count(&json, "logRecords", check->log_records);
    put_count(&json, "damagedBlocks", check->damaged_blocks);
    put_count(&json, "damagedFiles", check->damaged_files);
    tk_json_key(&json, TK_STR("damage"));
    tk_json_array(&json);
    for (tk_str rest = tk_buf_str(&report->lines); rest.len > 0;)
        tk_json_string(&json, tk_str_split(&rest, '\n'));
    tk_json_array_end(&json);
    tk_json_key(&json, TK_STR("sections"));
    tk_json_object(&json);
    if (report->section_count > 0)
        qsort(report->sections, report->section_count, sizeof *report->sections, by_size);
    for (size_t i = 0; i < report->section_count; i++) {
        tk_json_key(&json, report->sections[i].name);
        tk_json_uint(&json, report->sections[i].bytes);
    }
    tk_json_object_end(&json);
    tk_json_object_end(&json);
    (void)printf("%.*s\n", TK_STR_ARG(tk_buf_str(&out)));
    tk_buf_release(&out);
}

static void
print_text(const struct tk_embedded_check *check, bool good)
{
    (void)printf("segments %llu, groups %llu, spans %llu, log records %llu\n",
                 (unsigned long long)check->segments, (unsigned long long)check->groups,
                 (unsigned long long)check->spans, (unsigned long long)check->log_records);
    if (good)
        (void)printf("all is well: checksums, values, indexes\n");
    else
        (void)printf("damaged: %llu parts, %llu whole files\n",
                     (unsigned long long)check->damaged_blocks,
                     (unsigned long long)check->damaged_files);
}

enum tk_exit
tk_cli_check(int argc, char **argv)
{
    struct report report = {0};
    const struct tk_option table[] = {
        {"json", TK_OPTION_BOOL, &report.json, NULL,
         "the counts, and how many bytes each section of the segments has", NULL, NULL},
    };
    struct tk_options options = {.options = table, .option_count = 1};
    static const struct tk_cli_usage usage = {
        .command = "check",
        .usage = "tracekit check DIR [options]",
        .about = "Reads and verifies everything in a data directory, beside a running server or\n"
                 "without one, and changes nothing. Exit status 1: there is damage.",
        .positional_min = 1,
        .positional_max = 1,
    };
    struct tk_embedded_check check = {0};
    struct tk_error err = {0};
    struct tk_arena arena;
    enum tk_exit status = TK_EXIT_GOOD;

    tk_arena_init(&arena, 4096, ARENA_LIMIT);
    tk_buf_init(&report.lines, JSON_LIMIT);
    report.arena = &arena;
    if (!tk_cli_parse(&usage, &options, argc, argv, &arena, &status))
        goto out;
    const char *dir = options.positional[0];
    enum tk_err result = tk_embedded_check(tk_env_host(), dir, note_damage, &report, &check, &err);
    if (result == TK_OK && report.json)
        result = tk_embedded_sections(tk_env_host(), dir, note_section, &report, &err);
    if (result == TK_OK && report.failed)
        result = tk_error_set(&err, TK_ERR_MEMORY, "out of memory");
    if (result != TK_OK) {
        status = tk_cli_fail(result == TK_ERR_NOT_FOUND ? TK_EXIT_USAGE : TK_EXIT_CANNOT_START,
                             "check", "%s", err.message);
        goto out;
    }
    bool good = check.damaged_blocks == 0 && check.damaged_files == 0;
    if (report.json)
        print_json(&report, &check);
    else
        print_text(&check, good);
    status = good ? TK_EXIT_GOOD : TK_EXIT_FINDING;
out:
    free(report.sections);
    tk_buf_release(&report.lines);
    tk_arena_release(&arena);
    return status;
}
