/* What arena.c and baselines.c share: a row, what a request takes at least, and the counters of a run.
 *
 * A capacity of 1 is a disk with one arm and one platter; more is a solid-state drive with as many channels.
 * Times are microseconds, places and lengths sectors of 512 bytes.
 */

typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#define EXPORT(function) __attribute__((export_name(#function)))
#define ASSERT(truth) do { if (!(truth)) __builtin_trap(); } while (0)

#define SECTORS (1ll << 32) /* of a device: 2 TiB */
#define CHANNELS_MAX 16
#define READ_US 90
#define WRITE_US 300
#define ROTATION_US 8333 /* 7,200 revolutions a minute */
#define TRACK_BITS 11    /* 2,048 sectors a track; tracks follow each other without a gap */
#define HALF_TURN_US 4166
#define CLASSES 4

struct row { u32 time, sector, sectors, stream, write; };

enum { REQUESTS, CHANNELS, LATENCY_SUM, LATENCY_P99, WAIT_MAX, ELAPSED, BUSY, COUNT,
       SLOWDOWN = COUNT + CLASSES, COUNTERS = SLOWDOWN + CLASSES };

static s64 counters[COUNTERS];
static const struct row *rows;
static u32 count, channel_count;

EXPORT(counter) s64 counter(u32 index) {
    ASSERT(index < COUNTERS);
    return counters[index];
}

static s64 arrival(u32 row) { return (s64)rows[row].time - rows[0].time; }

/* How far the platter turns, from the start of the disk to a sector. */
static s64 turned(s64 sector) { return sector * ROTATION_US >> TRACK_BITS; }

static s64 transfer(const struct row *row) {
    if (channel_count > 1) return row->sectors;
    return turned((s64)row->sector + row->sectors) - turned(row->sector);
}

/* The least that serving a request takes, whatever was served before it. */
static s64 least(const struct row *row) {
    return channel_count > 1 ? (row->write ? WRITE_US : READ_US) + transfer(row) : transfer(row);
}

/* What slowdown is measured against: what the request takes on an idle device, on a disk half a turn included. */
static s64 alone(const struct row *row) { return least(row) + (channel_count > 1 ? 0 : HALF_TURN_US); }

/* Reads up to 16 KiB, larger ones, then writes alike. */
static u32 class_of(const struct row *row) { return 2 * row->write + (row->sectors > 32); }

static void begin(const struct row *words, u32 row_count, u32 capacity) {
    ASSERT(capacity >= 1 && capacity <= CHANNELS_MAX);
    rows = words;
    count = row_count;
    channel_count = capacity;
    for (u32 index = 0; index < COUNTERS; index++) counters[index] = 0;
    counters[REQUESTS] = count;
    counters[CHANNELS] = capacity;
}

/* The number that all but a hundredth of `values`, rounded down, do not exceed, and no smaller one. */
static s64 p99(const s64 *values) {
    s64 low = 0, high = 0;
    for (u32 index = 0; index < count; index++) if (values[index] > high) high = values[index];
    while (low < high) {
        s64 middle = low + (high - low) / 2;
        u32 within = 0;
        for (u32 index = 0; index < count; index++) within += values[index] <= middle;
        if (within >= count - count / 100) high = middle; else low = middle + 1;
    }
    return low;
}
