/* SPDX-License-Identifier: ISC */
/*
 * break_out.c - what an attacker would try who runs code in a program: system
 * calls, to be refused by its sandbox.
 */
#include "break_out.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096

/* "FILE.SUFFIX" */
struct beside {
    char path[512];
};

static struct beside
beside(const char *file, const char *suffix)
{
    struct beside made;

    (void)snprintf(made.path, sizeof(made.path), "%s.%s", file, suffix);
    return made;
}

/* Close what was opened. Returns 0 or an errno. */
static int
opened(int descriptor)
{
    if (descriptor < 0)
        return errno;
    close(descriptor);
    return 0;
}

static int
done(long result)
{
    return result == 0 ? 0 : errno;
}

static int
try_execute(const char *file)
{
    char *const arguments[] = {NULL};

    (void)file;
    execve("/nonexistent", arguments, arguments);
    return errno;
}

static int
try_fork(const char *file)
{
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

    (void)file;
    if (child < 0)
        return errno;
    if (child == 0)
        _exit(0);
    return waitpid((pid_t)child, NULL, 0) < 0 ? errno : 0;
}

static int
try_clone3(const char *file)
{
    (void)file;
    return syscall(SYS_clone3, NULL, 0) < 0 ? errno : 0;
}

static int
try_read(const char *file)
{
    return opened(open(file, O_RDONLY));
}

static int
try_write(const char *file)
{
    return opened(open(file, O_WRONLY));
}

static int
try_make(const char *file)
{
    const struct beside made = beside(file, "made");
    int error = opened(open(made.path, O_WRONLY | O_CREAT, 0600));

    if (error == 0)
        unlink(made.path);
    return error;
}

static int
try_remove(const char *file)
{
    const struct beside gone = beside(file, "gone"); /* made by the test */

    return done(unlink(gone.path));
}

static int
try_rename(const char *file)
{
    const struct beside moved = beside(file, "moved");
    int error = done(rename(file, moved.path));

    if (error == 0)
        (void)rename(moved.path, file);
    return error;
}

static int
try_link(const char *file)
{
    const struct beside made = beside(file, "link");
    int error = done(link(file, made.path));

    if (error == 0)
        unlink(made.path);
    return error;
}

static int
try_chmod(const char *file)
{
    return done(chmod(file, 0600));
}

static int
try_truncate(const char *file)
{
    return done(truncate(file, 0));
}

/* Neither to read nor to write: enough to change a file's owner and mode. */
static int
try_open_for_nothing(const char *file)
{
    return opened(open(file, 3));
}

/* Landlock before Linux 6.2 does not see that. */
static int
try_read_and_truncate(const char *file)
{
    return opened(open(file, O_RDONLY | O_TRUNC));
}

/* Whoever runs it becomes this user. */
static int
try_set_id_file(const char *file)
{
    const struct beside made = beside(file, "set-id");
    int error = opened(open(made.path, O_WRONLY | O_CREAT, 04700));

    if (error == 0)
        unlink(made.path);
    return error;
}

static int
try_set_id_mode(const char *file)
{
    (void)file;
    /* An unused number: the kernel looks at the descriptor first. */
    return fchmod(9999, 04700) == 0 ? 0 : errno;
}

static int
try_list(const char *file)
{
    (void)file;
    return opened(open("/", O_RDONLY | O_DIRECTORY));
}

static int
try_memory_file(const char *file)
{
    (void)file;
    return opened(open("/proc/self/mem", O_RDWR));
}

static int
try_environment(const char *file)
{
    (void)file;
    return opened(open("/proc/self/environ", O_RDONLY));
}

static int
mapped(int protection)
{
    void *page =
        mmap(NULL, PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        return errno;
    munmap(page, PAGE);
    return 0;
}

static int
try_code_in_memory(const char *file)
{
    (void)file;
    return mapped(PROT_READ | PROT_EXEC);
}

static int
try_writable_code(const char *file)
{
    (void)file;
    return mapped(PROT_READ | PROT_WRITE | PROT_EXEC);
}

static int
try_memory_to_code(const char *file)
{
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int error;

    (void)file;
    if (page == MAP_FAILED)
        return EFAULT;
    error = done(mprotect(page, PAGE, PROT_READ | PROT_EXEC));
    munmap(page, PAGE);
    return error;
}

static int
try_file_in_memory(const char *file)
{
    (void)file;
    return opened((int)syscall(SYS_memfd_create, "code", 0));
}

static int
try_local_socket(const char *file)
{
    (void)file;
    return opened(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int
try_tcp_socket(const char *file)
{
    (void)file;
    return opened(socket(AF_INET, SOCK_STREAM, 0));
}

static int
try_datagram_socket(const char *file)
{
    (void)file;
    return opened(socket(AF_INET6, SOCK_DGRAM, 0));
}

static int
try_connect_anew(const char *file)
{
    const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

    (void)file;
    return connect(9999, &nowhere, sizeof(nowhere)) == 0 ? 0 : errno;
}

static int
try_packet_socket(const char *file)
{
    (void)file;
    return opened(socket(AF_PACKET, SOCK_DGRAM, 0));
}

static int
try_kill(const char *file)
{
    (void)file;
    return done(kill(getppid(), 0));
}

static int
try_signal_by_descriptor(const char *file)
{
    (void)file;
    return fcntl(STDERR_FILENO, F_SETOWN, getppid()) == 0 ? 0 : errno;
}

static int
try_trace(const char *file)
{
    (void)file;
    return done(ptrace(PTRACE_ATTACH, -1, NULL, NULL));
}

static int
try_other_memory(const char *file)
{
    (void)file;
    return syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0) == 0
               ? 0
               : errno;
}

static int
try_dumpable(const char *file)
{
    int error;

    (void)file;
    error = done(prctl(PR_SET_DUMPABLE, 1));
    if (error == 0)
        (void)prctl(PR_SET_DUMPABLE, 0);
    return error;
}

static int
try_limits(const char *file)
{
    const struct rlimit none = {0, 0};

    (void)file;
    return done(setrlimit(RLIMIT_CORE, &none));
}

static int
try_namespace(const char *file)
{
    (void)file;
    return done(unshare(0));
}

static int
try_mount(const char *file)
{
    (void)file;
    return done(mount(NULL, "/nonexistent", NULL, MS_REMOUNT, NULL));
}

static int
try_user(const char *file)
{
    (void)file;
    return done(setuid(geteuid()));
}

static int
try_process_handle(const char *file)
{
    (void)file;
    return opened((int)syscall(SYS_pidfd_open, getppid(), 0));
}

static int
try_personality(const char *file)
{
    (void)file;
    return syscall(SYS_personality, 0xFFFFFFFFUL) < 0 ? errno : 0;
}

static int (*const attempts[])(const char *file) = {
    try_execute,
    try_fork,
    try_clone3,
    try_read,
    try_write,
    try_make,
    try_remove,
    try_rename,
    try_link,
    try_chmod,
    try_truncate,
    try_list,
    try_open_for_nothing,
    try_read_and_truncate,
    try_set_id_file,
    try_set_id_mode,
    try_memory_file,
    try_environment,
    try_code_in_memory,
    try_writable_code,
    try_memory_to_code,
    try_file_in_memory,
    try_local_socket,
    try_tcp_socket,
    try_datagram_socket,
    try_connect_anew,
    try_packet_socket,
    try_kill,
    try_signal_by_descriptor,
    try_trace,
    try_other_memory,
    try_dumpable,
    try_limits,
    try_namespace,
    try_mount,
    try_user,
    try_process_handle,
    try_personality,
};

/* The calls that seccomp refuses do not exist for the program. */
const struct break_out break_outs[] = {
    {"execute", ENOSYS, ENOENT, false},
    {"fork", ENOSYS, 0, false},
    {"clone3", ENOSYS, EINVAL, false},
    {"read", EACCES, 0, true},
    {"write", EACCES, 0, true},
    {"make", EACCES, 0, true},
    {"remove", EACCES, 0, true},
    {"rename", ENOSYS, 0, false},
    {"link", EACCES, 0, true},
    {"chmod", ENOSYS, 0, false},
    {"truncate", ENOSYS, 0, false},
    {"list", EACCES, 0, true},
    {"open-for-nothing", ENOSYS, 0, false},
    {"read-and-truncate", ENOSYS, 0, false},
    {"set-id-file", ENOSYS, 0, false},
    {"set-id-mode", ENOSYS, EBADF, false},
    {"memory-file", EACCES, 0, true},
    {"environment", EACCES, 0, true},
    {"code-in-memory", ENOSYS, 0, false},
    {"writable-code", ENOSYS, 0, false},
    {"memory-to-code", ENOSYS, 0, false},
    {"file-in-memory", ENOSYS, 0, false},
    {"local-socket", ENOSYS, 0, false},
    {"tcp-socket", ENOSYS, 0, false},
    {"datagram-socket", ENOSYS, 0, false},
    {"connect-anew", ENOSYS, EBADF, false},
    {"packet-socket", ENOSYS, 0, false},
    {"kill", ENOSYS, 0, false},
    {"signal-by-descriptor", ENOSYS, 0, false},
    {"trace", ENOSYS, ESRCH, false},
    {"other-memory", ENOSYS, 0, false},
    {"dumpable", ENOSYS, 0, false},
    {"limits", ENOSYS, 0, false},
    {"namespace", ENOSYS, 0, false},
    {"mount", ENOSYS, ENOENT, false},
    {"user", ENOSYS, 0, false},
    {"process-handle", ENOSYS, 0, false},
    {"personality", ENOSYS, 0, false},
};

const size_t break_out_count = PST_COUNT(break_outs);

static_assert(PST_COUNT(break_outs) == PST_COUNT(attempts),
              "a row for each attempt");

int
break_out_try(size_t index, const char *file)
{
    return attempts[index](file);
}

int
break_out_connect(uint16_t port, bool is_fast)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons(port),
                                        .sin_addr.s_addr =
                                            htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    int error;

    if (descriptor < 0)
        return errno;
    if (is_fast)
        error = sendto(descriptor, "x", 1, MSG_FASTOPEN,
                       (const struct sockaddr *)&address, sizeof(address)) == 1
                    ? 0
                    : errno;
    else
        error = done(connect(descriptor, (const struct sockaddr *)&address,
                             sizeof(address)));
    close(descriptor);
    return error;
}
