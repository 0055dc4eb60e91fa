#ifndef TK_BASE_MEMORY_H
#define TK_BASE_MEMORY_H
/*
 * memory - what malloc keeps, and what it gives back to the kernel.
 *
 * Every body and every batch is a few blocks of some 100 KiB.  As malloc is set up out of the box,
 * each of them comes as fresh pages and goes back when it is freed, and the page faults cost more
 * than decoding does.  So freed memory is kept, and given back now and then instead.
 */
#include <stddef.h>
#include <stdint.h>

/* What this process may have: the machine's memory, or less where a control group (version 2) that
   it is in has a limit, as a container has.  `proc`, `groups`: /proc/self/cgroup and
   /sys/fs/cgroup, but in tests. */
uint64_t tk_memory_of_machine(const char *proc, const char *groups);

/* Once, before other threads start.  `keep`: bytes at the end of the heap that may stay free. */
void tk_memory_setup(size_t keep);
/* Gives what is free back to the kernel.  Costs a page fault for each page that is used again: for
   when much was freed, or nothing is done.  Any thread. */
void tk_memory_trim(void);

/* A block that is about to be used all over: from TK_MEMORY_HUGE bytes on it is asked to lie in
   huge pages, where one fault and one entry of the TLB serve 512 times as much.  NULL is fine. */
void tk_memory_huge(void *block, size_t size);

enum { TK_MEMORY_HUGE = 4 << 20 };

#endif
