/* value - what can be done with a value of the query language: order it, calculate with it. */
#include "query/ast.h"

#include <math.h>

struct tk_ql_value
tk_ql_value_of(const struct tk_value *value)
{
    struct tk_ql_value result = {.type = TK_QL_NIL};
    if (value == NULL)
        return result;
    switch ((enum tk_value_type)value->type) {
    case TK_VALUE_EMPTY:
        break;
    case TK_VALUE_STRING:
        result.type = TK_QL_STRING;
        result.text = tk_value_str(*value);
        break;
    case TK_VALUE_BOOL:
        result.type = TK_QL_BOOL;
        result.b = value->b;
        break;
    case TK_VALUE_INT:
        result.type = TK_QL_INT;
        result.i = value->i;
        break;
    case TK_VALUE_DOUBLE:
        result.type = TK_QL_FLOAT;
        result.d = value->d;
        break;
    case TK_VALUE_ARRAY:
        result.type = TK_QL_ARRAY;
        result.array = *value;
        break;
    case TK_VALUE_BYTES:
    case TK_VALUE_MAP:
        result.type = TK_QL_OPAQUE;
        result.array = *value;
        break;
    }
    return result;
}

static struct tk_value
plain_text(const char *text)
{
    return (struct tk_value){.type = TK_VALUE_STRING, .len = (uint32_t)strlen(text), .ptr = text};
}

struct tk_value
tk_ql_plain(const struct tk_ql_value *value)
{
    static const char *const statuses[] = {"unset", "ok", "error"};
    static const char *const kinds[] = {"unspecified", "internal", "server",
                                        "client",      "producer", "consumer"};
    switch (value->type) {
    case TK_QL_BOOL:
        return (struct tk_value){.type = TK_VALUE_BOOL, .b = value->b};
    case TK_QL_INT:
    case TK_QL_DURATION:
        return (struct tk_value){.type = TK_VALUE_INT, .i = value->i};
    case TK_QL_FLOAT:
        return (struct tk_value){.type = TK_VALUE_DOUBLE, .d = value->d};
    case TK_QL_STRING:
        return (struct tk_value){
            .type = TK_VALUE_STRING, .len = (uint32_t)value->text.len, .ptr = value->text.ptr};
    case TK_QL_STATUS:
        if (value->i >= 0 && value->i <= TK_STATUS_ERROR)
            return plain_text(statuses[value->i]);
        return (struct tk_value){.type = TK_VALUE_INT, .i = value->i};
    case TK_QL_KIND:
        if (value->i >= 0 && value->i <= TK_KIND_CONSUMER)
            return plain_text(kinds[value->i]);
        return (struct tk_value){.type = TK_VALUE_INT, .i = value->i};
    case TK_QL_ARRAY:
    case TK_QL_OPAQUE:
        return value->array;
    case TK_QL_ANY:
    case TK_QL_NIL:
        break;
    }
    return (struct tk_value){.type = TK_VALUE_EMPTY};
}

/* ---- order ---- */

static enum tk_ql_order
order_doubles(double a, double b)
{
    if (isnan(a) || isnan(b))
        return TK_QL_NO_ORDER;
    return a < b ? TK_QL_LESS : a > b ? TK_QL_MORE : TK_QL_SAME;
}

/* Exact: an int64 does not fit into a double. */
static enum tk_ql_order
order_int_double(int64_t a, double b)
{
    if (isnan(b))
        return TK_QL_NO_ORDER;
    if (b >= 0x1p63)
        return TK_QL_LESS;
    if (b < -0x1p63)
        return TK_QL_MORE;
    int64_t whole = (int64_t)b; /* towards zero */
    if (a != whole)
        return a < whole ? TK_QL_LESS : TK_QL_MORE;
    return order_doubles(0, b - (double)whole);
}

static bool
is_integral(enum tk_ql_type type)
{
    return type == TK_QL_INT || type == TK_QL_DURATION;
}

bool
tk_ql_is_number(enum tk_ql_type type)
{
    return is_integral(type) || type == TK_QL_FLOAT;
}

bool
tk_ql_order(const struct tk_ql_value *a, const struct tk_ql_value *b, enum tk_ql_order *ret_order)
{
    if (is_integral(a->type) && b->type == TK_QL_FLOAT) {
        *ret_order = order_int_double(a->i, b->d);
    } else if (a->type == TK_QL_FLOAT && is_integral(b->type)) {
        enum tk_ql_order order = order_int_double(b->i, a->d);
        *ret_order = order == TK_QL_NO_ORDER ? order : (enum tk_ql_order)(-(int)order);
    } else if (is_integral(a->type) && is_integral(b->type)) {
        *ret_order = (enum tk_ql_order)((a->i > b->i) - (a->i < b->i));
    } else if (a->type != b->type) {
        return false;
    } else if (a->type == TK_QL_FLOAT) {
        *ret_order = order_doubles(a->d, b->d);
    } else if (a->type == TK_QL_STRING) {
        int order = tk_str_cmp(a->text, b->text);
        *ret_order = (enum tk_ql_order)((order > 0) - (order < 0));
    } else if (a->type == TK_QL_BOOL) {
        *ret_order = a->b == b->b ? TK_QL_SAME : TK_QL_NO_ORDER;
    } else if (a->type == TK_QL_STATUS || a->type == TK_QL_KIND) {
        *ret_order = a->i == b->i ? TK_QL_SAME : TK_QL_NO_ORDER;
    } else {
        return false;
    }
    return true;
}

/* ---- arithmetic ---- */

static bool
power_of(int64_t base, int64_t exponent, int64_t *ret_power)
{
    int64_t power = 1;
    if (exponent < 0)
        return false;
    for (;;) {
        if ((exponent & 1) != 0 && __builtin_mul_overflow(power, base, &power))
            return false;
        exponent >>= 1;
        if (exponent == 0)
            break;
        if (__builtin_mul_overflow(base, base, &base))
            return false;
    }
    *ret_power = power;
    return true;
}

/* False where the result is no integer that fits. */
static bool
calculate_integers(enum tk_ql_arithmetic how, int64_t a, int64_t b, int64_t *ret_result)
{
    switch (how) {
    case TK_QL_ADD:
        return !__builtin_add_overflow(a, b, ret_result);
    case TK_QL_SUB:
        return !__builtin_sub_overflow(a, b, ret_result);
    case TK_QL_MUL:
        return !__builtin_mul_overflow(a, b, ret_result);
    case TK_QL_DIV:
        if (b == 0 || (a == INT64_MIN && b == -1))
            return false;
        *ret_result = a / b;
        return true;
    case TK_QL_MOD:
        if (b == 0)
            return false;
        *ret_result = b == -1 ? 0 : a % b;
        return true;
    case TK_QL_POW:
        break;
    }
    return power_of(a, b, ret_result);
}

static double
calculate_doubles(enum tk_ql_arithmetic how, double a, double b)
{
    switch (how) {
    case TK_QL_ADD:
        return a + b;
    case TK_QL_SUB:
        return a - b;
    case TK_QL_MUL:
        return a * b;
    case TK_QL_DIV:
        return b == 0 ? (double)NAN : a / b;
    case TK_QL_MOD:
        return fmod(a, b);
    case TK_QL_POW:
        break;
    }
    return pow(a, b);
}

struct tk_ql_value
tk_ql_calculate(enum tk_ql_arithmetic how, const struct tk_ql_value *a, const struct tk_ql_value *b)
{
    struct tk_ql_value result = {.type = TK_QL_INT};
    if (!tk_ql_is_number(a->type) || !tk_ql_is_number(b->type))
        return (struct tk_ql_value){.type = TK_QL_NIL};
    bool times = a->type == TK_QL_DURATION || b->type == TK_QL_DURATION;
    if (times && !(how == TK_QL_DIV && b->type == TK_QL_DURATION))
        result.type = TK_QL_DURATION;
    if (is_integral(a->type) && is_integral(b->type) &&
        calculate_integers(how, a->i, b->i, &result.i))
        return result;
    result.type = TK_QL_FLOAT;
    result.d = calculate_doubles(how, is_integral(a->type) ? (double)a->i : a->d,
                                 is_integral(b->type) ? (double)b->i : b->d);
    return result;
}
