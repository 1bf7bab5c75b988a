/* SPDX-License-Identifier: ISC */
/*
 * record.c - is what a web server sent the whole head of a request?
 */
#include "record.h"

#define HEADER_LEN 8
#define BEGIN_LEN 8

enum record_type {
    TYPE_BEGIN_REQUEST = 1,
    TYPE_PARAMS = 4,
    TYPE_GET_VALUES = 9,
    TYPE_GET_VALUES_RESULT = 10,
    TYPE_UNKNOWN = 11,
};

enum record_role { ROLE_RESPONDER = 1, ROLE_AUTHORIZER = 2 };

struct record {
    unsigned type;
    unsigned id;
    struct pst_bytes content;
    size_t len; /* with header and padding */
};

/* Where in a stream of name-value pairs we are. */
struct pairs {
    size_t lengths[2]; /* of name and value */
    size_t known;      /* how many of them are */
    size_t octets;     /* of the next one that have been read */
    size_t left;       /* of name and value together, still to come */
};

/* The record at the beginning of octets; RECORD_SOUND when it is whole. */
static enum record_verdict
record_parse(struct pst_bytes octets, struct record *out)
{
    const uint8_t *p = octets.ptr;
    size_t content;
    size_t len;

    if (octets.len > 0 && p[0] != 1)
        return RECORD_BAD; /* the protocol's only version */
    if (octets.len < HEADER_LEN)
        return RECORD_MORE;
    content = (size_t)p[4] << 8 | p[5];
    len = HEADER_LEN + content + p[6];
    if (octets.len < len)
        return RECORD_MORE;
    out->type = p[1];
    out->id = (unsigned)p[2] << 8 | p[3];
    out->content = (struct pst_bytes){p + HEADER_LEN, content};
    out->len = len;
    return RECORD_SOUND;
}

/* Take the next octet of a length: one, or four with the first's top bit. */
static bool
pairs_take_length(struct pairs *pairs, uint8_t octet)
{
    size_t *length = &pairs->lengths[pairs->known];

    *length = pairs->octets == 0 ? octet : *length << 8 | octet;
    pairs->octets++;
    if (pairs->octets == 1 && octet >= 0x80) {
        *length &= 0x7f;
        pairs->octets = 1;
        pairs->lengths[pairs->known] |= (size_t)1 << 31; /* four, then */
        return true;
    }
    return true;
}

static enum record_verdict
placeholder(void)
{
    return RECORD_BAD;
}
