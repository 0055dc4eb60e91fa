#ifndef TRACEKIT_TEST_H
#define TRACEKIT_TEST_H
/* test - cmocka with what it wants included before it, and what the tests of the library share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <tracekit.h>

/* Sets tracing up with the transport of this test program, without the environment's say. */
void set_up(const tracekit_options *options);

/* A transport: keeps the last body and answers as it is told. */
struct receiver {
    int status;              /* what to answer; 0: no answer */
    const char *retry_after; /* NULL: none */
    char answer[64];
    size_t answer_size;
    void (*on_post)(const tracekit_post *post);
    _Atomic unsigned posts;
    _Atomic unsigned spans; /* of delivered posts */
    uint8_t body[5 << 20];
    size_t body_size;
};

extern struct receiver receiver;

void receive(void *data, const tracekit_post *post, tracekit_answer *answer);

/* What the library said; a line that begins with '\n' before each. */
extern char said[16384];

/* How many spans of the last body have `name`; in *ret_span, *ret_size the last of them. */
unsigned spans_named(const char *name, const uint8_t **ret_span, size_t *ret_size);

/* Walks the fields of a message; false at its end. Fails the test when it is not well-formed. */
struct field {
    uint32_t number, type;
    uint64_t value;      /* of a number */
    const uint8_t *text; /* of bytes, whose size is `value` */
};
bool next_field(const uint8_t **at, const uint8_t *end, struct field *ret_field);

/* Writes `Key = value` lines for the attributes of a message, under its field `number`, values as
 * text. */
const char *attribute_text(const uint8_t *span, size_t size, const char *key);

/* The n-th field with this number; fails when there is none. */
struct field field_of(const uint8_t *message, size_t size, uint32_t number, unsigned nth);
unsigned count_fields(const uint8_t *message, size_t size, uint32_t number);

#endif
