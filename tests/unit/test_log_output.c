/* SPDX-License-Identifier: ISC */
/*
 * test_log_output.c - nothing waits for whoever reads the log, and what is lost
 * is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/log.h"
#include "server/log_output.h"

/* Write lines until one is lost: nobody reads what `log` writes to. Returns how
 * many were written before. */
static size_t
fill(struct log *log, int read_end)
{
    int before = -1;
    int now = 0;
    size_t count = 0;

    for (; now > before; count++) {
        before = now;
        LOG_EVENT(log, LEVEL_INFO, "filling", LOG_NUMBER("n", 1));
        assert_int_equal(ioctl(read_end, FIONREAD, &now), 0);
    }
    return count - 1;
}

/* Read all that was written, NUL-terminated. */
static void
drain(int read_end, char *out, size_t size)
{
    ssize_t got = read(read_end, out, size - 1);

    assert_true(got > 0);
    out[got] = '\0';
}

static char drained[1 << 20];

/* The next lines after some were lost. */
static void
assert_lost_lines_are_counted(struct log *log, int read_end)
{
    (void)fill(log, read_end); /* one was lost */
    LOG_EVENT(log, LEVEL_INFO, "lost", LOG_NUMBER("n", 2));
    drain(read_end, drained, sizeof(drained));
    assert_null(strstr(drained, "event=lost"));
    assert_null(strstr(drained, "event=log-lines-lost"));
    LOG_EVENT(log, LEVEL_INFO, "again", LOG_NUMBER("n", 3));
    LOG_EVENT(log, LEVEL_INFO, "further", LOG_NUMBER("n", 4));
    drain(read_end, drained, sizeof(drained));
    assert_ptr_equal(strstr(drained, "time="), drained);
    assert_non_null(strstr(drained, "level=warning program=query pid="));
    assert_non_null(strstr(drained, " event=log-lines-lost count=2\ntime="));
    assert_non_null(strstr(drained, " event=again n=3\ntime="));
    assert_non_null(strstr(drained, " event=further n=4\n"));
    assert_ptr_equal(strstr(drained, "count="), strrchr(drained, 'c'));
}

/* A FIFO keeps what fits, also for a reader that comes later, and what does not
 * fit is lost: no request waits for it. */
static void
fifo_without_reader_is_survived(void **state)
{
    char path[] = "/tmp/postern-test-fifo-XXXXXX";
    struct log *log = NULL;
    int read_end;

    (void)state;
    close(mkstemp(path));
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(20);
    assert_int_equal(log_open(&log, path, LOG_LOGFMT, LEVEL_INFO, "query"),
                     PST_OK);
    LOG_EVENT(log, LEVEL_INFO, "early", LOG_NUMBER("n", 1));
    read_end = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    assert_true(read_end >= 0);
    drain(read_end, drained, sizeof(drained));
    assert_non_null(strstr(drained, "event=early"));
    assert_lost_lines_are_counted(log, read_end);
    alarm(0);
    log_close(&log);
    close(read_end);
    unlink(path);
}

/* A line that the disk had only in part room for is lost, and the next begins
 * on a line of its own. RLIMIT_FSIZE acts like a full disk. */
static void
cut_line_is_ended(void **state)
{
    struct rlimit old;
    struct rlimit limit;
    char path[] = "/tmp/postern-test-log-XXXXXX";
    struct log *log = NULL;
    int file = mkstemp(path);

    (void)state;
    assert_true(file >= 0);
    assert_int_equal(log_open(&log, path, LOG_LOGFMT, LEVEL_INFO, "query"),
                     PST_OK);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 40;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    LOG_EVENT(log, LEVEL_INFO, "first", LOG_NUMBER("n", 1));
    LOG_EVENT(log, LEVEL_INFO, "second", LOG_NUMBER("n", 2));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    LOG_EVENT(log, LEVEL_INFO, "third", LOG_NUMBER("n", 3));
    drain(file, drained, sizeof(drained));
    assert_memory_equal(drained + 40, "\ntime=", 6);
    assert_non_null(strstr(drained, " event=log-lines-lost count=2\ntime="));
    assert_non_null(strstr(drained, " event=third n=3\n"));
    log_close(&log);
    close(file);
    unlink(path);
}

/* With stderr as a pipe or a socket that nobody reads. Its own flags are those
 * of all processes that share it, and stay. */
static void
assert_stderr_is_not_waited_for(int read_end, int write_end)
{
    struct log *log = NULL;
    int old = dup(STDERR_FILENO);

    assert_true(old >= 0 && dup2(write_end, STDERR_FILENO) >= 0);
    alarm(20);
    assert_int_equal(log_open(&log, "stderr", LOG_LOGFMT, LEVEL_INFO, "query"),
                     PST_OK);
    assert_lost_lines_are_counted(log, read_end);
    alarm(0);
    assert_int_equal(fcntl(write_end, F_GETFL) & O_NONBLOCK, 0);
    log_close(&log);
    assert_true(dup2(old, STDERR_FILENO) >= 0);
    close(old);
    close(read_end);
    close(write_end);
}

static void
stderr_that_nobody_reads_is_survived(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_stderr_is_not_waited_for(ends[0], ends[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                     0);
    assert_stderr_is_not_waited_for(ends[0], ends[1]);
}

/* A write that fails is counted, and so is one that is incomplete. */
static void
failed_writes_are_counted(void **state)
{
    struct log_output output;

    (void)state;
    assert_true(log_output_open(&output, "/dev/full"));
    assert_false(log_output_write(&output, PST_STR("line\n")));
    assert_false(log_output_write(&output, PST_STR("line\n")));
    assert_int_equal(output.lost_count, 2);
    assert_false(output.is_cut);
    assert_true(log_output_reopen(&output, "/dev/null"));
    assert_true(log_output_write(&output, PST_STR("line\n")));
    assert_int_equal(output.lost_count, 2);
    log_output_close(&output);
    assert_false(log_output_open(&output, "/nonexistent/log"));
    assert_int_equal(errno, ENOENT);
}

static int
daemon_start(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(descriptor >= 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    unlink(path);
    assert_int_equal(
        bind(descriptor, (const struct sockaddr *)&address, sizeof(address)),
        0);
    return descriptor;
}

static void
assert_daemon_gets(int daemon, const char *text)
{
    char got[64];
    ssize_t len = recv(daemon, got, sizeof(got), MSG_DONTWAIT);

    assert_int_equal(len, strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

/* No line waits for a daemon that does not read, that does not run, or that has
 * not started yet; and one that was restarted gets the next line. */
static void
daemon_is_found_again(void **state)
{
    char path[] = "/tmp/postern-test-socket-XXXXXX";
    struct log_output output;
    int daemon;
    size_t lost;

    (void)state;
    close(mkstemp(path));
    unlink(path);
    assert_true(log_output_open_socket(&output, path));
    assert_false(log_output_try_socket(path));
    assert_int_equal(errno, ENOENT);
    assert_false(log_output_write(&output, PST_STR("early")));
    daemon = daemon_start(path);
    assert_true(log_output_try_socket(path));
    assert_true(log_output_write(&output, PST_STR("one")));
    assert_daemon_gets(daemon, "one");
    close(daemon);
    assert_false(log_output_try_socket(path));
    assert_int_equal(errno, ECONNREFUSED);
    assert_false(log_output_write(&output, PST_STR("two")));
    assert_int_equal(output.lost_count, 2);
    daemon = daemon_start(path);
    alarm(20);
    for (lost = 2; output.lost_count == lost;)
        (void)log_output_write(&output, PST_STR("three"));
    alarm(0);
    assert_int_equal(output.lost_count, 3);
    assert_false(output.is_cut);
    assert_daemon_gets(daemon, "three");
    assert_true(log_output_write(&output, PST_STR("four")));
    close(daemon);
    log_output_close(&output);
    unlink(path);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fifo_without_reader_is_survived),
        cmocka_unit_test(stderr_that_nobody_reads_is_survived),
        cmocka_unit_test(cut_line_is_ended),
        cmocka_unit_test(failed_writes_are_counted),
        cmocka_unit_test(daemon_is_found_again),
    };

    return cmocka_run_group_tests_name("log_output", tests, NULL, NULL);
}
