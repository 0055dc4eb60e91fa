#ifndef TK_UTF8_H
#define TK_UTF8_H
/* utf8 - text that is not ASCII: protobuf wants valid UTF-8, and servers refuse the whole request
 * otherwise. */
#include <stddef.h>
#include <stdint.h>

/* The most bytes that `size` bytes of text can become: each wrong one becomes U+FFFD. */
#define TK_UTF8_GROWTH 3

/* Cuts text to at most `max` bytes, not within a character. */
size_t tk_utf8_cut(const char *text, size_t size, size_t max);

/* The size that tk_utf8_copy gives. */
size_t tk_utf8_size(const char *text, size_t size);

/* Copies text, with U+FFFD for what is no UTF-8 (RFC 3629); gives the size it has become. */
size_t tk_utf8_copy(uint8_t *to, const char *from, size_t size);

#endif
