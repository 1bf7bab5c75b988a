/* SPDX-License-Identifier: ISC */
/*
 * store_redis.c - the store of several machines: Redis or Valkey.
 *
 * hiredis writes commands and reads replies; the socket is ours, so that a
 * call ends at its deadline whatever the server does, and a connection that
 * broke raises no SIGPIPE. One connection for each handle, made when it is
 * first needed. One that had been open is made anew, once, within the call
 * that finds it broken; when that fails, or the server does not answer, calls
 * fail at once for a short while, so that a dead Redis does not cost every
 * request a timeout.
 *
 * Keys: postern:<audience>:<kind>:<hash in hex>.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "store.h"
#include "store_script.h"
#include "stored.h"

/* Milliseconds. */
#define CONNECT_TIMEOUT 1000
#define COMMAND_TIMEOUT 500
#define BACK_OFF 250

/* Commands in one round trip, and words in one command. */
#define BATCH_MAX 3
#define WORDS_MAX 20

/* A key: its parts, and a hash in hex. */
#define KEY_MAX (PST_AUDIENCE_MAX + 32 + 2 * PST_HASH_LEN)
#define HEX_LEN (2 * (size_t)PST_HASH_LEN)

/* What SCAN looks at in one step. */
#define SCAN_STEP "512"

struct redis_store {
    struct store base;
    struct store_url url;
    int socket;          /* -1: not connected */
    redisReader *reader; /* NULL: not connected */
    int64_t down_until;  /* monotonic milliseconds */
};

/* One command: its words point to what outlives it. */
struct command {
    const char *words[WORDS_MAX];
    size_t lens[WORDS_MAX];
    int count;
    char room[512]; /* numbers, and ids in hex */
    size_t used;
};

/* Commands that are sent together, and what came back. */
struct batch {
    char *texts[BATCH_MAX];
    size_t lens[BATCH_MAX];
    redisReply *replies[BATCH_MAX];
    size_t count;
    bool failed; /* no memory */
};

struct key {
    char text[KEY_MAX];
    size_t len;
};

/* How an exchange went. */
enum outcome { DONE, LOST, TIMED_OUT };

static struct redis_store *
of(struct store *store)
{
    return (struct redis_store *)(void *)store;
}

static int64_t
monotonic(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return 0;
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- why -------------------------------------------------------------------
 */

static enum pst_err
because(struct redis_store *store, const char *what, const char *cause)
{
    char place[STORE_WORD_MAX * 3];
    struct pst_text text = PST_NO_TEXT;
    struct pst_buf buf;

    pst_buf_init(&buf, place, sizeof(place));
    store_url_emit(&buf, &store->url);
    (void)!pst_buf_end(&buf, &text);
    return store_because(&store->base, "%.*s: %s%s", (int)text.len,
                         text.ptr ? text.ptr : "", what, cause);
}

/* --- the connection --------------------------------------------------------
 */

static void
disconnect(struct redis_store *store)
{
    if (store->socket >= 0)
        close(store->socket);
    if (store->reader)
        redisReaderFree(store->reader);
    store->socket = -1;
    store->reader = NULL;
}

/* Wait until the socket is ready. Returns 0, or an errno. */
static int
await(int socket, short events, int64_t deadline)
{
    struct pollfd ready = {.fd = socket, .events = events};
    int64_t left;
    int got;

    for (;;) {
        left = deadline - monotonic();
        if (left <= 0)
            return ETIMEDOUT;
        got = poll(&ready, 1, (int)left);
        if (got > 0)
            return 0;
        if (got < 0 && errno != EINTR)
            return errno;
    }
}

/* Returns a connected socket, or minus an errno. */
static int
dial(const struct sockaddr *address, socklen_t len, int64_t deadline)
{
    int family = address->sa_family;
    int one = 1;
    int cause = 0;
    socklen_t size = sizeof(cause);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, address, len) != 0) {
        cause = errno;
        if (cause == EINPROGRESS)
            cause = await(fd, POLLOUT, deadline);
        if (cause == 0 &&
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &size) != 0)
            cause = errno;
    }
    if (cause == 0)
        return fd;
    close(fd);
    return -cause;
}

static enum pst_err
dial_local(struct redis_store *store, int64_t deadline)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    memcpy(address.sun_path, store->url.path, strlen(store->url.path));
    fd = dial((const struct sockaddr *)&address, sizeof(address), deadline);
    if (fd < 0)
        return because(store, "cannot connect: ", strerror(-fd));
    store->socket = fd;
    return PST_OK;
}

static enum pst_err
dial_host(struct redis_store *store, int64_t deadline)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found;
    int fd = -ENOENT;
    int rc = getaddrinfo(store->url.host, store->url.port, &hints, &found);

    if (rc)
        return because(store,
                       "its address cannot be found: ", gai_strerror(rc));
    for (struct addrinfo *at = found; at && fd < 0; at = at->ai_next)
        fd = dial(at->ai_addr, at->ai_addrlen, deadline);
    freeaddrinfo(found);
    if (fd < 0)
        return because(store, "cannot connect: ", strerror(-fd));
    store->socket = fd;
    return PST_OK;
}

/* --- round trips -----------------------------------------------------------
 */

static void
batch_free(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        redisFreeCommand(batch->texts[i]);
        if (batch->replies[i])
            freeReplyObject(batch->replies[i]);
    }
    batch->count = 0;
}

static void
batch_add(struct batch *batch, struct command *command)
{
    char *text = NULL;
    int len;

    PST_REQUIRE(batch->count < BATCH_MAX);
    len = redisFormatCommandArgv(&text, command->count, command->words,
                                 command->lens);
    if (len < 0) {
        batch->failed = true;
        return;
    }
    batch->texts[batch->count] = text;
    batch->lens[batch->count] = (size_t)len;
    batch->replies[batch->count] = NULL;
    batch->count++;
}

static enum outcome
lost(struct redis_store *store, int cause)
{
    bool late = cause == ETIMEDOUT;

    (void)because(store, late ? "does not answer: " : "connection lost: ",
                  cause ? strerror(cause) : "closed by the server");
    return late ? TIMED_OUT : LOST;
}

/* The commands, of which the first octets were sent already. */
static size_t
unsent(const struct batch *batch, size_t sent, struct iovec *pieces)
{
    size_t count = 0;

    for (size_t i = 0; i < batch->count; i++) {
        if (sent >= batch->lens[i]) {
            sent -= batch->lens[i];
            continue;
        }
        pieces[count].iov_base = batch->texts[i] + sent;
        pieces[count].iov_len = batch->lens[i] - sent;
        sent = 0;
        count++;
    }
    return count;
}

static enum outcome
send_batch(struct redis_store *store, const struct batch *batch,
           int64_t deadline)
{
    struct iovec pieces[BATCH_MAX];
    size_t sent = 0;

    for (;;) {
        struct msghdr message = {.msg_iov = pieces};
        ssize_t more;
        int cause;

        message.msg_iovlen = unsent(batch, sent, pieces);
        if (message.msg_iovlen == 0)
            return DONE;
        more = sendmsg(store->socket, &message, MSG_NOSIGNAL);
        if (more >= 0) {
            sent += (size_t)more;
            continue;
        }
        cause = errno;
        if (cause == EAGAIN)
            cause = await(store->socket, POLLOUT, deadline);
        if (cause != 0 && cause != EINTR)
            return lost(store, cause);
    }
}

/* Read what there is, waiting for it, and hand it to hiredis. */
static enum outcome
receive(struct redis_store *store, int64_t deadline)
{
    char octets[2048];
    ssize_t len;
    int cause;

    for (;;) {
        cause = await(store->socket, POLLIN, deadline);
        if (cause)
            return lost(store, cause);
        len = recv(store->socket, octets, sizeof(octets), 0);
        if (len > 0)
            break;
        if (len == 0)
            return lost(store, 0);
        if (errno != EAGAIN && errno != EINTR)
            return lost(store, errno);
    }
    if (redisReaderFeed(store->reader, octets, (size_t)len) == REDIS_OK)
        return DONE;
    (void)because(store, "cannot be understood: ", store->reader->errstr);
    return LOST;
}

static enum outcome
exchange(struct redis_store *store, struct batch *batch)
{
    int64_t deadline = monotonic() + COMMAND_TIMEOUT;
    enum outcome outcome = send_batch(store, batch, deadline);
    void *reply = NULL;
    size_t got = 0;

    while (outcome == DONE && got < batch->count) {
        if (redisReaderGetReply(store->reader, &reply) != REDIS_OK) {
            (void)because(store,
                          "cannot be understood: ", store->reader->errstr);
            return LOST;
        }
        if (reply)
            batch->replies[got++] = reply;
        else
            outcome = receive(store, deadline);
    }
    return outcome;
}

/* --- commands --------------------------------------------------------------
 */

static void
add_octets(struct command *command, const void *octets, size_t len)
{
    PST_REQUIRE(command->count < WORDS_MAX);
    command->words[command->count] = octets;
    command->lens[command->count] = len;
    command->count++;
}

static void
add_word(struct command *command, const char *word)
{
    add_octets(command, word, strlen(word));
}

static void
add_key(struct command *command, const struct key *key)
{
    add_octets(command, key->text, key->len);
}

static void
add_built(struct command *command, const struct pst_buf *buf)
{
    struct pst_text text = pst_buf_text(buf);

    PST_REQUIRE(buf->err == PST_OK);
    add_octets(command, text.ptr, text.len);
    command->used += text.len;
}

static void
add_number(struct command *command, int64_t number)
{
    struct pst_buf buf;

    pst_buf_init(&buf, command->room + command->used,
                 sizeof(command->room) - command->used);
    pst_buf_add_number(&buf, number);
    add_built(command, &buf);
}

static void
add_id(struct command *command, const struct store_id *id)
{
    struct pst_buf buf;

    pst_buf_init(&buf, command->room + command->used,
                 sizeof(command->room) - command->used);
    pst_buf_add_hex(&buf, (struct pst_bytes){id->octets, PST_HASH_LEN});
    add_built(command, &buf);
}

static void
command_init(struct command *command, const char *name)
{
    command->count = 0;
    command->used = 0;
    add_word(command, name);
}

/* EVAL script keys…; KEYS and ARGV are to follow. */
static void
command_init_script(struct command *command, const char *script, size_t keys)
{
    command_init(command, "EVAL");
    add_word(command, script);
    add_number(command, (int64_t)keys);
}

/* How long Redis is to keep something, counted from the caller's clock. */
static int64_t
stay(int64_t expires, int64_t now)
{
    return expires > now ? expires - now : 1;
}

/* The key of a kind of record; with NULL, what such keys begin with. */
static struct key
key_of(const struct redis_store *store, const char *kind,
       const struct store_id *id)
{
    struct pst_buf buf;
    struct key key;

    pst_buf_init(&buf, key.text, sizeof(key.text));
    pst_buf_add_string(&buf, "postern:");
    pst_buf_add(&buf, (struct pst_text){store->base.audience,
                                        store->base.audience_len});
    pst_buf_add_char(&buf, ':');
    pst_buf_add_string(&buf, kind);
    pst_buf_add_char(&buf, ':');
    if (id)
        pst_buf_add_hex(&buf, (struct pst_bytes){id->octets, PST_HASH_LEN});
    PST_REQUIRE(buf.err == PST_OK);
    key.len = buf.len;
    return key;
}

/* --- calls -----------------------------------------------------------------
 */

/* Does an error mean that this connection will be of no use? */
static bool
is_final(const redisReply *reply)
{
    static const char *const finals[] = {"NOAUTH", "WRONGPASS", "READONLY",
                                         "MASTERDOWN"};

    for (size_t i = 0; i < PST_COUNT(finals); i++) {
        if (strncmp(reply->str, finals[i], strlen(finals[i])) == 0)
            return true;
    }
    return false;
}

/* No reply may be an error. */
static enum pst_err
accept_replies(struct redis_store *store, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const redisReply *reply = batch->replies[i];
        enum pst_err e;

        if (reply->type != REDIS_REPLY_ERROR)
            continue;
        e = because(store, "it says: ", reply->str);
        if (is_final(reply))
            disconnect(store);
        return e;
    }
    return PST_OK;
}

static enum pst_err
odd(struct redis_store *store)
{
    return because(store, "gave an answer of the wrong kind", "");
}

/* Who we are, and which database. */
static enum pst_err
greet(struct redis_store *store)
{
    const struct store_url *url = &store->url;
    struct batch batch = {.count = 0};
    struct command command;
    enum pst_err e = PST_STORE_DOWN;

    if (url->password[0] != '\0') {
        command_init(&command, "AUTH");
        if (url->user[0] != '\0')
            add_word(&command, url->user);
        add_word(&command, url->password);
        batch_add(&batch, &command);
    }
    if (url->db != 0) {
        command_init(&command, "SELECT");
        add_number(&command, url->db);
        batch_add(&batch, &command);
    }
    if (batch.failed)
        (void)because(store, "no memory", "");
    else if (exchange(store, &batch) == DONE)
        e = accept_replies(store, &batch);
    batch_free(&batch);
    return e;
}

static enum pst_err
ensure(struct redis_store *store)
{
    int64_t deadline;
    enum pst_err e;

    if (store->socket >= 0)
        return PST_OK;
    if (monotonic() < store->down_until)
        return PST_STORE_DOWN; /* for the reason that stands */
    deadline = monotonic() + CONNECT_TIMEOUT;
    e = store->url.host[0] != '\0' ? dial_host(store, deadline)
                                   : dial_local(store, deadline);
    if (e == PST_OK) {
        store->reader = redisReaderCreate();
        e = store->reader ? greet(store) : because(store, "no memory", "");
    }
    if (e == PST_OK)
        return e;
    disconnect(store);
    store->down_until = monotonic() + BACK_OFF;
    return e;
}

/* Forget the replies of an exchange that broke off. */
static void
batch_rewind(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->replies[i])
            freeReplyObject(batch->replies[i]);
        batch->replies[i] = NULL;
    }
}

/*
 * One round trip. A connection that had been open may have broken since, with
 * the server's restart: then, and only then, it is tried again on a new one.
 * The batch is freed unless PST_OK.
 */
static enum pst_err
call(struct redis_store *store, struct batch *batch)
{
    enum pst_err e = batch->failed ? because(store, "no memory", "") : PST_OK;
    enum outcome outcome = LOST;
    bool was_open = store->socket >= 0;

    if (e == PST_OK)
        e = ensure(store);
    if (e == PST_OK)
        outcome = exchange(store, batch);
    if (e == PST_OK && outcome == LOST && was_open) {
        disconnect(store);
        batch_rewind(batch);
        e = ensure(store);
        if (e == PST_OK)
            outcome = exchange(store, batch);
    }
    if (e == PST_OK && outcome != DONE) {
        disconnect(store);
        store->down_until = monotonic() + BACK_OFF;
        e = PST_STORE_DOWN;
    }
    if (e == PST_OK)
        e = accept_replies(store, batch);
    if (e)
        batch_free(batch);
    return e;
}

/* One command, whose answer is a number. */
static enum pst_err
call_number(struct redis_store *store, struct command *command, int64_t *number)
{
    struct batch batch = {.count = 0};
    enum pst_err e;

    batch_add(&batch, command);
    e = call(store, &batch);
    if (e)
        return e;
    if (batch.replies[0]->type == REDIS_REPLY_INTEGER)
        *number = batch.replies[0]->integer;
    else
        e = odd(store);
    batch_free(&batch);
    return e;
}

/* A string, or absent for nil; anything else is PST_STORE_DOWN. */
static enum pst_err
reply_bytes(struct redis_store *store, const redisReply *reply,
            struct pst_bytes *out)
{
    if (reply->type == REDIS_REPLY_NIL) {
        *out = (struct pst_bytes){NULL, 0};
        return PST_OK;
    }
    if (reply->type != REDIS_REPLY_STRING)
        return odd(store);
    *out = (struct pst_bytes){(const uint8_t *)reply->str, (size_t)reply->len};
    return PST_OK;
}

static void
add_get(struct batch *batch, const struct key *key)
{
    struct command command;

    command_init(&command, "GET");
    add_key(&command, key);
    batch_add(batch, &command);
}

/* --- opening ---------------------------------------------------------------
 */

static enum pst_err
redis_open(struct store **out, const struct store_url *url)
{
    struct redis_store *store = calloc(1, sizeof(*store));

    if (!store)
        return PST_NO_MEMORY;
    store->url = *url;
    store->socket = -1;
    *out = &store->base;
    return PST_OK;
}

static void
redis_close(struct store *base)
{
    struct redis_store *store = of(base);

    disconnect(store);
    free(store);
}

/* What INFO says of a Redis that will forget; nothing when it says nothing. */
static void
warn_of_loss(struct redis_store *store, const char *info)
{
    const char *policy = strstr(info, "maxmemory_policy:");
    const char *none = "maxmemory_policy:noeviction";
    bool is_limited = strstr(info, "maxmemory:") != NULL &&
                      strstr(info, "maxmemory:0\r") == NULL;

    if (is_limited && policy && strncmp(policy, none, strlen(none)) != 0)
        (void)because(store,
                      "its maxmemory-policy lets it drop records, and "
                      "ended sessions live again: set noeviction",
                      "");
    else if (strstr(info, "aof_enabled:0") != NULL)
        (void)because(store,
                      "it keeps no append-only file: what was ended "
                      "since it last saved lives again when it restarts",
                      "");
}

static void
read_info(struct redis_store *store)
{
    struct batch batch = {.count = 0};
    struct command command;

    command_init(&command, "INFO");
    batch_add(&batch, &command);
    if (call(store, &batch) != PST_OK) {
        store->base.why[0] = '\0'; /* it may not be ours to ask */
        return;
    }
    if (batch.replies[0]->type == REDIS_REPLY_STRING)
        warn_of_loss(store, batch.replies[0]->str);
    batch_free(&batch);
}

static enum pst_err
redis_ping(struct store *base, int64_t now)
{
    struct redis_store *store = of(base);
    static const struct store_id id = {{0}};
    struct key key = key_of(store, "ping", &id);
    struct batch batch = {.count = 0};
    struct command command;
    enum pst_err e;

    (void)now;
    command_init(&command, "SET");
    add_key(&command, &key);
    add_word(&command, "1");
    add_word(&command, "EX");
    add_word(&command, "60");
    batch_add(&batch, &command);
    add_get(&batch, &key);
    e = call(store, &batch);
    if (e)
        return e;
    if (batch.replies[1]->type != REDIS_REPLY_STRING)
        e = because(store, "does not keep what it is given", "");
    batch_free(&batch);
    if (e == PST_OK)
        read_info(store);
    return e;
}

/* --- sessions that ended ---------------------------------------------------
 */

/* What the two replies amount to. */
static enum pst_err
judge(struct redis_store *store, const struct batch *batch, int64_t iat)
{
    struct stored_since since;
    struct pst_bytes record;
    enum pst_err e = reply_bytes(store, batch->replies[0], &record);

    if (e)
        return e;
    if (record.ptr)
        return PST_REVOKED;
    if (batch->count < 2)
        return PST_OK;
    e = reply_bytes(store, batch->replies[1], &record);
    if (e || !record.ptr)
        return e;
    if (!stored_parse_since(record, &since) || iat <= since.since)
        return PST_REVOKED;
    return PST_OK;
}

static enum pst_err
redis_check(struct store *base, const struct store_id *sid,
            const struct store_id *subject, int64_t iat)
{
    struct redis_store *store = of(base);
    struct key key = key_of(store, "revoked", sid);
    struct batch batch = {.count = 0};
    enum pst_err e;

    add_get(&batch, &key);
    if (subject) {
        key = key_of(store, "since", subject);
        add_get(&batch, &key);
    }
    e = call(store, &batch);
    if (e)
        return e;
    e = judge(store, &batch, iat);
    batch_free(&batch);
    return e;
}

static enum pst_err
redis_end(struct store *base, const struct store_ending *ending)
{
    struct redis_store *store = of(base);
    struct key revoked = key_of(store, "revoked", ending->sid);
    struct key spill = key_of(store, "spill", ending->sid);
    struct key sessions = key_of(store, "sessions", ending->subject);
    uint8_t record[STORED_REVOKED_LEN];
    struct command command;
    int64_t done;

    stored_emit_time(record, ending->expires > ending->now ? ending->expires
                                                           : ending->now);
    command_init_script(&command, SCRIPT_END, ending->subject ? 3 : 2);
    add_key(&command, &revoked);
    add_key(&command, &spill);
    if (ending->subject)
        add_key(&command, &sessions);
    add_octets(&command, record, sizeof(record));
    add_number(&command, stay(ending->expires, ending->now) + PST_SKEW);
    add_id(&command, ending->sid);
    return call_number(store, &command, &done);
}

static void
add_spans(struct command *command)
{
    add_number(command, PST_LIFETIME_MAX);
    add_number(command, PST_SKEW);
}

static enum pst_err
redis_end_all(struct store *base, const struct store_id *subject, int64_t now,
              int64_t *since)
{
    struct redis_store *store = of(base);
    struct key key = key_of(store, "since", subject);
    struct command command;

    command_init_script(&command, SCRIPT_END_ALL, 1);
    add_key(&command, &key);
    add_number(&command, now);
    add_spans(&command);
    return call_number(store, &command, since);
}

static enum pst_err
redis_since(struct store *base, const struct store_id *subject, int64_t *since)
{
    struct redis_store *store = of(base);
    struct key key = key_of(store, "since", subject);
    struct stored_since found = {0, 0};
    struct batch batch = {.count = 0};
    struct pst_bytes record;
    enum pst_err e;

    add_get(&batch, &key);
    e = call(store, &batch);
    if (e)
        return e;
    e = reply_bytes(store, batch.replies[0], &record);
    if (e == PST_OK && record.ptr)
        (void)!stored_parse_since(record, &found);
    batch_free(&batch);
    if (e == PST_OK)
        *since = found.since;
    return e;
}

/* --- lists of live sessions ------------------------------------------------
 */

static enum pst_err
redis_session_add(struct store *base, const struct store_session *session,
                  int64_t cap, int64_t now)
{
    struct redis_store *store = of(base);
    struct key sessions = key_of(store, "sessions", &session->subject);
    struct key since = key_of(store, "since", &session->subject);
    struct key revoked = key_of(store, "revoked", NULL);
    struct key spill = key_of(store, "spill", NULL);
    uint8_t record[STORED_SESSION_MAX];
    struct command command;
    int64_t done;
    size_t len;

    stored_emit_session(record, &len, session);
    command_init_script(&command, SCRIPT_ADD, 2);
    add_key(&command, &sessions);
    add_key(&command, &since);
    add_id(&command, &session->sid);
    add_octets(&command, record, len);
    add_number(&command, session->created);
    add_number(&command, session->expires);
    add_number(&command, now);
    add_number(&command,
               cap > 0 && cap < STORE_LISTED_MAX ? cap : STORE_LISTED_MAX);
    add_word(&command, cap > 0 ? "1" : "0");
    add_key(&command, &revoked);
    add_key(&command, &spill);
    add_spans(&command);
    return call_number(store, &command, &done);
}

static enum pst_err
redis_session_touch(struct store *base, const struct store_touch *touch)
{
    struct redis_store *store = of(base);
    struct key key = key_of(store, "sessions", touch->subject);
    struct command command;
    int64_t found;
    enum pst_err e;

    command_init_script(&command, SCRIPT_TOUCH, 1);
    add_key(&command, &key);
    add_id(&command, touch->sid);
    add_number(&command, touch->expires);
    add_number(&command, touch->now);
    e = call_number(store, &command, &found);
    if (e)
        return e;
    return found == 1 ? PST_OK : PST_ABSENT;
}

static enum pst_err
redis_session_del(struct store *base, const struct store_touch *touch)
{
    struct redis_store *store = of(base);
    struct key key = key_of(store, "sessions", touch->subject);
    struct command command;
    int64_t count;

    command_init(&command, "HDEL");
    add_key(&command, &key);
    add_id(&command, touch->sid);
    return call_number(store, &command, &count);
}

static bool
parse_id(const char *hex, size_t len, struct store_id *id)
{
    if (len != HEX_LEN)
        return false;
    for (size_t i = 0; i < PST_HASH_LEN; i++) {
        int high = pst_hex_value(hex[2 * i]);
        int low = pst_hex_value(hex[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        id->octets[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* One field of a list and its record; odd ones are nobody's session. */
static enum pst_err
tell(const struct store_walk *walk, const redisReply *field,
     const redisReply *value, struct store_session *session, int64_t since)
{
    struct pst_bytes record = {(const uint8_t *)value->str, (size_t)value->len};

    if (field->type != REDIS_REPLY_STRING ||
        value->type != REDIS_REPLY_STRING ||
        !parse_id(field->str, (size_t)field->len, &session->sid) ||
        !stored_parse_session(record, session) ||
        !stored_session_is_live(session, since, walk->now))
        return PST_OK;
    return walk->each(walk->context, session);
}

/* All of one user's, whose list and `since` came in one round trip. */
static enum pst_err
walk_one(struct redis_store *store, const struct store_walk *walk,
         const struct store_id *subject)
{
    struct key sessions = key_of(store, "sessions", subject);
    struct key key = key_of(store, "since", subject);
    struct store_session session = {.subject = *subject};
    struct stored_since since = {0, 0};
    struct batch batch = {.count = 0};
    struct command command;
    struct pst_bytes record;
    redisReply *list;
    enum pst_err e;

    command_init(&command, "HGETALL");
    add_key(&command, &sessions);
    batch_add(&batch, &command);
    add_get(&batch, &key);
    e = call(store, &batch);
    if (e)
        return e;
    list = batch.replies[0];
    e = list->type == REDIS_REPLY_ARRAY
            ? reply_bytes(store, batch.replies[1], &record)
            : odd(store);
    if (e == PST_OK && record.ptr)
        (void)!stored_parse_since(record, &since);
    for (size_t i = 0; e == PST_OK && i + 1 < list->elements; i += 2)
        e = tell(walk, list->element[i], list->element[i + 1], &session,
                 since.since);
    batch_free(&batch);
    return e;
}

/* Lists among the keys of one step of SCAN. */
static enum pst_err
walk_keys(struct redis_store *store, const struct store_walk *walk,
          const redisReply *keys, size_t prefix)
{
    enum pst_err e = PST_OK;

    for (size_t i = 0; e == PST_OK && i < keys->elements; i++) {
        const redisReply *key = keys->element[i];
        struct store_id subject;

        if (key->type == REDIS_REPLY_STRING && (size_t)key->len > prefix &&
            parse_id(key->str + prefix, (size_t)key->len - prefix, &subject))
            e = walk_one(store, walk, &subject);
    }
    return e;
}

/* SCAN's pattern: the audience may hold what a pattern takes for its own. */
static struct pst_text
make_pattern(const struct key *prefix, char *room, size_t size)
{
    struct pst_text pattern = PST_NO_TEXT;
    struct pst_buf buf;

    pst_buf_init(&buf, room, size);
    for (size_t i = 0; i < prefix->len; i++) {
        if (strchr("*?[]^\\", prefix->text[i]) && prefix->text[i] != '\0')
            pst_buf_add_char(&buf, '\\');
        pst_buf_add_char(&buf, prefix->text[i]);
    }
    pst_buf_add_char(&buf, '*');
    PST_REQUIRE(pst_buf_end(&buf, &pattern) == PST_OK);
    return pattern;
}

/* One step; cursor becomes "0" after the last. */
static enum pst_err
walk_step(struct redis_store *store, const struct store_walk *walk,
          char cursor[static 24])
{
    struct key prefix = key_of(store, "sessions", NULL);
    char room[2 * KEY_MAX];
    struct pst_text pattern = make_pattern(&prefix, room, sizeof(room));
    struct batch batch = {.count = 0};
    struct command command;
    redisReply *reply;
    enum pst_err e;

    command_init(&command, "SCAN");
    add_word(&command, cursor);
    add_word(&command, "MATCH");
    add_octets(&command, pattern.ptr, pattern.len);
    add_word(&command, "COUNT");
    add_word(&command, SCAN_STEP);
    batch_add(&batch, &command);
    e = call(store, &batch);
    if (e)
        return e;
    reply = batch.replies[0];
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[0]->len >= 24 ||
        reply->element[1]->type != REDIS_REPLY_ARRAY) {
        e = odd(store);
    } else {
        memcpy(cursor, reply->element[0]->str,
               (size_t)reply->element[0]->len + 1);
        e = walk_keys(store, walk, reply->element[1], prefix.len);
    }
    batch_free(&batch);
    return e;
}

static enum pst_err
redis_session_walk(struct store *base, const struct store_walk *walk)
{
    char cursor[24] = "0";
    enum pst_err e;

    if (walk->subject)
        return walk_one(of(base), walk, walk->subject);
    do {
        e = walk_step(of(base), walk, cursor);
    } while (e == PST_OK && strcmp(cursor, "0") != 0);
    return e;
}

/* --- sealed sessions -------------------------------------------------------
 */

static enum pst_err
put_spill(struct redis_store *store, const struct store_spill *spill,
          struct pst_bytes record)
{
    struct key key = key_of(store, "spill", spill->sid);
    struct batch batch = {.count = 0};
    struct command command;
    int64_t done;
    enum pst_err e;

    if (spill->only_replace) {
        command_init_script(&command, SCRIPT_REPLACE, 1);
        add_key(&command, &key);
        add_octets(&command, record.ptr, record.len);
        add_number(&command, stay(spill->expires, spill->now));
        add_number(&command, spill->now);
        e = call_number(store, &command, &done);
        return e == PST_OK && done != 1 ? PST_ABSENT : e;
    }
    command_init(&command, "SET");
    add_key(&command, &key);
    add_octets(&command, record.ptr, record.len);
    add_word(&command, "EX");
    add_number(&command, stay(spill->expires, spill->now));
    batch_add(&batch, &command);
    e = call(store, &batch);
    if (e == PST_OK)
        batch_free(&batch);
    return e;
}

static enum pst_err
redis_spill_put(struct store *base, const struct store_spill *spill)
{
    size_t len = STORED_SPILL_HEAD + spill->blob.len;
    uint8_t *record = malloc(len);
    enum pst_err e;

    if (!record)
        return PST_NO_MEMORY;
    stored_emit_time(record, spill->expires);
    memcpy(record + STORED_SPILL_HEAD, spill->blob.ptr, spill->blob.len);
    e = put_spill(of(base), spill, (struct pst_bytes){record, len});
    free(record);
    return e;
}

static enum pst_err
copy_spill(struct pst_bytes record, const struct store_spill *at,
           struct pst_arena *arena, struct pst_bytes *blob)
{
    struct pst_bytes found;
    int64_t expires;
    uint8_t *copy;

    if (!record.ptr || !stored_parse_spill(record, &expires, &found) ||
        expires <= at->now)
        return PST_ABSENT;
    copy = pst_arena_alloc(arena, found.len);
    if (!copy)
        return PST_NO_MEMORY;
    memcpy(copy, found.ptr, found.len);
    *blob = (struct pst_bytes){copy, found.len};
    return PST_OK;
}

static enum pst_err
redis_spill_get(struct store *base, const struct store_spill *at,
                struct pst_arena *arena, struct pst_bytes *blob)
{
    struct redis_store *store = of(base);
    struct key key = key_of(store, "spill", at->sid);
    struct batch batch = {.count = 0};
    struct pst_bytes record;
    enum pst_err e;

    add_get(&batch, &key);
    e = call(store, &batch);
    if (e)
        return e;
    e = reply_bytes(store, batch.replies[0], &record);
    if (e == PST_OK)
        e = copy_spill(record, at, arena, blob);
    batch_free(&batch);
    return e;
}

static enum pst_err
redis_spill_del(struct store *base, const struct store_spill *at)
{
    struct redis_store *store = of(base);
    struct key key = key_of(store, "spill", at->sid);
    struct command command;
    int64_t count;

    command_init(&command, "DEL");
    add_key(&command, &key);
    return call_number(store, &command, &count);
}

/* --- counters --------------------------------------------------------------
 */

struct counter_keys {
    struct key keys[STORE_COUNTERS_MAX];
};

static void
add_counters(struct redis_store *store, struct command *command,
             const struct store_counters *counters, struct counter_keys *keys)
{
    for (size_t i = 0; i < counters->count; i++) {
        keys->keys[i] = key_of(store, "counter", &counters->items[i].id);
        add_key(command, &keys->keys[i]);
    }
}

static enum pst_err
redis_take(struct store *base, const struct store_counters *counters,
           bool charge, int64_t *retry_after)
{
    struct redis_store *store = of(base);
    struct counter_keys keys;
    struct command command;
    int64_t wait = 0;
    enum pst_err e;

    command_init_script(&command, SCRIPT_TAKE, counters->count);
    add_counters(store, &command, counters, &keys);
    add_word(&command, charge ? "1" : "0");
    add_number(&command, counters->now);
    for (size_t i = 0; i < counters->count; i++) {
        add_number(&command, counters->items[i].rate.limit);
        add_number(&command, counters->items[i].rate.period);
    }
    e = call_number(store, &command, &wait);
    if (e)
        return e;
    if (wait <= 0)
        return PST_OK;
    *retry_after = wait;
    return PST_THROTTLED;
}

static enum pst_err
redis_give(struct store *base, const struct store_counters *counters)
{
    struct redis_store *store = of(base);
    struct counter_keys keys;
    struct command command;
    int64_t done;

    command_init_script(&command, SCRIPT_GIVE, counters->count);
    add_counters(store, &command, counters, &keys);
    add_number(&command, counters->now);
    for (size_t i = 0; i < counters->count; i++) {
        add_number(&command, counters->items[i].rate.limit);
        add_number(&command, counters->items[i].rate.period);
        add_word(&command, counters->items[i].forget ? "1" : "0");
    }
    return call_number(store, &command, &done);
}

/* Redis drops keys when their time has come. */
static enum pst_err
redis_sweep(struct store *base, size_t limit, int64_t now, size_t *removed)
{
    (void)base;
    (void)limit;
    (void)now;
    *removed = 0;
    return PST_OK;
}

const struct store_backend store_redis = {
    .open = redis_open,
    .close = redis_close,
    .ping = redis_ping,
    .check = redis_check,
    .end = redis_end,
    .end_all = redis_end_all,
    .since = redis_since,
    .session_add = redis_session_add,
    .session_touch = redis_session_touch,
    .session_del = redis_session_del,
    .session_walk = redis_session_walk,
    .spill_put = redis_spill_put,
    .spill_get = redis_spill_get,
    .spill_del = redis_spill_del,
    .take = redis_take,
    .give = redis_give,
    .sweep = redis_sweep,
};
