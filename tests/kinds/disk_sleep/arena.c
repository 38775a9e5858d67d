/* An idle disk: before each gap between two accesses the candidate says after how many seconds it stops.
 *
 *      gap ──▶ timeout ──▶ spend ──▶ last_gap, mean_gap for the next
 *
 * reference.py is the same machine in plain Python and must agree bit for bit. A broken invariant traps.
 */

#include "arena.h"

#define FEATURES ((s64 *)4096)
enum { COST, LAST_GAP, MEAN_GAP };
#define MEAN_SHIFT 3 /* the mean forgets with a factor of 7/8 a gap */

IMPORT(timeout);

static s64 energy;

EXPORT(run) s64 run(const u32 *gaps, u32 count, u32 size, u32 start_cost, const void *work) {
    (void)size, (void)work; /* this machine remembers nothing a row */
    begin(start_cost);
    energy = 0;
    FEATURES[COST] = start_cost;
    FEATURES[LAST_GAP] = FEATURES[MEAN_GAP] = 0;
    s64 least = 0;
    for (u32 at = 0; at < count; at++) {
        s64 gap = gaps[at], asked = timeout();
        energy += spend(gap, asked < 0 ? 0 : asked > TIMEOUT_MAX ? TIMEOUT_MAX : asked);
        least += gap < cost ? gap : cost;
        FEATURES[LAST_GAP] = gap;
        FEATURES[MEAN_GAP] += (gap - FEATURES[MEAN_GAP]) >> MEAN_SHIFT;
    }
    ASSERT(energy >= least);
    return 0;
}

EXPORT(counter) s64 counter(u32 index) {
    ASSERT(index < 2);
    return index ? stops : energy;
}

EXPORT(digest) u64 digest(void) { return trail; }
