/* One table per command: flags, environment, file and help from one place. */
#include "base/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct values {
    bool dev;
    const char *data;
    struct tk_option_list listen;
    uint64_t memory, retention, threads;
    const char *fsync;
};

struct parsed {
    struct values values;
    struct tk_options options;
    struct tk_option table[7];
    struct tk_arena arena;
    struct tk_error err;
    enum tk_err result;
};

/* Parses `line`, words separated by spaces. The caller releases the arena. */
static struct parsed *
parse(const char *line)
{
    static struct parsed p;
    static char text[4096];
    char *argv[64];
    int argc = 0;
    memset(&p, 0, sizeof p);
    p.values = (struct values){.data = "default", .listen = {{"a:1"}, 1}, .fsync = "group"};
    const struct tk_option table[] = {
        {"dev", TK_OPTION_BOOL, &p.values.dev, NULL, "help", NULL, NULL},
        {"data", TK_OPTION_STRING, &p.values.data, "DIR", "help", NULL, NULL},
        {"listen", TK_OPTION_LIST, &p.values.listen, "HOST:PORT", "help", NULL, NULL},
        {"memory", TK_OPTION_SIZE, &p.values.memory, "SIZE", "help", NULL, NULL},
        {"retention", TK_OPTION_DURATION, &p.values.retention, "TIME", "help", NULL, NULL},
        {"threads", TK_OPTION_NUMBER, &p.values.threads, "N", "help", NULL, NULL},
        {"fsync", TK_OPTION_CHOICE, &p.values.fsync, "HOW", "help", "always|group", NULL},
    };
    memcpy(p.table, table, sizeof table);
    p.options = (struct tk_options){.options = p.table, .option_count = 7};
    tk_arena_init(&p.arena, 1024, 4 << 20);
    (void)snprintf(text, sizeof text, "%s", line);
    char *rest = NULL;
    for (char *w = strtok_r(text, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest))
        argv[argc++] = w;
    p.result = tk_options_parse(&p.options, argc, argv, &p.arena, &p.err);
    return &p;
}

static void
flags_take_values_in_the_next_word_or_behind_an_equals_sign(void **state)
{
    (void)state;
    struct parsed *p = parse("create --data=/d --memory 64MiB --dev --retention 15d web");
    assert_int_equal(p->result, TK_OK);
    assert_string_equal(p->values.data, "/d");
    assert_int_equal(p->values.memory, 64 << 20);
    assert_int_equal(p->values.retention, 15ull * 86400 * 1000000000);
    assert_true(p->values.dev);
    assert_int_equal(p->options.positional_count, 2);
    assert_string_equal(p->options.positional[1], "web");
    tk_arena_release(&p->arena);
}

static void
a_list_takes_all_values_and_replaces_the_default(void **state)
{
    (void)state;
    struct parsed *p = parse("--listen x:1 --listen y:2");
    assert_int_equal(p->result, TK_OK);
    assert_int_equal(p->values.listen.count, 2);
    assert_string_equal(p->values.listen.items[1], "y:2");
    tk_arena_release(&p->arena);
    p = parse("");
    assert_int_equal(p->values.listen.count, 1);
    assert_string_equal(p->values.listen.items[0], "a:1");
    tk_arena_release(&p->arena);
}

static void
flag_beats_environment_beats_file_beats_default(void **state)
{
    (void)state;
    char path[] = "/tmp/tk-options-XXXXXX", line[128];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    const char text[] =
        "# comment\n data = file \nmemory = 1MiB\r\nlisten = p:1, q:2\n\ndev = yes\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    (void)close(fd);
    (void)snprintf(line, sizeof line, "--config %s", path);
    struct parsed *p = parse(line);
    assert_int_equal(p->result, TK_OK);
    assert_string_equal(p->values.data, "file");
    assert_int_equal(p->values.memory, 1 << 20);
    assert_int_equal(p->values.listen.count, 2);
    assert_string_equal(p->values.listen.items[1], "q:2");
    assert_true(p->values.dev);
    tk_arena_release(&p->arena);
    assert_int_equal(setenv("TRACEKIT_DATA", "environment", 1), 0);
    p = parse(line);
    assert_string_equal(p->values.data, "environment");
    tk_arena_release(&p->arena);
    (void)snprintf(line, sizeof line, "--data flag --config %s --dev=false", path);
    p = parse(line);
    assert_string_equal(p->values.data, "flag");
    assert_false(p->values.dev);
    tk_arena_release(&p->arena);
    assert_int_equal(unsetenv("TRACEKIT_DATA"), 0);
    (void)unlink(path);
}

static void
an_unknown_flag_is_an_error_that_names_the_nearest(void **state)
{
    (void)state;
    struct parsed *p = parse("--dataa x");
    assert_int_equal(p->result, TK_ERR_INPUT);
    assert_string_equal(p->err.message, "--dataa is unknown; did you mean --data?");
    tk_arena_release(&p->arena);
    p = parse("--zzzzzzzzzzzz");
    assert_int_equal(p->result, TK_ERR_INPUT);
    assert_non_null(strstr(p->err.message, "--help"));
    tk_arena_release(&p->arena);
    p = parse("-d");
    assert_int_equal(p->result, TK_ERR_INPUT);
    tk_arena_release(&p->arena);
}

static void
bad_values_say_which_flag_and_what_would_be_right(void **state)
{
    (void)state;
    static const char *const lines[][2] = {
        {"--memory lots", "64MiB"},        {"--retention soon", "15d"}, {"--threads -1", "number"},
        {"--fsync never", "always"},       {"--dev=perhaps", "true"},   {"--data", "needs a value"},
        {"--memory 99999999TiB", "64MiB"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct parsed *p = parse(lines[i][0]);
        assert_int_equal(p->result, TK_ERR_INPUT);
        assert_non_null(strstr(p->err.message, lines[i][1]));
        tk_arena_release(&p->arena);
    }
}

static void
two_dashes_end_the_flags_and_help_wins_over_mistakes(void **state)
{
    (void)state;
    struct parsed *p = parse("-- --data x");
    assert_int_equal(p->result, TK_OK);
    assert_int_equal(p->options.positional_count, 2);
    assert_string_equal(p->options.positional[0], "--data");
    tk_arena_release(&p->arena);
    p = parse("--wrong --help");
    assert_int_equal(p->result, TK_OK);
    assert_true(p->options.help);
    tk_arena_release(&p->arena);
}

static void
sizes_and_times_are_read_as_people_write_them(void **state)
{
    (void)state;
    uint64_t value;
    assert_true(tk_parse_size(TK_STR("1.5KiB"), &value) && value == 1536);
    assert_true(tk_parse_size(TK_STR("10 MB"), &value) && value == 10000000);
    assert_true(tk_parse_size(TK_STR("512"), &value) && value == 512);
    assert_false(tk_parse_size(TK_STR("1.2.3MB"), &value));
    assert_false(tk_parse_size(TK_STR("MB"), &value));
    assert_false(tk_parse_size(TK_STR(""), &value));
    assert_true(tk_parse_duration(TK_STR("1h30m"), &value) && value == 5400ull * 1000000000);
    assert_true(tk_parse_duration(TK_STR("10us"), &value) && value == 10000);
    assert_true(tk_parse_duration(TK_STR("0"), &value) && value == 0);
    assert_false(tk_parse_duration(TK_STR("10"), &value));
    assert_false(tk_parse_duration(TK_STR("ten seconds"), &value));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_take_values_in_the_next_word_or_behind_an_equals_sign),
        cmocka_unit_test(a_list_takes_all_values_and_replaces_the_default),
        cmocka_unit_test(flag_beats_environment_beats_file_beats_default),
        cmocka_unit_test(an_unknown_flag_is_an_error_that_names_the_nearest),
        cmocka_unit_test(bad_values_say_which_flag_and_what_would_be_right),
        cmocka_unit_test(two_dashes_end_the_flags_and_help_wins_over_mistakes),
        cmocka_unit_test(sizes_and_times_are_read_as_people_write_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
