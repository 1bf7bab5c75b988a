# SPDX-License-Identifier: ISC
"""All features behind every web server that etc/ has a configuration for: the
same tests run with each of these configurations."""
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.parse

import canary
import http_client
import pytest
import servers
from gateway import COOKIE, LOGIN, ME, ROOT, children_of
from http_client import cookie_of

MAX_BODY = 200 * 1024

DUMP = """<?php
header('Content-Type: application/json');
echo json_encode(array_filter($_SERVER, fn($name) =>
    preg_match('/REMOTE_USER|^SESSION_|^Variable|^PHP_AUTH_USER/i', $name),
    ARRAY_FILTER_USE_KEY), JSON_FORCE_OBJECT);
"""

# The same in Perl, as a CGI script.
DUMP_CGI = """#!/usr/bin/perl
use JSON::PP;
print "Content-Type: application/json\n\n", encode_json({map { $_ => $ENV{$_} }
    grep { /REMOTE_USER|^SESSION_|^Variable|^PHP_AUTH_USER/i } keys %ENV});
"""

# A page with headers of its own, which Postern must not change.
OWN_HEADERS = """<?php
http_response_code((int) ($_GET['status'] ?? 200));
header('Content-Type: text/html; charset=utf-8');
header('Cache-Control: no-store, must-revalidate');
header('Access-Control-Allow-Origin: https://partner.example');
echo 'own ', $_SERVER['HTTP_AUTHORIZATION'] ?? '';
"""


class FcgidWithEnvFile(servers.ApacheFcgid):
    """Its variables come from a postern.env, by the command in doc/deploy.md."""

    def extra_variables(self):
        return {}

    def settings(self):
        source, result = (os.path.join(self.folder, name)
                          for name in ("postern.env", "postern-env.conf"))
        with open(source, "w", encoding="utf-8") as file:
            file.write("# POSTERN_SITE_NAME=Not this\n\n")
            for name, value in super().extra_variables().items():
                quote = '"' if " " in value else ""
                file.write(f"{name}={quote}{value}{quote}\n")
        with open(os.path.join(ROOT, "doc/deploy.md"), encoding="utf-8") as file:
            command = re.search(r"^sed .*postern-env\.conf$", file.read(), re.M)[0]
        subprocess.run(["sh", "-ec", command.replace(
            "/etc/postern/postern.env", source).replace(
                "/etc/apache2/postern-env.conf", result)], check=True, timeout=30)
        return super().settings() + f'Include "{result}"\n'


def test_variables_of_an_env_file_in_apache(backend):
    site = FcgidWithEnvFile(backend, POSTERN_SITE_NAME="Fish & Chips",
                            POSTERN_REGISTER_URL="/register?a=1&b=2")
    try:
        page = site.get("/login").text
        assert "Fish &amp; Chips" in page and "/register?a=1&amp;b=2" in page
    finally:
        site.close()


@pytest.fixture(name="site", scope="module", params=servers.ALL,
                ids=lambda kind: kind.name)
def site_fixture(request, backend):
    site = request.param(backend, with_pages=True,
                         POSTERN_TOKEN_METHOD="cookie,bearer",
                         POSTERN_MAX_BODY=str(MAX_BODY),
                         POSTERN_ORIGINS="https://listed.example",
                         POSTERN_IDLE_TIMEOUT="10m")
    site.write("www/members/dump.php", DUMP)
    site.write("www/members/own.php", OWN_HEADERS)
    site.write("www/members/dump.cgi", DUMP_CGI)
    os.chmod(os.path.join(site.folder, "www/members/dump.cgi"), 0o755)
    yield site
    site.close()


@pytest.fixture(name="cookie", scope="module")
def cookie_fixture(site, user):
    return site.cookie_for(user)


@pytest.fixture(name="bearer", scope="module")
def bearer_fixture(site, user):
    token = site.log_in(user).get("vendure-auth-token")
    site.private.add(token)
    return token


def me_of(user):
    return {"data": {"me": {"ownerId": user.owner, "email": user.email}}}


def assert_sessions_work(site, user, cookie):
    """The user still has the session, and an anonymous request has none."""
    assert site.session(cookie=cookie)["name"] == user.email
    assert site.session() is None


# --- login, query, logout ----------------------------------------------------


@pytest.mark.quick
def test_login_by_json_issues_cookie_and_bearer_token(site, user):
    answer = site.log_in(user)
    assert answer.status == 200
    assert answer.json["data"]["login"]["ownerId"] == user.owner
    name, value, attributes = cookie_of(answer)
    assert name == COOKIE and value
    assert attributes == ["Path=/", "HttpOnly", "Secure", "SameSite=Lax"]
    assert answer.get("vendure-auth-token")
    assert answer.get("cache-control") == "no-store"
    assert answer.get("x-content-type-options") == "nosniff"
    assert answer.get("cross-origin-resource-policy") == "same-origin"
    assert site.query(cookie=value).json == me_of(user)


@pytest.mark.quick
def test_login_by_graphql_returns_the_bearer_token(site, user):
    answer = site.post("/login", {"query": LOGIN, "variables": {
        "email": user.email, "password": user.password}})
    assert answer.status == 200
    token = answer.json["data"]["login"]["secret"]
    assert token == answer.get("vendure-auth-token")
    assert site.query(bearer=token).json == me_of(user)


@pytest.mark.quick
def test_login_by_form_redirects_to_return_to(site, user):
    page = site.get("/login?return_to=/members/")
    assert page.status == 200 and page.all("set-cookie") == []
    assert "frame-ancestors 'none'" in page.get("content-security-policy")
    assert page.get("content-type") == "text/html; charset=utf-8"
    answer = site.form("/login", {
        "csrf_token": form_field(page, "csrf_token"), "email": user.email,
        "password": user.password, "return_to": form_field(page, "return_to")})
    assert answer.status == 303
    assert answer.get("location") == "/members/"
    assert site.query(cookie=cookie_of(answer)[1]).json == me_of(user)


def form_field(page, name):
    value = page.text.partition(f'name="{name}" value="')[2].partition('"')[0]
    assert value, page
    return value


@pytest.mark.quick
def test_wrong_password_is_401(site, user):
    answer = site.post("/login", {"email": user.email, "password": "wrong"})
    assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")
    assert answer.all("set-cookie") == []
    answer = site.form("/login", {"email": "a<b>@x", "password": "wrong"})
    assert answer.status == 401
    assert 'value="a&lt;b&gt;@x"' in answer.text


@pytest.mark.quick
def test_query_acts_for_the_user(site, user, cookie, bearer):
    assert site.query(cookie=cookie).json == me_of(user)
    assert site.query(bearer=bearer).json == me_of(user)
    assert site.query().json["data"] == {"me": None}
    query = urllib.parse.urlencode({"query": ME})
    assert site.get(f"/query?{query}", cookie=cookie).json == me_of(user)


@pytest.mark.parametrize("path", ["/login", "/query", "/logout", "/session"])
def test_head_is_answered_as_get_without_a_body(site, cookie, path):
    """Design 2. To the backend, `query` sends a GET: not every backend knows
    HEAD, and what comes back is the same."""
    query = "?" + urllib.parse.urlencode({"query": ME}) * (path == "/query")
    line = [("Cookie", f"{COOKIE}={cookie}")]
    want = site.send("GET", path + query, None, line)
    got = site.send("HEAD", path + query, None, line)
    assert (got.status, got.body) == (want.status, b"") == (200, b"")
    assert got.get("content-type") == want.get("content-type")
    if path == "/query":
        assert [one["method"] for one in site.backend.seen()[-2:]] == [
            "GET", "GET"]
    assert want.body


@pytest.mark.quick
def test_session_names_the_user_and_clears_invalid_tokens(
        site, user, cookie, bearer):
    for transport in ({"cookie": cookie}, {"bearer": bearer}):
        session = site.session(**transport)
        assert session["name"] == user.email
        assert session["subject"] == user.owner
    assert site.session() is None
    assert site.get("/session", bearer="forged").status == 401
    answer = site.get("/session", cookie="forged")
    assert answer.json == {"data": {"session": None}}
    assert cookie_of(answer)[1] == ""


@pytest.mark.quick
def test_logout_revokes_the_session(site, user):
    value = site.cookie_for(user)
    page = site.get("/logout", cookie=value)
    assert page.status == 200
    token = form_field(page, "csrf_token")
    answer = site.form("/logout", {"csrf_token": token},
                       [("Cookie", f"{COOKIE}={value}")])
    assert answer.status == 303 and answer.get("location") == "/"
    assert cookie_of(answer)[1] == ""
    for path in ("/members/page.php", "/members/index.html"):
        # R22: a copy of the cookie is not accepted.
        assert site.get(path, cookie=value).status == 401
    answer = site.post("/logout", cookie=site.cookie_for(user))
    assert answer.json == {"data": {"logout": {"success": True}}}


@pytest.mark.quick
def test_bearer_token_is_refused_after_its_logout(site, user):
    token = site.log_in(user).get("vendure-auth-token")
    assert site.get("/members/index.html", bearer=token).status == 200
    assert site.post("/logout", bearer=token).status == 200
    for path in ("/members/page.php", "/members/index.html"):
        assert site.get(path, bearer=token).status == 401


@pytest.mark.quick
def test_wrong_csrf_token_is_403_with_a_new_form(site, user):
    """Design 2.7: the new form has a valid CSRF token."""
    cookie = site.cookie_for(user)
    page = site.get("/logout", cookie=cookie)
    answer = site.form("/login", {
        "csrf_token": form_field(page, "csrf_token"), "email": user.email,
        "password": user.password}, [("Cookie", f"{COOKIE}={cookie}")])
    assert answer.status == 403
    assert answer.all("vendure-auth-token") == []
    assert user.email in answer.text and user.password not in answer.text
    again = site.form("/login", {
        "csrf_token": form_field(answer, "csrf_token"), "email": user.email,
        "password": user.password}, [("Cookie", f"{COOKIE}={cookie}")])
    assert again.status == 303


def test_login_forms_in_two_tabs_both_work(site, user):
    """U18: the login in one tab does not invalidate the form in the other."""
    first, second = site.get("/login"), site.get("/login")
    value = None
    for page in (second, first):
        answer = site.form("/login", {
            "csrf_token": form_field(page, "csrf_token"), "email": user.email,
            "password": user.password},
            [("Cookie", f"{COOKIE}={value}")] if value else [])
        assert answer.status == 303
        value = cookie_of(answer)[1]


@pytest.mark.parametrize("stays_logged_in", [True, False])
def test_login_forms_of_a_user_in_several_tabs_work(
        site, user, stays_logged_in):
    """U18: a login or a logout replaces the session that the other forms were
    made for."""
    value = site.cookie_for(user)
    pages = [site.get("/login", cookie=value) for _ in range(3)]
    for page in pages:
        answer = site.form("/login", {
            "csrf_token": form_field(page, "csrf_token"), "email": user.email,
            "password": user.password}, [("Cookie", f"{COOKIE}={value}")])
        assert answer.status == 303
        value = cookie_of(answer)[1]
        if not stays_logged_in:
            site.post("/logout", cookie=value)


@pytest.mark.parametrize("kind", servers.ALL, ids=lambda kind: kind.name)
def test_login_forms_of_a_guest_in_two_tabs_work(backend, kind):
    """U18: a guest with a cart has a session, too."""
    site = kind(backend, POSTERN_BACKEND="vendure",
                POSTERN_TOKEN_METHOD="cookie")
    token = ["vendure-auth-token", "a-token-0123456789-0123456789-0123456789"]
    try:
        backend.next(headers=[["Content-Type", "application/json"], token],
                     body='{"data":{"addItemToOrder":{"id":"1"}}}')
        backend.next(body='{"data":{"me":null}}')  # the who document
        value = "=".join(cookie_of(
            site.query("mutation{addItemToOrder{id}}"))[:2])
        assert site.session(cookie=value)["guest"] is True
        time.sleep(1.1)
        pages = [site.get("/login", cookie=value) for _ in range(2)]
        for page in pages:
            token[1] += "x"
            backend.next(headers=[["Content-Type", "application/json"], token],
                         body='{"data":{"login":{"__typename":"CurrentUser",'
                         '"id":"7","identifier":"a@b.example"}}}')
            backend.next(body='{"data":{"me":{"id":"7",'
                              '"identifier":"a@b.example"}}}')
            answer = site.form("/login", {
                "csrf_token": form_field(page, "csrf_token"),
                "email": "a@b.example", "password": "x"},
                [("Cookie", value)])
            assert answer.status == 303, answer
            value = "=".join(cookie_of(answer)[:2])
            session = site.session(cookie=value)
            assert (session["subject"], session["guest"]) == ("7", False)
    finally:
        backend.forget()
        site.close()


def test_anonymous_csrf_token_is_refused_with_a_session(site, user):
    """The token was issued without a session, after the login: the answer is
    the form with a valid token."""
    value = site.cookie_for(user)
    time.sleep(1.1)
    page = site.get("/login")
    answer = site.form("/login", {
        "csrf_token": form_field(page, "csrf_token"), "email": user.email,
        "password": user.password}, [("Cookie", f"{COOKIE}={value}")])
    assert answer.status == 403 and form_field(answer, "csrf_token")
    assert site.session(cookie=value)["name"] == user.email


def test_two_users_are_not_mixed_up(site, backend):
    """L32, L45: the same processes serve both in turn."""
    people = [backend.register(name) for name in ("Ann", "Bo")]
    cookies = [site.cookie_for(person) for person in people]
    for _ in range(5):
        for person, value in zip(people, cookies):
            assert site.query(cookie=value).json == me_of(person)
        assert site.query().json["data"] == {"me": None}


# --- streams -----------------------------------------------------------------


def test_streamed_answer_is_not_buffered(site, user, cookie):
    """An event reaches the client as soon as it is written (U: SSE). A field
    `login` below another one is no login."""
    site.backend.next(headers=[["Content-Type", "text/event-stream"]],
                      chunks=["event: next\ndata: 1\n\n", 5,
                              "event: complete\n\n"])
    with http_client.Connection(site.port) as line:
        body = json.dumps({"query": "subscription { userChanged { login } }"})
        begin = time.monotonic()
        line.send((f"POST /query HTTP/1.1\r\nHost: {line.host}\r\n"
                   "Accept: text/event-stream\r\n"
                   "Content-Type: application/json\r\nConnection: close\r\n"
                   f"Cookie: {COOKIE}={cookie}\r\n"
                   f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
        while b"data: 1" not in line.pending:
            assert line._more(), line.pending
        first = time.monotonic() - begin
        answer = line.read("POST")
    assert answer.whole and answer.text.endswith("event: complete\n\n")
    assert "next" in answer.text
    assert first < 5, f"{site.name} buffers the stream"


def test_large_answer_arrives_complete(site, cookie):
    text = json.dumps({"data": "x" * 3_000_000})
    site.backend.next(headers=[["Content-Type", "application/json"]],
                      body=text)
    answer = site.query(cookie=cookie, keep=False)
    assert answer.whole and answer.text == text


def test_large_request_arrives_complete(site, cookie):
    value = {"query": ME, "extensions": {"padding": "x" * 150_000}}
    answer = site.post("/query", value, cookie=cookie)
    assert answer.status == 200, answer
    assert site.backend.seen()[-1]["length"] > 150_000


# --- invalid requests --------------------------------------------------------


def test_too_large_body_is_413(site, user, cookie):
    value = {"query": ME, "extensions": {"padding": "x" * (MAX_BODY + 1)}}
    before = len(site.backend.seen())
    assert site.post("/query", value, cookie=cookie).status == 413
    assert len(site.backend.seen()) == before
    answer = site.post("/login", {"email": "x" * 70_000, "password": "x"})
    assert answer.status == 413
    assert_sessions_work(site, user, cookie)


@pytest.mark.parametrize("method, path, status", [
    ("PUT", "/query", 405), ("DELETE", "/login", 405), ("PATCH", "/logout", 405),
    ("POST", "/session", 405), ("GET", "/query/x", 404), ("GET", "/login/", 404),
    ("GET", "/session/../secret", 404), ("GET", "/loginx", 404)])
def test_wrong_method_is_405_and_wrong_path_404(site, method, path, status):
    answer = site.send(method, path, b"" if method != "GET" else None,
                       [("Content-Type", "application/json")])
    # Some servers normalize or refuse such a path themselves.
    assert answer.status in {status, 400} if ".." in path else (
        answer.status == status), answer
    if status == 405:
        assert "OPTIONS" in answer.get("allow")


@pytest.mark.parametrize("path", ["/login", "/query"])
@pytest.mark.parametrize("kind", [
    None, "text/plain", "application/jsonx", "nonsense", "multipart/mixed",
    "application/json, text/plain"])
def test_missing_or_unknown_content_type_is_415(site, path, kind):
    """R51, L9: a missing or unknown type is a client error."""
    headers = [("Content-Type", kind)] if kind else []
    answer = site.send("POST", path, b'{"query":"{__typename}"}', headers)
    assert answer.status == 415, answer


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data", "x",
                                  ";;"])
def test_content_type_of_an_empty_logout_is_checked(site, user, kind):
    """L9: the type is checked even if there is no body. For a type that a form
    can send, the origin is checked first (R47)."""
    value = site.cookie_for(user)
    answer = site.send("POST", "/logout", b"", [
        ("Content-Type", kind), ("Cookie", f"{COOKIE}={value}")])
    assert answer.status == (403 if "multipart" in kind else 415), answer
    assert site.session(cookie=value)["name"] == user.email


@pytest.mark.parametrize("length", [
    "99999999999999999999", "-1", "abc", "1e3", "0x10", "+5", "5, 6",
    "9223372036854775807", "18446744073709551616"])
def test_invalid_content_length_is_refused(site, user, cookie, length):
    with http_client.Connection(site.port, timeout=10) as line:
        line.send((f"POST /login HTTP/1.1\r\nHost: {line.host}\r\n"
                   "Content-Type: application/json\r\nConnection: close\r\n"
                   f"Content-Length: {length}\r\n\r\n").encode())
        # mod_proxy_fcgi answers only after the end of the body. nginx would
        # take the end for a disconnect and not answer.
        if not site.name.startswith("nginx"):
            line.socket.shutdown(socket.SHUT_WR)
        answer = line.read("POST")
    assert answer is not None and answer.status in (400, 413), answer
    assert_sessions_work(site, user, cookie)


def test_two_content_lengths_are_refused(site, user, cookie):
    """R58: a request with two lengths could be read in two ways."""
    with http_client.Connection(site.port, timeout=10) as line:
        answer = line.request("POST", "/login", [
            ("Content-Type", "application/json"), ("Content-Length", "2"),
            ("Content-Length", "3")], b"{} ")
    assert answer is not None and answer.status == 400, answer
    assert_sessions_work(site, user, cookie)


@pytest.mark.parametrize("name, value", [
    ("Cookie", "a=" + "x" * 20_000), ("X-Long", "x" * 40_000),
    ("Authorization", "Bearer " + "x" * 20_000),
    ("Cookie", f"{COOKIE}=" + "x" * 9_000), ("Origin", "http://" + "x" * 9_000),
    ("Cookie", "; ".join(f"c{i}=x" for i in range(1000)))])
def test_oversize_header_does_not_change_the_user(
        site, user, cookie, name, value):
    for valid in ([], [("Cookie", f"{COOKIE}={cookie}")]):
        answer = site.get("/session", headers=[*valid, (name, value)])
        if answer.status != 200:
            assert 400 <= answer.status < 500, answer
            continue
        session = answer.json["data"]["session"]
        # No session; or the user's, if Postern does not use the long header.
        assert session is None or (
            valid and name != "Authorization" and session["name"] == user.email)
    assert_sessions_work(site, user, cookie)


# --- repeated cookies --------------------------------------------------------


def test_cookies_of_two_sessions_are_refused(site, user, cookie):
    """R40: cookies of two sessions may be cookie tossing: both are refused and
    the cookie is cleared. U32: two copies of one session, or a valid and an
    invalid cookie, are accepted."""
    other = site.cookie_for(user)
    answer = site.get("/session",
                      cookie=f"{COOKIE}={cookie}; {COOKIE}={other}")
    assert answer.json == {"data": {"session": None}}
    assert cookie_of(answer)[1] == ""
    for line in (f"{COOKIE}={cookie}; a=b; {COOKIE}={cookie}",
                 f"{COOKIE}=dead; {COOKIE}={cookie}"):
        answer = site.get("/session", cookie=line)
        assert answer.json["data"]["session"]["name"] == user.email
    answer = site.get("/session", headers=[
        ("Cookie", f"{COOKIE}={cookie}"), ("Cookie", f"{COOKIE}={other}")])
    if answer.status == 200:
        assert answer.json == {"data": {"session": None}}
    else:
        assert 400 <= answer.status < 500


def test_several_cookie_headers_never_give_another_session(site, user, cookie):
    """Design section 4: whether there is a session depends on how the server
    joins the headers."""
    answer = site.get("/session", headers=[
        ("Cookie", "a=b"), ("Cookie", f"{COOKIE}={cookie}"),
        ("Cookie", "c=d")])
    if answer.status == 400:  # nginx before 1.23 passes them separately
        assert site.name.startswith("nginx")
        return
    session = answer.json["data"]["session"]
    if site.name.startswith("apache"):
        assert session is None
    else:
        assert session["name"] == user.email


# --- headers with the same CGI name (L3, L15, L16, L17) ----------------------


SPELLINGS = [
    "Remote-User", "Remote_User", "REMOTE_USER", "X-Remote-User",
    "X-Session-User", "X_Session_User", "x-session-user", "X-SESSION_USER",
    "X-Session-Subject", "X_Session_Subject", "Session-Subject",
    "Session_Subject", "SESSION_SUBJECT", "Session-Name", "SESSION_NAME",
    "Session-Expires", "Variable-REMOTE_USER", "Variable_Remote_User",
    "Variable-SESSION_SUBJECT", "Variable-SESSION-NAME", "Auth-Request",
    "AUTH_REQUEST", "Fcgi-Role", "FCGI_ROLE", "Fcgi-Apache-Role",
    "HTTP_REMOTE_USER", "Redirect-Remote-User", "X-Forwarded-User"]


@pytest.mark.quick
@pytest.mark.parametrize("name", SPELLINGS)
def test_header_does_not_authenticate_an_anonymous_request(site, name):
    for path in ("/members/index.html", "/members/dump.php",
                 "/members/page.php", "/members/dump.cgi",
                 "/members/shell.cgi", "/members/perl.cgi"):
        answer = site.get(path, headers=[(name, "1")])
        assert 400 <= answer.status < 500, answer
        assert b"Hello" not in answer.body
        assert b"SESSION_" not in answer.body
    assert site.session() is None


@pytest.mark.parametrize("name", SPELLINGS)
def test_header_does_not_change_the_user(site, user, cookie, name):
    for path in ("/members/dump.php", "/members/dump.cgi"):
        for headers in ([(name, "admin")], [(name, "admin"), (name, "root")]):
            answer = site.get(path, cookie=cookie, headers=headers)
            assert answer.status == 200
            seen = {key: value for key, value in answer.json.items()
                    if not key.startswith(("HTTP_", "REDIRECT_"))}
            assert seen["REMOTE_USER"] == user.owner
            assert seen["SESSION_SUBJECT"] == user.owner
            assert seen["SESSION_NAME"] == user.email
            assert seen["SESSION_EXPIRES"].endswith("Z")
            assert "admin" not in seen.values()
            assert "root" not in seen.values()
    # Also in a shell script, which uses `postern whoami`.
    answer = site.get("/members/shell.cgi", cookie=cookie,
                      headers=[(name, "admin")])
    assert f"You are number {user.owner}," in answer.text
    assert "admin" not in answer.text


def test_basic_authentication_does_not_set_the_user(site, user, cookie):
    """A server may set REMOTE_USER from it without a check of the password."""
    basic = ("Authorization", "Basic YWRtaW46eA==")
    assert site.get("/members/dump.php", headers=[basic]).status == 401
    answer = site.get("/members/dump.php", cookie=cookie, headers=[basic])
    assert answer.json["REMOTE_USER"] == user.owner
    assert answer.json["SESSION_SUBJECT"] == user.owner


@pytest.mark.parametrize("name, valid, bad", [
    ("Sec-Fetch-Site", "same-origin", "cross-site"),
    ("Origin", "http://localhost:{port}", "https://evil.example")])
@pytest.mark.parametrize("first", ["valid", "bad"])
def test_header_with_underscore_does_not_replace_the_browsers(
        site, user, name, valid, bad, first):
    """L18: the header with a hyphen is the browser's. One with an underscore
    must not override it in the cross-site check."""
    values = [(name, bad), (name.replace("-", "_") if "-" in name
                            else name.lower(), valid)]
    if first == "valid":
        values.reverse()
    headers = [(n, v.format(port=site.port)) for n, v in values]
    answer = site.post("/login", {"email": user.email,
                                  "password": user.password}, headers=headers)
    assert answer.status in (400, 403), answer
    assert answer.all("set-cookie") == []


def test_content_type_in_another_header_is_ignored(site):
    answer = site.send("POST", "/query", b'{"query":"{__typename}"}', [
        ("Content_Type", "application/json"),
        ("Http-Content-Type", "application/json")])
    assert answer.status in (400, 415), answer


def test_bearer_token_in_another_header_is_ignored(site, bearer):
    for name in ("Authorization_", "X-Authorization", "Proxy-Authorization",
                 "HTTP_AUTHORIZATION", "Http-Authorization"):
        answer = site.get("/session", headers=[(name, f"Bearer {bearer}")])
        if answer.status == 200:
            assert answer.json == {"data": {"session": None}}, name


# --- cross-site requests (design 2.7) ----------------------------------------


@pytest.mark.quick
@pytest.mark.parametrize("headers, status", [
    ([("Sec-Fetch-Site", "cross-site")], 403),
    ([("Sec-Fetch-Site", "same-site")], 403),
    ([("Origin", "https://evil.example")], 403),
    ([("Origin", "null")], 403),
    ([("Origin", "https://localhost:{port}")], 403),
    ([("Origin", "http://localhost:1")], 403),
    ([("Referer", "https://evil.example/")], 403),
    ([("Sec-Fetch-Site", "same-origin")], 200),
    ([("Origin", "http://localhost:{port}")], 200),
    ([("Origin", "https://listed.example")], 200),
    ([], 200)])
def test_cross_site_requests_are_refused(site, user, cookie, headers, status):
    headers = [(n, v.format(port=site.port)) for n, v in headers]
    answer = site.query(cookie=cookie, headers=headers)
    assert answer.status == status, answer
    answer = site.log_in(user) if not headers else site.post(
        "/login", {"email": user.email, "password": user.password},
        headers=headers)
    assert answer.status == status, answer
    assert bool(answer.all("set-cookie")) == (status == 200)


# --- protected pages ---------------------------------------------------------


PAGES = ["/members/index.html", "/members/", "/members/page.php",
         "/members/shell.cgi", "/members/perl.cgi"]


@pytest.mark.quick
def test_users_get_protected_pages(site, user, cookie, bearer):
    for path in PAGES:
        for transport in ({"cookie": cookie}, {"bearer": bearer}):
            answer = site.get(path, **transport)
            assert answer.status == 200, (path, answer)
            assert "<h1>Hello, " in answer.text
            if path.endswith((".php", ".cgi")):
                assert f"<h1>Hello, {user.email}</h1>" in answer.text
                assert f"You are number {user.owner}," in answer.text


@pytest.mark.quick
def test_anonymous_requests_get_no_protected_page(site):
    """L10: the refusal has no part of the page. L22: a query string cannot
    bypass the protection."""
    for path in [*PAGES, "/members/index.html?/login", "/members/?x=/index.html",
                 "/members/none", "/members/../members/",
                 "//members/index.html", "/members/%69ndex.html",
                 "/members/page.php/x", "/members/index.html?a=b",
                 "/members//index.html", "/x/../members/index.html",
                 "/%6dembers/index.html", "/members/./index.html"]:
        answer = site.get(path)
        assert 400 <= answer.status < 500, (path, answer)
        assert b"Hello" not in answer.body
        if path in PAGES:
            assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")
            assert answer.get("content-type").startswith("application/json")
    assert site.get("/index.html").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS",
                                    "HEAD", "PROPFIND", "TRACE"])
def test_no_method_bypasses_the_protection(site, method):
    answer = site.send(method, "/members/page.php",
                       b"" if method in ("POST", "PUT") else None)
    assert 400 <= answer.status < 500 or (
        method == "TRACE" and answer.status == 501), answer
    assert b"Hello" not in answer.body


def test_trace_shows_no_cookie(site, cookie):
    """A script must not read an HttpOnly cookie from the echo."""
    for path in ("/", "/login", "/members/", "/members/page.php"):
        answer = site.send("TRACE", path, None, [
            ("Cookie", f"{COOKIE}={cookie}"), ("X-Canary", "canary")])
        assert cookie.encode() not in answer.body, path
        assert b"canary" not in answer.body, path


LISTED = ("Origin", "https://listed.example")


def test_protected_pages_get_no_cors_headers_from_postern(
        site, user, cookie, bearer):
    """POSTERN_ORIGINS applies to Postern's own answers. A page sets its own
    CORS headers."""
    for path in PAGES:
        for transport in ({"cookie": cookie}, {"bearer": bearer}, {}):
            answer = site.get(path, headers=[LISTED], **transport)
            assert answer.status == (200 if transport else 401), answer
            assert not [name for name, _ in answer.headers
                        if name.startswith("access-control-")], answer
            assert "origin" not in answer.vary
    answer = site.get("/members/own.php", cookie=cookie, headers=[LISTED])
    assert answer.get("access-control-allow-origin") == (
        "https://partner.example")
    assert answer.get("access-control-allow-credentials") is None
    # Postern's own answer has the headers.
    answer = site.get("/session", cookie=cookie, headers=[LISTED])
    assert answer.get("access-control-allow-origin") == LISTED[1]


def cache_directives(answer):
    return {word.strip() for line in answer.all("cache-control")
            for word in line.split(",")}


def test_protected_page_is_private_to_caches(site, cookie):
    """With any status. The page's own Cache-Control is kept."""
    for path in [*PAGES, "/members/none", "/members/none.php"]:
        answer = site.get(path, cookie=cookie)
        assert answer.status == (404 if "none" in path else 200)
        assert cache_directives(answer) & {"private", "no-store"}, answer
        assert not cache_directives(answer) & {"public", "s-maxage"}
    for status in (200, 401, 403, 404, 500):
        answer = site.get(f"/members/own.php?status={status}", cookie=cookie)
        assert answer.status == status
        assert cache_directives(answer) >= {"no-store",
                                            "must-revalidate"}, answer
    answer = site.get("/members/")
    assert answer.status == 401 and "no-store" in cache_directives(answer)
    answer = site.get("/members/", headers=NAVIGATE)
    assert answer.status == 303 and "no-store" in cache_directives(answer)


def test_bearer_token_is_hidden_from_pages(site, bearer):
    """The token gives access to the session. lighttpd cannot hide it."""
    with canary.allowed(*(["a session's token"]
                          if site.name.startswith("lighttpd") else [])):
        answer = site.get("/members/own.php", bearer=bearer)
    if site.name.startswith("lighttpd"):
        assert answer.text == f"own Bearer {bearer}"
    else:
        assert answer.text == "own "


def test_post_reaches_a_page_unless_cross_site(site, user, cookie):
    answer = site.send("POST", "/members/page.php", b"a=b" * 1000, [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Cookie", f"{COOKIE}={cookie}"),
        ("Origin", f"http://localhost:{site.port}")])
    assert answer.status == 200 and user.email in answer.text
    answer = site.send("POST", "/members/page.php", b"a=b", [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Cookie", f"{COOKIE}={cookie}"), ("Origin", "https://evil.example")])
    assert answer.status == 403 and b"Hello" not in answer.body


def test_refusal_has_the_content_type_of_its_body(site, cookie):
    """nginx replaces the body of a 403 by a page of its own."""
    for headers, kind, begin in (
            ([], "application/json", b'{"errors":'),
            (NAVIGATE[:1], "text/html", b"<!DOCTYPE html>\n<html lang")):
        answer = site.send("POST", "/members/page.php", b"", [
            ("Cookie", f"{COOKIE}={cookie}"),
            ("Origin", "https://evil.example"), *headers])
        assert answer.status == 403
        if site.name.startswith("nginx"):
            assert answer.get("content-type").startswith("text/html")
        else:
            assert answer.get("content-type") == f"{kind}; charset=utf-8"
            assert answer.body.startswith(begin)
    # An error page of the server itself, here for a path that is too long.
    answer = site.get("/members/" + "x" * 300, cookie=cookie)
    assert answer.status >= 400
    assert answer.get("content-type").startswith("text/html")


NAVIGATE = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Site", "none")]


@pytest.mark.parametrize("headers", [NAVIGATE, [("Accept", "text/html")]])
def test_navigation_is_redirected_to_the_login_page_and_back(
        site, user, headers):
    """U6: the login redirects to the page that was asked for."""
    path = "/members/page.php?a=b&c=%20d"
    answer = site.get(path, headers=headers)
    assert answer.status == 303, answer
    address, _, query = answer.get("location").partition("?")
    assert address == "/login"
    assert urllib.parse.parse_qs(query) == {"return_to": [path]}
    assert b"Hello" not in answer.body
    page = site.get(answer.get("location"), headers=headers)
    answer = site.form("/login", {
        "csrf_token": form_field(page, "csrf_token"), "email": user.email,
        "password": user.password, "return_to": path})
    assert answer.get("location") == path
    answer = site.get(path, cookie=cookie_of(answer)[1])
    assert f"Hello, {user.email}" in answer.text


def test_status_401_of_a_page_is_kept(site, cookie):
    answer = site.get("/members/own.php?status=401", cookie=cookie)
    assert (answer.status, answer.text) == (401, "own ")
    assert answer.get("content-type") == "text/html; charset=utf-8"


@pytest.mark.quick
def test_request_of_a_script_gets_401(site):
    for mode in ("cors", "same-origin", "no-cors"):
        answer = site.get("/members/index.html", headers=[
            ("Sec-Fetch-Mode", mode), ("Accept", "text/html")])
        assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")
        assert answer.get("location") is None


@pytest.mark.quick
def test_invalid_cookie_is_cleared(site):
    answer = site.get("/members/index.html", cookie="forged")
    assert answer.status == 401
    assert cookie_of(answer)[1] == ""


@pytest.mark.parametrize("line", [
    "", "=", ";", f"{COOKIE}", f"{COOKIE}=", f"={COOKIE}", f'{COOKIE}="',
    f"{COOKIE}=;{COOKIE}=", f"{COOKIE}=.....", f"{COOKIE}=a b", "\xff",
    f"{COOKIE}=\xff\xfe", f"{COOKIE}=" + "." * 3000])
def test_malformed_cookie_is_refused(site, line):
    """L52: there is an explicit refusal, and the page does not run."""
    for path in ("/members/index.html", "/members/dump.php"):
        answer = site.get(path, headers=[("Cookie", line)])
        assert (answer.status, answer.code) == (401, "UNAUTHENTICATED") or (
            answer.status == 400), answer
        assert b"Hello" not in answer.body and b"{}" not in answer.body


@pytest.mark.parametrize("agent", [
    "GoogleHC/1.0", "ELB-HealthChecker/2.0", "kube-probe/1.29", ""])
def test_health_check_is_anonymous(site, agent):
    """L23: a User-Agent gives no access."""
    answer = site.get("/members/index.html", headers=[("User-Agent", agent)])
    assert answer.status == 401


def test_authorize_has_no_public_path(site, cookie):
    for path in ("/authorize", "/postern/authorize"):
        assert site.get(path, cookie=cookie).status == 404


def test_examples_escape_the_user_name(site, backend):
    """The examples escape a user's name for HTML and for the shell."""
    email = f"o'\"<b>$(id)`id`\\&;@{time.time_ns()}.example"
    person = backend.register("Mallory", email=email)
    value = site.cookie_for(person)
    escaped = (email.replace("&", "&amp;").replace("<", "&lt;")
               .replace(">", "&gt;").replace('"', "&quot;"))
    for path in PAGES[2:]:
        text = site.get(path, cookie=value).text
        assert f"<h1>Hello, {escaped}</h1>" in text.replace(
            "&#039;", "'").replace("&#39;", "'"), path


def test_cookie_is_renewed_by_a_page(site, backend):
    """R65: the answer has the cookie that `authorize` renewed. lighttpd cannot
    add it."""
    renewing_site = type(site)(backend, POSTERN_IDLE_TIMEOUT="4s",
                               POSTERN_TOKEN_METHOD="cookie")
    try:
        person = backend.register("Rip")
        value = renewing_site.cookie_for(person)
        time.sleep(2.1)
        answer = renewing_site.get("/members/none", cookie=value)
        assert answer.status == 404
        # On an error, too.
        assert bool(answer.all("set-cookie")) == (
            not site.name.startswith("lighttpd"))
        answer = renewing_site.get("/members/index.html", cookie=value)
        assert answer.status == 200
        if site.name.startswith("lighttpd"):
            assert answer.all("set-cookie") == []
            renewed = cookie_of(renewing_site.get("/session", cookie=value))[1]
        else:
            renewed = cookie_of(answer)[1]
        time.sleep(2.1)
        assert renewing_site.session(cookie=value) is None
        assert renewing_site.session(cookie=renewed)["name"] == person.email
        renewing_site.private.add(renewed)
    finally:
        renewing_site.close()


@pytest.mark.parametrize("kind", [servers.Lighttpd, servers.ApacheProxy,
                                  servers.Nginx], ids=lambda kind: kind.name)
def test_store_failure_denies_access(backend, user, kind):
    """R79, design 2.4: 403, no page and no redirect to the login page."""
    site = kind(backend)
    site_without_store = None
    try:
        value = site.cookie_for(user)
        assert site.get("/members/", cookie=value).status == 200
        site_without_store = kind(backend, secret=site.secret,
                                  POSTERN_STORE="redis://127.0.0.1:9/0")
        for headers in ([], NAVIGATE):
            answer = site_without_store.get("/members/", cookie=value,
                                            headers=headers)
            assert answer.status == 403, answer
            assert b"Hello" not in answer.body
            assert answer.all("set-cookie") == []
        assert site_without_store.get("/members/").status == 401
    finally:
        site.close()
        if site_without_store:
            site_without_store.close()


@pytest.mark.parametrize("kind", servers.ALL, ids=lambda kind: kind.name)
def test_authorizer_failure_denies_access(backend, user, kind):
    """R79: without an answer of the authorizer the server refuses."""
    site = kind(backend)
    try:
        value = site.cookie_for(user)
        assert site.get("/members/", cookie=value).status == 200
        # Without the file, lighttpd cannot restart it.
        os.remove(os.path.join(site.folder, "programs/authorize"))
        for pid, name in children_of(site.process.pid).items():
            if name == "authorize":
                os.kill(pid, signal.SIGKILL)
        for helper in site.helpers:
            if helper.args[0].endswith("/authorize"):
                helper.kill()
                helper.wait(10)
        for _ in range(3):
            for headers in ([], NAVIGATE, [LISTED]):
                answer = site.get("/members/", cookie=value, headers=headers)
                assert answer.status in (500, 502, 503), answer
                assert b"Hello" not in answer.body
                assert not (answer.get("content-type") or "").startswith(
                    "application/json")
                assert site.get("/members/").status >= 400
    finally:
        site.close(check=False)  # the server logs errors


def test_folder_protection_covers_every_path_to_the_files(backend, user):
    """Apache: the files have two URLs."""
    site = servers.ApacheFolder(backend, with_pages=True)
    try:
        value = site.cookie_for(user)
        for path in PAGES:
            for start in ("/members", "/old"):
                answer = site.get(path.replace("/members", start))
                assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")
            answer = site.get(path, cookie=value)
            assert answer.status == 200 and "<h1>Hello, " in answer.text
        answer = site.get("/old/index.html", cookie=value)
        assert answer.status == 200 and "<h1>Hello, " in answer.text
        assert site.get("/index.html").status == 200
    finally:
        site.close()


@pytest.mark.parametrize("kind, origin", [
    *((kind, "http://shop.example") for kind in servers.ALL),
    (servers.Nginx, None), (servers.NginxFresh, None),
    (servers.LighttpdNamed, None), (servers.ApacheNamed, None)],
    ids=lambda value: getattr(value, "name", value and "origin"))
def test_origin_is_not_taken_from_the_host_header(backend, user, kind, origin):
    """With POSTERN_ORIGIN, or if the server has a configured name."""
    site = kind(backend, POSTERN_ORIGIN=origin)
    try:
        own_origin = origin or f"http://localhost:{site.port}"
        for host, from_where, status in (
                ("evil.example", "http://evil.example", 403),
                (f"evil.example:{site.port}",
                 f"http://evil.example:{site.port}", 403),
                (f"localhost:{site.port}", own_origin, 200)):
            answer = site.post("/login", {
                "email": user.email, "password": user.password}, headers=[
                    ("Host", host), ("Origin", from_where)])
            assert answer.status == status, (host, answer)
    finally:
        site.close()


@pytest.mark.parametrize("kind", [servers.Lighttpd, servers.ApacheFcgid,
                                  servers.ApacheCgid],
                         ids=lambda kind: kind.name)
def test_settings_file_sets_the_origin(backend, user, kind):
    """Without it a request could choose the origin by its Host."""
    class Own(kind):
        has_origin = True

    site = Own(backend)
    try:
        for origin, host, status in (
                (f"http://localhost:{site.port}", "localhost", 200),
                ("http://evil.example", "evil.example", 403)):
            answer = site.post("/login", {
                "email": user.email, "password": user.password}, headers=[
                    ("Origin", origin), ("Host", host)])
            assert answer.status == status, (origin, site.log)
    finally:
        site.close()
