/* account: projects, keys, sessions, and what a second connection to the same file sees. */
#include "account/account.h"

#include <pthread.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* The host, but for the clocks. */
struct fake_env {
    struct tk_env env;
    uint64_t wall, mono;
};

struct fixture {
    struct fake_env clock;
    char dir[64];
    struct tk_account *account;
    struct tk_arena arena;
};

static const uint64_t second = 1000000000;
static uint64_t
fake_wall(struct tk_env *env)
{
    return ((struct fake_env *)env)->wall;
}

static uint64_t
fake_mono(struct tk_env *env)
{
    return ((struct fake_env *)env)->mono;
}

static void
pass_time(struct fixture *f, uint64_t nano)
{
    f->clock.wall += nano;
    f->clock.mono += nano;
}

static struct tk_account *
open_account(struct fixture *f)
{
    struct tk_account *account = NULL;
    struct tk_error err = {0};
    enum tk_err result = tk_account_open(&f->clock.env, f->dir, &account, &err);
    if (result != TK_OK)
        fail_msg("%s", err.message);
    return account;
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->clock.env = *tk_env_host();
    f->clock.env.wall_nano = fake_wall;
    f->clock.env.mono_nano = fake_mono;
    f->clock.wall = UINT64_C(1700000000) * second;
    f->clock.mono = 100 * second;
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/tk_account_XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->account = open_account(f);
    tk_arena_init(&f->arena, 4096, 1 << 20);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    static const char *const files[] = {"accounts.db", "accounts.db-wal", "accounts.db-shm"};
    struct fixture *f = *state;
    char path[128];
    tk_account_close(f->account);
    tk_arena_release(&f->arena);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", f->dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(f->dir);
    free(f);
    return 0;
}

static struct tk_project
make_project(struct fixture *f, const char *name)
{
    struct tk_project project = {0};
    assert_int_equal(tk_account_project_create(f->account, tk_str_from(name), &project, NULL),
                     TK_OK);
    return project;
}

static struct tk_key
make_key(struct tk_account *account, struct fixture *f, const char *project, enum tk_key_kind kind,
         const char *origin, char secret[TK_KEY_SIZE_MAX + 1])
{
    struct tk_key key = {0};
    struct tk_error err = {0};
    tk_str origins = tk_str_from(origin);
    struct tk_key_request request = {.project = tk_str_from(project),
                                     .kind = kind,
                                     .name = TK_STR("a key"),
                                     .origins = &origins,
                                     .origin_count = origin != NULL};
    if (tk_account_key_create(account, &request, &f->arena, &key, secret, &err) != TK_OK)
        fail_msg("%s", err.message);
    return key;
}

static enum tk_err
try_key(struct fixture *f, const char *key, struct tk_identity *identity)
{
    return tk_account_authenticate(f->account, tk_str_from(key), identity);
}

/* ---- first start ---- */

static void
the_first_start_makes_a_server_key_of_project_default(void **state)
{
    struct fixture *f = *state;
    struct tk_identity who;
    char key[TK_KEY_SIZE_MAX + 1];
    bool first = false;
    assert_int_equal(tk_account_first_start(f->account, TK_STR(""), key, &first, NULL), TK_OK);
    assert_true(first);
    assert_int_equal(try_key(f, key, &who), TK_OK);
    assert_string_equal(who.project, "default");
    assert_int_equal(who.kind, TK_KEY_SERVER);

    assert_int_equal(tk_account_first_start(f->account, TK_STR(""), key, &first, NULL), TK_OK);
    assert_false(first);
}

static void
a_key_made_before_the_first_start_does_not_stand_in_its_way(void **state)
{
    struct fixture *f = *state;
    char key[TK_KEY_SIZE_MAX + 1];
    bool first = false;
    make_key(f->account, f, "default", TK_KEY_SERVER, NULL, key);
    make_project(f, "shop");
    assert_int_equal(tk_account_first_start(f->account, TK_STR(""), key, &first, NULL), TK_OK);
    assert_true(first);
}

static void
a_key_given_at_the_first_start_becomes_the_server_key(void **state)
{
    struct fixture *f = *state;
    struct tk_identity who;
    char key[TK_KEY_SIZE_MAX + 1];
    bool first = false;
    assert_int_equal(tk_account_first_start(f->account, TK_STR("my-own"), key, &first, NULL),
                     TK_OK);
    assert_int_equal(try_key(f, "my-own", &who), TK_OK);
    assert_int_equal(who.kind, TK_KEY_SERVER);
}

static void
a_given_key_that_no_header_could_carry_is_refused(void **state)
{
    struct fixture *f = *state;
    char key[TK_KEY_SIZE_MAX + 1], longest[TK_KEY_SIZE_MAX + 2];
    bool first;
    memset(longest, 'k', sizeof longest);
    assert_int_equal(tk_account_first_start(f->account, TK_STR("two words"), key, &first, NULL),
                     TK_ERR_INPUT);
    assert_int_equal(tk_account_first_start(f->account, (tk_str){longest, TK_KEY_SIZE_MAX + 1}, key,
                                            &first, NULL),
                     TK_ERR_INPUT);
    assert_int_equal(
        tk_account_first_start(f->account, (tk_str){longest, TK_KEY_SIZE_MAX}, key, &first, NULL),
        TK_OK);
}

/* ---- projects ---- */

static void
projects_are_listed_by_name_and_found(void **state)
{
    struct fixture *f = *state;
    struct tk_project *projects;
    size_t count;
    uint32_t id;
    struct tk_project shop = make_project(f, "shop");
    make_project(f, "blog");
    assert_int_equal(tk_account_project_list(f->account, &f->arena, &projects, &count, NULL),
                     TK_OK);
    assert_int_equal(count, 3);
    assert_true(tk_str_eq(projects[0].name, TK_STR("blog")));
    assert_true(tk_str_eq(projects[1].name, TK_STR("default")));
    assert_int_equal(projects[2].created_nano, f->clock.wall);
    assert_int_equal(tk_account_project_find(f->account, TK_STR("shop"), &id), TK_OK);
    assert_int_equal(id, shop.id);
    assert_int_equal(tk_account_project_find(f->account, TK_STR("no"), &id), TK_ERR_NOT_FOUND);
}

static void
a_project_name_is_taken_once_and_has_few_letters(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = {"", "A", "-a", "_a", "a b", "a/b", "\xc3\xa4"};
    char longest[TK_PROJECT_NAME_MAX + 1];
    struct tk_project project;
    make_project(f, "shop");
    assert_int_equal(tk_account_project_create(f->account, TK_STR("shop"), &project, NULL),
                     TK_ERR_EXISTS);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(
            tk_account_project_create(f->account, tk_str_from(wrong[i]), &project, NULL),
            TK_ERR_INPUT);
    memset(longest, 'a', sizeof longest);
    assert_int_equal(
        tk_account_project_create(f->account, (tk_str){longest, sizeof longest}, &project, NULL),
        TK_ERR_INPUT);
    assert_int_equal(tk_account_project_create(f->account, (tk_str){longest, TK_PROJECT_NAME_MAX},
                                               &project, NULL),
                     TK_OK);
}

static void
deleting_a_project_revokes_its_keys_and_its_id_is_never_given_again(void **state)
{
    struct fixture *f = *state;
    struct tk_identity who;
    char key[TK_KEY_SIZE_MAX + 1];
    struct tk_project first = make_project(f, "shop");
    make_key(f->account, f, "shop", TK_KEY_SERVER, NULL, key);
    assert_int_equal(try_key(f, key, &who), TK_OK);
    assert_int_equal(tk_account_project_delete(f->account, TK_STR("shop"), NULL), TK_OK);
    assert_int_equal(try_key(f, key, &who), TK_ERR_DENIED);
    assert_int_equal(tk_account_project_delete(f->account, TK_STR("shop"), NULL), TK_ERR_NOT_FOUND);
    assert_true(make_project(f, "shop").id > first.id);
}

/* ---- keys ---- */

static void
every_kind_of_key_is_known_by_its_kind_and_project(void **state)
{
    struct fixture *f = *state;
    static const enum tk_key_kind kinds[] = {TK_KEY_SERVER, TK_KEY_BROWSER, TK_KEY_READ,
                                             TK_KEY_ADMIN};
    struct tk_project shop = make_project(f, "shop");
    for (size_t i = 0; i < 4; i++) {
        struct tk_identity who;
        enum tk_key_kind parsed;
        char secret[TK_KEY_SIZE_MAX + 1];
        struct tk_key key = make_key(f->account, f, "shop", kinds[i], NULL, secret);
        assert_int_equal(try_key(f, secret, &who), TK_OK);
        assert_int_equal(who.kind, kinds[i]);
        assert_int_equal(who.project_id, shop.id);
        assert_int_equal(who.key_id, key.id);
        assert_string_equal(who.project, "shop");
        assert_false(who.all_projects);
        assert_true(tk_key_kind_parse(tk_str_from(tk_key_kind_text(kinds[i])), &parsed));
        assert_int_equal(parsed, kinds[i]);
    }
}

static void
an_unknown_key_an_empty_one_and_a_session_are_no_key(void **state)
{
    struct fixture *f = *state;
    struct tk_identity who;
    char token[TK_TOKEN_TEXT + 1], session[TK_TOKEN_TEXT + 1];
    assert_int_equal(try_key(f, "tk_server_nothing", &who), TK_ERR_DENIED);
    assert_int_equal(try_key(f, "", &who), TK_ERR_DENIED);
    assert_int_equal(tk_account_signin_token(f->account, token, NULL), TK_OK);
    assert_int_equal(tk_account_session_from_token(f->account, tk_str_from(token), session, NULL),
                     TK_OK);
    assert_int_equal(try_key(f, session, &who), TK_ERR_DENIED);
}

static void
a_revoked_key_is_denied_and_stays_listed(void **state)
{
    struct fixture *f = *state;
    struct tk_identity who;
    struct tk_key *keys;
    size_t count;
    char secret[TK_KEY_SIZE_MAX + 1];
    make_project(f, "shop");
    struct tk_key key = make_key(f->account, f, "shop", TK_KEY_SERVER, NULL, secret);
    assert_int_equal(tk_account_key_revoke(f->account, key.id, NULL), TK_OK);
    assert_int_equal(try_key(f, secret, &who), TK_ERR_DENIED);
    assert_int_equal(tk_account_key_list(f->account, 0, &f->arena, &keys, &count, NULL), TK_OK);
    assert_int_equal(count, 1);
    assert_true(keys[0].revoked);
    assert_int_equal(tk_account_key_revoke(f->account, 99, NULL), TK_ERR_NOT_FOUND);
}

static void
the_list_shows_a_short_prefix_and_never_the_key(void **state)
{
    struct fixture *f = *state;
    char secret[TK_KEY_SIZE_MAX + 1];
    make_project(f, "shop");
    struct tk_key key = make_key(f->account, f, "shop", TK_KEY_READ, NULL, secret);
    assert_true(tk_str_starts_with(tk_str_from(secret), key.prefix));
    assert_true(strlen(secret) - key.prefix.len >= 26); /* 130 bits are not shown */
}

static void
the_files_hold_no_key_in_the_clear(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"accounts.db", "accounts.db-wal"};
    static char bytes[1 << 20];
    char path[128], secret[TK_KEY_SIZE_MAX + 1];
    make_project(f, "shop");
    make_key(f->account, f, "shop", TK_KEY_READ, NULL, secret);
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        size_t size = fread(bytes, 1, sizeof bytes, file);
        assert_true(size > 0 && size < sizeof bytes);
        assert_null(memmem(bytes, size, secret, strlen(secret)));
        (void)fclose(file);
    }
}

static void
keys_are_listed_by_project(void **state)
{
    struct fixture *f = *state;
    struct tk_key *keys;
    size_t count;
    char secret[TK_KEY_SIZE_MAX + 1];
    struct tk_project shop = make_project(f, "shop");
    make_project(f, "blog");
    make_key(f->account, f, "shop", TK_KEY_BROWSER, "https://shop.example", secret);
    make_key(f->account, f, "blog", TK_KEY_SERVER, NULL, secret);
    assert_int_equal(tk_account_key_list(f->account, shop.id, &f->arena, &keys, &count, NULL),
                     TK_OK);
    assert_int_equal(count, 1);
    assert_true(tk_str_eq(keys[0].project, TK_STR("shop")));
    assert_true(tk_str_eq(keys[0].name, TK_STR("a key")));
    assert_int_equal(keys[0].origin_count, 1);
    assert_true(tk_str_eq(keys[0].origins[0], TK_STR("https://shop.example")));
    assert_int_equal(tk_account_key_list(f->account, 0, &f->arena, &keys, &count, NULL), TK_OK);
    assert_int_equal(count, 2);
}

static void
last_used_is_noted_within_a_minute(void **state)
{
    struct fixture *f = *state;
    struct tk_identity who;
    struct tk_key *keys;
    size_t count;
    char secret[TK_KEY_SIZE_MAX + 1];
    make_project(f, "shop");
    make_key(f->account, f, "shop", TK_KEY_SERVER, NULL, secret);
    pass_time(f, 5 * second);
    assert_int_equal(try_key(f, secret, &who), TK_OK);
    uint64_t used = f->clock.wall;
    pass_time(f, 60 * second);
    assert_int_equal(try_key(f, "somebody else", &who), TK_ERR_DENIED);
    assert_int_equal(tk_account_key_list(f->account, 0, &f->arena, &keys, &count, NULL), TK_OK);
    assert_int_equal(keys[0].last_used_nano, used);
}

/* ---- origins ---- */

static void
a_browser_key_knows_its_origins_and_no_others(void **state)
{
    struct fixture *f = *state;
    char secret[TK_KEY_SIZE_MAX + 1];
    make_project(f, "shop");
    struct tk_key a = make_key(f->account, f, "shop", TK_KEY_BROWSER, "https://a.example", secret);
    struct tk_key b =
        make_key(f->account, f, "shop", TK_KEY_BROWSER, "http://localhost:3000", secret);
    assert_true(tk_account_origin_allowed(f->account, a.id, TK_STR("https://a.example")));
    assert_false(tk_account_origin_allowed(f->account, b.id, TK_STR("https://a.example")));
    assert_false(tk_account_origin_allowed(f->account, a.id, TK_STR("https://a.example.evil")));
    assert_false(tk_account_origin_allowed(f->account, a.id, TK_STR_NONE));
    assert_true(tk_account_origin_known(f->account, TK_STR("http://localhost:3000")));
    assert_false(tk_account_origin_known(f->account, TK_STR("http://localhost:3001")));
    assert_int_equal(tk_account_key_revoke(f->account, b.id, NULL), TK_OK);
    assert_false(tk_account_origin_known(f->account, TK_STR("http://localhost:3000")));
}

static void
an_origin_that_no_browser_sends_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = {"",
                                        "*",
                                        "a.example",
                                        "https://",
                                        "https://a.example/",
                                        "https://A.example",
                                        "https://*.example",
                                        "https://a.example?x",
                                        "https://user@a.example",
                                        "https:// a"};
    struct tk_key key;
    char secret[TK_KEY_SIZE_MAX + 1];
    make_project(f, "shop");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tk_str origin = tk_str_from(wrong[i]);
        struct tk_key_request request = {.project = TK_STR("shop"),
                                         .kind = TK_KEY_BROWSER,
                                         .origins = &origin,
                                         .origin_count = 1};
        assert_int_equal(tk_account_key_create(f->account, &request, &f->arena, &key, secret, NULL),
                         TK_ERR_INPUT);
    }
    tk_str origin = TK_STR("https://a.example");
    struct tk_key_request request = {
        .project = TK_STR("shop"), .kind = TK_KEY_SERVER, .origins = &origin, .origin_count = 1};
    assert_int_equal(tk_account_key_create(f->account, &request, &f->arena, &key, secret, NULL),
                     TK_ERR_INPUT);
}

/* ---- two processes ---- */

static void
a_key_made_through_another_connection_works_at_once(void **state)
{
    struct fixture *f = *state;
    struct tk_identity who;
    char secret[TK_KEY_SIZE_MAX + 1];
    make_project(f, "shop");
    struct tk_account *other = open_account(f);
    pass_time(f, second / 100);
    assert_int_equal(try_key(f, "unknown", &who), TK_ERR_DENIED);
    make_key(other, f, "shop", TK_KEY_SERVER, NULL, secret);
    pass_time(f, second / 100);
    assert_int_equal(try_key(f, secret, &who), TK_OK);
    tk_account_close(other);
}

static void
a_key_revoked_through_another_connection_is_denied_within_a_second(void **state)
{
    struct fixture *f = *state;
    struct tk_identity who;
    char secret[TK_KEY_SIZE_MAX + 1];
    make_project(f, "shop");
    struct tk_key key = make_key(f->account, f, "shop", TK_KEY_SERVER, NULL, secret);
    struct tk_account *other = open_account(f);
    assert_int_equal(tk_account_key_revoke(other, key.id, NULL), TK_OK);
    pass_time(f, second);
    assert_int_equal(try_key(f, secret, &who), TK_ERR_DENIED);
    tk_account_close(other);
}

static void
accounts_outlive_the_process(void **state)
{
    struct fixture *f = *state;
    struct tk_identity who;
    char secret[TK_KEY_SIZE_MAX + 1];
    make_project(f, "shop");
    make_key(f->account, f, "shop", TK_KEY_ADMIN, NULL, secret);
    tk_account_close(f->account);
    f->account = open_account(f);
    assert_int_equal(try_key(f, secret, &who), TK_OK);
}

static void
who_somebody_is_can_be_told_while_another_process_writes(void **state)
{
    struct fixture *f = *state;
    struct tk_identity who;
    char secret[TK_KEY_SIZE_MAX + 1], path[128];
    sqlite3 *writer = NULL;
    make_key(f->account, f, "default", TK_KEY_SERVER, NULL, secret);
    (void)snprintf(path, sizeof path, "%s/accounts.db", f->dir);
    assert_int_equal(sqlite3_open(path, &writer), SQLITE_OK);
    assert_int_equal(sqlite3_exec(writer, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < 3; i++) { /* "last used" is due, cannot be saved, and holds up nobody */
        pass_time(f, 60 * second);
        assert_int_equal(try_key(f, secret, &who), TK_OK);
    }
    assert_int_equal(sqlite3_close(writer), SQLITE_OK);
}

struct asker {
    pthread_t thread;
    struct tk_account *account;
    const char *key;
    unsigned denied;
};

static void *
ask_often(void *arg)
{
    struct asker *asker = arg;
    struct tk_identity who;
    for (int i = 0; i < 2000; i++)
        if (tk_account_authenticate(asker->account, tk_str_from(asker->key), &who) != TK_OK)
            asker->denied++;
    return NULL;
}

static void
a_key_stays_good_for_all_threads_while_others_come_and_go(void **state)
{
    struct fixture *f = *state;
    struct asker askers[4];
    char good[TK_KEY_SIZE_MAX + 1], other[TK_KEY_SIZE_MAX + 1];
    make_key(f->account, f, "default", TK_KEY_SERVER, NULL, good);
    for (size_t i = 0; i < 4; i++) {
        askers[i] = (struct asker){.account = f->account, .key = good};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]), 0);
    }
    for (int i = 0; i < 20; i++) {
        struct tk_key key = make_key(f->account, f, "default", TK_KEY_READ, NULL, other);
        assert_int_equal(tk_account_key_revoke(f->account, key.id, NULL), TK_OK);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
        assert_int_equal(askers[i].denied, 0);
    }
}

/* ---- sign-in ---- */

static void
a_sign_in_token_opens_one_session_once(void **state)
{
    struct fixture *f = *state;
    struct tk_identity who;
    char token[TK_TOKEN_TEXT + 1], session[TK_TOKEN_TEXT + 1];
    make_project(f, "blog");
    assert_int_equal(tk_account_signin_token(f->account, token, NULL), TK_OK);
    assert_int_equal(tk_account_session_from_token(f->account, tk_str_from(token), session, NULL),
                     TK_OK);
    assert_int_equal(tk_account_session(f->account, tk_str_from(session), &who), TK_OK);
    assert_int_equal(who.kind, TK_KEY_ADMIN);
    assert_int_equal(who.key_id, 0);
    assert_true(who.all_projects);
    assert_string_equal(who.project, "default");
    assert_int_equal(tk_account_session_from_token(f->account, tk_str_from(token), session, NULL),
                     TK_ERR_DENIED);
}

static void
a_sign_in_token_is_good_for_an_hour(void **state)
{
    struct fixture *f = *state;
    char token[TK_TOKEN_TEXT + 1], session[TK_TOKEN_TEXT + 1];
    assert_int_equal(tk_account_signin_token(f->account, token, NULL), TK_OK);
    pass_time(f, TK_SIGNIN_TOKEN_MINUTES * 60 * second);
    assert_int_equal(tk_account_session_from_token(f->account, tk_str_from(token), session, NULL),
                     TK_ERR_DENIED);
}

static void
read_and_admin_keys_open_sessions_of_their_project_and_others_none(void **state)
{
    struct fixture *f = *state;
    static const enum tk_key_kind kinds[] = {TK_KEY_SERVER, TK_KEY_BROWSER, TK_KEY_READ,
                                             TK_KEY_ADMIN};
    make_project(f, "shop");
    for (size_t i = 0; i < 4; i++) {
        struct tk_identity who;
        char secret[TK_KEY_SIZE_MAX + 1], session[TK_TOKEN_TEXT + 1];
        make_key(f->account, f, "shop", kinds[i], NULL, secret);
        enum tk_err result =
            tk_account_session_from_key(f->account, tk_str_from(secret), session, NULL);
        if (kinds[i] == TK_KEY_SERVER || kinds[i] == TK_KEY_BROWSER) {
            assert_int_equal(result, TK_ERR_DENIED);
            continue;
        }
        assert_int_equal(result, TK_OK);
        assert_int_equal(tk_account_session(f->account, tk_str_from(session), &who), TK_OK);
        assert_int_equal(who.kind, kinds[i]);
        assert_string_equal(who.project, "shop");
        assert_false(who.all_projects);
    }
}

static void
a_session_ends_with_its_key_by_sign_out_and_after_thirty_days(void **state)
{
    struct fixture *f = *state;
    struct tk_identity who;
    char secret[TK_KEY_SIZE_MAX + 1], a[TK_TOKEN_TEXT + 1], b[TK_TOKEN_TEXT + 1];
    make_project(f, "shop");
    struct tk_key key = make_key(f->account, f, "shop", TK_KEY_READ, NULL, secret);
    assert_int_equal(tk_account_session_from_key(f->account, tk_str_from(secret), a, NULL), TK_OK);
    assert_int_equal(tk_account_session_from_key(f->account, tk_str_from(secret), b, NULL), TK_OK);
    assert_int_equal(tk_account_session_end(f->account, tk_str_from(a)), TK_OK);
    assert_int_equal(tk_account_session(f->account, tk_str_from(a), &who), TK_ERR_DENIED);
    assert_int_equal(tk_account_session(f->account, tk_str_from(b), &who), TK_OK);
    assert_int_equal(tk_account_key_revoke(f->account, key.id, NULL), TK_OK);
    assert_int_equal(tk_account_session(f->account, tk_str_from(b), &who), TK_ERR_DENIED);

    make_key(f->account, f, "shop", TK_KEY_READ, NULL, secret);
    assert_int_equal(tk_account_session_from_key(f->account, tk_str_from(secret), a, NULL), TK_OK);
    pass_time(f, (uint64_t)TK_SESSION_DAYS * 86400 * second - 1);
    assert_int_equal(tk_account_session(f->account, tk_str_from(a), &who), TK_OK);
    pass_time(f, 1);
    assert_int_equal(tk_account_session(f->account, tk_str_from(a), &who), TK_ERR_DENIED);
}

/* ---- what is kept of a project ---- */

static void
assert_limits(struct fixture *f, const char *name, const char *retention, const char *disk)
{
    struct tk_project *projects;
    size_t count;
    char age[TK_LIMIT_TEXT], size[TK_LIMIT_TEXT];
    assert_int_equal(tk_account_project_list(f->account, &f->arena, &projects, &count, NULL),
                     TK_OK);
    for (size_t i = 0; i < count; i++) {
        if (!tk_str_eq(projects[i].name, tk_str_from(name)))
            continue;
        tk_project_limits_text(&projects[i], age, size);
        assert_string_equal(age, retention);
        assert_string_equal(size, disk);
        return;
    }
    fail_msg("no project %s", name);
}

static enum tk_err
set_limits(struct fixture *f, const char *name, const char *retention, const char *disk)
{
    struct tk_project project;
    struct tk_error err = {0};
    enum tk_err result = tk_account_project_set(
        f->account, tk_str_from(name), tk_str_from(retention), tk_str_from(disk), &project, &err);
    assert_true(result == TK_OK || err.message[0] != '\0');
    return result;
}

static void
what_is_kept_of_a_project_is_said_in_words_and_reads_back(void **state)
{
    struct fixture *f = *state;
    make_project(f, "shop");
    assert_limits(f, "shop", "default", "default");
    assert_int_equal(set_limits(f, "shop", "1w", "10GiB"), TK_OK);
    assert_limits(f, "shop", "7d", "10GiB");
    assert_int_equal(set_limits(f, "shop", NULL, "1536MiB"), TK_OK);
    assert_limits(f, "shop", "7d", "1536MiB");
    assert_int_equal(set_limits(f, "shop", "1h30m", NULL), TK_OK);
    assert_limits(f, "shop", "90m", "1536MiB");
    assert_int_equal(set_limits(f, "shop", "1ns", "1"), TK_OK);
    assert_limits(f, "shop", "1ns", "1B");
    assert_int_equal(set_limits(f, "shop", "none", "default"), TK_OK);
    assert_limits(f, "default", "default", "default");
    static const char *const wrong[] = {"0", "7", "seven", "-1d", "10GiB"};
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(set_limits(f, "shop", wrong[i], "1GiB"), TK_ERR_INPUT);
    assert_int_equal(set_limits(f, "shop", "1d", "0"), TK_ERR_INPUT);
    assert_int_equal(set_limits(f, "shop", "1d", "1d"), TK_ERR_INPUT);
    assert_limits(f, "shop", "none", "default"); /* half a change is none */
    assert_int_equal(set_limits(f, "nothing", "1d", NULL), TK_ERR_NOT_FOUND);
}

static void
a_change_by_another_process_moves_the_version_within_a_second(void **state)
{
    struct fixture *f = *state;
    struct tk_account *other = open_account(f);
    struct tk_project project;
    uint64_t before = tk_account_version(f->account);
    assert_int_equal(
        tk_account_project_set(other, TK_STR("default"), TK_STR("1d"), TK_STR_NONE, &project, NULL),
        TK_OK);
    pass_time(f, second);
    assert_int_not_equal(tk_account_version(f->account), before);
    tk_account_close(other);
}

static size_t
deleted_count(struct fixture *f, uint32_t id)
{
    struct tk_deleted *deleted;
    size_t count;
    assert_int_equal(tk_account_deleted_list(f->account, &f->arena, &deleted, &count, NULL), TK_OK);
    assert_true(count == 0 || deleted[0].project_id == id);
    return count;
}

static void
a_deleted_project_is_noted_until_its_spans_are_gone(void **state)
{
    struct fixture *f = *state;
    uint32_t id = make_project(f, "shop").id;
    assert_int_equal(tk_account_project_delete(f->account, TK_STR("shop"), NULL), TK_OK);
    tk_account_close(f->account);
    f->account = open_account(f);
    assert_int_equal(deleted_count(f, id), 1);
    assert_int_equal(tk_account_deleted_done(f->account, id, NULL), TK_OK);
    assert_int_equal(deleted_count(f, id), 0);
}

/* ---- what is wrong with the file, and what is old ---- */

static void
a_file_of_schema_1_is_brought_up_to_date_and_keeps_what_it_held(void **state)
{
    struct fixture *f = *state;
    struct tk_identity who;
    char secret[TK_KEY_SIZE_MAX + 1], path[128];
    sqlite3 *db;
    uint32_t id = make_project(f, "shop").id;
    make_key(f->account, f, "shop", TK_KEY_READ, NULL, secret);
    tk_account_close(f->account);
    (void)snprintf(path, sizeof path, "%s/accounts.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "ALTER TABLE project DROP COLUMN retention_nano;"
                                  "ALTER TABLE project DROP COLUMN disk_bytes;"
                                  "DROP TABLE deleted; PRAGMA user_version = 1",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    f->account = open_account(f);
    assert_int_equal(try_key(f, secret, &who), TK_OK);
    assert_int_equal(who.project_id, id);
    assert_limits(f, "shop", "default", "default");
    assert_int_equal(tk_account_project_delete(f->account, TK_STR("shop"), NULL), TK_OK);
}

static void
a_file_that_is_no_database_and_a_newer_schema_are_refused(void **state)
{
    struct fixture *f = *state;
    struct tk_account *account;
    struct tk_error err = {0};
    char path[128];
    (void)snprintf(path, sizeof path, "%s/accounts.db", f->dir);
    tk_account_close(f->account);
    f->account = NULL;
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    (void)fseek(file, 60, SEEK_SET); /* user_version, big-endian (SQLite file format 1.3) */
    (void)fwrite("\0\0\0\x63", 1, 4, file);
    (void)fclose(file);
    assert_int_equal(tk_account_open(&f->clock.env, f->dir, &account, &err), TK_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "newer"));

    file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 4096; i++)
        (void)fputc('x', file);
    (void)fclose(file);
    assert_int_equal(tk_account_open(&f->clock.env, f->dir, &account, &err), TK_ERR_CORRUPT);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_first_start_makes_a_server_key_of_project_default),
        T(a_key_made_before_the_first_start_does_not_stand_in_its_way),
        T(a_key_given_at_the_first_start_becomes_the_server_key),
        T(a_given_key_that_no_header_could_carry_is_refused),
        T(projects_are_listed_by_name_and_found),
        T(a_project_name_is_taken_once_and_has_few_letters),
        T(deleting_a_project_revokes_its_keys_and_its_id_is_never_given_again),
        T(every_kind_of_key_is_known_by_its_kind_and_project),
        T(an_unknown_key_an_empty_one_and_a_session_are_no_key),
        T(a_revoked_key_is_denied_and_stays_listed),
        T(the_list_shows_a_short_prefix_and_never_the_key),
        T(the_files_hold_no_key_in_the_clear),
        T(keys_are_listed_by_project),
        T(last_used_is_noted_within_a_minute),
        T(a_browser_key_knows_its_origins_and_no_others),
        T(an_origin_that_no_browser_sends_is_refused),
        T(a_key_made_through_another_connection_works_at_once),
        T(a_key_revoked_through_another_connection_is_denied_within_a_second),
        T(who_somebody_is_can_be_told_while_another_process_writes),
        T(a_key_stays_good_for_all_threads_while_others_come_and_go),
        T(accounts_outlive_the_process),
        T(a_sign_in_token_opens_one_session_once),
        T(a_sign_in_token_is_good_for_an_hour),
        T(read_and_admin_keys_open_sessions_of_their_project_and_others_none),
        T(a_session_ends_with_its_key_by_sign_out_and_after_thirty_days),
        T(what_is_kept_of_a_project_is_said_in_words_and_reads_back),
        T(a_change_by_another_process_moves_the_version_within_a_second),
        T(a_deleted_project_is_noted_until_its_spans_are_gone),
        T(a_file_of_schema_1_is_brought_up_to_date_and_keeps_what_it_held),
        T(a_file_that_is_no_database_and_a_newer_schema_are_refused),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
