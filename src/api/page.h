#ifndef TK_API_PAGE_H
#define TK_API_PAGE_H
/*
 * page - the files of the web page, inside the binary (made by cmake/embed-page.mjs).
 */
#include <stddef.h>

struct tk_page_file {
    const char *path; /* "/index.html", "/assets/main-ABCD1234.js" */
    const char *content_type;
    const char *etag;   /* quoted, of the content */
    const char *policy; /* Content-Security-Policy: what is inline is named by its hash */
    const unsigned char *gzip;
    size_t gzip_size;
    size_t size; /* unpacked, bytes */
};
extern const struct tk_page_file tk_page_files[];
extern const size_t tk_page_file_count;

#endif
