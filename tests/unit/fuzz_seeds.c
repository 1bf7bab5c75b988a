/* SPDX-License-Identifier: ISC */
/*
 * fuzz_seeds.c - feed a fuzz target, built by any compiler, with its seeds. The
 * program test_fuzz_NAME reads those in tests/fuzz/seeds/NAME.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In memory of the exact size, so that a read past the end is detected. */
static void
feed(const char *path)
{
    static uint8_t content[64 * 1024];
    FILE *file = fopen(path, "rb");
    uint8_t *copy;
    size_t len;

    assert_non_null(file);
    len = fread(content, 1, sizeof(content), file);
    assert_true(feof(file));
    (void)fclose(file);
    copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, content, len);
    assert_int_equal(LLVMFuzzerTestOneInput(copy, len), 0);
    /* Truncated at any byte, too. */
    for (size_t i = 0; i < len && len < 512; i++) {
        uint8_t *part = malloc(i > 0 ? i : 1);

        assert_non_null(part);
        memcpy(part, content, i);
        assert_int_equal(LLVMFuzzerTestOneInput(part, i), 0);
        free(part);
    }
    free(copy);
}

static const char *target; /* its name */

static void
test_seeds(void **state)
{
    const char *root = getenv("SRCDIR");
    char folder[1024];
    struct dirent *entry;
    int count = 0;
    DIR *seeds;

    (void)state;
    (void)snprintf(folder, sizeof(folder), "%s/tests/fuzz/seeds/%s",
                   root ? root : ".", target);
    seeds = opendir(folder);
    assert_non_null(seeds);
    for (entry = readdir(seeds); entry; entry = readdir(seeds)) {
        char path[2048];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        feed(path);
        count++;
    }
    (void)closedir(seeds);
    assert_in_range(count, 20, 1000);
}

int
main(int argc, char **argv)
{
    static const char prefix[] = "test_fuzz_";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seeds),
    };

    assert_int_equal(argc, 1);
    target = strstr(argv[0], prefix);
    assert_non_null(target);
    target += sizeof(prefix) - 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
