/* The cache of the textbook's policies: pages in lists, what was counted, and the hash of what went. */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#define NONE 0xffffffffu
#define SEED 0x9e3779b97f4a7c15ull
#define EXPORT(function) __attribute__((export_name(#function)))
#define ASSERT(truth) do { if (!(truth)) __builtin_trap(); } while (0)

struct link { u32 towards_head, towards_tail; };
struct list { u32 head, tail, size; struct link *links; };

static u32 capacity, resident, now;
static u64 trail;
static s64 misses;
static struct list list[4], stack; /* a page is in one of the four lists, and for lirs in the stack as well */
static u32 *accessed, *count;
static u8 *where;                  /* 1 + the index of its list; 0: in none */

/* Head is the newest end of a list, tail the oldest. */

static void list_push(struct list *at, u32 id) {
    at->links[id] = (struct link){NONE, at->head};
    if (at->head != NONE) at->links[at->head].towards_head = id; else at->tail = id;
    at->head = id;
    at->size++;
}

static void list_remove(struct list *at, u32 id) {
    struct link page = at->links[id];
    if (page.towards_head != NONE) at->links[page.towards_head].towards_tail = page.towards_tail;
    else at->head = page.towards_tail;
    if (page.towards_tail != NONE) at->links[page.towards_tail].towards_head = page.towards_head;
    else at->tail = page.towards_head;
    at->size--;
}

static void drop(u32 id) {
    list_remove(&list[where[id] - 1], id);
    where[id] = 0;
}

static void move(u32 id, u32 to) {
    if (where[id]) drop(id);
    list_push(&list[to], id);
    where[id] = (u8)(to + 1);
}

static int is_in(u32 id, u32 at) { return where[id] == at + 1; }
static int full(void) { return resident == capacity; }
static u32 at_least_one(u32 pages) { return pages ? pages : 1; }

/* Count the page out; the hash of evictions is the one of arena.c. */
static void evicted(u32 id) {
    trail = (trail ^ (accessed[id] + 1ull)) * SEED;
    trail ^= trail >> 32;
    resident--;
}

static void evict_tail(u32 at) {
    u32 id = list[at].tail;
    evicted(id);
    drop(id);
}

static void evict_to_ghosts(u32 from, u32 ghosts) {
    u32 id = list[from].tail;
    evicted(id);
    move(id, ghosts);
}
