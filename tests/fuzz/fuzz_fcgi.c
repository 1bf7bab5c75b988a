/* SPDX-License-Identifier: ISC */
/*
 * fuzz_fcgi.c - read any bytes as the records of a web server (L44, L62). It
 * does not matter in which pieces they come, and what libfcgi gets to see are
 * whole records of one request.
 */
#include <string.h>

#include "base/buffer.h"
#include "base/limits.h"
#include "base/str.h"
#include "engine/fcgi_filter.h"

#define INPUT_MAX 8192
#define EVENTS_MAX 2048
#define ANSWERS_MAX (16 * INPUT_MAX)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    uint8_t out[2 * INPUT_MAX + EVENTS_MAX * FCGI_FILTER_RESERVE];
    size_t out_len;
    char answer_bytes[ANSWERS_MAX];
    struct pst_buf answers;
    char events[EVENTS_MAX]; /* results but FCGI_FILTER_MORE */
    size_t event_count;
};

/* Returns whether the connection is still open. */
static bool
take(struct fcgi_filter *filter, const uint8_t *in, size_t len,
     struct outcome *out)
{
    struct fcgi_filter_io io = {.in = in,
                                .in_len = len,
                                .out = out->out + out->out_len,
                                .answers = &out->answers};
    enum fcgi_filter_result result;

    do {
        const size_t before = io.in_len;

        result = fcgi_filter_run(filter, &io);
        PST_REQUIRE(io.in + io.in_len == in + len);
        PST_REQUIRE(io.out >= out->out + out->out_len);
        PST_REQUIRE((size_t)(io.out - out->out) <= sizeof(out->out));
        PST_REQUIRE(result != FCGI_FILTER_MORE || io.in_len == 0);
        PST_REQUIRE(result == FCGI_FILTER_INVALID || io.in_len < before ||
                    before == 0 || result == FCGI_FILTER_ABORTED);
        out->out_len = (size_t)(io.out - out->out);
        if (result == FCGI_FILTER_ABORTED)
            fcgi_filter_answer_abort(filter, &out->answers);
        if (result == FCGI_FILTER_ABORTED || result == FCGI_FILTER_END)
            fcgi_filter_end_request(filter);
        if (result != FCGI_FILTER_MORE && out->event_count < EVENTS_MAX)
            out->events[out->event_count++] = (char)('0' + result);
    } while (result != FCGI_FILTER_INVALID && io.in_len > 0);
    return result != FCGI_FILTER_INVALID;
}

static void
run(struct pst_str input, size_t step, struct outcome *out)
{
    struct fcgi_filter filter = {0};

    out->out_len = 0;
    out->event_count = 0;
    pst_buf_init(&out->answers, out->answer_bytes, sizeof(out->answer_bytes));
    while (input.len > 0) {
        const struct pst_str part = pst_str_first(input, step);

        if (!take(&filter, pst_str_bytes(part).ptr, part.len, out))
            break;
        PST_REQUIRE(filter.params_len <= FCGI_PARAMS_MAX);
        PST_REQUIRE(filter.held_len <= FCGI_HELD_MAX);
        input = pst_str_skip(input, part.len);
    }
}

/* Records of version 1, BEGIN_REQUEST, PARAMS or STDIN, without padding. */
static void
check_records(const struct outcome *out)
{
    size_t at = 0;

    while (out->out_len - at >= 8) {
        const uint8_t *head = out->out + at;
        const size_t len = (size_t)head[4] << 8 | head[5];

        PST_REQUIRE(head[0] == 1);
        PST_REQUIRE(head[1] == 1 || head[1] == 4 || head[1] == 5);
        PST_REQUIRE(head[6] == 0);
        if (len > out->out_len - at - 8)
            break;
        at += 8 + len;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 3, 8, 61};
    static struct outcome whole;
    static struct outcome pieces;
    const struct pst_str input = pst_str_first(
        pst_str_from_bytes((struct pst_bytes){data, size}), INPUT_MAX);
    bool is_invalid;

    run(input, INPUT_MAX, &whole);
    check_records(&whole);
    is_invalid = whole.event_count > 0 && whole.events[whole.event_count - 1] ==
                                              '0' + FCGI_FILTER_INVALID;
    for (size_t i = 0; i < PST_COUNT(steps); i++) {
        run(input, steps[i], &pieces);
        PST_REQUIRE(pieces.event_count == whole.event_count &&
                    memcmp(pieces.events, whole.events, whole.event_count) ==
                        0);
        if (is_invalid)
            continue; /* how much was passed before it does not matter */
        PST_REQUIRE(pieces.out_len == whole.out_len &&
                    memcmp(pieces.out, whole.out, whole.out_len) == 0);
        PST_REQUIRE(pst_str_equal(pst_buf_str(&pieces.answers),
                                  pst_buf_str(&whole.answers)));
    }
    return 0;
}
