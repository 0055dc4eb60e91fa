#ifndef TK_STORE_BLOCK_FORMAT_H
#define TK_STORE_BLOCK_FORMAT_H
/* block_format - what block_encode.c and block_decode.c must agree on (docs/formats/segment.md). */

enum {
    TK_BLOCK_TYPES = 8, /* enum tk_value_type fits; a typed key is key * TK_BLOCK_TYPES + type */
    TK_BLOCK_TEXTS_MAX = 1 << 28,

    /* a text */
    TK_BLOCK_TEXT_EMPTY = 0,
    TK_BLOCK_TEXT_NEW = 1,   /* the next one of the dictionary */
    TK_BLOCK_TEXT_KNOWN = 2, /* + its number */

    /* a parent */
    TK_BLOCK_PARENT_NONE = 0,
    TK_BLOCK_PARENT_FAR = 1,  /* eight bytes follow */
    TK_BLOCK_PARENT_NEAR = 1, /* + how many rows before, 1.. */
    TK_BLOCK_PARENT_REACH = 64,
};

#endif
