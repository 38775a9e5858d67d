/* What the machine of cpu_scheduling is made of: rows, tasks, CPUs, a heap, and what is counted.
 *
 *      row       one burst, as the workload has it
 *      task      where a task stands: its register, its burst, what it was served
 *      heap      who is next by time (sleepers) or by what is left (the bound)
 *      counters  integers that are exact on every machine, in the order of counting.py
 *
 * Freestanding wasm32.
 */

typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#define NONE 0xffffffffu
#define TICK 100u            /* units */
#define SWITCH 20u           /* units that a CPU needs to change its task */
#define PERIOD 100u          /* ticks */
#define CPUS 4u
#define VISIBLE 256u         /* tasks that a policy looks at, running ones included */
#define SLICE_MAX 1000       /* ticks */
#define WEIGHT_ONE 16u
#define WEIGHT_MAX 256u
#define TIME_MAX (1u << 31)  /* units */
#define REGISTER_MAX (1ll << 40)
#define LOAD_SHIFT 8         /* the load forgets with a factor of 255/256 a tick, */
#define LOAD_HALF_LIFE 177u  /* which is one half in as many ticks */
#define CLASSES 9u           /* of burst lengths: below 128 units, below 256, … */
#define CLASS_FIRST 7u       /* log2 of 128 */
#define SEED 0x9e3779b97f4a7c15ull

#define EXPORT(function) __attribute__((export_name(#function)))
#define ASSERT(truth) do { if (!(truth)) __builtin_trap(); } while (0)

enum { BURSTS, WEIGHTED_RESPONSE, P99_SLOWDOWN, LONGEST_WAIT, SWITCHES, PREEMPTIONS,
       CLASS_SLOWDOWN, COUNTERS = CLASS_SLOWDOWN + CLASSES };

struct row { u32 time, task, source, weight, sleep, burst; };
struct source { u32 ewma, bursts; };
struct entry { u64 key; u32 task, unused; };
struct cpu { u32 task, last, slice, stint, ran, switching; };

struct task {
    s64 reg;
    u32 first;  /* 1 + its first row */
    u32 row;    /* the burst it is at */
    u32 ready;  /* when that burst could begin */
    u32 since;  /* when it began to wait */
    u32 order;  /* its place in the queue: the lowest is the head */
    u32 used;   /* units of the burst that were served */
    u32 total, ewma, last_burst, bursts, slept;
};

static const struct row *rows;
static struct task *tasks;
static struct source *sources;
static struct entry *heap;  /* sleepers by (time to wake, order in which they fell asleep) */
static u32 *next_row, *slowdowns, *last_row;
static struct cpu cpu[CPUS];
static u32 waiting[VISIBLE], waiting_count, visible;
static u32 row_count, cpus, arriving, asleep, order, fallen, now;
static s64 least_reg, mean_reg, load; /* load: runnable tasks a CPU in parts of 2^20 */
static u64 served;                    /* units of bursts that are done */
static s64 counters[COUNTERS];
static u64 trail;

static s64 clamp(s64 value, s64 low, s64 high) { return value < low ? low : value > high ? high : value; }
static s64 to_register(s64 value) { return clamp(value, -REGISTER_MAX, REGISTER_MAX); }
static u32 to_tick(u32 time) { return (time + TICK - 1) / TICK * TICK; }

static void mix(u64 value) {
    trail = (trail ^ value) * SEED;
    trail ^= trail >> 32;
}

/* --- a heap of tasks, lowest key first ------------------------------------------------------------------- */

static void heap_push(u32 *count, u64 key, u32 task) {
    u32 at = (*count)++;
    for (; at && heap[(at - 1) / 2].key > key; at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = (struct entry){key, task, 0};
}

static u32 heap_pop(u32 *count) {
    u32 top = heap[0].task, at = 0, child;
    struct entry last = heap[--*count];
    for (; (child = 2 * at + 1) < *count; at = child) {
        if (child + 1 < *count && heap[child + 1].key < heap[child].key) child++;
        if (heap[child].key >= last.key) break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return top;
}

/* --- what is counted ------------------------------------------------------------------------------------- */

/* Bounded slowdown in parts of 256: response time over the burst's length, or over a tick where that is longer. */
static u32 slowdown(u32 response, u32 burst) {
    u64 parts = 256ull * response / (burst > TICK ? burst : TICK);
    return parts < 256 ? 256 : parts > NONE ? NONE : (u32)parts;
}

static void count(u32 row, u32 response) {
    u32 burst = rows[row].burst, log2 = 31 - (u32)__builtin_clz(burst);
    u32 class = log2 < CLASS_FIRST ? 0 : log2 - CLASS_FIRST + 1;
    if (class >= CLASSES) class = CLASSES - 1;
    slowdowns[counters[BURSTS]++] = slowdown(response, burst);
    counters[WEIGHTED_RESPONSE] += (s64)response * rows[row].weight;
    counters[CLASS_SLOWDOWN + class] += slowdown(response, burst);
}

/* The value of that rank, from 0 for the smallest: one byte a pass, highest first. */
static u32 of_rank(const u32 *values, u32 number, u32 rank) {
    static u32 histogram[256];
    u32 prefix = 0;
    for (u32 shift = 24; shift < 32; shift -= 8) {
        for (u32 digit = 0; digit < 256; digit++) histogram[digit] = 0;
        for (u32 i = 0; i < number; i++)
            if (shift == 24 || values[i] >> (shift + 8) == prefix) histogram[values[i] >> shift & 255]++;
        u32 digit = 0;
        while (rank >= histogram[digit]) rank -= histogram[digit++];
        prefix = prefix << 8 | digit;
    }
    return prefix;
}
