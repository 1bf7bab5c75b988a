/* SPDX-License-Identifier: ISC */
/*
 * test_login_shape.c - rewrite an answer in the client's shape (L53, L57): rows
 * of a selection, a backend's answer, and the client's answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/login_shape.h"
#include "login_config.h"

#define ARENA_SIZE (256 * 1024)

static struct pst_arena *arena;

#define OWNER                                                                  \
    "\"in\":{\"__typename\":\"Owner\",\"postern_Owner\":\"Owner\","            \
    "\"session\":{\"__typename\":\"Session\",\"secret\":\"s3cr\",\"ttl\":1e2}" \
    ",\"mail\":\"a@x\",\"ownerId\":123456789012345678901234567890,"            \
    "\"refreshToken\":\"r3fr\",\"avatar\":null,"                               \
    "\"stores\":[{\"__typename\":\"Store\",\"id\":-0,\"name\":\"A\"},null]}"
#define GOOD "{\"data\":{\"__typename\":\"Mutation\"," OWNER "}}"
#define BAD                                                                 \
    "{\"data\":{\"__typename\":\"Mutation\",\"in\":{\"__typename\":"        \
    "\"Wrong\",\"postern_Failure\":\"Wrong\",\"code\":\"W\",\"message\":\"" \
    "no\"}}}"

struct row {
    const char *name;
    const char *client; /* the selection below login */
    const char *answer;
    const char *want;   /* data.login, or the whole answer; NULL: refused */
    const char *reason; /* part of the refusal's reason */
    bool is_late;       /* refused only when the answer is written */
};

static struct config *config;

/* Parse the client's document around its selection. */
static void
read_client(const struct row *row, struct login_operation *request)
{
    const struct pst_graphql_document *parsed;
    struct pst_graphql_error error;
    char text[2048];

    if (strncmp(row->client, "mutation", 8) == 0)
        (void)snprintf(text, sizeof(text), "%s", row->client);
    else
        (void)snprintf(text, sizeof(text),
                       "mutation{login(email:\"a\",password:\"p\"){%s}}",
                       row->client);
    /* Copied to the arena: the tree points into it. */
    *request = (struct login_operation){.variables = PST_STR_NONE};
    {
        const char *kept;

        assert_int_equal(pst_arena_c_string(arena, pst_str_from(text), &kept),
                         PST_OK);
        if (pst_graphql_parse(arena, pst_str_from(kept), &parsed, &error))
            fail_msg("%s: %s", row->name, error.message);
    }
    request->operation = parsed->operations;
}

static void
expect_row(const struct row *row, const char *token)
{
    struct login_operation request;
    struct login_reason reason = {""};
    struct login_shape shape = {.arena = arena,
                                .config = config,
                                .ours = &config->backend.logins[0],
                                .theirs = &request,
                                .reason = &reason};
    struct login_answer answer = {.secret = PST_STR("s3cr"),
                                  .token = pst_str_from(token)};
    struct pst_str out = PST_STR("");
    enum pst_err e;

    read_client(row, &request);
    assert_int_equal(login_operation_find_field(&request, &reason), PST_OK);
    e = login_shape_check(&shape);
    if (row->is_late && e)
        fail_msg("%s: refused too early: %s", row->name, reason.text);
    assert_int_equal(
        pst_json_parse(arena, pst_str_from(row->answer), &answer.root), PST_OK);
    if (!e)
        e = login_shape_emit(&shape, &answer, &out);
    if (!row->want) {
        if (e != PST_LOGIN_SHAPE || !strstr(reason.text, row->reason))
            fail_msg("%s: %s, %s", row->name, pst_err_code(e), reason.text);
    } else if (e || !pst_str_equal(out, pst_str_from(row->want))) {
        fail_msg("%s: %s, %s, %.*s", row->name, pst_err_code(e), reason.text,
                 (int)out.len, out.ptr);
    }
    assert_false(pst_str_contains(out, PST_STR("s3cr")));
    assert_false(pst_str_contains(out, PST_STR("r3fr")));
    pst_arena_reset(arena);
}

#define DATA(text) "{\"data\":{\"login\":{" text "}}}"

static void
test_shapes(void **state)
{
    static const struct row rows[] = {
        {"plain", "...on Owner{email ownerId}", GOOD,
         DATA("\"email\":\"a@x\",\"ownerId\":"
              "123456789012345678901234567890"),
         NULL, false},
        {"aliases, and numbers as they are",
         "x:email...on Owner{s:session{t:ttl}stores{i:id}}", GOOD,
         DATA("\"x\":\"a@x\",\"s\":{\"t\":1e2},\"stores\":[{\"i\":-0},null]"),
         NULL, false},
        {"the secret is null", "session{token}", GOOD,
         DATA("\"session\":{\"token\":null}"), NULL, false},
        {"so under an alias", "a:session{b:token}", GOOD,
         DATA("\"a\":{\"b\":null}"), NULL, false},
        {"a secret field", "refreshToken", GOOD, DATA("\"refreshToken\":null"),
         NULL, false},
        {"__typename", "__typename t:__typename session{__typename}", GOOD,
         DATA("\"__typename\":\"Owner\",\"t\":\"Owner\",\"session\":{"
              "\"__typename\":\"Session\"}"),
         NULL, false},
        {"an argument in our document", "avatar(size:2)", GOOD,
         DATA("\"avatar\":null"), NULL, false},
        {"merged", "stores{id}...on Owner{stores{name}}", GOOD,
         DATA("\"stores\":[{\"id\":-0,\"name\":\"A\"},null]"), NULL, false},
        {"the other type", "...on Owner{email}...on Failure{message}", GOOD,
         DATA("\"email\":\"a@x\""), NULL, false},
        {"an interface", "...on Failure{m:message}...on Owner{email}", BAD,
         DATA("\"m\":\"no\""), NULL, false},
        {"the value's own type", "...on Wrong{code}", BAD,
         DATA("\"code\":\"W\""), NULL, false},
        {"an alias of the login, a fragment",
         "mutation A{x:login(email:\"a\",password:\"p\"){...F}__typename}"
         "fragment F on Owner{email}",
         GOOD,
         "{\"data\":{\"x\":{\"email\":\"a@x\"},\"__typename\":\"Mutation\"}}",
         NULL, false},
        {"null", "email", "{\"data\":{\"in\":null}}",
         "{\"data\":{\"login\":null}}", NULL, false},
        {"no data", "email", "{\"data\":null}", "{\"data\":null}", NULL, false},
        {"errors",
         "mutation{x:login(email:\"a\",password:\"p\"){s:stores{id}}}",
         "{\"errors\":[{\"message\":\"m\",\"locations\":[{\"line\":1,"
         "\"column\":2}],\"path\":[\"in\",\"stores\",0,\"name\"],"
         "\"extensions\":{\"code\":\"C\",\"n\":1.50}},{\"path\":[\"in\"]}],"
         "\"data\":{\"in\":null},\"extensions\":{\"trace\":\"s3cr\"}}",
         "{\"errors\":[{\"message\":\"m\",\"path\":[\"x\",\"s\",0],"
         "\"extensions\":{\"code\":\"C\",\"n\":1.50}},{\"path\":[\"x\"]}],"
         "\"data\":{\"x\":null}}",
         NULL, false},
        {"the secret in an error", "email",
         "{\"errors\":[{\"message\":\"s3cr\"}],\"data\":{\"in\":null}}",
         "{\"errors\":[{\"message\":null}],\"data\":{\"login\":null}}", NULL,
         false},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        expect_row(&rows[i], NULL);
}

static void
test_refusals(void **state)
{
    static const struct row rows[] = {
        {"a field that ours has not", "bio", GOOD, NULL, "bio of the login",
         false},
        {"deeper", "session{ip}", GOOD, NULL, "ip of the login", false},
        {"under an alias in our document", "mail", GOOD, NULL,
         "mail of the login", false},
        {"a leaf with a selection", "email{x}", GOOD, NULL,
         "must be selected as it is", false},
        {"an object without one", "session", GOOD, NULL,
         "must be selected as it is", false},
        {"another argument", "avatar(size:3)", GOOD, NULL,
         "avatar of the login", false},
        {"an argument too many", "email(x:1)", GOOD, NULL, "email of the login",
         false},
        {"a directive", "email@include(if:true)", GOOD, NULL, "directives",
         false},
        {"one key for two fields", "x:email x:ownerId", GOOD, NULL,
         "x is the response key of two", false},
        {"the secret as another field's key", "email:session{token}email", GOOD,
         NULL, "email is the response key of two", false},
        {"a variable in a list, twice",
         "x:avatar(size:[$v])x:avatar(size:[$v])", GOOD, NULL,
         "x is the response key of two", false},
        {"a variable in an object, twice",
         "x:avatar(size:{b:$v})x:avatar(size:{b:$v})", GOOD, NULL,
         "x is the response key of two", false},
        {"a list and another one", "x:avatar(size:[1])x:avatar(size:[1,2])",
         GOOD, NULL, "x is the response key of two", false},
        {"an unknown type", "...on Admin{email}", GOOD, NULL,
         "condition on type Admin", true},
    };

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++)
        expect_row(&rows[i], NULL);
}

/* With bearer tokens our token replaces the backend's, and only that. */
static void
test_token(void **state)
{
    static const struct row row = {
        "ours", "session{t:token}refreshToken",
        GOOD,   DATA("\"session\":{\"t\":\"ours\"},\"refreshToken\":null"),
        NULL,   false};

    (void)state;
    expect_row(&row, "ours");
}

static void
check_memory(const char *answer_text)
{
    bool is_done = false;

    for (size_t n = 1; !is_done; n++) {
        const struct row row = {.name = "memory",
                                .client = "session{token}stores{id}",
                                .answer = answer_text};
        struct login_operation request;
        struct login_reason reason = {""};
        struct login_shape shape = {.arena = arena,
                                    .config = config,
                                    .ours = &config->backend.logins[0],
                                    .theirs = &request,
                                    .reason = &reason};
        struct login_answer answer = {.secret = PST_STR("s3cr")};
        struct pst_str out;
        enum pst_err e;

        read_client(&row, &request);
        assert_int_equal(login_operation_find_field(&request, &reason), PST_OK);
        assert_int_equal(
            pst_json_parse(arena, pst_str_from(row.answer), &answer.root),
            PST_OK);
        pst_arena_fail_at(arena, n);
        e = login_shape_check(&shape);
        if (!e)
            e = login_shape_emit(&shape, &answer, &out);
        is_done = e == PST_OK;
        assert_true(is_done || e == PST_NO_MEMORY);
        pst_arena_reset(arena);
        assert_true(n < 1000);
    }
}

/* A fixed bug: a refusal aborted the program if the first byte of the answer
 * could not be allocated. */
static void
test_memory(void **state)
{
    (void)state;
    check_memory(GOOD);
    check_memory("{\"errors\":[{\"message\":\"No.\",\"path\":[\"login\"]}],"
                 "\"data\":{\"login\":null}}");
}

/* Fragments that expand to 2^20 fields are refused. */
static void
test_bounded(void **state)
{
    struct row row = {"too much", "", GOOD, NULL, "too many", false};
    static char text[2048];
    struct pst_buf buf;

    (void)state;
    pst_buf_init(&buf, text, sizeof(text) - 1);
    pst_buf_add_string(&buf, "mutation{login(email:\"a\",password:\"p\"){...F0}"
                             "}fragment F20 on Owner{email}");
    for (int i = 0; i < 20; i++) {
        char line[64];

        (void)snprintf(line, sizeof(line),
                       "fragment F%d on Owner{...F%d...F%d}", i, i + 1, i + 1);
        pst_buf_add_string(&buf, line);
    }
    text[pst_buf_str(&buf).len] = '\0';
    row.client = text;
    expect_row(&row, NULL);
}

/* The limit does not count list elements of the answer. */
static void
test_long_list(void **state)
{
    static char answer[64 * 1024];
    static char want[64 * 1024];
    const struct row row = {"a long list", "stores{id}", answer,
                            want,          NULL,         false};
    struct pst_buf bufs[2];

    (void)state;
    pst_buf_init(&bufs[0], answer, sizeof(answer) - 1);
    pst_buf_init(&bufs[1], want, sizeof(want) - 1);
    pst_buf_add_string(&bufs[0], "{\"data\":{\"__typename\":\"Mutation\","
                                 "\"in\":{\"__typename\":\"Owner\","
                                 "\"postern_Owner\":\"Owner\",\"stores\":[");
    pst_buf_add_string(&bufs[1], "{\"data\":{\"login\":{\"stores\":[");
    for (int i = 0; i < 1200; i++) {
        pst_buf_add_string(&bufs[0], i ? ",{\"__typename\":\"Store\",\"id\":1}"
                                       : "{\"__typename\":\"Store\",\"id\":1}");
        pst_buf_add_string(&bufs[1], i ? ",{\"id\":1}" : "{\"id\":1}");
    }
    for (size_t i = 0; i < PST_COUNT(bufs); i++) {
        pst_buf_add_string(&bufs[i], "]}}}");
        assert_int_equal(bufs[i].err, PST_OK);
    }
    expect_row(&row, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),  cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_token),   cmocka_unit_test(test_memory),
        cmocka_unit_test(test_bounded), cmocka_unit_test(test_long_list),
    };
    int failed;

    if (pst_arena_new(&arena, ARENA_SIZE) != PST_OK)
        return 1;
    config = login_config();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    config_free(&config);
    pst_arena_free(&arena);
    return failed;
}
