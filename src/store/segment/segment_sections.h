#ifndef TK_STORE_SEGMENT_SECTIONS_H
#define TK_STORE_SEGMENT_SECTIONS_H
/*
 * segment_sections - what belongs to a whole segment, as bytes; and the file that it is written to,
 * front to back.
 */
#include "base/env.h"
#include "store/segment/segment_write.h"

struct tk_file_writer {
    uint64_t offset;  /* where the next bytes go */
    uint64_t _synced; /* up to there */
    int _level;       /* of zstd; 0: none */
    struct tk_env *_env;
    tk_file *_file;
    struct tk_buf _packed, _texts; /* scratch */
};

/* `compressed`: parts and pages may be zstd. */
enum tk_err tk_file_writer_open(struct tk_file_writer *out, struct tk_env *env, const char *path,
                                bool compressed, struct tk_error *err) TK_MUST_USE;
void tk_file_writer_release(struct tk_file_writer *out); /* closes it */
enum tk_err tk_file_writer_bytes(struct tk_file_writer *out, tk_str bytes,
                                 struct tk_error *err) TK_MUST_USE;
/* Writes `raw` as a part, compressed if that is shorter, and clears it.  Nothing: absent. */
enum tk_err tk_file_writer_part(struct tk_file_writer *out, struct tk_buf *raw,
                                struct tk_part *ret_part, struct tk_error *err) TK_MUST_USE;
/* Resources or scopes: their pages, and the section that says where these are. */
enum tk_err tk_file_writer_messages(struct tk_file_writer *out, const tk_str *messages,
                                    uint32_t count, struct tk_part *ret_part,
                                    struct tk_error *err) TK_MUST_USE;
/* Checksum and magic are made here; then syncs. */
enum tk_err tk_file_writer_footer(struct tk_file_writer *out, struct tk_footer *footer,
                                  struct tk_error *err) TK_MUST_USE;

void tk_section_put_dictionary(const struct tk_schema_column *column, struct tk_buf *out);
void tk_section_put_column(const struct tk_column *column, struct tk_buf *out);
void tk_section_put_shapes(const struct tk_schema *schema, struct tk_buf *out);

/* service.name of a resource (an OTLP ResourceSpans without spans), as tk_batch_service says it. */
enum tk_err tk_message_service(tk_str resource, struct tk_arena *arena,
                               tk_str *ret_service) TK_MUST_USE;

#endif
