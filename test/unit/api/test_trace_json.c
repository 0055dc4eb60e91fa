/* Summary and Trace as the query API prints them, against golden files. */
#include "api/trace_json.h"
#include "query/spans.h"

#include <stdio.h>
#include <stdlib.h>

static struct tk_arena arena;

/* TRACEKIT_GOLDEN=write makes the files anew. */
static void
expect_golden(const char *name, const struct tk_buf *json)
{
    char path[4096], expected[1 << 14];
    const char *source = getenv("TRACEKIT_SOURCE"), *mode = getenv("TRACEKIT_GOLDEN");
    bool write = mode != NULL && strcmp(mode, "write") == 0;
    assert_int_equal(json->status, TK_OK);
    (void)snprintf(path, sizeof path, "%s/test/unit/api/golden/%s.json",
                   source != NULL ? source : ".", name);
    FILE *file = fopen(path, write ? "w" : "r");
    if (file == NULL)
        fail_msg("%s: cannot be opened", path);
    if (write) {
        (void)fprintf(file, "%.*s\n", (int)json->len, json->ptr);
    } else {
        size_t len = fread(expected, 1, sizeof expected - 1, file);
        expected[len > 0 ? len - 1 : 0] = '\0'; /* the newline at the end of the file */
        if (json->len != strlen(expected) || memcmp(json->ptr, expected, json->len) != 0)
            fail_msg("%s is not\n%.*s", path, (int)json->len, json->ptr);
    }
    (void)fclose(file);
}

/* A span with everything, an orphan with nothing. */
static struct tk_batch *
full_trace(void)
{
    static const char list[] = "\x0a\x03\x0a\x01x\x0a\x02\x18\x07";
    struct tk_batch *t = new_batch();
    uint32_t api = add_service(t, "api"), none = add_service(t, NULL), event, link;
    t->resources[none].schema_url = TK_STR("https://opentelemetry.io/schemas/1.30.0");
    t->scopes[0] = (struct tk_scope){.name = TK_STR("http"), .version = TK_STR("1.2.3")};
    uint32_t row = add_span(t, api, 0xa1, 0, "GET /\"users\"", 0, 100);
    t->kind[row] = TK_KIND_SERVER;
    t->status[row] = TK_STATUS_ERROR;
    t->status_message[row] = TK_STR("no route");
    t->trace_state[row] = TK_STR("ot=th:0");
    t->flags[row] = 0x101;
    t->dropped_attrs[row] = 1;
    t->dropped_events[row] = 2;
    t->dropped_links[row] = 3;
    add_attr(t, "string", string_attr("\xe2\x82\xac"));
    add_attr(t, "bool", bool_attr(false));
    add_attr(t, "int", int_attr(-7));
    add_attr(t, "big", int_attr(INT64_C(9007199254740993)));
    add_attr(t, "double", double_attr(0.1));
    add_attr(t, "bytes", (struct tk_value){.type = TK_VALUE_BYTES, .len = 3, .ptr = "\0\1\377"});
    add_attr(t, "list",
             (struct tk_value){.type = TK_VALUE_ARRAY, .len = sizeof list - 1, .ptr = list});
    add_attr(t, "empty", string_attr(""));
    add_attr(t, "null", (struct tk_value){.type = TK_VALUE_EMPTY});
    assert_int_equal(tk_batch_add_event(t, &event), TK_OK);
    t->event[event] = (struct tk_event){.time_nano = EPOCH + 5,
                                        .name = TK_STR("exception"),
                                        .attrs = {t->attr_count, 1},
                                        .dropped_attrs = 4};
    assert_int_equal(tk_batch_add_attr(t, TK_STR("exception.type"), string_attr("E")), TK_OK);
    t->events[row] = (struct tk_range){event, 1};
    assert_int_equal(tk_batch_add_link(t, &link), TK_OK);
    t->link[link] = (struct tk_link){.trace_id = {1, 2}, .span_id = 3, .flags = 1};
    t->links[row] = (struct tk_range){link, 1};
    row = add_span(t, none, 0xb2, 0xff, "lost", 50, 100);
    t->kind[row] = 0;
    return t;
}

static void
expect_both(const char *trace_name, const char *summary_name, struct tk_batch *trace, bool gaps)
{
    struct tk_json_writer json;
    struct tk_buf body;
    tk_buf_init(&body, 1 << 20);
    tk_json_writer_init(&json, &body);
    assert_int_equal(tk_trace_json(&json, trace, gaps, &arena), TK_OK);
    expect_golden(trace_name, &body);
    tk_buf_clear(&body);
    tk_json_writer_init(&json, &body);
    assert_int_equal(tk_summary_json(&json, trace, NULL, &arena), TK_OK);
    expect_golden(summary_name, &body);
    tk_buf_release(&body);
    tk_batch_free(trace);
}

static void
the_documents_trace_prints_as_ever(void **state)
{
    (void)state;
    expect_both("document", "document_summary", document_trace(), false);
}

static void
everything_a_span_can_hold_is_printed_and_nothing_else(void **state)
{
    (void)state;
    expect_both("full", "full_summary", full_trace(), true);
}

static int
setup(void **state)
{
    (void)state;
    tk_arena_init(&arena, 1024, 1 << 24);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    tk_arena_release(&arena);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_documents_trace_prints_as_ever, setup, teardown),
        cmocka_unit_test_setup_teardown(everything_a_span_can_hold_is_printed_and_nothing_else,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
