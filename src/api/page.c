/*
 * page - the web page, out of the binary.
 *
 * A file answers at its own path.  The page routes by itself, so every other path that a browser
 * opens (a GET that accepts text/html) and that is not the API's answers with index.html; the
 * page's own addresses also to who takes anything, such as curl.  Names under /assets/ carry a hash
 * of their content and are kept for ever.
 */
#include "api/page.h"
#include "api/private.h"
#include "wire/compress.h"

/* A slash at the end is no other path: people type it. */
static const struct tk_page_file *
find_file(tk_str path)
{
    if (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    for (size_t i = 0; i < tk_page_file_count; i++)
        if (tk_str_eq(path, tk_str_from(tk_page_files[i].path)))
            return &tk_page_files[i];
    return NULL;
}

static bool
contains(tk_str text, tk_str part)
{
    return text.len > 0 && memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

/* The page's own addresses; ui/src/main.tsx has what each shows. */
static bool
is_view(tk_str path)
{
    static const char *const names[] = {"",       "traces", "services", "compare",
                                        "doctor", "map",    "tags",     "settings"};
    tk_str rest = {path.ptr + 1, path.len - 1};
    tk_str first = tk_str_split(&rest, '/');
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (tk_str_eq(first, tk_str_from(names[i])))
            return true;
    return false;
}

static bool
is_page_path(const struct tk_request *request)
{
    static const char *const foreign[] = {"/api/", "/v1/", "/assets/", "/opentelemetry."};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (tk_str_starts_with(request->path, tk_str_from(foreign[i])))
            return false;
    tk_str accept = tk_request_header(request, TK_STR("accept"));
    if (accept.len == 0 || contains(accept, TK_STR("*/*")))
        return is_view(request->path) || contains(accept, TK_STR("text/html"));
    return tk_str_eq(request->path, TK_STR("/")) || contains(accept, TK_STR("text/html"));
}

static void
add_headers(struct tk_call *call, const struct tk_page_file *file)
{
    bool asset = strncmp(file->path, "/assets/", 8) == 0;
    tk_reply_header(call, TK_STR("etag"), tk_str_from(file->etag));
    tk_reply_header(call, TK_STR("vary"), TK_STR("Accept-Encoding"));
    tk_reply_header(call, TK_STR("cache-control"),
                    asset ? TK_STR("public, max-age=31536000, immutable") : TK_STR("no-cache"));
    tk_reply_header(call, TK_STR("content-security-policy"), tk_str_from(file->policy));
    tk_reply_header(call, TK_STR("referrer-policy"), TK_STR("no-referrer"));
    tk_reply_header(call, TK_STR("cross-origin-opener-policy"), TK_STR("same-origin"));
}

static void
reply_unpacked(struct tk_call *call, const struct tk_page_file *file)
{
    struct tk_error err = {0};
    struct tk_buf body;
    tk_buf_init(&body, file->size);
    enum tk_err result =
        tk_decompress(TK_ENCODING_GZIP, (tk_str){(const char *)file->gzip, file->gzip_size},
                      file->size, &body.ptr, &body.len, &err);
    if (result == TK_OK)
        tk_reply(call, 200, tk_str_from(file->content_type), &body);
    else
        tk_reply_error(call, result, &err);
}

static void
route_page(struct tk_call *call)
{
    const struct tk_page_file *file = find_file(call->request->path);
    if (file == NULL)
        file = find_file(TK_STR("/index.html"));
    add_headers(call, file);
    if (tk_str_eq(tk_request_header(call->request, TK_STR("if-none-match")),
                  tk_str_from(file->etag))) {
        tk_reply_empty(call, 304);
    } else if (tk_accepts_gzip(call->request)) {
        tk_reply_header(call, TK_STR("content-encoding"), TK_STR("gzip"));
        tk_reply_static(call, 200, tk_str_from(file->content_type),
                        (tk_str){(const char *)file->gzip, file->gzip_size});
    } else {
        reply_unpacked(call, file);
    }
}

const struct tk_route *
tk_page_find(const struct tk_request *request)
{
    static const struct tk_route route = {.method = "GET",
                                          .path = "/",
                                          .access = TK_ACCESS_PUBLIC,
                                          .run = TK_RUN_LOOP,
                                          .function = route_page};
    bool get =
        tk_str_eq(request->method, TK_STR("GET")) || tk_str_eq(request->method, TK_STR("HEAD"));
    bool found = get && (find_file(request->path) != NULL ||
                         (is_page_path(request) && find_file(TK_STR("/index.html")) != NULL));
    return found ? &route : NULL;
}
