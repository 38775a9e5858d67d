/* What the arena and the baselines share: a row is a gap in seconds, the capacity is what a start costs in seconds
 * of idling. A gap longer than the timeout costs the timeout and a start, any other costs itself. */

typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#define TIMEOUT_MAX (1 << 20)
#define SEED 0x9e3779b97f4a7c15ull
#define IMPORT(function) __attribute__((import_module("candidate"), import_name(#function))) s64 function(void)
#define EXPORT(function) __attribute__((export_name(#function)))
#define ASSERT(truth) do { if (!(truth)) __builtin_trap(); } while (0)

static s64 cost, stops;
static u64 trail; /* a hash of all decisions */

static s64 spend(s64 gap, s64 timeout) {
    int stop = gap > timeout;
    trail = (trail ^ (u64)(1 + stop)) * SEED;
    trail ^= trail >> 32;
    stops += stop;
    return stop ? timeout + cost : gap;
}

static void begin(u32 start_cost) {
    ASSERT(start_cost >= 1 && start_cost <= 1u << 16);
    cost = start_cost;
    stops = 0;
    trail = SEED;
}
