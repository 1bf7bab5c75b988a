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
#define WAIT_MAX (60 * SECOND)    /* one wait, when no clock of ours runs */
#define TIMEOUT_MAX (86400 * 365) /* seconds: nobody waits longer */

struct http_client {
    CURLM *multi;
    CURL *easy;
    char *url;
    char *ca;
    int64_t connect_timeout; /* milliseconds, each */
    int64_t first_byte_timeout;
    int64_t between_bytes_timeout;
    int hangup_epoll; /* an epoll that becomes readable when the client goes */
    char error[CURL_ERROR_SIZE];
};

/* Which clock runs. */
enum phase {
    PHASE_CONNECTING,   /* curl's own */
    PHASE_REQUEST_SENT, /* the request is on its way, no answer yet */
    PHASE_RESPONDING,
};

struct transfer {
    struct http_client *http;
    struct pst_arena *arena;
    const struct http_exchange *exchange;
    enum pst_err err; /* why a function of ours ended the exchange */
    enum phase phase;
    int64_t last_activity; /* milliseconds: when something last moved */
    int64_t body_read;     /* bytes that exchange->read has given */
    bool body_ended;
    bool is_client_watched; /* the client's descriptor is in hangup */
    struct message_head head;
};

enum pst_err
http_client_start(void)
{
    /* TLS writes to a socket that hung up would otherwise end the process. */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return PST_INTERNAL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return PST_INTERNAL;
    return PST_OK;
}

void
http_client_stop(void)
{
    curl_global_cleanup();
}

static bool
url_has_part(CURLU *url, CURLUPart part)
{
    char *value = NULL;
    bool has = curl_url_get(url, part, &value, 0) == CURLUE_OK;

    curl_free(value);
    return has;
}

/* An address without a name, a password or a fragment: those are not ours. */
static enum pst_err
check_client_url(const char *text)
{
    CURLU *url = curl_url();
    enum pst_err e = PST_BAD_CONFIG;

    if (!url)
        return PST_NO_MEMORY;
    if (curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
        !url_has_part(url, CURLUPART_USER) &&
        !url_has_part(url, CURLUPART_PASSWORD) &&
        !url_has_part(url, CURLUPART_FRAGMENT))
        e = PST_OK;
    curl_url_cleanup(url);
    return e;
}

static bool
is_valid_timeout(int64_t seconds)
{
    return seconds > 0 && seconds <= TIMEOUT_MAX;
}

static enum pst_err
check_client_options(const struct http_client_options *options)
{
    struct pst_str url = options->url;

    if (!pst_str_starts_nocase(url, PST_STR("http://")) &&
        !pst_str_starts_nocase(url, PST_STR("https://")))
        return PST_BAD_CONFIG;
    if (url.len > PST_URL_MAX || !pst_str_is_field_value(url))
        return PST_BAD_CONFIG;
    if (!is_valid_timeout(options->connect_timeout) ||
        !is_valid_timeout(options->first_byte_timeout) ||
        !is_valid_timeout(options->between_bytes_timeout))
        return PST_BAD_CONFIG;
    return PST_OK;
}

static enum pst_err
http_client_build(struct http_client *http,
                  const struct http_client_options *options)
{
    http->connect_timeout = options->connect_timeout * SECOND;
    http->first_byte_timeout = options->first_byte_timeout * SECOND;
    http->between_bytes_timeout = options->between_bytes_timeout * SECOND;
    http->url = strndup(options->url.ptr, options->url.len);
    http->ca = options->ca ? strdup(options->ca) : NULL;
    http->easy = curl_easy_init();
    http->multi = curl_multi_init();
    http->hangup_epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!http->url || (options->ca && !http->ca) || !http->easy ||
        !http->multi || http->hangup_epoll < 0)
        return PST_NO_MEMORY;
    /* One thread talks to one address: one connection is all there is. */
    if (curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, 1L) != CURLM_OK)
        return PST_NO_MEMORY;
    return check_client_url(http->url);
}

enum pst_err
http_client_new(struct http_client **out,
                const struct http_client_options *options)
{
    struct http_client *http;
    enum pst_err e = check_client_options(options);

    if (e)
        return e;
    http = calloc(1, sizeof(*http));
    if (!http)
        return PST_NO_MEMORY;
    e = http_client_build(http, options);
    if (e) {
        http_client_free(&http);
        return e;
    }
    *out = http;
    return PST_OK;
}

enum pst_err
http_client_copy(const struct http_client *http, struct http_client **out)
{
    const struct http_client_options options = {
        .url = pst_str_from(http->url),
        .ca = http->ca,
        .connect_timeout = http->connect_timeout / SECOND,
        .first_byte_timeout = http->first_byte_timeout / SECOND,
        .between_bytes_timeout = http->between_bytes_timeout / SECOND,
    };
    enum pst_err e = http_client_new(out, &options);

    return e == PST_BAD_CONFIG ? PST_INTERNAL : e;
}

void
http_client_free(struct http_client **http)
{
    struct http_client *gone = *http;

    *http = NULL;
    if (!gone)
        return;
    curl_easy_cleanup(gone->easy);
    curl_multi_cleanup(gone->multi);
    if (gone->hangup_epoll >= 0)
        (void)close(gone->hangup_epoll);
    free(gone->ca);
    free(gone->url);
    free(gone);
}

const char *
http_client_error(const struct http_client *http)
{
    return http->error;
}

static void
http_client_set_error(struct http_client *http, const char *error)
{
    (void)snprintf(http->error, sizeof(http->error), "%s", error);
}

/* A list for CURLOPT_HTTPHEADER whose nodes and lines lie in the arena. */
struct header_list {
    struct pst_arena *arena;
    struct curl_slist *first;
    struct curl_slist *last;
};

/* Add a line made of three pieces. */
static enum pst_err
add_header_line(struct header_list *header_list, struct pst_str name,
                struct pst_str between, struct pst_str value)
{
    struct curl_slist *node =
        pst_arena_alloc(header_list->arena, sizeof(*node));
    size_t len = name.len + between.len + value.len + 1;
    struct pst_buf buf;

    if (!node)
        return PST_NO_MEMORY;
    node->data = pst_arena_alloc(header_list->arena, len);
    if (!node->data)
        return PST_NO_MEMORY;
    pst_buf_init(&buf, node->data, len);
    pst_buf_add(&buf, name);
    pst_buf_add(&buf, between);
    pst_buf_add(&buf, value);
    pst_buf_add_char(&buf, '\0');
    if (header_list->last)
        header_list->last->next = node;
    else
        header_list->first = node;
    header_list->last = node;
    return PST_OK;
}

static enum pst_err
add_request_header(struct header_list *header_list,
                   const struct http_header *header)
{
    struct pst_str value = pst_str_trim(header->value);

    if (!message_may_send(header->name, value))
        return PST_MALFORMED;
    /* curl's own spelling for a header that is there and empty. */
    if (value.len == 0)
        return add_header_line(header_list, header->name, PST_STR(";"),
                               PST_STR(""));
    return add_header_line(header_list, header->name, PST_STR(": "), value);
}

static bool
has_request_header(const struct http_exchange *exchange, struct pst_str name)
{
    for (size_t i = 0; i < exchange->header_count; i++) {
        if (pst_str_equal_nocase(exchange->headers[i].name, name))
            return true;
    }
    return false;
}

/* The headers that were given, and none that curl would add by itself. */
static enum pst_err
make_header_list(const struct transfer *transfer, bool chunked,
                 struct header_list *header_list)
{
    static const char *const curl_default_headers[] = {"Accept", "Content-Type",
                                                       "Expect", "User-Agent"};
    const struct http_exchange *exchange = transfer->exchange;
    enum pst_err e = PST_OK;

    for (size_t i = 0; i < exchange->header_count && !e; i++)
        e = add_request_header(header_list, &exchange->headers[i]);
    for (size_t i = 0; i < PST_COUNT(curl_default_headers) && !e; i++) {
        struct pst_str name = pst_str_from(curl_default_headers[i]);

        if (!has_request_header(exchange, name))
            e = add_header_line(header_list, name, PST_STR(":"), PST_STR(""));
    }
    if (chunked && !e)
        e = add_header_line(header_list, PST_STR("Transfer-Encoding"),
                            PST_STR(": "), PST_STR("chunked"));
    return e;
}

/* End the exchange for a reason of ours. */
static void
set_transfer_error(struct transfer *transfer, enum pst_err e)
{
    if (!transfer->err)
        transfer->err = e;
}

static size_t
on_curl_read(char *out, size_t unit, size_t count, void *context)
{
    struct transfer *transfer = context;
    const struct http_exchange *exchange = transfer->exchange;
    int64_t left = exchange->body_length < 0
                       ? INT64_MAX
                       : exchange->body_length - transfer->body_read;
    size_t size = unit * count;
    size_t len = 0;
    enum pst_err e;

    if ((uint64_t)left < size)
        size = (size_t)left;
    if (size == 0 || transfer->body_ended)
        return 0;
    e = exchange->read(exchange->context, out, size, &len);
    /* However long the client took, the backend was not the one who did. */
    transfer->last_activity = clock_ms();
    PST_REQUIRE(e || len <= size);
    if (!e && len == 0 && exchange->body_length >= 0)
        e = PST_MALFORMED;
    if (e) {
        set_transfer_error(transfer, e);
        return CURL_READFUNC_ABORT;
    }
    transfer->body_read += (int64_t)len;
    transfer->body_ended = len == 0;
    return len;
}

/* The body can begin anew only while none of it was taken from the client. */
static int
on_curl_seek(void *context, curl_off_t offset, int whence)
{
    const struct transfer *transfer = context;

    if (transfer->body_read == 0 && offset == 0 && whence == SEEK_SET)
        return CURL_SEEKFUNC_OK;
    return CURL_SEEKFUNC_FAIL;
}

/* Called with a connection made or found again, before the request is sent. */
static int
on_curl_connected(void *context, char *to, char *from, int to_port,
                  int from_port)
{
    struct transfer *transfer = context;

    (void)to;
    (void)from;
    (void)to_port;
    (void)from_port;
    transfer->phase = PHASE_REQUEST_SENT;
    transfer->last_activity = clock_ms();
    return CURL_PREREQFUNC_OK;
}

static enum pst_err
add_response_line(struct transfer *transfer, struct pst_str line)
{
    const struct http_exchange *exchange = transfer->exchange;
    enum pst_err e = message_head_add(&transfer->head, line);

    if (e)
        return e;
    if (transfer->head.status >= 200)
        transfer->phase = PHASE_RESPONDING;
    if (!transfer->head.complete)
        return PST_OK;
    e = message_head_walk(&transfer->head, exchange->header, exchange->context);
    return e ? e : exchange->head(exchange->context, transfer->head.status);
}

static size_t
on_curl_header(char *data, size_t unit, size_t count, void *context)
{
    struct transfer *transfer = context;
    struct pst_str line = {data, unit * count};
    enum pst_err e;

    /* What comes after the body is a trailer, and no header (L19). */
    if (transfer->head.complete)
        return line.len;
    e = add_response_line(transfer, line);
    transfer->last_activity = clock_ms();
    if (!e)
        return line.len;
    set_transfer_error(transfer, e);
    return 0;
}

static size_t
on_curl_body(char *data, size_t unit, size_t count, void *context)
{
    struct transfer *transfer = context;
    const struct http_exchange *exchange = transfer->exchange;
    struct pst_str piece = {data, unit * count};
    enum pst_err e = PST_UPSTREAM_BROKEN;

    if (piece.len == 0)
        return 0;
    if (transfer->head.complete)
        e = exchange->body(exchange->context, piece);
    /* Nor is a client that reads slowly the backend's fault. */
    transfer->last_activity = clock_ms();
    if (!e)
        return piece.len;
    set_transfer_error(transfer, e);
    return 0;
}

/* What holds for every exchange: switches and numbers. */
static bool
set_curl_numbers(CURL *easy)
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
set_curl_pointers(struct transfer *transfer, const char *url,
                  struct curl_slist *header_list)
{
    struct http_client *http = transfer->http;
    const struct {
        CURLoption option;
        void *value;
    } rows[] = {
        {CURLOPT_READDATA, transfer},       {CURLOPT_SEEKDATA, transfer},
        {CURLOPT_PREREQDATA, transfer},     {CURLOPT_HEADERDATA, transfer},
        {CURLOPT_WRITEDATA, transfer},      {CURLOPT_HTTPHEADER, header_list},
        {CURLOPT_ERRORBUFFER, http->error},
    };
    CURL *easy = http->easy;

    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        if (curl_easy_setopt(easy, rows[i].option, rows[i].value) != CURLE_OK)
            return false;
    }
    /* With a file of ours, the system's certificates are not trusted too. */
    if (http->ca &&
        (curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca) != CURLE_OK ||
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
set_curl_functions(CURL *easy)
{
    return curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_curl_read) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_curl_seek) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_curl_connected) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_curl_header) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_curl_body) ==
               CURLE_OK;
}

static bool
set_curl_method(CURL *easy, bool is_get, int64_t body_length)
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
prepare_transfer(struct transfer *transfer)
{
    const struct http_exchange *exchange = transfer->exchange;
    struct http_client *http = transfer->http;
    bool is_get = pst_str_equal(exchange->method, PST_STR("GET"));
    struct header_list header_list = {.arena = transfer->arena};
    CURL *easy = http->easy;
    const char *url;
    enum pst_err e;

    if (!is_get && !pst_str_equal(exchange->method, PST_STR("POST")))
        return PST_BAD_METHOD;
    e = message_url(transfer->arena, http->url, exchange->query, &url);
    if (!e)
        e = make_header_list(transfer, !is_get && exchange->body_length < 0,
                             &header_list);
    if (e)
        return e;
    if (set_curl_numbers(easy) &&
        set_curl_pointers(transfer, url, header_list.first) &&
        set_curl_functions(easy) &&
        set_curl_method(easy, is_get, exchange->body_length) &&
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                         (long)http->connect_timeout) == CURLE_OK)
        return PST_OK;
    http_client_set_error(
        http, "curl has no memory for an option, or does not know it");
    return PST_NO_MEMORY;
}

static enum pst_err
error_from_curl(CURLcode code)
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
finish_transfer(struct transfer *transfer)
{
    struct http_client *http = transfer->http;
    CURLcode code = CURLE_GOT_NOTHING;
    int left = 0;
    CURLMsg *message;

    do {
        message = curl_multi_info_read(http->multi, &left);
        if (message && message->msg == CURLMSG_DONE)
            code = message->data.result;
    } while (message);
    if (transfer->err) {
        http_client_set_error(http, pst_err_text(transfer->err));
        return transfer->err;
    }
    if (code == CURLE_OK && !transfer->head.complete) {
        http_client_set_error(http, "no final answer");
        return PST_UPSTREAM_BROKEN;
    }
    if (code != CURLE_OK && http->error[0] == '\0')
        http_client_set_error(http, curl_easy_strerror(code));
    return error_from_curl(code);
}

/* Milliseconds until the running clock of ours has run out. */
static int64_t
time_until_timeout(const struct transfer *transfer)
{
    const struct http_client *http = transfer->http;

    switch (transfer->phase) {
    case PHASE_REQUEST_SENT:
        return transfer->last_activity + http->first_byte_timeout - clock_ms();
    case PHASE_RESPONDING:
        return transfer->last_activity + http->between_bytes_timeout -
               clock_ms();
    default:
        return WAIT_MAX;
    }
}

/* Wait until there is something to do, the client goes, or time is up. */
static enum pst_err
wait_for_activity(struct transfer *transfer)
{
    struct http_client *http = transfer->http;
    struct curl_waitfd client = {http->hangup_epoll, CURL_WAIT_POLLIN, 0};
    int64_t left = time_until_timeout(transfer);

    if (left <= 0) {
        http_client_set_error(http,
                              transfer->phase == PHASE_REQUEST_SENT
                                  ? "no answer within the first-byte timeout"
                                  : "silent for the between-bytes timeout");
        return PST_UPSTREAM_TIMEOUT;
    }
    if (left > WAIT_MAX)
        left = WAIT_MAX;
    if (curl_multi_poll(http->multi, &client,
                        transfer->is_client_watched ? 1 : 0, (int)left,
                        NULL) != CURLM_OK)
        return PST_NO_MEMORY;
    if (client.revents) {
        http_client_set_error(http, "the client went away");
        return PST_CLIENT_GONE;
    }
    return PST_OK;
}

static enum pst_err
drive_transfer(struct transfer *transfer)
{
    int running = 1;
    enum pst_err e;

    for (;;) {
        if (curl_multi_perform(transfer->http->multi, &running) != CURLM_OK)
            return PST_NO_MEMORY;
        if (running == 0)
            return finish_transfer(transfer);
        e = wait_for_activity(transfer);
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
watch_client(struct transfer *transfer)
{
    struct epoll_event event = {.events = EPOLLRDHUP};
    int client = transfer->exchange->client;

    transfer->is_client_watched =
        client >= 0 && epoll_ctl(transfer->http->hangup_epoll, EPOLL_CTL_ADD,
                                 client, &event) == 0;
}

static void
unwatch_client(struct transfer *transfer)
{
    if (transfer->is_client_watched)
        (void)epoll_ctl(transfer->http->hangup_epoll, EPOLL_CTL_DEL,
                        transfer->exchange->client, NULL);
}

enum pst_err
http_client_run(struct http_client *http, struct pst_arena *arena,
                const struct http_exchange *exchange)
{
    struct transfer transfer = {
        .http = http, .arena = arena, .exchange = exchange};
    enum pst_err e;

    message_head_init(&transfer.head, arena);
    http->error[0] = '\0';
    e = prepare_transfer(&transfer);
    if (!e) {
        watch_client(&transfer);
        e = curl_multi_add_handle(http->multi, http->easy) == CURLM_OK
                ? drive_transfer(&transfer)
                : PST_NO_MEMORY;
        (void)curl_multi_remove_handle(http->multi, http->easy);
        unwatch_client(&transfer);
    }
    /* Nothing of this exchange may be left for the next one (L32). */
    curl_easy_reset(http->easy);
    return e;
}
