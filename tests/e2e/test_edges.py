# SPDX-License-Identifier: ISC
"""Malicious requests and malformed backend responses: control characters in
headers, proxy settings, long and compressed bodies, obfuscated logins
(design 2.6, 2.8, 2.9 and 4)."""

import base64
import gzip
import hashlib
import json
import os
import re
import subprocess
import time
import urllib.parse
import zlib

import fcgi
import http_client
import pytest
from gateway import (
    BUILD, COOKIE, LOGIN, ME, SilentServer, is_sanitized, wait_until)
from http_client import cookie_of

PROGRAMS = ("login", "query", "logout", "session")
MIB = 1 << 20
SECRET = "canned-secret-0123456789-abcdefghijklmnopqrstuvw"
BOTH = pytest.mark.parametrize("kind", ["fastcgi", "cgi"])

# Characters that must not occur in a header value: most would end the line.
CONTROLS = ["\r\nX-Evil: 1", "\nX-Evil: 1", "\rX-Evil: 1", "\r\n\r\nX-Evil: 1",
            "\r\n X-Evil: 1", "\x00X-Evil: 1", "\x01", "\x0b", "\x1b[2J",
            "\x7f"]


# The tests send many wrong passwords; test_throttle.py covers the limits.
NO_LOGIN_LIMITS = {"POSTERN_LOGIN_PER_ACCOUNT": "off",
               "POSTERN_LOGIN_PER_ADDRESS": "off"}


@pytest.fixture(name="gateway", scope="module", params=["fastcgi", "cgi"])
def gateway_fixture(request, start):
    return start(request.param, **NO_LOGIN_LIMITS)


@pytest.fixture(name="fastcgi", scope="module")
def fastcgi_fixture(start):
    return start(**NO_LOGIN_LIMITS)


GRAPHQL_LOGIN = {"query": LOGIN, "variables": {"email": "a@b.example",
                                               "password": "x"}}


def granted(**changes):
    """The backend's response to a successful login."""
    login = {"secret": SECRET, "ttl": "2199-01-01T00:00:00Z",
             "email": "a@b.example", "ownerId": "7", **changes}
    return json.dumps({"data": {"login": login}})


def check_clean(head, about=""):
    """The head has no injected header and no control character."""
    lines = head.split(b"\r\n")
    for line in lines:
        assert not line.lower().startswith(b"x-evil"), (about, head)
        assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", line), (about, head)
    assert all(b":" in line for line in lines[1:]), (about, head)


# --- L47: proxy settings -----------------------------------------------------


@BOTH
def test_no_proxy_is_used(start_own, backend, user, kind):
    """L47: neither a `Proxy` header of a client nor a proxy variable of the web
    server redirects a request, and the token in it."""
    proxy_server = SilentServer()
    proxy = f"http://127.0.0.1:{proxy_server.port}"
    # For CGI, lighttpd converts the names to upper case.
    variables = {name: proxy for name in (
        "http_proxy", "https_proxy", "all_proxy")}
    gateway = start_own(kind, **variables)
    cookie = gateway.cookie_for(user)
    answer = gateway.query(cookie=cookie, headers=[("Proxy", proxy)])
    assert answer.json["data"]["me"]["email"] == user.email
    assert "proxy" not in backend.seen()[-1]["names"]
    if kind == "fastcgi":
        body = json.dumps({"query": ME}).encode()
        answer = gateway.direct("query", "POST", body=body, HTTP_PROXY=proxy,
                              CONTENT_TYPE="application/json",
                              HTTP_COOKIE=f"{COOKIE}={cookie}")
        assert json.loads(answer.body)["data"]["me"]["email"] == user.email
    assert gateway.post("/logout", cookie=cookie).status == 200
    assert proxy_server.connections == 0
    # The proxy server would have counted a connection.
    with http_client.Connection(proxy_server.port) as connection:
        assert connection.read() is None
    assert proxy_server.connections == 1
    proxy_server.close()


# --- control characters -----------------------------------------------------

VARIABLES = [
    "HTTP_HOST", "HTTP_COOKIE", "HTTP_ORIGIN", "HTTP_REFERER", "HTTP_ACCEPT",
    "HTTP_ACCEPT_LANGUAGE", "HTTP_USER_AGENT", "HTTP_IF_NONE_MATCH",
    "HTTP_TRACEPARENT", "HTTP_TRACESTATE", "HTTP_AUTHORIZATION",
    "HTTP_SEC_FETCH_SITE", "HTTP_SEC_FETCH_MODE", "HTTP_X_REQUEST_ID",
    "HTTP_CONTENT_ENCODING", "HTTP_VENDURE_TOKEN",
    "HTTP_ACCESS_CONTROL_REQUEST_HEADERS",
    "HTTP_ACCESS_CONTROL_REQUEST_METHOD", "CONTENT_TYPE", "CONTENT_LENGTH",
    "REMOTE_ADDR", "QUERY_STRING", "SCRIPT_NAME", "REQUEST_METHOD",
    "SERVER_NAME", "SERVER_PORT", "REQUEST_SCHEME", "HTTPS", "PATH_INFO",
    "SERVER_PROTOCOL"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_control_characters_in_variables(start, fastcgi, backend, program):
    """R58: control characters in a CGI variable reach no response header and no
    header to the backend. Without lighttpd, which rejects most of them."""
    body = json.dumps({"query": "{ me { email } }", "email": "a",
                       "password": "b"}).encode()
    if program in ("logout", "session"):
        body = b""
    for name in VARIABLES:
        for control in CONTROLS:
            more = {"CONTENT_TYPE": "application/json" if body else None}
            if program == "login":  # a password check is slow
                backend.next(body='{"errors":[{"message":"no"}]}')
            method = "GET" if program == "session" else "POST"
            values = fcgi.params(method, "", body, **more)
            values[name] = values.get(name, "http://x") + control
            with fcgi.Connection(fastcgi.socket_of(program)) as connection:
                answer = connection.request(values, body)
            head = answer.stdout.partition(b"\r\n\r\n")[0]
            check_clean(b"Status-line:\r\n" + head, (name, control))
            assert 200 <= answer.status < 600
            assert b"X-Evil" not in head, (name, control, head)
            fastcgi.received.append(answer.stdout)
        if program == "login":
            backend.forget()
        for seen in backend.seen():
            assert "x-evil" not in seen["names"], (name, seen)
            assert not any(re.search(r"[\x00-\x1f\x7f]", value)
                           for _, value in seen["headers"]), (name, seen)
    assert "\nX-Evil" not in fastcgi.log and "\x1b" not in fastcgi.log


def test_control_characters_in_request_headers(gateway):
    """R58: the same through lighttpd, which rejects most of them itself."""
    for name in ("Cookie", "Origin", "Accept", "User-Agent", "Referer",
                 "Authorization", "Accept-Language", "Content-Type"):
        for control in CONTROLS:
            with http_client.Connection(gateway.port) as connection:
                answer = connection.request("POST", "/query", [
                    (name, "x" + control)], b'{"query":"{me{email}}"}')
            assert answer is not None
            check_clean(answer.head, (name, control))


NOT_LOCAL_PATHS = [
    "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
    "https://evil.example/", "https:evil.example", "javascript:alert(1)",
    "///evil.example", "/.//evil.example", "/..//evil.example", "/a/../b",
    "/%2e%2e/a", "/a/%5cevil.example", "/%09/evil.example", "/%00", "/%0d%0aX",
    "", " ", "a", "/ a", "/\u00e9", "/a\x7f", "/%zz", "/a?\r\nX-Evil: 1",
    "/a#\n", "/" + "a" * 5000,
] + ["/a" + control for control in CONTROLS if "\x00" not in control]


def test_return_to_accepts_only_local_paths(gateway, backend):
    """L11 to L14, R70: return_to redirects to a path of this site; anything else
    redirects to the default page."""
    for target in NOT_LOCAL_PATHS:
        backend.next(body=granted())
        for answer in (
                gateway.form("/login", {"email": "a", "password": "b",
                                        "return_to": target}),
                gateway.form("/logout", {"return_to": target}),
                gateway.form("/logout?" + urllib.parse.urlencode(
                    {"return_to": target}), {})):
            if answer.status == 400 and not answer.body.startswith(b"{"):
                continue  # lighttpd rejects the URL
            assert answer.status == 303, (target, answer)
            assert answer.get("location") == "/", target
            check_clean(answer.head, target)
    for target in ("/a", "/a/b/?c=//d&e=%20#f", "/?next=https://x", "/a;b=c"):
        answer = gateway.form("/logout", {"return_to": target})
        assert answer.get("location") == target
    # In a page it is escaped.
    for path in ("/login", "/logout"):
        answer = gateway.get(path + "?" + urllib.parse.urlencode(
            {"return_to": '"><script>alert(1)</script>'}))
        assert answer.status == 200 and "<script" not in answer.text


def test_malformed_forms_are_400(gateway, backend):
    """Section 4: NUL, invalid UTF-8 and duplicate fields. The request does not
    reach the backend."""
    for fields in ({"email": "a\0b", "password": "x"},
                   {"email": "a", "password": "x\0y"},
                   {"email": "a", "password": "x", "return_to": "/\0"}):
        answer = gateway.form("/login", fields)
        assert answer.status == 400
        check_clean(answer.head)
    for body in (b"email=%ff&password=x", b"email=\xff&password=x",
                 b"email=a&email=b&password=x"):
        answer = gateway.send("POST", "/login", body, [
            ("Content-Type", "application/x-www-form-urlencoded")])
        assert answer.status == 400 and answer.code == "BAD_REQUEST"
    assert backend.seen() == []


@pytest.mark.parametrize("control", CONTROLS, ids=repr)
def test_control_characters_in_a_user_name(fastcgi, backend, control):
    """Section 4, R82: the claims contain the name unchanged. JSON, pages and
    logs escape it."""
    email = "a@b.example" + control
    backend.next(body=granted(email=email, ownerId="7" + control))
    answer = fastcgi.post("/login", {"email": email, "password": "x"})
    assert answer.status == 200
    check_clean(answer.head, control)
    assert answer.json["data"]["login"]["email"] == email
    assert not re.search(rb"[\x00-\x1f\x7f]", answer.body)
    cookie = cookie_of(answer)[1]
    answer = fastcgi.get("/session", cookie=cookie)
    check_clean(answer.head, control)
    assert answer.json["data"]["session"]["name"] == email
    assert not re.search(rb"[\x00-\x1f\x7f]", answer.body)
    backend.next(body='{"errors":[{"message":"no"}]}')
    answer = fastcgi.form("/login", {"email": email, "password": "x"})
    check_clean(answer.head, control)
    if "\x00" not in control:
        assert answer.status == 401
        assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", answer.body)
    fastcgi.post("/logout", cookie=cookie)
    assert "subject=" in fastcgi.log
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", fastcgi.log)
    assert "\nX-Evil" not in fastcgi.log


@pytest.mark.parametrize("control", CONTROLS, ids=repr)
def test_control_characters_in_the_backends_token(fastcgi, backend, control):
    """A token that cannot be sent in a header is rejected, and no client gets
    it."""
    for place in (SECRET + control, control + SECRET):
        backend.next(body=granted(secret=place))
        answer = fastcgi.post("/login", {"email": "a", "password": "x"})
        assert answer.status in (401, 502)
        assert answer.all("set-cookie") == []
        check_clean(answer.head, control)
        backend.next(body=granted(secret=place))
        answer = fastcgi.post("/query", GRAPHQL_LOGIN)
        assert answer.status in (200, 502)
        assert answer.all("set-cookie") == []
        check_clean(answer.head, control)
        assert SECRET.encode() not in answer.head + answer.body


TTLS = [("2199-01-01T00:00:00Z", 200), (60, 200), ("60", 200), (None, 200),
        (4102444800, 200), (4102444800000, 200),
        ("2199-01-01T00:00:00Z\r\nX-Evil: 1", 502), ("\x00", 502),
        ("soon", 502), ("", 502), (0, 502), (-1, 502), (True, 502), ([], 502),
        ({"a": 1}, 502), (1.5, 200), ("2000-01-01T00:00:00Z", 502),
        (1000000000, 502), (1000000000000, 502), (10 ** 30, 502)]


@pytest.mark.parametrize("ttl, status", TTLS, ids=repr)
def test_ttl_formats(fastcgi, backend, ttl, status):
    """Design 2.3: RFC 3339, Unix milliseconds or seconds, or seconds from now. A
    login with an invalid or expired ttl fails (R20)."""
    backend.next(body=granted(ttl=ttl))
    now = int(time.time())
    answer = fastcgi.post("/login", {"email": "a", "password": "x"})
    check_clean(answer.head, ttl)
    assert answer.status == status, answer
    if status == 200:
        claims = fastcgi.open_token(cookie_of(answer)[1])
        limit = {"60": 60, "60.0": 60, "1.5": 1}.get(str(ttl), 12 * 3600)
        assert -1 <= claims["exp"] - now - limit <= 5
    else:
        assert answer.all("set-cookie") == []


FORWARDED_HEADERS = [
    "Content-Type", "Content-Language", "ETag", "Last-Modified", "Allow",
    "Retry-After", "Vary", "Content-Encoding", "vendure-auth-token",
    "Set-Cookie"]


@pytest.mark.parametrize("name", FORWARDED_HEADERS)
def test_control_characters_in_the_backends_headers(fastcgi, backend, name):
    """R58: the program drops such a header, or rejects the response."""
    for control in CONTROLS + ["\x80", "\r", "\x00"]:
        for status in (b"200", b"304"):
            backend.next(raw=b"HTTP/1.1 " + status + b" OK\r\n"
                         + f"{name}: a{control}b\r\n".encode("latin-1")
                         + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}",
                         close=True)
            answer = fastcgi.query("{ a }")
            assert answer.status in (int(status), 502), (control, answer)
            check_clean(answer.head, control)
            assert answer.get("vendure-auth-token") is None


def test_malformed_status_lines_of_the_backend(fastcgi, backend):
    """R58: only the number is forwarded, never the backend's reason phrase."""
    for line in (b"HTTP/1.1 200 OK\rX-Evil: 1", b"HTTP/1.1 200 a\x00b",
                 b"HTTP/1.1 299 Odd", b"HTTP/1.1 600 Odd", b"HTTP/1.1 99 Odd",
                 b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 -1 OK",
                 b"HTTP/9.9 200 OK", b"HTTP/1.1", b"200 OK", b"\x00\x01\x02"):
        backend.next(raw=line + b"\r\nContent-Length: 2\r\n"
                     b"Connection: close\r\n\r\n{}", close=True)
        answer = fastcgi.query("{ a }")
        assert answer.status in (200, 299, 502), (line, answer)
        check_clean(answer.head, line)
        assert b"Odd" not in answer.head


# --- malformed requests ------------------------------------------------------


def test_missing_or_unsupported_content_type_is_415(gateway, backend):
    """R51, L9: only a POST to /logout without a body needs no Content-Type."""
    for path in ("/query", "/login"):
        for body in (b"", None, json.dumps({"query": ME}).encode()):
            answer = gateway.send("POST", path, body)
            assert answer.status in (411, 415), answer
            assert answer.code == "UNSUPPORTED_TYPE" or answer.status == 411
    assert gateway.send("POST", "/logout", b"").status == 200
    answer = gateway.send("POST", "/logout", b"everywhere=1")
    assert answer.status == 415
    for kind in ("text/plain", "application/jsonx", "application/json; x",
                 "json", "application/x-www-form-urlencoded", "/", ";",
                 "application/json, text/plain", "application /json"):
        answer = gateway.post("/query", {"query": ME},
                              headers=[("Content-Type", kind)])
        assert answer.status == 415, kind
        assert answer.code == "UNSUPPORTED_TYPE"
    # L42: browsers send a GET with such a type without a preflight.
    answer = gateway.get("/query?query=%7Bme%7Bemail%7D%7D",
                         headers=[("Content-Type", "text/plain")])
    assert answer.status == 415
    assert all(seen["header"]["content-type"].startswith("application/json")
               for seen in backend.seen())


BAD_BODIES = [b"", b" ", b"{", b"null", b"1", b'"x"', b"[", b"[1]", b"{}x",
              b'{"query":"{a}","query":"{b}"}', b'{"query":"\xff"}',
              b'\xff\xfe{"query":"{a}"}', b'{"query":"{a}\\ud800"',
              b'{"query":"{a}","QUERY":"{b}"}', b'{"query":1}',
              b'{"query":"{a}","variables":"{}"}',
              b'{"query":"{a}","variables":{"a":{"b":1,"b":2}}}']
TOO_DEEP = [b"[" * 5000, b'{"a":' * 300 + b"1" + b"}" * 300]


@pytest.mark.parametrize("path", ["/login", "/query"])
def test_invalid_bodies_do_not_reach_the_backend(gateway, backend, path):
    """Section 4, L67: 400 with a code; 413 for a document nested too deeply
    (design 2.8)."""
    for body in BAD_BODIES:
        answer = gateway.post(path, body)
        assert answer.status == 400, (body[:40], answer)
        assert answer.code == "BAD_REQUEST", body[:40]
    for body in TOO_DEEP:
        answer = gateway.post(path, body)
        assert (answer.status, answer.code) == (
            (413, "TOO_LARGE") if path == "/query" else (400, "BAD_REQUEST"))
    for credentials in ({}, {"email": "a"}, {"password": "a"},
                        {"email": "", "password": "a"},
                        {"email": 1, "password": "a"},
                        {"email": "a", "username": "a", "password": "b"},
                        {"email": "a", "password": ["b"]},
                        {"email": "a", "password": "b", "rememberMe": "yes"}):
        if path == "/login":
            assert gateway.post(path, credentials).status == 400, credentials
    assert backend.seen() == []


ALLOWED_METHODS = {"login": "GET, HEAD, POST, OPTIONS",
           "query": "GET, HEAD, POST, OPTIONS",
           "logout": "GET, HEAD, POST, OPTIONS",
           "session": "GET, HEAD, DELETE, OPTIONS"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_unsupported_methods_are_405(gateway, backend, program):
    """R54: the answer lists the supported methods."""
    allowed = ALLOWED_METHODS[program].split(", ")
    answer = gateway.send("OPTIONS", f"/{program}")
    assert answer.status == 204 and answer.body == b""
    assert answer.get("allow") == ALLOWED_METHODS[program]
    for method in {"PUT", "DELETE", "PATCH", "HEAD", "POST",
                   "PROPFIND"} - set(allowed):
        body = b"{}" if method in ("PUT", "PATCH", "POST") else None
        answer = gateway.send(method, f"/{program}", body,
                              [("Content-Type", "application/json")])
        assert answer.status == 405, (method, answer)
        assert answer.get("allow") == ALLOWED_METHODS[program]
        if method != "HEAD":
            assert answer.code == "METHOD_NOT_ALLOWED"
    # TRACE would let a script read the cookie; lighttpd does not support it.
    for method in ("TRACE", "CONNECT", "BREW", "get", "G\tT"):
        with http_client.Connection(gateway.port) as connection:
            answer = connection.request(method, f"/{program}",
                                  [("Cookie", "canary=1")])
        assert answer is None or answer.status >= 400
        assert answer is None or b"canary" not in answer.head + answer.body
    assert backend.seen() == []


@pytest.mark.parametrize("method", ["get", "", "G T", "POST\r\nX-Evil: 1",
                                    "GETT", "TRACE", "HEAD ", "\xff", None])
def test_invalid_methods_are_rejected(fastcgi, method):
    for program in PROGRAMS:
        answer = fastcgi.direct(program, REQUEST_METHOD=method)
        assert answer.status in (400, 405), (program, answer.stdout)
        check_clean(b":\r\n" + answer.stdout.partition(b"\r\n\r\n")[0])


def test_paths_below_a_program_are_404(gateway, backend, user):
    """R53: PATH_INFO is rejected; the path of the backend is fixed."""
    cookie = gateway.cookie_for(user)
    backend.forget()
    for program in PROGRAMS:
        for more in ("/", "/x", "/admin/api", "/a%2fb", "/x?y=1"):
            for answer in (gateway.get(f"/{program}{more}", cookie=cookie),
                           gateway.post(f"/{program}{more}", {"query": ME},
                                        cookie=cookie)):
                assert answer.status == 404, (program, more, answer)
                assert answer.code == "NOT_FOUND"
    # Paths that resemble a program's.
    for path in ("/queryx", "/query.php", "/querY", "/query/%2e%2e/x",
                 "/query%0a", "/query%0d%0aX-Evil:%201", "/query/%0d%0aX-Evil:x",
                 "/query%00", "/session%20", "/%0aquery"):
        answer = gateway.get(path, cookie=cookie)
        check_clean(answer.head, path)
        assert answer.status in (400, 404), (path, answer)
    assert backend.seen() == []
    assert gateway.query(cookie=cookie).status == 200
    assert backend.seen()[-1]["path"] == "/graphql"


def test_header_names_with_underscores_do_not_bypass_csrf(gateway, user):
    """L16, L17, L43: headers that differ only in "-" and "_" become the same CGI
    variable. A cross-site request is rejected, whichever of them is used."""
    cookie = gateway.cookie_for(user)
    for pair in ([("Sec-Fetch-Site", "cross-site"),
                  ("Sec_Fetch_Site", "same-origin")],
                 [("Sec_Fetch_Site", "same-origin"),
                  ("Sec-Fetch-Site", "cross-site")],
                 [("Origin", "https://evil.example"),
                  ("origin", f"http://localhost:{gateway.port}")]):
        answer = gateway.query(cookie=cookie, headers=pair)
        assert answer.status in (400, 403), (pair, answer)


# --- long request bodies -----------------------------------------------------


PADDED = """query ($p: ID!) {
    me { ownerId email } store(id: $p) { id } }"""


def request_of(size, document=PADDED):
    """A GraphQL request of exactly that many bytes, padded in $p."""
    frame = json.dumps({"variables": {"p": ""}, "query": document})
    at = frame.index('"p": "') + 6
    body = (frame[:at] + "x" * (size - len(frame)) + frame[at:]).encode()
    assert len(body) == size
    return body


def chunked(body, size=100000):
    pieces = [body[i:i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x;ext=1\r\n%b\r\n" % (len(p), p)
                    for p in pieces) + b"0\r\nTrailer: x\r\n\r\n"


def check_received(backend, data):
    """The backend received exactly these bytes."""
    seen = backend.seen()[-1]
    assert seen["length"] == len(data)
    assert seen["sha256"] == hashlib.sha256(data).hexdigest()


def check_forwarded(backend, body):
    """The backend received a request of request_of(), serialized by the gateway
    (design 2.8)."""
    request = json.loads(body)
    check_received(backend, json.dumps(
        {"query": request["query"], "variables": request["variables"]},
        separators=(",", ":"), ensure_ascii=False).encode())
    header = backend.seen()[-1]["header"]
    assert header["content-type"] == "application/json"
    assert "content-encoding" not in header


@pytest.fixture(name="cookie", scope="module")
def cookie_fixture(gateway, user):
    return gateway.cookie_for(user)


@pytest.mark.parametrize("size", [40000, MIB - 1, MIB, MIB + 1, 4 * MIB])
def test_body_up_to_max_json_is_forwarded(gateway, backend, user, cookie, size):
    """Design 2.8: up to POSTERN_MAX_JSON, with Content-Length and chunked."""
    body = request_of(size)
    wanted = {"data": {"me": {"ownerId": user.owner, "email": user.email},
                       "store": None}}
    answer = gateway.post("/query", body, cookie=cookie)
    assert answer.status == 200 and answer.json == wanted
    check_forwarded(backend, body)
    answer = gateway.post("/query", chunked(body), cookie=cookie,
                          headers=[("Transfer-Encoding", "chunked")])
    assert answer.status == 200 and answer.json == wanted
    check_forwarded(backend, body)


def test_body_over_max_json_is_413(gateway, backend, cookie):
    """Design 2.8: the message names POSTERN_MAX_JSON."""
    backend.forget()
    body = request_of(4 * MIB + 1)
    for data, headers in ((body, []), (chunked(body), [
            ("Transfer-Encoding", "chunked")])):
        for who in ({}, {"cookie": cookie}):
            answer = gateway.post("/query", data, headers=headers, **who)
            assert answer.status == 413 and answer.code == "TOO_LARGE"
            assert "POSTERN_MAX_JSON" in answer.json["errors"][0]["message"]
    assert backend.seen() == []


def test_long_body_without_a_session_is_forwarded(gateway, backend):
    """Design 2.8: the limit is the same without a session."""
    body = request_of(3 * MIB, "mutation ($p: String) {"
                               " save(text: $p, by: \"\u00e9\") { id } }")
    backend.next(body='{"data":{"save":null}}')
    answer = gateway.post("/query", body)
    assert answer.status == 200, answer
    assert answer.body == b'{"data":{"save":null}}'
    check_forwarded(backend, body)


def test_answer_to_a_long_body_is_streamed(gateway, backend):
    """Design 2.8: the length of the request does not limit the answer."""
    body = request_of(MIB + 1)
    text = '{"data":"%s"}' % ("x" * 3 * MIB)
    backend.next(body=text)
    answer = gateway.post("/query", body, keep=False)
    assert answer.status == 200 and answer.text == text


GZIP = [("Content-Encoding", "gzip")]


def test_gzip_body_is_forwarded_decompressed(gateway, backend, cookie):
    """Design 2.8: parsed like an uncompressed body."""
    for size in (300, MIB):
        body = request_of(size)
        for name in ("gzip", "GZip", "x-gzip"):
            for who in ({}, {"cookie": cookie}):
                backend.next(body='{"data":{}}')
                answer = gateway.post("/query", gzip.compress(body), headers=[
                    ("Content-Encoding", name)], **who)
                assert answer.status == 200, (size, name, answer)
                check_forwarded(backend, body)


SMALL = b'{"query":"{ a }"}'
INVALID_GZIP = {
    "truncated": (gzip.compress(SMALL)[:-1], 400),
    "not compressed": (SMALL, 400),
    "empty": (b"", 400),
    "with a trailing byte": (gzip.compress(SMALL) + b"\0", 400),
    "two members": (gzip.compress(SMALL[:5]) + gzip.compress(SMALL[5:]), 400),
    "not JSON": (gzip.compress(b"query={a}"), 400),
    "zlib format": (zlib.compress(SMALL), 400),
    "bomb": (gzip.compress(bytes(64 * MIB)), 413),
    "too long and hardly compressible": (
        gzip.compress(b'{"query":"{ a }","x":"%s"}'
                      % os.urandom(2 * MIB + 1).hex().encode()), 413),
    "compressed data too long": (gzip.compress(os.urandom(4 * MIB + 1)), 413),
}


@pytest.mark.parametrize("name", INVALID_GZIP)
def test_invalid_gzip_is_rejected(gateway, backend, cookie, name):
    """L36: POSTERN_MAX_JSON limits the decompressed size too."""
    body, status = INVALID_GZIP[name]
    for who in ({}, {"cookie": cookie}):
        answer = gateway.post("/query", body, headers=GZIP, **who)
        assert answer.status == status, answer
    assert backend.seen() == []


def test_gzip_at_and_over_max_json(gateway, backend, cookie):
    body = request_of(4 * MIB)
    backend.next(body="{}")
    answer = gateway.post("/query", gzip.compress(body), headers=GZIP,
                          cookie=cookie)
    assert answer.status == 200, answer
    check_forwarded(backend, body)
    backend.forget()
    answer = gateway.post("/query", gzip.compress(request_of(4 * MIB + 1)),
                          headers=GZIP, cookie=cookie)
    assert answer.status == 413 and answer.code == "TOO_LARGE"
    assert backend.seen() == []


@pytest.mark.parametrize("headers", [
    ["deflate"], ["br"], ["zstd"], ["gzip, gzip"], ["identity, gzip"],
    ["gzip", "gzip"], ["compress"], ["gzip;q=1"]])
def test_other_content_encodings_are_415(gateway, backend, cookie, headers):
    """We decode gzip only. Decoders disagree about deflate, so it is rejected
    too."""
    for data in (SMALL, zlib.compress(SMALL), gzip.compress(SMALL),
                   gzip.compress(gzip.compress(SMALL))):
        for who in ({}, {"cookie": cookie}):
            answer = gateway.post("/query", data, headers=[
                ("Content-Encoding", value) for value in headers], **who)
            assert answer.status == 415, answer
    answer = gateway.post("/login", {"query": LOGIN}, headers=[
        ("Content-Encoding", value) for value in headers])
    assert answer.status == 415, answer
    assert backend.seen() == []


def test_gzip_multipart_is_415(gateway, backend, cookie):
    """A backend may parse multipart without decoding it. It would find a part in
    the name field of the gzip header, which is not in the decoded body."""
    part = (b'\r\n--x\r\nContent-Disposition: form-data; name="operations"'
            b'\r\n\r\n%b\r\n--x--\r\n')
    inner = gzip.compress(part[2:] % SMALL, mtime=0)
    body = (inner[:3] + b"\x08" + inner[4:10]
            + part % b'{"query":"mutation{a:login{x}b:login{x}}"}' + b"\0"
            + inner[10:])
    assert gzip.decompress(body).startswith(b"--x")
    for who in ({}, {"cookie": cookie}):
        answer = gateway.post("/query", body, **who, headers=[
            *GZIP, ("Content-Type", "multipart/form-data; boundary=x"),
            ("GraphQL-Preflight", "1")])
        assert answer.status == 415, answer
    assert backend.seen() == []


def test_body_without_content_length_is_forwarded(fastcgi, backend, user):
    """A web server that streams a chunked body sets no CONTENT_LENGTH."""
    cookie = fastcgi.cookie_for(user)
    for size in (300, MIB, 3 * MIB):
        body = request_of(size)
        answer = fastcgi.direct("query", "POST", body=body, CONTENT_LENGTH=None,
                           CONTENT_TYPE="application/json",
                           HTTP_COOKIE=f"{COOKIE}={cookie}")
        assert answer.status == 200
        assert json.loads(answer.body)["data"]["me"]["email"] == user.email
        check_forwarded(backend, body)
    body = request_of(300)
    backend.next(body='{"data":{}}')
    answer = fastcgi.direct("query", "POST", body=gzip.compress(body),
                       CONTENT_LENGTH=None,
                       CONTENT_TYPE="application/json",
                       HTTP_CONTENT_ENCODING="gzip")
    assert answer.status == 200
    check_forwarded(backend, body)


@BOTH
def test_body_over_max_body_is_413(start_own, backend, user, kind):
    """It does not reach the backend. A body of exactly the limit does."""
    gateway = start_own(kind, POSTERN_MAX_BODY="2M")
    cookie = gateway.cookie_for(user)
    body = request_of(2 * MIB)
    assert gateway.post("/query", body, cookie=cookie).status == 200
    check_forwarded(backend, body)
    backend.forget()
    body = request_of(2 * MIB + 1)
    for headers, data in (([], body),
                          ([("Transfer-Encoding", "chunked")],
                           chunked(body))):
        answer = gateway.post("/query", data, cookie=cookie,
                              headers=headers)
        assert answer.status == 413 and answer.code == "TOO_LARGE"
    for path in ("/login", "/logout"):
        for content_type in ("application/json",
                        "application/x-www-form-urlencoded"):
            answer = gateway.post(path, b'{"a":"' + b"x" * 65536 + b'"}',
                                  headers=[("Content-Type", content_type)])
            assert answer.status == 413, (path, content_type, answer)
    if kind == "fastcgi":
        answer = gateway.direct("query", "POST", body=body, CONTENT_LENGTH=None,
                              CONTENT_TYPE="application/json",
                              HTTP_COOKIE=f"{COOKIE}={cookie}")
        assert answer.status == 413
    assert backend.seen() == []


def peak_memory(pid, reset=False):
    """The peak resident memory of a process, in bytes."""
    if reset:
        with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"^VmHWM:\s*(\d+) kB", file.read(), re.M)[1]) * 1024


def check_peak_memory(pid, before):
    # A sanitizer keeps freed memory, to detect use after free.
    if not is_sanitized():
        assert peak_memory(pid) - before < 4 * MIB


UPLOAD = b'{"query":"mutation($f:Upload!){save(f:$f){id}}",' \
         b'"variables":{"f":null}}'


def upload_of(file):
    """A multipart body with a file, and a function that gives the body that the
    backend should have received, from the recorded request."""
    def multipart(boundary):
        line = b"--" + boundary + b"\r\nContent-Disposition: form-data; name="
        return (line + b'"operations"\r\n\r\n' + UPLOAD + b"\r\n"
                + line + b'"map"\r\n\r\n{"0":["variables.f"]}\r\n'
                + line + b'"0"; filename="a"\r\nContent-Type:'
                b" application/octet-stream\r\n\r\n" + file
                + b"\r\n--" + boundary + b"--\r\n")
    return multipart(b"----Edge7MA4YWxk"), lambda seen: multipart(
        seen["header"]["content-type"].partition("boundary=")[2].encode())


def test_large_bodies_use_bounded_memory(start_own, backend, user):
    """Design 2.8: the length of request and answer does not matter."""
    gateway = start_own(POSTERN_MAX_BODY="64M")
    cookie = gateway.cookie_for(user)
    gateway.query()
    pid = gateway.pid_of("query")
    before = peak_memory(pid, reset=True)
    body, expected = upload_of(os.urandom(MIB) * 20)
    backend.next(body='{"data":{}}')
    answer = gateway.post("/query", body, cookie=cookie, headers=[
        ("Content-Type", "multipart/form-data; boundary=----Edge7MA4YWxk"),
        ("Apollo-Require-Preflight", "1")])
    assert answer.status == 200 and answer.body == b'{"data":{}}'
    check_received(backend, expected(backend.seen()[-1]))
    check_peak_memory(pid, before)
    del body, expected
    big = "".join("%08x\n" % n for n in range(20 * MIB // 9))
    for framed in (dict(body=big), dict(chunks=[big[:MIB], big[MIB:]])):
        backend.next(headers=[["Content-Type", "text/plain"]], **framed)
        answer = gateway.query("{ a }", keep=False)
        assert answer.status == 200 and answer.whole
        assert answer.body == big.encode()
    check_peak_memory(pid, before)


def test_large_answer_by_cgi_is_complete(start_own, backend):
    gateway = start_own("cgi")
    big = "".join("%08x\n" % n for n in range(20 * MIB // 9))
    backend.next(body=big)
    answer = gateway.query("{ a }", keep=False)
    assert answer.whole and answer.body == big.encode()


# --- streamed and truncated answers ------------------------------------------


def test_answer_is_streamed(gateway, backend):
    """Design 2.8: the client gets a chunk before the backend sends the next."""
    backend.next(headers=[["Content-Type", "text/event-stream"]],
                 chunks=["data: 1\n\n", 4, "data: 2\n\n"])
    body = b'{"query":"{ a }"}'
    begin = time.monotonic()
    with http_client.Connection(gateway.port) as connection:
        connection.send(b"POST /query HTTP/1.1\r\nHost: localhost\r\n"
                  b"Content-Type: application/json\r\n"
                  b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        while b"data: 1" not in connection.pending:
            assert connection._more()
        assert time.monotonic() - begin < 4
        answer = connection.read()
    assert answer.whole and answer.body == b"data: 1\n\ndata: 2\n\n"


TRUNCATED = {
    "before its length": dict(headers=[["Content-Length", "5000"]],
                          body='{"data":{"a":1}}', close=True),
    "between chunks": dict(chunks=['{"data":', '{"a":1}}'], cut=True),
    "after 2 MiB": dict(headers=[["Content-Length", str(3 * MIB)]],
                       body="x" * (2 * MIB), close=True),
}


@pytest.mark.parametrize("name", TRUNCATED)
def test_truncated_answer_does_not_look_complete(fastcgi, backend, name):
    """lighttpd completes a truncated answer if it reads the data and the end of
    the connection together. That depends on timing, hence 15 rounds."""
    for _ in range(15):
        backend.next(**TRUNCATED[name])
        with http_client.Connection(fastcgi.port) as connection:
            answer = connection.request("POST", "/query", [
                ("Content-Type", "application/json")], b'{"query":"{ a }"}')
        assert answer is None or answer.status >= 500 or not answer.whole


@pytest.mark.parametrize("name", TRUNCATED)
def test_truncated_answer_by_cgi(start, backend, name):
    """CGI can signal truncation only by a Content-Length that is not reached."""
    gateway = start("cgi")
    backend.next(**TRUNCATED[name])
    with http_client.Connection(gateway.port) as connection:
        answer = connection.request("POST", "/query", [
            ("Content-Type", "application/json")], b'{"query":"{ a }"}')
    if name == "between chunks":
        assert answer.body in (b"", b'{"data":', b'{"data":{"a":1}}')
    else:
        assert answer is None or answer.status >= 500 or not answer.whole


def test_between_bytes_timeout_ends_an_answer(start_own, backend):
    """The client can see that the answer is truncated."""
    gateway = start_own(POSTERN_BETWEEN_BYTES_TIMEOUT="1s")
    backend.next(chunks=['{"data":', 6, "{}}"])
    begin = time.monotonic()
    with http_client.Connection(gateway.port) as connection:
        answer = connection.request("POST", "/query", [
            ("Content-Type", "application/json")], b'{"query":"{ a }"}')
    assert time.monotonic() - begin < 6
    assert answer is None or answer.status == 504 or not answer.whole
    assert wait_until(lambda: "PST_UPSTREAM_TIMEOUT" in gateway.log, 5)


def test_client_disconnect_cancels_the_backend_request(fastcgi, backend):
    """Design 2.8."""
    backend.next(chunks=["data: 1\n\n"] + [0.1, "data: 2\n\n"] * 60)
    body = b'{"query":"{ a }"}'
    with http_client.Connection(fastcgi.port) as connection:
        connection.send(b"POST /query HTTP/1.1\r\nHost: localhost\r\n"
                  b"Content-Type: application/json\r\n"
                  b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        while b"data: 1" not in connection.pending:
            assert connection._more()
    assert wait_until(lambda: backend.seen()[-1]["gone"], 4)
    assert wait_until(lambda: "PST_CLIENT_GONE" in fastcgi.log, 4)
    assert fastcgi.query().status == 200


# --- obfuscated logins -------------------------------------------------------

ARGUMENTS = 'email: "%s", password: "%s"'
OBFUSCATED = {
    "plain": "mutation{login(%s){secret ttl email ownerId}}",
    "renamed": "mutation{a:login(%s){secret}}",
    "secret renamed": "mutation{login(%s){s:secret}}",
    "both renamed": "mutation{a:login(%s){s:secret}}",
    "in a fragment": "mutation{...F} fragment F on Mutation"
                     "{a:login(%s){secret}}",
    "in an inline fragment": "mutation{...on Mutation{x:login(%s){y:secret}}}",
    "its selection in a fragment":
        "mutation{login(%s){...L}} fragment L on Login{t:secret}",
    "twice": "mutation{login(%s){secret} b:login(%s){secret}}",
    "after a comment": "mutation{a#\n:#x\r\n,,login(%s){secret}}",
    "after a CR": "mutation{a#\n:#x\r,,login(%s){secret}}",
    "after U+2028": "mutation{a:__typename#\u2028login(%s){secret}\n}",
    "after a BOM": "\ufeffmutation{a:login(%s){s:secret}}",
    "after a string": 'query Q($x:String="}"){me{email}}'
                       "mutation M{a:login(%s){s:secret}}",
    "with a directive":
        "mutation{a:login(%s)@include(if:true){s:secret@skip(if:false)}}",
    "next to a query": "mutation M{a:login(%s){s:secret}} query Q{me{email}}",
}


# These are accepted; the answer has the shape of the client's document. Design
# 2.5 rejects the others.
SHAPES = {
    "renamed": {"a": {"secret": None}}, "secret renamed": {"login": {"s": None}},
    "both renamed": {"a": {"s": None}}, "in a fragment": {"a": {"secret": None}},
    "in an inline fragment": {"x": {"y": None}},
    "its selection in a fragment": {"login": {"t": None}},
    "after a comment": {"a": {"secret": None}},
    "after a BOM": {"a": {"s": None}},
}
# Parsers disagree about the line ends in these documents (L67).
UNPARSABLE = ("after a CR", "after U+2028")
ACCEPTED_FORMS = ("json", "escaped", "member name escaped", "batch")


def encoded_request(document, how):
    """The bytes of the request, in one of several encodings."""
    plain = {"query": document, "operationName":
             "M" if "mutation M" in document else None}
    escaped = "".join("\\u%04x" % ord(c) for c in document)
    return {
        "json": json.dumps(plain),
        "escaped": '{"query":"%s","operationName":%s}' % (
            escaped, json.dumps(plain["operationName"])),
        "member name escaped": '{"\\u0071uery":"%s","operationName":%s}' % (
            escaped, json.dumps(plain["operationName"])),
        "batch": json.dumps([plain]),
        "second of a batch": json.dumps([{"query": ME}, plain]),
        "second of two": '{"query":"{me{email}}",' + json.dumps(plain)[1:],
    }[how].encode()


def check_obfuscated(gateway, answer, name, email):
    """It is a login whose answer has the client's shape; or it is rejected."""
    details = (name, answer)
    value = answer.json[0] if answer.text.startswith("[") else answer.json
    if name in UNPARSABLE:
        assert answer.status == 200 and "data" not in value, details
        assert value["errors"][0]["extensions"]["code"] == \
            "GRAPHQL_PARSE_FAILED", details
        assert answer.all("set-cookie") == [], details
        return
    if name != "plain" and name not in SHAPES:
        assert value["errors"][0]["extensions"]["code"] == "LOGIN_SHAPE", details
        assert answer.status == (200 if answer.json == [value] else 400), details
        assert answer.all("set-cookie") == [], details
        return
    assert answer.status == 200, details
    login = value["data"]
    if name == "plain":
        assert login["login"]["secret"] is None, details
        assert login["login"]["email"] == email, details
    else:
        assert login == SHAPES[name], details
    assert gateway.session(cookie=cookie_of(answer)[1])["name"] == email


@pytest.mark.parametrize("how", ["json", "escaped", "member name escaped",
                                 "batch", "second of a batch",
                                 "second of two"])
def test_obfuscated_login_is_recognized(fastcgi, backend, user, how):
    """R33, L55, L57: the gateway recognizes a login in every notation. The
    client never gets the secret; the backend gets only our login document."""
    for name, document in OBFUSCATED.items():
        arguments = ARGUMENTS % (user.email, user.password)
        document = document.replace("%s", arguments)
        backend.forget()
        if how == "second of a batch":  # this backend has no batches
            backend.next(body='[{"data":{"me":null}}]')
        answer = fastcgi.post("/query", encoded_request(document, how))
        assert not backend.tokens_in(answer.head + answer.body), (name, answer)
        if how in ACCEPTED_FORMS:
            check_obfuscated(fastcgi, answer, name, user.email)
        elif how == "second of two":
            assert answer.status == 400, (name, answer)
            assert answer.code == "BAD_REQUEST", (name, answer)
        else:
            assert answer.status == 200, (name, answer)
            assert answer.json[0] == {"data": {"me": None}}, (name, answer)
            refused = answer.json[1]["errors"][0]["extensions"]["code"]
            assert refused == ("GRAPHQL_PARSE_FAILED"
                               if name in UNPARSABLE
                               else "LOGIN_SHAPE"), (name, answer)
            assert len(backend.seen()) == 1, name
        for seen in backend.seen():
            assert "OwnerLogin" in seen["body"] or "login" not in seen["body"]


@pytest.mark.parametrize("name", OBFUSCATED)
def test_obfuscated_login_in_gzip_is_recognized(fastcgi, backend, name):
    document = OBFUSCATED[name].replace("%s", ARGUMENTS % ("a@b.example", "x"))
    body = gzip.compress(encoded_request(document, "json"))
    backend.next(body=granted(__typename="Login"))
    answer = fastcgi.post("/query", body, headers=GZIP)
    check_obfuscated(fastcgi, answer, name, "a@b.example")
    if name not in SHAPES and name != "plain":
        assert backend.seen() == []
        return
    assert fastcgi.open_token(cookie_of(answer)[1])["upstream"] == SECRET
    seen = backend.seen()[-1]
    assert "OwnerLogin" in seen["body"]
    assert "content-encoding" not in seen["names"]


def long_logins(user, size):
    """{how: a request of about that size with two or with obfuscated logins}."""
    arguments = ARGUMENTS % (user.email, user.password)
    renamed = ("mutation{a:login(%s){s:secret} b:login(%s){secret}}"
               % (arguments, arguments))
    at_end = request_of(size, renamed)
    fill = b'"x":"%s",' % (b"x" * size)
    bodies = {
        "at the end": at_end,
        "at the start": json.dumps({"query": renamed, "variables": {
            "p": "x" * size}}).encode(),
        "escaped": at_end.replace(b"login", b"\\u006cogin"),
        "last letter escaped": at_end.replace(b"login", b"logi\\u006E"),
        "after an escape": at_end.replace(b":login", b":\\nlogin"),
        "a batch": b"[" + at_end + b"]",
        "a batch after white space": b" " * 2 * MIB + b"["
                                      + request_of(size // 4, renamed) + b"]",
        "duplicate member": b"{" + fill + b'"query":"{a}",' + at_end[1:],
        "in UTF-16": at_end.decode().encode("utf-16-le"),
    }
    bodies.update({name: request_of(size, document.replace("%s", arguments))
                   for name, document in OBFUSCATED.items()
                   if name not in (*SHAPES, "plain")})
    return bodies


def status_of(name):
    """The status of a rejected request. 200: the document is invalid, or has two
    operations and the request names none."""
    return 200 if name in (*UNPARSABLE, "after a string",
                           "next to a query") else 400


def test_login_in_a_long_body_is_recognized(gateway, backend, user):
    """L55: the body is parsed to its end, with and without a session; rejected
    logins do not reach the backend."""
    cookie = gateway.cookie_for(user)
    backend.forget()
    for name, body in long_logins(user, 2 * MIB).items():
        if len(body) > 4 * MIB:
            continue  # tested below
        for who in ({}, {"cookie": cookie}):
            answer = gateway.post("/query", body, **who)
            assert answer.status == status_of(name), (name, answer)
            assert answer.code in ("LOGIN_SHAPE", "BAD_REQUEST",
                                   "GRAPHQL_PARSE_FAILED"), (name, answer)
            assert answer.all("set-cookie") == []
    for name, body in long_logins(user, 4 * MIB + 1).items():
        if len(body) <= 4 * MIB:
            continue
        answer = gateway.post("/query", body, cookie=cookie)
        assert answer.status == 413, (name, answer)
        assert answer.code == "TOO_LARGE"
    assert backend.seen() == []
    # A valid login in a long body works; the backend gets our short document.
    body = request_of(2 * MIB, OBFUSCATED["plain"].replace(
        "%s", ARGUMENTS % (user.email, user.password)))
    answer = gateway.post("/query", body)
    check_obfuscated(gateway, answer, "plain", user.email)
    assert backend.seen()[-1]["length"] < 1000
    # The next request is not affected.
    answer = gateway.post("/query", request_of(2 * MIB), cookie=cookie)
    assert answer.json["data"]["me"]["email"] == user.email


def test_login_in_a_long_body_without_content_length(fastcgi, backend, user):
    """The backend gets no request, not even a partial one."""
    backend.forget()
    for name, body in long_logins(user, 3 * MIB).items():
        answer = fastcgi.direct("query", "POST", body=body, CONTENT_LENGTH=None,
                           CONTENT_TYPE="application/json")
        status = status_of(name) if len(body) <= 4 * MIB else 413
        assert answer.status == status, (name, answer.stdout)
    assert backend.seen() == []


def test_login_across_buffer_boundaries(fastcgi, backend):
    """The word `login` crosses a read buffer or the size limit."""
    head, tail = b'{"variables":{"p":"', b'"},"query":"mutation{a:login{b}}"}'
    backend.forget()
    for boundary in (65536, MIB, 2 * MIB, 4 * MIB):
        for before in range(7):
            body = head + b"x" * (boundary - before - len(head)
                                  - tail.index(b"login")) + tail
            assert body[boundary - before:].startswith(b"login")
            for length in (str(len(body)), None):
                answer = fastcgi.direct("query", "POST", body=body,
                                   CONTENT_LENGTH=length,
                                   CONTENT_TYPE="application/json")
                assert answer.status == (400 if len(body) <= 4 * MIB else 413)
    assert backend.seen() == []


@pytest.mark.parametrize("program", [*PROGRAMS, "authorize"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_missing_cgi_variables_grant_nothing(fastcgi, user, program, method):
    """L9: any variable may be missing; a missing one never grants access."""
    body = json.dumps({"query": ME} if program == "query" else {
        "email": user.email, "password": "not that one"}).encode()
    given = fcgi.params(method, "", body, CONTENT_TYPE="application/json",
                        REMOTE_PORT="1", HTTPS="on", HTTP_COOKIE=COOKIE + "=x",
                        HTTP_ACCEPT="*/*", HTTP_SEC_FETCH_SITE="same-origin")
    for missing in [None, *given, "all"]:
        values = {name: value for name, value in given.items()
                  if missing not in (name, "all")}
        done = subprocess.run(
            [os.path.join(BUILD, "cgi-bin", program)], input=body, timeout=30,
            env={**fastcgi.environment, **values}, capture_output=True,
            check=False)
        details = (missing, done)
        assert done.returncode == 0 and b"Sanitizer" not in done.stderr, details
        answer = fcgi.Answer(done.stdout, done.stderr, 0, 0)
        assert 200 <= answer.status < 500, details
        assert answer.status >= 300 or program != "authorize", details
        if missing in ("REQUEST_METHOD", "all"):
            assert answer.status >= 400, details
        assert b"X-Session-" not in done.stdout, details
        assert not re.search(rb"Set-Cookie: [^=]*=[^;]", done.stdout), details
        if program == "session" and answer.status == 200:
            assert json.loads(answer.body) == {"data": {"session": None}}


def test_login_by_get_is_rejected(gateway, backend, user):
    """R28, R48: a link must not log a user in, even if the backend executes
    mutations by GET."""
    document = OBFUSCATED["plain"].replace(
        "%s", ARGUMENTS % (user.email, user.password))
    query = "query=" + urllib.parse.quote(document)
    extensions = "extensions=" + urllib.parse.quote(json.dumps(
        persisted(document)))
    for path in (query, query + "&" + extensions):
        backend.next(body=granted())
        answer = gateway.get("/query?" + path)
        assert answer.status == 405 and answer.code == "METHOD_NOT_ALLOWED"
        assert answer.get("allow") == "POST"
        assert answer.all("set-cookie") == []
        assert SECRET.encode() not in answer.body
    # The text of a login is not stored, because it may contain a password. So
    # its hash alone is unknown.
    for text, more in ((LOGIN, GRAPHQL_LOGIN), (document, {})):
        extensions = persisted(text)
        backend.next(body=granted())
        answer = gateway.post("/query", {**more, "query": text,
                                         "extensions": extensions})
        assert answer.json["data"]["login"]["secret"] is None
        backend.forget()
        answer = gateway.get("/query?extensions=" + urllib.parse.quote(
            json.dumps(extensions)))
        assert answer.code == ("PERSISTED_QUERY_NOT_SUPPORTED"
                               if gateway.kind == "cgi" else
                               "PERSISTED_QUERY_NOT_FOUND")
        assert answer.all("set-cookie") == []
        assert backend.seen() == []


GRANTED = granted().encode()
UNUSUAL_ANSWERS = {
    "with errors": dict(body=granted()[:-1] + ',"errors":[{"message":"x"}]}'),
    "400": dict(status=400, body=granted()),
    "500": dict(status=500, body=granted()),
    "twice": dict(body=granted(email=SECRET, note=SECRET)),
    "as a name": dict(body=granted(**{SECRET: 1})),
    "escaped": dict(body=granted().replace(
        SECRET, "".join("\\u%04x" % ord(c) for c in SECRET))),
    "encoded": dict(base64=base64.b64encode(gzip.compress(GRANTED)).decode(),
                    headers=[["Content-Encoding", "gzip"]]),
    "bad UTF-8": dict(base64=base64.b64encode(
        GRANTED[:-1] + b',"x":"\xff"}').decode()),
    "duplicate member": dict(body=granted().replace(
        '"ttl"', '"secret":null,"ttl"')),
    "too deep": dict(body='{"x":' + "[" * 99 + "]" * 99 + "," + granted()[1:]),
    "trailing": dict(body=granted() + "x"),
    "a list": dict(body=f"[{granted()}]"),
    "events": dict(body=f"data: {granted()}\n\n",
                   headers=[["Content-Type", "text/event-stream"]]),
    "parts": dict(body=f"--x\r\n\r\n{granted()}\r\n--x--",
                  headers=[["Content-Type", "multipart/mixed; boundary=x"]]),
    "too long": dict(body=granted()[:-1] + ',"x":"%s"}' % ("y" * MIB)),
}


@pytest.mark.parametrize("name", UNUSUAL_ANSWERS)
def test_unusual_answers_to_a_login_leak_no_secret(fastcgi, backend, user, name):
    """A response that cannot be parsed is not forwarded: it may contain the
    secret."""
    cookie = fastcgi.cookie_for(user)
    for send in (lambda: fastcgi.post("/query", GRAPHQL_LOGIN),
                 lambda: fastcgi.post("/query", [GRAPHQL_LOGIN]),
                 lambda: fastcgi.post("/login", GRAPHQL_LOGIN, cookie=cookie),
                 *([] if name == "twice" else [lambda: fastcgi.post(
                     "/login", GRAPHQL_LOGIN["variables"])])):
        backend.next(**UNUSUAL_ANSWERS[name])
        answer = send()
        bodies = answer.body
        assert answer.get("content-encoding") is None
        bodies += json.dumps(answer.json).encode()
        assert SECRET.encode() not in answer.head + bodies, answer
        value = answer.json[0] if bodies.startswith(b"[") else answer.json
        if answer.status < 400 and "errors" not in value:
            assert value["data"]["login"].get("secret") is None
            assert cookie_of(answer)[1]


def persisted(text):
    return {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(
        text.encode()).hexdigest()}}


def test_persisted_login_needs_its_text(fastcgi, backend):
    """L55, design 2.6: a hash alone is no login; with the text it is a normal
    login."""
    request = {"variables": {"email": "a@b.example", "password": "x"},
               "extensions": persisted(LOGIN)}
    answer = fastcgi.post("/query", {**request, "query": LOGIN + " "})
    assert answer.status == 400  # the hash of another text
    for _ in range(3):
        backend.forget()
        answer = fastcgi.post("/query", request)
        assert answer.status == 200
        assert answer.code == "PERSISTED_QUERY_NOT_FOUND"
        assert answer.json["errors"][0]["message"] == "PersistedQueryNotFound"
        assert backend.seen() == []
        backend.next(body=granted())
        answer = fastcgi.post("/query", {**request, "query": LOGIN})
        assert answer.json["data"]["login"]["secret"] is None, answer
        claims = fastcgi.open_token(cookie_of(answer)[1])
        assert claims["upstream"] == SECRET
        sent = json.loads(backend.seen()[-1]["body"])
        assert set(sent) == {"query", "variables"}
        assert sent["variables"] == request["variables"]


def test_persisted_query_is_forwarded_as_text(fastcgi, backend, user):
    """The gateway answers until it has the text. Then the backend gets the text,
    and its answer is forwarded unchanged: an error, a 304, a 204."""
    cookie = fastcgi.cookie_for(user)
    text = "query Persisted { me { email } }"
    backend.forget()
    answer = fastcgi.post("/query", {"extensions": persisted(text)},
                       cookie=cookie)
    assert answer.status == 200
    assert answer.code == "PERSISTED_QUERY_NOT_FOUND"
    assert backend.seen() == []
    answer = fastcgi.post("/query", {"query": text,
                                  "extensions": persisted(text)})
    assert answer.json == {"data": {"me": None}}
    for canned in (dict(body='{"errors":[{"message":"PersistedQueryNotFound"}]'
                             "}"), dict(body='{"data": {"a":1}}'),
                   dict(status=304, headers=[["ETag", '"1"']]),
                   dict(status=204), dict(status=400, body="<h1>no</h1>"),
                   dict(status=500, body="<h1>no</h1>")):
        backend.next(**canned)
        answer = fastcgi.post("/query", {"extensions": persisted(text)},
                           cookie=cookie)
        assert answer.status == canned.get("status", 200)
        assert answer.text == canned.get("body", "")
        assert answer.all("set-cookie") == []
        assert json.loads(backend.seen()[-1]["body"]) == {"query": text}
