#ifndef TK_NET_HTTP2_ABUSE_H
#define TK_NET_HTTP2_ABUSE_H
/*
 * http2_abuse - private to net/: tells a busy HTTP/2 peer from a flooding one.
 *
 * Frames that cost us work and bring no request forward (PING, SETTINGS, PRIORITY, WINDOW_UPDATE,
 * RST_STREAM, CONTINUATION, tiny DATA) are paid for from a purse that fills with time
 * and with every answer and DATA frame we send, so that pings and window updates in proportion to
 * real work are free.  A second purse pays for the streams that we reset (MadeYouReset,
 * CVE-2025-8671); for those that the peer resets (CVE-2023-44487) nghttp2 has its own.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TK_ABUSE_BURST = 2000,
    TK_ABUSE_PER_S = 500,
    TK_ABUSE_PER_ANSWER = 8,
    TK_ABUSE_PER_DATA = 2,
    TK_ABUSE_RESETS_BURST = 1000, /* clients that cancel a lot are honest */
    TK_ABUSE_RESETS_PER_S = 33,
};

struct tk_abuse {
    uint64_t _frames, _frames_ms; /* left in the purse, filled last at */
    uint64_t _resets, _resets_ms;
};

void tk_abuse_init(struct tk_abuse *abuse, uint64_t now_ms);
void tk_abuse_earn(struct tk_abuse *abuse, unsigned more);
/* A frame has begun.  False: that was one too many. */
bool tk_abuse_spend(struct tk_abuse *abuse, uint64_t now_ms, uint8_t frame_type,
                    size_t frame_length);
/* We reset a stream. */
bool tk_abuse_reset(struct tk_abuse *abuse, uint64_t now_ms);

#endif
