/* The rules all SDKs share: every case of sdk/spec/, by its name. */
#include "../src/config.h"
#include "../src/context.h"
#include "../src/log.h"
#include "../src/record.h"
#include "../src/retry.h"
#include "../src/tracer.h"
#include "../src/url.h"
#include "test.h"

#include <jansson.h>

#include <time.h>

static const char *current; /* the case that is being looked at */

#define expect(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("%s: %s", current, #condition);                                               \
    } while (0)

static json_t *
load(const char *file)
{
    char path[4096];
    json_error_t error;
    const char *folder = getenv("TRACEKIT_SPEC");
    snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : TRACEKIT_SPEC, file);
    json_t *document = json_load_file(path, 0, &error);
    if (document == NULL)
        fail_msg("%s: %s", path, error.text);
    return document;
}

static const char *
text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void
read_headers(tracekit_context *context, const char *name, const json_t *values)
{
    size_t i;
    const json_t *value;
    json_array_foreach(values, i, value) tracekit_extract_n(
        context, name, strlen(name), json_string_value(value), json_string_length(value));
}

static const char *
hex(const uint8_t *bytes, size_t size)
{
    static char text[65];
    tk_hex(text, bytes, size);
    text[2 * size] = '\0';
    return text;
}

static void
every_traceparent_is_read_as_the_rules_say(void **state)
{
    (void)state;
    json_t *document = load("traceparent.json"), *one;
    size_t i;
    json_array_foreach(json_object_get(document, "parse"), i, one)
    {
        tracekit_context context = {0};
        current = text_of(one, "name");
        json_t *want = json_object_get(one, "expect");
        read_headers(&context, "traceparent", json_object_get(one, "headers"));
        expect(context.valid == !json_is_null(want));
        if (!context.valid)
            continue;
        expect(strcmp(hex(context.trace_id, 16), text_of(want, "traceId")) == 0);
        expect(strcmp(hex(context.span_id, 8), text_of(want, "parentId")) == 0);
        expect(context.flags == (json_is_true(json_object_get(want, "sampled")) ? 1 : 0) +
                                    (json_is_true(json_object_get(want, "random")) ? 2 : 0));
    }
    assert_true(i > 40);
    json_decref(document);
}

/* Members as they would be sent. */
static const char *
join(const json_t *members)
{
    static char text[8192];
    size_t i, size = 0;
    const json_t *one;
    text[0] = '\0';
    json_array_foreach(members, i, one) size += (size_t)snprintf(
        text + size, sizeof text - size, "%s%s=%s", i > 0 ? "," : "",
        json_string_value(json_array_get(one, 0)), json_string_value(json_array_get(one, 1)));
    return text;
}

static void
every_tracestate_is_read_as_the_rules_say(void **state)
{
    (void)state;
    json_t *document = load("tracestate.json"), *one;
    size_t i;
    json_array_foreach(json_object_get(document, "parse"), i, one)
    {
        tracekit_context context = {0};
        current = text_of(one, "name");
        read_headers(&context, "tracestate", json_object_get(one, "headers"));
        const char *want = join(json_object_get(one, "members"));
        expect(context.tracestate_size == strlen(want));
        expect(memcmp(context.tracestate, want, context.tracestate_size) == 0);
    }
    assert_true(i > 30);
    json_array_foreach(json_object_get(document, "make"), i, one)
    { /* what is read is what is sent */
        tracekit_context context = {0};
        current = text_of(one, "name");
        const char *header = json_string_value(json_object_get(one, "header"));
        const char *sent = join(json_object_get(one, "members"));
        tracekit_extract(&context, "tracestate", sent);
        expect(context.tracestate_size == (header != NULL ? strlen(header) : 0));
        expect(header == NULL || memcmp(context.tracestate, header, context.tracestate_size) == 0);
    }
    json_decref(document);
}

static void
requests_made_while_serving_carry_what_the_rules_say(void **state)
{
    (void)state;
    json_t *document = load("headers.json"), *one;
    size_t i;
    set_up(NULL);
    json_array_foreach(json_object_get(document, "continue"), i, one)
    {
        tracekit_context caller = {0};
        tracekit_headers headers;
        current = text_of(one, "name");
        json_t *incoming = json_object_get(one, "incoming"), *want = json_object_get(one, "expect");
        read_headers(&caller, "Traceparent", json_object_get(incoming, "traceparent"));
        read_headers(&caller, "TRACESTATE", json_object_get(incoming, "tracestate"));
        tracekit_span *server = tracekit_start_server(NULL, &caller);
        tracekit_span *client =
            tracekit_start_client(server, "GET", "http://go-service:8080/", &headers);
        char trace_id[33], span_id[17];
        tracekit_trace_id(server, trace_id);
        tracekit_span_id(client, span_id);
        bool same = strstr(headers.traceparent, "4bf92f3577b34da6a3ce929d0e0e4736") != NULL;
        expect(same == json_is_true(json_object_get(want, "sameTrace")));
        expect(strncmp(headers.traceparent, "00-", 3) == 0 && strlen(headers.traceparent) == 55);
        expect(memcmp(headers.traceparent + 3, trace_id, 32) == 0);
        expect(memcmp(headers.traceparent + 36, span_id, 16) == 0);
        expect(strcmp(span_id, "00f067aa0ba902b7") != 0);
        expect(strcmp(headers.traceparent + 53, text_of(want, "flags")) == 0);
        const char *tracestate = text_of(want, "tracestate");
        expect(strcmp(headers.tracestate, tracestate != NULL ? tracestate : "") == 0);
        tracekit_end(client);
        tracekit_end(server);
    }
    assert_true(i > 10);
    tracekit_shutdown(5000);
    json_decref(document);
}

/* Expressions as tracekit_options spells them; JavaScript escapes its slashes. */
static void
spell_target(const json_t *target, char *to, size_t capacity)
{
    if (json_is_string(target)) {
        snprintf(to, capacity, "%s", json_string_value(target));
        return;
    }
    bool ignore = strchr(text_of(target, "flags"), 'i') != NULL;
    size_t size = (size_t)snprintf(to, capacity, ignore ? "~*" : "~");
    for (const char *c = text_of(target, "regexp"); *c != '\0'; c++)
        if (c[0] != '\\' || c[1] != '/')
            to[size++] = *c;
    to[size] = '\0';
}

static void
every_url_is_matched_as_the_rules_say(void **state)
{
    (void)state;
    const char *const groups[] = {"absolute", "server"};
    json_t *document = load("targets.json"), *one, *target;
    size_t i, t, count = 0;
    for (size_t group = 0; group < 2; group++) {
        json_array_foreach(json_object_get(document, groups[group]), i, one)
        {
            char texts[8][256];
            const char *list[9] = {0};
            struct tk_targets targets;
            const json_t *set = json_object_get(one, "targets");
            current = text_of(one, "name");
            if (group == 0 && json_is_null(set))
                continue; /* unset means another thing in a browser */
            json_array_foreach(set, t, target)
            {
                spell_target(target, texts[t], sizeof texts[t]);
                list[t] = texts[t];
            }
            const char *bad;
            expect(tk_targets_init(&targets, json_is_null(set) ? NULL : list, &bad) == 0);
            bool sent = tk_targets_match(&targets, text_of(one, "url"));
            expect(sent == (strcmp(text_of(one, "expect"), "sent") == 0));
            tk_targets_release(&targets);
            count++;
        }
    }
    assert_true(count > 20);
    json_decref(document);
}

static void
sampling_thresholds_are_those_of_the_rules(void **state)
{
    (void)state;
    json_t *document = load("sampling.json"), *one;
    size_t i;
    char text[32], want[48];
    json_array_foreach(json_object_get(document, "thresholds"), i, one)
    {
        double rate = json_number_value(json_object_get(one, "rate"));
        const char *th = text_of(one, "th");
        tk_config_threshold(rate, text);
        snprintf(want, sizeof want, "%s%s", th != NULL ? "ot=th:" : "", th != NULL ? th : "");
        assert_string_equal(text, want);
    }
    assert_true(i > 10);
    json_array_foreach(json_object_get(document, "decisions"), i, one)
    {
        current = text_of(one, "name");
        uint64_t threshold =
            tk_config_threshold(json_number_value(json_object_get(one, "rate")), text);
        uint64_t random = strtoull(text_of(one, "traceId") + 18, NULL, 16);
        expect((random >= threshold) == json_is_true(json_object_get(one, "sampled")));
    }
    json_array_foreach(json_object_get(document, "invalidRates"), i, one)
    {
        tracekit_context caller = {0};
        set_up(&(tracekit_options){.sample_rate = json_number_value(one)});
        assert_non_null(strstr(said, "sample rate"));
        tracekit_span *span = tracekit_start_from(&caller, "root");
        tracekit_headers headers;
        tracekit_inject(span, &headers);
        assert_string_equal(headers.tracestate, "ot=th:0");
        tracekit_end(span);
        tracekit_shutdown(5000);
    }
    json_decref(document);
}

static int64_t
unix_ms(const char *text)
{
    struct tm time = {0};
    sscanf(text, "%d-%d-%dT%d:%d:%d", &time.tm_year, &time.tm_mon, &time.tm_mday, &time.tm_hour,
           &time.tm_min, &time.tm_sec);
    time.tm_year -= 1900;
    time.tm_mon--;
    return (int64_t)timegm(&time) * 1000;
}

static void
answers_are_judged_and_waits_are_as_long_as_the_rules_say(void **state)
{
    (void)state;
    json_t *document = load("retry.json"), *one;
    size_t i;
    assert_int_equal(json_integer_value(json_object_get(document, "attemptsMax")), TK_ATTEMPTS_MAX);
    assert_int_equal(json_integer_value(json_object_get(document, "delayMsInitial")),
                     TK_DELAY_MS_INITIAL);
    assert_int_equal(json_integer_value(json_object_get(document, "delayMsMax")), TK_DELAY_MS_MAX);
    json_array_foreach(json_object_get(document, "outcomes"), i, one)
    {
        static const char *const names[] = {"delivered", "retry", "drop"};
        current = text_of(one, "name");
        int status = (int)json_integer_value(json_object_get(one, "status")); /* null: 0 */
        expect(strcmp(names[tk_retry_outcome(status)], text_of(one, "outcome")) == 0);
    }
    json_array_foreach(json_object_get(document, "delays"), i, one)
    {
        current = text_of(one, "name");
        const char *retry_after = text_of(one, "retryAfter");
        const json_t *want = json_object_get(one, "delayMs");
        int attempt = (int)json_integer_value(json_object_get(one, "attempt"));
        for (int chance = 0; chance <= 10; chance++) {
            int delay = tk_retry_delay_ms(attempt, retry_after != NULL ? retry_after : "",
                                          unix_ms(text_of(one, "now")), chance / 10.0);
            long least = json_is_array(want) ? json_integer_value(json_array_get(want, 0))
                                             : json_integer_value(want);
            long most = json_is_array(want) ? json_integer_value(json_array_get(want, 1)) : least;
            expect(delay >= least && delay <= most);
            if (json_is_array(want) && (chance == 0 || chance == 10))
                expect(delay == (chance == 0 ? least : most));
        }
    }
    assert_true(i > 10);
    json_decref(document);
}

static void
endpoints_become_the_url_that_spans_are_posted_to(void **state)
{
    (void)state;
    json_t *document = load("endpoint.json"), *one;
    size_t i;
    json_array_foreach(json_object_get(document, "cases"), i, one)
    {
        char url[TK_URL_MAX];
        current = text_of(one, "name");
        bool taken = tk_url_endpoint(text_of(one, "endpoint"), url);
        const char *want = text_of(one, "url");
        expect(taken == (want != NULL));
        expect(want == NULL || strcmp(url, want) == 0);
    }
    assert_true(i > 10);
    json_decref(document);
}

static void
a_url_within_a_fragment_or_a_query_is_none_of_ours(void **state)
{
    (void)state;
    char url[TK_URL_MAX];
    assert_int_equal(tk_url_redact("h#a://b?c=1", url), 1);
    assert_int_equal(tk_url_redact("/x?a=b://u:p@c&sig=1", url),
                     strlen("/x?a=b://u:p@c&sig=REDACTED"));
    assert_false(tk_url_endpoint("a/b#http://c", url));
}

static void
urls_are_recorded_without_what_they_must_not_tell(void **state)
{
    (void)state;
    json_t *document = load("redaction.json"), *one;
    size_t i;
    json_array_foreach(json_object_get(document, "urls"), i, one)
    {
        char url[TK_URL_MAX];
        current = text_of(one, "name");
        size_t size = tk_url_redact(text_of(one, "url"), url);
        const char *want = text_of(one, "expect"), *query = strchr(text_of(one, "url"), '?');
        expect(size == strlen(want) && memcmp(url, want, size) == 0);
        if (query == NULL)
            continue;
        size = tk_url_redact_query(query + 1, url);
        want = strchr(want, '?') + 1;
        expect(size == strlen(want) && memcmp(url, want, size) == 0);
    }
    assert_true(i > 10);
    json_decref(document);
}

/* ---- golden bodies ---- */

enum { VALUES_MAX = 64 };

struct arena {
    tracekit_value values[VALUES_MAX];
    size_t used;
};

/* {"string": "x"}, {"array": [...]}: what a span is given. */
static tracekit_value
make_value(struct arena *arena, const json_t *abstract)
{
    const char *type = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)abstract));
    const json_t *plain = json_object_get(abstract, type);
    if (strcmp(type, "string") == 0)
        return tracekit_string(json_string_value(plain));
    if (strcmp(type, "int") == 0)
        return tracekit_int(strtoll(json_string_value(plain), NULL, 10));
    if (strcmp(type, "double") == 0)
        return tracekit_double(json_number_value(plain));
    if (strcmp(type, "bool") == 0)
        return tracekit_bool(json_is_true(plain));
    expect(strcmp(type, "array") == 0);
    size_t count = json_array_size(plain), start = arena->used;
    arena->used += count;
    expect(arena->used <= VALUES_MAX);
    for (size_t i = 0; i < count; i++)
        arena->values[start + i] = make_value(arena, json_array_get(plain, i));
    tracekit_value value = {.type = TRACEKIT_TYPE_ARRAY};
    value.as.array.items = arena->values + start;
    value.as.array.count = count;
    return value;
}

static void
unhex(const char *text, uint8_t *to)
{
    for (; text != NULL && *text != '\0'; text += 2)
        sscanf(text, "%2hhx", to++);
}

static uint64_t
nanos(const json_t *object, const char *key)
{
    return strtoull(text_of(object, key), NULL, 10);
}

static void
record_attribute(tracekit_record *record, const char *key, const json_t *abstract,
                 const tracekit_value *value)
{
    size_t size = strlen(key);
    const char *type = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)abstract));
    if (strcmp(type, "string") == 0) /* the short ways must write what the long one does */
        tracekit_record_string(record, key, size, value->as.bytes.start, value->as.bytes.size);
    else if (strcmp(type, "int") == 0)
        tracekit_record_int(record, key, size, value->as.integer);
    else if (strcmp(type, "double") == 0)
        tracekit_record_double(record, key, size, value->as.number);
    else if (strcmp(type, "bool") == 0)
        tracekit_record_bool(record, key, size, value->as.boolean);
    else
        tracekit_record_value(record, key, size, value);
}

static void
record_span(tracekit_record *record, tracekit_identity *identity, void *bytes, const json_t *span,
            bool by_value)
{
    static const char *const kinds[] = {"", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"};
    struct arena arena = {.used = 0};
    const json_t *pair, *event, *status = json_object_get(span, "status");
    const char *tracestate = text_of(span, "traceState"), *name = text_of(span, "name");
    size_t i, e;
    *identity = (tracekit_identity){.flags = json_is_true(json_object_get(span, "random")) ? 3 : 1};
    unhex(text_of(span, "traceId"), identity->trace_id);
    unhex(text_of(span, "spanId"), identity->span_id);
    unhex(text_of(span, "parentSpanId"), identity->parent_id);
    identity->parent_is_remote = json_is_true(json_object_get(span, "parentIsRemote"));
    for (uint8_t kind = 1; kind <= 5; kind++)
        if (strcmp(kinds[kind], text_of(span, "kind")) == 0)
            identity->kind = kind;
    identity->start_unix_nano = nanos(span, "startTimeUnixNano");
    identity->end_unix_nano = nanos(span, "endTimeUnixNano");
    *record = (tracekit_record){0};
    expect(tracekit_record_begin(record, bytes, 65536, tracestate != NULL ? tracestate : "",
                                 tracestate != NULL ? strlen(tracestate) : 0, name, strlen(name)));
    json_array_foreach(json_object_get(span, "attributes"), i, pair)
    {
        const char *key = json_string_value(json_array_get(pair, 0));
        tracekit_value value = make_value(&arena, json_array_get(pair, 1));
        if (by_value)
            tracekit_record_value(record, key, strlen(key), &value);
        else
            record_attribute(record, key, json_array_get(pair, 1), &value);
    }
    json_array_foreach(json_object_get(span, "events"), e, event)
    {
        tracekit_attribute attributes[16];
        json_array_foreach(json_object_get(event, "attributes"), i, pair) attributes[i] =
            (tracekit_attribute){json_string_value(json_array_get(pair, 0)),
                                 make_value(&arena, json_array_get(pair, 1))};
        const char *title = text_of(event, "name");
        tracekit_record_event(record, nanos(event, "timeUnixNano"), title, strlen(title),
                              attributes, json_array_size(json_object_get(event, "attributes")));
    }
    if (status != NULL) {
        const char *message = text_of(status, "message");
        bool failed = strcmp(text_of(status, "code"), "ERROR") == 0;
        bool ok = strcmp(text_of(status, "code"), "OK") == 0;
        tracekit_record_status(record,
                               failed ? TRACEKIT_STATUS_ERROR
                               : ok   ? TRACEKIT_STATUS_OK
                                      : TRACEKIT_STATUS_UNSET,
                               message, message != NULL ? strlen(message) : 0);
    }
    record->dropped_attributes =
        (uint32_t)json_integer_value(json_object_get(span, "droppedAttributesCount"));
    record->dropped_events =
        (uint32_t)json_integer_value(json_object_get(span, "droppedEventsCount"));
}

/* Fields in the order of their numbers: the golden bodies' order, which protobuf leaves free. */
static size_t
in_order(const uint8_t *message, size_t size, uint8_t *to)
{
    size_t written = 0;
    for (uint32_t number = 1; number <= 16; number++) {
        struct field field;
        for (const uint8_t *at = message, *start = at; next_field(&at, message + size, &field);
             start = at) {
            if (field.number != number)
                continue;
            memcpy(to + written, start, (size_t)(at - start));
            written += (size_t)(at - start);
        }
    }
    return written;
}

static void
spans_are_the_golden_bytes_that_the_official_classes_make(void **state)
{
    (void)state;
    static uint8_t bytes[65536], ended[65536], ordered[65536], golden[65536];
    json_t *document = load("otlp.json"), *one, *span;
    size_t i, s, compared = 0;
    json_array_foreach(json_object_get(document, "cases"), i, one)
    {
        current = text_of(one, "name");
        const char *text = text_of(one, "protobufHex");
        unhex(text, golden);
        struct field resource_spans = field_of(golden, strlen(text) / 2, 1, 0);
        struct field scope_spans = field_of(resource_spans.text, resource_spans.value, 2, 0);
        json_array_foreach(json_object_get(one, "spans"), s, span)
        {
            for (int by_value = 0; by_value < 2; by_value++) {
                tracekit_record record;
                tracekit_identity identity;
                record_span(&record, &identity, bytes, span, by_value);
                size_t size = tracekit_record_size(&record, &identity);
                expect(tracekit_record_end(&record, &identity, ended) == ended + size);
                struct field made = field_of(ended, size, 2, 0);
                struct field want = field_of(scope_spans.text, scope_spans.value, 2, (unsigned)s);
                expect(in_order(made.text, made.value, ordered) == want.value);
                expect(memcmp(ordered, want.text, want.value) == 0);
                compared++;
            }
        }
    }
    assert_true(compared >= 6);
    json_decref(document);
}

/* ---- baggage, limits, names ---- */

/* The one value of a member, read through a span as a program would. */
static void
expect_member(const tracekit_span *span, const json_t *member)
{
    char value[65536];
    const char *want = json_string_value(json_array_get(member, 1));
    long size = tracekit_get_baggage(span, json_string_value(json_array_get(member, 0)), value,
                                     sizeof value);
    expect(size == (long)strlen(want) && strcmp(value, want) == 0);
}

static size_t
members_in(const char *list)
{
    size_t count = list[0] != '\0';
    for (; *list != '\0'; list++)
        count += *list == ',';
    return count;
}

static void
baggage_is_read_made_and_carried_on_as_the_rules_say(void **state)
{
    (void)state;
    json_t *document = load("baggage.json"), *one, *member;
    size_t i, m;
    tracekit_headers sent;
    set_up(NULL);
    json_array_foreach(json_object_get(document, "parse"), i, one)
    {
        tracekit_context caller = {0};
        const json_t *members = json_object_get(one, "members");
        current = text_of(one, "name");
        read_headers(&caller, "baggage", json_object_get(one, "headers"));
        tracekit_span *span = tracekit_start_from(&caller, "reads");
        json_array_foreach(members, m, member) expect_member(span, member);
        tracekit_inject(span, &sent);
        expect(members_in(sent.baggage) == json_array_size(members));
        tracekit_end(span);
    }
    assert_true(i > 20);
    json_array_foreach(json_object_get(document, "make"), i, one)
    {
        const char *header = text_of(one, "header");
        current = text_of(one, "name");
        tracekit_span *span = tracekit_start("makes");
        json_array_foreach(json_object_get(one, "members"), m, member)
            tracekit_set_baggage(span, json_string_value(json_array_get(member, 0)),
                                 json_string_value(json_array_get(member, 1)));
        tracekit_inject(span, &sent);
        bool properties = json_array_size(json_array_get(json_object_get(one, "members"), 0)) > 2;
        expect(properties || strcmp(sent.baggage, header != NULL ? header : "") ==
                                 0); /* they cannot be set here */
        tracekit_end(span);
    }
    json_array_foreach(json_object_get(document, "continue"), i, one)
    {
        tracekit_context caller = {0};
        const char *want = text_of(one, "expect");
        const json_t *incoming = json_object_get(one, "incoming");
        current = text_of(one, "name");
        read_headers(&caller, "traceparent", json_object_get(incoming, "traceparent"));
        read_headers(&caller, "baggage", json_object_get(incoming, "baggage"));
        tracekit_span *server = tracekit_start_server(NULL, &caller);
        tracekit_end(tracekit_start_client(server, "GET", "http://x/", &sent));
        expect(strcmp(sent.baggage, want != NULL ? want : "") == 0);
        tracekit_end(server);
    }
    tracekit_shutdown(5000);
    json_decref(document);
}

static size_t
repeat(char *to, const json_t *pieces)
{
    size_t i, size = 0;
    const json_t *piece;
    json_array_foreach(pieces, i, piece)
    {
        const char *text = json_string_value(json_array_get(piece, 0));
        for (json_int_t times = json_integer_value(json_array_get(piece, 1)); times > 0; times--) {
            memcpy(to + size, text, strlen(text));
            size += strlen(text);
        }
    }
    return size;
}

static void
limits_are_those_of_the_rules(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        long value;
    } limits[] = {
        {"attributesMax", TK_ATTRIBUTES_MAX}, {"eventsMax", TK_EVENTS_MAX},
        {"linksMax", TK_LINKS_MAX},           {"stringBytesMax", TK_TEXT_MAX},
        {"arrayItemsMax", TK_ATTRIBUTES_MAX}, {"eventAttributesMax", TK_ATTRIBUTES_MAX},
        {"depthMax", TK_VALUE_DEPTH_MAX},     {"spanBytesMax", TK_SPAN_BYTES_MAX},
        {"queueSpansMax", TK_QUEUE_MAX},      {"queueBytesMax", TK_QUEUE_BYTES_MAX},
        {"batchSpansMax", TK_BATCH_MAX},      {"batchDelayMs", TK_INTERVAL_MS},
        {"exitFlushMs", TK_EXIT_FLUSH_MS},    {"requestTimeoutMs", TK_REQUEST_TIMEOUT_MS}};
    static char text[100000], kept[100000];
    static uint8_t bytes[200000];
    json_t *document = load("limits.json"), *one;
    size_t i;
    for (i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        current = limits[i].name;
        expect(json_integer_value(json_object_get(document, limits[i].name)) == limits[i].value);
    }
    json_array_foreach(json_object_get(document, "truncation"), i, one)
    {
        tracekit_record record = {0};
        current = text_of(one, "name");
        size_t size = repeat(text, json_object_get(one, "text")),
               want = repeat(kept, json_object_get(one, "expect"));
        expect(tracekit_record_begin(&record, bytes, sizeof bytes, "", 0, "n", 1));
        tracekit_record_string(&record, "k", 1, text, size);
        struct field pair = field_of(record.bytes, record.size, 9, 0);
        struct field value = field_of(pair.text, pair.value, 2, 0),
                     string = field_of(value.text, value.value, 1, 0);
        expect(string.value == want && memcmp(string.text, kept, want) == 0);
    }
    assert_true(i > 5);
    json_decref(document);
}

/* The attributes a rule expects, and no other, are on the only span that was sent. */
static void
expect_span(const json_t *want, const char *route)
{
    static const char *const statuses[] = {"UNSET", "OK", "ERROR"};
    const uint8_t *span;
    size_t size, count = 0;
    char name[256];
    const char *key, *spelled = text_of(want, "name");
    json_t *value;
    expect(tracekit_flush(10000) == TRACEKIT_OK);
    snprintf(name, sizeof name, "%.*s%s", (int)strcspn(spelled, "{"), spelled,
             strchr(spelled, '{') != NULL ? route : "");
    expect(spans_named(name, &span, &size) == 1);
    json_object_foreach(json_object_get(want, "attributes"), key, value)
    {
        char number[32];
        const char *found = attribute_text(span, size, key);
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        const char *text = json_is_integer(value) ? number : json_string_value(value);
        expect(found != NULL && strcmp(found, strcmp(text, "{route}") == 0 ? route : text) == 0);
        count++;
    }
    expect(count_fields(span, size, 9) == count);
    uint64_t code = 0;
    if (count_fields(span, size, 15) > 0) {
        struct field status = field_of(span, size, 15, 0);
        code = field_of(status.text, status.value, 3, 0).value;
    }
    expect(strcmp(statuses[code], text_of(want, "status")) == 0);
}

static void
requests_become_the_spans_that_the_rules_name(void **state)
{
    (void)state;
    json_t *document = load("semconv.json"), *one;
    size_t i;
    set_up(NULL);
    json_array_foreach(json_object_get(document, "server"), i, one)
    {
        char path[256];
        const json_t *request = json_object_get(one, "request");
        const char *target = text_of(request, "target"), *query = strchr(target, '?'),
                   *route = text_of(one, "route");
        current = text_of(one, "name");
        snprintf(path, sizeof path, "%.*s", (int)strcspn(target, "?"), target);
        tracekit_span *span =
            tracekit_start_server(&(tracekit_request){.method = text_of(request, "method"),
                                                      .scheme = "http",
                                                      .host = text_of(request, "host"),
                                                      .path = path,
                                                      .query = query != NULL ? query + 1 : NULL,
                                                      .user_agent = text_of(request, "userAgent")},
                                  NULL);
        tracekit_set_route(span, text_of(request, "method"), route);
        tracekit_set_http_status(span, (int)json_integer_value(json_object_get(one, "status")));
        tracekit_end(span);
        expect_span(json_object_get(one, "expect"), route);
    }
    assert_true(i > 5);
    json_array_foreach(json_object_get(document, "client"), i, one)
    {
        tracekit_headers sent;
        const json_t *request = json_object_get(one, "request"),
                     *status = json_object_get(one, "status");
        current = text_of(one, "name");
        if (!json_is_integer(status))
            continue; /* there was no answer: the caller records its own error */
        tracekit_span *span =
            tracekit_start_client(NULL, text_of(request, "method"), text_of(request, "url"), &sent);
        tracekit_set_http_status(span, (int)json_integer_value(status));
        tracekit_end(span);
        expect_span(json_object_get(one, "expect"), NULL);
    }
    assert_true(i > 5);
    tracekit_shutdown(5000);
    json_decref(document);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_traceparent_is_read_as_the_rules_say),
        cmocka_unit_test(every_tracestate_is_read_as_the_rules_say),
        cmocka_unit_test(requests_made_while_serving_carry_what_the_rules_say),
        cmocka_unit_test(every_url_is_matched_as_the_rules_say),
        cmocka_unit_test(sampling_thresholds_are_those_of_the_rules),
        cmocka_unit_test(answers_are_judged_and_waits_are_as_long_as_the_rules_say),
        cmocka_unit_test(endpoints_become_the_url_that_spans_are_posted_to),
        cmocka_unit_test(urls_are_recorded_without_what_they_must_not_tell),
        cmocka_unit_test(a_url_within_a_fragment_or_a_query_is_none_of_ours),
        cmocka_unit_test(baggage_is_read_made_and_carried_on_as_the_rules_say),
        cmocka_unit_test(limits_are_those_of_the_rules),
        cmocka_unit_test(requests_become_the_spans_that_the_rules_name),
        cmocka_unit_test(spans_are_the_golden_bytes_that_the_official_classes_make),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
