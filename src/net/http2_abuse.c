/* http2_abuse - see http2_abuse.h. */
#include "net/http2_abuse.h"

#include <nghttp2/nghttp2.h>

enum { TINY_DATA = 64 };

void
tk_abuse_init(struct tk_abuse *abuse, uint64_t now_ms)
{
    *abuse = (struct tk_abuse){TK_ABUSE_BURST, now_ms, TK_ABUSE_RESETS_BURST, now_ms};
}

void
tk_abuse_earn(struct tk_abuse *abuse, unsigned more)
{
    abuse->_frames += more;
    if (abuse->_frames > TK_ABUSE_BURST)
        abuse->_frames = TK_ABUSE_BURST;
}

static bool
take(uint64_t *purse, uint64_t *filled_ms, uint64_t now_ms, uint64_t per_s, uint64_t burst)
{
    uint64_t more = (now_ms - *filled_ms) * per_s / 1000;
    if (more > 0) {
        *purse = *purse + more < burst ? *purse + more : burst;
        *filled_ms = now_ms;
    }
    if (*purse == 0)
        return false;
    --*purse;
    return true;
}

bool
tk_abuse_spend(struct tk_abuse *abuse, uint64_t now_ms, uint8_t frame_type, size_t frame_length)
{
    bool free_of_charge =
        frame_type == NGHTTP2_HEADERS || (frame_type == NGHTTP2_DATA && frame_length > TINY_DATA);
    return free_of_charge ||
           take(&abuse->_frames, &abuse->_frames_ms, now_ms, TK_ABUSE_PER_S, TK_ABUSE_BURST);
}

bool
tk_abuse_reset(struct tk_abuse *abuse, uint64_t now_ms)
{
    return take(&abuse->_resets, &abuse->_resets_ms, now_ms, TK_ABUSE_RESETS_PER_S,
                TK_ABUSE_RESETS_BURST);
}
