/* The machine of cpu_scheduling: 1 to 4 CPUs, a tick of 100 units, tasks that compute and sleep in turns.
 *
 *      a tick   expired ▶ tail of the queue      on_run
 *               least and mean register
 *               sleepers wake, tasks arrive      on_wake
 *               every 100th tick                 on_period
 *               CPUs without a task pick         run_score of all that wait, slice
 *               if anything woke: preempt        run_score of all, at most one swap a CPU
 *               each CPU computes for 100 units: switch ▶ burst ▶ burst done ▶ pick the next …
 *
 * A row is one burst. A task's first row arrives when the row says; each later burst is ready `sleep` units after
 * the one before it was done, so the load answers the schedule. Of what is ready at most VISIBLE tasks are in the
 * queue, the others wait outside in the order in which they became ready: work is linear for any candidate.
 * Whoever includes this file answers the ask_ functions: arena.c with a candidate, baselines.c with what only an
 * oracle knows. Every tie is in docs/cpu-scheduling.md; reference.py is the same machine in plain Python.
 *
 * Freestanding wasm32; the work area comes zeroed. A broken invariant traps: no result is better than a wrong one.
 */

#include "tasks.h"

static s64 ask_score(const struct task *task, u32 time, u32 wait, u32 current, u32 slice_used);
static s64 ask_slice(const struct task *task, u32 time);
static s64 ask_wake(const struct task *task);
static s64 ask_run(const struct task *task, u32 time, u32 ran, u32 expired);
static s64 ask_period(const struct task *task, u32 wait);

/* --- the queue ------------------------------------------------------------------------------------------- */

static void to_queue(u32 id, u32 since) {
    ASSERT(waiting_count < VISIBLE);
    tasks[id].since = since;
    waiting[waiting_count++] = id;
}

static void seat(u32 at, u32 id, u32 time) {
    struct cpu *c = &cpu[at];
    struct task *task = &tasks[id];
    u32 waited = time - task->since;
    if (waited > counters[LONGEST_WAIT]) counters[LONGEST_WAIT] = waited;
    c->slice = (u32)clamp(ask_slice(task, time), 1, SLICE_MAX) * TICK;
    c->switching = c->last == id ? 0 : SWITCH;
    c->task = id;
    c->stint = c->ran = 0;
    if (c->last == id) return;
    c->last = id;
    counters[SWITCHES]++;
    mix((u64)time << 32 | (task->row * CPUS + at)); /* the row names the task whatever its number */
}

static s64 ask_waiting(u32 id, u32 time, u32 current) {
    return ask_score(&tasks[id], time, time - tasks[id].since, current, 0);
}

/* Seat the waiting task of the highest score; of equals the one nearest to the queue's head. */
static void pick(u32 at, u32 time) {
    u32 best = 0;
    s64 highest = 0;
    for (u32 i = 0; i < waiting_count; i++) {
        s64 score = ask_waiting(waiting[i], time, cpu[at].last == waiting[i]);
        if (i && (score < highest || (score == highest && tasks[waiting[i]].order > tasks[waiting[best]].order)))
            continue;
        best = i;
        highest = score;
    }
    u32 id = waiting[best];
    waiting[best] = waiting[--waiting_count];
    seat(at, id, time);
}

/* The best that wait against the lowest that run: a waiting task must be strictly better. */
static void preempt(void) {
    static s64 score[VISIBLE], held[CPUS];
    for (u32 i = 0; i < waiting_count; i++) score[i] = ask_waiting(waiting[i], now, 0);
    for (u32 c = 0; c < cpus; c++) held[c] = ask_score(&tasks[cpu[c].task], now, 0, 1, cpu[c].stint);
    for (u32 swaps = 0; swaps < cpus; swaps++) {
        u32 best = 0, low = 0;
        for (u32 i = 1; i < waiting_count; i++)
            if (score[i] > score[best] ||
                (score[i] == score[best] && tasks[waiting[i]].order < tasks[waiting[best]].order)) best = i;
        for (u32 c = 1; c < cpus; c++) if (held[c] < held[low]) low = c;
        if (score[best] <= held[low]) return;
        u32 in = waiting[best], out = cpu[low].task;
        tasks[out].reg = to_register(ask_run(&tasks[out], now, cpu[low].ran, 0));
        tasks[out].since = now; /* and keeps its place in the queue */
        waiting[best] = out;
        score[best] = (s64)(1ull << 63); /* neither is looked at again in this tick */
        held[low] = (s64)((1ull << 63) - 1);
        counters[PREEMPTIONS]++;
        seat(low, in, now);
    }
}

static void expire(void) {
    for (u32 at = 0; at < cpus; at++) {
        struct cpu *c = &cpu[at];
        if (c->task == NONE || c->stint < c->slice) continue;
        struct task *task = &tasks[c->task];
        task->reg = to_register(ask_run(task, now, c->ran, 1));
        task->order = order++;
        to_queue(c->task, now);
        c->task = NONE;
    }
}

static void survey(void) {
    if (!visible) return; /* with nobody to ask the last answer stands */
    s64 sum = 0, least = REGISTER_MAX;
    for (u32 i = 0; i < waiting_count + cpus; i++) {
        u32 id = i < waiting_count ? waiting[i] : cpu[i - waiting_count].task;
        if (id == NONE) continue;
        sum += tasks[id].reg;
        if (tasks[id].reg < least) least = tasks[id].reg;
    }
    least_reg = least;
    mean_reg = sum / visible - (sum % visible < 0);
}

/* --- waking and sleeping --------------------------------------------------------------------------------- */

static void skip_later_rows(void) {
    while (arriving < row_count && tasks[rows[arriving].task].first != arriving + 1) arriving++;
}

/* When the next sleeper wakes or the next task arrives; a sleeper goes first where both do. */
static u32 next_event(u32 *sleeper) {
    u32 wakes = asleep ? (u32)(heap[0].key >> 32) : NONE;
    u32 arrives = arriving < row_count ? rows[arriving].time - rows[0].time : NONE;
    *sleeper = wakes <= arrives;
    return *sleeper ? wakes : arrives;
}

static u32 wake(void) {
    u32 woke = 0, sleeper;
    for (u32 time; visible < VISIBLE && (time = next_event(&sleeper)) <= now; woke = 1) {
        u32 id = sleeper ? heap_pop(&asleep) : rows[arriving].task;
        struct task *task = &tasks[id];
        if (!sleeper) {
            const struct source *source = &sources[rows[arriving].source];
            task->row = arriving++;
            task->ewma = source->ewma;
            skip_later_rows();
        }
        task->ready = time;
        task->order = order++;
        visible++;
        task->reg = to_register(ask_wake(task));
        to_queue(id, time);
    }
    return woke;
}

/* A burst is done: the task sleeps until its next one, or has gone. */
static void finish(u32 at, u32 time) {
    struct cpu *c = &cpu[at];
    u32 id = c->task, next = next_row[tasks[id].row];
    struct task *task = &tasks[id];
    u32 burst = rows[task->row].burst;
    struct source *source = &sources[rows[task->row].source];
    ASSERT(task->used == burst && visible);
    count(task->row, time - task->ready);
    served += burst;
    if (next) task->reg = to_register(ask_run(task, time, c->ran, 0));
    task->ewma = task->ewma ? (task->ewma + burst) / 2 : burst;
    source->ewma = source->bursts++ ? (source->ewma + burst) / 2 : burst;
    task->last_burst = burst;
    task->bursts++;
    task->used = 0;
    c->task = NONE;
    visible--;
    if (!next) return;
    task->row = next;
    task->slept = rows[next].sleep;
    heap_push(&asleep, (u64)(time + task->slept) << 32 | fallen++, id);
}

/* One tick of one CPU: 100 units of switching, computing, and picking whenever a burst is done. */
static void compute(u32 at) {
    struct cpu *c = &cpu[at];
    for (u32 room = TICK; room;) {
        if (c->task == NONE) {
            if (!waiting_count) return;
            pick(at, now + TICK - room);
        }
        struct task *task = &tasks[c->task];
        u32 left = rows[task->row].burst - task->used;
        u32 switching = room < c->switching ? room : c->switching;
        u32 running = room - switching < left ? room - switching : left;
        c->switching -= switching;
        c->ran += running;
        c->stint += switching + running;
        task->used += running;
        task->total += running;
        room -= switching + running;
        if (running == left) finish(at, now + TICK - room);
    }
}

/* --- the run --------------------------------------------------------------------------------------------- */

/* Lay out the work area and chain every task's rows. */
static void prepare(const u32 *words, u32 number, u32 size, u32 machine, void *work) {
    ASSERT(machine >= 1 && machine <= CPUS);
    rows = (const struct row *)words;
    row_count = number;
    cpus = machine;
    tasks = work;
    heap = (struct entry *)(tasks + size);
    sources = (struct source *)(heap + size);
    next_row = (u32 *)(sources + size);
    slowdowns = next_row + number;
    last_row = slowdowns + number; /* of each task, while the rows are chained */
    waiting_count = visible = arriving = asleep = order = fallen = now = 0;
    least_reg = mean_reg = load = 0;
    served = 0;
    trail = SEED;
    for (u32 i = 0; i < COUNTERS; i++) counters[i] = 0;
    for (u32 i = 0; i < CPUS; i++) cpu[i] = (struct cpu){NONE, NONE, 0, 0, 0, 0};
    for (u32 i = 0; i < number; i++) {
        const struct row *row = &rows[i];
        ASSERT(row->task < size && row->source < size && row->burst && row->weight && row->weight <= WEIGHT_MAX);
        ASSERT(!i || row->time >= rows[i - 1].time);
        if (tasks[row->task].first) next_row[last_row[row->task]] = i;
        else tasks[row->task].first = i + 1;
        last_row[row->task] = i;
    }
}

static void run_machine(void) {
    for (u32 sleeper, next;;) {
        ASSERT(now < TIME_MAX - 2 * TICK);
        expire();
        survey();
        u32 woke = wake();
        if (now % (PERIOD * TICK) == 0) {
            for (u32 i = 0; i < waiting_count; i++) {
                struct task *task = &tasks[waiting[i]];
                task->reg = to_register(ask_period(task, now - task->since));
            }
            for (u32 c = 0; c < cpus; c++)
                if (cpu[c].task != NONE) tasks[cpu[c].task].reg = to_register(ask_period(&tasks[cpu[c].task], 0));
        }
        for (u32 c = 0; c < cpus && waiting_count; c++) if (cpu[c].task == NONE) pick(c, now);
        if (woke && waiting_count) preempt();
        for (u32 c = 0; c < cpus; c++) {
            ASSERT(cpu[c].task != NONE || !waiting_count); /* work conserving */
            compute(c);
        }
        load += (((s64)visible << 20) / cpus - load) >> LOAD_SHIFT;
        now += TICK;
        if (visible) continue;
        next = next_event(&sleeper);
        if (next == NONE) break;
        if (next <= now) continue;
        u32 idle = (to_tick(next) - now) / TICK;
        load = idle / LOAD_HALF_LIFE < 32 ? load >> idle / LOAD_HALF_LIFE : 0;
        now += idle * TICK;
    }
    u64 demand = 0;
    for (u32 i = 0; i < row_count; i++) demand += rows[i].burst;
    ASSERT(counters[BURSTS] == row_count && served == demand && !asleep && arriving == row_count);
    u32 number = (u32)counters[BURSTS];
    if (number) counters[P99_SLOWDOWN] = of_rank(slowdowns, number, number - number / 100 - 1);
}

/* The i-th counter of the last run, in the order of kind.py. */
EXPORT(counter) s64 counter(u32 i) { return i < COUNTERS ? counters[i] : 0; }

/* A 64-bit hash of who was seated when and where: equal for programs that behave alike. */
EXPORT(digest) u64 digest(void) { return trail; }
