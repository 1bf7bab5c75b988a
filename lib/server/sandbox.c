/* SPDX-License-Identifier: ISC */
/*
 * sandbox.c - enter the sandbox; the system calls that are left (seccomp(2), by
 * libseccomp).
 */
#include "server/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <seccomp.h>

#include "server/sandbox_files.h"

/* Any other call fails with ENOSYS, as on a kernel that does not know it, and
 * so do these with other arguments than the rules below allow: libraries that
 * try something newer then do without. */
#define REFUSED SCMP_ACT_ERRNO(ENOSYS)

/* Of the second argument of socket(2). */
#define SOCKET_TYPE_MASK 0xfU

/* Of the flags of open(2). 3 is a mode, too: neither to read nor to write, so
 * that Landlock allows it, but the owner may be changed. */
#define OPEN_MODE_MASK 3

/* Who runs such a file becomes its owner, or gets its group. */
#define SET_ID_MODES 06000

/* Calls that may have any arguments. Landlock says which files are opened. */
static const int calls[] = {
    /* memory */
    SCMP_SYS(brk),
    SCMP_SYS(madvise),
    SCMP_SYS(mlock),
    SCMP_SYS(mremap),
    SCMP_SYS(munlock),
    SCMP_SYS(munmap),
    /* descriptors */
    SCMP_SYS(close),
    SCMP_SYS(dup),
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
    SCMP_SYS(eventfd2),
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(signalfd4),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    /* waiting */
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(pselect6),
    SCMP_SYS(select),
    /* sockets */
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown),
    /* files */
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(fallocate),
    SCMP_SYS(fchown),
    SCMP_SYS(fdatasync),
    SCMP_SYS(flock),
    SCMP_SYS(fstat),
    SCMP_SYS(fstatfs),
    SCMP_SYS(fsync),
    SCMP_SYS(ftruncate),
    SCMP_SYS(getdents64),
    SCMP_SYS(link),
    SCMP_SYS(linkat),
    SCMP_SYS(lseek),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(msync),
    SCMP_SYS(newfstatat),
    SCMP_SYS(pread64),
    SCMP_SYS(preadv),
    SCMP_SYS(pwrite64),
    SCMP_SYS(pwritev),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(stat),
    SCMP_SYS(statx),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    /* threads and signals */
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(futex),
    SCMP_SYS(gettid),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rseq),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(sigaltstack),
    /* facts */
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getegid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getpid),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrusage),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getuid),
    SCMP_SYS(nanosleep),
    SCMP_SYS(sysinfo),
    SCMP_SYS(time),
    SCMP_SYS(uname),
};

/* A call whose arguments are limited. */
struct limited_call {
    int number;
    unsigned count;
    struct scmp_arg_cmp arguments[3];
};

#define EQUAL(index, value)                            \
    {                                                  \
        (index), SCMP_CMP_EQ, (scmp_datum_t)(value), 0 \
    }
#define MASKED(index, mask, value)                         \
    {                                                      \
        (index), SCMP_CMP_MASKED_EQ, (scmp_datum_t)(mask), \
            (scmp_datum_t)(value)                          \
    }

/* Flags of clone(2) that a thread does not have. */
#define CLONE_PROCESSES                                            \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

/* Memory with code is never new; threads, but no processes. clone3(2) has its
 * flags in memory, where no filter can look: glibc does without. */
static const struct limited_call limited_calls[] = {
    {SCMP_SYS(mmap), 1, {MASKED(2, PROT_EXEC, 0)}},
    {SCMP_SYS(mprotect), 1, {MASKED(2, PROT_EXEC, 0)}},
    {SCMP_SYS(clone),
     1,
     {MASKED(0, CLONE_THREAD | CLONE_PROCESSES, CLONE_THREAD)}},
    {SCMP_SYS(prlimit64), 2, {EQUAL(0, 0), EQUAL(2, 0)}},
    {SCMP_SYS(fchmod), 1, {MASKED(1, 07007, 0)}}, /* of a shared store */
    /* Not F_SETOWN and F_SETSIG, which send signals to others. */
    {SCMP_SYS(fcntl), 1, {EQUAL(1, F_DUPFD)}},
    {SCMP_SYS(fcntl), 1, {EQUAL(1, F_DUPFD_CLOEXEC)}},
    {SCMP_SYS(fcntl), 1, {EQUAL(1, F_GETFD)}},
    {SCMP_SYS(fcntl), 1, {EQUAL(1, F_SETFD)}},
    {SCMP_SYS(fcntl), 1, {EQUAL(1, F_GETFL)}},
    {SCMP_SYS(fcntl), 1, {EQUAL(1, F_SETFL)}},
    {SCMP_SYS(fcntl), 1, {EQUAL(1, F_GETLK)}},
    {SCMP_SYS(fcntl), 1, {EQUAL(1, F_SETLK)}},
    {SCMP_SYS(fcntl), 1, {EQUAL(1, F_SETLKW)}},
    {SCMP_SYS(fcntl), 1, {EQUAL(1, F_OFD_SETLK)}},
    /* Landlock does not see a connection that begins with its first data. */
    {SCMP_SYS(sendto), 1, {MASKED(3, MSG_FASTOPEN, 0)}},
    {SCMP_SYS(sendmsg), 1, {MASKED(2, MSG_FASTOPEN, 0)}},
    {SCMP_SYS(sendmmsg), 1, {MASKED(3, MSG_FASTOPEN, 0)}},
    {SCMP_SYS(ioctl), 1, {EQUAL(1, FIONBIO)}},
    {SCMP_SYS(ioctl), 1, {EQUAL(1, FIONREAD)}},
    {SCMP_SYS(ioctl), 1, {EQUAL(1, TCGETS)}},
};

/* The memory of a shared library has code, comes from a file, and cannot be
 * written, not by way of the file either. */
static const struct limited_call code_call = {
    SCMP_SYS(mmap),
    2,
    {MASKED(2, PROT_WRITE | PROT_EXEC, PROT_EXEC),
     MASKED(3, MAP_TYPE | MAP_ANONYMOUS, MAP_PRIVATE)}};

/* curl's thread that looks up a name tells its result in this way. */
static const struct limited_call pair_call = {
    SCMP_SYS(socketpair), 1, {EQUAL(0, AF_UNIX)}};

static int
filter_add_limited(scmp_filter_ctx filter, const struct limited_call *call)
{
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call->number,
                                  call->count, call->arguments);
}

/* A protocol other than the family's own, such as MPTCP, would not be seen by
 * Landlock. */
static int
filter_add_socket(scmp_filter_ctx filter, int family, int type, int protocol)
{
    const struct limited_call calls_of[] = {
        {SCMP_SYS(socket),
         3,
         {EQUAL(0, family), MASKED(1, SOCKET_TYPE_MASK, type), EQUAL(2, 0)}},
        {SCMP_SYS(socket),
         3,
         {EQUAL(0, family), MASKED(1, SOCKET_TYPE_MASK, type),
          EQUAL(2, protocol)}}};
    int error = filter_add_limited(filter, &calls_of[0]);

    return error == 0 && protocol != 0
               ? filter_add_limited(filter, &calls_of[1])
               : error;
}

/* Open files to read, but not to truncate them, or to write; and make none that
 * give others a user's rights. */
static int
filter_add_open(scmp_filter_ctx filter, int number, unsigned flags)
{
    const struct limited_call calls_of[] = {
        {number,
         2,
         {MASKED(flags, OPEN_MODE_MASK | O_TRUNC, O_RDONLY),
          MASKED(flags + 1, SET_ID_MODES, 0)}},
        {number,
         2,
         {MASKED(flags, OPEN_MODE_MASK, O_WRONLY),
          MASKED(flags + 1, SET_ID_MODES, 0)}},
        {number,
         2,
         {MASKED(flags, OPEN_MODE_MASK, O_RDWR),
          MASKED(flags + 1, SET_ID_MODES, 0)}}};
    int error = 0;

    for (size_t i = 0; error == 0 && i < PST_COUNT(calls_of); i++)
        error = filter_add_limited(filter, &calls_of[i]);
    return error;
}

/* What getaddrinfo(3) does: it asks which addresses this machine has, name
 * servers, or a daemon; and it loads the libraries that know how. */
static int
filter_add_names(scmp_filter_ctx filter)
{
    const struct limited_call netlink = {
        SCMP_SYS(socket), 2, {EQUAL(0, AF_NETLINK), EQUAL(2, NETLINK_ROUTE)}};
    int error = filter_add_limited(filter, &netlink);

    if (error == 0)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(bind), 0);
    if (error == 0)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(pipe2), 0);
    if (error == 0)
        error = filter_add_limited(filter, &pair_call);
    if (error == 0)
        error = filter_add_limited(filter, &code_call);
    if (error == 0)
        error = filter_add_socket(filter, AF_INET, SOCK_DGRAM, IPPROTO_UDP);
    if (error == 0)
        error = filter_add_socket(filter, AF_INET6, SOCK_DGRAM, IPPROTO_UDP);
    return error;
}

/* Returns 0 or a negative error of errno(3), as libseccomp does. */
static int
filter_add_peers(scmp_filter_ctx filter, unsigned peers)
{
    int error = 0;

    if (peers != 0)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0);
    if (error == 0 && (peers & SANDBOX_NAMES))
        error = filter_add_names(filter);
    if (error == 0 && (peers & (SANDBOX_LOCAL | SANDBOX_NAMES)))
        error = filter_add_socket(filter, AF_UNIX, SOCK_STREAM, 0);
    if (error == 0 && (peers & (SANDBOX_TCP | SANDBOX_NAMES)))
        error = filter_add_socket(filter, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (error == 0 && (peers & (SANDBOX_TCP | SANDBOX_NAMES)))
        error = filter_add_socket(filter, AF_INET6, SOCK_STREAM, IPPROTO_TCP);
    return error;
}

/* Returns as filter_add_peers(). */
static int
filter_add_rules(scmp_filter_ctx filter, unsigned peers)
{
    const struct limited_call abort_call = {
        SCMP_SYS(tgkill), 1, {EQUAL(0, getpid())}};
    int error = filter_add_limited(filter, &abort_call);

    for (size_t i = 0; error == 0 && i < PST_COUNT(calls); i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
    for (size_t i = 0; error == 0 && i < PST_COUNT(limited_calls); i++)
        error = filter_add_limited(filter, &limited_calls[i]);
    if (error == 0)
        error = filter_add_open(filter, SCMP_SYS(open), 1);
    if (error == 0)
        error = filter_add_open(filter, SCMP_SYS(openat), 2);
    return error == 0 ? filter_add_peers(filter, peers) : error;
}

static enum pst_err
sandbox_limit_calls(unsigned peers)
{
    scmp_filter_ctx filter = seccomp_init(REFUSED);
    int error = filter ? 0 : -ENOMEM;

    if (error == 0)
        error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (error == 0)
        error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (error == 0) /* calls of x32, say */
        error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
                                 SCMP_ACT_KILL_PROCESS);
    if (error == 0)
        error = filter_add_rules(filter, peers);
    if (error == 0)
        error = seccomp_load(filter);
    if (filter)
        seccomp_release(filter);
    errno = -error;
    return error ? PST_INTERNAL : PST_OK;
}

bool
sandbox_is_built(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    defined(POSTERN_COVERAGE) || !defined(__LP64__) || defined(__s390x__)
    return false;
#else
    return true;
#endif
}

enum pst_err
sandbox_enter(const struct sandbox_rules *rules, unsigned *gaps)
{
    unsigned found = 0;
    enum pst_err e;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return PST_INTERNAL;
    e = sandbox_limit_files(rules, &found);
    if (!e)
        e = sandbox_limit_calls(rules->peers);
    if (!e)
        *gaps = found;
    return e;
}
