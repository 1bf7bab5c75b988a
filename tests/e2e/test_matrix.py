# SPDX-License-Identifier: ISC
"""Any client with any backend: cookie, bearer or both, in front of a backend
that gives its token in a header, in cookies or in the body; and what Postern
makes of a shop in Vendure's dialect, case by case (design 2.1 and 2.6)."""

import hashlib
import json
import re
import urllib.parse

import gateway as gateways
import pytest
from dialect import (
    ACTIVE, ADD, BACKENDS, CLIENT_METHODS, HEADER, LOGIN, LOGOUT, ME, PRODUCTS,
    GatewayClient, Shop, ShopClient)

YEAR, MONTH = 365 * 86400, 30 * 86400
OURS = "https://app.example"
ORIGINS = OURS + ", https://other.example:8443"


@pytest.fixture(scope="module")
def shops():
    started = {method: Shop(method) for method in ("bearer", "cookie",
                                                   "both")}
    yield started
    for one in started.values():
        one.close()


@pytest.fixture(scope="module")
def gate(shops, backend, start):
    """gate(backend, methods, NAME=value…): the same is started only once."""
    gates = {}

    def gate(kind="bearer", methods="cookie", **more):
        key = (kind, methods, *sorted(more.items()))
        if key not in gates:
            gates[key] = start(backend=shops.get(kind, backend), **BACKENDS[
                kind], POSTERN_TOKEN_METHOD=methods, **more)
        gates[key].backend.forget()
        return gates[key]
    yield gate
    # The gateways look into their shops' data as they end.


@pytest.fixture(scope="module", autouse=True)
def end_in_order(shops, start):
    """Gateways before shops."""
    yield
    start.close()
    start.gateways.clear()


@pytest.fixture(params=list(CLIENT_METHODS))
def way(request):
    return CLIENT_METHODS[request.param]


@pytest.fixture(params=["bearer", "cookie"])
def kind(request):
    """Of the shop."""
    return request.param


def assert_dead(here, carrier, held):
    """No session any more, for whoever kept a copy: a dead bearer token is
    refused, or nobody's (POSTERN_DEAD_BEARER)."""
    copy = GatewayClient(here, carrier)
    copy.credential = held
    answer = copy.bypass_lighttpd().send("GET", "/session")
    assert copy.session_change == "cleared", answer
    if carrier == "cookie" or answer.status == 200:
        assert answer.json == {"data": {"session": None}}
    else:
        assert answer.status == 401


def real_answer(shop, client, query):
    """What the shop really says to a client of its own, to be canned."""
    answer = client.ask(query)
    return [[name, value] for name, value in answer.headers
            if name in (HEADER, "set-cookie")]


# The matrix ---------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["bearer", "cookie", "body"])
def test_any_client_with_any_backend(gate, way, kind):
    """Guest, cart, login, cart kept, query, a new token, logout."""
    methods, carrier = way
    here = gate(kind, methods)
    client, shop = GatewayClient(here, carrier), here.backend
    account = shop.register()
    if kind != "body":
        cart = client.add()
        assert client.session_change == "new" and client.session()["guest"] is True
        assert client.add()["totalQuantity"] == 2 and client.session_change is None
    answer = client.log_in(account)
    assert answer.status == 200 and client.session_change == "new"
    session = client.session()
    assert (session["name"], session["guest"]) == (account.email, False)
    me = "{ me { ownerId email } }" if kind == "body" else ME
    said = client.ask(me).json["data"]["me"]
    assert account.email in said.values() and client.session_change is None
    if kind != "body":
        assert client.active()["code"] == cart["code"]
        check_renewal(client, shop)
        assert client.log_in(account).status == 200
    held = client.credential
    assert client.session() is not None
    assert client.bypass_lighttpd().post("/logout").status == 200
    assert client.session_change == "cleared" and client.session() is None
    assert_dead(here, carrier, held)


def check_renewal(client, shop):
    """The backend says another token: the next request brings that one."""
    other = ShopClient(shop).log_in(shop.register())
    shop.next(status=200, headers=[["Content-Type", "application/json"]]
              + session_lines(shop, other), body='{"data":{"x":1}}')
    client.ask(PRODUCTS)
    assert client.session_change == "new"
    name = other.ask(ME).json["data"]["me"]["identifier"]
    assert client.ask(ME).json["data"]["me"]["identifier"] == name
    assert client.session_change is None and shop.last_token() == other.token
    # The backend was asked who that is (design 2.5).
    session = client.session()
    assert (session["name"], session["guest"]) == (name, False)


def session_lines(shop, client):
    """A session of the shop's as an answer would say it."""
    if shop.method != "cookie":
        return [[HEADER, client.token]]
    return [["Set-Cookie", part + "; path=/; samesite=lax; httponly"]
            for part in client.credential.split("; ")]


def test_a_backend_with_both_methods(gate, way):
    """Its header is what we follow; its cookies go nowhere."""
    methods, carrier = way
    here = gate("both", methods)
    client, account = GatewayClient(here, carrier), here.backend.register()
    cart = client.add()
    client.log_in(account)
    assert client.active()["code"] == cart["code"]
    assert "cookie" not in here.backend.seen()[-1]["header"]


# Guests -------------------------------------------------------------------------

@pytest.mark.parametrize("query", [
    ACTIVE, "{ activeCustomer { id } }",
    'mutation { addItemToOrder(productVariantId: 1, quantity: 1) {'
    ' __typename } }',
    'mutation { addItemToOrder(productVariantId: 999, quantity: 1) {'
    ' __typename } }',
    "{ me { id } activeOrder { id } }"])
def test_a_token_makes_a_guest(gate, kind, way, query):
    methods, carrier = way
    client = GatewayClient(gate(kind, methods), carrier)
    answer = client.ask(query)
    assert answer.status == 200 and client.session_change == "new"
    assert answer.get("cache-control") == "no-store"
    session = client.session()
    assert session["guest"] is True and session["secondsLeft"] > YEAR - 60
    if carrier == "cookie":
        assert YEAR - 60 <= client.max_age <= YEAR
    assert client.ask(query).status == 200 and client.session_change is None


@pytest.mark.parametrize("who", ["nobody", "guest", "customer"])
@pytest.mark.parametrize("query", [PRODUCTS, ME, "{ __typename }", "{ me",
                                   "{ nothing }"])
def test_what_changes_nothing_sets_nothing(gate, kind, way, who, query):
    methods, carrier = way
    here = gate(kind, methods)
    client = visitor(here, carrier, who)
    held = client.credential
    answer = client.ask(query)
    assert client.session_change is None and client.credential == held
    assert not answer.all("set-cookie") and answer.get(HEADER) is None


def visitor(here, carrier, who):
    client = GatewayClient(here, carrier)
    if who == "guest":
        client.ask(ACTIVE)
    elif who == "customer":
        assert client.log_in(here.backend.register()).status == 200
    return client


@pytest.mark.parametrize("status", [200, 202, 304, 400, 401, 403, 404, 429,
                                    500, 503])
@pytest.mark.parametrize("who", ["nobody", "guest", "customer"])
def test_a_token_counts_with_any_status(gate, kind, who, status):
    here = gate(kind)
    shop, client = here.backend, visitor(here, "cookie", who)
    other = ShopClient(shop).log_in(shop.register())
    held = client.credential
    shop.next(status=status, headers=session_lines(shop, other), body=""
              if status == 304 else '{"errors":[{"message":"x"}]}')
    search = "?" + urllib.parse.urlencode({"query": PRODUCTS})
    answer = client.send("GET", "/query" + search,
                         headers=[("If-None-Match", '"x"')])
    assert answer.status == status and client.session_change == "new"
    if held:
        assert_dead(here, "cookie", held)
    assert client.ask(ME).json["data"]["me"] is not None
    assert shop.last_token() == other.token


def test_a_304_brings_a_guest(gate, kind):
    here = gate(kind)
    search = "/query?" + urllib.parse.urlencode({"query": ACTIVE})
    first = GatewayClient(here, "cookie")
    etag = first.send("GET", search).get("etag")
    assert first.session_change == "new"
    second = GatewayClient(here, "cookie")
    answer = second.send("GET", search, headers=[("If-None-Match", etag)])
    assert answer.status == 304 and second.session_change == "new"
    assert second.session()["guest"] is True
    assert second.ask(ACTIVE).status == 200 and second.session_change is None


@pytest.mark.parametrize("status", [200, 304, 401, 500])
def test_an_empty_token_ends_the_session(gate, kind, way, status):
    methods, carrier = way
    here = gate(kind, methods)
    shop, client = here.backend, visitor(here, carrier, "customer")
    emptied = ShopClient(shop).log_in(shop.register())
    lines = real_answer(shop, emptied, LOGOUT)
    assert lines
    shop.next(status=status, headers=lines)
    search = "?" + urllib.parse.urlencode({"query": PRODUCTS})
    held = client.credential
    client.bypass_lighttpd().send("GET", "/query" + search)
    assert client.session_change == "cleared"
    assert_dead(here, carrier, held)


def test_a_dead_session_ends_ours(gate, kind, way):
    """Logged out on another device, with Vendure's own logout."""
    methods, carrier = way
    here = gate(kind, methods)
    shop = here.backend
    account, client = shop.register(), GatewayClient(here, carrier)
    client.log_in(account)
    held = client.credential
    ShopClient(shop).log_in(account).ask(LOGOUT)
    answer = client.bypass_lighttpd().ask(ME)
    assert answer.code == "FORBIDDEN" and client.session_change == "cleared"
    assert_dead(here, carrier, held)
    client.credential = held
    answer = client.ask(ACTIVE)  # a new guest instead, and never both
    assert answer.json["data"] == {"activeOrder": None}
    assert client.session_change == "new" and client.session()["guest"] is True


def test_a_deleted_cookie_ends_the_session(gate):
    here = gate("cookie")
    client = visitor(here, "cookie", "customer")
    here.backend.next(status=200, headers=[
        ["Set-Cookie", "session=x; path=/; httponly;"
                       " expires=Thu, 01 Jan 1970 00:00:00 GMT"]], body="{}")
    held = client.credential
    client.ask(PRODUCTS)
    assert client.session_change == "cleared"
    assert_dead(here, "cookie", held)


def test_the_backends_cookies_are_replayed_and_never_shown(gate):
    here = gate("cookie")
    shop, client = here.backend, visitor(here, "cookie", "customer")
    shop.next(status=200, headers=[
        ["Set-Cookie", "basket=a%20b; path=/"],
        ["Set-Cookie", "i18next=de; path=/; max-age=1000"]], body="{}")
    answer = client.ask(PRODUCTS)
    assert b"basket" not in answer.head and client.session_change == "new"
    name = client.session()["name"]
    assert name  # the user is the same
    client.ask(PRODUCTS)
    sent = shop.seen()[-1]["header"]["cookie"]
    assert sorted(p.partition("=")[0] for p in sent.split("; ")) == [
        "basket", "i18next", "session", "session.sig"]
    assert "basket=a%20b" in sent and client.session_change is None
    shop.next(status=200, headers=[
        ["Set-Cookie", "basket=; path=/; max-age=0"]], body="{}")
    client.ask(PRODUCTS)
    client.ask(PRODUCTS)
    assert "basket" not in shop.seen()[-1]["header"]["cookie"]
    assert client.session()["name"] == name


# Logging in ---------------------------------------------------------------------

LOGINS = ["json", "form", "/login", "/query"]


@pytest.mark.parametrize("by", LOGINS)
def test_a_login_keeps_the_cart(gate, kind, way, by):
    methods, carrier = way
    here = gate(kind, methods)
    shop, client = here.backend, GatewayClient(here, carrier)
    cart = client.add(2, 3)
    guest = client.credential
    client.active()
    guests_token = shop.last_token()
    account = shop.register()
    answer = client.log_in(account, by)
    assert answer.status == (303 if by == "form" else 200)
    assert client.session_change == "new" and client.credential != guest
    assert client.active()["code"] == cart["code"]
    assert client.session()["name"] == account.email
    assert not shop.is_live(guests_token)
    assert_dead(here, carrier, guest)  # before it is used: that ends it too
    late = GatewayClient(here, carrier)
    late.credential = guest
    assert late.active() is None  # who kept the guest's session has no cart


@pytest.mark.parametrize("by", LOGINS)
def test_a_wrong_password_keeps_the_cart(gate, kind, way, by):
    methods, carrier = way
    here = gate(kind, methods)
    client, account = GatewayClient(here, carrier), here.backend.register()
    cart = client.add()
    wrong = gateways.Account(account.email, "not that one", None)
    answer = client.log_in(wrong, by)
    assert answer.status == (401 if by in ("json", "form") else 200)
    assert client.session_change is None and client.active()["code"] == cart["code"]
    if by.startswith("/"):
        assert answer.json["data"]["login"]["errorCode"] == \
            "INVALID_CREDENTIALS_ERROR"


@pytest.mark.parametrize("by", LOGINS)
@pytest.mark.parametrize("remember", [True, False])
def test_remember_me_reaches_both(gate, kind, by, remember):
    here = gate(kind)
    shop, client = here.backend, GatewayClient(here, "cookie")
    account = shop.register()
    shop.forget()
    client.log_in(account, by, remember)
    sent = json.loads([r for r in shop.seen() if "login(" in r["body"]][0][
        "body"])["variables"]
    assert sent["rememberMe"] is remember
    if remember:
        assert MONTH - 60 <= client.max_age <= MONTH
    else:
        assert client.max_age is None


def test_authenticate_through_query_is_a_login(gate, kind, way):
    methods, carrier = way
    here = gate(kind, methods)
    client, account = GatewayClient(here, carrier), here.backend.register()
    cart = client.add()
    client.ask("""mutation ($i: AuthenticationInput!) {
        authenticate(input: $i, rememberMe: true) { __typename
            ... on CurrentUser { id identifier } } }""", {"i": {"native": {
            "username": account.email, "password": account.password}}})
    assert client.session_change == "new"
    assert client.session()["name"] == account.email
    assert client.active()["code"] == cart["code"]


def test_a_login_that_does_not_say_who_is_asked(gate, kind):
    here = gate(kind)
    client, account = GatewayClient(here, "cookie"), here.backend.register()
    client.ask("""mutation ($u: String!, $p: String!) {
        login(username: $u, password: $p) { __typename } }""",
               {"u": account.email, "p": account.password})
    session = client.session()
    assert (session["name"], session["guest"]) == (account.email, False)
    asked = [r for r in here.backend.seen() if "identifier" in r["body"]]
    assert len(asked) == 1


def test_a_persisted_login_is_a_login(gate, kind, way):
    """L55: never by its hash alone, whatever the backend knows; with its text
    it is one."""
    methods, carrier = way
    here = gate(kind, methods)
    shop, client = here.backend, GatewayClient(here, carrier)
    extensions = {"persistedQuery": {
        "version": 1, "sha256Hash": hashlib.sha256(LOGIN.encode()).hexdigest()}}
    assert shop.raw(query=LOGIN, extensions=extensions, variables={
        "username": "x", "password": "x"}).status == 200
    cart, account = client.add(), shop.register()
    request = {"extensions": extensions, "variables": {
        "username": account.email, "password": account.password,
        "rememberMe": True}}
    for _ in range(2):
        shop.forget()
        answer = client.post("/query", request)
        assert answer.status == 200
        assert answer.code == "PERSISTED_QUERY_NOT_FOUND"
        assert client.session_change is None and not shop.seen()
    answer = client.post("/query", {**request, "query": LOGIN})
    assert answer.json["data"]["login"]["identifier"] == account.email
    assert "persistedQuery" not in shop.seen()[0]["body"]
    assert client.session_change == "new" and client.active()["code"] == cart["code"]
    assert client.session()["name"] == account.email
    if carrier == "cookie":
        assert MONTH - 60 <= client.max_age <= MONTH


HIDDEN = {
    "in a batch of one": '[{"query":"mutation{login(username:\\"%s\\",'
                         'password:\\"b\\"){__typename}}"}]',
    "renamed": '{"query":"mutation{a:login(username:\\"%s\\",'
               'password:\\"b\\"){__typename}}"}',
    "another field": '{"query":"mutation{a:authenticate(input:{native:{'
                     'username:\\"%s\\",password:\\"b\\"}})'
                     '{__typename}}"}',
    "by variables": '{"query":"mutation($i:AuthenticationInput!){'
                    'authenticate(input:$i){__typename}}","variables":{"i":{'
                    '"native":{"username":"%s","password":"b"}}}}',
    "by defaults": '{"query":"mutation($u:String=\\"%s\\"){login('
                   'username:$u,password:\\"b\\"){__typename}}"}',
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_login_that_is_hidden_is_a_guess(gate, name):
    """L56, L58: it is a login however it is written, and counted by the
    account that it names."""
    here = gate("bearer", POSTERN_LOGIN_PER_ACCOUNT="2/1h")
    shop, email = here.backend, f"{name.replace(' ', '-')}@example.com"
    body = (HIDDEN[name] % email).encode()
    for _ in range(2):
        shop.forget()
        answer = here.post("/query", body)
        assert answer.status == 200 and answer.code is None, answer
        assert "Invalid" in answer.text and len(shop.seen()) == 1
    shop.forget()
    answer = here.post("/query", body)
    assert (answer.status, answer.code) == (429, "TOO_MANY_ATTEMPTS")
    assert here.post("/login", {"email": email,
                                "password": "b"}).status == 429
    assert not shop.seen()


@pytest.mark.parametrize("document", [
    'mutation{login(username:"a",password:"b"){__typename} logout{success}}',
    'mutation{a:login(username:"a",password:"b"){__typename}'
    ' b:login(username:"a",password:"b"){__typename}}',
    'mutation{login(username:"a",password:"b")@skip(if:false){__typename}}',
    'mutation{...on Mutation@include(if:true){login(username:"a",'
    'password:"b"){__typename}}}'])
def test_a_login_beside_another_field_is_refused(gate, document):
    """Design 2.5: alone, and under no condition."""
    here = gate("bearer")
    here.backend.forget()
    answer = here.query(document)
    assert (answer.status, answer.code) == (400, "LOGIN_SHAPE"), answer
    assert not here.backend.seen()


def test_vendures_own_refusals_pass(gate):
    here = gate("bearer")
    for body, kind_of_body, status, words in (
            (b'[{"query":"{me{id}}"}]', "application/json", 400, "batching"),
            (b'{"query":"{no}"}', "application/json", 400, "VALIDATION"),
            (b'{"query":"{activeChannel{code}} #' + b"x" * 110000 + b'"}',
             "application/json", 500, "statusCode"),
            (b'--b\r\nContent-Disposition: form-data; name="operations"\r\n'
             b'\r\n{"query":"{activeChannel{code}}"}\r\n--b--\r\n',
             "multipart/form-data; boundary=b", 200, "__default_channel__")):
        answer = here.send("POST", "/query", body,
                           [("Content-Type", kind_of_body)])
        assert answer.status == status and words in answer.text, answer


def test_a_login_never_comes_by_get(gate, kind):
    here = gate(kind)
    account, client = here.backend.register(), GatewayClient(here, "cookie")
    query = ("mutation { login(username: %s, password: %s) { __typename } }"
             % (json.dumps(account.email), json.dumps(account.password)))
    answer = client.send("GET", "/query?" + urllib.parse.urlencode(
        {"query": query}))
    assert answer.status == 405 and client.session_change is None


# Logging out ---------------------------------------------------------------------

@pytest.mark.parametrize("rule, everywhere, called", [
    (None, False, False), (None, True, True),
    ("everywhere", False, False), ("everywhere", True, True),
    ("always", False, True), ("always", True, True),
    ("never", False, False), ("never", True, False)])
def test_when_the_backend_is_told_of_a_logout(gate, kind, rule, everywhere,
                                              called):
    more = {"POSTERN_UPSTREAM_LOGOUT": rule} if rule else {}
    here = gate(kind, "cookie", **more)
    shop, account = here.backend, here.backend.register()
    first, second = GatewayClient(here, "cookie"), GatewayClient(here, "cookie")
    first.log_in(account)
    second.log_in(account)
    shop.forget()
    answer = first.post("/logout" + ("?everywhere=1" if everywhere else ""))
    assert answer.json == {"data": {"logout": {"success": True}}}
    assert first.session_change == "cleared"
    assert any("logout" in r["body"] for r in shop.seen()) is called
    me = second.ask(ME).json["data"]["me"]
    # Everywhere is our own affair, too, whatever the backend is told.
    assert (me is None) == (called or everywhere)
    # A session that was ended here is a dead cookie, which query leaves alone.
    assert second.session_change == ("cleared" if called and not everywhere else None)


@pytest.mark.parametrize("body, kind_of_body", [
    (b"everywhere=1", "application/x-www-form-urlencoded"),
    (b'{"everywhere":true}', "application/json"),
    (b'{"everywhere":1}', "application/json")])
def test_everywhere_may_be_said_in_the_body(gate, body, kind_of_body):
    here = gate("bearer")
    account = here.backend.register()
    first, second = GatewayClient(here, "cookie"), GatewayClient(here, "cookie")
    first.log_in(account)
    second.log_in(account)
    assert first.send("POST", "/logout", body, [
        ("Content-Type", kind_of_body)]).status == 200
    assert second.ask(ME).json["data"]["me"] is None


def test_the_backends_logout_through_query_ends_ours(gate, kind, way):
    methods, carrier = way
    here = gate(kind, methods)
    client = visitor(here, carrier, "customer")
    held = client.credential
    answer = client.bypass_lighttpd().ask(LOGOUT)
    assert answer.json["data"]["logout"]["success"] is True
    assert client.session_change == "cleared"
    assert_dead(here, carrier, held)


# CORS ----------------------------------------------------------------------------

PAGES = {"query": "/query", "login": "/login", "logout": "/logout",
         "session": "/session"}
LOOK_ALIKES = [
    "null", "https://app.example.evil.test", "http://app.example",
    "https://app.example:444", "https://app.example:443",
    "https://APP.example", "https://evil-app.example", "https://app.example/",
    "https://app.example.", "https://app_example", "https://other.example",
    "https://sub.app.example", "https://app.exampl", "app.example", "*",
    "https://app.example https://app.example", "file://app.example"]


@pytest.mark.parametrize("path", PAGES.values())
@pytest.mark.parametrize("methods", ["cookie", "bearer", "cookie,bearer"])
def test_a_listed_origin_may_read_it(gate, methods, path):
    here = gate("bearer", methods, POSTERN_ORIGINS=ORIGINS)
    for origin in (OURS, "https://other.example:8443"):
        answer = here.get(path if path != "/query" else "/query?"
                          + urllib.parse.urlencode({"query": PRODUCTS}),
                          headers=[("Origin", origin)])
        assert answer.status == 200
        assert answer.get("access-control-allow-origin") == origin
        assert answer.get("access-control-allow-credentials") == "true"
        exposed = answer.get("access-control-expose-headers")
        assert exposed == (
            HEADER + ", " if "bearer" in methods else "") + "Retry-After"
        assert "origin" in answer.vary
        assert ("cookie" in answer.vary) == ("cookie" in methods)
        assert ("authorization" in answer.vary) == ("bearer" in methods)


@pytest.mark.parametrize("origin", LOOK_ALIKES)
def test_any_other_origin_may_not(gate, origin):
    here = gate("bearer", "cookie,bearer", POSTERN_ORIGINS=ORIGINS)
    said = [("Origin", origin)]
    here.backend.forget()
    post = here.query(PRODUCTS, headers=said)
    assert (post.status, post.code) == (403, "CROSS_SITE")
    assert not here.backend.seen()
    preflight = here.send("OPTIONS", "/query", headers=[
        *said, ("Access-Control-Request-Method", "POST")])
    assert preflight.get("access-control-allow-headers") is None
    assert preflight.get("access-control-allow-methods") is None
    get = here.get("/session", headers=said)
    for answer in (post, preflight, get):
        assert answer.get("access-control-allow-origin") is None
        assert answer.get("access-control-allow-credentials") is None
        assert "origin" in answer.vary


def test_an_empty_origin_is_none_of_ours(gate):
    """Past lighttpd, which passes no header without a value."""
    here = gate("bearer", "cookie,bearer", POSTERN_ORIGINS=ORIGINS)
    answer = here.direct("query", "POST", "", b"{}", HTTP_ORIGIN="",
                         CONTENT_TYPE="application/json")
    assert answer.status == 403
    assert answer.header("access-control-allow-origin") is None


def test_nobody_elses_cors_headers_pass(gate):
    """The backend echoes any origin; we do not."""
    here = gate("bearer", "cookie,bearer")
    answer = here.get("/query?" + urllib.parse.urlencode(
        {"query": PRODUCTS}), headers=[("Origin", "https://evil.test")])
    assert answer.status == 200
    assert not [n for n, _ in answer.headers if n.startswith("access-")]


@pytest.mark.parametrize("path", PAGES.values())
def test_a_preflight(gate, path):
    here = gate("bearer", "cookie,bearer", POSTERN_ORIGINS=ORIGINS,
                POSTERN_FORWARD_HEADERS="x-app-version")
    answer = here.send("OPTIONS", path, headers=[
        ("Origin", OURS), ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers",
         "authorization,content-type,vendure-token")])
    assert answer.status in (200, 204) and not answer.body
    assert answer.get("access-control-allow-origin") == OURS
    assert answer.get("access-control-allow-credentials") == "true"
    assert int(answer.get("access-control-max-age")) > 0
    allowed = {name.strip().lower() for name in
               answer.get("access-control-allow-headers").split(",")}
    assert {"authorization", "content-type", "vendure-token",
            "accept-language", "x-app-version"} <= allowed
    assert "*" not in allowed and "cookie" not in allowed
    assert ("DELETE" if path == "/session" else "POST") in \
        answer.get("access-control-allow-methods").split(", ")
    assert {"origin", "access-control-request-method",
            "access-control-request-headers"} <= answer.vary
    assert not answer.all("set-cookie") and answer.get(HEADER) is None


@pytest.mark.parametrize("name, method, path, body, kind_of_body, status", [
    ("dead bearer", "POST", "/query", b"{}", "application/json", 401),
    ("wrong password", "POST", "/login", b'{"email":"a@b.c","password":"x"}',
     "application/json", 401),
    ("no JSON", "POST", "/login", b"{", "application/json", 400),
    ("odd type", "POST", "/query", b"x", "text/plain", 415),
    ("method", "PUT", "/query", b"x", "application/json", 405),
    ("path", "POST", "/query/more", b"{}", "application/json", 404),
    ("backend's error", "POST", "/query", b'{"query":"{no}"}',
     "application/json", 400),
    ("no document", "POST", "/query", b"{}", "application/json", 400),
    ("no GraphQL", "POST", "/query", b'{"query":"{me"}', "application/json",
     200)])
def test_errors_can_be_read_by_a_listed_origin(gate, name, method, path, body,
                                               kind_of_body, status):
    """U7: a page that may not read the 401 cannot tell its user."""
    here = gate("bearer", "cookie,bearer", POSTERN_ORIGINS=ORIGINS,
                POSTERN_DEAD_BEARER="refuse")
    headers = [("Origin", OURS), ("Content-Type", kind_of_body)]
    if name == "dead bearer":
        headers.append(("Authorization", "Bearer dead"))
    answer = here.send(method, path, body, headers)
    assert answer.status == status, answer
    assert answer.get("access-control-allow-origin") == OURS
    assert answer.get("access-control-allow-credentials") == "true"
    assert answer.get("access-control-expose-headers") == \
        HEADER + ", Retry-After"
    assert "origin" in answer.vary


def test_a_backend_that_is_down_can_be_told_by_a_page(start_own):
    shop = Shop()
    here = start_own(backend=shop, **BACKENDS["bearer"],
                     POSTERN_TOKEN_METHOD="cookie,bearer",
                     POSTERN_ORIGINS=ORIGINS)
    shop.stop()
    answer = here.query(PRODUCTS, headers=[("Origin", OURS)])
    assert answer.status == 502
    assert answer.get("access-control-allow-origin") == OURS
    here.close()
    start_own.gateways.remove(here)
    shop.close()


# Headers that pass ------------------------------------------------------------------

def test_channels_and_languages_pass(gate, kind):
    here = gate(kind, "cookie", POSTERN_FORWARD_HEADERS="x-app-version, X-Two")
    client = visitor(here, "cookie", "guest")
    answer = client.ask(
        "{ activeChannel { code } product(id: 1) { name } me { id } }",
        headers=[("vendure-token", "harbour"), ("Accept-Language", "de"),
                 ("X-App-Version", "7"), ("x-two", "2"), ("X-Three", "3"),
                 ("X-Session-User", "root"), ("Proxy", "evil")],
        search="?languageCode=de")
    assert answer.json["data"]["activeChannel"]["code"] == "harbour"
    assert answer.json["data"]["product"]["name"] == "Eiserner Schlüssel"
    assert answer.json["errors"][0]["message"].startswith("Sie")
    assert answer.get("content-language") == "de"
    seen = here.backend.seen()[-1]
    assert seen["path"] == "/shop-api?languageCode=de"
    sent = seen["header"]
    assert (sent["vendure-token"], sent["accept-language"],
            sent["x-app-version"], sent["x-two"]) == ("harbour", "de", "7",
                                                      "2")
    assert not {"x-three", "x-session-user", "proxy"} & set(sent)


@pytest.mark.parametrize("by", LOGINS)
def test_a_login_takes_channel_and_language_along(gate, by):
    here = gate("bearer")
    account = here.backend.register()
    here.backend.forget()
    client = GatewayClient(here, "cookie")
    client.headers = lambda: [("vendure-token", "harbour"),
                              ("Accept-Language", "de")]
    client.log_in(account, by)
    sent = here.backend.seen()[0]["header"]
    assert (sent.get("vendure-token"), sent.get("accept-language")) == (
        "harbour", "de")


def test_by_default_nothing_else_passes(gate):
    here = gate("bearer")
    here.query(PRODUCTS, headers=[("X-App-Version", "7"),
                                  ("Cookie", "other=1"), ("Via", "x")])
    sent = here.backend.seen()[-1]["header"]
    assert not {"x-app-version", "cookie", "via", "authorization"} & set(sent)


# The bearer method's edges ------------------------------------------------------------

REFUSED, NOBODY, GOOD = "refused", "nobody", "good"
SPELLINGS = [
    ("Bearer %s", GOOD), ("bearer %s", GOOD), ("BEARER %s", GOOD),
    ("bEARER %s", GOOD), ("Bearer   %s", GOOD), ("Bearer %s  ", GOOD),
    ("Bearer\t%s", REFUSED), ("Bearer %s %s", REFUSED),
    ("Bearer %s,x", REFUSED), ("Bearer %s=", REFUSED),
    ('Bearer "%s"', REFUSED), ("Bearer x", REFUSED),
    ("Bearer " + "z" * 7000, REFUSED), ("Bearer é", REFUSED),
    ("Basic dXNlcjpwYXNz", NOBODY), ("%s", NOBODY), ("Bearer", NOBODY),
    ("Bearer ", NOBODY), ("Bearer    ", NOBODY), ("", NOBODY),
    ("Bearertoken", NOBODY), ("Digest x", NOBODY)]


def is_nobodys(here, token):
    """lighttpd drops an empty header: this is what stands in its place."""
    claims = here.open_token(token)
    return claims["sub"] == "" and "upstream" not in claims


def check_spelling(here, headers, meaning, is_guest):
    """is_guest: dead bearer tokens are guests (POSTERN_DEAD_BEARER)."""
    here.backend.forget()
    answer = here.query("{ me { __typename } }", headers=headers)
    seen = here.backend.seen()
    if meaning == REFUSED and not is_guest:
        assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")
        assert answer.get("www-authenticate") == \
            'Bearer error="invalid_token"'
        assert is_nobodys(here, answer.get(HEADER)) and not seen
        return
    assert answer.status == 200
    assert answer.get("www-authenticate") is None
    assert bool(answer.get(HEADER)) == (meaning == REFUSED)
    assert (answer.json["data"]["me"] is not None) == (meaning == GOOD)
    # Ours never reaches the backend, and another scheme's is not ours.
    token = seen[-1]["header"].get("authorization")
    assert (token is not None) == (meaning == GOOD)


@pytest.mark.parametrize("spelling, meaning", SPELLINGS)
@pytest.mark.parametrize("dead", ["refuse", "guest"])
@pytest.mark.parametrize("kind", ["bearer", "body"])
def test_how_a_bearer_token_is_read(gate, kind, dead, spelling, meaning):
    here = gate(kind, "bearer", POSTERN_DEAD_BEARER=dead)
    client = visitor(here, "bearer", "customer")
    value = spelling.replace("%s", client.credential)
    headers = [("Authorization", value.encode("utf-8").decode("latin-1"))]
    check_spelling(here, headers, meaning, dead == "guest")


@pytest.mark.parametrize("pair", [("%s", "%s"), ("%s", "x"), ("x", "%s")])
def test_two_authorization_headers_are_refused(gate, pair):
    here = gate("body", "bearer")
    client = visitor(here, "bearer", "customer")
    headers = [("Authorization", "Bearer " + one.replace("%s", client.credential))
               for one in pair]
    check_spelling(here, headers, REFUSED, False)


def test_a_token_of_12000_characters(gate):
    """lighttpd has its own limit for headers; the program has its own."""
    here = gate("body", "bearer")
    long = "Bearer " + "e" * 12000
    assert here.query(headers=[("Authorization", long)]).status in (401, 431)
    answer = here.direct("query", "POST", "", b"{}", HTTP_AUTHORIZATION=long,
                         CONTENT_TYPE="application/json")
    assert answer.status == 401


def test_dead_bearers_are_guests_with_vendure(gate, kind):
    here = gate(kind, "bearer")
    client = GatewayClient(here, "bearer")
    for token in ("x", "A" * 43, "eyJhbGciOiJkaXIifQ..a.b.c"):
        client.credential = token
        assert client.bypass_lighttpd().ask(PRODUCTS).status == 200
        assert client.session_change == "cleared", token
        client.credential = token
        assert client.add()["totalQuantity"] == 1  # Vendure's own manners
        assert client.session_change == "new", token


def test_a_bearer_token_wins_over_a_cookie(gate):
    here = gate("bearer", "cookie,bearer")
    alice, bob = (visitor(here, kind, "customer")
                  for kind in ("bearer", "cookie"))
    answer = here.query(ME, headers=[
        *alice.headers(), *bob.headers(),
        ("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.test")])
    assert answer.json["data"]["me"]["identifier"] == alice.session()["name"]
    assert not answer.all("set-cookie")


def test_a_token_is_bound_to_its_carrier(gate):
    here = gate("bearer", "cookie,bearer", POSTERN_DEAD_BEARER="refuse")
    by_bearer, by_cookie = (visitor(here, kind, "customer")
                            for kind in ("bearer", "cookie"))
    answer = here.query(ME, cookie=by_bearer.credential)
    assert answer.json["data"]["me"] is None
    assert answer.all("set-cookie") == []
    value = by_cookie.credential.partition("=")[2]
    assert here.query(ME, bearer=value).status == 401


def test_our_tokens_are_no_tokens_of_the_backends(gate, kind, way):
    methods, carrier = way
    client = visitor(gate(kind, methods), carrier, "customer")
    value = client.credential.partition("=")[2] or client.credential
    assert re.fullmatch(r"[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+", value)
    sent = client.gateway.backend
    client.ask(ME)
    assert sent.last_token() not in value


def test_another_header_for_the_token(gate):
    here = gate("bearer", "bearer", POSTERN_AUTH_TOKEN_HEADER="X-Shop-Token",
                POSTERN_ORIGINS=ORIGINS)
    answer = here.query(ACTIVE, headers=[("Origin", OURS)])
    token = answer.get("x-shop-token")
    assert token and answer.get(HEADER) is None
    assert answer.get("access-control-expose-headers").lower() == \
        "x-shop-token, retry-after"
    order = here.query(ADD, {"id": 1, "n": 1}, bearer=token)
    assert order.get("x-shop-token") is None
