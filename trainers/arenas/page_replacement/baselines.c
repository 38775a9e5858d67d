/* The textbook's policies and the proven bound, native, on the same cache of C pages as arena.c.
 *
 *      name     after                                          state beside the queue
 *      fifo
 *      lru
 *      clock    Corbató 1969, one reference bit                count (the bit)
 *      lfu      least frequent, ties by least recent           heap by (count, last access)
 *      2q       Johnson and Shasha, VLDB 1994 (full version)   a1in, a1out (ghosts), am
 *      sieve    Zhang et al., NSDI 2024                        count (the bit), hand
 *      s3-fifo  Yang et al., SOSP 2023                         small, main, ghosts; count 0..3
 *      arc      Megiddo and Modha, FAST 2003                   t1, t2, b1, b2 (ghosts), target
 *      lirs     Jiang and Zhang, SIGMETRICS 2002               stack, queue, ghosts
 *      w-tinylfu Einziger, Friedman and Manes, TOS 2017        window, probation, protected; count 0..15
 *      belady   Belady 1966 (MIN): evict what is needed last   heap by next use
 *
 * Each policy is one function: serve page `id`, return whether it was there. docs/page-replacement.md has the
 * parameters and every tie; baselines.py writes each a second time in plain Python. Freestanding wasm32; the
 * work area (64 bytes a page and 4 a request) comes zeroed. A broken invariant traps.
 */

#include "lists.h"
#include "heap.h"

/* --- one queue ------------------------------------------------------------------------------------------- */

static int fifo(u32 id) {
    if (where[id]) return 1;
    if (full()) evict_tail(0);
    move(id, 0);
    return 0;
}

static int lru(u32 id) {
    int hit = where[id] != 0;
    if (!hit && full()) evict_tail(0);
    move(id, 0);
    return hit;
}

static int clock(u32 id) {
    if (where[id]) { count[id] = 1; return 1; }
    if (full()) {
        while (count[list[0].tail]) { count[list[0].tail] = 0; move(list[0].tail, 0); }
        evict_tail(0);
    }
    move(id, 0);
    return 0;
}

static u32 hand;

static int sieve(u32 id) {
    if (where[id]) { count[id] = 1; return 1; }
    if (full()) {
        u32 at = hand != NONE ? hand : list[0].tail;
        while (count[at]) {
            count[at] = 0;
            at = list[0].links[at].towards_head;
            if (at == NONE) at = list[0].tail;
        }
        hand = list[0].links[at].towards_head;
        evicted(at);
        drop(at);
    }
    move(id, 0);
    return 0;
}

/* --- several queues -------------------------------------------------------------------------------------- */

static int two_q(u32 id) {
    enum { A1IN, AM, A1OUT };
    if (is_in(id, A1IN)) return 1;
    if (is_in(id, AM)) { move(id, AM); return 1; }
    u32 to = is_in(id, A1OUT) ? AM : A1IN;
    if (to == AM) drop(id);
    if (full()) {
        if (list[A1IN].size > at_least_one(capacity / 4) || !list[AM].size) {
            evict_to_ghosts(A1IN, A1OUT);
            if (list[A1OUT].size > capacity / 2) drop(list[A1OUT].tail);
        } else {
            evict_tail(AM);
        }
    }
    move(id, to);
    return 0;
}

static u32 has_evicted;

static int s3_fifo(u32 id) {
    enum { SMALL, MAIN, GHOSTS };
    u32 small = at_least_one(capacity / 10);
    if (is_in(id, SMALL) || is_in(id, MAIN)) { count[id] += count[id] < 3; return 1; }
    int known = is_in(id, GHOSTS);
    if (known) drop(id);
    while (full()) {
        has_evicted = 1;
        if (list[MAIN].size > capacity - small || !list[SMALL].size) {
            while (count[list[MAIN].tail]) { count[list[MAIN].tail]--; move(list[MAIN].tail, MAIN); }
            evict_tail(MAIN);
            continue;
        }
        while (list[SMALL].size && count[list[SMALL].tail] >= 2) {
            count[list[SMALL].tail] = 0;
            move(list[SMALL].tail, MAIN);
        }
        if (!list[SMALL].size) continue;
        evict_to_ghosts(SMALL, GHOSTS);
        if (list[GHOSTS].size > (u32)(capacity * 9ull / 10)) drop(list[GHOSTS].tail);
    }
    count[id] = 0;
    /* The authors' refinement: while the cache first fills, what does not fit the small queue goes to main. */
    move(id, known || (!has_evicted && list[SMALL].size >= small) ? MAIN : SMALL);
    return 0;
}

static double target; /* of t1, which the paper calls p: a real number */
enum { T1, T2, B1, B2 };

static void arc_replace(int ghost_of_t2) {
    u32 size = list[T1].size;
    if (size && (size > target || (size == target && ghost_of_t2))) evict_to_ghosts(T1, B1);
    else evict_to_ghosts(T2, B2);
}

static int arc(u32 id) {
    u32 recent = list[B1].size, frequent = list[B2].size;
    if (is_in(id, T1) || is_in(id, T2)) { move(id, T2); return 1; }
    if (is_in(id, B1)) {
        target += frequent > recent ? (double)frequent / recent : 1;
        if (target > capacity) target = capacity;
        if (full()) arc_replace(0);
        move(id, T2);
    } else if (is_in(id, B2)) {
        target -= recent > frequent ? (double)recent / frequent : 1;
        if (target < 0) target = 0;
        if (full()) arc_replace(1);
        move(id, T2);
    } else {
        if (full()) {
            if (list[T1].size == capacity) {
                evict_tail(T1);
            } else {
                if (list[T1].size + recent == capacity) drop(list[B1].tail);
                else if (recent + frequent == capacity) drop(list[B2].tail);
                arc_replace(0);
            }
        }
        move(id, T1);
    }
    return 0;
}

/* lirs: the stack holds LIR pages, and HIR pages seen since the oldest of them; HIR pages that are resident
 * stand in QUEUE, those that are out, but still on the stack, in GHOSTS. */
enum { LIR, QUEUE, GHOSTS };
static u8 *on_stack;

static void stack_remove(u32 id) { list_remove(&stack, id); on_stack[id] = 0; }

static void stack_push(u32 id) {
    if (on_stack[id]) stack_remove(id);
    list_push(&stack, id);
    on_stack[id] = 1;
}

/* The oldest page of the stack must be LIR: forget the HIR pages below. */
static void stack_prune(void) {
    while (stack.size && !is_in(stack.tail, LIR)) {
        u32 id = stack.tail;
        stack_remove(id);
        if (is_in(id, GHOSTS)) drop(id);
    }
}

static void lirs_promote(u32 id, u32 lir_max) {
    move(id, LIR);
    stack_push(id);
    if (list[LIR].size > lir_max) {
        stack_prune();
        u32 oldest = stack.tail;
        stack_remove(oldest);
        move(oldest, QUEUE);
    }
    stack_prune();
}

static int lirs(u32 id) {
    u32 lir_max = capacity - at_least_one(capacity / 100);
    if (!lir_max) return lru(id); /* one page: there is nothing to choose */
    int hit = is_in(id, LIR) || is_in(id, QUEUE);
    int known = is_in(id, GHOSTS);
    if (!hit && full()) {
        u32 out = list[QUEUE].tail;
        evicted(out);
        if (on_stack[out]) move(out, GHOSTS); else drop(out);
    }
    if (is_in(id, LIR)) {
        stack_push(id);
        stack_prune();
    } else if ((hit && on_stack[id]) || known || (!hit && list[LIR].size < lir_max)) {
        lirs_promote(id, lir_max);
    } else {
        stack_push(id);
        move(id, QUEUE);
    }
    while (stack.size > 2 * capacity && list[GHOSTS].size) {
        u32 oldest = list[GHOSTS].tail;
        drop(oldest);
        stack_remove(oldest);
    }
    return hit;
}

/* --- W-TinyLFU: the sketch is exact, a count for every page ---------------------------------------------- */

enum { WINDOW, PROBATION, PROTECTED };

#define POPULARITY_BITS 4
#define POPULARITY_MAX ((1 << POPULARITY_BITS) - 1)
#define POPULARITY_SPAN 10 /* requests after which all counts are halved, in capacities */

static u32 halvings, *halved_at; /* halved so often, and when its count was made */

static u32 popularity(u32 id) {
    u32 halved = halvings - halved_at[id];
    return halved < POPULARITY_BITS ? count[id] >> halved : 0;
}

static int w_tinylfu(u32 id) {
    u32 window_max = at_least_one(capacity / 100), protected_max = (capacity - window_max) * 4 / 5;
    u32 times = popularity(id);
    int hit = where[id] != 0, was_full = full();
    count[id] = times < POPULARITY_MAX ? times + 1 : times;
    halved_at[id] = halvings;
    if ((now + 1) % (POPULARITY_SPAN * capacity) == 0) halvings++;
    if (hit && !is_in(id, WINDOW)) {
        move(id, PROTECTED);
        if (list[PROTECTED].size > protected_max) move(list[PROTECTED].tail, PROBATION);
        return 1;
    }
    move(id, WINDOW);
    if (list[WINDOW].size > window_max) {
        u32 leaving = list[WINDOW].tail, longest = list[PROBATION].size ? PROBATION : PROTECTED;
        if (!was_full) move(leaving, PROBATION);
        else if (list[longest].size && popularity(leaving) > popularity(list[longest].tail)) {
            evict_tail(longest);
            move(leaving, PROBATION);
        } else evict_tail(WINDOW);
    }
    return hit;
}

/* --- a heap ---------------------------------------------------------------------------------------------- */

static int lfu(u32 id) {
    count[id] = where[id] ? count[id] + 1 : 1;
    return heap_serve(id, (u64)count[id] << 32 | now);
}

static u32 *next_use; /* by request: when its page is asked for again; NONE: never */

/* Needed last is the smallest key; among pages never needed again the lowest number goes. */
static int belady(u32 id) { return heap_serve(id, (u64)~next_use[now] << 32 | id); }

static void look_ahead(const u32 *requests, u32 requests_count) {
    for (u32 at = requests_count; at-- > 0;) {
        u32 later = accessed[requests[at]];
        next_use[at] = later ? later : NONE;
        accessed[requests[at]] = at;
    }
    for (u32 at = 0; at < requests_count; at++) accessed[requests[at]] = 0;
}

/* --- the run --------------------------------------------------------------------------------------------- */

static int (*const policies[])(u32) = {fifo, lru, clock, lfu, two_q, sieve, s3_fifo, arc, lirs, w_tinylfu, belady};

/* Serve the requests from an empty cache with policy number `policy`. */
EXPORT(run) s64 run(const u32 *requests, u32 requests_count, u32 page_count, u32 cache_pages, char *work, u32 policy) {
    ASSERT(cache_pages >= 1 && cache_pages <= 1u << 24 && policy < sizeof policies / sizeof *policies);
    key = (u64 *)work;
    struct link *links = (struct link *)(key + page_count);
    accessed = (u32 *)(links + 2 * page_count);
    count = accessed + page_count;
    heap = count + page_count;
    slot = heap + page_count;
    halved_at = slot; /* no heap there */
    next_use = slot + page_count;
    where = (u8 *)(next_use + requests_count);
    on_stack = where + page_count;
    capacity = cache_pages;
    resident = heap_size = target = has_evicted = halvings = 0;
    hand = NONE;
    trail = SEED;
    for (u32 at = 0; at < 4; at++) list[at] = (struct list){NONE, NONE, 0, links};
    stack = (struct list){NONE, NONE, 0, links + page_count};
    for (u32 at = 0; at < requests_count; at++) ASSERT(requests[at] < page_count);
    if (policies[policy] == belady) look_ahead(requests, requests_count);
    misses = 0;
    for (now = 0; now < requests_count; now++) {
        u32 id = requests[now];
        if (!policies[policy](id)) {
            misses++;
            resident++;
            ASSERT(resident <= capacity);
        }
        accessed[id] = now;
    }
    return 0;
}

/* The counters of the last run: requests, misses. */
EXPORT(counter) s64 counter(u32 index) {
    ASSERT(index < 2);
    return index ? misses : (s64)now;
}

/* A 64-bit hash of the last run's evictions in order, the same as the arena's. */
EXPORT(digest) u64 digest(void) { return trail; }
