/* SPDX-License-Identifier: ISC */
/*
 * test_secret_file.c - two changes of a file of secrets at once: one comes
 * after the other, or is refused, and no secret is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

/* What another process does, just before this one takes its lock. */
static void (*meanwhile)(void);

static int
open_late(const char *path, int flags, ...)
{
    void (*happens)(void) = meanwhile;
    mode_t mode;
    va_list more;

    va_start(more, flags);
    mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    if (happens && (flags & O_EXCL) != 0) {
        meanwhile = NULL;
        happens();
    }
    return open(path, flags, mode);
}

#define open open_late
#include "../../bin/secret_file.c"
#undef open

#include "crypto/crypto.h"

#define FIRST "Vb7nC2xZ9qLw4TtRk8MdYp3GhJ6sXaFe"
#define SECOND "another-Secret-of-43-characters-0123456789x"

static char path[64];

static void
rotate_first(void)
{
    assert_int_equal(secretfile_rotate(path, PST_STR(FIRST), true), 0);
}

static void
rotate_and_die(void)
{
    char beside[80];

    (void)snprintf(beside, sizeof(beside), "%s.new", path);
    close(open(beside, O_CREAT | O_EXCL | O_WRONLY, 0600));
}

static void
expect_file(const char *want)
{
    char got[256] = "";
    int fd = open(path, O_RDONLY);

    assert_true(fd >= 0);
    assert_true(read(fd, got, sizeof(got) - 1) >= 0);
    close(fd);
    assert_string_equal(got, want);
}

/* The check for a missing file once ran before the lock was taken. A process
 * that waited for the lock then overwrote the file of another. */
static void
two_first_ones(void **state)
{
    (void)state;
    meanwhile = rotate_first;
    assert_int_equal(secretfile_rotate(path, PST_STR(SECOND), true), 0);
    expect_file(SECOND "\n" FIRST "\n");
}

static void
a_retirement_behind_a_first_one(void **state)
{
    (void)state;
    meanwhile = rotate_first;
    assert_int_equal(secretfile_retire(path, true), EX_CANTCREAT);
    expect_file(FIRST "\n");
}

static void
one_that_is_under_way(void **state)
{
    (void)state;
    rotate_first();
    meanwhile = rotate_and_die;
    assert_int_equal(secretfile_rotate(path, PST_STR(SECOND), true),
                     EX_CANTCREAT);
    expect_file(FIRST "\n");
}

static int
begin_test(void **state)
{
    char folder[] = "/tmp/postern-secret-XXXXXX";

    (void)state;
    meanwhile = NULL;
    if (pst_crypto_init() != PST_OK || !mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/secret", folder);
    return 0;
}

static int
end_test(void **state)
{
    char beside[80];

    (void)state;
    (void)snprintf(beside, sizeof(beside), "%s.new", path);
    (void)unlink(beside);
    (void)unlink(path);
    return rmdir(dirname(path));
}

int
main(void)
{
#define TEST(function) \
    cmocka_unit_test_setup_teardown(function, begin_test, end_test)
    const struct CMUnitTest tests[] = {
        TEST(two_first_ones),
        TEST(a_retirement_behind_a_first_one),
        TEST(one_that_is_under_way),
    };

    return cmocka_run_group_tests_name("secretfile", tests, NULL, NULL);
}
