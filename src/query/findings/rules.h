#ifndef TK_QUERY_FINDINGS_RULES_H
#define TK_QUERY_FINDINGS_RULES_H
/*
 * rules - the table of rules, and the book they report to.
 *
 * A rule goes once over what it needs of the exam and reports each span that shows the fault.  It
 * says nothing where a healthy set-up looks the same.  A new one is a function in rules_calls.c or
 * rules_spans.c, a row of the table, and a paragraph in docs/findings.md; test_rules.c wants a
 * faulty trace and its healthy twin.
 */
#include "base/intern.h"
#include "query/findings/exam.h"

struct tk_snippet {
    const char *language; /* telemetry.sdk.language; NULL ends a list */
    const char *text;     /* {host} and {service} stand for those of the report */
};

struct tk_rule {
    const char *id; /* also the anchor in docs/findings.md */
    enum tk_severity severity;
    bool by_absence; /* what is missing proves it: of settled, whole traces only */
    void (*check)(struct tk_exam *exam, const struct tk_rule *rule);
    const char *cause, *fix;
    const struct tk_snippet *snippets;
};

extern const struct tk_rule tk_rules[];
extern const size_t tk_rule_count;

/* What a rule says of one span.  Reports of one rule, service and peer are one finding. */
struct tk_report {
    uint32_t position; /* the evidence */
    enum tk_confidence confidence;
    tk_str service, language; /* whose set-up has to change */
    tk_str peer, host;
    struct tk_finding_other other; /* views are copied */
    const char *cause, *fix;       /* NULL: the rule's */
};
/* The message as printf; it is formatted for the first report of a finding only. */
void tk_exam_report(struct tk_exam *exam, const struct tk_rule *rule,
                    const struct tk_report *report, const char *message, ...) TK_PRINTF(4, 5);

/* A report on the service of a span. */
static inline struct tk_report
tk_report_at(const struct tk_exam *exam, uint32_t position, enum tk_confidence confidence)
{
    return (struct tk_report){.position = position,
                              .confidence = confidence,
                              .service = tk_exam_service(exam, position),
                              .language = tk_exam_language(exam, position)};
}

/* rules_calls.c */
void tk_check_not_target(struct tk_exam *exam, const struct tk_rule *rule);
void tk_check_same_origin_default(struct tk_exam *exam, const struct tk_rule *rule);
void tk_check_cors_refused(struct tk_exam *exam, const struct tk_rule *rule);
void tk_check_backend_silent(struct tk_exam *exam, const struct tk_rule *rule);
void tk_check_not_extracted(struct tk_exam *exam, const struct tk_rule *rule);
void tk_check_header_stripped(struct tk_exam *exam, const struct tk_rule *rule);
void tk_check_raw_client(struct tk_exam *exam, const struct tk_rule *rule);
/* rules_spans.c */
void tk_check_continues_elsewhere(struct tk_exam *exam, const struct tk_rule *rule);
void tk_check_parent_elsewhere(struct tk_exam *exam, const struct tk_rule *rule);
void tk_check_shared_name(struct tk_exam *exam, const struct tk_rule *rule);
void tk_check_missing_root(struct tk_exam *exam, const struct tk_rule *rule);
void tk_check_broken_parent(struct tk_exam *exam, const struct tk_rule *rule);
void tk_check_clock_skew(struct tk_exam *exam, const struct tk_rule *rule);
void tk_check_async(struct tk_exam *exam, const struct tk_rule *rule);
void tk_check_late_spans(struct tk_exam *exam, const struct tk_rule *rule);
void tk_check_sampling(struct tk_exam *exam, const struct tk_rule *rule);

/* All findings of one question. */
struct tk_book {
    struct tk_arena *arena;
    struct tk_intern keys; /* of findings, by number */
    struct tk_finding *finding[TK_FINDINGS_MAX];
    struct tk_buf key;         /* the one being looked up */
    struct tk_intern services; /* the first TK_FINDINGS_MAX seen */
    struct tk_language {       /* each was first seen with */
        tk_str language;
        struct tk_finding_other where;
    } language[TK_FINDINGS_MAX];
    bool full, out_of_memory;
};
void tk_book_init(struct tk_book *book, struct tk_arena *arena);
void tk_book_release(struct tk_book *book);
/* All rules, or those that may be asked of it. */
void tk_exam_run(struct tk_exam *exam);

#endif
