/*
 * memory - see memory.h.
 *
 * Threads that allocate at the same time do so in different arenas, and what one arena keeps
 * another cannot use: as many as there are cores are enough.
 */
#include "base/memory.h"

#include <inttypes.h>
#include <limits.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    MAP_MIN = 32 << 20, /* blocks from here on are mapped alone; malloc takes no more */
    TOP_STEP = 1 << 20, /* the heap grows by so much at least */
    ARENAS_MIN = 2,
    HUGE_PAGE = 2 << 20,
    PATH_SIZE = 4096,
};

/* Of a file with one number; UINT64_MAX: it has none ("max"), or is not there. */
static uint64_t
read_limit(const char *path)
{
    uint64_t limit = UINT64_MAX;
    FILE *file = fopen(path, "re");
    if (file != NULL && fscanf(file, "%" SCNu64, &limit) != 1)
        limit = UINT64_MAX;
    if (file != NULL)
        (void)fclose(file);
    return limit;
}

/* The name of the group, "/" or "/one/in/another"; of version 2 it stands in a line of its own. */
static void
read_group(const char *proc, char name[PATH_SIZE])
{
    char line[PATH_SIZE];
    FILE *file = fopen(proc, "re");
    name[0] = '\0';
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "0::/", 4) == 0) {
            line[strcspn(line, "\n")] = '\0';
            (void)snprintf(name, PATH_SIZE, "%s", line + 3);
        }
    if (file != NULL)
        (void)fclose(file);
}

uint64_t
tk_memory_of_machine(const char *proc, const char *groups)
{
    char name[PATH_SIZE], path[2 * PATH_SIZE];
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGE_SIZE);
    uint64_t least = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : (uint64_t)1 << 30;
    read_group(proc, name);
    for (char *end = name + strlen(name); end != NULL; end = strrchr(name, '/')) {
        *end = '\0'; /* the group, then the one that it is in */
        (void)snprintf(path, sizeof path, "%s%s/memory.max", groups, name);
        uint64_t limit = read_limit(path);
        least = limit < least ? limit : least;
    }
    return least;
}

void
tk_memory_setup(size_t keep)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    (void)mallopt(M_MMAP_THRESHOLD, MAP_MIN);
    (void)mallopt(M_TRIM_THRESHOLD, keep < INT_MAX ? (int)keep : INT_MAX);
    (void)mallopt(M_TOP_PAD, TOP_STEP);
    (void)mallopt(M_ARENA_MAX, cores > ARENAS_MIN && cores < INT_MAX ? (int)cores : ARENAS_MIN);
}

void
tk_memory_trim(void)
{
    (void)malloc_trim(0);
}

void
tk_memory_huge(void *block, size_t size)
{
    uintptr_t begin = ((uintptr_t)block + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);
    uintptr_t end = ((uintptr_t)block + size) & ~(uintptr_t)(HUGE_PAGE - 1);
    if (block != NULL && size >= TK_MEMORY_HUGE && begin < end)
        (void)madvise((void *)begin, end - begin, MADV_HUGEPAGE); /* a kernel without: as before */
}
