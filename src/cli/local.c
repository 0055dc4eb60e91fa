/* local - see local.h. */
#include "cli/local.h"

enum tk_exit
tk_local_open(struct tk_local *local, const char *command, const char *data, const char *project)
{
    struct tk_store_options options = {.dir = data};
    struct tk_error err = {0};
    char key[TK_KEY_SIZE_MAX + 1];
    bool first;
    enum tk_err result = tk_embedded_open(&options, &local->store, &err);
    if (result == TK_ERR_LOCKED)
        return tk_cli_fail(TK_EXIT_CANNOT_START, command, "%s; use --server to go through it",
                           err.message);
    if (result == TK_OK)
        result = tk_account_open(tk_env_host(), data, &local->account, &err);
    if (result == TK_OK)
        result = tk_account_first_start(local->account, TK_STR_NONE, key, &first, &err);
    if (result == TK_OK) {
        const char *name = project != NULL ? project : "default";
        result = tk_account_project_find(local->account, tk_str_from(name), &local->project);
        if (result != TK_OK)
            return tk_cli_fail(TK_EXIT_USAGE, command, "%s has no project `%s`", data, name);
    }
    if (result != TK_OK)
        return tk_cli_fail(TK_EXIT_CANNOT_START, command, "%s",
                           err.message[0] != '\0' ? err.message : tk_err_text(result));
    return TK_EXIT_GOOD;
}

void
tk_local_close(struct tk_local *local)
{
    tk_store_close(local->store);
    if (local->account != NULL)
        tk_account_close(local->account);
}
