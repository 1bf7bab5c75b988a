/* SPDX-License-Identifier: ISC */
/*
 * fuzz_program.c - any CGI environment and body, through each program, with any
 * answer of the backend (L9, R79). The input is text: a line with the name of
 * the program, lines of variables, and after lines "---" the body and the
 * backend's answer: a line with the status, header lines, an empty line, the
 * body. HTTP_COOKIE=@ stands for the cookie of a session.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "fixture.h"
#include "gateway/handler.h"
#include "programs.h"

#define INPUT_MAX 4096
#define VARIABLES_MAX 64
/* The backend's token of the session, and of a login. */
#define SESSION_TOKEN "s3ss10n-t0ken-5d1e"
#define LOGIN_TOKEN "l0g1n-t0ken-77ab"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fixture fix;
static struct fixture_session session;

/* One input: its texts, with NULs. */
struct scenario {
    char text[INPUT_MAX + 1];
    handler_fn *program;
    const char *name;
    const char *variables[VARIABLES_MAX + 1];
    bool has_session;
    const char *body;
    struct fixture_answer answer;
};

static void
init(void)
{
    static const char *const settings[] = {"POSTERN_ORIGIN=https://a.example",
                                           "POSTERN_FORWARD_PARAMETERS=lang",
                                           "POSTERN_LOGIN_FLOOR=0", NULL};
    const struct auth_grant grant = {.sub = PST_STR("7"),
                                     .name = PST_STR("a"),
                                     .who = PST_STR("{}"),
                                     .upstream =
                                         PST_STR("\"" SESSION_TOKEN "\"")};

    fixture_init(&fix, settings);
    fixture_begin_with(&fix, &grant, &session);
}

/* The secure memory of libgcrypt is not searched for leaks. */
static void
fini(void)
{
    fixture_fini(&fix);
}

/* Cut a line off the text, and end it with a NUL; NULL: there is none. */
static char *
next_line(char **rest)
{
    char *line = *rest;
    char *end;

    if (!line)
        return NULL;
    end = strchr(line, '\n');
    *rest = end ? end + 1 : NULL;
    if (end)
        *end = '\0';
    return line;
}

/* Cut off the text before a line "---". */
static char *
next_part(char **rest)
{
    char *part = *rest;
    char *end = part ? strstr(part, "\n---\n") : NULL;

    *rest = end ? end + sizeof("\n---\n") - 1 : NULL;
    if (end)
        *end = '\0';
    return part;
}

static void
read_answer(struct fixture_answer *answer, char *text)
{
    size_t count = 0;
    const char *line = next_line(&text);

    answer->status = line ? atoi(line) : 0;
    if (answer->status < 200 || answer->status > 599)
        answer->status = 0;
    for (line = next_line(&text); line && *line; line = next_line(&text)) {
        if (count + 1 < PST_COUNT(answer->headers) && strchr(line, ':'))
            answer->headers[count++] = line;
    }
    answer->body = text;
}

/* Returns false for a program that does not exist. */
static bool
read_scenario(struct scenario *scenario, struct pst_str input)
{
    static const struct {
        const char *name;
        handler_fn *const *handler;
    } programs[] = {{"login", &program_login},
                    {"query", &program_query},
                    {"logout", &program_logout},
                    {"session", &program_session},
                    {"authorize", &program_authorize}};
    char *rest = scenario->text;
    char *lines;
    const char *line;
    size_t count = 0;

    if (input.len > 0)
        memcpy(scenario->text, input.ptr, input.len);
    scenario->text[input.len] = '\0';
    lines = next_part(&rest);
    scenario->name = next_line(&lines);
    for (size_t i = 0; i < PST_COUNT(programs); i++) {
        if (strcmp(scenario->name, programs[i].name) == 0)
            scenario->program = *programs[i].handler;
    }
    while ((line = next_line(&lines)) && count < VARIABLES_MAX) {
        if (strcmp(line, "HTTP_COOKIE=@") == 0) {
            line = session.cookie;
            scenario->has_session = true;
        }
        if (strchr(line, '='))
            scenario->variables[count++] = line;
    }
    scenario->body = next_part(&rest);
    read_answer(&scenario->answer, rest);
    return scenario->program != NULL;
}

/* Each line of the head has a name and a value, without control bytes. */
static void
check_head(struct pst_str head)
{
    struct pst_str line;

    while (pst_str_split(&head, '\n', &line)) {
        const size_t colon = pst_str_index(line, ':');

        PST_REQUIRE(pst_str_ends(line, PST_STR("\r")));
        PST_REQUIRE(pst_str_is_token(pst_str_first(line, colon)));
        PST_REQUIRE(pst_str_starts(pst_str_skip(line, colon), PST_STR(": ")));
        line = pst_str_skip(line, colon + 2);
        PST_REQUIRE(pst_str_is_field_value(pst_str_first(line, line.len - 1)));
    }
}

/* Does the answer set a cookie to another value than none? */
static bool
sets_cookie(struct pst_str head)
{
    struct pst_str line;

    while (pst_str_split(&head, '\n', &line)) {
        if (pst_str_starts(line, PST_STR("Set-Cookie: ")) &&
            !pst_str_contains(line, PST_STR("Max-Age=0")))
            return true;
    }
    return false;
}

/* Is the login's token in the input once, where the backend gives it? */
static bool
is_only_secret(const struct scenario *scenario, struct pst_str input)
{
    const char *first =
        memmem(input.ptr, input.len, LOGIN_TOKEN, sizeof(LOGIN_TOKEN) - 1);

    if (!first || !scenario->answer.body ||
        !strstr(scenario->answer.body, "\"secret\":\"" LOGIN_TOKEN "\""))
        return false;
    return !pst_str_contains(
        pst_str_skip(input, (size_t)(first - input.ptr) + 1),
        PST_STR(LOGIN_TOKEN));
}

static void
check_answer(const struct scenario *scenario, struct pst_str input)
{
    const struct pst_str out = {fix.out, fix.out_len};
    const char *end = memmem(out.ptr, out.len, "\r\n\r\n", 4);
    struct pst_str head;
    int status;

    PST_REQUIRE(end);
    head = pst_str_first(out, (size_t)(end - out.ptr) + 1);
    PST_REQUIRE(pst_str_starts(head, PST_STR("Status: ")));
    status = atoi(head.ptr + sizeof("Status: ") - 1);
    PST_REQUIRE(status >= 200 && status <= 599);
    check_head(head);
    if (!pst_str_contains(input, PST_STR(SESSION_TOKEN)))
        PST_REQUIRE(!pst_str_contains(out, PST_STR(SESSION_TOKEN)));
    if (strcmp(scenario->name, "login") == 0) {
        PST_REQUIRE(!is_only_secret(scenario, input) ||
                    !pst_str_contains(out, PST_STR(LOGIN_TOKEN)));
        PST_REQUIRE(fix.exchanges > 0 || !sets_cookie(head));
    } else if (!scenario->has_session) {
        PST_REQUIRE(strcmp(scenario->name, "authorize") != 0 || status >= 300);
        PST_REQUIRE(strcmp(scenario->name, "query") == 0 || !sets_cookie(head));
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scenario scenario;
    const struct pst_str input = pst_str_first(
        pst_str_from_bytes((struct pst_bytes){data, size}), INPUT_MAX);
    struct request_input request;
    struct response_sink sink;

    if (!fix.config) {
        init();
        PST_REQUIRE(atexit(fini) == 0);
    }
    memset(&scenario, 0, sizeof(scenario));
    if (!read_scenario(&scenario, input))
        return 0;
    fix.answer = scenario.answer;
    fixture_connect(&fix, scenario.variables, scenario.body, &request, &sink);
    (void)handler_run(&fix.ctx, fix.arena, &request, &sink, scenario.program);
    check_answer(&scenario, input);
    return 0;
}
