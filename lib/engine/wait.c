/* SPDX-License-Identifier: ISC */
/*
 * wait.c - read, write and wait on a non-blocking descriptor, each with a
 * deadline.
 */
#include "engine/wait.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/loop.h"

int64_t
wait_now(void)
{
    const struct loop *loop = loop_current();

    return loop ? loop_now(loop) : clock_ms();
}

/* Milliseconds for poll(2): -1 for no deadline. */
static int
wait_ms_left(int64_t deadline)
{
    int64_t left;

    if (deadline == WAIT_NO_DEADLINE)
        return -1;
    left = deadline - clock_ms();
    if (left < 0)
        return 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

/* Wait in poll(2). Negative descriptors are ignored. */
static int
wait_poll(int descriptor, short events, const struct wait_limit *limit)
{
    struct pollfd polled[] = {
        {.fd = descriptor, .events = events},
        {.fd = limit->client, .events = POLLRDHUP},
    };

    for (;;) {
        int ms = wait_ms_left(limit->deadline);
        int count = poll(polled, PST_COUNT(polled), ms);

        if (count < 0 && errno != EINTR)
            return errno;
        if (count > 0)
            return polled[0].revents != 0 ? 0 : ECANCELED;
        if (count == 0 && ms != INT_MAX)
            return ETIMEDOUT;
    }
}

/* The loop, when this is one of its fibers. */
static struct loop *
wait_loop(void)
{
    return fiber_current() ? loop_current() : NULL;
}

int
wait_for(int descriptor, short events, const struct wait_limit *limit)
{
    struct loop *loop = wait_loop();

    PST_REQUIRE(descriptor >= 0 && (events & (POLLIN | POLLOUT)) != 0);
    if (!loop)
        return wait_poll(descriptor, events, limit);
    if (events & POLLIN)
        loop_forget_input(loop, descriptor);
    if (events & POLLOUT)
        loop_forget_output(loop, descriptor);
    return loop_wait(loop, descriptor,
                     (events & POLLIN ? EPOLLIN : 0U) |
                         (events & POLLOUT ? EPOLLOUT : 0U),
                     limit->client, limit->deadline);
}

int
wait_input(int descriptor, const struct wait_limit *limit)
{
    struct loop *loop = wait_loop();

    return loop ? loop_wait(loop, descriptor, EPOLLIN, limit->client,
                            limit->deadline)
                : 0;
}

int
wait_read(int descriptor, void *out, size_t size,
          const struct wait_limit *limit, size_t *len)
{
    struct loop *loop = wait_loop();

    for (;;) {
        int error = loop ? loop_wait(loop, descriptor, EPOLLIN, limit->client,
                                     limit->deadline)
                         : 0;
        ssize_t got;

        if (error)
            return error;
        got = read(descriptor, out, size);
        error = errno;
        /* Less than was asked for: there is no more, until epoll says so. */
        if (loop && got >= 0 && (size_t)got < size)
            loop_forget_input(loop, descriptor);
        if (got >= 0) {
            *len = (size_t)got;
            return 0;
        }
        if (error == EAGAIN)
            error = wait_for(descriptor, POLLIN, limit);
        else if (error == EINTR)
            error = 0;
        if (error)
            return error;
    }
}

int
wait_try_read(int descriptor, void *out, size_t size, size_t *len)
{
    ssize_t got;

    do
        got = read(descriptor, out, size);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return errno;
    *len = (size_t)got;
    return 0;
}

bool
wait_advance(struct iovec *pieces, int count, size_t written)
{
    bool is_left = false;

    for (int i = 0; i < count; i++) {
        size_t some = written < pieces[i].iov_len ? written : pieces[i].iov_len;

        pieces[i].iov_base = (char *)pieces[i].iov_base + some;
        pieces[i].iov_len -= some;
        written -= some;
        is_left = is_left || pieces[i].iov_len > 0;
    }
    return is_left;
}

int
wait_write(int descriptor, struct iovec *pieces, int count,
           const struct wait_limit *limit)
{
    bool is_left = wait_advance(pieces, count, 0);

    while (is_left) {
        ssize_t put = writev(descriptor, pieces, count);
        int error = put < 0 ? errno : 0;

        if (put >= 0)
            is_left = wait_advance(pieces, count, (size_t)put);
        else if (error == EAGAIN)
            error = wait_for(descriptor, POLLOUT, limit);
        else if (error == EINTR)
            error = 0;
        if (error)
            return error;
    }
    return 0;
}

int
wait_until(const struct wait_limit *limit)
{
    struct loop *loop = wait_loop();
    int error = 0;

    if (!loop && limit->client < 0) {
        clock_sleep(limit->deadline - clock_ms());
        return 0;
    }
    while (!error && clock_ms() < limit->deadline)
        error = loop ? loop_wait(loop, -1, 0, limit->client, limit->deadline)
                     : wait_poll(-1, 0, limit);
    return error == ETIMEDOUT ? 0 : error;
}

void
wait_close(int descriptor)
{
    struct loop *loop = loop_current();

    if (loop)
        loop_close(loop, descriptor);
    else
        close(descriptor);
}
