#ifndef TK_API_JSON_MEMBERS_H
#define TK_API_JSON_MEMBERS_H
/*
 * json_members - of the objects that the query API answers with: a name and its value in one call.
 *
 * Nanoseconds are decimal strings, ids lower-case hex; `optional` leaves out what is empty or zero.
 */
#include "base/json.h"
#include "trace/ids.h"

static inline void
tk_member(struct tk_json_writer *json, const char *name)
{
    tk_json_key(json, tk_str_from(name));
}

static inline void
tk_member_string(struct tk_json_writer *json, const char *name, tk_str value)
{
    tk_member(json, name);
    tk_json_string(json, value);
}

static inline void
tk_member_uint(struct tk_json_writer *json, const char *name, uint64_t value)
{
    tk_member(json, name);
    tk_json_uint(json, value);
}

static inline void
tk_member_nano(struct tk_json_writer *json, const char *name, uint64_t nano)
{
    tk_member(json, name);
    tk_json_uint_string(json, nano);
}

static inline void
tk_optional_string(struct tk_json_writer *json, const char *name, tk_str value)
{
    if (value.len > 0)
        tk_member_string(json, name, value);
}

static inline void
tk_optional_uint(struct tk_json_writer *json, const char *name, uint64_t value)
{
    if (value != 0)
        tk_member_uint(json, name, value);
}

/* ---- ids, also as elements of an array ---- */

static inline void
tk_json_trace_id(struct tk_json_writer *json, struct tk_trace_id id)
{
    char text[TK_TRACE_ID_HEX + 1];
    tk_trace_id_format(id, text);
    tk_json_string(json, (tk_str){text, TK_TRACE_ID_HEX});
}

static inline void
tk_json_span_id(struct tk_json_writer *json, tk_span_id id)
{
    char text[TK_SPAN_ID_HEX + 1];
    tk_span_id_format(id, text);
    tk_json_string(json, (tk_str){text, TK_SPAN_ID_HEX});
}

static inline void
tk_member_trace_id(struct tk_json_writer *json, const char *name, struct tk_trace_id id)
{
    tk_member(json, name);
    tk_json_trace_id(json, id);
}

static inline void
tk_member_span_id(struct tk_json_writer *json, const char *name, tk_span_id id)
{
    tk_member(json, name);
    tk_json_span_id(json, id);
}

#endif
