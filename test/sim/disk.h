#ifndef SIM_DISK_H
#define SIM_DISK_H
/*
 * disk - a file system in memory that knows what is durable, and a struct tk_env in front of it.
 *
 * What a process sees is "now"; what a power loss leaves is "durable" plus, by chance, any part of
 * what was written but not synced: whole files, 4 KiB pages or 512-byte sectors of them, sizes, and
 * directory entries (creates, renames, removes) whose directory was not synced.  A kill leaves all
 * that was written.  A failed sync writes some of the dirty pages and forgets that the others were
 * dirty, as Linux does.
 */
#include "base/env.h"

struct disk_faults { /* each: one call in so many fails; 0: none does */
    uint64_t write_io, write_full, sync_io, read_io, name_io, create_full;
    bool free_space_lies; /* says there is plenty */
};

enum disk_crash {
    DISK_KILL,  /* the process dies, the kernel lives */
    DISK_POWER, /* and so does the machine */
};

void disk_init(uint64_t seed, uint64_t capacity); /* an empty disk of so many bytes; 0: no limit */
struct tk_env *disk_env(void);
void disk_set_faults(const struct disk_faults *faults); /* NULL: none */
/* The nth call from now on does not return: sched_stop().  0: none. */
void disk_crash_at(uint64_t n);
void disk_crash(enum disk_crash how);

struct disk_counts {
    uint64_t calls;                /* of the env, all in all */
    uint64_t failed, failed_reads; /* injected */
    uint64_t failed_syncs;         /* the same */
    uint64_t full;                 /* did not fit, or were told so */
    uint64_t files, open_files;    /* now */
    uint64_t bytes;                /* in files that have a name */
};
struct disk_counts disk_counts(void);
/* Flips a bit of a file whose name ends in `suffix`, on disk and in the cache; false: none has a
   byte. */
bool disk_flip_bit(const char *suffix);

#endif
