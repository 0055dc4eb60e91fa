/*
 * server - serves GET /users/{id} with libmicrohttpd, each request in the trace of its caller:
 * ./server [PORT] Prints its address; ends when its standard input does.
 */
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>

#include <tracekit.h>

static enum MHD_Result
read_header(void *caller, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    tracekit_extract(caller, name, value);
    return MHD_YES;
}

/* What the service does: a span of its own below the request's, which is current. */
static int
load_user(const char *id, char *ret_text, size_t capacity)
{
    char tenant[64] = "nobody";
    tracekit_span *span = tracekit_start("query users");
    tracekit_set_string(span, "db.system.name", "sqlite");
    tracekit_set_string(span, "user.id", id);
    tracekit_get_baggage(span, "tenant", tenant, sizeof tenant);
    snprintf(ret_text, capacity, "{\"id\": \"%s\", \"tenant\": \"%s\"}\n", id, tenant);
    tracekit_end(span);
    return MHD_HTTP_OK;
}

static enum MHD_Result
respond(struct MHD_Connection *connection, int status, const char *text)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result queued = MHD_queue_response(connection, (unsigned)status, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result
serve(void *data, struct MHD_Connection *connection, const char *url, const char *method,
      const char *version, const char *upload, size_t *upload_size, void **request)
{
    char text[512] = "no such page\n";
    int status = MHD_HTTP_NOT_FOUND;
    (void)data, (void)version, (void)upload, (void)upload_size, (void)request;

    tracekit_context caller = {0};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, read_header, &caller);
    bool user = strncmp(url, "/users/", 7) == 0;
    tracekit_span *span = tracekit_start_server(
        &(tracekit_request){
            .method = method,
            .route = user ? "/users/{id}" : NULL,
            .scheme = "http",
            .host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host"),
            .path = url,
            .user_agent = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "User-Agent"),
        },
        &caller);
    if (user)
        status = load_user(url + 7, text, sizeof text);
    enum MHD_Result result = respond(connection, status, text);
    tracekit_set_http_status(span, status);
    tracekit_end(span);
    return result;
}

int
main(int argc, char **argv)
{
    uint16_t port = (uint16_t)(argc > 1 ? strtoul(argv[1], NULL, 10) : 8080);
    tracekit_init(&(tracekit_options){.service_name = "c-server"});
    struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, port, NULL, NULL,
                                                 serve, NULL, MHD_OPTION_END);
    if (daemon == NULL) {
        fprintf(stderr, "cannot listen on port %u\n", port);
        return 1;
    }
    printf("http://localhost:%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    while (getchar() != EOF)
        ;
    MHD_stop_daemon(daemon);
    return tracekit_shutdown(3000);
}
