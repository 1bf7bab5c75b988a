/* SPDX-License-Identifier: ISC */
/*
 * fcgi_record.c - wait for the head of a FastCGI request (BEGIN_REQUEST and
 * PARAMS), and check its records before libfcgi reads them.
 */
#include "engine/fcgi_record.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "crypto/crypto.h"

#define RECORD_HEADER_LEN 8
#define BEGIN_REQUEST_LEN 8

/* Bytes of an answer to a management record, at most. */
#define ANSWER_MAX 64

/* Nanoseconds between two looks at a connection, while a head is incomplete.
 * The pause doubles each time. Web servers send a head in one piece or in two,
 * so most heads need no pause. */
#define PAUSE_MIN 50000
#define PAUSE_MAX 20000000

enum fcgi_record_type {
    TYPE_BEGIN_REQUEST = 1,
    TYPE_PARAMS = 4,
    TYPE_GET_VALUES = 9,
    TYPE_GET_VALUES_RESULT = 10,
    TYPE_UNKNOWN = 11,
};

enum fcgi_role { ROLE_RESPONDER = 1, ROLE_AUTHORIZER = 2 };

struct fcgi_record {
    unsigned type;
    unsigned id;
    struct pst_bytes content;
    size_t len; /* with header and padding */
};

/* The position in a stream of name-value pairs; all zero between two pairs. */
struct pairs {
    size_t length;              /* the length that is being read */
    unsigned length_bytes_left; /* bytes of it still to come */
    bool has_name;              /* the next length is that of a value */
    size_t left;                /* bytes of name and value still to come */
};

/* Parse the record at the beginning of bytes. Returns FCGI_RECORD_COMPLETE
 * when all of it is there, FCGI_RECORD_INCOMPLETE or FCGI_RECORD_INVALID. */
static enum fcgi_record_status
fcgi_record_parse(struct pst_bytes bytes, struct fcgi_record *out)
{
    const uint8_t *p = bytes.ptr;
    size_t content;
    size_t len;

    if (bytes.len > 0 && p[0] != 1)
        return FCGI_RECORD_INVALID; /* 1 is the only version */
    if (bytes.len < RECORD_HEADER_LEN)
        return FCGI_RECORD_INCOMPLETE;
    content = (size_t)p[4] << 8 | p[5];
    len = RECORD_HEADER_LEN + content + p[6];
    if (bytes.len < len)
        return FCGI_RECORD_INCOMPLETE;
    out->type = p[1];
    out->id = (unsigned)p[2] << 8 | p[3];
    out->content = (struct pst_bytes){p + RECORD_HEADER_LEN, content};
    out->len = len;
    return FCGI_RECORD_COMPLETE;
}

/*
 * Read the next byte of a length. A length has one byte, or four if the first
 * has its top bit set (FastCGI 1.0 section 3.4). Returns false when no head
 * can hold so much.
 */
static bool
pairs_parse_length(struct pairs *pairs, uint8_t byte)
{
    if (pairs->length_bytes_left > 0) {
        pairs->length = pairs->length << 8 | byte;
        pairs->length_bytes_left--;
    } else if (byte >= 0x80) {
        pairs->length = byte & 0x7f;
        pairs->length_bytes_left = 3;
    } else {
        pairs->length = byte;
    }
    if (pairs->length_bytes_left > 0)
        return true;
    if (pairs->length > FCGI_RECORD_HEAD_MAX)
        return false;
    pairs->left += pairs->length;
    pairs->has_name = !pairs->has_name;
    return true;
}

/* Read the content of one PARAMS record; a pair may continue in the next. */
static bool
pairs_parse(struct pairs *pairs, struct pst_bytes content)
{
    size_t at = 0;

    while (at < content.len) {
        size_t rest = content.len - at;

        if (pairs->left == 0 || pairs->has_name) {
            if (!pairs_parse_length(pairs, content.ptr[at]))
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
pairs_are_complete(const struct pairs *pairs)
{
    return pairs->left == 0 && pairs->length_bytes_left == 0 &&
           !pairs->has_name;
}

static bool
is_valid_begin_request(const struct fcgi_record *record)
{
    const uint8_t *body = record->content.ptr;
    unsigned role;

    if (record->id == 0 || record->content.len != BEGIN_REQUEST_LEN)
        return false;
    role = (unsigned)body[0] << 8 | body[1];
    return role == ROLE_RESPONDER || role == ROLE_AUTHORIZER;
}

/* Check what follows a BEGIN_REQUEST. Records of other requests are skipped,
 * as libfcgi does. */
static enum fcgi_record_status
fcgi_record_check_params(struct pst_bytes bytes, unsigned id)
{
    struct pairs pairs = {0};
    struct fcgi_record record;
    enum fcgi_record_status status;

    for (;;) {
        status = fcgi_record_parse(bytes, &record);
        if (status != FCGI_RECORD_COMPLETE)
            return status;
        if (record.id == 0 || (record.id == id && record.type != TYPE_PARAMS))
            return FCGI_RECORD_INVALID;
        if (record.id == id && record.content.len == 0)
            return pairs_are_complete(&pairs) ? FCGI_RECORD_COMPLETE
                                              : FCGI_RECORD_INVALID;
        if (record.id == id && !pairs_parse(&pairs, record.content))
            return FCGI_RECORD_INVALID;
        bytes.ptr += record.len;
        bytes.len -= record.len;
    }
}

enum fcgi_record_status
fcgi_record_check(struct pst_bytes bytes, size_t *len)
{
    struct fcgi_record record;
    enum fcgi_record_status status = fcgi_record_parse(bytes, &record);

    if (status != FCGI_RECORD_COMPLETE)
        return status;
    if (record.type == TYPE_BEGIN_REQUEST) {
        if (!is_valid_begin_request(&record))
            return FCGI_RECORD_INVALID;
        bytes.ptr += record.len;
        bytes.len -= record.len;
        return fcgi_record_check_params(bytes, record.id);
    }
    *len = record.len;
    return record.id == 0 ? FCGI_RECORD_MANAGEMENT : FCGI_RECORD_STALE;
}

/* Does FCGI_GET_VALUES ask for this name? All names it may ask for are short:
 * a list with long lengths is not searched further. */
static bool
get_values_has_name(struct pst_bytes content, struct pst_str name)
{
    struct pst_str rest = pst_str_from_bytes(content);

    while (rest.len >= 2 + name.len) {
        size_t name_len = (uint8_t)rest.ptr[0];
        size_t value_len = (uint8_t)rest.ptr[1];

        if (name_len >= 0x80 || value_len >= 0x80)
            return false;
        rest = pst_str_skip(rest, 2);
        if (pst_str_equal(pst_str_first(rest, name_len), name))
            return true;
        rest = pst_str_skip(rest, name_len + value_len);
    }
    return false;
}

static void
fcgi_record_add_header(struct pst_buf *out, enum fcgi_record_type type,
                       size_t len)
{
    const uint8_t header[RECORD_HEADER_LEN] = {
        1, (uint8_t)type, 0, 0, (uint8_t)(len >> 8), (uint8_t)len, 0, 0};

    pst_buf_add(out,
                pst_str_from_bytes((struct pst_bytes){header, sizeof(header)}));
}

/*
 * Write the answer to a management record: FCGI_GET_VALUES_RESULT or
 * FCGI_UNKNOWN_TYPE. At most ANSWER_MAX bytes.
 */
static void
fcgi_record_answer(struct pst_buf *out, struct pst_bytes management)
{
    /* A connection serves one request at a time. The other two values,
     * FCGI_MAX_CONNS and FCGI_MAX_REQS, are left out: no number is true. */
    const struct pst_str name = PST_STR("FCGI_MPXS_CONNS");
    const uint8_t type[8] = {management.ptr[1]};
    struct fcgi_record record;

    PST_REQUIRE(fcgi_record_parse(management, &record) == FCGI_RECORD_COMPLETE);
    if (record.type != TYPE_GET_VALUES) {
        fcgi_record_add_header(out, TYPE_UNKNOWN, sizeof(type));
        pst_buf_add(out,
                    pst_str_from_bytes((struct pst_bytes){type, sizeof(type)}));
        return;
    }
    if (!get_values_has_name(record.content, name)) {
        fcgi_record_add_header(out, TYPE_GET_VALUES_RESULT, 0);
        return;
    }
    fcgi_record_add_header(out, TYPE_GET_VALUES_RESULT, 2 + name.len + 1);
    pst_buf_add_char(out, (char)name.len);
    pst_buf_add_char(out, 1);
    pst_buf_add(out, name);
    pst_buf_add_char(out, '0');
}

/* Check the bytes that have arrived; len as fcgi_record_check() sets it. */
static enum fcgi_record_status
fcgi_preread_peek(struct fcgi_preread *preread, int descriptor, size_t *len)
{
    enum fcgi_record_status status;
    ssize_t got = recv(descriptor, preread->bytes, sizeof(preread->bytes),
                       MSG_PEEK | MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return FCGI_RECORD_INCOMPLETE;
    if (got <= 0)
        return FCGI_RECORD_INVALID;
    preread->len = (size_t)got;
    status = fcgi_record_check((struct pst_bytes){preread->bytes, preread->len},
                               len);
    if (status == FCGI_RECORD_INCOMPLETE &&
        preread->len == sizeof(preread->bytes))
        return FCGI_RECORD_INVALID;
    return status;
}

/* Read a record that belongs to no request, and answer it if needed. Returns
 * whether the connection can still be used. */
static bool
fcgi_preread_skip_record(struct fcgi_preread *preread, int descriptor,
                         size_t len, bool needs_answer)
{
    char storage[ANSWER_MAX];
    struct pst_buf buf;
    struct pst_str answer;

    pst_buf_init(&buf, storage, sizeof(storage));
    if (needs_answer)
        fcgi_record_answer(&buf, (struct pst_bytes){preread->bytes, len});
    if (pst_buf_finish(&buf, &answer) != PST_OK ||
        recv(descriptor, preread->bytes, len, 0) != (ssize_t)len)
        return false;
    return answer.len == 0 || send(descriptor, answer.ptr, answer.len,
                                   MSG_NOSIGNAL) == (ssize_t)answer.len;
}

enum fcgi_preread_result
fcgi_preread_wait(struct fcgi_preread *preread, int descriptor,
                  int64_t timeout_ms)
{
    struct pollfd peer = {.fd = descriptor, .events = POLLRDHUP};
    struct timespec pause = {.tv_nsec = PAUSE_MIN};
    int64_t deadline = clock_ms() + timeout_ms;
    enum fcgi_preread_result result = FCGI_PREREAD_CLOSE;
    bool is_closed = false;
    size_t len = 0;
    enum fcgi_record_status status =
        fcgi_preread_peek(preread, descriptor, &len);

    while (status == FCGI_RECORD_INCOMPLETE && !is_closed &&
           clock_ms() < deadline) {
        is_closed = ppoll(&peer, 1, &pause, NULL) > 0;
        if (pause.tv_nsec < PAUSE_MAX)
            pause.tv_nsec *= 2;
        status = fcgi_preread_peek(preread, descriptor, &len);
    }
    if (status == FCGI_RECORD_COMPLETE)
        result = FCGI_PREREAD_REQUEST;
    else if (status == FCGI_RECORD_STALE || status == FCGI_RECORD_MANAGEMENT)
        result = fcgi_preread_skip_record(preread, descriptor, len,
                                          status == FCGI_RECORD_MANAGEMENT)
                     ? FCGI_PREREAD_IDLE
                     : FCGI_PREREAD_CLOSE;
    pst_crypto_wipe(preread->bytes, preread->len);
    preread->len = 0;
    return result;
}
