/* SPDX-License-Identifier: ISC */
/*
 * tls_session.c - the only file that calls libcurl: one HTTP exchange at a time
 * over TLS.
 *
 * libcurl runs outside of the fiber, on the large stack of the thread, and so
 * its functions must not wait: struct transfer keeps what they bring and want,
 * and pauses libcurl until the fiber has passed it on.
 */
#include "upstream/tls_session.h"

#include <assert.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "crypto/crypto.h"
#include "engine/fiber.h"
#include "upstream/connection_pool.h"
#include "upstream/exchange_request.h"
#include "upstream/http_error.h"

static_assert(TLS_ERROR_SIZE == CURL_ERROR_SIZE, "as libcurl has it");

/* A call of libcurl: that a socket is ready, that time has passed, or that it
 * shall go on after a pause. */
struct tls_call {
    struct tls_session *session;
    curl_socket_t socket; /* CURL_SOCKET_TIMEOUT: none */
    int events;
    bool resumes;
    bool has_failed; /* set by the call */
};

static bool is_curl_started;

/* Can curl parse this URL, and is there no user name in it? */
static enum pst_err
check_tls_url(const char *text)
{
    CURLU *url = curl_url();
    CURLUcode code;

    if (!url)
        return PST_NO_MEMORY;
    code = curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER);
    curl_url_cleanup(url);
    if (code == CURLUE_OUT_OF_MEMORY)
        return PST_NO_MEMORY;
    return code == CURLUE_OK ? PST_OK : PST_BAD_CONFIG;
}

enum pst_err
tls_session_start(const char *url)
{
    if (!is_curl_started && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return PST_INTERNAL;
    is_curl_started = true;
    return check_tls_url(url);
}

void
tls_session_stop(void)
{
    if (is_curl_started)
        curl_global_cleanup();
    is_curl_started = false;
}

/* libcurl wants to know when this socket is ready. */
static int
on_curl_socket(CURL *easy, curl_socket_t socket, int what, void *context,
               void *socket_context)
{
    struct tls_session *session = context;
    uint32_t events = 0;

    (void)easy;
    (void)socket_context;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
        events |= EPOLLIN;
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
        events |= EPOLLOUT;
    socket_set_change(&session->sockets, socket, events);
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

/* One connection is enough: there is one exchange at a time. */
static bool
open_session(struct tls_session *session)
{
    CURLM *multi = session->multi = curl_multi_init();

    session->easy = curl_easy_init();
    session->timer = INT64_MAX;
    return socket_set_open(&session->sockets) && session->easy && multi &&
           !(curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 1L) ||
             curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION,
                               on_curl_socket) ||
             curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, session) ||
             curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_curl_timer) ||
             curl_multi_setopt(multi, CURLMOPT_TIMERDATA, session));
}

struct tls_session *
tls_session_new(const struct http_target *target)
{
    struct tls_session *session = calloc(1, sizeof(*session));

    if (!session)
        return NULL;
    session->target = target;
    session->sockets.epoll = -1;
    if (!open_session(session))
        tls_session_free(&session);
    return session;
}

void
tls_session_free(struct tls_session **session)
{
    struct tls_session *gone = *session;

    *session = NULL;
    if (!gone)
        return;
    curl_easy_cleanup(gone->easy);
    curl_multi_cleanup(gone->multi);
    socket_set_close(&gone->sockets);
    pst_crypto_wipe(gone->buffers, sizeof(gone->buffers));
    free(gone);
}

static size_t
on_curl_read(char *out, size_t unit, size_t count, void *context)
{
    size_t len;

    switch (transfer_supply(context, out, unit * count, &len)) {
    case TRANSFER_DONE:
        return len;
    case TRANSFER_PAUSED:
        return CURL_READFUNC_PAUSE;
    default:
        return CURL_READFUNC_ABORT;
    }
}

static int
on_curl_seek(void *context, curl_off_t offset, int whence)
{
    if (offset == 0 && whence == SEEK_SET && transfer_restart(context))
        return CURL_SEEKFUNC_OK;
    return CURL_SEEKFUNC_FAIL;
}

/* Called once a connection is ready, before the request is sent. */
static int
on_curl_connected(void *context, char *to, char *from, int to_port,
                  int from_port)
{
    (void)to;
    (void)from;
    (void)to_port;
    (void)from_port;
    transfer_connected(context);
    return CURL_PREREQFUNC_OK;
}

static size_t
on_curl_header(char *data, size_t unit, size_t count, void *context)
{
    const struct pst_str line = {data, unit * count};

    return transfer_add_line(context, line) == PST_OK ? line.len : 0;
}

static size_t
on_curl_body(char *data, size_t unit, size_t count, void *context)
{
    const struct pst_str piece = {data, unit * count};

    switch (transfer_receive(context, piece)) {
    case TRANSFER_DONE:
        return piece.len;
    case TRANSFER_PAUSED:
        return CURL_WRITEFUNC_PAUSE;
    default:
        return 0;
    }
}

/* What is the same for every exchange. */
static bool
set_fixed_options(CURL *easy)
{
    return !(
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) ||
        /* Never wait for the thread that asks a name server. */
        curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) ||
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                         (long)CURL_HTTP_VERSION_2TLS) ||
        curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L) ||
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) ||
        curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) ||
        curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) ||
        curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L) ||
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) ||
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) ||
        curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                         (long)CURL_SSLVERSION_TLSv1_2) ||
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") ||
        /* Not a proxy from the environment: it would see the token. */
        curl_easy_setopt(easy, CURLOPT_PROXY, "") ||
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*") ||
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_curl_read) ||
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_curl_seek) ||
        curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_curl_connected) ||
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_curl_header) ||
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_curl_body));
}

static bool
set_method_options(CURL *easy, bool is_get, int64_t body_length)
{
    if (is_get)
        return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    return curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
           (body_length != 0 ||
            curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "") == CURLE_OK) &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                            (curl_off_t)body_length) == CURLE_OK;
}

/* With a CA file of our own, the system's certificates are not trusted. */
static bool
set_ca_options(CURL *easy, const char *ca)
{
    return !ca || (curl_easy_setopt(easy, CURLOPT_CAINFO, ca) == CURLE_OK &&
                   curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK);
}

/* A connection that was idle for long may be closed before the request has
 * arrived, which one that cannot be sent again must not risk. */
static bool
is_connection_old(const struct tls_session *session,
                  const struct transfer *transfer, bool is_get)
{
    int64_t idle_max = is_get || transfer->exchange->is_repeatable
                           ? CONNECTION_IDLE_MAX
                           : CONNECTION_IDLE_ONE_SHOT_MAX;

    return clock_ms() - session->idle_since > idle_max;
}

/* The callbacks' context, and what is sent. */
static bool
set_transfer_options(struct tls_session *session, struct transfer *transfer,
                     const struct exchange_request *request,
                     struct curl_slist *header_list)
{
    CURL *easy = session->easy;
    bool is_old = is_connection_old(session, transfer, request->is_get);

    return !(curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, session->text) ||
             curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, is_old ? 1L : 0L) ||
             curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                              (long)session->target->connect_timeout) ||
             curl_easy_setopt(easy, CURLOPT_READDATA, transfer) ||
             curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer) ||
             curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer) ||
             curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer) ||
             curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) ||
             curl_easy_setopt(easy, CURLOPT_HTTPHEADER, header_list) ||
             curl_easy_setopt(easy, CURLOPT_URL, request->url)) &&
           set_ca_options(easy, session->target->ca) &&
           set_method_options(easy, request->is_get,
                              transfer->exchange->body_length);
}

/* The lines as curl's list, in the arena; NULL when it is full. */
static struct curl_slist *
make_header_list(struct pst_arena *arena,
                 const struct exchange_request *request)
{
    struct curl_slist *nodes =
        pst_arena_alloc(arena, request->line_count * sizeof(*nodes));

    if (!nodes)
        return NULL;
    for (size_t i = 0; i < request->line_count; i++)
        nodes[i] = (struct curl_slist){
            .data = request->lines[i],
            .next = i + 1 < request->line_count ? &nodes[i + 1] : NULL};
    return nodes;
}

enum pst_err
tls_session_begin(struct tls_session *session, struct pst_arena *arena,
                  struct transfer *transfer, struct http_error *error)
{
    struct curl_slist *header_list;
    struct exchange_request request;
    enum pst_err e;

    session->error = error;
    session->text[0] = '\0';
    e = exchange_request_make(arena, session->target->url, transfer->exchange,
                              &request);
    if (e)
        return e;
    header_list = make_header_list(arena, &request);
    if (!header_list)
        return PST_NO_MEMORY;
    if (set_fixed_options(session->easy) &&
        set_transfer_options(session, transfer, &request, header_list))
        return curl_multi_add_handle(session->multi, session->easy) == CURLM_OK
                   ? PST_OK
                   : PST_NO_MEMORY;
    return http_error_set(session->error, PST_NO_MEMORY,
                          "libcurl refused an option: it is out of memory, "
                          "or was built without HTTP or TLS");
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
tls_session_result(struct tls_session *session, const struct transfer *transfer)
{
    int left = 0;
    const CURLMsg *message = curl_multi_info_read(session->multi, &left);
    CURLcode code = message ? message->data.result : CURLE_GOT_NOTHING;

    if (transfer->err)
        return http_error_set(session->error, transfer->err, "%s",
                              pst_err_text(transfer->err));
    if (code == CURLE_OK && !transfer->head.complete)
        return http_error_set(session->error, PST_UPSTREAM_BROKEN,
                              "the backend sent no final response");
    if (code == CURLE_OK)
        return PST_OK;
    return http_error_set(session->error, error_from_curl(code), "%s",
                          session->text[0] ? session->text
                                           : curl_easy_strerror(code));
}

/* Call libcurl, outside of the fiber. */
static void
run_call(void *argument)
{
    struct tls_call *call = argument;
    struct tls_session *session = call->session;

    if (call->resumes)
        call->has_failed =
            curl_easy_pause(session->easy, CURLPAUSE_CONT) != CURLE_OK;
    if (!call->has_failed)
        call->has_failed =
            curl_multi_socket_action(session->multi, call->socket, call->events,
                                     &session->running) != CURLM_OK;
}

enum pst_err
tls_session_call(struct tls_session *session, int socket, uint32_t events,
                 bool resumes)
{
    struct tls_call call = {
        .session = session,
        .socket = socket >= 0 ? socket : CURL_SOCKET_TIMEOUT,
        .events = (events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
                  (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                  (events & EPOLLERR ? CURL_CSELECT_ERR : 0),
        .resumes = resumes};

    fiber_call_outside(run_call, &call);
    return call.has_failed ? PST_NO_MEMORY : PST_OK;
}

void
tls_session_end(struct tls_session *session)
{
    (void)curl_multi_remove_handle(session->multi, session->easy);
    /* The next exchange must not inherit anything, such as a token. */
    curl_easy_reset(session->easy);
    pst_crypto_wipe(session->buffers, sizeof(session->buffers));
    session->error = NULL;
    session->idle_since = clock_ms();
}
