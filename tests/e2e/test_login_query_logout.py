# SPDX-License-Identifier: ISC
"""Log in, query, log out: behind a real lighttpd, in front of a real GraphQL
backend, by FastCGI and by plain CGI, with the very files in etc/lighttpd/
(design 2.1 to 2.6, 2.8, 2.9)."""

import base64
import json
import re
import time
import urllib.parse

import pytest
from gateway import COOKIE, LOGIN, ME
from graphql import parse, print_ast
from http_client import cookie_of
from jwcrypto import jwk, jws

pytestmark = pytest.mark.quick

ATTRIBUTES = ["Path=/", "HttpOnly", "Secure", "SameSite=Lax"]
CREATE = """mutation ($name: String!) {
    createStore(name: $name) { id name owner { ownerId } } }"""
GRAPHQL_TYPE = "application/graphql-response+json"
NAVIGATION = [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "navigate")]
BOTH = pytest.mark.parametrize("kind", ["fastcgi", "cgi"])
DATE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
SECRET = "canned-secret-0123456789-abcdefghijklmnopqrstuvw"


def seconds_of(text):
    assert re.fullmatch(DATE, text), text
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone


def check_new_session(answer):
    """R30 to R34, R37, R44: the cookie, and that nobody keeps the answer."""
    name, value, attributes = cookie_of(answer)
    assert name == COOKIE
    assert attributes == ATTRIBUTES
    assert re.fullmatch(r"[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+", value)
    assert len(name) + len(value) <= 4096
    assert answer.get("cache-control") == "no-store"
    assert answer.get("x-content-type-options") == "nosniff"
    assert {"cookie", "origin"} <= answer.vary
    assert answer.get("vendure-auth-token") is None
    return value


def check_no_session(answer):
    assert answer.all("set-cookie") == []
    assert answer.get("vendure-auth-token") is None
    assert answer.get("cache-control") == "no-store"


def check_cleared(answer):
    """R42: emptied, with the attributes it was set with."""
    name, value, attributes = cookie_of(answer)
    assert (name, value) == (COOKIE, "")
    assert sorted(attributes) == sorted(ATTRIBUTES + ["Max-Age=0"])


def graphql_login(account, password=None):
    return {"query": LOGIN, "operationName": "OwnerLogin", "variables": {
        "email": account.email, "password": password or account.password}}


def cookie_pair(value):
    return f"{COOKIE}={value}"


@pytest.fixture(name="cookie", scope="module")
def cookie_fixture(gateway, user):
    """A session that lasts as long as the module's tests."""
    return gateway.cookie_for(user)


# --- login -------------------------------------------------------------------


def test_login_by_json(gateway, user):
    """R1, R3, R33, R78: who, until when, a cookie, and no secret."""
    before = int(time.time())
    answer = gateway.log_in(user)
    assert answer.status == 200
    assert answer.get("content-type") == "application/json; charset=utf-8"
    assert list(answer.json) == ["data"] and list(answer.json["data"]) == [
        "login"]
    login = answer.json["data"]["login"]
    assert set(login) == {"email", "ownerId", "expiresAt"}
    assert (login["email"], login["ownerId"]) == (user.email, user.owner)
    # The backend's token is good for an hour, ours for twelve (R20).
    assert abs(seconds_of(login["expiresAt"]) - before - 3600) <= 30
    value = check_new_session(answer)
    claims = gateway.open_token(value)
    assert claims["sub"] == user.owner and claims["remember"] is False
    # R8: nothing of it can be read in the cookie.
    clear = b"".join(base64.urlsafe_b64decode(part + "==")
                     for part in value.split(".") if part)
    assert user.email.encode() not in clear
    assert claims["upstream"].encode() not in clear


def test_login_by_json_with_username_and_remember(gateway, user):
    """R19: a remembered session's cookie is persistent; never longer than
    the backend's token."""
    answer = gateway.post("/login", {
        "username": user.email, "password": user.password,
        "rememberMe": True})
    assert answer.status == 200
    name, value, attributes = cookie_of(answer)
    ages = [a for a in attributes if a.startswith("Max-Age=")]
    assert name == COOKIE and len(ages) == 1
    assert re.fullmatch(r"Max-Age=\d+", ages[0])  # R38
    assert 3500 <= int(ages[0][8:]) <= 3600
    assert [a for a in attributes if a not in ages] == ATTRIBUTES
    assert gateway.open_token(value)["remember"] is True


def test_two_logins_have_different_ids(gateway, user):
    """R3, R4: a login never keeps an id that the client brought."""
    first = gateway.cookie_for(user)
    answer = gateway.post("/login", {"email": user.email,
                                     "password": user.password}, cookie=first)
    second = cookie_of(answer)[1]
    ids = [gateway.open_token(c)["sid"] for c in (first, second)]
    assert ids[0] != ids[1]
    assert all(len(base64.urlsafe_b64decode(i + "==")) == 16 for i in ids)
    # And what the new one replaces is over, for whoever kept a copy.
    assert gateway.session(cookie=first) is None
    assert gateway.session(cookie=second)["subject"] == user.owner


def test_login_by_form(gateway, user):
    answer = gateway.form("/login", {
        "email": user.email, "password": user.password,
        "return_to": "/market/stall?number=7"})
    assert answer.status == 303
    assert answer.get("location") == "/market/stall?number=7"
    assert answer.body == b""
    value = check_new_session(answer)
    assert gateway.session(cookie=value)["name"] == user.email


def test_wrong_password_by_form(gateway, user):
    """R68, R69: the form again, with the e-mail that was typed, and no more."""
    typed = 'no"body<b>@example.com'
    texts = []
    for email in (typed, user.email):
        answer = gateway.form("/login", {
            "email": email, "password": "this is wrong", "return_to": "/x"})
        assert answer.status == 401
        assert answer.get("content-type") == "text/html; charset=utf-8"
        check_no_session(answer)
        # R77: on every page of ours.
        policy = answer.get("content-security-policy")
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        # "no-referrer" would make a browser send `Origin: null`.
        assert answer.get("referrer-policy") == "same-origin"
        assert "this is wrong" not in answer.text
        assert 'name="return_to" value="/x"' in answer.text
        # The form's token is another one each time.
        texts.append(re.sub(r'(name="csrf_token" value=")[^"]+', r"\1",
                            answer.text))
    assert "no&quot;body&lt;b&gt;@example.com" in texts[0]
    assert texts[0].replace("no&quot;body&lt;b&gt;@example.com", "") \
        == texts[1].replace(user.email, "")


def test_login_form_is_shown(gateway):
    """R28: and by GET nothing else ever happens."""
    answer = gateway.get("/login?return_to=%2Fmarket%3Fa%3D1%26b%3D2")
    assert answer.status == 200
    assert answer.get("content-type") == "text/html; charset=utf-8"
    assert 'value="/market?a=1&amp;b=2"' in answer.text
    assert "<script" not in answer.text
    check_no_session(answer)


@pytest.mark.parametrize("path", ["/login", "/query"])
def test_login_by_graphql(gateway, user, path):
    """R33: a stock client's own mutation; its answer, but for the secret."""
    answer = gateway.post(path, graphql_login(user))
    assert answer.status == 200
    login = answer.json["data"]["login"]
    assert list(login) == ["secret", "ttl", "email", "ownerId"]
    assert login["secret"] is None
    assert re.fullmatch(DATE, login["ttl"])
    assert (login["email"], login["ownerId"]) == (user.email, user.owner)
    value = check_new_session(answer)
    assert gateway.query(cookie=value).json["data"]["me"]["email"] == user.email


def test_login_by_graphql_is_shaped_from_our_own(gateway, backend):
    """L57: what the client has selected and nothing else of what came, byte
    for byte; the backend's type, and no header that is another body's."""
    body = ('{ "extensions":{"cost":1.50e1, "x":"\\u00e9\\/"},\n\t"data" : '
            '{"login":\r\n {"secret": "%s","ttl":"2199-01-01T00:00:00Z",'
            '"email":"a@b.example", "ownerId":9007199254740993, '
            '"note":"caf\u00e9"} }}\n')
    backend.next(body=body % SECRET, headers=[
        ["Content-Type", GRAPHQL_TYPE], ["X-Not-Ours", "1"],
        ["Set-Cookie", "theirs=1"], ["ETag", '"1"'],
        ["Content-Language", "en"]])
    document = """mutation ($e: String!, $p: String!) {
        in: login(password: $p, email: $e) { id: ownerId secret email
            __typename } }"""
    answer = gateway.post("/query", {"query": document, "variables": {
        "e": "a@b.example", "p": "x"}})
    assert answer.status == 200
    assert answer.body == (
        b'{"data":{"in":{"id":9007199254740993,"secret":null,'
        b'"email":"a@b.example","__typename":null}}}')
    assert json.loads(backend.seen()[-1]["body"])["variables"] == {
        "email": "a@b.example", "password": "x"}
    assert answer.get("content-type") == GRAPHQL_TYPE
    assert answer.get("content-language") == "en"
    assert answer.get("x-not-ours") is None
    assert answer.get("etag") is None  # that of another body
    value = check_new_session(answer)
    claims = gateway.open_token(value)
    assert (claims["upstream"], claims["sub"]) == (SECRET, "9007199254740993")


@pytest.mark.parametrize("email", ["known", "unknown"])
def test_wrong_password(gateway, user, email):
    """R68, R79: whatever is wrong, it sounds the same."""
    email = user.email if email == "known" else "nobody@example.com"
    answer = gateway.post("/login", {"email": email,
                                     "password": "something else"})
    assert answer.status == 401
    error = answer.json["errors"][0]
    assert error["message"] == "the e-mail address or the password is wrong"
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert re.fullmatch(r"[0-9a-f]{16}", error["extensions"]["requestId"])
    assert set(answer.json) == {"errors"}
    check_no_session(answer)


def test_wrong_password_by_graphql(gateway, backend, user):
    """The backend's own answer, status and all (design 2.5)."""
    wanted = backend.graphql(LOGIN, {"email": user.email,
                                     "password": "something else"})
    del wanted["errors"][0]["locations"]  # those of our own document
    answer = gateway.post("/login", graphql_login(user, "something else"))
    assert answer.status == 200 and answer.json == wanted
    check_no_session(answer)


def test_login_tells_the_backend_nothing_of_the_client(gateway, backend):
    """R53, R57: a request of our own, with the preset's document."""
    backend.next(body=json.dumps({"data": {"login": {
        "secret": SECRET, "ttl": "2199-01-01T00:00:00Z", "email": "a@b.example",
        "ownerId": "7"}}}))
    answer = gateway.post("/login", {"email": "a@b.example",
                                     "password": "p\u00e4ss \"w\"\\"},
                          headers=[("Cookie", "theirs=1"),
                                   ("Authorization", "Bearer client"),
                                   ("X-Forwarded-For", "192.0.2.1"),
                                   ("User-Agent", "client")])
    assert answer.status == 200
    seen = backend.seen()[-1]
    request = json.loads(seen["body"])
    assert request["variables"] == {"email": "a@b.example",
                                    "password": "p\u00e4ss \"w\"\\"}
    assert print_ast(parse(request["query"])) == print_ast(parse(
        "mutation OwnerLogin($email: String!, $password: String!) { "
        "__typename login(email: $email, password: $password) { "
        "__typename secret ttl email ownerId } }"))
    assert set(seen["names"]) == {
        "host", "content-type", "accept", "accept-encoding", "x-forwarded-for",
        "x-forwarded-proto", "x-forwarded-host", "traceparent",
        "content-length"}
    assert seen["header"]["x-forwarded-for"] == "127.0.0.1"  # R63


def test_password_is_passed_unmodified(gateway, backend):
    """R69: spaces, 200 characters, any of Unicode, by JSON and by form."""
    password = "  Zo\u00eb \U0001f511 +&=% " + "x" * 200 + "\t "
    for send in (lambda: gateway.post("/login", {"email": "a@b.example",
                                                 "password": password}),
                 lambda: gateway.form("/login", {"email": "a@b.example",
                                                 "password": password})):
        backend.next(body='{"errors":[{"message":"no"}]}')
        assert send().status == 401
        sent = json.loads(backend.seen()[-1]["body"])["variables"]
        assert sent["password"] == password
    gateway.private.add(password)


# --- a backend in trouble ----------------------------------------------------


@BOTH
def test_backend_down(own_backend, start_own, kind):
    """R79: 502, and never an open door; yet one can always log out."""
    backend = own_backend()
    account = backend.register()
    gateway = start_own(kind, backend=backend)
    cookie = gateway.cookie_for(account)
    backend.stop()
    for answer in (gateway.log_in(account), gateway.query(cookie=cookie),
                   gateway.query(), gateway.post("/query",
                                                 graphql_login(account))):
        assert answer.status == 502
        assert answer.code == "UPSTREAM_UNREACHABLE"
        assert answer.json["errors"][0]["message"] == (
            "the backend cannot be reached")
        check_no_session(answer)
    answer = gateway.form("/login", {"email": account.email,
                                     "password": account.password})
    assert answer.status == 502 and "cannot be reached" in answer.text
    check_no_session(answer)
    assert gateway.session(cookie=cookie)["name"] == account.email
    answer = gateway.post("/logout", cookie=cookie)
    assert answer.status == 200
    assert cookie_of(answer)[1] == ""


@BOTH
def test_slow_backend(backend, start_own, user, kind):
    """504 when the first octet takes too long."""
    gateway = start_own(kind, POSTERN_FIRST_BYTE_TIMEOUT="1s")
    for send, is_page in ((gateway.query, False),
                          (lambda: gateway.log_in(user), False),
                          (lambda: gateway.form("/login", {
                              "email": user.email, "password": "x"}), True)):
        backend.next(delay=1.7, body="{}")
        begin = time.monotonic()
        answer = send()
        assert answer.status == 504
        assert 0.9 <= time.monotonic() - begin < 1.6
        if is_page:
            assert "took too long" in answer.text
        else:
            assert answer.code == "UPSTREAM_TIMEOUT"
        check_no_session(answer)
    # What comes too late is nobody else's answer (L32).
    assert gateway.query().json == {"data": {"me": None}}


BROKEN_LOGINS = {
    "no JSON": (dict(body="Fatal error: out of memory at db.php:12"), 502),
    "HTML": (dict(body="<h1>db.php</h1>", headers=[
        ["Content-Type", "text/html"]]), 502),
    "4xx without JSON": (dict(status=401, body="wrong, says db.php"), 401),
    "500": (dict(status=500, body='{"errors":[{"message":"db at 10.0.0.7"}]}'),
            502),
    "no secret": (dict(body='{"data":{"login":{"email":"a@b.example"}}}'),
                  401),
    "null": (dict(body='{"data":{"login":null}}'), 401),
    "no subject": (dict(body=json.dumps({"data": {"login": {
        "secret": SECRET, "email": "a@b.example"}}})), 502),
    "another field": (dict(body='{"data":{"signIn":{"secret":"db.php"}}}'),
                      502),
    "another schema": (dict(status=400, body=json.dumps({"errors": [{
        "message": 'Cannot query field "secret" on type "db.php"',
        "locations": [{"line": 1, "column": 2}]}]})), 502),
    "redirect": (dict(status=302, headers=[["Location", "/elsewhere"]]), 502),
    "no HTTP": (dict(raw=b"SSH-2.0-OpenSSH_9.2\r\n", close=True), 502),
    "hangs up": (dict(close=True), 502),
    "cut": (dict(headers=[["Content-Length", "500"]], body='{"data":',
                 close=True), 502),
}


# What the log says of it: what was expected, where, and what came.
TOLD_OF_LOGINS = {
    "no JSON": ["event=login-misconfigured", "status=200",
                "expected a JSON object with data or errors"],
    "HTML": ["event=login-misconfigured", "expected a JSON object"],
    "500": ["event=login-misconfigured", "status=500", "5xx"],
    "no subject": ["event=login-misconfigured", "POSTERN_SUBJECT"],
    "another field": ["event=login-misconfigured", "the login field in data"],
    "another schema": ["event=login-misconfigured", "status=400",
                       "does not fit the backend's schema",
                       "Cannot query field"],
    "redirect": ["event=backend-redirects", "target=/elsewhere"],
}


@pytest.mark.parametrize("name", BROKEN_LOGINS)
def test_broken_login_answers(fast, backend, name):
    """R79, U42: what is no answer to a login is no wrong password; never the
    backend's own text, never a session."""
    canned, status = BROKEN_LOGINS[name]
    backend.next(**canned)
    before = len(fast.log)
    answer = fast.post("/login", {"email": "a@b.example", "password": "x"})
    assert answer.status == status, answer
    for word in TOLD_OF_LOGINS.get(name, []):
        assert word in fast.log[before:], word
    assert answer.code in (("UNAUTHENTICATED",) if status == 401 else
                           ("UPSTREAM_INVALID", "UPSTREAM_UNREACHABLE"))
    for word in (b"Fatal", b"db.php", b"10.0.0.7", b"elsewhere", b"OpenSSH"):
        assert word not in answer.head + answer.body
    check_no_session(answer)


def test_a_login_that_the_schema_does_not_have(start_own, user, tmp_path):
    """U42: no wrong password, however one logs in; and `postern check` says
    the same before anybody tries."""
    path = tmp_path / "login.graphql"
    path.write_text(LOGIN.replace("ttl", "ttl nickname"), encoding="ascii")
    gateway = start_own(POSTERN_LOGIN_DOCUMENT=str(path))
    for answer in (gateway.log_in(user), gateway.post("/login", graphql_login(
            user)), gateway.post("/query", graphql_login(user))):
        assert answer.status == 502 and answer.code == "UPSTREAM_INVALID"
        assert "nickname" not in answer.text
        check_no_session(answer)
    answer = gateway.form("/login", {"email": user.email,
                                     "password": user.password})
    assert answer.status == 502 and "wrong" not in answer.text
    wanted = 'Cannot query field \\"nickname\\" on type \\"Login\\"'
    assert gateway.log.count(wanted) == 4
    done = gateway.postern("check")
    assert done.returncode == 78
    assert done.stderr.startswith(b"POSTERN_LOGIN_DOCUMENT: ")
    assert wanted.replace("\\", "").encode() in done.stderr


def test_check_on_a_path_of_the_backends(start_own, backend):
    """U42: a real backend that answers 404 in JSON is no login refused."""
    gateway = start_own()
    gateway.environment["POSTERN_UPSTREAM"] = backend.url + "/more"
    done = gateway.postern("check")
    assert done.returncode == 78
    assert done.stderr.startswith(b"POSTERN_UPSTREAM: ")
    assert b"status 404" in done.stderr


# --- query -------------------------------------------------------------------


def test_query_with_the_token(gateway, backend, cookie, user):
    """R53, R56, R57, L67, U3: the backend's own token and the body written
    anew, values byte for byte, and nothing of the client's that is not on the
    list."""
    text = "query A($id:ID!) { me { ownerId email } store(id:$id) {id}} #\u00e9"
    body = ('\ufeff{ "x":1, "query":%s,\r\n'
            '"operationName" : "A","variables":{"b":1.0e0,"id":"\\/\\u0031"},'
            '"extensions":{"a":1.0e0,"persistedQuery":null} }\n'
            % json.dumps(text)).encode()
    answer = gateway.post("/query", body, cookie=cookie, headers=[
        ("Content-Type", "application/json; charset=UTF-8"),
        ("Accept", GRAPHQL_TYPE), ("Accept-Language", "cy"),
        ("User-Agent", "Tester/1"), ("Apollographql-Client-Name", "t"),
        ("Authorization", "Basic dXNlcjpwdw=="), ("X-Forwarded-For", "1.2.3.4"),
        ("X-Forwarded-Host", "evil.example"), ("X-Real-IP", "1.2.3.4"),
        ("X-Session-User", "root"), ("Forwarded", "for=1.2.3.4"),
        ("Via", "1.1 evil"), ("TE", "trailers"), ("X-Anything", "1"),
        ("Referer", f"http://localhost:{gateway.port}/page?token=1")])
    assert answer.status == 200 and answer.get("content-type").startswith(
        GRAPHQL_TYPE)
    assert answer.json == {"data": {"me": {"ownerId": user.owner,
                                           "email": user.email},
                                    "store": None}}
    assert answer.all("set-cookie") == []
    seen = backend.seen()[-1]
    assert seen["body"] == (
        '{"query":%s,"operationName":"A","variables":{"id":"\\/\\u0031"},'
        '"extensions":{"a":1.0e0}}' % json.dumps(text, ensure_ascii=False))
    assert (seen["method"], seen["path"]) == ("POST", "/graphql")
    token = gateway.open_token(cookie)["upstream"]
    header = dict(seen["header"])
    assert header.pop("authorization") == f"Bearer {token}"
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00",
                        header.pop("traceparent"))
    assert header == {
        "host": f"127.0.0.1:{backend.port}",
        "content-type": "application/json",
        "accept": GRAPHQL_TYPE, "accept-language": "cy",
        "user-agent": "Tester/1", "apollographql-client-name": "t",
        "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http",
        "x-forwarded-host": f"localhost:{gateway.port}",
        "content-length": str(seen["length"])}
    assert len(seen["names"]) == len(set(seen["names"]))


def test_mutation(gateway, cookie, user):
    answer = gateway.query(CREATE, {"name": "At the wayside"}, cookie=cookie)
    store = answer.json["data"]["createStore"]
    assert answer.status == 200 and store["name"] == "At the wayside"
    assert store["owner"]["ownerId"] == user.owner


def test_query_by_get(gateway, backend, cookie, user):
    """Line breaks and all; written anew, without what is not GraphQL's; and
    R28, R48, L60: a mutation by GET is 405, and the backend does not hear of
    it (R51)."""
    text = "query Q($id: ID!) {\r\n me\t{email} store(id: $id) {id} } #\u00e9"
    query = urllib.parse.urlencode({
        "operationName": "Q", "query": text, "extensions": "{ }",
        "variables": '{"y":1, "id":"a+b%\\"&;#\u00e9"}'})
    query += "&x=a+b%2Bc%26d%3De%23f%25g%2Fh;i%3Bj%C3%A9%22&y="
    answer = gateway.get(f"/query?{query}", cookie=cookie)
    assert answer.status == 200
    assert answer.json == {"data": {"me": {"email": user.email},
                                    "store": None}}
    seen = backend.seen()[-1]
    path, _, sent = seen["path"].partition("?")
    assert path == "/graphql" and seen["method"] == "GET"
    assert urllib.parse.parse_qsl(sent, True) == [
        ("query", text), ("operationName", "Q"),
        ("variables", '{"id":"a+b%\\"&;#\u00e9"}')]
    assert "content-length" not in seen["names"]
    text = urllib.parse.quote('mutation{createStore(name:"x"){id}}')
    answer = gateway.get(f"/query?query={text}", cookie=cookie)
    assert answer.status == 405 and answer.get("allow") == "POST"
    assert answer.code == "METHOD_NOT_ALLOWED"
    assert backend.seen()[-1] == seen


def test_query_without_a_session(gateway, backend):
    """Goes through without a token: what nobody may see, the backend knows."""
    answer = gateway.query()
    assert answer.status == 200 and answer.json == {"data": {"me": None}}
    check_no_session(answer)
    assert "authorization" not in backend.seen()[-1]["names"]


RELAYED = {
    "200": dict(status=200, body='{"data": {"a" : 1}}\n', headers=[
        ["Content-Type", "application/json"], ["Content-Language", "de"],
        ["Last-Modified", "Sat, 21 Nov 2026 20:00:00 GMT"],
        ["Vary", "Accept, X-Thing"], ["ETag", 'W/"abc"']]),
    "graphql type": dict(status=200, body='{"data":{}}', headers=[
        ["Content-Type", GRAPHQL_TYPE + "; charset=utf-8"]]),
    "400": dict(status=400, body='{"errors":[{"message":"<&>\u00e9"}]}',
                headers=[["Content-Type", GRAPHQL_TYPE]]),
    "405": dict(status=405, body="no", headers=[
        ["Content-Type", "text/plain"], ["Allow", "GET, POST"]]),
    "429": dict(status=429, body="{}", headers=[
        ["Content-Type", "application/json"], ["Retry-After", "17"]]),
    "401": dict(status=401, body="{}", headers=[
        ["Content-Type", "application/json"]]),
    "500": dict(status=500, body="<h1>Oops</h1>", headers=[
        ["Content-Type", "text/html"]]),
    "503": dict(status=503, body="", headers=[["Retry-After", "1"]]),
    "304": dict(status=304, headers=[["ETag", '"v1"']]),
    "204": dict(status=204),
    "chunks": dict(chunks=['{"data"', ':{"b":2}', "}"], headers=[
        ["Content-Type", "application/json"]]),
    "encoded": dict(base64="H4sIAAAAAAACA6uuBQBDv6ajAgAAAA==", headers=[
        ["Content-Type", "application/json"], ["Content-Encoding", "gzip"]]),
    "no type": dict(status=200, body="{}"),
}
PASSED = ("content-type", "content-language", "last-modified", "etag", "allow",
          "retry-after", "content-encoding")


@pytest.mark.parametrize("name", RELAYED)
def test_answers_are_relayed(gateway, backend, cookie, name):
    """R64: status, type and body pass unchanged, and only listed headers do."""
    canned = dict(RELAYED[name])
    canned["headers"] = canned.get("headers", []) + [
        ["Set-Cookie", "theirs=1; Path=/"], ["X-Powered-By", "PHP"],
        ["Server", "nginx"], ["WWW-Authenticate", "Basic"],
        ["Access-Control-Allow-Origin", "*"], ["Connection", "keep-alive"],
        ["Cache-Control", "public, max-age=9999"],
        ["vendure-auth-token", "x"], ["Clear-Site-Data", '"*"'],
        ["Refresh", "0; url=//evil.example"], ["Status", "299 Odd"],
        ["X-Sendfile", "/etc/passwd"], ["X-Accel-Redirect", "/etc/passwd"]]
    backend.next(**canned)
    answer = gateway.query("{ a }", cookie=cookie,
                           headers=[("If-None-Match", '"v1"')])
    sent = {n.lower(): v for n, v in RELAYED[name].get("headers", [])}
    assert answer.status == canned.get("status", 200)
    body = (base64.b64decode(canned["base64"]) if "base64" in canned
            else "".join(canned.get("chunks", [canned.get("body", "")])
                         ).encode())
    assert answer.whole and answer.body == body
    assert {n: answer.get(n) for n in PASSED} == {
        n: sent.get(n) for n in PASSED}
    assert set(n for n, _ in answer.headers) <= {
        *PASSED, "cache-control", "x-content-type-options", "vary",
        "content-length", "transfer-encoding", "connection", "date",
        "www-authenticate", "server"}
    assert answer.get("server") == "lighttpd"
    assert answer.get("www-authenticate") == (
        'Postern realm="session"' if answer.status == 401 else None)
    assert answer.get("cache-control") == "no-store"
    assert {"cookie", "origin"} <= answer.vary
    if "vary" in sent:
        assert {"accept", "x-thing"} <= answer.vary
    seen = backend.seen()
    assert seen[-1]["header"]["if-none-match"] == '"v1"'
    assert [r["path"] for r in seen].count("/graphql") == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300])
def test_redirects_of_the_backend(gateway, backend, cookie, status):
    """L48: never followed and never passed on; the log names the target."""
    target = f"http://127.0.0.1:{backend.port}/elsewhere-{status}"
    backend.forget()
    backend.next(status=status, body="<a>", headers=[["Location", target]])
    answer = gateway.query("{ a }", cookie=cookie)
    assert answer.status == 502 and answer.code == "UPSTREAM_INVALID"
    assert "elsewhere" not in answer.head.decode() + answer.text
    assert [r["path"] for r in backend.seen()] == ["/graphql"]
    line = [line for line in gateway.log.splitlines()
            if "event=backend-redirects" in line][-1]
    assert f"status={status}" in line and target in line


# --- session -----------------------------------------------------------------


def test_session(gateway, cookie, user):
    """L34: these members and no others."""
    answer = gateway.get("/session", cookie=cookie)
    assert answer.status == 200
    assert answer.get("content-type") == "application/json; charset=utf-8"
    assert answer.get("cache-control") == "no-store"
    session = answer.json["data"]["session"]
    assert set(session) == {
        "subject", "name", "who", "guest", "authenticatedAt", "expiresAt",
        "idleExpiresAt", "secondsLeft"}
    assert (session["subject"], session["name"]) == (user.owner, user.email)
    assert session["who"] == {"email": user.email, "ownerId": user.owner}
    assert session["guest"] is False
    claims = gateway.open_token(cookie)
    assert seconds_of(session["authenticatedAt"]) == claims["iat"]  # R27
    assert seconds_of(session["expiresAt"]) == claims["exp"]
    assert seconds_of(session["idleExpiresAt"]) == claims["seen"] + 1800
    left = session["secondsLeft"]
    assert abs(claims["seen"] + 1800 - time.time() - left) <= 3


def test_no_session(gateway):
    answer = gateway.get("/session")
    assert answer.status == 200
    assert answer.body == b'{"data":{"session":null}}'
    check_no_session(answer)


# --- logout ------------------------------------------------------------------


def test_logout(gateway, backend, user):
    """R29, U8, U10: the backend's token dies, and the cookie is cleared."""
    cookie = gateway.cookie_for(user)
    token = gateway.open_token(cookie)["upstream"]
    assert backend.graphql(ME, token=token)["data"]["me"] is not None
    answer = gateway.post("/logout", cookie=cookie)
    assert answer.status == 200
    assert answer.body == b'{"data":{"logout":{"success":true}}}'
    assert answer.get("cache-control") == "no-store"
    check_cleared(answer)
    seen = backend.seen()[-1]
    assert seen["header"]["authorization"] == f"Bearer {token}"
    assert "logout" in json.loads(seen["body"])["query"]
    assert backend.graphql(ME, token=token) == {"data": {"me": None}}
    # R22: a copy of the cookie opens nothing any more.
    answer = gateway.query(cookie=cookie)
    assert answer.json == {"data": {"me": None}}
    assert answer.all("set-cookie") == []  # it may be a late one (U35)
    assert "authorization" not in backend.seen()[-1]["names"]
    answer = gateway.query(CREATE, {"name": "Too late"}, cookie=cookie)
    assert answer.code == "UNAUTHENTICATED"
    assert gateway.session(cookie=cookie) is None


def test_logout_by_a_page(gateway, user):
    """GET asks and changes nothing (R48); POST of its form is a 303."""
    cookie = gateway.cookie_for(user)
    answer = gateway.get("/logout?return_to=%2Fbye", cookie=cookie,
                         headers=NAVIGATION)
    assert answer.status == 200 and "<form" in answer.text
    assert answer.all("set-cookie") == []
    assert gateway.session(cookie=cookie) is not None
    answer = gateway.form("/logout", {"return_to": "/bye"},
                          headers=[("Cookie", cookie_pair(cookie))])
    assert answer.status == 303 and answer.get("location") == "/bye"
    assert cookie_of(answer)[1] == ""
    assert gateway.query(cookie=cookie).json == {"data": {"me": None}}


@pytest.mark.parametrize("headers, status", [
    ([("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Site", "same-origin")], 303),
    ([("Accept", "text/html,*/*;q=0.8")], 303),
    ([("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Site", "same-origin"),
      ("Accept", "text/html")], 200),
    ([("Accept", "application/json")], 200), ([], 200)])
def test_logout_answers_as_it_is_asked(gateway, headers, status):
    """U6: Fetch metadata first, then Accept; and without a session, too."""
    answer = gateway.post("/logout", headers=headers)
    assert answer.status == status
    assert answer.get("location") == ("/" if status == 303 else None)
    check_cleared(answer)


COOKIE_SETTINGS = [
    ({"POSTERN_COOKIE_NAME": "gate", "POSTERN_COOKIE_SAMESITE": "Strict"},
     "__Host-Http-gate", ["Path=/", "HttpOnly", "Secure", "SameSite=Strict"]),
    ({"POSTERN_COOKIE_PATH": "/shop"}, "__Secure-session",
     ["Path=/shop", "HttpOnly", "Secure", "SameSite=Lax"]),
    ({"POSTERN_COOKIE_DOMAIN": "shop.example"}, "__Secure-session",
     ["Domain=shop.example", "Path=/", "HttpOnly", "Secure", "SameSite=Lax"]),
    ({"POSTERN_COOKIE_SAMESITE": "None", "POSTERN_COOKIE_PARTITIONED": "on"},
     COOKIE, ["Path=/", "HttpOnly", "Secure", "SameSite=None", "Partitioned"]),
    ({"POSTERN_COOKIE_SECURE": "off"}, "session",
     ["Path=/", "HttpOnly", "SameSite=Lax"]),
]


@pytest.mark.parametrize("variables, name, attributes", COOKIE_SETTINGS,
                         ids=lambda value: value if isinstance(value, str)
                         else "")
def test_cookie_is_cleared_as_it_was_set(start_own, backend, variables, name,
                                         attributes):
    """R42: with every attribute it was set with, or it would stay."""
    gateway = start_own(**variables)
    backend.next(body=json.dumps({"data": {"login": {
        "secret": SECRET, "ttl": "2199-01-01T00:00:00Z", "email": "a@b.example",
        "ownerId": "7"}}}))
    answer = gateway.post("/login", {"email": "a@b.example", "password": "x"})
    got, value, got_attributes = cookie_of(answer)
    assert (got, sorted(got_attributes)) == (name, sorted(attributes))
    assert gateway.session(cookie=f"{name}={value}")["subject"] == "7"
    # Ended by the user, then for being ended, and for not opening at all.
    for answer in (gateway.post("/logout", cookie=f"{name}={value}"),
                   gateway.get("/session", cookie=f"{name}={value}"),
                   gateway.get("/session", cookie=f"{name}={value}x")):
        assert answer.status == 200
        got, empty, cleared = cookie_of(answer)
        assert (got, empty) == (name, "")
        assert [a for a in cleared if a != "Max-Age=0"] == got_attributes
        assert cleared.count("Max-Age=0") == 1
    assert gateway.session(cookie=f"{name}={value}") is None  # a copy of it


# --- other sites -------------------------------------------------------------


@pytest.mark.parametrize("headers", [
    [("Sec-Fetch-Site", "cross-site")], [("Sec-Fetch-Site", "same-site")],
    [("Origin", "https://evil.example")], [("Origin", "null")],
    [("Sec-Fetch-Site", "same-origin"), ("Origin", "https://evil.example")],
    [("Referer", "https://evil.example/page")]],
    ids=lambda headers: "+".join(f"{n}={v}" for n, v in headers))
def test_cross_site_requests_are_refused(gateway, backend, cookie, headers):
    """R45, R47: at every door that changes something, before the backend
    hears of it; and the session stays as it was."""
    for path, value in (("/login", {"email": "a@b.example", "password": "x"}),
                        ("/query", {"query": ME}), ("/logout", None)):
        answer = gateway.post(path, value, cookie=cookie, headers=headers)
        assert answer.status == 403 and answer.code == "CROSS_SITE"
        check_no_session(answer)
    assert backend.seen() == []


# --- bearer ------------------------------------------------------------------


@BOTH
def test_bearer_method(start_own, backend, user, kind):
    """R6, R33, R61: the token in its header, and only when it is new."""
    gateway = start_own(kind, POSTERN_TOKEN_METHOD="bearer")
    answer = gateway.log_in(user)
    assert answer.status == 200 and answer.all("set-cookie") == []
    token = answer.get("vendure-auth-token")
    assert token.count(".") == 4 and token not in answer.text
    assert "authorization" in answer.vary and "cookie" not in answer.vary
    answer = gateway.query(bearer=token)
    assert answer.json["data"]["me"]["email"] == user.email
    assert answer.get("vendure-auth-token") is None
    assert answer.all("set-cookie") == []
    upstream = gateway.open_token(token)["upstream"]
    assert backend.seen()[-1]["header"]["authorization"] == f"Bearer {upstream}"
    assert gateway.session(bearer=token)["name"] == user.email
    # As a cookie, in the query string or in a form it is nothing.
    for answer in (gateway.get("/session", cookie=token),
                   gateway.get(f"/session?token={token}&access_token={token}"),
                   gateway.get("/session", headers=[
                       ("vendure-auth-token", token)])):
        assert answer.json == {"data": {"session": None}}
        assert answer.all("set-cookie") == []
    answer = gateway.post("/logout", bearer=token)
    assert answer.status == 200
    # lighttpd drops an empty header: there it is a session of nobody.
    nobody = gateway.open_token(answer.get("vendure-auth-token"))
    assert nobody["sub"] == "" and "upstream" not in nobody
    assert answer.all("set-cookie") == []
    assert backend.graphql(ME, token=upstream) == {"data": {"me": None}}


def test_bearer_graphql_client(start_own, user):
    """A client that keeps data.login.secret and sends it works unchanged."""
    gateway = start_own(POSTERN_TOKEN_METHOD="bearer")
    answer = gateway.post("/query", graphql_login(user))
    kept = answer.json["data"]["login"]["secret"]
    assert kept == answer.get("vendure-auth-token")
    answer = gateway.query(bearer=kept)
    assert answer.json["data"]["me"]["email"] == user.email


@pytest.fixture(name="bearer_gateway", scope="module")
def bearer_gateway_fixture(start):
    return start(POSTERN_TOKEN_METHOD="bearer")


@pytest.mark.parametrize("path", ["/query", "/session", "/logout", "/login"])
def test_dead_bearer_token(bearer_gateway, path):
    """RFC 6750 section 3: 401, a challenge, and an empty token header."""
    send = (bearer_gateway.get if path in ("/session", "/login")
            else bearer_gateway.post)
    answer = send(path, bearer="a.b.c.d.e")
    assert answer.status == 401 and answer.code == "UNAUTHENTICATED"
    assert 'error="invalid_token"' in answer.get("www-authenticate")
    assert answer.get("www-authenticate").startswith("Bearer ")
    # lighttpd passes no header without a value: see what it was given.
    told = bearer_gateway.direct(path[1:], "GET",
                                 HTTP_AUTHORIZATION="Bearer a.b.c.d.e")
    assert told.status == 401
    assert told.header("vendure-auth-token") == ""


def test_dead_bearer_token_of_a_guest(start_own):
    gateway = start_own(POSTERN_TOKEN_METHOD="bearer",
                        POSTERN_DEAD_BEARER="guest",
                        POSTERN_AUTH_TOKEN_HEADER="X-Gate-Token")
    answer = gateway.query(bearer="a.b.c.d.e")
    assert answer.status == 200 and answer.json == {"data": {"me": None}}
    assert answer.get("www-authenticate") is None
    told = gateway.direct("session", "GET",
                          HTTP_AUTHORIZATION="Bearer a.b.c.d.e")
    assert told.status == 200 and told.header("x-gate-token") == ""
    answer = gateway.get("/session", headers=[("Authorization", "Bearer ")])
    assert answer.status == 200
    assert answer.json == {"data": {"session": None}}


def test_logout_empties_the_token_header(bearer_gateway, user):
    token = bearer_gateway.log_in(user).get("vendure-auth-token")
    told = bearer_gateway.direct("logout", "POST",
                                 HTTP_AUTHORIZATION="Bearer " + token)
    assert told.status == 200
    assert told.header("vendure-auth-token") == ""


def test_both_methods(start_own, backend, user):
    """R62: a new session goes out both ways, later ones as they came; the
    bearer token wins; neither is good in the other's place (R13)."""
    gateway = start_own(POSTERN_TOKEN_METHOD="cookie,bearer",
                        POSTERN_IDLE_TIMEOUT="2h")
    other = backend.register("Otto")
    answer = gateway.log_in(user)
    cookie, bearer = cookie_of(answer)[1], answer.get("vendure-auth-token")
    assert cookie != bearer and {"cookie", "authorization"} <= answer.vary
    others = gateway.log_in(other).get("vendure-auth-token")
    assert gateway.session(cookie=cookie)["name"] == user.email
    assert gateway.session(bearer=bearer)["name"] == user.email
    assert gateway.session(cookie=cookie, bearer=others)["name"] == other.email
    answer = gateway.get("/session", cookie=bearer)
    assert answer.json == {"data": {"session": None}}
    assert cookie_of(answer)[1] == ""
    assert gateway.get("/session", bearer=cookie).status == 401
    # No fallback to a good cookie (L27).
    assert gateway.get("/session", cookie=cookie, bearer="x").status == 401
    # Cross-site rules are for cookies: no browser adds a bearer token.
    evil = [("Origin", "https://evil.example")]
    assert gateway.query(cookie=cookie, headers=evil).status == 403
    answer = gateway.query(cookie=cookie, bearer=others, headers=evil)
    assert answer.json["data"]["me"]["email"] == other.email
    answer = gateway.post("/logout", cookie=cookie)
    assert cookie_of(answer)[1] == ""
    assert answer.get("vendure-auth-token") is None
    answer = gateway.post("/logout", bearer=others)
    assert answer.all("set-cookie") == []


@pytest.mark.parametrize("method", ["cookie", "bearer"])
def test_renewal(start_own, user, method):
    """Due after a quarter of the idle time, and not before (R18)."""
    gateway = start_own(POSTERN_TOKEN_METHOD=method, POSTERN_IDLE_TIMEOUT="4s")
    answer = gateway.log_in(user)
    old = (cookie_of(answer)[1] if method == "cookie"
           else answer.get("vendure-auth-token"))
    claims = gateway.open_token(old)
    # time(2) may be some milliseconds behind the clock that Python reads.
    time.sleep(max(0, claims["seen"] + 1.1 - time.time()))
    answer = gateway.get("/session", **{method: old})
    new = (cookie_of(answer)[1] if method == "cookie"
           else answer.get("vendure-auth-token"))
    assert new != old
    renewed = gateway.open_token(new)
    assert renewed["seen"] > claims["seen"]
    assert {**renewed, "seen": claims["seen"]} == claims  # R16


# --- signed tokens -----------------------------------------------------------


@BOTH
def test_signed_tokens(start_own, backend, user, kind):
    """R55, R56: claims that any JWT library reads and checks, given what
    `postern jwk` prints; the backend's token is not among them."""
    gateway = start_own(kind, POSTERN_TOKEN_FORMAT="signed",
                        POSTERN_TOKEN_METHOD="cookie,bearer")
    answer = gateway.log_in(user)
    for way, token in (("cookie", cookie_of(answer)[1]),
                       ("bearer", answer.get("vendure-auth-token"))):
        printed = gateway.postern("jwk", "-", stdin=token)
        key = jwk.JWK.from_json(printed.stdout.decode())
        read = jws.JWS()
        read.deserialize(token, key, alg="HS256")
        claims = json.loads(read.payload)
        assert claims["sub"] == user.owner
        assert claims["who"] == {"email": user.email, "ownerId": user.owner}
        assert abs(claims["iat"] - time.time()) < 60
        assert claims["exp"] > claims["iat"]
        upstream = gateway.open_token(token)["upstream"]
        assert backend.graphql(ME, token=upstream)["data"]["me"]
        backend.known.add(upstream.encode())
        assert backend.tokens_in(upstream.encode())  # it would be found
        clear = b"\n".join(base64.urlsafe_b64decode(part + "==")
                           for part in token.split("."))
        inner = b"\n".join(base64.urlsafe_b64decode(part + "==")
                           for part in claims["upstream"].split("."))
        assert claims["upstream"].count(".") == 4
        assert not backend.tokens_in(clear + b"\n" + inner)
        answer = gateway.query(**{way: token})
        assert answer.json["data"]["me"]["email"] == user.email
        # Changed claims are no claims.
        head, payload, tag = token.split(".")
        forged = payload[:-4] + ("AAAA" if payload[-4:] != "AAAA" else "BBBB")
        answer = gateway.get("/session", **{way: f"{head}.{forged}.{tag}"})
        if way == "cookie":
            assert answer.json == {"data": {"session": None}}
            assert cookie_of(answer)[1] == ""
        else:
            assert answer.status == 401


def test_a_sealed_token_is_no_signed_one(start_own, user):
    """R10: one form is configured, and only that one opens (L27)."""
    secret = "a secret of thirty-two octets or more".replace(" ", "-")
    sealed = start_own(secret=secret)
    signed = start_own(secret=secret, POSTERN_TOKEN_FORMAT="signed")
    for mine, other in ((sealed, signed), (signed, sealed)):
        cookie = mine.cookie_for(user)
        assert mine.session(cookie=cookie) is not None
        answer = other.get("/session", cookie=cookie)
        assert answer.json == {"data": {"session": None}}
        assert cookie_of(answer)[1] == ""


def test_log_tells_what_happened(fast, backend, user):
    """R80 to R83: every coming and going, with a name for the session that
    is not its id; and a line is a line, whatever the client sends."""
    cookie = fast.cookie_for(user)
    sid = fast.open_token(cookie)["sid"]
    fast.post("/login", {"email": "a@b.example\nlevel=error event=forged",
                         "password": "x"},
              headers=[("Origin", f"http://localhost:{fast.port}")])
    fast.query(headers=[("Origin", 'http://e"vil event=forged')])
    fast.post("/logout", cookie=cookie)
    log = fast.log
    lines = [line for line in log.splitlines() if line.startswith("time=")]
    assert all(re.match(rf"time={DATE} level=\w+ program=\w+ pid=\d+ event=",
                        line) for line in lines)
    marks = [re.search(r" session=([0-9a-f]{8}) ", line)[1] for line in lines
             if re.search(r"event=(login|logout) .* session=\w", line)]
    assert marks[-1] == marks[-2]
    assert sid not in log
    assert "event=login-refused" in log
    assert r' origin="http://e\"vil event=forged" ' in log
    assert "event=forged" not in log.replace("vil event=forged", "")


@pytest.mark.parametrize("path, body, why", [
    ("/login", {"email": "a@b.example", "username": "a", "password": "hunter2"},
     "email and username are both given"),
    ("/login", {"password": "hunter2"},
     "email or username must be a non-empty string"),
    ("/login", {"email": 7, "password": "hunter2"},
     "email or username must be a non-empty string"),
    ("/login", {"email": "a@b.example", "password": ["hunter2"]},
     "password must be a string"),
    ("/login", {"email": "a@b.example", "password": "hunter2",
                "rememberMe": "hunter2"}, "rememberMe must be true"),
    ("/login", b'{"email":"a@b.example","password":"hunter2"', "not JSON"),
    ("/query", {"query": "mutation{login(email:hunter2 hunter2)}"},
     "expected"),
    ("/query", {"query": 'mutation{login(email:"a",password:"hunter2"'},
     "expected"),
], ids=str)
def test_log_says_why_and_no_secret(fast, path, body, why):
    """R80: what was refused and why; what was typed is not repeated, even
    where somebody forgot the quotes round a password."""
    before = len(fast.log)
    answer = fast.post(path, body)
    assert answer.status in (200, 400), answer.text
    log = fast.log[before:]
    assert re.search(rf' event=request-refused .* reason="[^"]*(\\"[^"]*)*{why}',
                     log), log
    assert "hunter2" not in log
