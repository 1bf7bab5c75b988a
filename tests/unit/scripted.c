/* SPDX-License-Identifier: ISC */
/*
 * scripted.c - a small server for tests: one thread that follows a script. All
 * its waits end after 10 s.
 */
#include "scripted.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/limits.h"

#define GOT_MAX ((size_t)4 << 20) /* bytes kept of what clients send */

/* Wait for input. Returns false when the test stops it, or after 10 s. */
static bool
server_wait(struct server *server, int fd)
{
    struct pollfd fds[] = {{fd, POLLIN, 0}, {server->stop[0], POLLIN, 0}};

    return poll(fds, 2, 10000) > 0 && fds[1].revents == 0;
}

static bool
server_accept(struct server *server)
{
    if (!server_wait(server, server->listener))
        return false;
    server->connection = accept(server->listener, NULL, NULL);
    server->accepted++;
    return server->connection >= 0;
}

static bool
server_receive(struct server *server)
{
    ssize_t len;

    if (!server_wait(server, server->connection))
        return false;
    len = recv(server->connection, server->got + server->got_len,
               GOT_MAX - server->got_len, 0);
    if (len <= 0)
        return false;
    server->got_len += (size_t)len;
    return true;
}

static bool
server_read_until(struct server *server, const char *mark)
{
    for (;;) {
        const char *found =
            memmem(server->got + server->seen, server->got_len - server->seen,
                   mark, strlen(mark));

        if (found) {
            server->seen = (size_t)(found - server->got) + strlen(mark);
            return true;
        }
        if (!server_receive(server))
            return false;
    }
}

static bool
server_send(const struct server *server, const struct step *step)
{
    size_t len = step->len > 0 ? step->len : strlen(step->text);

    return send(server->connection, step->text, len, MSG_NOSIGNAL) ==
           (ssize_t)len;
}

static bool
server_send_many(const struct server *server)
{
    static const struct step line = {
        SEND, "X-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", 0};

    for (size_t i = 0; i < 4 * PST_HEADERS_MAX / strlen(line.text); i++) {
        if (!server_send(server, &line))
            return false;
    }
    return true;
}

static void
server_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static bool
server_step(struct server *server, const struct step *step)
{
    char go;

    switch (step->act) {
    case ACCEPT:
        server_close(&server->connection);
        return server_accept(server);
    case ANOTHER:
        server->forgotten = server->connection;
        return server_accept(server);
    case READ_HEAD:
        return server_read_until(server, "\r\n\r\n");
    case READ_TEXT:
        return server_read_until(server, step->text);
    case SEND:
        return server_send(server, step);
    case SEND_MANY:
        return server_send_many(server) || true;
    case SYNC:
        return server_wait(server, server->go[0]) &&
               read(server->go[0], &go, 1) == 1;
    case REPORT:
        return write(server->report[1], "r", 1) == 1;
    case DRAIN:
        while (server_receive(server))
            continue;
        return true;
    case SHUT:
        return shutdown(server->connection, SHUT_WR) == 0;
    case CLOSE:
        server_close(&server->connection);
        return true;
    default:
        return false;
    }
}

static void *
server_run(void *context)
{
    struct server *server = context;
    const struct step *step = server->script;

    while (step->act != END && server_step(server, step))
        step++;
    server_close(&server->connection);
    server_close(&server->forgotten);
    return NULL;
}

void
server_listen(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    struct sockaddr *any = (struct sockaddr *)(void *)&address;

    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listener >= 0);
    assert_int_equal(bind(server->listener, any, len), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(getsockname(server->listener, any, &len), 0);
    server->port = ntohs(address.sin_port);
}

static void
server_listen_at_path(struct server *server, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct sockaddr *any = (struct sockaddr *)(void *)&address;

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listener >= 0);
    assert_int_equal(bind(server->listener, any, sizeof(address)), 0);
    assert_int_equal(listen(server->listener, 8), 0);
}

void
server_start(struct server *server, const struct step *script)
{
    server_start_at_path(server, script, NULL);
}

void
server_start_at_path(struct server *server, const struct step *script,
                     const char *path)
{
    memset(server, 0, sizeof(*server));
    server->script = script;
    server->connection = -1;
    server->forgotten = -1;
    server->got = calloc(1, GOT_MAX + 1);
    assert_non_null(server->got);
    assert_int_equal(pipe(server->go), 0);
    assert_int_equal(pipe(server->stop), 0);
    assert_int_equal(pipe(server->report), 0);
    if (path)
        server_listen_at_path(server, path);
    else
        server_listen(server);
    assert_int_equal(pthread_create(&server->thread, NULL, server_run, server),
                     0);
}

void
server_wait_for_report(struct server *server)
{
    char byte;

    assert_int_equal(read(server->report[0], &byte, 1), 1);
}

void
server_join(struct server *server)
{
    server_close(&server->stop[1]);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    server_close(&server->stop[0]);
    server_close(&server->go[0]);
    server_close(&server->go[1]);
    server_close(&server->report[0]);
    server_close(&server->report[1]);
    server_close(&server->listener);
}

void
server_free(struct server *server)
{
    free(server->got);
    server->got = NULL;
}
