#ifndef SIM_MODEL_H
#define SIM_MODEL_H
/*
 * model - the store as it should be: requests in the order in which they were asked, and nothing
 * else.  A picture is worked out of them by brute force, from the words of store.h.
 *
 * What was asked but not acknowledged may be there or not, but whole: its first span, which no
 * other body has, tells.
 */
#include "request.h"

struct model_project {
    uint32_t id;
    struct pool pool;
    struct request **requests; /* [count]: all that were ever asked */
    uint32_t count, capacity;
    uint32_t dropped;      /* of these the first so many are dropped for good */
    bool lenient;          /* any of what is not dropped for good may be missing, in part too */
    bool drop_asked;       /* not answered when the process died: of the first ... */
    uint32_t drop_asks;    /* ... so many */
    uint64_t dropped_nano; /* when the last drop was answered; 0: it is durable */
};

struct model {
    struct model_project projects[4]; /* [project_count] */
    uint32_t project_count, request_count;
    bool async; /* acknowledged before it is synced */
};

void model_init(struct model *model, uint32_t project_count, bool async);
void model_release(struct model *model);
void model_ask(struct model *model, struct request *request); /* takes it over */
void model_answer(struct model *model, struct request *request, enum tk_err code, uint64_t now);
/* All that is visible is on disk for good. */
void model_sealed(struct model *model);
/* The process died (with the power?), or ended by itself (`ended`) after syncs had failed. */
void model_died(struct model *model, bool power, bool syncs_failed, uint64_t now);
void model_dropped(struct model_project *project, uint32_t asks, uint64_t now, bool durable);

/* Was the same body sent otherwise, too?  Then one cannot tell which of them is there. */
bool model_has_twin(const struct model_project *project, const struct request *request);

/* What is so old that it may be gone. */
struct ages {
    uint64_t expired_nano;   /* what ended before this; 0: nothing */
    uint64_t thinned_nano;   /* the same, of traces that thinning does not keep... */
    uint64_t thin_threshold; /* ...by their id (store/thin.h), or for an error */
};
bool model_may_be_gone(const struct ages *ages, const struct request *request,
                       const struct copy *copy);

/*
 * What a view opened now must show.  A copy is optional when nobody can say whether it is there:
 * it may have been lost, or it was so old that it may be gone.
 */
struct expected_span {
    uint64_t id;
    uint32_t first, count; /* of `allowed` */
    bool must;             /* be there */
};
struct expected_trace {
    struct tk_trace_id id;
    uint64_t start_nano, end_nano; /* over all copies */
    uint64_t start_max, end_min;   /* over those that must be there */
    uint32_t first, count;         /* of `spans`, by id */
    bool must;
};
struct picture {
    uint32_t project;
    bool loose; /* something is optional */
    bool all_optional;
    struct expected_trace *traces; /* [trace_count]; in the order of a scan */
    uint32_t *by_id;               /* [trace_count]; numbers of traces */
    struct expected_span *spans;
    const struct copy **allowed;
    uint32_t trace_count, span_count;
    uint32_t told_count; /* spans, and those told again with another start: they may count twice */
};
struct picture_options {
    bool may_miss; /* anything */
    struct ages ages;
    enum request_state *states; /* [project->count]: of before the view was opened */
    /* Is it there?  Asked about what was never acknowledged. */
    bool (*is_there)(void *arg, const struct request *request);
    void *arg;
};
enum request_state *picture_states(const struct model_project *project);
struct picture *picture_new(const struct model_project *project,
                            const struct picture_options *options);
void picture_free(struct picture *picture);
/* NULL: not there. */
const struct expected_trace *picture_find(const struct picture *picture, struct tk_trace_id id);

#endif
