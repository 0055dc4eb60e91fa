/* accounts - projects and keys over HTTP.  An admin key manages its own project and no other; a
   session from a sign-in link, and --dev, manage all. */
#include "account/account_json.h"
#include "api/members.h"
#include "api/private.h"

static bool
failed(struct tk_call *call, enum tk_err result, const struct tk_error *err)
{
    if (result != TK_OK)
        tk_reply_error(call, result, err);
    return result != TK_OK;
}

/* False, and replied: the project is not the caller's to manage. */
static bool
may_manage(struct tk_call *call, tk_str project)
{
    if (call->identity.all_projects || tk_str_eq(project, tk_str_from(call->identity.project)))
        return true;
    tk_reply_problem(call, 403, "Forbidden", "this key manages the project `%s` only",
                     call->identity.project);
    return false;
}

static void
write_count(struct tk_json_writer *json, tk_str name, uint64_t count)
{
    tk_json_key(json, name);
    tk_json_uint(json, count);
}

/* The project, and what it takes. */
static enum tk_err
write_project(struct tk_call *call, struct tk_json_writer *json, const struct tk_project *project,
              struct tk_error *err)
{
    struct tk_store_limits limits = {project->retention_nano, project->disk_bytes};
    struct tk_store_usage usage;
    enum tk_err result =
        tk_store_usage(call->api->options.store, project->id, &limits, &usage, err);
    if (result != TK_OK)
        return result;
    tk_json_object(json);
    tk_project_members_json(json, project);
    tk_json_key(json, TK_STR("storage"));
    tk_json_object(json);
    write_count(json, TK_STR("bytes"), usage.sealed.bytes);
    write_count(json, TK_STR("segmentCount"), usage.sealed.segments);
    write_count(json, TK_STR("spanCount"), usage.sealed.spans + usage.open_spans);
    write_count(json, TK_STR("unsealedSpanCount"), usage.open_spans);
    if (usage.sealed.spans + usage.open_spans > 0) {
        tk_json_key(json, TK_STR("oldestUnixNano"));
        tk_json_uint_string(json, usage.oldest_nano);
        tk_json_key(json, TK_STR("newestUnixNano"));
        tk_json_uint_string(json, usage.newest_nano);
    }
    tk_json_object_end(json);
    tk_json_object_end(json);
    return TK_OK;
}

static void
reply_project(struct tk_call *call, int status, const struct tk_project *project)
{
    struct tk_error err = {0};
    struct tk_json_writer json;
    struct tk_buf body;
    tk_buf_init(&body, TK_REPLY_SIZE_MAX);
    tk_json_writer_init(&json, &body);
    enum tk_err result = write_project(call, &json, project, &err);
    if (result == TK_OK) {
        tk_reply_json(call, status, &body);
    } else {
        tk_buf_release(&body);
        tk_reply_error(call, result, &err);
    }
}

/* What holds for all of them together, as the flags of `serve` say. */
static void
write_server(struct tk_call *call, struct tk_json_writer *json)
{
    const struct tk_store_limits *limits = &call->api->options.limits;
    struct tk_project as_project = {
        .retention_nano = limits->retention_nano != 0 ? limits->retention_nano : TK_STORE_UNLIMITED,
        .disk_bytes = limits->disk_bytes != 0 ? limits->disk_bytes : TK_STORE_UNLIMITED};
    char retention[TK_LIMIT_TEXT], disk[TK_LIMIT_TEXT];
    struct tk_store_stats stats;
    tk_project_limits_text(&as_project, retention, disk);
    tk_store_get_stats(call->api->options.store, &stats);
    tk_json_key(json, TK_STR("server"));
    tk_json_object(json);
    tk_json_key(json, TK_STR("retention"));
    tk_json_string(json, tk_str_from(retention));
    tk_json_key(json, TK_STR("disk"));
    tk_json_string(json, tk_str_from(disk));
    write_count(json, TK_STR("bytes"), stats.segment_bytes + stats.log_bytes);
    tk_json_object_end(json);
}

void
tk_route_projects(struct tk_call *call)
{
    struct tk_error err = {0};
    struct tk_project *projects;
    size_t count;
    struct tk_json_writer json;
    struct tk_buf body;
    if (failed(call,
               tk_account_project_list(call->api->options.account, &call->request->arena, &projects,
                                       &count, &err),
               &err))
        return;
    tk_buf_init(&body, TK_REPLY_SIZE_MAX);
    tk_json_writer_init(&json, &body);
    tk_json_object(&json);
    tk_json_key(&json, TK_STR("projects"));
    tk_json_array(&json);
    enum tk_err result = TK_OK;
    for (size_t i = 0; i < count && result == TK_OK; i++)
        if (call->identity.all_projects || projects[i].id == call->identity.project_id)
            result = write_project(call, &json, &projects[i], &err);
    tk_json_array_end(&json);
    write_server(call, &json);
    tk_json_object_end(&json);
    if (result == TK_OK) {
        tk_reply_json(call, 200, &body);
    } else {
        tk_buf_release(&body);
        tk_reply_error(call, result, &err);
    }
}

void
tk_route_project_create(struct tk_call *call)
{
    struct tk_error err = {0};
    struct tk_project project;
    tk_str name = TK_STR_NONE;
    const struct tk_member fields[] = {{TK_STR("name"), &name, NULL}};
    if (failed(call, tk_members_read(call, fields, 1, &err), &err) || !may_manage(call, name) ||
        failed(call, tk_account_project_create(call->api->options.account, name, &project, &err),
               &err))
        return;
    reply_project(call, 201, &project);
}

void
tk_route_project_change(struct tk_call *call)
{
    const struct tk_api_options *options = &call->api->options;
    struct tk_error err = {0};
    struct tk_project project = {0};
    tk_str name = call->args[0], retention = TK_STR_NONE, disk = TK_STR_NONE;
    const struct tk_member fields[] = {{TK_STR("retention"), &retention, NULL},
                                       {TK_STR("disk"), &disk, NULL}};
    if (failed(call, tk_members_read(call, fields, 2, &err), &err) || !may_manage(call, name) ||
        failed(call,
               tk_account_project_set(options->account, name, retention, disk, &project, &err),
               &err))
        return;
    struct tk_store_limits limits = {project.retention_nano, project.disk_bytes};
    if (failed(call, tk_store_set_limits(options->store, project.id, &limits, &err), &err))
        return;
    reply_project(call, 200, &project);
}

static enum tk_err
find_project(struct tk_call *call, tk_str name, struct tk_project *ret_project,
             struct tk_error *err)
{
    struct tk_project *projects;
    size_t count;
    enum tk_err result = tk_account_project_list(call->api->options.account, &call->request->arena,
                                                 &projects, &count, err);
    if (result != TK_OK)
        return result;
    for (size_t i = 0; i < count; i++)
        if (tk_str_eq(projects[i].name, name)) {
            *ret_project = projects[i];
            return TK_OK;
        }
    return tk_error_set(err, TK_ERR_NOT_FOUND, "there is no project `%.*s`", TK_STR_ARG(name));
}

void
tk_route_project_due(struct tk_call *call)
{
    struct tk_error err = {0};
    struct tk_project project = {0};
    struct tk_store_usage usage;
    struct tk_json_writer json;
    struct tk_buf body;
    tk_str name = call->args[0];
    tk_str retention = tk_request_param(call->request, TK_STR("retention"));
    tk_str disk = tk_request_param(call->request, TK_STR("disk"));
    if (!may_manage(call, name) || failed(call, find_project(call, name, &project, &err), &err) ||
        failed(call, tk_project_limits_parse(retention, disk, &project, &err), &err))
        return;
    struct tk_store_limits limits = {project.retention_nano, project.disk_bytes};
    if (failed(call, tk_store_usage(call->api->options.store, project.id, &limits, &usage, &err),
               &err))
        return;
    tk_buf_init(&body, TK_REPLY_SIZE_MAX);
    tk_json_writer_init(&json, &body);
    tk_json_object(&json);
    write_count(&json, TK_STR("spanCount"), usage.due.spans);
    write_count(&json, TK_STR("segmentCount"), usage.due.segments);
    write_count(&json, TK_STR("bytes"), usage.due.bytes);
    tk_json_object_end(&json);
    tk_reply_json(call, 200, &body);
}

/* First nobody can send to it any more, then its data goes. */
void
tk_route_project_delete(struct tk_call *call)
{
    const struct tk_api_options *options = &call->api->options;
    struct tk_error err = {0};
    uint32_t id;
    tk_str name = call->args[0];
    if (!may_manage(call, name))
        return;
    if (tk_account_project_find(options->account, name, &id) != TK_OK) {
        tk_reply_problem(call, 404, "Not found", "there is no project `%.*s`", TK_STR_ARG(name));
        return;
    }
    if (failed(call, tk_account_project_delete(options->account, name, &err), &err) ||
        failed(call, tk_store_drop(options->store, id, &err), &err))
        return;
    tk_opened_forget(&call->api->opened, id);
    tk_reply_empty(call, 204);
}

void
tk_route_keys(struct tk_call *call)
{
    struct tk_error err = {0};
    struct tk_key *keys;
    size_t count;
    struct tk_json_writer json;
    struct tk_buf body;
    bool all =
        call->identity.all_projects && tk_request_param(call->request, TK_STR("project")).len == 0;
    if (failed(call,
               tk_account_key_list(call->api->options.account, all ? 0 : call->identity.project_id,
                                   &call->request->arena, &keys, &count, &err),
               &err))
        return;
    tk_buf_init(&body, TK_REPLY_SIZE_MAX);
    tk_json_writer_init(&json, &body);
    tk_json_object(&json);
    tk_json_key(&json, TK_STR("keys"));
    tk_json_array(&json);
    for (size_t i = 0; i < count; i++)
        tk_key_json(&json, &keys[i], TK_STR_NONE);
    tk_json_array_end(&json);
    tk_json_object_end(&json);
    tk_reply_json(call, 200, &body);
}

void
tk_route_key_create(struct tk_call *call)
{
    struct tk_error err = {0};
    tk_str project = tk_str_from(call->identity.project), kind = TK_STR_NONE, name = TK_STR("");
    struct tk_member_list origins = {.count = 0};
    const struct tk_member fields[] = {
        {TK_STR("project"), &project, NULL},
        {TK_STR("kind"), &kind, NULL},
        {TK_STR("name"), &name, NULL},
        {TK_STR("origins"), NULL, &origins},
    };
    struct tk_key key;
    char secret[TK_KEY_SIZE_MAX + 1];
    struct tk_json_writer json;
    struct tk_buf body;
    if (failed(call, tk_members_read(call, fields, sizeof fields / sizeof *fields, &err), &err) ||
        !may_manage(call, project))
        return;
    struct tk_key_request request = {
        .project = project, .name = name, .origins = origins.items, .origin_count = origins.count};
    if (!tk_key_kind_parse(kind, &request.kind)) {
        tk_reply_problem(call, 400, "Bad request",
                         "`kind` is one of server, browser, read, admin; not `%.*s`",
                         TK_STR_ARG(kind));
        return;
    }
    if (failed(call,
               tk_account_key_create(call->api->options.account, &request, &call->request->arena,
                                     &key, secret, &err),
               &err))
        return;
    tk_buf_init(&body, TK_REPLY_SIZE_MAX);
    tk_json_writer_init(&json, &body);
    tk_key_json(&json, &key, tk_str_from(secret));
    tk_reply_json(call, 201, &body);
}

/* Is the key of a project that the caller manages?  A foreign one is as unknown as none. */
static enum tk_err
find_own(struct tk_call *call, uint32_t key_id, struct tk_error *err)
{
    struct tk_key *keys;
    size_t count;
    uint32_t project = call->identity.all_projects ? 0 : call->identity.project_id;
    enum tk_err result = tk_account_key_list(call->api->options.account, project,
                                             &call->request->arena, &keys, &count, err);
    if (result != TK_OK)
        return result;
    for (size_t i = 0; i < count; i++)
        if (keys[i].id == key_id)
            return TK_OK;
    return tk_error_set(err, TK_ERR_NOT_FOUND, "no key %u", key_id);
}

void
tk_route_key_revoke(struct tk_call *call)
{
    struct tk_error err = {0};
    uint64_t id;
    if (!tk_str_to_u64(call->args[0], &id) || id > UINT32_MAX) {
        tk_reply_problem(call, 404, "Not found", "no key %.*s", TK_STR_ARG(call->args[0]));
        return;
    }
    if (failed(call, find_own(call, (uint32_t)id, &err), &err) ||
        failed(call, tk_account_key_revoke(call->api->options.account, (uint32_t)id, &err), &err))
        return;
    tk_reply_empty(call, 204);
}
