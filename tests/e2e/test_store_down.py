# SPDX-License-Identifier: ISC
"""Requests fail while the store is down, and the programs reconnect."""

import concurrent.futures
import json
import os
import secrets
import signal
import subprocess
import time

import gateway as gateways
import http_client
import pytest
from redis_server import Redis

TOOL = os.path.join(gateways.BUILD, "tests/unit/lock_tool")


@pytest.fixture(name="redis")
def redis_fixture():
    """A server for one test, which may kill it."""
    redis = Redis()
    yield redis
    redis.close()


def assert_unavailable(gateway, account, cookie, bearer):
    """Every program answers 503 and sends no request to the backend."""
    for transport in ({"cookie": cookie}, {"bearer": bearer}):
        for answer in (gateway.query(**transport),
                       gateway.get("/session", **transport),
                       gateway.get("/session?list=1", **transport)):
            assert answer.status == 503, answer
            assert answer.code == "STORE_UNAVAILABLE"
            assert answer.get("set-cookie") is None  # the session may be valid
    answer = gateway.log_in(account)
    assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
    assert not answer.all("set-cookie")
    assert not answer.get(gateway.token_header)
    answer = gateway.form("/login", {"email": account.email,
                                     "password": account.password})
    assert answer.status == 503 and b"<form" in answer.body
    assert account.email.encode() in answer.body
    # The cookie is cleared, but the status says that a copy may be valid.
    answer = gateway.post("/logout", cookie=cookie)
    assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
    name, value, attributes = http_client.cookie_of(answer)
    assert (name, value) == (gateways.COOKIE, "") and "Max-Age=0" in attributes
    # Anonymous requests still work.
    assert gateway.query().status == 200
    assert gateway.get("/session").json["data"]["session"] is None


def log_in_for_both(gateway, account):
    answer = gateway.log_in(account)
    assert answer.status == 200, answer
    return (http_client.cookie_of(answer)[1],
            answer.get(gateway.token_header))


@pytest.mark.parametrize("failure", ["killed", "hung"])
@pytest.mark.parametrize("kind", ["fastcgi", "cgi"])
def test_requests_fail_while_the_store_is_down(start_own, redis, backend, user,
                                               kind, failure):
    gateway = start_own(kind, POSTERN_STORE=redis.url,
                        POSTERN_TOKEN_METHOD="cookie,bearer")
    cookie, bearer = log_in_for_both(gateway, user)
    ended = log_in_for_both(gateway, user)[0]
    assert gateway.post("/logout", cookie=ended).status == 200
    backend.forget()
    if failure == "killed":
        redis.kill()
    else:
        redis.pause()
    begin = time.monotonic()
    assert gateway.get("/session", cookie=cookie).status == 503
    assert time.monotonic() - begin < 5
    assert_unavailable(gateway, user, cookie, bearer)
    # Except for the logout of a login that could not be stored.
    assert all("authorization" not in r["names"] for r in backend.seen()
               if "logout" not in r["body"])
    assert "store-down" in gateway.log

    if failure == "killed":
        redis.start()
    else:
        redis.resume()
    assert gateways.wait_until(lambda: gateway.get(
        "/session", cookie=cookie).status == 200)
    # Each worker reconnects.
    assert gateways.wait_until(lambda: all(
        gateway.query(cookie=cookie).status == 200 for _ in range(5)))
    assert gateway.session(bearer=bearer)["subject"] == user.owner
    if failure == "hung":  # a killed Redis has lost its data, as documented
        assert gateway.session(cookie=ended) is None
    assert gateways.wait_until(
        lambda: gateway.log_in(user).status == 200)
    assert gateways.wait_until(lambda: gateway.post(
        "/logout", cookie=cookie).status == 200)
    assert gateway.session(cookie=cookie) is None


def test_large_session_fails_while_the_store_is_down(
        start_own, redis, backend, user):
    """Part of it is in the store: without it, the token does not open."""
    gateway = start_own(POSTERN_STORE=redis.url,
                        POSTERN_TOKEN_METHOD="cookie,bearer")
    backend.next(headers=[["Content-Type", "application/json"]], body=(
        '{"data":{"login":{"secret":"%s","ttl":null,"email":"e@x",'
        '"ownerId":"78"}}}' % ("big-token-" * 600)))
    cookie, bearer = log_in_for_both(gateway, user)
    assert gateway.session(cookie=cookie)["subject"] == "78"
    redis.pause()
    assert gateway.get("/session", cookie=cookie).status == 503
    line = [line for line in gateway.log.splitlines()
            if "event=store-down" in line][0]
    assert "level=error" in line and redis.path in line
    assert_unavailable(gateway, user, cookie, bearer)
    redis.resume()
    assert gateways.wait_until(lambda: gateway.get(
        "/session", cookie=cookie).status == 200)
    assert gateway.session(bearer=bearer)["subject"] == "78"


def test_redis_out_of_memory_fails_logins_and_is_logged(
        start_own, redis, user):
    gateway = start_own(POSTERN_STORE=redis.url)
    cookie = gateway.cookie_for(user)
    assert redis.command("CONFIG SET maxmemory 1").startswith(b"+OK")
    answer = gateway.log_in(user)
    assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
    assert not answer.all("set-cookie")
    answer = gateway.post("/logout", cookie=cookie)
    assert answer.status == 503
    assert "OOM" in gateway.log or "maxmemory" in gateway.log
    # Existing sessions can still be read.
    assert gateway.session(cookie=cookie) is not None
    assert redis.command("CONFIG SET maxmemory 0").startswith(b"+OK")
    assert gateway.log_in(user).status == 200


def test_wrong_redis_password_is_logged_without_the_password(
        start_own, redis, user, tmp_path):
    assert redis.command("CONFIG SET requirepass right-one").startswith(b"+OK")
    gateway = start_own(POSTERN_STORE=redis.url + "?password=wrong-one")
    assert gateway.log_in(user).status == 503
    assert "WRONGPASS" in gateway.log
    assert "wrong-one" not in gateway.log
    assert start_own(POSTERN_STORE=redis.url + "?password=right-one").log_in(
        user).status == 200
    # In a file, so that no process list shows the password.
    path = tmp_path / "store"
    path.touch(mode=0o600)
    path.write_text(redis.url + "?password=right-one\n", encoding="ascii")
    assert start_own(POSTERN_STORE="", POSTERN_STORE_FILE=str(path)).log_in(
        user).status == 200


def test_grace_period_covers_reads_only(start_own, redis, user):
    gateway = start_own(POSTERN_STORE=redis.url, POSTERN_STORE_GRACE="4s")
    cookie = gateway.cookie_for(user)
    assert gateway.query(cookie=cookie).status == 200
    assert gateway.session(cookie=cookie) is not None
    redis.kill()
    killed = time.monotonic()
    answer = gateway.query(cookie=cookie)
    assert answer.status == 200, answer
    assert answer.json["data"]["me"] is not None
    assert gateway.session(cookie=cookie) is not None
    # A login needs the store.
    assert gateway.log_in(user).status == 503
    assert time.monotonic() - killed < 3, "the test ran too slowly"
    time.sleep(4.5)
    assert gateway.query(cookie=cookie).status == 503
    assert gateway.get("/session", cookie=cookie).status == 503


def email_of(answer):
    """Of the user whom the backend sees."""
    me = answer.json["data"]["me"] if answer.status == 200 else None
    return me and me["email"]


def query_at_once(pool, gateway, cookie):
    return list(pool.map(lambda _: gateway.query(cookie=cookie), range(64)))


def test_grace_period_is_for_confirmed_sessions(start_own, redis, backend,
                                                user):
    """A session passes only if this process has had it confirmed."""
    other = backend.register("Olga")
    gateway = start_own(POSTERN_STORE=redis.url, POSTERN_STORE_GRACE="1m",
                        POSTERN_LOOPS="2")
    seen, unseen, ended = (gateway.cookie_for(user) for _ in range(3))
    first, second = (gateway.cookie_for(other) for _ in range(2))
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for cookie in (seen, ended, first, second):  # by both loops
            assert all(map(email_of, query_at_once(pool, gateway, cookie)))
    # Other processes revoke sessions. This one sees that in one of its loops,
    # and both refuse them.
    assert gateway.post("/logout", cookie=ended).status == 200
    assert gateway.post("/logout?everywhere=1", cookie=first).status == 200
    assert not email_of(gateway.query(cookie=ended))
    assert not email_of(gateway.query(cookie=first))
    assert email_of(gateway.query(cookie=seen)) == user.email
    redis.kill()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for answer in query_at_once(pool, gateway, seen):
            assert email_of(answer) == user.email
        for cookie in (unseen, ended, first, second):
            for answer in query_at_once(pool, gateway, cookie):
                assert (answer.status, answer.code) == (
                    503, "STORE_UNAVAILABLE")


def test_unusable_lmdb_folder_is_logged(start_own, user):
    """LMDB in a folder where no file can be created."""
    gateway = start_own(POSTERN_STORE="lmdb:/proc/nowhere")
    answer = gateway.log_in(user)
    assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
    line = [line for line in gateway.log.splitlines()
            if "event=store-down" in line][0]
    assert "/proc/nowhere" in line and "level=error" in line


@pytest.fixture(name="stopped_writer")
def stopped_writer_fixture():
    """stopped_writer(folder): a process that stopped while it held the lock
    for writing. It is a process that can be continued."""
    started = []

    def start(folder):
        process = subprocess.Popen(
            [TOOL, folder, str(256 << 20)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout.readline() == b"locked\n"
        process.send_signal(signal.SIGSTOP)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(10)
        process.stdin.close()
        process.stdout.close()


def release(process):
    process.send_signal(signal.SIGCONT)
    process.stdin.close()
    assert process.wait(10) == 0


def timed(call, *arguments, **named):
    begin = time.monotonic()
    answer = call(*arguments, **named)
    return answer, time.monotonic() - begin


@pytest.mark.parametrize("kind", ["fastcgi", "cgi"])
def test_stopped_writer_holds_up_no_reads(start_own, user, tmp_path, kind,
                                          stopped_writer):
    """L64: another process stops while it holds the lock for writing. Logins
    fail within about a second, one after the other and at the same time;
    sessions work as before; and all is well when it continues."""
    folder = str(tmp_path / "store")
    gateway = start_own(kind, POSTERN_STORE=f"lmdb:{folder}")
    cookie = gateway.cookie_for(user)
    process = stopped_writer(folder)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        logins = [pool.submit(timed, gateway.log_in, user) for _ in range(4)]
        for _ in range(20):
            answer, seconds = timed(gateway.query, cookie=cookie)
            assert answer.status == 200 and seconds < 0.5, answer
            assert answer.json["data"]["me"] is not None
        for login in logins:
            answer, seconds = login.result()
            assert answer.status == 503, answer
            assert answer.code == "STORE_UNAVAILABLE"
            assert seconds < 2.5
            assert not answer.all("set-cookie")
    answer, seconds = timed(gateway.post, "/logout", cookie=cookie)
    assert answer.status == 503 and seconds < 2.5
    line = [line for line in gateway.log.splitlines()
            if "event=store-down" in line][-1]
    assert "another process holds it" in line
    assert gateway.session(cookie=cookie) is not None

    release(process)
    assert gateways.wait_until(lambda: gateway.log_in(user).status == 200)
    # None of the failed logins left a session behind.
    cookie = gateway.cookie_for(user)
    listed = gateway.get("/session?list=1", cookie=cookie).json
    count = len(listed["data"]["sessions"])
    assert count <= 3, listed
    assert gateway.post("/logout", cookie=cookie).status == 200
    assert gateway.session(cookie=cookie) is None


def test_programs_end_and_start_while_the_writer_hangs(
        backend, user, tmp_path, stopped_writer):
    """Neither the end nor the start of a program waits for the lock."""
    folder = str(tmp_path / "store")
    gateway = gateways.Gateway(backend, POSTERN_STORE=f"lmdb:{folder}")
    cookie = gateway.cookie_for(user)
    assert gateways.wait_until(
        lambda: gateway.log.count("event=ready") == 4), gateway.log
    process = stopped_writer(folder)
    assert gateway.log_in(user).status == 503
    assert gateway.query(cookie=cookie).status == 200
    # Nor does the start, when the store is not new.
    os.kill(gateway.pid_of("query"), signal.SIGKILL)
    assert gateways.wait_until(
        lambda: gateway.query(cookie=cookie).status == 200, 5, 0.1)
    _, seconds = timed(gateway.close)
    assert seconds < 5
    release(process)


def large_login(gateway, backend, account):
    """Log in with a backend token that is too large for a cookie."""
    backend.next(headers=[["Content-Type", "application/json"]],
                 body=json.dumps({"data": {"login": {
                     "secret": secrets.token_urlsafe(9000), "ttl": None,
                     "email": account.email, "ownerId": account.owner}}}))
    return gateway.log_in(account)


def test_full_share_keeps_sessions_and_fails_large_logins(start_own, backend, user, tmp_path):
    """L63: sessions too large for a cookie have used up their share of the map.
    Existing ones stay and can log out. New ones fail with 503 until there is
    space; ordinary logins go on."""
    gateway = start_own(POSTERN_STORE=f"lmdb:{tmp_path}/store?size=1M",
                        POSTERN_MAX_SESSIONS="1000")
    cookies = [gateway.cookie_for(user)]
    for _ in range(200):
        answer = large_login(gateway, backend, user)
        if answer.status != 200:
            break
        cookies.append(http_client.cookie_of(answer)[1])
    assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
    assert not answer.all("set-cookie") and len(cookies) > 10
    line = [line for line in gateway.log.splitlines()
            if "event=store-down" in line][-1]
    assert "the share of" in line and "?size=" in line
    assert gateway.log_in(user).status == 200
    for cookie in cookies:
        assert gateway.session(cookie=cookie)["subject"] == user.owner
    for cookie in cookies[-8:]:
        assert gateway.post("/logout", cookie=cookie).status == 200
        assert gateway.session(cookie=cookie) is None
    assert large_login(gateway, backend, user).status == 200
    assert gateway.session(cookie=cookies[0])["subject"] == user.owner
