/* SPDX-License-Identifier: ISC */
/*
 * request_origin.c - find our own origin (scheme, host and port), as browsers
 * see it.
 */
#include "server/request_origin.h"

#include "base/buffer.h"
#include "http/origin.h"

/* "https://", 253 bytes of host, ":65535": RFC 1035 section 2.3.4. */
#define ORIGIN_MAX 300

static bool
request_is_https(const struct request *req)
{
    struct pst_str https = request_variable(req, "HTTPS");

    if (pst_str_equal_nocase(https, PST_STR("on")) ||
        pst_str_equal(https, PST_STR("1")))
        return true;
    return pst_str_equal_nocase(request_variable(req, "REQUEST_SCHEME"),
                                PST_STR("https"));
}

/* Remove the brackets of "[::1]"; any other host stays as it is. */
static struct pst_str
strip_host_brackets(struct pst_str host)
{
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        return (struct pst_str){host.ptr + 1, host.len - 2};
    return host;
}

/*
 * Find the port in a Host header whose host is the given one; default_port
 * when it has none. Returns false for another host and for a malformed header.
 */
static bool
parse_host_header_port(struct pst_str line, struct pst_str host,
                       int64_t default_port, int64_t *port)
{
    size_t colon = pst_str_index(line, ':');

    if (pst_str_starts(line, PST_STR("["))) {
        colon = pst_str_index(line, ']');
        if (colon < line.len)
            colon++;
    }
    if (!pst_str_equal_nocase(strip_host_brackets(pst_str_first(line, colon)),
                              host))
        return false;
    if (line.len - colon <= 1) {
        *port = default_port;
        return colon == line.len || line.ptr[colon] == ':';
    }
    return line.ptr[colon] == ':' &&
           pst_str_parse_port(pst_str_skip(line, colon + 1), port) == PST_OK;
}

static struct pst_str
request_emit_origin(const struct request *req, struct pst_str host,
                    int64_t port)
{
    bool is_ipv6 = pst_str_index(host, ':') < host.len;
    struct pst_str out;
    struct pst_buf buf;

    pst_buf_init_arena(&buf, req->arena, ORIGIN_MAX);
    pst_buf_add_string(&buf, request_is_https(req) ? "https://" : "http://");
    pst_buf_add_string(&buf, is_ipv6 ? "[" : "");
    for (size_t i = 0; i < host.len; i++)
        pst_buf_add_char(&buf, pst_lower(host.ptr[i]));
    pst_buf_add_string(&buf, is_ipv6 ? "]" : "");
    if (port != (request_is_https(req) ? 443 : 80)) {
        pst_buf_add_char(&buf, ':');
        pst_buf_add_number(&buf, port);
    }
    if (pst_buf_finish(&buf, &out) != PST_OK)
        return PST_STR_NONE;
    return out;
}

struct pst_str
request_own_origin(const struct request *req, struct pst_str configured)
{
    struct pst_str host =
        strip_host_brackets(request_variable(req, "SERVER_NAME"));
    struct pst_str own = configured;
    int64_t port;

    if (pst_str_is_absent(configured)) {
        if (host.len == 0)
            return PST_STR_NONE;
        if (!parse_host_header_port(request_variable(req, "HTTP_HOST"), host,
                                    request_is_https(req) ? 443 : 80, &port) &&
            pst_str_parse_port(request_variable(req, "SERVER_PORT"), &port) !=
                PST_OK)
            return PST_STR_NONE;
        own = request_emit_origin(req, host, port);
    }
    return pst_origin_is_canonical(own) ? own : PST_STR_NONE;
}
