/* SPDX-License-Identifier: ISC */
/*
 * tls_exchange.c - run one HTTP exchange over TLS to its end: call libcurl when
 * its sockets are ready, and the functions of the exchange in between.
 */
#include "upstream/tls_exchange.h"

#include "base/clock.h"
#include "upstream/http_error.h"

/* Tell libcurl which sockets are ready, and whether its time has come. */
static enum pst_err
report_events(struct tls_session *session, const struct epoll_event *events,
              int count)
{
    enum pst_err e = PST_OK;

    for (int i = 0; i < count && !e; i++)
        e = tls_session_call(session, events[i].data.fd, events[i].events,
                             false);
    if (!e && clock_ms() >= session->timer) {
        session->timer = INT64_MAX;
        e = tls_session_call(session, -1, 0, false);
    }
    return e;
}

/* Wait until libcurl has something to do, the client hangs up, or a timeout. */
static enum pst_err
wait_for_activity(struct tls_session *session, const struct transfer *transfer)
{
    struct epoll_event events[SOCKET_SET_EVENTS_MAX];
    int64_t left = transfer_time_left(transfer);
    struct wait_limit limit = {.deadline = clock_ms() + left,
                               .client = transfer->exchange->client};
    int count = 0;

    if (left <= 0)
        return http_error_set(session->error, PST_UPSTREAM_TIMEOUT, "%s",
                              transfer_timeout_text(transfer));
    if (session->timer < limit.deadline)
        limit.deadline = session->timer;
    if (socket_set_wait(&session->sockets, &limit, events, &count) != 0)
        return http_error_set(session->error, PST_CLIENT_GONE,
                              "the client closed its connection");
    return report_events(session, events, count);
}

static enum pst_err
drive_transfer(struct tls_session *session, struct transfer *transfer)
{
    bool resumes = false;
    enum pst_err e = tls_session_call(session, -1, 0, false);

    while (!e) {
        /* An error is in transfer->err, and tls_session_result() returns it. */
        if (transfer_serve(transfer, &resumes) != PST_OK ||
            (session->running == 0 && !resumes))
            return tls_session_result(session, transfer);
        e = resumes ? tls_session_call(session, -1, 0, true)
                    : wait_for_activity(session, transfer);
    }
    return e;
}

enum pst_err
tls_exchange_run(struct tls_session *session, struct pst_arena *arena,
                 const struct http_exchange *exchange, struct http_error *error)
{
    struct transfer transfer;
    enum pst_err e;

    transfer_init(&transfer, arena, session->target, exchange,
                  session->buffers);
    error->text[0] = '\0';
    e = tls_session_begin(session, arena, &transfer, error);
    if (!e)
        e = drive_transfer(session, &transfer);
    tls_session_end(session);
    return e;
}
