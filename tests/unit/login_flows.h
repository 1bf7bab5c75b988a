/* SPDX-License-Identifier: ISC */
/*
 * login_flows.h - requests, answers and settings for tests of logins.
 */
#ifndef TESTS_LOGIN_FLOWS_H
#define TESTS_LOGIN_FLOWS_H

#include "flows.h"

#define JSON_TYPE "Content-Type: application/json"
#define CREDENTIALS "{\"email\":\"a\",\"password\":\"p\"}"
#define OURS "mutation OwnerLogin("
#define USER "Set-Cookie: __Host-Http-session="
#define GUEST "Set-Cookie: __Host-Http-session-guest="
#define DEVICE "__Host-Http-session-device="

#define OWNER                                              \
    "{\"__typename\":\"L\",\"secret\":\"s3cr3t\",\"ttl\":" \
    "\"2099-01-01T00:00:00Z\",\"email\":\"a@x\",\"ownerId\":70}"
#define GRANTED                                                             \
    {                                                                       \
        .status = 200, .headers = {JSON_TYPE, "ETag: \"1\""},               \
        .body = "{\"data\":{\"login\":" OWNER "},\"extensions\":{\"x\":1}}" \
    }
#define REFUSED                                                             \
    {                                                                       \
        .status = 200, .headers = {JSON_TYPE},                              \
        .body = "{\"errors\":[{\"message\":\"No.\",\"path\":[\"login\"],"   \
                "\"locations\":[{\"line\":1,\"column\":1}],\"extensions\":" \
                "{\"code\":\"WRONG\"}}],\"data\":{\"login\":null}}"         \
    }
#define LOGIN(selection)                                    \
    "{\"query\":\"mutation{login(email:\\\"a\\\",password:" \
    "\\\"p\\\")" selection "}\"}"

/* Requests and answers with the token in a header. */
#define VENDURE_CREDENTIALS "{\"username\":\"a\",\"password\":\"p\"}"
#define THEIRS                                                            \
    "{\"query\":\"mutation{login(username:\\\"a\\\",password:\\\"p\\\"){" \
    "__typename}}\"}"
#define CURRENT_USER "{\"data\":{\"login\":{\"__typename\":\"CurrentUser\"}}}"
#define WRONG                                                      \
    "{\"data\":{\"login\":{\"__typename\":\"InvalidCredentials\"," \
    "\"errorCode\":\"INVALID\",\"message\":\"No.\"}}}"
#define HEADER_ANSWER(text, header)                                 \
    {                                                               \
        .status = 200, .headers = {JSON_TYPE, header}, .body = text \
    }
#define SAYS(text) HEADER_ANSWER(text, NULL)
#define FRESH "vendure-auth-token: t#2"

#endif
