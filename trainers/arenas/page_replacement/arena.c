/* The queues form of page replacement: a cache of C pages in four queues, driven by one candidate.
 *
 *      request ── hit ──▶ on_hit ──────────────────────────▶ head, tail or keep
 *          └──── miss ──▶ adapt
 *                         while full:  pick_queue ▶ the page at that queue's hand
 *                                      on_scan    ▶ evict, head, tail or keep
 *                         on_insert ────────────────────────▶ head or tail
 *
 * A queue runs from head (newest) to tail. Its hand stands at the tail until on_scan keeps a page; from then on
 * it points at a page and moves towards the head, and past the head it is back at the tail. When the page it
 * points at leaves or moves, it moves on first. The history remembers the last 3C evictions. Every tie is in
 * docs/page-replacement.md; reference.py is the same machine in plain Python and must agree bit for bit.
 *
 * Freestanding wasm32. The candidate reads its features at FEATURES (kind.py gives the slots). The work area
 * (32 bytes a page) comes zeroed. A broken invariant traps: no result is better than a wrong one.
 */

typedef unsigned char u8;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;
typedef long long s64;

#define FEATURES ((s64 *)4096)
enum { CAPACITY, REGISTER, HIT_RATE, GHOST_RATE, CHANCE, SIZE, OLDEST = SIZE + 4,
       GHOST_QUEUE = OLDEST + 4, GHOST_RANK, GHOST_AGE, GHOST_FREQUENCY,
       QUEUE, MARK, FREQUENCY, AGE, RESIDENCY, LAST_GAP, OLDEST_POPULARITY, NEWCOMER = OLDEST_POPULARITY + 4, POPULARITY };
enum { HEAD, TAIL, KEEP, EVICT };

#define NONE 0xffffffffu
#define QUEUES 4
#define HISTORY 3            /* evictions remembered, in capacities */
#define CREDIT_PER_REQUEST 4 /* scans earned */
#define CREDIT_CAP 2         /* scans saved up at most, in capacities */
#define POPULARITY_BITS 4
#define POPULARITY_MAX ((1 << POPULARITY_BITS) - 1) /* accesses that are told apart */
#define POPULARITY_SPAN 10 /* requests after which all popularity is halved, in capacities */
#define REGISTER_MAX (1ll << 30)
#define RATE_SHIFT 8 /* rates forget with a factor of 255/256 a request */
#define SEED 0x9e3779b97f4a7c15ull

#define IMPORT(function) __attribute__((import_module("candidate"), import_name(#function))) s64 function(void)
#define EXPORT(function) __attribute__((export_name(#function)))
#define ASSERT(truth) do { if (!(truth)) __builtin_trap(); } while (0)

IMPORT(on_insert);
IMPORT(on_hit);
IMPORT(pick_queue);
IMPORT(on_scan);
IMPORT(adapt);

struct page {
    u32 towards_head, towards_tail; /* while out: how many evictions there had been, in all and from its queue */
    u32 accessed;                   /* request number of the last access */
    u32 since;                      /* request number that brought it in */
    u32 gap, frequency;
    u32 counted; /* its popularity, and above it how often all had been halved when it was counted */
    u8 queue, mark, resident, known;
};

static struct page *pages;
static u32 now, capacity, resident, credit;
static u32 halvings, span_left; /* of popularity so far; requests until the next */
static u32 head[QUEUES], tail[QUEUES], hand[QUEUES], size[QUEUES], evicted_from[QUEUES];
static u32 evictions, hit_rate, ghost_rate; /* rates in parts of 2^20 */
static u64 xorshift, trail;                 /* trail: a hash of the evictions so far */
static s64 misses;

/* What was halved so often since it was counted is shifted by as many bits. */
static u32 popularity(const struct page *page) {
    u32 halved = halvings - (page->counted >> POPULARITY_BITS);
    return halved < POPULARITY_BITS ? (page->counted & POPULARITY_MAX) >> halved : 0;
}

/* The clock stands still within a request, so a queue's oldest age changes only with its tail. */
static void show_oldest(u32 queue) {
    FEATURES[OLDEST + queue] = tail[queue] != NONE ? now - pages[tail[queue]].accessed : 0;
}

/* It changes with the tail, an access to it, and a halving; each request would be a sixth of a run. */
static void show_oldest_popularity(u32 queue) {
    FEATURES[OLDEST_POPULARITY + queue] = tail[queue] != NONE ? popularity(&pages[tail[queue]]) : 0;
}

static void set_tail(u32 queue, u32 id) {
    tail[queue] = id;
    show_oldest(queue);
    show_oldest_popularity(queue);
}

static void link(u32 id, u32 queue, int at_tail) {
    struct page *page = &pages[id];
    page->queue = (u8)queue;
    page->towards_head = at_tail ? tail[queue] : NONE;
    page->towards_tail = at_tail ? NONE : head[queue];
    if (page->towards_head != NONE) pages[page->towards_head].towards_tail = id; else head[queue] = id;
    if (page->towards_tail != NONE) pages[page->towards_tail].towards_head = id;
    else set_tail(queue, id);
    FEATURES[SIZE + queue] = ++size[queue];
}

static void unlink(u32 id) {
    struct page *page = &pages[id];
    u32 queue = page->queue;
    if (hand[queue] == id) hand[queue] = page->towards_head;
    if (page->towards_head != NONE) pages[page->towards_head].towards_tail = page->towards_tail;
    else head[queue] = page->towards_tail;
    if (page->towards_tail != NONE) pages[page->towards_tail].towards_head = page->towards_head;
    else set_tail(queue, page->towards_head);
    FEATURES[SIZE + queue] = --size[queue];
}

/* Every call of the candidate sees a new random number. */
static void show_chance(void) {
    xorshift ^= xorshift << 13;
    xorshift ^= xorshift >> 7;
    xorshift ^= xorshift << 17;
    FEATURES[CHANCE] = (s64)(xorshift >> 54);
}

static void show_page(const struct page *page) {
    show_chance();
    FEATURES[QUEUE] = page->queue;
    FEATURES[MARK] = page->mark;
    FEATURES[FREQUENCY] = page->frequency;
    FEATURES[AGE] = now - page->accessed;
    FEATURES[RESIDENCY] = now - page->since;
    FEATURES[LAST_GAP] = page->gap;
    FEATURES[POPULARITY] = popularity(page);
}

/* Show the incoming page's entry in the history; return whether there is one. */
static u32 show_ghost(const struct page *page) {
    u32 remembered = page->known && evictions - page->towards_head < HISTORY * capacity;
    FEATURES[GHOST_QUEUE] = remembered ? page->queue : QUEUES;
    FEATURES[GHOST_RANK] = remembered ? evicted_from[page->queue] - page->towards_tail : 0;
    FEATURES[GHOST_AGE] = remembered ? now - page->accessed : 0;
    FEATURES[GHOST_FREQUENCY] = remembered ? page->frequency : 0;
    FEATURES[NEWCOMER] = popularity(page);
    return remembered;
}

/* Carry out head, tail or keep on a resident page. */
static void place(u32 id, u32 action) {
    u32 code = action >> 16, queue = action >> 8 & 0xff;
    ASSERT(code <= KEEP && queue < QUEUES);
    pages[id].mark = (u8)action;
    if (code == KEEP) return;
    unlink(id);
    link(id, queue, code == TAIL);
}

static void evict(u32 id) {
    struct page *page = &pages[id];
    unlink(id);
    /* The time of the last access names the page whatever its number: the trail survives renumbering. */
    trail = (trail ^ (page->accessed + 1ull)) * SEED;
    trail ^= trail >> 32;
    page->towards_head = ++evictions;
    page->towards_tail = ++evicted_from[page->queue];
    page->resident = 0;
    resident--;
}

static u32 clamp(s64 value, s64 low, s64 high) {
    return (u32)(value < low ? low : value > high ? high : value);
}

/* Let the candidate choose pages until one has gone. Each look costs a credit; without any, the page goes. */
static void make_room(void) {
    for (;;) {
        show_chance();
        u32 queue = clamp(pick_queue(), 0, QUEUES - 1);
        while (!size[queue]) queue = (queue + 1) % QUEUES;
        u32 id = hand[queue] != NONE ? hand[queue] : tail[queue];
        ASSERT(pages[id].resident && pages[id].queue == queue);
        if (!credit) { evict(id); return; }
        credit--;
        show_page(&pages[id]);
        u32 action = (u32)on_scan();
        if (action >> 16 == EVICT) { evict(id); return; }
        if (action >> 16 == KEEP) hand[queue] = pages[id].towards_head;
        place(id, action);
    }
}

static void hit(u32 id) {
    struct page *page = &pages[id];
    show_page(page);
    place(id, (u32)on_hit());
    page->gap = now - page->accessed;
    page->accessed = now;
    page->frequency++;
}

/* Bring the page in; return whether the history remembered it. */
static u32 miss(u32 id) {
    struct page *page = &pages[id];
    u32 remembered = show_ghost(page);
    show_chance();
    s64 value = adapt();
    FEATURES[REGISTER] = value < -REGISTER_MAX ? -REGISTER_MAX : value > REGISTER_MAX ? REGISTER_MAX : value;
    if (resident == capacity) make_room();
    show_chance();
    u32 action = (u32)on_insert(), queue = action >> 8 & 0xff;
    ASSERT(action >> 16 <= TAIL && queue < QUEUES && !page->resident && resident < capacity);
    link(id, queue, action >> 16 == TAIL);
    page->mark = (u8)action;
    page->accessed = page->since = now;
    page->gap = 0;
    page->frequency = 1;
    page->resident = page->known = 1;
    resident++;
    return remembered;
}

/* Count the access, in the cache or not; where a span ends with it, everything is halved, this page too. */
static void note_access(u32 id) {
    struct page *page = &pages[id];
    u32 times = popularity(page);
    page->counted = halvings << POPULARITY_BITS | (times < POPULARITY_MAX ? times + 1 : times);
    if (--span_left) {
        if (page->resident && tail[page->queue] == id) show_oldest_popularity(page->queue);
        return;
    }
    span_left = POPULARITY_SPAN * capacity;
    halvings++;
    for (u32 queue = 0; queue < QUEUES; queue++) show_oldest_popularity(queue);
}

/* Walk every queue from head to tail: each page once, both ways linked, none lost. */
static void check(void) {
    u32 seen = 0;
    for (u32 queue = 0; queue < QUEUES; queue++) {
        u32 before = NONE, count = 0;
        for (u32 id = head[queue]; id != NONE; id = pages[id].towards_tail) {
            ASSERT(pages[id].resident && pages[id].queue == queue && pages[id].towards_head == before);
            ASSERT(++count <= size[queue]);
            before = id;
        }
        ASSERT(count == size[queue] && tail[queue] == before);
        seen += count;
    }
    ASSERT(seen == resident && resident <= capacity);
}

/* Serve `count` requests (page numbers below `page_count`) from an empty cache. */
EXPORT(run) s64 run(const u32 *requests, u32 count, u32 page_count, u32 cache_pages, void *work) {
    ASSERT(cache_pages >= 1 && cache_pages <= 1u << 24);
    pages = work;
    capacity = cache_pages;
    resident = evictions = hit_rate = ghost_rate = halvings = 0;
    span_left = POPULARITY_SPAN * capacity;
    credit = CREDIT_CAP * capacity;
    xorshift = trail = SEED;
    FEATURES[CAPACITY] = capacity;
    FEATURES[REGISTER] = FEATURES[HIT_RATE] = FEATURES[GHOST_RATE] = 0;
    for (u32 queue = 0; queue < QUEUES; queue++) {
        head[queue] = tail[queue] = hand[queue] = NONE;
        size[queue] = evicted_from[queue] = 0;
        FEATURES[SIZE + queue] = FEATURES[OLDEST_POPULARITY + queue] = 0;
    }
    misses = 0;
    for (now = 0; now < count; now++) {
        u32 id = requests[now], found = 0, remembered = 0;
        ASSERT(id < page_count);
        credit += CREDIT_PER_REQUEST;
        if (credit > CREDIT_CAP * capacity) credit = CREDIT_CAP * capacity;
        note_access(id);
        for (u32 queue = 0; queue < QUEUES; queue++) show_oldest(queue);
        if (pages[id].resident) {
            hit(id);
            found = 1;
        } else {
            remembered = miss(id);
            misses++;
        }
        hit_rate += (u32)((s32)((found << 20) - hit_rate) >> RATE_SHIFT);
        ghost_rate += (u32)((s32)((remembered << 20) - ghost_rate) >> RATE_SHIFT);
        FEATURES[HIT_RATE] = hit_rate >> 10;
        FEATURES[GHOST_RATE] = ghost_rate >> 10;
    }
    check();
    return 0;
}

/* The counters of the last run, in the order of kind.py: requests, misses. */
EXPORT(counter) s64 counter(u32 index) {
    ASSERT(index < 2);
    return index ? misses : (s64)now;
}

/* A 64-bit hash of the last run's evictions in order: equal for programs that behave alike. */
EXPORT(digest) u64 digest(void) { return trail; }
