# SPDX-License-Identifier: ISC
"""The rate limits of login attempts (design 2.5)."""

import gzip
import hashlib
import json
import secrets

import fcgi
import gateway as gateways
import http_client
import pytest

LOGIN = """mutation OwnerLogin($email: String!, $password: String!) {
    login(email: $email, password: $password) { secret ttl email ownerId }}"""


@pytest.fixture(name="per_account", scope="module")
def per_account_fixture(start, store):
    """Three attempts for an account; the limit for an address is higher."""
    return start(POSTERN_LOGIN_PER_ACCOUNT="3/1h",
                 POSTERN_LOGIN_PER_ADDRESS="1000/1h", **store)


@pytest.fixture(name="per_address", scope="module")
def per_address_fixture(start):
    """Four attempts from an address; the limit for an account is higher."""
    return start(POSTERN_LOGIN_PER_ACCOUNT="1000/1h",
                 POSTERN_LOGIN_PER_ADDRESS="4/1h")


@pytest.fixture(name="account")
def account_fixture(backend):
    return backend.register()


def address():
    """A random client address, which no other test uses."""
    return "2001:db8:%x:%x::1" % (secrets.randbits(16), secrets.randbits(16))


def by_json(gateway, email, password, client, program="login", **more):
    body = json.dumps({"email": email, "password": password}).encode()
    return gateway.direct(program, "POST", "", body, REMOTE_ADDR=client,
                          CONTENT_TYPE="application/json", **more)


def by_form(gateway, email, password, client, **more):
    from urllib.parse import urlencode
    body = urlencode({"email": email, "password": password}).encode()
    return gateway.direct(
        "login", "POST", "", body, REMOTE_ADDR=client,
        CONTENT_TYPE="application/x-www-form-urlencoded", **more)


def by_graphql(gateway, email, password, client, program="login", **more):
    body = json.dumps({"query": LOGIN, "variables": {
        "email": email, "password": password}}).encode()
    return gateway.direct(program, "POST", "", body, REMOTE_ADDR=client,
                          CONTENT_TYPE="application/json", **more)


def by_query(gateway, email, password, client, **more):
    return by_graphql(gateway, email, password, client, "query", **more)


LOGINS = [by_json, by_form, by_graphql, by_query]


def is_session_set(answer):
    return any(line.startswith("__Host-Http-session=ey")
               for line in answer.all("Set-Cookie"))


def assert_throttled(answer):
    assert answer.status == 429, answer.stdout
    assert int(answer.header("Retry-After")) > 0
    for line in answer.all("Set-Cookie"):
        assert "=;" in line  # cleared, at most
    if b"json" in answer.header("Content-Type").encode():
        assert b"TOO_MANY_ATTEMPTS" in answer.body


@pytest.mark.parametrize("login", LOGINS)
def test_attempts_for_an_account_are_limited(per_account, backend, account,
                                             login):
    """From any address, with any spelling of the name."""
    names = [account.email, account.email.upper(), " " + account.email]
    for name in names:
        answer = login(per_account, name, "wrong", address())
        assert answer.status in (200, 401), answer.stdout
    backend.forget()
    for password in ("wrong", account.password):
        assert_throttled(login(per_account, account.email, password,
                               address()))
    assert backend.seen() == []  # no request is sent to it
    assert "login-throttled" in per_account.log


def test_all_kinds_of_login_share_one_limit(per_account, account):
    for login in LOGINS[:3]:
        assert login(per_account, account.email, "wrong",
                     address()).status in (200, 401)
    for login in LOGINS:
        assert_throttled(login(per_account, account.email, "wrong", address()))


def test_throttled_form_shows_the_reason(per_account, account):
    for _ in range(3):
        by_form(per_account, account.email, "wrong", address())
    answer = by_form(per_account, account.email, "wrong", address())
    assert_throttled(answer)
    assert b"Too many attempts" in answer.body and b"<form" in answer.body
    assert account.email.encode() in answer.body


def test_other_account_is_not_limited(per_account, backend, account):
    client = address()
    for _ in range(4):
        by_json(per_account, account.email, "wrong", client)
    other = backend.register()
    assert by_json(per_account, other.email, other.password,
                   client).status == 200


@pytest.mark.parametrize("login", LOGINS)
def test_success_refunds_its_own_attempt_only(per_account, account, login):
    """L58: otherwise the owner of an account with a similar name could reset
    the victim's limit."""
    for _ in range(2):
        login(per_account, account.email, "wrong", address())
    for _ in range(4):
        answer = login(per_account, account.email, account.password, address())
        assert answer.status in (200, 303), answer.stdout
        assert is_session_set(answer)
    assert login(per_account, account.email, "wrong",
                 address()).status in (200, 401)
    assert_throttled(login(per_account, account.email, account.password,
                           address()))


@pytest.mark.parametrize("login", LOGINS)
def test_similar_names_share_one_limit(per_account, account, login):
    """L58: a backend may map all of them to one account."""
    similar_names = [account.email.replace("@", "\u200b@"),
                     account.email.replace("e", "\u00e9"),
                     "".join(chr(ord(c) + 0xFEE0) for c in account.email)]
    for name in similar_names:
        assert login(per_account, name, "wrong", address()).status in (200,
                                                                       401)
    assert_throttled(login(per_account, account.email, account.password,
                           address()))


def test_successful_logins_do_not_count(per_account, account):
    for _ in range(8):
        assert by_json(per_account, account.email, account.password,
                       address()).status == 200


@pytest.mark.parametrize("login", LOGINS)
def test_attempt_does_not_count_if_the_backend_is_down(
        start_own, account, login):
    """The backend received no request."""
    gateway = start_own(POSTERN_LOGIN_PER_ACCOUNT="3/1h",
                        POSTERN_UPSTREAM=f"http://127.0.0.1:{gateways.closed_port()}/")
    for _ in range(6):
        answer = login(gateway, account.email, "wrong", address())
        assert answer.status == 502, answer.stdout


INVALID_DOCUMENT = json.dumps({"errors": [{
    "message": 'Cannot query field "ttl" on type "Login".',
    "locations": [{"line": 1, "column": 5}]}]})


@pytest.mark.parametrize("login", LOGINS)
def test_attempt_does_not_count_if_the_document_is_invalid(
        per_account, backend, account, login):
    """U42: the backend did not check the password."""
    for _ in range(6):
        backend.next(status=400, body=INVALID_DOCUMENT)
        answer = login(per_account, account.email, "wrong", address())
        assert answer.status == 502, answer.stdout
    assert "does not fit the backend's schema" in per_account.log
    assert is_session_set(login(per_account, account.email, account.password,
                                address()))


@pytest.mark.parametrize("canned", [
    dict(status=503, body="no"), dict(status=401, body="no", headers=[
        ["Content-Type", "text/plain"]]), dict(close=True)],
                         ids=["503", "401 without JSON", "connection closed"])
@pytest.mark.parametrize("login", LOGINS)
def test_attempt_counts_after_any_answer_of_the_backend(
        per_account, backend, account, login, canned):
    """L59: any answer may mean that the password is wrong."""
    for _ in range(3):
        backend.next(**canned)
        answer = login(per_account, account.email, "wrong", address())
        assert answer.status == (401 if "headers" in canned else 502)
    assert_throttled(login(per_account, account.email, account.password,
                           address()))


@pytest.mark.parametrize("program", ["login", "query"])
def test_attempt_counts_if_the_client_disconnects(
        per_account, backend, account, program):
    """The backend may have checked the password, and the client could learn
    the result from its cart."""
    body = json.dumps({"query": LOGIN, "variables": {
        "email": account.email, "password": "wrong"}}).encode()
    for _ in range(3):
        backend.forget()
        backend.next(delay=2, body="{}")
        disconnects = per_account.log.count("PST_CLIENT_GONE")
        with fcgi.Connection(per_account.socket_of(program)) as line:
            line.start(fcgi.params("POST", "", body, REMOTE_ADDR=address(),
                                   CONTENT_TYPE="application/json"))
            line.feed(body)
            assert gateways.wait_until(backend.seen)
        assert gateways.wait_until(
            lambda: per_account.log.count("PST_CLIENT_GONE") > disconnects)
    backend.forget()
    assert_throttled(by_json(per_account, account.email, "wrong", address()))


@pytest.mark.parametrize("login", LOGINS)
def test_known_device_has_its_own_limit(per_account, account, login):
    """An attacker cannot lock the owner out on a known device."""
    answer = per_account.post("/login", {
        "email": account.email, "password": account.password,
        "rememberMe": True})
    cookie = http_client.cookie_of(answer)[1]
    device = http_client.device_of(answer)
    per_account.private.add(device)
    known = {"HTTP_COOKIE": f"__Host-Http-session-device={device}"}
    for _ in range(5):
        answer = login(per_account, account.email, "wrong", address())
    assert_throttled(answer)
    assert_throttled(login(per_account, account.email, account.password,
                           address()))
    # Session cookie and device cookie are not interchangeable.
    assert_throttled(login(per_account, account.email, account.password,
                           address(),
                           HTTP_COOKIE=f"__Host-Http-session={cookie}"))
    assert per_account.session(cookie=known["HTTP_COOKIE"]) is None
    # A logout keeps the device cookie.
    answer = per_account.post("/logout",
                              cookie=f"__Host-Http-session={cookie}; "
                              + known["HTTP_COOKIE"])
    assert answer.status == 200
    assert not any("-device" in line for line in answer.all("Set-Cookie"))
    for _ in range(2):
        assert login(per_account, account.email, "wrong", address(),
                     **known).status in (200, 401)
    assert is_session_set(login(per_account, account.email, account.password,
                                address(), **known))
    for _ in range(3):
        login(per_account, account.email, "wrong", address(), **known)
    assert_throttled(login(per_account, account.email, account.password,
                           address(),
                           **known))


@pytest.mark.parametrize("login", LOGINS)
def test_known_device_is_valid_for_its_account_only(
        per_account, backend, account, login):
    """Its owner gets no more attempts for other accounts."""
    mallory = backend.register()
    answer = per_account.post("/login", {
        "email": mallory.email, "password": mallory.password,
        "rememberMe": True})
    known = {"HTTP_COOKIE":
             f"__Host-Http-session-device={http_client.device_of(answer)}"}
    for _ in range(3):
        login(per_account, account.email, "wrong", address())
    assert_throttled(login(per_account, account.email, "wrong", address(),
                           **known))


# --- by address --------------------------------------------------------------


def test_attempts_from_an_address_are_limited(per_address, backend, account):
    client = "203.0.113.%d" % (1 + secrets.randbelow(250))
    for _ in range(4):
        assert by_json(per_address, secrets.token_hex(6) + "@example.com",
                       "wrong",
                       client).status == 401
    for login in LOGINS:
        assert_throttled(login(per_address, account.email, account.password,
                               client))
    assert by_json(per_address, account.email, account.password,
                   address()).status == 200


def test_ipv6_network_counts_as_one_address(per_address, account):
    network = address()[:-3]
    for n in range(4):
        by_json(per_address, secrets.token_hex(6) + "@example.com", "wrong",
                f"{network}::{n + 1:x}")
    assert_throttled(by_json(per_address, account.email, account.password,
                             f"{network}:9:8:7:6"))
    assert by_json(per_address, account.email, account.password,
                   address()).status == 200


@pytest.fixture(name="behind_proxy", scope="module")
def behind_proxy_fixture(start):
    """Four attempts from an address, behind proxies of 10.0.0.0/8."""
    return start(POSTERN_LOGIN_PER_ACCOUNT="1000/1h",
                 POSTERN_LOGIN_PER_ADDRESS="4/1h",
                 POSTERN_TRUSTED_PROXIES="10.0.0.0/8, 2001:db8:ffff::1")


def login_via(gateway, peer, forwarded):
    return by_json(gateway, secrets.token_hex(6) + "@example.com", "wrong",
                   peer, HTTP_X_FORWARDED_FOR=forwarded).status


def test_client_behind_a_trusted_proxy_is_limited(behind_proxy):
    client = address()
    for n in range(4):
        assert login_via(behind_proxy, f"10.0.0.{n}",
                         f"192.0.2.{n}, {client}") == 401
    assert login_via(behind_proxy, "2001:db8:ffff::1", client) == 429
    assert login_via(behind_proxy, "10.0.0.1", f"{client}, {address()}") == 401
    # The header of an untrusted peer is ignored.
    for _ in range(4):
        assert login_via(behind_proxy, "203.0.113.250", address()) == 401
    assert login_via(behind_proxy, "203.0.113.250", address()) == 429


def test_probable_unknown_proxy_is_logged_once(start_own, account):
    gateway = start_own(POSTERN_LOGIN_PER_ADDRESS="1000/1h")
    for _ in range(60):
        assert login_via(gateway, "10.9.9.9", address()) == 401
    assert gateway.log.count("event=single-client-address") == 1
    assert "POSTERN_TRUSTED_PROXIES" in gateway.log


PERSISTED = json.dumps({"extensions": {"persistedQuery": {
    "version": 1, "sha256Hash": "0" * 64}}}).encode()


def multipart(text):
    return (b'--X\r\nContent-Disposition: form-data; name="operations"\r\n\r\n'
            + text + b"\r\n--X--\r\n", "multipart/form-data; boundary=X")


def unreadable_login(how, account):
    """(body, content type) of a login that Postern cannot inspect."""
    login = json.dumps({"query": LOGIN, "variables": {
        "email": account.email, "password": "wrong"}}).encode()
    if how == "persisted":
        return PERSISTED, "application/json"
    if how == "multipart":
        return multipart(login)
    raise ValueError(how)


@pytest.mark.parametrize("how, status", [("persisted", 200),
                                         ("multipart", 400)])
def test_unreadable_login_is_not_forwarded(per_address, backend, account, how,
                                           status):
    """L55: Postern answers itself, so that it is not an attempt."""
    client = address()
    body, kind = unreadable_login(how, account)
    backend.forget()
    for _ in range(7):
        answer = per_address.direct("query", "POST", "", body,
                                    REMOTE_ADDR=client,
                                    CONTENT_TYPE=kind)
        assert answer.status == status
        assert b"et-Cookie" not in answer.stdout
    assert backend.seen() == []
    assert by_json(per_address, account.email, account.password,
                   client).status == 200


def test_compressed_login_counts_for_its_account(
        per_account, backend, account):
    """The body has Content-Encoding: gzip."""
    body = gzip.compress(json.dumps({"query": LOGIN, "variables": {
        "email": account.email, "password": "wrong"}}).encode())
    statuses = []
    for _ in range(5):
        backend.next(body='{"errors":[{"message":"no"}]}', headers=[
            ["Content-Type", "application/json"]])
        statuses.append(per_account.direct(
            "query", "POST", "", body, REMOTE_ADDR=address(),
            CONTENT_TYPE="application/json",
            HTTP_CONTENT_ENCODING="gzip").status)
    backend.send("DELETE", "/_seen")
    assert statuses == [200] * 3 + [429] * 2
    assert_throttled(by_json(per_account, account.email, account.password,
                             address()))


def test_query_that_looks_like_a_login_does_not_count(
        per_address, backend, account):
    """The answer looks like one of a login; with the text or its hash."""
    client = address()
    text = "{ login: me { secret: email } }"
    extensions = {"persistedQuery": {
        "version": 1,
        "sha256Hash": hashlib.sha256(text.encode()).hexdigest()}}
    for n in range(7):
        backend.next(body='{"data":{"login":{"secret":"x"}},"errors":[{}]}',
                     headers=[["Content-Type", "application/json"]])
        body = json.dumps({"extensions": extensions,
                           **({} if n % 2 else {"query": text})}).encode()
        answer = per_address.direct("query", "POST", "", body,
                                    REMOTE_ADDR=client,
                                    CONTENT_TYPE="application/json")
        assert answer.status == 200, answer.stdout
        assert b"et-Cookie" not in answer.stdout
    assert by_json(per_address, account.email, account.password,
                   client).status == 200
    backend.send("DELETE", "/_seen")


def test_limits_can_be_switched_off(start, backend, account):
    gateway = start(POSTERN_LOGIN_PER_ACCOUNT="off",
                    POSTERN_LOGIN_PER_ADDRESS="off")
    for _ in range(120):
        backend.next(body='{"errors":[{"message":"no"}]}', headers=[
            ["Content-Type", "application/json"]])
        assert by_json(gateway, account.email, "wrong",
                       "192.0.2.1").status == 401


def test_default_is_ten_attempts_in_fifteen_minutes(start, account):
    """R66: the default limit of an account."""
    gateway = start(POSTERN_LOGIN_PER_ACCOUNT=None,
                    POSTERN_LOGIN_PER_ADDRESS=None)
    statuses = [by_json(gateway, account.email, "wrong", address()).status
                for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert 1 <= int(by_json(gateway, account.email, "wrong", address())
                    .header("Retry-After")) <= 90


def test_account_is_locked_after_a_hundred_failures(per_address, account):
    """R66: the maximum of consecutive failures, whatever the rate limit."""
    statuses = [by_json(per_address, account.email, "wrong", address()).status
                for _ in range(102)]
    assert statuses == [401] * 100 + [429] * 2
    answer = by_json(per_address, account.email, account.password, address())
    assert_throttled(answer)
    assert 7 * 3600 < int(answer.header("Retry-After")) <= 7.2 * 3600


def test_parallel_attempts_do_not_exceed_the_limit(per_account, account):
    """40 attempts at the same time, each in its own connection."""
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(
            lambda _: by_json(per_account, account.email, "wrong",
                              address()).status, range(40)))
    assert sorted(statuses) == [401] * 3 + [429] * 37
