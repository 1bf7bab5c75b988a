# SPDX-License-Identifier: ISC
"""A store that does not answer means no, and heals by itself."""

import json
import secrets
import time

import gateway as gateways
import http_client
import pytest
from redis_server import Redis


@pytest.fixture(name="redis")
def redis_fixture():
    """For one test alone: it is going to be killed."""
    redis = Redis()
    yield redis
    redis.close()


def assert_down(gateway, account, cookie, bearer):
    """503 from every program, and the backend hears nothing."""
    for carrier in ({"cookie": cookie}, {"bearer": bearer}):
        for answer in (gateway.query(**carrier),
                       gateway.get("/session", **carrier),
                       gateway.get("/session?list=1", **carrier)):
            assert answer.status == 503, answer
            assert answer.code == "STORE_UNAVAILABLE"
            assert answer.get("set-cookie") is None  # it may be good yet
    answer = gateway.log_in(account)
    assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
    assert not answer.all("set-cookie")
    assert not answer.get(gateway.token_header)
    answer = gateway.form("/login", {"email": account.email,
                                     "password": account.password})
    assert answer.status == 503 and b"<form" in answer.body
    assert account.email.encode() in answer.body
    # The browser is rid of it, and told that a copy may live on.
    answer = gateway.post("/logout", cookie=cookie)
    assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
    name, value, attributes = http_client.cookie_of(answer)
    assert (name, value) == (gateways.COOKIE, "") and "Max-Age=0" in attributes
    # Who has no session is none the worse.
    assert gateway.query().status == 200
    assert gateway.get("/session").json["data"]["session"] is None


def both_of(gateway, account):
    answer = gateway.log_in(account)
    assert answer.status == 200, answer
    return (http_client.cookie_of(answer)[1],
            answer.get(gateway.token_header))


@pytest.mark.parametrize("way", ["killed", "hung"])
@pytest.mark.parametrize("kind", ["fastcgi", "cgi"])
def test_down_is_no_and_it_heals(start_own, redis, backend, user, kind, way):
    gateway = start_own(kind, POSTERN_STORE=redis.url,
                        POSTERN_TOKEN_METHOD="cookie,bearer")
    cookie, bearer = both_of(gateway, user)
    ended = both_of(gateway, user)[0]
    assert gateway.post("/logout", cookie=ended).status == 200
    backend.forget()
    if way == "killed":
        redis.kill()
    else:
        redis.pause()
    begin = time.monotonic()
    assert gateway.get("/session", cookie=cookie).status == 503
    assert time.monotonic() - begin < 5
    assert_down(gateway, user, cookie, bearer)
    # But for what a login was granted, and cannot be begun: it is ended.
    assert all("authorization" not in r["names"] for r in backend.seen()
               if "logout" not in r["body"])
    assert "store-down" in gateway.log

    if way == "killed":
        redis.start()
    else:
        redis.resume()
    assert gateways.wait_until(lambda: gateway.get(
        "/session", cookie=cookie).status == 200)
    # Each worker's own connection heals.
    assert gateways.wait_until(lambda: all(
        gateway.query(cookie=cookie).status == 200 for _ in range(5)))
    assert gateway.session(bearer=bearer)["subject"] == user.owner
    if way == "hung":  # killed, this Redis forgets, as operators are told
        assert gateway.session(cookie=ended) is None
    assert gateways.wait_until(
        lambda: gateway.log_in(user).status == 200)
    assert gateways.wait_until(lambda: gateway.post(
        "/logout", cookie=cookie).status == 200)
    assert gateway.session(cookie=cookie) is None


def test_a_large_session_while_it_is_down(start_own, redis, backend, user):
    """Part of it is in the store, so that nothing of it can be opened."""
    gateway = start_own(POSTERN_STORE=redis.url,
                        POSTERN_TOKEN_METHOD="cookie,bearer")
    backend.next(headers=[["Content-Type", "application/json"]], body=(
        '{"data":{"login":{"secret":"%s","ttl":null,"email":"e@x",'
        '"ownerId":"78"}}}' % ("big-token-" * 600)))
    cookie, bearer = both_of(gateway, user)
    assert gateway.session(cookie=cookie)["subject"] == "78"
    redis.pause()
    assert gateway.get("/session", cookie=cookie).status == 503
    line = [line for line in gateway.log.splitlines()
            if "event=store-down" in line][0]
    assert "level=error" in line and redis.path in line
    assert_down(gateway, user, cookie, bearer)
    redis.resume()
    assert gateways.wait_until(lambda: gateway.get(
        "/session", cookie=cookie).status == 200)
    assert gateway.session(bearer=bearer)["subject"] == "78"


def test_out_of_memory_is_no_login_and_says_why(start_own, redis, user):
    gateway = start_own(POSTERN_STORE=redis.url)
    cookie = gateway.cookie_for(user)
    assert redis.command("CONFIG SET maxmemory 1").startswith(b"+OK")
    answer = gateway.log_in(user)
    assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
    assert not answer.all("set-cookie")
    answer = gateway.post("/logout", cookie=cookie)
    assert answer.status == 503
    assert "OOM" in gateway.log or "maxmemory" in gateway.log
    # What is there can be read: nobody is thrown out.
    assert gateway.session(cookie=cookie) is not None
    assert redis.command("CONFIG SET maxmemory 0").startswith(b"+OK")
    assert gateway.log_in(user).status == 200


def test_a_wrong_password_for_redis_is_told_in_the_log(start_own, redis,
                                                       user, tmp_path):
    assert redis.command("CONFIG SET requirepass right-one").startswith(b"+OK")
    gateway = start_own(POSTERN_STORE=redis.url + "?password=wrong-one")
    assert gateway.log_in(user).status == 503
    assert "WRONGPASS" in gateway.log
    assert "wrong-one" not in gateway.log
    assert start_own(POSTERN_STORE=redis.url + "?password=right-one").log_in(
        user).status == 200
    # In a file, where no list of processes shows it.
    path = tmp_path / "store"
    path.touch(mode=0o600)
    path.write_text(redis.url + "?password=right-one\n", encoding="ascii")
    assert start_own(POSTERN_STORE="", POSTERN_STORE_FILE=str(path)).log_in(
        user).status == 200


def test_grace_bridges_a_short_gap_for_reads(start_own, redis, user):
    # One worker: each remembers for itself when the store last answered.
    gateway = start_own(POSTERN_STORE=redis.url, POSTERN_STORE_GRACE="4s",
                        POSTERN_WORKERS="1")
    cookie = gateway.cookie_for(user)
    assert gateway.query(cookie=cookie).status == 200
    assert gateway.session(cookie=cookie) is not None
    redis.kill()
    killed = time.monotonic()
    answer = gateway.query(cookie=cookie)
    assert answer.status == 200, answer
    assert answer.json["data"]["me"] is not None
    assert gateway.session(cookie=cookie) is not None
    # Nobody logs in or out by grace.
    assert gateway.log_in(user).status == 503
    assert time.monotonic() - killed < 3, "too slow to tell"
    time.sleep(4.5)
    assert gateway.query(cookie=cookie).status == 503
    assert gateway.get("/session", cookie=cookie).status == 503


def test_a_folder_that_cannot_be_used(start_own, user):
    """LMDB where there is no room for it."""
    gateway = start_own(POSTERN_STORE="lmdb:/proc/nowhere")
    answer = gateway.log_in(user)
    assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
    line = [line for line in gateway.log.splitlines()
            if "event=store-down" in line][0]
    assert "/proc/nowhere" in line and "level=error" in line


def large_login(gateway, backend, account):
    """Its token is one that only the store has room for."""
    backend.next(headers=[["Content-Type", "application/json"]],
                 body=json.dumps({"data": {"login": {
                     "secret": secrets.token_urlsafe(9000), "ttl": None,
                     "email": account.email, "ownerId": account.owner}}}))
    return gateway.log_in(account)


def test_a_full_map_loses_no_login(start_own, backend, user, tmp_path):
    """Who is in stays in and can leave; who would come in is told the truth,
    and comes in when there is room again."""
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
    assert "MDB_MAP_FULL" in line and "?size=" in line
    for cookie in cookies:
        assert gateway.session(cookie=cookie)["subject"] == user.owner
    for cookie in cookies[-8:]:
        assert gateway.post("/logout", cookie=cookie).status == 200
        assert gateway.session(cookie=cookie) is None
    assert large_login(gateway, backend, user).status == 200
    assert gateway.session(cookie=cookies[0])["subject"] == user.owner
