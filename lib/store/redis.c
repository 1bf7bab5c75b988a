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
#define RETRY_DELAY 250

struct redis_store {
    struct store base;
    struct store_url url;
    int socket;          /* -1: not connected */
    redisReader *reader; /* NULL: not connected */
    int64_t retry_at;    /* monotonic milliseconds */
};

/* How an exchange went. */
enum outcome { EXCHANGE_DONE, EXCHANGE_LOST, EXCHANGE_TIMED_OUT };

struct store *
redis_base(struct redis_store *store)
{
    return &store->base;
}

struct redis_store *
redis_from_base(struct store *store)
{
    return (struct redis_store *)(void *)store;
}

/* Why. */

enum pst_err
redis_set_error(struct redis_store *store, const char *what, const char *cause)
{
    char location[STORE_URL_PART_MAX * 3];
    struct pst_str text = PST_STR_NONE;
    struct pst_buf buf;

    pst_buf_init(&buf, location, sizeof(location));
    store_url_emit(&buf, &store->url);
    (void)!pst_buf_finish(&buf, &text);
    return store_set_error(&store->base, "%.*s: %s%s", (int)text.len,
                           text.ptr ? text.ptr : "", what, cause);
}

/* The connection. */

static void
redis_disconnect(struct redis_store *store)
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
redis_wait_socket(int socket, short events, int64_t deadline)
{
    struct pollfd ready = {.fd = socket, .events = events};
    int64_t left;
    int got;

    for (;;) {
        left = deadline - clock_ms();
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
redis_connect(const struct sockaddr *address, socklen_t len, int64_t deadline)
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
            cause = redis_wait_socket(fd, POLLOUT, deadline);
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
redis_connect_unix(struct redis_store *store)
{
    int64_t deadline = clock_ms() + CONNECT_TIMEOUT;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    memcpy(address.sun_path, store->url.path, strlen(store->url.path));
    fd = redis_connect((const struct sockaddr *)&address, sizeof(address),
                       deadline);
    if (fd < 0)
        return redis_set_error(store, "cannot connect: ", strerror(-fd));
    store->socket = fd;
    return PST_OK;
}

/* Try one address after the other. What time there is they share, so that one
 * that is silent leaves some for the next. */
static int
redis_connect_any(const struct addrinfo *found, int64_t deadline)
{
    int64_t count = 0;
    int fd = -ENOENT;

    for (const struct addrinfo *at = found; at; at = at->ai_next)
        count++;
    for (; found && fd < 0; found = found->ai_next) {
        int64_t now = clock_ms();

        fd = redis_connect(found->ai_addr, found->ai_addrlen,
                           now + (deadline - now) / count--);
    }
    return fd;
}

static enum pst_err
redis_connect_host(struct redis_store *store)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found;
    int fd;
    int rc = getaddrinfo(store->url.host, store->url.port, &hints, &found);

    if (rc)
        return redis_set_error(
            store, "its address cannot be found: ", gai_strerror(rc));
    fd = redis_connect_any(found, clock_ms() + CONNECT_TIMEOUT);
    freeaddrinfo(found);
    if (fd < 0)
        return redis_set_error(store, "cannot connect: ", strerror(-fd));
    store->socket = fd;
    return PST_OK;
}

/* Round trips. */

void
redis_batch_free(struct redis_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        pst_crypto_wipe(batch->texts[i], batch->lens[i]); /* AUTH's password */
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
    len = redisFormatCommandArgv(&text, command->count, command->arguments,
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
redis_connection_lost(struct redis_store *store, int cause)
{
    bool is_timeout = cause == ETIMEDOUT;

    (void)redis_set_error(
        store, is_timeout ? "does not answer: " : "connection lost: ",
        cause ? strerror(cause) : "closed by the server");
    return is_timeout ? EXCHANGE_TIMED_OUT : EXCHANGE_LOST;
}

/* The commands, of which the first bytes were sent already. */
static size_t
redis_batch_unsent(const struct redis_batch *batch, size_t sent,
                   struct iovec *pieces)
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
redis_batch_send(struct redis_store *store, const struct redis_batch *batch,
                 int64_t deadline)
{
    struct iovec pieces[REDIS_BATCH_MAX];
    size_t sent = 0;

    for (;;) {
        struct msghdr message = {.msg_iov = pieces};
        ssize_t more;
        int cause;

        message.msg_iovlen = redis_batch_unsent(batch, sent, pieces);
        if (message.msg_iovlen == 0)
            return EXCHANGE_DONE;
        more = sendmsg(store->socket, &message, MSG_NOSIGNAL);
        if (more >= 0) {
            sent += (size_t)more;
            continue;
        }
        cause = errno;
        if (cause == EAGAIN)
            cause = redis_wait_socket(store->socket, POLLOUT, deadline);
        if (cause != 0 && cause != EINTR)
            return redis_connection_lost(store, cause);
    }
}

/* Read what there is, waiting for it, and hand it to hiredis. */
static enum outcome
redis_receive(struct redis_store *store, int64_t deadline)
{
    char bytes[2048];
    ssize_t len;
    int cause;

    for (;;) {
        cause = redis_wait_socket(store->socket, POLLIN, deadline);
        if (cause)
            return redis_connection_lost(store, cause);
        len = recv(store->socket, bytes, sizeof(bytes), 0);
        if (len > 0)
            break;
        if (len == 0)
            return redis_connection_lost(store, 0);
        if (errno != EAGAIN && errno != EINTR)
            return redis_connection_lost(store, errno);
    }
    if (redisReaderFeed(store->reader, bytes, (size_t)len) == REDIS_OK)
        return EXCHANGE_DONE;
    (void)redis_set_error(store,
                          "cannot be understood: ", store->reader->errstr);
    return EXCHANGE_LOST;
}

static enum outcome
redis_batch_exchange(struct redis_store *store, struct redis_batch *batch)
{
    int64_t deadline = clock_ms() + COMMAND_TIMEOUT;
    enum outcome outcome = redis_batch_send(store, batch, deadline);
    void *reply = NULL;
    size_t got = 0;

    while (outcome == EXCHANGE_DONE && got < batch->count) {
        if (redisReaderGetReply(store->reader, &reply) != REDIS_OK) {
            (void)redis_set_error(
                store, "cannot be understood: ", store->reader->errstr);
            return EXCHANGE_LOST;
        }
        if (reply)
            batch->replies[got++] = reply;
        else
            outcome = redis_receive(store, deadline);
    }
    return outcome;
}

/* Commands. */

void
redis_add_bytes(struct redis_command *command, const void *bytes, size_t len)
{
    PST_REQUIRE(command->count < REDIS_ARGUMENTS_MAX);
    command->arguments[command->count] = bytes;
    command->lens[command->count] = len;
    command->count++;
}

void
redis_add_string(struct redis_command *command, const char *string)
{
    redis_add_bytes(command, string, strlen(string));
}

void
redis_add_key(struct redis_command *command, const struct redis_key *key)
{
    redis_add_bytes(command, key->text, key->len);
}

static void
redis_add_buffer(struct redis_command *command, const struct pst_buf *buf)
{
    struct pst_str text = pst_buf_str(buf);

    PST_REQUIRE(buf->err == PST_OK);
    redis_add_bytes(command, text.ptr, text.len);
    command->used += text.len;
}

void
redis_add_number(struct redis_command *command, int64_t number)
{
    struct pst_buf buf;

    pst_buf_init(&buf, command->storage + command->used,
                 sizeof(command->storage) - command->used);
    pst_buf_add_number(&buf, number);
    redis_add_buffer(command, &buf);
}

void
redis_add_id(struct redis_command *command, const struct store_id *id)
{
    struct pst_buf buf;

    pst_buf_init(&buf, command->storage + command->used,
                 sizeof(command->storage) - command->used);
    pst_buf_add_hex(&buf, (struct pst_bytes){id->bytes, PST_HASH_LEN});
    redis_add_buffer(command, &buf);
}

void
redis_command_init(struct redis_command *command, const char *name)
{
    command->count = 0;
    command->used = 0;
    redis_add_string(command, name);
}

void
redis_command_init_script(struct redis_command *command, const char *script,
                          size_t keys)
{
    redis_command_init(command, "EVAL");
    redis_add_string(command, script);
    redis_add_number(command, (int64_t)keys);
}

struct redis_key
redis_key_make(struct redis_store *store, const char *kind,
               const struct store_id *id)
{
    struct pst_buf buf;
    struct redis_key key;

    pst_buf_init(&buf, key.text, sizeof(key.text));
    pst_buf_add_string(&buf, "postern:");
    pst_buf_add(
        &buf, (struct pst_str){store->base.audience, store->base.audience_len});
    pst_buf_add_char(&buf, ':');
    pst_buf_add_string(&buf, kind);
    pst_buf_add_char(&buf, ':');
    if (id)
        pst_buf_add_hex(&buf, (struct pst_bytes){id->bytes, PST_HASH_LEN});
    PST_REQUIRE(buf.err == PST_OK);
    key.len = buf.len;
    return key;
}

/* Calls. */

/* Does an error mean that this connection will be of no use? */
static bool
is_fatal_error(const redisReply *reply)
{
    static const char *const fatal_errors[] = {"NOAUTH", "WRONGPASS",
                                               "READONLY", "MASTERDOWN"};

    for (size_t i = 0; i < PST_COUNT(fatal_errors); i++) {
        if (strncmp(reply->str, fatal_errors[i], strlen(fatal_errors[i])) == 0)
            return true;
    }
    return false;
}

/* No reply may be an error. */
static enum pst_err
redis_check_replies(struct redis_store *store, const struct redis_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const redisReply *reply = batch->replies[i];
        enum pst_err e;

        if (reply->type != REDIS_REPLY_ERROR)
            continue;
        e = redis_set_error(store, "it says: ", reply->str);
        if (is_fatal_error(reply))
            redis_disconnect(store);
        return e;
    }
    return PST_OK;
}

enum pst_err
redis_set_reply_error(struct redis_store *store)
{
    return redis_set_error(store, "gave an answer of the wrong kind", "");
}

/* Who we are, and which database. */
static enum pst_err
redis_handshake(struct redis_store *store)
{
    const struct store_url *url = &store->url;
    struct redis_batch batch = {.count = 0};
    struct redis_command command;
    enum pst_err e = PST_STORE_DOWN;

    if (url->password[0] != '\0') {
        redis_command_init(&command, "AUTH");
        if (url->user[0] != '\0')
            redis_add_string(&command, url->user);
        redis_add_string(&command, url->password);
        redis_batch_add(&batch, &command);
    }
    if (url->db != 0) {
        redis_command_init(&command, "SELECT");
        redis_add_number(&command, url->db);
        redis_batch_add(&batch, &command);
    }
    if (batch.failed)
        (void)redis_set_error(store, "no memory", "");
    else if (redis_batch_exchange(store, &batch) == EXCHANGE_DONE)
        e = redis_check_replies(store, &batch);
    redis_batch_free(&batch);
    return e;
}

static enum pst_err
redis_ensure_connected(struct redis_store *store)
{
    enum pst_err e;

    if (store->socket >= 0)
        return PST_OK;
    if (clock_ms() < store->retry_at)
        return PST_STORE_DOWN; /* for the reason that stands */
    e = store->url.host[0] != '\0' ? redis_connect_host(store)
                                   : redis_connect_unix(store);
    if (e == PST_OK) {
        store->reader = redisReaderCreate();
        e = store->reader ? redis_handshake(store)
                          : redis_set_error(store, "no memory", "");
    }
    if (e == PST_OK)
        return e;
    redis_disconnect(store);
    store->retry_at = clock_ms() + RETRY_DELAY;
    return e;
}

/* Forget the replies of an exchange that broke off. */
static void
redis_batch_rewind(struct redis_batch *batch)
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
        batch->failed ? redis_set_error(store, "no memory", "") : PST_OK;
    enum outcome outcome = EXCHANGE_LOST;
    bool was_open = store->socket >= 0;

    if (e == PST_OK)
        e = redis_ensure_connected(store);
    if (e == PST_OK)
        outcome = redis_batch_exchange(store, batch);
    if (e == PST_OK && outcome == EXCHANGE_LOST && was_open) {
        redis_disconnect(store);
        redis_batch_rewind(batch);
        e = redis_ensure_connected(store);
        if (e == PST_OK)
            outcome = redis_batch_exchange(store, batch);
    }
    if (e == PST_OK && outcome != EXCHANGE_DONE) {
        redis_disconnect(store);
        store->retry_at = clock_ms() + RETRY_DELAY;
        e = PST_STORE_DOWN;
    }
    if (e == PST_OK)
        e = redis_check_replies(store, batch);
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
        e = redis_set_reply_error(store);
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
        return redis_set_reply_error(store);
    *out = (struct pst_bytes){(const uint8_t *)reply->str, (size_t)reply->len};
    return PST_OK;
}

enum pst_err
redis_reply_list(struct redis_store *store, const redisReply *reply,
                 redisReply ***items, size_t *count)
{
    if (reply->type != REDIS_REPLY_ARRAY)
        return redis_set_reply_error(store);
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
    redis_disconnect(store);
    pst_crypto_wipe(&store->url, sizeof(store->url));
    free(store);
}
