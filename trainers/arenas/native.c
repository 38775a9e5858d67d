/* Runs a natively compiled arena: words on standard input, a line a run on standard output.
 *
 *      native rows width size capacity work_bytes runs counters   ──▶  counter … digest nanoseconds
 *
 * Each run is a process of its own, as an arena's static data is only new once. native.py compiles this.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

long long run(const unsigned *words, unsigned rows, unsigned size, unsigned capacity, void *work);
long long counter(unsigned index);
unsigned long long digest(void);

static long long nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

int main(int count, char **words) {
    unsigned long n[7];
    for (int i = 0; i < 7; i++) n[i] = count == 8 ? strtoul(words[i + 1], 0, 10) : 0;
    size_t rows = n[0] * n[1];
    unsigned *trace = malloc(4 * rows + 1);
    if (!trace || fread(trace, 4, rows, stdin) != rows) return 2;
    for (unsigned long again = 0; again < n[5]; again++) {
        pid_t child = fork();
        if (child == 0) {
            void *work = calloc(1, n[4] + 1);
            long long began = nanoseconds();
            if (!work || run(trace, (unsigned)n[0], (unsigned)n[2], (unsigned)n[3], work)) _exit(3);
            long long took = nanoseconds() - began;
            for (unsigned i = 0; i < n[6]; i++) printf("%lld ", counter(i));
            printf("%llu %lld\n", digest(), took);
            fflush(stdout);
            _exit(0);
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child || status) return 4;
    }
    return 0;
}
