/* SPDX-License-Identifier: ISC */
/*
 * test_redis_handle.c - a Redis that is down, restarts, hangs, is full,
 * requires a password, or is another server: PST_STORE_DOWN, with its cause, in
 * bounded time (R79: a store that is down accepts nothing; U15: exact causes).
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "fake_clock.h"
#include "store/redis_handle.h"
#include "stores.h"

/* Milliseconds: the store's own limit for a call, and the pause after a
 * failure. */
#define CALL_TIMEOUT 1000
#define BACK_OFF 250

static struct stores stores;
static struct store *store;

/* Longer than any pause after several failures. */
#define LONG_PAUSE 3000

/* What never answers: a stopped Redis, and the peer of this descriptor. */
static bool is_stopped;
static int silent = -1;

/* Replaces the C library's poll(): does not wait for a reply that will not
 * come, but advances the clock by the timeout. */
int fake_poll(struct pollfd *list, nfds_t count, int timeout) __asm__("poll");

int
fake_poll(struct pollfd *list, nfds_t count, int timeout)
{
    bool is_vain = is_stopped || list->fd == silent;
    const struct timespec span = {is_vain ? 0 : timeout / 1000,
                                  is_vain ? 0 : timeout % 1000 * 1000000};
    int ready;

    ready = (int)syscall(SYS_ppoll, list, count, &span, NULL, 0);

    if (ready == 0)
        fake_clock_advance(timeout);
    return ready;
}

static void
expect(const char *what, enum pst_err got, enum pst_err want)
{
    stores_expect(store, what, got, want);
}

static void
expect_why(const char *needle)
{
    if (!strstr(store_error(store), needle))
        fail_msg("'%s' is not in '%s'", needle, store_error(store));
}

static enum pst_err
check(unsigned n)
{
    struct store_id sid = stores_id(n);
    struct store_id subject = stores_id(n + 1000);

    return store_check(store, &sid, &subject, NOW);
}

static enum pst_err
end(unsigned n)
{
    struct store_id sid = stores_id(n);

    return store_revoke(store, &sid, NULL, NOW + 3600, NOW);
}

static void
start(const char *const *options)
{
    stores_start(&stores, STORE_REDIS, options);
    store = stores_open(&stores, "shop");
}

static int
set_up(void **state)
{
    (void)state;
    memset(&stores, 0, sizeof(stores));
    return signal(SIGPIPE, SIG_DFL) == SIG_ERR ? -1 : 0;
}

static int
tear_down(void **state)
{
    (void)state;
    store_close(&store);
    is_stopped = false;
    if (stores.redis > 0)
        (void)kill(stores.redis, SIGCONT);
    stores_stop(&stores);
    return 0;
}

/* Down, and up again. */

static void
test_gone(void **state)
{
    struct store_session session = {.created = NOW, .expires = NOW + 9};
    struct store_counter counter = {.rate = {1, 60}};
    struct store_counters counters = {&counter, 1, NOW};
    struct pst_bytes blob = pst_str_bytes(PST_STR("sealed"));
    int64_t number = 7;
    size_t count = 7;

    (void)state;
    start(NULL);
    expect("end", end(1), PST_OK);
    stores_kill(&stores);
    expect("check", check(1), PST_STORE_DOWN);
    expect_why("unix:");
    expect("end", end(1), PST_STORE_DOWN);
    expect("all", store_revoke_all(store, &session.sid, NOW, &number),
           PST_STORE_DOWN);
    expect("add", stores_add(store, &session, 0, NOW), PST_STORE_DOWN);
    expect("touch", stores_touch(store, &session, NOW, NOW), PST_STORE_DOWN);
    expect("count", store_session_count(store, &session.sid, NOW, &count),
           PST_STORE_DOWN);
    expect("all", store_session_count(store, NULL, NOW, &count),
           PST_STORE_DOWN);
    expect("put", store_spill_put(store, &session.sid, blob, NOW + 9, NOW),
           PST_STORE_DOWN);
    expect("replace",
           store_spill_replace(store, &session.sid, blob, NOW + 9, NOW),
           PST_STORE_DOWN);
    expect("take", store_counter_acquire(store, &counters, &number),
           PST_STORE_DOWN);
    expect("give", store_counter_refund(store, &counters), PST_STORE_DOWN);
    expect("ping", store_ping(store, NOW), PST_STORE_DOWN);
    assert_int_equal(number, 7);
    assert_int_equal(count, 7);
}

/* A connection that broke between two calls fails no call. */
static void
test_restarted(void **state)
{
    (void)state;
    start(NULL);
    for (int i = 0; i < 3; i++) {
        expect("before", end(1), PST_OK);
        stores_kill(&stores);
        stores_start_redis(&stores);
        expect("check", check(2), PST_OK);
        expect("end", end(2), PST_OK);
        expect("check", check(2), PST_REVOKED);
    }
}

static void
test_heals(void **state)
{
    (void)state;
    start(NULL);
    stores_kill(&stores);
    expect("gone", check(1), PST_STORE_DOWN);
    stores_start_redis(&stores);
    expect("not yet asked again", check(1), PST_STORE_DOWN);
    fake_clock_advance(BACK_OFF - 1);
    expect("nor a moment before", check(1), PST_STORE_DOWN);
    fake_clock_advance(BACK_OFF / 2 + 1); /* not all at once */
    expect("healed", check(1), PST_OK);
    /* The next failure is a first one. */
    stores_kill(&stores);
    expect("gone", check(1), PST_STORE_DOWN);
    stores_start_redis(&stores);
    fake_clock_advance(BACK_OFF + BACK_OFF / 2);
    expect("healed", check(1), PST_OK);
}

/* Stop Redis, and wait until it is. */
static void
stop(void)
{
    int status = 0;

    assert_int_equal(kill(stores.redis, SIGSTOP), 0);
    assert_int_equal(waitpid(stores.redis, &status, WUNTRACED), stores.redis);
    assert_true(WIFSTOPPED(status));
    is_stopped = true;
}

/* SIGSTOP: the kernel still accepts connections and commands. */
static void
test_hung(void **state)
{
    int64_t begin;

    (void)state;
    start(NULL);
    expect("before", check(1), PST_OK);
    stop();
    begin = clock_ms();
    expect("hung", check(1), PST_STORE_DOWN);
    assert_int_equal(clock_ms() - begin, CALL_TIMEOUT);
    expect_why("does not answer");
    begin = clock_ms();
    for (int i = 0; i < 100; i++)
        expect("at once", check(1), PST_STORE_DOWN);
    assert_int_equal(clock_ms(), begin);
    expect_why("does not answer");
    fake_clock_advance(LONG_PAUSE);
    begin = clock_ms();
    expect("on a new connection", end(1), PST_STORE_DOWN);
    assert_int_equal(clock_ms() - begin, CALL_TIMEOUT);
    assert_int_equal(kill(stores.redis, SIGCONT), 0);
    is_stopped = false;
    fake_clock_advance(LONG_PAUSE);
    expect("awake", check(2), PST_OK);
    expect("end", end(2), PST_OK);
    expect("check", check(2), PST_REVOKED);
}

/* Full, closed, read-only. */

static void
test_out_of_memory(void **state)
{
    static const char *const options[] = {
        "--maxmemory", "1mb", "--maxmemory-policy", "noeviction", NULL};
    static uint8_t bytes[STORE_SPILL_MAX];
    struct store_session session = {.sid = stores_id(1),
                                    .subject = stores_id(2),
                                    .created = NOW,
                                    .expires = NOW + 9};
    char answer[64];
    size_t count = 7;

    (void)state;
    start(options);
    for (unsigned i = 0; i < 64; i++) {
        struct store_id sid = stores_id(i);

        (void)!store_spill_put(store, &sid,
                               (struct pst_bytes){bytes, sizeof(bytes)},
                               NOW + 60, NOW);
    }
    expect_why("OOM");
    /* Well below the used memory, so that no small record fits. */
    stores_say(&stores, "CONFIG SET maxmemory 512kb", answer, sizeof(answer));
    expect("end", end(1), PST_STORE_DOWN);
    expect_why("OOM");
    expect("add", stores_add(store, &session, 0, NOW), PST_STORE_DOWN);
    expect("all", store_revoke_all(store, &session.subject, NOW, NULL),
           PST_STORE_DOWN);
    expect("reads go on", check(1), PST_OK);
    expect("count", store_session_count(store, &session.subject, NOW, &count),
           PST_OK);
    assert_int_equal(count, 0);
    expect("ping", store_ping(store, NOW), PST_STORE_DOWN);
}

static void
open_with(const char *options)
{
    char url[256];

    store_close(&store);
    (void)snprintf(url, sizeof(url), "%s%s", stores.url, options);
    store = stores_open_url(url, "shop");
}

static void
test_password(void **state)
{
    static const char *const options[] = {"--requirepass", "right:p@ss/?",
                                          NULL};
    static const struct {
        const char *name;
        const char *options;
        enum pst_err want;
        const char *reason;
    } rows[] = {
        {"none", "", PST_STORE_DOWN, "NOAUTH"},
        {"wrong", "?password=wrong", PST_STORE_DOWN, "WRONGPASS"},
        {"right", "?password=right:p%40ss%2F?", PST_OK, ""},
        {"right, other db", "?db=3&password=right:p%40ss%2F?", PST_OK, ""},
        {"no such db", "?db=99&password=right:p%40ss%2F?", PST_STORE_DOWN,
         "DB index"},
        {"a user", "?user=joe&password=joespass", PST_OK, ""},
        {"a wrong user", "?user=jim&password=joespass", PST_STORE_DOWN,
         "WRONGPASS"},
    };

    char answer[64];

    (void)state;
    start(options);
    stores_say(&stores,
               "AUTH right:p@ss/?\r\n"
               "ACL SETUSER joe on >joespass ~postern:* +@all",
               answer, sizeof(answer));
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        open_with(rows[i].options);
        expect(rows[i].name, check(1), rows[i].want);
        expect_why(rows[i].reason);
        assert_null(strstr(store_error(store), "joespass"));
    }
}

/* A port that was free before. */
static void
free_port(char *port, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(port, size, "%u", ntohs(address.sin_port));
    close(fd);
}

/* By TCP too; and databases are separate. */
static void
test_tcp(void **state)
{
    static char port[8];
    static const char *const options[] = {"--port", port, "--bind", "127.0.0.1",
                                          NULL};
    char url[64];

    (void)state;
    free_port(port, sizeof(port));
    start(options);
    expect("by socket", end(1), PST_OK);
    store_close(&store);
    (void)snprintf(url, sizeof(url), "redis://127.0.0.1:%s", port);
    store = stores_open_url(url, "shop");
    expect("by TCP", check(1), PST_REVOKED);
    store_close(&store);
    (void)snprintf(url, sizeof(url), "redis://localhost:%s/1", port);
    store = stores_open_url(url, "shop");
    expect("another database", check(1), PST_OK);
    stores_kill(&stores);
    expect("gone", check(1), PST_STORE_DOWN);
    expect_why("localhost");
}

/* A name with two addresses, the first of which does not answer. */
#define TWO_FACED "two-faced.invalid"

static struct sockaddr_in silence;
static struct addrinfo silent_one = {.ai_family = AF_INET,
                                     .ai_socktype = SOCK_STREAM,
                                     .ai_addrlen = sizeof(silence),
                                     .ai_addr = (struct sockaddr *)&silence};

/* Find the C library's function, which this program overrides. */
static void
real(const char *name, void *function, size_t size)
{
    void *found = dlsym(RTLD_NEXT, name);

    assert_non_null(found);
    memcpy(function, &found, size);
}

int
getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
            struct addrinfo **found)
{
    int (*look_up)(const char *, const char *, const struct addrinfo *,
                   struct addrinfo **);
    int rc;

    real("getaddrinfo", &look_up, sizeof(look_up));
    if (strcmp(host, TWO_FACED) != 0)
        return look_up(host, port, hints, found);
    rc = look_up("127.0.0.1", port, hints, &silent_one.ai_next);
    *found = &silent_one;
    return rc;
}

void
freeaddrinfo(struct addrinfo *found)
{
    void (*give_back)(struct addrinfo *);

    real("freeaddrinfo", &give_back, sizeof(give_back));
    give_back(found == &silent_one ? silent_one.ai_next : found);
}

/* Replaces the C library's connect(): records the silent descriptor. */
int fake_connect(int fd, const struct sockaddr *address,
                 socklen_t len) __asm__("connect");

int
fake_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    bool is_silence = len == sizeof(silence) &&
                      memcmp(address, &silence, sizeof(silence)) == 0;

    if (is_silence)
        silent = fd;
    else if (silent == fd)
        silent = -1;
    return (int)syscall(SYS_connect, fd, address, len);
}

#define CALLERS 20

/* A port with a full queue: the kernel answers no connection. */
static bool
make_silence(void)
{
    struct pollfd callers[CALLERS];
    int answered;
    socklen_t size = sizeof(silence);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    silence = (struct sockaddr_in){.sin_family = AF_INET};
    silence.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(
        bind(fd, (const struct sockaddr *)&silence, sizeof(silence)), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&silence, &size), 0);
    /* They stay open until the program ends, to fill the queue. */
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        callers[i].events = POLLOUT;
        assert_true(callers[i].fd >= 0);
        (void)connect(callers[i].fd, (const struct sockaddr *)&silence,
                      sizeof(silence));
    }
    silent = -1;
    answered = poll(callers, CALLERS, 0);
    return answered > 0 && answered < CALLERS;
}

/* The first address of a name once used all of the connect timeout. The second
 * address would have answered, but had no time left. */
static void
test_silent_address(void **state)
{
    static char port[8];
    static const char *const options[] = {"--port", port, "--bind", "127.0.0.1",
                                          NULL};
    char url[64];
    int64_t begin;

    (void)state;
    if (!make_silence())
        skip();
    free_port(port, sizeof(port));
    start(options);
    store_close(&store);
    (void)snprintf(url, sizeof(url), "redis://" TWO_FACED ":%s", port);
    store = stores_open_url(url, "shop");
    begin = clock_ms();
    expect("by the second address", check(1), PST_OK);
    /* The first address had half of the timeout. */
    assert_int_equal(clock_ms() - begin, 500);
}

static void
test_no_host(void **state)
{
    (void)state;
    store = stores_open_url("redis://no-such-host.invalid", "shop");
    expect("check", check(1), PST_STORE_DOWN);
    expect_why("cannot be resolved");
}

/* After a failover, the server of this connection is a replica: only a new
 * connection finds the new master. */
static void
test_read_only(void **state)
{
    char answer[1024];

    (void)state;
    start(NULL);
    expect("end", end(1), PST_OK);
    stores_say(&stores, "REPLICAOF 127.0.0.1 1", answer, sizeof(answer));
    expect("end", end(2), PST_STORE_DOWN);
    expect_why("READONLY");
    for (int i = 0; i < 50; i++) {
        stores_say(&stores, "INFO clients", answer, sizeof(answer));
        if (strstr(answer, "connected_clients:1\r"))
            break;
    }
    assert_non_null(strstr(answer, "connected_clients:1\r"));
    stores_say(&stores, "REPLICAOF NO ONE", answer, sizeof(answer));
    expect("end", end(2), PST_OK);
}

/* A server that is not Redis. */
static void
test_no_redis(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char url[64];
    int64_t begin;

    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(url, sizeof(url), "redis://127.0.0.1:%u",
                   ntohs(address.sin_port));
    store = stores_open_url(url, "shop");
    if (fork() == 0) {
        int client = accept(fd, NULL, NULL);

        (void)!write(client, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
        while (read(client, url, sizeof(url)) > 0)
            ;
        _exit(0);
    }
    close(fd);
    begin = clock_ms();
    expect("check", check(1), PST_STORE_DOWN);
    expect_why("not a Redis reply");
    assert_int_equal(clock_ms(), begin);
}

/* Answer a client only when both commands of a check have arrived. */
static void
answer_pairs(int client)
{
    static const char answers[] = "$-1\r\n$-1\r\n";
    char bytes[1024];
    size_t count = 0;
    size_t len = 0;

    for (;;) {
        ssize_t more = read(client, bytes + len, sizeof(bytes) - 1 - len);

        if (more <= 0)
            return;
        len += (size_t)more;
        bytes[len] = '\0';
        count = 0;
        for (const char *at = bytes; (at = strstr(at, "GET\r\n")); at++)
            count++;
        if (count < 2)
            continue;
        (void)!write(client, answers, sizeof(answers) - 1);
        len = 0;
    }
}

/* One round trip: the second command does not wait for the first's answer. */
static void
test_one_round_trip(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char url[64];

    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(
        bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    if (fork() == 0) {
        answer_pairs(accept(fd, NULL, NULL));
        _exit(0);
    }
    close(fd);
    (void)snprintf(url, sizeof(url), "redis://127.0.0.1:%u",
                   ntohs(address.sin_port));
    store = stores_open_url(url, "shop");
    for (int i = 0; i < 3; i++)
        expect("check", check(1), PST_OK);
}

/* One connection per handle, however many calls it makes. */
static void
test_one_connection(void **state)
{
    struct store *handles[2];
    long before;

    (void)state;
    stores_start(&stores, STORE_REDIS, NULL);
    before = stores_info(&stores, "stats", "total_connections_received:");
    handles[0] = stores_open(&stores, "shop");
    handles[1] = stores_open(&stores, "shop");
    for (unsigned i = 0; i < 100; i++) {
        store = handles[i % 2];
        expect("check", check(i), PST_OK);
    }
    store_close(&handles[1]);
    store = handles[0];
    /* The connections of the two handles, and of this INFO. */
    assert_int_equal(
        stores_info(&stores, "stats", "total_connections_received:"),
        before + 3);
}

/* After a restart, or on the next server of a failover. */
static void
test_unknown_script(void **state)
{
    char answer[64];

    (void)state;
    start(NULL);
    for (unsigned i = 0; i < 2; i++) {
        expect("end", end(i), PST_OK);
        expect("check", check(i), PST_REVOKED);
        stores_say(&stores, "SCRIPT FLUSH", answer, sizeof(answer));
    }
}

/* Answers commands, except for the second one, upon which it closes the
 * connection. Reports each to the parent. */
static void
serve_and_break(int listener, int report)
{
    static char bytes[4096];
    unsigned count = 0;

    for (;;) {
        int client = accept(listener, NULL, NULL);

        for (;;) {
            ssize_t len = read(client, bytes, sizeof(bytes));

            if (len <= 0 || write(report, "x", 1) != 1 || ++count == 2)
                break;
            (void)!write(client, "$-1\r\n$-1\r\n", 10);
        }
        close(client);
    }
}

/* Listen on a free port; sets the URL for it. */
static int
listen_for(char url[static 64])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(
        bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 5), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size),
                     0);
    (void)snprintf(url, 64, "redis://127.0.0.1:%u", ntohs(address.sin_port));
    return listener;
}

/* What may have been executed is not sent again, but a read is. */
static void
expect_sent(const char *what, enum pst_err (*call)(unsigned n),
            enum pst_err want, unsigned want_sent)
{
    char bytes[16];
    char url[64];
    int listener = listen_for(url);
    int report[2];
    pid_t child;

    assert_int_equal(pipe(report), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        serve_and_break(listener, report[1]);
    close(listener);
    store = stores_open_url(url, "shop");
    expect("the first", check(1), PST_OK);
    expect(what, call(1), want);
    store_close(&store);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(report[1]);
    assert_int_equal(read(report[0], bytes, sizeof(bytes)), want_sent);
    close(report[0]);
}

static void
test_no_repeat(void **state)
{
    (void)state;
    expect_sent("a read", check, PST_OK, 3);
    expect_sent("a write", end, PST_STORE_DOWN, 2);
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_gone),
        TEST(test_restarted),
        TEST(test_heals),
        TEST(test_hung),
        TEST(test_out_of_memory),
        TEST(test_password),
        TEST(test_tcp),
        TEST(test_silent_address),
        TEST(test_no_host),
        TEST(test_read_only),
        TEST(test_no_redis),
        TEST(test_one_round_trip),
        TEST(test_one_connection),
        TEST(test_unknown_script),
        TEST(test_no_repeat),
    };

    if (!stores_can_start(STORE_REDIS))
        return STORES_SKIPPED;
    return cmocka_run_group_tests_name("redis_handle", tests, NULL, NULL);
}
