/* SPDX-License-Identifier: ISC */
/*
 * redis.c - the door to Redis (or Valkey): commands, round trips,
 * replies.
 *
 * hiredis writes commands and reads replies; the socket is ours, so that a
 * call ends at its deadline whatever the server does (but a name is looked up
 * as long as the resolver takes), and a connection that broke raises no
 * SIGPIPE. One connection for each handle, made when it is
 * first needed. One that had been open is made anew, once, within the call
 * that finds it broken; when that fails, or the server does not answer, calls
 * fail at once for a short while, so that a dead Redis does not cost every
 * request a timeout.
 */
#include "store/redis.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "base/clock.h"
#include "crypto/crypto.h"

/* Milliseconds. */
#define CONNECT_TIMEOUT 1000
#define COMMAND_TIMEOUT 500
#define BACK_OFF 250

struct redis_store {
    struct store base;
    struct store_url url;
    int socket;          /* -1: not connected */
    redisReader *reader; /* NULL: not connected */
    int64_t down_until;  /* monotonic milliseconds */
};

/* How an exchange went. */
enum outcome { DONE, LOST, TIMED_OUT };

struct store *
redis_base(struct redis_store *store)
{
    return &store->base;
}

struct redis_store *
redis_of(struct store *store)
{
    return (struct redis_store *)(void *)store;
}

/* Why. */

enum pst_err
redis_because(struct redis_store *store, const char *what, const char *cause)
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

/* The connection. */

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
        left = deadline - ticks_ms();
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
dial_local(struct redis_store *store)
{
    int64_t deadline = ticks_ms() + CONNECT_TIMEOUT;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    memcpy(address.sun_path, store->url.path, strlen(store->url.path));
    fd = dial((const struct sockaddr *)&address, sizeof(address), deadline);
    if (fd < 0)
        return redis_because(store, "cannot connect: ", strerror(-fd));
    store->socket = fd;
    return PST_OK;
}

/* Try one address after the other. What time there is they share, so that one
 * that is silent leaves some for the next. */
static int
dial_each(const struct addrinfo *found, int64_t deadline)
{
    int64_t count = 0;
    int fd = -ENOENT;

    for (const struct addrinfo *at = found; at; at = at->ai_next)
        count++;
    for (; found && fd < 0; found = found->ai_next) {
        int64_t now = ticks_ms();

        fd = dial(found->ai_addr, found->ai_addrlen,
                  now + (deadline - now) / count--);
    }
    return fd;
}

static enum pst_err
dial_host(struct redis_store *store)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found;
    int fd;
    int rc = getaddrinfo(store->url.host, store->url.port, &hints, &found);

    if (rc)
        return redis_because(store,
                             "its address cannot be found: ", gai_strerror(rc));
    fd = dial_each(found, ticks_ms() + CONNECT_TIMEOUT);
    freeaddrinfo(found);
    if (fd < 0)
        return redis_because(store, "cannot connect: ", strerror(-fd));
    store->socket = fd;
    return PST_OK;
}

/* Round trips. */

void
redis_batch_free(struct redis_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        pst_crypt_wipe(batch->texts[i], batch->lens[i]); /* AUTH's password */
        redisFreeCommand(batch->texts[i]);
        if (batch->replies[i])
            freeReplyObject(batch->replies[i]);
    }
    batch->count = 0;
}

void
redis_batch_add(struct redis_batch *batch, struct redis_command *command)
{
    char *text = NULL;
    int len;

    PST_REQUIRE(batch->count < REDIS_BATCH_MAX);
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

    (void)redis_because(store, late ? "does not answer: " : "connection lost: ",
                        cause ? strerror(cause) : "closed by the server");
    return late ? TIMED_OUT : LOST;
}

/* The commands, of which the first bytes were sent already. */
static size_t
unsent(const struct redis_batch *batch, size_t sent, struct iovec *pieces)
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
send_batch(struct redis_store *store, const struct redis_batch *batch,
           int64_t deadline)
{
    struct iovec pieces[REDIS_BATCH_MAX];
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
    (void)redis_because(store, "cannot be understood: ", store->reader->errstr);
    return LOST;
}

static enum outcome
exchange(struct redis_store *store, struct redis_batch *batch)
{
    int64_t deadline = ticks_ms() + COMMAND_TIMEOUT;
    enum outcome outcome = send_batch(store, batch, deadline);
    void *reply = NULL;
    size_t got = 0;

    while (outcome == DONE && got < batch->count) {
        if (redisReaderGetReply(store->reader, &reply) != REDIS_OK) {
            (void)redis_because(
                store, "cannot be understood: ", store->reader->errstr);
            return LOST;
        }
        if (reply)
            batch->replies[got++] = reply;
        else
            outcome = receive(store, deadline);
    }
    return outcome;
}

/* Commands. */

void
redis_add_octets(struct redis_command *command, const void *octets, size_t len)
{
    PST_REQUIRE(command->count < REDIS_WORDS_MAX);
    command->words[command->count] = octets;
    command->lens[command->count] = len;
    command->count++;
}

void
redis_add_word(struct redis_command *command, const char *word)
{
    redis_add_octets(command, word, strlen(word));
}

void
redis_add_key(struct redis_command *command, const struct redis_key *key)
{
    redis_add_octets(command, key->text, key->len);
}

static void
add_built(struct redis_command *command, const struct pst_buf *buf)
{
    struct pst_text text = pst_buf_text(buf);

    PST_REQUIRE(buf->err == PST_OK);
    redis_add_octets(command, text.ptr, text.len);
    command->used += text.len;
}

void
redis_add_number(struct redis_command *command, int64_t number)
{
    struct pst_buf buf;

    pst_buf_init(&buf, command->room + command->used,
                 sizeof(command->room) - command->used);
    pst_buf_add_number(&buf, number);
    add_built(command, &buf);
}

void
redis_add_id(struct redis_command *command, const struct store_id *id)
{
    struct pst_buf buf;

    pst_buf_init(&buf, command->room + command->used,
                 sizeof(command->room) - command->used);
    pst_buf_add_hex(&buf, (struct pst_bytes){id->octets, PST_HASH_LEN});
    add_built(command, &buf);
}

void
redis_command_init(struct redis_command *command, const char *name)
{
    command->count = 0;
    command->used = 0;
    redis_add_word(command, name);
}

void
redis_command_init_script(struct redis_command *command, const char *script,
                          size_t keys)
{
    redis_command_init(command, "EVAL");
    redis_add_word(command, script);
    redis_add_number(command, (int64_t)keys);
}

struct redis_key
redis_key_of(struct redis_store *store, const char *kind,
             const struct store_id *id)
{
    struct pst_buf buf;
    struct redis_key key;

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

/* Calls. */

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
accept_replies(struct redis_store *store, const struct redis_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const redisReply *reply = batch->replies[i];
        enum pst_err e;

        if (reply->type != REDIS_REPLY_ERROR)
            continue;
        e = redis_because(store, "it says: ", reply->str);
        if (is_final(reply))
            disconnect(store);
        return e;
    }
    return PST_OK;
}

enum pst_err
redis_odd(struct redis_store *store)
{
    return redis_because(store, "gave an answer of the wrong kind", "");
}

/* Who we are, and which database. */
static enum pst_err
greet(struct redis_store *store)
{
    const struct store_url *url = &store->url;
    struct redis_batch batch = {.count = 0};
    struct redis_command command;
    enum pst_err e = PST_STORE_DOWN;

    if (url->password[0] != '\0') {
        redis_command_init(&command, "AUTH");
        if (url->user[0] != '\0')
            redis_add_word(&command, url->user);
        redis_add_word(&command, url->password);
        redis_batch_add(&batch, &command);
    }
    if (url->db != 0) {
        redis_command_init(&command, "SELECT");
        redis_add_number(&command, url->db);
        redis_batch_add(&batch, &command);
    }
    if (batch.failed)
        (void)redis_because(store, "no memory", "");
    else if (exchange(store, &batch) == DONE)
        e = accept_replies(store, &batch);
    redis_batch_free(&batch);
    return e;
}

static enum pst_err
ensure(struct redis_store *store)
{
    enum pst_err e;

    if (store->socket >= 0)
        return PST_OK;
    if (ticks_ms() < store->down_until)
        return PST_STORE_DOWN; /* for the reason that stands */
    e = store->url.host[0] != '\0' ? dial_host(store) : dial_local(store);
    if (e == PST_OK) {
        store->reader = redisReaderCreate();
        e = store->reader ? greet(store)
                          : redis_because(store, "no memory", "");
    }
    if (e == PST_OK)
        return e;
    disconnect(store);
    store->down_until = ticks_ms() + BACK_OFF;
    return e;
}

/* Forget the replies of an exchange that broke off. */
static void
batch_rewind(struct redis_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->replies[i])
            freeReplyObject(batch->replies[i]);
        batch->replies[i] = NULL;
    }
}

enum pst_err
redis_call(struct redis_store *store, struct redis_batch *batch)
{
    enum pst_err e =
        batch->failed ? redis_because(store, "no memory", "") : PST_OK;
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
        store->down_until = ticks_ms() + BACK_OFF;
        e = PST_STORE_DOWN;
    }
    if (e == PST_OK)
        e = accept_replies(store, batch);
    if (e)
        redis_batch_free(batch);
    return e;
}

enum pst_err
redis_call_number(struct redis_store *store, struct redis_command *command,
                  int64_t *number)
{
    struct redis_batch batch = {.count = 0};
    enum pst_err e;

    redis_batch_add(&batch, command);
    e = redis_call(store, &batch);
    if (e)
        return e;
    if (batch.replies[0]->type == REDIS_REPLY_INTEGER)
        *number = batch.replies[0]->integer;
    else
        e = redis_odd(store);
    redis_batch_free(&batch);
    return e;
}

enum pst_err
redis_reply_bytes(struct redis_store *store, const redisReply *reply,
                  struct pst_bytes *out)
{
    if (reply->type == REDIS_REPLY_NIL) {
        *out = (struct pst_bytes){NULL, 0};
        return PST_OK;
    }
    if (reply->type != REDIS_REPLY_STRING)
        return redis_odd(store);
    *out = (struct pst_bytes){(const uint8_t *)reply->str, (size_t)reply->len};
    return PST_OK;
}

enum pst_err
redis_reply_list(struct redis_store *store, const redisReply *reply,
                 redisReply ***items, size_t *count)
{
    if (reply->type != REDIS_REPLY_ARRAY)
        return redis_odd(store);
    *items = reply->element;
    *count = reply->elements;
    return PST_OK;
}

/* Opening. */

enum pst_err
redis_new(struct redis_store **out, const struct store_url *url)
{
    struct redis_store *store = calloc(1, sizeof(*store));

    if (!store)
        return PST_NO_MEMORY;
    store->url = *url;
    store->socket = -1;
    *out = store;
    return PST_OK;
}

void
redis_free(struct redis_store *store)
{
    disconnect(store);
    pst_crypt_wipe(&store->url, sizeof(store->url));
    free(store);
}
