# SPDX-License-Identifier: ISC
"""postern sessions, revoke, gc, and check with a store."""

import hashlib
import base64
import json
import re
import time

import gateway as gateways
import http_client
import pytest

DATE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


@pytest.fixture(name="gate", scope="module")
def gate_fixture(start, store):
    return start(POSTERN_TOKEN_METHOD="cookie,bearer", **store)


def log_in(gateway, account, headers=(), **more):
    answer = gateway.post("/login", {
        "email": account.email, "password": account.password, **more},
        headers=headers)
    assert answer.status == 200, answer
    return (http_client.cookie_of(answer)[1],
            answer.get(gateway.token_header))


def ran(gateway, *arguments, status=0, **options):
    done = gateway.postern(*arguments, **options)
    assert done.returncode == status, done
    return done


def rows(gateway, *arguments):
    done = ran(gateway, "sessions", *arguments)
    return [line.split("\t") for line in done.stdout.decode().splitlines()]


def hash_of(gateway, token):
    sid = gateway.open_token(token)["sid"]
    return hashlib.sha256(base64.urlsafe_b64decode(sid + "==")).hexdigest()


def test_sessions_lists_everybody_or_one(gate, backend):
    one, two = backend.register(), backend.register()
    cookie = log_in(gate, one, [("User-Agent", "curl/8.5.0")])[0]
    other = log_in(gate, two)[0]
    row, = rows(gate, "--subject", one.owner)
    assert row[0] == hash_of(gate, cookie)
    assert re.fullmatch(DATE, row[1]) and re.fullmatch(DATE, row[2])
    assert row[3:] == ["curl", "127.0.0.1", one.owner]
    names = [row[0] for row in rows(gate)]
    assert {row[0], hash_of(gate, other)} <= set(names)
    assert rows(gate, "--subject", "nobody") == []
    done = ran(gate, "sessions", "--subject", one.owner)
    assert done.stderr == b"1 live session\n"
    # As /session?list=1 names it.
    listed = gate.get("/session?list=1", cookie=cookie).json
    assert [r["id"] for r in listed["data"]["sessions"]] == [row[0]]
    # Neither tokens nor ids are in it.
    everything = ran(gate, "sessions").stdout.decode()
    assert gate.open_token(cookie)["sid"] not in everything
    assert one.email not in everything


def test_what_foreigners_wrote_cannot_move_the_cursor(gate, backend, user):
    backend.next(headers=[["Content-Type", "application/json"]], body=(
        '{"data":{"login":{"secret":"0123456789-0123456789","ttl":null,'
        '"email":"e@x","ownerId":"a\\u001b[2J\\tb\\nc\\\\d\\u009be\\u00e9"}}}'))
    assert gate.log_in(user).status == 200
    text = ran(gate, "sessions").stdout.decode()
    assert r"a\x1b[2J\x09b\x0ac\x5cd" in text
    assert r"d\xc2\x9beé" in text
    assert "\x1b" not in text and "\x9b" not in text


def test_revoke_all_of_a_users(gate, backend):
    account, other = backend.register(), backend.register()
    cookies = [log_in(gate, account)[0] for _ in range(3)]
    elses = log_in(gate, other)[0]
    done = ran(gate, "revoke", "--subject", account.owner)
    assert b"3 were listed" in done.stdout
    assert [gate.session(cookie=cookie) for cookie in cookies] == [None] * 3
    assert gate.session(cookie=elses) is not None
    assert rows(gate, "--subject", account.owner) == []
    # Who logs in again is in again, within the same second too.
    assert gate.session(cookie=log_in(gate, account)[0]) is not None


@pytest.mark.parametrize("how", ["name", "short name", "NAME", "name on stdin",
                                 "cookie", "bearer", "cookie on stdin",
                                 "bearer on stdin"])
def test_revoke_one_session(gate, backend, how):
    account = backend.register()
    cookie, bearer = log_in(gate, account)
    other = log_in(gate, account)[0]
    name = hash_of(gate, cookie)
    what = {"name": name, "short": name[:8], "NAME": name.upper(),
            "cookie": cookie, "bearer": bearer}[how.split()[0]]
    assert gate.session(cookie=cookie) is not None
    if how.endswith("stdin"):
        done = ran(gate, "revoke", "--session", "-", stdin=what + "\n")
    else:
        done = ran(gate, "revoke", "--session", what)
    assert done.stdout == b"the session is ended\n" and done.stderr == b""
    assert gate.session(cookie=cookie) is None
    assert gate.get("/session", bearer=bearer).status == 401
    assert gate.session(cookie=other) is not None
    assert [r[0] for r in rows(gate, "--subject", account.owner)] == \
        [hash_of(gate, other)]


def test_revoke_a_large_session_twice(gate, backend, user):
    backend.next(headers=[["Content-Type", "application/json"]], body=(
        '{"data":{"login":{"secret":"%s","ttl":null,"email":"e@x",'
        '"ownerId":"78"}}}' % ("big-token-" * 600)))
    cookie = http_client.cookie_of(gate.log_in(user))[1]
    assert gate.session(cookie=cookie)["subject"] == "78"
    done = ran(gate, "revoke", "--session", "-", stdin=cookie)
    assert done.stdout == b"the session is ended\n"
    assert gate.session(cookie=cookie) is None
    done = ran(gate, "revoke", "--session", "-", stdin=cookie)
    assert done.stdout == b"the session was ended already\n"


@pytest.mark.parametrize("arguments, stdin, words", [
    (["--session", "0" * 64], "", b"no such session is listed"),
    (["--session", "01234567"], "", b"no such session is listed"),
    (["--session", "0123456"], "", b"does not open"),  # too short a name
    (["--session", "nonsense"], "", b"does not open"),
    (["--session", "-"], "", b"does not open"),
    (["--session", "-"], "two words", b"does not open"),
])
def test_revoke_what_is_not_there(gate, arguments, stdin, words):
    done = ran(gate, "revoke", *arguments, stdin=stdin, status=1)
    assert words in done.stderr and done.stdout == b""


@pytest.mark.parametrize("arguments", [
    ["revoke"], ["revoke", "--subject"], ["revoke", "--subject", ""],
    ["revoke", "--subject", "a", "--session", "b"], ["revoke", "a"],
    ["revoke", "--subject", "a", "--subject", "b"], ["sessions", "x"],
    ["sessions", "--subject"], ["gc", "--limit"], ["gc", "--limit", "0"],
    ["gc", "--limit", "-1"], ["gc", "--limit", "1x"], ["gc", "1"], ["unlock"],
    ["unlock", "a", "b"], ["unlock", "--address"], ["unlock", "a", "--all"],
    ["gc", "--limit", "99999999999999999999"], ["secret", "--rotate"],
    ["secret", "x"], ["secret", "--rotate", "a", "b"]])
def test_misused(gate, arguments):
    done = ran(gate, *arguments, status=64)
    assert b"--help" in done.stderr and done.stdout == b""


def test_gc_removes_what_has_ended(start_own, store, backend):
    gateway = start_own(POSTERN_LIFETIME="3s", POSTERN_IDLE_TIMEOUT="3s",
                        **store)
    account = backend.register()
    cookies = [gateway.cookie_for(account) for _ in range(5)]
    for cookie in cookies[:2]:
        gateway.post("/logout", cookie=cookie)
    time.sleep(4.1)
    assert rows(gateway, "--subject", account.owner) == []
    some = ran(gateway, "gc", "--limit", "1").stdout
    assert re.fullmatch(rb"[01] records? removed\n", some)
    done = ran(gateway, "gc")
    if store:
        assert done.stdout == b"0 records removed\n" and b"Redis" in done.stderr
    else:
        assert int(some.split()[0]) + int(done.stdout.split()[0]) >= 3
    assert ran(gateway, "gc").stdout == b"0 records removed\n"


# --- where there is no store, or none that answers ---------------------------

COMMANDS = [["sessions"], ["revoke", "--subject", "x"],
            ["revoke", "--session", "0" * 64], ["gc"], ["unlock", "a"]]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_without_a_store(fastcgi, arguments):
    fastcgi.environment, kept = ({**fastcgi.environment, "POSTERN_STORE": "none"},
                              fastcgi.environment)
    try:
        done = ran(fastcgi, *arguments, status=69)
        assert b"POSTERN_STORE is none" in done.stderr
    finally:
        fastcgi.environment = kept


@pytest.mark.parametrize("arguments", [*COMMANDS, ["check"]])
def test_with_a_store_that_is_down(fastcgi, arguments):
    port = gateways.free_port()
    fastcgi.environment, kept = ({
        **fastcgi.environment,
        "POSTERN_STORE": f"redis://:hidden-word@127.0.0.1:{port}"},
        fastcgi.environment)
    try:
        done = ran(fastcgi, *arguments, status=69)
        assert b"Connection refused" in done.stderr
        assert str(port).encode() in done.stderr
        assert b"hidden-word" not in done.stderr + done.stdout
    finally:
        fastcgi.environment = kept


def test_check_tries_the_store(gate):
    done = ran(gate, "check")
    assert b"the store answers\n" in done.stdout
    assert b"the backend is reachable" in done.stdout


def test_check_tells_what_the_store_warns_of(start_own, redis):
    gateway = start_own(POSTERN_STORE=redis.url)
    assert b"append-only" in ran(gateway, "check").stderr
    redis.command("CONFIG SET appendonly yes")
    redis.command("CONFIG SET maxmemory 100mb")
    redis.command("CONFIG SET maxmemory-policy allkeys-lru")
    try:
        assert b"evict" in ran(gateway, "check").stderr
        redis.command("CONFIG SET maxmemory-policy noeviction")
        assert ran(gateway, "check").stderr == b""
    finally:
        redis.command("CONFIG SET maxmemory-policy noeviction")
        redis.command("CONFIG SET maxmemory 0")
        redis.command("CONFIG SET appendonly no")


def test_check_says_that_there_is_no_store(start):
    gateway = start(POSTERN_STORE="none")
    assert b"there is no store" in ran(gateway, "check").stdout


def test_help(gate):
    text = ran(gate, "--help").stdout
    for command in ("sessions", "revoke", "unlock", "gc"):
        assert b"  " + command.encode() in text
        assert ran(gate, command, "--help").stdout.startswith(
            b"usage: postern " + command.encode())


def test_unlock(start, store, backend):
    """By any spelling; 1 where there is nothing to free."""
    gateway = start(POSTERN_LOGIN_PER_ACCOUNT="2/1h",
                    POSTERN_LOGIN_PER_ADDRESS="5/1h", **store)
    account = backend.register()

    def attempt(password, where):
        body = json.dumps({"email": account.email,
                           "password": password}).encode()
        return gateway.direct("login", "POST", "", body, REMOTE_ADDR=where,
                              CONTENT_TYPE="application/json").status

    ran(gateway, "unlock", account.email, status=1)
    where = "192.0.2.7"
    assert [attempt("wrong", where) for _ in range(3)] == [401, 401, 429]
    assert attempt(account.password, where) == 429
    spelling = account.email.upper().replace("E", "\u00c9")
    assert ran(gateway, "unlock", spelling).stdout == b"unlocked\n"
    assert attempt(account.password, where) == 200
    done = ran(gateway, "unlock", "--", "--nobody", status=1)
    assert b"no failed login" in done.stderr
    for _ in range(3):
        attempt("wrong", where)  # two for the account, and so four from there
    ran(gateway, "unlock", account.email, "--address", where)
    ran(gateway, "unlock", "--address", where, status=1)
    assert attempt("wrong", where) == 401
    ran(gateway, "unlock", b"bob\xff", status=65)
