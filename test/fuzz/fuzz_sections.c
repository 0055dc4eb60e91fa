/*
 * The readers of what segments are made of, each for itself: the first byte says which, the second
 * how many values there are.  What they let through is written again and read again: the same.
 */
#include "base/assert.h"
#include "store/segment/counts.h"
#include "store/segment/numbers.h"
#include "store/segment/summary.h"
#include "store/segment/value_index.h"

#include <stdlib.h>

enum { GROUPS_MAX = 128, LIMIT = 1 << 26 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_numbers(tk_str in, uint32_t count)
{
    uint64_t *numbers = malloc(count * sizeof *numbers + 1);
    uint64_t *again = malloc(count * sizeof *again + 1);
    struct tk_buf out;
    if (tk_numbers_decode(&in, count, numbers) == TK_OK) {
        tk_buf_init(&out, LIMIT);
        tk_numbers_encode(numbers, count, 1, &out);
        tk_str rest = tk_buf_str(&out);
        TK_ASSERT(tk_numbers_decode(&rest, count, again) == TK_OK && rest.len == 0);
        TK_ASSERT(memcmp(numbers, again, count * sizeof *numbers) == 0);
        tk_buf_release(&out);
    }
    free(numbers);
    free(again);
}

static void
read_texts(tk_str in, uint32_t count)
{
    tk_str *texts = malloc(count * sizeof *texts + 1), *again = malloc(count * sizeof *again + 1);
    struct tk_arena arena;
    struct tk_buf out;
    tk_arena_init(&arena, 4096, LIMIT);
    if (tk_texts_decode(&in, count, 1 << 20, &arena, texts) == TK_OK) {
        tk_buf_init(&out, LIMIT);
        tk_texts_encode(texts, count, 1, &out);
        tk_str rest = tk_buf_str(&out);
        TK_ASSERT(tk_texts_decode(&rest, count, 1 << 20, &arena, again) == TK_OK && rest.len == 0);
        for (uint32_t i = 0; i < count; i++)
            TK_ASSERT(tk_str_eq(texts[i], again[i]));
        tk_buf_release(&out);
    }
    tk_arena_release(&arena);
    free(texts);
    free(again);
}

/* The section begins behind a page, whose size is told. */
static void
read_value_index(tk_str in, uint32_t page_size)
{
    struct tk_value_index_run run;
    tk_str page = {in.ptr, page_size < in.len ? page_size : in.len};
    tk_str rest = {in.ptr + page.len, in.len - page.len};
    while (tk_value_index_next(&rest, &run) == TK_OK)
        for (uint64_t hash = 1; hash != 0; hash <<= 1) {
            uint32_t groups[GROUPS_MAX], count;
            (void)tk_value_index_page_of(&run, ~hash);
            if (tk_value_index_lookup(&run, page, hash, groups, GROUPS_MAX, &count) != TK_OK)
                continue;
            for (uint32_t i = 0; i < count && i < GROUPS_MAX; i++)
                TK_ASSERT((uint64_t)groups[i] >> run.group_bits == 0);
        }
}

static void
read_postings(tk_str in, uint32_t code_count)
{
    for (uint32_t code = 0; code < code_count; code++) {
        uint32_t groups[GROUPS_MAX], count = 0;
        bool all = false;
        if (tk_postings_lookup(in, code_count, code, groups, &count, &all) != TK_OK || all)
            continue;
        TK_ASSERT(count <= GROUPS_MAX);
        for (uint32_t i = 1; i < count; i++)
            TK_ASSERT(groups[i - 1] < groups[i]);
    }
}

static void
read_zones(tk_str in, uint32_t group_count, bool ranged)
{
    struct tk_zones zones;
    if (tk_zones_read(in, group_count, ranged, &zones) != TK_OK)
        return;
    TK_ASSERT(zones.count <= group_count && (zones.least != NULL) == ranged);
    for (uint32_t i = 0; i < zones.count && !zones.all; i++)
        TK_ASSERT(zones.group[i] < group_count && (i == 0 || zones.group[i - 1] < zones.group[i]));
    tk_zones_release(&zones);
}

static void
read_counts(tk_str in, uint32_t code_count)
{
    struct tk_counts counts, again;
    struct tk_buf first, second;
    if (tk_counts_read(in, code_count, &counts) != TK_OK)
        return;
    tk_buf_init(&first, LIMIT);
    tk_buf_init(&second, LIMIT);
    tk_counts_write(&counts, &first);
    TK_ASSERT(tk_counts_read(tk_buf_str(&first), code_count, &again) == TK_OK);
    tk_counts_write(&again, &second);
    TK_ASSERT(tk_str_eq(tk_buf_str(&first), tk_buf_str(&second)));
    tk_counts_release(&counts);
    tk_counts_release(&again);
    tk_buf_release(&first);
    tk_buf_release(&second);
}

static void
read_operations(tk_str in)
{
    struct tk_operations *operations, *again;
    struct tk_buf first, second;
    if (tk_operations_read(in, &operations) != TK_OK)
        return;
    tk_buf_init(&first, LIMIT);
    tk_buf_init(&second, LIMIT);
    tk_operations_write(operations, &first);
    TK_ASSERT(tk_operations_read(tk_buf_str(&first), &again) == TK_OK);
    tk_operations_write(again, &second);
    TK_ASSERT(tk_str_eq(tk_buf_str(&first), tk_buf_str(&second)));
    tk_operations_free(operations);
    tk_operations_free(again);
    tk_buf_release(&first);
    tk_buf_release(&second);
}

/* Each count adds up to what it is of. */
static void
read_summaries(tk_str in, uint32_t group_count)
{
    struct tk_summary_of of = {.group_count = group_count, .resource_count = GROUPS_MAX};
    struct tk_summaries *summaries;
    struct tk_summary_entry entry;
    if (tk_summaries_read(in, &of, &summaries) != TK_OK)
        return;
    for (uint32_t i = 0; i < summaries->count; i++) {
        tk_str rest = summaries->stretch[i];
        while (tk_summary_next(&rest, &entry)) {
            struct tk_histogram durations = {0};
            TK_ASSERT(entry.resource < GROUPS_MAX && entry.error_count <= entry.span_count);
            TK_ASSERT(tk_summary_durations(&entry, &durations) == TK_OK);
            TK_ASSERT(durations.count == entry.span_count);
            tk_histogram_release(&durations);
        }
        TK_ASSERT(rest.len == 0);
    }
    tk_summaries_free(summaries);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    char *bytes = malloc(size); /* so that nothing is read before or behind it */
    memcpy(bytes, data + 2, size - 2);
    tk_str in = {bytes, size - 2};
    switch (data[0] % 9) {
    case 0:
        read_numbers(in, data[1]);
        break;
    case 1:
        read_texts(in, data[1]);
        break;
    case 2:
        read_value_index(in, data[1] * 4u);
        break;
    case 3:
        read_postings(in, data[1]);
        break;
    case 4:
        read_zones(in, data[1], false);
        break;
    case 5:
        read_zones(in, data[1], true);
        break;
    case 6:
        read_counts(in, data[1]);
        break;
    case 7:
        read_operations(in);
        break;
    default:
        read_summaries(in, data[1]);
    }
    free(bytes);
    return 0;
}
