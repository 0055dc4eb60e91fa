#ifndef SIM_HEAP_H
#define SIM_HEAP_H
/*
 * heap - the memory of the code under test: counted, refused when told to, and freed as a whole
 * when its process "dies".  The linker hands us its malloc family (--wrap); the simulation itself
 * uses sim_alloc and sim_free, which are never refused.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *sim_alloc(size_t size); /* zeroed */
void *sim_realloc(void *ptr, size_t size);
void sim_free(void *ptr);

/* The nth allocation from now on fails (1 is the next), and with `forever` all behind it; 0: none.
 */
void heap_fail_at(uint64_t n, bool forever);
/* Each fails with this chance; 0: none. */
void heap_fail_by_chance(uint64_t one_in, uint64_t seed);
/* Refuses nothing until the matching heap_resume: what the test itself needs. */
void heap_pause(void);
void heap_resume(void);
uint64_t heap_refused(void); /* how many so far */
/* For what is not memory but runs out the same way: is this one refused? */
bool heap_is_out(const char *what);

uint64_t heap_live(void);  /* blocks that were not freed */
uint64_t heap_bytes(void); /* in them */
void heap_say_leaks(void); /* where the first of them come from */
void heap_free_all(void);  /* the process died */

#endif
