/* SPDX-License-Identifier: ISC */
/*
 * fcgi_client.c - for tests: the web server's end of a FastCGI connection.
 */
#include "fcgi_client.h"

#include <stdarg.h>

#include <setjmp.h>

#include <cmocka.h>
#include <string.h>

#include "engine/wait.h"

static const struct wait_limit unlimited = {WAIT_NO_DEADLINE, -1};

void
fcgi_client_send(int descriptor, const void *bytes, size_t len)
{
    struct iovec piece = {(void *)(uintptr_t)bytes, len};

    assert_int_equal(wait_write(descriptor, &piece, 1, &unlimited), 0);
}

void
fcgi_client_send_body(int descriptor, size_t len)
{
    static const uint8_t header[8] = {1, 5, 0, 1, 10000 >> 8, 10000 & 0xff};
    static const char content[10000];

    for (; len > 0; len -= sizeof(content)) {
        fcgi_client_send(descriptor, header, sizeof(header));
        fcgi_client_send(descriptor, content, sizeof(content));
    }
    SEND(descriptor, STDIN_END);
}

bool
fcgi_client_receive(int descriptor, void *out, size_t len)
{
    char *at = out;

    while (len > 0) {
        size_t got = 0;

        if (wait_read(descriptor, at, len, &unlimited, &got) != 0 || got == 0)
            return false;
        at += got;
        len -= got;
    }
    return true;
}

bool
fcgi_client_receive_answer(int descriptor, char out[static ANSWER_MAX])
{
    uint8_t header[8];
    size_t len = 0;

    out[0] = '\0';
    while (fcgi_client_receive(descriptor, header, sizeof(header))) {
        size_t content = (size_t)header[4] << 8 | header[5];
        uint8_t padded[512];

        assert_true(content + header[6] <= sizeof(padded));
        assert_true(
            fcgi_client_receive(descriptor, padded, content + header[6]));
        if (header[1] == TYPE_END_REQUEST)
            return true;
        if (header[1] != TYPE_STDOUT)
            continue;
        assert_true(len + content < ANSWER_MAX);
        memcpy(out + len, padded, content);
        len += content;
        out[len] = '\0';
    }
    return false;
}

void
fcgi_client_expect(int descriptor, const char *want)
{
    char answer[ANSWER_MAX];

    if (!fcgi_client_receive_answer(descriptor, answer) ||
        strcmp(answer, want) != 0)
        fail_msg("'%s' and not '%s', or the answer has no end", answer, want);
}

void
fcgi_client_expect_closed(int descriptor)
{
    size_t len = 1;
    char byte;

    assert_int_equal(wait_read(descriptor, &byte, 1, &unlimited, &len), 0);
    assert_int_equal(len, 0);
    wait_close(descriptor);
}
