#ifndef TK_NET_TLS_H
#define TK_NET_TLS_H
/*
 * tls - private to net/: OpenSSL between a socket and its connection, through memory: records in,
 * plaintext out, and the other way round.  TLS 1.2 and 1.3; ALPN offers h2 and http/1.1.
 */
#include "net/output.h"

struct tk_tls_context; /* certificate and key; any thread */
struct tk_tls;         /* one connection; its loop's thread */

enum tk_err tk_tls_context_new(const char *cert_file, const char *key_file,
                               struct tk_tls_context **ret_context,
                               struct tk_error *err) TK_MUST_USE;
/* Reads the files again, for connections to come.  On failure the old ones stay. */
enum tk_err tk_tls_context_reload(struct tk_tls_context *context, struct tk_error *err) TK_MUST_USE;
void tk_tls_context_free(struct tk_tls_context *context);

enum tk_tls_state {
    TK_TLS_HANDSHAKE,
    TK_TLS_OPEN,
    TK_TLS_CLOSED, /* the peer has said goodbye */
    TK_TLS_FAILED,
};

struct tk_tls *tk_tls_new(struct tk_tls_context *context); /* NULL: no memory */
void tk_tls_free(struct tk_tls *tls);
/* Takes records in and goes on with the handshake; what must be said goes to `wire`. */
enum tk_tls_state tk_tls_feed(struct tk_tls *tls, tk_str records, struct tk_output *wire);
/* Plaintext; *ret_size 0 when more records are needed. */
enum tk_tls_state tk_tls_read(struct tk_tls *tls, char *bytes, size_t room, size_t *ret_size);
bool tk_tls_chose_http2(const struct tk_tls *tls);
/* Moves plaintext into records, until `wire` holds `wire_max` bytes.  False when TLS has failed. */
bool tk_tls_encrypt(struct tk_tls *tls, struct tk_output *plain, struct tk_output *wire,
                    size_t wire_max);
void tk_tls_shutdown(struct tk_tls *tls, struct tk_output *wire); /* close_notify */

#endif
