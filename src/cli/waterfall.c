/* waterfall - see waterfall.h. */
#include "cli/waterfall.h"

#include <stdio.h>

enum { NAME_WIDTH_MIN = 28, NAME_WIDTH_MAX = 48, DURATION_WIDTH = 10 };

struct canvas {
    tk_str known_parent;
    uint64_t total_nano; /* never 0 */
    unsigned name_width, bar_width;
    bool colour;
};

static unsigned
service_colour(tk_str service)
{
    static const unsigned colours[] = {36, 35, 33, 34, 32, 96, 95, 93, 94, 92};
    unsigned hash = 2166136261u;
    for (size_t i = 0; i < service.len; i++)
        hash = (hash ^ (unsigned char)service.ptr[i]) * 16777619u;
    return colours[hash % (sizeof colours / sizeof *colours)];
}

static void
print_bar(const struct canvas *canvas, uint64_t offset, uint64_t duration)
{
    double scale = (double)canvas->bar_width / (double)canvas->total_nano;
    unsigned begin = (unsigned)((double)offset * scale);
    unsigned length = (unsigned)((double)duration * scale + 0.5);
    if (begin >= canvas->bar_width)
        begin = canvas->bar_width - 1;
    if (length == 0)
        length = 1;
    if (length > canvas->bar_width - begin)
        length = canvas->bar_width - begin;
    (void)putchar('|');
    for (unsigned i = 0; i < canvas->bar_width; i++)
        (void)putchar(i >= begin && i < begin + length ? '=' : ' ');
    (void)putchar('|');
}

/* The span that a row is about, or NULL. */
static const struct tk_json_node *
span_of(const struct tk_json_node *row, const struct tk_json_node **spans, size_t span_count)
{
    const struct tk_json_node *index = tk_json_get(row, "span");
    uint64_t number = 0;
    if (index->type != TK_JSON_NUMBER || !tk_str_to_u64(index->text, &number) ||
        number >= span_count)
        return NULL;
    return spans[number];
}

static void
print_row(const struct canvas *canvas, const struct tk_json_node *row,
          const struct tk_json_node *span)
{
    char duration[24];
    tk_str service = tk_json_get_str(row, "service");
    unsigned indent = (unsigned)tk_json_get_u64(row, "depth") * 2;
    if (indent > canvas->name_width / 2)
        indent = canvas->name_width / 2;
    bool is_service = tk_str_eq(tk_json_get_str(row, "type"), TK_STR("service"));
    bool error = span != NULL &&
                 tk_str_eq(tk_json_get_str(tk_json_get(span, "status"), "code"), TK_STR("ERROR"));
    bool orphan = span != NULL && tk_json_get(span, "orphan")->type == TK_JSON_TRUE &&
                  !tk_str_eq(tk_json_get_str(span, "parentSpanId"), canvas->known_parent);
    (void)printf("%*s", (int)indent, "");
    if (canvas->colour)
        (void)printf("\033[%s%um", is_service ? "1;" : "", service_colour(service));
    unsigned shown = tk_cli_print(tk_json_get_str(row, "name"), canvas->name_width - indent);
    if (canvas->colour)
        (void)fputs("\033[0m", stdout);
    (void)printf("%*s ", (int)(canvas->name_width - indent - shown), "");
    print_bar(canvas, tk_json_get_u64(row, "offsetNano"), tk_json_get_u64(row, "durationNano"));
    tk_cli_duration(tk_json_get_u64(row, "durationNano"), duration);
    (void)printf(" %*s%s%s\n", DURATION_WIDTH - 1, duration, error ? "  ERROR" : "",
                 orphan ? "  (its parent was not received)" : "");
}

static size_t
count_children(const struct tk_json_node *array)
{
    size_t count = 0;
    for (const struct tk_json_node *node = array->child; node != NULL; node = node->next)
        count++;
    return count;
}

static unsigned
name_width(const struct tk_json_node *rows)
{
    unsigned widest = NAME_WIDTH_MIN;
    for (const struct tk_json_node *row = rows->child; row != NULL; row = row->next) {
        unsigned width = tk_cli_columns(tk_json_get_str(row, "name")) +
                         (unsigned)tk_json_get_u64(row, "depth") * 2;
        widest = width > widest ? width : widest;
    }
    return widest < NAME_WIDTH_MAX ? widest : NAME_WIDTH_MAX;
}

bool
tk_cli_waterfall(const struct tk_json_node *root, tk_str known_parent, struct tk_arena *arena)
{
    const struct tk_json_node *rows = tk_json_get(root, "rows");
    const struct tk_json_node *list = tk_json_get(root, "spans");
    const struct tk_json_node **spans =
        tk_arena_alloc(arena, (count_children(list) + 1) * sizeof(struct tk_json_node *));
    uint64_t total = tk_json_get_u64(root, "durationNano");
    uint64_t shown = tk_json_get_u64(root, "spanCount"),
             failed = tk_json_get_u64(root, "errorCount");
    struct canvas canvas = {.known_parent = known_parent,
                            .total_nano = total > 0 ? total : 1,
                            .colour = tk_cli_colour()};
    char duration[24];
    size_t span_count = 0;
    if (spans == NULL)
        return false;
    for (const struct tk_json_node *span = list->child; span != NULL; span = span->next)
        spans[span_count++] = span;
    canvas.name_width = name_width(rows);
    unsigned taken = canvas.name_width + DURATION_WIDTH + 4;
    canvas.bar_width = tk_cli_width() > taken + 20 ? tk_cli_width() - taken : 20;

    tk_cli_duration(total, duration);
    (void)printf("trace %.*s  %s  %llu span%s  %llu error%s\n",
                 TK_STR_ARG(tk_json_get_str(root, "traceId")), duration, (unsigned long long)shown,
                 shown == 1 ? "" : "s", (unsigned long long)failed, failed == 1 ? "" : "s");
    (void)printf("%-*s %-*s %*s\n", (int)canvas.name_width, "Service", (int)canvas.bar_width + 2,
                 "Timeline", DURATION_WIDTH - 1, "Duration");
    for (const struct tk_json_node *row = rows->child; row != NULL; row = row->next)
        print_row(&canvas, row, span_of(row, spans, span_count));
    return true;
}
