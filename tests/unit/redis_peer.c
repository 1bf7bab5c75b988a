/* SPDX-License-Identifier: ISC */
/*
 * redis_peer.c - for tests: servers that answer commands as Redis does, but
 * with what the test says; each in a process of its own.
 */
#include "redis_peer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"

#define CLIENTS_MAX 16
#define ROWS_MAX 16

struct client {
    int socket;
    size_t len;
    char bytes[16384];
};

void
redis_peer_init(struct redis_peer *peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int ends[2];

    peer->pid = 0;
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(peer->listener, (const struct sockaddr *)&address,
                          sizeof(address)),
                     0);
    assert_int_equal(
        getsockname(peer->listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(peer->port, sizeof(peer->port), "%u",
                   ntohs(address.sin_port));
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    peer->log = ends[0];
    peer->writer = ends[1];
}

/* Read the first command as one line. Returns the bytes of the command; 0: it
 * has not come as a whole. */
static size_t
read_command(const struct client *client, char *line)
{
    const char *end = client->bytes + client->len;
    const char *at = memchr(client->bytes, '\n', client->len);
    long count;
    size_t len = 0;

    if (client->len == 0 || !at)
        return 0;
    at++;
    count = strtol(client->bytes + 1, NULL, 10);
    while (count-- > 0) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        long size;

        if (!newline)
            return 0;
        size = strtol(at + 1, NULL, 10);
        at = newline + 1;
        if (end - at < size + 2)
            return 0;
        memcpy(line + len, at, (size_t)size);
        len += (size_t)size;
        line[len++] = ' ';
        at += size + 2;
    }
    line[len - 1] = '\0';
    return (size_t)(at - client->bytes);
}

/* Answer one command. Returns false when the connection is to be closed. */
static bool
answer(const struct redis_peer *peer, const struct redis_peer_row *rows,
       unsigned *used, int socket, const char *line)
{
    (void)!write(peer->writer, line, strlen(line));
    (void)!write(peer->writer, "\n", 1);
    for (size_t i = 0; rows[i].command; i++) {
        const char *reply = rows[i].reply;

        if (strncmp(line, rows[i].command, strlen(rows[i].command)) != 0 ||
            (rows[i].times > 0 && used[i] == rows[i].times))
            continue;
        used[i]++;
        if (reply)
            (void)!write(socket, reply, strlen(reply));
        return reply != NULL;
    }
    return write(socket, "-ERR unknown\r\n", 14) == 14;
}

/* Receive, and answer what is complete. Returns false when the connection is
 * closed. */
static bool
serve_client(const struct redis_peer *peer, const struct redis_peer_row *rows,
             unsigned *used, struct client *client)
{
    static char line[16384];
    ssize_t more = read(client->socket, client->bytes + client->len,
                        sizeof(client->bytes) - client->len);
    size_t len;

    if (more <= 0)
        return false;
    client->len += (size_t)more;
    while ((len = read_command(client, line)) > 0) {
        client->len -= len;
        memmove(client->bytes, client->bytes + len, client->len);
        if (!answer(peer, rows, used, client->socket, line))
            return false;
    }
    return true;
}

static void
serve(const struct redis_peer *peer, const struct redis_peer_row *rows)
{
    static struct client clients[CLIENTS_MAX];
    static unsigned used[ROWS_MAX];
    struct pollfd polled[CLIENTS_MAX + 1] = {{peer->listener, POLLIN, 0}};
    size_t count = 0;

    for (;;) {
        (void)poll(polled, count + 1, -1);
        for (size_t i = 1; i <= count; i++) {
            if (polled[i].fd < 0 || polled[i].revents == 0 ||
                serve_client(peer, rows, used, &clients[i - 1]))
                continue;
            close(polled[i].fd);
            polled[i].fd = -1;
        }
        if (polled[0].revents == 0 || count == CLIENTS_MAX)
            continue;
        clients[count].socket = accept(peer->listener, NULL, NULL);
        polled[count + 1] = (struct pollfd){clients[count].socket, POLLIN, 0};
        count++;
    }
}

void
redis_peer_start(struct redis_peer *peer, const struct redis_peer_row *rows)
{
    assert_int_equal(listen(peer->listener, 16), 0);
    peer->pid = fork();
    assert_true(peer->pid >= 0);
    if (peer->pid > 0)
        return;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve(peer, rows);
}

void
redis_peer_stop(struct redis_peer *peer)
{
    if (peer->pid > 0) {
        (void)kill(peer->pid, SIGKILL);
        (void)waitpid(peer->pid, NULL, 0);
    }
    peer->pid = 0;
    if (peer->listener >= 0)
        close(peer->listener);
    peer->listener = -1;
}

void
redis_peer_expect(const struct redis_peer *peer, const char *want)
{
    static char got[65536];
    ssize_t len = read(peer->log, got, sizeof(got) - 1);
    const char *at = got;

    got[len > 0 ? len : 0] = '\0';
    for (const char *line = want; *line; line = strchr(line, '\n') + 1) {
        size_t size = strcspn(line, "\n");

        if (strncmp(at, line, size) != 0)
            fail_msg("wanted '%s', got '%s'", want, got);
        at = strchr(at, '\n') + 1;
    }
    if (*at)
        fail_msg("wanted '%s', got '%s'", want, got);
}

void
redis_peer_fini(struct redis_peer *peer)
{
    redis_peer_stop(peer);
    close(peer->log);
    close(peer->writer);
}
