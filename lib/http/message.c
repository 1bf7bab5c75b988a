/* SPDX-License-Identifier: ISC */
/*
 * message.c - build the URL and check the headers of a request to the backend,
 * and parse the head of its response (RFC 9112).
 *
 * The head is parsed so strictly that no other program can read it differently:
 * a response cannot be split or smuggled.
 */
#include "http/message.h"

#include <string.h>

#include "base/limits.h"

enum pst_err
message_add_url(struct pst_buf *buf, const char *base, struct pst_str query)
{
    for (size_t i = 0; i < query.len; i++) {
        unsigned char c = (unsigned char)query.ptr[i];

        if (c <= ' ' || c >= 0x7F || c == '#')
            return PST_MALFORMED;
    }
    pst_buf_add_string(buf, base);
    if (query.len > 0)
        pst_buf_add_char(buf, strchr(base, '?') ? '&' : '?');
    pst_buf_add(buf, query);
    return PST_OK;
}

enum pst_err
message_url(struct pst_arena *arena, const char *base, struct pst_str query,
            const char **out)
{
    struct pst_str url;
    struct pst_buf buf;
    enum pst_err e;

    pst_buf_init_arena(&buf, arena, strlen(base) + query.len + 2);
    e = message_add_url(&buf, base, query);
    pst_buf_add_char(&buf, '\0');
    if (!e)
        e = pst_buf_finish(&buf, &url);
    if (e)
        return e;
    *out = url.ptr;
    return PST_OK;
}

bool
message_may_send(struct pst_str name, struct pst_str value)
{
    static const struct pst_str reserved[] = {
        {"Connection", 10}, {"Content-Length", 14},    {"Expect", 6},
        {"Host", 4},        {"Keep-Alive", 10},        {"TE", 2},
        {"Trailer", 7},     {"Transfer-Encoding", 17}, {"Upgrade", 7},
    };

    for (size_t i = 0; i < PST_COUNT(reserved); i++) {
        if (reserved[i].len == name.len &&
            pst_str_equal_nocase(name, reserved[i]))
            return false;
    }
    return pst_str_is_token(name) && pst_str_is_field_value(value);
}

static enum pst_err
message_head_refuse(struct message_head *head, const char *reason)
{
    head->reason = reason;
    return PST_UPSTREAM_BROKEN;
}

void
message_head_init(struct message_head *head, struct pst_arena *arena)
{
    memset(head, 0, sizeof(*head));
    pst_buf_init_arena(&head->lines, arena, PST_HEADERS_MAX);
}

int
message_parse_status(struct pst_str line)
{
    struct pst_str rest = pst_str_skip(line, pst_str_index(line, ' ') + 1);
    struct pst_str digits = pst_str_first(rest, pst_str_index(rest, ' '));
    int64_t number;

    if (!pst_str_starts(line, PST_STR("HTTP/")) || digits.len != 3 ||
        pst_str_parse_number(digits, &number) != PST_OK || number > 599)
        return 0;
    return (int)number;
}

enum pst_err
message_split_header(struct pst_str line, struct pst_str *name,
                     struct pst_str *value)
{
    size_t colon = pst_str_index(line, ':');

    *name = pst_str_first(line, colon);
    *value = pst_str_trim(pst_str_skip(line, colon + 1));
    if (colon == line.len || !pst_str_is_token(*name) ||
        !pst_str_is_field_value(*value))
        return PST_UPSTREAM_BROKEN;
    return PST_OK;
}

static bool
message_is_content_length(struct pst_str name)
{
    return pst_str_equal_nocase(name, PST_STR("Content-Length"));
}

static bool
message_next_header(struct pst_str *lines, struct pst_str *name,
                    struct pst_str *value)
{
    struct pst_str line;

    return pst_str_split(lines, '\n', &line) && line.len > 0 &&
           message_split_header(line, name, value) == PST_OK;
}

/* Refuse a Content-Length that is invalid, or two that differ: RFC 9112 6.3. */
static enum pst_err
message_check_content_length(struct pst_str lines)
{
    struct pst_str first = PST_STR_NONE;
    struct pst_str name;
    struct pst_str value;
    int64_t number;

    while (message_next_header(&lines, &name, &value)) {
        if (!message_is_content_length(name))
            continue;
        if (pst_str_parse_number(value, &number) != PST_OK)
            return PST_UPSTREAM_BROKEN;
        if (!pst_str_is_absent(first) && !pst_str_equal(first, value))
            return PST_UPSTREAM_BROKEN;
        first = value;
    }
    return PST_OK;
}

static bool
message_has_transfer_encoding(struct pst_str lines)
{
    struct pst_str name;
    struct pst_str value;

    while (message_next_header(&lines, &name, &value)) {
        if (pst_str_equal_nocase(name, PST_STR("Transfer-Encoding")))
            return true;
    }
    return false;
}

static enum pst_err
message_head_add_header(struct message_head *head, struct pst_str line)
{
    struct pst_str name;
    struct pst_str value;

    if (message_split_header(line, &name, &value) != PST_OK)
        return message_head_refuse(head, "a line of the head is not a header");
    if (++head->count > PST_HEADER_COUNT_MAX)
        return message_head_refuse(head, "the head has too many lines");
    pst_buf_add(&head->lines, line);
    pst_buf_add_char(&head->lines, '\n');
    return PST_OK;
}

static enum pst_err
message_head_finish(struct message_head *head)
{
    struct pst_str lines;
    enum pst_err e = pst_buf_finish(&head->lines, &lines);

    if (e)
        return e;
    if (head->status < 200) {
        head->status = 0;
        pst_buf_truncate(&head->lines, 0);
        return PST_OK;
    }
    if (message_check_content_length(lines) != PST_OK)
        return message_head_refuse(
            head, "Content-Length is not a number, or has two values");
    head->complete = true;
    return PST_OK;
}

enum pst_err
message_head_add(struct message_head *head, struct pst_str line)
{
    PST_REQUIRE(!head->complete);
    /* The sum is limited, so that interim responses cannot go on for ever. */
    if (line.len > PST_HEADERS_MAX - head->bytes)
        return message_head_refuse(head,
                                   "the head of the response is too large");
    head->bytes += line.len;
    if (pst_str_ends(line, PST_STR("\n")))
        line.len--;
    if (pst_str_ends(line, PST_STR("\r")))
        line.len--;
    if (head->status > 0)
        return line.len > 0 ? message_head_add_header(head, line)
                            : message_head_finish(head);
    head->status = message_parse_status(line);
    return head->status > 0
               ? PST_OK
               : message_head_refuse(head, "the status line is invalid");
}

enum pst_err
message_head_walk(const struct message_head *head,
                  enum pst_err (*header)(void *context, struct pst_str name,
                                         struct pst_str value),
                  void *context)
{
    struct pst_str lines = pst_buf_str(&head->lines);
    bool encoded = message_has_transfer_encoding(lines);
    struct pst_str name;
    struct pst_str value;
    enum pst_err e = PST_OK;

    PST_REQUIRE(head->complete);
    while (!e && message_next_header(&lines, &name, &value)) {
        if (!encoded || !message_is_content_length(name))
            e = header(context, name, value);
    }
    return e;
}
