/*
 * numbers - see numbers.h.
 *
 *   rate by name    OVER TIME      MIN    MEAN     MAX    LAST
 *   GET /users      ▁▂▃▅█▃▂      0.1/s   0.4/s   1.2/s   0.2/s
 *
 * More steps than fit are drawn as the largest of those that share a column.
 */
#include "cli/numbers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    NAME_COLUMNS = 44,
    NAME_TEXT_MAX = 1 << 20,
    GRAPH_COLUMNS = 48,
    NUMBER_WIDTH = 9,
    BAR_COLUMNS = 40,
    NUMBER_TEXT = 32,
};

static double
number_of(const struct tk_json_node *node)
{
    char text[64];
    if (node->type != TK_JSON_NUMBER || node->text.len >= sizeof text)
        return NAN;
    (void)snprintf(text, sizeof text, "%.*s", TK_STR_ARG(node->text));
    return strtod(text, NULL);
}

static void
format(double number, tk_str unit, char text[NUMBER_TEXT])
{
    if (isnan(number))
        (void)snprintf(text, NUMBER_TEXT, "-");
    else if (tk_str_eq(unit, TK_STR("ns")) && number >= 0 && number < 0x1p63)
        tk_cli_duration((uint64_t)number, text);
    else
        (void)snprintf(text, NUMBER_TEXT, "%.4g%s", number,
                       tk_str_eq(unit, TK_STR("1/s")) ? "/s" : "");
}

static tk_str
text_of(const struct tk_json_node *value)
{
    switch (value->type) {
    case TK_JSON_NULL:
        return TK_STR("nil");
    case TK_JSON_TRUE:
        return TK_STR("true");
    case TK_JSON_FALSE:
        return TK_STR("false");
    case TK_JSON_ARRAY:
    case TK_JSON_OBJECT:
        return TK_STR("...");
    default:
        return value->text;
    }
}

void
tk_cli_fields(const struct tk_json_node *object, struct tk_buf *to)
{
    for (const struct tk_json_node *one = object->child; one != NULL; one = one->next) {
        tk_str text = text_of(one);
        tk_buf_printf(to, "  %.*s=%.*s", TK_STR_ARG(one->key), TK_STR_ARG(text));
    }
}

/* ---- a line of numbers ---- */

struct line {
    double min, max, sum, last;
    size_t count, steps;
    double graph[GRAPH_COLUMNS]; /* NaN: nothing */
    size_t columns;
};

static struct line
measure(const struct tk_json_node *values)
{
    struct line line = {.min = NAN, .max = NAN, .last = NAN};
    for (const struct tk_json_node *one = values->child; one != NULL; one = one->next)
        line.steps++;
    line.columns = line.steps < GRAPH_COLUMNS ? line.steps : GRAPH_COLUMNS;
    for (size_t i = 0; i < GRAPH_COLUMNS; i++)
        line.graph[i] = NAN;
    size_t step = 0;
    for (const struct tk_json_node *one = values->child; one != NULL; one = one->next, step++) {
        double number = number_of(one), *at = &line.graph[step * line.columns / line.steps];
        if (isnan(number))
            continue;
        line.min = fmin(line.min, number);
        line.max = fmax(line.max, number);
        line.sum += number;
        line.last = number;
        line.count++;
        *at = fmax(*at, number);
    }
    return line;
}

static void
print_graph(const struct line *line)
{
    static const char *const blocks[] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                         "\u2585", "\u2586", "\u2587", "\u2588"};
    double low = line->min < 0 ? line->min : 0, range = line->max - low;
    for (size_t i = 0; i < line->columns; i++) {
        if (isnan(line->graph[i]) || (line->graph[i] == 0 && low == 0))
            (void)fputs(isnan(line->graph[i]) ? " " : "_", stdout);
        else
            (void)fputs(blocks[range > 0 ? (size_t)((line->graph[i] - low) / range * 7.0) : 0],
                        stdout);
    }
}

static void
print_line(const struct line *line, tk_str unit, unsigned indent, unsigned graph_width)
{
    double mean = line->count > 0 ? line->sum / (double)line->count : NAN;
    const double numbers[] = {line->min, mean, line->max, line->last};
    (void)printf("%*s", (int)indent, "");
    print_graph(line);
    (void)printf("%*s", (int)(graph_width - (unsigned)line->columns), "");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char text[NUMBER_TEXT];
        format(numbers[i], unit, text);
        (void)printf(" %*s", NUMBER_WIDTH, text);
    }
    (void)putchar('\n');
}

/* ---- a histogram ---- */

static void
print_histogram(const struct tk_json_node *series, tk_str unit)
{
    const struct tk_json_node *bound = tk_json_get(series, "bounds")->child;
    double most = 0, *totals;
    size_t count = 0;
    for (const struct tk_json_node *one = bound; one != NULL; one = one->next)
        count++;
    (void)putchar('\n');
    if ((totals = calloc(count + 1, sizeof *totals)) == NULL)
        return;
    for (const struct tk_json_node *step = tk_json_get(series, "counts")->child; step != NULL;
         step = step->next) {
        size_t i = 0;
        for (const struct tk_json_node *one = step->child; one != NULL && i < count;
             one = one->next, i++)
            totals[i] += number_of(one);
    }
    for (size_t i = 0; i < count; i++)
        most = fmax(most, totals[i]);
    for (size_t i = 0; i < count; i++, bound = bound->next) {
        char text[NUMBER_TEXT];
        if (totals[i] == 0)
            continue;
        format(number_of(bound), unit, text);
        (void)printf("    < %-9s %9.0f  ", text, totals[i]);
        for (size_t k = 0; k < (size_t)ceil(totals[i] / most * BAR_COLUMNS); k++)
            (void)putchar('=');
        (void)putchar('\n');
    }
    free(totals);
}

/* ---- all of it ---- */

static void
print_times(const struct tk_json_node *answer)
{
    uint64_t ends[] = {tk_json_get_u64(answer, "startTimeUnixNano"),
                       tk_json_get_u64(answer, "endTimeUnixNano")};
    char step[24];
    for (size_t i = 0; i < 2; i++) {
        char text[32];
        time_t seconds = (time_t)(ends[i] / 1000000000u);
        struct tm utc;
        (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", gmtime_r(&seconds, &utc));
        (void)printf("%s%s", text, i == 0 ? " to " : " UTC");
    }
    tk_cli_duration(tk_json_get_u64(answer, "stepNano"), step);
    (void)printf(", steps of %s\n", step);
}

static bool
is_empty(const struct tk_json_node *series)
{
    for (; series != NULL; series = series->next) {
        if (tk_json_get(series, "bounds")->child != NULL ||
            measure(tk_json_get(series, "values")).count > 0)
            return false;
    }
    return true;
}

/* The keys of the labels, or their values. */
static void
append_labels(struct tk_buf *to, const struct tk_json_node *series, bool keys)
{
    const struct tk_json_node *one = tk_json_get(series, "labels")->child;
    for (; one != NULL; one = one->next) {
        tk_buf_append(to, keys ? one->key : text_of(one));
        tk_buf_append(to, one->next != NULL ? TK_STR(", ") : TK_STR(""));
    }
}

/* What all of them are of: "rate by name, kind". */
static tk_str
describe_all(const struct tk_json_node *series, bool one_name, struct tk_buf *to)
{
    tk_buf_clear(to);
    tk_buf_append(to, one_name ? tk_json_get_str(series, "name") : TK_STR("SERIES"));
    if (tk_json_get(series, "labels")->child != NULL)
        tk_buf_append(to, TK_STR(" by "));
    append_labels(to, series, true);
    return tk_buf_str(to);
}

/* "GET /users, server"; with the name in front if it is not that of all. */
static tk_str
describe(const struct tk_json_node *series, bool one_name, struct tk_buf *to)
{
    bool labels = tk_json_get(series, "labels")->child != NULL;
    tk_buf_clear(to);
    if (!one_name || !labels)
        tk_buf_append(to, tk_json_get_str(series, "name"));
    if (!one_name && labels)
        tk_buf_append(to, TK_STR("  "));
    append_labels(to, series, false);
    return tk_buf_str(to);
}

struct layout {
    bool one_name;
    unsigned name_width, graph_width;
};

static struct layout
lay_out(const struct tk_json_node *series, struct tk_buf *text)
{
    struct layout layout = {.one_name = true, .graph_width = 9};
    tk_str name = tk_json_get_str(series, "name");
    for (const struct tk_json_node *one = series; one != NULL; one = one->next)
        layout.one_name = layout.one_name && tk_str_eq(tk_json_get_str(one, "name"), name);
    unsigned widest = tk_cli_columns(describe_all(series, layout.one_name, text));
    for (const struct tk_json_node *one = series; one != NULL; one = one->next) {
        unsigned width = tk_cli_columns(describe(one, layout.one_name, text));
        struct line line = measure(tk_json_get(one, "values"));
        widest = width > widest ? width : widest;
        if (line.columns > layout.graph_width)
            layout.graph_width = (unsigned)line.columns;
    }
    layout.name_width = widest < NAME_COLUMNS ? widest : NAME_COLUMNS;
    return layout;
}

bool
tk_cli_print_numbers(const struct tk_json_node *answer)
{
    const struct tk_json_node *series = tk_json_get(answer, "series")->child;
    const struct tk_json_node *left_out = tk_json_get(answer, "leftOut");
    struct tk_buf text;
    if (is_empty(series))
        return false;
    tk_buf_init(&text, NAME_TEXT_MAX);
    struct layout layout = lay_out(series, &text);
    print_times(answer);
    unsigned used = tk_cli_print(describe_all(series, layout.one_name, &text), layout.name_width);
    (void)printf("%*s%-*s %*s %*s %*s %*s\n", (int)(layout.name_width - used + 2), "",
                 (int)layout.graph_width, "OVER TIME", NUMBER_WIDTH, "MIN", NUMBER_WIDTH, "MEAN",
                 NUMBER_WIDTH, "MAX", NUMBER_WIDTH, "LAST");
    for (; series != NULL; series = series->next) {
        struct line line = measure(tk_json_get(series, "values"));
        used = tk_cli_print(describe(series, layout.one_name, &text), layout.name_width);
        if (tk_json_get(series, "bounds")->child != NULL)
            print_histogram(series, tk_json_get_str(series, "unit"));
        else
            print_line(&line, tk_json_get_str(series, "unit"), layout.name_width - used + 2,
                       layout.graph_width);
    }
    if (left_out->child != NULL)
        (void)fprintf(stderr, "%llu spans of further groups are left out\n",
                      (unsigned long long)tk_json_get_u64(left_out, "spanCount"));
    tk_buf_release(&text);
    return true;
}
