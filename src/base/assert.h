#ifndef TK_BASE_ASSERT_H
#define TK_BASE_ASSERT_H
/*
 * TK_ASSERT - a broken invariant of ours; stays on in release.  Never for input: bad input is an
 * error value.
 */
#include <stdio.h>
#include <stdlib.h>

#define TK_ASSERT(condition)                                                                       \
    ((condition) ? (void)0                                                                         \
                 : ((void)fprintf(stderr, "%s:%d: invariant broken: %s\n", __FILE__, __LINE__,     \
                                  #condition),                                                     \
                    abort()))

#endif
