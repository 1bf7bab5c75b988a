/* SPDX-License-Identifier: ISC */
/*
 * response_head.c - find, check and parse the head of an HTTP/1.1 response in a
 * buffer (RFC 9112).
 */
#include "http/response_head.h"

#include <string.h>

#include "base/limits.h"
#include "http/message.h"

#define VERSION_LEN 8 /* of "HTTP/1.1" */

static enum pst_err
head_refuse(const char **reason, const char *text)
{
    *reason = text;
    return PST_UPSTREAM_BROKEN;
}

/* Could these bytes begin a status line? So that an answer in another protocol
 * is refused before a line of it is complete. */
static bool
head_may_be_status_line(struct pst_str bytes)
{
    struct pst_str start = pst_str_first(bytes, VERSION_LEN - 1);

    return pst_str_starts(PST_STR("HTTP/1."), start);
}

static enum pst_err
head_scan_status_line(struct response_scan *scan, struct pst_str line,
                      const char **reason)
{
    struct pst_str rest = pst_str_skip(line, VERSION_LEN);
    struct pst_str version = pst_str_first(line, VERSION_LEN);

    if (!pst_str_equal(version, PST_STR("HTTP/1.1")) &&
        !pst_str_equal(version, PST_STR("HTTP/1.0")))
        return head_refuse(reason,
                           "the response is not of HTTP/1.0 or HTTP/1.1");
    scan->status = message_parse_status(line);
    if (!pst_str_starts(rest, PST_STR(" ")) || scan->status == 0 ||
        !pst_str_is_field_value(line))
        return head_refuse(reason, "the status line is not valid");
    return PST_OK;
}

enum pst_err
response_scan_head(struct response_scan *scan, struct pst_str bytes,
                   size_t *len, const char **reason)
{
    enum pst_err e;

    if (!head_may_be_status_line(bytes))
        return head_refuse(reason, "the response is not of HTTP/1");
    for (;;) {
        struct pst_str line = pst_str_skip(bytes, scan->checked);
        const char *end =
            line.len > 0 ? memchr(line.ptr, '\n', line.len) : NULL;

        if (!end) {
            *len = 0;
            return PST_OK;
        }
        line.len = (size_t)(end - line.ptr);
        scan->checked += line.len + 1;
        if (line.len == 0 || line.ptr[line.len - 1] != '\r')
            return head_refuse(reason, "a line of the head has no CR at its "
                                       "end");
        line.len--;
        if (line.len == 0 && scan->status > 0) {
            *len = scan->checked;
            return PST_OK;
        }
        if (scan->lines++ == 0) {
            e = head_scan_status_line(scan, line, reason);
            if (e)
                return e;
        } else if (scan->lines > PST_HEADER_COUNT_MAX + 1) {
            return head_refuse(reason, "the head has too many lines");
        }
    }
}

/* What the headers that frame the message say. */
struct head_framing {
    struct pst_str length; /* absent: none */
    int64_t length_number;
    bool is_encoded;
    bool has_close;
};

static enum pst_err
head_read_length(struct head_framing *framing, struct pst_str value,
                 const char **reason)
{
    if (!pst_str_is_absent(framing->length) &&
        !pst_str_equal(framing->length, value))
        return head_refuse(reason, "two values of Content-Length");
    if (pst_str_parse_number(value, &framing->length_number) != PST_OK)
        return head_refuse(reason, "Content-Length is not a number");
    framing->length = value;
    return PST_OK;
}

static void
head_read_connection(struct head_framing *framing, struct pst_str value)
{
    struct pst_str option;

    while (pst_str_next_token(&value, ", \t", &option)) {
        if (pst_str_equal_nocase(option, PST_STR("close")))
            framing->has_close = true;
    }
}

static enum pst_err
head_read_framing(struct head_framing *framing, struct pst_str name,
                  struct pst_str value, const char **reason)
{
    if (pst_str_equal_nocase(name, PST_STR("Content-Length")))
        return head_read_length(framing, value, reason);
    if (pst_str_equal_nocase(name, PST_STR("Connection")))
        head_read_connection(framing, value);
    if (!pst_str_equal_nocase(name, PST_STR("Transfer-Encoding")))
        return PST_OK;
    if (framing->is_encoded || !pst_str_equal_nocase(value, PST_STR("chunked")))
        return head_refuse(reason,
                           "a Transfer-Encoding other than one \"chunked\"");
    framing->is_encoded = true;
    return PST_OK;
}

/* Split off the next line of lines that end with CRLF. */
static struct pst_str
head_next_line(struct pst_str *lines)
{
    size_t len = pst_str_index(*lines, '\n');
    struct pst_str line = pst_str_first(*lines, len > 0 ? len - 1 : 0);

    *lines = pst_str_skip(*lines, len + 1);
    return line;
}

static enum pst_err
head_check_fields(struct pst_str fields, struct head_framing *framing,
                  const char **reason)
{
    struct pst_str name;
    struct pst_str value;
    enum pst_err e = PST_OK;

    while (fields.len > 0 && !e) {
        struct pst_str line = head_next_line(&fields);

        if (message_split_header(line, &name, &value) != PST_OK)
            return head_refuse(reason, "a header line is not valid");
        e = head_read_framing(framing, name, value, reason);
    }
    return e;
}

/* RFC 9112 section 6.3. */
static enum response_framing
head_choose_framing(int status, const struct head_framing *framing)
{
    if (status < 200 || status == 204 || status == 304)
        return RESPONSE_NO_BODY;
    if (framing->is_encoded)
        return RESPONSE_CHUNKED;
    return pst_str_is_absent(framing->length) ? RESPONSE_UNTIL_CLOSE
                                              : RESPONSE_LENGTH;
}

enum pst_err
response_parse_head(struct pst_str bytes, struct response_head *out,
                    const char **reason)
{
    bool is_http10 = pst_str_starts(bytes, PST_STR("HTTP/1.0"));
    struct pst_str fields = pst_str_first(bytes, bytes.len - 2);
    int status = message_parse_status(head_next_line(&fields));
    struct head_framing framing = {.length = PST_STR_NONE};
    enum pst_err e = head_check_fields(fields, &framing, reason);

    if (e)
        return e;
    if (status == 101)
        return head_refuse(reason, "status 101: no other protocol was asked "
                                   "for");
    if (framing.is_encoded && is_http10)
        return head_refuse(reason, "a Transfer-Encoding in HTTP/1.0");
    *out = (struct response_head){
        .status = status,
        .fields = fields,
        .framing = head_choose_framing(status, &framing),
        .length = framing.length_number,
        .has_transfer_encoding = framing.is_encoded,
    };
    /* Beside a Transfer-Encoding, a Content-Length may be an attempt at
     * smuggling: nothing is read after such a message. */
    out->keeps_open =
        !is_http10 && !framing.has_close &&
        out->framing != RESPONSE_UNTIL_CLOSE &&
        !(framing.is_encoded && !pst_str_is_absent(framing.length));
    return PST_OK;
}

enum pst_err
response_walk_head(const struct response_head *head,
                   enum pst_err (*header)(void *context, struct pst_str name,
                                          struct pst_str value),
                   void *context)
{
    struct pst_str fields = head->fields;
    enum pst_err e = PST_OK;

    while (fields.len > 0 && !e) {
        struct pst_str line = head_next_line(&fields);
        size_t colon = pst_str_index(line, ':');
        struct pst_str name = pst_str_first(line, colon);

        if (!head->has_transfer_encoding ||
            !pst_str_equal_nocase(name, PST_STR("Content-Length")))
            e = header(context, name,
                       pst_str_trim(pst_str_skip(line, colon + 1)));
    }
    return e;
}
