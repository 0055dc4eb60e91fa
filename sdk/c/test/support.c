/* support - a transport that keeps what it is given, and a reader of protobuf that trusts nothing.
 */
#include "test.h"

#include <pthread.h>

struct receiver receiver;
char said[16384];

static pthread_mutex_t said_lock = PTHREAD_MUTEX_INITIALIZER;

static void
keep_line(void *data, const char *line)
{
    (void)data;
    pthread_mutex_lock(&said_lock);
    size_t size = strlen(said);
    snprintf(said + size, sizeof said - size, "%s\n", line);
    pthread_mutex_unlock(&said_lock);
}

void
set_up(const tracekit_options *options)
{
    tracekit_options own = options != NULL ? *options : (tracekit_options){0};
    const char *const variables[] = {
        "TRACEKIT_API_KEY",     "TRACEKIT_ENDPOINT",    "TRACEKIT_SERVICE_NAME",
        "TRACEKIT_SAMPLE_RATE", "TRACEKIT_DEBUG",       "OTEL_SERVICE_NAME",
        "OTEL_SDK_DISABLED",    "TRACEKIT_ENVIRONMENT", "TRACEKIT_RELEASE"};
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        unsetenv(variables[i]);
    setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none", 1);
    memset(&receiver, 0, offsetof(struct receiver, body));
    receiver.body_size = 0;
    receiver.status = 200;
    said[0] = '\0';
    if (own.service_name == NULL)
        own.service_name = "test";
    own.log = keep_line;
    if (own.transport == NULL)
        own.transport = receive;
    assert_int_equal(tracekit_init(&own), TRACEKIT_OK);
}

static void count_spans(const uint8_t *body, size_t size);

void
receive(void *data, const tracekit_post *post, tracekit_answer *answer)
{
    (void)data;
    receiver.body_size =
        post->body_size < sizeof receiver.body ? post->body_size : sizeof receiver.body;
    memcpy(receiver.body, post->body, receiver.body_size);
    if (receiver.on_post != NULL)
        receiver.on_post(post);
    answer->status = receiver.status;
    if (receiver.retry_after != NULL)
        snprintf(answer->retry_after, sizeof answer->retry_after, "%s", receiver.retry_after);
    memcpy(answer->body, receiver.answer, receiver.answer_size);
    answer->body_size = receiver.answer_size;
    if (receiver.status == 200)
        count_spans(receiver.body, receiver.body_size);
    receiver.posts++;
}

static bool
read_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 70 && *at < end; shift += 7) {
        value |= (uint64_t)(**at & 0x7f) << (shift & 63);
        if (*(*at)++ < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

bool
next_field(const uint8_t **at, const uint8_t *end, struct field *ret_field)
{
    uint64_t tag;
    *ret_field = (struct field){0};
    if (*at >= end)
        return false;
    if (!read_varint(at, end, &tag))
        abort();
    ret_field->number = (uint32_t)(tag >> 3);
    ret_field->type = tag & 7;
    size_t fixed = ret_field->type == 1 ? 8 : ret_field->type == 5 ? 4 : 0;
    if (fixed > 0) {
        if ((size_t)(end - *at) < fixed)
            abort();
        for (size_t i = 0; i < fixed; i++)
            ret_field->value |= (uint64_t)(*at)[i] << (8 * i);
        *at += fixed;
        return true;
    }
    if ((ret_field->type != 0 && ret_field->type != 2) || !read_varint(at, end, &ret_field->value))
        abort();
    if (ret_field->type == 2) {
        if (ret_field->value > (size_t)(end - *at))
            abort();
        ret_field->text = *at;
        *at += ret_field->value;
    }
    return true;
}

unsigned
count_fields(const uint8_t *message, size_t size, uint32_t number)
{
    struct field field;
    unsigned count = 0;
    for (const uint8_t *at = message; next_field(&at, message + size, &field);)
        count += field.number == number;
    return count;
}

struct field
field_of(const uint8_t *message, size_t size, uint32_t number, unsigned nth)
{
    struct field field;
    for (const uint8_t *at = message; next_field(&at, message + size, &field);)
        if (field.number == number && nth-- == 0)
            return field;
    fail_msg("there is no field %u", number);
    return field;
}

/* The spans of a request: ScopeSpans of the one ResourceSpans. */
static struct field
scope_spans(const uint8_t *body, size_t size)
{
    struct field resource_spans = field_of(body, size, 1, 0);
    return field_of(resource_spans.text, resource_spans.value, 2, 0);
}

static void
count_spans(const uint8_t *body, size_t size)
{
    struct field all = scope_spans(body, size);
    receiver.spans += count_fields(all.text, all.value, 2);
}

unsigned
spans_named(const char *name, const uint8_t **ret_span, size_t *ret_size)
{
    struct field all = scope_spans(receiver.body, receiver.body_size), span;
    unsigned count = 0;
    for (const uint8_t *at = all.text; next_field(&at, all.text + all.value, &span);) {
        if (span.number != 2)
            continue;
        struct field found = field_of(span.text, span.value, 5, 0);
        if (found.value != strlen(name) || memcmp(found.text, name, found.value) != 0)
            continue;
        count++;
        if (ret_span != NULL) {
            *ret_span = span.text;
            *ret_size = span.value;
        }
    }
    return count;
}

static void
value_text(char *to, size_t capacity, const uint8_t *value, size_t size)
{
    struct field field;
    to[0] = '\0';
    for (const uint8_t *at = value; next_field(&at, value + size, &field);) {
        double number;
        memcpy(&number, &field.value, sizeof number);
        if (field.number == 1)
            snprintf(to, capacity, "%.*s", (int)field.value, (const char *)field.text);
        else if (field.number == 2)
            snprintf(to, capacity, "%s", field.value != 0 ? "true" : "false");
        else if (field.number == 3)
            snprintf(to, capacity, "%lld", (long long)field.value);
        else if (field.number == 4)
            snprintf(to, capacity, "%g", number);
        else
            snprintf(to, capacity, "(field %u)", field.number);
    }
}

const char *
attribute_text(const uint8_t *span, size_t size, const char *key)
{
    static char text[1 << 16];
    struct field field;
    for (const uint8_t *at = span; next_field(&at, span + size, &field);) {
        if (field.number != 9)
            continue;
        struct field name = field_of(field.text, field.value, 1, 0);
        if (name.value != strlen(key) || memcmp(name.text, key, name.value) != 0)
            continue;
        struct field value = field_of(field.text, field.value, 2, 0);
        value_text(text, sizeof text, value.text, value.value);
        return text;
    }
    return NULL;
}
