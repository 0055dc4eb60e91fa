/*
 * tls - see tls.h.
 *
 * Each connection has an SSL with two memory BIOs.  A reload makes a new SSL_CTX and swaps it in
 * under the lock; connections keep the one they began with, by OpenSSL's own reference count.
 * Clients may not renegotiate, which would let a read need a write.
 */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <uv.h>

enum { RECORD_MAX = 16 << 10 };

struct tk_tls_context {
    uv_mutex_t lock; /* guards `ctx` */
    SSL_CTX *ctx;
    char *cert_file, *key_file; /* owned */
};

struct tk_tls {
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
};

static enum tk_err
ssl_error(struct tk_error *err, const char *what, const char *file)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    (void)tk_error_set(err, TK_ERR_INPUT, "%s %s: %s", what, file,
                       reason != NULL ? reason : "cannot be used");
    ERR_clear_error();
    return TK_ERR_INPUT;
}

/* The client's list in its order is not asked: h2 if it can, else HTTP/1.1, else no ALPN. */
static int
choose_protocol(SSL *ssl, const unsigned char **ret_out, unsigned char *ret_out_len,
                const unsigned char *in, unsigned in_len, void *arg)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    unsigned char *chosen;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, ret_out_len, ours, sizeof ours - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static enum tk_err
load(const char *cert_file, const char *key_file, SSL_CTX **ret_ctx, struct tk_error *err)
{
    enum tk_err status = TK_OK;
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "OpenSSL has no memory");
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    static const unsigned char session_id[] = "tracekit";
    SSL_CTX_set_session_id_context(ctx, session_id, sizeof session_id - 1);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        status = ssl_error(err, "certificate", cert_file);
    else if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1)
        status = ssl_error(err, "key", key_file);
    else if (SSL_CTX_check_private_key(ctx) != 1)
        status = ssl_error(err, "the key does not fit the certificate:", key_file);
    if (status == TK_OK)
        *ret_ctx = ctx;
    else
        SSL_CTX_free(ctx);
    return status;
}

enum tk_err
tk_tls_context_new(const char *cert_file, const char *key_file, struct tk_tls_context **ret_context,
                   struct tk_error *err)
{
    struct tk_tls_context *context = calloc(1, sizeof *context);
    enum tk_err status;
    if (context == NULL)
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    if (key_file == NULL) {
        free(context);
        return tk_error_set(err, TK_ERR_INPUT, "a certificate needs its key");
    }
    status = load(cert_file, key_file, &context->ctx, err);
    if (status != TK_OK) {
        free(context);
        return status;
    }
    context->cert_file = strdup(cert_file);
    context->key_file = strdup(key_file);
    if (context->cert_file == NULL || context->key_file == NULL ||
        uv_mutex_init(&context->lock) != 0) {
        free(context->cert_file);
        free(context->key_file);
        SSL_CTX_free(context->ctx);
        free(context);
        return tk_error_set(err, TK_ERR_MEMORY, "out of memory");
    }
    *ret_context = context;
    return TK_OK;
}

enum tk_err
tk_tls_context_reload(struct tk_tls_context *context, struct tk_error *err)
{
    SSL_CTX *ctx;
    enum tk_err status = load(context->cert_file, context->key_file, &ctx, err);
    if (status != TK_OK)
        return status;
    uv_mutex_lock(&context->lock);
    SSL_CTX *old = context->ctx;
    context->ctx = ctx;
    uv_mutex_unlock(&context->lock);
    SSL_CTX_free(old);
    return TK_OK;
}

void
tk_tls_context_free(struct tk_tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->ctx);
    uv_mutex_destroy(&context->lock);
    free(context->cert_file);
    free(context->key_file);
    free(context);
}

struct tk_tls *
tk_tls_new(struct tk_tls_context *context)
{
    struct tk_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL)
        return NULL;
    uv_mutex_lock(&context->lock);
    tls->ssl = SSL_new(context->ctx);
    uv_mutex_unlock(&context->lock);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (tls->ssl == NULL || tls->in == NULL || tls->out == NULL) {
        BIO_free(tls->in);
        BIO_free(tls->out);
        SSL_free(tls->ssl);
        free(tls);
        return NULL;
    }
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    SSL_set_accept_state(tls->ssl);
    return tls;
}

void
tk_tls_free(struct tk_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_free(tls->ssl);
    free(tls);
}

/* What OpenSSL has written, onto the wire. */
static bool
collect(struct tk_tls *tls, struct tk_output *wire)
{
    size_t size = BIO_ctrl_pending(tls->out);
    char *bytes;
    if (size == 0)
        return true;
    struct tk_chunk *chunk = tk_chunk_new(size, &bytes);
    if (chunk == NULL)
        return false;
    int got = BIO_read(tls->out, bytes, (int)size);
    chunk->bytes.len = got > 0 ? (size_t)got : 0;
    tk_output_add(wire, chunk);
    return true;
}

static enum tk_tls_state
state_after(struct tk_tls *tls, int result)
{
    int error = SSL_get_error(tls->ssl, result);
    ERR_clear_error(); /* the queue is the thread's: the next connection must not find it */
    if (error == SSL_ERROR_ZERO_RETURN)
        return TK_TLS_CLOSED;
    if (error == SSL_ERROR_WANT_READ)
        return SSL_is_init_finished(tls->ssl) ? TK_TLS_OPEN : TK_TLS_HANDSHAKE;
    return TK_TLS_FAILED;
}

enum tk_tls_state
tk_tls_feed(struct tk_tls *tls, tk_str records, struct tk_output *wire)
{
    enum tk_tls_state state = TK_TLS_OPEN;
    if (BIO_write(tls->in, records.ptr, (int)records.len) != (int)records.len)
        return TK_TLS_FAILED;
    if (!SSL_is_init_finished(tls->ssl)) {
        int result = SSL_do_handshake(tls->ssl);
        if (result != 1)
            state = state_after(tls, result);
    }
    return collect(tls, wire) ? state : TK_TLS_FAILED;
}

enum tk_tls_state
tk_tls_read(struct tk_tls *tls, char *bytes, size_t room, size_t *ret_size)
{
    int got = SSL_read(tls->ssl, bytes, room < INT32_MAX ? (int)room : INT32_MAX);
    *ret_size = got > 0 ? (size_t)got : 0;
    return got > 0 ? TK_TLS_OPEN : state_after(tls, got);
}

bool
tk_tls_chose_http2(const struct tk_tls *tls)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(tls->ssl, &name, &len);
    return len == 2 && memcmp(name, "h2", 2) == 0;
}

bool
tk_tls_encrypt(struct tk_tls *tls, struct tk_output *plain, struct tk_output *wire, size_t wire_max)
{
    char record[RECORD_MAX];
    while (plain->size > 0 && SSL_is_init_finished(tls->ssl) &&
           wire->size + BIO_ctrl_pending(tls->out) < wire_max) {
        /* Small chunks share a record: a head and a short body are one. */
        struct iovec views[8];
        size_t count = tk_output_peek(plain, views, 8), size = 0;
        const char *bytes = views[0].iov_base;
        if (views[0].iov_len >= sizeof record || count == 1) {
            size = views[0].iov_len < sizeof record ? views[0].iov_len : sizeof record;
        } else {
            for (size_t i = 0; i < count && size < sizeof record; i++) {
                size_t room = sizeof record - size;
                size_t part = views[i].iov_len < room ? views[i].iov_len : room;
                memcpy(record + size, views[i].iov_base, part);
                size += part;
            }
            bytes = record;
        }
        int written = SSL_write(tls->ssl, bytes, (int)size);
        if (written <= 0) {
            ERR_clear_error();
            return false;
        }
        tk_output_consume(plain, (size_t)written);
    }
    if (plain->size == 0)
        tk_output_consume(plain, 0);
    return collect(tls, wire);
}

void
tk_tls_shutdown(struct tk_tls *tls, struct tk_output *wire)
{
    if (SSL_is_init_finished(tls->ssl))
        (void)SSL_shutdown(tls->ssl);
    ERR_clear_error();
    (void)collect(tls, wire);
}
