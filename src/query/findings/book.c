/*
 * book - what rules report becomes findings: see rules.h.
 *
 * A finding is one rule, service and peer.  Its words are those of the first report; later ones add
 * spans while they are of the same trace, and traces.
 */
#include "query/findings/rules.h"

#include <stdio.h>

enum { KEY_MAX = 1 << 16, TEXT_MAX = 1 << 14 };

void
tk_book_init(struct tk_book *book, struct tk_arena *arena)
{
    *book = (struct tk_book){.arena = arena};
    tk_intern_init(&book->keys, TK_FINDINGS_MAX);
    tk_intern_init(&book->services, TK_FINDINGS_MAX);
    tk_buf_init(&book->key, KEY_MAX);
}

void
tk_book_release(struct tk_book *book)
{
    tk_intern_release(&book->keys);
    tk_intern_release(&book->services);
    tk_buf_release(&book->key);
}

static tk_str
copy(struct tk_book *book, tk_str text)
{
    tk_str copied = tk_arena_copy(book->arena, text);
    book->out_of_memory = book->out_of_memory || copied.ptr == NULL;
    return copied;
}

/* The snippet with its {words} filled in. */
static tk_str
fill_in(struct tk_book *book, const char *text, const struct tk_report *report)
{
    struct tk_buf out;
    tk_buf_init(&out, TEXT_MAX);
    while (*text != '\0') {
        size_t plain = strcspn(text, "{");
        tk_buf_append(&out, (tk_str){text, plain});
        text += plain;
        if (strncmp(text, "{host}", 6) == 0) {
            tk_buf_append(&out, report->host);
            text += 6;
        } else if (strncmp(text, "{service}", 9) == 0) {
            tk_buf_append(&out, report->service);
            text += 9;
        } else if (*text != '\0') {
            tk_buf_append_char(&out, *text++);
        }
    }
    tk_str filled = copy(book, tk_buf_str(&out));
    tk_buf_release(&out);
    return filled;
}

static tk_str
snippet_for(struct tk_book *book, const struct tk_rule *rule, const struct tk_report *report)
{
    for (const struct tk_snippet *s = rule->snippets; s != NULL && s->language != NULL; s++)
        if (tk_str_eq(report->language, tk_str_from(s->language)))
            return fill_in(book, s->text, report);
    return TK_STR("");
}

static struct tk_finding *
new_finding(struct tk_book *book, const struct tk_rule *rule, const struct tk_report *report,
            const char *message, va_list words)
{
    char text[TEXT_MAX];
    struct tk_finding *finding = tk_arena_zalloc(book->arena, 1, sizeof *finding);
    if (finding == NULL) {
        book->out_of_memory = true;
        return NULL;
    }
    (void)vsnprintf(text, sizeof text, message, words);
    *finding = (struct tk_finding){
        .rule = rule->id,
        .severity = rule->severity,
        .confidence = report->confidence,
        .service = copy(book, report->service),
        .peer = copy(book, report->peer),
        .message = copy(book, tk_str_from(text)),
        .cause = tk_str_from(report->cause != NULL ? report->cause : rule->cause),
        .fix = tk_str_from(report->fix != NULL ? report->fix : rule->fix),
        .language = copy(book, report->language),
        .snippet = snippet_for(book, rule, report),
        .other = {.trace_id = report->other.trace_id,
                  .span_id = report->other.span_id,
                  .service = copy(book, report->other.service),
                  .project = copy(book, report->other.project)},
    };
    return finding;
}

/* The number of the finding that has this report, new or known. */
static bool
find_number(struct tk_book *book, const struct tk_rule *rule, const struct tk_report *report,
            uint32_t *ret_number)
{
    tk_buf_clear(&book->key);
    tk_buf_append(&book->key, tk_str_from(rule->id));
    tk_buf_append_char(&book->key, '\0');
    tk_buf_append(&book->key, report->service);
    tk_buf_append_char(&book->key, '\0');
    tk_buf_append(&book->key, report->peer);
    enum tk_err result =
        book->key.status != TK_OK
            ? book->key.status
            : tk_intern_copy(&book->keys, book->arena, tk_buf_str(&book->key), ret_number);
    book->full = book->full || result == TK_ERR_LIMIT;
    book->out_of_memory = book->out_of_memory || result == TK_ERR_MEMORY;
    return result == TK_OK;
}

void
tk_exam_report(struct tk_exam *exam, const struct tk_rule *rule, const struct tk_report *report,
               const char *message, ...)
{
    struct tk_book *book = exam->book;
    struct tk_trace_id id = exam->trace->trace_id[0];
    uint32_t number, known = book->keys.count;
    if (book->out_of_memory || !find_number(book, rule, report, &number))
        return;
    if (number == known) {
        va_list words;
        va_start(words, message);
        book->finding[number] = new_finding(book, rule, report, message, words);
        va_end(words);
    }
    struct tk_finding *finding = book->finding[number];
    if (finding == NULL)
        return;
    if (report->confidence < finding->confidence)
        finding->confidence = report->confidence;
    if (exam->tree.start_nano > finding->last_seen_nano)
        finding->last_seen_nano = exam->tree.start_nano;
    uint32_t last = finding->trace_count - 1;
    if (finding->trace_count == 0 || !tk_trace_id_eq(finding->last, id)) {
        if (++last < TK_FINDING_TRACES_MAX)
            finding->traces[last] = id;
        finding->trace_count++;
        finding->last = id;
    }
    if (last == 0) {
        if (finding->span_count < TK_FINDING_SPANS_MAX)
            finding->spans[finding->span_count] =
                exam->trace->span_id[tk_exam_row(exam, report->position)];
        finding->span_count++;
    }
}

void
tk_exam_run(struct tk_exam *exam)
{
    for (size_t i = 0; i < tk_rule_count; i++)
        if (!tk_rules[i].by_absence || (exam->settled && exam->whole))
            tk_rules[i].check(exam, &tk_rules[i]);
}
