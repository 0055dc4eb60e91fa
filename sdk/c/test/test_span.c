/* What is recorded on spans, whose children they are, and every limit from both sides. */
#include "../src/record.h"
#include "../src/tracer.h"
#include "test.h"

#include <math.h>
#include <pthread.h>

static const uint8_t *span;
static size_t size;

/* Sends what has ended and finds the span with this name. */
static unsigned
sent(const char *name)
{
    assert_int_equal(tracekit_flush(10000), TRACEKIT_OK);
    return spans_named(name, &span, &size);
}

static int
begin(void **state)
{
    (void)state;
    set_up(NULL);
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    assert_null(tracekit_current());
    assert_int_equal(tracekit_shutdown(10000), TRACEKIT_OK);
    return 0;
}

static uint64_t
number(uint32_t field)
{
    return field_of(span, size, field, 0).value;
}

static void
a_span_has_the_attributes_that_were_set(void **state)
{
    (void)state;
    tracekit_span *one = tracekit_start("attributes");
    tracekit_set_string(one, "text", "h\xc3\xa9llo");
    tracekit_set_int(one, "int", INT64_MIN);
    tracekit_set_double(one, "double", 0.5);
    tracekit_set_bool(one, "yes", true);
    tracekit_set_string(one, "empty", "");
    tracekit_set_string(one, "null", NULL);
    tracekit_set_string(one, "", "no key");
    tracekit_set_string(one, NULL, "no key");
    tracekit_end(one);
    assert_int_equal(sent("attributes"), 1);
    assert_string_equal(attribute_text(span, size, "text"), "h\xc3\xa9llo");
    assert_string_equal(attribute_text(span, size, "int"), "-9223372036854775808");
    assert_string_equal(attribute_text(span, size, "double"), "0.5");
    assert_string_equal(attribute_text(span, size, "yes"), "true");
    assert_string_equal(attribute_text(span, size, "empty"), "");
    assert_int_equal(count_fields(span, size, 9), 5);
}

static void
a_key_set_again_gets_the_new_value(void **state)
{
    (void)state;
    tracekit_span *one = tracekit_start("again");
    char key[16];
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 100; i++) { /* more keys than there are bits to tell them apart */
            snprintf(key, sizeof key, "key.%d", i);
            if (round == 1)
                tracekit_set_string(one, key, "another type, and longer");
            else
                tracekit_set_int(one, key, i * (round + 1));
        }
    tracekit_set_name(one, "another name");
    tracekit_set_name(one, "again");
    tracekit_end(one);
    assert_int_equal(sent("again"), 1);
    assert_int_equal(count_fields(span, size, 9), 100);
    assert_int_equal(count_fields(span, size, 5), 1);
    assert_string_equal(attribute_text(span, size, "key.99"), "297");
}

static void
long_keys_and_values_have_longer_lengths(void **state)
{
    (void)state;
    static char text[40000], key[300];
    memset(text, 'x', sizeof text - 1);
    memset(key, 'k', sizeof key - 1);
    const size_t sizes[] = {1,   7,   8,   9,   115, 116,   117,   118,  121,
                            122, 123, 127, 128, 129, 16383, 16384, 32768};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        tracekit_span *one = tracekit_start("long");
        tracekit_set_string_n(one, "key", 3, text, sizes[i]);
        size_t key_size = sizes[i] < sizeof key ? sizes[i] : sizeof key - 1;
        tracekit_set_int_n(one, key, key_size, 1);
        tracekit_set_int_n(one, key, key_size, INT64_MAX);
        tracekit_end(one);
        assert_int_equal(sent("long"), 1);
        assert_int_equal(count_fields(span, size, 9), 2);
        assert_int_equal(strlen(attribute_text(span, size, "key")), sizes[i]);
    }
}

static void
text_that_is_no_utf8_is_mended(void **state)
{
    (void)state;
    static const struct {
        const char *text, *becomes;
    } cases[] = {
        {"\xff", "\xef\xbf\xbd"},
        {"a\xc3", "a\xef\xbf\xbd"},
        {"\xe2\x98\x83", "\xe2\x98\x83"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tracekit_span *one = tracekit_start("utf8");
        tracekit_set_string(one, cases[i].text, cases[i].text);
        tracekit_set_status(one, TRACEKIT_STATUS_ERROR, cases[i].text);
        tracekit_end(one);
        assert_int_equal(sent("utf8"), 1);
        assert_string_equal(attribute_text(span, size, cases[i].becomes), cases[i].becomes);
    }
}

static void
a_value_is_cut_at_a_character(void **state)
{
    (void)state;
    static char text[TK_TEXT_MAX + 4];
    memset(text, 'x', TK_TEXT_MAX - 1);
    memcpy(text + TK_TEXT_MAX - 1, "\xc3\xa9", 3);
    tracekit_span *one = tracekit_start("cut");
    tracekit_set_string(one, "key", text);
    tracekit_end(one);
    assert_int_equal(sent("cut"), 1);
    assert_int_equal(strlen(attribute_text(span, size, "key")), TK_TEXT_MAX - 1);
}

static void
a_span_takes_so_many_attributes_events_and_links_and_counts_the_rest(void **state)
{
    (void)state;
    tracekit_context other = {.trace_id = {1}, .span_id = {2}, .flags = 1, .valid = true};
    for (int more = 0; more < 2; more++) {
        char key[16];
        tracekit_span *one = tracekit_start("limits");
        for (int i = 0; i < 128 + more; i++) {
            snprintf(key, sizeof key, "key.%d", i);
            tracekit_set_int(one, key, i);
            tracekit_add_event(one, "event", NULL, 0);
            tracekit_add_link(one, &other);
        }
        tracekit_set_int(one, "key.0", 7); /* not a new one */
        tracekit_end(one);
        assert_int_equal(sent("limits"), 1);
        assert_int_equal(count_fields(span, size, 9), 128);
        assert_int_equal(count_fields(span, size, 11), 128);
        assert_int_equal(count_fields(span, size, 13), 128);
        assert_int_equal(count_fields(span, size, 10), more);
        assert_int_equal(count_fields(span, size, 12), more);
        assert_int_equal(count_fields(span, size, 14), more);
        assert_string_equal(attribute_text(span, size, "key.0"), "7");
    }
}

static void
an_event_takes_so_many_attributes_and_counts_the_rest(void **state)
{
    (void)state;
    tracekit_attribute attributes[129];
    for (int i = 0; i < 129; i++)
        attributes[i] = (tracekit_attribute){"key", tracekit_int(i)};
    for (size_t more = 0; more < 2; more++) {
        tracekit_span *one = tracekit_start("event limits");
        tracekit_add_event(one, "event", attributes, 128 + more);
        tracekit_end(one);
        assert_int_equal(sent("event limits"), 1);
        struct field event = field_of(span, size, 11, 0);
        assert_int_equal(count_fields(event.text, event.value, 3), 128);
        assert_int_equal(count_fields(event.text, event.value, 4), more);
    }
}

static void
a_span_is_no_larger_than_its_limit(void **state)
{
    (void)state;
    static char text[TK_TEXT_MAX + 1];
    memset(text, 'x', TK_TEXT_MAX);
    tracekit_span *one = tracekit_start("huge");
    for (int i = 0; i < 20; i++) {
        char key[16];
        snprintf(key, sizeof key, "key.%d", i);
        tracekit_set_string(one, key, text);
    }
    tracekit_end(one);
    assert_int_equal(sent("huge"), 1);
    assert_true(size <= TK_SPAN_BYTES_MAX && size > TK_SPAN_BYTES_MAX / 2);
    assert_int_equal(count_fields(span, size, 9) + number(10), 20);
}

static tracekit_value
nested(tracekit_value *values, int depth)
{
    values[0] = tracekit_int(1);
    for (int i = 1; i <= depth; i++) {
        values[i] = (tracekit_value){.type = TRACEKIT_TYPE_ARRAY};
        values[i].as.array.items = &values[i - 1];
        values[i].as.array.count = 1;
    }
    return values[depth];
}

static unsigned
depth_of(const uint8_t *value, size_t value_size)
{
    struct field field;
    const uint8_t *at = value;
    if (!next_field(&at, value + value_size, &field) || field.number != 5)
        return 0;
    if (field.value == 0)
        return 1;
    struct field item = field_of(field.text, field.value, 1, 0);
    return 1 + depth_of(item.text, item.value);
}

static void
lists_and_maps_are_values_and_deep_ones_are_cut(void **state)
{
    (void)state;
    tracekit_value values[32], items[2] = {tracekit_string("a"), tracekit_double(NAN)}, list, map;
    tracekit_attribute entries[2] = {{"one", tracekit_int(1)}, {NULL, tracekit_int(2)}};
    list = (tracekit_value){.type = TRACEKIT_TYPE_ARRAY};
    list.as.array.items = items;
    list.as.array.count = 2;
    map = (tracekit_value){.type = TRACEKIT_TYPE_MAP};
    map.as.map.items = entries;
    map.as.map.count = 2;
    tracekit_value bytes = {TRACEKIT_TYPE_BYTES, {{"\0\1\xff", 3}}}, deep = nested(values, 20);
    tracekit_span *one = tracekit_start("values");
    tracekit_set_value(one, "list", &list);
    tracekit_set_value(one, "map", &map);
    tracekit_set_value(one, "bytes", &bytes);
    tracekit_set_value(one, "deep", &deep);
    tracekit_end(one);
    assert_int_equal(sent("values"), 1);
    struct field any[4];
    for (unsigned i = 0; i < 4; i++) {
        struct field pair = field_of(span, size, 9, i);
        any[i] = field_of(pair.text, pair.value, 2, 0);
    }
    struct field array = field_of(any[0].text, any[0].value, 5, 0),
                 entry = field_of(any[1].text, any[1].value, 6, 0);
    assert_int_equal(count_fields(array.text, array.value, 1), 2);
    assert_int_equal(count_fields(entry.text, entry.value, 1), 1);
    assert_memory_equal(field_of(any[2].text, any[2].value, 7, 0).text, "\0\1\xff", 3);
    assert_int_equal(depth_of(any[3].text, any[3].value), TK_VALUE_DEPTH_MAX + 1);
}

static void
a_list_within_itself_ends(void **state)
{
    (void)state;
    static tracekit_value two[2], many[TK_ATTRIBUTES_MAX];
    for (size_t i = 0; i < TK_ATTRIBUTES_MAX; i++) {
        many[i] = (tracekit_value){.type = TRACEKIT_TYPE_ARRAY};
        many[i].as.array.items = many;
        many[i].as.array.count = TK_ATTRIBUTES_MAX;
        two[i % 2] = (tracekit_value){.type = TRACEKIT_TYPE_ARRAY};
        two[i % 2].as.array.items = two;
        two[i % 2].as.array.count = 2;
    }
    tracekit_span *one = tracekit_start("circles");
    tracekit_set_value(one, "two", &two[0]);
    tracekit_set_value(one, "many", &many[0]);
    tracekit_end(one);
    assert_int_equal(sent("circles"), 1);
    struct field pair = field_of(span, size, 9, 0), any = field_of(pair.text, pair.value, 2, 0);
    assert_int_equal(depth_of(any.text, any.value), TK_VALUE_DEPTH_MAX + 1);
    assert_int_equal(field_of(span, size, 10, 0).value, 1); /* larger than a span may be */
}

static void
an_error_is_an_event_and_fails_the_span(void **state)
{
    (void)state;
    tracekit_span *one = tracekit_start("failed");
    tracekit_record_error(one, "ECONNREFUSED", "connection refused", "main\n");
    tracekit_end(one);
    assert_int_equal(sent("failed"), 1);
    assert_string_equal(attribute_text(span, size, "error.type"), "ECONNREFUSED");
    struct field event = field_of(span, size, 11, 0), status = field_of(span, size, 15, 0);
    assert_memory_equal(field_of(event.text, event.value, 2, 0).text, "exception", 9);
    assert_int_equal(count_fields(event.text, event.value, 3), 3);
    assert_int_equal(field_of(status.text, status.value, 3, 0).value, TRACEKIT_STATUS_ERROR);
    assert_memory_equal(field_of(status.text, status.value, 2, 0).text, "connection refused", 18);
}

static void
expect_parent(const char *child, const char *parent)
{
    uint8_t id[8];
    const uint8_t *parent_span;
    size_t parent_size;
    assert_int_equal(spans_named(parent, &parent_span, &parent_size), 1);
    memcpy(id, field_of(parent_span, parent_size, 2, 0).text, 8);
    assert_int_equal(spans_named(child, &span, &size), 1);
    assert_memory_equal(field_of(span, size, 4, 0).text, id, 8);
}

static void
a_span_is_the_child_of_the_current_one(void **state)
{
    (void)state;
    tracekit_span *root = tracekit_start("root"), *child = tracekit_start("child");
    assert_ptr_equal(tracekit_current(), child);
    tracekit_end(tracekit_start("grandchild"));
    tracekit_end(child);
    assert_ptr_equal(tracekit_current(), root);
    tracekit_span *aside = tracekit_start_child(root, "aside");
    assert_ptr_equal(tracekit_current(), root);
    tracekit_end(root);
    tracekit_end(aside);
    assert_int_equal(sent("root"), 1);
    assert_int_equal(count_fields(span, size, 4), 0);
    expect_parent("child", "root");
    expect_parent("grandchild", "child");
    expect_parent("aside", "root");
}

static void
spans_may_end_in_any_order(void **state)
{
    (void)state;
    tracekit_span *a = tracekit_start("a"), *b = tracekit_start("b"), *c = tracekit_start("c");
    tracekit_end(b);
    assert_ptr_equal(tracekit_current(), c);
    tracekit_end(c);
    assert_ptr_equal(tracekit_current(), a);
    tracekit_end(a);
    assert_null(tracekit_current());
    assert_int_equal(sent("b"), 1);
    expect_parent("c", "b");
}

static void
a_detached_span_is_current_nowhere_until_it_is_attached(void **state)
{
    (void)state;
    tracekit_span *outer = tracekit_start("outer"), *one = tracekit_detach(tracekit_start("one"));
    assert_ptr_equal(tracekit_current(), outer);
    assert_ptr_equal(tracekit_attach(one), one);
    assert_ptr_equal(tracekit_current(), one);
    assert_ptr_equal(tracekit_attach(one), one); /* the second time does nothing */
    tracekit_end(one);
    tracekit_end(outer);
}

static void *
end_elsewhere(void *argument)
{
    tracekit_span *other = tracekit_start("of another thread");
    tracekit_end(argument);
    tracekit_end(other);
    return NULL;
}

static void
a_span_may_end_on_another_thread(void **state)
{
    (void)state;
    pthread_t thread;
    for (int attached = 0; attached < 2; attached++) {
        tracekit_span *outer = tracekit_start("outer"), *inner = tracekit_start("inner");
        if (!attached)
            tracekit_detach(inner);
        assert_int_equal(pthread_create(&thread, NULL, end_elsewhere, inner), 0);
        pthread_join(thread, NULL);
        assert_ptr_equal(tracekit_current(), outer);
        tracekit_end(outer);
        assert_int_equal(sent("inner"), 1);
        expect_parent("inner", "outer");
        assert_int_equal(spans_named("of another thread", &span, &size), 1);
        assert_int_equal(count_fields(span, size, 4), 0);
    }
}

static void *
leave_open(void *argument)
{
    *(tracekit_span **)argument = tracekit_start("left open");
    return NULL;
}

static void
a_span_outlives_the_thread_that_began_it(void **state)
{
    (void)state;
    pthread_t thread;
    tracekit_span *one = NULL;
    assert_int_equal(pthread_create(&thread, NULL, leave_open, &one), 0);
    pthread_join(thread, NULL);
    tracekit_attach(one);
    assert_ptr_equal(tracekit_current(), one);
    tracekit_end(one);
    assert_int_equal(sent("left open"), 1);
}

static void
calls_with_no_span_do_nothing(void **state)
{
    (void)state;
    tracekit_headers headers;
    char id[33];
    tracekit_end(NULL);
    tracekit_attach(NULL);
    tracekit_set_string(NULL, "a", "b");
    tracekit_set_name(NULL, "a");
    tracekit_set_status(NULL, TRACEKIT_STATUS_OK, NULL);
    tracekit_record_error(NULL, "a", "b", "c");
    tracekit_set_http_status(NULL, 500);
    tracekit_inject(NULL, &headers);
    tracekit_trace_id(NULL, id);
    assert_string_equal(headers.traceparent, "");
    assert_string_equal(id, "");
    assert_false(tracekit_is_recording(NULL));
}

static void
open_spans_are_limited_and_come_back(void **state)
{
    (void)state;
    static tracekit_span *open[TK_OPEN_SPANS_MAX];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < TK_OPEN_SPANS_MAX; i++) {
            open[i] = tracekit_start_child(NULL, "open");
            assert_non_null(open[i]);
        }
        assert_null(tracekit_start_child(NULL, "one too many"));
        for (int i = 0; i < TK_OPEN_SPANS_MAX; i++) {
            tracekit_end(open[i]);
            if (i % 1024 == 1023)
                tracekit_flush(10000);
        }
    }
    tracekit_statistics statistics;
    tracekit_get_statistics(&statistics);
    assert_int_equal(statistics.dropped, 2);
    assert_int_equal(statistics.sent, 2 * TK_OPEN_SPANS_MAX);
    assert_non_null(strstr(said, "too many spans are open"));
}

static void
a_request_is_a_server_span_with_the_conventions_names(void **state)
{
    (void)state;
    tracekit_span *one = tracekit_start_server(&(tracekit_request){.method = "GET",
                                                                   .route = "/users/{id}",
                                                                   .scheme = "http",
                                                                   .host = "api.example.com:8080",
                                                                   .path = "/users/7",
                                                                   .query = "a=1&sig=secret",
                                                                   .client_address = "10.0.0.1",
                                                                   .user_agent = "curl"},
                                               NULL);
    tracekit_set_http_status(one, 404);
    tracekit_end(one);
    assert_int_equal(sent("GET /users/{id}"), 1);
    assert_int_equal(number(6), TRACEKIT_SERVER);
    assert_int_equal(count_fields(span, size, 15), 0);
    assert_string_equal(attribute_text(span, size, "http.request.method"), "GET");
    assert_string_equal(attribute_text(span, size, "http.route"), "/users/{id}");
    assert_string_equal(attribute_text(span, size, "url.query"), "a=1&sig=REDACTED");
    assert_string_equal(attribute_text(span, size, "server.address"), "api.example.com");
    assert_string_equal(attribute_text(span, size, "server.port"), "8080");
    assert_string_equal(attribute_text(span, size, "http.response.status_code"), "404");
    one = tracekit_start_server(&(tracekit_request){.method = "BREW"}, NULL);
    tracekit_set_http_status(one, 503);
    tracekit_end(one);
    assert_int_equal(sent("HTTP"), 1);
    assert_string_equal(attribute_text(span, size, "http.request.method"), "_OTHER");
    assert_string_equal(attribute_text(span, size, "http.request.method_original"), "BREW");
    assert_string_equal(attribute_text(span, size, "error.type"), "503");
}

static void
a_request_made_is_a_client_span_with_headers_for_targets_alone(void **state)
{
    (void)state;
    const char *const targets[] = {"api.example.com", "~^https://v[0-9]\\.", NULL};
    tracekit_headers headers;
    tracekit_shutdown(10000);
    set_up(&(tracekit_options){.propagation_targets = targets});
    tracekit_span *root = tracekit_start("root");
    tracekit_span *one =
        tracekit_start_client(root, "POST", "http://u:p@api.example.com:81/a?sig=x#f", &headers);
    assert_int_equal(strlen(headers.traceparent), 55);
    tracekit_set_http_status(one, 404);
    tracekit_end(one);
    tracekit_end(
        tracekit_start_client(root, "GET", "http://third.party/?u=api.example.com", &headers));
    assert_string_equal(headers.traceparent, "");
    tracekit_end(root);
    assert_int_equal(sent("POST"), 1);
    assert_int_equal(number(6), TRACEKIT_CLIENT);
    assert_string_equal(attribute_text(span, size, "url.full"),
                        "http://api.example.com:81/a?sig=REDACTED");
    assert_string_equal(attribute_text(span, size, "server.port"), "81");
    assert_string_equal(attribute_text(span, size, "error.type"), "404");
    expect_parent("POST", "root");
}

static void
a_bad_expression_is_a_mistake_that_is_said(void **state)
{
    (void)state;
    const char *const targets[] = {"~(", NULL};
    tracekit_shutdown(10000);
    assert_int_equal(tracekit_init(&(tracekit_options){.propagation_targets = targets}),
                     TRACEKIT_ERROR_ARGUMENT);
    assert_null(tracekit_start("none"));
    set_up(NULL);
    assert_int_equal(tracekit_init(NULL), TRACEKIT_ERROR_STATE);
}

static void
traces_are_sampled_by_rate_and_unsampled_ones_only_travel(void **state)
{
    (void)state;
    tracekit_headers headers;
    int sampled = 0;
    tracekit_shutdown(10000);
    set_up(&(tracekit_options){.sample_rate = 0.25});
    for (int i = 0; i < 4096; i++) {
        tracekit_span *root = tracekit_start("root"), *child = tracekit_start("child");
        tracekit_inject(child, &headers);
        bool is_sampled = strcmp(headers.traceparent + 53, "03") == 0;
        assert_string_equal(headers.tracestate, is_sampled ? "ot=th:c" : "");
        assert_true(is_sampled || strcmp(headers.traceparent + 53, "02") == 0);
        assert_int_equal(tracekit_is_recording(child), is_sampled);
        tracekit_set_string(child, "key", "value");
        tracekit_end(child);
        tracekit_end(root);
        sampled += is_sampled;
        if (i % 512 == 0)
            tracekit_flush(10000);
    }
    assert_in_range(sampled, 1024 - 256, 1024 + 256); /* nine standard deviations */
    tracekit_flush(10000);
    assert_int_equal(receiver.spans, 2 * sampled);
}

static void
baggage_goes_along_and_is_not_recorded(void **state)
{
    (void)state;
    static const char header[] = "tenant=acme , user=j%C3%B6rg;p=1,bad key=1,,x=q";
    tracekit_context caller = {0};
    tracekit_headers headers;
    char value[64];
    tracekit_extract(&caller, "traceparent",
                     "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    tracekit_extract(&caller, "Baggage", header);
    tracekit_span *server = tracekit_start_from(&caller, "server"),
                  *child = tracekit_start("child");
    assert_int_equal(tracekit_get_baggage(child, "user", value, sizeof value), 5);
    assert_string_equal(value, "j\xc3\xb6rg");
    assert_int_equal(tracekit_get_baggage(child, "user", value, 3), 5); /* cut off, with its NUL */
    assert_int_equal(strlen(value), 2);
    assert_int_equal(tracekit_get_baggage(child, "nobody", value, sizeof value), -1);
    assert_int_equal(tracekit_set_baggage(child, "user", "a, b=\xc3\xa9"), TRACEKIT_OK);
    assert_int_equal(tracekit_set_baggage(child, "tenant", NULL), TRACEKIT_OK);
    assert_int_equal(tracekit_set_baggage(child, "a b", "1"), TRACEKIT_ERROR_ARGUMENT);
    tracekit_inject(child, &headers);
    assert_string_equal(headers.baggage, "user=a%2C%20b=%C3%A9,x=q");
    tracekit_get_baggage(child, "user", value, sizeof value);
    assert_string_equal(value, "a, b=\xc3\xa9");
    tracekit_inject(server, &headers);
    assert_string_equal(headers.baggage, "tenant=acme,user=j%C3%B6rg;p=1,x=q");
    tracekit_end(child);
    tracekit_end(server);
    assert_int_equal(sent("server"), 1);
    assert_int_equal(count_fields(span, size, 9), 0);
}

static void
long_tracestates_lose_whole_members_long_ones_first(void **state)
{
    (void)state;
    tracekit_context context = {0};
    char member[300], list[64];
    for (int i = 0; i < 6; i++) { /* 6 x 212 bytes and some short ones */
        snprintf(member, sizeof member, "long%d=%0205d", i, i);
        snprintf(list, sizeof list, "short%d=%d", i, i);
        tracekit_extract(&context, "tracestate", member);
        tracekit_extract(&context, "tracestate", list);
    }
    assert_in_range(context.tracestate_size, 512, TRACEKIT_TRACESTATE_MAX);
    context.tracestate[context.tracestate_size] = '\0';
    for (int i = 0; i < 6; i++) {
        snprintf(list, sizeof list, "short%d=%d", i, i);
        assert_non_null(strstr(context.tracestate, list));
    }
    assert_null(strstr(context.tracestate, "long0"));
    assert_non_null(strstr(context.tracestate, "long5"));
}

static bool
let_it_grow(tracekit_record *record, uint32_t capacity)
{
    uint8_t *bytes = realloc(record->bytes, capacity);
    if (bytes == NULL)
        return false;
    record->bytes = bytes;
    record->capacity = capacity;
    return true;
}

static void
a_binding_hands_over_what_it_has_encoded(void **state)
{
    (void)state;
    static const uint8_t seven[] = {0x18, 7}; /* AnyValue.int_value */
    static char text[30001];
    tracekit_record record = {.grow = let_it_grow};
    memset(text, 'x', sizeof text - 1);
    assert_true(tracekit_record_begin(&record, malloc(64), 64, "", 0, "n", 1));
    tracekit_record_encoded(&record, "a", 1, seven, sizeof seven);
    tracekit_record_encoded(&record, "b", 1, seven, sizeof seven);
    tracekit_record_encoded(&record, "a", 1, seven, sizeof seven); /* anew: there is one */
    tracekit_record_encoded(&record, "", 0, seven, sizeof seven);
    tracekit_record_remove(&record, "b", 1);
    tracekit_record_remove(&record, "c", 1);
    assert_int_equal(count_fields(record.bytes, record.size, 9), 1);
    assert_int_equal(record.attributes, 1);
    struct field pair = field_of(record.bytes, record.size, 9, 0);
    struct field value = field_of(pair.text, pair.value, 2, 0);
    assert_int_equal(field_of(value.text, value.value, 3, 0).value, 7);
    for (int i = 0; i < 129; i++) {
        tracekit_record_encoded_event(&record,
                                      "\x12\x01"
                                      "e",
                                      3);
        tracekit_record_encoded_link(&record,
                                     "\x1a\x01"
                                     "s",
                                     3);
    }
    assert_int_equal(count_fields(record.bytes, record.size, 11), 128);
    assert_int_equal(count_fields(record.bytes, record.size, 13), 128);
    assert_int_equal(record.dropped_events, 1);
    assert_int_equal(record.dropped_links, 1);
    for (int i = 0; i < 9; i++) { /* eight of them fit 256 KiB: what is ASCII does not grow */
        char key[2] = {(char)('k' + i), '\0'};
        tracekit_record_string(&record, key, 1, text, sizeof text - 1);
    }
    assert_int_equal(record.attributes, 9);
    assert_int_equal(record.dropped_attributes, 1);
    free(record.bytes);
}

int
main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {
        test(a_span_has_the_attributes_that_were_set),
        test(a_key_set_again_gets_the_new_value),
        test(long_keys_and_values_have_longer_lengths),
        test(text_that_is_no_utf8_is_mended),
        test(a_value_is_cut_at_a_character),
        test(a_span_takes_so_many_attributes_events_and_links_and_counts_the_rest),
        test(an_event_takes_so_many_attributes_and_counts_the_rest),
        test(a_span_is_no_larger_than_its_limit),
        test(lists_and_maps_are_values_and_deep_ones_are_cut),
        test(a_list_within_itself_ends),
        test(an_error_is_an_event_and_fails_the_span),
        test(a_span_is_the_child_of_the_current_one),
        test(spans_may_end_in_any_order),
        test(a_detached_span_is_current_nowhere_until_it_is_attached),
        test(a_span_may_end_on_another_thread),
        test(a_span_outlives_the_thread_that_began_it),
        test(calls_with_no_span_do_nothing),
        test(open_spans_are_limited_and_come_back),
        test(a_request_is_a_server_span_with_the_conventions_names),
        test(a_request_made_is_a_client_span_with_headers_for_targets_alone),
        test(a_bad_expression_is_a_mistake_that_is_said),
        test(traces_are_sampled_by_rate_and_unsampled_ones_only_travel),
        test(baggage_goes_along_and_is_not_recorded),
        test(long_tracestates_lose_whole_members_long_ones_first),
        cmocka_unit_test(a_binding_hands_over_what_it_has_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
