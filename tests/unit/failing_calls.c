/* SPDX-License-Identifier: ISC */
/*
 * failing_calls.c - a library for LD_PRELOAD that makes the n-th allocation or
 * system call of a program fail, also those of its libraries.
 *
 * A test shares a file with the program, FAILING_CALLS, in which it says what
 * fails, and reads what has been called. It may change that while the program
 * runs. Without this file, nothing fails.
 */
#undef _FILE_OFFSET_BITS /* the functions of both sizes of a file are ours */
#include <assert.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <unistd.h>

/* What is defined here takes the place of what the C library has. */
#pragma GCC visibility push(default)

enum mode {
    MODE_OFF,
    MODE_ONE,       /* the n-th call fails */
    MODE_ALL,       /* and all later ones */
    MODE_SHORT,     /* the n-th transfer is of half the bytes */
    MODE_SHORT_ALL, /* and all later ones */
};

/* Classes of calls. */
enum {
    MEMORY = 1,
    SYSTEM = 2,
    TRANSFERS = 4,
    WRITES = 8, /* write() */
};

#define NAME_SIZE 32

/* The file, as tests/e2e/failing_calls.py reads it. */
struct control {
    _Atomic uint64_t mode;
    _Atomic uint64_t classes;
    _Atomic uint64_t nth;          /* from 1 on */
    _Atomic uint64_t variant;      /* which of the call's errors */
    _Atomic uint64_t from_request; /* 1: count when a CGI program has started */
    _Atomic uint64_t counted;      /* calls of these classes */
    _Atomic uint64_t failed;       /* those made to fail */
    _Atomic uint64_t variants;     /* errors of the call that failed last */
    _Atomic int64_t live;          /* allocations that were not freed */
    char name[NAME_SIZE];          /* of the call that failed last */
};

/* Exported by the C library, and what its own malloc() etc. are. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *ptr);

static struct control nothing;
static struct control *control = &nothing;
static atomic_bool
    is_waiting; /* for the request, after control->from_request */

/* The C library's function, for a pointer of its type. */
#define REAL(name)                                             \
    __extension__({                                            \
        static _Atomic(void *) known;                          \
        void *function = atomic_load(&known);                  \
        __typeof__(&name) typed;                               \
                                                               \
        if (!function)                                         \
            atomic_store(&known, function = find_real(#name)); \
        memcpy(&typed, &function, sizeof(typed));              \
        typed;                                                 \
    })

#define FAILS(name, ...) FAILS_IN(SYSTEM, name, __VA_ARGS__)
#define FAILS_IN(class, name, ...)                     \
    fails_now(name, class, (const int[]){__VA_ARGS__}, \
              sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

static void *
find_real(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);

    if (!function)
        abort();
    return function;
}

static __attribute__((constructor)) void
open_control(void)
{
    const char *path = getenv("FAILING_CALLS");
    int descriptor = path ? REAL(open)(path, O_RDWR | O_CLOEXEC) : -1;
    void *mapped;

    if (descriptor < 0)
        return;
    mapped = REAL(mmap)(NULL, sizeof(*control), PROT_READ | PROT_WRITE,
                        MAP_SHARED, descriptor, 0);
    REAL(close)(descriptor);
    if (mapped == MAP_FAILED)
        return;
    atomic_store(&is_waiting, ((struct control *)mapped)->from_request != 0);
    control = mapped;
}

/* Count a call. Is it the one? */
static bool
is_reached(uint64_t class)
{
    uint64_t mode = control->mode;
    uint64_t number;

    if (mode == MODE_OFF || (control->classes & class) == 0 ||
        atomic_load(&is_waiting))
        return false;
    number = atomic_fetch_add(&control->counted, 1) + 1;
    return mode == MODE_ONE || mode == MODE_SHORT ? number == control->nth
                                                  : number >= control->nth;
}

static void
note_failure(const char *name, size_t variants)
{
    /* The test reads the name of the first one, and when nobody writes. */
    if (atomic_fetch_add(&control->failed, 1) > 0)
        return;
    control->variants = variants;
    for (size_t i = 0; i + 1 < NAME_SIZE; i++) {
        control->name[i] = name[i];
        if (name[i] == '\0')
            break;
    }
}

/* A call that is only ever interrupted cannot fail each time. */
static bool
fails_now(const char *name, uint64_t class, const int *errors, size_t count)
{
    if (control->mode == MODE_SHORT || control->mode == MODE_SHORT_ALL ||
        (control->mode == MODE_ALL && errors[0] == EINTR) || !is_reached(class))
        return false;
    note_failure(name, count);
    errno = errors[control->variant < count ? control->variant : 0];
    return true;
}

/* The bytes of a transfer. An event's number is never cut, and of a file Linux
 * reads and writes all bytes, or it is an error. */
static size_t
transfer_size(const char *name, int descriptor, size_t size)
{
    struct stat st;

    if (size <= sizeof(uint64_t) ||
        (control->mode != MODE_SHORT && control->mode != MODE_SHORT_ALL) ||
        (REAL(fstat)(descriptor, &st) == 0 && S_ISREG(st.st_mode)) ||
        !is_reached(TRANSFERS))
        return size;
    note_failure(name, 1);
    return size / 2;
}

/* Memory. */

static bool
memory_fails(const char *name)
{
    static const int errors[] = {ENOMEM};

    return fails_now(name, MEMORY, errors, 1);
}

static void *
count_memory(void *ptr)
{
    if (ptr)
        atomic_fetch_add(&control->live, 1);
    return ptr;
}

void *
malloc(size_t size)
{
    return memory_fails("malloc") ? NULL : count_memory(__libc_malloc(size));
}

void *
calloc(size_t count, size_t size)
{
    return memory_fails("calloc") ? NULL
                                  : count_memory(__libc_calloc(count, size));
}

void *
realloc(void *ptr, size_t size)
{
    void *moved;

    if (!ptr)
        return malloc(size);
    if (memory_fails("realloc"))
        return NULL;
    moved = __libc_realloc(ptr, size);
    if (!moved && size == 0)
        atomic_fetch_sub(&control->live, 1);
    return moved;
}

void
free(void *ptr)
{
    int saved = errno;

    if (ptr)
        atomic_fetch_sub(&control->live, 1);
    __libc_free(ptr);
    errno = saved;
}

int
posix_memalign(void **out, size_t alignment, size_t size)
{
    void *ptr = memory_fails("posix_memalign")
                    ? NULL
                    : count_memory(__libc_memalign(alignment, size));

    if (!ptr)
        return ENOMEM;
    *out = ptr;
    return 0;
}

void *
aligned_alloc(size_t alignment, size_t size)
{
    return memory_fails("aligned_alloc")
               ? NULL
               : count_memory(__libc_memalign(alignment, size));
}

/* Without memory, the message of an assertion would be lost. */
void
__assert_fail(const char *assertion, const char *file, unsigned line,
              const char *where)
{
    control->mode = MODE_OFF;
    REAL(__assert_fail)(assertion, file, line, where);
    abort();
}

/* A CGI program calls signal() last before it serves its request. */
sighandler_t
signal(int number, sighandler_t handler)
{
    if (number == SIGHUP)
        atomic_store(&is_waiting, false);
    return REAL(signal)(number, handler);
}

/* Transfers. */

ssize_t
read(int descriptor, void *out, size_t size)
{
    if (FAILS("read", EIO, EINTR, ECONNRESET))
        return -1;
    return REAL(read)(descriptor, out, transfer_size("read", descriptor, size));
}

/* To an event, which has a number of eight bytes, writing does not fail: a full
 * counter wakes who waits for it as well. */
ssize_t
write(int descriptor, const void *bytes, size_t size)
{
    if (size != sizeof(uint64_t) &&
        FAILS_IN(SYSTEM | WRITES, "write", ENOSPC, EINTR, EPIPE, EIO))
        return -1;
    return REAL(write)(descriptor, bytes,
                       transfer_size("write", descriptor, size));
}

ssize_t
writev(int descriptor, const struct iovec *pieces, int count)
{
    size_t total = 0;

    if (FAILS("writev", ENOSPC, EINTR, ECONNRESET))
        return -1;
    for (int i = 0; i < count; i++)
        total += pieces[i].iov_len;
    if (transfer_size("writev", descriptor, total) == total)
        return REAL(writev)(descriptor, pieces, count);
    while (pieces->iov_len == 0)
        pieces++;
    return REAL(write)(descriptor, pieces->iov_base, (pieces->iov_len + 1) / 2);
}

ssize_t
recv(int descriptor, void *out, size_t size, int flags)
{
    if (FAILS("recv", ECONNRESET, EINTR, ENOMEM))
        return -1;
    return REAL(recv)(descriptor, out, transfer_size("recv", descriptor, size),
                      flags);
}

ssize_t
send(int descriptor, const void *bytes, size_t size, int flags)
{
    if (FAILS("send", ECONNRESET, EINTR, EPIPE, ENOBUFS))
        return -1;
    return REAL(send)(descriptor, bytes,
                      transfer_size("send", descriptor, size), flags);
}

ssize_t
sendto(int descriptor, const void *bytes, size_t size, int flags,
       __CONST_SOCKADDR_ARG address, socklen_t length)
{
    if (FAILS("sendto", ENOBUFS, EINTR, ECONNREFUSED))
        return -1;
    return REAL(sendto)(descriptor, bytes, size, flags, address, length);
}

ssize_t
sendmsg(int descriptor, const struct msghdr *message, int flags)
{
    return FAILS("sendmsg", ECONNRESET, EINTR, ENOBUFS)
               ? -1
               : REAL(sendmsg)(descriptor, message, flags);
}

ssize_t
recvmsg(int descriptor, struct msghdr *message, int flags)
{
    return FAILS("recvmsg", ECONNRESET, EINTR)
               ? -1
               : REAL(recvmsg)(descriptor, message, flags);
}

/* With _FORTIFY_SOURCE, programs call these. */
ssize_t __read_chk(int descriptor, void *out, size_t size, size_t room);
ssize_t __recv_chk(int descriptor, void *out, size_t size, size_t room,
                   int flags);

ssize_t
__read_chk(int descriptor, void *out, size_t size, size_t room)
{
    return size > room ? (abort(), -1) : read(descriptor, out, size);
}

ssize_t
__recv_chk(int descriptor, void *out, size_t size, size_t room, int flags)
{
    return size > room ? (abort(), -1) : recv(descriptor, out, size, flags);
}

/* On 64-bit Linux, off_t is one type under two names. */
#define TRANSFER_AT(name, qualifier, ...)                            \
    ssize_t name(int descriptor, qualifier void *bytes, size_t size, \
                 off_t offset)                                       \
    {                                                                \
        return FAILS(#name, __VA_ARGS__)                             \
                   ? -1                                              \
                   : REAL(name)(descriptor, bytes, size, offset);    \
    }
#define NONE
TRANSFER_AT(pread, NONE, EIO, EINTR)
TRANSFER_AT(pread64, NONE, EIO, EINTR)
TRANSFER_AT(pwrite, const, ENOSPC, EINTR, EIO)
TRANSFER_AT(pwrite64, const, ENOSPC, EINTR, EIO)

/* What a CGI program prints. Bytes that cannot be written are lost: else exit()
 * would try once more. */
size_t
fwrite(const void *bytes, size_t size, size_t count, FILE *file)
{
    if (file == stdout && FAILS("fwrite", EPIPE))
        return 0;
    return REAL(fwrite)(bytes, size, count, file);
}

int
fflush(FILE *file)
{
    if (file != stdout || !FAILS("fflush", EPIPE))
        return REAL(fflush)(file);
    __fpurge(file);
    return EOF;
}

/* Calls with a mode or an argument that is not always there. */

#define OPENING(name)                                      \
    int name(const char *path, int flags, ...)             \
    {                                                      \
        mode_t mode = 0;                                   \
        va_list more;                                      \
                                                           \
        va_start(more, flags);                             \
        if ((flags & (O_CREAT | O_DIRECTORY)) != 0)        \
            mode = va_arg(more, mode_t);                   \
        va_end(more);                                      \
        return FAILS(#name, EMFILE, EACCES, ENOENT, EINTR) \
                   ? -1                                    \
                   : REAL(name)(path, flags, mode);        \
    }
OPENING(open)
OPENING(open64)

#define OPENING_AT(name)                                    \
    int name(int folder, const char *path, int flags, ...)  \
    {                                                       \
        mode_t mode = 0;                                    \
        va_list more;                                       \
                                                            \
        va_start(more, flags);                              \
        if ((flags & O_CREAT) != 0)                         \
            mode = va_arg(more, mode_t);                    \
        va_end(more);                                       \
        return FAILS(#name, EMFILE, EACCES, ENOENT)         \
                   ? -1                                     \
                   : REAL(name)(folder, path, flags, mode); \
    }
OPENING_AT(openat)
OPENING_AT(openat64)

#define CONTROLLING(name)                                       \
    int name(int descriptor, int command, ...)                  \
    {                                                           \
        void *argument;                                         \
        va_list more;                                           \
                                                                \
        va_start(more, command);                                \
        argument = va_arg(more, void *);                        \
        va_end(more);                                           \
        return FAILS(#name, ENOLCK, EINTR)                      \
                   ? -1                                         \
                   : REAL(name)(descriptor, command, argument); \
    }
CONTROLLING(fcntl)
CONTROLLING(fcntl64)

int
prctl(int option, ...)
{
    unsigned long arguments[4];
    va_list more;

    va_start(more, option);
    for (size_t i = 0; i < 4; i++)
        arguments[i] = va_arg(more, unsigned long);
    va_end(more);
    return FAILS("prctl", EPERM)
               ? -1
               : REAL(prctl)(option, arguments[0], arguments[1], arguments[2],
                             arguments[3]);
}

/* For Landlock and seccomp. */
long
syscall(long number, ...)
{
    long arguments[6];
    va_list more;

    va_start(more, number);
    for (size_t i = 0; i < 6; i++)
        arguments[i] = va_arg(more, long);
    va_end(more);
    return FAILS("syscall", EPERM, ENOMEM)
               ? -1
               : REAL(syscall)(number, arguments[0], arguments[1], arguments[2],
                               arguments[3], arguments[4], arguments[5]);
}

/* Calls that only fail: result, name, parameters, arguments, result of a
 * failure, errors. */
#define CALL(type, name, parameters, arguments, failure, ...)              \
    type name parameters                                                   \
    {                                                                      \
        return FAILS(#name, __VA_ARGS__) ? failure : REAL(name) arguments; \
    }
CALL(FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL,
     EMFILE, ENOMEM)
CALL(FILE *, fopen64, (const char *path, const char *mode), (path, mode), NULL,
     EMFILE, ENOMEM)
CALL(int, stat, (const char *path, struct stat *out), (path, out), -1, EACCES,
     ENOENT)
CALL(int, stat64, (const char *path, struct stat64 *out), (path, out), -1,
     EACCES, ENOENT)
CALL(int, lstat, (const char *path, struct stat *out), (path, out), -1, EACCES,
     ENOENT)
CALL(int, lstat64, (const char *path, struct stat64 *out), (path, out), -1,
     EACCES, ENOENT)
CALL(int, fstat, (int descriptor, struct stat *out), (descriptor, out), -1, EIO)
CALL(int, fstat64, (int descriptor, struct stat64 *out), (descriptor, out), -1,
     EIO)
CALL(int, fstatfs, (int descriptor, struct statfs *out), (descriptor, out), -1,
     EIO)
CALL(int, fstatfs64, (int descriptor, struct statfs64 *out), (descriptor, out),
     -1, EIO)
CALL(int, fsync, (int descriptor), (descriptor), -1, EIO, ENOSPC)
CALL(int, fdatasync, (int descriptor), (descriptor), -1, EIO, ENOSPC)
CALL(int, msync, (void *at, size_t size, int flags), (at, size, flags), -1, EIO)
CALL(int, ftruncate, (int descriptor, off_t size), (descriptor, size), -1,
     ENOSPC)
CALL(int, ftruncate64, (int descriptor, off_t size), (descriptor, size), -1,
     ENOSPC)
CALL(off_t, lseek, (int descriptor, off_t offset, int whence),
     (descriptor, offset, whence), -1, EINVAL)
CALL(off_t, lseek64, (int descriptor, off_t offset, int whence),
     (descriptor, offset, whence), -1, EINVAL)
CALL(int, fchmod, (int descriptor, mode_t mode), (descriptor, mode), -1, EPERM)
CALL(int, fchown, (int descriptor, uid_t user, gid_t group),
     (descriptor, user, group), -1, EPERM)
CALL(int, mkdir, (const char *path, mode_t mode), (path, mode), -1, ENOSPC)
CALL(void *, mmap,
     (void *at, size_t size, int protection, int flags, int descriptor,
      off_t offset),
     (at, size, protection, flags, descriptor, offset), MAP_FAILED, ENOMEM)
CALL(void *, mmap64,
     (void *at, size_t size, int protection, int flags, int descriptor,
      off_t offset),
     (at, size, protection, flags, descriptor, offset), MAP_FAILED, ENOMEM)
CALL(int, mprotect, (void *at, size_t size, int protection),
     (at, size, protection), -1, ENOMEM)
CALL(int, madvise, (void *at, size_t size, int advice), (at, size, advice), -1,
     EAGAIN)
CALL(int, mlock, (const void *at, size_t size), (at, size), -1, ENOMEM, EPERM)
CALL(int, socket, (int domain, int type, int protocol),
     (domain, type, protocol), -1, EMFILE, ENOBUFS)
CALL(int, connect, (int descriptor, __CONST_SOCKADDR_ARG to, socklen_t length),
     (descriptor, to, length), -1, ECONNREFUSED, EINTR, ENETUNREACH)
CALL(int, bind, (int descriptor, __CONST_SOCKADDR_ARG to, socklen_t length),
     (descriptor, to, length), -1, EADDRINUSE)
CALL(int, listen, (int descriptor, int backlog), (descriptor, backlog), -1,
     EADDRINUSE)
CALL(int, accept4,
     (int descriptor, __SOCKADDR_ARG from, socklen_t *length, int flags),
     (descriptor, from, length, flags), -1, EMFILE, EINTR, ECONNABORTED)
CALL(int, getsockname, (int descriptor, __SOCKADDR_ARG out, socklen_t *length),
     (descriptor, out, length), -1, ENOBUFS)
CALL(int, setsockopt,
     (int descriptor, int level, int name, const void *value, socklen_t length),
     (descriptor, level, name, value, length), -1, ENOBUFS)
CALL(int, getsockopt,
     (int descriptor, int level, int name, void *value, socklen_t *length),
     (descriptor, level, name, value, length), -1, ENOBUFS)
CALL(int, shutdown, (int descriptor, int how), (descriptor, how), -1, ENOTCONN)
CALL(int, epoll_create1, (int flags), (flags), -1, EMFILE, ENOMEM)
CALL(int, epoll_ctl,
     (int epoll, int operation, int descriptor, struct epoll_event *event),
     (epoll, operation, descriptor, event), -1, ENOMEM, ENOSPC)
CALL(int, epoll_wait,
     (int epoll, struct epoll_event *events, int size, int timeout),
     (epoll, events, size, timeout), -1, EINTR)
CALL(int, poll, (struct pollfd * polled, nfds_t count, int timeout),
     (polled, count, timeout), -1, ENOMEM, EINTR)
CALL(int, eventfd, (unsigned value, int flags), (value, flags), -1, EMFILE)
CALL(int, signalfd, (int descriptor, const sigset_t *set, int flags),
     (descriptor, set, flags), -1, EMFILE)
CALL(int, dup3, (int from, int to, int flags), (from, to, flags), -1, EMFILE)
CALL(ssize_t, getrandom, (void *out, size_t size, unsigned flags),
     (out, size, flags), -1, EIO, EINTR)
CALL(int, getentropy, (void *out, size_t size), (out, size), -1, EIO)
CALL(int, pthread_create,
     (pthread_t * out, const pthread_attr_t *attributes, void *(*run)(void *),
      void *argument),
     (out, attributes, run, argument), EAGAIN, EAGAIN)
CALL(int, getaddrinfo,
     (const char *host, const char *port, const struct addrinfo *hints,
      struct addrinfo **found),
     (host, port, hints, found), EAI_MEMORY, ENOMEM)

/* Linux closes the descriptor all the same. */
int
close(int descriptor)
{
    int result = REAL(close)(descriptor);

    return FAILS("close", EIO, EINTR) ? -1 : result;
}
