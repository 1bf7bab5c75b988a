/* SPDX-License-Identifier: ISC */
/*
 * stores.c - for tests: an LMDB folder, or a Redis of our own on a socket, in
 * a temporary folder that is removed again.
 */
#include "stores.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crypto/crypto.h"

#define START_TIMEOUT 10000 /* milliseconds without a word from Redis */
#define LOG_MAX 16384       /* bytes that Redis logs while it starts */
#define WORDS 32
#define FILE_MAX 1024

/* LMDB asks the disk at every commit; nothing here outlives a loss of power,
 * so a file system in memory will do. */
static const char *
place(void)
{
    return access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
}

/* A socket connected to Redis, or -1. */
static int
dial(const struct stores *stores)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/redis.sock",
                   stores->folder);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void
run_redis(const struct stores *stores, int log)
{
    const char *words[WORDS] = {"redis-server",
                                "--port",
                                "0",
                                "--unixsocket",
                                "redis.sock",
                                "--save",
                                "",
                                "--appendonly",
                                "no"};
    size_t count = 9;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; stores->options && stores->options[i]; i++)
        words[count++] = stores->options[i];
    if (chdir(stores->folder) != 0)
        _exit(126);
    (void)dup2(log, 1);
    (void)dup2(log, 2);
    execvp(words[0], (char *const *)(void *)words);
    _exit(127);
}

/* Read what Redis logs until it says that it is ready. */
static void
await_redis(const struct stores *stores)
{
    static char text[LOG_MAX];
    struct pollfd log = {.fd = stores->log, .events = POLLIN};
    size_t len = 0;

    text[0] = '\0';
    while (!strstr(text, "eady to accept connections")) {
        ssize_t more = -1;

        if (poll(&log, 1, START_TIMEOUT) > 0)
            more = read(log.fd, text + len, sizeof(text) - 1 - len);
        if (more <= 0)
            fail_msg("redis-server does not start in %s: %s", stores->folder,
                     text);
        len += (size_t)more;
        text[len] = '\0';
    }
}

void
stores_start_redis(struct stores *stores)
{
    int log[2];

    assert_int_equal(pipe2(log, O_CLOEXEC), 0);
    stores->redis = fork();
    assert_true(stores->redis >= 0);
    if (stores->redis == 0)
        run_redis(stores, log[1]);
    close(log[1]);
    stores->log = log[0];
    await_redis(stores);
}

bool
stores_can_start(enum store_kind kind)
{
    const char *path = getenv("PATH");
    char file[FILE_MAX];

    if (kind != STORE_REDIS)
        return true;
    while (path && *path) {
        size_t len = strcspn(path, ":");

        (void)snprintf(file, sizeof(file), "%.*s/redis-server", (int)len, path);
        if (access(file, X_OK) == 0)
            return true;
        path += len + (path[len] == ':');
    }
    (void)fprintf(stderr, "redis-server is not installed: not tested\n");
    return false;
}

void
stores_kill(struct stores *stores)
{
    if (stores->redis == 0)
        return;
    (void)kill(stores->redis, SIGKILL);
    (void)waitpid(stores->redis, NULL, 0);
    stores->redis = 0;
    close(stores->log);
}

/* Tests of what any store does say LMDB. Without it, Redis takes its place. */
static enum store_kind
select_kind(enum store_kind kind)
{
    if (POSTERN_WITH_LMDB || kind != STORE_LMDB)
        return kind;
    if (POSTERN_WITH_REDIS)
        return STORE_REDIS;
    (void)fprintf(stderr, "this build has no store: not tested\n");
    exit(STORES_SKIPPED);
}

void
stores_start(struct stores *stores, enum store_kind kind,
             const char *const *options)
{
    kind = select_kind(kind);
    memset(stores, 0, sizeof(*stores));
    stores->options = options;
    assert_int_equal(pst_crypto_init(), PST_OK);
    (void)snprintf(stores->folder, sizeof(stores->folder),
                   "%s/postern-store-XXXXXX", place());
    assert_non_null(mkdtemp(stores->folder));
    if (kind == STORE_LMDB) {
        (void)snprintf(stores->url, sizeof(stores->url), "lmdb:%s/lmdb",
                       stores->folder);
        return;
    }
    (void)snprintf(stores->url, sizeof(stores->url), "unix:%s/redis.sock",
                   stores->folder);
    stores_start_redis(stores);
}

static int
remove_one(const char *path, const struct stat *state, int kind,
           struct FTW *place)
{
    (void)state;
    (void)kind;
    (void)place;
    return remove(path);
}

void
stores_stop(struct stores *stores)
{
    stores_kill(stores);
    (void)nftw(stores->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct store *
stores_open_url(const char *url, const char *audience)
{
    struct config_error reason = {""};
    struct store *store = NULL;
    struct store_url parsed;

    if (store_url_parse(pst_str_from(url), &parsed, &reason) != PST_OK)
        fail_msg("%s %s", url, reason.message);
    assert_int_equal(store_open(&store, &parsed, pst_str_from(audience)),
                     PST_OK);
    return store;
}

struct store *
stores_open(const struct stores *stores, const char *audience)
{
    return stores_open_url(stores->url, audience);
}

struct store_id
stores_id(unsigned n)
{
    const uint8_t bytes[4] = {(uint8_t)(n >> 24 & 0xff),
                              (uint8_t)(n >> 16 & 0xff),
                              (uint8_t)(n >> 8 & 0xff), (uint8_t)(n & 0xff)};
    struct store_id id;

    pst_crypto_sha256((struct pst_bytes){bytes, sizeof(bytes)}, id.bytes);
    return id;
}

enum pst_err
stores_add(struct store *store, const struct store_session *session,
           int64_t cap, int64_t now)
{
    const struct store_replacement replacement = {
        .session = session, .cap = cap, .now = now};
    int64_t since = 0;

    return store_session_replace(store, &replacement, &since);
}

enum pst_err
stores_touch(struct store *store, const struct store_session *session,
             int64_t expires, int64_t now)
{
    const struct store_use use = {.sid = &session->sid,
                                  .subject = &session->subject,
                                  .expires = expires,
                                  .now = now};
    enum pst_err e = store_session_touch(store, &use);

    /* Writes are made in their order. */
    return e ? e : store_ping(store, now);
}

void
stores_say(const struct stores *stores, const char *command, char *answer,
           size_t size)
{
    int fd = dial(stores);
    ssize_t len;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, command, strlen(command)),
                     (ssize_t)strlen(command));
    assert_int_equal(write(fd, "\r\n", 2), 2);
    len = read(fd, answer, size - 1);
    assert_true(len > 0);
    answer[len] = '\0';
    close(fd);
}

long
stores_info(const struct stores *stores, const char *section, const char *name)
{
    char command[32];
    static char answer[8192];
    const char *found;

    (void)snprintf(command, sizeof(command), "INFO %s", section);
    stores_say(stores, command, answer, sizeof(answer));
    found = strstr(answer, name);
    assert_non_null(found);
    return strtol(found + strlen(name), NULL, 10);
}

void
stores_expect(const struct store *store, const char *what, enum pst_err got,
              enum pst_err want)
{
    if (got != want)
        fail_msg("%s: got %s, wanted %s; the store: %s", what,
                 pst_err_code(got), pst_err_code(want),
                 store ? store_error(store) : "");
}

unsigned
stores_fork(unsigned count, unsigned (*child)(unsigned index))
{
    pid_t children[64];
    unsigned sum = 0;

    assert_true(count <= 64);
    for (unsigned i = 0; i < count; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            _exit((int)child(i));
    }
    for (unsigned i = 0; i < count; i++) {
        int status = -1;

        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        if (!WIFEXITED(status) || WEXITSTATUS(status) > 100)
            fail_msg("process %u ended with status %#x", i, (unsigned)status);
        sum += (unsigned)WEXITSTATUS(status);
    }
    return sum;
}
