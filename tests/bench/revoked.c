/* SPDX-License-Identifier: ISC */
/*
 * revoked.c - measure store_check() with LMDB: the time of one check and the
 * mapped memory, as the number of revoked sessions grows.
 *
 *   revoked FOLDER [COUNT…]
 *
 * FOLDER must not exist yet. On a file system in memory it is filled faster;
 * the time of a check is the same, because it reads mapped pages.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/crypto.h"
#include "store/store.h"

#define CHECKS 1000000
#define NOW 1800000000

static double
seconds(void)
{
    struct timespec now;

    PST_REQUIRE(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The id of the n-th session: as scattered as a hash, but cheap. */
static struct store_id
id_of(uint64_t n)
{
    struct store_id id;

    for (size_t i = 0; i < PST_HASH_LEN; i += sizeof(n)) {
        n = (n ^ n >> 31) * 0x9e3779b97f4a7c15u + i + 1;
        n ^= n >> 29;
        memcpy(id.bytes + i, &n, sizeof(n));
    }
    return id;
}

/* KiB of the process's memory that are mapped from files; -1: unknown. */
static long
mapped(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long kib = -1;

    if (!file)
        return -1;
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "RssFile: %ld", &kib) == 1 ||
            sscanf(line, "RssShmem: %ld", &kib) == 1) {
            if (kib > 0 && strncmp(line, "RssShmem", 8) == 0)
                break;
        }
    }
    (void)fclose(file);
    return kib;
}

static int
fill(struct store *store, unsigned long from, unsigned long to)
{
    for (unsigned long n = from; n < to; n++) {
        struct store_id sid = id_of(n);

        if (store_revoke(store, &sid, NULL, NOW + 86400, NOW) != PST_OK) {
            (void)fprintf(stderr, "revoked: %s\n", store_error(store));
            return -1;
        }
    }
    return 0;
}

/* Nanoseconds of one check of the sessions `first` to `first + count - 1`. */
static double
ask(struct store *store, uint64_t first, uint64_t count, enum pst_err want)
{
    const struct store_id subject = id_of(UINT64_MAX);
    double begin;
    double hashing;

    begin = seconds();
    for (uint64_t n = 0; n < CHECKS; n++) {
        volatile struct store_id sid = id_of(first + n * 7919 % count);

        (void)sid;
    }
    hashing = seconds() - begin;
    begin = seconds();
    for (uint64_t n = 0; n < CHECKS; n++) {
        struct store_id sid = id_of(first + n * 7919 % count);

        PST_REQUIRE(store_check(store, &sid, &subject, NOW) == want);
    }
    return (seconds() - begin - hashing) / CHECKS * 1e9;
}

static int
run(struct store *store, int argc, char **argv)
{
    static const char *const defaults[] = {"1000", "10000", "100000",
                                           "1000000"};
    size_t rounds = argc > 2 ? (size_t)argc - 2 : PST_COUNT(defaults);
    unsigned long filled = 0;

    (void)printf("%10s %14s %14s %12s\n", "revoked", "ns if revoked",
                 "ns if not", "mapped KiB");
    for (size_t i = 0; i < rounds; i++) {
        unsigned long count =
            strtoul(argc > 2 ? argv[i + 2] : defaults[i], NULL, 10);
        double yes;
        double no;

        if (count < filled || fill(store, filled, count) != 0)
            return 1;
        filled = count;
        (void)ask(store, 0, count, PST_REVOKED); /* warm */
        yes = ask(store, 0, count, PST_REVOKED);
        no = ask(store, UINT64_C(1) << 40, CHECKS, PST_OK);
        (void)printf("%10lu %14.0f %14.0f %12ld\n", count, yes, no, mapped());
        (void)fflush(stdout);
    }
    return 0;
}

int
main(int argc, char **argv)
{
    struct config_error reason = {""};
    struct store *store = NULL;
    static struct store_url url; /* too large for a frame */
    char text[512];
    int status;

    if (argc < 2) {
        (void)fprintf(stderr, "usage: revoked FOLDER [COUNT...]\n");
        return 2;
    }
    (void)snprintf(text, sizeof(text), "lmdb:%s?size=4G", argv[1]);
    if (pst_crypto_init() != PST_OK ||
        store_url_parse(pst_str_from(text), &url, &reason) != PST_OK ||
        store_open(&store, &url, PST_STR("bench")) != PST_OK) {
        (void)fprintf(stderr, "revoked: %s %s\n", text, reason.message);
        return 1;
    }
    status = run(store, argc, argv);
    store_close(&store);
    return status;
}
