/* account_json - see account_json.h. */
#include "account/account_json.h"

void
tk_project_members_json(struct tk_json_writer *json, const struct tk_project *project)
{
    char retention[TK_LIMIT_TEXT], disk[TK_LIMIT_TEXT];
    tk_project_limits_text(project, retention, disk);
    tk_json_key(json, TK_STR("id"));
    tk_json_uint(json, project->id);
    tk_json_key(json, TK_STR("name"));
    tk_json_string(json, project->name);
    tk_json_key(json, TK_STR("createdUnixNano"));
    tk_json_uint_string(json, project->created_nano);
    tk_json_key(json, TK_STR("retention"));
    tk_json_string(json, tk_str_from(retention));
    tk_json_key(json, TK_STR("disk"));
    tk_json_string(json, tk_str_from(disk));
}

void
tk_project_json(struct tk_json_writer *json, const struct tk_project *project)
{
    tk_json_object(json);
    tk_project_members_json(json, project);
    tk_json_object_end(json);
}

void
tk_key_json(struct tk_json_writer *json, const struct tk_key *key, tk_str secret)
{
    tk_json_object(json);
    tk_json_key(json, TK_STR("id"));
    tk_json_uint(json, key->id);
    tk_json_key(json, TK_STR("project"));
    tk_json_string(json, key->project);
    tk_json_key(json, TK_STR("kind"));
    tk_json_string(json, tk_str_from(tk_key_kind_text(key->kind)));
    tk_json_key(json, TK_STR("name"));
    tk_json_string(json, key->name);
    tk_json_key(json, TK_STR("prefix"));
    tk_json_string(json, key->prefix);
    tk_json_key(json, TK_STR("origins"));
    tk_json_array(json);
    for (size_t i = 0; i < key->origin_count; i++)
        tk_json_string(json, key->origins[i]);
    tk_json_array_end(json);
    tk_json_key(json, TK_STR("createdUnixNano"));
    tk_json_uint_string(json, key->created_nano);
    tk_json_key(json, TK_STR("lastUsedUnixNano"));
    if (key->last_used_nano != 0)
        tk_json_uint_string(json, key->last_used_nano);
    else
        tk_json_null(json);
    tk_json_key(json, TK_STR("revoked"));
    tk_json_bool(json, key->revoked);
    if (secret.len > 0) {
        tk_json_key(json, TK_STR("key"));
        tk_json_string(json, secret);
    }
    tk_json_object_end(json);
}
