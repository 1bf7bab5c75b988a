/* SPDX-License-Identifier: ISC */
/*
 * test_config_backend.c - what follows from the backend's documents, and
 * which settings about them contradict each other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/config_backend.h"

#define ARENA_SIZE (1024 * 1024)
#define ERRORS_MAX 4

static struct pst_arena *arena;

/* The variables of which server/config_backend.c asks whether they were set. */
static const struct config_entry entries[] = {
    {.row.name = "POSTERN_SUBJECT"},
    {.row.name = "POSTERN_NAME"},
    {.row.name = "POSTERN_TTL"},
    {.row.name = "POSTERN_LOGIN_DOCUMENT"},
    {.row.name = "POSTERN_WHO_DOCUMENT"},
    {.row.name = "POSTERN_LOGOUT_DOCUMENT"},
    {.row.name = "POSTERN_REFRESH_DOCUMENT"},
};

/* The files of each of these documents. */
static const char *const document_files[] = {
    "/a.graphql, /b\x1B.graphql /c.graphql", "/a who.graphql",
    "/a logout.graphql", "/a refresh.graphql"};

/* A backend as a table would have read it; NULL: not set. */
struct setting {
    enum config_preset preset;
    const char *logins[3];
    const char *who;
    const char *logout;
    enum config_token_location place;
    const char *token;
    const char *subject;
    const char *name;
    const char *ttl;
    bool is_name_given; /* not the preset's defaults */
    bool is_ttl_given;
    int64_t revalidate;
    const char *secret_names[3];
    const char *allowed[4];
    const char *passwords[2];
    const char *refresh;
    const char *refresh_token;
};

struct reported {
    size_t count;
    char variable[ERRORS_MAX][40];
    char error[ERRORS_MAX][400];
};

static struct reported reported;

static void
report_error(void *context, const char *variable, const char *error)
{
    (void)context;
    assert_true(reported.count < ERRORS_MAX);
    snprintf(reported.variable[reported.count], sizeof(reported.variable[0]),
             "%s", variable);
    snprintf(reported.error[reported.count++], sizeof(reported.error[0]), "%s",
             error);
}

static size_t
fill(struct pst_str *texts, const char *const *strings, size_t max)
{
    size_t count = 0;

    for (; count < max && strings[count]; count++)
        texts[count] = pst_str_from(strings[count]);
    return count;
}

/* The setting's documents and what is made of them. */
struct made {
    struct config_backend backend;
    struct pst_str logins[3];
    struct pst_str secrets[3];
    struct pst_str allowed[4];
    struct pst_str passwords[2];
    struct config_state states[PST_COUNT(entries)];
    struct config_reader reader;
    enum pst_err e;
};

static void
make(struct made *made, const struct setting *setting)
{
    static const struct config_reporter reporter = {report_error, NULL};
    struct config_backend *backend = &made->backend;

    memset(&reported, 0, sizeof(reported));
    memset(made, 0, sizeof(*made));
    *backend = (struct config_backend){
        .preset = setting->preset,
        .login_texts = made->logins,
        .login_text_count = fill(made->logins, setting->logins, 3),
        .who_text = pst_str_from(setting->who),
        .logout_text = pst_str_from(setting->logout),
        .token_location = setting->place,
        .token = pst_str_from(setting->token),
        .subject = pst_str_from(setting->subject),
        .name = pst_str_from(setting->name),
        .ttl = pst_str_from(setting->ttl),
        .secret_names = made->secrets,
        .secret_name_count = fill(made->secrets, setting->secret_names, 3),
        .secrets_allowed = made->allowed,
        .secrets_allowed_count = fill(made->allowed, setting->allowed, 4),
        .password_fields = made->passwords,
        .password_field_count = fill(made->passwords, setting->passwords, 2),
        .revalidate = setting->revalidate,
        .refresh_text = pst_str_from(setting->refresh),
        .refresh_token = pst_str_from(setting->refresh_token),
    };
    if (setting->is_name_given)
        made->states[1].raw_value = backend->name;
    if (setting->is_ttl_given)
        made->states[2].raw_value = backend->ttl;
    for (size_t i = 0; i < PST_COUNT(document_files); i++)
        made->states[3 + i].raw_value = pst_str_from(document_files[i]);
    made->reader = (struct config_reader){.entries = entries,
                                          .count = PST_COUNT(entries),
                                          .states = made->states,
                                          .arena = arena,
                                          .reporter = &reporter};
    made->e = config_backend_load(&made->reader, backend);
}

static void
make_good(struct made *made, const struct setting *setting)
{
    pst_arena_reset(arena);
    make(made, setting);
    if (made->e || made->reader.is_invalid || reported.count)
        fail_msg("%s: %s %s", pst_err_code(made->e), reported.variable[0],
                 reported.error[0]);
}

static void
expect_text(const char *what, struct pst_str got, const char *want)
{
    if (pst_str_is_absent(got) != !want ||
        (want && !pst_str_equal(got, pst_str_from(want))))
        fail_msg("%s: is %.*s, not %s", what, (int)got.len,
                 got.ptr ? got.ptr : "(absent)", want ? want : "(absent)");
}

/* "mutation.login", "any.x": a root as it was written. */
static void
expect_root(const struct pst_graphql_root_field *root, const char *want)
{
    static const char *const kinds[] = {"query.", "mutation.", "subscription."};
    char got[80];

    snprintf(got, sizeof(got), "%s%.*s",
             root->is_any_kind ? "any." : kinds[root->kind],
             (int)root->field.len, root->field.ptr);
    assert_string_equal(got, want);
}

#define FAUNA \
    .token = "/secret", .subject = "/ownerId", .name = "/email", .ttl = "/ttl"
#define VENDURE                                         \
    .preset = PRESET_VENDURE, .place = TOKEN_IN_HEADER, \
    .token = "vendure-auth-token", .subject = "/id", .name = "/identifier"
#define BOTH "$email:String!,$password:String!"
#define BIND "email:$email,password:$password"
#define LOGIN(fields) "mutation(" BOTH "){login(" BIND "){" fields "}}"
#define RENEW(fields) \
    "mutation($refreshToken:S!){renew(t:$refreshToken){" fields "}}"
#define ALL "secret ttl email ownerId"

static void
test_fauna(void **state)
{
    static const struct setting setting = {FAUNA};
    struct made made;

    (void)state;
    make_good(&made, &setting);
    assert_int_equal(made.backend.login_count, 1);
    expect_text("field", made.backend.logins[0].field->name, "login");
    expect_text("name", made.backend.logins[0].name_variable, "email");
    assert_true(made.backend.logins[0].has_password);
    assert_false(made.backend.logins[0].has_remember);
    assert_true(pst_str_contains(made.backend.logins[0].text,
                                 PST_STR("__typename secret ttl email "
                                         "ownerId}")));
    assert_null(made.backend.who.field);
    expect_text("who", made.backend.who_text, NULL);
    expect_text("logout", made.backend.logout_text,
                "mutation OwnerLogout {logout}");
    expect_text("ttl", made.backend.ttl, "/ttl");
    assert_int_equal(made.backend.rules.login_count, 1);
    expect_root(&made.backend.rules.logins[0], "mutation.login");
    assert_int_equal(made.backend.rules.secret_count, 1);
    expect_text("secret", made.backend.rules.secrets[0], "secret");
    assert_int_equal(made.backend.rules.password_count, 0);
    assert_int_equal(made.backend.rules.secret_allowed_count, 0);
}

static void
test_vendure(void **state)
{
    static const struct setting setting = {
        VENDURE, .passwords = {"mutation.updateCustomerPassword"}};
    struct made made;

    (void)state;
    make_good(&made, &setting);
    assert_int_equal(made.backend.login_count, 2);
    expect_text("first", made.backend.logins[0].field->name, "login");
    expect_text("second", made.backend.logins[1].field->name, "authenticate");
    for (size_t i = 0; i < 2; i++) {
        const struct login_document *login = &made.backend.logins[i];

        expect_text("name", login->name_variable, "username");
        assert_true(login->has_password && login->has_remember);
        assert_true(pst_str_contains(
            login->text, PST_STR("postern_ErrorResult:__typename")));
    }
    expect_text("who", made.backend.who.field->name, "me");
    expect_text("logout", made.backend.logout_text,
                "mutation Logout {logout {success}}");
    expect_text("subject", made.backend.subject, "/id");
    expect_text("name", made.backend.name, "/identifier");
    expect_text("ttl", made.backend.ttl, NULL);
    assert_int_equal(made.backend.rules.login_count, 2);
    expect_root(&made.backend.rules.logins[0], "mutation.login");
    expect_root(&made.backend.rules.logins[1], "mutation.authenticate");
    assert_int_equal(made.backend.rules.secret_count, 0);
    assert_int_equal(made.backend.rules.password_count, 1);
    expect_root(&made.backend.rules.passwords[0],
                "mutation.updateCustomerPassword");
}

/* Documents of one's own take the place of all of the preset's. */
static void
test_own_documents(void **state)
{
    static const struct setting setting = {
        .logins = {LOGIN(ALL), "mutation{renew{secret ownerId}}"},
        .logout = "mutation{bye}",
        FAUNA};
    static const struct setting vendure = {VENDURE, .logins = {LOGIN("id")},
                                           .who = "{self{id}}"};
    struct made made;

    (void)state;
    make_good(&made, &setting);
    assert_int_equal(made.backend.login_count, 2);
    expect_root(&made.backend.rules.logins[1], "mutation.renew");
    expect_text("logout", made.backend.logout_text, "mutation{bye}");
    /* Not in every document, and not asked for: no fault. */
    expect_text("name", made.backend.name, NULL);
    expect_text("ttl", made.backend.ttl, NULL);
    expect_text("subject", made.backend.subject, "/ownerId");
    make_good(&made, &vendure);
    assert_int_equal(made.backend.login_count, 1);
    expect_text("who", made.backend.who.field->name, "self");
    expect_text("name", made.backend.name, NULL);
}

/* L53, L56: the field of a login and of a secret by their real names. */
static void
test_aliases(void **state)
{
    static const struct setting setting = {
        .logins = {"mutation(" BOTH "){login:signIn(" BIND "){session{secret:"
                   "accessToken} who:user{id}}}",
                   "mutation{login:refresh{session{...F} who:user{id}}}"
                   "fragment F on S{secret:newToken}"},
        .token = "/session/secret",
        .subject = "/who/id",
        .secret_names = {"refreshToken"},
        .allowed = {"checkout", "query.cart", "subscription.a", "mutation.b"},
    };
    struct made made;

    (void)state;
    make_good(&made, &setting);
    expect_root(&made.backend.rules.logins[0], "mutation.signIn");
    expect_root(&made.backend.rules.logins[1], "mutation.refresh");
    assert_int_equal(made.backend.rules.secret_count, 3);
    expect_text("first", made.backend.rules.secrets[0], "accessToken");
    expect_text("second", made.backend.rules.secrets[1], "newToken");
    expect_text("further", made.backend.rules.secrets[2], "refreshToken");
    assert_int_equal(made.backend.rules.secret_allowed_count, 4);
    expect_root(&made.backend.rules.secrets_allowed[0], "any.checkout");
    expect_root(&made.backend.rules.secrets_allowed[1], "query.cart");
    expect_root(&made.backend.rules.secrets_allowed[2], "subscription.a");
    expect_root(&made.backend.rules.secrets_allowed[3], "mutation.b");
}

/* The ttl may be in the response to the login or to the who document. */
static void
test_ttl(void **state)
{
    static const struct setting rows[] = {
        {.who = "{me{ownerId email}}", FAUNA},
        {.who = "{me{ownerId email ttl}}", .logins = {LOGIN("secret")}, FAUNA},
    };
    struct made made;

    (void)state;
    for (size_t i = 0; i < PST_COUNT(rows); i++) {
        make_good(&made, &rows[i]);
        expect_text("ttl", made.backend.ttl, "/ttl");
    }
}

struct refused {
    const char *name;
    struct setting setting;
    const char *variable;
    const char *error; /* part of the sentence */
};

static const struct refused refused[] = {
    {"a login that is a query",
     {.logins = {"query(" BOTH "){login(" BIND "){secret}}"}, FAUNA},
     "POSTERN_LOGIN_DOCUMENT",
     "/a.graphql is a document that is not a mutation"},
    {"a first without a password",
     {.logins = {"mutation($email:String!){login(a:$email){" ALL "}}"}, FAUNA},
     "POSTERN_LOGIN_DOCUMENT",
     "/a.graphql is the first document, and has no"},
    {"a second that is not a document",
     {.logins = {LOGIN(ALL), "mutation"}, FAUNA},
     "POSTERN_LOGIN_DOCUMENT",
     "/b\\x1b.graphql cannot be parsed at line 1"},
    {"the same login twice",
     {.logins = {LOGIN(ALL), "mutation{renew{" ALL "}}",
                 "# the same\nmutation(" BOTH "){login(" BIND "){" ALL "}}"},
      FAUNA},
     "POSTERN_LOGIN_DOCUMENT",
     "/c.graphql is the same document as file 1 of this variable"},
    {"who is a mutation",
     {.who = "mutation{me{ownerId}}", FAUNA},
     "POSTERN_WHO_DOCUMENT",
     "/a who.graphql is not one query"},
    {"no logout document",
     {.logout = "logout", FAUNA},
     "POSTERN_LOGOUT_DOCUMENT",
     "/a logout.graphql cannot be parsed at line 1"},
    {"a logout that is a query",
     {.logout = "{logout}", FAUNA},
     "POSTERN_LOGOUT_DOCUMENT",
     "/a logout.graphql is not one mutation"},
    {"a logout that is two",
     {.logout = "mutation a{logout} mutation b{logout}", FAUNA},
     "POSTERN_LOGOUT_DOCUMENT",
     "is not one mutation"},
    {"token nowhere",
     {.logins = {LOGIN("ttl email ownerId")}, FAUNA},
     "POSTERN_UPSTREAM_TOKEN",
     "names the field secret, which the login document does not select"},
    {"token in the first only",
     {.logins = {LOGIN(ALL), "mutation{renew{ownerId}}"}, FAUNA},
     "POSTERN_UPSTREAM_TOKEN",
     "names the field secret, "},
    {"token that is an object",
     {.logins = {LOGIN("secret{a} ownerId")}, FAUNA},
     "POSTERN_UPSTREAM_TOKEN",
     "as a leaf"},
    {"token by its field's name, which has an alias",
     {.logins = {LOGIN("x:secret ownerId")}, FAUNA},
     "POSTERN_UPSTREAM_TOKEN",
     "names the field secret, "},
    {"subject not in the login",
     {.logins = {LOGIN("secret email")}, FAUNA},
     "POSTERN_SUBJECT",
     "names the field ownerId, which the login document does not select"},
    {"L53: subject not in who, but in the login",
     {.who = "{me{email}}", FAUNA},
     "POSTERN_SUBJECT",
     "names the field ownerId, which the who document does not select"},
    {"a name that was asked for",
     {.logins = {LOGIN("secret ownerId")}, FAUNA, .is_name_given = true},
     "POSTERN_NAME",
     "names the field email, "},
    {"a ttl that was asked for",
     {.logins = {LOGIN("secret ownerId")}, FAUNA, .is_ttl_given = true},
     "POSTERN_TTL",
     "names the field ttl, "},
    {"L53: token in a header, no who document",
     {.place = TOKEN_IN_HEADER,
      .token = "x-token",
      .subject = "/ownerId",
      .name = "/email"},
     "POSTERN_WHO_DOCUMENT",
     "is not set: it is needed where the token is in a header or a "
     "cookie, because the backend must be asked who the user is: set it to a "
     "file with a query such as {me{id}}"},
    {"L53: token in a cookie, and nobody to ask",
     {.place = TOKEN_IN_COOKIE, .subject = "/ownerId", .name = "/email"},
     "POSTERN_WHO_DOCUMENT",
     "is not set"},
    {"the same, and a pointer into the document that is missing",
     {.place = TOKEN_IN_COOKIE, .subject = "/user/id", .name = "/email"},
     "POSTERN_WHO_DOCUMENT",
     "is not set"},
    {"a refresh document, no pointer",
     {FAUNA, .refresh = RENEW("secret ttl")},
     "POSTERN_REFRESH_TOKEN",
     "is not set, but POSTERN_REFRESH_DOCUMENT is"},
    {"a pointer, no refresh document",
     {FAUNA, .refresh_token = "/again"},
     "POSTERN_REFRESH_DOCUMENT",
     "is not set, but POSTERN_REFRESH_TOKEN is"},
    {"a refresh document that is a query",
     {FAUNA, .refresh = "{a{b}}", .refresh_token = "/again"},
     "POSTERN_REFRESH_DOCUMENT",
     "/a refresh.graphql is a document that is not a mutation"},
    {"no refresh token in the login",
     {FAUNA, .refresh = RENEW("secret ttl again"), .refresh_token = "/again"},
     "POSTERN_REFRESH_TOKEN",
     "names the field again, which the login document does not select"},
    {"an object for a refresh token in the refresh",
     {.logins = {LOGIN("secret ownerId ttl again")},
      FAUNA,
      .refresh = RENEW("secret ttl again{x}"),
      .refresh_token = "/again"},
     "POSTERN_REFRESH_TOKEN",
     "names the field again, which the refresh document does not select"},
    {"no token in the refresh",
     {.logins = {LOGIN("secret ownerId ttl again")},
      FAUNA,
      .refresh = RENEW("ttl again"),
      .refresh_token = "/again"},
     "POSTERN_UPSTREAM_TOKEN",
     "names the field secret, which the refresh document does not select"},
    {"no end in the refresh",
     {.logins = {LOGIN("secret ownerId ttl again")},
      FAUNA,
      .refresh = RENEW("secret again"),
      .refresh_token = "/again"},
     "POSTERN_TTL",
     "names the field ttl, which the refresh document does not select"},
    {"no end at all",
     {.logins = {LOGIN("secret ownerId again")},
      FAUNA,
      .refresh = RENEW("secret again"),
      .refresh_token = "/again"},
     "POSTERN_TTL",
     "is needed with POSTERN_REFRESH_DOCUMENT"},
    {"a refresh of cookies",
     {.logins = {LOGIN("ok ttl again")},
      .who = "{me{ownerId email}}",
      .place = TOKEN_IN_COOKIE,
      .subject = "/ownerId",
      .name = "/email",
      .ttl = "/ttl",
      .refresh = RENEW("ttl again"),
      .refresh_token = "/again"},
     "POSTERN_REFRESH_DOCUMENT",
     "cannot be used with POSTERN_UPSTREAM_TOKEN=cookie"},
    {"revalidation, no who document",
     {FAUNA, .revalidate = 900},
     "POSTERN_REVALIDATE",
     "needs POSTERN_WHO_DOCUMENT"},
};

static void
test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < PST_COUNT(refused); i++) {
        const struct refused *row = &refused[i];
        struct made made;

        pst_arena_reset(arena);
        make(&made, &row->setting);
        if (made.e || !made.reader.is_invalid || reported.count != 1 ||
            strcmp(reported.variable[0], row->variable) != 0 ||
            !strstr(reported.error[0], row->error))
            fail_msg("%s: %s, %zu errors: %s %s", row->name,
                     pst_err_code(made.e), reported.count, reported.variable[0],
                     reported.error[0]);
        assert_int_equal(made.backend.rules.login_count, 0);
    }
}

/* All wrong documents are reported at once; so are all wrong pointers. */
static void
test_all_at_once(void **state)
{
    static const struct setting documents = {
        .logins = {"a"}, .who = "b", .logout = "c", FAUNA};
    static const struct setting pointers = {.logins = {LOGIN("x")},
                                            FAUNA,
                                            .is_name_given = true,
                                            .is_ttl_given = true};
    static const char *const want[2][4] = {
        {"POSTERN_LOGIN_DOCUMENT", "POSTERN_WHO_DOCUMENT",
         "POSTERN_LOGOUT_DOCUMENT", NULL},
        {"POSTERN_UPSTREAM_TOKEN", "POSTERN_SUBJECT", "POSTERN_NAME",
         "POSTERN_TTL"}};
    struct made made;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        pst_arena_reset(arena);
        make(&made, i ? &pointers : &documents);
        assert_int_equal(made.e, PST_OK);
        assert_int_equal(reported.count, i ? 4 : 3);
        for (size_t j = 0; j < reported.count; j++)
            assert_string_equal(reported.variable[j], want[i][j]);
    }
}

/* What was wrong before stays wrong. */
static void
test_earlier_faults(void **state)
{
    static const struct setting setting = {FAUNA};
    struct config_backend backend;
    struct made made;

    (void)state;
    make_good(&made, &setting);
    backend = (struct config_backend){.token = made.backend.token,
                                      .subject = made.backend.subject};
    made.reader.is_invalid = true;
    assert_int_equal(config_backend_load(&made.reader, &backend), PST_OK);
    assert_true(made.reader.is_invalid);
    assert_int_equal(backend.rules.login_count, 1);
}

static void
test_memory(void **state)
{
    static const struct setting setting = {
        VENDURE, .secret_names = {"refreshToken"}, .allowed = {"checkout"}};
    enum pst_err e = PST_NO_MEMORY;
    size_t n;

    (void)state;
    for (n = 1; e == PST_NO_MEMORY && n < 1000; n++) {
        struct made made;

        pst_arena_reset(arena);
        pst_arena_fail_at(arena, n);
        make(&made, &setting);
        e = made.e;
        assert_false(made.reader.is_invalid);
        assert_int_equal(reported.count, 0);
    }
    assert_int_equal(e, PST_OK);
    assert_in_range(n, 20, 999);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fauna),
        cmocka_unit_test(test_vendure),
        cmocka_unit_test(test_own_documents),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_ttl),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_earlier_faults),
        cmocka_unit_test(test_memory),
    };
    int failed;

    if (pst_arena_new(&arena, ARENA_SIZE) != PST_OK)
        return 1;
    failed = cmocka_run_group_tests_name("config_backend", tests, NULL, NULL);
    pst_arena_free(&arena);
    return failed;
}
