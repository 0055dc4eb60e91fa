#ifndef TK_STORE_DICTIONARY_H
#define TK_STORE_DICTIONARY_H
/*
 * dictionary - equal values of a column become one code, until there are too many different ones.
 *
 * Codes are given in order of first sight; tk_dictionary_sort says which one a code becomes in the
 * order of the file.  Keeps views of texts.  Not thread-safe.
 */
#include "store/segment/columns.h"

struct tk_dictionary_builder {
    bool of_numbers;
    bool gave_up; /* too many: the column has none */
    uint32_t count;
    tk_str *texts;     /* [count] */
    uint64_t *numbers; /* [count], instead */
    uint32_t *order;   /* [count], once sorted: code -> place; NULL before */
    uint64_t value_count;
    size_t _bytes; /* of text */
    uint32_t _last, _capacity, _slot_count;
    struct tk_dictionary_slot *_slots;
};

void tk_dictionary_init(struct tk_dictionary_builder *dictionary, bool of_numbers);
void tk_dictionary_release(struct tk_dictionary_builder *dictionary);
/* Sets *ret_code unless it gave up, now or before. */
enum tk_err tk_dictionary_text(struct tk_dictionary_builder *dictionary, tk_str text,
                               uint32_t *ret_code) TK_MUST_USE;
enum tk_err tk_dictionary_number(struct tk_dictionary_builder *dictionary, uint64_t number,
                                 uint32_t *ret_code) TK_MUST_USE;
/* Sorts texts or numbers, and makes `order`. */
enum tk_err tk_dictionary_sort(struct tk_dictionary_builder *dictionary) TK_MUST_USE;

#endif
