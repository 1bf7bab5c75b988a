/* SPDX-License-Identifier: ISC */
/*
 * fcgi_record.c - is what a web server sent the whole head of a request?
 */
#include "engine/fcgi_record.h"

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

/* Where in a stream of name-value pairs we are; all zero between two. */
struct pairs {
    size_t length;   /* the one that is being read */
    unsigned coming; /* bytes of it still to come */
    bool has_name;   /* the name's length is known, the value's is next */
    size_t left;     /* bytes of name and value still to come */
};

/* The record at the beginning of bytes; RECORD_SOUND when it is whole. */
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

/*
 * Take the next byte of a length: there is one of them or, where the first
 * has its top bit set, four. False when no head could hold so much.
 */
static bool
pairs_take_length(struct pairs *pairs, uint8_t octet)
{
    if (pairs->coming > 0) {
        pairs->length = pairs->length << 8 | octet;
        pairs->coming--;
    } else if (octet >= 0x80) {
        pairs->length = octet & 0x7f;
        pairs->coming = 3;
    } else {
        pairs->length = octet;
    }
    if (pairs->coming > 0)
        return true;
    if (pairs->length > RECORD_HEAD_MAX)
        return false;
    pairs->left += pairs->length;
    pairs->has_name = !pairs->has_name;
    return true;
}

/* Take a record's content, at whose end a pair may be half done. */
static bool
pairs_take(struct pairs *pairs, struct pst_bytes content)
{
    size_t at = 0;

    while (at < content.len) {
        size_t rest = content.len - at;

        if (pairs->left == 0 || pairs->has_name) {
            if (!pairs_take_length(pairs, content.ptr[at]))
                return false;
            at++;
        } else {
            rest = rest < pairs->left ? rest : pairs->left;
            pairs->left -= rest;
            at += rest;
        }
    }
    return true;
}

static bool
pairs_are_whole(const struct pairs *pairs)
{
    return pairs->left == 0 && pairs->coming == 0 && !pairs->has_name;
}

static bool
is_begin(const struct record *record)
{
    const uint8_t *body = record->content.ptr;
    unsigned role;

    if (record->id == 0 || record->content.len != BEGIN_LEN)
        return false;
    role = (unsigned)body[0] << 8 | body[1];
    return role == ROLE_RESPONDER || role == ROLE_AUTHORIZER;
}

/* Judge what follows a BEGIN_REQUEST. Records of other requests are passed
 * over, as libfcgi does. */
static enum record_verdict
judge_params(struct pst_bytes octets, unsigned id)
{
    struct pairs pairs = {0};
    struct record record;
    enum record_verdict verdict;

    for (;;) {
        verdict = record_parse(octets, &record);
        if (verdict != RECORD_SOUND)
            return verdict;
        if (record.id == 0 || (record.id == id && record.type != TYPE_PARAMS))
            return RECORD_BAD;
        if (record.id == id && record.content.len == 0)
            return pairs_are_whole(&pairs) ? RECORD_SOUND : RECORD_BAD;
        if (record.id == id && !pairs_take(&pairs, record.content))
            return RECORD_BAD;
        octets.ptr += record.len;
        octets.len -= record.len;
    }
}

enum record_verdict
record_judge(struct pst_bytes octets, size_t *len)
{
    struct record record;
    enum record_verdict verdict = record_parse(octets, &record);

    if (verdict != RECORD_SOUND)
        return verdict;
    if (record.type == TYPE_BEGIN_REQUEST) {
        if (!is_begin(&record))
            return RECORD_BAD;
        octets.ptr += record.len;
        octets.len -= record.len;
        return judge_params(octets, record.id);
    }
    *len = record.len;
    return record.id == 0 ? RECORD_MANAGEMENT : RECORD_STALE;
}

/* Does a list of pairs ask for this name? Names there are short. */
static bool
asks_for(struct pst_bytes content, struct pst_text name)
{
    struct pst_text rest = pst_bytes_text(content);

    while (rest.len >= 2 + name.len) {
        size_t name_len = (uint8_t)rest.ptr[0];
        size_t value_len = (uint8_t)rest.ptr[1];

        if (name_len >= 0x80 || value_len >= 0x80)
            return false;
        rest = pst_text_from_octet(rest, 2);
        if (pst_text_equal(pst_text_first(rest, name_len), name))
            return true;
        rest = pst_text_from_octet(rest, name_len + value_len);
    }
    return false;
}

static void
add_header(struct pst_buf *out, enum record_type type, size_t len)
{
    const uint8_t header[HEADER_LEN] = {
        1, (uint8_t)type, 0, 0, (uint8_t)(len >> 8), (uint8_t)len, 0, 0};

    pst_buf_add(out,
                pst_bytes_text((struct pst_bytes){header, sizeof(header)}));
}

void
record_answer(struct pst_buf *out, struct pst_bytes management)
{
    /* One request at a time on a connection; for its other limits there is
     * no number. */
    const struct pst_text name = PST_TEXT("FCGI_MPXS_CONNS");
    const uint8_t type[8] = {management.ptr[1]};
    struct record record;

    PST_REQUIRE(record_parse(management, &record) == RECORD_SOUND);
    if (record.type != TYPE_GET_VALUES) {
        add_header(out, TYPE_UNKNOWN, sizeof(type));
        pst_buf_add(out,
                    pst_bytes_text((struct pst_bytes){type, sizeof(type)}));
        return;
    }
    if (!asks_for(record.content, name)) {
        add_header(out, TYPE_GET_VALUES_RESULT, 0);
        return;
    }
    add_header(out, TYPE_GET_VALUES_RESULT, 2 + name.len + 1);
    pst_buf_add_char(out, (char)name.len);
    pst_buf_add_char(out, 1);
    pst_buf_add(out, name);
    pst_buf_add_char(out, '0');
}
