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

/* Judge what has come so far; len as record_judge() sets it. */
static enum record_verdict
look(struct head *head, int descriptor, size_t *len)
{
    enum record_verdict verdict;
    ssize_t got = recv(descriptor, head->octets, sizeof(head->octets),
                       MSG_PEEK | MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return RECORD_MORE;
    if (got <= 0)
        return RECORD_BAD;
    head->len = (size_t)got;
    verdict = record_judge((struct pst_bytes){head->octets, head->len}, len);
    if (verdict == RECORD_MORE && head->len == sizeof(head->octets))
        return RECORD_BAD;
    return verdict;
}

/* Take a record off the connection that belongs to no request, and answer
 * it where it wants one. Returns whether the connection is still good. */
static bool
pass_over(struct head *head, int descriptor, size_t len, bool is_answered)
{
    char storage[RECORD_ANSWER_MAX];
    struct pst_buf buf;
    struct pst_text answer;

    pst_buf_init(&buf, storage, sizeof(storage));
    if (is_answered)
        record_answer(&buf, (struct pst_bytes){head->octets, len});
    if (pst_buf_end(&buf, &answer) != PST_OK ||
        recv(descriptor, head->octets, len, 0) != (ssize_t)len)
        return false;
    return answer.len == 0 || send(descriptor, answer.ptr, answer.len,
                                   MSG_NOSIGNAL) == (ssize_t)answer.len;
}

enum head_next
head_await(struct head *head, int descriptor, int64_t limit)
{
    struct pollfd hangup = {.fd = descriptor, .events = POLLRDHUP};
    struct timespec pause = {.tv_nsec = PAUSE_MIN};
    int64_t end = ticks_ms() + limit;
    enum head_next next = HEAD_CLOSE;
    bool is_gone = false;
    size_t len = 0;
    enum record_verdict verdict = look(head, descriptor, &len);

    while (verdict == RECORD_MORE && !is_gone && ticks_ms() < end) {
        is_gone = ppoll(&hangup, 1, &pause, NULL) > 0;
        if (pause.tv_nsec < PAUSE_MAX)
            pause.tv_nsec *= 2;
        verdict = look(head, descriptor, &len);
    }
    if (verdict == RECORD_SOUND)
        next = HEAD_REQUEST;
    else if (verdict == RECORD_STALE || verdict == RECORD_MANAGEMENT)
        next = pass_over(head, descriptor, len, verdict == RECORD_MANAGEMENT)
                   ? HEAD_IDLE
                   : HEAD_CLOSE;
    pst_crypt_wipe(head->octets, head->len);
    head->len = 0;
    return next;
}
