#ifndef TK_CONTEXT_H
#define TK_CONTEXT_H
/* context - traceparent, tracestate and baggage: W3C Trace Context level 2, W3C Baggage. */
#include <tracekit.h>

enum {
    TK_FLAG_SAMPLED = 1,
    TK_FLAG_RANDOM = 2, /* the last seven bytes of the trace id are random */
    TK_TRACEPARENT_SIZE = 55,
    TK_TRACESTATE_MEMBERS_MAX = 32,
    TK_TRACESTATE_KEY_MAX = 256,
    TK_TRACESTATE_VALUE_MAX = 256,
    TK_TRACESTATE_LONG_MEMBER = 128, /* members longer than that go first */
    TK_BAGGAGE_MEMBERS_MAX = 64,
};

/* Lower-case hexadecimal; `to` gets two characters a byte and no NUL. */
void tk_hex(char *to, const uint8_t *bytes, size_t size);

/* Writes the 55 characters and a NUL. */
void tk_traceparent_write(char to[TK_TRACEPARENT_SIZE + 1], const uint8_t trace_id[16],
                          const uint8_t span_id[8], uint8_t flags);

/* Whether it is a token of RFC 9110. */
bool tk_baggage_valid_key(const char *key);

/*
 * Reads baggage members into a list of `size` bytes that has room for TRACEKIT_BAGGAGE_MAX; gives
 * the new size. Of members with one key the last value stays, in the first place; what is not
 * well-formed is left out alone.
 */
size_t tk_baggage_append(char *list, size_t size, const char *members, size_t members_size);

/* Sets a key's value, NULL to take it away; gives the new size, or -1 when it does not fit. */
long tk_baggage_set(char list[TRACEKIT_BAGGAGE_MAX], size_t size, const char *key,
                    const char *value);

/* Writes the decoded value, with a NUL, as far as it fits; gives its size, or -1 when it is not
 * there. */
long tk_baggage_get(const char *list, size_t size, const char *key, char *to, size_t capacity);

#endif
