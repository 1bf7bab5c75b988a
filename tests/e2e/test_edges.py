# SPDX-License-Identifier: ISC
"""What no honest client sends and no sound backend answers: octets that must
not reach a header, proxies from outside, bodies of any length, logins in
disguise (design 2.6, 2.8, 2.9 and 4)."""

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
from gateway import BUILD, COOKIE, LOGIN, ME, SilentServer, is_sanitized, wait_until
from http_client import cookie_of

PROGRAMS = ("login", "query", "logout", "session")
MIB = 1 << 20
SECRET = "canned-secret-0123456789-abcdefghijklmnopqrstuvw"
BOTH = pytest.mark.parametrize("kind", ["fastcgi", "cgi"])

# In a header's value, each of these would end a line or do worse.
CONTROLS = ["\r\nX-Evil: 1", "\nX-Evil: 1", "\rX-Evil: 1", "\r\n\r\nX-Evil: 1",
            "\r\n X-Evil: 1", "\x00X-Evil: 1", "\x01", "\x0b", "\x1b[2J",
            "\x7f"]


# So many wrong passwords from one address are another test's affair.
UNTHROTTLED = {"POSTERN_LOGIN_PER_ACCOUNT": "off",
               "POSTERN_LOGIN_PER_ADDRESS": "off"}


@pytest.fixture(name="gateway", scope="module", params=["fastcgi", "cgi"])
def gateway_fixture(request, start):
    return start(request.param, **UNTHROTTLED)


@pytest.fixture(name="fastcgi", scope="module")
def fastcgi_fixture(start):
    return start(**UNTHROTTLED)


GRAPHQL_LOGIN = {"query": LOGIN, "variables": {"email": "a@b.example",
                                               "password": "x"}}


def granted(**changes):
    login = {"secret": SECRET, "ttl": "2199-01-01T00:00:00Z",
             "email": "a@b.example", "ownerId": "7", **changes}
    return json.dumps({"data": {"login": login}})


def check_clean(head, about=""):
    """No header that was not meant, and no octet that no header may hold."""
    lines = head.split(b"\r\n")
    for line in lines:
        assert not line.lower().startswith(b"x-evil"), (about, head)
        assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", line), (about, head)
    assert all(b":" in line for line in lines[1:]), (about, head)


# --- L47: a proxy from outside -----------------------------------------------


@BOTH
def test_no_proxy_is_used(start_own, backend, user, kind):
    """L47: neither a client's `Proxy:` header nor a variable of the server's
    sends a request, and its token, somewhere else."""
    canary = SilentServer()
    proxy = f"http://127.0.0.1:{canary.port}"
    # By CGI, lighttpd makes capitals of them.
    variables = {name: proxy for name in (
        "http_proxy", "https_proxy", "all_proxy")}
    gateway = start_own(kind, **variables)
    cookie = gateway.cookie_for(user)
    answer = gateway.query(cookie=cookie, headers=[("Proxy", proxy)])
    assert answer.json["data"]["me"]["email"] == user.email
    assert "proxy" not in backend.seen()[-1]["names"]
    if kind == "fastcgi":
        body = json.dumps({"query": ME}).encode()
        told = gateway.direct("query", "POST", body=body, HTTP_PROXY=proxy,
                              CONTENT_TYPE="application/json",
                              HTTP_COOKIE=f"{COOKIE}={cookie}")
        assert json.loads(told.body)["data"]["me"]["email"] == user.email
    assert gateway.post("/logout", cookie=cookie).status == 200
    assert canary.callers == 0
    with http_client.Connection(canary.port) as line:  # it would sing
        assert line.read() is None
    assert canary.callers == 1
    canary.close()


# --- control octets ----------------------------------------------------------

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
def test_controls_in_variables(start, fastcgi, backend, program):
    """R58: whatever a web server lets through, past lighttpd, which lets
    little through: into no header, neither of ours nor to the backend."""
    body = json.dumps({"query": "{ me { email } }", "email": "a",
                       "password": "b"}).encode()
    if program in ("logout", "session"):
        body = b""
    for name in VARIABLES:
        for control in CONTROLS:
            more = {"CONTENT_TYPE": "application/json" if body else None}
            if program == "login":  # a password is slow to check
                backend.next(body='{"errors":[{"message":"no"}]}')
            method = "GET" if program == "session" else "POST"
            values = fcgi.params(method, "", body, **more)
            values[name] = values.get(name, "http://x") + control
            with fcgi.Connection(fastcgi.socket_of(program)) as line:
                told = line.request(values, body)
            head = told.stdout.partition(b"\r\n\r\n")[0]
            check_clean(b"Status-line:\r\n" + head, (name, control))
            assert 200 <= told.status < 600
            assert b"X-Evil" not in head, (name, control, head)
            fastcgi.received.append(told.stdout)
        if program == "login":
            backend.forget()
        for seen in backend.seen():
            assert "x-evil" not in seen["names"], (name, seen)
            assert not any(re.search(r"[\x00-\x1f\x7f]", value)
                           for _, value in seen["headers"]), (name, seen)
    assert "\nX-Evil" not in fastcgi.log and "\x1b" not in fastcgi.log


def test_controls_in_headers(gateway):
    """And through lighttpd, which refuses most of them itself."""
    for name in ("Cookie", "Origin", "Accept", "User-Agent", "Referer",
                 "Authorization", "Accept-Language", "Content-Type"):
        for control in CONTROLS:
            with http_client.Connection(gateway.port) as line:
                answer = line.request("POST", "/query", [
                    (name, "x" + control)], b'{"query":"{me{email}}"}')
            assert answer is not None
            check_clean(answer.head, (name, control))


NOT_LOCAL = [
    "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
    "https://evil.example/", "https:evil.example", "javascript:alert(1)",
    "///evil.example", "/.//evil.example", "/..//evil.example", "/a/../b",
    "/%2e%2e/a", "/a/%5cevil.example", "/%09/evil.example", "/%00", "/%0d%0aX",
    "", " ", "a", "/ a", "/\u00e9", "/a\x7f", "/%zz", "/a?\r\nX-Evil: 1",
    "/a#\n", "/" + "a" * 5000,
] + ["/a" + control for control in CONTROLS if "\x00" not in control]


def test_return_to(gateway, backend):
    """L11 to L14, R70: a path on this site, or the default page."""
    for wish in NOT_LOCAL:
        backend.next(body=granted())
        for answer in (
                gateway.form("/login", {"email": "a", "password": "b",
                                        "return_to": wish}),
                gateway.form("/logout", {"return_to": wish}),
                gateway.form("/logout?" + urllib.parse.urlencode(
                    {"return_to": wish}), {})):
            if answer.status == 400 and not answer.body.startswith(b"{"):
                continue  # lighttpd takes no such address
            assert answer.status == 303, (wish, answer)
            assert answer.get("location") == "/", wish
            check_clean(answer.head, wish)
    for wish in ("/a", "/a/b/?c=//d&e=%20#f", "/?next=https://x", "/a;b=c"):
        answer = gateway.form("/logout", {"return_to": wish})
        assert answer.get("location") == wish
    # Where it is written into a page, it is text.
    for path in ("/login", "/logout"):
        answer = gateway.get(path + "?" + urllib.parse.urlencode(
            {"return_to": '"><script>alert(1)</script>'}))
        assert answer.status == 200 and "<script" not in answer.text


def test_nul_in_a_form(gateway, backend):
    """Section 4: 400, and the backend does not hear of it."""
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
def test_controls_in_a_name(fastcgi, backend, control):
    """Section 4, R82: kept in the claims, escaped in JSON, pages and logs."""
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
def test_controls_in_the_backends_token(fastcgi, backend, control):
    """What could not be sent back is no token, and nobody is told of it."""
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
def test_ttl(fastcgi, backend, ttl, status):
    """Design 2.3: RFC 3339, milliseconds, seconds, or seconds from now; and
    what says nothing sound is no login (R20)."""
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


LISTED = ["Content-Type", "Content-Language", "ETag", "Last-Modified", "Allow",
          "Retry-After", "Vary", "Content-Encoding", "vendure-auth-token",
          "Set-Cookie"]


@pytest.mark.parametrize("name", LISTED)
def test_controls_in_the_backends_headers(fastcgi, backend, name):
    """R58: such a header is dropped, or the whole answer is."""
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


def test_odd_status_lines(fastcgi, backend):
    """R58: a status is a number, and its phrase is ours."""
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


# --- requests that lack something --------------------------------------------


def test_without_a_type(gateway, backend):
    """R51, L9: a POST that says not what it is; only /logout may."""
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
    # L42: a GET with an odd type could be made without a preflight.
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
def test_bodies_that_are_no_request(gateway, backend, path):
    """Section 4, L67: 400 with a code, before the backend hears of it; and
    413 for what is nested too deep (design 2.8)."""
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


ALLOWED = {"login": "GET, HEAD, POST, OPTIONS",
           "query": "GET, HEAD, POST, OPTIONS",
           "logout": "GET, HEAD, POST, OPTIONS",
           "session": "GET, HEAD, DELETE, OPTIONS"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_methods(gateway, backend, program):
    """R54: the listed ones, and for any other a 405 that lists them."""
    allowed = ALLOWED[program].split(", ")
    answer = gateway.send("OPTIONS", f"/{program}")
    assert answer.status == 204 and answer.body == b""
    assert answer.get("allow") == ALLOWED[program]
    for method in {"PUT", "DELETE", "PATCH", "HEAD", "POST",
                   "PROPFIND"} - set(allowed):
        body = b"{}" if method in ("PUT", "PATCH", "POST") else None
        answer = gateway.send(method, f"/{program}", body,
                              [("Content-Type", "application/json")])
        assert answer.status == 405, (method, answer)
        assert answer.get("allow") == ALLOWED[program]
        if method != "HEAD":
            assert answer.code == "METHOD_NOT_ALLOWED"
    # TRACE would show the cookie to a script; lighttpd has none of it.
    for method in ("TRACE", "CONNECT", "BREW", "get", "G\tT"):
        with http_client.Connection(gateway.port) as line:
            answer = line.request(method, f"/{program}",
                                  [("Cookie", "canary=1")])
        assert answer is None or answer.status >= 400
        assert answer is None or b"canary" not in answer.head + answer.body
    assert backend.seen() == []


@pytest.mark.parametrize("method", ["get", "", "G T", "POST\r\nX-Evil: 1",
                                    "GETT", "TRACE", "HEAD ", "\xff", None])
def test_methods_that_are_none(fastcgi, method):
    for program in PROGRAMS:
        told = fastcgi.direct(program, REQUEST_METHOD=method)
        assert told.status in (400, 405), (program, told.stdout)
        check_clean(b":\r\n" + told.stdout.partition(b"\r\n\r\n")[0])


def test_path_info(gateway, backend, user):
    """R53: there is nothing below a program; the backend's path is fixed."""
    cookie = gateway.cookie_for(user)
    backend.forget()
    for program in PROGRAMS:
        for more in ("/", "/x", "/admin/api", "/a%2fb", "/x?y=1"):
            for answer in (gateway.get(f"/{program}{more}", cookie=cookie),
                           gateway.post(f"/{program}{more}", {"query": ME},
                                        cookie=cookie)):
                assert answer.status == 404, (program, more, answer)
                assert answer.code == "NOT_FOUND"
    # Nor beside one, whoever says so.
    for path in ("/queryx", "/query.php", "/querY", "/query/%2e%2e/x",
                 "/query%0a", "/query%0d%0aX-Evil:%201", "/query/%0d%0aX-Evil:x",
                 "/query%00", "/session%20", "/%0aquery"):
        answer = gateway.get(path, cookie=cookie)
        check_clean(answer.head, path)
        assert answer.status in (400, 404), (path, answer)
    assert backend.seen() == []
    assert gateway.query(cookie=cookie).status == 200
    assert backend.seen()[-1]["path"] == "/graphql"


def test_names_that_meet_in_cgi(gateway, user):
    """L16, L17, L43: headers that differ only in "-" and "_" become one
    variable; whoever is believed, a foreign page gets nowhere."""
    cookie = gateway.cookie_for(user)
    for pair in ([("Sec-Fetch-Site", "cross-site"),
                  ("Sec_Fetch_Site", "same-origin")],
                 [("Sec_Fetch_Site", "same-origin"),
                  ("Sec-Fetch-Site", "cross-site")],
                 [("Origin", "https://evil.example"),
                  ("origin", f"http://localhost:{gateway.port}")]):
        answer = gateway.query(cookie=cookie, headers=pair)
        assert answer.status in (400, 403), (pair, answer)


# --- bodies of any length ----------------------------------------------------


PADDED = """query ($p: ID!) {
    me { ownerId email } store(id: $p) { id } }"""


def request_of(size, document=PADDED):
    """A GraphQL request of exactly that many bytes; $p fills it up."""
    frame = json.dumps({"variables": {"p": ""}, "query": document})
    at = frame.index('"p": "') + 6
    body = (frame[:at] + "x" * (size - len(frame)) + frame[at:]).encode()
    assert len(body) == size
    return body


def chunked(body, size=100000):
    pieces = [body[i:i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x;ext=1\r\n%b\r\n" % (len(p), p)
                    for p in pieces) + b"0\r\nTrailer: x\r\n\r\n"


def check_octets(backend, octets):
    seen = backend.seen()[-1]
    assert seen["length"] == len(octets)
    assert seen["sha256"] == hashlib.sha256(octets).hexdigest()


def check_arrived(backend, body):
    """A request of request_of(), written anew (design 2.8)."""
    request = json.loads(body)
    check_octets(backend, json.dumps(
        {"query": request["query"], "variables": request["variables"]},
        separators=(",", ":"), ensure_ascii=False).encode())
    header = backend.seen()[-1]["header"]
    assert header["content-type"] == "application/json"
    assert "content-encoding" not in header


@pytest.fixture(name="cookie", scope="module")
def cookie_fixture(gateway, user):
    return gateway.cookie_for(user)


@pytest.mark.parametrize("size", [40000, MIB - 1, MIB, MIB + 1, 4 * MIB])
def test_body_passes_on(gateway, backend, user, cookie, size):
    """Design 2.8: up to POSTERN_MAX_JSON, with a length and in chunks."""
    body = request_of(size)
    wanted = {"data": {"me": {"ownerId": user.owner, "email": user.email},
                       "store": None}}
    answer = gateway.post("/query", body, cookie=cookie)
    assert answer.status == 200 and answer.json == wanted
    check_arrived(backend, body)
    answer = gateway.post("/query", chunked(body), cookie=cookie,
                          headers=[("Transfer-Encoding", "chunked")])
    assert answer.status == 200 and answer.json == wanted
    check_arrived(backend, body)


def test_json_too_large(gateway, backend, cookie):
    """Design 2.8: beyond POSTERN_MAX_JSON a 413 that says so."""
    backend.forget()
    body = request_of(4 * MIB + 1)
    for octets, headers in ((body, []), (chunked(body), [
            ("Transfer-Encoding", "chunked")])):
        for who in ({}, {"cookie": cookie}):
            answer = gateway.post("/query", octets, headers=headers, **who)
            assert answer.status == 413 and answer.code == "TOO_LARGE"
            assert "POSTERN_MAX_JSON" in answer.json["errors"][0]["message"]
    assert backend.seen() == []


def test_long_body_of_a_guest(gateway, backend):
    """Design 2.8: as long a one, whoever sends it."""
    body = request_of(3 * MIB, "mutation ($p: String) {"
                               " save(text: $p, by: \"\u00e9\") { id } }")
    backend.next(body='{"data":{"save":null}}')
    answer = gateway.post("/query", body)
    assert answer.status == 200, answer
    assert answer.body == b'{"data":{"save":null}}'
    check_arrived(backend, body)


def test_answer_to_a_long_body_streams(gateway, backend):
    """Design 2.8: an answer is never held because of its request."""
    body = request_of(MIB + 1)
    text = '{"data":"%s"}' % ("x" * 3 * MIB)
    backend.next(body=text)
    answer = gateway.post("/query", body, keep=False)
    assert answer.status == 200 and answer.text == text


GZIP = [("Content-Encoding", "gzip")]


def test_gzip_is_unpacked(gateway, backend, cookie):
    """Design 2.8: read like any other, and passed on as what was read."""
    for size in (300, MIB):
        body = request_of(size)
        for name in ("gzip", "GZip", "x-gzip"):
            for who in ({}, {"cookie": cookie}):
                backend.next(body='{"data":{}}')
                answer = gateway.post("/query", gzip.compress(body), headers=[
                    ("Content-Encoding", name)], **who)
                assert answer.status == 200, (size, name, answer)
                check_arrived(backend, body)


SMALL = b'{"query":"{ a }"}'
UNREADABLE = {
    "cut": (gzip.compress(SMALL)[:-1], 400),
    "no gzip": (SMALL, 400),
    "nothing": (b"", 400),
    "with an octet behind it": (gzip.compress(SMALL) + b"\0", 400),
    "two members": (gzip.compress(SMALL[:5]) + gzip.compress(SMALL[5:]), 400),
    "no JSON": (gzip.compress(b"query={a}"), 400),
    "zlib's": (zlib.compress(SMALL), 400),
    "bomb": (gzip.compress(bytes(64 * MIB)), 413),
    "no shorter for it": (gzip.compress(b'{"query":"{ a }","x":"%s"}'
                                        % os.urandom(2 * MIB + 1).hex()
                                        .encode()), 413),
    "long as it is": (gzip.compress(os.urandom(4 * MIB + 1)), 413),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_gzip_that_cannot_be_read(gateway, backend, cookie, name):
    """L36: no more is unpacked than would have been read as it is."""
    body, status = UNREADABLE[name]
    for who in ({}, {"cookie": cookie}):
        answer = gateway.post("/query", body, headers=GZIP, **who)
        assert answer.status == status, answer
    assert backend.seen() == []


def test_gzip_of_one_octet_too_many(gateway, backend, cookie):
    body = request_of(4 * MIB)
    backend.next(body="{}")
    answer = gateway.post("/query", gzip.compress(body), headers=GZIP,
                          cookie=cookie)
    assert answer.status == 200, answer
    check_arrived(backend, body)
    backend.forget()
    answer = gateway.post("/query", gzip.compress(request_of(4 * MIB + 1)),
                          headers=GZIP, cookie=cookie)
    assert answer.status == 413 and answer.code == "TOO_LARGE"
    assert backend.seen() == []


@pytest.mark.parametrize("headers", [
    ["deflate"], ["br"], ["zstd"], ["gzip, gzip"], ["identity, gzip"],
    ["gzip", "gzip"], ["compress"], ["gzip;q=1"]])
def test_other_encodings(gateway, backend, cookie, headers):
    """Nobody reads them for us; and two readers may read deflate apart."""
    for octets in (SMALL, zlib.compress(SMALL), gzip.compress(SMALL),
                   gzip.compress(gzip.compress(SMALL))):
        for who in ({}, {"cookie": cookie}):
            answer = gateway.post("/query", octets, headers=[
                ("Content-Encoding", value) for value in headers], **who)
            assert answer.status == 415, answer
    answer = gateway.post("/login", {"query": LOGIN}, headers=[
        ("Content-Encoding", value) for value in headers])
    assert answer.status == 415, answer
    assert backend.seen() == []


def test_parts_in_gzip(gateway, backend, cookie):
    """Who reads parts may know of no encodings: a name in gzip's own head,
    which is no part of what we decode, would be a part to him."""
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


def test_body_without_a_length(fastcgi, backend, user):
    """A server that streams chunks says no length: so do we."""
    cookie = fastcgi.cookie_for(user)
    for size in (300, MIB, 3 * MIB):
        body = request_of(size)
        told = fastcgi.direct("query", "POST", body=body, CONTENT_LENGTH=None,
                           CONTENT_TYPE="application/json",
                           HTTP_COOKIE=f"{COOKIE}={cookie}")
        assert told.status == 200
        assert json.loads(told.body)["data"]["me"]["email"] == user.email
        check_arrived(backend, body)
    body = request_of(300)
    backend.next(body='{"data":{}}')
    told = fastcgi.direct("query", "POST", body=gzip.compress(body),
                       CONTENT_LENGTH=None,
                       CONTENT_TYPE="application/json",
                       HTTP_CONTENT_ENCODING="gzip")
    assert told.status == 200
    check_arrived(backend, body)


@BOTH
def test_body_too_large(start_own, backend, user, kind):
    """413, before the backend hears of it; the limit itself still passes."""
    gateway = start_own(kind, POSTERN_MAX_BODY="2M")
    cookie = gateway.cookie_for(user)
    body = request_of(2 * MIB)
    assert gateway.post("/query", body, cookie=cookie).status == 200
    check_arrived(backend, body)
    backend.forget()
    body = request_of(2 * MIB + 1)
    for headers, octets in (([], body),
                            ([("Transfer-Encoding", "chunked")],
                             chunked(body))):
        answer = gateway.post("/query", octets, cookie=cookie,
                              headers=headers)
        assert answer.status == 413 and answer.code == "TOO_LARGE"
    for path in ("/login", "/logout"):
        for kind_of in ("application/json",
                        "application/x-www-form-urlencoded"):
            answer = gateway.post(path, b'{"a":"' + b"x" * 65536 + b'"}',
                                  headers=[("Content-Type", kind_of)])
            assert answer.status == 413, (path, kind_of, answer)
    if kind == "fastcgi":
        told = gateway.direct("query", "POST", body=body, CONTENT_LENGTH=None,
                              CONTENT_TYPE="application/json",
                              HTTP_COOKIE=f"{COOKIE}={cookie}")
        assert told.status == 413
    assert backend.seen() == []


def peak(pid, reset=False):
    """The most memory a process has used, in octets."""
    if reset:
        with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"^VmHWM:\s*(\d+) kB", file.read(), re.M)[1]) * 1024


def check_peak(pid, before):
    # A sanitizer keeps what was freed, to see who still uses it.
    if not is_sanitized():
        assert peak(pid) - before < 4 * MIB


UPLOAD = b'{"query":"mutation($f:Upload!){save(f:$f){id}}",' \
         b'"variables":{"f":null}}'


def upload_of(file):
    """A request with a file, and from what the backend has seen of it, what
    it is to be."""
    def made(boundary):
        line = b"--" + boundary + b"\r\nContent-Disposition: form-data; name="
        return (line + b'"operations"\r\n\r\n' + UPLOAD + b"\r\n"
                + line + b'"map"\r\n\r\n{"0":["variables.f"]}\r\n'
                + line + b'"0"; filename="a"\r\nContent-Type:'
                b" application/octet-stream\r\n\r\n" + file
                + b"\r\n--" + boundary + b"--\r\n")
    return made(b"----Edge7MA4YWxk"), lambda seen: made(
        seen["header"]["content-type"].partition("boundary=")[2].encode())


def test_memory_of_large_bodies(start_own, backend, user):
    """Design 2.8: bounded, however long the body is; both ways."""
    gateway = start_own(POSTERN_MAX_BODY="64M")
    cookie = gateway.cookie_for(user)
    gateway.query()
    pid = gateway.pid_of("query")
    before = peak(pid, reset=True)
    body, written = upload_of(os.urandom(MIB) * 20)
    backend.next(body='{"data":{}}')
    answer = gateway.post("/query", body, cookie=cookie, headers=[
        ("Content-Type", "multipart/form-data; boundary=----Edge7MA4YWxk"),
        ("Apollo-Require-Preflight", "1")])
    assert answer.status == 200 and answer.body == b'{"data":{}}'
    check_octets(backend, written(backend.seen()[-1]))
    check_peak(pid, before)
    del body, written
    big = "".join("%08x\n" % n for n in range(20 * MIB // 9))
    for framed in (dict(body=big), dict(chunks=[big[:MIB], big[MIB:]])):
        backend.next(headers=[["Content-Type", "text/plain"]], **framed)
        answer = gateway.query("{ a }", keep=False)
        assert answer.status == 200 and answer.whole
        assert answer.body == big.encode()
    check_peak(pid, before)


def test_large_answer_by_cgi(start_own, backend):
    gateway = start_own("cgi")
    big = "".join("%08x\n" % n for n in range(20 * MIB // 9))
    backend.next(body=big)
    answer = gateway.query("{ a }", keep=False)
    assert answer.whole and answer.body == big.encode()


# --- answers in parts, and cut short -----------------------------------------


def test_answer_arrives_as_it_is_written(gateway, backend):
    """Design 2.8: a part reaches the client before the next one is made."""
    backend.next(headers=[["Content-Type", "text/event-stream"]],
                 chunks=["data: 1\n\n", 1.2, "data: 2\n\n"])
    body = b'{"query":"{ a }"}'
    begin = time.monotonic()
    with http_client.Connection(gateway.port) as line:
        line.send(b"POST /query HTTP/1.1\r\nHost: localhost\r\n"
                  b"Content-Type: application/json\r\n"
                  b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        while b"data: 1" not in line.pending:
            assert line._more()
        assert time.monotonic() - begin < 0.9
        answer = line.read()
    assert answer.whole and answer.body == b"data: 1\n\ndata: 2\n\n"


CUT = {
    "in its length": dict(headers=[["Content-Length", "5000"]],
                          body='{"data":{"a":1}}', close=True),
    "in its chunks": dict(chunks=['{"data":', '{"a":1}}'], cut=True),
    "after much": dict(headers=[["Content-Length", str(3 * MIB)]],
                       body="x" * (2 * MIB), close=True),
}


@pytest.mark.parametrize("name", CUT)
def test_cut_answer_is_not_passed_as_whole(fastcgi, backend, name):
    """What looks whole by accident must not be taken for it. lighttpd does so
    when it hears of an answer and of its end at the same time, which is a
    matter of luck: hence so often."""
    for _ in range(15):
        backend.next(**CUT[name])
        with http_client.Connection(fastcgi.port) as line:
            answer = line.request("POST", "/query", [
                ("Content-Type", "application/json")], b'{"query":"{ a }"}')
        assert answer is None or answer.status >= 500 or not answer.whole


@pytest.mark.parametrize("name", CUT)
def test_cut_answer_by_cgi(start, backend, name):
    """CGI has no way to say so but a length that is not reached."""
    gateway = start("cgi")
    backend.next(**CUT[name])
    with http_client.Connection(gateway.port) as line:
        answer = line.request("POST", "/query", [
            ("Content-Type", "application/json")], b'{"query":"{ a }"}')
    if name == "in its chunks":
        assert answer.body in (b"", b'{"data":', b'{"data":{"a":1}}')
    else:
        assert answer is None or answer.status >= 500 or not answer.whole


def test_pause_in_an_answer(start_own, backend):
    """POSTERN_BETWEEN_BYTES_TIMEOUT ends it, and nothing pretends it was
    whole."""
    gateway = start_own(POSTERN_BETWEEN_BYTES_TIMEOUT="1s")
    backend.next(chunks=['{"data":', 1.8, "{}}"])
    begin = time.monotonic()
    with http_client.Connection(gateway.port) as line:
        answer = line.request("POST", "/query", [
            ("Content-Type", "application/json")], b'{"query":"{ a }"}')
    assert time.monotonic() - begin < 1.7
    assert answer is None or answer.status == 504 or not answer.whole
    assert wait_until(lambda: "PST_UPSTREAM_TIMEOUT" in gateway.log, 5)


def test_client_that_goes(fastcgi, backend):
    """Design 2.8: and the request to the backend goes with it."""
    backend.next(chunks=["data: 1\n\n"] + [0.1, "data: 2\n\n"] * 60)
    body = b'{"query":"{ a }"}'
    with http_client.Connection(fastcgi.port) as line:
        line.send(b"POST /query HTTP/1.1\r\nHost: localhost\r\n"
                  b"Content-Type: application/json\r\n"
                  b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        while b"data: 1" not in line.pending:
            assert line._more()
    assert wait_until(lambda: backend.seen()[-1]["gone"], 4)
    assert wait_until(lambda: "PST_CLIENT_GONE" in fastcgi.log, 4)
    assert fastcgi.query().status == 200


# --- logins in disguise ------------------------------------------------------

ARGUMENTS = 'email: "%s", password: "%s"'
DISGUISES = {
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
    "behind a comment": "mutation{a#\n:#x\r\n,,login(%s){secret}}",
    "behind a CR": "mutation{a#\n:#x\r,,login(%s){secret}}",
    "behind U+2028": "mutation{a:__typename#\u2028login(%s){secret}\n}",
    "behind a mark": "\ufeffmutation{a:login(%s){s:secret}}",
    "behind a string": 'query Q($x:String="}"){me{email}}'
                       "mutation M{a:login(%s){s:secret}}",
    "with a directive":
        "mutation{a:login(%s)@include(if:true){s:secret@skip(if:false)}}",
    "beside a query": "mutation M{a:login(%s){s:secret}} query Q{me{email}}",
}


# The answer's shape is the client's; design 2.5 refuses the others.
SHAPES = {
    "renamed": {"a": {"secret": None}}, "secret renamed": {"login": {"s": None}},
    "both renamed": {"a": {"s": None}}, "in a fragment": {"a": {"secret": None}},
    "in an inline fragment": {"x": {"y": None}},
    "its selection in a fragment": {"login": {"t": None}},
    "behind a comment": {"a": {"secret": None}},
    "behind a mark": {"a": {"s": None}},
}
# No reader may see another document than we do (L67), nor choose another
# operation of it.
UNREADABLE_DISGUISES = ("behind a CR", "behind U+2028")
READ = ("json", "escaped", "its name escaped", "batch")


def in_octets(document, how):
    """Ways to write the request down."""
    plain = {"query": document, "operationName":
             "M" if "mutation M" in document else None}
    escaped = "".join("\\u%04x" % ord(c) for c in document)
    return {
        "json": json.dumps(plain),
        "escaped": '{"query":"%s","operationName":%s}' % (
            escaped, json.dumps(plain["operationName"])),
        "its name escaped": '{"\\u0071uery":"%s","operationName":%s}' % (
            escaped, json.dumps(plain["operationName"])),
        "batch": json.dumps([plain]),
        "second of a batch": json.dumps([{"query": ME}, plain]),
        "second of two": '{"query":"{me{email}}",' + json.dumps(plain)[1:],
    }[how].encode()


def check_disguised(gateway, answer, name, email):
    """A login, and nothing but the client's shape of our own; or refused."""
    said = (name, answer)
    value = answer.json[0] if answer.text.startswith("[") else answer.json
    if name in UNREADABLE_DISGUISES:
        assert answer.status == 200 and "data" not in value, said
        assert value["errors"][0]["extensions"]["code"] == \
            "GRAPHQL_PARSE_FAILED", said
        assert answer.all("set-cookie") == [], said
        return
    if name != "plain" and name not in SHAPES:
        assert value["errors"][0]["extensions"]["code"] == "LOGIN_SHAPE", said
        assert answer.status == (200 if answer.json == [value] else 400), said
        assert answer.all("set-cookie") == [], said
        return
    assert answer.status == 200, said
    login = value["data"]
    if name == "plain":
        assert login["login"]["secret"] is None, said
        assert login["login"]["email"] == email, said
    else:
        assert login == SHAPES[name], said
    assert gateway.session(cookie=cookie_of(answer)[1])["name"] == email


@pytest.mark.parametrize("how", ["json", "escaped", "its name escaped",
                                 "batch", "second of a batch",
                                 "second of two"])
def test_disguised_login(fastcgi, backend, user, how):
    """R33, L55, L57: the secret stays where it is, and a login is a login
    however it is written; no document but our own reaches the backend."""
    for name, document in DISGUISES.items():
        arguments = ARGUMENTS % (user.email, user.password)
        document = document.replace("%s", arguments)
        backend.forget()
        if how == "second of a batch":  # this backend knows none
            backend.next(body='[{"data":{"me":null}}]')
        answer = fastcgi.post("/query", in_octets(document, how))
        assert not backend.tokens_in(answer.head + answer.body), (name, answer)
        if how in READ:
            check_disguised(fastcgi, answer, name, user.email)
        elif how == "second of two":
            assert answer.status == 400, (name, answer)
            assert answer.code == "BAD_REQUEST", (name, answer)
        else:
            assert answer.status == 200, (name, answer)
            assert answer.json[0] == {"data": {"me": None}}, (name, answer)
            refused = answer.json[1]["errors"][0]["extensions"]["code"]
            assert refused == ("GRAPHQL_PARSE_FAILED"
                               if name in UNREADABLE_DISGUISES
                               else "LOGIN_SHAPE"), (name, answer)
            assert len(backend.seen()) == 1, name
        for seen in backend.seen():
            assert "OwnerLogin" in seen["body"] or "login" not in seen["body"]


@pytest.mark.parametrize("name", DISGUISES)
def test_disguised_login_in_gzip(fastcgi, backend, name):
    """Encoded or not, it is the same request to us."""
    document = DISGUISES[name].replace("%s", ARGUMENTS % ("a@b.example", "x"))
    body = gzip.compress(in_octets(document, "json"))
    backend.next(body=granted(__typename="Login"))
    answer = fastcgi.post("/query", body, headers=GZIP)
    check_disguised(fastcgi, answer, name, "a@b.example")
    if name not in SHAPES and name != "plain":
        assert backend.seen() == []
        return
    assert fastcgi.open_token(cookie_of(answer)[1])["upstream"] == SECRET
    seen = backend.seen()[-1]
    assert "OwnerLogin" in seen["body"]
    assert "content-encoding" not in seen["names"]


def long_logins(user, size):
    """{how: a request of that size that is one, and with several in it}."""
    arguments = ARGUMENTS % (user.email, user.password)
    renamed = ("mutation{a:login(%s){s:secret} b:login(%s){secret}}"
               % (arguments, arguments))
    at_its_end = request_of(size, renamed)
    fill = b'"x":"%s",' % (b"x" * size)
    bodies = {
        "at its end": at_its_end,
        "at its start": json.dumps({"query": renamed, "variables": {
            "p": "x" * size}}).encode(),
        "escaped": at_its_end.replace(b"login", b"\\u006cogin"),
        "its last letter escaped": at_its_end.replace(b"login", b"logi\\u006E"),
        "behind an escape": at_its_end.replace(b":login", b":\\nlogin"),
        "a batch": b"[" + at_its_end + b"]",
        "a batch behind white space": b" " * 2 * MIB + b"["
                                      + request_of(size // 4, renamed) + b"]",
        "second of a name": b"{" + fill + b'"query":"{a}",' + at_its_end[1:],
        "in UTF-16": at_its_end.decode().encode("utf-16-le"),
    }
    bodies.update({name: request_of(size, document.replace("%s", arguments))
                   for name, document in DISGUISES.items()
                   if name not in (*SHAPES, "plain")})
    return bodies


def status_of(name):
    """Errors of the document's are 200; of two operations none is named."""
    return 200 if name in (*UNREADABLE_DISGUISES, "behind a string",
                           "beside a query") else 400


def test_login_in_a_long_body(gateway, backend, user):
    """L55: it is read to its end, so nothing hides in it, whoever sends it;
    and the backend never hears of it."""
    cookie = gateway.cookie_for(user)
    backend.forget()
    for name, body in long_logins(user, 2 * MIB).items():
        if len(body) > 4 * MIB:
            continue  # of those below
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
    # One that is good stays one, however long; only our own is sent.
    body = request_of(2 * MIB, DISGUISES["plain"].replace(
        "%s", ARGUMENTS % (user.email, user.password)))
    answer = gateway.post("/query", body)
    check_disguised(gateway, answer, "plain", user.email)
    assert backend.seen()[-1]["length"] < 1000
    # There is no trace of it in the next one.
    answer = gateway.post("/query", request_of(2 * MIB), cookie=cookie)
    assert answer.json["data"]["me"]["email"] == user.email


def test_login_in_a_long_body_without_a_length(fastcgi, backend, user):
    """Nor does it get a last chunk."""
    backend.forget()
    for name, body in long_logins(user, 3 * MIB).items():
        told = fastcgi.direct("query", "POST", body=body, CONTENT_LENGTH=None,
                           CONTENT_TYPE="application/json")
        status = status_of(name) if len(body) <= 4 * MIB else 413
        assert told.status == status, (name, told.stdout)
    assert backend.seen() == []


def test_login_across_pieces(fastcgi, backend):
    """Of what is read at once, and of what may be read at all."""
    head, tail = b'{"variables":{"p":"', b'"},"query":"mutation{a:login{b}}"}'
    backend.forget()
    for border in (65536, MIB, 2 * MIB, 4 * MIB):
        for before in range(7):
            body = head + b"x" * (border - before - len(head)
                                  - tail.index(b"login")) + tail
            assert body[border - before:].startswith(b"login")
            for length in (str(len(body)), None):
                told = fastcgi.direct("query", "POST", body=body,
                                   CONTENT_LENGTH=length,
                                   CONTENT_TYPE="application/json")
                assert told.status == (400 if len(body) <= 4 * MIB else 413)
    assert backend.seen() == []


@pytest.mark.parametrize("program", [*PROGRAMS, "authorize"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_plain_cgi_without_a_variable(fastcgi, user, program, method):
    """L9: every variable may be absent, and what is absent opens nothing."""
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
        said = (missing, done)
        assert done.returncode == 0 and b"Sanitizer" not in done.stderr, said
        answer = fcgi.Answer(done.stdout, done.stderr, 0, 0)
        assert 200 <= answer.status < 500, said
        assert answer.status >= 300 or program != "authorize", said
        if missing in ("REQUEST_METHOD", "all"):
            assert answer.status >= 400, said
        assert b"X-Session-" not in done.stdout, said
        assert not re.search(rb"Set-Cookie: [^=]*=[^;]", done.stdout), said
        if program == "session" and answer.status == 200:
            assert json.loads(answer.body) == {"data": {"session": None}}


def test_login_by_get(gateway, backend, user):
    """R28, R48: a link logs nobody in, whatever the backend thinks of it."""
    document = DISGUISES["plain"].replace(
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
    # A login's text is not remembered, for it may hold a password: by its
    # hash alone it is nothing.
    for text, more in ((LOGIN, GRAPHQL_LOGIN), (document, {})):
        known = persisted(text)
        backend.next(body=granted())
        answer = gateway.post("/query", {**more, "query": text,
                                         "extensions": known})
        assert answer.json["data"]["login"]["secret"] is None
        backend.forget()
        answer = gateway.get("/query?extensions=" + urllib.parse.quote(
            json.dumps(known)))
        assert answer.code == ("PERSISTED_QUERY_NOT_SUPPORTED"
                               if gateway.kind == "cgi" else
                               "PERSISTED_QUERY_NOT_FOUND")
        assert answer.all("set-cookie") == []
        assert backend.seen() == []


GRANTED = granted().encode()
ODD_ANSWERS = {
    "errors too": dict(body=granted()[:-1] + ',"errors":[{"message":"x"}]}'),
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
    "two of one name": dict(body=granted().replace(
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


@pytest.mark.parametrize("name", ODD_ANSWERS)
def test_odd_answers_to_a_login(fastcgi, backend, user, name):
    """What cannot be read is not passed on: it may hold the secret."""
    cookie = fastcgi.cookie_for(user)
    for send in (lambda: fastcgi.post("/query", GRAPHQL_LOGIN),
                 lambda: fastcgi.post("/query", [GRAPHQL_LOGIN]),
                 lambda: fastcgi.post("/login", GRAPHQL_LOGIN, cookie=cookie),
                 *([] if name == "twice" else [lambda: fastcgi.post(
                     "/login", GRAPHQL_LOGIN["variables"])])):
        backend.next(**ODD_ANSWERS[name])
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


def test_persisted_login(fastcgi, backend):
    """L55, design 2.6: never by its hash alone, and with its text it is a
    login like any other."""
    request = {"variables": {"email": "a@b.example", "password": "x"},
               "extensions": persisted(LOGIN)}
    answer = fastcgi.post("/query", {**request, "query": LOGIN + " "})
    assert answer.status == 400  # another text's hash
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


def test_persisted_query(fastcgi, backend, user):
    """Answered by us until its text is known; then the backend gets the text,
    and its answers pass as they came: an error, a 304, a 204."""
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
