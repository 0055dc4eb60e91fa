#ifndef TK_API_CATALOG_ANSWER_H
#define TK_API_CATALOG_ANSWER_H
/* catalog_answer - the frame of the routes that answer from the catalog. */
#include "api/params.h"
#include "query/catalog.h"

typedef enum tk_err tk_write_catalog(const struct tk_catalog *catalog, void *arg,
                                     struct tk_json_writer *json, struct tk_error *err);

/* Reads ?q=, ?start= and ?end=, opens the view, lets `write` put the answer, and sends it or the
 * error. */
void tk_answer_catalog(struct tk_call *call, tk_write_catalog *write, void *arg);

#endif
