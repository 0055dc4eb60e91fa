/* timestamp - see timestamp.h.  RFC 3339 section 5.6; a leap second is the second after it. */
#include "query/timestamp.h"

enum { NANO_DIGITS = 9 };
static const int64_t NANO = 1000000000;

/* Exactly `count` digits at the front of *rest, moved behind them. */
static bool
take_number(tk_str *rest, size_t count, int64_t *ret_number)
{
    int64_t number = 0;
    if (rest->len < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (rest->ptr[i] < '0' || rest->ptr[i] > '9')
            return false;
        number = number * 10 + (rest->ptr[i] - '0');
    }
    *rest = (tk_str){rest->ptr + count, rest->len - count};
    *ret_number = number;
    return true;
}

static bool
take_one_of(tk_str *rest, const char *characters)
{
    if (rest->len == 0 || rest->ptr[0] == '\0' || strchr(characters, rest->ptr[0]) == NULL)
        return false;
    *rest = (tk_str){rest->ptr + 1, rest->len - 1};
    return true;
}

static int64_t
days_of_month(int64_t year, int64_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar; years begin in March. */
static int64_t
days_since_epoch(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

static bool
take_fraction(tk_str *rest, int64_t *ret_nano)
{
    int64_t nano = 0;
    size_t digits = 0;
    for (; rest->len > 0 && rest->ptr[0] >= '0' && rest->ptr[0] <= '9'; digits++) {
        if (digits < NANO_DIGITS)
            nano = nano * 10 + (rest->ptr[0] - '0');
        *rest = (tk_str){rest->ptr + 1, rest->len - 1};
    }
    for (size_t i = digits; i < NANO_DIGITS; i++)
        nano *= 10;
    *ret_nano = nano;
    return digits > 0;
}

/* "Z", "+02:00"; a "+" that a form turned into a space is one. */
static bool
take_offset(tk_str *rest, int64_t *ret_seconds)
{
    int64_t hours, minutes;
    if (take_one_of(rest, "Zz")) {
        *ret_seconds = 0;
        return true;
    }
    bool negative = rest->len > 0 && rest->ptr[0] == '-';
    if (!take_one_of(rest, "+- ") || !take_number(rest, 2, &hours) || !take_one_of(rest, ":") ||
        !take_number(rest, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret_seconds = (hours * 3600 + minutes * 60) * (negative ? -1 : 1);
    return true;
}

static bool
parse_rfc3339(tk_str text, uint64_t *ret_nano)
{
    int64_t year, month, day, hour, minute, second, nano = 0, offset, sum;
    if (!take_number(&text, 4, &year) || !take_one_of(&text, "-") ||
        !take_number(&text, 2, &month) || !take_one_of(&text, "-") ||
        !take_number(&text, 2, &day) || !take_one_of(&text, "Tt ") ||
        !take_number(&text, 2, &hour) || !take_one_of(&text, ":") ||
        !take_number(&text, 2, &minute) || !take_one_of(&text, ":") ||
        !take_number(&text, 2, &second))
        return false;
    if (take_one_of(&text, ".") && !take_fraction(&text, &nano))
        return false;
    if (!take_offset(&text, &offset) || text.len > 0)
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month) || hour > 23 ||
        minute > 59 || second > 60)
        return false;
    int64_t seconds =
        days_since_epoch(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    if (__builtin_mul_overflow(seconds, NANO, &sum) || __builtin_add_overflow(sum, nano, &sum))
        sum = seconds < 0 ? 0 : INT64_MAX;
    *ret_nano = sum < 0 ? 0 : (uint64_t)sum;
    return true;
}

bool
tk_timestamp_parse(tk_str text, uint64_t *ret_nano)
{
    return tk_str_to_u64(text, ret_nano) || parse_rfc3339(text, ret_nano);
}
