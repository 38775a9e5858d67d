/* What only somebody who knows the future can do: the oracle and the bound of cpu_scheduling.
 *
 *      srpt    the machine of machine.h, run by who sees the rest of each burst: shortest remaining time first
 *      bound   no machine: counters that no schedule of these rows on this machine can go below
 *
 * The bound charges a task's first burst the way to the next tick, a switch, and itself; a later one only itself.
 * Where every task has one burst and all weigh the same, the sum of response times is also at least that of
 * preemptive SRPT on one CPU of `machine` times the speed, which is optimal there (Schrage 1968; the faster CPU can
 * do whatever several can: Chou, Queyranne and Simchi-Levi 2006). The textbook's policies are programs: classics/.
 */

#include "machine.h"

static s64 ask_score(const struct task *task, u32 time, u32 wait, u32 current, u32 slice_used) {
    (void)time, (void)wait, (void)current, (void)slice_used;
    return -(s64)(rows[task->row].burst - task->used);
}

static s64 ask_slice(const struct task *task, u32 time) {
    (void)task, (void)time;
    return SLICE_MAX;
}

static s64 ask_wake(const struct task *task) { return task->reg; }

static s64 ask_run(const struct task *task, u32 time, u32 ran, u32 expired) {
    (void)time, (void)ran, (void)expired;
    return task->reg;
}

static s64 ask_period(const struct task *task, u32 wait) {
    (void)wait;
    return task->reg;
}

/* Least sum of response times where each task is one burst. Time runs `cpus` times as fast, so all stays whole. */
static u64 shortest_first(void) {
    u64 sum = 0, clock = 0;
    for (u32 next = 0, ready = 0; next < row_count || ready;) {
        u64 arrives = next < row_count ? (u64)to_tick(rows[next].time - rows[0].time) * cpus : ~0ull;
        if (!ready && clock < arrives) clock = arrives;
        if (arrives <= clock) {
            heap_push(&ready, (u64)(rows[next].burst + SWITCH) << 32, next);
            next++;
            continue;
        }
        u64 left = heap[0].key >> 32, until = clock + left <= arrives ? clock + left : arrives;
        u32 row = heap_pop(&ready);
        left -= until - clock;
        clock = until;
        if (left) heap_push(&ready, left << 32, row);
        else sum += clock - (u64)(rows[row].time - rows[0].time) * cpus;
    }
    return (sum + cpus - 1) / cpus;
}

static void least(void) {
    u32 single = 1;
    for (u32 i = 0; i < row_count; i++) {
        u32 id = rows[i].task, first = tasks[id].first == i + 1, at = rows[i].time - rows[0].time;
        u32 begins = first ? to_tick(at) : tasks[id].ready + rows[i].sleep, wait = first ? begins - at : 0;
        u32 takes = rows[i].burst + (first ? SWITCH : 0);
        ASSERT(begins < TIME_MAX && takes < TIME_MAX - begins);
        tasks[id].ready = begins + takes;
        count(i, wait + takes);
        counters[SWITCHES] += first;
        if (wait > counters[LONGEST_WAIT]) counters[LONGEST_WAIT] = wait;
        single &= first && rows[i].weight == rows[0].weight;
    }
    u32 number = (u32)counters[BURSTS];
    if (number) counters[P99_SLOWDOWN] = of_rank(slowdowns, number, number - number / 100 - 1);
    s64 sum = single ? (s64)shortest_first() * rows[0].weight : 0;
    if (sum > counters[WEIGHTED_RESPONSE]) counters[WEIGHTED_RESPONSE] = sum;
}

/* Run a policy by its number in kind.py. */
EXPORT(run) s64 run(const u32 *words, u32 number, u32 size, u32 machine, void *work, u32 policy) {
    ASSERT(policy <= 1);
    prepare(words, number, size, machine, work);
    if (policy == 0) run_machine(); else least();
    return 0;
}
