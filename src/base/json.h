#ifndef TK_BASE_JSON_H
#define TK_BASE_JSON_H
/*
 * json - a writer that puts commas itself, and a pull reader that makes no tree.  RFC 8259.
 *
 * Writer: writes into a tk_buf; misuse (a value without a key in an object) is an assertion.
 * Strings are escaped; invalid UTF-8 is written as U+FFFD.  Non-finite doubles are written as the
 * strings "NaN", "Infinity", "-Infinity" (as OTLP/JSON does).
 *
 * Reader: one token at a time over a buffer that outlives it.  Strings without escapes are views of
 * the input; others are unescaped into the arena (as they are written when the arena is NULL).  An
 * escaped surrogate without its other half becomes U+FFFD.  Numbers are handed out as their text.
 * Depth is limited to TK_JSON_DEPTH_MAX.  Errors carry the byte offset ("byte 17: ..."), where
 * `at` then stands.
 */
#include "base/arena.h"

enum { TK_JSON_DEPTH_MAX = 300 };

struct tk_json_writer {
    struct tk_buf *out;
    uint32_t _depth;
    bool _after_key;
    /* private, per open object or array: is a comma due, is it an object? */
    bool _has_member[TK_JSON_DEPTH_MAX + 8];
    bool _is_object[TK_JSON_DEPTH_MAX + 8];
};

void tk_json_writer_init(struct tk_json_writer *json, struct tk_buf *out);
void tk_json_object(struct tk_json_writer *json);
void tk_json_object_end(struct tk_json_writer *json);
void tk_json_array(struct tk_json_writer *json);
void tk_json_array_end(struct tk_json_writer *json);
void tk_json_key(struct tk_json_writer *json, tk_str key);
void tk_json_string(struct tk_json_writer *json, tk_str value);
void tk_json_int(struct tk_json_writer *json, int64_t value);
void tk_json_uint(struct tk_json_writer *json, uint64_t value);
void tk_json_uint_string(struct tk_json_writer *json, uint64_t value); /* "123": nanoseconds */
void tk_json_int_string(struct tk_json_writer *json, int64_t value);
void tk_json_double(struct tk_json_writer *json, double value); /* shortest that reads back equal */
void tk_json_bool(struct tk_json_writer *json, bool value);
void tk_json_null(struct tk_json_writer *json);
void tk_json_base64(struct tk_json_writer *json, tk_str bytes);
void tk_json_hex(struct tk_json_writer *json, tk_str bytes); /* lower case, quoted */
void tk_json_raw(struct tk_json_writer *json, tk_str ready); /* one value, already JSON */

enum tk_json_type {
    TK_JSON_OBJECT,
    TK_JSON_OBJECT_END,
    TK_JSON_ARRAY,
    TK_JSON_ARRAY_END,
    TK_JSON_KEY,    /* text: the key */
    TK_JSON_STRING, /* text: unescaped */
    TK_JSON_NUMBER, /* text: as written, a valid JSON number */
    TK_JSON_TRUE,
    TK_JSON_FALSE,
    TK_JSON_NULL,
    TK_JSON_DONE, /* the one top-level value has ended, and nothing follows it */
};

struct tk_json_token {
    enum tk_json_type type;
    tk_str text;
    size_t offset; /* byte of the input where the token begins */
};

struct tk_json_reader {
    tk_str input;
    size_t at;
    struct tk_arena *arena;
    uint32_t depth;
    uint8_t _state;
    bool _in_object[TK_JSON_DEPTH_MAX];
};

void tk_json_reader_init(struct tk_json_reader *json, tk_str input, struct tk_arena *arena);
enum tk_err tk_json_next(struct tk_json_reader *json, struct tk_json_token *ret_token,
                         struct tk_error *err) TK_MUST_USE;
/* Skips one whole value whose first token is still to come. */
enum tk_err tk_json_skip(struct tk_json_reader *json, struct tk_error *err) TK_MUST_USE;

#endif
