/* sessions - a browser that has signed in, by a one-time token or by showing a key. */
#include "account/private.h"

enum { SESSIONS_MAX = 10000 }; /* the ones that end first go first */

static const uint64_t minute_nano = UINT64_C(60) * 1000000000;
static const uint64_t session_nano = TK_SESSION_DAYS * UINT64_C(86400) * 1000000000;

static tk_str
hash_view(const unsigned char hash[TK_SECRET_HASH_SIZE])
{
    return (tk_str){(const char *)hash, TK_SECRET_HASH_SIZE};
}

enum tk_err
tk_account_signin_token(struct tk_account *account, char token[TK_TOKEN_TEXT + 1],
                        struct tk_error *err)
{
    unsigned char hash[TK_SECRET_HASH_SIZE];
    uint64_t now = account->env->wall_nano(account->env);
    tk_secret_token(account->env, token);
    tk_secret_hash(tk_str_from(token), hash);
    (void)pthread_mutex_lock(&account->lock);
    enum tk_err result = tk_db_run(account->db, err, "DELETE FROM signin WHERE expires_nano <= ?",
                                   "i", (int64_t)now);
    if (result == TK_OK)
        result = tk_db_run(account->db, err, "INSERT INTO signin VALUES (?, ?)", "bi",
                           hash_view(hash), (int64_t)(now + TK_SIGNIN_TOKEN_MINUTES * minute_nano));
    (void)pthread_mutex_unlock(&account->lock);
    return result;
}

/* Inside a transaction.  key_id 0: from a token. */
static enum tk_err
insert(struct tk_account *account, int64_t key_id, uint64_t now, char session[TK_TOKEN_TEXT + 1],
       struct tk_error *err)
{
    unsigned char hash[TK_SECRET_HASH_SIZE];
    tk_secret_token(account->env, session);
    tk_secret_hash(tk_str_from(session), hash);
    enum tk_err result = tk_db_run(account->db, err, "DELETE FROM session WHERE expires_nano <= ?",
                                   "i", (int64_t)now);
    if (result == TK_OK)
        result = tk_db_run(account->db, err, "INSERT INTO session VALUES (?, nullif(?, 0), ?)",
                           "bii", hash_view(hash), key_id, (int64_t)(now + session_nano));
    if (result == TK_OK)
        result = tk_db_run(account->db, err,
                           "DELETE FROM session WHERE hash IN (SELECT hash FROM session"
                           " ORDER BY expires_nano DESC LIMIT -1 OFFSET ?)",
                           "i", (int64_t)SESSIONS_MAX);
    return result;
}

enum tk_err
tk_account_session_from_token(struct tk_account *account, tk_str token,
                              char session[TK_TOKEN_TEXT + 1], struct tk_error *err)
{
    unsigned char hash[TK_SECRET_HASH_SIZE];
    uint64_t now = account->env->wall_nano(account->env);
    tk_secret_hash(token, hash);
    (void)pthread_mutex_lock(&account->lock);
    enum tk_err result = tk_db_run(account->db, err, "BEGIN IMMEDIATE", "");
    if (result == TK_OK) {
        result =
            tk_db_run(account->db, err, "DELETE FROM signin WHERE hash = ? AND expires_nano > ?",
                      "bi", hash_view(hash), (int64_t)now);
        if (result == TK_OK && sqlite3_changes(account->db) == 0)
            result = tk_error_set(err, TK_ERR_DENIED,
                                  "the sign-in link was used already, or is too old");
        if (result == TK_OK)
            result = insert(account, 0, now, session, err);
        result = tk_db_end(account->db, result, err);
    }
    (void)pthread_mutex_unlock(&account->lock);
    tk_identities_refresh(account->identities, TK_REFRESH_NOW);
    return result;
}

enum tk_err
tk_account_session_from_key(struct tk_account *account, tk_str key, char session[TK_TOKEN_TEXT + 1],
                            struct tk_error *err)
{
    struct tk_identity identity;
    uint64_t now = account->env->wall_nano(account->env);
    enum tk_err result = tk_account_authenticate(account, key, &identity);
    if (result != TK_OK)
        return tk_error_set(err, result, "unknown key");
    if (identity.kind != TK_KEY_READ && identity.kind != TK_KEY_ADMIN)
        return tk_error_set(err, TK_ERR_DENIED, "a %s key cannot sign in: take a read or admin key",
                            tk_key_kind_text(identity.kind));
    (void)pthread_mutex_lock(&account->lock);
    result = tk_db_run(account->db, err, "BEGIN IMMEDIATE", "");
    if (result == TK_OK) {
        result = insert(account, identity.key_id, now, session, err);
        result = tk_db_end(account->db, result, err);
    }
    (void)pthread_mutex_unlock(&account->lock);
    tk_identities_refresh(account->identities, TK_REFRESH_NOW);
    return result;
}

enum tk_err
tk_account_session_end(struct tk_account *account, tk_str session)
{
    unsigned char hash[TK_SECRET_HASH_SIZE];
    tk_secret_hash(session, hash);
    (void)pthread_mutex_lock(&account->lock);
    enum tk_err result =
        tk_db_run(account->db, NULL, "DELETE FROM session WHERE hash = ?", "b", hash_view(hash));
    (void)pthread_mutex_unlock(&account->lock);
    tk_identities_refresh(account->identities, TK_REFRESH_NOW);
    return result;
}
