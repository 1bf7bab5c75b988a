/* SPDX-License-Identifier: ISC */
/*
 * test_keyring_cache.c - the secret file changes while requests are running.
 */
#include "server/keyring_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/crypto.h"

#define NOW 1700000000
#define FIRST "Vb7nC2xZ9qLw4TtRk8MdYp3GhJ6sXaFe"
#define SECOND "Kq3vX0c7mJ2yR9tLw5ZbN8dFhG1sPuEa"
#define THREADS 4
#define ROUNDS 2000

static struct {
    char path[64];
    char log_path[80];
    struct log *log;
    struct config *config;
    struct keyring_cache *cache;
} world;

/* Replace the file as `postern secret --rotate` does: it gets another inode,
 * but perhaps the same time. */
static void
put(const char *text)
{
    char beside[80];
    FILE *file;

    snprintf(beside, sizeof(beside), "%s.new", world.path);
    file = fopen(beside, "w");
    assert_non_null(file);
    assert_int_equal(chmod(beside, 0600), 0);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(beside, world.path), 0);
}

static int
begin(void **state)
{
    char variable[128];
    const char *const list[] = {variable, "POSTERN_STORE=none",
                                "POSTERN_UPSTREAM=http://127.0.0.1:9/", NULL};
    int descriptor;

    (void)state;
    snprintf(world.path, sizeof(world.path), "/tmp/postern-keys-XXXXXX");
    descriptor = mkstemp(world.path);
    assert_true(descriptor >= 0);
    close(descriptor);
    put(FIRST);
    snprintf(variable, sizeof(variable), "COOKIE_SESSION_SECRET_FILE=%s",
             world.path);
    assert_int_equal(pst_crypto_init(), PST_OK);
    assert_int_equal(config_new(&world.config, list, NULL), PST_OK);
    snprintf(world.log_path, sizeof(world.log_path), "%s.log", world.path);
    assert_int_equal(
        log_open(&world.log, world.log_path, LOG_LOGFMT, LEVEL_INFO, "test"),
        PST_OK);
    assert_int_equal(
        keyring_cache_new(&world.cache, world.config, world.log, NULL), PST_OK);
    return 0;
}

static int
end(void **state)
{
    (void)state;
    keyring_cache_free(&world.cache);
    assert_null(world.cache);
    config_free(&world.config);
    log_close(&world.log);
    unlink(world.log_path);
    unlink(world.path);
    return 0;
}

/* How many log lines there are for an event. */
static size_t
count_logged(const char *event)
{
    FILE *file = fopen(world.log_path, "r");
    char line[2048];
    size_t count = 0;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        if (strstr(line, event))
            count++;
    fclose(file);
    return count;
}

/* The key id that the first of these secrets seals with. */
static struct pst_kid
kid_of(const char *secrets)
{
    struct pst_keyring *ring = NULL;
    const char *reason = "";
    struct pst_kid kid;

    assert_int_equal(pst_keyring_new(&ring, pst_str_from(secrets),
                                     world.config->audience, &reason),
                     PST_OK);
    kid = pst_keyring_kid(ring, NOW);
    pst_keyring_free(&ring);
    return kid;
}

static bool
is_first(const struct keyring_cache_entry *entry, const char *secret)
{
    struct pst_kid kid = kid_of(secret);

    return pst_keyring_is_first(keyring_cache_ring(entry), &kid);
}

static bool
opens(const struct keyring_cache_entry *entry, const char *secret)
{
    struct pst_kid kid = kid_of(secret);
    struct pst_key key;
    enum pst_err e = pst_keyring_key(keyring_cache_ring(entry), &kid,
                                     PST_A256GCM, PST_PURPOSE_COOKIE, &key);

    pst_crypto_wipe(&key, sizeof(key));
    return e == PST_OK;
}

static void
a_new_file_is_seen_within_a_second(void **state)
{
    struct keyring_cache_entry *before =
        keyring_cache_acquire(world.cache, NOW);
    struct keyring_cache_entry *same;
    struct keyring_cache_entry *after;

    (void)state;
    assert_true(is_first(before, FIRST));
    put(SECOND "\n" FIRST "\n");
    same = keyring_cache_acquire(world.cache,
                                 NOW); /* not checked twice in a second */
    assert_true(is_first(same, FIRST));
    after = keyring_cache_acquire(world.cache, NOW + 1);
    assert_true(is_first(after, SECOND));
    assert_true(opens(after, FIRST));

    /* A request that began with the old keys keeps them. */
    assert_true(is_first(before, FIRST) && !opens(before, SECOND));
    keyring_cache_release(world.cache, before);
    assert_true(is_first(same, FIRST));
    keyring_cache_release(world.cache, same);
    keyring_cache_release(world.cache, after);
}

static void
an_unchanged_file_is_the_same_ring(void **state)
{
    struct keyring_cache_entry *one = keyring_cache_acquire(world.cache, NOW);
    struct keyring_cache_entry *two =
        keyring_cache_acquire(world.cache, NOW + 5);

    (void)state;
    assert_ptr_equal(one, two);
    keyring_cache_release(world.cache, one);
    keyring_cache_release(world.cache, two);
}

/* If the new file is invalid in any way, the old keys stay in use. */
static void
a_bad_file_keeps_the_old_secrets(void **state)
{
    static const struct {
        const char *name;
        const char *text; /* NULL: the file is missing */
        mode_t mode;
    } rows[] = {
        {"too short", "short", 0600},
        {"empty", "", 0600},
        {"given twice", FIRST " " FIRST, 0600},
        {"one good, one bad", SECOND " secretsecretsecret", 0600},
        {"a control byte", SECOND "\x01", 0600},
        {"everybody may read it", SECOND, 0604},
        {"away", NULL, 0},
    };
    int64_t now = NOW;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct keyring_cache_entry *entry;

        if (rows[i].text) {
            put(rows[i].text);
            assert_int_equal(chmod(world.path, rows[i].mode), 0);
        } else {
            assert_int_equal(unlink(world.path), 0);
        }
        now += 2;
        entry = keyring_cache_acquire(world.cache, now);
        if (!is_first(entry, FIRST) || opens(entry, SECOND))
            fail_msg("%s: the secrets have changed", rows[i].name);
        keyring_cache_release(world.cache, entry);
        /* The same on SIGHUP. */
        keyring_cache_reload(world.cache);
        entry = keyring_cache_acquire(world.cache, now);
        if (!is_first(entry, FIRST) || opens(entry, SECOND))
            fail_msg("%s: the secrets have changed by a hangup", rows[i].name);
        keyring_cache_release(world.cache, entry);
    }
    put(SECOND);
    {
        struct keyring_cache_entry *entry =
            keyring_cache_acquire(world.cache, now + 2);

        assert_true(is_first(entry, SECOND)); /* repaired */
        keyring_cache_release(world.cache, entry);
    }
}

/* SIGHUP does not wait until the second is over. */
static void
a_hangup_reads_at_once(void **state)
{
    struct keyring_cache_entry *entry = keyring_cache_acquire(world.cache, NOW);

    (void)state;
    keyring_cache_release(world.cache, entry);
    put(SECOND);
    keyring_cache_reload(world.cache);
    entry = keyring_cache_acquire(world.cache, NOW);
    assert_true(is_first(entry, SECOND));
    keyring_cache_release(world.cache, entry);
}

/* A file that was read on SIGHUP was once read and logged again a second
 * later. */
static void
a_hangup_reads_once(void **state)
{
    struct keyring_cache_entry *by_hangup;
    struct keyring_cache_entry *later;

    (void)state;
    put(SECOND);
    keyring_cache_reload(world.cache);
    by_hangup = keyring_cache_acquire(world.cache, NOW);
    later = keyring_cache_acquire(world.cache, NOW + 5);
    assert_ptr_equal(by_hangup, later);
    assert_int_equal(count_logged("event=secrets-read"), 1);
    keyring_cache_release(world.cache, by_hangup);
    keyring_cache_release(world.cache, later);
}

/* The secrets are rotated after the configuration was read and before the cache
 * is made: that was once not noticed until the next rotation. */
static void
a_rotation_at_the_start_is_seen(void **state)
{
    struct keyring_cache_entry *entry;

    (void)state;
    keyring_cache_free(&world.cache);
    put(SECOND " " FIRST);
    assert_int_equal(
        keyring_cache_new(&world.cache, world.config, world.log, NULL), PST_OK);
    entry = keyring_cache_acquire(world.cache, NOW);
    assert_true(is_first(entry, SECOND));
    assert_int_equal(count_logged("event=secrets"), 0);
    keyring_cache_release(world.cache, entry);
}

/* If the file is invalid at that time, that is logged once. */
static void
a_bad_file_at_the_start_is_logged(void **state)
{
    (void)state;
    keyring_cache_free(&world.cache);
    put("short");
    assert_int_equal(
        keyring_cache_new(&world.cache, world.config, world.log, NULL), PST_OK);
    for (int64_t i = 0; i < 3; i++) {
        struct keyring_cache_entry *entry =
            keyring_cache_acquire(world.cache, NOW + i);

        assert_true(is_first(entry, FIRST));
        keyring_cache_release(world.cache, entry);
    }
    assert_int_equal(count_logged("event=secrets-refused"), 1);
}

/* chmod(1) repairs a file that was refused for its mode; its modification time
 * stays the same. */
static void
a_mended_mode_is_seen(void **state)
{
    struct keyring_cache_entry *entry;

    (void)state;
    put(SECOND);
    assert_int_equal(chmod(world.path, 0604), 0);
    entry = keyring_cache_acquire(world.cache, NOW);
    assert_true(is_first(entry, FIRST));
    keyring_cache_release(world.cache, entry);
    assert_int_equal(chmod(world.path, 0600), 0);
    entry = keyring_cache_acquire(world.cache, NOW + 1);
    keyring_cache_release(world.cache, entry);
    assert_int_equal(count_logged("event=secrets-read"), 1);
}

static void
without_a_file_there_is_nothing_to_read(void **state)
{
    static const char *const list[] = {
        "COOKIE_SESSION_SECRET=" FIRST, "POSTERN_STORE=none",
        "POSTERN_UPSTREAM=http://127.0.0.1:9/", NULL};
    struct config *config = NULL;
    struct keyring_cache *cache = NULL;
    struct keyring_cache_entry *entry;

    (void)state;
    assert_int_equal(config_new(&config, list, NULL), PST_OK);
    assert_int_equal(keyring_cache_new(&cache, config, NULL, NULL), PST_OK);
    entry = keyring_cache_acquire(cache, NOW);
    keyring_cache_reload(cache);
    assert_true(is_first(entry, FIRST));
    keyring_cache_release(cache, entry);
    entry = keyring_cache_acquire(cache, NOW + 10);
    assert_true(is_first(entry, FIRST));
    keyring_cache_release(cache, entry);
    keyring_cache_free(&cache);
    config_free(&config);
}

/* Acquire and release; count how often the keys are neither FIRST nor SECOND.
 */
static void *
use(void *unused)
{
    struct pst_kid first = kid_of(FIRST);
    struct pst_kid second = kid_of(SECOND);
    size_t wrong = 0;

    (void)unused;
    for (int64_t i = 0; i < ROUNDS; i++) {
        struct keyring_cache_entry *entry =
            keyring_cache_acquire(world.cache, NOW + i);
        const struct pst_keyring *ring = keyring_cache_ring(entry);

        if (!pst_keyring_is_first(ring, &first) &&
            !pst_keyring_is_first(ring, &second))
            wrong++;
        keyring_cache_release(world.cache, entry);
    }
    return wrong == 0 ? NULL : &world;
}

/* Many threads, while the file changes all the time. */
static void
many_use_it_while_it_changes(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, NULL), 0);
    for (size_t i = 0; i < 200; i++) {
        put(i % 2 == 0 ? SECOND " " FIRST : FIRST " " SECOND);
        if (i % 5 == 0)
            keyring_cache_reload(world.cache);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *wrong = &world;

        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
}

/* A disk that does not answer: the calls run when a test says so, or never. */
static struct {
    void (*fn)(void *argument);
    void *argument;
    size_t count;
    bool refuses;
} disk;

static bool
note_call(void *context, void (*fn)(void *argument), void *argument)
{
    (void)context;
    disk.count++;
    disk.fn = fn;
    disk.argument = argument;
    return !disk.refuses;
}

/* Does a request at this time get keys that seal with this secret? */
static bool
seals_with(const char *secret, int64_t now)
{
    struct keyring_cache_entry *entry = keyring_cache_acquire(world.cache, now);
    bool result = is_first(entry, secret);

    keyring_cache_release(world.cache, entry);
    return result;
}

static void
a_disk_that_hangs_holds_nobody(void **state)
{
    const struct keyring_cache_runner runner = {note_call, NULL};

    (void)state;
    memset(&disk, 0, sizeof(disk));
    keyring_cache_free(&world.cache);
    assert_int_equal(
        keyring_cache_new(&world.cache, world.config, world.log, &runner),
        PST_OK);
    put(SECOND);
    for (int64_t now = NOW; now < NOW + 5; now++)
        assert_true(seals_with(FIRST, now));
    assert_int_equal(disk.count, 1); /* the others do not wait for it, too */
    disk.fn(disk.argument);
    assert_true(seals_with(SECOND, NOW + 5));
    assert_int_equal(disk.count, 2);
    disk.fn(disk.argument);

    /* Nobody has time for a check: the next second's request tries again. */
    put(FIRST);
    disk.refuses = true;
    assert_true(seals_with(SECOND, NOW + 6));
    assert_true(seals_with(SECOND, NOW + 7));
    assert_int_equal(disk.count, 4);
    disk.refuses = false;
    assert_true(seals_with(SECOND, NOW + 8));
    disk.fn(disk.argument);
    assert_true(seals_with(FIRST, NOW + 9));
    disk.fn(disk.argument);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_file_is_seen_within_a_second,
                                        begin, end),
        cmocka_unit_test_setup_teardown(an_unchanged_file_is_the_same_ring,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_bad_file_keeps_the_old_secrets, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_hangup_reads_at_once, begin, end),
        cmocka_unit_test_setup_teardown(a_hangup_reads_once, begin, end),
        cmocka_unit_test_setup_teardown(a_rotation_at_the_start_is_seen, begin,
                                        end),
        cmocka_unit_test_setup_teardown(a_bad_file_at_the_start_is_logged,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_mended_mode_is_seen, begin, end),
        cmocka_unit_test_setup_teardown(without_a_file_there_is_nothing_to_read,
                                        begin, end),
        cmocka_unit_test_setup_teardown(a_disk_that_hangs_holds_nobody, begin,
                                        end),
        cmocka_unit_test_setup_teardown(many_use_it_while_it_changes, begin,
                                        end),
    };

    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
