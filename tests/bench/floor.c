/* SPDX-License-Identifier: ISC */
/*
 * floor.c - the least that a FastCGI program costs which asks a backend: one
 * epoll loop, no session, no library. tests/bench/run compares query with it.
 *
 *   floor SOCKET PORT
 *
 * Answers each request on the unix socket with what the backend on
 * 127.0.0.1:PORT answers to its body. It believes what it reads: for
 * measurements only.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define BUFFER_SIZE 16384
#define EVENTS 64
#define BACKLOG 4096

/* FastCGI 1.0 sections 3.3 and 8. */
enum { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };
#define HEADER_LEN 8
#define KEEP_CONN 1

/* A connection, of the web server or to the backend. */
struct peer {
    int fd; /* -1: closed */
    bool is_backend;
    bool is_kept;       /* after this request */
    bool is_polled;     /* the loop waits for it */
    size_t len;         /* bytes in buffer */
    size_t body_len;    /* bytes in body */
    struct peer *other; /* that waits for this one, or for which this waits;
                           NULL at a backend: nobody wants its answer */
    struct peer *next;  /* in a list */
    char buffer[BUFFER_SIZE];
    char body[BUFFER_SIZE];
};

static int loop;
static struct sockaddr_in backend;
static struct peer *idle_backends;
static struct peer *closed; /* events of this round may name them */
static struct peer *unused;

static void
stop(const char *what)
{
    perror(what);
    exit(1);
}

static void
check(bool is_good, const char *what)
{
    if (!is_good)
        stop(what);
}

static struct peer *
peer_new(int fd, bool is_backend)
{
    struct peer *peer = unused;

    if (peer)
        unused = peer->next;
    else
        peer = malloc(sizeof(*peer));
    check(peer != NULL, "malloc");
    peer->fd = fd;
    peer->is_backend = is_backend;
    peer->is_polled = false;
    peer->len = peer->body_len = 0;
    peer->other = peer->next = NULL;
    return peer;
}

static void
peer_close(struct peer *peer)
{
    if (peer->other)
        peer->other->other = NULL;
    (void)close(peer->fd);
    peer->fd = -1;
    peer->next = closed;
    closed = peer;
}

static void
reuse_closed(void)
{
    while (closed) {
        struct peer *peer = closed;

        closed = peer->next;
        peer->next = unused;
        unused = peer;
    }
}

static void
poll_peer(struct peer *peer)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};

    if (!peer->is_polled)
        check(epoll_ctl(loop, EPOLL_CTL_ADD, peer->fd, &event) == 0, "epoll");
    peer->is_polled = true;
}

static struct peer *
get_backend(void)
{
    struct peer *peer = idle_backends;
    int fd;

    if (peer) {
        idle_backends = peer->next;
        return peer;
    }
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0, "socket");
    check(connect(fd, (const struct sockaddr *)&backend, sizeof(backend)) == 0,
          "connect");
    check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) == 0,
          "setsockopt");
    peer = peer_new(fd, true);
    poll_peer(peer);
    return peer;
}

static void
ask(struct peer *client)
{
    struct peer *peer = get_backend();
    char head[512];
    int len = snprintf(head, sizeof(head),
                       "POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                       "Content-Type: application/json\r\n"
                       "Authorization: Bearer tok_floor00000000000000000000\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       client->body_len);
    struct iovec pieces[] = {{head, (size_t)len},
                             {client->body, client->body_len}};

    client->other = peer;
    peer->other = client;
    check(writev(peer->fd, pieces, 2) == len + (ssize_t)client->body_len,
          "write to the backend");
}

static void
put_header(unsigned char out[static HEADER_LEN], unsigned char type, size_t len)
{
    const unsigned char header[HEADER_LEN] = {
        1, type, 0, 1, (unsigned char)(len >> 8), (unsigned char)(len & 255),
        0, 0};

    memcpy(out, header, sizeof(header));
}

/* Answer the client with the body that the backend sent. */
static void
answer(struct peer *client, const char *body, size_t len)
{
    static const char head[] = "Content-Type: application/json\r\n\r\n";
    unsigned char begin[HEADER_LEN];
    unsigned char end[3 * HEADER_LEN] = {0};
    struct iovec pieces[] = {{begin, sizeof(begin)},
                             {(void *)(uintptr_t)head, sizeof(head) - 1},
                             {(void *)(uintptr_t)body, len},
                             {end, sizeof(end)}};
    size_t all = sizeof(begin) + sizeof(head) - 1 + len + sizeof(end);

    put_header(begin, STDOUT, sizeof(head) - 1 + len);
    put_header(end, STDOUT, 0);
    put_header(end + HEADER_LEN, END_REQUEST, HEADER_LEN);
    client->body_len = 0;
    if (writev(client->fd, pieces, 4) == (ssize_t)all && client->is_kept)
        poll_peer(client);
    else
        peer_close(client);
}

/* Read what the backend sent; when it is a whole answer, pass it on. */
static void
parse_answer(struct peer *peer)
{
    struct peer *client = peer->other;
    const char *length;
    const char *body;
    size_t rest;

    peer->buffer[peer->len] = '\0';
    body = strstr(peer->buffer, "\r\n\r\n");
    length = strstr(peer->buffer, "Content-Length: ");
    if (!body || !length)
        return;
    body += 4;
    rest = peer->len - (size_t)(body - peer->buffer);
    if (rest < strtoul(length + 16, NULL, 10))
        return;
    peer->len = 0;
    peer->other = NULL;
    peer->next = idle_backends;
    idle_backends = peer;
    if (client) {
        client->other = NULL;
        answer(client, body, rest);
    }
}

/* Read the records that are there; at the end of the body, ask the backend. */
static void
parse_records(struct peer *client)
{
    size_t at = 0;
    bool is_whole = false;

    while (client->len - at >= HEADER_LEN) {
        const unsigned char *record =
            (const unsigned char *)client->buffer + at;
        size_t len = (size_t)record[4] << 8 | record[5];
        size_t all = HEADER_LEN + len + record[6];

        if (client->len - at < all)
            break;
        if (record[1] == BEGIN_REQUEST)
            client->is_kept = record[HEADER_LEN + 2] & KEEP_CONN;
        else if (record[1] == STDIN && len == 0)
            is_whole = true;
        else if (record[1] == STDIN) {
            check(client->body_len + len <= BUFFER_SIZE, "a long body");
            memcpy(client->body + client->body_len, record + HEADER_LEN, len);
            client->body_len += len;
        }
        at += all;
    }
    client->len -= at;
    memmove(client->buffer, client->buffer + at, client->len);
    if (is_whole)
        ask(client);
    else
        poll_peer(client);
}

static void
read_peer(struct peer *peer)
{
    ssize_t got;

    if (peer->fd < 0)
        return;
    got = recv(peer->fd, peer->buffer + peer->len, BUFFER_SIZE - 1 - peer->len,
               MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        poll_peer(peer);
        return;
    }
    if (got <= 0) {
        check(!peer->is_backend, "the backend closed a connection");
        peer_close(peer);
        return;
    }
    peer->len += (size_t)got;
    if (!peer->is_backend)
        parse_records(peer);
    else
        parse_answer(peer);
}

/* Its first request is often there already. */
static void
accept_client(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0)
        read_peer(peer_new(fd, false));
}

int
main(int argc, char **argv)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN}};
    int listener =
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (argc != 3 || strlen(argv[1]) >= sizeof(path.sun_path)) {
        (void)fprintf(stderr, "usage: floor SOCKET PORT\n");
        return 2;
    }
    memcpy(path.sun_path, argv[1], strlen(argv[1]));
    backend.sin_family = AF_INET;
    backend.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    backend.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
    (void)signal(SIGPIPE, SIG_IGN);
    check(bind(listener, (const struct sockaddr *)&path, sizeof(path)) == 0 &&
              listen(listener, BACKLOG) == 0,
          argv[1]);
    loop = epoll_create1(EPOLL_CLOEXEC);
    check(epoll_ctl(loop, EPOLL_CTL_ADD, listener, events) == 0, "epoll");
    for (;;) {
        int count = epoll_wait(loop, events, EVENTS, -1);

        check(count > 0 || errno == EINTR, "epoll_wait");
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr)
                read_peer(events[i].data.ptr);
            else
                accept_client(listener);
        }
        reuse_closed();
    }
}
