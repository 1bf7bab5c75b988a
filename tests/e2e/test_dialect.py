# SPDX-License-Identifier: ISC
"""The demo's backend in Vendure's dialect does what a real one was seen to
do, line by line. What Postern makes of it is tested elsewhere."""

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
    ACTIVE, ADD, EMPTIED, HEADER, LOGIN, LOGOUT, ME, PRODUCTS, ShopClient, Shop,
    pair_of, token_in)

DEAD = "0123456789abcdef" * 4
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
    for one in started.values():
        one.close()


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


def visitor(shop, kind):
    """A client that comes with nothing, as a guest, in, or with a session
    that has died."""
    client = ShopClient(shop)
    if kind == "guest":
        client.ask(ACTIVE)
    elif kind in ("customer", "dead"):
        client.log_in(shop.register())
        assert client.token
    if kind == "dead":
        other = ShopClient(shop)
        other.credential = client.credential
        other.ask(LOGOUT)
    return client


def carried(shop, answer):
    """What an answer says of the session: {carrier: (value, lifetime)}."""
    said = {}
    if answer.get(HEADER) is not None:
        said["bearer"] = (answer.get(HEADER), None)
    lines = answer.all("set-cookie")
    if lines:
        pair = pair_of(answer)
        lives = {"1y" if "; expires=" in line else "browser"
                 for line in lines}
        assert len(lives) == 1
        said["cookie"] = (token_in(pair[0]) if pair else "", lives.pop())
    assert not said or set(said) == {
        "bearer": {"bearer"}, "cookie": {"cookie"},
        "both": {"bearer", "cookie"}}[shop.method], answer
    if len(said) == 2:
        assert said["bearer"][0] == said["cookie"][0]
        names = [n for n, _ in answer.headers]
        assert names.index(HEADER) < names.index("set-cookie")
    return said


# Section 2: which answers carry what --------------------------------------------

NONE, EMPTY, GUEST = (None, None), ("", "browser"), ("T", "1y")
FIELDS = {
    "products": "{ products { totalItems } }",
    "activeChannel": "{ activeChannel { code } }",
    "me": "{ me { id } }",
    "activeOrder": "{ activeOrder { id } }",
    "activeCustomer": "{ activeCustomer { id } }",
    "add": 'mutation { addItemToOrder(productVariantId: 1, quantity: 1) {'
           ' __typename } }',
    "add an unknown": 'mutation { addItemToOrder(productVariantId: 999,'
                      ' quantity: 1) { __typename } }',
    "add less than none": 'mutation { addItemToOrder(productVariantId: 1,'
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
CARRIED = [
    (("products", "activeChannel"), ("nothing", "guest", "customer"), NONE),
    (("products", "activeChannel"), ("dead",), EMPTY),
    (("me",), ("nothing", "guest", "customer"), NONE),
    (("me",), ("dead",), EMPTY),
    (("activeOrder", "activeCustomer", "add"), ("guest", "customer"), NONE),
    (("activeOrder", "activeCustomer", "add", "add an unknown",
      "add less than none"), ("nothing", "dead"), GUEST),
    (("wrong login",), ("nothing", "guest", "customer"), NONE),
    (("wrong login",), ("dead",), EMPTY),
    (("logout",), ("customer", "guest", "dead"), EMPTY),
    (("logout",), ("nothing",), NONE),
    (("register", "reset"), ("nothing",), NONE),
    (("typename", "introspection", "syntax", "validation"),
     ("nothing", "guest", "customer", "dead"), NONE),
]


@pytest.mark.parametrize("name, who, want", [
    (name, who, want) for names, visitors, want in CARRIED
    for name in names for who in visitors])
def test_an_answer_carries_just_that(shop, name, who, want):
    client = visitor(shop, who)
    answer = client.ask(FIELDS[name])
    said = carried(shop, answer)
    if want == NONE:
        assert not said
        return
    token, lives = want
    for carrier, (value, life) in said.items():
        assert NEW_TOKEN.fullmatch(value) if token else value == "", carrier
        assert life == (lives if carrier == "cookie" else None), carrier
    assert said


@pytest.mark.parametrize("who", ["nothing", "guest", "customer", "dead"])
@pytest.mark.parametrize("remember, life", [(None, "browser"),
                                            (False, "browser"), (True, "1y")])
def test_a_login_always_makes_a_new_session(shop, who, remember, life):
    client, account = visitor(shop, who), shop.register()
    before = client.token
    answer = client.ask(LOGIN, {
        "username": account.email, "password": account.password,
        **({} if remember is None else {"rememberMe": remember})})
    said = carried(shop, answer)
    assert said and client.token not in (None, before)
    assert said.get("cookie", (0, life))[1] == life
    user = answer.json["data"]["login"]
    assert user["__typename"] == "CurrentUser"
    assert user["identifier"] == account.email
    me = client.ask(ME).json["data"]["me"]
    assert me == {"id": user["id"], "identifier": account.email}


def test_authenticate_logs_in_as_well(shop):
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
@pytest.mark.parametrize("who", ["nothing", "guest", "dead"])
def test_a_failure_is_told_with_200(shop, who, query, body):
    answer = visitor(shop, who).ask(FIELDS[query])
    assert (answer.status, answer.json["data"]) == (200, body)
    assert answer.code == ("FORBIDDEN" if query == "me" else None)


@pytest.mark.parametrize("who, success", [
    ("nothing", {"bearer": False, "cookie": False}),
    ("guest", {"bearer": True, "cookie": True}),
    ("customer", {"bearer": True, "cookie": True}),
    ("dead", {"bearer": True, "cookie": False})])
def test_what_a_logout_says(shops, who, success):
    for method, want in success.items():
        answer = visitor(shops[method], who).ask(LOGOUT)
        assert answer.json["data"]["logout"]["success"] is want, method


def test_a_guests_session_lives_on_after_its_logout(shop):
    client = visitor(shop, "guest")
    token = client.token
    client.ask(LOGOUT)
    assert client.token is None and shop.is_live(token)


def test_a_guest_keeps_one_order(bearer):
    client = ShopClient(bearer)
    first, second = client.add(), client.add()
    assert (first["totalQuantity"], second["totalQuantity"]) == (1, 2)
    assert first["code"] == second["code"] == client.active()["code"]
    assert client.session_change is None


# Section 2: how the token is read ------------------------------------------------

@pytest.mark.parametrize("spelt, meaning", [
    ("Bearer %s", "alive"), ("bearer %s", "alive"), ("BEARER %s", "alive"),
    ("Bearer\t%s", "alive"), ("Bearer %s ", "alive"),
    ("Bearer  %s", "dead"), ("Bearer %sx", "dead"),
    ("Bearer " + "z" * 12000, "dead"), ("Bearer x,%s", "dead"),
    ("Basic %s", "none"), ("%s", "none"), ("Bearer", "none"),
    ("Bearer ", "none"), ("", "none"), ("Token %s", "none")])
def test_how_authorization_is_read(bearer, spelt, meaning):
    token = visitor(bearer, "customer").token
    value = spelt.replace("%s", token)
    answer = bearer.raw(query=ME, headers=[("Authorization", value)])
    me = answer.json["data"]["me"]
    assert {"alive": me is not None and answer.get(HEADER) is None,
            "dead": me is None and answer.get(HEADER) == "",
            "none": me is None and answer.get(HEADER) is None}[meaning]


def test_of_two_authorization_headers_the_first_counts(bearer):
    token = visitor(bearer, "customer").token
    pair = [("Authorization", "Bearer " + token),
            ("Authorization", "Bearer " + DEAD)]
    assert bearer.raw(query=ME, headers=pair).json["data"]["me"]
    answer = bearer.raw(query=ME, headers=pair[::-1])
    assert answer.get(HEADER) == ""


def test_other_places_mean_nothing(shops):
    bearer, cookie = (visitor(shops[m], "customer")
                      for m in ("bearer", "cookie"))
    for shop, headers in (
            (shops["bearer"], [(HEADER, bearer.token)]),
            (shops["bearer"], [("Cookie", cookie.credential)]),
            (shops["cookie"], [("Authorization", "Bearer " + cookie.token)])):
        answer = shop.raw(query=ME, headers=headers)
        assert answer.code == "FORBIDDEN" and not carried(shop, answer)


def cookie_client(shop):
    """Of a shop with both methods, one that keeps the cookie."""
    client = ShopClient(shop)
    client.kind = "cookie"
    return client


def test_with_both_a_cookie_wins(both):
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
    answer = both.raw(query=ME, headers=headers)  # dead, and still it wins
    assert answer.code == "FORBIDDEN"
    assert {value for value, _ in carried(both, answer).values()} == {""}


def test_with_both_a_cookie_that_is_none_is_skipped(both):
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


# Section 2: several root fields ---------------------------------------------------

TWICE = """mutation { a: addItemToOrder(productVariantId: 1, quantity: 1) {
    ... on Order { code } } b: addItemToOrder(productVariantId: 1, quantity: 1)
    { ... on Order { code } } }"""


def test_two_fields_make_two_guests_and_lose_an_order(shop):
    client = ShopClient(shop)
    data = client.ask(TWICE).json["data"]
    assert data["a"]["code"] != data["b"]["code"]
    assert client.active()["code"] == data["b"]["code"]


def test_three_owner_fields_make_three_guests(shop):
    before = len(shop.hashes())
    ShopClient(shop).ask("{ activeOrder { id } activeCustomer { id }"
                     " eligibleShippingMethods { id } }")
    assert len(shop.hashes()) == before + 3


@pytest.mark.parametrize("method, is_customers", [
    ("bearer", False), ("cookie", True), ("both", True)])
def test_a_login_and_an_order_in_one_document(shops, method, is_customers):
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
def test_a_login_and_a_logout_in_one_document(shops, method, success):
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
def test_a_new_guest_outweighs_a_dead_token(shop, query):
    client = visitor(shop, "dead")
    client.ask(query)
    assert client.session_change == "new"


# Section 3: the cookie -------------------------------------------------------------

def test_the_cookie_is_written_as_cookie_session_does(cookie):
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


def test_the_signature_is_an_hmac_of_the_pair():
    import sys
    sys.path.append(gateways.ROOT + "/demo")
    import backend_vendure
    made = backend_vendure.SignedCookie(b"s3cret", None).signature(EMPTIED)
    want = base64.urlsafe_b64encode(hmac.new(
        b"s3cret", b"session=" + EMPTIED.encode(), hashlib.sha1).digest())
    assert made == want.decode().rstrip("=") and len(made) == 27


def test_an_emptied_cookie(cookie):
    client = visitor(cookie, "customer")
    answer = client.ask(LOGOUT)
    first, second = answer.all("set-cookie")
    assert first == f"session={EMPTIED}; path=/; samesite=lax; httponly"
    assert EMPTIED == "eyJ0b2tlbiI6IiJ9"
    again = [("Cookie", "; ".join(line.partition(";")[0]
                                  for line in (first, second)))]
    for query, want in ((PRODUCTS, None), (ME, None), (ACTIVE, "new")):
        answer = cookie.raw(query=query, headers=again)
        assert (pair_of(answer) and "new") == want, query


@pytest.mark.parametrize("query", [PRODUCTS, ME, ACTIVE])
@pytest.mark.parametrize("damage", ["no signature", "wrong signature",
                                    "damaged value", "other order"])
def test_a_damaged_cookie(cookie, damage, query):
    client = visitor(cookie, "customer")
    value, signature = client.credential.split("; ")
    held = {"no signature": value,
            "wrong signature": value + "; session.sig=" + "A" * 27,
            "damaged value": value[:-6] + "AAAAAA; " + signature,
            "other order": f"a=b; {signature}; {value}; c=d"}[damage]
    answer = cookie.raw(query=query, headers=[("Cookie", held)])
    if damage == "other order":
        assert not answer.all("set-cookie") and not answer.code
    elif query == ACTIVE:
        assert pair_of(answer)  # a whole new pair
    elif damage == "no signature":
        assert not answer.all("set-cookie")
    else:
        assert answer.all("set-cookie") == [
            "session.sig=; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT;"
            " httponly"]


# Section 5: login, logout and orders -----------------------------------------------

def test_the_guests_order_becomes_the_customers(shop):
    client = ShopClient(shop)
    order, guest = client.add(), client.token
    client.log_in(shop.register())
    assert client.active()["code"] == order["code"]
    assert not shop.is_live(guest)


def test_for_the_same_product_the_guests_quantity_replaces(shop):
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


def test_without_the_guests_token_nothing_is_merged(shop):
    guest = ShopClient(shop)
    guest.add()
    customer = ShopClient(shop).log_in(shop.register())
    assert customer.active() is None
    assert guest.active()["totalQuantity"] == 1


def test_an_order_with_an_address_is_lost_by_a_login(shop):
    client = ShopClient(shop)
    client.add()
    said = client.ask(CUSTOMER, {"input": {
        "emailAddress": "guest@example.com", "firstName": "G",
        "lastName": "U"}})
    assert said.json["data"]["setCustomerForOrder"]["__typename"] == "Order"
    guest = client.token
    client.log_in(shop.register())
    assert client.active() is None and not shop.is_live(guest)


def test_a_guest_without_an_order_lives_on_after_a_login(shop):
    client = visitor(shop, "guest")
    guest = client.token
    client.log_in(shop.register())
    assert shop.is_live(guest)


def test_a_login_over_an_order_ends_the_other_devices_too(shop):
    account = shop.register()
    phone, desk, plain = (ShopClient(shop).log_in(account) for _ in range(3))
    phone.add()
    desk.active()  # holds the same order from now on
    tokens = [phone.token, desk.token, plain.token]
    phone.log_in(account)
    assert [shop.is_live(token) for token in tokens] == [False, False, True]


def test_bob_over_alices_session_ends_hers_and_leaves_her_order(shop):
    alice, bob = shop.register(), shop.register()
    client = ShopClient(shop).log_in(alice)
    order, token = client.add(), client.token
    client.log_in(bob)
    assert not shop.is_live(token) and client.active() is None
    assert ShopClient(shop).log_in(alice).active()["code"] == order["code"]


def test_a_login_beside_another_device_ends_nothing(shop):
    account = shop.register()
    first, second = (ShopClient(shop).log_in(account) for _ in range(2))
    assert shop.is_live(first.token) and shop.is_live(second.token)


def test_a_wrong_password_changes_nothing(shop):
    client = ShopClient(shop)
    order, token = client.add(), client.token
    answer = client.ask(LOGIN, {"username": "demo@example.com",
                                "password": "wrong"})
    assert answer.json["data"]["login"]["errorCode"] == \
        "INVALID_CREDENTIALS_ERROR"
    assert client.token == token
    assert client.active()["code"] == order["code"]


def test_a_logout_ends_all_devices_and_keeps_the_order(shop):
    account = shop.register()
    phone, desk = (ShopClient(shop).log_in(account) for _ in range(2))
    order, token = phone.add(), desk.token
    phone.ask(LOGOUT)
    assert not shop.is_live(token)
    assert ShopClient(shop).log_in(account).active()["code"] == order["code"]


def test_a_new_password_ends_no_session(shop):
    account = shop.register()
    phone, desk = (ShopClient(shop).log_in(account) for _ in range(2))
    said = phone.ask("""mutation ($a: String!, $b: String!) {
        updateCustomerPassword(currentPassword: $a, newPassword: $b) {
            __typename } }""", {"a": account.password, "b": "another one"})
    assert said.json["data"]["updateCustomerPassword"]["__typename"] == \
        "Success"
    assert shop.is_live(phone.token) and shop.is_live(desk.token)
    assert not ShopClient(shop).log_in(account).token


def test_an_order_that_is_done_leaves_the_session_alone(shop):
    client = ShopClient(shop).log_in(shop.register())
    first = client.add()
    for step in (
            'transitionOrderToState(state: "ArrangingPayment")',
            'addPaymentToOrder(input: {method: "cash", metadata: "{}"})'):
        name = step.partition("(")[0]
        said = client.ask("mutation { %s { __typename ... on ErrorResult {"
                          " errorCode } } }" % step).json["data"][name]
        assert said["__typename"] == "Order", said
    assert client.active() is None and client.session_change is None
    assert client.add()["code"] != first["code"]


# Section 6: expiry ------------------------------------------------------------------

def test_a_session_lasts_as_long_as_it_is_used():
    shop = Shop("bearer", "--token-ttl", "6")
    try:
        used, idle = (ShopClient(shop).log_in(shop.register()) for _ in range(2))
        for _ in range(5):
            time.sleep(1.5)
            assert used.ask(ME).json["data"]["me"] and used.session_change is None
        assert idle.ask(ME).code == "FORBIDDEN" and idle.session_change == "cleared"
    finally:
        shop.close()


# Section 8: HTTP ---------------------------------------------------------------------

def test_an_answers_headers(shop):
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
def test_accept(bearer, accept, status, kind):
    answer = bearer.raw(query=ME, headers=[("Accept", accept)])
    assert answer.status == status
    assert answer.get("content-type").startswith(kind + ";")


def get(shop, query, headers=(), **more):
    return shop.raw("GET", shop.path + "?" + urllib.parse.urlencode(
        {"query": query, **more}), headers=headers)


def test_a_get_makes_guests_and_a_304_tells_them(shop):
    first = get(shop, ACTIVE)
    assert first.status == 200 and carried(shop, first)
    again = get(shop, ACTIVE, [("If-None-Match", first.get("etag"))])
    assert again.status == 304 and not again.body
    said = carried(shop, again)
    assert said and said != carried(shop, first)


@pytest.mark.parametrize("method, query, status, allow", [
    ("GET", "mutation { logout { success } }", 405, "POST"),
    ("PUT", None, 405, "GET, POST"), ("HEAD", None, 405, "GET, POST"),
    ("DELETE", None, 405, "GET, POST")])
def test_methods(bearer, method, query, status, allow):
    path = bearer.path + ("?" + urllib.parse.urlencode({"query": query})
                          if query else "")
    answer = bearer.raw(method, path)
    assert (answer.status, answer.get("allow")) == (status, allow)


MULTIPART = ("multipart/form-data; boundary=b", '--b\r\nContent-Disposition:'
             ' form-data; name="%s"\r\n\r\n%s\r\n--b--\r\n')


@pytest.mark.parametrize("kind, body, status, told", [
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
def test_bodies(bearer, kind, body, status, told):
    headers = [("Content-Type", kind)] if kind else []
    answer = bearer.raw("POST", body=body.encode(), headers=headers)
    assert answer.status == status, answer
    assert told in answer.text, answer
    if told == "statusCode":
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


def test_an_unknown_channel_makes_a_guest_all_the_same(shop):
    client = ShopClient(shop)
    answer = client.ask(ACTIVE, headers=[("vendure-token", "nowhere")])
    assert answer.code == "CHANNEL_NOT_FOUND" and client.session_change == "new"


def test_another_channel_loses_a_guests_first_order(bearer):
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


# Section 4: cross-origin ---------------------------------------------------------------

@pytest.mark.parametrize("origin", ["https://shop.test", "null", None])
def test_any_origin_is_echoed(shop, origin):
    headers = [("Origin", origin)] if origin else []
    for answer in (shop.raw(query=PRODUCTS, headers=headers),
                   shop.raw("OPTIONS", headers=headers)):
        assert answer.get("access-control-allow-origin") == origin
        assert answer.get("access-control-allow-credentials") == "true"
        assert "origin" in answer.vary
        assert answer.get("access-control-expose-headers") == (
            None if shop.method == "cookie" else HEADER)


def test_a_preflight(bearer):
    answer = bearer.raw("OPTIONS", headers=[
        ("Origin", "https://shop.test"),
        ("Access-Control-Request-Headers", "content-type,authorization")])
    assert (answer.status, answer.body) == (204, b"")
    assert answer.get("access-control-allow-headers") == \
        "content-type,authorization"
    assert answer.get("access-control-max-age") is None


# The test hooks ---------------------------------------------------------------------------

def test_the_hooks_work_here_too(bearer):
    bearer.forget()
    bearer.next(status=204, headers=[[HEADER, "x"]])
    answer = bearer.raw(query=ME)
    assert (answer.status, answer.get(HEADER)) == (204, "x")
    assert bearer.seen()[-1]["path"] == "/shop-api"
