# SPDX-License-Identifier: ISC
"""What a real Vendure does with sessions, and what the gateway makes of it.

Section numbers without a file are those of vendure-behaviour.md; where the
gateway is meant to differ, the test says so and names design.md. `anybody`
goes to Vendure itself as well, so that what is expected is known to be true.
"""

import datetime
import hashlib
import json
import time
import urllib.parse

import pytest

import shop as shops

PUBLIC = "{ products { totalItems } }"
ME = "{ me { id identifier } }"
ORDER = """{ activeOrder { id code totalQuantity customer { emailAddress }
    lines { quantity productVariant { id } } } }"""
CUSTOMER = "{ activeCustomer { emailAddress } }"
ADD = """mutation ($id: ID!, $n: Int!) {
    addItemToOrder(productVariantId: $id, quantity: $n) { __typename
        ... on Order { id code totalQuantity } ... on ErrorResult { errorCode } }}"""
LOGIN = """mutation ($u: String!, $p: String!, $rememberMe: Boolean) {
    login(username: $u, password: $p, rememberMe: $rememberMe) { __typename
        ... on CurrentUser { id identifier } ... on ErrorResult { errorCode } }}"""
AUTHENTICATE = """mutation ($input: AuthenticationInput!, $rememberMe: Boolean) {
    authenticate(input: $input, rememberMe: $rememberMe) { __typename
        ... on CurrentUser { id identifier } ... on ErrorResult { errorCode } }}"""
LOGOUT = "mutation { logout { success } }"

EVERY_SHOP = pytest.mark.parametrize(
    "shop", ["bearer", "cookie", "both"], indirect=True, scope="session",
    ids="vendure-{}".format)

LANTERN = {"id": "1", "n": 1}
DAY = 86400
GUEST_AGE, REMEMBERED_AGE = 365 * DAY, 30 * DAY  # seconds, design 2.3


def data(answer):
    """Of an answer without errors."""
    assert answer.status == 200, answer
    assert "errors" not in answer.json, answer
    return answer.json["data"]


def order(client):
    answer = client.query(ORDER)
    return data(answer)["activeOrder"]


def add(client, quantity=1, variant="1"):
    return data(client.query(ADD, {"id": variant, "n": quantity}))[
        "addItemToOrder"]


def credentials(account, password=None, remember=None):
    fields = {"u": account.email, "p": password or account.password}
    return fields if remember is None else {**fields, "rememberMe": remember}


def log_in(client, account):
    answer = client.query(LOGIN, credentials(account))
    assert data(answer)["login"]["identifier"] == account.email
    assert answer.told == "new"
    return answer


def is_direct(client):
    return isinstance(client.door, shops.Direct)


def who(client):
    """Whom a gateway's session names: an e-mail, "guest" or None."""
    session = client.session()
    if session is None:
        return None
    assert session["guest"] is not bool(session["subject"]), session
    return session["name"] if session["subject"] else "guest"


def seconds_left(client):
    """Of the session's whole life; its idle limit is another."""
    end = datetime.datetime.fromisoformat(
        client.session()["expiresAt"].replace("Z", "+00:00"))
    return end.timestamp() - time.time()


# --- 2: which answers carry what ----------------------------------------------

NOBODY, GUEST, ALICE, STILL = None, "guest", "alice", "as before"

# The name, the session before, the document, its variables (a function of the
# account, or a value), the vendure-token header; then what the client is told,
# the error's code or what must stand in the data, and whom the session names.
ANSWERS = [
    ("public", "none", PUBLIC, None, None, {"products": {"totalItems": 3}}, NOBODY),
    ("public", "guest", PUBLIC, None, None, {"products": {"totalItems": 3}}, GUEST),
    ("public", "user", PUBLIC, None, None, {"products": {"totalItems": 3}}, ALICE),
    ("public", "dead", PUBLIC, None, "cleared", {"products": {"totalItems": 3}}, NOBODY),
    ("channel", "none", "{ activeChannel { code } }", None, None, {}, NOBODY),
    ("collections", "none", "{ collections { totalItems } }", None, None, {}, NOBODY),
    ("me", "none", ME, None, None, "FORBIDDEN", NOBODY),
    ("me", "guest", ME, None, None, "FORBIDDEN", GUEST),
    ("me", "user", ME, None, None, {}, ALICE),
    ("me", "dead", ME, None, "cleared", "FORBIDDEN", NOBODY),
    ("activeCustomer", "user", CUSTOMER, None, None, {}, ALICE),
    ("activeOrder", "user", ORDER, None, None, {"activeOrder": None}, ALICE),
    ("activeOrder", "none", ORDER, None, "new", {"activeOrder": None}, GUEST),
    ("activeCustomer", "none", CUSTOMER, None, "new", {"activeCustomer": None}, GUEST),
    ("activeOrder", "dead", ORDER, None, "new", {"activeOrder": None}, GUEST),
    ("addItem", "none", ADD, LANTERN, "new", {}, GUEST),
    ("addItem", "dead", ADD, LANTERN, "new", {}, GUEST),
    ("addItem", "guest", ADD, LANTERN, None, {}, GUEST),
    ("unknownVariant", "none", ADD, {"id": "99", "n": 1}, "new", "ENTITY_NOT_FOUND", GUEST),
    ("negative", "none", ADD, {"id": "1", "n": -1}, "new",
     {"addItemToOrder": {"__typename": "NegativeQuantityError",
                         "errorCode": "NEGATIVE_QUANTITY_ERROR"}}, GUEST),
    ("login", "none", LOGIN, credentials, "new", {}, ALICE),
    ("login", "guest", LOGIN, credentials, "new", {}, ALICE),
    ("login", "user", LOGIN, credentials, "new", {}, ALICE),
    ("login", "dead", LOGIN, credentials, "new", {}, ALICE),
    ("remembered", "none", LOGIN, lambda a: credentials(a, remember=True), "new", {}, ALICE),
    ("authenticate", "none", AUTHENTICATE, lambda a: {"input": {"native": {
        "username": a.email, "password": a.password}}}, "new", {}, ALICE),
    ("wrongPassword", "none", LOGIN, lambda a: credentials(a, "wrong"), None, {}, NOBODY),
    ("wrongPassword", "guest", LOGIN, lambda a: credentials(a, "wrong"), None, {}, GUEST),
    ("wrongPassword", "user", LOGIN, lambda a: credentials(a, "wrong"), None, {}, ALICE),
    ("wrongPassword", "dead", LOGIN, lambda a: credentials(a, "wrong"), "cleared", {}, NOBODY),
    ("logout", "user", LOGOUT, None, "cleared", {"logout": {"success": True}}, NOBODY),
    ("logout", "guest", LOGOUT, None, "cleared", {"logout": {"success": True}}, NOBODY),
    ("logout", "none", LOGOUT, None, None, {"logout": {"success": False}}, NOBODY),
    ("logout", "dead", LOGOUT, None, "cleared", {}, NOBODY),
    ("requestReset", "none", """mutation ($u: String!) { requestPasswordReset(
        emailAddress: $u) { __typename }}""", lambda a: {"u": a.email}, None, {}, NOBODY),
    ("typename", "none", "{ __typename }", None, None, {}, NOBODY),
    ("typename", "dead", "{ __typename }", None, None, {}, STILL),
    ("introspection", "dead", "{ __schema { queryType { name } } }", None, None, {}, STILL),
    ("syntaxError", "dead", "{ activeOrder {", None, None, "GRAPHQL_PARSE_FAILED", STILL),
    ("invalid", "dead", "{ nonsense }", None, None, "GRAPHQL_VALIDATION_FAILED", STILL),
    ("badVariable", "none", ADD, {"id": "1", "n": "x"}, None, "BAD_USER_INPUT", NOBODY),
]


def come_as(client, before, shop, account):
    if before == "guest":
        assert add(client)["__typename"] == "Order"
    elif before in ("user", "dead"):
        log_in(client, account)
    if before == "dead":
        shop.end_sessions()
    assert (client.held is None) is (before == "none")


@EVERY_SHOP
@pytest.mark.parametrize(
    "before,document,variables,told,found,after",
    [row[1:] for row in ANSWERS], ids=[f"{row[0]}-{row[1]}" for row in ANSWERS])
def test_answers(anybody, shop, alice, before, document, variables, told,
                 found, after):
    client = anybody()
    come_as(client, before, shop, alice)
    held = client.held
    if not is_direct(client) and (before, document, told) == (
            "dead", LOGIN, "cleared"):
        # A user's own token does not go with a login, for Vendure may end
        # what it names; so nothing is learnt of it before the next query.
        told, after = None, STILL
    answer = client.query(
        document, variables(alice) if callable(variables) else variables)
    if told == "cleared":
        assert client.was_cleared(answer)
    else:
        assert answer.told == told
    if isinstance(found, str):
        assert answer.code == found
        # What does not parse we answer ourselves (design 2.5).
        ours = found == "GRAPHQL_PARSE_FAILED" and not is_direct(client)
        assert answer.status == (
            400 if found.startswith("GRAPHQL_") and not ours else 200)
    else:
        assert found.items() <= data(answer).items()
    if told == "new":
        assert client.held != held
    if is_direct(client):
        return
    assert who(client) == {"alice": alice.email, STILL: alice.email}.get(
        after, after)


def test_a_channel_or_currency_that_is_unknown_makes_a_guest(anybody):
    client = anybody()
    answer = client.query(ORDER, headers=[("vendure-token", "nonsense")])
    assert (answer.told, answer.code) == ("new", "CHANNEL_NOT_FOUND")
    client = anybody()
    answer = client.query(ADD, LANTERN, search="?currencyCode=XXX")
    assert (answer.told, answer.code) == ("new", "USER_INPUT_ERROR")


@EVERY_SHOP
def test_the_condensed_walk(anybody, alice):
    """The bearer and the cookie walk of section 2, whoever's carrier."""
    client = anybody()
    assert client.query(PUBLIC).told is None
    answer = client.query(ORDER)
    assert answer.told == "new" and data(answer) == {"activeOrder": None}
    client.held = None
    answer = client.query(ADD, LANTERN)
    first = data(answer)["addItemToOrder"]
    assert answer.told == "new" and first["totalQuantity"] == 1
    guest = client.held
    answer = client.query(ADD, LANTERN)
    assert answer.told is None
    assert data(answer)["addItemToOrder"] == {**first, "totalQuantity": 2}
    answer = client.query(LOGIN, credentials(alice, "wrong"))
    assert answer.told is None and data(answer)["login"] == {
        "__typename": "InvalidCredentialsError",
        "errorCode": "INVALID_CREDENTIALS_ERROR"}
    assert order(client)["code"] == first["code"]
    log_in(client, alice)
    own = client.held
    answer = client.query(ORDER)
    assert answer.told is None
    cart = data(answer)["activeOrder"]
    assert (cart["code"], cart["customer"]) == (
        first["code"], {"emailAddress": alice.email})
    old = anybody()
    old.held = guest
    answer = old.query(ORDER)
    assert answer.told == "new" and data(answer) == {"activeOrder": None}
    answer = client.query(LOGOUT)
    assert client.was_cleared(answer)
    assert data(answer) == {"logout": {"success": True}}
    for document, code in ((ME, "FORBIDDEN"), (PUBLIC, None)):
        old.held = own
        answer = old.query(document)
        assert old.has_lost(answer) and answer.code == code
    old.held = own
    answer = old.query(ORDER)
    assert answer.told == "new" and data(answer) == {"activeOrder": None}


def test_cookies_live_as_they_should(visitor, shop, gate, alice):
    """Guests' and remembered cookies stay, others end with the browser."""
    client = visitor()
    shop.seen()
    answer = client.query(ORDER)
    assert answer.max_age == (GUEST_AGE if gate[1] == "cookie" else None)
    for remember, age in ((None, None), (False, None), (True, REMEMBERED_AGE),
                          (False, None)):
        answer = client.query(LOGIN, credentials(alice, remember=remember))
        assert answer.told == "new"
        assert answer.max_age == (age if gate[1] == "cookie" else None)
        assert 0 <= (age or 12 * 3600) - seconds_left(client) < 60
        if shop.method != "bearer":  # the backend was told as well
            # The last request but one: then it was asked who that is.
            lines = [v for n, v in shop.seen()[-2]["answer"]
                     if n == "set-cookie"]
            assert [("expires=" in line) for line in lines] == [
                bool(remember)] * 2


# --- logging in, each way --------------------------------------------------------


def by_json(client, account, password, remember=False):
    return client.post("/login", {
        "username": account.email, "password": password or account.password,
        "rememberMe": remember})


def by_form(client, account, password, remember=False):
    fields = {"username": account.email,
              "password": password or account.password}
    if remember:
        fields["rememberMe"] = "on"
    page = [("Origin", f"http://localhost:{client.door.port}"),
            ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", "navigate"),
            ("Sec-Fetch-Dest", "document"), ("Accept", "text/html")]
    return client.send("POST", "/login", urllib.parse.urlencode(fields).encode(), [
        ("Content-Type", "application/x-www-form-urlencoded"),
        *(page if client.kind == "cookie" else [])])


def by_graphql(client, account, password, remember=False):
    return client.post("/login", {"query": LOGIN, "variables": credentials(
        account, password, remember)})


def by_query(client, account, password, remember=False):
    return client.query(LOGIN, credentials(account, password, remember))


def by_authenticate(client, account, password, remember=False):
    return client.query(AUTHENTICATE, {
        "input": {"native": {"username": account.email,
                             "password": password or account.password}},
        "rememberMe": remember})


def by_authenticate_at_login(client, account, password, remember=False):
    return client.post("/login", {"query": AUTHENTICATE, "variables": {
        "input": {"native": {"username": account.email,
                             "password": password or account.password}},
        "rememberMe": remember}})


LOGINS = {"json": by_json, "form": by_form, "graphql": by_graphql,
          "query": by_query, "authenticate": by_authenticate,
          "authenticate-at-login": by_authenticate_at_login}


@pytest.fixture(name="way", params=LOGINS)
def way_fixture(request):
    return request.param


def is_welcome(answer, way, account):
    if way == "form":
        assert answer.status == 303 and answer.get("location") == "/"
        return
    assert answer.status == 200, answer
    field = "authenticate" if "authenticate" in way else "login"
    result = answer.json["data"][field]
    assert result["identifier"] == account.email and result["id"]
    if way == "json":
        assert set(result) == {"id", "identifier", "expiresAt"}
    else:
        assert set(result) == {"__typename", "id", "identifier"}


def is_refusal(answer, way):
    if way in ("json", "form"):
        assert answer.status == 401
    else:  # design 2.5: the backend's own answer, status and all
        (result,) = data(answer).values()
        assert result == {"__typename": "InvalidCredentialsError",
                          "errorCode": "INVALID_CREDENTIALS_ERROR"}
    if way == "json":
        assert answer.code == "UNAUTHENTICATED"


def test_login_keeps_the_cart(visitor, way, alice):
    """Section 5: the guest's order becomes the customer's, same code; and
    the guest's old token reaches it no more (U28)."""
    client = visitor()
    cart = add(client, 2)
    guest = client.held
    answer = LOGINS[way](client, alice, None)
    is_welcome(answer, way, alice)
    assert answer.told == "new"
    assert who(client) == alice.email
    mine = order(client)
    assert (mine["code"], mine["totalQuantity"]) == (cart["code"], 2)
    assert mine["customer"] == {"emailAddress": alice.email}
    old = visitor()
    old.held = guest
    answer = old.query(ORDER)
    assert answer.told == "new" and data(answer) == {"activeOrder": None}
    assert who(old) == "guest"


def test_a_guests_token_is_dead_after_login(visitor, way, alice):
    """Also where Vendure lets its own live, because it had no order (R4)."""
    client = visitor()
    assert client.query(ORDER).told == "new"
    copy = visitor()
    copy.held = client.held
    assert who(copy) == "guest"
    is_welcome(LOGINS[way](client, alice, None), way, alice)
    assert who(copy) is None
    assert copy.query(ORDER).told == "new"


def test_wrong_password_leaves_the_session(visitor, way, alice):
    client = visitor()
    is_refusal(LOGINS[way](client, alice, "wrong"), way)
    assert client.held is None
    cart = add(client)
    held = client.held
    answer = LOGINS[way](client, alice, "wrong")
    is_refusal(answer, way)
    assert answer.told is None and client.held == held
    assert order(client)["code"] == cart["code"]
    log_in(client, alice)
    held = client.held
    answer = LOGINS[way](client, alice, "wrong")
    is_refusal(answer, way)
    assert answer.told is None and client.held == held
    assert who(client) == alice.email and order(client)["code"] == cart["code"]


def test_login_over_a_dead_session(visitor, shop, way, alice):
    """Section 6: expired is as unknown; login works and gives a new token,
    a refused one unsets the old."""
    client = visitor()
    add(client)
    shop.end_sessions()
    held = client.held
    answer = LOGINS[way](client, alice, "wrong")
    is_refusal(answer, way)
    assert client.was_cleared(answer) and who(client) is None
    client.held = held
    answer = LOGINS[way](client, alice, None)
    is_welcome(answer, way, alice)
    assert who(client) == alice.email


def test_remember_me(visitor, gate, shop, way, alice):
    client = visitor()
    shop.seen()
    for remember, age in ((True, REMEMBERED_AGE), (False, None)):
        answer = LOGINS[way](client, alice, None, remember)
        assert answer.max_age == (age if gate[1] == "cookie" else None)
        assert 0 <= (age or 12 * 3600) - seconds_left(client) < 60
        if shop.method != "bearer":
            lines = [value for request in shop.seen()
                     for name, value in request["answer"]
                     if name == "set-cookie"]
            assert [("expires=" in line) for line in lines] == [remember] * 2


SELECTIONS = {
    "typename": ("mutation ($u: String!, $p: String!) { login(username: $u, "
                 "password: $p) { __typename } }"),
    "alias": ("mutation ($u: String!, $p: String!) { login(username: $u, "
              "password: $p) { ... on CurrentUser { number: id } } }"),
    "fragment": ("fragment F on NativeAuthenticationResult { __typename } "
                 "mutation Log($u: String!, $p: String!) { login(username: $u"
                 ", password: $p) { ...F } }"),
}


@pytest.mark.parametrize("place", ["/query", "/login"])
@pytest.mark.parametrize("selection", SELECTIONS)
def test_identity_that_was_not_asked_for(visitor, alice, selection, place):
    """Design 2.6: where a login's answer does not say who it is, the backend
    is asked; the client's own selection is left as it is."""
    client = visitor()
    answer = client.post(place, {"query": SELECTIONS[selection],
                                 "variables": credentials(alice)})
    assert answer.told == "new"
    (result,) = data(answer).values()
    assert set(result) == {"number" if selection == "alias" else "__typename"}
    me = data(client.query(ME))["me"]
    session = client.session()
    assert (session["subject"], session["name"]) == (me["id"], alice.email)
    assert session["guest"] is False


@pytest.mark.parametrize("place", ["/query", "/login"])
@pytest.mark.parametrize("field", ["login", "authenticate"])
def test_a_login_by_another_name(visitor, alice, place, field):
    """An alias at the root changes nothing: who it is comes from our own
    document (design 2.5)."""
    arguments = {"login": "username: $u, password: $p", "authenticate":
                 "input: { native: { username: $u, password: $p } }"}[field]
    client = visitor()
    answer = client.post(place, {
        "query": "mutation ($u: String!, $p: String!) { mine: "
                 f"{field}({arguments}) {{ __typename }} }}",
        "variables": credentials(alice)})
    assert data(answer) == {"mine": {"__typename": "CurrentUser"}}
    assert answer.told == "new" and who(client) == alice.email


# --- 5: logins and orders ---------------------------------------------------------


def test_merging_replaces(anybody, alice):
    client = anybody()
    log_in(client, alice)
    mine = add(client, 1)
    guest = anybody()
    other = add(guest, 2)
    assert add(guest, 1, "2")["totalQuantity"] == 3
    assert other["code"] != mine["code"]
    log_in(guest, alice)
    merged = order(guest)
    lines = {line["productVariant"]["id"]: line["quantity"]
             for line in merged["lines"]}
    assert lines == {"1": 2, "2": 1}  # the guest's 2 replaces the 1


def test_login_without_the_guests_token(anybody, alice):
    guest = anybody()
    cart = add(guest)
    client = anybody()
    log_in(client, alice)
    assert order(client) is None
    assert order(guest)["code"] == cart["code"]


def test_an_order_with_an_address_is_not_merged(anybody, alice):
    guest = anybody()
    add(guest)
    answer = guest.query("""mutation ($e: String!) { setCustomerForOrder(
        input: { firstName: "A", lastName: "B", emailAddress: $e }) {
            __typename } }""", {"e": "guest@example.com"})
    assert data(answer)["setCustomerForOrder"]["__typename"] == "Order"
    log_in(guest, alice)
    assert order(guest) is None


def test_devices_live_beside_each_other(anybody, alice):
    """Login without a token while another device is logged in: both live;
    and a password that is changed ends nobody."""
    clients = [anybody(), anybody()]
    for client in clients:
        log_in(client, alice)
    for client in clients:
        assert data(client.query(ME))["me"]["identifier"] == alice.email
    answer = clients[0].query(
        """mutation ($old: String!, $new: String!) { updateCustomerPassword(
        currentPassword: $old, newPassword: $new) { __typename } }""",
        {"old": alice.password, "new": "another pass word"})
    assert answer.told is None
    assert data(answer) == {"updateCustomerPassword": {"__typename": "Success"}}
    for client in clients:
        assert data(client.query(ME))["me"]["identifier"] == alice.email
    alice.password = "another pass word"
    log_in(anybody(), alice)


def test_logging_in_as_somebody_else(visitor, alice, bob):
    """Vendure ends Alice's sessions on all devices when her token comes with
    Bob's login. Design 2.5: only a guest's goes along, so they live."""
    here, there = visitor(), visitor()
    log_in(there, alice)
    cart = add(there)
    log_in(here, alice)
    assert order(here)["code"] == cart["code"]
    log_in(here, bob)
    assert who(here) == bob.email and order(here) is None
    answer = there.query(ORDER)
    assert answer.told is None
    assert data(answer)["activeOrder"]["code"] == cart["code"]


def test_logging_in_again_ends_no_other_device(visitor, alice):
    """The same with oneself: Vendure's line 9 of section 1."""
    here, there = visitor(), visitor()
    log_in(there, alice)
    cart = add(there)
    log_in(here, alice)
    assert order(here)["code"] == cart["code"]
    log_in(here, alice)
    for client in (here, there):
        answer = client.query(ORDER)
        assert answer.told is None
        assert data(answer)["activeOrder"]["code"] == cart["code"]


def test_logout_is_for_this_device(visitor, alice):
    """Design 2.6; Vendure's own ends all of them (its issue 3772). The
    order is back after the next login."""
    here, there = visitor(), visitor()
    for client in (here, there):
        log_in(client, alice)
    cart = add(here)
    copy = visitor()
    copy.held = here.held
    answer = here.post("/logout")
    assert here.was_cleared(answer)
    assert who(copy) is None
    assert answer.json == {"data": {"logout": {"success": True}}}
    assert here.held is None and who(here) is None
    assert here.query(ME).code == "FORBIDDEN"
    answer = there.query(ME)
    assert answer.told is None
    assert data(answer)["me"]["identifier"] == alice.email
    log_in(here, alice)
    assert order(here)["code"] == cart["code"]


@pytest.mark.parametrize("how", ["search", "json", "form"])
def test_logout_everywhere(visitor, shop, alice, bob, how):
    here, there, other = visitor(), visitor(), visitor()
    for client in (here, there):
        log_in(client, alice)
    log_in(other, bob)
    shop.seen()
    if how == "search":
        answer = here.post("/logout?everywhere=1")
    elif how == "json":
        answer = here.post("/logout", {"everywhere": True})
    else:
        answer = here.send("POST", "/logout", b"everywhere=1", [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Accept", "application/json"),
            ("Origin", f"http://localhost:{here.door.port}"),
            ("Sec-Fetch-Site", "same-origin")])
    assert here.was_cleared(answer)
    assert len(shop.seen()) == 1
    assert who(here) is None
    answer = there.query(ME)
    assert there.has_lost(answer) and answer.code == "FORBIDDEN"
    assert who(there) is None
    assert data(other.query(ME))["me"]["identifier"] == bob.email


def test_logout_through_query_is_vendures_own(anybody, alice):
    here, there = anybody(), anybody()
    for client in (here, there):
        log_in(client, alice)
    answer = here.query(LOGOUT)
    assert here.was_cleared(answer) and data(answer)["logout"]["success"]
    answer = there.query(ME)
    assert there.was_cleared(answer) and answer.code == "FORBIDDEN"


def test_logout_of_a_guest_and_of_nobody(visitor, shop):
    client = visitor()
    add(client)
    shop.seen()
    assert client.was_cleared(client.post("/logout"))
    assert who(client) is None
    answer = client.post("/logout")
    assert answer.status == 200
    assert client.held is None or client.was_cleared(answer)
    assert shop.seen() == []


# --- answers that begin a session though nobody has logged in -----------------------

BY_TOKEN = {
    "verify": """mutation ($token: String!) {
        verifyCustomerAccount(token: $token) { ... on CurrentUser { id } } }""",
    "reset": """mutation ($token: String!) {
        resetPassword(token: $token, password: "another pass word") {
            __typename } }"""}
REQUEST_RESET = """mutation ($email: String!) {
    requestPasswordReset(emailAddress: $email) { __typename } }"""
BY_LINK = "mutation ($e: String!) { signInByLink(email: $e) { __typename } }"
BY_AUTHENTICATE = """mutation ($input: AuthenticationInput!) {
    authenticate(input: $input) { __typename } }"""


def verify_account(client, shop, **more):
    account = shop.register_only()
    return account, client.query(BY_TOKEN["verify"], {
        "token": shop.mailed(account, "verify")}, **more)


def reset_password(client, shop, **more):
    account = shop.register()
    data(client.query(REQUEST_RESET, {"email": account.email}))
    return account, client.query(BY_TOKEN["reset"], {
        "token": shop.mailed(account, "reset")}, **more)


def authenticate(client, shop, **more):
    account = shop.register()
    return account, client.query(BY_AUTHENTICATE, {"input": {"native": {
        "username": account.email, "password": account.password}}}, **more)


def sign_in_by_link(client, shop, **more):
    """A plugin's own mutation."""
    account = shop.register()
    return account, client.query(BY_LINK, {"e": account.email}, **more)


ENTRANCES = pytest.mark.parametrize("enter", [
    verify_account, reset_password, authenticate, sign_in_by_link])


@ENTRANCES
@pytest.mark.parametrize("before", ["none", "guest", "user", "dead"])
def test_who_it_is_after_any_change_of_the_token(anybody, shop, bob, enter,
                                                 before):
    """Design 2.5: every answer that changes the token leads to the question
    who that is. The session names the customer, and nothing of the one before
    is left in it (L53, L54)."""
    client = anybody()
    come_as(client, before, shop, bob)
    held = client.held
    account, answer = enter(client, shop)
    data(answer)
    assert answer.told == "new" and client.held != held
    me = data(client.query(ME))["me"]
    assert me["identifier"] == account.email
    if is_direct(client):
        return
    session = client.session()
    assert (session["subject"], session["name"]) == (me["id"], account.email)
    assert session["guest"] is False
    if held is not None:  # another subject: the session before has ended
        old = anybody()
        old.held = held
        assert who(old) is None


@ENTRANCES
def test_the_clocks_of_such_a_session(visitor, gate, shop, enter):
    """A user's, not a guest's (L54): a cookie that ends with the browser, 12
    hours, an idle limit; and "log out everywhere" ends it."""
    client = visitor()
    assert client.query(ORDER).told == "new"
    account, answer = enter(client, shop)
    assert answer.told == "new" and answer.max_age is None
    assert 0 <= 12 * 3600 - seconds_left(client) < 60
    session = client.session()
    idle = datetime.datetime.fromisoformat(
        session["idleExpiresAt"].replace("Z", "+00:00")).timestamp()
    assert 0 <= 1800 - (idle - time.time()) < 60
    if enter in (verify_account, reset_password):
        account.password = {verify_account: account.password,
                            reset_password: "another pass word"}[enter]
    other = visitor()
    log_in(other, account)
    assert other.was_cleared(other.post("/logout?everywhere=1"))
    assert who(client) is None
    del gate


@ENTRANCES
def test_who_is_asked_with_the_token_alone(visitor, shop, enter):
    """No header and no parameter of the client's goes with the question."""
    client = visitor()
    channel = "second-channel"
    if enter is reset_password:
        channel = ""  # Vendure 3.7.3 resets no password in another one
    shop.seen()
    _, answer = enter(client, shop, search="?languageCode=de", headers=[
        ("vendure-token", channel), ("Accept-Language", "de")])
    assert answer.told == "new"
    asked, question = shop.seen()[-2:]
    assert asked["header"]["accept-language"] == "de"
    assert asked["header"].get("vendure-token", "") == channel
    assert "languageCode=de" in asked["path"]
    assert question["path"] == "/shop-api"
    assert not {"vendure-token", "accept-language"} & set(question["header"])


def test_who_is_asked_once_and_not_for_nothing(visitor, shop, alice):
    """A guest's token is asked about once; an answer without a token never."""
    client = visitor()
    shop.seen()
    client.query(ORDER)
    assert len(shop.seen()) == 2 and who(client) == "guest"
    add(client)
    order(client)
    assert len(shop.seen()) == 2
    log_in(client, alice)
    shop.seen()
    order(client)
    assert len(shop.seen()) == 1


@EVERY_SHOP
def test_another_address(anybody, shop, alice):
    """updateCustomerEmailAddress: the customer who is logged in stays who he
    is, and is known under the new name when he logs in again; whoever opens
    the link elsewhere becomes a guest, as Vendure has it."""
    client, elsewhere = anybody(), anybody()
    log_in(client, alice)
    answer = client.query("""mutation ($p: String!, $e: String!) {
        requestUpdateCustomerEmailAddress(password: $p, newEmailAddress: $e) {
            __typename } }""", {"p": alice.password, "e": "x" + alice.email})
    assert data(answer) == {"requestUpdateCustomerEmailAddress": {
        "__typename": "Success"}}
    answer = elsewhere.query(
        """mutation ($t: String!) { updateCustomerEmailAddress(token: $t) {
        __typename } }""", {"t": shop.mailed(alice, "change")})
    assert answer.told == "new" and data(answer) == {
        "updateCustomerEmailAddress": {"__typename": "Success"}}
    me = data(client.query(ME))["me"]
    assert me["identifier"] == "x" + alice.email
    if not is_direct(client):
        assert who(elsewhere) == "guest"
        assert client.session()["subject"] == me["id"]
        assert client.session()["guest"] is False
    alice.email = "x" + alice.email
    log_in(client, alice)
    if not is_direct(client):
        assert who(client) == alice.email


def test_an_order_that_is_placed(anybody, alice):
    """The session lives; there is no active order; the next item makes one."""
    client = anybody()
    log_in(client, alice)
    placed = add(client)
    for document, wanted in (
            ("""mutation { setOrderShippingAddress(input: { streetLine1: "1",
             countryCode: "AT" }) { __typename } }""", None),
            ("""mutation { setOrderShippingMethod(shippingMethodId: "1") {
             __typename } }""", None),
            ("""mutation { transitionOrderToState(state: "ArrangingPayment") {
             __typename ... on Order { state } } }""", "ArrangingPayment"),
            ("""mutation { addPaymentToOrder(input: { method: "coin",
             metadata: {} }) { __typename ... on Order { state } ... on
             ErrorResult { message } } }""", "PaymentSettled")):
        answer = client.query(document)
        (result,) = data(answer).values()
        assert result["__typename"] == "Order", answer
        assert wanted is None or result["state"] == wanted
        assert answer.told is None
    assert order(client) is None
    assert add(client)["code"] != placed["code"]
    assert data(client.query(ME))["me"]["identifier"] == alice.email


def test_a_dead_session_is_a_guest_again(anybody, shop, alice):
    client = anybody()
    log_in(client, alice)
    cart = add(client)
    shop.end_sessions()
    answer = client.query(ORDER)
    assert answer.told == "new" and data(answer) == {"activeOrder": None}
    if not is_direct(client):
        assert who(client) == "guest"
    assert client.query(ME).code == "FORBIDDEN"
    log_in(client, alice)
    assert order(client)["code"] == cart["code"]


def test_a_token_that_is_none(visitor, gate):
    """What does not open is no session (design 2.1): told with a public
    answer, replaced with a guest's."""
    for text in ("nonsense", "a" * 3000):
        held = (text if gate[1] == "bearer"
                else f"{shops.gateways.COOKIE}={text}")
        client = visitor()
        client.held = held
        answer = client.query(PUBLIC)
        assert client.has_lost(answer) and data(answer)["products"]
        client.held = held
        answer = client.query(ORDER)
        assert answer.told == "new" and data(answer) == {"activeOrder": None}
        assert who(client) == "guest"


# --- 2 and 8: several fields, other kinds of request ------------------------------


@EVERY_SHOP
def test_two_items_at_once(anybody):
    """Two guests and two orders, of which the token told reaches one, or by
    bearer none: Vendure's loss, which is not ours to cure. The session is
    good all the same."""
    client = anybody()
    answer = client.query("""mutation {
        a: addItemToOrder(productVariantId: 1, quantity: 1) {
            ... on Order { code } }
        b: addItemToOrder(productVariantId: 2, quantity: 1) {
            ... on Order { code } } }""")
    assert answer.told == "new"
    both = data(answer)
    assert both["a"]["code"] != both["b"]["code"]
    cart = order(client) or add(client)
    assert cart["code"] != both["a"]["code"]
    before = order(client)["totalQuantity"]
    answer = client.query("""mutation {
        a: addItemToOrder(productVariantId: 1, quantity: 1) {
            ... on Order { totalQuantity } }
        b: addItemToOrder(productVariantId: 1, quantity: 1) {
            ... on Order { totalQuantity } } }""")
    assert answer.told is None
    assert data(answer)["b"]["totalQuantity"] == before + 2


def test_three_questions_at_once(anybody):
    client = anybody()
    document = """{ activeOrder { code } activeCustomer { id }
        eligibleShippingMethods { id } }"""
    assert client.query(document).told == "new"
    assert client.query(document).told is None


@pytest.mark.parametrize("document", [
    "{ products { totalItems } activeOrder { code } }",
    "{ activeOrder { code } products { totalItems } }"])
def test_a_dead_token_with_two_fields(anybody, shop, alice, document):
    client = anybody()
    for _ in range(4):
        log_in(client, alice)
        shop.end_sessions()
        answer = client.query(document)
        assert answer.told == "new" and data(answer)["activeOrder"] is None
        assert client.query(ORDER).told is None


@pytest.mark.parametrize("beside", [
    "addItemToOrder(productVariantId: 1, quantity: 1) { __typename }",
    "logout { success }",
    "again: login(username: $u, password: $p) { __typename }"])
def test_a_login_and_something_else_at_once(visitor, shop, alice, beside):
    """Refused before Vendure hears of it: by bearer the last token would be a
    new guest's whatever the login said, and two logins would be two guesses
    that count as one (design 2.5)."""
    client = visitor()
    shop.seen()
    answer = client.query(
        """mutation ($u: String!, $p: String!) {
            login(username: $u, password: $p) { __typename } %s }""" % beside,
        credentials(alice))
    assert (answer.status, answer.code) == (400, "LOGIN_SHAPE")
    assert answer.told is None and shop.seen() == []


def get(client, headers=(), **parameters):
    """The documents have line breaks, as stock clients' have."""
    text = urllib.parse.urlencode(
        {name: value if isinstance(value, str) else json.dumps(value)
         for name, value in parameters.items()})
    return client.send("GET", f"{client.door.query_path}?{text}", None,
                       [("Accept", "application/json"), *headers])


def test_get(anybody):
    client = anybody()
    answer = get(client, query=PUBLIC)
    assert answer.told is None and data(answer)["products"]
    answer = get(client, query=ORDER)
    assert answer.told == "new"
    add(client)
    answer = get(client, query=ORDER)
    assert answer.told is None
    assert data(answer)["activeOrder"]["totalQuantity"] == 1
    answer = get(client, query="mutation { logout { success } }")
    assert answer.status == 405 and answer.get("allow") == "POST"
    assert answer.told is None
    # R28: nobody logs in by GET.
    answer = get(anybody(), query=LOGIN, variables={"u": "a", "p": "b"})
    assert answer.status == 405 and answer.told is None


def test_not_modified_with_a_token(anybody):
    """304, and a fresh guest session all the same."""
    answer = get(anybody(), query=ORDER)
    client = anybody()
    again = get(client, [("If-None-Match", answer.get("etag"))], query=ORDER)
    assert again.status == 304 and again.body == b""
    assert again.told == "new"
    assert again.get("etag") == answer.get("etag")
    held = client.held
    assert client.query(ADD, LANTERN).told is None
    assert client.held == held


def persisted(document):
    return {"persistedQuery": {
        "version": 1, "sha256Hash": hashlib.sha256(document.encode())
        .hexdigest()}}


def test_persisted_queries(anybody, alice):
    """Registered, and asked for by hash alone, by POST and by GET; a login
    with a hash is a login."""
    client = anybody()
    mark = f"# {alice.email}\n"  # for a hash that nobody else has
    answer = client.query(extensions=persisted(mark + ORDER))
    assert answer.code == "PERSISTED_QUERY_NOT_FOUND"
    assert (answer.status, answer.told) == (200, None)
    assert client.query(mark + ORDER,
                        extensions=persisted(mark + ORDER)).told == "new"
    add(client)
    answer = client.query(extensions=persisted(mark + ORDER))
    cart = data(answer)["activeOrder"]
    assert answer.told is None and cart["totalQuantity"] == 1
    answer = get(client, extensions=persisted(mark + ORDER))
    assert data(answer)["activeOrder"] == cart
    other = anybody()
    log_in_by_hash = {"extensions": persisted(mark + LOGIN),
                      "variables": credentials(alice)}
    assert other.query(**log_in_by_hash).code == "PERSISTED_QUERY_NOT_FOUND"
    log_in_again = {**log_in_by_hash, "variables": credentials(alice, "wrong")}
    answer = other.query(mark + LOGIN, **log_in_again)
    assert data(answer)["login"]["__typename"] == "InvalidCredentialsError"
    assert answer.told is None
    answer = client.query(**log_in_by_hash)
    if not is_direct(client):
        # Its text may hold a password, and is not remembered.
        assert answer.code == "PERSISTED_QUERY_NOT_FOUND"
        answer = client.query(mark + LOGIN, **log_in_by_hash)
    assert answer.told == "new"
    assert data(answer)["login"]["identifier"] == alice.email
    assert order(client)["code"] == cart["code"]
    if not is_direct(client):
        assert who(client) == alice.email
    answer = client.query(PUBLIC, extensions=persisted("something else"))
    assert answer.status == 400


def test_channels(anybody):
    client = anybody()
    document = "{ activeChannel { code } products { items { name } } }"
    default = data(client.query(document))
    assert default["activeChannel"]["code"] == "__default_channel__"
    header = [("vendure-token", "second-channel")]
    for answer in (client.query(document, headers=header),
                   get(client, header, query=document)):
        assert data(answer)["activeChannel"]["code"] == "second-channel"
        assert answer.told is None
    answer = client.query(document, headers=[("vendure-token", "nonsense")])
    assert answer.code == "CHANNEL_NOT_FOUND"
    answer = client.query(ADD, LANTERN, header)
    assert answer.told == "new"
    answer = client.query("{ activeOrder { total } }", headers=header)
    assert data(answer)["activeOrder"]["total"] == 2000  # its own prices


def test_a_channel_as_a_parameter(shop, gate_of):
    """Vendure takes it from there too; it passes where that is allowed
    (design 2.8)."""
    document = "{ activeChannel { code } }"
    search = "?vendure-token=second-channel"
    for parameters, code in ((None, "__default_channel__"), (
            "languageCode currencyCode vendure-token", "second-channel")):
        client = shops.Client(gate_of(
            shop, "cookie", POSTERN_FORWARD_PARAMETERS=parameters), "cookie")
        answer = client.query(document, search=search)
        assert data(answer)["activeChannel"]["code"] == code
    answer = shops.Client(shops.Direct(shop), shop.method).query(
        document, search=search)
    assert data(answer)["activeChannel"]["code"] == "second-channel"


def test_a_login_in_a_channel(visitor, way, shop, alice):
    """The channel goes with the login's request, whoever writes that: a
    customer is assigned to each channel he uses."""
    client = visitor()
    shop.seen()
    send = client.send

    def with_channel(method, path, body=None, headers=()):
        return send(method, path, body,
                    [*headers, ("vendure-token", "second-channel")])

    client.send = with_channel
    is_welcome(LOGINS[way](client, alice, None), way, alice)
    # The question who that is goes with the token alone.
    assert [request["header"].get("vendure-token")
            for request in shop.seen()] == ["second-channel", None]


def test_languages(anybody):
    client = anybody()
    document = "{ products(options: { sort: { id: ASC } }) { items { name } } }"
    answer = client.query(document, search="?languageCode=de")
    assert [item["name"] for item in data(answer)["products"]["items"]] == [
        "Laterne", "Seil", "Fackel"]
    assert answer.get("content-language") == "de"
    answer = client.query(document, headers=[("Accept-Language", "de")])
    assert answer.get("content-language") == "de"
    answer = client.query(document)
    assert [item["name"] for item in data(answer)["products"]["items"]] == [
        "Lantern", "Rope", "Torch"]
    assert answer.get("content-language") == "en"


def test_other_answers_pass_unchanged(anybody):
    """Section 8: statuses and types."""
    client = anybody()
    kind = "application/graphql-response+json"
    answer = client.query(ME, headers=[("Accept", kind)])
    assert answer.status == 200 and answer.code == "FORBIDDEN"
    assert answer.get("content-type").startswith(kind)
    answer = client.post(client.door.query_path, [{"query": PUBLIC}])
    assert answer.status == 400
    answer = client.post(client.door.query_path, {})
    assert answer.status == 400
    answer = client.query("subscription { nothing }")
    assert answer.status == 200 and answer.json["errors"]
    assert answer.told is None


# --- what Vendure is sent -----------------------------------------------------------


def test_what_vendure_is_sent(visitor, gate, shop, alice):
    """The session's token in Vendure's own way, and nothing else: no cookie
    and no Authorization of the client's, no name of ours (R56, R57)."""
    client = visitor()
    log_in(client, alice)
    shop.seen()
    answer = client.query(ME, headers=[
        ("vendure-auth-token", "x" * 64), ("X-Session-User", "mallory"),
        ("Proxy", "http://127.0.0.1:9/"), ("vendure-api-key", "k")])
    assert data(answer)["me"]["identifier"] == alice.email
    (request,) = shop.seen()
    names = {name.lower() for name, _ in request["headers"]}
    assert len(names) == len(request["headers"])
    assert not names & {"vendure-auth-token", "x-session-user", "proxy",
                        "vendure-api-key"}
    token = client.held.partition("=")[2] or client.held
    upstream = gate[0].open_token(token)["upstream"]
    if shop.method == "cookie":
        assert "authorization" not in names
        sent = dict(pair.split("=", 1)
                    for pair in request["header"]["cookie"].split("; "))
        assert set(sent) == {"session", "session.sig"}
        assert all(value in str(upstream) for value in sent.values())
    else:
        assert "cookie" not in names
        assert request["header"]["authorization"] == f"Bearer {upstream}"
        assert upstream in shop.known or len(upstream) == 64


def test_what_vendure_is_sent_for_nobody(visitor, gate, shop):
    """A client's own carrier of the method that is off is not forwarded."""
    client = visitor()
    client.query(PUBLIC, headers=[("Cookie", "session=eyJ0b2tlbiI6ImEifQ==; "
                                   "session.sig=x; other=1")])
    (request,) = shop.seen()
    assert not {"cookie", "authorization"} & set(request["header"])
    if gate[0].methods == {"cookie"}:
        client.query(PUBLIC, headers=[("Authorization", "Bearer " + "a" * 64)])
        (request,) = shop.seen()
        assert not {"cookie", "authorization"} & set(request["header"])


def test_a_shop_that_is_closed(all_shops, gate_of):
    """502, and the session is kept."""
    shop = all_shops["bearer"]
    open_gate = gate_of(shop, "cookie,bearer")
    with open(open_gate.environment["COOKIE_SESSION_SECRET_FILE"],
              encoding="ascii") as file:
        secret = file.read()
    port = shops.gateways.free_port()
    closed = gate_of(shop, "cookie,bearer", secret=secret,
                     POSTERN_UPSTREAM=f"http://127.0.0.1:{port}/shop-api")
    client = shops.Client(open_gate, "bearer")
    cart = add(client)
    client.door = closed
    answer = client.query(ORDER)
    assert (answer.status, answer.code) == (502, "UPSTREAM_UNREACHABLE")
    assert answer.told is None
    client.door = open_gate
    assert order(client)["code"] == cart["code"]
