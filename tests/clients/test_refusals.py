# SPDX-License-Identifier: ISC
"""All requests that a legitimate client may send and the gateway refuses, each
with the remedy (design 2.5 and 2.7)."""

import json
import urllib.parse

import pytest

ARGUMENTS = "(email: $email, password: $password)"
LOGIN = """mutation Login($email: String!, $password: String!) {
    login%s { email } }""" % ARGUMENTS
ME = "query Me { me { email } }"
SIGN_IN = """mutation ($email: String!, $password: String!) {
    signIn(input: {email: $email, password: $password}) {
        session { secret ttl } viewer { id email } } }"""


@pytest.fixture(name="gateway", scope="module")
def gateway_fixture(gateway_for):
    return gateway_for("cookie")


@pytest.fixture(name="sign_in_gateway", scope="module")
def sign_in_gateway_fixture(gateway_for, tmp_path_factory):
    path = tmp_path_factory.mktemp("documents") / "sign-in.graphql"
    path.write_text(SIGN_IN, encoding="utf-8")
    return gateway_for("cookie", POSTERN_LOGIN_DOCUMENT=str(path),
                       POSTERN_UPSTREAM_TOKEN="json:session/secret",
                       POSTERN_SUBJECT="viewer/id", POSTERN_NAME="viewer/email",
                       POSTERN_TTL="session/ttl")


@pytest.fixture(name="variables")
def variables_fixture(server):
    account = server.register()
    return {"email": account.email, "password": account.password}


def assert_refused(server, answer, code, status=400):
    """The answer is this error, and no request was sent to the backend."""
    assert (answer.status, answer.code) == (status, code), answer
    assert answer.all("set-cookie") == []
    assert server.seen() == []


# Remedy: send the login alone.
OTHER_FIELDS = {
    "another mutation": "addItem(input: {title: \"x\"}) { id }",
    "a second login": "again: login%s { email }" % ARGUMENTS,
    "a logout": "logout",
}


@pytest.mark.parametrize("other_field", OTHER_FIELDS)
@pytest.mark.parametrize("path", ["/query", "/login"])
def test_login_beside_another_field(server, gateway, variables, path,
                                    other_field):
    assert_refused(server, gateway.post(path, {
        "query": LOGIN[:-1] + OTHER_FIELDS[other_field] + "}",
        "variables": variables}),
                   "LOGIN_SHAPE")


# Remedy: do not send the mutation.
@pytest.mark.parametrize("directive", ["@include(if: true)",
                                       "@skip(if: false)"])
def test_login_with_a_condition(server, gateway, variables, directive):
    assert_refused(server, gateway.post("/query", {
        "query": LOGIN.replace("{ email }", directive + " { email }"),
        "variables": variables}), "LOGIN_SHAPE")


# Remedy: a document with the login only. GraphiQL sends everything in its
# editor.
def test_login_among_several_operations(server, gateway, variables):
    assert_refused(server, gateway.post("/query", {
        "query": LOGIN + ME, "operationName": "Login",
        "variables": variables}), "LOGIN_SHAPE")


# Remedy: a separate link for the login, or a context that takes it out of the
# batch, as Apollo's batchKey.
def test_login_in_a_batch(server, gateway, variables):
    """The login's part of the answer is an error; the others succeed."""
    answer = gateway.post("/query", [
        {"query": ME}, {"query": LOGIN, "variables": variables}])
    assert answer.status == 200 and answer.all("set-cookie") == []
    others, login = answer.json
    assert others["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert login["errors"][0]["extensions"]["code"] == "LOGIN_SHAPE"
    assert len(server.seen()) == 1


# Remedy: POST.
@pytest.mark.parametrize("document", [LOGIN, "mutation { logout }"])
def test_mutation_by_get(server, gateway, variables, document):
    answer = gateway.get("/query?" + urllib.parse.urlencode({
        "query": document, "variables": json.dumps(variables)}))
    assert_refused(server, answer, "METHOD_NOT_ALLOWED", 405)
    assert answer.get("allow") == "POST"


# Remedy: add the field to POSTERN_LOGIN_DOCUMENT.
def test_login_field_missing_in_the_login_document(
        server, sign_in_gateway, variables):
    answer = sign_in_gateway.post("/query", {
        "query": SIGN_IN.replace("id email }", "id email name }"),
        "variables": variables})
    message = answer.json["errors"][0]["message"]
    assert "name" in message and "POSTERN_LOGIN_DOCUMENT" in message
    assert_refused(server, answer, "LOGIN_SHAPE")


# Remedy: a login document for the other mutation, or an entry in
# POSTERN_SECRET_FIELDS_ALLOWED.
def test_other_mutation_with_a_secret(server, gateway, variables):
    assert_refused(server, gateway.post("/query", {
        "query": SIGN_IN, "variables": variables}), "SECRET_FIELD")


# Remedy: one of three headers, as for Apollo Server. Browsers and bearer tokens
# need none.
def test_upload_with_a_cookie_without_fetch_metadata(
        server, gateway, variables):
    answer = gateway.post("/login", variables)
    cookie = answer.get("set-cookie").partition(";")[0]
    server.seen()
    parts = (("operations", json.dumps({
        "query": "mutation ($file: File!) { upload(file: $file) { size } }",
        "variables": {"file": None}})), ("map", '{"0":["variables.file"]}'),
             ('0"; filename="a.txt', "text"))
    body = "".join('--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n'
                   "%s\r\n" % part for part in parts) + "--x--\r\n"
    content_type = ("Content-Type", "multipart/form-data; boundary=x")
    assert_refused(server, gateway.send("POST", "/query", body.encode(), [
        content_type, ("Cookie", cookie)]), "CROSS_SITE", 403)
    for name in ("apollo-require-preflight", "x-apollo-operation-name",
                 "graphql-preflight"):
        answer = gateway.send("POST", "/query", body.encode(), [
            content_type, ("Cookie", cookie), (name, "1")])
        assert answer.json == {"data": {"upload": {"size": 4}}}
