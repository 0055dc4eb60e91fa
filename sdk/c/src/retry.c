/* retry - see retry.h. A Retry-After that is neither seconds nor a date of RFC 9110 is as good as
 * none. */
#include "retry.h"

#include "wire.h"

#include <stdlib.h>

enum tk_outcome
tk_retry_outcome(int status)
{
    if (status >= 200 && status < 300)
        return TK_DELIVERED;
    if (status == 0 || status == 429 || status == 502 || status == 503 || status == 504)
        return TK_RETRY;
    return TK_DROP;
}

/* Days since 1970 of a date in the Gregorian calendar; no locale, no time zone, no libc of a
 * certain kind. */
static int64_t
days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = year / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int
digits(const char *text, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + text[i] - '0';
    }
    return value;
}

/* Sun, 06 Nov 1994 08:49:37 GMT, the one form that is sent today; seconds since 1970, or -1. */
static int64_t
read_date(const char *text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (strlen(text) != 29 || strcmp(text + 25, " GMT") != 0 || text[3] != ',')
        return -1;
    int day = digits(text + 5, 2), year = digits(text + 12, 4), month = 0;
    int hour = digits(text + 17, 2), minute = digits(text + 20, 2), second = digits(text + 23, 2);
    for (int i = 0; i < 12; i++)
        if (memcmp(text + 8, months + 3 * i, 3) == 0)
            month = i + 1;
    if (month == 0 || day < 1 || day > 31 || year < 1970 || hour < 0 || minute < 0 || second < 0)
        return -1;
    return ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
}

static int
clamp(int64_t ms)
{
    return ms < 0 ? 0 : ms > TK_DELAY_MS_MAX ? TK_DELAY_MS_MAX : (int)ms;
}

int
tk_retry_delay_ms(int attempt, const char *retry_after, int64_t now_unix_ms, double chance)
{
    while (*retry_after == ' ' || *retry_after == '\t')
        retry_after++;
    size_t size = strspn(retry_after, "0123456789");
    if (size > 0 && retry_after[size + strspn(retry_after + size, " \t")] == '\0')
        return size > 6 ? TK_DELAY_MS_MAX : clamp(strtol(retry_after, NULL, 10) * 1000L);
    int64_t date = read_date(retry_after);
    if (date >= 0)
        return clamp(date * 1000 - now_unix_ms);
    int64_t step = (int64_t)TK_DELAY_MS_INITIAL << (attempt - 1);
    return clamp(step / 2 + (int64_t)((double)(step / 2) * chance));
}

/* ---- partial success ---- */

struct reader {
    const uint8_t *at, *end;
};

/* The answer is another's: nothing in it is trusted. */
static bool
read_varint(struct reader *in, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && in->at < in->end; shift += 7) {
        uint8_t byte = *in->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* One field: its tag, and its number or its bytes. */
static bool
read_field(struct reader *in, uint64_t *ret_tag, uint64_t *ret_number, struct reader *ret_bytes)
{
    if (!read_varint(in, ret_tag))
        return false;
    *ret_bytes = (struct reader){in->at, in->at};
    switch (*ret_tag & 7) {
    case 0:
        return read_varint(in, ret_number);
    case 2:
        if (!read_varint(in, ret_number) || *ret_number > (uint64_t)(in->end - in->at))
            return false;
        *ret_bytes = (struct reader){in->at, in->at + *ret_number};
        in->at += *ret_number;
        return true;
    }
    return false;
}

uint64_t
tk_retry_rejected(const void *answer, size_t size, char ret_message[256])
{
    struct reader response = {answer, (const uint8_t *)answer + size}, bytes, text;
    uint64_t tag, number, rejected = 0;
    ret_message[0] = '\0';
    while (read_field(&response, &tag, &number, &bytes)) {
        while (tag == 0x0a && read_field(&bytes, &tag, &number, &text)) { /* partial_success */
            if (tag == 0x08)
                rejected = number;
            if (tag == 0x12) {
                size_t length = number < 255 ? number : 255;
                memcpy(ret_message, text.at, length);
                ret_message[length] = '\0';
            }
            tag = 0x0a;
        }
    }
    return rejected;
}
