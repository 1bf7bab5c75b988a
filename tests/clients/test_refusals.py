# SPDX-License-Identifier: ISC
"""What an honest client may have written and the gateway refuses: the whole
list, each with what to write instead (design 2.5 and 2.7). Everything else
in this folder passes as it is."""

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


@pytest.fixture(name="gate", scope="module")
def gate_fixture(gate_of):
    return gate_of("cookie")


@pytest.fixture(name="sign_in_gate", scope="module")
def sign_in_gate_fixture(gate_of, tmp_path_factory):
    path = tmp_path_factory.mktemp("documents") / "sign-in.graphql"
    path.write_text(SIGN_IN, encoding="utf-8")
    return gate_of("cookie", POSTERN_LOGIN_DOCUMENT=str(path),
                   POSTERN_UPSTREAM_TOKEN="json:session/secret",
                   POSTERN_SUBJECT="viewer/id", POSTERN_NAME="viewer/email",
                   POSTERN_TTL="session/ttl")


@pytest.fixture(name="variables")
def variables_fixture(server):
    account = server.register()
    return {"email": account.email, "password": account.password}


def is_refused(server, answer, code, status=400):
    """And the backend has not heard of it."""
    assert (answer.status, answer.code) == (status, code), answer
    assert answer.all("set-cookie") == []
    assert server.seen() == []


# Instead: the login on its own.
BESIDE = {
    "another mutation": "addItem(input: {title: \"x\"}) { id }",
    "a second login": "again: login%s { email }" % ARGUMENTS,
    "a logout": "logout",
}


@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("place", ["/query", "/login"])
def test_a_login_beside_something(server, gate, variables, place, beside):
    is_refused(server, gate.post(place, {
        "query": LOGIN[:-1] + BESIDE[beside] + "}", "variables": variables}),
        "LOGIN_SHAPE")


# Instead: leave the whole mutation out.
@pytest.mark.parametrize("directive", ["@include(if: true)",
                                       "@skip(if: false)"])
def test_a_login_on_condition(server, gate, variables, directive):
    is_refused(server, gate.post("/query", {
        "query": LOGIN.replace("{ email }", directive + " { email }"),
        "variables": variables}), "LOGIN_SHAPE")


# Instead: a document with the login alone. GraphiQL sends all that stands in
# its window.
def test_a_login_among_several_operations(server, gate, variables):
    is_refused(server, gate.post("/query", {
        "query": LOGIN + ME, "operationName": "Login",
        "variables": variables}), "LOGIN_SHAPE")


# Instead: a login with a link of its own, past the batch; or a context that
# leaves the batch, as Apollo's batchKey.
def test_a_login_in_a_batch_of_several(server, gate, variables):
    """An error in its place; the others pass."""
    answer = gate.post("/query", [
        {"query": ME}, {"query": LOGIN, "variables": variables}])
    assert answer.status == 200 and answer.all("set-cookie") == []
    others, login = answer.json
    assert others["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert login["errors"][0]["extensions"]["code"] == "LOGIN_SHAPE"
    assert len(server.seen()) == 1


# Instead: POST.
@pytest.mark.parametrize("document", [LOGIN, "mutation { logout }"])
def test_a_mutation_by_get(server, gate, variables, document):
    answer = gate.get("/query?" + urllib.parse.urlencode({
        "query": document, "variables": json.dumps(variables)}))
    is_refused(server, answer, "METHOD_NOT_ALLOWED", 405)
    assert answer.get("allow") == "POST"


# Instead: add the field to POSTERN_LOGIN_DOCUMENT.
def test_a_field_that_the_login_document_has_not(server, sign_in_gate,
                                                 variables):
    answer = sign_in_gate.post("/query", {
        "query": SIGN_IN.replace("id email }", "id email name }"),
        "variables": variables})
    message = answer.json["errors"][0]["message"]
    assert "name" in message and "POSTERN_LOGIN_DOCUMENT" in message
    is_refused(server, answer, "LOGIN_SHAPE")


# Instead: a login document of its own for the other mutation, or a name in
# POSTERN_SECRET_FIELDS_ALLOWED.
def test_a_second_mutation_with_a_secret(server, gate, variables):
    is_refused(server, gate.post("/query", {
        "query": SIGN_IN, "variables": variables}), "SECRET_FIELD")


# Instead: one of three headers, as Apollo Server asks for too. A browser and
# a bearer token need none.
def test_an_upload_with_a_cookie_from_no_browser(server, gate, variables):
    answer = gate.post("/login", variables)
    cookie = answer.get("set-cookie").partition(";")[0]
    server.seen()
    parts = (("operations", json.dumps({
        "query": "mutation ($file: File!) { upload(file: $file) { size } }",
        "variables": {"file": None}})), ("map", '{"0":["variables.file"]}'),
             ('0"; filename="a.txt', "text"))
    body = "".join('--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n'
                   "%s\r\n" % part for part in parts) + "--x--\r\n"
    kind = ("Content-Type", "multipart/form-data; boundary=x")
    is_refused(server, gate.send("POST", "/query", body.encode(), [
        kind, ("Cookie", cookie)]), "CROSS_SITE", 403)
    for name in ("apollo-require-preflight", "x-apollo-operation-name",
                 "graphql-preflight"):
        answer = gate.send("POST", "/query", body.encode(), [
            kind, ("Cookie", cookie), (name, "1")])
        assert answer.json == {"data": {"upload": {"size": 4}}}
