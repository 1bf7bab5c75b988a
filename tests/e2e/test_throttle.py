# SPDX-License-Identifier: ISC
"""How often a password may be guessed (design 2.5)."""

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


@pytest.fixture(name="narrow", scope="module")
def narrow_fixture(start, store):
    """Three guesses at an account; an address has more."""
    return start(POSTERN_LOGIN_PER_ACCOUNT="3/1h",
                 POSTERN_LOGIN_PER_ADDRESS="1000/1h", **store)


@pytest.fixture(name="few", scope="module")
def few_fixture(start):
    """Four guesses from an address; an account has more."""
    return start(POSTERN_LOGIN_PER_ACCOUNT="1000/1h",
                 POSTERN_LOGIN_PER_ADDRESS="4/1h")


@pytest.fixture(name="account")
def account_fixture(backend):
    return backend.register()


def address():
    """One that nobody has had before."""
    return "2001:db8:%x:%x::1" % (secrets.randbits(16), secrets.randbits(16))


def by_json(gateway, email, password, where, program="login", **more):
    body = json.dumps({"email": email, "password": password}).encode()
    return gateway.direct(program, "POST", "", body, REMOTE_ADDR=where,
                          CONTENT_TYPE="application/json", **more)


def by_form(gateway, email, password, where, **more):
    from urllib.parse import urlencode
    body = urlencode({"email": email, "password": password}).encode()
    return gateway.direct(
        "login", "POST", "", body, REMOTE_ADDR=where,
        CONTENT_TYPE="application/x-www-form-urlencoded", **more)


def by_graphql(gateway, email, password, where, program="login", **more):
    body = json.dumps({"query": LOGIN, "variables": {
        "email": email, "password": password}}).encode()
    return gateway.direct(program, "POST", "", body, REMOTE_ADDR=where,
                          CONTENT_TYPE="application/json", **more)


def by_query(gateway, email, password, where, **more):
    return by_graphql(gateway, email, password, where, "query", **more)


WAYS = [by_json, by_form, by_graphql, by_query]


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


@pytest.mark.parametrize("way", WAYS)
def test_guesses_at_an_account_are_counted(narrow, backend, account, way):
    """From wherever they come, in whatever spelling of the name."""
    names = [account.email, account.email.upper(), " " + account.email]
    for name in names:
        answer = way(narrow, name, "wrong", address())
        assert answer.status in (200, 401), answer.stdout
    backend.forget()
    for password in ("wrong", account.password):
        assert_throttled(way(narrow, account.email, password, address()))
    assert backend.seen() == []  # it is not even asked
    assert "login-throttled" in narrow.log


def test_the_ways_share_one_budget(narrow, account):
    for way in WAYS[:3]:
        assert way(narrow, account.email, "wrong",
                   address()).status in (200, 401)
    for way in WAYS:
        assert_throttled(way(narrow, account.email, "wrong", address()))


def test_throttled_form_says_so(narrow, account):
    for _ in range(3):
        by_form(narrow, account.email, "wrong", address())
    answer = by_form(narrow, account.email, "wrong", address())
    assert_throttled(answer)
    assert b"too many attempts" in answer.body and b"<form" in answer.body
    assert account.email.encode() in answer.body


def test_an_account_more_is_none_the_worse(narrow, backend, account):
    where = address()
    for _ in range(4):
        by_json(narrow, account.email, "wrong", where)
    other = backend.register()
    assert by_json(narrow, other.email, other.password, where).status == 200


@pytest.mark.parametrize("way", WAYS)
def test_success_gives_back_its_own_and_no_more(narrow, account, way):
    """L58: or whoever owns a look-alike's account frees the victim's."""
    for _ in range(2):
        way(narrow, account.email, "wrong", address())
    for _ in range(4):
        answer = way(narrow, account.email, account.password, address())
        assert answer.status in (200, 303), answer.stdout
        assert is_session_set(answer)
    assert way(narrow, account.email, "wrong", address()).status in (200, 401)
    assert_throttled(way(narrow, account.email, account.password, address()))


@pytest.mark.parametrize("way", WAYS)
def test_lookalikes_share_one_budget(narrow, account, way):
    """L58: a backend may take them all for one account."""
    lookalikes = [account.email.replace("@", "\u200b@"),
                  account.email.replace("e", "\u00e9"),
                  "".join(chr(ord(c) + 0xFEE0) for c in account.email)]
    for name in lookalikes:
        assert way(narrow, name, "wrong", address()).status in (200, 401)
    assert_throttled(way(narrow, account.email, account.password, address()))


def test_only_failures_count(narrow, account):
    for _ in range(8):
        assert by_json(narrow, account.email, account.password,
                       address()).status == 200


@pytest.mark.parametrize("way", WAYS)
def test_a_backend_that_is_down_is_no_guess(start_own, account, way):
    """It has not heard of any."""
    nobody = gateways.free_port()
    gateway = start_own(POSTERN_LOGIN_PER_ACCOUNT="3/1h",
                        POSTERN_UPSTREAM=f"http://127.0.0.1:{nobody}/")
    for _ in range(6):
        answer = way(gateway, account.email, "wrong", address())
        assert answer.status == 502, answer.stdout


UNFIT = json.dumps({"errors": [{
    "message": 'Cannot query field "ttl" on type "Login".',
    "locations": [{"line": 1, "column": 5}]}]})


@pytest.mark.parametrize("way", WAYS)
def test_a_document_that_does_not_fit_is_no_guess(narrow, backend, account,
                                                  way):
    """U42: no password was looked at; and it is no wrong one."""
    for _ in range(6):
        backend.next(status=400, body=UNFIT)
        answer = way(narrow, account.email, "wrong", address())
        assert answer.status == 502, answer.stdout
    assert "does not fit the backend's schema" in narrow.log
    assert is_session_set(way(narrow, account.email, account.password,
                              address()))


@pytest.mark.parametrize("canned", [
    dict(status=503, body="no"), dict(status=401, body="no", headers=[
        ["Content-Type", "text/plain"]]), dict(close=True)],
    ids=["503", "401 without JSON", "hangs up"])
@pytest.mark.parametrize("way", WAYS)
def test_whatever_was_heard_is_a_guess(narrow, backend, account, way, canned):
    """L59: the backend may have said by it that the password was wrong."""
    for _ in range(3):
        backend.next(**canned)
        answer = way(narrow, account.email, "wrong", address())
        assert answer.status == (401 if "headers" in canned else 502)
    assert_throttled(way(narrow, account.email, account.password, address()))


@pytest.mark.parametrize("program", ["login", "query"])
def test_who_hangs_up_has_had_the_guess(narrow, backend, account, program):
    """The backend may have heard it, and a cart that moved would tell."""
    body = json.dumps({"query": LOGIN, "variables": {
        "email": account.email, "password": "wrong"}}).encode()
    for _ in range(3):
        backend.forget()
        backend.next(delay=2, body="{}")
        gone = narrow.log.count("PST_CLIENT_GONE")
        with fcgi.Connection(narrow.socket_of(program)) as line:
            line.start(fcgi.params("POST", "", body, REMOTE_ADDR=address(),
                                   CONTENT_TYPE="application/json"))
            line.feed(body)
            assert gateways.wait_until(backend.seen)
        assert gateways.wait_until(
            lambda: narrow.log.count("PST_CLIENT_GONE") > gone)
    backend.forget()
    assert_throttled(by_json(narrow, account.email, "wrong", address()))


@pytest.mark.parametrize("way", WAYS)
def test_a_known_device_is_not_locked_out(narrow, account, way):
    """By an attacker who keeps guessing; it has a budget of its own."""
    answer = narrow.post("/login", {
        "email": account.email, "password": account.password,
        "rememberMe": True})
    cookie = http_client.cookie_of(answer)[1]
    device = http_client.device_of(answer)
    narrow.private.add(device)
    known = {"HTTP_COOKIE": f"__Host-Http-session-device={device}"}
    for _ in range(5):
        answer = way(narrow, account.email, "wrong", address())
    assert_throttled(answer)
    assert_throttled(way(narrow, account.email, account.password, address()))
    # A session is no device, and a device no session.
    assert_throttled(way(narrow, account.email, account.password, address(),
                         HTTP_COOKIE=f"__Host-Http-session={cookie}"))
    assert narrow.session(cookie=known["HTTP_COOKIE"]) is None
    # It outlives the session, and a logout leaves it alone.
    answer = narrow.post("/logout", cookie=f"__Host-Http-session={cookie}; "
                         + known["HTTP_COOKIE"])
    assert answer.status == 200
    assert not any("-device" in line for line in answer.all("Set-Cookie"))
    for _ in range(2):
        assert way(narrow, account.email, "wrong", address(),
                   **known).status in (200, 401)
    assert is_session_set(way(narrow, account.email, account.password,
                              address(), **known))
    for _ in range(3):
        way(narrow, account.email, "wrong", address(), **known)
    assert_throttled(way(narrow, account.email, account.password, address(),
                         **known))


@pytest.mark.parametrize("way", WAYS)
def test_a_device_is_known_for_its_own_account_alone(narrow, backend, account,
                                                      way):
    """Or its owner could guess at everybody's password."""
    mallory = backend.register()
    answer = narrow.post("/login", {
        "email": mallory.email, "password": mallory.password,
        "rememberMe": True})
    known = {"HTTP_COOKIE":
             f"__Host-Http-session-device={http_client.device_of(answer)}"}
    for _ in range(3):
        way(narrow, account.email, "wrong", address())
    assert_throttled(way(narrow, account.email, "wrong", address(), **known))


# --- by address --------------------------------------------------------------


def test_guesses_from_an_address_are_counted(few, backend, account):
    where = "203.0.113.%d" % (1 + secrets.randbelow(250))
    for _ in range(4):
        assert by_json(few, secrets.token_hex(6) + "@example.com", "wrong",
                       where).status == 401
    for way in WAYS:
        assert_throttled(way(few, account.email, account.password, where))
    assert by_json(few, account.email, account.password,
                   address()).status == 200


def test_an_ipv6_network_is_one_address(few, account):
    network = address()[:-3]
    for n in range(4):
        by_json(few, secrets.token_hex(6) + "@example.com", "wrong",
                f"{network}::{n + 1:x}")
    assert_throttled(by_json(few, account.email, account.password,
                             f"{network}:9:8:7:6"))
    assert by_json(few, account.email, account.password,
                   address()).status == 200


@pytest.fixture(name="behind", scope="module")
def behind_fixture(start):
    """Four guesses from an address, behind proxies of 10.0.0.0/8."""
    return start(POSTERN_LOGIN_PER_ACCOUNT="1000/1h",
                 POSTERN_LOGIN_PER_ADDRESS="4/1h",
                 POSTERN_TRUSTED_PROXIES="10.0.0.0/8, 2001:db8:ffff::1")


def guess(gateway, peer, forwarded):
    return by_json(gateway, secrets.token_hex(6) + "@example.com", "wrong",
                   peer, HTTP_X_FORWARDED_FOR=forwarded).status


def test_the_client_behind_a_proxy_is_counted(behind):
    client = address()
    for n in range(4):
        assert guess(behind, f"10.0.0.{n}", f"192.0.2.{n}, {client}") == 401
    assert guess(behind, "2001:db8:ffff::1", client) == 429
    assert guess(behind, "10.0.0.1", f"{client}, {address()}") == 401
    # From another address the header is anybody's word.
    for _ in range(4):
        assert guess(behind, "203.0.113.250", address()) == 401
    assert guess(behind, "203.0.113.250", address()) == 429


def test_a_proxy_that_is_not_known_is_told_once(start_own, account):
    gateway = start_own(POSTERN_LOGIN_PER_ADDRESS="1000/1h")
    for _ in range(60):
        assert guess(gateway, "10.9.9.9", address()) == 401
    assert gateway.log.count("event=single-client-address") == 1
    assert "POSTERN_TRUSTED_PROXIES" in gateway.log


PERSISTED = json.dumps({"extensions": {"persistedQuery": {
    "version": 1, "sha256Hash": "0" * 64}}}).encode()


def multipart(text):
    return (b'--X\r\nContent-Disposition: form-data; name="operations"\r\n\r\n'
            + text + b"\r\n--X--\r\n", "multipart/form-data; boundary=X")


def hidden_login(how, account):
    """A login that cannot be looked into; (body, type)."""
    login = json.dumps({"query": LOGIN, "variables": {
        "email": account.email, "password": "wrong"}}).encode()
    if how == "persisted":
        return PERSISTED, "application/json"
    if how == "multipart":
        return multipart(login)
    raise ValueError(how)


@pytest.mark.parametrize("how, status", [("persisted", 200),
                                         ("multipart", 400)])
def test_what_cannot_be_looked_into_is_no_login(few, backend, account, how,
                                                status):
    """L55: answered by us, so that nothing can be guessed with it."""
    where = address()
    body, kind = hidden_login(how, account)
    backend.forget()
    for _ in range(7):
        answer = few.direct("query", "POST", "", body, REMOTE_ADDR=where,
                            CONTENT_TYPE=kind)
        assert answer.status == status
        assert b"et-Cookie" not in answer.stdout
    assert backend.seen() == []
    assert by_json(few, account.email, account.password, where).status == 200


def test_gzip_hides_no_account(narrow, backend, account):
    """A login that is encoded counts for the account that it names."""
    body = gzip.compress(json.dumps({"query": LOGIN, "variables": {
        "email": account.email, "password": "wrong"}}).encode())
    statuses = []
    for _ in range(5):
        backend.next(body='{"errors":[{"message":"no"}]}', headers=[
            ["Content-Type", "application/json"]])
        statuses.append(narrow.direct(
            "query", "POST", "", body, REMOTE_ADDR=address(),
            CONTENT_TYPE="application/json",
            HTTP_CONTENT_ENCODING="gzip").status)
    backend.send("DELETE", "/_seen")
    assert statuses == [200] * 3 + [429] * 2
    assert_throttled(by_json(narrow, account.email, account.password,
                             address()))


def test_what_is_no_login_does_not_count(few, backend, account):
    """Whatever its answer looks like, its own text or a hash of it."""
    where = address()
    text = "{ login: me { secret: email } }"
    extensions = {"persistedQuery": {
        "version": 1,
        "sha256Hash": hashlib.sha256(text.encode()).hexdigest()}}
    for n in range(7):
        backend.next(body='{"data":{"login":{"secret":"x"}},"errors":[{}]}',
                     headers=[["Content-Type", "application/json"]])
        body = json.dumps({"extensions": extensions,
                           **({} if n % 2 else {"query": text})}).encode()
        answer = few.direct("query", "POST", "", body, REMOTE_ADDR=where,
                            CONTENT_TYPE="application/json")
        assert answer.status == 200, answer.stdout
        assert b"et-Cookie" not in answer.stdout
    assert by_json(few, account.email, account.password, where).status == 200
    backend.send("DELETE", "/_seen")


def test_off_is_off(start, backend, account):
    gateway = start(POSTERN_LOGIN_PER_ACCOUNT="off",
                    POSTERN_LOGIN_PER_ADDRESS="off")
    for _ in range(120):
        backend.next(body='{"errors":[{"message":"no"}]}', headers=[
            ["Content-Type", "application/json"]])
        assert by_json(gateway, account.email, "wrong",
                       "192.0.2.1").status == 401


def test_the_default_is_ten_in_a_quarter_of_an_hour(start, account):
    """R66"""
    gateway = start(POSTERN_LOGIN_PER_ACCOUNT=None,
                    POSTERN_LOGIN_PER_ADDRESS=None)
    statuses = [by_json(gateway, account.email, "wrong", address()).status
                for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert 1 <= int(by_json(gateway, account.email, "wrong", address())
                    .header("Retry-After")) <= 90


def test_a_hundred_failures_in_a_row_are_the_end(few, account):
    """R66, however much the rate allows"""
    statuses = [by_json(few, account.email, "wrong", address()).status
                for _ in range(102)]
    assert statuses == [401] * 100 + [429] * 2
    answer = by_json(few, account.email, account.password, address())
    assert_throttled(answer)
    assert 7 * 3600 < int(answer.header("Retry-After")) <= 7.2 * 3600


def test_many_at_once_pass_no_more(narrow, account):
    """N guesses at the same moment, in as many connections."""
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(
            lambda _: by_json(narrow, account.email, "wrong",
                              address()).status, range(40)))
    assert sorted(statuses) == [401] * 3 + [429] * 37
