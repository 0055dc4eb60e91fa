#ifndef TK_RECORD_H
#define TK_RECORD_H
/* record - the limits of one span, and the bits of its flags. Its calls are public: tracekit.h. */
#include <tracekit.h>

enum {
    TK_ATTRIBUTES_MAX = 128, /* of a span, an event, a list or a map */
    TK_EVENTS_MAX = 128,
    TK_LINKS_MAX = 128,
    TK_TEXT_MAX = 32768,    /* bytes of a key, a name or a value; the rest is cut off */
    TK_VALUE_DEPTH_MAX = 8, /* lists within lists */
    TK_SPAN_BYTES_MAX = 256 << 10,
};

/* OTLP's Span.flags beside the trace flags. */
enum {
    TK_REMOTE_IS_KNOWN = 0x100,
    TK_IS_REMOTE = 0x200,
};

/* tracekit_record_name for a record that has no name yet. */
void tk_record_first_name(tracekit_record *record, const char *name, size_t name_size);

#endif
