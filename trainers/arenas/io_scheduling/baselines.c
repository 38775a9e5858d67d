/* The bound of I/O scheduling: counters that no schedule can go below, one by one. Loose: docs/io-scheduling.md.
 *
 * The least that a request takes (no seek, no rotation, no turnaround) and m channels in place of one m times as
 * fast, which may be taken from one request and given to another at any time:
 *
 *      sum of latencies   shortest remaining time first on the fast channel (Schrage 1968), or the services alone
 *      slowdowns          the same for each class as if it were alone, over the largest service in it
 *      p99, longest wait  the fullest window: what came in it, less a hundredth, must be done before it is late
 *
 * Every baseline is a program in classics/. baselines.py is this a second time and must agree.
 */

#include "device.h"

#define ALL CLASSES

static s64 *heap; /* of remaining times; the least on top */
static u32 heaped;

static void push(s64 value) {
    u32 at = heaped++;
    while (at && heap[(at - 1) / 2] > value) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = value;
}

static void pop(void) {
    s64 value = heap[--heaped];
    u32 at = 0, child;
    while ((child = 2 * at + 1) < heaped) {
        if (child + 1 < heaped && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= value) break;
        heap[at] = heap[child];
        at = child;
    }
    if (heaped) heap[at] = value;
}

/* Return the least sum of latencies of a class on a channel m times as fast, rounded up. Time counts m a us. */
static s64 shortest_remaining(u32 class) {
    s64 clock = 0, sum = 0;
    heaped = 0;
    for (u32 id = 0; id <= count; id++) {
        if (id < count && class != ALL && class_of(&rows[id]) != class) continue;
        s64 until = id < count ? arrival(id) * channel_count : 1ll << 62;
        while (heaped && clock + heap[0] <= until) {
            clock += heap[0];
            sum += clock;
            pop();
        }
        if (id == count) break;
        if (heaped) {
            s64 rest = heap[0] - (until - clock);
            pop();
            push(rest);
        }
        clock = until;
        sum -= until;
        push(least(&rows[id]));
    }
    return (sum + channel_count - 1) / channel_count;
}

static s64 larger(s64 one, s64 other) { return one > other ? one : other; }

static void bound_slowdown(u32 class) {
    s64 least_sum = 0, largest = 0;
    for (u32 id = 0; id < count; id++) {
        if (class_of(&rows[id]) != class) continue;
        counters[COUNT + class]++;
        least_sum += (least(&rows[id]) << 10) / alone(&rows[id]);
        largest = larger(largest, alone(&rows[id]));
    }
    if (!largest) return;
    /* Each request's slowdown is rounded down, by less than one. */
    s64 shared = (shortest_remaining(class) << 10) / largest - counters[COUNT + class];
    counters[SLOWDOWN + class] = larger(least_sum, shared);
}

/* Return the largest (services - m * time) of all windows from an arrival to an arrival; and what must come after. */
static s64 fullest_window(void) {
    s64 ending = 0, fullest = 0;
    for (u32 id = 0; id < count; id++) {
        s64 gap = id ? (arrival(id) - arrival(id - 1)) * channel_count : 0;
        ending = larger(ending - gap, 0) + least(&rows[id]);
        fullest = larger(fullest, ending);
    }
    return fullest;
}

EXPORT(run) s64 run(const struct row *words, u32 row_count, u32 size, u32 capacity, void *work, u32 policy) {
    ASSERT(size && policy == 0);
    begin(words, row_count, capacity);
    s64 *services = work, largest = 0, after = 0;
    heap = services + count;
    for (u32 id = count; id--;) {
        s64 service = services[id] = least(&rows[id]);
        counters[BUSY] += service;
        largest = larger(largest, service);
        after += service;
        counters[ELAPSED] = larger(counters[ELAPSED], arrival(id) + larger(service, (after + capacity - 1) / capacity));
    }
    s64 fullest = fullest_window();
    for (u32 class = 0; class < ALL; class++) bound_slowdown(class);
    counters[LATENCY_SUM] = larger(counters[BUSY], shortest_remaining(ALL));
    counters[LATENCY_P99] = larger(p99(services), (fullest - (s64)(count / 100) * largest) / capacity);
    counters[WAIT_MAX] = larger(0, fullest / capacity - largest);
    return 0;
}

EXPORT(digest) u64 digest(void) { return 0; }
