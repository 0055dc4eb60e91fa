/* secret - making keys and tokens, and the hash they are kept by.  A key has 160 random bits or
   more, so a plain SHA-256 is as hard to reverse as any slow hash, and costs half a microsecond. */
#include "account/private.h"

#include "base/assert.h"

#include <openssl/evp.h>

void
tk_secret_hash(tk_str secret, unsigned char hash[TK_SECRET_HASH_SIZE])
{
    int done = EVP_Digest(secret.ptr, secret.len, hash, NULL, EVP_sha256(), NULL);
    TK_ASSERT(done == 1);
}

void
tk_secret_key_text(struct tk_env *env, char *text, size_t count)
{
    static const char digits[33] = "0123456789abcdefghjkmnpqrstvwxyz"; /* Crockford's base 32 */
    env->random(env, text, count);
    for (size_t i = 0; i < count; i++)
        text[i] = digits[text[i] & 31];
    text[count] = '\0';
}

void
tk_secret_token(struct tk_env *env, char token[TK_TOKEN_TEXT + 1])
{
    static const char digits[65] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    env->random(env, token, TK_TOKEN_TEXT); /* 43 digits of 6 bits: 258 bits */
    for (size_t i = 0; i < TK_TOKEN_TEXT; i++)
        token[i] = digits[token[i] & 63];
    token[TK_TOKEN_TEXT] = '\0';
}
