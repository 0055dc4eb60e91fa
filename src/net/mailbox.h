#ifndef TK_NET_MAILBOX_H
#define TK_NET_MAILBOX_H
/*
 * mailbox - how other threads reach a loop: post mail, the loop's thread runs it, in order.
 *
 * Mail is intrusive: it lies in whatever is being sent, nothing is allocated.  Posting is allowed
 * from any thread until the loop has closed its mailbox; who posts guarantees that by holding a
 * request (or the server) that the loop still waits for.
 */
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct tk_mail {
    struct tk_mail *_next;
    void (*run)(struct tk_mail *mail); /* on the loop's thread; owns the mail from then on */
};

struct tk_mailbox {
    uv_mutex_t _lock; /* guards the list, and keeps the sender inside until it is done waking */
    struct tk_mail *_first, **_last;
    uv_async_t _async;
};

void tk_mailbox_init(struct tk_mailbox *mailbox, uv_loop_t *loop);
void tk_mailbox_post(struct tk_mailbox *mailbox, struct tk_mail *mail);
/* On the loop's thread, when nobody will post any more. */
void tk_mailbox_close(struct tk_mailbox *mailbox);
void tk_mailbox_release(struct tk_mailbox *mailbox); /* after the loop has ended */

#define tk_container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
