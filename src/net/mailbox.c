/*
 * mailbox - see mailbox.h.
 *
 * A mutex, not a lock-free list: the sender wakes the loop while it holds the lock, so once the
 * loop has taken a mail, its sender no longer touches the mailbox, and the loop may close it.
 * Only the mail that finds the list empty wakes the loop.
 */
#include "net/mailbox.h"

#include "base/assert.h"

static void
deliver(uv_async_t *async)
{
    struct tk_mailbox *mailbox = async->data;
    uv_mutex_lock(&mailbox->_lock);
    struct tk_mail *mail = mailbox->_first;
    mailbox->_first = NULL;
    mailbox->_last = &mailbox->_first;
    uv_mutex_unlock(&mailbox->_lock);
    while (mail != NULL) {
        struct tk_mail *next = mail->_next; /* run() may free the mail */
        mail->run(mail);
        mail = next;
    }
}

void
tk_mailbox_init(struct tk_mailbox *mailbox, uv_loop_t *loop)
{
    mailbox->_first = NULL;
    mailbox->_last = &mailbox->_first;
    TK_ASSERT(uv_mutex_init(&mailbox->_lock) == 0);
    TK_ASSERT(uv_async_init(loop, &mailbox->_async, deliver) == 0);
    mailbox->_async.data = mailbox;
}

void
tk_mailbox_post(struct tk_mailbox *mailbox, struct tk_mail *mail)
{
    mail->_next = NULL;
    uv_mutex_lock(&mailbox->_lock);
    bool was_empty = mailbox->_first == NULL;
    *mailbox->_last = mail;
    mailbox->_last = &mail->_next;
    if (was_empty)
        uv_async_send(&mailbox->_async);
    uv_mutex_unlock(&mailbox->_lock);
}

void
tk_mailbox_close(struct tk_mailbox *mailbox)
{
    uv_close((uv_handle_t *)&mailbox->_async, NULL);
}

void
tk_mailbox_release(struct tk_mailbox *mailbox)
{
    TK_ASSERT(mailbox->_first == NULL);
    uv_mutex_destroy(&mailbox->_lock);
}
