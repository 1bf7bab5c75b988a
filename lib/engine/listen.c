/* SPDX-License-Identifier: ISC */
/*
 * listen.c - find or open the sockets that a program listens on.
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
#include "base/str.h"

/* The first descriptor that systemd passes (sd_listen_fds(3)). */
#define SYSTEMD_FIRST_DESCRIPTOR 3

#define SOCKET_MODE_MASK 0117 /* leaves 0660 */

/* A host and a port, NUL-terminated for getaddrinfo(3). */
struct endpoint {
    char host[256];
    char port[6];
};

/* A socket address of any family. */
union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
    struct sockaddr_storage storage;
};

/* Write "subject: cause". Returns PST_BAD_CONFIG. */
static enum pst_err
listen_set_error(char *error, const char *subject, const char *cause)
{
    snprintf(error, LISTEN_ERROR_MAX, "%s: %s", subject, cause);
    return PST_BAD_CONFIG;
}

/* Why a socket cannot be bound or listen. */
static const char *
bind_error_text(int code)
{
    return code == EADDRINUSE ? "another process listens there: stop it, or "
                                "choose another address"
                              : strerror(code);
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

/* Set the socket's name: its address, in the syntax of --listen. */
static void
listen_name_socket(struct listen_socket *s)
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

/* Add a listening descriptor to the list, as non-blocking and close-on-exec. */
static enum pst_err
listen_add_socket(struct listen_sockets *sockets, int descriptor, bool is_ours)
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
    listen_name_socket(s);
    return PST_OK;
}

/* Is there a socket file that nobody listens on? ECONNREFUSED says so; any
 * other error may be temporary. */
static bool
is_stale_socket(const union address *address, socklen_t len)
{
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_from_older_secret;

    if (probe < 0)
        return false;
    is_from_older_secret =
        connect(probe, &address->any, len) != 0 && errno == ECONNREFUSED;
    close(probe);
    return is_from_older_secret;
}

/*
 * Bind to a path. A stale socket file there is replaced; any other file, or a
 * socket in use, makes bind(2) fail.
 */
static int
listen_bind_path(int descriptor, const union address *address, socklen_t len)
{
    const char *path = address->un.sun_path;
    struct stat old;
    mode_t mask;
    int failed;

    if (lstat(path, &old) == 0 && S_ISSOCK(old.st_mode) &&
        is_stale_socket(address, len))
        unlink(path);
    mask = umask(SOCKET_MODE_MASK);
    failed = bind(descriptor, &address->any, len);
    umask(mask);
    return failed;
}

static enum pst_err
listen_open_path(struct listen_sockets *out, const char *path, char *error)
{
    union address address = {.storage = {0}};
    size_t len = strlen(path);
    struct listen_socket *s;
    struct stat file = {0};
    int descriptor;

    if (path[0] != '/' || len >= sizeof(address.un.sun_path)) {
        listen_set_error(error, path,
                         "the path must be absolute and below 108 bytes");
        return PST_MALFORMED;
    }
    address.un.sun_family = AF_UNIX;
    memcpy(address.un.sun_path, path, len + 1);
    descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return listen_set_error(error, path, strerror(errno));
    if (listen_bind_path(descriptor, &address, sizeof(address.un)) != 0 ||
        listen(descriptor, SOMAXCONN) != 0) {
        listen_set_error(error, path, bind_error_text(errno));
        if (lstat(path, &file) == 0 && !S_ISSOCK(file.st_mode))
            listen_set_error(
                error, path,
                "there is another file: remove it, or choose another address");
        close(descriptor);
        return PST_BAD_CONFIG;
    }
    if (listen_add_socket(out, descriptor, true) != PST_OK) {
        listen_set_error(error, path, strerror(errno));
        close(descriptor);
        return PST_BAD_CONFIG;
    }
    s = &out->list[out->count - 1];
    s->has_file = lstat(path, &file) == 0;
    s->device = file.st_dev;
    s->inode = file.st_ino;
    return PST_OK;
}

/* Parse "host:port" or "[host]:port". */
static enum pst_err
endpoint_parse(struct endpoint *out, struct pst_str text)
{
    struct pst_str host;
    struct pst_str port;
    struct pst_buf buf;
    int64_t number;
    size_t colon = pst_str_last_index(text, ':');

    if (colon == text.len)
        return PST_MALFORMED;
    port = pst_str_skip(text, colon + 1);
    host = pst_str_first(text, colon);
    if (pst_str_starts(host, PST_STR("[")) &&
        pst_str_ends(host, PST_STR("]"))) {
        host = pst_str_skip(host, 1);
        host = pst_str_first(host, host.len - 1);
    } else if (pst_str_index(host, ':') < host.len) {
        return PST_MALFORMED; /* IPv6 without its brackets */
    }
    if (pst_str_parse_number(port, &number) != PST_OK || number > UINT16_MAX ||
        host.len >= sizeof(out->host))
        return PST_MALFORMED;
    memset(out, 0, sizeof(*out));
    pst_buf_init(&buf, out->host, sizeof(out->host) - 1);
    pst_buf_add(&buf, host);
    pst_buf_init(&buf, out->port, sizeof(out->port) - 1);
    pst_buf_add_number(&buf, number);
    return PST_OK;
}

/* The port that a socket is bound to, in network byte order; 0 on failure. */
static in_port_t
socket_get_port(int descriptor)
{
    union address address = {.storage = {0}};
    socklen_t len = sizeof(address);

    if (getsockname(descriptor, &address.any, &len) != 0)
        return 0;
    if (address.any.sa_family == AF_INET6)
        return address.in6.sin6_port;
    return address.in.sin_port;
}

/*
 * Listen on one address of a host name.
 *   port  used if the address has port 0; network byte order; 0: any
 * Returns the descriptor, or -1 with errno set.
 */
static int
listen_open_address(const struct addrinfo *info, in_port_t port)
{
    union address address = {.storage = {0}};
    const int on = 1;
    int descriptor;
    int error;

    PST_REQUIRE(info->ai_addrlen <= sizeof(address));
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
    error = errno;
    close(descriptor);
    errno = error;
    return -1;
}

/* Listen on every address of a host name; one that works is enough. All of
 * them get the same port. */
static enum pst_err
listen_open_endpoint(struct listen_sockets *out, const char *text, char *error)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    struct endpoint endpoint;
    in_port_t port = 0;
    int failed;

    PST_REQUIRE(text);
    if (endpoint_parse(&endpoint, pst_str_from(text)) != PST_OK) {
        listen_set_error(error, text,
                         "not an address of the form unix:/path or host:port");
        return PST_MALFORMED;
    }
    failed = getaddrinfo(endpoint.host[0] != '\0' ? endpoint.host : NULL,
                         endpoint.port, &hints, &found);
    if (failed)
        return listen_set_error(error, text, gai_strerror(failed));
    for (const struct addrinfo *i = found; i; i = i->ai_next) {
        int descriptor = listen_open_address(i, port);

        if (descriptor < 0) {
            listen_set_error(error, text, bind_error_text(errno));
        } else if (listen_add_socket(out, descriptor, true) != PST_OK) {
            close(descriptor);
        } else {
            port = socket_get_port(descriptor);
        }
    }
    freeaddrinfo(found);
    return out->count > 0 ? PST_OK : PST_BAD_CONFIG;
}

/* How many descriptors systemd has passed to us. Removes its variables, so
 * that no child process takes them for its own. */
static int64_t
systemd_socket_count(void)
{
    int64_t pid = 0;
    int64_t count = 0;
    struct pst_str for_pid = pst_str_from(getenv("LISTEN_PID"));
    struct pst_str for_count = pst_str_from(getenv("LISTEN_FDS"));
    bool are_ours = !pst_str_is_absent(for_pid) &&
                    !pst_str_is_absent(for_count) &&
                    pst_str_parse_number(for_pid, &pid) == PST_OK &&
                    pst_str_parse_number(for_count, &count) == PST_OK &&
                    pid == (int64_t)getpid();

    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return are_ours ? count : 0;
}

static enum pst_err
listen_open_systemd(struct listen_sockets *out, int64_t count, char *error)
{
    if (count > LISTEN_SOCKETS_MAX)
        return listen_set_error(error, "LISTEN_FDS",
                                "systemd passes more than 8 sockets");
    for (int i = 0; i < (int)count; i++) {
        if (!is_listening(SYSTEMD_FIRST_DESCRIPTOR + i))
            return listen_set_error(
                error, "LISTEN_FDS",
                "systemd passes a descriptor that is not a listening socket");
        if (listen_add_socket(out, SYSTEMD_FIRST_DESCRIPTOR + i, false) !=
            PST_OK)
            return listen_set_error(error, "LISTEN_FDS", strerror(errno));
    }
    return PST_OK;
}

enum pst_err
listen_open(struct listen_sockets *out, const char *address,
            char error[static LISTEN_ERROR_MAX])
{
    static const char unix_prefix[] = "unix:";
    struct listen_sockets found = {.count = 0};
    int64_t passed = systemd_socket_count();
    enum pst_err e = PST_OK;

    if (address && strncmp(address, unix_prefix, strlen(unix_prefix)) == 0)
        e = listen_open_path(&found, address + strlen(unix_prefix), error);
    else if (address)
        e = listen_open_endpoint(&found, address, error);
    else if (passed > 0)
        e = listen_open_systemd(&found, passed, error);
    else if (is_listening(STDIN_FILENO) &&
             listen_add_socket(&found, STDIN_FILENO, false) != PST_OK)
        e = listen_set_error(error, "descriptor 0", strerror(errno));
    if (e) {
        listen_close(&found);
        return e;
    }
    *out = found;
    return PST_OK;
}

/* Remove the socket file, unless another process has replaced it. */
static void
listen_remove_file(const struct listen_socket *s)
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
            listen_remove_file(&sockets->list[i]);
        close(sockets->list[i].descriptor);
    }
    sockets->count = 0;
}
