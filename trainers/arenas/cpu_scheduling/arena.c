/* The arena of cpu_scheduling: the machine of machine.h, asked questions answered by one candidate.
 *
 *      ask_score, ask_slice, ask_wake, ask_run, ask_period ── features at FEATURES ──▶ the candidate's functions
 *
 * kind.py gives the slots and says which function sees which.
 */

#include "machine.h"

#define FEATURES ((s64 *)4096)
enum { NOW, N_RUN, MIN_REG, MEAN_REG, MEAN_BURST, CPU_COUNT, LOAD,
       REG, USED, TOTAL, EWMA, LAST_BURST, WEIGHT, TASK_BURSTS, SINCE_WAKE, SLEPT,
       WAIT, CURRENT, SLICE_USED, RAN, EXPIRED };

#define IMPORT(function) __attribute__((import_module("candidate"), import_name(#function))) s64 function(void)

IMPORT(run_score);
IMPORT(slice);
IMPORT(on_wake);
IMPORT(on_run);
IMPORT(on_period);

static void show(const struct task *task, u32 time) {
    FEATURES[NOW] = time;
    FEATURES[N_RUN] = visible;
    FEATURES[MIN_REG] = least_reg;
    FEATURES[MEAN_REG] = mean_reg;
    FEATURES[MEAN_BURST] = counters[BURSTS] ? (s64)(served / (u64)counters[BURSTS]) : 0;
    FEATURES[LOAD] = load >> 10;
    FEATURES[REG] = task->reg;
    FEATURES[USED] = task->used;
    FEATURES[TOTAL] = task->total;
    FEATURES[EWMA] = task->ewma;
    FEATURES[LAST_BURST] = task->last_burst;
    FEATURES[WEIGHT] = rows[task->row].weight;
    FEATURES[TASK_BURSTS] = task->bursts;
    FEATURES[SINCE_WAKE] = time - task->ready;
    FEATURES[SLEPT] = task->slept;
}

static s64 ask_score(const struct task *task, u32 time, u32 wait, u32 current, u32 slice_used) {
    show(task, time);
    FEATURES[WAIT] = wait;
    FEATURES[CURRENT] = current;
    FEATURES[SLICE_USED] = slice_used;
    return run_score();
}

static s64 ask_slice(const struct task *task, u32 time) {
    show(task, time);
    FEATURES[WAIT] = time - task->since;
    return slice();
}

static s64 ask_wake(const struct task *task) {
    show(task, now);
    return on_wake();
}

static s64 ask_run(const struct task *task, u32 time, u32 ran, u32 expired) {
    show(task, time);
    FEATURES[RAN] = ran;
    FEATURES[EXPIRED] = expired;
    return on_run();
}

static s64 ask_period(const struct task *task, u32 wait) {
    show(task, now);
    FEATURES[WAIT] = wait;
    return on_period();
}

/* Serve `number` bursts of at most `size` tasks on `machine` CPUs. */
EXPORT(run) s64 run(const u32 *words, u32 number, u32 size, u32 machine, void *work) {
    prepare(words, number, size, machine, work);
    FEATURES[CPU_COUNT] = cpus;
    run_machine();
    return 0;
}
