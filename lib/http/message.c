/* SPDX-License-Identifier: ISC */
/*
 * message.c - what may be sent to the backend, and an answer's head, read
 * strictly enough that no two programs can read it differently.
 */
#include "http/message.h"

#include <string.h>

#include "base/limits.h"

enum pst_err
message_url(struct pst_arena *arena, const char *base, struct pst_text query,
            const char **out)
{
    struct pst_text url;
    struct pst_buf buf;
    enum pst_err e;

    for (size_t i = 0; i < query.len; i++) {
        unsigned char c = (unsigned char)query.ptr[i];

        if (c <= ' ' || c >= 0x7F || c == '#')
            return PST_MALFORMED;
    }
    pst_buf_init_arena(&buf, arena, strlen(base) + query.len + 2);
    pst_buf_add_string(&buf, base);
    if (query.len > 0)
        pst_buf_add_char(&buf, strchr(base, '?') ? '&' : '?');
    pst_buf_add(&buf, query);
    pst_buf_add_char(&buf, '\0');
    e = pst_buf_end(&buf, &url);
    if (e)
        return e;
    *out = url.ptr;
    return PST_OK;
}

bool
message_may_send(struct pst_text name, struct pst_text value)
{
    static const char *const reserved[] = {
        "Connection", "Content-Length",    "Expect",
        "Host",       "Keep-Alive",        "TE",
        "Trailer",    "Transfer-Encoding", "Upgrade",
    };

    for (size_t i = 0; i < PST_COUNT(reserved); i++) {
        if (pst_text_equal_nocase(name, pst_text_from(reserved[i])))
            return false;
    }
    return pst_text_is_token(name) && pst_text_is_field_value(value);
}

void
message_head_init(struct message_head *head, struct pst_arena *arena)
{
    memset(head, 0, sizeof(*head));
    pst_buf_init_arena(&head->lines, arena, PST_HEADERS_MAX);
}

/* "HTTP/1.1 200 OK", "HTTP/2 200": 100..599, or 0 when it is no such line. */
static int
status_of(struct pst_text line)
{
    struct pst_text rest =
        pst_text_from_octet(line, pst_text_index(line, ' ') + 1);
    struct pst_text digits = pst_text_first(rest, pst_text_index(rest, ' '));
    int64_t number;

    if (!pst_text_starts(line, PST_TEXT("HTTP/")) || digits.len != 3 ||
        pst_text_number(digits, &number) != PST_OK || number > 599)
        return 0;
    return (int)number;
}

/*
 * A header line apart. One that is folded, or has blanks before its colon,
 * is read differently by different programs, so it is not read at all (RFC
 * 9112 sections 5.1 and 5.2).
 */
static enum pst_err
split(struct pst_text line, struct pst_text *name, struct pst_text *value)
{
    size_t colon = pst_text_index(line, ':');

    *name = pst_text_first(line, colon);
    *value = pst_text_trim(pst_text_from_octet(line, colon + 1));
    if (colon == line.len || !pst_text_is_token(*name) ||
        !pst_text_is_field_value(*value))
        return PST_UPSTREAM_BROKEN;
    return PST_OK;
}

static bool
is_length(struct pst_text name)
{
    return pst_text_equal_nocase(name, PST_TEXT("Content-Length"));
}

static bool
next_header(struct pst_text *lines, struct pst_text *name,
            struct pst_text *value)
{
    struct pst_text line;

    return pst_text_cut(lines, '\n', &line) && line.len > 0 &&
           split(line, name, value) == PST_OK;
}

/* The answer's own word about its length, if it is one word (RFC 9112 6.3). */
static enum pst_err
check_length(struct pst_text lines)
{
    struct pst_text first = PST_NO_TEXT;
    struct pst_text name;
    struct pst_text value;
    int64_t number;

    while (next_header(&lines, &name, &value)) {
        if (!is_length(name))
            continue;
        if (pst_text_number(value, &number) != PST_OK)
            return PST_UPSTREAM_BROKEN;
        if (!pst_text_is_absent(first) && !pst_text_equal(first, value))
            return PST_UPSTREAM_BROKEN;
        first = value;
    }
    return PST_OK;
}

static bool
has_transfer_encoding(struct pst_text lines)
{
    struct pst_text name;
    struct pst_text value;

    while (next_header(&lines, &name, &value)) {
        if (pst_text_equal_nocase(name, PST_TEXT("Transfer-Encoding")))
            return true;
    }
    return false;
}

static enum pst_err
add_header(struct message_head *head, struct pst_text line)
{
    struct pst_text name;
    struct pst_text value;
    enum pst_err e = split(line, &name, &value);

    if (e)
        return e;
    pst_buf_add(&head->lines, line);
    pst_buf_add_char(&head->lines, '\n');
    return PST_OK;
}

static enum pst_err
end_head(struct message_head *head)
{
    struct pst_text lines;
    enum pst_err e = pst_buf_end(&head->lines, &lines);

    if (e)
        return e;
    if (head->status < 200) {
        head->status = 0;
        pst_buf_cut(&head->lines, 0);
        return PST_OK;
    }
    e = check_length(lines);
    if (e)
        return e;
    head->complete = true;
    return PST_OK;
}

enum pst_err
message_head_add(struct message_head *head, struct pst_text line)
{
    PST_REQUIRE(!head->complete);
    /* The ceiling is on the sum, so that endless interim heads meet it. */
    if (line.len > PST_HEADERS_MAX - head->octets)
        return PST_UPSTREAM_BROKEN;
    head->octets += line.len;
    if (pst_text_ends(line, PST_TEXT("\n")))
        line.len--;
    if (pst_text_ends(line, PST_TEXT("\r")))
        line.len--;
    if (head->status > 0)
        return line.len > 0 ? add_header(head, line) : end_head(head);
    head->status = status_of(line);
    return head->status > 0 ? PST_OK : PST_UPSTREAM_BROKEN;
}

enum pst_err
message_head_walk(const struct message_head *head,
                  enum pst_err (*header)(void *context, struct pst_text name,
                                         struct pst_text value),
                  void *context)
{
    struct pst_text lines = pst_buf_text(&head->lines);
    bool encoded = has_transfer_encoding(lines);
    struct pst_text name;
    struct pst_text value;
    enum pst_err e = PST_OK;

    PST_REQUIRE(head->complete);
    while (!e && next_header(&lines, &name, &value)) {
        if (!encoded || !is_length(name))
            e = header(context, name, value);
    }
    return e;
}
