#ifndef TK_ACCOUNT_ACCOUNT_H
#define TK_ACCOUNT_ACCOUNT_H
/*
 * account - projects, API keys, sign-in: whose request is this?  In SQLite (accounts.db), WAL mode,
 * so that `tracekit key` works beside a running server, which notices within a second.
 *
 * Keys are random, shown once, kept as SHA-256 with a short prefix for recognition.
 * Threads: all calls from any thread.
 */
#include "base/arena.h"
#include "base/env.h"

struct tk_account;

enum tk_key_kind { TK_KEY_SERVER, TK_KEY_BROWSER, TK_KEY_READ, TK_KEY_ADMIN };

enum {
    TK_KEY_SIZE_MAX = 128,    /* characters, a key given by TRACEKIT_API_KEY included */
    TK_PROJECT_NAME_MAX = 64, /* [a-z0-9][a-z0-9_-]* */
    TK_ORIGINS_MAX = 32,      /* of one browser key */
    TK_SESSION_DAYS = 30,
    TK_SIGNIN_TOKEN_MINUTES = 60,
};

struct tk_project {
    uint32_t id;
    tk_str name;
    uint64_t created_nano;
    /* What is kept of it; 0: what the server keeps, UINT64_MAX: no limit. */
    uint64_t retention_nano, disk_bytes;
};

struct tk_key {
    uint32_t id;
    uint32_t project_id;
    tk_str project;
    enum tk_key_kind kind;
    tk_str name;
    tk_str prefix;   /* the first characters, for people */
    tk_str *origins; /* "https://app.example.com"; browser keys only */
    size_t origin_count;
    uint64_t created_nano, last_used_nano; /* 0: never; at most a minute old */
    bool revoked;
};

/* What a request may do. */
struct tk_identity {
    uint32_t project_id;
    char project[TK_PROJECT_NAME_MAX + 1];
    enum tk_key_kind kind;
    uint32_t key_id;   /* 0: a session */
    bool all_projects; /* a session from a sign-in token; `project` is then where it starts */
};

const char *tk_key_kind_text(enum tk_key_kind kind);
bool tk_key_kind_parse(tk_str text, enum tk_key_kind *ret_kind);

enum tk_err tk_account_open(struct tk_env *env, const char *dir, struct tk_account **ret_account,
                            struct tk_error *err) TK_MUST_USE;
void tk_account_close(struct tk_account *account);

/* First start of a server on this directory: makes a server key (`given` when not empty, else a new
   one; into `key`) of project "default", which is there since the file was made.  *ret_first says
   whether it did. */
enum tk_err tk_account_first_start(struct tk_account *account, tk_str given,
                                   char key[TK_KEY_SIZE_MAX + 1], bool *ret_first,
                                   struct tk_error *err) TK_MUST_USE;

/* TK_ERR_DENIED: unknown or revoked.  Answered from memory. */
enum tk_err tk_account_authenticate(struct tk_account *account, tk_str key,
                                    struct tk_identity *ret_identity) TK_MUST_USE;
/* May `origin` use this browser key? */
bool tk_account_origin_allowed(struct tk_account *account, uint32_t key_id, tk_str origin);
/* For a preflight, which carries no key: is it an origin of any browser key? */
bool tk_account_origin_known(struct tk_account *account, tk_str origin);

enum tk_err tk_account_project_find(struct tk_account *account, tk_str name,
                                    uint32_t *ret_id) TK_MUST_USE;
enum tk_err tk_account_project_create(struct tk_account *account, tk_str name,
                                      struct tk_project *ret_project,
                                      struct tk_error *err) TK_MUST_USE;
enum tk_err tk_account_project_list(struct tk_account *account, struct tk_arena *arena,
                                    struct tk_project **ret_projects, size_t *ret_count,
                                    struct tk_error *err) TK_MUST_USE;
enum tk_err tk_account_project_delete(struct tk_account *account, tk_str name,
                                      struct tk_error *err) TK_MUST_USE;

/*
 * What is kept of a project, as people say it: a time like 7d and a size like 10GiB, `none`, or
 * `default` for what the server keeps; empty: stays as it is.  TK_ERR_INPUT: it is none of these.
 */
enum { TK_LIMIT_TEXT = 32 };
enum tk_err tk_project_limits_parse(tk_str retention, tk_str disk, struct tk_project *project,
                                    struct tk_error *err) TK_MUST_USE;
enum tk_err tk_account_project_set(struct tk_account *account, tk_str name, tk_str retention,
                                   tk_str disk, struct tk_project *ret_project,
                                   struct tk_error *err) TK_MUST_USE;
void tk_project_limits_text(const struct tk_project *project, char retention[TK_LIMIT_TEXT],
                            char disk[TK_LIMIT_TEXT]);

/*
 * Deleted projects whose spans have still to go: whoever has the store open drops them, then says
 * so.  Noted in the transaction that deletes, so that no crash forgets it.
 */
struct tk_deleted {
    uint32_t project_id;
    uint64_t nano; /* when */
};
enum tk_err tk_account_deleted_list(struct tk_account *account, struct tk_arena *arena,
                                    struct tk_deleted **ret_deleted, size_t *ret_count,
                                    struct tk_error *err) TK_MUST_USE;
enum tk_err tk_account_deleted_done(struct tk_account *account, uint32_t project_id,
                                    struct tk_error *err) TK_MUST_USE;

/* Another number after each change, whoever made it; at most a second late. */
uint64_t tk_account_version(struct tk_account *account);

struct tk_key_request {
    tk_str project;
    enum tk_key_kind kind;
    tk_str name;
    const tk_str *origins;
    size_t origin_count;
};
/* ret_key->... views `arena`; `secret` is the only time the key is seen. */
enum tk_err tk_account_key_create(struct tk_account *account, const struct tk_key_request *request,
                                  struct tk_arena *arena, struct tk_key *ret_key,
                                  char secret[TK_KEY_SIZE_MAX + 1],
                                  struct tk_error *err) TK_MUST_USE;
/* project_id 0: of all projects. */
enum tk_err tk_account_key_list(struct tk_account *account, uint32_t project_id,
                                struct tk_arena *arena, struct tk_key **ret_keys, size_t *ret_count,
                                struct tk_error *err) TK_MUST_USE;
enum tk_err tk_account_key_revoke(struct tk_account *account, uint32_t key_id,
                                  struct tk_error *err) TK_MUST_USE;

/* Sign-in: a one-time token (printed as a link), turned into a session; or a session from a read or
   admin key.  A token's session may see all projects (kind ADMIN). */
enum { TK_TOKEN_TEXT = 43 }; /* base64url of 32 bytes */
enum tk_err tk_account_signin_token(struct tk_account *account, char token[TK_TOKEN_TEXT + 1],
                                    struct tk_error *err) TK_MUST_USE;
enum tk_err tk_account_session_from_token(struct tk_account *account, tk_str token,
                                          char session[TK_TOKEN_TEXT + 1],
                                          struct tk_error *err) TK_MUST_USE;
enum tk_err tk_account_session_from_key(struct tk_account *account, tk_str key,
                                        char session[TK_TOKEN_TEXT + 1],
                                        struct tk_error *err) TK_MUST_USE;
enum tk_err tk_account_session(struct tk_account *account, tk_str session,
                               struct tk_identity *ret_identity) TK_MUST_USE;
enum tk_err tk_account_session_end(struct tk_account *account, tk_str session) TK_MUST_USE;

#endif
