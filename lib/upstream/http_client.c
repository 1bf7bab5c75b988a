/* SPDX-License-Identifier: ISC */
/*
 * http_client.c - one HTTP exchange at a time with libcurl, in a loop of our
 * own, so that our clocks and the client's hanging up are seen while we wait.
 */
#include "upstream/http_client.h"

#include <curl/curl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/limits.h"
#include "http/message.h"

#define SECOND INT64_C(1000)      /* milliseconds */
#define TURN_MAX (60 * SECOND)    /* one wait, when no clock of ours runs */
#define TIMEOUT_MAX (86400 * 365) /* seconds: nobody waits longer */

struct upstream {
    CURLM *multi;
    CURL *easy;
    char *url;
    char *ca;
    int64_t connect_timeout; /* milliseconds, each */
    int64_t first_byte_timeout;
    int64_t between_bytes_timeout;
    int hangup; /* an epoll that becomes readable when the client goes */
    char why[CURL_ERROR_SIZE];
};

/* Which clock runs. */
enum phase {
    CONNECTING, /* curl's own */
    SENT,       /* the request is on its way, no answer yet */
    ANSWERING,
};

struct run {
    struct upstream *upstream;
    struct pst_arena *arena;
    const struct upstream_exchange *exchange;
    enum pst_err err; /* why a function of ours ended the exchange */
    enum phase phase;
    int64_t heard;     /* milliseconds: when something last moved */
    int64_t body_read; /* bytes that exchange->read has given */
    bool body_ended;
    bool watching; /* the client's descriptor is in hangup */
    struct message_head head;
};

enum pst_err
upstream_start(void)
{
    /* TLS writes to a socket that hung up would otherwise end the process. */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return PST_INTERNAL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return PST_INTERNAL;
    return PST_OK;
}

void
upstream_stop(void)
{
    curl_global_cleanup();
}

static bool
has_part(CURLU *url, CURLUPart part)
{
    char *value = NULL;
    bool has = curl_url_get(url, part, &value, 0) == CURLUE_OK;

    curl_free(value);
    return has;
}

/* An address without a name, a password or a fragment: those are not ours. */
static enum pst_err
check_url(const char *text)
{
    CURLU *url = curl_url();
    enum pst_err e = PST_BAD_CONFIG;

    if (!url)
        return PST_NO_MEMORY;
    if (curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
        !has_part(url, CURLUPART_USER) && !has_part(url, CURLUPART_PASSWORD) &&
        !has_part(url, CURLUPART_FRAGMENT))
        e = PST_OK;
    curl_url_cleanup(url);
    return e;
}

static bool
is_timeout(int64_t seconds)
{
    return seconds > 0 && seconds <= TIMEOUT_MAX;
}

static enum pst_err
check_options(const struct upstream_options *options)
{
    struct pst_text url = options->url;

    if (!pst_text_starts_nocase(url, PST_TEXT("http://")) &&
        !pst_text_starts_nocase(url, PST_TEXT("https://")))
        return PST_BAD_CONFIG;
    if (url.len > PST_URL_MAX || !pst_text_is_field_value(url))
        return PST_BAD_CONFIG;
    if (!is_timeout(options->connect_timeout) ||
        !is_timeout(options->first_byte_timeout) ||
        !is_timeout(options->between_bytes_timeout))
        return PST_BAD_CONFIG;
    return PST_OK;
}

static enum pst_err
build(struct upstream *upstream, const struct upstream_options *options)
{
    upstream->connect_timeout = options->connect_timeout * SECOND;
    upstream->first_byte_timeout = options->first_byte_timeout * SECOND;
    upstream->between_bytes_timeout = options->between_bytes_timeout * SECOND;
    upstream->url = strndup(options->url.ptr, options->url.len);
    upstream->ca = options->ca ? strdup(options->ca) : NULL;
    upstream->easy = curl_easy_init();
    upstream->multi = curl_multi_init();
    upstream->hangup = epoll_create1(EPOLL_CLOEXEC);
    if (!upstream->url || (options->ca && !upstream->ca) || !upstream->easy ||
        !upstream->multi || upstream->hangup < 0)
        return PST_NO_MEMORY;
    /* One thread talks to one address: one connection is all there is. */
    if (curl_multi_setopt(upstream->multi, CURLMOPT_MAXCONNECTS, 1L) !=
        CURLM_OK)
        return PST_NO_MEMORY;
    return check_url(upstream->url);
}

enum pst_err
upstream_new(struct upstream **out, const struct upstream_options *options)
{
    struct upstream *upstream;
    enum pst_err e = check_options(options);

    if (e)
        return e;
    upstream = calloc(1, sizeof(*upstream));
    if (!upstream)
        return PST_NO_MEMORY;
    e = build(upstream, options);
    if (e) {
        upstream_free(&upstream);
        return e;
    }
    *out = upstream;
    return PST_OK;
}

enum pst_err
upstream_copy(const struct upstream *upstream, struct upstream **out)
{
    const struct upstream_options options = {
        .url = pst_text_from(upstream->url),
        .ca = upstream->ca,
        .connect_timeout = upstream->connect_timeout / SECOND,
        .first_byte_timeout = upstream->first_byte_timeout / SECOND,
        .between_bytes_timeout = upstream->between_bytes_timeout / SECOND,
    };
    enum pst_err e = upstream_new(out, &options);

    return e == PST_BAD_CONFIG ? PST_INTERNAL : e;
}

void
upstream_free(struct upstream **upstream)
{
    struct upstream *gone = *upstream;

    *upstream = NULL;
    if (!gone)
        return;
    curl_easy_cleanup(gone->easy);
    curl_multi_cleanup(gone->multi);
    if (gone->hangup >= 0)
        (void)close(gone->hangup);
    free(gone->ca);
    free(gone->url);
    free(gone);
}

const char *
upstream_why(const struct upstream *upstream)
{
    return upstream->why;
}

static void
explain(struct upstream *upstream, const char *why)
{
    (void)snprintf(upstream->why, sizeof(upstream->why), "%s", why);
}

/* A list for CURLOPT_HTTPHEADER whose nodes and lines lie in the arena. */
struct lines {
    struct pst_arena *arena;
    struct curl_slist *first;
    struct curl_slist *last;
};

/* Add a line made of three pieces. */
static enum pst_err
add_line(struct lines *lines, struct pst_text name, struct pst_text between,
         struct pst_text value)
{
    struct curl_slist *node = pst_arena_alloc(lines->arena, sizeof(*node));
    size_t len = name.len + between.len + value.len + 1;
    struct pst_buf buf;

    if (!node)
        return PST_NO_MEMORY;
    node->data = pst_arena_alloc(lines->arena, len);
    if (!node->data)
        return PST_NO_MEMORY;
    pst_buf_init(&buf, node->data, len);
    pst_buf_add(&buf, name);
    pst_buf_add(&buf, between);
    pst_buf_add(&buf, value);
    pst_buf_add_char(&buf, '\0');
    if (lines->last)
        lines->last->next = node;
    else
        lines->first = node;
    lines->last = node;
    return PST_OK;
}

static enum pst_err
add_header(struct lines *lines, const struct upstream_header *header)
{
    struct pst_text value = pst_text_trim(header->value);

    if (!message_may_send(header->name, value))
        return PST_MALFORMED;
    /* curl's own spelling for a header that is there and empty. */
    if (value.len == 0)
        return add_line(lines, header->name, PST_TEXT(";"), PST_TEXT(""));
    return add_line(lines, header->name, PST_TEXT(": "), value);
}

static bool
is_given(const struct upstream_exchange *exchange, struct pst_text name)
{
    for (size_t i = 0; i < exchange->header_count; i++) {
        if (pst_text_equal_nocase(exchange->headers[i].name, name))
            return true;
    }
    return false;
}

/* The headers that were given, and none that curl would add by itself. */
static enum pst_err
make_lines(const struct run *run, bool chunked, struct lines *lines)
{
    static const char *const curls_own[] = {"Accept", "Content-Type", "Expect",
                                            "User-Agent"};
    const struct upstream_exchange *exchange = run->exchange;
    enum pst_err e = PST_OK;

    for (size_t i = 0; i < exchange->header_count && !e; i++)
        e = add_header(lines, &exchange->headers[i]);
    for (size_t i = 0; i < PST_COUNT(curls_own) && !e; i++) {
        struct pst_text name = pst_text_from(curls_own[i]);

        if (!is_given(exchange, name))
            e = add_line(lines, name, PST_TEXT(":"), PST_TEXT(""));
    }
    if (chunked && !e)
        e = add_line(lines, PST_TEXT("Transfer-Encoding"), PST_TEXT(": "),
                     PST_TEXT("chunked"));
    return e;
}

/* End the exchange for a reason of ours. */
static void
stop(struct run *run, enum pst_err e)
{
    if (!run->err)
        run->err = e;
}

static size_t
on_read(char *out, size_t unit, size_t count, void *context)
{
    struct run *run = context;
    const struct upstream_exchange *exchange = run->exchange;
    int64_t left = exchange->body_length < 0
                       ? INT64_MAX
                       : exchange->body_length - run->body_read;
    size_t size = unit * count;
    size_t len = 0;
    enum pst_err e;

    if ((uint64_t)left < size)
        size = (size_t)left;
    if (size == 0 || run->body_ended)
        return 0;
    e = exchange->read(exchange->context, out, size, &len);
    /* However long the client took, the backend was not the one who did. */
    run->heard = ticks_ms();
    PST_REQUIRE(e || len <= size);
    if (!e && len == 0 && exchange->body_length >= 0)
        e = PST_MALFORMED;
    if (e) {
        stop(run, e);
        return CURL_READFUNC_ABORT;
    }
    run->body_read += (int64_t)len;
    run->body_ended = len == 0;
    return len;
}

/* The body can begin anew only while none of it was taken from the client. */
static int
on_seek(void *context, curl_off_t offset, int whence)
{
    const struct run *run = context;

    if (run->body_read == 0 && offset == 0 && whence == SEEK_SET)
        return CURL_SEEKFUNC_OK;
    return CURL_SEEKFUNC_FAIL;
}

/* Called with a connection made or found again, before the request is sent. */
static int
on_connected(void *context, char *to, char *from, int to_port, int from_port)
{
    struct run *run = context;

    (void)to;
    (void)from;
    (void)to_port;
    (void)from_port;
    run->phase = SENT;
    run->heard = ticks_ms();
    return CURL_PREREQFUNC_OK;
}

static enum pst_err
take_line(struct run *run, struct pst_text line)
{
    const struct upstream_exchange *exchange = run->exchange;
    enum pst_err e = message_head_add(&run->head, line);

    if (e)
        return e;
    if (run->head.status >= 200)
        run->phase = ANSWERING;
    if (!run->head.complete)
        return PST_OK;
    e = message_head_walk(&run->head, exchange->header, exchange->context);
    return e ? e : exchange->head(exchange->context, run->head.status);
}

static size_t
on_header(char *data, size_t unit, size_t count, void *context)
{
    struct run *run = context;
    struct pst_text line = {data, unit * count};
    enum pst_err e;

    /* What comes after the body is a trailer, and no header (L19). */
    if (run->head.complete)
        return line.len;
    e = take_line(run, line);
    run->heard = ticks_ms();
    if (!e)
        return line.len;
    stop(run, e);
    return 0;
}

static size_t
on_body(char *data, size_t unit, size_t count, void *context)
{
    struct run *run = context;
    const struct upstream_exchange *exchange = run->exchange;
    struct pst_text piece = {data, unit * count};
    enum pst_err e = PST_UPSTREAM_BROKEN;

    if (piece.len == 0)
        return 0;
    if (run->head.complete)
        e = exchange->body(exchange->context, piece);
    /* Nor is a client that reads slowly the backend's fault. */
    run->heard = ticks_ms();
    if (!e)
        return piece.len;
    stop(run, e);
    return 0;
}

/* What holds for every exchange: switches and numbers. */
static bool
set_numbers(CURL *easy)
{
    static const struct {
        CURLoption option;
        long value;
    } rows[] = {
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_QUICK_EXIT, 1}, /* never wait for a name server's thread */
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS},
        {CURLOPT_HTTP09_ALLOWED, 0},
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_PATH_AS_IS, 1},
        {CURLOPT_DISALLOW_USERNAME_IN_URL, 1},
        {CURLOPT_HTTP_CONTENT_DECODING, 0},
        {CURLOPT_SSL_VERIFYPEER, 1},
        {CURLOPT_SSL_VERIFYHOST, 2},
        {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
    };

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        if (curl_easy_setopt(easy, rows[i].option, rows[i].value) != CURLE_OK)
            return false;
    }
    return true;
}

/* Pointers and texts; curl keeps its own copy of the texts it needs. */
static bool
set_pointers(struct run *run, const char *url, struct curl_slist *lines)
{
    struct upstream *upstream = run->upstream;
    const struct {
        CURLoption option;
        void *value;
    } rows[] = {
        {CURLOPT_READDATA, run},
        {CURLOPT_SEEKDATA, run},
        {CURLOPT_PREREQDATA, run},
        {CURLOPT_HEADERDATA, run},
        {CURLOPT_WRITEDATA, run},
        {CURLOPT_HTTPHEADER, lines},
        {CURLOPT_ERRORBUFFER, upstream->why},
    };
    CURL *easy = upstream->easy;

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        if (curl_easy_setopt(easy, rows[i].option, rows[i].value) != CURLE_OK)
            return false;
    }
    /* With a file of ours, the system's certificates are not trusted too. */
    if (upstream->ca &&
        (curl_easy_setopt(easy, CURLOPT_CAINFO, upstream->ca) != CURLE_OK ||
         curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) != CURLE_OK))
        return false;
    /* An empty proxy is the one that no variable can replace (L47). */
    return curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK;
}

static bool
set_functions(CURL *easy)
{
    return curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
}

static bool
set_method(CURL *easy, bool is_get, int64_t body_length)
{
    if (is_get)
        return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    if (curl_easy_setopt(easy, CURLOPT_POST, 1L) != CURLE_OK)
        return false;
    if (body_length == 0 &&
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "") != CURLE_OK)
        return false;
    return curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                            (curl_off_t)body_length) == CURLE_OK;
}

/* All that is sent, checked and put into the handle. */
static enum pst_err
prepare(struct run *run)
{
    const struct upstream_exchange *exchange = run->exchange;
    struct upstream *upstream = run->upstream;
    bool is_get = pst_text_equal(exchange->method, PST_TEXT("GET"));
    struct lines lines = {.arena = run->arena};
    CURL *easy = upstream->easy;
    const char *url;
    enum pst_err e;

    if (!is_get && !pst_text_equal(exchange->method, PST_TEXT("POST")))
        return PST_BAD_METHOD;
    e = message_url(run->arena, upstream->url, exchange->query, &url);
    if (!e)
        e = make_lines(run, !is_get && exchange->body_length < 0, &lines);
    if (e)
        return e;
    if (set_numbers(easy) && set_pointers(run, url, lines.first) &&
        set_functions(easy) &&
        set_method(easy, is_get, exchange->body_length) &&
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                         (long)upstream->connect_timeout) == CURLE_OK)
        return PST_OK;
    explain(upstream, "curl has no memory for an option, or does not know it");
    return PST_NO_MEMORY;
}

static enum pst_err
err_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return PST_OK;
    case CURLE_OUT_OF_MEMORY:
        return PST_NO_MEMORY;
    case CURLE_OPERATION_TIMEDOUT:
        return PST_UPSTREAM_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
        return PST_UPSTREAM_DOWN;
    default:
        return PST_UPSTREAM_BROKEN;
    }
}

/* How it went, once curl has nothing left to do. */
static enum pst_err
outcome(struct run *run)
{
    struct upstream *upstream = run->upstream;
    CURLcode code = CURLE_GOT_NOTHING;
    int left = 0;
    CURLMsg *message;

    do {
        message = curl_multi_info_read(upstream->multi, &left);
        if (message && message->msg == CURLMSG_DONE)
            code = message->data.result;
    } while (message);
    if (run->err) {
        explain(upstream, pst_err_text(run->err));
        return run->err;
    }
    if (code == CURLE_OK && !run->head.complete) {
        explain(upstream, "no final answer");
        return PST_UPSTREAM_BROKEN;
    }
    if (code != CURLE_OK && upstream->why[0] == '\0')
        explain(upstream, curl_easy_strerror(code));
    return err_of(code);
}

/* Milliseconds until the running clock of ours has run out. */
static int64_t
time_left(const struct run *run)
{
    const struct upstream *upstream = run->upstream;

    switch (run->phase) {
    case SENT:
        return run->heard + upstream->first_byte_timeout - ticks_ms();
    case ANSWERING:
        return run->heard + upstream->between_bytes_timeout - ticks_ms();
    default:
        return TURN_MAX;
    }
}

/* Wait until there is something to do, the client goes, or time is up. */
static enum pst_err
wait_turn(struct run *run)
{
    struct upstream *upstream = run->upstream;
    struct curl_waitfd client = {upstream->hangup, CURL_WAIT_POLLIN, 0};
    int64_t left = time_left(run);

    if (left <= 0) {
        explain(upstream, run->phase == SENT
                              ? "no answer within the first-byte timeout"
                              : "silent for the between-bytes timeout");
        return PST_UPSTREAM_TIMEOUT;
    }
    if (left > TURN_MAX)
        left = TURN_MAX;
    if (curl_multi_poll(upstream->multi, &client, run->watching ? 1 : 0,
                        (int)left, NULL) != CURLM_OK)
        return PST_NO_MEMORY;
    if (client.revents) {
        explain(upstream, "the client went away");
        return PST_CLIENT_GONE;
    }
    return PST_OK;
}

static enum pst_err
drive(struct run *run)
{
    int running = 1;
    enum pst_err e;

    for (;;) {
        if (curl_multi_perform(run->upstream->multi, &running) != CURLM_OK)
            return PST_NO_MEMORY;
        if (running == 0)
            return outcome(run);
        e = wait_turn(run);
        if (e)
            return e;
    }
}

/*
 * Look out for the client's hanging up, and for that only: a server may
 * leave bytes unread on the descriptor, and they must not wake us again and
 * again. What cannot hang up, such as a file, cannot be watched either.
 */
static void
watch(struct run *run)
{
    struct epoll_event event = {.events = EPOLLRDHUP};
    int client = run->exchange->client;

    run->watching =
        client >= 0 &&
        epoll_ctl(run->upstream->hangup, EPOLL_CTL_ADD, client, &event) == 0;
}

static void
unwatch(struct run *run)
{
    if (run->watching)
        (void)epoll_ctl(run->upstream->hangup, EPOLL_CTL_DEL,
                        run->exchange->client, NULL);
}

enum pst_err
upstream_run(struct upstream *upstream, struct pst_arena *arena,
             const struct upstream_exchange *exchange)
{
    struct run run = {
        .upstream = upstream, .arena = arena, .exchange = exchange};
    enum pst_err e;

    message_head_init(&run.head, arena);
    upstream->why[0] = '\0';
    e = prepare(&run);
    if (!e) {
        watch(&run);
        e = curl_multi_add_handle(upstream->multi, upstream->easy) == CURLM_OK
                ? drive(&run)
                : PST_NO_MEMORY;
        (void)curl_multi_remove_handle(upstream->multi, upstream->easy);
        unwatch(&run);
    }
    /* Nothing of this exchange may be left for the next one (L32). */
    curl_easy_reset(upstream->easy);
    return e;
}
