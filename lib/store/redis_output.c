/* SPDX-License-Identifier: ISC */
/*
 * redis_output.c - commands that are to be sent to Redis, in one piece.
 */
#include "store/redis_output.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "crypto/crypto.h"

#define FIRST_SIZE (8 * 1024)

void
redis_output_free(struct redis_output *output)
{
    if (output->bytes)
        pst_crypto_wipe(output->bytes, output->size);
    free(output->bytes);
    output->bytes = NULL;
}

/* Make room for so many bytes more. */
static bool
redis_output_reserve(struct redis_output *output, size_t len)
{
    size_t size = output->size > 0 ? output->size : FIRST_SIZE;
    char *larger;

    if (len > REDIS_OUTPUT_MAX - output->len)
        return false;
    while (size - output->len < len)
        size *= 2;
    if (size == output->size)
        return true;
    /* A password is in the first buffer only, which is large enough for it. */
    larger = realloc(output->bytes, size);
    if (!larger)
        return false;
    output->bytes = larger;
    output->size = size;
    return true;
}

bool
redis_output_add(struct redis_output *output, const struct redis_batch *batch)
{
    size_t len = 0;

    for (size_t i = 0; i < batch->count; i++)
        len += batch->lens[i];
    if (!redis_output_reserve(output, len))
        return false;
    for (size_t i = 0; i < batch->count; i++) {
        memcpy(output->bytes + output->len, batch->texts[i], batch->lens[i]);
        output->len += batch->lens[i];
    }
    output->added += len;
    return true;
}

int
redis_output_send(struct redis_output *output, int socket)
{
    size_t done = 0;
    int cause = 0;

    if (output->len == 0)
        return 0;
    while (done < output->len && (cause == 0 || cause == EINTR)) {
        ssize_t len = send(socket, output->bytes + done, output->len - done,
                           MSG_NOSIGNAL | MSG_DONTWAIT);

        cause = len < 0 ? errno : 0;
        done += len < 0 ? 0 : (size_t)len;
    }
    output->sent += done;
    output->len -= done;
    memmove(output->bytes, output->bytes + done, output->len);
    pst_crypto_wipe(output->bytes + output->len, done);
    return output->len > 0 ? cause : 0;
}
