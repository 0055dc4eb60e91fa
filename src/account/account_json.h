#ifndef TK_ACCOUNT_ACCOUNT_JSON_H
#define TK_ACCOUNT_ACCOUNT_JSON_H
/*
 * account_json - projects and keys as JSON: one shape for the API and for `list --json`.
 */
#include "account/account.h"
#include "base/json.h"

/* As an object; or its members alone, for who has more to say of it. */
void tk_project_json(struct tk_json_writer *json, const struct tk_project *project);
void tk_project_members_json(struct tk_json_writer *json, const struct tk_project *project);
/* `secret` is not empty in the one answer that shows it.  A key never used has a null there. */
void tk_key_json(struct tk_json_writer *json, const struct tk_key *key, tk_str secret);

#endif
