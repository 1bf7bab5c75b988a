/* SPDX-License-Identifier: ISC */
/*
 * proxy_rows.h - pieces of the rows that test_proxy.c and test_proxy_rules.c
 * are made of.
 */
#ifndef TESTS_PROXY_ROWS_H
#define TESTS_PROXY_ROWS_H

#include "flows.h"
#include "programs.h"

/* SHA-256 of "{stored}" and of "{held}". */
#define STORED_HASH \
    "6252cf8822e4a83656f6ef0efdc2b4de6fb9a3709206f9690108da209f150739"
#define HELD_HASH \
    "7dcfc97b68cfb728f04607735221871608e813e47a2eb23e1424cbba86a34c24"
#define PERSISTED(hash)                                                        \
    "\"extensions\":{\"persistedQuery\":{\"version\":1,\"sha256Hash\":\"" hash \
    "\"}}"

#define OK(text)                                                          \
    {                                                                     \
        {                                                                 \
            .status = 200, .headers = {"Content-Type: application/json"}, \
            .body = text                                                  \
        }                                                                 \
    }
#define ANSWER_OF(text)                                               \
    {                                                                 \
        .status = 200, .headers = {"Content-Type: application/json"}, \
        .body = text                                                  \
    }
#define ANSWER OK("{\"data\":null}")
#define LOGIN "mutation{login(email:\\\"a\\\",password:\\\"b\\\"){secret}}"

#define GET_OF(text) FLOW_GET, "CONTENT_TYPE=", "QUERY_STRING=query=" text

#define MULTIPART "CONTENT_TYPE=multipart/form-data; boundary=b"
#define PART(name, text)                                                    \
    "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" text \
    "\r\n"
#define UPLOAD(path, operations)                                            \
    PART("operations", operations)                                          \
    PART("map", "{\"0\":[\"" path "\"]}")                                   \
    "--b\r\nContent-Disposition: form-data; name=\"0\"; filename=\"f\"\r\n" \
    "\r\nfile's bytes\r\n--b--\r\n"

#endif
