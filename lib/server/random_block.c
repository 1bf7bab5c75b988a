/* SPDX-License-Identifier: ISC */
/*
 * random_block.c - random bytes for requests, drawn from the system many at a
 * time.
 */
#include "server/random_block.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "crypto/crypto.h"

/* Bytes: a query needs 32. */
#define BLOCK_SIZE ((size_t)2048)

/* What a thread has not handed out: the last `left` bytes. */
static _Thread_local struct {
    uint8_t bytes[BLOCK_SIZE];
    size_t left;
    unsigned generation; /* of the process that drew them */
} block;

/* How often this process or one before it has forked, as its child. */
static atomic_uint generation;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
on_fork_in_child(void)
{
    atomic_fetch_add(&generation, 1);
}

static void
watch_forks(void)
{
    PST_REQUIRE(pthread_atfork(NULL, NULL, on_fork_in_child) == 0);
}

/* Draw a block, if fewer than len bytes are left that are this process's. */
static enum pst_err
random_block_refill(size_t len)
{
    unsigned now = atomic_load_explicit(&generation, memory_order_relaxed);
    enum pst_err e;

    if (block.left >= len && block.generation == now)
        return PST_OK;
    PST_REQUIRE(pthread_once(&once, watch_forks) == 0);
    block.left = 0;
    e = pst_crypto_random(block.bytes, BLOCK_SIZE);
    if (e)
        return e;
    block.left = BLOCK_SIZE;
    block.generation = now;
    return PST_OK;
}

enum pst_err
random_block_get(void *out, size_t len)
{
    uint8_t *from;
    enum pst_err e;

    if (len > BLOCK_SIZE)
        return pst_crypto_random(out, len);
    e = random_block_refill(len);
    if (e) {
        pst_crypto_wipe(out, len);
        return e;
    }
    from = block.bytes + (BLOCK_SIZE - block.left);
    memcpy(out, from, len);
    pst_crypto_wipe(from, len);
    block.left -= len;
    return PST_OK;
}
