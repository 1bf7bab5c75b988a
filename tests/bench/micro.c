/* SPDX-License-Identifier: ISC */
/*
 * micro.c - measure the pieces of one query: their time, or, under callgrind,
 * their instructions.
 *
 *   micro          print the nanoseconds of each, and how often libgcrypt alone
 *                  would do in that time
 *   micro COUNT    run each COUNT times; print what decides how many
 *                  instructions that takes, then the names in order
 *                  (tests/bench/count runs this under callgrind)
 */
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include <gcrypt.h>
#include <json-c/json_c_version.h>
#if POSTERN_WITH_LMDB
#include <lmdb.h>
#endif

#include "base/base.h"
#include "pieces.h"

#define PIECES_MAX 32
#define ROUNDS 400 /* the fastest one counts: machines are shared */
#define ROUND_NANOSECONDS 1e6
#define WARM_UP 100

#ifdef __clang__
#define COMPILER "clang-" __clang_version__
#else
#define COMPILER "gcc-" __VERSION__
#endif

/* Callgrind counts within this function only. It knows it by its name. */
void repeat(void (*run)(void), size_t count);

__attribute__((noinline)) void
repeat(void (*run)(void), size_t count)
{
    for (size_t i = 0; i < count; i++)
        run();
}

static double
nanoseconds(void)
{
    struct timespec now;

    PST_REQUIRE(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Nanoseconds of one run, on the average of many. */
static double
measure(void (*run)(void), size_t count)
{
    const double begin = nanoseconds();

    repeat(run, count);
    return (nanoseconds() - begin) / (double)count;
}

/* The pieces take turns: what disturbs a round disturbs all of them. */
static void
print_times(void)
{
    double best[PIECES_MAX];
    size_t count[PIECES_MAX];

    PST_REQUIRE(piece_count <= PIECES_MAX);
    for (size_t i = 0; i < piece_count; i++) {
        best[i] = measure(pieces[i].run, WARM_UP);
        count[i] = (size_t)(ROUND_NANOSECONDS / best[i]) + 1;
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < piece_count; i++) {
            const double spent = measure(pieces[i].run, count[i]);

            best[i] = spent < best[i] ? spent : best[i];
        }
    }
    (void)printf("| piece | ns | of libgcrypt alone |\n|---|---:|---:|\n");
    for (size_t i = 0; i < piece_count; i++)
        (void)printf("| %s | %.0f | %.2f |\n", pieces[i].what, best[i],
                     best[i] / best[0]);
}

/*
 * Print the processor that the program sees. glibc and libgcrypt choose their
 * code by it. Valgrind shows one of a few old models instead of the real one,
 * so machines with different processors share a line of the list.
 */
static void
print_processor(void)
{
#if defined(__x86_64__) || defined(__i386__)
    unsigned a = 0;
    unsigned name[3] = {0};
    unsigned c = 0;
    unsigned d = 0;
    unsigned family;

    PST_REQUIRE(__get_cpuid(0, &a, &name[0], &name[2], &name[1]) == 1);
    (void)printf("%.12s", (const char *)name);
    PST_REQUIRE(__get_cpuid(1, &a, &name[0], &c, &d) == 1);
    family = (a >> 8 & 0xf) + (a >> 20 & 0xff);
    (void)printf("-%u-%u", family, (a >> 4 & 0xf) | (a >> 12 & 0xf0));
#elif defined(__aarch64__)
    (void)printf("aarch64");
#else
    (void)printf("other");
#endif
}

static void
print_family(void)
{
    print_processor();
    (void)printf(" %s glibc-%s libgcrypt-%s json-c-%s", COMPILER,
                 gnu_get_libc_version(), gcry_check_version(NULL),
                 json_c_version());
#if POSTERN_WITH_LMDB
    (void)printf(" lmdb-%d.%d.%d", MDB_VERSION_MAJOR, MDB_VERSION_MINOR,
                 MDB_VERSION_PATCH);
#endif
#ifndef __OPTIMIZE__
    (void)printf(" not-optimized");
#endif
    (void)printf("\n");
}

int
main(int argc, char **argv)
{
    size_t count = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;

    if (argc > 2 || (argc == 2 && count == 0)) {
        (void)fprintf(stderr, "usage: micro [COUNT]\n");
        return 2;
    }
    pieces_init();
    if (count == 0) {
        print_times();
    } else {
        print_family();
        for (size_t i = 0; i < piece_count; i++) {
            for (size_t k = 0; k < WARM_UP; k++)
                pieces[i].run();
            repeat(pieces[i].run, count);
            (void)printf("%s\n", pieces[i].name);
        }
    }
    pieces_fini();
    return 0;
}
