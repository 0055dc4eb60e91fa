#ifndef SIM_REQUEST_H
#define SIM_REQUEST_H
/*
 * request - what clients send: random bodies in every format and encoding, and what is in them.
 */
#include "rng.h"
#include "store/store.h"

/* One span as one request brought it. */
struct copy {
    struct tk_trace_id trace;
    uint64_t span, start_nano, end_nano;
    uint64_t fullness; /* attributes + events + links */
    uint64_t hash;     /* of all of it, as OTLP */
    uint64_t features; /* features.h */
};

enum request_state {
    REQUEST_ASKED,  /* in the queue, or it died with the process: may be there, or not */
    REQUEST_SEEN,   /* nobody was told, but it was seen: there until power is lost */
    REQUEST_ACKED,  /* there */
    REQUEST_FAILED, /* answered with an error: as asked */
    REQUEST_GONE,   /* not there, and never again */
};

struct request {
    uint32_t number, project;
    enum tk_format format;
    enum tk_encoding encoding;
    char *body;
    size_t body_len;
    struct copy *copies; /* [count]; the first is of a span that no other body has */
    uint32_t count;
    const struct request *original; /* sent before with the same body; or NULL */

    enum request_state state;
    bool answered;
    bool durable;  /* acknowledged, and synced for certain */
    bool doubtful; /* the same body is there, but perhaps not from this one */
    uint64_t asked_nano, answered_nano;
};

/* Traces of one project that later requests add to. */
struct pool_trace {
    struct tk_trace_id id;
    uint64_t start_nano;
    uint64_t *spans; /* [span_count] */
    uint32_t span_count, span_capacity;
};
struct pool {
    struct pool_trace *traces;
    uint32_t count, capacity;
};
void pool_release(struct pool *pool);

struct request_shape { /* of a seed's requests */
    uint64_t now_nano;
    uint32_t spans_max;       /* of a usual request */
    uint64_t giant_one_in;    /* 0: never; thousands of spans */
    uint64_t big_text_one_in; /* attributes; 0: never */
    uint64_t days;            /* how far back starts lie */
    bool otlp_only;
};
struct request *request_new(struct rng *rng, struct pool *pool, const struct request_shape *shape,
                            uint32_t project, uint32_t number);
/* The same body once more. */
struct request *request_again(const struct request *original, uint32_t number);
void request_free(struct request *request);
/* As ingest does it.  NULL: out of memory. */
struct tk_batch *request_decode(const struct request *request);

struct copy copy_of_row(const struct tk_batch *batch, uint32_t row, bool hash);

#endif
