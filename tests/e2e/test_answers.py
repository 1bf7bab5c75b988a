# SPDX-License-Identifier: ISC
"""Requests and answers that are rare, but right: bodies of other clients, answers
of other backends, an answer that breaks off."""
import base64
import gzip
import json
import subprocess
import urllib.parse
import zlib

import dialect
import gateway as gateways
import pytest
import servers
from gateway import COOKIE
from http_client import cookies_of
from test_cookies import GUEST, INVALID, cleared, guest_of
from test_files import END, TYPE, check_arrived, part, upload

# --- an answer that breaks off ------------------------------------------------

HEAD = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
LENGTH = HEAD + b"Content-Length: 500000\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
UNSENT = {
    "no head": b"HTTP/1.1 200 OK\r\nContent-Ty",
    "only a head": LENGTH,
    "only a head of chunks": CHUNKED,
    "little of a length": LENGTH + b'{"data":',
}
SENT = {
    "length": dict(raw=LENGTH + b"x" * 200_000),
    "chunks": dict(raw=CHUNKED + b"30d40\r\n" + b"x" * 200_000 + b"\r\n"),
    "one chunk": dict(raw=CHUNKED + b"1\r\n{\r\n"),
    "events": dict(chunks=["data: 1\n\n", 0.2, "data: 2\n\n"], cut=True,
                   headers=[["Content-Type", "text/event-stream"]]),
}
PARTIAL = 18  # curl: it got a part of the response


@pytest.fixture(name="cut_site", scope="module", params=[
    servers.Lighttpd, servers.LighttpdCgi, servers.ApacheProxy,
    servers.ApacheFcgid, servers.ApacheCgid, servers.Nginx],
                ids=lambda kind: kind.name)
def cut_site_fixture(request, backend):
    site = request.param(backend)
    yield site
    site.close()


def ask_by_curl(site):
    """(exit code, status, body). Apache waits for a next request on a connection
    whose answer broke off, unless it may not."""
    done = subprocess.run(
        ["curl", "-sS", "-m", "20", "-w", "\n%{http_code}", "-d",
         '{"query":"{ a }"}', "-H", "Content-Type: application/json",
         *(["-H", "Connection: close"] * site.name.startswith("apache")),
         f"http://127.0.0.1:{site.port}/query"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=30, check=False)
    body, _, status = done.stdout.rpartition(b"\n")
    return done.returncode, int(status), body


@pytest.mark.parametrize("name", UNSENT)
def test_answer_that_breaks_off_is_502_while_nothing_was_sent(
        cut_site, backend, name):
    """Not a 5xx of the web server's own, which no GraphQL client can read."""
    backend.next(raw=UNSENT[name], close=True)
    code, status, body = ask_by_curl(cut_site)
    assert (code, status) == (0, 502), body
    error, = json.loads(body)["errors"]
    assert error["extensions"]["code"] in ("UPSTREAM_INVALID",
                                           "UPSTREAM_UNREACHABLE")


@pytest.mark.parametrize("name", SENT)
def test_client_notices_an_answer_that_breaks_off(cut_site, backend, name):
    """Design 2.8. nginx took the end of the program's connection for the end of
    the answer: it completed the chunks, or waited for ever for the length; and
    what it reads together with our sign of an error does not reach the client,
    which may then send the request again. With mod_fcgid and CGI, only a
    Content-Length shows it (doc/deploy.md)."""
    is_noticed = name == "length" or cut_site.name in (
        "lighttpd", "apache-proxy", "nginx")
    for _ in range(5 if cut_site.name == "nginx" else 1):
        backend.next(**SENT[name], close=True)
        code, status, _ = ask_by_curl(cut_site)
        assert (code, status) == (PARTIAL if is_noticed else 0, 200)
    # The next request is not affected.
    backend.next(body='{"data":{}}')
    assert ask_by_curl(cut_site) == (0, 200, b'{"data":{}}')


# --- limits as backends have them ---------------------------------------------

ANYTHING = "query($a:J){a(a:$a)}"


def arrays(depth):
    return "[" * depth + "]" * depth


def send_variable(gateway, backend, form, text):
    """Send the JSON text as a variable; returns the answer."""
    one = '{"query":"%s","variables":{"a":%s}}' % (ANYTHING, text)
    backend.next(body='[{"data":{}}]' if form == "batch" else '{"data":{}}')
    if form == "get":
        answer = gateway.get("/query?" + urllib.parse.urlencode(
            {"query": ANYTHING, "variables": '{"a":%s}' % text}))
    elif form == "multipart":
        answer = upload(gateway, part(one.encode()) + part(b"{}", "map") + END)
    else:
        answer = gateway.post("/query", (
            "[%s]" % one if form == "batch" else one).encode())
    backend.forget()
    return answer


@pytest.mark.parametrize("form, around", [("json", 2), ("batch", 3), ("get", 1),
                                          ("multipart", 2)])
def test_depth_of_variables(fastcgi, backend, form, around):
    """U34: 256 levels with those around the variable; the message names it."""
    for depth in (31, 256 - around):
        answer = send_variable(fastcgi, backend, form, arrays(depth))
        assert answer.status == 200, (depth, answer)
    answer = send_variable(fastcgi, backend, form, arrays(257 - around))
    assert (answer.status, answer.code) == (413, "TOO_LARGE")
    assert "256 levels" in answer.text


@pytest.mark.parametrize("form", ["json", "batch", "multipart"])
def test_many_values(fastcgi, backend, form):
    """U34: any number that fits, also in more than 1 MiB."""
    for text in (json.dumps([1] * 32770), json.dumps([12345678] * 150_000)):
        answer = send_variable(fastcgi, backend, form, text)
        assert answer.status == 200, (len(text), answer)
    answer = send_variable(fastcgi, backend, form,
                           json.dumps([12345678] * 500_000))
    assert (answer.status, answer.code) == (413, "TOO_LARGE")
    assert "POSTERN_MAX_JSON" in answer.text


def test_depth_of_a_document(fastcgi, backend):
    """Values, input objects and types in a document: 200 levels."""
    for text in ("{a(a:%s)}" % arrays(199), "{a(a:%s)}" % arrays(31),
                 "{a(a:%s1%s)}" % ("{a:" * 199, "}" * 199),
                 "query($a:%sInt%s){a(a:$a)}" % ("[" * 200, "]" * 200),
                 "query($ids:[ID!]!){users(ids:$ids){id login}}",
                 "{a(a:%s)}" % json.dumps([1] * 14000)):
        backend.next(body='{"data":{}}')
        answer = fastcgi.query(text, {"ids": ["1", "2"], "a": 1})
        assert answer.status == 200, (text[:60], answer)
    backend.forget()
    for text, limit in (
            ("{a(a:%s)}" % arrays(201), "200 levels"),
            ("{a(a:%s1%s)}" % ("{a:" * 201, "}" * 201), "200 levels"),
            ("query($a:%sInt%s){a(a:$a)}" % ("[" * 201, "]" * 201),
             "200 levels"),
            ("{a(a:%s)}" % json.dumps([1] * 15001), "15000 tokens")):
        answer = fastcgi.query(text)
        assert (answer.status, answer.code) == (413, "TOO_LARGE"), text[:60]
        assert limit in answer.text
    assert backend.seen() == []


# --- byte order marks, encodings, heads ---------------------------------------

MARK = b"\xef\xbb\xbf"
LOGIN_ANSWER = json.dumps({"data": {"login": {
    "secret": "s" * 43, "ttl": "2199-01-01T00:00:00Z", "email": "a@b.example",
    "ownerId": "7"}}}).encode()
JSON_TYPE = ["Content-Type", "application/json"]


def log_in_with(gateway, backend, body, *headers):
    """Log in, with this answer of the backend; the answer and the new log."""
    begin = len(gateway.log)
    backend.next(base64=base64.b64encode(body).decode(),
                 headers=[JSON_TYPE, *headers])
    answer = gateway.post("/login", {"email": "a@b.example", "password": "x"})
    return answer, gateway.log[begin:]


def test_byte_order_mark_is_skipped(gateway, backend, user):
    """RFC 8259 section 8.1: in any JSON body, and in a backend's answer."""
    cookie = gateway.cookie_for(user)
    backend.next(body='{"data":{}}')
    assert gateway.post("/query", MARK + b'{"query":"{ a }"}').status == 200
    for body in ({"email": user.email, "password": user.password},
                 {"query": "mutation{login(email:%s,password:%s){email}}" % (
                     json.dumps(user.email), json.dumps(user.password))}):
        answer = gateway.post("/login", MARK + json.dumps(body).encode())
        assert answer.status == 200, answer
    backend.next(body='{"data":{}}')
    answer = upload(gateway, part(MARK + b'{"query":"{ a }"}')
                    + part(MARK + b"{}", "map") + END)
    assert answer.status == 200, answer
    answer = gateway.post("/logout", MARK + b'{"everywhere":true}',
                          cookie=cookie)
    assert answer.status == 200, answer
    assert gateway.session(cookie=cookie) is None
    answer, _ = log_in_with(gateway, backend, MARK + LOGIN_ANSWER)
    assert answer.status == 200, answer


def test_login_answer_that_is_compressed_unasked(fastcgi, backend):
    """We ask for `identity`. gzip is read all the same; for another encoding
    the login is 502, not a wrong password, and the log says why."""
    answer, _ = log_in_with(fastcgi, backend, gzip.compress(LOGIN_ANSWER),
                            ["Content-Encoding", "gzip"])
    assert answer.status == 200, answer
    assert backend.seen()[-1]["header"]["accept-encoding"] == "identity"
    for coding, body in (("deflate", zlib.compress(LOGIN_ANSWER)),
                         ("br", b"\x1b\x00"), ("gzip", LOGIN_ANSWER)):
        answer, log = log_in_with(fastcgi, backend, body,
                                  ["Content-Encoding", coding])
        assert (answer.status, answer.code) == (502, "UPSTREAM_INVALID")
        assert "event=backend-encodes" in log and f"encoding={coding}" in log
    # A query's answer passes as it is.
    for coding in ("gzip", "deflate", "br"):
        backend.next(body="packed", headers=[["Content-Encoding", coding]])
        answer = fastcgi.query("{ a }")
        assert (answer.text, answer.get("content-encoding")) == (
            "packed", coding)


def test_head_of_the_backend_that_does_not_fit(fastcgi, backend):
    """502, and the log says what is too large."""
    for headers, reason in (
            ([[f"X-{n}", "y" * 4000] for n in range(20)], "too large"),
            ([[f"X-{n}", "y"] for n in range(600)], "too many lines")):
        begin = len(fastcgi.log)
        backend.next(body="{}", headers=headers)
        answer = fastcgi.query("{ a }")
        assert (answer.status, answer.code) == (502, "UPSTREAM_INVALID")
        assert reason in fastcgi.log[begin:]
        answer, _ = log_in_with(fastcgi, backend, LOGIN_ANSWER, *headers)
        assert answer.status == 502


def test_list_headers_on_several_lines_are_joined(fastcgi, backend):
    backend.next(status=405, body="{}", headers=[
        JSON_TYPE, ["Vary", "Accept"], ["Vary", "X-One"], ["Allow", "GET"],
        ["Allow", "POST"], ["Content-Language", "de"],
        ["Content-Language", "en"]])
    answer = fastcgi.query("{ a }")
    assert {"accept", "x-one", "origin", "cookie"} <= answer.vary
    assert answer.all("vary") == [answer.get("vary")]
    assert answer.all("allow") == ["GET, POST"]
    assert answer.all("content-language") == ["de, en"]


# --- HEAD and 401 ---------------------------------------------------------------


@pytest.mark.parametrize("program, query", [
    ("login", ""), ("logout", ""), ("session", ""),
    ("query", urllib.parse.urlencode({"query": "{ me { email } }"}))])
def test_head_has_the_headers_of_get(fastcgi, program, query):
    """Refusals too."""
    for more in ({}, {"HTTP_SEC_FETCH_MODE": "navigate"}, {"PATH_INFO": "/x"},
                 {"HTTP_COOKIE": f"{COOKIE}={INVALID}"}):
        get, head = (fastcgi.direct(program, method, query, **more).stdout
                     for method in ("GET", "HEAD"))
        assert head.endswith(b"\r\n\r\n"), head
        head, get = (text.partition(b"\r\n\r\n")[0].split(b"\r\n")
                     for text in (head, get))
        assert len(get) > 3
        assert head == get


def test_every_401_of_a_page_has_a_challenge(cut_site):
    """Of `authorize`, as each server passes it on."""
    for headers in ([], [("Cookie", f"{COOKIE}={INVALID}")],
                    [("Origin", "https://a.example")],
                    [("Sec-Fetch-Mode", "cors"), ("Accept", "text/html")]):
        for method in ("GET", "HEAD"):
            answer = cut_site.send(method, "/members/index.html", None, headers)
            assert answer.status == 401, headers
            assert answer.get("www-authenticate") == 'Postern realm="session"'


# --- cookies with one name ------------------------------------------------------


@pytest.fixture(name="shop", scope="module")
def shop_fixture():
    shop = dialect.Shop("bearer")
    gateway = gateways.Gateway(shop, POSTERN_BACKEND="vendure")
    yield gateway
    gateway.close()
    shop.close()


def test_one_valid_guest_cookie_of_several_is_used(shop):
    """U32, for guests: in any order; of two guests none, and both are cleared."""
    guest, other = guest_of(shop), guest_of(shop)
    for values in ((guest, INVALID), (INVALID, guest), (guest, guest),
                   (INVALID, "x.y.z", guest), (guest, "", INVALID)):
        line = "; ".join(f"{GUEST}={value}" for value in values)
        answer = shop.get("/session", cookie=line)
        assert answer.json["data"]["session"]["guest"] is True, values
        assert any(value for _, value, _ in cookies_of(answer))
        assert shop.query(dialect.ACTIVE, cookie=line).json[
            "data"]["activeOrder"]["code"]
    answer = shop.get("/session", cookie=f"{GUEST}={guest}; {GUEST}={other}")
    assert answer.json == {"data": {"session": None}}
    assert cleared(answer) == {GUEST}


def test_late_answers_do_not_undo_a_login(start, backend, user):
    """U35: a client with a cookie jar and a dead cookie asks slowly, and logs in
    meanwhile. Whatever the answers' order, it stays logged in."""
    gateway = start()
    jar = {COOKIE: INVALID}

    def keep(answer):
        for name, value, _ in cookies_of(answer):
            jar[name] = value
        return answer

    def line():
        return "; ".join(f"{name}={value}" for name, value in jar.items()
                         if value)

    late = []
    for kind in ("{ a }", "{ b }"):
        backend.next(body='{"data":{}}')
        late.append(gateway.query(kind, cookie=line()))  # arrives below
    keep(gateway.post("/login", {"email": user.email, "password": user.password},
                      cookie=line()))
    for answer in late:
        keep(answer)
    assert gateway.session(cookie=line())["name"] == user.email


# --- a bearer client that must forget its token ---------------------------------


@pytest.mark.parametrize("kind", [servers.Lighttpd, servers.LighttpdCgi],
                         ids=lambda kind: kind.name)
@pytest.mark.parametrize("dead", ["refuse", "guest"])
def test_stock_client_forgets_its_token_behind_lighttpd(kind, dead):
    """Design 2.1: lighttpd drops a header without a value. The client keeps each
    token that a header has, and no other state, as Vendure's do."""
    shop = dialect.Shop("bearer")
    site = kind(shop, POSTERN_BACKEND="vendure", POSTERN_TOKEN_METHOD="bearer",
                POSTERN_DEAD_BEARER=dead)
    token = None

    def ask(text, **variables):
        nonlocal token
        answer = site.query(text, variables or None, bearer=token)
        token = answer.get("vendure-auth-token") or token
        return answer

    try:
        account = shop.register()
        for reset in (lambda: INVALID, None):
            if reset:
                token = reset()
                if dead == "refuse":
                    assert ask(dialect.ACTIVE).status == 401
            else:  # the program's own logout
                answer = site.post("/logout", bearer=token)
                token = answer.get("vendure-auth-token")
                assert answer.status == 200 and token
            assert ask(dialect.ACTIVE).json["data"] == {"activeOrder": None}
            assert ask(dialect.ADD, id="1", n=1).json[
                "data"]["addItemToOrder"]["totalQuantity"] == 1
            assert ask(dialect.LOGIN, username=account.email,
                       password=account.password).status == 200
            assert ask(dialect.ME).json["data"]["me"]["identifier"] == (
                account.email)
    finally:
        site.close()
        shop.close()


# --- multipart bodies of other clients ------------------------------------------

OPERATIONS = b'{"query":"mutation($f:Upload!){save(f:$f){id}}",' \
             b'"variables":{"f":null}}'
PATHS = b'{"0":["variables.f"]}'
FILE = b"\x89PNG\r\n--\r\n"


def parts_of(boundary, *parts):
    return b"".join(b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary, head, content)
                    for head, content in parts) + b"--%b--\r\n" % boundary


def three(boundary, operations, paths, file):
    return parts_of(boundary, (operations, OPERATIONS), (paths, PATHS),
                    (file, FILE))


D = b"Content-Disposition: form-data; name="
# name: (boundary in the Content-Type, body, name of the file, its type). The
# sources of the bytes: .NET MultipartFormDataContent; Java: OkHttp 4
# MultipartBody, Apache HttpClient 5 MultipartEntityBuilder (STRICT and
# EXTENDED), Spring FormHttpMessageConverter; Dart: package http
# multipart_request.dart, dio form_data.dart; Go mime/multipart writer.go; Python:
# requests 2.28 (urllib3 fields.py), httpx _multipart.py, aiohttp 3.8
# formdata.py.
CLIENTS = {
    ".NET": ('"7d1b4c36-ad3e-4e2a"', three(
        b"7d1b4c36-ad3e-4e2a",
        b"Content-Type: application/json; charset=utf-8\r\n"
        b"Content-Disposition: form-data; name=operations",
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Disposition: form-data; name=map",
        b"Content-Type: image/png\r\nContent-Disposition: form-data; name=0; "
        b'filename="=?utf-8?B?w4QucG5n?="; '
        b"filename*=utf-8''%C3%84.png"), "\u00c4.png", "image/png"),
    "OkHttp": ("4f1d-27", three(
        b"4f1d-27", D + b'"operations"\r\nContent-Type: application/json; '
        b"charset=utf-8\r\nContent-Length: 78",
        D + b'"map"\r\nContent-Length: 21', D + b'"0"; filename="a%22b.png"\r\n'
        b"Content-Type: image/png\r\nContent-Length: 10"),
               "a%22b.png", "image/png"),
    "Apache HttpClient": ("Kx_9-a", three(
        b"Kx_9-a", D + b'"operations"\r\nContent-Type: application/json; '
        b"charset=UTF-8\r\nContent-Transfer-Encoding: 8bit",
        D + b'"map"\r\nContent-Type: text/plain; charset=UTF-8\r\n'
        b"Content-Transfer-Encoding: 8bit", D + b'"0"; filename="a.png"\r\n'
        b"Content-Type: image/png\r\nContent-Transfer-Encoding: binary"),
                          "a.png", "image/png"),
    "Spring": ("Ab12;charset=UTF-8", three(
        b"Ab12", D + b'"operations"\r\nContent-Type: application/json\r\n'
        b"Content-Length: 78", D + b'"map"\r\n'
        b"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 21",
        D + b'"0"; filename="a.png"\r\nContent-Type: image/png\r\n'
        b"Content-Length: 10"), "a.png", "image/png"),
    "Dart http": ("dart-http-boundary-Zk.+_3-x", three(
        b"dart-http-boundary-Zk.+_3-x",
        b'content-disposition: form-data; name="operations"\r\n'
        b"content-type: text/plain; charset=utf-8\r\n"
        b"content-transfer-encoding: binary",
        b'content-disposition: form-data; name="map"',
        b"content-type: image/png\r\n"
        b'content-disposition: form-data; name="0"; filename="a%0D%0A%22.png"'),
                  "a%0D%0A%22.png", "image/png"),
    "dio": ("--dio-boundary-1790", three(
        b"--dio-boundary-1790",
        b'content-disposition: form-data; name="operations"',
        b'content-disposition: form-data; name="map"',
        b'content-disposition: form-data; name="0"; filename="a.png"\r\n'
        b"content-type: application/octet-stream"),
            "a.png", "application/octet-stream"),
    "Go": ("c0ffee" * 10, three(
        b"c0ffee" * 10, D + b'"operations"', D + b'"map"',
        D + b'"0"; filename="\xc3\x84.png"\r\n'
        b"Content-Type: application/octet-stream"),
           "\u00c4.png", "application/octet-stream"),
    "requests": ("b" * 32, three(
        b"b" * 32, D + b'"operations"', D + b'"map"',
        D + b'"0"; filename="a%22.png"'), "a%22.png",
                 "application/octet-stream"),
    "httpx": ("c" * 32, three(
        b"c" * 32, D + b'"operations"', D + b'"map"',
        D + b'"0"; filename="\xc3\x84.png"\r\nContent-Type: image/png'),
              "\u00c4.png", "image/png"),
    "aiohttp": ("d" * 32, three(
        b"d" * 32, b"Content-Type: text/plain; charset=utf-8\r\n"
        b'Content-Disposition: form-data; name="operations"',
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b'Content-Disposition: form-data; name="map"',
        b"Content-Type: image/png\r\nContent-Disposition: form-data; "
        b'name="0"; filename="%C3%84.png"'), "%C3%84.png", "image/png"),
    "an epilogue": ("x", three(
        b"x", D + b'"operations"', D + b'"map"', D + b'"0"; filename="a"')
                    + b"The end.\r\n", "a", "application/octet-stream"),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_uploads_of_other_clients(fastcgi, backend, name):
    boundary, body, file_name, kind = CLIENTS[name]
    backend.next(body='{"data":{}}')
    answer = upload(fastcgi, body, "multipart/form-data; boundary=" + boundary)
    assert answer.status == 200, answer
    check_arrived(backend, (file_name, kind, FILE), operations=OPERATIONS)


ORDINARY = (D + b'"operations"', D + b'"map"', D + b'"0"; filename="a"')
REFUSED = {
    "a preamble": (b"Preamble\r\n" + three(b"x", *ORDINARY), "preamble"),
    "spaces after a delimiter": (three(b"x", *ORDINARY).replace(
        b"--x\r", b"--x \r"), "without spaces"),
    "LF": (three(b"x", *ORDINARY).replace(b"s\"\r\n", b"s\"\n"), "CR LF"),
    "a backslash (Go, Perl)": (three(
        b"x", *ORDINARY[:2], D + b'"0"; filename="a\\".png"'), "backslash"),
    "filename* alone (urllib3 1.24)": (three(
        b"x", *ORDINARY[:2], D + b"\"0\"; filename*=utf-8''a"), "filename*"),
    "Latin-1 (Apache HttpClient 4)": (three(
        b"x", ORDINARY[0] + b"\r\nContent-Type: text/plain; "
        b"charset=ISO-8859-1", *ORDINARY[1:]), "UTF-8"),
    "base64": (three(b"x", *ORDINARY[:2], ORDINARY[2]
                     + b"\r\nContent-Transfer-Encoding: base64"),
               "Content-Transfer-Encoding"),
    "another header": (three(b"x", *ORDINARY[:2], ORDINARY[2]
                             + b"\r\nContent-ID: 1"), "Content-Disposition"),
    "map first": (three(b"x", ORDINARY[1], ORDINARY[0], ORDINARY[2]),
                  "first part"),
    "no Content-Disposition": (three(b"x", b"Content-Type: text/plain",
                                     *ORDINARY[1:]), "Content-Disposition"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_multipart_says_what_is_wrong(fastcgi, backend, name):
    body, word = REFUSED[name]
    backend.forget()
    answer = upload(fastcgi, body, "multipart/form-data; boundary=x")
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")
    assert word in answer.json["errors"][0]["message"]
    assert backend.seen() == []
