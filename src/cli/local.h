#ifndef TK_CLI_LOCAL_H
#define TK_CLI_LOCAL_H
/*
 * local - a project of a data directory that no server has open, for export and import.
 */
#include "account/account.h"
#include "cli/cli.h"
#include "store/embedded/embedded.h"

struct tk_local {
    struct tk_store *store;
    struct tk_account *account;
    uint32_t project;
};

/* `project` NULL: "default", made when the directory is new. Says what is wrong on stderr. */
enum tk_exit tk_local_open(struct tk_local *local, const char *command, const char *data,
                           const char *project);
void tk_local_close(struct tk_local *local);

#endif
