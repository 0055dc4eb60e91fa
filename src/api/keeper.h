#ifndef TK_API_KEEPER_H
#define TK_API_KEEPER_H
/*
 * keeper - brings to the store what the accounts say: what is kept of each project, and which
 * projects were deleted, by whichever process.
 */
#include "account/account.h"
#include "store/store.h"

struct tk_keeper;

/* First all that is known is said to the store, `limits` of the store itself last; then a thread
   looks every second for what has changed. */
enum tk_err tk_keeper_start(struct tk_store *store, struct tk_account *account, struct tk_env *env,
                            const struct tk_store_limits *limits, struct tk_keeper **ret_keeper,
                            struct tk_error *err) TK_MUST_USE;
void tk_keeper_stop(struct tk_keeper *keeper); /* before the store is closed; NULL is fine */

#endif
