/* SPDX-License-Identifier: ISC */
/*
 * fcgi_preread.c - look at a connection again and again until the head is
 * whole.
 */
#include "engine/fcgi_preread.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "crypto/crypto.h"

/* Pauses between two looks, nanoseconds. A web server sends a head in one
 * piece or in two at once, so that the first is most often the last. */
#define PAUSE_MIN 50000
#define PAUSE_MAX 20000000

/* Judge what has come so far; len as fcgi_record_check() sets it. */
static enum fcgi_record_status
fcgi_preread_peek(struct fcgi_preread *preread, int descriptor, size_t *len)
{
    enum fcgi_record_status status;
    ssize_t got = recv(descriptor, preread->bytes, sizeof(preread->bytes),
                       MSG_PEEK | MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return FCGI_RECORD_INCOMPLETE;
    if (got <= 0)
        return FCGI_RECORD_INVALID;
    preread->len = (size_t)got;
    status = fcgi_record_check((struct pst_bytes){preread->bytes, preread->len},
                               len);
    if (status == FCGI_RECORD_INCOMPLETE &&
        preread->len == sizeof(preread->bytes))
        return FCGI_RECORD_INVALID;
    return status;
}

/* Take a record off the connection that belongs to no request, and answer
 * it where it wants one. Returns whether the connection is still good. */
static bool
fcgi_preread_skip_record(struct fcgi_preread *preread, int descriptor,
                         size_t len, bool needs_answer)
{
    char storage[FCGI_RECORD_ANSWER_MAX];
    struct pst_buf buf;
    struct pst_str answer;

    pst_buf_init(&buf, storage, sizeof(storage));
    if (needs_answer)
        fcgi_record_answer(&buf, (struct pst_bytes){preread->bytes, len});
    if (pst_buf_finish(&buf, &answer) != PST_OK ||
        recv(descriptor, preread->bytes, len, 0) != (ssize_t)len)
        return false;
    return answer.len == 0 || send(descriptor, answer.ptr, answer.len,
                                   MSG_NOSIGNAL) == (ssize_t)answer.len;
}

enum fcgi_preread_result
fcgi_preread_wait(struct fcgi_preread *preread, int descriptor,
                  int64_t timeout_ms)
{
    struct pollfd peer = {.fd = descriptor, .events = POLLRDHUP};
    struct timespec pause = {.tv_nsec = PAUSE_MIN};
    int64_t deadline = clock_ms() + timeout_ms;
    enum fcgi_preread_result result = FCGI_PREREAD_CLOSE;
    bool is_closed = false;
    size_t len = 0;
    enum fcgi_record_status status =
        fcgi_preread_peek(preread, descriptor, &len);

    while (status == FCGI_RECORD_INCOMPLETE && !is_closed &&
           clock_ms() < deadline) {
        is_closed = ppoll(&peer, 1, &pause, NULL) > 0;
        if (pause.tv_nsec < PAUSE_MAX)
            pause.tv_nsec *= 2;
        status = fcgi_preread_peek(preread, descriptor, &len);
    }
    if (status == FCGI_RECORD_COMPLETE)
        result = FCGI_PREREAD_REQUEST;
    else if (status == FCGI_RECORD_STALE || status == FCGI_RECORD_MANAGEMENT)
        result = fcgi_preread_skip_record(preread, descriptor, len,
                                          status == FCGI_RECORD_MANAGEMENT)
                     ? FCGI_PREREAD_IDLE
                     : FCGI_PREREAD_CLOSE;
    pst_crypto_wipe(preread->bytes, preread->len);
    preread->len = 0;
    return result;
}
