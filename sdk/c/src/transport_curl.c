/*
 * transport_curl - posts by libcurl, one handle for all posts, so that the connection is kept.
 * Redirects are not followed: they would carry the key to another host.
 */
#ifdef TRACEKIT_WITH_CURL
#include "transport.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>

static size_t
read_body(char *bytes, size_t one, size_t size, void *data)
{
    (void)one;
    tracekit_answer *answer = data;
    size_t room = sizeof answer->body - answer->body_size, part = size < room ? size : room;
    memcpy(answer->body + answer->body_size, bytes, part);
    answer->body_size += part;
    return size; /* all of it is taken, or libcurl would call it an error */
}

static size_t
read_header(char *line, size_t one, size_t size, void *data)
{
    (void)one;
    tracekit_answer *answer = data;
    size_t at = 12, end = size;
    if (size <= at || strncasecmp(line, "retry-after:", at) != 0)
        return size;
    while (at < end && (line[at] == ' ' || line[at] == '\t'))
        at++;
    while (end > at && (line[end - 1] == '\r' || line[end - 1] == '\n'))
        end--;
    snprintf(answer->retry_after, sizeof answer->retry_after, "%.*s", (int)(end - at), line + at);
    return size;
}

void
tk_transport_curl(void *data, const tracekit_post *post, tracekit_answer *answer)
{
    CURL *curl = data;
    long status = 0;
    struct curl_slist *headers = NULL;
    for (const char *const *line = post->headers; *line != NULL; line++) {
        struct curl_slist *longer = curl_slist_append(headers, *line);
        if (longer == NULL) {
            curl_slist_free_all(headers);
            snprintf(answer->error, sizeof answer->error, "out of memory");
            return;
        }
        headers = longer;
    }
    curl_easy_setopt(curl, CURLOPT_URL, post->url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, post->body);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->body_size);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)post->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, read_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, read_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, answer);
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    else
        snprintf(answer->error, sizeof answer->error, "%s", curl_easy_strerror(code));
    answer->status = (int)status;
    curl_slist_free_all(headers);
}

bool
tk_transport_can(const char *url)
{
    (void)url;
    return true;
}

static void
start_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

int
tk_transport_default(tracekit_transport **ret_transport, void **ret_data)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_curl);
    CURL *curl = curl_easy_init();
    if (curl == NULL)
        return TRACEKIT_ERROR_MEMORY;
    *ret_transport = tk_transport_curl;
    *ret_data = curl;
    return TRACEKIT_OK;
}

void
tk_transport_release(void *data)
{
    curl_easy_cleanup(data);
}
#endif
