#ifndef TK_ACCOUNT_PRIVATE_H
#define TK_ACCOUNT_PRIVATE_H
/*
 * private - what the files of src/account share.
 */
#include "account/account.h"
#include "account/db.h"
#include "account/identities.h"

#include <pthread.h>

enum { TK_SECRET_HASH_SIZE = 32 }; /* SHA-256 */

struct tk_account {
    struct tk_env *env;
    struct tk_identities *identities; /* answers what every request asks, from memory */
    pthread_mutex_t lock;             /* around everything done with `db` */
    sqlite3 *db;                      /* for everything else */
};

/* secret.c */
void tk_secret_hash(tk_str secret, unsigned char hash[TK_SECRET_HASH_SIZE]);
/* `count` random characters of [0-9a-z] without i, l, o, u (5 bits each), and a NUL. */
void tk_secret_key_text(struct tk_env *env, char *text, size_t count);
void tk_secret_token(struct tk_env *env, char token[TK_TOKEN_TEXT + 1]);

/* keys.c, inside a transaction of the caller. `secret` empty: make one. */
enum tk_err tk_key_insert(struct tk_account *account, int64_t project_id,
                          const struct tk_key_request *request, tk_str given,
                          char secret[TK_KEY_SIZE_MAX + 1], int64_t *ret_id,
                          struct tk_error *err) TK_MUST_USE;
/* projects.c, the same. */
enum tk_err tk_project_insert(struct tk_account *account, tk_str name,
                              struct tk_project *ret_project, struct tk_error *err) TK_MUST_USE;

#endif
