#ifndef TK_STORE_TEXTS_WORDS_H
#define TK_STORE_TEXTS_WORDS_H
/*
 * texts_words - texts that are made alike (paths, keys, addresses), cut into words and numbers; and
 * what texts.c shares with it.  docs/formats/segment.md, "Numbers and texts".
 */
#include "store/segment/numbers.h"

/* Texts, each once, in order of their first place. */
struct tk_distinct {
    tk_str *texts;   /* [count] */
    uint64_t *which; /* for each of all: its number */
    uint32_t count;
};
/* False, and nothing to release: out of memory. */
bool tk_distinct_make(const tk_str *texts, uint32_t count, struct tk_distinct *ret_distinct);
void tk_distinct_release(struct tk_distinct *distinct);

/* Which of the texts are wanted. */
struct tk_texts_part {
    uint32_t begin, count;
};

/* False, and nothing put: they are not alike. */
bool tk_words_put(const tk_str *texts, uint32_t count, struct tk_buf *out);
enum tk_err tk_words_get(struct tk_reader *in, uint32_t count, struct tk_texts_part part,
                         size_t bytes_max, struct tk_arena *arena, tk_str *texts) TK_MUST_USE;
/* Texts in texts: of codecs that have none in them. */
enum tk_err tk_texts_get_simple(struct tk_reader *in, uint32_t count, size_t bytes_max,
                                struct tk_arena *arena, tk_str *texts) TK_MUST_USE;
enum tk_err tk_numbers_get(struct tk_reader *in, uint32_t count, uint64_t *numbers) TK_MUST_USE;

#endif
