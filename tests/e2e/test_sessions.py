# SPDX-License-Identifier: ISC
"""Sessions that end: revocation wherever they were copied, the user's own
list, the cap, sessions too large for a cookie; with both stores."""

import json
import secrets
import threading
import time

import gateway as gateways
import http_client
import pytest

BOTH = {"POSTERN_TOKEN_METHOD": "cookie,bearer"}
FIREFOX = ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 "
           "Firefox/128.0")
NEW_TOKEN = "rotated-" + secrets.token_hex(24)


@pytest.fixture(name="kind", scope="module", params=["fastcgi", "cgi"])
def kind_fixture(request):
    return request.param


@pytest.fixture(name="both", scope="module")
def both_fixture(start, store, kind):
    return start(kind, **BOTH, **store)


def log_in(gateway, account, headers=(), **more):
    """(cookie, bearer) of a new session, whichever of them there are."""
    answer = gateway.post("/login", {
        "email": account.email, "password": account.password, **more},
        headers=headers)
    assert answer.status == 200, answer
    lines = answer.all("set-cookie")
    return (http_client.cookie_of(answer)[1] if lines else None,
            answer.get(gateway.token_header))


def is_good(gateway, cookie):
    return gateway.session(cookie=cookie) is not None


def assert_dead(gateway, backend, cookie, bearer=None):
    """Refused by every program, and the backend hears nothing of it."""
    backend.forget()
    answer = gateway.get("/session", cookie=cookie)
    assert answer.json["data"]["session"] is None, answer
    assert "Max-Age=0" in http_client.cookie_of(answer)[2]
    answer = gateway.query(cookie=cookie)
    assert answer.json["data"]["me"] is None, answer
    assert answer.all("set-cookie") == []  # it may be a late one (U35)
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
            # lighttpd would drop an empty one: it is nobody's.
            nobody = answer.get(gateway.token_header)
            assert gateway.session(bearer=nobody)["subject"] is None
            assert "upstream" not in gateway.open_token(nobody)
    for request in backend.seen():
        assert "authorization" not in request["names"]


# --- logout ------------------------------------------------------------------


@pytest.mark.parametrize("by", ["cookie", "bearer"])
def test_logout_ends_every_copy_at_once(both, backend, user, by):
    cookie, bearer = log_in(both, user)
    other = log_in(both, user)[0]
    assert is_good(both, cookie)
    assert both.session(bearer=bearer) is not None
    token = {"cookie": cookie} if by == "cookie" else {"bearer": bearer}
    assert both.post("/logout", **token).status == 200
    assert_dead(both, backend, cookie, bearer)
    assert is_good(both, other)


def test_a_guests_session_ends_too(start, own_backend, store):
    import dialect  # the shop hands tokens to guests
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


@pytest.fixture(name="by_header", scope="module")
def by_header_fixture(start, store, tmp_path_factory):
    """The backend's token in a header, and a document that asks whose."""
    who = tmp_path_factory.mktemp("documents") / "who.graphql"
    who.write_text("query Who { me { ownerId email } }", encoding="ascii")
    return start(POSTERN_UPSTREAM_TOKEN="header:x-token",
                 POSTERN_WHO_DOCUMENT=str(who), **store)


def grant_by_header(backend, **more):
    """What the next login and the question after it are told."""
    backend.next(headers=[["x-token", secrets.token_hex(24)],
                          ["Content-Type", "application/json"]],
                 body='{"data":{"login":{"ownerId":"8","email":"x@y"}}}',
                 **more)


def in_flight(gateway, backend, cookie, meanwhile, **canned):
    """What a query gets whose session ends while the backend thinks."""
    backend.next(delay=1, **canned)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(
        gateway.query(cookie=cookie)))
    count = len(backend.seen())
    thread.start()
    assert gateways.wait_until(lambda: len(backend.seen()) > count)
    meanwhile()
    thread.join(20)
    return answers[0]


def test_a_request_in_flight_revives_nothing(by_header, backend, user):
    """The backend's answer brings another token, so the gateway seals."""
    gateway = by_header

    def login():
        grant_by_header(backend)
        backend.next(body=ME_IS_7)
        return log_in(gateway, user)[0]
    canned = {"headers": [["x-token", NEW_TOKEN],
                          ["Content-Type", "application/json"]],
              "body": '{"data":{}}'}

    # Nothing meanwhile: the new token is kept, in the session that works.
    cookie = login()
    answer = in_flight(gateway, backend, cookie,
                       lambda: backend.next(body=ME_IS_7), **canned)
    again = "=".join(http_client.cookie_of(answer)[:2])
    backend.forget()
    gateway.query(cookie=again)
    assert backend.seen()[-1]["header"]["authorization"] == \
        "Bearer " + NEW_TOKEN
    sessions = [gateway.open_token(one.rpartition("=")[2])
                for one in (cookie, again)]
    assert sessions[0]["sid"] == sessions[1]["sid"]
    assert sessions[1]["sub"] == "7"

    def log_out():
        backend.next(body="{}")
        assert gateway.post("/logout", cookie=cookie).status == 200
        backend.next(body=ME_IS_7)
    cookie = login()
    answer = in_flight(gateway, backend, cookie, log_out, **canned)
    assert not [line for line in answer.all("set-cookie")
                if not line.partition("=")[2].startswith(";")], answer
    backend.forget()
    gateway.query(cookie=cookie)
    assert "authorization" not in backend.seen()[-1]["names"]
    assert not is_good(gateway, cookie)


def test_what_a_request_in_flight_renews_stays_dead(start, store, backend):
    """It was due for renewal; it looks again, and hands out nothing."""
    gateway = start(POSTERN_IDLE_TIMEOUT="4s", **store)
    # A new account: where all of somebody's sessions have just been ended, the
    # next begins a second later, and so is due a second later.
    cookie = log_in(gateway, backend.register())[0]
    time.sleep(1.2)
    answer = in_flight(gateway, backend, cookie, lambda: gateway.post(
        "/logout", cookie=cookie), body='{"data":{}}')
    assert answer.status == 200 and answer.all("set-cookie") == []
    assert not is_good(gateway, cookie)


def test_two_logins_take_the_place_of_one(by_header, backend, user):
    """A button clicked twice: the second login finds the session that its
    cookie names replaced by the first. What a password began is no less."""
    gateway = by_header

    def login(cookie):
        return gateway.post("/login", {
            "email": user.email, "password": user.password}, cookie=cookie)

    grant_by_header(backend)
    backend.next(body=ME_IS_7)
    old = log_in(gateway, user)[0]
    grant_by_header(backend, delay=1)
    answers = []
    slow = threading.Thread(target=lambda: answers.append(login(old)))
    count = len(backend.seen())
    slow.start()
    assert gateways.wait_until(lambda: len(backend.seen()) > count)
    grant_by_header(backend)
    backend.next(body=ME_IS_7)
    answers.append(login(old))
    backend.next(body=ME_IS_7)
    assert slow.is_alive()
    slow.join(20)
    assert [answer.status for answer in answers] == [200, 200], answers
    for answer in answers:
        assert is_good(gateway, http_client.cookie_of(answer)[1])
    assert not is_good(gateway, old)


# --- everywhere --------------------------------------------------------------


@pytest.mark.parametrize("how", ["query", "query, and JSON", "json", "form"])
def test_everywhere_ends_all_devices(both, backend, user, how):
    devices = [log_in(both, user) for _ in range(3)]
    stranger = log_in(both, backend.register())[0]
    remembered = log_in(both, user, rememberMe=True)
    if how == "query":
        answer = both.post("/logout?everywhere=1", cookie=devices[0][0])
    elif how == "query, and JSON":
        answer = both.post("/logout?everywhere=1", {}, cookie=devices[0][0])
    elif how == "json":
        answer = both.post("/logout", {"everywhere": True},
                           cookie=devices[0][0])
    else:
        answer = both.form("/logout", {"everywhere": "1"}, [
            ("Cookie", f"{gateways.COOKIE}={devices[0][0]}")])
    assert answer.status in (200, 303), answer
    for cookie, bearer in [*devices, remembered]:
        assert_dead(both, backend, cookie, bearer)
    assert is_good(both, stranger)
    # A login in the same second is a new session, and alive.
    assert is_good(both, log_in(both, user)[0])


# --- the user's own list -----------------------------------------------------


def listed(gateway, cookie):
    answer = gateway.get("/session?list=1", cookie=cookie)
    assert answer.status == 200, answer
    return answer.json["data"]["sessions"]


def test_the_list_shows_ones_own_sessions(both, backend):
    account = backend.register()
    first = log_in(both, account, [("User-Agent", FIREFOX)])[0]
    second = log_in(both, account, [("User-Agent", "curl/8.0")])[0]
    rows = listed(both, first)
    assert len(rows) == 2
    own, = [row for row in rows if row["current"]]
    other, = [row for row in rows if not row["current"]]
    assert (own["browser"], other["browser"]) == ("Firefox", "curl")
    for row in rows:
        assert set(row) == {"id", "created", "lastSeen", "expiresAt",
                            "browser", "address", "current"}
        assert len(row["id"]) == 64 and row["address"] == "127.0.0.1"
        assert row["created"].endswith("Z")
    # The hash of the id, never the id.
    assert both.open_token(first)["sid"] not in json.dumps(rows)
    assert [row["id"] for row in listed(both, second) if row["current"]] \
        == [other["id"]]


def test_the_list_tells_when_one_was_last_seen(start, store, backend):
    gateway = start(POSTERN_IDLE_TIMEOUT="4s", **store)
    cookie = log_in(gateway, backend.register())[0]
    row, = listed(gateway, cookie)
    assert row["lastSeen"] == row["created"]
    time.sleep(1.2)  # a quarter of the idle time: due for renewal
    assert gateway.get("/session", cookie=cookie).get("set-cookie")
    again, = listed(gateway, cookie)
    assert again["lastSeen"] > again["created"] == row["created"]


def test_nobody_has_an_empty_list(both):
    assert both.get("/session?list=1").json == {"data": {"sessions": []}}


def test_one_ends_a_session_of_ones_own(both, backend):
    account = backend.register()
    here = log_in(both, account)[0]
    there, bearer = log_in(both, account)
    name, = [r["id"] for r in listed(both, here) if not r["current"]]

    def delete(name, cookie, **options):
        return both.send("DELETE", f"/session?id={name}", headers=[
            ("Cookie", f"{gateways.COOKIE}={cookie}"),
            *options.get("headers", ())])

    stranger = log_in(both, backend.register())[0]
    assert delete(name, stranger).status == 404
    assert delete("0" * 64, here).status == 404
    assert delete("x", here).status == 404
    assert both.send("DELETE", f"/session?id={name}").status == 401
    assert delete(name, here, headers=[
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "cross-site")]).status == 403
    assert is_good(both, there)

    answer = delete(name, here)
    assert answer.status == 200 and answer.get("set-cookie") is None
    assert_dead(both, backend, there, bearer)
    assert is_good(both, here)
    own, = listed(both, here)
    answer = delete(own["id"], here)
    assert answer.status == 200
    assert "Max-Age=0" in http_client.cookie_of(answer)[2]
    assert_dead(both, backend, here)


def test_over_the_cap_the_oldest_is_out(start, store, backend):
    gateway = start(POSTERN_MAX_SESSIONS="2", **store)
    account, other = backend.register(), backend.register()
    elses = log_in(gateway, other)[0]
    cookies = []
    for _ in range(3):
        cookies.append(log_in(gateway, account)[0])
        time.sleep(1.1)  # their age is in whole seconds
    assert [is_good(gateway, c) for c in [*cookies, elses]] == \
        [False, True, True, True]
    assert len(listed(gateway, cookies[2])) == 2


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
def test_a_large_token_goes_to_the_store(start, store, backend, user, form,
                                         size):
    gateway = start(POSTERN_TOKEN_FORMAT=form, **BOTH, **store)
    token = plan_login(backend, size)
    answer = gateway.log_in(user)
    assert answer.status == 200, answer
    assert len(answer.get("set-cookie")) <= 4096
    cookie = http_client.cookie_of(answer)[1]
    bearer = answer.get(gateway.token_header)
    assert len(bearer) < 4096
    for carrier in ({"cookie": cookie}, {"bearer": bearer}):
        assert gateway.session(**carrier)["subject"] == "77"
        assert gateway.session(**carrier)["who"]["email"] == "big@example.com"
        gateway.query(**carrier)
        assert backend.seen()[-1]["header"]["authorization"] == \
            "Bearer " + token
    assert gateway.post("/logout", cookie=cookie).status == 200
    assert_dead(gateway, backend, cookie, bearer)


def test_a_large_session_is_renewed_in_its_place(start, store, backend, user):
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
def test_without_a_store_a_large_token_is_refused(start, backend, user, rule):
    gateway = start(POSTERN_STORE="none", POSTERN_UPSTREAM_LOGOUT=rule)
    backend.forget()
    token = plan_login(backend, 6000)
    answer = gateway.log_in(user)
    assert answer.status == 500 and answer.code == "INTERNAL", answer
    assert answer.get("set-cookie") is None
    # The backend's session, which nobody holds, is ended, where that ends
    # none of the user's others.
    _, *told = backend.seen()
    assert len(told) == (0 if rule else 1)
    for request in told:
        assert request["header"]["authorization"] == "Bearer " + token
        assert "logout" in request["body"]
    line, = [line for line in gateway.log.splitlines()
             if "session-too-large" in line]
    assert "there is no store" in line and "level=error" in line
    # An ordinary one is none the worse for it.
    assert is_good(gateway, gateway.cookie_for(user))


# --- several machines --------------------------------------------------------


def test_two_gateways_share_one_redis(start_own, redis, backend, user):
    one = start_own(POSTERN_STORE=redis.url, **BOTH)
    two = start_own(POSTERN_STORE=redis.url, secret=one.secret, **BOTH)
    cookie, bearer = log_in(one, user)
    elsewhere = log_in(two, user)[0]
    assert is_good(two, cookie)
    assert {row["id"] for row in listed(one, cookie)} == \
        {row["id"] for row in listed(two, cookie)}
    assert one.post("/logout", bearer=bearer).status == 200
    assert_dead(two, backend, cookie, bearer)
    assert is_good(one, elsewhere)
    assert two.post("/logout?everywhere=1", cookie=elsewhere).status == 200
    assert_dead(one, backend, elsewhere)


def test_another_audience_is_another_site(start_own, redis, backend, user):
    """One Redis, two sites: who is ended on one lives on the other."""
    one = start_own(POSTERN_STORE=redis.url, POSTERN_AUDIENCE="one")
    two = start_own(POSTERN_STORE=redis.url, POSTERN_AUDIENCE="two")
    here, there = log_in(one, user)[0], log_in(two, user)[0]
    assert len(listed(two, there)) == 1
    assert one.post("/logout?everywhere=1", cookie=here).status == 200
    assert not is_good(one, here) and is_good(two, there)
