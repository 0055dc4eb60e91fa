/*
 * clock - see clock.h. The rate is measured once: what it is wrong by goes into durations, as parts
 * in a million, and not into the time of day, which is looked up anew every few seconds. A counter
 * that leaves CLOCK_MONOTONIC by more than that (a machine that was moved, or slept) is not used
 * again.
 */
#include "clock.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { MEASURE_NANO = 100000000, ASTRAY_NANO = 2000000 };

struct tk_clock tk_clock;

/* The kernel has looked at the counter more closely than we could. */
static int
kernel_uses_counter(void)
{
    char name[8] = "";
    int file = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                    O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t size = read(file, name, sizeof name - 1);
    close(file);
    return size >= 4 && memcmp(name, "tsc\n", 4) == 0;
}

void
tk_clock_calibrate(void)
{
    static int astray;
    uint64_t ratio = atomic_load(&tk_clock.ratio), ticks = tk_clock_ticks();
    int64_t now = tk_clock_monotonic(), passed = now - tk_clock.start_nano;
    if (tk_clock.start_ticks == 0) {
        tk_clock.start_ticks = ticks;
        tk_clock.start_nano = now;
        astray = ticks == 0;
        return;
    }
    if (ratio != 0) {
        int64_t error = tk_now() - tk_clock_monotonic();
        if (error > ASTRAY_NANO || error < -ASTRAY_NANO) {
            astray = 1;
            atomic_store(&tk_clock.ratio, 0);
        }
        return;
    }
    if (astray || passed < MEASURE_NANO)
        return;
    if (!kernel_uses_counter() || ticks <= tk_clock.start_ticks) {
        astray = 1;
        return;
    }
    ratio = (uint64_t)((double)passed / (double)(ticks - tk_clock.start_ticks) * 4294967296.0);
    atomic_store_explicit(&tk_clock.ratio, ratio, memory_order_release);
}

int64_t
tk_clock_wall_offset(void)
{
    struct timespec wall;
    int64_t monotonic = tk_now();
    clock_gettime(CLOCK_REALTIME, &wall);
    return (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec - monotonic;
}
