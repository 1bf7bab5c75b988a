/* SPDX-License-Identifier: ISC */
/*
 * fuzz_multipart.c - read any bytes as a multipart body, after a first line
 * with its Content-Type. It does not matter in which pieces they come.
 */
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "http/multipart.h"

#define EVENTS_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is made of a body. */
struct outcome {
    enum pst_err err;
    size_t parts;
    size_t part_len[EVENTS_MAX];
    uint64_t sum; /* of names and contents */
    bool is_done;
};

static void
add(struct outcome *out, struct pst_str text)
{
    for (size_t i = 0; i < text.len; i++)
        out->sum = out->sum * 31 + (uint8_t)text.ptr[i];
}

/* Read what has arrived. Returns false when it is refused. */
static bool
take(struct pst_multipart *reader, struct pst_str part, struct outcome *out)
{
    enum pst_multipart_event event = PST_MULTIPART_DATA;
    struct pst_str piece;

    while (event != PST_MULTIPART_NEED_INPUT) {
        const struct pst_str before = part;

        out->err = pst_multipart_next(reader, &part, &event, &piece);
        PST_REQUIRE(out->err == PST_OK || out->err == PST_MALFORMED);
        if (out->err)
            return false;
        PST_REQUIRE(part.ptr + part.len == before.ptr + before.len);
        PST_REQUIRE(event != PST_MULTIPART_NEED_INPUT || part.len == 0);
        switch (event) {
        case PST_MULTIPART_PART_BEGIN:
            PST_REQUIRE(!out->is_done);
            out->parts++;
            PST_REQUIRE(out->parts == reader->parts);
            add(out, reader->part.name);
            break;
        case PST_MULTIPART_DATA:
            PST_REQUIRE(out->parts > 0 && piece.len > 0);
            if (out->parts < EVENTS_MAX)
                out->part_len[out->parts] += piece.len;
            add(out, piece);
            break;
        case PST_MULTIPART_DONE:
            out->is_done = true;
            break;
        case PST_MULTIPART_NEED_INPUT:
            break;
        }
    }
    return true;
}

static void
read_body(struct pst_str type, struct pst_str body, size_t step,
          struct outcome *out)
{
    struct pst_multipart reader;

    memset(out, 0, sizeof(*out));
    out->err = pst_multipart_init(&reader, type);
    PST_REQUIRE(out->err == PST_OK || out->err == PST_MALFORMED);
    while (!out->err && body.len > 0) {
        const struct pst_str part = pst_str_first(body, step);

        if (!take(&reader, part, out))
            break;
        body = pst_str_skip(body, part.len);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 2, 7, 64};
    static struct outcome whole;
    static struct outcome pieces;
    struct pst_str body = pst_str_from_bytes((struct pst_bytes){data, size});
    struct pst_str type;

    if (!pst_str_split(&body, '\n', &type))
        return 0;
    read_body(type, body, size, &whole);
    for (size_t i = 0; i < PST_COUNT(steps); i++) {
        read_body(type, body, steps[i], &pieces);
        PST_REQUIRE(pieces.err == whole.err);
        if (!whole.err)
            PST_REQUIRE(memcmp(&pieces, &whole, sizeof(whole)) == 0);
    }
    return 0;
}
