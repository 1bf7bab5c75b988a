# SPDX-License-Identifier: ISC
"""Login, query and logout between a real lighttpd and a real GraphQL backend,
by FastCGI and by CGI, with the configuration files of etc/lighttpd/ (design
2.1 to 2.6, 2.8, 2.9)."""

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
BY_FASTCGI_AND_CGI = pytest.mark.parametrize("kind", ["fastcgi", "cgi"])
DATE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
SECRET = "canned-secret-0123456789-abcdefghijklmnopqrstuvw"


def unix_time_of(text):
    assert re.fullmatch(DATE, text), text
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone


def check_new_session(answer):
    """R30 to R34, R37, R44, R52: the cookie is right; no cache keeps the answer."""
    name, value, attributes = cookie_of(answer)
    assert name == COOKIE
    assert attributes == ATTRIBUTES
    assert re.fullmatch(r"[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+", value)
    assert len(name) + len(value) <= 4096
    assert answer.get("cache-control") == "no-store"
    assert answer.get("x-content-type-options") == "nosniff"
    assert answer.get("cross-origin-resource-policy") == "same-origin"
    assert {"cookie", "origin"} <= answer.vary
    assert answer.get("vendure-auth-token") is None
    return value


def check_no_session(answer):
    assert answer.all("set-cookie") == []
    assert answer.get("vendure-auth-token") is None
    assert answer.get("cache-control") == "no-store"


def check_cleared(answer):
    """R42: the value is empty, the attributes are those it was set with."""
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
    """The cookie of a session that all tests of the module share."""
    return gateway.cookie_for(user)


# --- login -------------------------------------------------------------------


def test_login_by_json_sets_a_cookie_and_returns_no_secret(gateway, user):
    """R1, R3, R33, R78: the answer has the user and the expiry, no secret."""
    before = int(time.time())
    answer = gateway.log_in(user)
    assert answer.status == 200
    assert answer.get("content-type") == "application/json; charset=utf-8"
    assert list(answer.json) == ["data"] and list(answer.json["data"]) == [
        "login"]
    login = answer.json["data"]["login"]
    assert set(login) == {"email", "ownerId", "expiresAt"}
    assert (login["email"], login["ownerId"]) == (user.email, user.owner)
    # The backend's token is valid for one hour, ours for twelve (R20).
    assert abs(unix_time_of(login["expiresAt"]) - before - 3600) <= 30
    value = check_new_session(answer)
    claims = gateway.open_token(value)
    assert claims["sub"] == user.owner and claims["remember"] is False
    # R8: the cookie's text reveals none of the claims.
    clear = b"".join(base64.urlsafe_b64decode(part + "==")
                     for part in value.split(".") if part)
    assert user.email.encode() not in clear
    assert claims["upstream"].encode() not in clear


def test_remembered_login_sets_a_persistent_cookie(gateway, user):
    """R19: the cookie of a remembered session is persistent. It does not
    outlive the backend's token."""
    begin = int(time.time())
    answer = gateway.post("/login", {
        "username": user.email, "password": user.password,
        "rememberMe": True})
    assert answer.status == 200
    end = int(time.time())
    name, value, attributes = cookie_of(answer)
    ages = [a for a in attributes if a.startswith("Max-Age=")]
    assert name == COOKIE and len(ages) == 1
    assert re.fullmatch(r"Max-Age=\d+", ages[0])  # R38
    assert [a for a in attributes if a not in ages] == ATTRIBUTES
    claims = gateway.open_token(value)
    assert claims["remember"] is True
    # The token has an hour, from when the backend made it.
    assert begin + 3600 <= claims["exp"] <= end + 3600
    # The cookie ends with it; its time is counted from the request.
    assert claims["exp"] - end <= int(ages[0][8:]) <= claims["exp"] - begin


def test_login_replaces_the_session_id(gateway, user):
    """R3, R4: a login never keeps the id that the client sent."""
    first = gateway.cookie_for(user)
    answer = gateway.post("/login", {"email": user.email,
                                     "password": user.password}, cookie=first)
    second = cookie_of(answer)[1]
    ids = [gateway.open_token(c)["sid"] for c in (first, second)]
    assert ids[0] != ids[1]
    assert all(len(base64.urlsafe_b64decode(i + "==")) == 16 for i in ids)
    # The replaced session is revoked: a copy of its cookie is useless.
    assert gateway.session(cookie=first) is None
    assert gateway.session(cookie=second)["subject"] == user.owner


def test_login_by_form_redirects_to_return_to(gateway, user):
    answer = gateway.form("/login", {
        "email": user.email, "password": user.password,
        "return_to": "/market/stall?number=7"})
    assert answer.status == 303
    assert answer.get("location") == "/market/stall?number=7"
    assert answer.body == b""
    value = check_new_session(answer)
    assert gateway.session(cookie=value)["name"] == user.email


def test_wrong_password_by_form_shows_the_form_again(gateway, user):
    """R68, R69: the form keeps the e-mail address, and nothing tells whether
    the account exists."""
    typed = 'no"body<b>@example.com'
    texts = []
    for email in (typed, user.email):
        answer = gateway.form("/login", {
            "email": email, "password": "this is wrong", "return_to": "/x"})
        assert answer.status == 401
        assert answer.get("content-type") == "text/html; charset=utf-8"
        check_no_session(answer)
        # R77: the security headers of every page.
        policy = answer.get("content-security-policy")
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        # "no-referrer" would make a browser send `Origin: null`.
        assert answer.get("referrer-policy") == "same-origin"
        assert "this is wrong" not in answer.text
        assert 'name="return_to" value="/x"' in answer.text
        # Each form has a new CSRF token.
        texts.append(re.sub(r'(name="csrf_token" value=")[^"]+', r"\1",
                            answer.text))
    assert "no&quot;body&lt;b&gt;@example.com" in texts[0]
    assert texts[0].replace("no&quot;body&lt;b&gt;@example.com", "") \
        == texts[1].replace(user.email, "")


def test_get_shows_the_login_form(gateway):
    """R28: GET changes nothing."""
    answer = gateway.get("/login?return_to=%2Fmarket%3Fa%3D1%26b%3D2")
    assert answer.status == 200
    assert answer.get("content-type") == "text/html; charset=utf-8"
    assert 'value="/market?a=1&amp;b=2"' in answer.text
    assert "<script" not in answer.text
    check_no_session(answer)


@pytest.mark.parametrize("path", ["/login", "/query"])
def test_login_by_graphql_hides_the_secret(gateway, user, path):
    """R33: the client's own mutation gets its fields; the secret is null."""
    answer = gateway.post(path, graphql_login(user))
    assert answer.status == 200
    login = answer.json["data"]["login"]
    assert list(login) == ["secret", "ttl", "email", "ownerId"]
    assert login["secret"] is None
    assert re.fullmatch(DATE, login["ttl"])
    assert (login["email"], login["ownerId"]) == (user.email, user.owner)
    value = check_new_session(answer)
    assert gateway.query(cookie=value).json["data"]["me"]["email"] == user.email


def test_graphql_login_answer_has_the_selected_fields_only(gateway, backend):
    """L57: the answer has the fields that the client selected, byte for byte,
    and the backend's content type. Headers about the original body are
    dropped."""
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
    assert answer.get("etag") is None  # belongs to the original body
    value = check_new_session(answer)
    claims = gateway.open_token(value)
    assert (claims["upstream"], claims["sub"]) == (SECRET, "9007199254740993")


@pytest.mark.parametrize("email", ["known", "unknown"])
def test_wrong_password_and_unknown_user_look_alike(gateway, user, email):
    """R68, R79: both failures get the same answer."""
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


def test_wrong_password_by_graphql_returns_the_backends_answer(
        gateway, backend, user):
    """The status and the errors are the backend's (design 2.5)."""
    wanted = backend.graphql(LOGIN, {"email": user.email,
                                     "password": "something else"})
    del wanted["errors"][0]["locations"]  # they refer to Postern's document
    answer = gateway.post("/login", graphql_login(user, "something else"))
    assert answer.status == 200 and answer.json == wanted
    check_no_session(answer)


def test_login_request_has_no_client_headers(gateway, backend):
    """R53, R57: Postern makes its own request, with the preset's document."""
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


def test_password_reaches_the_backend_unmodified(gateway, backend):
    """R69: spaces, 200 characters and Unicode survive, by JSON and by form."""
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


# --- backend failures --------------------------------------------------------


@BY_FASTCGI_AND_CGI
def test_backend_down_is_502_and_logout_works(own_backend, start_own, kind):
    """R79: 502 and no session for a login; the user can still log out."""
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
    assert answer.status == 502
    assert "does not answer as it should" in answer.text
    check_no_session(answer)
    assert gateway.session(cookie=cookie)["name"] == account.email
    answer = gateway.post("/logout", cookie=cookie)
    assert answer.status == 200
    assert cookie_of(answer)[1] == ""


@BY_FASTCGI_AND_CGI
def test_slow_backend_is_504(backend, start_own, user, kind):
    """504 if the first byte takes too long, long before it arrives (R60)."""
    late = 6  # seconds
    gateway = start_own(kind, POSTERN_FIRST_BYTE_TIMEOUT="1s")
    for send, is_page in ((gateway.query, False),
                          (lambda: gateway.log_in(user), False),
                          (lambda: gateway.form("/login", {
                              "email": user.email, "password": "x"}), True)):
        backend.next(delay=late, body="{}")
        begin = time.monotonic()
        answer = send()
        assert answer.status == 504
        assert 0.9 <= time.monotonic() - begin < late
        if is_page:
            assert "does not answer as it should" in answer.text
        else:
            assert answer.code == "UPSTREAM_TIMEOUT"
        check_no_session(answer)
    # A late answer is not used for another request (L32).
    backend.next(delay=1.5, body="{}")
    assert gateway.query().status == 504
    time.sleep(1)
    assert gateway.query().json == {"data": {"me": None}}


BROKEN_LOGINS = {
    "not JSON": (dict(body="Fatal error: out of memory at db.php:12"), 502),
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
    "not HTTP": (dict(raw=b"SSH-2.0-OpenSSH_9.2\r\n", close=True), 502),
    "connection closed": (dict(close=True), 502),
    "truncated": (dict(headers=[["Content-Length", "500"]], body='{"data":',
                       close=True), 502),
}


# Words of the log line: what Postern expected, where, and what it received.
LOGGED_FOR_BROKEN_LOGINS = {
    "not JSON": ["event=login-misconfigured", "status=200",
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
def test_broken_login_answer_is_not_a_wrong_password(fastcgi, backend, name):
    """R79, U42: an invalid answer to a login is an error of the backend. The
    client gets no session and none of the backend's text."""
    canned, status = BROKEN_LOGINS[name]
    backend.next(**canned)
    before = len(fastcgi.log)
    answer = fastcgi.post("/login", {"email": "a@b.example", "password": "x"})
    assert answer.status == status, answer
    for word in LOGGED_FOR_BROKEN_LOGINS.get(name, []):
        assert word in fastcgi.log[before:], word
    assert answer.code in (("UNAUTHENTICATED",) if status == 401 else
                           ("UPSTREAM_INVALID", "UPSTREAM_UNREACHABLE"))
    for word in (b"Fatal", b"db.php", b"10.0.0.7", b"elsewhere", b"OpenSSH"):
        assert word not in answer.head + answer.body
    check_no_session(answer)


def test_login_document_that_does_not_fit_the_schema_is_502(
        start_own, user, tmp_path):
    """U42: it is not reported as a wrong password, for any kind of login.
    `postern check` finds it beforehand."""
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


def test_check_reports_a_wrong_path_of_the_upstream(start_own, backend):
    """U42: a 404 in JSON is not taken for a refused login."""
    gateway = start_own()
    gateway.environment["POSTERN_UPSTREAM"] = backend.url + "/more"
    done = gateway.postern("check")
    assert done.returncode == 78
    assert done.stderr.startswith(b"POSTERN_UPSTREAM: ")
    assert b"status 404" in done.stderr


# --- query -------------------------------------------------------------------


def test_query_sends_the_backend_token_and_listed_headers_only(
        gateway, backend, cookie, user):
    """R53, R56, R57, L67, U3: the request has the backend's token and the
    client headers of the list. Its body is rewritten; values stay the
    same byte for byte."""
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


def test_mutation_acts_for_the_user(gateway, cookie, user):
    answer = gateway.query(CREATE, {"name": "At the wayside"}, cookie=cookie)
    store = answer.json["data"]["createStore"]
    assert answer.status == 200 and store["name"] == "At the wayside"
    assert store["owner"]["ownerId"] == user.owner


def test_query_by_get_is_rewritten_and_mutation_by_get_is_405(
        gateway, backend, cookie, user):
    """The query string is rewritten: it keeps line breaks and drops unknown
    parameters. R28, R48, L60: a mutation by GET is 405 and is not sent to the
    backend (R51)."""
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


def test_query_without_a_session_has_no_token(gateway, backend):
    """Postern forwards it: the backend decides what an anonymous user sees."""
    answer = gateway.query()
    assert answer.status == 200 and answer.json == {"data": {"me": None}}
    check_no_session(answer)
    assert "authorization" not in backend.seen()[-1]["names"]


RESPONSES = {
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
PASSED_HEADERS = ("content-type", "content-language", "last-modified", "etag",
                  "allow", "retry-after", "content-encoding")


@pytest.mark.parametrize("name", RESPONSES)
def test_responses_are_forwarded(gateway, backend, cookie, name):
    """R64: status, type, body and listed headers pass unchanged; other headers
    are dropped, and none shows a version (R84)."""
    canned = dict(RESPONSES[name])
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
    sent = {n.lower(): v for n, v in RESPONSES[name].get("headers", [])}
    assert answer.status == canned.get("status", 200)
    body = (base64.b64decode(canned["base64"]) if "base64" in canned
            else "".join(canned.get("chunks", [canned.get("body", "")])
                         ).encode())
    assert answer.whole and answer.body == body
    assert {n: answer.get(n) for n in PASSED_HEADERS} == {
        n: sent.get(n) for n in PASSED_HEADERS}
    assert set(n for n, _ in answer.headers) <= {
        *PASSED_HEADERS, "cache-control", "x-content-type-options",
        "cross-origin-resource-policy", "vary",
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
def test_backend_redirect_is_502_and_logged(gateway, backend, cookie, status):
    """L48: Postern neither follows nor forwards it; the log has the target."""
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


def test_session_has_these_members_only(gateway, cookie, user):
    """L34: the members of the answer and their values."""
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
    assert unix_time_of(session["authenticatedAt"]) == claims["iat"]  # R27
    assert unix_time_of(session["expiresAt"]) == claims["exp"]
    assert unix_time_of(session["idleExpiresAt"]) == claims["seen"] + 1800
    left = session["secondsLeft"]
    assert abs(claims["seen"] + 1800 - time.time() - left) <= 3


def test_session_is_null_without_a_session(gateway):
    answer = gateway.get("/session")
    assert answer.status == 200
    assert answer.body == b'{"data":{"session":null}}'
    check_no_session(answer)


# --- logout ------------------------------------------------------------------


def test_logout_revokes_the_backend_token_and_clears_the_cookie(
        gateway, backend, user):
    """R29, U8, U10."""
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
    # R22: a copy of the cookie is not accepted.
    answer = gateway.query(cookie=cookie)
    assert answer.json == {"data": {"me": None}}
    assert answer.all("set-cookie") == []  # the request may be a late one (U35)
    assert "authorization" not in backend.seen()[-1]["names"]
    answer = gateway.query(CREATE, {"name": "Too late"}, cookie=cookie)
    assert answer.code == "UNAUTHENTICATED"
    assert gateway.session(cookie=cookie) is None


def test_logout_page_asks_by_get_and_logs_out_by_post(gateway, user):
    """GET changes nothing (R48). The POST of the form is answered with 303."""
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
def test_logout_redirects_pages_and_answers_scripts_with_json(
        gateway, headers, status):
    """U6: fetch metadata decide, then Accept; also without a session."""
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
def test_cookie_is_cleared_with_its_attributes(start_own, backend, variables,
                                               name, attributes):
    """R42: with all attributes, or the browser would keep the cookie."""
    gateway = start_own(**variables)
    backend.next(body=json.dumps({"data": {"login": {
        "secret": SECRET, "ttl": "2199-01-01T00:00:00Z", "email": "a@b.example",
        "ownerId": "7"}}}))
    answer = gateway.post("/login", {"email": "a@b.example", "password": "x"})
    got, value, got_attributes = cookie_of(answer)
    assert (got, sorted(got_attributes)) == (name, sorted(attributes))
    assert gateway.session(cookie=f"{name}={value}")["subject"] == "7"
    # By the logout, then because it is revoked, then because it is invalid.
    for answer in (gateway.post("/logout", cookie=f"{name}={value}"),
                   gateway.get("/session", cookie=f"{name}={value}"),
                   gateway.get("/session", cookie=f"{name}={value}x")):
        assert answer.status == 200
        got, empty, cleared = cookie_of(answer)
        assert (got, empty) == (name, "")
        assert [a for a in cleared if a != "Max-Age=0"] == got_attributes
        assert cleared.count("Max-Age=0") == 1
    assert gateway.session(cookie=f"{name}={value}") is None  # a copy


# --- cross-site requests -----------------------------------------------------


@pytest.mark.parametrize("headers", [
    [("Sec-Fetch-Site", "cross-site")], [("Sec-Fetch-Site", "same-site")],
    [("Origin", "https://evil.example")], [("Origin", "null")],
    [("Sec-Fetch-Site", "same-origin"), ("Origin", "https://evil.example")],
    [("Referer", "https://evil.example/page")]],
    ids=lambda headers: "+".join(f"{n}={v}" for n, v in headers))
def test_cross_site_requests_are_refused(gateway, backend, cookie, headers):
    """R45, R47: by every program that changes state, before the backend sees
    the request. The session stays."""
    backend.forget()  # the login of `cookie`
    for path, value in (("/login", {"email": "a@b.example", "password": "x"}),
                        ("/query", {"query": ME}), ("/logout", None)):
        answer = gateway.post(path, value, cookie=cookie, headers=headers)
        assert answer.status == 403 and answer.code == "CROSS_SITE"
        check_no_session(answer)
    assert backend.seen() == []


# --- bearer ------------------------------------------------------------------


@BY_FASTCGI_AND_CGI
def test_bearer_token_in_its_header_only(start_own, backend, user, kind):
    """R6, R33, R61, L35: the answer has the token in its header, only if it is
    new. Postern accepts it in Authorization only."""
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
    # A cookie, a query string and another header are not accepted.
    for answer in (gateway.get("/session", cookie=token),
                   gateway.get(f"/session?token={token}&access_token={token}"),
                   gateway.get("/session", headers=[
                       ("vendure-auth-token", token)])):
        assert answer.json == {"data": {"session": None}}
        assert answer.all("set-cookie") == []
    answer = gateway.post("/logout", bearer=token)
    assert answer.status == 200
    # lighttpd drops an empty header: the value is an anonymous session.
    anonymous = gateway.open_token(answer.get("vendure-auth-token"))
    assert anonymous["sub"] == "" and "upstream" not in anonymous
    assert answer.all("set-cookie") == []
    assert backend.graphql(ME, token=upstream) == {"data": {"me": None}}


def test_client_that_keeps_the_login_secret_works(start_own, user):
    """The field data.login.secret is the bearer token."""
    gateway = start_own(POSTERN_TOKEN_METHOD="bearer")
    answer = gateway.post("/query", graphql_login(user))
    secret = answer.json["data"]["login"]["secret"]
    assert secret == answer.get("vendure-auth-token")
    answer = gateway.query(bearer=secret)
    assert answer.json["data"]["me"]["email"] == user.email


@pytest.fixture(name="bearer_gateway", scope="module")
def bearer_gateway_fixture(start):
    return start(POSTERN_TOKEN_METHOD="bearer")


@pytest.mark.parametrize("path", ["/query", "/session", "/logout", "/login"])
def test_invalid_bearer_token_is_401_and_cleared(bearer_gateway, path):
    """RFC 6750 section 3: 401, a challenge, and an empty token header."""
    send = (bearer_gateway.get if path in ("/session", "/login")
            else bearer_gateway.post)
    answer = send(path, bearer="a.b.c.d.e")
    assert answer.status == 401 and answer.code == "UNAUTHENTICATED"
    assert 'error="invalid_token"' in answer.get("www-authenticate")
    assert answer.get("www-authenticate").startswith("Bearer ")
    # lighttpd drops a header without a value: ask the program directly.
    direct = bearer_gateway.direct(path[1:], "GET",
                                   HTTP_AUTHORIZATION="Bearer a.b.c.d.e")
    assert direct.status == 401
    assert direct.header("vendure-auth-token") == ""


def test_invalid_bearer_token_may_become_a_guest(start_own):
    gateway = start_own(POSTERN_TOKEN_METHOD="bearer",
                        POSTERN_DEAD_BEARER="guest",
                        POSTERN_AUTH_TOKEN_HEADER="X-Gate-Token")
    answer = gateway.query(bearer="a.b.c.d.e")
    assert answer.status == 200 and answer.json == {"data": {"me": None}}
    assert answer.get("www-authenticate") is None
    direct = gateway.direct("session", "GET",
                            HTTP_AUTHORIZATION="Bearer a.b.c.d.e")
    assert direct.status == 200 and direct.header("x-gate-token") == ""
    answer = gateway.get("/session", headers=[("Authorization", "Bearer ")])
    assert answer.status == 200
    assert answer.json == {"data": {"session": None}}


def test_logout_clears_the_token_header(bearer_gateway, user):
    token = bearer_gateway.log_in(user).get("vendure-auth-token")
    direct = bearer_gateway.direct("logout", "POST",
                                   HTTP_AUTHORIZATION="Bearer " + token)
    assert direct.status == 200
    assert direct.header("vendure-auth-token") == ""


def test_cookie_and_bearer_method_together(start_own, backend, user):
    """R62: a login issues both tokens; later answers use the transport of the
    request. The bearer token takes precedence. A token of one transport is
    refused in the other (R13)."""
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
    # No fallback to a valid cookie (L27).
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
def test_token_is_renewed_after_a_quarter_of_the_idle_time(
        start_own, user, method):
    """R16, R18: a renewal changes the time of the last request only."""
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
    assert {**renewed, "seen": claims["seen"]} == claims


# --- signed tokens -----------------------------------------------------------


@BY_FASTCGI_AND_CGI
def test_signed_tokens_are_readable_but_hide_the_backend_token(
        start_own, backend, user, kind):
    """R55, R56: a JWT library reads and verifies the claims with the key that
    `postern jwk` prints. The backend's token is encrypted in them."""
    gateway = start_own(kind, POSTERN_TOKEN_FORMAT="signed",
                        POSTERN_TOKEN_METHOD="cookie,bearer")
    answer = gateway.log_in(user)
    for transport, token in (("cookie", cookie_of(answer)[1]),
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
        assert backend.tokens_in(upstream.encode())  # tokens_in works
        clear = b"\n".join(base64.urlsafe_b64decode(part + "==")
                           for part in token.split("."))
        inner = b"\n".join(base64.urlsafe_b64decode(part + "==")
                           for part in claims["upstream"].split("."))
        assert claims["upstream"].count(".") == 4
        assert not backend.tokens_in(clear + b"\n" + inner)
        answer = gateway.query(**{transport: token})
        assert answer.json["data"]["me"]["email"] == user.email
        # Changed claims are refused.
        head, payload, tag = token.split(".")
        forged = payload[:-4] + ("AAAA" if payload[-4:] != "AAAA" else "BBBB")
        answer = gateway.get("/session",
                             **{transport: f"{head}.{forged}.{tag}"})
        if transport == "cookie":
            assert answer.json == {"data": {"session": None}}
            assert cookie_of(answer)[1] == ""
        else:
            assert answer.status == 401


def test_sealed_and_signed_tokens_are_not_interchangeable(start_own, user):
    """R10: only a token of the configured format opens (L27)."""
    secret = "a secret of thirty-two bytes or more".replace(" ", "-")
    sealed = start_own(secret=secret)
    signed = start_own(secret=secret, POSTERN_TOKEN_FORMAT="signed")
    for own, other in ((sealed, signed), (signed, sealed)):
        cookie = own.cookie_for(user)
        assert own.session(cookie=cookie) is not None
        answer = other.get("/session", cookie=cookie)
        assert answer.json == {"data": {"session": None}}
        assert cookie_of(answer)[1] == ""


def test_log_names_sessions_without_their_ids_and_is_not_forgeable(
        fastcgi, backend, user):
    """R80 to R83: logins and logouts are logged with a short name of the
    session that is not its id. A client cannot add a line."""
    cookie = fastcgi.cookie_for(user)
    sid = fastcgi.open_token(cookie)["sid"]
    fastcgi.post("/login", {"email": "a@b.example\nlevel=error event=forged",
                         "password": "x"},
              headers=[("Origin", f"http://localhost:{fastcgi.port}")])
    fastcgi.query(headers=[("Origin", 'http://e"vil event=forged')])
    fastcgi.post("/logout", cookie=cookie)
    log = fastcgi.log
    lines = [line for line in log.splitlines() if line.startswith("time=")]
    assert all(re.match(rf"time={DATE} level=\w+ program=\w+ pid=\d+ event=",
                        line) for line in lines)
    names = [re.search(r" session=([0-9a-f]{8}) ", line)[1] for line in lines
             if re.search(r"event=(login|logout) .* session=\w", line)]
    assert names[-1] == names[-2]
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
def test_log_has_the_reason_of_a_refusal_and_no_password(
        fastcgi, path, body, why):
    """R80: the log line has the reason, never the input, even if somebody
    forgot the quotes round a password."""
    before = len(fastcgi.log)
    answer = fastcgi.post(path, body)
    assert answer.status in (200, 400), answer.text
    log = fastcgi.log[before:]
    assert re.search(rf' event=request-refused .* reason="[^"]*(\\"[^"]*)*{why}',
                     log), log
    assert "hunter2" not in log
