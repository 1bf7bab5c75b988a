# SPDX-License-Identifier: ISC
"""Cookies as browsers really send them: several of one name, dead ones, a
guest's beside a user's; and requests from other pages. Through lighttpd, octet
for octet."""
import secrets
import threading

import dialect
import gateway as gateways
import http_client
import pytest
from gateway import COOKIE, ME
from http_client import cookie_of, cookies_of

GUEST = COOKIE + "-guest"
DEAD = "a-cookie-that-was-never-good"
OLDER = "__Host-session"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
OPERATIONS = (b'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n'
              b'{"query":"{ me { ownerId } }"}\r\n--x\r\nContent-Disposition: '
              b'form-data; name="map"\r\n\r\n{}\r\n--x--\r\n')
MULTIPART = ("Content-Type", "multipart/form-data; boundary=x")


def cleared(answer):
    """The names of the cookies that it clears, each in both variants."""
    found = [(name, "Partitioned" in attributes)
             for name, value, attributes in cookies_of(answer)
             if not value and "Max-Age=0" in attributes]
    names = {name for name, _ in found}
    assert sorted(found) == sorted((n, p) for n in names for p in (False, True))
    return names


@pytest.fixture(name="shop", scope="module")
def shop_fixture():
    """A backend that hands tokens to guests, and a gateway before it."""
    shop = dialect.Shop("bearer")
    here = gateways.Gateway(shop, POSTERN_BACKEND="vendure")
    yield here
    here.close()
    shop.close()


def guest_of(here):
    answer = here.post("/query", {"query": dialect.ADD,
                                  "variables": {"id": "1", "n": 1}})
    name, value, attributes = cookie_of(answer)
    assert name == GUEST and any(a.startswith("Max-Age=") for a in attributes)
    return value


# --- several of one name ------------------------------------------------------


def test_the_one_that_opens_counts(gateway, user):
    """U32: after a change of Domain, Path or Partitioned two come, and only
    one of them is a session."""
    cookie = gateway.cookie_for(user)
    for line in (f"{COOKIE}={DEAD}; {COOKIE}={cookie}",
                 f"{COOKIE}={cookie}; {COOKIE}={DEAD}; x=y",
                 f"{COOKIE}=; a=b; {COOKIE}=x.y.z; {COOKIE}={cookie}"):
        answer = gateway.get("/session", cookie=line)
        assert answer.json["data"]["session"]["name"] == user.email
        # Tidied up: the dead one cleared, the good one set, in that order.
        (dead, set_one) = cookies_of(answer)
        assert dead[1] == "" and "Partitioned" in dead[2]
        assert set_one[0] == COOKIE and set_one[1]
        assert gateway.session(cookie=set_one[1])["name"] == user.email
        answer = gateway.query(cookie=line)
        assert answer.json["data"]["me"]["email"] == user.email
        assert answer.all("set-cookie") == []


def test_two_sessions_are_none(gateway, user):
    """R40: one of them was planted, and nothing tells which."""
    first, second = gateway.cookie_for(user), gateway.cookie_for(user)
    line = f"{COOKIE}={first}; {COOKIE}={second}"
    answer = gateway.get("/session", cookie=line)
    assert answer.json == {"data": {"session": None}}
    assert cleared(answer) == {COOKIE}
    assert "event=session-cookies-conflict" in gateway.log
    # Logging in with both gives one that works, beside no other.
    answer = gateway.post("/login", {"email": user.email,
                                     "password": user.password}, cookie=line)
    names = [name for name, value, _ in cookies_of(answer) if not value]
    assert names == [COOKIE]  # the partitioned variant
    assert gateway.session(cookie=cookie_of(answer)[1])["name"] == user.email


def test_two_copies_are_one_session(start, user):
    """Of two copies the newest is taken: what the older one lacks is there."""
    gateway = start(POSTERN_IDLE_TIMEOUT="4s")
    old = gateway.cookie_for(user)
    assert gateways.wait_until(
        lambda: gateway.get("/session", cookie=old).all("set-cookie"), 3, 0.3)
    new = cookie_of(gateway.get("/session", cookie=old))[1]
    for line in (f"{COOKIE}={old}; {COOKIE}={new}",
                 f"{COOKIE}={new}; {COOKIE}={old}"):
        claims = gateway.open_token(
            cookie_of(gateway.get("/session", cookie=line))[1])
        assert claims["seen"] >= gateway.open_token(new)["seen"]


def test_every_variant_is_cleared(start_own, user):
    """R37, R42: host-only and Domain, both paths, partitioned and not; each
    once."""
    gateway = start_own(POSTERN_COOKIE_NAME="__Secure-s",
                        POSTERN_COOKIE_DOMAIN="shop.example",
                        POSTERN_COOKIE_PATH="/shop")
    cookie = gateway.cookie_for(user)
    answer = gateway.post("/logout", cookie=f"__Secure-s={cookie}")
    found = {(*[a for a in attributes if a.startswith(("Path", "Domain"))],
              "Partitioned" in attributes)
             for _, value, attributes in cookies_of(answer) if not value}
    assert found == {
        (path, *domain, apart) for path in ("Path=/shop", "Path=/")
        for domain in ((), ("Domain=shop.example",)) for apart in (False, True)}


def test_the_name_it_had_before(gateway, user):
    """A logout and a login clear it; it opens nothing."""
    cookie = gateway.cookie_for(user)
    assert gateway.session(cookie=f"{OLDER}={cookie}") is None
    line = f"{OLDER}={DEAD}; {COOKIE}={cookie}"
    assert gateway.get("/session", cookie=line).all("set-cookie") == []
    answer = gateway.post("/logout", cookie=line)
    assert cleared(answer) == {COOKIE, OLDER}


# --- dead ones ----------------------------------------------------------------


def test_who_clears_a_dead_cookie(gateway):
    dead = f"{COOKIE}={DEAD}; {GUEST}={DEAD}"
    for answer in (gateway.get("/login", cookie=dead),
                   gateway.get("/logout", cookie=dead),
                   gateway.get("/session", cookie=dead)):
        assert answer.status == 200 and cleared(answer) == {COOKIE, GUEST}
    answer = gateway.query(cookie=dead)
    assert answer.status == 200 and answer.all("set-cookie") == []
    answer = gateway.post("/logout", cookie=dead)
    assert answer.status == 200 and cleared(answer) == {COOKIE, GUEST}


def in_flight(gateway, backend, cookie, meanwhile):
    """What a slow query gets, and what was done while it waited."""
    backend.next(delay=1, body='{"data":{}}')
    answers = []
    thread = threading.Thread(target=lambda: answers.append(
        gateway.query("{ slow }", cookie=cookie)))
    count = len(backend.seen())
    thread.start()
    assert gateways.wait_until(lambda: len(backend.seen()) > count)
    done = meanwhile()
    thread.join(20)
    return answers[0], done


def test_a_slow_query_with_a_dead_cookie(gateway, backend, user):
    """U35: a login meanwhile; the late answer leaves its cookie alone."""
    answer, cookie = in_flight(gateway, backend, DEAD,
                               lambda: gateway.cookie_for(user))
    assert answer.status == 200 and answer.all("set-cookie") == []
    assert gateway.session(cookie=cookie)["name"] == user.email


def test_a_slow_query_of_a_session_that_ends(start, backend, user):
    """A renewal looks again before it is written."""
    gateway = start(POSTERN_IDLE_TIMEOUT="4s")
    cookie = gateway.cookie_for(user)
    assert gateways.wait_until(  # it is due by now
        lambda: gateway.get("/session", cookie=cookie).all("set-cookie"),
        3, 0.3)
    answer, _ = in_flight(gateway, backend, cookie, lambda: None)
    assert answer.status == 200 and cookie_of(answer)[1]
    answer, _ = in_flight(gateway, backend, cookie, lambda: gateway.post(
        "/logout", cookie=cookie))
    assert answer.status == 200 and answer.all("set-cookie") == []


def test_touch(start, user):
    """U38: asking without touching renews nothing, and the session ends."""
    gateway = start(POSTERN_IDLE_TIMEOUT="2s")
    cookie = gateway.cookie_for(user)

    def has_ended():
        answer = gateway.get("/session?touch=0", cookie=cookie)
        assert answer.status == 200
        assert not any(value for _, value, _ in cookies_of(answer))
        return answer.json["data"]["session"] is None
    assert gateways.wait_until(has_ended, 6, 0.3)


# --- a guest's ----------------------------------------------------------------


def test_a_guests_cookie_is_its_own(shop):
    guest = guest_of(shop)
    assert shop.session(cookie=f"{GUEST}={guest}")["guest"] is True
    # Neither passes for the other (R13).
    assert shop.session(cookie=f"{COOKIE}={guest}") is None


@pytest.mark.parametrize("by", ["json", "form"])
def test_a_login_takes_the_cart_along(shop, by):
    """U28, L25: the guest's token goes with the login; its session ends and
    its cookie is cleared."""
    account = shop.backend.register()
    client = dialect.GatewayClient(shop, "cookie")
    cart = client.add()
    guest = client.credential
    answer = client.log_in(account, by)
    assert GUEST in cleared(answer)
    assert client.credential.startswith(COOKIE + "=")
    assert client.active()["code"] == cart["code"]
    assert shop.session(cookie=guest) is None  # a copy of it


def test_a_users_session_wins(shop):
    """A late guest answer leaves both cookies in the browser: the user's
    counts, whichever comes first, and the guest's stays as it was."""
    account = shop.backend.register()
    answer = shop.log_in(account)
    user, guest = cookie_of(answer)[1], guest_of(shop)
    for line in (f"{COOKIE}={user}; {GUEST}={guest}",
                 f"{GUEST}={guest}; {COOKIE}={user}"):
        answer = shop.get("/session", cookie=line)
        assert answer.json["data"]["session"]["name"] == account.email
        assert answer.all("set-cookie") == []
    # The user's is dead: then it is the guest's again.
    answer = shop.get("/session", cookie=f"{COOKIE}={DEAD}; {GUEST}={guest}")
    assert answer.json["data"]["session"]["guest"] is True
    assert cleared(answer) == {COOKIE}
    # Logging in again, beside both, ends both.
    line = f"{COOKIE}={user}; {GUEST}={guest}"
    answer = shop.post("/login", {"email": account.email,
                                  "password": account.password}, cookie=line)
    assert answer.status == 200 and GUEST in cleared(answer)
    assert shop.session(cookie=user) is None
    assert shop.session(cookie=f"{GUEST}={guest}") is None


def test_logging_out_ends_both(shop):
    account = shop.backend.register()
    user, guest = cookie_of(shop.log_in(account))[1], guest_of(shop)
    answer = shop.post("/logout", cookie=f"{COOKIE}={user}; {GUEST}={guest}")
    assert answer.status == 200 and cleared(answer) == {COOKIE, GUEST}
    assert shop.session(cookie=user) is None
    assert shop.session(cookie=f"{GUEST}={guest}") is None


def test_a_cross_site_guest_overwrites_nothing(shop):
    """SameSite keeps the user's cookie back, and the shop makes a guest: in
    its own cookie."""
    answer = shop.get("/query?query=%7BactiveOrder%7Bcode%7D%7D", headers=[
        ("Sec-Fetch-Site", "cross-site")])
    assert answer.status == 200
    assert all(name == GUEST for name, _, _ in cookies_of(answer))


# --- both methods -------------------------------------------------------------


@pytest.fixture(name="both", scope="module")
def both_fixture(start):
    return start(POSTERN_TOKEN_METHOD="cookie,bearer",
                 POSTERN_ORIGINS="https://app.example capacitor://localhost")


def log_in(gateway, user, *headers):
    answer = gateway.post("/login", {"email": user.email,
                                     "password": user.password},
                          headers=headers)
    assert answer.status == 200, answer
    return answer


def test_a_page_of_ours_gets_the_cookie_alone(both, user):
    answer = log_in(both, user, ("Sec-Fetch-Site", "same-origin"))
    assert cookie_of(answer)[1] and answer.get("vendure-auth-token") is None
    answer = log_in(both, user)
    assert cookie_of(answer)[1] and answer.get("vendure-auth-token")
    answer = log_in(both, user, ("Authorization", "Bearer"))
    assert answer.all("set-cookie") == []
    assert answer.get("vendure-auth-token")


def test_bearer_with_nothing_after_it(both, user):
    cookie = both.cookie_for(user)
    for empty in ("Bearer", "bearer "):
        answer = both.get("/session", cookie=cookie,
                          headers=[("Authorization", empty)])
        assert answer.json == {"data": {"session": None}}
        assert answer.get("www-authenticate") is None
        assert answer.all("set-cookie") == []


def test_forget_your_token(both):
    """lighttpd drops an empty header: there it is nobody's token."""
    answer = both.get("/session", bearer=DEAD)
    assert answer.status == 401
    assert 'error="invalid_token"' in answer.get("www-authenticate")
    nobody = answer.get("vendure-auth-token")
    assert "upstream" not in both.open_token(nobody)
    session = both.session(bearer=nobody)
    assert session["guest"] is True and session["subject"] is None
    assert both.query(bearer=nobody).json == {"data": {"me": None}}
    assert "authorization" not in both.backend.seen()[-1]["names"]


# --- other pages --------------------------------------------------------------


@pytest.mark.parametrize("site, status", [
    ("same-origin", 303), ("none", 403), ("same-site", 403),
    ("cross-site", 403), (None, 403)])
def test_a_form_under_no_referrer(gateway, user, site, status):
    """U30: Origin: null passes beside Sec-Fetch-Site: same-origin only."""
    headers = [FORM, ("Origin", "null"), ("Sec-Fetch-Mode", "navigate")]
    if site:
        headers.append(("Sec-Fetch-Site", site))
    body = f"email={user.email}&password={user.password}".replace(" ", "+")
    answer = gateway.send("POST", "/login", body.encode(), headers)
    assert answer.status == status, answer
    assert bool(answer.all("set-cookie")) == (status == 303)


@pytest.mark.parametrize("headers, status", [
    ([], 403), ([("Referer", "http://localhost/")], 403),
    ([("X-Requested-With", "x")], 403),
    ([("Apollo-Require-Preflight", "true")], 415),
    ([("X-Apollo-Operation-Name", "Up")], 415),
    ([("GraphQL-Preflight", "1")], 415),
    ([("Sec-Fetch-Site", "same-origin")], 415)], ids=str)
def test_multipart_with_a_cookie(gateway, backend, user, headers, status):
    """R47, L42: a plain form could have sent it. 415 is the backend's own
    answer: it was reached."""
    cookie = gateway.cookie_for(user)
    backend.forget()
    answer = gateway.send("POST", "/query", OPERATIONS, [
        MULTIPART, ("Cookie", f"{COOKIE}={cookie}"), *headers])
    assert answer.status == status, answer
    assert bool(backend.seen()) == (status == 415)
    if status == 403:
        assert answer.code == "CROSS_SITE"
        assert "event=cross-site-refused" in gateway.log
    # Without a cookie it is anybody's own; this backend takes no uploads.
    assert gateway.send("POST", "/query", OPERATIONS,
                        [MULTIPART]).code != "CROSS_SITE"


def test_a_made_up_bearer_is_no_excuse(start_own, user):
    gateway = start_own(POSTERN_TOKEN_METHOD="cookie,bearer",
                        POSTERN_DEAD_BEARER="guest")
    bearer = log_in(gateway, user).get("vendure-auth-token")
    cross = ("Sec-Fetch-Site", "cross-site")
    answer = gateway.query(bearer=DEAD, headers=[cross])
    assert answer.status == 403 and answer.code == "CROSS_SITE"
    answer = gateway.query(bearer=bearer, headers=[cross])
    assert answer.json["data"]["me"]["email"] == user.email
    assert gateway.query(bearer=DEAD).status == 200  # no browser


@pytest.mark.parametrize("origin", ["https://app.example",
                                    "capacitor://localhost"])
def test_a_listed_origin_reads_errors_too(both, origin):
    """U7, U37: CORS on every answer, with what a page must be able to read."""
    for answer in (
            both.post("/login", {"email": "a@b.example", "password": "x"},
                      headers=[("Origin", origin)]),
            both.send("PUT", "/session", headers=[("Origin", origin)]),
            both.get("/session", headers=[("Origin", origin)])):
        assert answer.get("access-control-allow-origin") == origin
        assert answer.get("access-control-allow-credentials") == "true"
        exposed = answer.get("access-control-expose-headers").split(", ")
        assert sorted(exposed) == ["Retry-After", "vendure-auth-token"]
        assert "origin" in answer.vary
    for foreign in (origin + ":1", origin.upper(), origin + "/", "null"):
        answer = both.get("/session", headers=[("Origin", foreign)])
        assert answer.get("access-control-allow-origin") is None


@pytest.mark.parametrize("value", ["file://", "app://a/", "App://a", "*"])
def test_origins_that_are_none(start_own, value):
    gateway = start_own()
    done = gateway.postern("check")
    assert done.returncode == 0, done.stderr
    gateway.environment["POSTERN_ORIGINS"] = value
    done = gateway.postern("check")
    assert done.returncode != 0 and b"POSTERN_ORIGINS" in done.stderr + done.stdout
    del gateway.environment["POSTERN_ORIGINS"]


# --- HEAD and 401 --------------------------------------------------------------


@pytest.mark.parametrize("path", ["/login", "/logout", "/session"])
def test_head(gateway, user, path):
    cookie = gateway.cookie_for(user)
    headers = [("Cookie", f"{COOKIE}={cookie}")]
    wanted = gateway.send("GET", path, headers=headers)
    with http_client.Connection(gateway.port) as connection:
        answer = connection.request("HEAD", path, headers)
        assert answer.status == wanted.status == 200
        assert answer.get("content-type") == wanted.get("content-type")
        assert connection.socket.recv(1) == b"" and not connection.pending
    assert gateway.session(cookie=cookie) is not None
    answer = gateway.send("PATCH", path)
    assert answer.status == 405 and "HEAD" in answer.get("allow")


def test_every_401_has_a_challenge(both, user):
    """RFC 9110 15.5.2; in a scheme that no browser asks a password for."""
    for answer in (
            both.post("/login", {"email": user.email, "password": "wrong"}),
            both.form("/login", {"email": user.email, "password": "wrong"}),
            both.send("DELETE", "/session?id=x")):
        assert answer.status == 401
        assert answer.get("www-authenticate") == 'Postern realm="session"'
    answer = both.send("DELETE", "/session?id=x",
                       headers=[("Authorization", "Bearer")])
    assert answer.status == 401
    assert answer.get("www-authenticate") == 'Bearer realm="postern"'


def test_nothing_is_said_of_a_stranger(gateway):
    """U16: no cookie came, so none is cleared; nor is one of another name."""
    for line in (None, f"a={DEAD}", f"{COOKIE.lower()}={DEAD}",
                 f"{COOKIE}x={DEAD}",
                 f"a={secrets.token_hex(8)}; {COOKIE}-guests=z"):
        for answer in (gateway.get("/session", cookie=line),
                       gateway.get("/login", cookie=line),
                       gateway.query(ME, cookie=line)):
            assert answer.all("set-cookie") == [], line
