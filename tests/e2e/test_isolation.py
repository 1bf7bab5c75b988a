# SPDX-License-Identifier: ISC
"""Nobody ever gets what is another's: not on one worker, not on one kept
connection, not by a cookie that was made elsewhere or tampered with
(L32, L34, L39, L45; design 2.1, 2.2)."""

import base64
import itertools
import json
import random
import threading

import fcgi
import http_client
import pytest
from gateway import COOKIE, LOGIN, ME
from http_client import cookie_of

pytestmark = pytest.mark.quick

ROUNDS = 45  # requests of each of the threads below
SECRET_A = "Kq3vX0c7mJ2yR9tLw5ZbN8dFhG1sPuEa6oTiQxVzWkY"
SECRET_B = "b8Tz1LrQ6nYc4WfJ0pXgU3mKd9VhSe7iOa2RtBxNq5E"


# --- two users, one worker ---------------------------------------------------


class Visitor:
    """A user who asks again and again, and must only ever see their own."""

    def __init__(self, gateway, account, seed):
        self.gateway = gateway
        self.account = account
        self.random = random.Random(seed)
        self.cookie = gateway.cookie_for(account) if account else None
        self.renewals = self.asked = 0

    def wanted(self):
        if not self.account:
            return None
        return {"ownerId": self.account.owner, "email": self.account.email}

    def take(self, set_cookie):
        """A renewed cookie is one's own, or all is lost."""
        assert self.account, set_cookie
        value = set_cookie.partition("=")[2].partition(";")[0]
        claims = self.gateway.open_token(value)
        assert claims["sub"] == self.account.owner
        self.gateway.private.add(value)
        self.cookie = value
        self.renewals += 1

    def check(self, program, body, cookies):
        said = json.loads(body)
        self.asked += 1
        if program == "query":
            assert said == {"data": {"me": self.wanted()}}
        else:
            session = said["data"]["session"]
            assert (session and session["name"]) == (
                self.account and self.account.email)
        for line in cookies:
            self.take(line)

    def body(self):
        """Of any length, so that buffers are left in any state."""
        filler = "#" + "x" * self.random.choice((0, 10, 3000, 20000))
        return json.dumps({"query": ME + filler}).encode()


def over_http(visitor):
    """On one kept HTTP connection to lighttpd."""
    gateway = visitor.gateway
    with http_client.Connection(gateway.port) as line:
        for _ in range(ROUNDS):
            program = visitor.random.choice(("query", "query", "session"))
            if program == "query":
                answer = gateway.post("/query", visitor.body(),
                                      cookie=visitor.cookie, connection=line)
            else:
                answer = gateway.get("/session", cookie=visitor.cookie,
                                     connection=line)
            visitor.check(program, answer.body, answer.all("set-cookie"))


def over_fastcgi(visitor):
    """On one kept FastCGI connection to each program, which every user of a
    web server with kept connections shares."""
    gateway = visitor.gateway
    lines = {name: fcgi.Connection(gateway.socket_of(name))
             for name in ("query", "session")}
    for number in range(ROUNDS):
        program = visitor.random.choice(("query", "query", "session"))
        body = visitor.body() if program == "query" else b""
        more = {"CONTENT_TYPE": "application/json"}
        if visitor.cookie:
            more["HTTP_COOKIE"] = f"{COOKIE}={visitor.cookie}"
        params = fcgi.params("POST" if body else "GET", "", body, **more)
        for attempt in (1, 2):
            try:
                answer = lines[program].request(params, body, keep=True)
                break
            except (fcgi.IncompleteResponse, OSError):
                # A full house may hang up on whoever idles.
                assert attempt == 1, number
                lines[program] = fcgi.Connection(gateway.socket_of(program))
        gateway.received.append(answer.stdout)
        assert answer.status == 200
        visitor.check(program, answer.body, answer.all("set-cookie"))
    for line in lines.values():
        line.close()


def breaks_off(gateway, cookie, stop):
    """Somebody with a session who never waits for an answer."""
    body = json.dumps({"query": ME}).encode()
    more = {"CONTENT_TYPE": "application/json",
            "HTTP_COOKIE": f"{COOKIE}={cookie}"}
    while not stop.wait(0.02):
        with fcgi.Connection(gateway.socket_of("query")) as line:
            line.start(fcgi.params("POST", "", body, **more), keep=True)
            line.feed(body[:5], end=False)
        with fcgi.Connection(gateway.socket_of("query")) as line:
            line.start(fcgi.params("POST", "", body, **more), keep=True)
            line.feed(body)


@pytest.mark.parametrize("method", [over_http, over_fastcgi])
def test_two_users_on_one_worker(start_own, backend, user, method):
    """L32, L45: 540 requests of two users and of nobody, from twelve
    threads, through one worker and its one connection to the backend."""
    gateway = start_own(POSTERN_WORKERS="1", POSTERN_IDLE_TIMEOUT="6s")
    other = backend.register("Otto")
    visitors = [Visitor(gateway, account, seed) for seed, account in
                enumerate(itertools.islice(itertools.cycle(
                    (user, other, None)), 12))]
    problems, stop = [], threading.Event()

    def visit(visitor):
        try:
            method(visitor)
        except BaseException as problem:  # to be told in the main thread
            problems.append(problem)

    threads = [threading.Thread(target=visit, args=(v,)) for v in visitors]
    impatient = threading.Thread(target=breaks_off, args=(
        gateway, visitors[1].cookie, stop))
    for thread in threads + [impatient]:
        thread.start()
    for thread in threads:
        thread.join(90)
        assert not thread.is_alive()
    stop.set()
    impatient.join(30)
    assert not problems, problems[0]
    assert sum(v.asked for v in visitors) == 12 * ROUNDS >= 500


def test_logins_and_logouts_between(start_own, backend):
    """L32, L45: what one request leaves behind, a login or a logout does not
    find, on the same worker and the same connection."""
    gateway = start_own(POSTERN_WORKERS="1")
    with fcgi.Connection(gateway.socket_of("query")) as line:
        for number in range(40):
            secret = f"{number:03}-" + "s" * 40
            backend.next(body=json.dumps({"data": {"login": {
                "secret": secret, "ttl": "2199-01-01T00:00:00Z",
                "email": f"user{number}@b.example", "ownerId": str(number)}}}))
            body = json.dumps({"query": LOGIN, "variables": {
                "email": "a@b.example", "password": "x"}}).encode()
            more = {"CONTENT_TYPE": "application/json"}
            answer = line.request(fcgi.params("POST", "", body, **more), body,
                                  keep=True)
            value = answer.header("set-cookie").partition("=")[2]
            claims = gateway.open_token(value.partition(";")[0])
            assert (claims["sub"], claims["upstream"]) == (str(number), secret)
            body = json.dumps({"query": ME}).encode()
            answer = line.request(fcgi.params("POST", "", body, **more), body,
                                  keep=True)
            assert json.loads(answer.body) == {"data": {"me": None}}
            assert "authorization" not in backend.seen()[-1]["names"]
            assert answer.all("set-cookie") == []


# --- cookies that are not ours -----------------------------------------------


def check_no_session(gateway, cookie):
    """U2: no session and cleared, at every door, and never an error page."""
    answer = gateway.get("/session", cookie=cookie)
    assert answer.status == 200, cookie
    assert answer.body == b'{"data":{"session":null}}', cookie
    name, value, attributes = cookie_of(answer)
    assert (name, value) == (COOKIE, "") and "Max-Age=0" in attributes
    return answer


def test_another_secret_or_audience(start_own, backend, user):
    """R13, L39: the same secret under another audience is another key."""
    first = start_own(secret=SECRET_A)
    for other in (start_own(secret=SECRET_B),
                  start_own(secret=SECRET_A, POSTERN_AUDIENCE="elsewhere"),
                  start_own(secret=SECRET_B + "\n" + SECRET_B[::-1])):
        cookie = other.cookie_for(user)
        assert other.session(cookie=cookie)["name"] == user.email
        check_no_session(first, cookie)
        backend.forget()
        answer = first.query(cookie=cookie)
        assert answer.status == 200
        assert answer.json == {"data": {"me": None}}
        assert answer.all("set-cookie") == []  # it may be a late one (U35)
        assert "authorization" not in backend.seen()[-1]["names"]


def test_rotated_secret(start_own, user):
    """U1: the first one seals, all of them open."""
    old = start_own(secret=SECRET_A)
    cookie = old.cookie_for(user)
    new = start_own(secret=SECRET_B + "\n" + SECRET_A)
    assert new.session(cookie=cookie)["name"] == user.email
    check_no_session(old, new.cookie_for(user))


@pytest.fixture(name="cookie", scope="module")
def cookie_fixture(fastcgi, user):
    return fastcgi.cookie_for(user)


def test_two_cookies_of_our_name(fastcgi, cookie, user):
    """R40: of two sessions none is believed, in any order; U32: a dead one or
    a copy beside it takes nothing away; R41: the name is matched octet by
    octet."""
    pair = f"{COOKIE}={cookie}"
    other = f"{COOKIE}={fastcgi.cookie_for(user)}"
    for value in (f"{pair}; {other}", f"{other}; {pair}",
                  f"{pair}; {other}; {pair}", f"a=b; {pair}; c=d; {other}",
                  "; ".join([pair] * 9)):
        check_no_session(fastcgi, value)
        assert fastcgi.query(cookie=value).json == {"data": {"me": None}}
    for value in (f"{pair}; {pair}", f"{pair}; {COOKIE}=x",
                  f"{COOKIE}=; {pair}", f"a=b; {pair}; c=d; {pair}"):
        assert fastcgi.session(cookie=value)["name"] == user.email
    for value in (f"{COOKIE.lower()}=x; {pair}", f"session=x; {pair}",
                  f"a=b; {pair}; c", f"{COOKIE}X=x; {pair}", f"  {pair}  ;"):
        assert fastcgi.session(cookie=value)["name"] == user.email
    # Two lines, which lighttpd joins.
    answer = fastcgi.get("/session", headers=[("Cookie", pair),
                                           ("Cookie", other)])
    assert answer.json == {"data": {"session": None}}
    answer = fastcgi.get("/session", headers=[("Cookie", "a=b"),
                                           ("Cookie", pair)])
    assert answer.json["data"]["session"]["name"] == user.email


def tampered(cookie):
    head, key, nonce, text, tag = cookie.split(".")
    rebuilt = base64.urlsafe_b64encode(json.dumps(
        {"alg": "none"}).encode()).decode().rstrip("=")
    flipped = text[:50] + ("A" if text[50] != "A" else "B") + text[51:]
    return {
        "empty": "", "a word": "x", "dots": "....", "many dots": "." * 4000,
        "truncated": cookie[:-1], "half": cookie[:len(cookie) // 2],
        "longer": cookie + "A", "a fifth dot": cookie + ".",
        "padding": cookie + "=", "quotes": f'"{cookie}"',
        "percent": cookie.replace(".", "%2E"),
        "flipped": f"{head}.{key}.{nonce}.{flipped}.{tag}",
        "no tag": f"{head}.{key}.{nonce}.{text}.",
        "alg none": f"{rebuilt}.{key}.{nonce}.{text}.{tag}",
        "alg none signed": f"{rebuilt}.{text}.",
        "swapped": f"{head}.{key}.{tag}.{text}.{nonce}",
        "key": f"{head}.AAAA.{nonce}.{text}.{tag}",
        "upper case": cookie.upper(), "huge": "A" * 7000,
        "high octets": "\xe9" * 20,
    }


def test_tampered_cookies(fastcgi, backend, cookie, user):
    """R9, R73, L1, L27, U2: no session, cleared, and all alike."""
    backend.forget()
    wanted = None
    for name, value in tampered(cookie).items():
        answer = check_no_session(fastcgi, f"{COOKIE}={value}")
        seen = [(n, v) for n, v in answer.headers if n != "date"]
        assert wanted in (None, seen), name
        wanted = seen
    assert backend.seen() == []
    assert fastcgi.session(cookie=cookie)["name"] == user.email


def test_cookies_that_do_not_open_elsewhere(fastcgi, backend, cookie):
    """The login form, the logout and the query are there all the same."""
    bad = f"{COOKIE}={cookie[:-1]}"
    answer = fastcgi.get("/login", cookie=bad,
                      headers=[("Sec-Fetch-Mode", "navigate")])
    assert answer.status == 200 and "<form" in answer.text
    assert cookie_of(answer)[1] == ""
    answer = fastcgi.post("/logout", cookie=bad)
    assert answer.status == 200 and cookie_of(answer)[1] == ""
    answer = fastcgi.query(cookie=bad)
    assert answer.json == {"data": {"me": None}}
    assert answer.all("set-cookie") == []
    assert "authorization" not in backend.seen()[-1]["names"]


def test_a_bad_cookie_does_not_hinder_a_login(fastcgi, cookie, user):
    """And the new one is the last line, and its variant's only one (R37)."""
    answer = fastcgi.post("/login", {"email": user.email,
                                  "password": user.password},
                       cookie=cookie[:-1])
    assert answer.status == 200
    value = cookie_of(answer)[1]
    assert fastcgi.session(cookie=value)["name"] == user.email


def test_canary(fastcgi, backend, cookie):
    """L34: the backend's token is in nothing that a client got and in no
    log, over all that this module has done here; and it would be found."""
    fastcgi.query(cookie=cookie)
    token = backend.seen()[-1]["header"]["authorization"][7:].encode()
    assert backend.tokens_in(b"x" + token + b"y") == {token}
    assert backend.tokens_in(base64.b64encode(b"ab" + token)) == {token}
    assert backend.tokens_in(token.hex().encode()) == {token}
    assert fastcgi.received and len(fastcgi.log) > 1000
    assert fastcgi.faults() == []
    # The search itself can fail: with one octet more it would.
    fastcgi.received.append(b"{" + token + b"}")
    assert fastcgi.faults() == ["a client was sent a token of the backend's"]
    fastcgi.received.pop()
