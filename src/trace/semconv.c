/*
 * semconv - see semconv.h.
 *
 * Only renames are listed: the value must mean the same under both names.  So `http.target` is not
 * here (it was path and query in one, url.path is the path alone).  A name that was split is listed
 * under each of its predecessors' successors once; asking for an old name finds it and its
 * successor, asking for the new one finds it and all its predecessors.  The table is short and read
 * once per query and key, so it is searched from top to bottom.
 */
#include "trace/semconv.h"

#include "base/assert.h"

#define RENAME(old, new)                                                                           \
    {                                                                                              \
        {old, sizeof(old) - 1},                                                                    \
        {                                                                                          \
            new, sizeof(new) - 1                                                                   \
        }                                                                                          \
    }

static const struct {
    tk_str old_name, new_name;
} renames[] = {
    /* HTTP and networks, stable since 1.23 */
    RENAME("http.method", "http.request.method"),
    RENAME("http.status_code", "http.response.status_code"),
    RENAME("http.url", "url.full"),
    RENAME("http.scheme", "url.scheme"),
    RENAME("http.client_ip", "client.address"),
    RENAME("http.user_agent", "user_agent.original"),
    RENAME("http.resend_count", "http.request.resend_count"),
    RENAME("http.request_content_length", "http.request.body.size"),
    RENAME("http.response_content_length", "http.response.body.size"),
    RENAME("http.flavor", "network.protocol.version"),
    RENAME("http.server_name", "server.address"),
    RENAME("net.peer.name", "server.address"),
    RENAME("net.host.name", "server.address"),
    RENAME("net.peer.port", "server.port"),
    RENAME("net.host.port", "server.port"),
    RENAME("net.protocol.name", "network.protocol.name"),
    RENAME("net.protocol.version", "network.protocol.version"),
    RENAME("net.transport", "network.transport"),
    RENAME("net.sock.family", "network.type"),
    RENAME("net.sock.peer.addr", "network.peer.address"),
    RENAME("net.sock.peer.port", "network.peer.port"),
    RENAME("net.sock.host.addr", "network.local.address"),
    RENAME("net.sock.host.port", "network.local.port"),
    /* databases, stable since 1.30 */
    RENAME("db.system", "db.system.name"),
    RENAME("db.statement", "db.query.text"),
    RENAME("db.operation", "db.operation.name"),
    RENAME("db.name", "db.namespace"),
    RENAME("db.redis.database_index", "db.namespace"),
    RENAME("db.sql.table", "db.collection.name"),
    RENAME("db.cassandra.table", "db.collection.name"),
    RENAME("db.mongodb.collection", "db.collection.name"),
    /* messaging */
    RENAME("messaging.destination", "messaging.destination.name"),
    RENAME("messaging.operation", "messaging.operation.type"),
    RENAME("messaging.message_id", "messaging.message.id"),
    RENAME("messaging.conversation_id", "messaging.message.conversation_id"),
    RENAME("messaging.kafka.consumer.group", "messaging.consumer.group.name"),
    RENAME("messaging.kafka.message.offset", "messaging.kafka.offset"),
    RENAME("messaging.kafka.destination.partition", "messaging.destination.partition.id"),
    /* the rest */
    RENAME("rpc.system", "rpc.system.name"),
    RENAME("code.function", "code.function.name"),
    RENAME("code.filepath", "code.file.path"),
    RENAME("code.lineno", "code.line.number"),
    RENAME("code.column", "code.column.number"),
    RENAME("deployment.environment", "deployment.environment.name"),
    RENAME("gen_ai.system", "gen_ai.provider.name"),
    RENAME("gen_ai.usage.prompt_tokens", "gen_ai.usage.input_tokens"),
    RENAME("gen_ai.usage.completion_tokens", "gen_ai.usage.output_tokens"),
    RENAME("otel.library.name", "otel.scope.name"),
    RENAME("otel.library.version", "otel.scope.version"),
    RENAME("telemetry.auto.version", "telemetry.distro.version"),
};

size_t
tk_semconv_names(tk_str key, tk_str ret_names[TK_SEMCONV_NAMES_MAX])
{
    size_t count = 0;
    ret_names[count++] = key;
    for (size_t i = 0; i < sizeof renames / sizeof renames[0]; i++) {
        tk_str other;
        if (tk_str_eq(key, renames[i].old_name))
            other = renames[i].new_name;
        else if (tk_str_eq(key, renames[i].new_name))
            other = renames[i].old_name;
        else
            continue;
        TK_ASSERT(count < TK_SEMCONV_NAMES_MAX);
        ret_names[count++] = other;
    }
    return count;
}
