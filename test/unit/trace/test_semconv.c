/* Old and new semantic conventions are one. */
#include "trace/semconv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool
has(const char *key, const char *name)
{
    tk_str names[TK_SEMCONV_NAMES_MAX];
    size_t count = tk_semconv_names(tk_str_from(key), names);
    assert_true(tk_str_eq(names[0], tk_str_from(key)));
    for (size_t i = 0; i < count; i++) {
        if (tk_str_eq(names[i], tk_str_from(name)))
            return true;
    }
    return false;
}

static void
a_name_finds_its_successor_and_its_predecessors(void **state)
{
    (void)state;
    assert_true(has("http.status_code", "http.response.status_code"));
    assert_true(has("http.response.status_code", "http.status_code"));
    assert_true(has("server.address", "net.peer.name"));
    assert_true(has("server.address", "net.host.name"));
    assert_true(has("net.peer.name", "server.address"));
    assert_false(has("net.peer.name", "net.host.name"));
    assert_true(has("db.collection.name", "db.sql.table"));
}

static void
any_other_name_is_itself_alone(void **state)
{
    tk_str names[TK_SEMCONV_NAMES_MAX];
    (void)state;
    assert_int_equal(tk_semconv_names(TK_STR("order.id"), names), 1);
    assert_int_equal(tk_semconv_names(TK_STR(""), names), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_finds_its_successor_and_its_predecessors),
        cmocka_unit_test(any_other_name_is_itself_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
