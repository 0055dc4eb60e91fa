/* The mailbox: mail from several threads arrives once, and each thread's in its order. */
#include "net/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

enum { SENDERS = 4, LETTERS = 500 };

struct letter {
    struct tk_mail mail;
    int sender, number;
};

static struct tk_mailbox mailbox;
static struct letter letters[SENDERS][LETTERS];
static int next_number[SENDERS];
static int received;

static void
receive(struct tk_mail *mail)
{
    struct letter *letter = tk_container_of(mail, struct letter, mail);
    assert_int_equal(letter->number, next_number[letter->sender]);
    next_number[letter->sender]++;
    if (++received == SENDERS * LETTERS)
        tk_mailbox_close(&mailbox); /* nobody posts any more: the loop ends */
}

static void
post_all(void *arg)
{
    struct letter *mine = arg;
    for (int i = 0; i < LETTERS; i++)
        tk_mailbox_post(&mailbox, &mine[i].mail);
}

static void
mail_of_many_threads_arrives_once_and_in_each_ones_order(void **state)
{
    uv_loop_t loop;
    uv_thread_t threads[SENDERS];
    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    tk_mailbox_init(&mailbox, &loop);
    for (int i = 0; i < SENDERS; i++) {
        for (int j = 0; j < LETTERS; j++)
            letters[i][j] = (struct letter){.mail.run = receive, .sender = i, .number = j};
        assert_int_equal(uv_thread_create(&threads[i], post_all, letters[i]), 0);
    }
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    for (int i = 0; i < SENDERS; i++)
        uv_thread_join(&threads[i]);
    assert_int_equal(received, SENDERS * LETTERS);
    assert_int_equal(uv_loop_close(&loop), 0);
    tk_mailbox_release(&mailbox);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_of_many_threads_arrives_once_and_in_each_ones_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
