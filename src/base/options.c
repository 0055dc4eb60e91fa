/*
 * options - see options.h.
 *
 * The three sources are applied in rising order of worth: file, environment, flags; each simply
 * overwrites what an earlier one set.  The flags are walked twice, because --config says which file
 * comes first.
 */
#include "base/options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONFIG_SIZE_MAX = 1 << 20, NAME_MAX_LEN = 64 };

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"KiB", 1u << 10},
    {"MiB", 1u << 20},
    {"GiB", 1u << 30},
    {"TiB", 1ull << 40},
    {"kB", 1000},
    {"KB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"TB", 1000000000000ull},
    {"K", 1u << 10},
    {"M", 1u << 20},
    {"G", 1u << 30},
};

static const struct unit duration_units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xC2\xB5s", 1000},
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", 60ull * 1000000000},
    {"h", 3600ull * 1000000000},
    {"d", 86400ull * 1000000000},
    {"w", 7 * 86400ull * 1000000000},
};

/* One "12.5unit" off the front of *text; false when there is none or it does not fit 64 bits. */
static bool
take_quantity(tk_str *text, const struct unit *units, size_t unit_count, uint64_t *ret_value)
{
    size_t digits = 0, letters = 0;
    double number = 0, fraction = 0;
    while (digits < text->len &&
           (isdigit((unsigned char)text->ptr[digits]) || text->ptr[digits] == '.')) {
        char c = text->ptr[digits++];
        if (c == '.' && fraction != 0)
            return false;
        if (c == '.') {
            fraction = 1;
            continue;
        }
        number = number * 10 + (c - '0');
        fraction *= 10;
    }
    if (digits == 0 || (digits == 1 && fraction != 0))
        return false;
    while (digits + letters < text->len) {
        char c = text->ptr[digits + letters];
        if (isdigit((unsigned char)c) || c == '.')
            break;
        letters++;
    }
    tk_str name = tk_str_trim((tk_str){text->ptr + digits, letters});
    for (size_t i = 0; i < unit_count; i++) {
        if (!tk_str_eq(name, tk_str_from(units[i].name)))
            continue;
        double value = number / (fraction > 1 ? fraction : 1) * (double)units[i].factor;
        if (value >= 9.2e18)
            return false;
        *ret_value = (uint64_t)(value + 0.5);
        *text = (tk_str){text->ptr + digits + letters, text->len - digits - letters};
        return true;
    }
    return false;
}

bool
tk_parse_size(tk_str text, uint64_t *ret_bytes)
{
    uint64_t bytes;
    text = tk_str_trim(text);
    if (!take_quantity(&text, size_units, sizeof size_units / sizeof *size_units, &bytes) ||
        text.len > 0)
        return false;
    *ret_bytes = bytes;
    return true;
}

bool
tk_parse_duration(tk_str text, uint64_t *ret_nano)
{
    uint64_t sum = 0;
    text = tk_str_trim(text);
    if (tk_str_eq(text, TK_STR("0"))) {
        *ret_nano = 0;
        return true;
    }
    do {
        uint64_t part;
        if (!take_quantity(&text, duration_units, sizeof duration_units / sizeof *duration_units,
                           &part) ||
            part > UINT64_MAX / 2 - sum)
            return false;
        sum += part;
    } while (text.len > 0);
    *ret_nano = sum;
    return true;
}

/* Levenshtein distance; names are short. */
static size_t
distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_LEN + 1];
    size_t b_len = strlen(b);
    if (b_len > NAME_MAX_LEN)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[b_len];
}

const char *
tk_nearest(const char *wrong, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    size_t best = strlen(wrong) / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(wrong, names[i]);
        if (d < best) {
            best = d;
            nearest = names[i];
        }
    }
    return nearest;
}

static const struct tk_option *
find(const struct tk_options *options, tk_str name)
{
    for (size_t i = 0; i < options->option_count; i++)
        if (tk_str_eq(name, tk_str_from(options->options[i].name)))
            return &options->options[i];
    return NULL;
}

static enum tk_err
unknown(const struct tk_options *options, const char *where, tk_str name, struct tk_error *err)
{
    const char *names[TK_OPTION_LIST_MAX];
    char wrong[NAME_MAX_LEN + 1];
    size_t count = 0;
    (void)snprintf(wrong, sizeof wrong, "%.*s", TK_STR_ARG(name));
    for (; count < options->option_count && count < TK_OPTION_LIST_MAX - 2; count++)
        names[count] = options->options[count].name;
    names[count++] = "help";
    names[count++] = "config";
    const char *nearest = tk_nearest(wrong, names, count);
    if (nearest != NULL)
        return tk_error_set(err, TK_ERR_INPUT, "%s%s is unknown; did you mean --%s?", where, wrong,
                            nearest);
    return tk_error_set(err, TK_ERR_INPUT, "%s%s is unknown; --help lists the options", where,
                        wrong);
}

static bool
parse_bool(tk_str text, bool *ret_value)
{
    static const char *const yes[] = {"1", "true", "yes", "on"};
    static const char *const no[] = {"0", "false", "no", "off", ""};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (tk_str_eq_nocase(text, tk_str_from(yes[i])))
            return *ret_value = true, true;
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (tk_str_eq_nocase(text, tk_str_from(no[i])))
            return *ret_value = false, true;
    return false;
}

static bool
is_choice(const char *choices, tk_str text)
{
    tk_str rest = tk_str_from(choices);
    while (rest.len > 0)
        if (tk_str_eq(tk_str_split(&rest, '|'), text))
            return true;
    return false;
}

/* `text` lives as long as the options: argv, the environment, or the arena. NUL-terminated. */
static enum tk_err
set(const struct tk_option *option, const char *where, const char *text, struct tk_error *err)
{
    tk_str value = tk_str_from(text);
    switch (option->type) {
    case TK_OPTION_BOOL:
        if (parse_bool(value, option->to))
            return TK_OK;
        return tk_error_set(err, TK_ERR_INPUT, "%s: \"%s\" is neither true nor false", where, text);
    case TK_OPTION_STRING:
        *(const char **)option->to = text;
        return TK_OK;
    case TK_OPTION_LIST: {
        struct tk_option_list *list = option->to;
        if (list->count == TK_OPTION_LIST_MAX)
            return tk_error_set(err, TK_ERR_INPUT, "%s: more than %d values", where,
                                TK_OPTION_LIST_MAX);
        list->items[list->count++] = text;
        return TK_OK;
    }
    case TK_OPTION_SIZE:
        if (tk_parse_size(value, option->to))
            return TK_OK;
        return tk_error_set(err, TK_ERR_INPUT, "%s: \"%s\" is not a size like 64MiB", where, text);
    case TK_OPTION_DURATION:
        if (tk_parse_duration(value, option->to))
            return TK_OK;
        return tk_error_set(err, TK_ERR_INPUT, "%s: \"%s\" is not a time like 50ms or 15d", where,
                            text);
    case TK_OPTION_NUMBER:
        if (tk_str_to_u64(value, option->to))
            return TK_OK;
        return tk_error_set(err, TK_ERR_INPUT, "%s: \"%s\" is not a number", where, text);
    case TK_OPTION_CHOICE:
        if (is_choice(option->choices, value)) {
            *(const char **)option->to = text;
            return TK_OK;
        }
        return tk_error_set(err, TK_ERR_INPUT, "%s: \"%s\" is not one of %s", where, text,
                            option->choices);
    }
    return tk_error_set(err, TK_ERR_UNSUPPORTED, "%s: unknown type", where);
}

/* From environment or file: a list's values are separated by commas. */
static enum tk_err
set_text(const struct tk_option *option, const char *where, const char *text,
         struct tk_arena *arena, struct tk_error *err)
{
    tk_str rest = tk_str_from(text);
    enum tk_err result = TK_OK;
    if (option->type != TK_OPTION_LIST)
        return set(option, where, text, err);
    ((struct tk_option_list *)option->to)->count = 0;
    while (rest.len > 0 && result == TK_OK) {
        tk_str item = tk_arena_copy(arena, tk_str_trim(tk_str_split(&rest, ',')));
        if (item.ptr == NULL)
            return TK_ERR_MEMORY;
        result = set(option, where, item.ptr, err);
    }
    return result;
}

static enum tk_err
apply_line(struct tk_options *options, const char *path, unsigned line_number, tk_str line,
           struct tk_arena *arena, struct tk_error *err)
{
    tk_str rest = tk_str_trim(line);
    if (tk_str_ends_with(rest, TK_STR("\r")))
        rest.len--;
    if (rest.len == 0 || rest.ptr[0] == '#')
        return TK_OK;
    if (memchr(rest.ptr, '=', rest.len) == NULL)
        return tk_error_set(err, TK_ERR_INPUT, "%s:%u: expected `flag-name = value`", path,
                            line_number);
    tk_str name = tk_str_trim(tk_str_split(&rest, '='));
    tk_str where = tk_arena_printf(arena, "%s:%u: ", path, line_number);
    tk_str value = tk_arena_copy(arena, tk_str_trim(rest));
    if (where.ptr == NULL || value.ptr == NULL)
        return TK_ERR_MEMORY;
    const struct tk_option *option = find(options, name);
    if (option == NULL)
        return unknown(options, where.ptr, name, err);
    where = tk_arena_printf(arena, "%s:%u: %s", path, line_number, option->name);
    return where.ptr != NULL ? set_text(option, where.ptr, value.ptr, arena, err) : TK_ERR_MEMORY;
}

static enum tk_err
apply_file(struct tk_options *options, const char *path, struct tk_arena *arena,
           struct tk_error *err)
{
    enum tk_err result = TK_OK;
    unsigned line_number = 1;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return tk_error_set(err, TK_ERR_INPUT, "--config %s: cannot be read", path);
    char *text = tk_arena_alloc(arena, CONFIG_SIZE_MAX);
    size_t len = text != NULL ? fread(text, 1, CONFIG_SIZE_MAX, file) : 0;
    bool failed = ferror(file) != 0; /* a directory opens, but cannot be read */
    (void)fclose(file);
    if (text == NULL)
        return TK_ERR_MEMORY;
    if (failed)
        return tk_error_set(err, TK_ERR_INPUT, "--config %s: cannot be read", path);
    if (len == CONFIG_SIZE_MAX)
        return tk_error_set(err, TK_ERR_INPUT, "--config %s: larger than 1 MiB", path);
    for (tk_str rest = {text, len}; rest.len > 0 && result == TK_OK; line_number++)
        result = apply_line(options, path, line_number, tk_str_split(&rest, '\n'), arena, err);
    return result;
}

static const char *
env_name(const struct tk_option *option, char name[NAME_MAX_LEN + 16])
{
    if (option->env != NULL)
        return option->env;
    size_t len = (size_t)snprintf(name, NAME_MAX_LEN + 16, "TRACEKIT_%s", option->name);
    for (size_t i = 0; i < len; i++)
        name[i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
    return name;
}

static enum tk_err
apply_environment(struct tk_options *options, struct tk_arena *arena, struct tk_error *err)
{
    for (size_t i = 0; i < options->option_count; i++) {
        char name[NAME_MAX_LEN + 16];
        const char *variable = env_name(&options->options[i], name);
        const char *value = getenv(variable);
        if (value == NULL || value[0] == '\0')
            continue;
        enum tk_err result = set_text(&options->options[i], variable, value, arena, err);
        if (result != TK_OK)
            return result;
    }
    return TK_OK;
}

/* One flag; *at is moved past a value that stands in the next argument. */
static enum tk_err
apply_flag(struct tk_options *options, int argc, char **argv, int *at, struct tk_arena *arena,
           struct tk_error *err)
{
    tk_str rest = {argv[*at] + 2, strlen(argv[*at]) - 2};
    bool has_value = memchr(rest.ptr, '=', rest.len) != NULL;
    tk_str name = tk_str_split(&rest, '=');
    const char *value = has_value ? (rest.ptr != NULL ? rest.ptr : "") : NULL;
    const struct tk_option *option = find(options, name);
    bool is_config = tk_str_eq(name, TK_STR("config"));
    if (option == NULL && !is_config)
        return unknown(options, "--", name, err);
    if (value == NULL && option != NULL && option->type == TK_OPTION_BOOL)
        value = "true";
    if (value == NULL) {
        if (*at + 1 >= argc)
            return tk_error_set(err, TK_ERR_INPUT, "--%.*s needs a value", TK_STR_ARG(name));
        value = argv[++*at];
    }
    if (is_config) {
        options->config = value;
        return TK_OK;
    }
    tk_str where = tk_arena_printf(arena, "--%s", option->name);
    return where.ptr != NULL ? set(option, where.ptr, value, err) : TK_ERR_MEMORY;
}

/* A list that a flag names starts afresh: flags do not add to the file's or the default's. */
static void
clear_named_lists(struct tk_options *options, int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        tk_str rest = tk_str_from(argv[i]);
        if (!tk_str_starts_with(rest, TK_STR("--")))
            continue;
        rest = (tk_str){rest.ptr + 2, rest.len - 2};
        const struct tk_option *option = find(options, tk_str_split(&rest, '='));
        if (option != NULL && option->type == TK_OPTION_LIST)
            ((struct tk_option_list *)option->to)->count = 0;
    }
}

static enum tk_err
apply_flags(struct tk_options *options, int argc, char **argv, struct tk_arena *arena,
            struct tk_error *err)
{
    bool only_positional = false;
    options->positional_count = 0;
    clear_named_lists(options, argc, argv);
    for (int i = 0; i < argc; i++) {
        if (!only_positional && strcmp(argv[i], "--") == 0) {
            only_positional = true;
        } else if (!only_positional &&
                   (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            options->help = true;
        } else if (!only_positional && strncmp(argv[i], "--", 2) == 0) {
            enum tk_err result = apply_flag(options, argc, argv, &i, arena, err);
            if (result != TK_OK)
                return result;
        } else if (!only_positional && argv[i][0] == '-' && argv[i][1] != '\0') {
            return tk_error_set(err, TK_ERR_INPUT, "%s is unknown; options begin with two dashes",
                                argv[i]);
        } else {
            options->positional[options->positional_count++] = argv[i];
        }
    }
    return TK_OK;
}

static bool
asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

enum tk_err
tk_options_parse(struct tk_options *options, int argc, char **argv, struct tk_arena *arena,
                 struct tk_error *err)
{
    enum tk_err result;
    options->positional = tk_arena_alloc(arena, ((size_t)argc + 1) * sizeof(char *));
    if (options->positional == NULL)
        return TK_ERR_MEMORY;
    options->config = getenv("TRACEKIT_CONFIG");
    options->help = asks_for_help(argc, argv);
    if (options->help)
        return TK_OK;
    result = apply_flags(options, argc, argv, arena, err); /* finds --config, and mistakes */
    if (result == TK_OK && options->config != NULL && options->config[0] != '\0')
        result = apply_file(options, options->config, arena, err);
    if (result == TK_OK)
        result = apply_environment(options, arena, err);
    if (result == TK_OK)
        result = apply_flags(options, argc, argv, arena, err);
    return result;
}

void
tk_options_help(const struct tk_options *options, struct tk_buf *out)
{
    for (size_t i = 0; i < options->option_count; i++) {
        const struct tk_option *option = &options->options[i];
        char left[NAME_MAX_LEN * 2];
        (void)snprintf(left, sizeof left, "--%s%s%s", option->name, option->value ? " " : "",
                       option->value ? option->value : "");
        tk_buf_printf(out, "  %-26s %s\n", left, option->help);
    }
    tk_buf_printf(out, "  %-26s %s\n", "--config FILE", "lines of `flag-name = value`");
    tk_buf_printf(out, "  %-26s %s\n", "--help", "this text");
}
