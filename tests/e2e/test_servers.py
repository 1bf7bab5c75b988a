# SPDX-License-Identifier: ISC
"""The whole contract on every web server that etc/ has a configuration for:
the same tests with the very files, one after another."""
import json
import os
import signal
import socket
import time
import urllib.parse

import http_client
import pytest
import servers
from gateway import COOKIE, LOGIN, ME, children_of
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

# What a page of the owner's says of itself, which is not ours to change.
OWN = """<?php
http_response_code((int) ($_GET['status'] ?? 200));
header('Content-Type: text/html; charset=utf-8');
header('Cache-Control: no-store, must-revalidate');
header('Access-Control-Allow-Origin: https://partner.example');
echo 'own ', $_SERVER['HTTP_AUTHORIZATION'] ?? '';
"""


@pytest.fixture(name="site", scope="module", params=servers.ALL,
                ids=lambda kind: kind.name)
def site_fixture(request, backend):
    site = request.param(backend, with_pages=True,
                         POSTERN_TOKEN_METHOD="cookie,bearer",
                         POSTERN_MAX_BODY=str(MAX_BODY),
                         POSTERN_ORIGINS="https://listed.example",
                         POSTERN_IDLE_TIMEOUT="10m")
    site.write("www/members/dump.php", DUMP)
    site.write("www/members/own.php", OWN)
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


def me(user):
    return {"data": {"me": {"ownerId": user.owner, "email": user.email}}}


def is_alive(site, user, cookie):
    """Whatever was sent before: this user is this user, and nobody is not."""
    assert site.session(cookie=cookie)["name"] == user.email
    assert site.session() is None


# --- logging in, asking, logging out -----------------------------------------


@pytest.mark.quick
def test_login_by_json(site, user):
    answer = site.log_in(user)
    assert answer.status == 200
    assert answer.json["data"]["login"]["ownerId"] == user.owner
    name, value, attributes = cookie_of(answer)
    assert name == COOKIE and value
    assert attributes == ["Path=/", "HttpOnly", "Secure", "SameSite=Lax"]
    assert answer.get("vendure-auth-token")
    assert answer.get("cache-control") == "no-store"
    assert answer.get("x-content-type-options") == "nosniff"
    assert site.query(cookie=value).json == me(user)


@pytest.mark.quick
def test_login_by_graphql(site, user):
    answer = site.post("/login", {"query": LOGIN, "variables": {
        "email": user.email, "password": user.password}})
    assert answer.status == 200
    token = answer.json["data"]["login"]["secret"]
    assert token == answer.get("vendure-auth-token")
    assert site.query(bearer=token).json == me(user)


@pytest.mark.quick
def test_login_by_form(site, user):
    page = site.get("/login?return_to=/members/")
    assert page.status == 200 and page.all("set-cookie") == []
    assert "frame-ancestors 'none'" in page.get("content-security-policy")
    assert page.get("content-type") == "text/html; charset=utf-8"
    answer = site.form("/login", {
        "csrf_token": field(page, "csrf_token"), "email": user.email,
        "password": user.password, "return_to": field(page, "return_to")})
    assert answer.status == 303
    assert answer.get("location") == "/members/"
    assert site.query(cookie=cookie_of(answer)[1]).json == me(user)


def field(page, name):
    value = page.text.partition(f'name="{name}" value="')[2].partition('"')[0]
    assert value, page
    return value


@pytest.mark.quick
def test_wrong_password(site, user):
    answer = site.post("/login", {"email": user.email, "password": "wrong"})
    assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")
    assert answer.all("set-cookie") == []
    answer = site.form("/login", {"email": "a<b>@x", "password": "wrong"})
    assert answer.status == 401
    assert 'value="a&lt;b&gt;@x"' in answer.text


@pytest.mark.quick
def test_query(site, user, cookie, bearer):
    assert site.query(cookie=cookie).json == me(user)
    assert site.query(bearer=bearer).json == me(user)
    assert site.query().json["data"] == {"me": None}
    query = urllib.parse.urlencode({"query": ME})
    assert site.get(f"/query?{query}", cookie=cookie).json == me(user)


@pytest.mark.quick
def test_session(site, user, cookie, bearer):
    for carrier in ({"cookie": cookie}, {"bearer": bearer}):
        session = site.session(**carrier)
        assert session["name"] == user.email
        assert session["subject"] == user.owner
    assert site.session() is None
    assert site.get("/session", bearer="forged").status == 401
    answer = site.get("/session", cookie="forged")
    assert answer.json == {"data": {"session": None}}
    assert cookie_of(answer)[1] == ""


@pytest.mark.quick
def test_logout(site, user):
    value = site.cookie_for(user)
    page = site.get("/logout", cookie=value)
    assert page.status == 200
    answer = site.form("/logout", {"csrf_token": field(page, "csrf_token")},
                       [("Cookie", f"{COOKIE}={value}")])
    assert answer.status == 303 and answer.get("location") == "/"
    assert cookie_of(answer)[1] == ""
    for path in ("/members/page.php", "/members/index.html"):
        # R22: a copy of the cookie is worth nothing any longer.
        assert site.get(path, cookie=value).status == 401
    answer = site.post("/logout", cookie=site.cookie_for(user))
    assert answer.json == {"data": {"logout": {"success": True}}}


@pytest.mark.quick
def test_a_bearer_token_after_its_logout(site, user):
    token = site.log_in(user).get("vendure-auth-token")
    assert site.get("/members/index.html", bearer=token).status == 200
    assert site.post("/logout", bearer=token).status == 200
    for path in ("/members/page.php", "/members/index.html"):
        assert site.get(path, bearer=token).status == 401


@pytest.mark.quick
def test_a_csrf_token_that_is_wrong(site, user):
    """Design 2.7: refused, and the form comes again with a good one."""
    cookie = site.cookie_for(user)
    page = site.get("/logout", cookie=cookie)
    answer = site.form("/login", {
        "csrf_token": field(page, "csrf_token"), "email": user.email,
        "password": user.password}, [("Cookie", f"{COOKIE}={cookie}")])
    assert answer.status == 403
    assert answer.all("vendure-auth-token") == []
    assert user.email in answer.text and user.password not in answer.text
    again = site.form("/login", {
        "csrf_token": field(answer, "csrf_token"), "email": user.email,
        "password": user.password}, [("Cookie", f"{COOKIE}={cookie}")])
    assert again.status == 303


def test_two_tabs(site, user):
    """U18: neither tab's form is spoilt by the other."""
    first, second = site.get("/login"), site.get("/login")
    value = None
    for page in (second, first):
        answer = site.form("/login", {
            "csrf_token": field(page, "csrf_token"), "email": user.email,
            "password": user.password},
            [("Cookie", f"{COOKIE}={value}")] if value else [])
        assert answer.status == 303
        value = cookie_of(answer)[1]


@pytest.mark.parametrize("everything", [True, False])
def test_two_tabs_of_who_is_logged_in(site, user, everything):
    """U18: logging in changes the session that the other form was made for;
    so does logging out."""
    value = site.cookie_for(user)
    pages = [site.get("/login", cookie=value) for _ in range(3)]
    for page in pages:
        answer = site.form("/login", {
            "csrf_token": field(page, "csrf_token"), "email": user.email,
            "password": user.password}, [("Cookie", f"{COOKIE}={value}")])
        assert answer.status == 303
        value = cookie_of(answer)[1]
        if not everything:
            site.post("/logout", cookie=value)


@pytest.mark.parametrize("kind", servers.ALL, ids=lambda kind: kind.name)
def test_two_tabs_of_a_guest(backend, kind):
    """U18: a cart is a session, too."""
    site = kind(backend, POSTERN_BACKEND="vendure",
                POSTERN_TOKEN_METHOD="cookie")
    token = ["vendure-auth-token", "a-token-0123456789-0123456789-0123456789"]
    try:
        backend.next(headers=[["Content-Type", "application/json"], token],
                     body='{"data":{"addItemToOrder":{"id":"1"}}}')
        backend.next(body='{"data":{"me":null}}')  # whose token it is
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
                "csrf_token": field(page, "csrf_token"),
                "email": "a@b.example", "password": "x"},
                [("Cookie", value)])
            assert answer.status == 303, answer
            value = "=".join(cookie_of(answer)[:2])
            session = site.session(cookie=value)
            assert (session["subject"], session["guest"]) == ("7", False)
    finally:
        backend.forget()
        site.close()


def test_a_strangers_csrf_token(site, user):
    """Made for nobody, for who was logged in before: the form comes again."""
    value = site.cookie_for(user)
    time.sleep(1.1)
    page = site.get("/login")
    answer = site.form("/login", {
        "csrf_token": field(page, "csrf_token"), "email": user.email,
        "password": user.password}, [("Cookie", f"{COOKIE}={value}")])
    assert answer.status == 403 and field(answer, "csrf_token")
    assert site.session(cookie=value)["name"] == user.email


def test_two_users(site, backend):
    """L32, L45: on the same processes, one after another."""
    people = [backend.register(name) for name in ("Ann", "Bo")]
    cookies = [site.cookie_for(person) for person in people]
    for _ in range(5):
        for person, value in zip(people, cookies):
            assert site.query(cookie=value).json == me(person)
        assert site.query().json["data"] == {"me": None}


# --- streams -----------------------------------------------------------------


def test_streamed_answer(site, user, cookie):
    """An event reaches the client when it is written (U: SSE)."""
    site.backend.next(headers=[["Content-Type", "text/event-stream"]],
                      chunks=["event: next\ndata: 1\n\n", 1.5,
                              "event: complete\n\n"])
    with http_client.Connection(site.port) as line:
        body = json.dumps({"query": "subscription { tick }"})
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
    assert first < 1.2, f"{site.name} keeps what was streamed"


def test_large_answer(site, cookie):
    text = json.dumps({"data": "x" * 3_000_000})
    site.backend.next(headers=[["Content-Type", "application/json"]],
                      body=text)
    answer = site.query(cookie=cookie, keep=False)
    assert answer.whole and answer.text == text


def test_large_request(site, cookie):
    value = {"query": ME, "extensions": {"padding": "x" * 150_000}}
    answer = site.post("/query", value, cookie=cookie)
    assert answer.status == 200, answer
    assert site.backend.seen()[-1]["length"] > 150_000


# --- what is refused ---------------------------------------------------------


def test_too_large(site, user, cookie):
    value = {"query": ME, "extensions": {"padding": "x" * (MAX_BODY + 1)}}
    before = len(site.backend.seen())
    assert site.post("/query", value, cookie=cookie).status == 413
    assert len(site.backend.seen()) == before
    answer = site.post("/login", {"email": "x" * 70_000, "password": "x"})
    assert answer.status == 413
    is_alive(site, user, cookie)


@pytest.mark.parametrize("method, path, status", [
    ("PUT", "/query", 405), ("DELETE", "/login", 405), ("PATCH", "/logout", 405),
    ("POST", "/session", 405), ("GET", "/query/x", 404), ("GET", "/login/", 404),
    ("GET", "/session/../secret", 404), ("GET", "/loginx", 404)])
def test_method_and_path(site, method, path, status):
    answer = site.send(method, path, b"" if method != "GET" else None,
                       [("Content-Type", "application/json")])
    # Some servers clean a path up, or refuse to, before we hear of it.
    assert answer.status in {status, 400} if ".." in path else (
        answer.status == status), answer
    if status == 405:
        assert "OPTIONS" in answer.get("allow")


@pytest.mark.parametrize("path", ["/login", "/query"])
@pytest.mark.parametrize("kind", [
    None, "text/plain", "application/jsonx", "nonsense", "multipart/mixed",
    "application/json, text/plain"])
def test_content_type(site, path, kind):
    """R51, L9: a missing or unknown type is a 4xx."""
    headers = [("Content-Type", kind)] if kind else []
    answer = site.send("POST", path, b'{"query":"{__typename}"}', headers)
    assert answer.status == 415, answer


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data", "x",
                                  ";;"])
def test_content_type_of_an_empty_logout(site, user, kind):
    """L9: what is there is judged, body or not; what a plain form could have
    sent, by its sender first (R47)."""
    value = site.cookie_for(user)
    answer = site.send("POST", "/logout", b"", [
        ("Content-Type", kind), ("Cookie", f"{COOKIE}={value}")])
    assert answer.status == (403 if "multipart" in kind else 415), answer
    assert site.session(cookie=value)["name"] == user.email


@pytest.mark.parametrize("length", [
    "99999999999999999999", "-1", "abc", "1e3", "0x10", "+5", "5, 6",
    "9223372036854775807", "18446744073709551616"])
def test_absurd_content_length(site, user, cookie, length):
    with http_client.Connection(site.port, timeout=10) as line:
        line.send((f"POST /login HTTP/1.1\r\nHost: {line.host}\r\n"
                   "Content-Type: application/json\r\nConnection: close\r\n"
                   f"Content-Length: {length}\r\n\r\n").encode())
        # mod_proxy_fcgi answers when it has seen all there is of the body;
        # nginx not at all when it takes this for the client's going away.
        if not site.name.startswith("nginx"):
            line.socket.shutdown(socket.SHUT_WR)
        answer = line.read("POST")
    assert answer is not None and answer.status in (400, 413), answer
    is_alive(site, user, cookie)


def test_two_content_lengths(site, user, cookie):
    """R58"""
    with http_client.Connection(site.port, timeout=10) as line:
        answer = line.request("POST", "/login", [
            ("Content-Type", "application/json"), ("Content-Length", "2"),
            ("Content-Length", "3")], b"{} ")
    assert answer is not None and answer.status == 400, answer
    is_alive(site, user, cookie)


@pytest.mark.parametrize("name, value", [
    ("Cookie", "a=" + "x" * 20_000), ("X-Long", "x" * 40_000),
    ("Authorization", "Bearer " + "x" * 20_000),
    ("Cookie", f"{COOKIE}=" + "x" * 9_000), ("Origin", "http://" + "x" * 9_000),
    ("Cookie", "; ".join(f"c{i}=x" for i in range(1000)))])
def test_oversize_header(site, user, cookie, name, value):
    for good in ([], [("Cookie", f"{COOKIE}={cookie}")]):
        answer = site.get("/session", headers=[*good, (name, value)])
        if answer.status != 200:
            assert 400 <= answer.status < 500, answer
            continue
        session = answer.json["data"]["session"]
        # Nobody's, or, where the long header did not matter, its own.
        assert session is None or (
            good and name != "Authorization" and session["name"] == user.email)
    is_alive(site, user, cookie)


# --- cookies, twice and apart ------------------------------------------------


def test_two_cookies(site, user, cookie):
    """R40: two sessions are a tossed cookie: neither is believed, ours is
    cleared. U32: of two variants of one, or beside a dead one, it counts."""
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


def test_several_cookie_lines(site, user, cookie):
    """Design section 4: how a server joins them decides whether there is a
    session; it is never another's."""
    answer = site.get("/session", headers=[
        ("Cookie", "a=b"), ("Cookie", f"{COOKIE}={cookie}"),
        ("Cookie", "c=d")])
    if answer.status == 400:  # nginx before 1.23 passes each on: one too many
        assert site.name.startswith("nginx")
        return
    session = answer.json["data"]["session"]
    if site.name.startswith("apache"):
        assert session is None
    else:
        assert session["name"] == user.email


# --- names that meet in CGI (L3, L15, L16, L17) ------------------------------


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
def test_nobody_becomes_somebody_by_a_header(site, name):
    for path in ("/members/index.html", "/members/dump.php",
                 "/members/page.php", "/members/dump.cgi",
                 "/members/shell.cgi", "/members/perl.cgi"):
        answer = site.get(path, headers=[(name, "1")])
        assert 400 <= answer.status < 500, answer
        assert b"Hello" not in answer.body
        assert b"SESSION_" not in answer.body
    assert site.session() is None


@pytest.mark.parametrize("name", SPELLINGS)
def test_somebody_stays_who_it_is(site, user, cookie, name):
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
    # What a shell makes of it, by `postern whoami`.
    answer = site.get("/members/shell.cgi", cookie=cookie,
                      headers=[(name, "admin")])
    assert f"You are number {user.owner}," in answer.text
    assert "admin" not in answer.text


def test_basic_authentication_names_nobody(site, user, cookie):
    """A server may take REMOTE_USER from it, password unchecked."""
    basic = ("Authorization", "Basic YWRtaW46eA==")
    assert site.get("/members/dump.php", headers=[basic]).status == 401
    answer = site.get("/members/dump.php", cookie=cookie, headers=[basic])
    assert answer.json["REMOTE_USER"] == user.owner
    assert answer.json["SESSION_SUBJECT"] == user.owner


@pytest.mark.parametrize("name, good, bad", [
    ("Sec-Fetch-Site", "same-origin", "cross-site"),
    ("Origin", "http://localhost:{port}", "https://evil.example")])
@pytest.mark.parametrize("first", ["good", "bad"])
def test_two_spellings_of_what_decides(site, user, name, good, bad, first):
    """The hyphen's header is the browser's; one with an underscore is never
    believed instead (L18)."""
    values = [(name, bad), (name.replace("-", "_") if "-" in name
                            else name.lower(), good)]
    if first == "good":
        values.reverse()
    headers = [(n, v.format(port=site.port)) for n, v in values]
    answer = site.post("/login", {"email": user.email,
                                  "password": user.password}, headers=headers)
    assert answer.status in (400, 403), answer
    assert answer.all("set-cookie") == []


def test_content_type_by_another_name(site):
    answer = site.send("POST", "/query", b'{"query":"{__typename}"}', [
        ("Content_Type", "application/json"),
        ("Http-Content-Type", "application/json")])
    assert answer.status in (400, 415), answer


def test_authorization_by_another_name(site, bearer):
    for name in ("Authorization_", "X-Authorization", "Proxy-Authorization",
                 "HTTP_AUTHORIZATION", "Http-Authorization"):
        answer = site.get("/session", headers=[(name, f"Bearer {bearer}")])
        if answer.status == 200:
            assert answer.json == {"data": {"session": None}}, name


# --- other sites (design 2.7) ------------------------------------------------


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
def test_cross_site(site, user, cookie, headers, status):
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
def test_members_see_pages(site, user, cookie, bearer):
    for path in PAGES:
        for carrier in ({"cookie": cookie}, {"bearer": bearer}):
            answer = site.get(path, **carrier)
            assert answer.status == 200, (path, answer)
            assert "<h1>Hello, " in answer.text
            if path.endswith((".php", ".cgi")):
                assert f"<h1>Hello, {user.email}</h1>" in answer.text
                assert f"You are number {user.owner}," in answer.text


@pytest.mark.quick
def test_others_do_not(site):
    """L10: nothing of the page comes with the refusal. L22: there are no rules
    of ours about paths that a query string could meet."""
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
def test_no_method_is_a_way_in(site, method):
    answer = site.send(method, "/members/page.php",
                       b"" if method in ("POST", "PUT") else None)
    assert 400 <= answer.status < 500 or (
        method == "TRACE" and answer.status == 501), answer
    assert b"Hello" not in answer.body


def test_trace_shows_no_cookie(site, cookie):
    """A script must not see an HttpOnly cookie by asking for an echo."""
    for path in ("/", "/login", "/members/", "/members/page.php"):
        answer = site.send("TRACE", path, None, [
            ("Cookie", f"{COOKIE}={cookie}"), ("X-Canary", "canary")])
        assert cookie.encode() not in answer.body, path
        assert b"canary" not in answer.body, path


LISTED = ("Origin", "https://listed.example")


def test_no_origin_may_read_a_page(site, user, cookie, bearer):
    """POSTERN_ORIGINS is about what Postern says, not about pages: who may
    read those is theirs to say."""
    for path in PAGES:
        for carrier in ({"cookie": cookie}, {"bearer": bearer}, {}):
            answer = site.get(path, headers=[LISTED], **carrier)
            assert answer.status == (200 if carrier else 401), answer
            assert not [name for name, _ in answer.headers
                        if name.startswith("access-control-")], answer
            assert "origin" not in answer.vary
    answer = site.get("/members/own.php", cookie=cookie, headers=[LISTED])
    assert answer.get("access-control-allow-origin") == (
        "https://partner.example")
    assert answer.get("access-control-allow-credentials") is None
    # Ours say so, as ever.
    answer = site.get("/session", cookie=cookie, headers=[LISTED])
    assert answer.get("access-control-allow-origin") == LISTED[1]


def caching(answer):
    return {word.strip() for line in answer.all("cache-control")
            for word in line.split(",")}


def test_no_cache_keeps_a_members_page(site, cookie):
    """Whatever its status; and what a page says of it itself still stands."""
    for path in [*PAGES, "/members/none", "/members/none.php"]:
        answer = site.get(path, cookie=cookie)
        assert answer.status == (404 if "none" in path else 200)
        assert caching(answer) & {"private", "no-store"}, answer
        assert not caching(answer) & {"public", "s-maxage"}
    for status in (200, 401, 403, 404, 500):
        answer = site.get(f"/members/own.php?status={status}", cookie=cookie)
        assert answer.status == status
        assert caching(answer) >= {"no-store", "must-revalidate"}, answer
    answer = site.get("/members/")
    assert answer.status == 401 and "no-store" in caching(answer)
    answer = site.get("/members/", headers=NAVIGATE)
    assert answer.status == 303 and "no-store" in caching(answer)


def test_a_bearer_token_is_not_for_pages(site, bearer):
    """It is the session itself. lighttpd cannot keep it from them."""
    answer = site.get("/members/own.php", bearer=bearer)
    if site.name.startswith("lighttpd"):
        assert answer.text == f"own Bearer {bearer}"
    else:
        assert answer.text == "own "


def test_post_reaches_a_page(site, user, cookie):
    answer = site.send("POST", "/members/page.php", b"a=b" * 1000, [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Cookie", f"{COOKIE}={cookie}"),
        ("Origin", f"http://localhost:{site.port}")])
    assert answer.status == 200 and user.email in answer.text
    answer = site.send("POST", "/members/page.php", b"a=b", [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Cookie", f"{COOKIE}={cookie}"), ("Origin", "https://evil.example")])
    assert answer.status == 403 and b"Hello" not in answer.body


def test_a_refusal_is_what_it_says(site, cookie):
    """Its Content-Type is that of its body. nginx puts a page of its own in
    the place of a 403."""
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
    # A path that is too long, say: the server's own words, not ours.
    answer = site.get("/members/" + "x" * 300, cookie=cookie)
    assert answer.status >= 400
    assert answer.get("content-type").startswith("text/html")


NAVIGATE = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Site", "none")]


@pytest.mark.parametrize("headers", [NAVIGATE, [("Accept", "text/html")]])
def test_navigation_goes_to_the_login_page(site, user, headers):
    """U6, and all the way round."""
    path = "/members/page.php?a=b&c=%20d"
    answer = site.get(path, headers=headers)
    assert answer.status == 303, answer
    address, _, query = answer.get("location").partition("?")
    assert address == "/login"
    assert urllib.parse.parse_qs(query) == {"return_to": [path]}
    assert b"Hello" not in answer.body
    page = site.get(answer.get("location"), headers=headers)
    answer = site.form("/login", {
        "csrf_token": field(page, "csrf_token"), "email": user.email,
        "password": user.password, "return_to": path})
    assert answer.get("location") == path
    answer = site.get(path, cookie=cookie_of(answer)[1])
    assert f"Hello, {user.email}" in answer.text


def test_a_pages_own_refusal_is_its_own(site, cookie):
    answer = site.get("/members/own.php?status=401", cookie=cookie)
    assert (answer.status, answer.text) == (401, "own ")
    assert answer.get("content-type") == "text/html; charset=utf-8"


@pytest.mark.quick
def test_a_scripts_request_gets_401(site):
    for mode in ("cors", "same-origin", "no-cors"):
        answer = site.get("/members/index.html", headers=[
            ("Sec-Fetch-Mode", mode), ("Accept", "text/html")])
        assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")
        assert answer.get("location") is None


@pytest.mark.quick
def test_a_dead_cookie_is_cleared(site):
    answer = site.get("/members/index.html", cookie="forged")
    assert answer.status == 401
    assert cookie_of(answer)[1] == ""


@pytest.mark.parametrize("line", [
    "", "=", ";", f"{COOKIE}", f"{COOKIE}=", f"={COOKIE}", f'{COOKIE}="',
    f"{COOKIE}=;{COOKIE}=", f"{COOKIE}=.....", f"{COOKIE}=a b", "\xff",
    f"{COOKIE}=\xff\xfe", f"{COOKIE}=" + "." * 3000])
def test_a_malformed_cookie_is_answered(site, line):
    """L52: a no is said, not left out; a page behind it hears of nobody."""
    for path in ("/members/index.html", "/members/dump.php"):
        answer = site.get(path, headers=[("Cookie", line)])
        assert (answer.status, answer.code) == (401, "UNAUTHENTICATED") or (
            answer.status == 400), answer
        assert b"Hello" not in answer.body and b"{}" not in answer.body


@pytest.mark.parametrize("agent", [
    "GoogleHC/1.0", "ELB-HealthChecker/2.0", "kube-probe/1.29", ""])
def test_a_health_check_is_nobody(site, agent):
    """L23"""
    answer = site.get("/members/index.html", headers=[("User-Agent", agent)])
    assert answer.status == 401


def test_authorize_is_not_for_clients(site, cookie):
    for path in ("/authorize", "/postern/authorize"):
        assert site.get(path, cookie=cookie).status == 404


def test_names_are_escaped(site, backend):
    """A name is text, and so is what a shell makes of it."""
    email = f"o'\"<b>$(id)`id`\\&;@{time.time_ns()}.example"
    person = backend.register("Mallory", email=email)
    value = site.cookie_for(person)
    escaped = (email.replace("&", "&amp;").replace("<", "&lt;")
               .replace(">", "&gt;").replace('"', "&quot;"))
    for path in PAGES[2:]:
        text = site.get(path, cookie=value).text
        assert f"<h1>Hello, {escaped}</h1>" in text.replace(
            "&#039;", "'").replace("&#39;", "'"), path


def test_renewal_by_a_page(site, backend):
    """R65: what becomes of a cookie that `authorize` renews."""
    with_clock = type(site)(backend, POSTERN_IDLE_TIMEOUT="4s",
                            POSTERN_TOKEN_METHOD="cookie")
    try:
        person = backend.register("Rip")
        value = with_clock.cookie_for(person)
        time.sleep(2.1)
        answer = with_clock.get("/members/none", cookie=value)
        assert answer.status == 404
        # On an error, too.
        assert bool(answer.all("set-cookie")) == (
            not site.name.startswith("lighttpd"))
        answer = with_clock.get("/members/index.html", cookie=value)
        assert answer.status == 200
        if site.name.startswith("lighttpd"):
            assert answer.all("set-cookie") == []
            renewed = cookie_of(with_clock.get("/session", cookie=value))[1]
        else:
            renewed = cookie_of(answer)[1]
        time.sleep(2.1)
        assert with_clock.session(cookie=value) is None
        assert with_clock.session(cookie=renewed)["name"] == person.email
        with_clock.private.add(renewed)
    finally:
        with_clock.close()


@pytest.mark.parametrize("kind", [servers.Lighttpd, servers.ApacheProxy,
                                  servers.Nginx], ids=lambda kind: kind.name)
def test_a_store_that_is_silent_lets_nobody_in(backend, user, kind):
    """R79, design 2.4: 403, and neither the page nor the login page."""
    site = kind(backend)
    blind = None
    try:
        value = site.cookie_for(user)
        assert site.get("/members/", cookie=value).status == 200
        blind = kind(backend, secret=site.secret,
                     POSTERN_STORE="redis://127.0.0.1:9/0")
        for headers in ([], NAVIGATE):
            answer = blind.get("/members/", cookie=value, headers=headers)
            assert answer.status == 403, answer
            assert b"Hello" not in answer.body
            assert answer.all("set-cookie") == []
        assert blind.get("/members/").status == 401
    finally:
        site.close()
        if blind:
            blind.close()


@pytest.mark.parametrize("kind", servers.ALL, ids=lambda kind: kind.name)
def test_a_dead_authorizer_lets_nobody_in(backend, user, kind):
    """R79: whoever is not asked has not said yes."""
    site = kind(backend)
    try:
        value = site.cookie_for(user)
        assert site.get("/members/", cookie=value).status == 200
        # lighttpd would start it anew.
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
        site.close(check=False)  # the server has complaints


def test_protected_by_folder(backend, user):
    """Apache: whatever address leads to the files."""
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
def test_our_origin_is_not_what_host_says(backend, user, kind, origin):
    """With POSTERN_ORIGIN, or where the server has a name of its own."""
    site = kind(backend, POSTERN_ORIGIN=origin)
    try:
        ours = origin or f"http://localhost:{site.port}"
        for host, from_where, status in (
                ("evil.example", "http://evil.example", 403),
                (f"evil.example:{site.port}",
                 f"http://evil.example:{site.port}", 403),
                (f"localhost:{site.port}", ours, 200)):
            answer = site.post("/login", {
                "email": user.email, "password": user.password}, headers=[
                    ("Host", host), ("Origin", from_where)])
            assert answer.status == status, (host, answer)
    finally:
        site.close()
