#ifndef TK_TRACE_SEMCONV_H
#define TK_TRACE_SEMCONV_H
/*
 * semconv - names that OpenTelemetry's semantic conventions gave up and took on.  SDKs write the
 * stable names only; who reads treats a name and its successor as one.
 */
#include "base/bytes.h"

enum { TK_SEMCONV_NAMES_MAX = 6 };

/* All names of what `key` names: `key` itself first, then its successor or its predecessors. */
size_t tk_semconv_names(tk_str key, tk_str ret_names[TK_SEMCONV_NAMES_MAX]);

#endif
