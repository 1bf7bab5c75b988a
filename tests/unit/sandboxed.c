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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

char sandboxed_folder[] = "/tmp/sandbox-XXXXXX";
char sandboxed_inner[32];
char sandboxed_outer_file[48];
char sandboxed_inner_file[48];

int
sandboxed_set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(sandboxed_folder));
    (void)snprintf(sandboxed_inner, sizeof(sandboxed_inner), "%s/inner",
                   sandboxed_folder);
    (void)snprintf(sandboxed_outer_file, sizeof(sandboxed_outer_file),
                   "%s/file", sandboxed_folder);
    (void)snprintf(sandboxed_inner_file, sizeof(sandboxed_inner_file),
                   "%s/file", sandboxed_inner);
    assert_int_equal(mkdir(sandboxed_inner, 0700), 0);
    make_file(sandboxed_outer_file, "");
    make_file(sandboxed_inner_file, "");
    return 0;
}

int
sandboxed_tear_down(void **state)
{
    (void)state;
    unlink(sandboxed_inner_file);
    unlink(sandboxed_outer_file);
    rmdir(sandboxed_inner);
    rmdir(sandboxed_folder);
    return 0;
}

struct job {
    sandboxed_enter_fn *enter;
    const struct sandbox_rules *rules;
    int (*fn)(const void *argument);
    const void *argument;
};

static int
enter_and_call(void *argument)
{
    const struct job *job = argument;
    unsigned gaps;

    if (job->rules && job->enter(job->rules, &gaps) != PST_OK)
        return NO_SANDBOX;
    return job->fn(job->argument);
}

int
run_sandboxed(sandboxed_enter_fn *enter, const struct sandbox_rules *rules,
              int (*fn)(const void *argument), const void *argument)
{
    return run_in_child(enter_and_call,
                        &(struct job){enter, rules, fn, argument});
}

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
