#ifndef TK_ACCOUNT_IDENTITIES_H
#define TK_ACCOUNT_IDENTITIES_H
/*
 * identities - private to src/account: hash of a key or session -> who that is, in memory.
 *
 * A picture of the database, made anew when the database has changed: at once after a change of
 * ours (tk_identities_refresh), within a second after one of another process, and without waiting
 * when somebody comes with a secret that the picture does not hold.
 * Threads: all calls from any thread.
 */
#include "account/account.h"

struct tk_identities;

enum tk_refresh {
    TK_REFRESH_DUE,  /* look for changes when the last look is a second old */
    TK_REFRESH_MISS, /* somebody is unknown: look, unless a millisecond ago */
    TK_REFRESH_NOW,
};

enum tk_err tk_identities_open(struct tk_env *env, const char *path,
                               struct tk_identities **ret_identities,
                               struct tk_error *err) TK_MUST_USE;
void tk_identities_close(struct tk_identities *identities);       /* NULL is fine */
uint64_t tk_identities_version(struct tk_identities *identities); /* grows with each picture */
void tk_identities_refresh(struct tk_identities *identities, enum tk_refresh when);

#endif
