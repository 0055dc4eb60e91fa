#ifndef TK_BENCH_BODIES_H
#define TK_BENCH_BODIES_H
/*
 * bodies - request bodies made once and sent many times, never the same spans twice.
 *
 * A store drops spans that it has already, so each sending gets fresh trace ids (and, in protobuf,
 * the present as its time).  Where they stand is noted when a body is made; a sending copies the
 * body and overwrites them, which costs little beside the copy.
 */
#include "generate.h"
#include "wire/wire.h"

enum tk_patch_kind {
    TK_PATCH_TRACE_ID,  /* the low 8 bytes of a trace id */
    TK_PATCH_TRACE_HEX, /* its last 16 digits */
    TK_PATCH_TIME,      /* fixed64 */
};

struct tk_patch {
    uint32_t offset;
    uint32_t kind; /* enum tk_patch_kind */
    uint64_t value;
};

struct tk_body {
    char *ptr; /* owned */
    size_t len;
    uint32_t span_count;
    uint64_t end_nano;        /* of the span that ends last */
    struct tk_patch *patches; /* owned */
    size_t patch_count;
};

enum tk_err tk_body_make(struct tk_body *body, struct tk_generate *generate, uint32_t span_count,
                         enum tk_format format) TK_MUST_USE;
void tk_body_release(struct tk_body *body);
/* Writes body->len bytes to `to`, as the sending number `sending`, whose last span ends now. */
void tk_body_copy(const struct tk_body *body, uint64_t sending, uint64_t now_nano, char *to);

#endif
