/* SPDX-License-Identifier: ISC */
/*
 * listen.c - find or make the sockets a program listens on.
 */
#include "engine/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"

/* The first descriptor that systemd passes (sd_listen_fds(3)). */
#define PASSED_FIRST 3

#define SOCKET_MODE_MASK 0117 /* leaves 0660 */

/* What stands before an IPv4 address in IPv6 (RFC 4291 2.5.5.2). */
static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* A host and a port, NUL-terminated for getaddrinfo(3). */
struct place {
    char host[256];
    char port[6];
};

/* Any socket's address, in the shape that the call at hand wants. */
union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
    struct sockaddr_storage storage;
};

/* Write "what: subject: the words for errno" into why. */
static enum pst_err
complain(char *why, const char *subject, const char *words)
{
    snprintf(why, LISTEN_WHY_MAX, "%s: %s", subject, words);
    return PST_BAD_CONFIG;
}

static bool
is_listening(int descriptor)
{
    int value = 0;
    socklen_t len = sizeof(value);

    return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) ==
               0 &&
           value != 0;
}

/* Write what the socket is bound to, as --listen would spell it. */
static void
name_socket(struct listen_socket *s)
{
    union address address = {.storage = {0}};
    socklen_t len = sizeof(address);
    char host[INET6_ADDRSTRLEN] = "?";

    if (getsockname(s->descriptor, &address.any, &len) != 0) {
        snprintf(s->name, sizeof(s->name), "?");
    } else if (address.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address.in.sin_addr, host, sizeof(host));
        snprintf(s->name, sizeof(s->name), "%s:%u", host,
                 (unsigned)ntohs(address.in.sin_port));
    } else if (address.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address.in6.sin6_addr, host, sizeof(host));
        snprintf(s->name, sizeof(s->name), "[%s]:%u", host,
                 (unsigned)ntohs(address.in6.sin6_port));
    } else {
        snprintf(s->name, sizeof(s->name), "unix:%.*s",
                 (int)sizeof(address.un.sun_path), address.un.sun_path);
    }
}

/* Take a listening descriptor into the list. */
static enum pst_err
adopt(struct listen_sockets *sockets, int descriptor, bool is_ours)
{
    struct listen_socket *s;
    int flags = fcntl(descriptor, F_GETFL);

    if (sockets->count == LISTEN_SOCKETS_MAX || flags < 0)
        return PST_BAD_CONFIG;
    if (fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0)
        return PST_BAD_CONFIG;
    s = &sockets->list[sockets->count++];
    *s = (struct listen_socket){.descriptor = descriptor, .is_ours = is_ours};
    name_socket(s);
    return PST_OK;
}

/* Is somebody answering at this path? Only a refusal says no. */
static bool
is_abandoned(const union address *address, socklen_t len)
{
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool abandoned;

    if (probe < 0)
        return false;
    abandoned =
        connect(probe, &address->any, len) != 0 && errno == ECONNREFUSED;
    close(probe);
    return abandoned;
}

/*
 * Bind to a path, in the place of a socket that was left behind. Anything
 * else that stands there (a file, a socket in use) makes bind(2) fail.
 */
static int
bind_path(int descriptor, const union address *address, socklen_t len)
{
    const char *path = address->un.sun_path;
    struct stat old;
    mode_t mask;
    int failed;

    if (lstat(path, &old) == 0 && S_ISSOCK(old.st_mode) &&
        is_abandoned(address, len))
        unlink(path);
    mask = umask(SOCKET_MODE_MASK);
    failed = bind(descriptor, &address->any, len);
    umask(mask);
    return failed;
}

static enum pst_err
open_path(struct listen_sockets *out, const char *path, char *why)
{
    union address address = {.storage = {0}};
    size_t len = strlen(path);
    struct listen_socket *s;
    struct stat file = {0};
    int descriptor;

    if (path[0] != '/' || len >= sizeof(address.un.sun_path)) {
        complain(why, path, "not an absolute path that a socket can have");
        return PST_MALFORMED;
    }
    address.un.sun_family = AF_UNIX;
    memcpy(address.un.sun_path, path, len + 1);
    descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return complain(why, path, strerror(errno));
    if (bind_path(descriptor, &address, sizeof(address.un)) != 0 ||
        listen(descriptor, SOMAXCONN) != 0) {
        complain(why, path, strerror(errno));
        close(descriptor);
        return PST_BAD_CONFIG;
    }
    if (adopt(out, descriptor, true) != PST_OK) {
        close(descriptor);
        return complain(why, path, "cannot be set up");
    }
    s = &out->list[out->count - 1];
    s->has_file = lstat(path, &file) == 0;
    s->device = file.st_dev;
    s->inode = file.st_ino;
    return PST_OK;
}

/* Take "host:port" or "[host]:port" apart. */
static enum pst_err
place_parse(struct place *out, struct pst_text text)
{
    struct pst_text host;
    struct pst_text port;
    struct pst_buf buf;
    int64_t number;
    size_t colon = pst_text_last_index(text, ':');

    if (colon == text.len)
        return PST_MALFORMED;
    port = pst_text_from_octet(text, colon + 1);
    host = pst_text_first(text, colon);
    if (pst_text_starts(host, PST_TEXT("[")) &&
        pst_text_ends(host, PST_TEXT("]"))) {
        host = pst_text_from_octet(host, 1);
        host = pst_text_first(host, host.len - 1);
    } else if (pst_text_index(host, ':') < host.len) {
        return PST_MALFORMED; /* IPv6 without its brackets */
    }
    if (pst_text_number(port, &number) != PST_OK || number > UINT16_MAX ||
        host.len >= sizeof(out->host))
        return PST_MALFORMED;
    memset(out, 0, sizeof(*out));
    pst_buf_init(&buf, out->host, sizeof(out->host) - 1);
    pst_buf_add(&buf, host);
    pst_buf_init(&buf, out->port, sizeof(out->port) - 1);
    pst_buf_add_number(&buf, number);
    return PST_OK;
}

/* The port a socket was given, in network order; 0 when it has none. */
static in_port_t
port_of(int descriptor)
{
    union address address = {.storage = {0}};
    socklen_t len = sizeof(address);

    if (getsockname(descriptor, &address.any, &len) != 0)
        return 0;
    if (address.any.sa_family == AF_INET6)
        return address.in6.sin6_port;
    return address.in.sin_port;
}

/* A socket bound to one of a name's addresses; -1 with errno. */
static int
open_info(const struct addrinfo *info, in_port_t port)
{
    union address address = {.storage = {0}};
    const int on = 1;
    int descriptor;
    int why;

    if (info->ai_addrlen > sizeof(address))
        return -1;
    memcpy(&address, info->ai_addr, info->ai_addrlen);
    if (address.any.sa_family == AF_INET6 && address.in6.sin6_port == 0)
        address.in6.sin6_port = port;
    if (address.any.sa_family == AF_INET && address.in.sin_port == 0)
        address.in.sin_port = port;
    descriptor =
        socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC, IPPROTO_TCP);
    if (descriptor < 0)
        return -1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (info->ai_family == AF_INET6)
        setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(descriptor, &address.any, info->ai_addrlen) == 0 &&
        listen(descriptor, SOMAXCONN) == 0)
        return descriptor;
    why = errno;
    close(descriptor);
    errno = why;
    return -1;
}

/* Listen on every address of a name; one that can be had is enough. */
static enum pst_err
open_place(struct listen_sockets *out, const char *text, char *why)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    struct place place;
    in_port_t port = 0;
    int failed;

    if (place_parse(&place, pst_text_from(text)) != PST_OK) {
        complain(why, text, "neither unix:/path nor host:port");
        return PST_MALFORMED;
    }
    failed = getaddrinfo(place.host[0] != '\0' ? place.host : NULL, place.port,
                         &hints, &found);
    if (failed)
        return complain(why, text, gai_strerror(failed));
    for (const struct addrinfo *i = found; i; i = i->ai_next) {
        int descriptor = open_info(i, port);

        if (descriptor < 0) {
            complain(why, text, strerror(errno));
        } else if (adopt(out, descriptor, true) != PST_OK) {
            close(descriptor);
        } else {
            port = port_of(descriptor);
        }
    }
    freeaddrinfo(found);
    return out->count > 0 ? PST_OK : PST_BAD_CONFIG;
}

/* How many descriptors systemd passed to us; the variables go away. */
static int64_t
passed_count(void)
{
    int64_t pid = 0;
    int64_t count = 0;
    struct pst_text for_pid = pst_text_from(getenv("LISTEN_PID"));
    struct pst_text for_count = pst_text_from(getenv("LISTEN_FDS"));
    bool are_ours = !pst_text_is_absent(for_pid) &&
                    !pst_text_is_absent(for_count) &&
                    pst_text_number(for_pid, &pid) == PST_OK &&
                    pst_text_number(for_count, &count) == PST_OK &&
                    pid == (int64_t)getpid();

    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return are_ours ? count : 0;
}

static enum pst_err
open_passed(struct listen_sockets *out, int64_t count, char *why)
{
    if (count > LISTEN_SOCKETS_MAX)
        return complain(why, "LISTEN_FDS", "too many sockets");
    for (int i = 0; i < (int)count; i++) {
        if (!is_listening(PASSED_FIRST + i))
            return complain(why, "LISTEN_FDS", "not a listening socket");
        if (adopt(out, PASSED_FIRST + i, false) != PST_OK)
            return complain(why, "LISTEN_FDS", strerror(errno));
    }
    return PST_OK;
}

enum pst_err
listen_open(struct listen_sockets *out, const char *address,
            char why[static LISTEN_WHY_MAX])
{
    static const char unix_prefix[] = "unix:";
    struct listen_sockets found = {.count = 0};
    int64_t passed = passed_count();
    enum pst_err e = PST_OK;

    if (address && strncmp(address, unix_prefix, strlen(unix_prefix)) == 0)
        e = open_path(&found, address + strlen(unix_prefix), why);
    else if (address)
        e = open_place(&found, address, why);
    else if (passed > 0)
        e = open_passed(&found, passed, why);
    else if (is_listening(STDIN_FILENO) &&
             adopt(&found, STDIN_FILENO, false) != PST_OK)
        e = complain(why, "descriptor 0", strerror(errno));
    if (e) {
        listen_close(&found);
        return e;
    }
    *out = found;
    return PST_OK;
}

/* Another process may have put its own socket there by now: leave that. */
static void
remove_file(const struct listen_socket *s)
{
    const char *path = s->name + strlen("unix:");
    struct stat now;

    if (lstat(path, &now) == 0 && now.st_dev == s->device &&
        now.st_ino == s->inode)
        unlink(path);
}

void
listen_close(struct listen_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        if (sockets->list[i].has_file)
            remove_file(&sockets->list[i]);
        close(sockets->list[i].descriptor);
    }
    sockets->count = 0;
}

/* The 16 bytes of an address; an IPv4 one mapped. */
static bool
octets_of(const char *text, uint8_t out[static 16])
{
    memcpy(out, mapped_prefix, sizeof(mapped_prefix));
    return inet_pton(AF_INET, text, out + sizeof(mapped_prefix)) == 1 ||
           inet_pton(AF_INET6, text, out) == 1;
}

enum pst_err
listen_peers_parse(struct listen_peers *out, struct pst_text text)
{
    struct listen_peers found = {.count = 0};
    struct pst_text word;
    bool is_given = text.len > 0;

    while (pst_text_word(&text, ", \t", &word)) {
        char address[INET6_ADDRSTRLEN] = "";

        if (found.count == LISTEN_PEERS_MAX)
            return PST_TOO_LARGE;
        if (word.len >= sizeof(address))
            return PST_MALFORMED;
        memcpy(address, word.ptr, word.len);
        if (!octets_of(address, found.list[found.count]))
            return PST_MALFORMED;
        found.count++;
    }
    if (is_given && found.count == 0)
        return PST_MALFORMED; /* a list of nobody must not mean everybody */
    *out = found;
    return PST_OK;
}

bool
listen_peers_allow(const struct listen_peers *peers,
                   const struct sockaddr_storage *peer)
{
    union address address = {.storage = *peer};
    uint8_t octets[16];

    if (peers->count == 0)
        return true;
    if (address.any.sa_family == AF_INET) {
        memcpy(octets, mapped_prefix, sizeof(mapped_prefix));
        memcpy(octets + sizeof(mapped_prefix), &address.in.sin_addr, 4);
    } else if (address.any.sa_family == AF_INET6) {
        memcpy(octets, &address.in6.sin6_addr, sizeof(octets));
    } else {
        return true; /* a file's permissions say who may */
    }
    for (size_t i = 0; i < peers->count; i++)
        if (memcmp(peers->list[i], octets, sizeof(octets)) == 0)
            return true;
    return false;
}
