#ifndef TK_RETRY_H
#define TK_RETRY_H
/* retry - what to do after an answer: OTLP/HTTP's rules. Try again only when the server may
 * recover. */
#include <stdint.h>
#include <time.h>

enum {
    TK_ATTEMPTS_MAX = 5,
    TK_DELAY_MS_INITIAL = 1000,
    TK_DELAY_MS_MAX = 60000,
};

enum tk_outcome { TK_DELIVERED, TK_RETRY, TK_DROP };

/* `status` of HTTP; 0: there was no answer. */
enum tk_outcome tk_retry_outcome(int status);

/* How long to wait after the attempt-th try. `retry_after` is the header or ""; `chance` is from 0
 * to 1. */
int tk_retry_delay_ms(int attempt, const char *retry_after, int64_t now_unix_ms, double chance);

/* How many spans of a delivered request the server refused; its message, cut off, goes into
 * `ret_message`. */
uint64_t tk_retry_rejected(const void *answer, size_t size, char ret_message[256]);

#endif
