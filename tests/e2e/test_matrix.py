# SPDX-License-Identifier: ISC
"""Every token method for clients with every backend: its token is in a header,
in cookies or in the body. Then the cases of a shop with Vendure's API (design
2.1 and 2.6)."""

import hashlib
import json
import re
import urllib.parse

import gateway as gateways
import pytest
from dialect import (
    ACTIVE, ADD, BACKENDS, HEADER, LOGIN, LOGOUT, ME, PRODUCTS, CLIENT_METHODS, ShopClient,
    Shop, GatewayClient)

YEAR, MONTH = 365 * 86400, 30 * 86400
LISTED_ORIGIN = "https://app.example"
ORIGINS = LISTED_ORIGIN + ", https://other.example:8443"


@pytest.fixture(scope="module")
def shops():
    started = {method: Shop(method) for method in ("bearer", "cookie",
                                                   "both")}
    yield started
    for one in started.values():
        one.close()


@pytest.fixture(scope="module")
def gateway_for(shops, backend, start):
    """gateway_for(backend_kind, methods, NAME=value…) starts a gateway, or
    returns the one with these arguments."""
    started = {}

    def gateway_for(backend_kind="bearer", methods="cookie", **more):
        key = (backend_kind, methods, *sorted(more.items()))
        if key not in started:
            started[key] = start(backend=shops.get(backend_kind, backend),
                                 **BACKENDS[backend_kind],
                                 POSTERN_TOKEN_METHOD=methods, **more)
        started[key].backend.forget()
        return started[key]
    yield gateway_for
    # Gateways read the data of their shops when they are closed.


@pytest.fixture(scope="module", autouse=True)
def end_in_order(shops, start):
    """Close gateways before shops."""
    yield
    start.close()
    start.gateways.clear()


@pytest.fixture(params=list(CLIENT_METHODS))
def transport_pair(request):
    return CLIENT_METHODS[request.param]


@pytest.fixture(params=["bearer", "cookie"])
def backend_kind(request):
    """How the shop issues its token."""
    return request.param


def assert_revoked(gateway, transport, held):
    """A copy of the revoked token gives no session. An invalid bearer token is
    refused or anonymous (POSTERN_DEAD_BEARER)."""
    copy = GatewayClient(gateway, transport)
    copy.credential = held
    answer = copy.bypass_lighttpd().send("GET", "/session")
    assert copy.session_change == "cleared", answer
    if transport == "cookie" or answer.status == 200:
        assert answer.json == {"data": {"session": None}}
    else:
        assert answer.status == 401


def token_headers_of(shop, client, query):
    """The headers in which the shop sends its token, for a canned answer."""
    answer = client.ask(query)
    return [[name, value] for name, value in answer.headers
            if name in (HEADER, "set-cookie")]


# All token methods and backends ----------------------------------------------

@pytest.mark.parametrize("backend_kind", ["bearer", "cookie", "body"])
def test_session_lifecycle_with_every_method_and_backend(
        gateway_for, transport_pair, backend_kind):
    """Guest, cart, login that keeps the cart, query, new token, logout."""
    methods, transport = transport_pair
    gateway = gateway_for(backend_kind, methods)
    client, shop = GatewayClient(gateway, transport), gateway.backend
    account = shop.register()
    if backend_kind != "body":
        cart = client.add()
        assert client.session_change == "new" and client.session()["guest"] is True
        assert client.add()["totalQuantity"] == 2 and client.session_change is None
    answer = client.log_in(account)
    assert answer.status == 200 and client.session_change == "new"
    session = client.session()
    assert (session["name"], session["guest"]) == (account.email, False)
    me = "{ me { ownerId email } }" if backend_kind == "body" else ME
    user = client.ask(me).json["data"]["me"]
    assert account.email in user.values() and client.session_change is None
    if backend_kind != "body":
        assert client.active()["code"] == cart["code"]
        check_renewal(client, shop)
        assert client.log_in(account).status == 200
    held = client.credential
    assert client.session() is not None
    assert client.bypass_lighttpd().post("/logout").status == 200
    assert client.session_change == "cleared" and client.session() is None
    assert_revoked(gateway, transport, held)


def check_renewal(client, shop):
    """The backend issues a new token: the next request has it."""
    other = ShopClient(shop).log_in(shop.register())
    shop.next(status=200, headers=[["Content-Type", "application/json"]]
              + token_headers(shop, other), body='{"data":{"x":1}}')
    client.ask(PRODUCTS)
    assert client.session_change == "new"
    name = other.ask(ME).json["data"]["me"]["identifier"]
    assert client.ask(ME).json["data"]["me"]["identifier"] == name
    assert client.session_change is None and shop.last_token() == other.token
    # Postern has sent the who document (design 2.5).
    session = client.session()
    assert (session["name"], session["guest"]) == (name, False)


def token_headers(shop, client):
    """The headers in which the shop would issue this client's token."""
    if shop.method != "cookie":
        return [[HEADER, client.token]]
    return [["Set-Cookie", part + "; path=/; samesite=lax; httponly"]
            for part in client.credential.split("; ")]


def test_backend_token_header_takes_precedence_over_its_cookie(
        gateway_for, transport_pair):
    """Postern uses the backend's header and ignores its cookies."""
    methods, transport = transport_pair
    gateway = gateway_for("both", methods)
    client, account = GatewayClient(gateway, transport), gateway.backend.register()
    cart = client.add()
    client.log_in(account)
    assert client.active()["code"] == cart["code"]
    assert "cookie" not in gateway.backend.seen()[-1]["header"]


# Guests ----------------------------------------------------------------------

@pytest.mark.parametrize("query", [
    ACTIVE, "{ activeCustomer { id } }",
    'mutation { addItemToOrder(productVariantId: 1, quantity: 1) {'
    ' __typename } }',
    'mutation { addItemToOrder(productVariantId: 999, quantity: 1) {'
    ' __typename } }',
    "{ me { id } activeOrder { id } }"])
def test_backend_token_without_login_gives_a_guest_session(
        gateway_for, backend_kind, transport_pair, query):
    methods, transport = transport_pair
    client = GatewayClient(gateway_for(backend_kind, methods), transport)
    answer = client.ask(query)
    assert answer.status == 200 and client.session_change == "new"
    assert answer.get("cache-control") == "no-store"
    session = client.session()
    assert session["guest"] is True and session["secondsLeft"] > YEAR - 60
    if transport == "cookie":
        assert YEAR - 60 <= client.max_age <= YEAR
    assert client.ask(query).status == 200 and client.session_change is None


@pytest.mark.parametrize("who", ["nobody", "guest", "customer"])
@pytest.mark.parametrize("query", [PRODUCTS, ME, "{ __typename }", "{ me",
                                   "{ nothing }"])
def test_query_without_a_new_token_sets_no_token(
        gateway_for, backend_kind, transport_pair, who, query):
    methods, transport = transport_pair
    gateway = gateway_for(backend_kind, methods)
    client = client_of(gateway, transport, who)
    held = client.credential
    answer = client.ask(query)
    assert client.session_change is None and client.credential == held
    assert not answer.all("set-cookie") and answer.get(HEADER) is None


def client_of(gateway, transport, who):
    client = GatewayClient(gateway, transport)
    if who == "guest":
        client.ask(ACTIVE)
    elif who == "customer":
        assert client.log_in(gateway.backend.register()).status == 200
    return client


@pytest.mark.parametrize("status", [200, 202, 304, 400, 401, 403, 404, 429,
                                    500, 503])
@pytest.mark.parametrize("who", ["nobody", "guest", "customer"])
def test_new_backend_token_is_used_with_any_status(
        gateway_for, backend_kind, who, status):
    gateway = gateway_for(backend_kind)
    shop, client = gateway.backend, client_of(gateway, "cookie", who)
    other = ShopClient(shop).log_in(shop.register())
    held = client.credential
    shop.next(status=status, headers=token_headers(shop, other), body=""
              if status == 304 else '{"errors":[{"message":"x"}]}')
    search = "?" + urllib.parse.urlencode({"query": PRODUCTS})
    answer = client.send("GET", "/query" + search,
                         headers=[("If-None-Match", '"x"')])
    assert answer.status == status and client.session_change == "new"
    if held:
        assert_revoked(gateway, "cookie", held)
    assert client.ask(ME).json["data"]["me"] is not None
    assert shop.last_token() == other.token


def test_status_304_with_a_token_gives_a_guest_session(
        gateway_for, backend_kind):
    gateway = gateway_for(backend_kind)
    search = "/query?" + urllib.parse.urlencode({"query": ACTIVE})
    first = GatewayClient(gateway, "cookie")
    etag = first.send("GET", search).get("etag")
    assert first.session_change == "new"
    second = GatewayClient(gateway, "cookie")
    answer = second.send("GET", search, headers=[("If-None-Match", etag)])
    assert answer.status == 304 and second.session_change == "new"
    assert second.session()["guest"] is True
    assert second.ask(ACTIVE).status == 200 and second.session_change is None


@pytest.mark.parametrize("status", [200, 304, 401, 500])
def test_empty_backend_token_revokes_the_session(
        gateway_for, backend_kind, transport_pair, status):
    methods, transport = transport_pair
    gateway = gateway_for(backend_kind, methods)
    shop, client = gateway.backend, client_of(gateway, transport, "customer")
    emptied = ShopClient(shop).log_in(shop.register())
    lines = token_headers_of(shop, emptied, LOGOUT)
    assert lines
    shop.next(status=status, headers=lines)
    search = "?" + urllib.parse.urlencode({"query": PRODUCTS})
    held = client.credential
    client.bypass_lighttpd().send("GET", "/query" + search)
    assert client.session_change == "cleared"
    assert_revoked(gateway, transport, held)


def test_session_ended_by_the_backend_is_revoked(
        gateway_for, backend_kind, transport_pair):
    """The user logged out with Vendure's own mutation on another device."""
    methods, transport = transport_pair
    gateway = gateway_for(backend_kind, methods)
    shop = gateway.backend
    account, client = shop.register(), GatewayClient(gateway, transport)
    client.log_in(account)
    held = client.credential
    ShopClient(shop).log_in(account).ask(LOGOUT)
    answer = client.bypass_lighttpd().ask(ME)
    assert answer.code == "FORBIDDEN" and client.session_change == "cleared"
    assert_revoked(gateway, transport, held)
    client.credential = held
    answer = client.ask(ACTIVE)  # now a guest
    assert answer.json["data"] == {"activeOrder": None}
    assert client.session_change == "new" and client.session()["guest"] is True


def test_deleted_backend_cookie_revokes_the_session(gateway_for):
    gateway = gateway_for("cookie")
    client = client_of(gateway, "cookie", "customer")
    gateway.backend.next(status=200, headers=[
        ["Set-Cookie", "session=x; path=/; httponly;"
                       " expires=Thu, 01 Jan 1970 00:00:00 GMT"]], body="{}")
    held = client.credential
    client.ask(PRODUCTS)
    assert client.session_change == "cleared"
    assert_revoked(gateway, "cookie", held)


def test_backend_cookies_are_sent_back_and_hidden_from_the_client(gateway_for):
    gateway = gateway_for("cookie")
    shop, client = gateway.backend, client_of(gateway, "cookie", "customer")
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


# Login -----------------------------------------------------------------------

LOGIN_KINDS = ["json", "form", "/login", "/query"]


@pytest.mark.parametrize("login_kind", LOGIN_KINDS)
def test_login_keeps_the_cart(gateway_for, backend_kind, transport_pair,
                              login_kind):
    methods, transport = transport_pair
    gateway = gateway_for(backend_kind, methods)
    shop, client = gateway.backend, GatewayClient(gateway, transport)
    cart = client.add(2, 3)
    guest = client.credential
    client.active()
    guests_token = shop.last_token()
    account = shop.register()
    answer = client.log_in(account, login_kind)
    assert answer.status == (303 if login_kind == "form" else 200)
    assert client.session_change == "new" and client.credential != guest
    assert client.active()["code"] == cart["code"]
    assert client.session()["name"] == account.email
    assert not shop.is_live(guests_token)
    assert_revoked(gateway, transport, guest)  # before its next use
    late = GatewayClient(gateway, transport)
    late.credential = guest
    assert late.active() is None  # the guest's old session has no cart


@pytest.mark.parametrize("login_kind", LOGIN_KINDS)
def test_wrong_password_keeps_the_cart(gateway_for, backend_kind,
                                       transport_pair, login_kind):
    methods, transport = transport_pair
    gateway = gateway_for(backend_kind, methods)
    client, account = GatewayClient(gateway, transport), gateway.backend.register()
    cart = client.add()
    wrong = gateways.Account(account.email, "not that one", None)
    answer = client.log_in(wrong, login_kind)
    assert answer.status == (401 if login_kind in ("json", "form") else 200)
    assert client.session_change is None and client.active()["code"] == cart["code"]
    if login_kind.startswith("/"):
        assert answer.json["data"]["login"]["errorCode"] == \
            "INVALID_CREDENTIALS_ERROR"


@pytest.mark.parametrize("login_kind", LOGIN_KINDS)
@pytest.mark.parametrize("remember", [True, False])
def test_remember_me_applies_to_cookie_and_backend(
        gateway_for, backend_kind, login_kind, remember):
    gateway = gateway_for(backend_kind)
    shop, client = gateway.backend, GatewayClient(gateway, "cookie")
    account = shop.register()
    shop.forget()
    client.log_in(account, login_kind, remember)
    sent = json.loads([r for r in shop.seen() if "login(" in r["body"]][0][
        "body"])["variables"]
    assert sent["rememberMe"] is remember
    if remember:
        assert MONTH - 60 <= client.max_age <= MONTH
    else:
        assert client.max_age is None


def test_authenticate_through_query_is_a_login(gateway_for, backend_kind,
                                               transport_pair):
    methods, transport = transport_pair
    gateway = gateway_for(backend_kind, methods)
    client, account = GatewayClient(gateway, transport), gateway.backend.register()
    cart = client.add()
    client.ask("""mutation ($i: AuthenticationInput!) {
        authenticate(input: $i, rememberMe: true) { __typename
            ... on CurrentUser { id identifier } } }""", {"i": {"native": {
            "username": account.email, "password": account.password}}})
    assert client.session_change == "new"
    assert client.session()["name"] == account.email
    assert client.active()["code"] == cart["code"]


def test_login_without_the_user_sends_the_who_document(
        gateway_for, backend_kind):
    gateway = gateway_for(backend_kind)
    client, account = GatewayClient(gateway, "cookie"), gateway.backend.register()
    client.ask("""mutation ($u: String!, $p: String!) {
        login(username: $u, password: $p) { __typename } }""",
               {"u": account.email, "p": account.password})
    session = client.session()
    assert (session["name"], session["guest"]) == (account.email, False)
    who_requests = [request for request in gateway.backend.seen()
                    if "identifier" in request["body"]]
    assert len(who_requests) == 1


def test_persisted_login_needs_its_text(gateway_for, backend_kind,
                                        transport_pair):
    """L55: a hash alone is not a login, even if the backend knows it. With the
    text it is one."""
    methods, transport = transport_pair
    gateway = gateway_for(backend_kind, methods)
    shop, client = gateway.backend, GatewayClient(gateway, transport)
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
    if transport == "cookie":
        assert MONTH - 60 <= client.max_age <= MONTH


DISGUISED_LOGINS = {
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


@pytest.mark.parametrize("name", DISGUISED_LOGINS)
def test_disguised_login_counts_for_its_account(gateway_for, name):
    """L56, L58: Postern finds the login in any form of the request and counts
    it for the account."""
    gateway = gateway_for("bearer", POSTERN_LOGIN_PER_ACCOUNT="2/1h")
    shop, email = gateway.backend, f"{name.replace(' ', '-')}@example.com"
    body = (DISGUISED_LOGINS[name] % email).encode()
    for _ in range(2):
        shop.forget()
        answer = gateway.post("/query", body)
        assert answer.status == 200 and answer.code is None, answer
        assert "Invalid" in answer.text and len(shop.seen()) == 1
    shop.forget()
    answer = gateway.post("/query", body)
    assert (answer.status, answer.code) == (429, "TOO_MANY_ATTEMPTS")
    assert gateway.post("/login", {"email": email,
                                   "password": "b"}).status == 429
    assert not shop.seen()


@pytest.mark.parametrize("document", [
    'mutation{login(username:"a",password:"b"){__typename} logout{success}}',
    'mutation{a:login(username:"a",password:"b"){__typename}'
    ' b:login(username:"a",password:"b"){__typename}}',
    'mutation{login(username:"a",password:"b")@skip(if:false){__typename}}',
    'mutation{...on Mutation@include(if:true){login(username:"a",'
    'password:"b"){__typename}}}'])
def test_login_beside_another_field_is_refused(gateway_for, document):
    """Design 2.5: the login must be the only field, without conditions."""
    gateway = gateway_for("bearer")
    gateway.backend.forget()
    answer = gateway.query(document)
    assert (answer.status, answer.code) == (400, "LOGIN_SHAPE"), answer
    assert not gateway.backend.seen()


def test_errors_of_vendure_are_forwarded(gateway_for):
    gateway = gateway_for("bearer")
    for body, content_type, status, words in (
            (b'[{"query":"{me{id}}"}]', "application/json", 400, "batching"),
            (b'{"query":"{no}"}', "application/json", 400, "VALIDATION"),
            (b'{"query":"{activeChannel{code}} #' + b"x" * 110000 + b'"}',
             "application/json", 500, "statusCode"),
            (b'--b\r\nContent-Disposition: form-data; name="operations"\r\n'
             b'\r\n{"query":"{activeChannel{code}}"}\r\n--b--\r\n',
             "multipart/form-data; boundary=b", 200, "__default_channel__")):
        answer = gateway.send("POST", "/query", body,
                              [("Content-Type", content_type)])
        assert answer.status == status and words in answer.text, answer


def test_login_by_get_is_405(gateway_for, backend_kind):
    gateway = gateway_for(backend_kind)
    account, client = gateway.backend.register(), GatewayClient(gateway, "cookie")
    query = ("mutation { login(username: %s, password: %s) { __typename } }"
             % (json.dumps(account.email), json.dumps(account.password)))
    answer = client.send("GET", "/query?" + urllib.parse.urlencode(
        {"query": query}))
    assert answer.status == 405 and client.session_change is None


# Logout ----------------------------------------------------------------------

@pytest.mark.parametrize("setting, everywhere, called", [
    (None, False, False), (None, True, True),
    ("everywhere", False, False), ("everywhere", True, True),
    ("always", False, True), ("always", True, True),
    ("never", False, False), ("never", True, False)])
def test_upstream_logout_setting_decides_whether_the_backend_logs_out(
        gateway_for, backend_kind, setting, everywhere, called):
    more = {"POSTERN_UPSTREAM_LOGOUT": setting} if setting else {}
    gateway = gateway_for(backend_kind, "cookie", **more)
    shop, account = gateway.backend, gateway.backend.register()
    first, second = GatewayClient(gateway, "cookie"), GatewayClient(gateway, "cookie")
    first.log_in(account)
    second.log_in(account)
    shop.forget()
    answer = first.post("/logout" + ("?everywhere=1" if everywhere else ""))
    assert answer.json == {"data": {"logout": {"success": True}}}
    assert first.session_change == "cleared"
    assert any("logout" in r["body"] for r in shop.seen()) is called
    me = second.ask(ME).json["data"]["me"]
    # A logout everywhere revokes Postern's sessions with any setting.
    assert (me is None) == (called or everywhere)
    # The program query does not clear the cookie of a revoked session.
    assert second.session_change == ("cleared" if called and not everywhere else None)


@pytest.mark.parametrize("body, content_type", [
    (b"everywhere=1", "application/x-www-form-urlencoded"),
    (b'{"everywhere":true}', "application/json"),
    (b'{"everywhere":1}', "application/json")])
def test_logout_everywhere_in_the_body(gateway_for, body, content_type):
    gateway = gateway_for("bearer")
    account = gateway.backend.register()
    first, second = GatewayClient(gateway, "cookie"), GatewayClient(gateway, "cookie")
    first.log_in(account)
    second.log_in(account)
    assert first.send("POST", "/logout", body, [
        ("Content-Type", content_type)]).status == 200
    assert second.ask(ME).json["data"]["me"] is None


def test_logout_mutation_of_the_backend_revokes_the_session(
        gateway_for, backend_kind, transport_pair):
    methods, transport = transport_pair
    gateway = gateway_for(backend_kind, methods)
    client = client_of(gateway, transport, "customer")
    held = client.credential
    answer = client.bypass_lighttpd().ask(LOGOUT)
    assert answer.json["data"]["logout"]["success"] is True
    assert client.session_change == "cleared"
    assert_revoked(gateway, transport, held)


# CORS ------------------------------------------------------------------------

PATHS = {"query": "/query", "login": "/login", "logout": "/logout",
         "session": "/session"}
UNLISTED_ORIGINS = [
    "null", "https://app.example.evil.test", "http://app.example",
    "https://app.example:444", "https://app.example:443",
    "https://APP.example", "https://evil-app.example", "https://app.example/",
    "https://app.example.", "https://app_example", "https://other.example",
    "https://sub.app.example", "https://app.exampl", "app.example", "*",
    "https://app.example https://app.example", "file://app.example"]


@pytest.mark.parametrize("path", PATHS.values())
@pytest.mark.parametrize("methods", ["cookie", "bearer", "cookie,bearer"])
def test_listed_origin_gets_cors_headers(gateway_for, methods, path):
    gateway = gateway_for("bearer", methods, POSTERN_ORIGINS=ORIGINS)
    for origin in (LISTED_ORIGIN, "https://other.example:8443"):
        answer = gateway.get(path if path != "/query" else "/query?"
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


@pytest.mark.parametrize("origin", UNLISTED_ORIGINS)
def test_unlisted_origin_is_refused(gateway_for, origin):
    gateway = gateway_for("bearer", "cookie,bearer", POSTERN_ORIGINS=ORIGINS)
    headers = [("Origin", origin)]
    gateway.backend.forget()
    post = gateway.query(PRODUCTS, headers=headers)
    assert (post.status, post.code) == (403, "CROSS_SITE")
    assert not gateway.backend.seen()
    preflight = gateway.send("OPTIONS", "/query", headers=[
        *headers, ("Access-Control-Request-Method", "POST")])
    assert preflight.get("access-control-allow-headers") is None
    assert preflight.get("access-control-allow-methods") is None
    get = gateway.get("/session", headers=headers)
    for answer in (post, preflight, get):
        assert answer.get("access-control-allow-origin") is None
        assert answer.get("access-control-allow-credentials") is None
        assert "origin" in answer.vary


def test_empty_origin_is_refused(gateway_for):
    """Sent directly: lighttpd drops a header without a value."""
    gateway = gateway_for("bearer", "cookie,bearer", POSTERN_ORIGINS=ORIGINS)
    answer = gateway.direct("query", "POST", "", b"{}", HTTP_ORIGIN="",
                            CONTENT_TYPE="application/json")
    assert answer.status == 403
    assert answer.header("access-control-allow-origin") is None


def test_cors_headers_of_the_backend_are_dropped(gateway_for):
    """The backend allows any origin; Postern does not."""
    gateway = gateway_for("bearer", "cookie,bearer")
    answer = gateway.get("/query?" + urllib.parse.urlencode(
        {"query": PRODUCTS}), headers=[("Origin", "https://evil.test")])
    assert answer.status == 200
    assert not [n for n, _ in answer.headers if n.startswith("access-")]


@pytest.mark.parametrize("path", PATHS.values())
def test_preflight_of_a_listed_origin_is_answered(gateway_for, path):
    gateway = gateway_for("bearer", "cookie,bearer", POSTERN_ORIGINS=ORIGINS,
                          POSTERN_FORWARD_HEADERS="x-app-version")
    answer = gateway.send("OPTIONS", path, headers=[
        ("Origin", LISTED_ORIGIN), ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers",
         "authorization,content-type,vendure-token")])
    assert answer.status in (200, 204) and not answer.body
    assert answer.get("access-control-allow-origin") == LISTED_ORIGIN
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


@pytest.mark.parametrize("name, method, path, body, content_type, status", [
    ("dead bearer", "POST", "/query", b"{}", "application/json", 401),
    ("wrong password", "POST", "/login", b'{"email":"a@b.c","password":"x"}',
     "application/json", 401),
    ("not JSON", "POST", "/login", b"{", "application/json", 400),
    ("wrong type", "POST", "/query", b"x", "text/plain", 415),
    ("method", "PUT", "/query", b"x", "application/json", 405),
    ("path", "POST", "/query/more", b"{}", "application/json", 404),
    ("backend's error", "POST", "/query", b'{"query":"{no}"}',
     "application/json", 400),
    ("no document", "POST", "/query", b"{}", "application/json", 400),
    ("not GraphQL", "POST", "/query", b'{"query":"{me"}', "application/json",
     200)])
def test_errors_have_cors_headers_for_a_listed_origin(
        gateway_for, name, method, path, body, content_type, status):
    """U7: the page must be able to read a 401 to show it to the user."""
    gateway = gateway_for("bearer", "cookie,bearer", POSTERN_ORIGINS=ORIGINS,
                          POSTERN_DEAD_BEARER="refuse")
    headers = [("Origin", LISTED_ORIGIN), ("Content-Type", content_type)]
    if name == "dead bearer":
        headers.append(("Authorization", "Bearer dead"))
    answer = gateway.send(method, path, body, headers)
    assert answer.status == status, answer
    assert answer.get("access-control-allow-origin") == LISTED_ORIGIN
    assert answer.get("access-control-allow-credentials") == "true"
    assert answer.get("access-control-expose-headers") == \
        HEADER + ", Retry-After"
    assert "origin" in answer.vary


def test_status_502_has_cors_headers_for_a_listed_origin(start_own):
    shop = Shop()
    gateway = start_own(backend=shop, **BACKENDS["bearer"],
                        POSTERN_TOKEN_METHOD="cookie,bearer",
                        POSTERN_ORIGINS=ORIGINS)
    shop.stop()
    answer = gateway.query(PRODUCTS, headers=[("Origin", LISTED_ORIGIN)])
    assert answer.status == 502
    assert answer.get("access-control-allow-origin") == LISTED_ORIGIN
    gateway.close()
    start_own.gateways.remove(gateway)
    shop.close()


# Forwarded headers -----------------------------------------------------------

def test_channel_language_and_configured_headers_are_forwarded(
        gateway_for, backend_kind):
    gateway = gateway_for(backend_kind, "cookie",
                          POSTERN_FORWARD_HEADERS="x-app-version, X-Two")
    client = client_of(gateway, "cookie", "guest")
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
    seen = gateway.backend.seen()[-1]
    assert seen["path"] == "/shop-api?languageCode=de"
    sent = seen["header"]
    assert (sent["vendure-token"], sent["accept-language"],
            sent["x-app-version"], sent["x-two"]) == ("harbour", "de", "7",
                                                      "2")
    assert not {"x-three", "x-session-user", "proxy"} & set(sent)


@pytest.mark.parametrize("login_kind", LOGIN_KINDS)
def test_login_request_has_channel_and_language(gateway_for, login_kind):
    gateway = gateway_for("bearer")
    account = gateway.backend.register()
    gateway.backend.forget()
    client = GatewayClient(gateway, "cookie")
    client.headers = lambda: [("vendure-token", "harbour"),
                              ("Accept-Language", "de")]
    client.log_in(account, login_kind)
    sent = gateway.backend.seen()[0]["header"]
    assert (sent.get("vendure-token"), sent.get("accept-language")) == (
        "harbour", "de")


def test_other_headers_are_not_forwarded_by_default(gateway_for):
    gateway = gateway_for("bearer")
    gateway.query(PRODUCTS, headers=[("X-App-Version", "7"),
                                     ("Cookie", "other=1"), ("Via", "x")])
    sent = gateway.backend.seen()[-1]["header"]
    assert not {"x-app-version", "cookie", "via", "authorization"} & set(sent)


# Bearer tokens ---------------------------------------------------------------

REFUSED, ANONYMOUS, VALID = "refused", "nobody", "good"
SPELLINGS = [
    ("Bearer %s", VALID), ("bearer %s", VALID), ("BEARER %s", VALID),
    ("bEARER %s", VALID), ("Bearer   %s", VALID), ("Bearer %s  ", VALID),
    ("Bearer\t%s", REFUSED), ("Bearer %s %s", REFUSED),
    ("Bearer %s,x", REFUSED), ("Bearer %s=", REFUSED),
    ('Bearer "%s"', REFUSED), ("Bearer x", REFUSED),
    ("Bearer " + "z" * 7000, REFUSED), ("Bearer é", REFUSED),
    ("Basic dXNlcjpwYXNz", ANONYMOUS), ("%s", ANONYMOUS), ("Bearer",
                                                           ANONYMOUS),
    ("Bearer ", ANONYMOUS), ("Bearer    ", ANONYMOUS), ("", ANONYMOUS),
    ("Bearertoken", ANONYMOUS), ("Digest x", ANONYMOUS)]


def is_anonymous(gateway, token):
    """Is it an anonymous session? lighttpd drops an empty header."""
    claims = gateway.open_token(token)
    return claims["sub"] == "" and "upstream" not in claims


def check_spelling(gateway, headers, meaning, is_guest):
    """is_guest: an invalid token gives a guest (POSTERN_DEAD_BEARER)."""
    gateway.backend.forget()
    answer = gateway.query("{ me { __typename } }", headers=headers)
    seen = gateway.backend.seen()
    if meaning == REFUSED and not is_guest:
        assert (answer.status, answer.code) == (401, "UNAUTHENTICATED")
        assert answer.get("www-authenticate") == \
            'Bearer error="invalid_token"'
        assert is_anonymous(gateway, answer.get(HEADER)) and not seen
        return
    assert answer.status == 200
    assert answer.get("www-authenticate") is None
    assert bool(answer.get(HEADER)) == (meaning == REFUSED)
    assert (answer.json["data"]["me"] is not None) == (meaning == VALID)
    # The backend gets its own token only, never the client's header.
    token = seen[-1]["header"].get("authorization")
    assert (token is not None) == (meaning == VALID)


@pytest.mark.parametrize("spelling, meaning", SPELLINGS)
@pytest.mark.parametrize("rule", ["refuse", "guest"])
@pytest.mark.parametrize("backend_kind", ["bearer", "body"])
def test_spellings_of_the_authorization_header(gateway_for, backend_kind, rule,
                                               spelling, meaning):
    gateway = gateway_for(backend_kind, "bearer", POSTERN_DEAD_BEARER=rule)
    client = client_of(gateway, "bearer", "customer")
    value = spelling.replace("%s", client.credential)
    headers = [("Authorization", value.encode("utf-8").decode("latin-1"))]
    check_spelling(gateway, headers, meaning, rule == "guest")


@pytest.mark.parametrize("pair", [("%s", "%s"), ("%s", "x"), ("x", "%s")])
def test_two_authorization_headers_are_refused(gateway_for, pair):
    gateway = gateway_for("body", "bearer")
    client = client_of(gateway, "bearer", "customer")
    headers = [("Authorization", "Bearer " + one.replace("%s", client.credential))
               for one in pair]
    check_spelling(gateway, headers, REFUSED, False)


def test_token_of_12000_characters_is_refused(gateway_for):
    """lighttpd and the program have separate limits."""
    gateway = gateway_for("body", "bearer")
    long = "Bearer " + "e" * 12000
    assert gateway.query(headers=[("Authorization", long)]).status in (401,
                                                                       431)
    answer = gateway.direct("query", "POST", "", b"{}",
                            HTTP_AUTHORIZATION=long,
                            CONTENT_TYPE="application/json")
    assert answer.status == 401


def test_invalid_bearer_token_becomes_a_guest_with_vendure(
        gateway_for, backend_kind):
    gateway = gateway_for(backend_kind, "bearer")
    client = GatewayClient(gateway, "bearer")
    for token in ("x", "A" * 43, "eyJhbGciOiJkaXIifQ..a.b.c"):
        client.credential = token
        assert client.bypass_lighttpd().ask(PRODUCTS).status == 200
        assert client.session_change == "cleared", token
        client.credential = token
        assert client.add()["totalQuantity"] == 1  # as Vendure itself does
        assert client.session_change == "new", token


def test_bearer_token_takes_precedence_over_a_cookie(gateway_for):
    gateway = gateway_for("bearer", "cookie,bearer")
    alice, bob = (client_of(gateway, transport, "customer")
                  for transport in ("bearer", "cookie"))
    answer = gateway.query(ME, headers=[
        *alice.headers(), *bob.headers(),
        ("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.test")])
    assert answer.json["data"]["me"]["identifier"] == alice.session()["name"]
    assert not answer.all("set-cookie")


def test_token_is_bound_to_its_transport(gateway_for):
    gateway = gateway_for("bearer", "cookie,bearer",
                          POSTERN_DEAD_BEARER="refuse")
    by_bearer, by_cookie = (client_of(gateway, transport, "customer")
                            for transport in ("bearer", "cookie"))
    answer = gateway.query(ME, cookie=by_bearer.credential)
    assert answer.json["data"]["me"] is None
    assert answer.all("set-cookie") == []
    value = by_cookie.credential.partition("=")[2]
    assert gateway.query(ME, bearer=value).status == 401


def test_token_does_not_contain_the_backend_token(
        gateway_for, backend_kind, transport_pair):
    methods, transport = transport_pair
    client = client_of(gateway_for(backend_kind, methods), transport,
                       "customer")
    value = client.credential.partition("=")[2] or client.credential
    assert re.fullmatch(r"[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+", value)
    shop = client.gateway.backend
    client.ask(ME)
    assert shop.last_token() not in value


def test_configured_token_header_is_used(gateway_for):
    gateway = gateway_for("bearer", "bearer",
                          POSTERN_AUTH_TOKEN_HEADER="X-Shop-Token",
                          POSTERN_ORIGINS=ORIGINS)
    answer = gateway.query(ACTIVE, headers=[("Origin", LISTED_ORIGIN)])
    token = answer.get("x-shop-token")
    assert token and answer.get(HEADER) is None
    assert answer.get("access-control-expose-headers").lower() == \
        "x-shop-token, retry-after"
    order = gateway.query(ADD, {"id": 1, "n": 1}, bearer=token)
    assert order.get("x-shop-token") is None
