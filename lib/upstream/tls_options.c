/* SPDX-License-Identifier: ISC */
/*
 * tls_options.c - what libcurl gets for one exchange: its options, the request,
 * and the functions to call.
 *
 * These functions must not wait: struct transfer keeps what they bring and
 * want, and pauses libcurl until the fiber has passed it on.
 */
#include "upstream/tls_options.h"

#include <assert.h>

#include "upstream/connection_pool.h"
#include "upstream/curl_library.h"
#include "upstream/exchange_request.h"
#include "upstream/http_error.h"

/* Seconds after which a connection is not used any more; libcurl rounds down.
 * Its server may be about to close it: see http_client_run(). */
#define IDLE_MAX (CONNECTION_IDLE_MAX / 1000 - 1L)
#define IDLE_ONE_SHOT_MAX (CONNECTION_IDLE_ONE_SHOT_MAX / 1000 - 1L)

static_assert(TLS_ERROR_SIZE == CURL_ERROR_SIZE, "as libcurl has it");

static size_t
on_curl_read(char *out, size_t unit, size_t count, void *context)
{
    size_t len = 0;
    enum transfer_answer answer =
        transfer_supply(context, out, unit * count, &len);

    if (answer == TRANSFER_PAUSED)
        return CURL_READFUNC_PAUSE;
    return answer == TRANSFER_DONE ? len : CURL_READFUNC_ABORT;
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
    return transfer_connected(context) == PST_OK ? CURL_PREREQFUNC_OK
                                                 : CURL_PREREQFUNC_ABORT;
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
    enum transfer_answer answer = transfer_receive(context, piece);

    if (answer == TRANSFER_PAUSED)
        return CURL_WRITEFUNC_PAUSE;
    return answer == TRANSFER_DONE ? piece.len : 0;
}

/* What is the same for every exchange. */
static bool
set_fixed_options(CURL *easy)
{
    return !(
        curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) ||
        /* Never wait for the thread that asks a name server. */
        curl.easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) ||
        curl.easy_setopt(easy, CURLOPT_HTTP_VERSION,
                         (long)CURL_HTTP_VERSION_2TLS) ||
        curl.easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L) ||
        curl.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) ||
        curl.easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L) ||
        curl.easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) ||
        curl.easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L) ||
        curl.easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) ||
        curl.easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) ||
        curl.easy_setopt(easy, CURLOPT_SSLVERSION,
                         (long)CURL_SSLVERSION_TLSv1_2) ||
        curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") ||
        /* Not a proxy from the environment: it would see the token. */
        curl.easy_setopt(easy, CURLOPT_PROXY, "") ||
        curl.easy_setopt(easy, CURLOPT_NOPROXY, "*") ||
        curl.easy_setopt(easy, CURLOPT_READFUNCTION, on_curl_read) ||
        curl.easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_curl_seek) ||
        curl.easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_curl_connected) ||
        curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_curl_header) ||
        curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_curl_body));
}

static bool
set_method_options(CURL *easy, bool is_get, int64_t body_length)
{
    if (is_get)
        return curl.easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    return curl.easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
           (body_length != 0 ||
            curl.easy_setopt(easy, CURLOPT_POSTFIELDS, "") == CURLE_OK) &&
           curl.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                            (curl_off_t)body_length) == CURLE_OK;
}

/* With a CA file of our own, the system's certificates are not trusted. */
static bool
set_ca_options(CURL *easy, const char *ca)
{
    return !ca || (curl.easy_setopt(easy, CURLOPT_CAINFO, ca) == CURLE_OK &&
                   curl.easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK);
}

/* The callbacks' context, and what is sent. */
static bool
set_transfer_options(struct tls_handle *handle,
                     const struct exchange_request *request,
                     struct curl_slist *header_list)
{
    const struct http_target *target = handle->session->target;
    struct transfer *transfer = handle->transfer;
    const bool is_repeatable =
        request->is_get || transfer->exchange->is_repeatable;
    CURL *easy = handle->easy;

    return !(curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, handle->text) ||
             curl.easy_setopt(easy, CURLOPT_PRIVATE, handle) ||
             curl.easy_setopt(easy, CURLOPT_MAXAGE_CONN,
                              is_repeatable ? IDLE_MAX : IDLE_ONE_SHOT_MAX) ||
             curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                              (long)target->connect_timeout) ||
             curl.easy_setopt(easy, CURLOPT_READDATA, transfer) ||
             curl.easy_setopt(easy, CURLOPT_SEEKDATA, transfer) ||
             curl.easy_setopt(easy, CURLOPT_PREREQDATA, transfer) ||
             curl.easy_setopt(easy, CURLOPT_HEADERDATA, transfer) ||
             curl.easy_setopt(easy, CURLOPT_WRITEDATA, transfer) ||
             curl.easy_setopt(easy, CURLOPT_HTTPHEADER, header_list) ||
             curl.easy_setopt(easy, CURLOPT_URL, request->url)) &&
           set_ca_options(easy, target->ca) &&
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
tls_options_set(struct tls_handle *handle, struct pst_arena *arena)
{
    struct curl_slist *header_list;
    struct exchange_request request;
    enum pst_err e;

    e = exchange_request_make(arena, handle->session->target->url,
                              handle->transfer->exchange, &request);
    if (e)
        return e;
    header_list = make_header_list(arena, &request);
    if (!header_list)
        return PST_NO_MEMORY;
    if (set_fixed_options(handle->easy) &&
        set_transfer_options(handle, &request, header_list))
        return PST_OK;
    return http_error_set(handle->error, PST_NO_MEMORY,
                          "libcurl refused an option: it is out of memory, "
                          "or was built without HTTP or TLS");
}
