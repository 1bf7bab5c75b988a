/* SPDX-License-Identifier: ISC */
/*
 * tls_session.c - the connections of one thread to the backend over TLS, by
 * libcurl.
 *
 * All exchanges of a thread share its connections and the certificates of the
 * authorities, which take milliseconds to parse. With HTTP/2, too, a connection
 * has one exchange at a time: one that is aborted ends with its connection.
 */
#include "upstream/tls_session.h"

#include "base/clock.h"
#include "crypto/crypto.h"
#include "upstream/curl_library.h"
#include "upstream/http_error.h"
#include "upstream/tls_options.h"

static bool is_curl_started;

/* Can curl parse this URL, and is there no user name in it? */
static enum pst_err
check_tls_url(const char *text)
{
    CURLU *url = curl.url();
    CURLUcode code;

    if (!url)
        return PST_NO_MEMORY;
    code = curl.url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER);
    curl.url_cleanup(url);
    if (code == CURLUE_OUT_OF_MEMORY)
        return PST_NO_MEMORY;
    return code == CURLUE_OK ? PST_OK : PST_BAD_CONFIG;
}

enum pst_err
tls_session_start(const char *url)
{
    enum pst_err e = curl_library_load();

    if (!e && !is_curl_started &&
        curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        e = PST_INTERNAL;
    if (e)
        return e;
    is_curl_started = true;
    return check_tls_url(url);
}

void
tls_session_stop(void)
{
    if (is_curl_started)
        curl.global_cleanup();
    is_curl_started = false;
}

/* Its sockets or its time may be lost: nothing would end it. */
static void
fail_without_memory(struct tls_handle *handle)
{
    if (!handle->is_done && !handle->transfer->err)
        handle->transfer->err = PST_NO_MEMORY;
}

/* libcurl wants to know when this socket is ready. */
static int
on_curl_socket(CURL *easy, curl_socket_t socket, int what, void *context,
               void *socket_context)
{
    struct tls_session *session = context;
    struct tls_handle *handle = NULL;
    uint32_t events = 0;

    (void)socket_context;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        events |= EPOLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        events |= EPOLLOUT;
    if (socket_set_change(&session->sockets, socket, events))
        return 0;
    curl.easy_getinfo(easy, CURLINFO_PRIVATE, &handle);
    if (handle)
        fail_without_memory(handle);
    return 0;
}

/* libcurl wants to be called after so many milliseconds; -1: no more. */
static int
on_curl_timer(CURLM *multi, long ms, void *context)
{
    struct tls_session *session = context;

    (void)multi;
    session->timer = ms < 0 ? INT64_MAX : clock_ms() + ms;
    return 0;
}

static bool
open_multi(struct tls_session *session)
{
    CURLM *multi = session->multi = curl.multi_init();

    session->timer = INT64_MAX;
    return multi &&
           !(curl.multi_setopt(multi, CURLMOPT_MAXCONNECTS,
                               TLS_CONNECTIONS_KEPT) ||
             curl.multi_setopt(multi, CURLMOPT_PIPELINING,
                               (long)CURLPIPE_NOTHING) ||
             curl.multi_setopt(multi, CURLMOPT_SOCKETFUNCTION,
                               on_curl_socket) ||
             curl.multi_setopt(multi, CURLMOPT_SOCKETDATA, session) ||
             curl.multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_curl_timer) ||
             curl.multi_setopt(multi, CURLMOPT_TIMERDATA, session));
}

struct tls_session *
tls_session_new(const struct http_target *target)
{
    struct tls_session *session = calloc(1, sizeof(*session));

    if (!session)
        return NULL;
    session->target = target;
    session->sockets.epoll = -1;
    TAILQ_INIT(&session->running);
    TAILQ_INIT(&session->kept);
    if (!socket_set_open(&session->sockets) || !open_multi(session))
        tls_session_free(&session);
    return session;
}

/* After an error of libcurl: once no exchange uses its handle, take a new one.
 * With the old one, it may crash. */
static bool
repair_session(struct tls_session *session)
{
    if (!TAILQ_EMPTY(&session->running))
        return false;
    curl.multi_cleanup(session->multi);
    session->is_broken = !open_multi(session);
    return !session->is_broken;
}

static void
free_handle(struct tls_handle *handle)
{
    curl.easy_cleanup(handle->easy);
    free(handle);
}

void
tls_session_free(struct tls_session **session)
{
    struct tls_session *gone = *session;
    struct tls_handle *handle;

    *session = NULL;
    if (!gone)
        return;
    PST_REQUIRE(TAILQ_EMPTY(&gone->running));
    while ((handle = TAILQ_FIRST(&gone->kept))) {
        TAILQ_REMOVE(&gone->kept, handle, link);
        free_handle(handle);
    }
    curl.multi_cleanup(gone->multi);
    socket_set_close(&gone->sockets);
    free(gone);
}

/* A kept handle, or a new one; NULL: no memory. */
static struct tls_handle *
take_handle(struct tls_session *session)
{
    struct tls_handle *handle = TAILQ_FIRST(&session->kept);

    if (handle) {
        TAILQ_REMOVE(&session->kept, handle, link);
        session->kept_count--;
        /* Without memory, the last reset has set only some defaults. */
        curl.easy_reset(handle->easy);
        return handle;
    }
    handle = calloc(1, sizeof(*handle));
    if (!handle)
        return NULL;
    handle->session = session;
    handle->easy = curl.easy_init();
    if (handle->easy)
        return handle;
    free(handle);
    return NULL;
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

enum pst_err
tls_handle_result(struct tls_handle *handle)
{
    const struct transfer *transfer = handle->transfer;
    CURLcode code = (CURLcode)handle->code;

    if (transfer->err)
        return http_error_set(handle->error, transfer->err, "%s",
                              transfer->head.reason
                                  ? transfer->head.reason
                                  : pst_err_text(transfer->err));
    /* What libcurl says of a line over its limit of 100 KiB. */
    if (code == CURLE_OUT_OF_MEMORY && transfer->head.status > 0 &&
        !transfer->head.complete)
        return http_error_set(handle->error, PST_UPSTREAM_BROKEN,
                              "a line of the head is too long");
    if (code == CURLE_OK && !transfer->head.complete)
        return http_error_set(handle->error, PST_UPSTREAM_BROKEN,
                              "the backend sent no final response");
    if (code == CURLE_OK)
        return PST_OK;
    return http_error_set(handle->error, error_from_curl(code), "%s",
                          handle->text[0] ? handle->text
                                          : curl.easy_strerror(code));
}

void
tls_session_call(struct tls_session *session, int socket, uint32_t events)
{
    int flags = (events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                (events & EPOLLERR ? CURL_CSELECT_ERR : 0);
    struct tls_handle *handle = NULL;
    const CURLMsg *message;
    CURLMcode code;
    int count;

    if (socket < 0)
        session->timer = INT64_MAX; /* libcurl sets it again */
    code = curl.multi_socket_action(session->multi,
                                    socket < 0 ? CURL_SOCKET_TIMEOUT : socket,
                                    flags, &count);
    while ((message = curl.multi_info_read(session->multi, &count))) {
        curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &handle);
        handle->is_done = true;
        handle->code = (int)message->data.result;
    }
    if (code == CURLM_OK)
        return;
    session->is_broken = true;
    TAILQ_FOREACH(handle, &session->running, link)
    {
        fail_without_memory(handle);
    }
}

enum pst_err
tls_handle_begin(struct tls_session *session, struct pst_arena *arena,
                 struct transfer *transfer, struct http_error *error,
                 struct tls_handle **out)
{
    struct tls_handle *handle;
    enum pst_err e;

    if (session->is_broken && !repair_session(session))
        return PST_NO_MEMORY;
    handle = take_handle(session);
    if (!handle)
        return PST_NO_MEMORY;
    TAILQ_INSERT_TAIL(&session->running, handle, link);
    handle->transfer = transfer;
    handle->error = error;
    handle->is_done = false;
    handle->text[0] = '\0';
    transfer->buffers = handle->buffers;
    e = tls_options_set(handle, arena);
    if (!e && curl.multi_add_handle(session->multi, handle->easy) != CURLM_OK)
        e = PST_NO_MEMORY;
    if (e) {
        tls_handle_end(handle);
        return e;
    }
    tls_session_call(session, -1, 0);
    *out = handle;
    return PST_OK;
}

void
tls_handle_resume(struct tls_handle *handle)
{
    if (curl.easy_pause(handle->easy, CURLPAUSE_CONT) != CURLE_OK &&
        !handle->transfer->err)
        handle->transfer->err = PST_NO_MEMORY;
    tls_session_call(handle->session, -1, 0);
}

void
tls_handle_end(struct tls_handle *handle)
{
    struct tls_session *session = handle->session;

    /* An exchange that is not over ends with its connection: on one of HTTP/2,
     * libcurl would not tell the backend. */
    (void)curl.easy_setopt(handle->easy, CURLOPT_FORBID_REUSE, 1L);
    (void)curl.multi_remove_handle(session->multi, handle->easy);
    /* The next exchange must not inherit anything, such as a token. */
    curl.easy_reset(handle->easy);
    pst_crypto_wipe(handle->buffers, sizeof(handle->buffers));
    TAILQ_REMOVE(&session->running, handle, link);
    if (session->kept_count == TLS_HANDLES_KEPT_MAX) {
        free_handle(handle);
        return;
    }
    TAILQ_INSERT_HEAD(&session->kept, handle, link);
    session->kept_count++;
}
