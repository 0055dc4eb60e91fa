/*
 * client - outgoing HTTP by libcurl; see client.h.
 *
 * One easy handle per client, so that its connection is kept.  curl_global_init is called once per
 * process, by the first client.
 */
#include "net/client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>

static const size_t answer_size_max = (size_t)4 << 30;
enum { TIMEOUT_MS_DEFAULT = 30000, CONNECT_TIMEOUT_MS = 5000 };

struct tk_client {
    CURL *curl;
    struct tk_buf body;
    char error[CURL_ERROR_SIZE];
};

static void
init_curl(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t
receive(char *bytes, size_t size, size_t count, void *arg)
{
    struct tk_client *client = arg;
    tk_buf_append(&client->body, (tk_str){bytes, size * count});
    return client->body.status == TK_OK ? size * count : 0; /* less than all: curl gives up */
}

enum tk_err
tk_client_new(struct tk_client **ret_client, struct tk_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, init_curl);
    struct tk_client *client = calloc(1, sizeof *client);
    if (client == NULL || (client->curl = curl_easy_init()) == NULL) {
        free(client);
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    }
    tk_buf_init(&client->body, answer_size_max);
    *ret_client = client;
    return TK_OK;
}

void
tk_client_free(struct tk_client *client)
{
    if (client == NULL)
        return;
    curl_easy_cleanup(client->curl);
    tk_buf_release(&client->body);
    free(client);
}

static void
set_request(struct tk_client *client, const struct tk_client_request *request,
            struct curl_slist *headers)
{
    CURL *curl = client->curl;
    curl_easy_reset(curl); /* keeps the connection */
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->error);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, client);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                     (long)(request->timeout_ms > 0 ? request->timeout_ms : TIMEOUT_MS_DEFAULT));
    if (request->body.len > 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.ptr);
    }
    if (request->method != NULL)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

static void
read_answer(struct tk_client *client, struct tk_client_response *ret_response)
{
    char *type = NULL;
    curl_off_t retry_after = 0;
    long status = 0;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(client->curl, CURLINFO_CONTENT_TYPE, &type);
    curl_easy_getinfo(client->curl, CURLINFO_RETRY_AFTER, &retry_after);
    *ret_response = (struct tk_client_response){
        .status = (int)status,
        .body = tk_buf_str(&client->body),
        .content_type = tk_str_from(type),
        .retry_after_s = (unsigned)retry_after,
    };
}

enum tk_err
tk_client_send(struct tk_client *client, const struct tk_client_request *request,
               struct tk_client_response *ret_response, struct tk_error *err)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:"); /* no wait for 100 */
    for (size_t i = 0; i < request->header_count && headers != NULL; i++) {
        struct curl_slist *longer = curl_slist_append(headers, request->headers[i]);
        if (longer == NULL)
            curl_slist_free_all(headers);
        headers = longer;
    }
    if (headers == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    tk_buf_clear(&client->body);
    client->error[0] = '\0';
    set_request(client, request, headers);
    CURLcode code = curl_easy_perform(client->curl);
    curl_slist_free_all(headers);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return tk_error_set(err, TK_ERR_TIMEOUT, "no answer from %s in time", request->url);
    if (code != CURLE_OK)
        return tk_error_set(err, TK_ERR_UNREACHABLE, "%s cannot be reached: %s", request->url,
                            client->error[0] != '\0' ? client->error : curl_easy_strerror(code));
    read_answer(client, ret_response);
    return TK_OK;
}

tk_str
tk_client_header(struct tk_client *client, const char *name, size_t *ret_count)
{
    struct curl_header *header;
    bool found = curl_easy_header(client->curl, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK;
    if (ret_count != NULL)
        *ret_count = found ? header->amount : 0;
    return found ? tk_str_from(header->value) : TK_STR_NONE;
}
