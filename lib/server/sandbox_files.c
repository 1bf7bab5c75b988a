/* SPDX-License-Identifier: ISC */
/*
 * sandbox_files.c - limit files and TCP ports with Landlock (landlock(7)).
 *
 * glibc has no functions for it, and the kernel's header may be older than the
 * kernel: the rights and structures that we use are declared here.
 */
#include "server/sandbox_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The newest version of the interface that we know: Linux 6.12. */
#define VERSION_MAX 6

#define CREATE_RULESET_VERSION 1U

/* Rights on files, and from which version on the kernel knows them. */
#define RIGHTS_VERSION_1 ((UINT64_C(1) << 13) - 1)
#define RIGHT_REFER (UINT64_C(1) << 13)     /* 2: rename to another folder */
#define RIGHT_TRUNCATE (UINT64_C(1) << 14)  /* 3 */
#define RIGHT_IOCTL_DEV (UINT64_C(1) << 15) /* 5: ioctl(2) of a device */

#define RIGHT_WRITE_FILE (UINT64_C(1) << 1)
#define RIGHT_READ_FILE (UINT64_C(1) << 2)
#define RIGHT_READ_DIR (UINT64_C(1) << 3)
#define RIGHT_REMOVE_FILE (UINT64_C(1) << 5)
#define RIGHT_MAKE_REG (UINT64_C(1) << 8)

/* The rights that a file has and not only a folder. */
#define RIGHTS_OF_FILES (RIGHT_WRITE_FILE | RIGHT_READ_FILE | RIGHT_TRUNCATE)

/* Rights of TCP, and from which version on. */
#define PORTS_VERSION 4
#define RIGHT_BIND_TCP (UINT64_C(1) << 0)
#define RIGHT_CONNECT_TCP (UINT64_C(1) << 1)

/* What does not leave the sandbox: 6. */
#define SCOPE_ABSTRACT_SOCKETS (UINT64_C(1) << 0)
#define SCOPE_SIGNALS (UINT64_C(1) << 1)

struct ruleset_attributes {
    uint64_t files;
    uint64_t ports;
    uint64_t scopes;
};

enum rule_kind { RULE_PATH_BENEATH = 1, RULE_NET_PORT = 2 };

struct path_rule {
    uint64_t rights;
    int32_t parent;
} __attribute__((packed));

struct port_rule {
    uint64_t rights;
    uint64_t port;
};

static struct ruleset_attributes
ruleset_of_version(long version)
{
    struct ruleset_attributes attributes = {.files = RIGHTS_VERSION_1};

    if (version >= 2)
        attributes.files |= RIGHT_REFER;
    if (version >= 3)
        attributes.files |= RIGHT_TRUNCATE;
    if (version >= PORTS_VERSION)
        attributes.ports = RIGHT_BIND_TCP | RIGHT_CONNECT_TCP;
    if (version >= 5)
        attributes.files |= RIGHT_IOCTL_DEV;
    if (version >= 6)
        attributes.scopes = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS;
    return attributes;
}

/* What looking up a host name may read: the lists of names and servers, and the
 * libraries that read them. Whole folders: the files are replaced by new ones
 * while the program runs, and /etc/resolv.conf is often a link to /run. */
static const struct sandbox_path name_paths[] = {
    {"/etc", SANDBOX_READ},
    {"/lib", SANDBOX_READ},
    {"/lib64", SANDBOX_READ},
    {"/mnt/wsl", SANDBOX_READ},
    {"/run/NetworkManager", SANDBOX_READ},
    {"/run/connman", SANDBOX_READ},
    {"/run/netconfig", SANDBOX_READ},
    {"/run/resolvconf", SANDBOX_READ},
    {"/run/systemd/resolve", SANDBOX_READ},
    {"/usr/lib", SANDBOX_READ},
    {"/usr/lib64", SANDBOX_READ},
};

/* The port of a name server: TCP, when its answer does not fit a datagram. */
#define NAME_SERVER_PORT 53

static uint64_t
rights_of(unsigned access)
{
    uint64_t rights = 0;

    if (access & SANDBOX_READ)
        rights |= RIGHT_READ_FILE | RIGHT_READ_DIR;
    if (access & SANDBOX_WRITE)
        rights |= RIGHT_WRITE_FILE | RIGHT_TRUNCATE | RIGHT_MAKE_REG;
    if (access & SANDBOX_REMOVE)
        rights |= RIGHT_REMOVE_FILE;
    return rights;
}

/* Returns 0 or an error of errno(3). */
static int
ruleset_add_path(int ruleset, uint64_t handled, const struct sandbox_path *path)
{
    struct path_rule rule = {.rights = rights_of(path->access) & handled,
                             .parent = open(path->path, O_PATH | O_CLOEXEC)};
    struct stat st;
    int error = 0;

    if (rule.parent < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0
                                                                      : errno;
    if (fstat(rule.parent, &st) != 0)
        error = errno;
    if (error == 0 && !S_ISDIR(st.st_mode))
        rule.rights &= RIGHTS_OF_FILES;
    /* EBADFD: a pipe, say, of which Landlock knows nothing. */
    if (error == 0 && rule.rights != 0 &&
        syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) !=
            0 &&
        errno != EBADFD)
        error = errno;
    close(rule.parent);
    return error;
}

/* Returns 0 or an error of errno(3). */
static int
ruleset_add_paths(int ruleset, uint64_t handled,
                  const struct sandbox_path *paths, size_t count)
{
    int error = 0;

    for (size_t i = 0; error == 0 && i < count; i++)
        error = ruleset_add_path(ruleset, handled, &paths[i]);
    return error;
}

/* Returns 0 or an error of errno(3). */
static int
ruleset_add_port(int ruleset, uint16_t port)
{
    const struct port_rule rule = {RIGHT_CONNECT_TCP, port};

    return syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) == 0
               ? 0
               : errno;
}

/* Returns 0 or an error of errno(3). */
static int
ruleset_add_ports(int ruleset, const struct sandbox_rules *rules)
{
    int error = 0;

    if (rules->peers & SANDBOX_TCP)
        error = ruleset_add_port(ruleset, rules->tcp_port);
    if (error == 0 && (rules->peers & SANDBOX_NAMES))
        error = ruleset_add_port(ruleset, NAME_SERVER_PORT);
    return error;
}

/* Returns 0 or an error of errno(3). */
static int
ruleset_add_rules(int ruleset, const struct ruleset_attributes *attributes,
                  const struct sandbox_rules *rules)
{
    int error = ruleset_add_paths(ruleset, attributes->files, rules->paths,
                                  rules->path_count);

    if (error == 0 && (rules->peers & SANDBOX_NAMES))
        error = ruleset_add_paths(ruleset, attributes->files, name_paths,
                                  PST_COUNT(name_paths));
    if (error == 0 && (attributes->ports & RIGHT_CONNECT_TCP))
        error = ruleset_add_ports(ruleset, rules);
    return error;
}

enum pst_err
sandbox_limit_files(const struct sandbox_rules *rules, unsigned *gaps)
{
    long version =
        syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    struct ruleset_attributes attributes =
        ruleset_of_version(version < VERSION_MAX ? version : VERSION_MAX);
    int ruleset;
    int error;

    if (version < 1) {
        *gaps = SANDBOX_NO_FILES | SANDBOX_NO_PORTS;
        return PST_OK;
    }
    if ((rules->peers & SANDBOX_TCP) && rules->tcp_port == 0)
        attributes.ports &= RIGHT_BIND_TCP;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes,
                           sizeof(attributes), 0);
    if (ruleset < 0)
        return PST_INTERNAL;
    error = ruleset_add_rules(ruleset, &attributes, rules);
    if (error == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
        error = errno;
    close(ruleset);
    errno = error;
    if (error)
        return PST_INTERNAL;
    *gaps = version < PORTS_VERSION ? SANDBOX_NO_PORTS : 0;
    return PST_OK;
}
