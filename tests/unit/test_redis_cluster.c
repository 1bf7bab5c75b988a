/* SPDX-License-Identifier: ISC */
/*
 * test_redis_cluster.c - MOVED and ASK: commands go where they say, one by one,
 * and never in circles.
 */
#include <stdio.h>
#include <string.h>

#include "engine/loop.h"
#include "redis_peer.h"
#include "store/redis_cluster.h"
#include "stores.h"

static struct redis_peer peers[3];
static struct store *store;

/* Open a store at the first peer. */
static int
set_up(void **state)
{
    char url[64];

    (void)state;
    for (size_t i = 0; i < PST_COUNT(peers); i++)
        redis_peer_init(&peers[i]);
    (void)snprintf(url, sizeof(url), "redis://127.0.0.1:%s", peers[0].port);
    store = stores_open_url(url, "shop");
    return 0;
}

static int
tear_down(void **state)
{
    (void)state;
    store_close(&store);
    for (size_t i = 0; i < PST_COUNT(peers); i++)
        redis_peer_fini(&peers[i]);
    return 0;
}

static enum pst_err
check(void)
{
    struct store_id sid = stores_id(1);
    struct store_id subject = stores_id(2);

    return store_check(store, &sid, &subject, NOW);
}

static enum pst_err
end(void)
{
    struct store_id sid = stores_id(1);

    return store_revoke(store, &sid, NULL, NOW + 3600, NOW);
}

static void
expect(enum pst_err got, enum pst_err want)
{
    stores_expect(store, "call", got, want);
}

static void
test_parse(void **state)
{
    static const struct {
        const char *error;
        const char *host; /* NULL: no redirection */
        const char *port;
        bool is_ask;
    } rows[] = {
        {"MOVED 3999 127.0.0.1:6381", "127.0.0.1", "6381", false},
        {"ASK 3999 db.example:6381", "db.example", "6381", true},
        {"MOVED 3999 ::1:6381", "::1", "6381", false},
        {"MOVED 3999 :6381", "", "6381", false},
        {"MOVED 3999 127.0.0.1", NULL, NULL, false},
        {"MOVED 3999 127.0.0.1:", NULL, NULL, false},
        {"MOVED 3999 127.0.0.1:0", NULL, NULL, false},
        {"MOVED 3999 127.0.0.1:65536", NULL, NULL, false},
        {"MOVED 3999", NULL, NULL, false},
        {"MOVED", NULL, NULL, false},
        {"", NULL, NULL, false},
        {"moved 3999 a:1", NULL, NULL, false},
        {"ERR a b:1", NULL, NULL, false},
        {"TRYAGAIN Multiple keys request", NULL, NULL, false},
    };
    char text[512] = "MOVED 1 ";
    struct redis_redirection got;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        bool is_parsed = redis_redirection_parse(rows[i].error, &got);

        if (is_parsed != (rows[i].host != NULL) ||
            (is_parsed && (strcmp(got.address.host, rows[i].host) != 0 ||
                           strcmp(got.address.port, rows[i].port) != 0 ||
                           got.is_ask != rows[i].is_ask)))
            fail_msg("row '%s'", rows[i].error);
    }
    memset(text + 8, 'a', 256);
    memcpy(text + 8 + 256, ":1", 3);
    assert_false(redis_redirection_parse(text, &got));
    memmove(text + 8, text + 9, 258);
    assert_true(redis_redirection_parse(text, &got));
}

/* A redirection to a peer. */
static const char *
redirection_to(const char *kind, size_t peer)
{
    static char texts[PST_COUNT(peers)][64];

    (void)snprintf(texts[peer], sizeof(texts[peer]), "-%s 7 127.0.0.1:%s\r\n",
                   kind, peers[peer].port);
    return texts[peer];
}

/* A redirection to the second peer. */
static const char *
redirection(const char *kind)
{
    return redirection_to(kind, 1);
}

/* It is remembered. */
static void
test_moved(void **state)
{
    static const struct redis_peer_row there[] = {
        {"GET", "$-1\r\n", 0}, {"EVALSHA", ":1\r\n", 0}, {NULL, NULL, 0}};
    const struct redis_peer_row here[] = {{"GET", redirection("MOVED"), 0},
                                          {NULL, NULL, 0}};

    (void)state;
    redis_peer_start(&peers[0], here);
    redis_peer_start(&peers[1], there);
    expect(check(), PST_OK);
    expect(check(), PST_OK);
    expect(end(), PST_OK);
    redis_peer_stop(&peers[0]);
    redis_peer_stop(&peers[1]);
    redis_peer_expect(&peers[0], "GET postern:{shop}:revoked:\n"
                                 "GET postern:{shop}:since:\n");
    redis_peer_expect(&peers[1], "GET postern:{shop}:revoked:\n"
                                 "GET postern:{shop}:since:\n"
                                 "GET postern:{shop}:revoked:\n"
                                 "GET postern:{shop}:since:\n"
                                 "EVALSHA \n");
}

/* Only the command that was redirected, and only this time: the other node may
 * not have the keys of the others yet. */
static void
test_ask(void **state)
{
    static const struct redis_peer_row there[] = {
        {"ASKING", "+OK\r\n", 0},
        {"GET", "$6\r\nfuture\r\n", 0},
        {NULL, NULL, 0}};
    const struct redis_peer_row here[] = {
        {"GET postern:{shop}:revoked:", redirection("ASK"), 1},
        {"GET", "$-1\r\n", 0},
        {NULL, NULL, 0}};

    (void)state;
    redis_peer_start(&peers[0], here);
    redis_peer_start(&peers[1], there);
    expect(check(), PST_REVOKED); /* there is a record, of whatever kind */
    expect(check(), PST_OK);
    redis_peer_stop(&peers[0]);
    redis_peer_stop(&peers[1]);
    redis_peer_expect(&peers[0], "GET postern:{shop}:revoked:\n"
                                 "GET postern:{shop}:since:\n"
                                 "GET postern:{shop}:revoked:\n"
                                 "GET postern:{shop}:since:\n");
    redis_peer_expect(&peers[1], "ASKING\nGET postern:{shop}:revoked:\n");
}

static void
test_circle(void **state)
{
    const struct redis_peer_row here[] = {{"", redirection("MOVED"), 0},
                                          {NULL, NULL, 0}};

    (void)state;
    redis_peer_start(&peers[0], here);
    redis_peer_start(&peers[1], here);
    expect(end(), PST_STORE_DOWN);
    assert_non_null(strstr(store_error(store), "MOVED"));
    redis_peer_stop(&peers[1]);
    redis_peer_expect(&peers[1],
                      "EVALSHA\nEVALSHA\nEVALSHA\nEVALSHA\nEVALSHA\n");
}

/* The node that it was sent to is gone: ask the first one again. */
static void
test_node_lost(void **state)
{
    static const struct redis_peer_row there[] = {
        {"GET", "$-1\r\n", 2}, {"GET", NULL, 0}, {NULL, NULL, 0}};
    const struct redis_peer_row here[] = {{"GET", redirection("MOVED"), 2},
                                          {"GET", "$-1\r\n", 0},
                                          {NULL, NULL, 0}};

    (void)state;
    redis_peer_start(&peers[0], here);
    redis_peer_start(&peers[1], there);
    expect(check(), PST_OK);
    expect(check(), PST_OK);
    redis_peer_stop(&peers[0]);
    redis_peer_stop(&peers[1]);
    redis_peer_expect(&peers[0], "GET \nGET \nGET \nGET \n");
}

/* Two fibers are sent to different nodes by one answer: while the first one
 * connects, the second one learns of another node. It goes there in the end. */

static enum pst_err results[2];
static unsigned left;

static void
check_or_end(void *argument)
{
    size_t n = *(const size_t *)argument;

    results[n] = n == 0 ? check() : end();
    if (--left == 0)
        loop_stop(loop_current());
}

static void
test_moved_twice(void **state)
{
    static size_t numbers[] = {0, 1};
    static const struct redis_peer_row last[] = {
        {"GET", "$-1\r\n", 0}, {"EVALSHA", ":1\r\n", 0}, {NULL, NULL, 0}};
    const struct redis_peer_row here[] = {
        {"GET", redirection_to("MOVED", 1), 0},
        {"EVALSHA", redirection_to("MOVED", 2), 0},
        {NULL, NULL, 0}};
    const struct redis_peer_row there[] = {
        {"GET", "$-1\r\n", 0},
        {"EVALSHA", redirection_to("MOVED", 2), 0},
        {NULL, NULL, 0}};
    struct loop *loop = NULL;

    (void)state;
    redis_peer_start(&peers[0], here);
    redis_peer_start(&peers[1], there);
    redis_peer_start(&peers[2], last);
    assert_int_equal(loop_new(&loop), PST_OK);
    left = PST_COUNT(numbers);
    for (size_t i = 0; i < PST_COUNT(numbers); i++)
        assert_int_equal(loop_start_fiber(loop, check_or_end, &numbers[i]),
                         PST_OK);
    loop_run(loop);
    expect(results[0], PST_OK);
    expect(results[1], PST_OK);
    store_close(&store);
    loop_free(&loop);
}

/* Keys on both sides, or no node for the slot. */
static void
test_not_now(void **state)
{
    static const struct redis_peer_row rows[] = {
        {"EVALSHA", "-TRYAGAIN Multiple keys request\r\n", 1},
        {"EVALSHA", "-CLUSTERDOWN Hash slot not served\r\n", 1},
        {"EVALSHA", ":1\r\n", 0},
        {NULL, NULL, 0}};

    (void)state;
    redis_peer_stop(&peers[1]);
    redis_peer_start(&peers[0], rows);
    expect(end(), PST_STORE_DOWN);
    assert_non_null(strstr(store_error(store), "TRYAGAIN"));
    expect(end(), PST_STORE_DOWN);
    assert_non_null(strstr(store_error(store), "CLUSTERDOWN"));
    expect(end(), PST_OK);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        TEST(test_moved),
        TEST(test_ask),
        TEST(test_circle),
        TEST(test_node_lost),
        TEST(test_moved_twice),
        TEST(test_not_now),
    };

    return cmocka_run_group_tests_name("redis_cluster", tests, NULL, NULL);
}
