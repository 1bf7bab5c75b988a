# SPDX-License-Identifier: ISC
"""The session registry with both stores: revocation of every copy, the user's
own list, the maximum number, sessions too large for a cookie."""

import concurrent.futures
import json
import os
import secrets
import threading
import time

import gateway as gateways
import http_client
import pytest

BOTH_METHODS = {"POSTERN_TOKEN_METHOD": "cookie,bearer"}
FIREFOX = ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 "
           "Firefox/128.0")
NEW_TOKEN = "rotated-" + secrets.token_hex(24)


@pytest.fixture(name="kind", scope="module", params=["fastcgi", "cgi"])
def kind_fixture(request):
    return request.param


@pytest.fixture(name="gateway", scope="module")
def both_fixture(start, store, kind):
    return start(kind, **BOTH_METHODS, **store)


def log_in(gateway, account, headers=(), **more):
    """The (cookie, bearer token) of a new session; None for one not issued."""
    answer = gateway.post("/login", {
        "email": account.email, "password": account.password, **more},
        headers=headers)
    assert answer.status == 200, answer
    lines = answer.all("set-cookie")
    return (http_client.cookie_of(answer)[1] if lines else None,
            answer.get(gateway.token_header))


def is_valid(gateway, cookie):
    return gateway.session(cookie=cookie) is not None


def assert_revoked(gateway, backend, cookie, bearer=None):
    """Every program refuses it and sends no backend token."""
    backend.forget()
    answer = gateway.get("/session", cookie=cookie)
    assert answer.json["data"]["session"] is None, answer
    assert "Max-Age=0" in http_client.cookie_of(answer)[2]
    answer = gateway.query(cookie=cookie)
    assert answer.json["data"]["me"] is None, answer
    assert answer.all("set-cookie") == []  # the request may be a late one (U35)
    answer = gateway.post("/logout", cookie=cookie)
    assert answer.status == 200, answer
    assert "Max-Age=0" in http_client.cookie_of(answer)[2]
    if bearer:
        for answer in (gateway.get("/session", bearer=bearer),
                       gateway.query(bearer=bearer),
                       gateway.post("/logout", bearer=bearer),
                       gateway.get("/login", bearer=bearer)):
            assert answer.status == 401, answer
            assert "invalid_token" in answer.get("www-authenticate")
            # lighttpd drops an empty header: it is an anonymous session.
            anonymous = answer.get(gateway.token_header)
            assert gateway.session(bearer=anonymous)["subject"] is None
            assert "upstream" not in gateway.open_token(anonymous)
    for request in backend.seen():
        assert "authorization" not in request["names"]


# --- logout ------------------------------------------------------------------


@pytest.mark.parametrize("by", ["cookie", "bearer"])
def test_logout_revokes_cookie_and_bearer_token(gateway, backend, user, by):
    cookie, bearer = log_in(gateway, user)
    other = log_in(gateway, user)[0]
    assert is_valid(gateway, cookie)
    assert gateway.session(bearer=bearer) is not None
    token = {"cookie": cookie} if by == "cookie" else {"bearer": bearer}
    assert gateway.post("/logout", **token).status == 200
    assert_revoked(gateway, backend, cookie, bearer)
    assert is_valid(gateway, other)


def test_logout_revokes_a_guest_session(start, own_backend, store):
    import dialect  # the shop issues tokens to guests
    shop = dialect.Shop("bearer")
    try:
        gateway = gateways.Gateway(shop, POSTERN_BACKEND="vendure", **store)
        answer = gateway.post("/query", {"query": dialect.ADD,
                                         "variables": {"id": "1", "n": 1}})
        cookie = "=".join(http_client.cookie_of(answer)[:2])
        assert gateway.session(cookie=cookie)["guest"] is True
        assert gateway.post("/logout", cookie=cookie).status == 200
        assert gateway.session(cookie=cookie) is None
        gateway.close()
    finally:
        shop.close()


ME_IS_7 = '{"data":{"me":{"ownerId":"7","email":"a@b"}}}'


@pytest.fixture(name="header_gateway", scope="module")
def by_header_fixture(start, store, tmp_path_factory):
    """A gateway that takes the backend's token from a header and asks for the
    user with a who document."""
    who = tmp_path_factory.mktemp("documents") / "who.graphql"
    who.write_text("query Who { me { ownerId email } }", encoding="ascii")
    return start(POSTERN_UPSTREAM_TOKEN="header:x-token",
                 POSTERN_WHO_DOCUMENT=str(who), **store)


def plan_header_login(backend, **more):
    """The backend's next answer is a successful login."""
    backend.next(headers=[["x-token", secrets.token_hex(24)],
                          ["Content-Type", "application/json"]],
                 body='{"data":{"login":{"ownerId":"8","email":"x@y"}}}',
                 **more)


def query_during(gateway, backend, cookie, action, **canned):
    """The answer to a query; `action` runs while the backend works on it."""
    backend.next(delay=1, **canned)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(
        gateway.query(cookie=cookie)))
    count = len(backend.seen())
    thread.start()
    assert gateways.wait_until(lambda: len(backend.seen()) > count)
    action()
    thread.join(20)
    return answers[0]


def test_logout_during_a_request_is_not_undone_by_a_new_backend_token(
        header_gateway, backend, user):
    """The backend's answer has a new token, so the gateway renews its own."""
    gateway = header_gateway

    def login():
        plan_header_login(backend)
        backend.next(body=ME_IS_7)
        return log_in(gateway, user)[0]
    canned = {"headers": [["x-token", NEW_TOKEN],
                          ["Content-Type", "application/json"]],
              "body": '{"data":{}}'}

    # Without a logout the session goes on with the new token.
    cookie = login()
    answer = query_during(gateway, backend, cookie,
                          lambda: backend.next(body=ME_IS_7), **canned)
    renewed = "=".join(http_client.cookie_of(answer)[:2])
    backend.forget()
    gateway.query(cookie=renewed)
    assert backend.seen()[-1]["header"]["authorization"] == \
        "Bearer " + NEW_TOKEN
    sessions = [gateway.open_token(one.rpartition("=")[2])
                for one in (cookie, renewed)]
    assert sessions[0]["sid"] == sessions[1]["sid"]
    assert sessions[1]["sub"] == "7"

    def log_out():
        backend.next(body="{}")
        assert gateway.post("/logout", cookie=cookie).status == 200
        backend.next(body=ME_IS_7)
    cookie = login()
    answer = query_during(gateway, backend, cookie, log_out, **canned)
    assert not [line for line in answer.all("set-cookie")
                if not line.partition("=")[2].startswith(";")], answer
    backend.forget()
    gateway.query(cookie=cookie)
    assert "authorization" not in backend.seen()[-1]["names"]
    assert not is_valid(gateway, cookie)


def test_logout_during_a_request_is_not_undone_by_a_renewal(
        start, store, backend):
    """The query was due to renew the token. It checks the store again."""
    gateway = start(POSTERN_IDLE_TIMEOUT="4s", **store)
    # A new account: after a revocation of all sessions, the next session would
    # begin one second later and be due one second later.
    cookie = log_in(gateway, backend.register())[0]
    time.sleep(1.2)
    answer = query_during(gateway, backend, cookie, lambda: gateway.post(
        "/logout", cookie=cookie), body='{"data":{}}')
    assert answer.status == 200 and answer.all("set-cookie") == []
    assert not is_valid(gateway, cookie)


def test_two_logins_at_once_both_succeed(header_gateway, backend, user):
    """A user clicks twice: the first login has already replaced the session of
    the second one's cookie. The second still gets a session."""
    gateway = header_gateway

    def login(cookie):
        return gateway.post("/login", {
            "email": user.email, "password": user.password}, cookie=cookie)

    plan_header_login(backend)
    backend.next(body=ME_IS_7)
    old = log_in(gateway, user)[0]
    plan_header_login(backend, delay=1)
    answers = []
    slow = threading.Thread(target=lambda: answers.append(login(old)))
    count = len(backend.seen())
    slow.start()
    assert gateways.wait_until(lambda: len(backend.seen()) > count)
    plan_header_login(backend)
    backend.next(body=ME_IS_7)
    answers.append(login(old))
    backend.next(body=ME_IS_7)
    assert slow.is_alive()
    slow.join(20)
    assert [answer.status for answer in answers] == [200, 200], answers
    for answer in answers:
        assert is_valid(gateway, http_client.cookie_of(answer)[1])
    assert not is_valid(gateway, old)


# --- logout everywhere -------------------------------------------------------


@pytest.mark.parametrize("how", ["query", "query, and JSON", "json", "form"])
def test_logout_everywhere_revokes_all_sessions_of_the_user(
        gateway, backend, user, how):
    devices = [log_in(gateway, user) for _ in range(3)]
    other_user = log_in(gateway, backend.register())[0]
    remembered = log_in(gateway, user, rememberMe=True)
    if how == "query":
        answer = gateway.post("/logout?everywhere=1", cookie=devices[0][0])
    elif how == "query, and JSON":
        answer = gateway.post("/logout?everywhere=1", {}, cookie=devices[0][0])
    elif how == "json":
        answer = gateway.post("/logout", {"everywhere": True},
                              cookie=devices[0][0])
    else:
        answer = gateway.form("/logout", {"everywhere": "1"}, [
            ("Cookie", f"{gateways.COOKIE}={devices[0][0]}")])
    assert answer.status in (200, 303), answer
    for cookie, bearer in [*devices, remembered]:
        assert_revoked(gateway, backend, cookie, bearer)
    assert is_valid(gateway, other_user)
    # A login in the same second gives a valid session.
    assert is_valid(gateway, log_in(gateway, user)[0])


# --- the user's own list -----------------------------------------------------


def list_sessions(gateway, cookie):
    answer = gateway.get("/session?list=1", cookie=cookie)
    assert answer.status == 200, answer
    return answer.json["data"]["sessions"]


def test_list_has_the_users_own_sessions(gateway, backend):
    account = backend.register()
    first = log_in(gateway, account, [("User-Agent", FIREFOX)])[0]
    second = log_in(gateway, account, [("User-Agent", "curl/8.0")])[0]
    rows = list_sessions(gateway, first)
    assert len(rows) == 2
    own, = [row for row in rows if row["current"]]
    other, = [row for row in rows if not row["current"]]
    assert (own["browser"], other["browser"]) == ("Firefox", "curl")
    for row in rows:
        assert set(row) == {"id", "created", "lastSeen", "expiresAt",
                            "browser", "address", "current"}
        assert len(row["id"]) == 64 and row["address"] == "127.0.0.1"
        assert row["created"].endswith("Z")
    # The list has the hash of the id, not the id.
    assert gateway.open_token(first)["sid"] not in json.dumps(rows)
    assert [row["id"] for row in list_sessions(gateway, second)
            if row["current"]] == [other["id"]]


def test_list_has_the_time_of_the_last_request(start, store, backend):
    gateway = start(POSTERN_IDLE_TIMEOUT="12s", **store)
    cookie = log_in(gateway, backend.register())[0]
    row, = list_sessions(gateway, cookie)
    assert row["lastSeen"] == row["created"]
    time.sleep(3.1)  # a quarter of the idle time: due for renewal
    assert gateway.get("/session", cookie=cookie).get("set-cookie")
    # Nobody waits until it is written.
    assert gateways.wait_until(lambda: list_sessions(
        gateway, cookie)[0]["lastSeen"] > row["lastSeen"])
    assert list_sessions(gateway, cookie)[0]["created"] == row["created"]


def test_list_is_empty_without_a_session(gateway):
    assert gateway.get("/session?list=1").json == {"data": {"sessions": []}}


def test_user_revokes_own_sessions_only(gateway, backend):
    """R24."""
    account = backend.register()
    cookie = log_in(gateway, account)[0]
    other_cookie, bearer = log_in(gateway, account)
    name, = [row["id"] for row in list_sessions(gateway, cookie)
             if not row["current"]]

    def delete(name, cookie, **options):
        return gateway.send("DELETE", f"/session?id={name}", headers=[
            ("Cookie", f"{gateways.COOKIE}={cookie}"),
            *options.get("headers", ())])

    other_user = log_in(gateway, backend.register())[0]
    assert delete(name, other_user).status == 404
    assert delete("0" * 64, cookie).status == 404
    assert delete("x", cookie).status == 404
    assert gateway.send("DELETE", f"/session?id={name}").status == 401
    assert delete(name, cookie, headers=[
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "cross-site")]).status == 403
    assert is_valid(gateway, other_cookie)

    answer = delete(name, cookie)
    assert answer.status == 200 and answer.get("set-cookie") is None
    assert_revoked(gateway, backend, other_cookie, bearer)
    assert is_valid(gateway, cookie)
    own, = list_sessions(gateway, cookie)
    answer = delete(own["id"], cookie)
    assert answer.status == 200
    assert "Max-Age=0" in http_client.cookie_of(answer)[2]
    assert_revoked(gateway, backend, cookie)


def test_login_over_the_maximum_revokes_the_oldest_session(
        start, store, backend):
    """R21."""
    gateway = start(POSTERN_MAX_SESSIONS="2", **store)
    account, other = backend.register(), backend.register()
    other_cookie = log_in(gateway, other)[0]
    cookies = []
    for _ in range(3):
        cookies.append(log_in(gateway, account)[0])
        time.sleep(1.1)  # ages have whole seconds
    assert [is_valid(gateway, c) for c in [*cookies, other_cookie]] == \
        [False, True, True, True]
    assert len(list_sessions(gateway, cookies[2])) == 2


# --- sessions too large for a cookie -----------------------------------------


def plan_login(backend, size):
    token = secrets.token_urlsafe(size)[:size]
    backend.known.add(token.encode())
    backend.next(headers=[["Content-Type", "application/json"]],
                 body=json.dumps({"data": {"login": {
                     "secret": token, "ttl": None, "email": "big@example.com",
                     "ownerId": "77"}}}))
    return token


@pytest.mark.parametrize("form", ["sealed", "signed"])
@pytest.mark.parametrize("size", [6000, 12000])
def test_large_backend_token_is_kept_in_the_store(
        start, store, backend, user, form, size):
    gateway = start(POSTERN_TOKEN_FORMAT=form, **BOTH_METHODS, **store)
    token = plan_login(backend, size)
    answer = gateway.log_in(user)
    assert answer.status == 200, answer
    assert len(answer.get("set-cookie")) <= 4096
    cookie = http_client.cookie_of(answer)[1]
    bearer = answer.get(gateway.token_header)
    assert len(bearer) < 4096
    for transport in ({"cookie": cookie}, {"bearer": bearer}):
        assert gateway.session(**transport)["subject"] == "77"
        assert gateway.session(**transport)["who"]["email"] == "big@example.com"
        gateway.query(**transport)
        assert backend.seen()[-1]["header"]["authorization"] == \
            "Bearer " + token
    assert gateway.post("/logout", cookie=cookie).status == 200
    assert_revoked(gateway, backend, cookie, bearer)


def test_large_session_is_renewed_in_the_store(start, store, backend, user):
    gateway = start(POSTERN_IDLE_TIMEOUT="4s", **store)
    token = plan_login(backend, 6000)
    cookie = log_in(gateway, user)[0]
    time.sleep(1.2)
    answer = gateway.get("/session", cookie=cookie)
    renewed = http_client.cookie_of(answer)[1]
    assert len(answer.get("set-cookie")) <= 4096 and renewed != cookie
    for value in (cookie, renewed):
        gateway.query(cookie=value)
        assert backend.seen()[-1]["header"]["authorization"] == \
            "Bearer " + token


@pytest.mark.parametrize("rule", [None, "everywhere", "never"])
def test_large_backend_token_is_refused_without_a_store(
        start, backend, user, rule):
    gateway = start(POSTERN_STORE="none", POSTERN_UPSTREAM_LOGOUT=rule)
    backend.forget()
    token = plan_login(backend, 6000)
    answer = gateway.log_in(user)
    assert answer.status == 500 and answer.code == "INTERNAL", answer
    assert answer.get("set-cookie") is None
    # Postern logs the unused backend session out, unless that would end the
    # user's other sessions too.
    _, *logouts = backend.seen()
    assert len(logouts) == (0 if rule else 1)
    for request in logouts:
        assert request["header"]["authorization"] == "Bearer " + token
        assert "logout" in request["body"]
    line, = [line for line in gateway.log.splitlines()
             if "session-too-large" in line]
    assert "does not fit into a cookie" in line and "level=error" in line
    # A session of normal size still works.
    assert is_valid(gateway, gateway.cookie_for(user))


@pytest.mark.parametrize("kind", ["fastcgi", "cgi"])
def test_failed_logout_everywhere_without_a_store_is_an_error(
        start, backend, user, kind):
    """Only the backend could have ended the other sessions. The browser's
    cookie is cleared all the same."""
    gateway = start(kind, POSTERN_STORE="none",
                    POSTERN_UPSTREAM_LOGOUT="everywhere")
    cookie = gateway.cookie_for(user)
    for path, status in ("/logout", 200), ("/logout?everywhere=1", 502):
        backend.next(close=True)
        answer = gateway.post(path, {}, cookie=cookie)
        backend.forget()
        assert answer.status == status, answer
        assert any("Max-Age=0" in line for line in answer.all("set-cookie"))
    assert answer.code == "UPSTREAM_INVALID", answer
    assert gateway.post("/logout?everywhere=1", {}, cookie=cookie).status == 200


# --- several machines --------------------------------------------------------


def test_two_gateways_share_the_sessions_of_one_redis(
        start_own, redis, backend, user):
    one = start_own(POSTERN_STORE=redis.url, **BOTH_METHODS)
    two = start_own(POSTERN_STORE=redis.url, secret=one.secret, **BOTH_METHODS)
    cookie, bearer = log_in(one, user)
    second_cookie = log_in(two, user)[0]
    assert is_valid(two, cookie)
    assert {row["id"] for row in list_sessions(one, cookie)} == \
        {row["id"] for row in list_sessions(two, cookie)}
    assert one.post("/logout", bearer=bearer).status == 200
    assert_revoked(two, backend, cookie, bearer)
    assert is_valid(one, second_cookie)
    assert two.post("/logout?everywhere=1", cookie=second_cookie).status == 200
    assert_revoked(one, backend, second_cookie)


def test_sessions_of_another_audience_are_not_revoked(
        start_own, redis, backend, user):
    """Two sites share one Redis."""
    one = start_own(POSTERN_STORE=redis.url, POSTERN_AUDIENCE="one")
    two = start_own(POSTERN_STORE=redis.url, POSTERN_AUDIENCE="two")
    cookie, other_cookie = log_in(one, user)[0], log_in(two, user)[0]
    assert len(list_sessions(two, other_cookie)) == 1
    assert one.post("/logout?everywhere=1", cookie=cookie).status == 200
    assert not is_valid(one, cookie) and is_valid(two, other_cookie)


def commits_of(folder):
    """The number of transactions that were committed to an LMDB folder: the
    larger of two meta pages has it."""
    with open(os.path.join(folder, "data.mdb"), "rb") as file:
        pages = file.read(8192)
    return max(int.from_bytes(pages[at + 144:at + 152], "little")
               for at in (0, 4096))


def test_last_use_is_written_once(start_own, backend, tmp_path):
    """A server that drops the new cookie: each request has the same old one,
    and is answered with a new one, but only the first is written."""
    folder = str(tmp_path / "store")
    gateway = start_own(POSTERN_STORE=f"lmdb:{folder}",
                        POSTERN_IDLE_TIMEOUT="40s")
    cookie = log_in(gateway, backend.register())[0]
    before = list_sessions(gateway, cookie)[0]["lastSeen"]
    time.sleep(10.1)  # a quarter of the idle time
    begin = time.monotonic()
    commits = commits_of(folder)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: gateway.query(cookie=cookie),
                                range(100)))
    assert all(answer.status == 200 and answer.get("set-cookie")
               for answer in answers)
    assert gateways.wait_until(lambda: commits_of(folder) > commits)
    assert list_sessions(gateway, cookie)[0]["lastSeen"] > before
    gateway.query(cookie=cookie)
    assert time.monotonic() - begin < 10, "the test ran too slowly"
    assert commits_of(folder) == commits + 1
