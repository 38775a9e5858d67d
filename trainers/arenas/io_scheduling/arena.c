/* I/O scheduling: a device with a queue of 64 visible requests, and a candidate that says which is served next.
 *
 *      row ── its time comes ──▶ backlog ── a slot is free ──▶ on_stream ──▶ visible
 *      a channel is free ──▶ pick_score of every visible request, the highest is served, of equals the earliest
 *                            ──▶ on_serve, next0, next1: asked before anything changes, then committed together
 *
 * The device never rests while a request is visible. Latency counts from the row's time, whatever the backlog.
 * docs/io-scheduling.md defines every tie; reference.py is the same machine in plain Python and must agree.
 *
 * Freestanding wasm32. The candidate reads its features at FEATURES (kind.py gives the slots). The work area
 * (`work_bytes` of kind.py) comes zeroed. A broken invariant traps: no result is better than a wrong one.
 */

#include "device.h"

#define FEATURES ((s64 *)4096)
enum { NOW, N_QUEUED, N_READS, N_WRITES, OLD_READ, OLD_WRITE, LAST_WRITE, MIN_SREG, G0, G1, BACKLOG,
       WAIT, OFFSET, FORWARD, DISTANCE, LEN, WRITE, SREG, SQUEUED, SSERVED, SGAP, SAME, COST, ALIKE };

#define NONE 0xffffffffu
#define VISIBLE 64
#define REGISTER_MAX (1ll << 40)
#define TURNAROUND_US 100 /* a channel that goes over from reading to writing, or back */
#define NEAR_SECTORS 1024 /* the arm need not move */
#define SEEK_US 800       /* the shortest; over the whole disk 9,000 more, in between with the square root */
#define SEED 0x9e3779b97f4a7c15ull

#define IMPORT(function) __attribute__((import_module("candidate"), import_name(#function))) s64 function(void)

IMPORT(pick_score);
IMPORT(on_stream);
IMPORT(on_serve);
IMPORT(next0);
IMPORT(next1);

struct stream {
    s64 reg;
    s64 since; /* time of its latest service; before the first, when it was first seen */
    u32 queued, served, known, unused;
};

struct channel { s64 free_at; u32 write; };

static struct stream *streams;
static s64 *latency; /* by row; 0: not served yet, no service is shorter than 4 us */
static struct channel channels[CHANNELS_MAX];
static u32 visible[VISIBLE]; /* rows, in the order of their arrival */
static u32 stream_count, seen, arrived, admitted, served, last_stream;
static s64 now, head; /* head: the sector after the last one of the request served last */
static u32 seeks[23 * 16];
static u64 trail;

static u32 square_root(u64 value) {
    u32 root = 0;
    for (u32 bit = 1u << 15; bit; bit >>= 1) if ((u64)(root + bit) * (root + bit) <= value) root += bit;
    return root;
}

/* Seek times by exponent and first four bits of the distance: within 3 % of the root, and no root to take. */
static void fill_seeks(void) {
    for (u32 exponent = 10; exponent <= 32; exponent++)
        for (u32 part = 0; part < 16; part++) {
            u64 distance = (u64)(16 + part) << (exponent - 4);
            seeks[(exponent - 10) * 16 + part] = SEEK_US + square_root(81000000ull * distance >> 32);
        }
}

static s64 seek(u64 distance) {
    if (distance < NEAR_SECTORS) return 0;
    u32 exponent = 63 - (u32)__builtin_clzll(distance);
    return seeks[(exponent - 10) * 16 + (u32)(distance >> (exponent - 4) & 15)];
}

/* How long the channel would be busy with the request if it began now. */
static s64 cost(const struct row *row, const struct channel *channel) {
    if (channel_count > 1) return least(row) + (row->write != channel->write ? TURNAROUND_US : 0);
    s64 offset = (s64)row->sector - head, moved = seek((u64)(offset < 0 ? -offset : offset));
    s64 turn = (turned(row->sector & ((1 << TRACK_BITS) - 1)) - now - moved) % ROTATION_US;
    return moved + (turn < 0 ? turn + ROTATION_US : turn) + transfer(row);
}

/* Show what serving the request now on this channel means; `others` counts the other channels by what they served last
 * (0: a read, 1: a write). Return what the service costs, in us. */
static s64 show_service(const struct row *row, const struct channel *channel, const u32 others[2]) {
    FEATURES[ALIKE] = others[row->write];
    return FEATURES[COST] = cost(row, channel);
}

static void show_queue(u32 last_write) {
    u32 reads = 0, writes = 0;
    s64 old_read = 0, old_write = 0, least_reg = 0;
    for (u32 place = seen; place--;) { /* from the latest to the earliest: the last word is the oldest's */
        const struct row *row = &rows[visible[place]];
        s64 reg = streams[row->stream].reg;
        if (row->write) { writes++; old_write = now - arrival(visible[place]); }
        else { reads++; old_read = now - arrival(visible[place]); }
        if (place == seen - 1 || reg < least_reg) least_reg = reg;
    }
    FEATURES[NOW] = now;
    FEATURES[N_QUEUED] = seen;
    FEATURES[N_READS] = reads;
    FEATURES[N_WRITES] = writes;
    FEATURES[OLD_READ] = old_read;
    FEATURES[OLD_WRITE] = old_write;
    FEATURES[LAST_WRITE] = last_write;
    FEATURES[MIN_SREG] = least_reg;
    FEATURES[BACKLOG] = arrived - admitted;
}

static void show_request(u32 id) {
    const struct row *row = &rows[id];
    const struct stream *stream = &streams[row->stream];
    s64 offset = (s64)row->sector - head;
    FEATURES[WAIT] = now - arrival(id);
    FEATURES[OFFSET] = offset;
    FEATURES[FORWARD] = offset < 0 ? offset + SECTORS : offset;
    FEATURES[DISTANCE] = offset < 0 ? -offset : offset;
    FEATURES[LEN] = row->sectors;
    FEATURES[WRITE] = row->write;
    FEATURES[SREG] = stream->reg;
    FEATURES[SQUEUED] = stream->queued;
    FEATURES[SSERVED] = stream->served;
    FEATURES[SGAP] = now - stream->since;
    FEATURES[SAME] = row->stream == last_stream;
}

static s64 clamp(s64 value) {
    return value < -REGISTER_MAX ? -REGISTER_MAX : value > REGISTER_MAX ? REGISTER_MAX : value;
}

/* Make rows whose time has come visible, while there are slots. */
static void admit(u32 last_write) {
    while (arrived < count && arrival(arrived) <= now) arrived++;
    while (admitted < arrived && seen < VISIBLE) {
        const struct row *row = &rows[admitted];
        ASSERT(row->stream < stream_count && row->sectors && row->sector + (s64)row->sectors <= SECTORS);
        ASSERT(row->write <= 1 && (!admitted || arrival(admitted) >= arrival(admitted - 1)));
        struct stream *stream = &streams[row->stream];
        if (!stream->known) { stream->known = 1; stream->since = now; }
        show_queue(last_write);
        show_request(admitted);
        stream->reg = clamp(on_stream());
        stream->queued++;
        visible[seen++] = admitted++;
    }
}

/* Return the place of the request with the highest score; of equals the earliest. */
static u32 pick(const struct channel *channel, const u32 others[2]) {
    u32 best = 0;
    s64 highest = 0;
    for (u32 place = 0; seen > 1 && place < seen; place++) {
        show_request(visible[place]);
        show_service(&rows[visible[place]], channel, others);
        s64 score = pick_score();
        if (!place || score > highest) { highest = score; best = place; }
    }
    return best;
}

static void serve(struct channel *channel) {
    show_queue(channel->write);
    u32 others[2] = {0, 0};
    for (u32 number = 0; number < channel_count; number++)
        if (&channels[number] != channel) others[channels[number].write]++;
    u32 place = pick(channel, others), id = visible[place];
    const struct row *row = &rows[id];
    struct stream *stream = &streams[row->stream];
    show_request(id);
    s64 taken = show_service(row, channel, others), wait = now - arrival(id);
    ASSERT(!latency[id] && channel->free_at <= now && wait >= 0 && taken >= least(row) && stream->queued);
    s64 reg = clamp(on_serve()), first = clamp(next0()), second = clamp(next1());
    stream->reg = reg;
    FEATURES[G0] = first;
    FEATURES[G1] = second;
    stream->queued--;
    stream->served++;
    stream->since = now;
    last_stream = row->stream;
    head = (s64)row->sector + row->sectors;
    channel->write = row->write;
    channel->free_at = now + taken;
    latency[id] = wait + taken;
    trail = (trail ^ (id + 1ull)) * SEED;
    trail ^= trail >> 32;
    served++;
    seen--;
    for (; place < seen; place++) visible[place] = visible[place + 1];
    u32 class = class_of(row);
    counters[LATENCY_SUM] += latency[id];
    counters[COUNT + class]++;
    counters[SLOWDOWN + class] += (latency[id] << 10) / alone(row);
    counters[BUSY] += taken;
    if (wait > counters[WAIT_MAX]) counters[WAIT_MAX] = wait;
    if (channel->free_at > counters[ELAPSED]) counters[ELAPSED] = channel->free_at;
}

static struct channel *free_channel(void) {
    for (u32 number = 0; number < channel_count; number++)
        if (channels[number].free_at <= now) return &channels[number];
    return 0;
}

/* Go to the next arrival or end of a service, whichever is first. */
static void advance(void) {
    s64 next = arrived < count ? arrival(arrived) : -1;
    for (u32 number = 0; number < channel_count; number++) {
        s64 end = channels[number].free_at;
        if (end > now && (next < 0 || end < next)) next = end;
    }
    ASSERT(next > now);
    now = next;
}

/* Serve `row_count` rows of streams below `size`, from an idle device at sector 0; 0: all went well. */
EXPORT(run) s64 run(const struct row *words, u32 row_count, u32 size, u32 capacity, void *work) {
    begin(words, row_count, capacity);
    streams = work;
    stream_count = size;
    latency = (s64 *)(streams + size);
    seen = arrived = admitted = served = 0;
    last_stream = NONE;
    now = head = 0;
    trail = SEED;
    FEATURES[G0] = FEATURES[G1] = 0;
    for (u32 number = 0; number < CHANNELS_MAX; number++) channels[number] = (struct channel){0, 0};
    if (channel_count == 1) fill_seeks();
    u32 last_write = 0;
    while (served < count) {
        admit(last_write);
        struct channel *channel = free_channel();
        if (seen && channel) {
            serve(channel);
            last_write = channel->write;
        } else {
            advance();
        }
    }
    ASSERT(!seen && admitted == count && counters[BUSY] <= counters[ELAPSED] * channel_count);
    for (u32 id = 0; id < count; id++) ASSERT(latency[id]);
    counters[LATENCY_P99] = p99(latency);
    return 0;
}

/* A 64-bit hash of the rows in the order of their service: equal for programs that behave alike. */
EXPORT(digest) u64 digest(void) { return trail; }
