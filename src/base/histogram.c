/* histogram - see histogram.h.  The buckets are an array that grows to both sides as needed. */
#include "base/histogram.h"

#include <stdlib.h>
#include <string.h>

void
tk_histogram_release(struct tk_histogram *histogram)
{
    free(histogram->_buckets);
    *histogram = (struct tk_histogram){0};
}

void
tk_histogram_clear(struct tk_histogram *histogram)
{
    for (uint32_t i = histogram->begin; i < histogram->end; i++)
        histogram->_buckets[i - histogram->_first] = 0;
    histogram->count = 0;
    histogram->begin = histogram->end = 0;
}

/* Makes room for buckets [begin, end).  One that grew before will again: it gets half as much more
   to that side. */
static enum tk_err
reserve(struct tk_histogram *h, uint32_t begin, uint32_t end)
{
    uint32_t old_end = h->_first + h->_capacity, slack = h->_capacity > 32 ? h->_capacity / 2 : 0;
    if (h->_capacity > 0 && begin >= h->_first && end <= old_end)
        return TK_OK;
    if (slack > 0 && begin < h->_first)
        begin = begin > slack ? begin - slack : 0;
    if (slack > 0 && end > old_end)
        end = end + slack < TK_HISTOGRAM_BUCKETS ? end + slack : TK_HISTOGRAM_BUCKETS;
    uint32_t first = begin & ~31u, last = (end + 31) & ~31u; /* whole octaves */
    if (h->_capacity > 0) {
        first = first < h->_first ? first : h->_first;
        last = last > old_end ? last : old_end;
    }
    uint64_t *grown = calloc(last - first, sizeof *grown);
    if (grown == NULL)
        return TK_ERR_MEMORY;
    if (h->_capacity > 0)
        memcpy(grown + (h->_first - first), h->_buckets, h->_capacity * sizeof *grown);
    free(h->_buckets);
    h->_buckets = grown;
    h->_first = first;
    h->_capacity = last - first;
    return TK_OK;
}

static void
widen(struct tk_histogram *h, uint32_t begin, uint32_t end)
{
    if (h->begin == h->end) {
        h->begin = begin;
        h->end = end;
        return;
    }
    h->begin = begin < h->begin ? begin : h->begin;
    h->end = end > h->end ? end : h->end;
}

enum tk_err
tk_histogram_widen(struct tk_histogram *histogram, uint32_t bucket)
{
    enum tk_err code = reserve(histogram, bucket, bucket + 1);
    if (code == TK_OK)
        widen(histogram, bucket, bucket + 1);
    return code;
}

enum tk_err
tk_histogram_merge(struct tk_histogram *to, const struct tk_histogram *from)
{
    if (from->begin == from->end)
        return TK_OK;
    enum tk_err code = reserve(to, from->begin, from->end);
    if (code != TK_OK)
        return code;
    widen(to, from->begin, from->end);
    for (uint32_t i = from->begin; i < from->end; i++)
        to->_buckets[i - to->_first] += from->_buckets[i - from->_first];
    to->count += from->count;
    return TK_OK;
}

uint64_t
tk_histogram_quantile(const struct tk_histogram *histogram, double share)
{
    double rank = share * (double)histogram->count;
    uint64_t below = 0;
    for (uint32_t i = histogram->begin; i < histogram->end; i++) {
        uint64_t here = histogram->_buckets[i - histogram->_first];
        if (here == 0 || (double)(below + here) < rank) {
            below += here;
            continue;
        }
        uint64_t low = tk_histogram_least(i);
        uint64_t width = i + 1 < TK_HISTOGRAM_BUCKETS ? tk_histogram_least(i + 1) - low : low / 32;
        return low + (uint64_t)((rank - (double)below) / (double)here * (double)(width - 1));
    }
    return 0;
}
