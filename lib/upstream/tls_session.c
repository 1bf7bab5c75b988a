/* SPDX-License-Identifier: ISC */
/*
 * tls_session.c - the only file that calls libcurl: run one HTTP exchange at a
 * time over TLS.
 *
 * The multi interface is driven here and not by curl, so that our timeouts
 * and a client that hangs up are noticed while we wait.
 */
#include "upstream/tls_session.h"

#include <curl/curl.h>

#include "upstream/client_watch.h"
#include "upstream/exchange_request.h"
#include "upstream/http_error.h"
#include "upstream/transfer.h"

struct tls_session {
    CURLM *multi;
    CURL *easy;
    const struct http_target *target;
    struct client_watch watch;
    struct http_error *error; /* of the exchange that runs */
    char text[CURL_ERROR_SIZE];
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

/* One connection is enough: there is one exchange at a time. */
static bool
open_session(struct tls_session *session)
{
    session->easy = curl_easy_init();
    session->multi = curl_multi_init();
    return client_watch_init(&session->watch) == PST_OK && session->easy &&
           session->multi &&
           curl_multi_setopt(session->multi, CURLMOPT_MAXCONNECTS, 1L) ==
               CURLM_OK;
}

struct tls_session *
tls_session_new(const struct http_target *target)
{
    struct tls_session *session = calloc(1, sizeof(*session));

    if (!session)
        return NULL;
    session->target = target;
    session->watch.epoll = -1;
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
    client_watch_fini(&gone->watch);
    free(gone);
}

static size_t
on_curl_read(char *out, size_t unit, size_t count, void *context)
{
    size_t len;

    if (transfer_read_body(context, out, unit * count, &len) != PST_OK)
        return CURL_READFUNC_ABORT;
    return len;
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

    return transfer_add_body(context, piece) == PST_OK ? piece.len : 0;
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

/* The callbacks' context, and what is sent. */
static bool
set_transfer_options(struct tls_session *session, struct transfer *transfer,
                     const struct exchange_request *request,
                     struct curl_slist *header_list)
{
    CURL *easy = session->easy;

    return !(curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, session->text) ||
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

/* Check what is sent, and set every option of the handle. */
static enum pst_err
prepare_handle(struct tls_session *session, struct pst_arena *arena,
               struct transfer *transfer)
{
    struct curl_slist *header_list;
    struct exchange_request request;
    enum pst_err e = exchange_request_make(arena, session->target->url,
                                           transfer->exchange, &request);

    if (e)
        return e;
    header_list = make_header_list(arena, &request);
    if (!header_list)
        return PST_NO_MEMORY;
    if (set_fixed_options(session->easy) &&
        set_transfer_options(session, transfer, &request, header_list))
        return PST_OK;
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

/* The result, once curl has nothing left to do. */
static enum pst_err
finish_transfer(struct tls_session *session, const struct transfer *transfer)
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

/* Wait until curl has something to do, the client hangs up, or a timeout. */
static enum pst_err
wait_for_activity(struct tls_session *session, const struct transfer *transfer)
{
    struct curl_waitfd client = {session->watch.epoll, CURL_WAIT_POLLIN, 0};
    unsigned watched = client_watch_is_active(&session->watch) ? 1 : 0;
    int64_t left = transfer_time_left(transfer);

    if (left <= 0)
        return http_error_set(session->error, PST_UPSTREAM_TIMEOUT, "%s",
                              transfer_timeout_text(transfer));
    if (curl_multi_poll(session->multi, &client, watched, (int)left, NULL) !=
        CURLM_OK)
        return PST_NO_MEMORY;
    if (client.revents)
        return http_error_set(session->error, PST_CLIENT_GONE,
                              "the client closed its connection");
    return PST_OK;
}

static enum pst_err
drive_transfer(struct tls_session *session, const struct transfer *transfer)
{
    int running = 1;
    enum pst_err e;

    for (;;) {
        if (curl_multi_perform(session->multi, &running) != CURLM_OK)
            return PST_NO_MEMORY;
        if (running == 0)
            return finish_transfer(session, transfer);
        e = wait_for_activity(session, transfer);
        if (e)
            return e;
    }
}

enum pst_err
tls_session_run(struct tls_session *session, struct pst_arena *arena,
                const struct http_exchange *exchange, struct http_error *error)
{
    struct transfer transfer;
    enum pst_err e;

    transfer_init(&transfer, arena, session->target, exchange);
    session->error = error;
    session->text[0] = error->text[0] = '\0';
    e = prepare_handle(session, arena, &transfer);
    if (!e) {
        client_watch_start(&session->watch, exchange->client);
        e = curl_multi_add_handle(session->multi, session->easy) == CURLM_OK
                ? drive_transfer(session, &transfer)
                : PST_NO_MEMORY;
        (void)curl_multi_remove_handle(session->multi, session->easy);
        client_watch_stop(&session->watch);
    }
    /* The next exchange must not inherit anything, such as a token. */
    curl_easy_reset(session->easy);
    session->error = NULL;
    return e;
}
