/* SPDX-License-Identifier: ISC */
/*
 * test_lmdb_readers.c - nobody reads while the map is replaced.
 */
#include <pthread.h>

#include "store/lmdb_readers.h"
#include "stores.h"

#define READERS 3
#define STOPS 2000

static struct lmdb_readers readers;
static int resource; /* written while nobody reads, without a lock */
static atomic_bool is_over;

static void *
read_often(void *unused)
{
    struct lmdb_reader reader = {.txn = NULL};
    long sum = 0;

    (void)unused;
    lmdb_readers_add(&readers, &reader);
    while (!atomic_load(&is_over)) {
        lmdb_readers_enter(&readers, &reader);
        sum += resource;
        lmdb_readers_leave(&reader);
    }
    lmdb_readers_remove(&readers, &reader);
    return sum > 0 ? &resource : NULL;
}

/* ThreadSanitizer reports a race when this is wrong. */
static void
test_stop(void **state)
{
    pthread_t threads[READERS];

    (void)state;
    lmdb_readers_init(&readers);
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, NULL),
                         0);
    for (int i = 0; i < STOPS; i++) {
        lmdb_readers_stop(&readers);
        resource++;
        lmdb_readers_resume(&readers);
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(resource, STOPS);
    lmdb_readers_fini(&readers);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stop)};

    return cmocka_run_group_tests_name("lmdb_readers", tests, NULL, NULL);
}
