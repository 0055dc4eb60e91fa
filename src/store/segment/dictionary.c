/*
 * dictionary - see dictionary.h.
 *
 * Most values are short, and most repeat: the one before, or one that is known.  So a value is
 * compared with the last one first, without a call, and hashed once.
 */
#include "store/segment/dictionary.h"

#include <stdlib.h>

enum {
    SLOTS_MIN = 64,
    CAPACITY_MIN = 32,
    DISTINCT_MIN = 1024, /* below it nothing is mostly distinct */
};

struct tk_dictionary_slot {
    uint32_t tag;  /* of the hash */
    uint32_t code; /* + 1; 0: free */
};

void
tk_dictionary_init(struct tk_dictionary_builder *dictionary, bool of_numbers)
{
    *dictionary = (struct tk_dictionary_builder){.of_numbers = of_numbers};
}

void
tk_dictionary_release(struct tk_dictionary_builder *dictionary)
{
    free(dictionary->texts);
    free(dictionary->numbers);
    free(dictionary->order);
    free(dictionary->_slots);
    tk_dictionary_init(dictionary, dictionary->of_numbers);
}

static void
give_up(struct tk_dictionary_builder *dictionary)
{
    uint64_t value_count = dictionary->value_count;
    tk_dictionary_release(dictionary);
    dictionary->gave_up = true;
    dictionary->value_count = value_count;
}

static uint64_t
hash_number(uint64_t number)
{
    return tk_hash((tk_str){(const char *)&number, sizeof number});
}

static uint64_t
hash_of(const struct tk_dictionary_builder *dictionary, uint32_t code)
{
    return dictionary->of_numbers ? hash_number(dictionary->numbers[code])
                                  : tk_hash(dictionary->texts[code]);
}

static bool
grow_slots(struct tk_dictionary_builder *dictionary)
{
    uint32_t slot_count = dictionary->_slot_count > 0 ? dictionary->_slot_count * 4 : SLOTS_MIN;
    struct tk_dictionary_slot *slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL)
        return false;
    for (uint32_t code = 0; code < dictionary->count; code++) {
        uint64_t hash = hash_of(dictionary, code);
        uint32_t at = (uint32_t)hash & (slot_count - 1);
        while (slots[at].code != 0)
            at = (at + 1) & (slot_count - 1);
        slots[at] = (struct tk_dictionary_slot){(uint32_t)(hash >> 32), code + 1};
    }
    free(dictionary->_slots);
    dictionary->_slots = slots;
    dictionary->_slot_count = slot_count;
    return true;
}

static bool
grow_values(struct tk_dictionary_builder *dictionary)
{
    uint32_t capacity = dictionary->_capacity > 0 ? dictionary->_capacity * 2 : CAPACITY_MIN;
    if (dictionary->of_numbers) {
        uint64_t *numbers = realloc(dictionary->numbers, capacity * sizeof *numbers);
        if (numbers == NULL)
            return false;
        dictionary->numbers = numbers;
    } else {
        tk_str *texts = realloc(dictionary->texts, capacity * sizeof *texts);
        if (texts == NULL)
            return false;
        dictionary->texts = texts;
    }
    dictionary->_capacity = capacity;
    return true;
}

static bool
is_too_much(const struct tk_dictionary_builder *dictionary, size_t more)
{
    if (dictionary->of_numbers)
        return dictionary->count >= TK_DICTIONARY_NUMBERS_MAX;
    return dictionary->count >= TK_DICTIONARY_MAX ||
           dictionary->_bytes + more > TK_DICTIONARY_BYTES_MAX ||
           (dictionary->count >= DISTINCT_MIN && dictionary->count > dictionary->value_count / 2);
}

/* Makes room for one value more, of which `more` bytes are text, unless it is too much. */
static enum tk_err
make_room(struct tk_dictionary_builder *dictionary, size_t more)
{
    if (is_too_much(dictionary, more)) {
        give_up(dictionary);
        return TK_OK;
    }
    if (dictionary->count == dictionary->_capacity && !grow_values(dictionary))
        return TK_ERR_MEMORY;
    if (dictionary->count >= dictionary->_slot_count / 2 && !grow_slots(dictionary))
        return TK_ERR_MEMORY;
    dictionary->_bytes += more;
    return TK_OK;
}

/* The newest value gets its slot. */
static uint32_t
add_newest(struct tk_dictionary_builder *dictionary, uint64_t hash)
{
    uint32_t mask = dictionary->_slot_count - 1, at = (uint32_t)hash & mask;
    while (dictionary->_slots[at].code != 0)
        at = (at + 1) & mask;
    dictionary->_last = dictionary->count++;
    dictionary->_slots[at] = (struct tk_dictionary_slot){(uint32_t)(hash >> 32), dictionary->count};
    return dictionary->_last;
}

enum tk_err
tk_dictionary_text(struct tk_dictionary_builder *dictionary, tk_str text, uint32_t *ret_code)
{
    dictionary->value_count++;
    if (dictionary->gave_up)
        return TK_OK;
    if (dictionary->count > 0 && tk_name_eq(dictionary->texts[dictionary->_last], text)) {
        *ret_code = dictionary->_last;
        return TK_OK;
    }
    uint64_t hash = tk_hash(text);
    if (dictionary->count > 0) {
        uint32_t mask = dictionary->_slot_count - 1, tag = (uint32_t)(hash >> 32);
        const struct tk_dictionary_slot *slots = dictionary->_slots;
        for (uint32_t at = (uint32_t)hash & mask; slots[at].code != 0; at = (at + 1) & mask)
            if (slots[at].tag == tag && tk_name_eq(dictionary->texts[slots[at].code - 1], text)) {
                *ret_code = dictionary->_last = slots[at].code - 1;
                return TK_OK;
            }
    }
    enum tk_err code = make_room(dictionary, text.len);
    if (code != TK_OK || dictionary->gave_up)
        return code;
    dictionary->texts[dictionary->count] = text;
    *ret_code = add_newest(dictionary, hash);
    return TK_OK;
}

enum tk_err
tk_dictionary_number(struct tk_dictionary_builder *dictionary, uint64_t number, uint32_t *ret_code)
{
    dictionary->value_count++;
    if (dictionary->gave_up)
        return TK_OK;
    if (dictionary->count > 0 && dictionary->numbers[dictionary->_last] == number) {
        *ret_code = dictionary->_last;
        return TK_OK;
    }
    uint64_t hash = hash_number(number);
    if (dictionary->count > 0) {
        uint32_t mask = dictionary->_slot_count - 1;
        const struct tk_dictionary_slot *slots = dictionary->_slots;
        for (uint32_t at = (uint32_t)hash & mask; slots[at].code != 0; at = (at + 1) & mask)
            if (dictionary->numbers[slots[at].code - 1] == number) {
                *ret_code = dictionary->_last = slots[at].code - 1;
                return TK_OK;
            }
    }
    enum tk_err code = make_room(dictionary, 0);
    if (code != TK_OK || dictionary->gave_up)
        return code;
    dictionary->numbers[dictionary->count] = number;
    *ret_code = add_newest(dictionary, hash);
    return TK_OK;
}

/* ---- sorting ----------------------------------------------------------------------------------
 */

struct sorted {
    union {
        tk_str text;
        uint64_t number;
    };
    uint32_t code;
};

static int
compare_texts(const void *a, const void *b)
{
    return tk_str_cmp(((const struct sorted *)a)->text, ((const struct sorted *)b)->text);
}

static int
compare_numbers(const void *a, const void *b)
{
    uint64_t x = ((const struct sorted *)a)->number, y = ((const struct sorted *)b)->number;
    return (x > y) - (x < y);
}

enum tk_err
tk_dictionary_sort(struct tk_dictionary_builder *dictionary)
{
    uint32_t count = dictionary->count;
    struct sorted *sorted = malloc(((size_t)count + 1) * sizeof *sorted);
    dictionary->order = malloc(((size_t)count + 1) * sizeof *dictionary->order);
    if (sorted == NULL || dictionary->order == NULL) {
        free(sorted);
        return TK_ERR_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        sorted[i].code = i;
        if (dictionary->of_numbers)
            sorted[i].number = dictionary->numbers[i];
        else
            sorted[i].text = dictionary->texts[i];
    }
    qsort(sorted, count, sizeof *sorted, dictionary->of_numbers ? compare_numbers : compare_texts);
    for (uint32_t i = 0; i < count; i++) {
        dictionary->order[sorted[i].code] = i;
        if (dictionary->of_numbers)
            dictionary->numbers[i] = sorted[i].number;
        else
            dictionary->texts[i] = sorted[i].text;
    }
    free(sorted);
    return TK_OK;
}
