/* SPDX-License-Identifier: ISC */
/*
 * full_request.c - a client's request with every header that matters to
 * forwarding.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "full_request.h"

const char *const plain[] = {NULL};

const char *const everything[FULL_REQUEST_COUNT] = {
    "REQUEST_METHOD=POST", "QUERY_STRING=languageCode=de",
    "CONTENT_TYPE=text/plain", "REMOTE_ADDR=192.0.2.1", "REQUEST_SCHEME=https",
    "SERVER_NAME=shop.example", "SERVER_PORT=443", "HTTP_HOST=evil.example",
    "HTTP_ACCEPT=application/graphql-response+json", "HTTP_ACCEPT_LANGUAGE=de",
    "HTTP_ACCEPT_ENCODING=gzip", "HTTP_CONTENT_ENCODING=br",
    "HTTP_IF_NONE_MATCH=\"x\"",
    "HTTP_IF_MODIFIED_SINCE=Sun, 06 Nov 1994 08:49:37 GMT",
    "HTTP_USER_AGENT=test", "HTTP_TRACESTATE=a=b",
    "HTTP_TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-"
    "b7ad6b7169203331-01",
    "HTTP_APOLLO_REQUIRE_PREFLIGHT=1", "HTTP_X_APOLLO_OPERATION_NAME=Op",
    "HTTP_APOLLOGRAPHQL_CLIENT_NAME=web", "HTTP_APOLLOGRAPHQL_CLIENT_VERSION=7",
    "HTTP_GRAPHQL_PREFLIGHT=1", "HTTP_VENDURE_TOKEN=channel",
    /* and those that may not pass: */
    "HTTP_COOKIE=__Host-Http-session=x; other=y",
    "HTTP_AUTHORIZATION=Bearer clients-own", "HTTP_PROXY=http://evil.example/",
    "HTTP_PROXY_AUTHORIZATION=Basic x", "HTTP_CONNECTION=close",
    "HTTP_TE=trailers", "HTTP_UPGRADE=h2c", "HTTP_TRANSFER_ENCODING=chunked",
    "HTTP_X_FORWARDED_FOR=203.0.113.9", "HTTP_X_FORWARDED_PROTO=gopher",
    "HTTP_FORWARDED=for=203.0.113.9", "HTTP_VENDURE_AUTH_TOKEN=planted",
    "HTTP_X_UNLISTED=unlisted", NULL};

void
assert_sent(const struct fixture *f, const char *const *lines, bool want)
{
    for (size_t i = 0; lines[i]; i++) {
        if (fixture_was_sent(f, lines[i]) != want)
            fail_msg("\"%s\" was %s:\n%.*s", lines[i],
                     want ? "not sent" : "sent", (int)f->sent_len, f->sent);
    }
}
