/* SPDX-License-Identifier: ISC */
/*
 * test_store_url.c - URLs of stores: how they are parsed, printed without their
 * password, and refused with a reason (U15).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "server/store_url.h"

#define TEN "0123456789"

/* The error of a build without the store of a URL; else NULL. */
static const char *
missing_store(const char *url)
{
    bool is_lmdb = strncmp(url, "lmdb:", 5) == 0;
    bool is_redis = strncmp(url, "unix:", 5) == 0 ||
                    strncmp(url, "redis://", 8) == 0 ||
                    strncmp(url, "redis+sentinel://", 17) == 0 ||
                    strncmp(url, "rediss://", 9) == 0;

    if (is_lmdb && !POSTERN_WITH_LMDB)
        return "or none, or configure --with-lmdb";
    if (is_redis && !POSTERN_WITH_REDIS)
        return "or none, or configure --with-redis";
    return NULL;
}

#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static void
test_good(void **state)
{
    static const struct {
        const char *text;
        const char *shown;
        struct store_url want;
    } rows[] = {
        {"none", "none", {.kind = STORE_NONE}},
        {"lmdb:/var/lib/postern",
         "lmdb:/var/lib/postern?size=256M",
         {.kind = STORE_LMDB,
          .path = "/var/lib/postern",
          .map_size = STORE_MAP_DEFAULT}},
        {"lmdb:///var/lib/postern?size=1G",
         "lmdb:/var/lib/postern?size=1G",
         {.kind = STORE_LMDB,
          .path = "/var/lib/postern",
          .map_size = 1024L * 1024 * 1024}},
        {"lmdb:/a%20b%3fc?size=1M",
         "lmdb:/a b?c?size=1M",
         {.kind = STORE_LMDB, .path = "/a b?c", .map_size = STORE_MAP_MIN}},
        {"redis://localhost",
         "redis://localhost:6379/0",
         {.kind = STORE_REDIS, .server = {"localhost", "6379"}}},
        {"redis://localhost/",
         "redis://localhost:6379/0",
         {.kind = STORE_REDIS, .server = {"localhost", "6379"}}},
        {"redis://joe:se%3Acr%2Fet@db.example:7000/3",
         "redis://joe:***@db.example:7000/3",
         {.kind = STORE_REDIS,
          .server = {"db.example", "7000"},
          .user = "joe",
          .password = "se:cr/et",
          .db = 3}},
        {"redis://:a@b:c@[2001:db8::1]:65535",
         "redis://:***@[2001:db8::1]:65535/0",
         {.kind = STORE_REDIS,
          .server = {"2001:db8::1", "65535"},
          .password = "a@b:c"}},
        {"redis://[::1]",
         "redis://[::1]:6379/0",
         {.kind = STORE_REDIS, .server = {"::1", "6379"}}},
        {"redis+sentinel://a:26380,b,[::1]:7/my%20master/2",
         "redis+sentinel://a:26380,b:26379,[::1]:7/my master/2",
         {.kind = STORE_REDIS,
          .sentinels = {{"a", "26380"}, {"b", "26379"}, {"::1", "7"}},
          .sentinel_count = 3,
          .master = "my master",
          .db = 2}},
        {"redis+sentinel://joe:secret@a/m",
         "redis+sentinel://joe:***@a:26379/m/0",
         {.kind = STORE_REDIS,
          .sentinels = {{"a", "26379"}},
          .sentinel_count = 1,
          .user = "joe",
          .password = "secret",
          .master = "m"}},
        {"unix:/run/redis.sock",
         "unix:/run/redis.sock?db=0",
         {.kind = STORE_REDIS, .path = "/run/redis.sock"}},
        {"unix:///run/redis.sock?db=9&user=joe&password=a%26b",
         "unix:/run/redis.sock?db=9",
         {.kind = STORE_REDIS,
          .path = "/run/redis.sock",
          .user = "joe",
          .password = "a&b",
          .db = 9}},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        const struct store_url *want = &rows[i].want;
        struct config_error error = {""};
        static struct store_url got;
        struct pst_str shown;
        struct pst_buf buf;
        char room[512];

        if (missing_store(rows[i].text))
            continue;
        if (store_url_parse(pst_str_from(rows[i].text), &got, &error) != PST_OK)
            fail_msg("row '%s' %s", rows[i].text, error.message);
        if (got.kind != want->kind || got.db != want->db ||
            got.map_size != want->map_size || strcmp(got.path, want->path) ||
            strcmp(got.server.host, want->server.host) ||
            strcmp(got.server.port, want->server.port) ||
            memcmp(got.sentinels, want->sentinels, sizeof(got.sentinels)) ||
            got.sentinel_count != want->sentinel_count ||
            strcmp(got.master, want->master) || strcmp(got.user, want->user) ||
            strcmp(got.password, want->password))
            fail_msg("row '%s': path '%s' host '%s' port '%s' user '%s'",
                     rows[i].text, got.path, got.server.host, got.server.port,
                     got.user);
        pst_buf_init(&buf, room, sizeof(room));
        store_url_emit(&buf, &got);
        assert_int_equal(pst_buf_finish(&buf, &shown), PST_OK);
        if (!pst_str_equal(shown, pst_str_from(rows[i].shown)))
            fail_msg("row '%s': shown as '%.*s'", rows[i].text, (int)shown.len,
                     shown.ptr);
    }
}

static void
test_bad(void **state)
{
    static const struct {
        const char *text;
        const char *error;
    } rows[] = {
        {"", "must be one of"},
        {"None", "must be one of"},
        {"none ", "must be one of"},
        {"/var/lib/postern", "must be one of"},
        {"file:/var/lib/postern", "must be one of"},
        {"REDIS://localhost", "must be one of"},
        {"rediss://localhost", "TLS"},
        {"redis+sentinel://", "has no host"},
        {"redis+sentinel://a", "the name of the master"},
        {"redis+sentinel://a/", "the name of the master"},
        {"redis+sentinel://a//0", "the name of the master"},
        {"redis+sentinel://a,/m", "has no host"},
        {"redis+sentinel://,a/m", "has no host"},
        {"redis+sentinel://a:0/m", "port"},
        {"redis+sentinel://a/m/x", "database"},
        {"redis+sentinel://a,a,a,a,a,a,a,a/m", "more than 7 sentinels"},
        {"redis://a,b", "host"},
        {"lmdb:", "path"},
        {"lmdb:var/lib", "path"},
        {"lmdb://host/var", "path"},
        {"lmdb:/a%00b", "NUL"},
        {"lmdb:/a?size=", "size"},
        {"lmdb:/a?size=1023K", "size"},
        {"lmdb:/a?size=1025G", "size"},
        {"lmdb:/a?size=1M&db=1", "option"},
        {"lmdb:/a?", "option"},
        {"lmdb:/" HUNDRED HUNDRED HUNDRED, "255"},
        {"unix:run/redis.sock", "path"},
        {"unix:/" HUNDRED TEN, "107"},
        {"unix:/a?size=1M", "option"},
        {"unix:/a?db=x", "database"},
        {"unix:/a?user=joe", "without a password"},
        {"redis://", "host"},
        {"redis://:pw@", "host"},
        {"redis://[::1", "]"},
        {"redis://[::1]x", "]"},
        {"redis://a:0", "port"},
        {"redis://a:65536", "port"},
        {"redis://a:", "port"},
        {"redis://a:1:2", "port"},
        {"redis://a/x", "database"},
        {"redis://a/-1", "database"},
        {"redis://a/65536", "database"},
        {"redis://a/1/2", "database"},
        {"redis://a/1?db=2", "database"},
        {"redis://joe@a", "without a password"},
        {"redis://joe:@a", "without a password"},
        {"redis://:a%00@b", "NUL"},
        {"redis://:" HUNDRED HUNDRED HUNDRED "@b", "255"},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        struct store_url got = {.db = -7};
        struct config_error error = {""};
        struct pst_str text = pst_str_from(rows[i].text);
        const char *missing = missing_store(rows[i].text);
        const char *want = missing ? missing : rows[i].error;

        if (store_url_parse(text, &got, &error) != PST_BAD_CONFIG ||
            got.db != -7)
            fail_msg("row '%s' is taken", rows[i].text);
        if (!strstr(error.message, want))
            fail_msg("row '%s' %s", rows[i].text, error.message);
    }
}

/* A build refuses the URLs of a store that it was configured without, with any
 * text after the scheme, and has a default that it accepts. */
static void
test_build(void **state)
{
    static const char *const urls[] = {"lmdb:/var/lib/postern",
                                       "unix:/run/redis.sock",
                                       "redis://localhost", "rediss://a"};
    struct config_error error = {""};
    struct store_url got;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(urls); i++) {
        const char *missing = missing_store(urls[i]);

        if (!missing)
            continue;
        if (store_url_parse(pst_str_from(urls[i]), &got, &error) !=
                PST_BAD_CONFIG ||
            !strstr(error.message, missing))
            fail_msg("row '%s' %s", urls[i], error.message);
    }
    assert_int_equal(
        store_url_parse(pst_str_from(STORE_URL_DEFAULT), &got, &error), PST_OK);
    assert_int_equal(got.kind, POSTERN_WITH_LMDB ? STORE_LMDB : STORE_NONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_build),
    };

    return cmocka_run_group_tests_name("store_url", tests, NULL, NULL);
}
