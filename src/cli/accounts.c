/*
 * project, key, signin - the accounts of a data directory, beside a running server or without one.
 */
#include "account/account_json.h"
#include "cli/cli.h"
#include "store/embedded/embedded.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { ARENA_LIMIT = 64 << 20 };

static enum tk_exit
failed(const char *command, enum tk_err result, const struct tk_error *err)
{
    enum tk_exit status = result == TK_ERR_NOT_FOUND || result == TK_ERR_EXISTS
                              ? TK_EXIT_USAGE
                              : tk_cli_status(result);
    if (result == TK_ERR_DENIED || result == TK_ERR_IO)
        status = TK_EXIT_CANNOT_START; /* the directory, not a key */
    return tk_cli_fail(status, command, "%s",
                       err->message[0] != '\0' ? err->message : tk_err_text(result));
}

/* Opens the accounts of `data`; project `default` is there from the first moment on.  Only what
   creates something makes the directory: elsewhere its name is mistaken. */
static enum tk_err
open_account(const char *data, const char *verb, struct tk_account **ret_account,
             struct tk_error *err)
{
    struct tk_env *env = tk_env_host();
    if (strcmp(verb, "create") != 0 && access(data, F_OK) != 0)
        return tk_error_set(err, TK_ERR_INPUT, "--data %s: there is no such directory", data);
    enum tk_err result = env->make_dir(env, data, err);
    if (result == TK_OK)
        result = tk_account_open(env, data, ret_account, err);
    return result;
}

static void
print_buf(struct tk_buf *out)
{
    tk_buf_append_char(out, '\n');
    (void)fwrite(out->ptr, 1, out->len, stdout);
    tk_buf_release(out);
}

static void
format_time(uint64_t nano, char text[32])
{
    time_t seconds = (time_t)(nano / 1000000000u);
    struct tm utc;
    if (nano == 0)
        (void)snprintf(text, 32, "never");
    else
        (void)strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
}

static enum tk_err
list_projects(struct tk_account *account, bool json, struct tk_arena *arena, struct tk_error *err)
{
    struct tk_project *projects;
    struct tk_json_writer out;
    struct tk_buf text;
    size_t count;
    enum tk_err result = tk_account_project_list(account, arena, &projects, &count, err);
    if (result != TK_OK)
        return result;
    if (!json) {
        for (size_t i = 0; i < count; i++)
            (void)printf("%.*s\n", TK_STR_ARG(projects[i].name));
        return TK_OK;
    }
    tk_buf_init(&text, ARENA_LIMIT);
    tk_json_writer_init(&out, &text);
    tk_json_object(&out);
    tk_json_key(&out, TK_STR("projects"));
    tk_json_array(&out);
    for (size_t i = 0; i < count; i++)
        tk_project_json(&out, &projects[i]);
    tk_json_array_end(&out);
    tk_json_object_end(&out);
    print_buf(&text);
    return TK_OK;
}

/* Its keys go at once.  Its spans too; when a server has the directory open it is the one to remove
   them, and notices. */
static enum tk_err
delete_project(struct tk_account *account, const char *data, tk_str name, struct tk_error *err)
{
    struct tk_store_options options = {.dir = data};
    struct tk_store *store = NULL;
    uint32_t id;
    enum tk_err result = tk_account_project_find(account, name, &id);
    if (result != TK_OK)
        return tk_error_set(err, result, "there is no project `%.*s`", TK_STR_ARG(name));
    result = tk_account_project_delete(account, name, err);
    if (result != TK_OK)
        return result;
    result = tk_embedded_open(&options, &store, err);
    if (result == TK_ERR_LOCKED) {
        (void)fprintf(stderr, "its keys are revoked; the running server removes its spans\n");
        return TK_OK;
    }
    if (result == TK_OK)
        result = tk_store_drop(store, id, err);
    tk_store_close(store);
    return result == TK_OK ? tk_account_deleted_done(account, id, err) : result;
}

struct project_options {
    const char *data, *retention, *disk;
    bool json;
};

static enum tk_err
change_project(struct tk_account *account, const struct project_options *given, tk_str name,
               struct tk_error *err)
{
    char retention[TK_LIMIT_TEXT], disk[TK_LIMIT_TEXT];
    struct tk_project project;
    if (given->retention == NULL && given->disk == NULL)
        return tk_error_set(err, TK_ERR_INPUT, "set: --retention, --disk or both");
    enum tk_err result = tk_account_project_set(account, name, tk_str_from(given->retention),
                                                tk_str_from(given->disk), &project, err);
    if (result != TK_OK)
        return result;
    tk_project_limits_text(&project, retention, disk);
    (void)printf("%.*s retention=%s disk=%s\n", TK_STR_ARG(name), retention, disk);
    return TK_OK;
}

enum tk_exit
tk_cli_project(int argc, char **argv)
{
    struct project_options given = {.data = "./tracekit-data"};
    const struct tk_option table[] = {
        {"data", TK_OPTION_STRING, &given.data, "DIR",
         "the server's data directory [./tracekit-data]", NULL, NULL},
        {"retention", TK_OPTION_STRING, &given.retention, "TIME",
         "set: its spans go when they are older, like 7d; none: never; default: as the server's",
         NULL, "TRACEKIT_PROJECT_RETENTION"},
        {"disk", TK_OPTION_STRING, &given.disk, "SIZE",
         "set: most that its spans may take, like 10GiB; none; default", NULL,
         "TRACEKIT_PROJECT_DISK"},
        {"json", TK_OPTION_BOOL, &given.json, NULL, "list as JSON", NULL, NULL},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    static const struct tk_cli_usage usage = {
        .command = "project",
        .usage = "tracekit project create NAME | list | delete NAME  [options]\n"
                 "       tracekit project set NAME [--retention TIME] [--disk SIZE]",
        .about = "A project is a tenant: its keys, spans and searches never meet another's.\n"
                 "Works beside a running server, which notices within a second or two, and\n"
                 "without one. Deleting a project revokes its keys and removes its spans.",
        .positional_min = 1,
        .positional_max = 2,
    };
    struct tk_account *account = NULL;
    struct tk_project project;
    struct tk_error err = {0};
    struct tk_arena arena;
    enum tk_exit status = TK_EXIT_GOOD;

    tk_arena_init(&arena, 4096, ARENA_LIMIT);
    if (!tk_cli_parse(&usage, &options, argc, argv, &arena, &status))
        goto out;
    const char *verb = options.positional[0];
    const char *name = options.positional_count == 2 ? options.positional[1] : NULL;
    enum tk_err result = open_account(given.data, verb, &account, &err);
    if (result == TK_OK && strcmp(verb, "list") == 0 && name == NULL)
        result = list_projects(account, given.json, &arena, &err);
    else if (result == TK_OK && strcmp(verb, "create") == 0 && name != NULL)
        result = tk_account_project_create(account, tk_str_from(name), &project, &err);
    else if (result == TK_OK && strcmp(verb, "delete") == 0 && name != NULL)
        result = delete_project(account, given.data, tk_str_from(name), &err);
    else if (result == TK_OK && strcmp(verb, "set") == 0 && name != NULL)
        result = change_project(account, &given, tk_str_from(name), &err);
    else if (result == TK_OK)
        status = tk_cli_fail(TK_EXIT_USAGE, "project", "usage: %s", usage.usage);
    if (result != TK_OK)
        status = failed("project", result, &err);
out:
    if (account != NULL)
        tk_account_close(account);
    tk_arena_release(&arena);
    return status;
}

struct key_options {
    const char *data, *project, *kind, *name;
    struct tk_option_list origins;
    bool json;
};

static enum tk_err
list_keys(struct tk_account *account, const struct key_options *given, struct tk_arena *arena,
          struct tk_error *err)
{
    struct tk_key *keys;
    struct tk_json_writer out;
    struct tk_buf text;
    uint32_t project = 0;
    size_t count;
    enum tk_err result = TK_OK;
    if (given->project != NULL)
        result = tk_account_project_find(account, tk_str_from(given->project), &project);
    if (result != TK_OK)
        return tk_error_set(err, result, "there is no project `%s`", given->project);
    result = tk_account_key_list(account, project, arena, &keys, &count, err);
    if (result != TK_OK)
        return result;
    if (given->json) {
        tk_buf_init(&text, ARENA_LIMIT);
        tk_json_writer_init(&out, &text);
        tk_json_object(&out);
        tk_json_key(&out, TK_STR("keys"));
        tk_json_array(&out);
        for (size_t i = 0; i < count; i++)
            tk_key_json(&out, &keys[i], TK_STR_NONE);
        tk_json_array_end(&out);
        tk_json_object_end(&out);
        print_buf(&text);
        return TK_OK;
    }
    (void)printf("%-4s %-16s %-8s %-20s %-20s %-20s %s\n", "ID", "PROJECT", "KIND", "KEY",
                 "CREATED", "LAST USED", "NAME");
    for (size_t i = 0; i < count; i++) {
        char created[32], used[32], prefix[32];
        format_time(keys[i].created_nano, created);
        format_time(keys[i].last_used_nano, used);
        (void)snprintf(prefix, sizeof prefix, "%.*s...", TK_STR_ARG(keys[i].prefix));
        (void)printf("%-4u %-16.*s %-8s %-20s %-20s %-20s %.*s%s\n", keys[i].id,
                     TK_STR_ARG(keys[i].project), tk_key_kind_text(keys[i].kind), prefix, created,
                     used, TK_STR_ARG(keys[i].name), keys[i].revoked ? " (revoked)" : "");
    }
    return TK_OK;
}

static enum tk_err
create_key(struct tk_account *account, const struct key_options *given, struct tk_arena *arena,
           struct tk_error *err)
{
    char secret[TK_KEY_SIZE_MAX + 1];
    tk_str origins[TK_OPTION_LIST_MAX];
    struct tk_key key;
    struct tk_key_request request = {
        .project = tk_str_from(given->project != NULL ? given->project : "default"),
        .name = tk_str_from(given->name),
        .origins = origins,
        .origin_count = given->origins.count,
    };
    if (given->kind == NULL || !tk_key_kind_parse(tk_str_from(given->kind), &request.kind))
        return tk_error_set(err, TK_ERR_INPUT, "--kind is needed: server, browser, read or admin");
    for (size_t i = 0; i < given->origins.count; i++)
        origins[i] = tk_str_from(given->origins.items[i]);
    enum tk_err result = tk_account_key_create(account, &request, arena, &key, secret, err);
    if (result == TK_OK)
        (void)printf("%s\n", secret);
    return result;
}

static enum tk_err
revoke_key(struct tk_account *account, const char *text, struct tk_error *err)
{
    uint64_t id;
    if (!tk_str_to_u64(tk_str_from(text), &id) || id == 0 || id > UINT32_MAX)
        return tk_error_set(err, TK_ERR_INPUT,
                            "\"%s\" is not a key's id; `tracekit key list` shows "
                            "them",
                            text);
    return tk_account_key_revoke(account, (uint32_t)id, err);
}

enum tk_exit
tk_cli_key(int argc, char **argv)
{
    struct key_options given = {.data = "./tracekit-data"};
    const struct tk_option table[] = {
        {"data", TK_OPTION_STRING, &given.data, "DIR",
         "the server's data directory [./tracekit-data]", NULL, NULL},
        {"project", TK_OPTION_STRING, &given.project, "P",
         "create: whose key it is [default]; list: only this project's", NULL, NULL},
        {"kind", TK_OPTION_CHOICE, &given.kind, "KIND",
         "server and browser keys send spans, read keys read, admin keys also manage",
         "server|browser|read|admin", NULL},
        {"origin", TK_OPTION_LIST, &given.origins, "ORIGIN",
         "may repeat; browser keys: https://app.example.com", NULL, NULL},
        {"name", TK_OPTION_STRING, &given.name, "N", "what it is for", NULL, NULL},
        {"json", TK_OPTION_BOOL, &given.json, NULL, "list as JSON", NULL, NULL},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    static const struct tk_cli_usage usage = {
        .command = "key",
        .usage = "tracekit key create --kind KIND [--project P] [--origin O]... [--name N]\n"
                 "       tracekit key list [--project P] | revoke ID",
        .about =
            "`create` prints the key alone on stdout; it is kept hashed and never shown again.\n"
            "Works beside a running server and without one.",
        .positional_min = 1,
        .positional_max = 2,
    };
    struct tk_account *account = NULL;
    struct tk_error err = {0};
    struct tk_arena arena;
    enum tk_exit status = TK_EXIT_GOOD;

    tk_arena_init(&arena, 4096, ARENA_LIMIT);
    if (!tk_cli_parse(&usage, &options, argc, argv, &arena, &status))
        goto out;
    const char *verb = options.positional[0];
    const char *id = options.positional_count == 2 ? options.positional[1] : NULL;
    enum tk_err result = open_account(given.data, verb, &account, &err);
    if (result == TK_OK && strcmp(verb, "list") == 0 && id == NULL)
        result = list_keys(account, &given, &arena, &err);
    else if (result == TK_OK && strcmp(verb, "create") == 0 && id == NULL)
        result = create_key(account, &given, &arena, &err);
    else if (result == TK_OK && strcmp(verb, "revoke") == 0 && id != NULL)
        result = revoke_key(account, id, &err);
    else if (result == TK_OK)
        status = tk_cli_fail(TK_EXIT_USAGE, "key", "usage: %s", usage.usage);
    if (result != TK_OK)
        status = failed("key", result, &err);
out:
    if (account != NULL)
        tk_account_close(account);
    tk_arena_release(&arena);
    return status;
}

enum tk_exit
tk_cli_signin(int argc, char **argv)
{
    const char *data = "./tracekit-data";
    const char *server = "http://127.0.0.1:4318";
    const struct tk_option table[] = {
        {"data", TK_OPTION_STRING, &data, "DIR", "the server's data directory [./tracekit-data]",
         NULL, NULL},
        {"server", TK_OPTION_STRING, &server, "URL",
         "where the browser reaches it [http://127.0.0.1:4318]", NULL, "TRACEKIT_ENDPOINT"},
    };
    struct tk_options options = {.options = table, .option_count = sizeof table / sizeof *table};
    static const struct tk_cli_usage usage = {
        .command = "signin",
        .usage = "tracekit signin [options]",
        .about = "Prints a link that signs one browser in, once, within the hour.",
    };
    char token[TK_TOKEN_TEXT + 1];
    struct tk_account *account = NULL;
    struct tk_error err = {0};
    struct tk_arena arena;
    enum tk_exit status = TK_EXIT_GOOD;

    tk_arena_init(&arena, 4096, ARENA_LIMIT);
    if (!tk_cli_parse(&usage, &options, argc, argv, &arena, &status))
        goto out;
    enum tk_err result = open_account(data, "signin", &account, &err);
    if (result == TK_OK)
        result = tk_account_signin_token(account, token, &err);
    if (result == TK_OK)
        (void)printf("%s/signin?token=%s\n", server, token);
    else
        status = failed("signin", result, &err);
out:
    if (account != NULL)
        tk_account_close(account);
    tk_arena_release(&arena);
    return status;
}
