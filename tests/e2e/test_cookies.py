# SPDX-License-Identifier: ISC
"""Cookies as browsers send them: several with one name, invalid ones, a guest
cookie next to a session cookie. Also cross-site requests, CORS, HEAD and 401.
Through lighttpd, byte for byte."""
import secrets
import threading

import dialect
import gateway as gateways
import http_client
import pytest
from gateway import COOKIE, ME
from http_client import cookie_of, cookies_of

GUEST = COOKIE + "-guest"
INVALID = "a-cookie-that-was-never-valid"
FORMER_NAME = "__Host-session"
FORM = ("Content-Type", "application/x-www-form-urlencoded")
OPERATIONS = (b'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n'
              b'{"query":"{ me { ownerId } }"}\r\n--x\r\nContent-Disposition: '
              b'form-data; name="map"\r\n\r\n{}\r\n--x--\r\n')
MULTIPART = ("Content-Type", "multipart/form-data; boundary=x")


def cleared(answer):
    """The names of the cookies that an answer clears. Checks that it clears each
    of them with and without Partitioned."""
    found = [(name, "Partitioned" in attributes)
             for name, value, attributes in cookies_of(answer)
             if not value and "Max-Age=0" in attributes]
    names = {name for name, _ in found}
    assert sorted(found) == sorted((n, p) for n in names for p in (False, True))
    return names


@pytest.fixture(name="shop", scope="module")
def shop_fixture():
    """A gateway for a backend that issues tokens to guests."""
    shop = dialect.Shop("bearer")
    gateway = gateways.Gateway(shop, POSTERN_BACKEND="vendure")
    yield gateway
    gateway.close()
    shop.close()


def guest_of(gateway):
    """The cookie of a new guest session."""
    answer = gateway.post("/query", {"query": dialect.ADD,
                                  "variables": {"id": "1", "n": 1}})
    name, value, attributes = cookie_of(answer)
    assert name == GUEST and any(a.startswith("Max-Age=") for a in attributes)
    return value


# --- several with one name ----------------------------------------------------


def test_the_only_valid_cookie_of_several_is_used(gateway, user):
    """U32: after a change of Domain, Path or Partitioned a browser sends two
    cookies with one name. The invalid one does no harm and is cleared."""
    cookie = gateway.cookie_for(user)
    for line in (f"{COOKIE}={INVALID}; {COOKIE}={cookie}",
                 f"{COOKIE}={cookie}; {COOKIE}={INVALID}; x=y",
                 f"{COOKIE}=; a=b; {COOKIE}=x.y.z; {COOKIE}={cookie}"):
        answer = gateway.get("/session", cookie=line)
        assert answer.json["data"]["session"]["name"] == user.email
        # It clears the invalid one, then sets the valid one.
        (cleared_one, set_one) = cookies_of(answer)
        assert cleared_one[1] == "" and "Partitioned" in cleared_one[2]
        assert set_one[0] == COOKIE and set_one[1]
        assert gateway.session(cookie=set_one[1])["name"] == user.email
        answer = gateway.query(cookie=line)
        assert answer.json["data"]["me"]["email"] == user.email
        assert answer.all("set-cookie") == []


def test_two_different_sessions_are_no_session(gateway, user):
    """R40: an attacker may have planted one of them; neither is used."""
    first, second = gateway.cookie_for(user), gateway.cookie_for(user)
    line = f"{COOKIE}={first}; {COOKIE}={second}"
    answer = gateway.get("/session", cookie=line)
    assert answer.json == {"data": {"session": None}}
    assert cleared(answer) == {COOKIE}
    assert "event=session-cookies-conflict" in gateway.log
    # A login with both cookies sets one valid cookie and clears the other.
    answer = gateway.post("/login", {"email": user.email,
                                     "password": user.password}, cookie=line)
    names = [name for name, value, _ in cookies_of(answer) if not value]
    assert names == [COOKIE]  # the partitioned variant
    assert gateway.session(cookie=cookie_of(answer)[1])["name"] == user.email


def test_the_newest_of_two_copies_is_used(start, user):
    """Two cookies of the same session: the newer one has the later `seen`."""
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
    """R37, R42: logout clears the cookie with and without Domain, for both
    paths, with and without Partitioned; each variant once."""
    gateway = start_own(POSTERN_COOKIE_NAME="__Secure-s",
                        POSTERN_COOKIE_DOMAIN="shop.example",
                        POSTERN_COOKIE_PATH="/shop")
    cookie = gateway.cookie_for(user)
    answer = gateway.post("/logout", cookie=f"__Secure-s={cookie}")
    found = {(*[a for a in attributes if a.startswith(("Path", "Domain"))],
              "Partitioned" in attributes)
             for _, value, attributes in cookies_of(answer) if not value}
    assert found == {
        (path, *domain, partitioned) for path in ("Path=/shop", "Path=/")
        for domain in ((), ("Domain=shop.example",))
        for partitioned in (False, True)}


def test_former_cookie_name_is_cleared_but_not_accepted(gateway, user):
    cookie = gateway.cookie_for(user)
    assert gateway.session(cookie=f"{FORMER_NAME}={cookie}") is None
    line = f"{FORMER_NAME}={INVALID}; {COOKIE}={cookie}"
    assert gateway.get("/session", cookie=line).all("set-cookie") == []
    answer = gateway.post("/logout", cookie=line)
    assert cleared(answer) == {COOKIE, FORMER_NAME}


# --- invalid cookies -----------------------------------------------------------


def test_every_program_but_query_clears_an_invalid_cookie(gateway):
    invalid = f"{COOKIE}={INVALID}; {GUEST}={INVALID}"
    for answer in (gateway.get("/login", cookie=invalid),
                   gateway.get("/logout", cookie=invalid),
                   gateway.get("/session", cookie=invalid)):
        assert answer.status == 200 and cleared(answer) == {COOKIE, GUEST}
    answer = gateway.query(cookie=invalid)
    assert answer.status == 200 and answer.all("set-cookie") == []
    answer = gateway.post("/logout", cookie=invalid)
    assert answer.status == 200 and cleared(answer) == {COOKIE, GUEST}


def slow_query(gateway, backend, cookie, during):
    """(answer to a slow query, result of during(), which runs while it waits)."""
    backend.next(delay=1, body='{"data":{}}')
    answers = []
    thread = threading.Thread(target=lambda: answers.append(
        gateway.query("{ slow }", cookie=cookie)))
    count = len(backend.seen())
    thread.start()
    assert gateways.wait_until(lambda: len(backend.seen()) > count)
    result = during()
    thread.join(20)
    return answers[0], result


def test_late_query_answer_keeps_the_cookie_of_a_login(gateway, backend, user):
    """U35: a login during a slow query with an invalid cookie. The late answer
    must not clear the new cookie."""
    answer, cookie = slow_query(gateway, backend, INVALID,
                                lambda: gateway.cookie_for(user))
    assert answer.status == 200 and answer.all("set-cookie") == []
    assert gateway.session(cookie=cookie)["name"] == user.email


def test_session_that_ends_during_a_query_is_not_renewed(start, backend, user):
    """The renewal checks the session again before it sets the cookie."""
    gateway = start(POSTERN_IDLE_TIMEOUT="4s")
    cookie = gateway.cookie_for(user)
    assert gateways.wait_until(  # until a renewal is due
        lambda: gateway.get("/session", cookie=cookie).all("set-cookie"),
        3, 0.3)
    answer, _ = slow_query(gateway, backend, cookie, lambda: None)
    assert answer.status == 200 and cookie_of(answer)[1]
    answer, _ = slow_query(gateway, backend, cookie, lambda: gateway.post(
        "/logout", cookie=cookie))
    assert answer.status == 200 and answer.all("set-cookie") == []


def test_session_with_touch_0_does_not_renew(start, user):
    """U38: /session?touch=0 does not restart the idle timeout."""
    gateway = start(POSTERN_IDLE_TIMEOUT="2s")
    cookie = gateway.cookie_for(user)

    def has_ended():
        answer = gateway.get("/session?touch=0", cookie=cookie)
        assert answer.status == 200
        assert not any(value for _, value, _ in cookies_of(answer))
        return answer.json["data"]["session"] is None
    assert gateways.wait_until(has_ended, 6, 0.3)


# --- guest cookies ------------------------------------------------------------


def test_guest_cookie_has_its_own_name_and_key(shop):
    guest = guest_of(shop)
    assert shop.session(cookie=f"{GUEST}={guest}")["guest"] is True
    # A guest cookie is not accepted under the session cookie's name (R13).
    assert shop.session(cookie=f"{COOKIE}={guest}") is None


@pytest.mark.parametrize("by", ["json", "form"])
def test_login_keeps_the_guests_cart(shop, by):
    """U28, L25: the login request contains the guest's token; then the guest
    session ends and its cookie is cleared."""
    account = shop.backend.register()
    client = dialect.GatewayClient(shop, "cookie")
    cart = client.add()
    guest = client.credential
    answer = client.log_in(account, by)
    assert GUEST in cleared(answer)
    assert client.credential.startswith(COOKIE + "=")
    assert client.active()["code"] == cart["code"]
    assert shop.session(cookie=guest) is None  # a copy of the cookie


def test_session_cookie_takes_precedence_over_guest_cookie(shop):
    """A late answer to a guest can leave both cookies in the browser. The
    session cookie is used, in any order; the guest cookie stays unchanged."""
    account = shop.backend.register()
    answer = shop.log_in(account)
    user, guest = cookie_of(answer)[1], guest_of(shop)
    for line in (f"{COOKIE}={user}; {GUEST}={guest}",
                 f"{GUEST}={guest}; {COOKIE}={user}"):
        answer = shop.get("/session", cookie=line)
        assert answer.json["data"]["session"]["name"] == account.email
        assert answer.all("set-cookie") == []
    # With an invalid session cookie, the guest cookie is used.
    answer = shop.get("/session", cookie=f"{COOKIE}={INVALID}; {GUEST}={guest}")
    assert answer.json["data"]["session"]["guest"] is True
    assert cleared(answer) == {COOKIE}
    # A login with both cookies ends both sessions.
    line = f"{COOKIE}={user}; {GUEST}={guest}"
    answer = shop.post("/login", {"email": account.email,
                                  "password": account.password}, cookie=line)
    assert answer.status == 200 and GUEST in cleared(answer)
    assert shop.session(cookie=user) is None
    assert shop.session(cookie=f"{GUEST}={guest}") is None


def test_logout_ends_session_and_guest_session(shop):
    account = shop.backend.register()
    user, guest = cookie_of(shop.log_in(account))[1], guest_of(shop)
    answer = shop.post("/logout", cookie=f"{COOKIE}={user}; {GUEST}={guest}")
    assert answer.status == 200 and cleared(answer) == {COOKIE, GUEST}
    assert shop.session(cookie=user) is None
    assert shop.session(cookie=f"{GUEST}={guest}") is None


def test_cross_site_request_sets_only_a_guest_cookie(shop):
    """A cross-site request lacks the session cookie (SameSite), so the shop
    starts a guest session. It must not overwrite the session cookie."""
    answer = shop.get("/query?query=%7BactiveOrder%7Bcode%7D%7D", headers=[
        ("Sec-Fetch-Site", "cross-site")])
    assert answer.status == 200
    assert all(name == GUEST for name, _, _ in cookies_of(answer))


# --- cookie and bearer --------------------------------------------------------


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


def test_same_origin_login_returns_only_the_cookie(both, user):
    answer = log_in(both, user, ("Sec-Fetch-Site", "same-origin"))
    assert cookie_of(answer)[1] and answer.get("vendure-auth-token") is None
    answer = log_in(both, user)
    assert cookie_of(answer)[1] and answer.get("vendure-auth-token")
    answer = log_in(both, user, ("Authorization", "Bearer"))
    assert answer.all("set-cookie") == []
    assert answer.get("vendure-auth-token")


def test_empty_bearer_is_an_anonymous_request(both, user):
    cookie = both.cookie_for(user)
    for empty in ("Bearer", "bearer "):
        answer = both.get("/session", cookie=cookie,
                          headers=[("Authorization", empty)])
        assert answer.json == {"data": {"session": None}}
        assert answer.get("www-authenticate") is None
        assert answer.all("set-cookie") == []


def test_invalid_bearer_is_replaced_by_an_anonymous_token(both):
    """lighttpd drops an empty header, which would clear the token. So the client
    gets a token that names no account."""
    answer = both.get("/session", bearer=INVALID)
    assert answer.status == 401
    assert 'error="invalid_token"' in answer.get("www-authenticate")
    anonymous = answer.get("vendure-auth-token")
    assert "upstream" not in both.open_token(anonymous)
    session = both.session(bearer=anonymous)
    assert session["guest"] is True and session["subject"] is None
    assert both.query(bearer=anonymous).json == {"data": {"me": None}}
    assert "authorization" not in both.backend.seen()[-1]["names"]


# --- cross-site ----------------------------------------------------------------


@pytest.mark.parametrize("site, status", [
    ("same-origin", 303), ("none", 403), ("same-site", 403),
    ("cross-site", 403), (None, 403)])
def test_form_with_origin_null(gateway, user, site, status):
    """U30: Origin: null is accepted only with Sec-Fetch-Site: same-origin. A
    page with Referrer-Policy: no-referrer sends that."""
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
def test_multipart_with_a_cookie_needs_a_preflight_header(
        gateway, backend, user, headers, status):
    """R47, L42: a form of another site can send multipart. 415 comes from the
    backend: it got the request."""
    cookie = gateway.cookie_for(user)
    backend.forget()
    answer = gateway.send("POST", "/query", OPERATIONS, [
        MULTIPART, ("Cookie", f"{COOKIE}={cookie}"), *headers])
    assert answer.status == status, answer
    assert bool(backend.seen()) == (status == 415)
    if status == 403:
        assert answer.code == "CROSS_SITE"
        assert "event=cross-site-refused" in gateway.log
    # Without a cookie it passes; this backend accepts no uploads.
    assert gateway.send("POST", "/query", OPERATIONS,
                        [MULTIPART]).code != "CROSS_SITE"


def test_invalid_bearer_does_not_allow_cross_site(start_own, user):
    gateway = start_own(POSTERN_TOKEN_METHOD="cookie,bearer",
                        POSTERN_DEAD_BEARER="guest")
    bearer = log_in(gateway, user).get("vendure-auth-token")
    cross = ("Sec-Fetch-Site", "cross-site")
    answer = gateway.query(bearer=INVALID, headers=[cross])
    assert answer.status == 403 and answer.code == "CROSS_SITE"
    answer = gateway.query(bearer=bearer, headers=[cross])
    assert answer.json["data"]["me"]["email"] == user.email
    assert gateway.query(bearer=INVALID).status == 200  # not a browser


@pytest.mark.parametrize("origin", ["https://app.example",
                                    "capacitor://localhost"])
def test_cors_headers_on_every_answer(both, origin):
    """U7, U37: a listed origin can read every answer, errors too, and the token
    and Retry-After headers."""
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
def test_check_rejects_invalid_origins(start_own, value):
    gateway = start_own()
    done = gateway.postern("check")
    assert done.returncode == 0, done.stderr
    gateway.environment["POSTERN_ORIGINS"] = value
    done = gateway.postern("check")
    assert done.returncode != 0 and b"POSTERN_ORIGINS" in done.stderr + done.stdout
    del gateway.environment["POSTERN_ORIGINS"]


# --- HEAD and 401 --------------------------------------------------------------


@pytest.mark.parametrize("path", ["/login", "/logout", "/session"])
def test_head_equals_get_without_a_body(gateway, user, path):
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
    """RFC 9110 section 15.5.2. No browser prompts for a password with this
    scheme."""
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


def test_cookies_with_other_names_are_not_cleared(gateway):
    """U16: a request without our cookie gets no Set-Cookie."""
    for line in (None, f"a={INVALID}", f"{COOKIE.lower()}={INVALID}",
                 f"{COOKIE}x={INVALID}",
                 f"a={secrets.token_hex(8)}; {COOKIE}-guests=z"):
        for answer in (gateway.get("/session", cookie=line),
                       gateway.get("/login", cookie=line),
                       gateway.query(ME, cookie=line)):
            assert answer.all("set-cookie") == [], line
