# SPDX-License-Identifier: ISC
"""demo/backend --dialect vendure behaves as a real Vendure was observed to.
Other tests cover Postern in front of it."""

import base64
import datetime
import hashlib
import hmac
import json
import re
import time
import urllib.parse

import gateway as gateways
import pytest
from dialect import (
    ACTIVE, ADD, EMPTY_COOKIE, HEADER, LOGIN, LOGOUT, ME, PRODUCTS, Shop,
    ShopClient, shop_cookies_of, token_in)

UNKNOWN_TOKEN = "0123456789abcdef" * 4
NEW_TOKEN = re.compile(r"[0-9a-f]{64}")
CUSTOMER = """mutation ($input: CreateCustomerInput!) {
    setCustomerForOrder(input: $input) { __typename
        ... on ErrorResult { errorCode } } }"""
QUOTED = json.dumps


@pytest.fixture(scope="module")
def shops():
    started = {method: Shop(method) for method in ("bearer", "cookie",
                                                   "both")}
    yield started
    for shop in started.values():
        shop.close()


@pytest.fixture(params=["bearer", "cookie", "both"])
def shop(request, shops):
    return shops[request.param]


@pytest.fixture
def bearer(shops):
    return shops["bearer"]


@pytest.fixture
def cookie(shops):
    return shops["cookie"]


@pytest.fixture
def both(shops):
    return shops["both"]


def client_of(shop, kind):
    """A client without a session ("nothing"), with a guest's or a customer's
    session, or with an ended session ("ended")."""
    client = ShopClient(shop)
    if kind == "guest":
        client.ask(ACTIVE)
    elif kind in ("customer", "ended"):
        client.log_in(shop.register())
        assert client.token
    if kind == "ended":
        other = ShopClient(shop)
        other.credential = client.credential
        other.ask(LOGOUT)
    return client


def tokens_of(shop, answer):
    """The tokens in an answer: {"bearer" or "cookie": (value, lifetime)}."""
    tokens = {}
    if answer.get(HEADER) is not None:
        tokens["bearer"] = (answer.get(HEADER), None)
    lines = answer.all("set-cookie")
    if lines:
        pair = shop_cookies_of(answer)
        lifetimes = {"1y" if "; expires=" in line else "browser"
                     for line in lines}
        assert len(lifetimes) == 1
        tokens["cookie"] = (token_in(pair[0]) if pair else "",
                            lifetimes.pop())
    assert not tokens or set(tokens) == {
        "bearer": {"bearer"}, "cookie": {"cookie"},
        "both": {"bearer", "cookie"}}[shop.method], answer
    if len(tokens) == 2:
        assert tokens["bearer"][0] == tokens["cookie"][0]
        names = [n for n, _ in answer.headers]
        assert names.index(HEADER) < names.index("set-cookie")
    return tokens


# Section 2: which answers contain a token ------------------------------------

NONE, EMPTY, GUEST = (None, None), ("", "browser"), ("T", "1y")
FIELDS = {
    "products": "{ products { totalItems } }",
    "activeChannel": "{ activeChannel { code } }",
    "me": "{ me { id } }",
    "activeOrder": "{ activeOrder { id } }",
    "activeCustomer": "{ activeCustomer { id } }",
    "add": 'mutation { addItemToOrder(productVariantId: 1, quantity: 1) {'
           ' __typename } }',
    "add an unknown product": 'mutation { addItemToOrder(productVariantId: 999,'
                      ' quantity: 1) { __typename } }',
    "add a negative quantity": 'mutation { addItemToOrder(productVariantId: 1,'
                          ' quantity: -1) { __typename } }',
    "wrong login": 'mutation { login(username: "x@example.com", password:'
                   ' "x") { __typename } }',
    "logout": "mutation { logout { success } }",
    "register": 'mutation { registerCustomerAccount(input: {emailAddress:'
                ' "r@example.com", password: "long enough"}) {'
                ' __typename } }',
    "reset": 'mutation { requestPasswordReset(emailAddress: "x@y.z") {'
             ' success } }',
    "typename": "{ __typename }",
    "introspection": "{ __schema { queryType { name } } }",
    "syntax": "{ me",
    "validation": "{ nothing }",
}
ANSWERS = [
    (("products", "activeChannel"), ("nothing", "guest", "customer"), NONE),
    (("products", "activeChannel"), ("ended",), EMPTY),
    (("me",), ("nothing", "guest", "customer"), NONE),
    (("me",), ("ended",), EMPTY),
    (("activeOrder", "activeCustomer", "add"), ("guest", "customer"), NONE),
    (("activeOrder", "activeCustomer", "add", "add an unknown product",
      "add a negative quantity"), ("nothing", "ended"), GUEST),
    (("wrong login",), ("nothing", "guest", "customer"), NONE),
    (("wrong login",), ("ended",), EMPTY),
    (("logout",), ("customer", "guest", "ended"), EMPTY),
    (("logout",), ("nothing",), NONE),
    (("register", "reset"), ("nothing",), NONE),
    (("typename", "introspection", "syntax", "validation"),
     ("nothing", "guest", "customer", "ended"), NONE),
]


@pytest.mark.parametrize("name, who, want", [
    (name, who, want) for names, clients, want in ANSWERS
    for name in names for who in clients])
def test_which_answers_contain_a_token(shop, name, who, want):
    client = client_of(shop, who)
    answer = client.ask(FIELDS[name])
    tokens = tokens_of(shop, answer)
    if want == NONE:
        assert not tokens
        return
    token, lifetime = want
    for method, (value, life) in tokens.items():
        assert NEW_TOKEN.fullmatch(value) if token else value == "", method
        assert life == (lifetime if method == "cookie" else None), method
    assert tokens


@pytest.mark.parametrize("who", ["nothing", "guest", "customer", "ended"])
@pytest.mark.parametrize("remember, life", [(None, "browser"),
                                            (False, "browser"), (True, "1y")])
def test_login_always_starts_a_new_session(shop, who, remember, life):
    client, account = client_of(shop, who), shop.register()
    before = client.token
    answer = client.ask(LOGIN, {
        "username": account.email, "password": account.password,
        **({} if remember is None else {"rememberMe": remember})})
    tokens = tokens_of(shop, answer)
    assert tokens and client.token not in (None, before)
    assert tokens.get("cookie", (0, life))[1] == life
    user = answer.json["data"]["login"]
    assert user["__typename"] == "CurrentUser"
    assert user["identifier"] == account.email
    me = client.ask(ME).json["data"]["me"]
    assert me == {"id": user["id"], "identifier": account.email}


def test_authenticate_logs_in(shop):
    account, client = shop.register(), ShopClient(shop)
    answer = client.ask("""mutation ($i: AuthenticationInput!) {
        authenticate(input: $i) { ... on CurrentUser { identifier } } }""", {
            "i": {"native": {"username": account.email,
                             "password": account.password}}})
    assert answer.json["data"]["authenticate"]["identifier"] == account.email
    assert client.token


@pytest.mark.parametrize("query, body", [
    ("me", {"me": None}), ("activeOrder", {"activeOrder": None}),
    ("wrong login", {"login": {"__typename": "InvalidCredentialsError"}})])
@pytest.mark.parametrize("who", ["nothing", "guest", "ended"])
def test_failures_have_status_200(shop, who, query, body):
    answer = client_of(shop, who).ask(FIELDS[query])
    assert (answer.status, answer.json["data"]) == (200, body)
    assert answer.code == ("FORBIDDEN" if query == "me" else None)


@pytest.mark.parametrize("who, success", [
    ("nothing", {"bearer": False, "cookie": False}),
    ("guest", {"bearer": True, "cookie": True}),
    ("customer", {"bearer": True, "cookie": True}),
    ("ended", {"bearer": True, "cookie": False})])
def test_logout_success_depends_on_the_session(shops, who, success):
    for method, want in success.items():
        answer = client_of(shops[method], who).ask(LOGOUT)
        assert answer.json["data"]["logout"]["success"] is want, method


def test_guest_session_survives_logout(shop):
    client = client_of(shop, "guest")
    token = client.token
    client.ask(LOGOUT)
    assert client.token is None and shop.is_live(token)


def test_guest_has_one_order(bearer):
    client = ShopClient(bearer)
    first, second = client.add(), client.add()
    assert (first["totalQuantity"], second["totalQuantity"]) == (1, 2)
    assert first["code"] == second["code"] == client.active()["code"]
    assert client.session_change is None


# Section 2: parsing of the token ---------------------------------------------

@pytest.mark.parametrize("header, meaning", [
    ("Bearer %s", "valid"), ("bearer %s", "valid"), ("BEARER %s", "valid"),
    ("Bearer\t%s", "valid"), ("Bearer %s ", "valid"),
    ("Bearer  %s", "ended"), ("Bearer %sx", "ended"),
    ("Bearer " + "z" * 12000, "ended"), ("Bearer x,%s", "ended"),
    ("Basic %s", "none"), ("%s", "none"), ("Bearer", "none"),
    ("Bearer ", "none"), ("", "none"), ("Token %s", "none")])
def test_authorization_header(bearer, header, meaning):
    token = client_of(bearer, "customer").token
    value = header.replace("%s", token)
    answer = bearer.raw(query=ME, headers=[("Authorization", value)])
    me = answer.json["data"]["me"]
    assert {"valid": me is not None and answer.get(HEADER) is None,
            "ended": me is None and answer.get(HEADER) == "",
            "none": me is None and answer.get(HEADER) is None}[meaning]


def test_first_of_two_authorization_headers_is_used(bearer):
    token = client_of(bearer, "customer").token
    pair = [("Authorization", "Bearer " + token),
            ("Authorization", "Bearer " + UNKNOWN_TOKEN)]
    assert bearer.raw(query=ME, headers=pair).json["data"]["me"]
    answer = bearer.raw(query=ME, headers=pair[::-1])
    assert answer.get(HEADER) == ""


def test_tokens_in_other_places_are_ignored(shops):
    bearer, cookie = (client_of(shops[m], "customer")
                      for m in ("bearer", "cookie"))
    for shop, headers in (
            (shops["bearer"], [(HEADER, bearer.token)]),
            (shops["bearer"], [("Cookie", cookie.credential)]),
            (shops["cookie"], [("Authorization", "Bearer " + cookie.token)])):
        answer = shop.raw(query=ME, headers=headers)
        assert answer.code == "FORBIDDEN" and not tokens_of(shop, answer)


def cookie_client(shop):
    """A client that keeps the cookie, for a shop with both methods."""
    client = ShopClient(shop)
    client.kind = "cookie"
    return client


def test_cookie_takes_precedence_over_bearer(both):
    bob, alice = both.register(), both.register()
    bobs = cookie_client(both).log_in(bob)
    alices = ShopClient(both).log_in(alice)
    headers = [("Cookie", bobs.credential),
               ("Authorization", "Bearer " + alices.token)]
    me = both.raw(query=ME, headers=headers).json["data"]["me"]
    assert me["identifier"] == bob.email
    other = cookie_client(both)
    other.credential = bobs.credential
    other.ask(LOGOUT)
    answer = both.raw(query=ME, headers=headers)  # even an ended one
    assert answer.code == "FORBIDDEN"
    assert {value for value, _ in tokens_of(both, answer).values()} == {""}


def test_malformed_cookie_does_not_hide_the_bearer_token(both):
    alice = both.register()
    token = ShopClient(both).log_in(alice).token
    bobs = cookie_client(both).log_in(both.register())
    value, signature = bobs.credential.split("; ")
    signed_empty = None
    out = ShopClient(both)
    out.kind, out.credential = "cookie", bobs.credential
    answer = out.ask(LOGOUT)
    signed_empty = "; ".join(line.partition(";")[0]
                             for line in answer.all("set-cookie"))
    for held in (value, value + "; session.sig=" + "x" * 27, signature,
                 signed_empty):
        me = both.raw(query=ME, headers=[
            ("Cookie", held), ("Authorization", "Bearer " + token)])
        assert me.json["data"]["me"]["identifier"] == alice.email, held


# Section 2: several root fields ----------------------------------------------

TWICE = """mutation { a: addItemToOrder(productVariantId: 1, quantity: 1) {
    ... on Order { code } } b: addItemToOrder(productVariantId: 1, quantity: 1)
    { ... on Order { code } } }"""


def test_two_fields_start_two_guest_sessions_and_lose_an_order(shop):
    client = ShopClient(shop)
    data = client.ask(TWICE).json["data"]
    assert data["a"]["code"] != data["b"]["code"]
    assert client.active()["code"] == data["b"]["code"]


def test_three_owner_fields_start_three_guest_sessions(shop):
    before = len(shop.hashes())
    ShopClient(shop).ask("{ activeOrder { id } activeCustomer { id }"
                     " eligibleShippingMethods { id } }")
    assert len(shop.hashes()) == before + 3


@pytest.mark.parametrize("method, is_customers", [
    ("bearer", False), ("cookie", True), ("both", True)])
def test_login_and_order_in_one_document(shops, method, is_customers):
    shop = shops[method]
    account, client = shop.register(), ShopClient(shop)
    client.ask('mutation { login(username: %s, password: %s) { __typename }'
               ' addItemToOrder(productVariantId: 1, quantity: 1) {'
               ' ... on Order { code } } }' % (
                   QUOTED(account.email), QUOTED(account.password)))
    me = client.ask(ME).json["data"]["me"]
    assert (me is not None) == is_customers
    assert client.active()["totalQuantity"] == 1


@pytest.mark.parametrize("method, success", [("bearer", False),
                                             ("cookie", True)])
def test_login_and_logout_in_one_document(shops, method, success):
    shop = shops[method]
    account, client = shop.register(), ShopClient(shop)
    answer = client.ask(
        'mutation { login(username: %s, password: %s) { __typename }'
        ' logout { success } }' % (QUOTED(account.email),
                                   QUOTED(account.password)))
    assert answer.json["data"]["logout"]["success"] is success
    assert (client.token is None) == success


@pytest.mark.parametrize("query", [
    "{ products { totalItems } activeOrder { id } }",
    "{ activeOrder { id } products { totalItems } }"])
def test_new_guest_token_replaces_an_ended_session(shop, query):
    client = client_of(shop, "ended")
    client.ask(query)
    assert client.session_change == "new"


# Section 3: the cookie -------------------------------------------------------

def test_cookie_format_is_that_of_cookie_session(cookie):
    answer = ShopClient(cookie).ask(ACTIVE)
    first, second = answer.all("set-cookie")
    expires = r"expires=([A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT)"
    found = re.fullmatch(rf"session=([A-Za-z0-9+/]+=*); path=/; {expires};"
                         " samesite=lax; httponly", first)
    value, ends = found[1], found[2]
    assert re.fullmatch(r'\{"token":"[0-9a-f]{64}"\}',
                        base64.b64decode(value).decode())
    ends = datetime.datetime.strptime(ends, "%a, %d %b %Y %H:%M:%S GMT")
    days = (ends - datetime.datetime.utcnow()).total_seconds() / 86400
    assert 365.2 < days < 365.3
    assert re.fullmatch(r"session\.sig=[\w-]{27}; path=/; expires=[^;]+;"
                        " samesite=lax; httponly", second)


def test_cookie_signature_is_an_hmac_of_name_and_value():
    import sys
    sys.path.append(gateways.ROOT + "/demo")
    import backend_vendure
    made = backend_vendure.SignedCookie(b"s3cret", None).signature(EMPTY_COOKIE)
    want = base64.urlsafe_b64encode(hmac.new(
        b"s3cret", b"session=" + EMPTY_COOKIE.encode(), hashlib.sha1).digest())
    assert made == want.decode().rstrip("=") and len(made) == 27


def test_logout_sets_an_empty_signed_cookie(cookie):
    client = client_of(cookie, "customer")
    answer = client.ask(LOGOUT)
    first, second = answer.all("set-cookie")
    assert first == f"session={EMPTY_COOKIE}; path=/; samesite=lax; httponly"
    assert EMPTY_COOKIE == "eyJ0b2tlbiI6IiJ9"
    again = [("Cookie", "; ".join(line.partition(";")[0]
                                  for line in (first, second)))]
    for query, want in ((PRODUCTS, None), (ME, None), (ACTIVE, "new")):
        answer = cookie.raw(query=query, headers=again)
        assert (shop_cookies_of(answer) and "new") == want, query


@pytest.mark.parametrize("query", [PRODUCTS, ME, ACTIVE])
@pytest.mark.parametrize("damage", ["no signature", "wrong signature",
                                    "damaged value", "other order"])
def test_invalid_cookies(cookie, damage, query):
    client = client_of(cookie, "customer")
    value, signature = client.credential.split("; ")
    held = {"no signature": value,
            "wrong signature": value + "; session.sig=" + "A" * 27,
            "damaged value": value[:-6] + "AAAAAA; " + signature,
            "other order": f"a=b; {signature}; {value}; c=d"}[damage]
    answer = cookie.raw(query=query, headers=[("Cookie", held)])
    if damage == "other order":
        assert not answer.all("set-cookie") and not answer.code
    elif query == ACTIVE:
        assert shop_cookies_of(answer)  # a new cookie and signature
    elif damage == "no signature":
        assert not answer.all("set-cookie")
    else:
        assert answer.all("set-cookie") == [
            "session.sig=; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT;"
            " httponly"]


# Section 5: login, logout and orders -----------------------------------------

def test_login_moves_the_guests_order_to_the_customer(shop):
    client = ShopClient(shop)
    order, guest = client.add(), client.token
    client.log_in(shop.register())
    assert client.active()["code"] == order["code"]
    assert not shop.is_live(guest)


def test_merge_uses_the_guests_quantity_for_the_same_product(shop):
    account = shop.register()
    kept = ShopClient(shop).log_in(account)
    theirs = kept.add(1, 2)
    kept.add(2, 1)
    guest = ShopClient(shop)
    guest.add(1, 1)
    guest.add(3, 4)
    guest.log_in(account)
    order = guest.ask("{ activeOrder { code lines { quantity productVariant {"
                      " id } } } }").json["data"]["activeOrder"]
    assert order["code"] == theirs["code"]
    assert {line["productVariant"]["id"]: line["quantity"]
            for line in order["lines"]} == {"1": 1, "2": 1, "3": 4}


def test_login_without_the_guests_token_merges_nothing(shop):
    guest = ShopClient(shop)
    guest.add()
    customer = ShopClient(shop).log_in(shop.register())
    assert customer.active() is None
    assert guest.active()["totalQuantity"] == 1


def test_login_loses_a_guests_order_with_an_address(shop):
    client = ShopClient(shop)
    client.add()
    answer = client.ask(CUSTOMER, {"input": {
        "emailAddress": "guest@example.com", "firstName": "G",
        "lastName": "U"}})
    assert answer.json["data"]["setCustomerForOrder"]["__typename"] == "Order"
    guest = client.token
    client.log_in(shop.register())
    assert client.active() is None and not shop.is_live(guest)


def test_login_keeps_a_guest_session_without_an_order(shop):
    client = client_of(shop, "guest")
    guest = client.token
    client.log_in(shop.register())
    assert shop.is_live(guest)


def test_login_over_an_order_ends_all_sessions_with_that_order(shop):
    account = shop.register()
    phone, desk, plain = (ShopClient(shop).log_in(account) for _ in range(3))
    phone.add()
    desk.active()  # links its session to the same order
    tokens = [phone.token, desk.token, plain.token]
    phone.log_in(account)
    assert [shop.is_live(token) for token in tokens] == [False, False, True]


def test_login_over_anothers_session_ends_it_and_keeps_its_order(shop):
    alice, bob = shop.register(), shop.register()
    client = ShopClient(shop).log_in(alice)
    order, token = client.add(), client.token
    client.log_in(bob)
    assert not shop.is_live(token) and client.active() is None
    assert ShopClient(shop).log_in(alice).active()["code"] == order["code"]


def test_login_on_a_second_device_ends_no_session(shop):
    account = shop.register()
    first, second = (ShopClient(shop).log_in(account) for _ in range(2))
    assert shop.is_live(first.token) and shop.is_live(second.token)


def test_failed_login_keeps_session_and_order(shop):
    client = ShopClient(shop)
    order, token = client.add(), client.token
    answer = client.ask(LOGIN, {"username": "demo@example.com",
                                "password": "wrong"})
    assert answer.json["data"]["login"]["errorCode"] == \
        "INVALID_CREDENTIALS_ERROR"
    assert client.token == token
    assert client.active()["code"] == order["code"]


def test_logout_ends_all_sessions_and_keeps_the_order(shop):
    account = shop.register()
    phone, desk = (ShopClient(shop).log_in(account) for _ in range(2))
    order, token = phone.add(), desk.token
    phone.ask(LOGOUT)
    assert not shop.is_live(token)
    assert ShopClient(shop).log_in(account).active()["code"] == order["code"]


def test_password_change_ends_no_session(shop):
    account = shop.register()
    phone, desk = (ShopClient(shop).log_in(account) for _ in range(2))
    answer = phone.ask("""mutation ($a: String!, $b: String!) {
        updateCustomerPassword(currentPassword: $a, newPassword: $b) {
            __typename } }""", {"a": account.password, "b": "another one"})
    assert answer.json["data"]["updateCustomerPassword"]["__typename"] == \
        "Success"
    assert shop.is_live(phone.token) and shop.is_live(desk.token)
    assert not ShopClient(shop).log_in(account).token


def test_completed_order_keeps_the_session(shop):
    client = ShopClient(shop).log_in(shop.register())
    first = client.add()
    for step in (
            'transitionOrderToState(state: "ArrangingPayment")',
            'addPaymentToOrder(input: {method: "cash", metadata: "{}"})'):
        name = step.partition("(")[0]
        result = client.ask("mutation { %s { __typename ... on ErrorResult {"
                          " errorCode } } }" % step).json["data"][name]
        assert result["__typename"] == "Order", result
    assert client.active() is None and client.session_change is None
    assert client.add()["code"] != first["code"]


# Section 6: expiry -----------------------------------------------------------

def test_each_request_extends_the_session():
    shop = Shop("bearer", "--token-ttl", "6")
    try:
        used, idle = (ShopClient(shop).log_in(shop.register()) for _ in range(2))
        for _ in range(5):
            time.sleep(1.5)
            assert used.ask(ME).json["data"]["me"]
            assert used.session_change is None
        assert idle.ask(ME).code == "FORBIDDEN"
        assert idle.session_change == "cleared"
    finally:
        shop.close()


# Section 8: HTTP -------------------------------------------------------------

def test_response_headers(shop):
    answer = shop.raw(query=PRODUCTS)
    assert answer.get("content-type") == "application/json; charset=utf-8"
    assert answer.get("cache-control") == "no-store"
    assert answer.get("content-language") == "en"
    assert answer.get("etag").startswith('W/"')
    assert answer.get("content-length") == str(len(answer.body))


@pytest.mark.parametrize("accept, status, kind", [
    ("application/json", 200, "application/json"),
    ("application/graphql-response+json", 200,
     "application/graphql-response+json"),
    ("*/*", 200, "application/json"), ("text/html", 406, "application/json")])
def test_accept_selects_the_content_type(bearer, accept, status, kind):
    answer = bearer.raw(query=ME, headers=[("Accept", accept)])
    assert answer.status == status
    assert answer.get("content-type").startswith(kind + ";")


def get(shop, query, headers=(), **more):
    return shop.raw("GET", shop.path + "?" + urllib.parse.urlencode(
        {"query": query, **more}), headers=headers)


def test_get_starts_guest_sessions_even_with_304(shop):
    first = get(shop, ACTIVE)
    assert first.status == 200 and tokens_of(shop, first)
    again = get(shop, ACTIVE, [("If-None-Match", first.get("etag"))])
    assert again.status == 304 and not again.body
    tokens = tokens_of(shop, again)
    assert tokens and tokens != tokens_of(shop, first)


@pytest.mark.parametrize("method, query, status, allow", [
    ("GET", "mutation { logout { success } }", 405, "POST"),
    ("PUT", None, 405, "GET, POST"), ("HEAD", None, 405, "GET, POST"),
    ("DELETE", None, 405, "GET, POST")])
def test_unsupported_methods_are_405(bearer, method, query, status, allow):
    path = bearer.path + ("?" + urllib.parse.urlencode({"query": query})
                          if query else "")
    answer = bearer.raw(method, path)
    assert (answer.status, answer.get("allow")) == (status, allow)


MULTIPART = ("multipart/form-data; boundary=b", '--b\r\nContent-Disposition:'
             ' form-data; name="%s"\r\n\r\n%s\r\n--b--\r\n')


@pytest.mark.parametrize("kind, body, status, part", [
    ("application/json", "[]", 400, "batching"),
    ("application/json", '[{"query":"{__typename}"}]', 400, "batching"),
    (MULTIPART[0], MULTIPART[1] % ("operations", '[{"query":"{me{id}}"}]'),
     400, "batching"),
    (MULTIPART[0], MULTIPART[1] % ("operations", '{"query":"{__typename}"}'),
     200, "__typename"),
    (MULTIPART[0], MULTIPART[1] % ("other", "{}"), 500, "statusCode"),
    ("application/json", "", 400, "BAD_REQUEST"),
    ("application/json", "{}", 400, "BAD_REQUEST"),
    ("application/json", '{"query":1}', 400, "BAD_REQUEST"),
    ("application/json", '{"query":"{me', 400, "statusCode"),
    ("text/plain", '{"query":"{__typename}"}', 400, "BAD_REQUEST"),
    ("application/graphql", "{__typename}", 400, "BAD_REQUEST"),
    ("application/graphql+json", '{"query":"{__typename}"}', 400,
     "BAD_REQUEST"),
    (None, '{"query":"{__typename}"}', 400, "BAD_REQUEST"),
    ("application/x-www-form-urlencoded", "query={__typename}", 200,
     "__typename"),
    ("application/json", json.dumps({"query": "#" * 110000}), 500,
     "statusCode"),
    ("application/json", '{"query":"subscription{x}"}', 200, "errors"),
    ("application/json", '{"query":"{me"}', 400, "GRAPHQL_PARSE_FAILED"),
    ("application/json", '{"query":"{no}"}', 400,
     "GRAPHQL_VALIDATION_FAILED"),
    ("application/json", '{"query":"query($a:ID!){product(id:$a){id}}"}', 200,
     "BAD_USER_INPUT"),
    ("application/json", '{"query":"query A{__typename}","operationName":"B"}',
     400, "OPERATION_RESOLUTION_FAILURE"),
])
def test_request_bodies(bearer, kind, body, status, part):
    headers = [("Content-Type", kind)] if kind else []
    answer = bearer.raw("POST", body=body.encode(), headers=headers)
    assert answer.status == status, answer
    assert part in answer.text, answer
    if part == "statusCode":
        assert set(answer.json) == {"statusCode", "message", "timestamp",
                                    "path"}
        assert answer.json["statusCode"] == status


def test_persisted_queries(bearer):
    query = "query P { activeChannel { code } # %s\n }" % time.time_ns()
    digest = hashlib.sha256(query.encode()).hexdigest()
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
    unknown = bearer.raw(extensions=extensions)
    assert (unknown.status, unknown.code) == (200, "PERSISTED_QUERY_NOT_FOUND")
    assert unknown.get("cache-control") == "private, no-cache, must-revalidate"
    wrong = bearer.raw(query=query + " ", extensions=extensions)
    assert wrong.status == 400
    assert not bearer.raw(query=query, extensions=extensions).code
    assert bearer.raw(extensions=extensions).json["data"]["activeChannel"]
    answer = bearer.raw("GET", bearer.path + "?" + urllib.parse.urlencode(
        {"extensions": json.dumps(extensions)}))
    assert answer.json["data"]["activeChannel"]


@pytest.mark.parametrize("path, status", [
    ("/shop-api", 200), ("/shop-api/", 200), ("/shop-api/anything", 200),
    ("/graphql", 404), ("/", 404), ("/health", 200)])
def test_paths(bearer, path, status):
    body = b'{"query":"{__typename}"}'
    answer = bearer.raw("POST", path, body,
                        [("Content-Type", "application/json")])
    assert answer.status == status


@pytest.mark.parametrize("header, parameter, want", [
    (None, None, "__default_channel__"), ("", None, "__default_channel__"),
    ("harbour", None, "harbour"), ("harbour", "market-square",
                                   "__default_channel__"),
    ("nowhere", None, None), (None, "harbour", "harbour")])
def test_channels(bearer, header, parameter, want):
    path = bearer.path + (f"?vendure-token={parameter}" if parameter else "")
    answer = bearer.raw(path=path, query="{ activeChannel { code } }",
                        headers=[] if header is None
                        else [("vendure-token", header)])
    assert answer.status == 200
    if want is None:
        assert answer.code == "CHANNEL_NOT_FOUND"
    else:
        assert answer.json["data"]["activeChannel"]["code"] == want


def test_unknown_channel_starts_a_guest_session(shop):
    client = ShopClient(shop)
    answer = client.ask(ACTIVE, headers=[("vendure-token", "nowhere")])
    assert answer.code == "CHANNEL_NOT_FOUND" and client.session_change == "new"


def test_another_channel_replaces_a_guests_order(bearer):
    client = ShopClient(bearer)
    there = [("vendure-token", "harbour")]
    first = client.add()
    assert client.ask(ACTIVE, headers=there).json["data"]["activeOrder"] is \
        None
    second = client.ask(ADD, {"id": 2, "n": 1}, there).json["data"]
    assert second["addItemToOrder"]["code"] != first["code"]
    assert client.active()["code"] == second["addItemToOrder"]["code"]


@pytest.mark.parametrize("search, headers, message, content", [
    ("", [], "en", "en"), ("?languageCode=de", [], "de", "de"),
    ("", [("Accept-Language", "de-AT,de;q=0.9")], "de", "en"),
    ("", [("Cookie", "i18next=de")], "de", "en"),
    ("?languageCode=en", [("Accept-Language", "de")], "en", "en"),
    ("?languageCode=%25%25", [], "en", "en")])
def test_languages(bearer, search, headers, message, content):
    answer = bearer.raw(
        path=bearer.path + search, headers=headers,
        query="{ me { id } product(id: 1) { languageCode name } }")
    assert answer.get("content-language") == message
    assert answer.json["errors"][0]["message"].startswith(
        {"en": "You", "de": "Sie"}[message])
    assert answer.json["data"]["product"] == {
        "languageCode": content,
        "name": {"en": "Iron key", "de": "Eiserner Schlüssel"}[content]}


# Section 4: cross-origin -----------------------------------------------------

@pytest.mark.parametrize("origin", ["https://shop.test", "null", None])
def test_any_origin_is_allowed(shop, origin):
    headers = [("Origin", origin)] if origin else []
    for answer in (shop.raw(query=PRODUCTS, headers=headers),
                   shop.raw("OPTIONS", headers=headers)):
        assert answer.get("access-control-allow-origin") == origin
        assert answer.get("access-control-allow-credentials") == "true"
        assert "origin" in answer.vary
        assert answer.get("access-control-expose-headers") == (
            None if shop.method == "cookie" else HEADER)


def test_preflight_allows_the_requested_headers(bearer):
    answer = bearer.raw("OPTIONS", headers=[
        ("Origin", "https://shop.test"),
        ("Access-Control-Request-Headers", "content-type,authorization")])
    assert (answer.status, answer.body) == (204, b"")
    assert answer.get("access-control-allow-headers") == \
        "content-type,authorization"
    assert answer.get("access-control-max-age") is None


# The test hooks --------------------------------------------------------------

def test_hooks_work_in_this_dialect(bearer):
    bearer.forget()
    bearer.next(status=204, headers=[[HEADER, "x"]])
    answer = bearer.raw(query=ME)
    assert (answer.status, answer.get(HEADER)) == (204, "x")
    assert bearer.seen()[-1]["path"] == "/shop-api"
