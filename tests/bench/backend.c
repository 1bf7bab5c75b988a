/* SPDX-License-Identifier: ISC */
/*
 * backend.c - the GraphQL backend of tests/bench/run: one epoll loop that
 * answers at once, or after a while, so that it costs as little as possible.
 *
 *   backend PORT
 *
 *   POST /graphql  about 1 KiB of JSON, if the request has a token ("Bearer
 *                  tok_" and at least 20 bytes); else 401. A subscription gets
 *                  its first event, and waits for ever
 *   POST /login    a login whose token is the password
 *   GET /seen      the token of the last request to /graphql
 *   GET /delay/MS  from now on, /graphql answers after MS milliseconds
 *
 * It believes what it reads: for measurements only.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_SIZE 16384
#define ANSWER_SIZE 2048
#define EVENTS 64
#define BACKLOG 4096
#define TOKEN_MIN 20
#define TOKEN_SIZE 128

struct client {
    int fd;
    size_t len;          /* bytes in buffer */
    bool is_waiting;     /* in the list of those that are answered later */
    bool is_gone;        /* closed, perhaps while it waits */
    bool is_last;        /* its server wants no other answer */
    int64_t due;         /* milliseconds */
    struct client *next; /* in that list, by due */
    char buffer[BUFFER_SIZE];
};

static char good[ANSWER_SIZE];
static char seen[TOKEN_SIZE];
static int64_t delay; /* milliseconds */
static struct client *first_due;
static struct client **last_due = &first_due;

static void
check(bool is_good, const char *what)
{
    if (!is_good) {
        perror(what);
        exit(1);
    }
}

static int64_t
milliseconds(void)
{
    struct timespec now;

    check(clock_gettime(CLOCK_MONOTONIC, &now) == 0, "clock_gettime");
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
format(char out[static ANSWER_SIZE], const char *status, const char *body)
{
    int len = snprintf(out, ANSWER_SIZE,
                       "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       status, strlen(body), body);

    check(len > 0 && len < ANSWER_SIZE, "an answer is too long");
}

/* An order with several lines, 1 KiB in all. */
static void
prepare(void)
{
    char body[ANSWER_SIZE / 2 + 1];
    size_t len = (size_t)snprintf(
        body, sizeof(body),
        "{\"data\":{\"order\":{\"id\":\"42\",\"state\":\"OPEN\",\"lines\":[");

    for (unsigned i = 1; len < 940; i++)
        len += (size_t)snprintf(
            body + len, sizeof(body) - len,
            "%s{\"id\":\"%u\",\"name\":\"Product %u\",\"price\":{\"amount\":"
            "%u,\"currency\":\"EUR\"},\"inStock\":true}",
            i > 1 ? "," : "", 1000 + i, i, 1999 + 250 * i);
    len += (size_t)snprintf(body + len, sizeof(body) - len, "]}}}");
    memset(body + len, ' ', sizeof(body) - 1 - len);
    body[sizeof(body) - 1] = '\0';
    format(good, "200 OK", body);
}

static void
client_close(struct client *client)
{
    if (!client->is_gone)
        (void)close(client->fd);
    client->is_gone = true;
    if (!client->is_waiting)
        free(client);
}

static void
send_text(struct client *client, const char *text)
{
    size_t len = strlen(text);

    check(send(client->fd, text, len, MSG_NOSIGNAL) == (ssize_t)len ||
              errno == EPIPE || errno == ECONNRESET,
          "send");
    if (client->is_last)
        client_close(client);
}

/* Copy the text after a name, up to one of the ends; "": it is not there. */
static void
copy_after(const char *text, const char *name, const char *ends,
           char out[static TOKEN_SIZE])
{
    const char *found = strcasestr(text, name);
    size_t len = 0;

    if (found)
        len = strcspn(found + strlen(name), ends);
    if (len >= TOKEN_SIZE)
        len = 0;
    if (found)
        memcpy(out, found + strlen(name), len);
    out[len] = '\0';
}

static void
answer_login(struct client *client)
{
    char password[TOKEN_SIZE];
    char body[ANSWER_SIZE / 2];
    char text[ANSWER_SIZE];

    copy_after(client->buffer, "\"password\":\"", "\"", password);
    (void)snprintf(body, sizeof(body),
                   "{\"data\":{\"login\":{\"secret\":\"%s\",\"ttl\":86400,"
                   "\"email\":\"someone@example.com\",\"ownerId\":\"4711\"}}}",
                   password);
    format(text, "200 OK", password[0] ? body : "{\"data\":{\"logout\":true}}");
    send_text(client, text);
}

static void
answer_query(struct client *client)
{
    char text[ANSWER_SIZE];

    copy_after(client->buffer, "Authorization: Bearer ", "\r", seen);
    if (strncmp(seen, "tok_", 4) != 0 || strlen(seen) < 4 + TOKEN_MIN) {
        format(text, "401 Unauthorized", "{\"errors\":[{\"message\":\"no\"}]}");
        send_text(client, text);
    } else if (strstr(client->buffer, "subscription")) {
        send_text(client, "HTTP/1.1 200 OK\r\n"
                          "Content-Type: text/event-stream\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n"
                          "d\r\ndata: first\n\n\r\n");
    } else if (delay == 0) {
        send_text(client, good);
    } else {
        client->is_waiting = true;
        client->due = milliseconds() + delay;
        client->next = NULL;
        *last_due = client;
        last_due = &client->next;
    }
}

static void
answer(struct client *client)
{
    char text[ANSWER_SIZE];

    if (strncmp(client->buffer, "POST /login ", 12) == 0) {
        answer_login(client);
    } else if (strncmp(client->buffer, "GET /seen ", 10) == 0) {
        format(text, "200 OK", seen);
        send_text(client, text);
    } else if (strncmp(client->buffer, "GET /delay/", 11) == 0) {
        delay = strtol(client->buffer + 11, NULL, 10);
        format(text, "200 OK", "");
        send_text(client, text);
    } else {
        answer_query(client);
    }
}

/* Is the request in the buffer whole? Servers write the name in any case. */
static bool
is_whole(const struct client *client)
{
    const char *body = strstr(client->buffer, "\r\n\r\n");
    const char *length = strcasestr(client->buffer, "\r\ncontent-length: ");
    size_t want = length ? strtoul(length + 18, NULL, 10) : 0;

    return body && client->len - (size_t)(body + 4 - client->buffer) >= want;
}

static void
read_client(struct client *client)
{
    ssize_t got = recv(client->fd, client->buffer + client->len,
                       BUFFER_SIZE - 1 - client->len, MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        client_close(client);
        return;
    }
    client->len += (size_t)got;
    client->buffer[client->len] = '\0';
    if (is_whole(client)) {
        client->len = 0;
        client->is_last =
            strcasestr(client->buffer, "\r\nconnection: close") != NULL;
        answer(client);
    }
}

/* Answer those whose time has come. Returns the milliseconds until the next. */
static int
answer_late(void)
{
    while (first_due) {
        struct client *client = first_due;
        int64_t rest = client->due - milliseconds();

        if (rest > 0)
            return (int)rest;
        first_due = client->next;
        if (!first_due)
            last_due = &first_due;
        client->is_waiting = false;
        if (client->is_gone)
            client_close(client);
        else
            send_text(client, good);
    }
    return -1;
}

static void
accept_clients(int loop, int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct client *client = calloc(1, sizeof(*client));
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};

        check(client != NULL, "calloc");
        client->fd = fd;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        check(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
    }
}

int
main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct epoll_event events[EVENTS] = {{.events = EPOLLIN}};
    int loop = epoll_create1(EPOLL_CLOEXEC);
    int listener =
        socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (argc != 2) {
        (void)fprintf(stderr, "usage: backend PORT\n");
        return 2;
    }
    prepare();
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1},
                     sizeof(int));
    check(bind(listener, (const struct sockaddr *)&address, sizeof(address)) ==
                  0 &&
              listen(listener, BACKLOG) == 0,
          "listen");
    check(epoll_ctl(loop, EPOLL_CTL_ADD, listener, events) == 0, "epoll_ctl");
    for (;;) {
        int count = epoll_wait(loop, events, EVENTS, answer_late());

        check(count >= 0 || errno == EINTR, "epoll_wait");
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr)
                read_client(events[i].data.ptr);
            else
                accept_clients(loop, listener);
        }
    }
}
