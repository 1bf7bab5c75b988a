/* SPDX-License-Identifier: ISC */
/*
 * sandboxed.c - run a function in a process of its own, which may enter a
 * sandbox there.
 */
#include "sandboxed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int
run_in_child(int (*fn)(void *argument), void *argument)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0)
        _exit(fn(argument));
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void
expect_errno(const char *name, int error, int want)
{
    if (error != want)
        fail_msg("%s: %s, not %s", name, strerror(error), strerror(want));
}

bool
has_landlock(long version)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1U) >= version;
}

void
make_file(const char *path, const char *text)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, text, strlen(text)),
                     (ssize_t)strlen(text));
    close(descriptor);
}
