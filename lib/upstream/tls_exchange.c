/* SPDX-License-Identifier: ISC */
/*
 * tls_exchange.c - run one HTTP exchange over TLS to its end: call the
 * functions of the exchange for what libcurl brings and wants.
 */
#include "upstream/tls_exchange.h"

#include "base/clock.h"
#include "engine/fiber.h"
#include "upstream/http_error.h"
#include "upstream/tls_events.h"

/* What a call outside of the fiber gets. */
struct tls_begin {
    struct tls_session *session;
    struct pst_arena *arena;
    struct transfer *transfer;
    struct http_error *error;
    struct tls_handle *handle; /* set, as err */
    enum pst_err err;
};

static void
begin_outside(void *argument)
{
    struct tls_begin *begin = argument;

    begin->err = tls_handle_begin(begin->session, begin->arena, begin->transfer,
                                  begin->error, &begin->handle);
    tls_events_update(begin->session);
}

static void
resume_outside(void *argument)
{
    struct tls_handle *handle = argument;

    tls_handle_resume(handle);
    tls_events_update(handle->session);
}

static void
end_outside(void *argument)
{
    struct tls_handle *handle = argument;
    struct tls_session *session = handle->session;

    tls_handle_end(handle);
    tls_events_update(session);
}

/* Wait until libcurl has done something, the client hangs up, or a timeout. */
static enum pst_err
wait_for_libcurl(struct tls_handle *handle)
{
    int64_t left = transfer_time_left(handle->transfer);

    if (left <= 0)
        return http_error_set(handle->error, PST_UPSTREAM_TIMEOUT, "%s",
                              transfer_timeout_text(handle->transfer));
    if (tls_events_wait(handle, clock_ms() + left) != 0)
        return http_error_set(handle->error, PST_CLIENT_GONE,
                              "the client closed its connection");
    return PST_OK;
}

static enum pst_err
drive_transfer(struct tls_handle *handle)
{
    struct transfer *transfer = handle->transfer;
    enum pst_err e = PST_OK;

    while (!e) {
        bool resumes = false;

        /* An error is in transfer->err, and tls_handle_result() returns it. */
        if (transfer_serve(transfer, &resumes) != PST_OK)
            return tls_handle_result(handle);
        if (resumes)
            fiber_call_outside(resume_outside, handle);
        else if (transfer_needs_service(transfer))
            continue; /* it came while the fiber waited for its client */
        else if (handle->is_done)
            return tls_handle_result(handle);
        else
            e = wait_for_libcurl(handle);
    }
    return e;
}

enum pst_err
tls_exchange_run(struct tls_session *session, struct pst_arena *arena,
                 const struct http_exchange *exchange, struct http_error *error)
{
    struct transfer transfer;
    struct tls_begin begin = {.session = session,
                              .arena = arena,
                              .transfer = &transfer,
                              .error = error};
    enum pst_err e;

    error->text[0] = '\0';
    transfer_init(&transfer, arena, session->target, exchange, NULL);
    if (tls_events_attach(session) != PST_OK)
        return http_error_set(error, PST_NO_MEMORY,
                              "out of memory or file descriptors");
    fiber_call_outside(begin_outside, &begin);
    if (begin.err)
        return begin.err;
    e = drive_transfer(begin.handle);
    fiber_call_outside(end_outside, begin.handle);
    return e;
}
