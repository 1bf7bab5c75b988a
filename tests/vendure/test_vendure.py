# SPDX-License-Identifier: ISC
"""The session behaviour of a real Vendure, directly and through the gateway.

Section numbers without a file are those of vendure-behaviour.md. If the gateway
differs on purpose, the test names the section of design.md. Tests with
`any_client` also run directly against Vendure, to verify what they expect.
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
    """The data of an answer without errors."""
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
    assert answer.session_change == "new"
    return answer


def is_direct(client):
    return isinstance(client.server, shops.Direct)


def user_of(client):
    """The user of a gateway's session: an e-mail address, "guest" or None."""
    session = client.session()
    if session is None:
        return None
    assert session["guest"] is not bool(session["subject"]), session
    return session["name"] if session["subject"] else "guest"


def seconds_left(client):
    """The seconds until the session expires; the idle limit is separate."""
    end = datetime.datetime.fromisoformat(
        client.session()["expiresAt"].replace("Z", "+00:00"))
    return end.timestamp() - time.time()


# --- section 2: the tokens and sessions of each answer -------------------------

ANONYMOUS, GUEST, ALICE, UNCHANGED = None, "guest", "alice", "as before"

# The name, the session before, the document, its variables (a function of the
# account, or a value); then the change of the client's token, the error code or
# a part of the data, and the user of the session afterwards.
ANSWERS = [
    ("public", "none", PUBLIC, None, None, {"products": {"totalItems": 3}},
     ANONYMOUS),
    ("public", "guest", PUBLIC, None, None, {"products": {"totalItems": 3}}, GUEST),
    ("public", "user", PUBLIC, None, None, {"products": {"totalItems": 3}}, ALICE),
    ("public", "expired", PUBLIC, None, "cleared",
     {"products": {"totalItems": 3}}, ANONYMOUS),
    ("channel", "none", "{ activeChannel { code } }", None, None, {},
     ANONYMOUS),
    ("collections", "none", "{ collections { totalItems } }", None, None, {},
     ANONYMOUS),
    ("me", "none", ME, None, None, "FORBIDDEN", ANONYMOUS),
    ("me", "guest", ME, None, None, "FORBIDDEN", GUEST),
    ("me", "user", ME, None, None, {}, ALICE),
    ("me", "expired", ME, None, "cleared", "FORBIDDEN", ANONYMOUS),
    ("activeCustomer", "user", CUSTOMER, None, None, {}, ALICE),
    ("activeOrder", "user", ORDER, None, None, {"activeOrder": None}, ALICE),
    ("activeOrder", "none", ORDER, None, "new", {"activeOrder": None}, GUEST),
    ("activeCustomer", "none", CUSTOMER, None, "new", {"activeCustomer": None}, GUEST),
    ("activeOrder", "expired", ORDER, None, "new", {"activeOrder": None},
     GUEST),
    ("addItem", "none", ADD, LANTERN, "new", {}, GUEST),
    ("addItem", "expired", ADD, LANTERN, "new", {}, GUEST),
    ("addItem", "guest", ADD, LANTERN, None, {}, GUEST),
    ("unknownVariant", "none", ADD, {"id": "99", "n": 1}, "new", "ENTITY_NOT_FOUND", GUEST),
    ("negative", "none", ADD, {"id": "1", "n": -1}, "new",
     {"addItemToOrder": {"__typename": "NegativeQuantityError",
                         "errorCode": "NEGATIVE_QUANTITY_ERROR"}}, GUEST),
    ("login", "none", LOGIN, credentials, "new", {}, ALICE),
    ("login", "guest", LOGIN, credentials, "new", {}, ALICE),
    ("login", "user", LOGIN, credentials, "new", {}, ALICE),
    ("login", "expired", LOGIN, credentials, "new", {}, ALICE),
    ("remembered", "none", LOGIN, lambda a: credentials(a, remember=True), "new", {}, ALICE),
    ("authenticate", "none", AUTHENTICATE, lambda a: {"input": {"native": {
        "username": a.email, "password": a.password}}}, "new", {}, ALICE),
    ("wrongPassword", "none", LOGIN, lambda a: credentials(a, "wrong"), None,
     {}, ANONYMOUS),
    ("wrongPassword", "guest", LOGIN, lambda a: credentials(a, "wrong"), None, {}, GUEST),
    ("wrongPassword", "user", LOGIN, lambda a: credentials(a, "wrong"), None, {}, ALICE),
    ("wrongPassword", "expired", LOGIN, lambda a: credentials(a, "wrong"),
     "cleared", {}, ANONYMOUS),
    ("logout", "user", LOGOUT, None, "cleared", {"logout": {"success": True}},
     ANONYMOUS),
    ("logout", "guest", LOGOUT, None, "cleared", {"logout": {"success": True}},
     ANONYMOUS),
    ("logout", "none", LOGOUT, None, None, {"logout": {"success": False}},
     ANONYMOUS),
    ("logout", "expired", LOGOUT, None, "cleared", {}, ANONYMOUS),
    ("requestReset", "none", """mutation ($u: String!) { requestPasswordReset(
        emailAddress: $u) { __typename }}""", lambda a: {"u": a.email}, None,
     {}, ANONYMOUS),
    ("typename", "none", "{ __typename }", None, None, {}, ANONYMOUS),
    ("typename", "expired", "{ __typename }", None, None, {}, UNCHANGED),
    ("introspection", "expired", "{ __schema { queryType { name } } }", None,
     None, {}, UNCHANGED),
    ("syntaxError", "expired", "{ activeOrder {", None, None,
     "GRAPHQL_PARSE_FAILED", UNCHANGED),
    ("invalid", "expired", "{ nonsense }", None, None,
     "GRAPHQL_VALIDATION_FAILED", UNCHANGED),
    ("badVariable", "none", ADD, {"id": "1", "n": "x"}, None, "BAD_USER_INPUT",
     ANONYMOUS),
]


def start_session(client, before, shop, account):
    if before == "guest":
        assert add(client)["__typename"] == "Order"
    elif before in ("user", "expired"):
        log_in(client, account)
    if before == "expired":
        shop.end_sessions()
    assert (client.token is None) is (before == "none")


@EVERY_SHOP
@pytest.mark.parametrize(
    "before,document,variables,change,wanted,after",
    [row[1:] for row in ANSWERS], ids=[f"{row[0]}-{row[1]}" for row in ANSWERS])
def test_token_data_and_user_of_each_answer(
        any_client, shop, alice, before, document, variables, change, wanted,
        after):
    client = any_client()
    start_session(client, before, shop, alice)
    token = client.token
    if not is_direct(client) and (before, document, change) == (
            "expired", LOGIN, "cleared"):
        # A login is sent without the user's backend token, because Vendure may
        # end its session. The next query finds that the token has expired.
        change, after = None, UNCHANGED
    answer = client.query(
        document, variables(alice) if callable(variables) else variables)
    if change == "cleared":
        assert client.was_cleared(answer)
    else:
        assert answer.session_change == change
    if isinstance(wanted, str):
        assert answer.code == wanted
        # Postern answers itself if the document does not parse (design 2.5).
        is_ours = wanted == "GRAPHQL_PARSE_FAILED" and not is_direct(client)
        assert answer.status == (
            400 if wanted.startswith("GRAPHQL_") and not is_ours else 200)
    else:
        assert wanted.items() <= data(answer).items()
    if change == "new":
        assert client.token != token
    if is_direct(client):
        return
    assert user_of(client) == {
        "alice": alice.email, UNCHANGED: alice.email}.get(after, after)


def test_unknown_channel_or_currency_gives_a_guest_session(any_client):
    client = any_client()
    answer = client.query(ORDER, headers=[("vendure-token", "nonsense")])
    assert (answer.session_change, answer.code) == ("new", "CHANNEL_NOT_FOUND")
    client = any_client()
    answer = client.query(ADD, LANTERN, search="?currencyCode=XXX")
    assert (answer.session_change, answer.code) == ("new", "USER_INPUT_ERROR")


@EVERY_SHOP
def test_guest_login_cart_and_logout(any_client, alice):
    """The sequence of section 2, with every token transport."""
    client = any_client()
    assert client.query(PUBLIC).session_change is None
    answer = client.query(ORDER)
    assert answer.session_change == "new"
    assert data(answer) == {"activeOrder": None}
    client.token = None
    answer = client.query(ADD, LANTERN)
    first = data(answer)["addItemToOrder"]
    assert answer.session_change == "new" and first["totalQuantity"] == 1
    guest = client.token
    answer = client.query(ADD, LANTERN)
    assert answer.session_change is None
    assert data(answer)["addItemToOrder"] == {**first, "totalQuantity": 2}
    answer = client.query(LOGIN, credentials(alice, "wrong"))
    assert answer.session_change is None and data(answer)["login"] == {
        "__typename": "InvalidCredentialsError",
        "errorCode": "INVALID_CREDENTIALS_ERROR"}
    assert order(client)["code"] == first["code"]
    log_in(client, alice)
    own = client.token
    answer = client.query(ORDER)
    assert answer.session_change is None
    cart = data(answer)["activeOrder"]
    assert (cart["code"], cart["customer"]) == (
        first["code"], {"emailAddress": alice.email})
    old = any_client()
    old.token = guest
    answer = old.query(ORDER)
    assert answer.session_change == "new"
    assert data(answer) == {"activeOrder": None}
    answer = client.query(LOGOUT)
    assert client.was_cleared(answer)
    assert data(answer) == {"logout": {"success": True}}
    for document, code in ((ME, "FORBIDDEN"), (PUBLIC, None)):
        old.token = own
        answer = old.query(document)
        assert old.is_token_invalid(answer) and answer.code == code
    old.token = own
    answer = old.query(ORDER)
    assert answer.session_change == "new"
    assert data(answer) == {"activeOrder": None}


def test_cookie_lifetimes(new_client, shop, gateway, alice):
    """Cookies of guests and remembered users are persistent, others are
    session cookies."""
    client = new_client()
    shop.seen()
    answer = client.query(ORDER)
    assert answer.max_age == (GUEST_AGE if gateway[1] == "cookie" else None)
    for remember, age in ((None, None), (False, None), (True, REMEMBERED_AGE),
                          (False, None)):
        answer = client.query(LOGIN, credentials(alice, remember=remember))
        assert answer.session_change == "new"
        assert answer.max_age == (age if gateway[1] == "cookie" else None)
        assert 0 <= (age or 12 * 3600) - seconds_left(client) < 60
        if shop.method != "bearer":  # rememberMe is forwarded
            # The last request is the who document, the one before the login.
            lines = [v for n, v in shop.seen()[-2]["answer"]
                     if n == "set-cookie"]
            assert [("expires=" in line) for line in lines] == [
                bool(remember)] * 2


# --- every kind of login ----------------------------------------------------------


def by_json(client, account, password, remember=False):
    return client.post("/login", {
        "username": account.email, "password": password or account.password,
        "rememberMe": remember})


def by_form(client, account, password, remember=False):
    fields = {"username": account.email,
              "password": password or account.password}
    if remember:
        fields["rememberMe"] = "on"
    page = [("Origin", f"http://localhost:{client.server.port}"),
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


LOGIN_KINDS = {"json": by_json, "form": by_form, "graphql": by_graphql,
               "query": by_query, "authenticate": by_authenticate,
               "authenticate-at-login": by_authenticate_at_login}


@pytest.fixture(name="login_kind", params=LOGIN_KINDS)
def login_kind_fixture(request):
    return request.param


def assert_logged_in(answer, login_kind, account):
    if login_kind == "form":
        assert answer.status == 303 and answer.get("location") == "/"
        return
    assert answer.status == 200, answer
    field = "authenticate" if "authenticate" in login_kind else "login"
    result = answer.json["data"][field]
    assert result["identifier"] == account.email and result["id"]
    if login_kind == "json":
        assert set(result) == {"id", "identifier", "expiresAt"}
    else:
        assert set(result) == {"__typename", "id", "identifier"}


def assert_refused(answer, login_kind):
    if login_kind in ("json", "form"):
        assert answer.status == 401
    else:  # design 2.5: the status and the answer are the backend's
        (result,) = data(answer).values()
        assert result == {"__typename": "InvalidCredentialsError",
                          "errorCode": "INVALID_CREDENTIALS_ERROR"}
    if login_kind == "json":
        assert answer.code == "UNAUTHENTICATED"


def test_login_keeps_the_cart(new_client, login_kind, alice):
    """Section 5: the guest's order becomes the customer's, with the same code.
    The guest's old token gives no access to it (U28)."""
    client = new_client()
    cart = add(client, 2)
    guest = client.token
    answer = LOGIN_KINDS[login_kind](client, alice, None)
    assert_logged_in(answer, login_kind, alice)
    assert answer.session_change == "new"
    assert user_of(client) == alice.email
    own_order = order(client)
    assert (own_order["code"], own_order["totalQuantity"]) == (cart["code"], 2)
    assert own_order["customer"] == {"emailAddress": alice.email}
    old = new_client()
    old.token = guest
    answer = old.query(ORDER)
    assert answer.session_change == "new"
    assert data(answer) == {"activeOrder": None}
    assert user_of(old) == "guest"


def test_guest_token_is_invalid_after_login(new_client, login_kind, alice):
    """R4: also if Vendure keeps its own token, because there is no order."""
    client = new_client()
    assert client.query(ORDER).session_change == "new"
    copy = new_client()
    copy.token = client.token
    assert user_of(copy) == "guest"
    assert_logged_in(LOGIN_KINDS[login_kind](client, alice, None), login_kind,
                     alice)
    assert user_of(copy) is None
    assert copy.query(ORDER).session_change == "new"


def test_wrong_password_keeps_the_session(new_client, login_kind, alice):
    client = new_client()
    assert_refused(LOGIN_KINDS[login_kind](client, alice, "wrong"), login_kind)
    assert client.token is None
    cart = add(client)
    token = client.token
    answer = LOGIN_KINDS[login_kind](client, alice, "wrong")
    assert_refused(answer, login_kind)
    assert answer.session_change is None and client.token == token
    assert order(client)["code"] == cart["code"]
    log_in(client, alice)
    token = client.token
    answer = LOGIN_KINDS[login_kind](client, alice, "wrong")
    assert_refused(answer, login_kind)
    assert answer.session_change is None and client.token == token
    assert user_of(client) == alice.email
    assert order(client)["code"] == cart["code"]


def test_login_with_an_expired_session(new_client, shop, login_kind, alice):
    """Section 6: an expired token is treated as unknown. A login gives a new
    token; a refused login clears the old one."""
    client = new_client()
    add(client)
    shop.end_sessions()
    token = client.token
    answer = LOGIN_KINDS[login_kind](client, alice, "wrong")
    assert_refused(answer, login_kind)
    assert client.was_cleared(answer) and user_of(client) is None
    client.token = token
    answer = LOGIN_KINDS[login_kind](client, alice, None)
    assert_logged_in(answer, login_kind, alice)
    assert user_of(client) == alice.email


def test_remember_me_sets_cookie_and_lifetime(new_client, gateway, shop,
                                              login_kind, alice):
    client = new_client()
    shop.seen()
    for remember, age in ((True, REMEMBERED_AGE), (False, None)):
        answer = LOGIN_KINDS[login_kind](client, alice, None, remember)
        assert answer.max_age == (age if gateway[1] == "cookie" else None)
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


@pytest.mark.parametrize("path", ["/query", "/login"])
@pytest.mark.parametrize("selection", SELECTIONS)
def test_login_that_does_not_select_the_user(new_client, alice, selection,
                                             path):
    """Design 2.6: Postern finds the user; the client's answer has the fields
    that it selected."""
    client = new_client()
    answer = client.post(path, {"query": SELECTIONS[selection],
                                "variables": credentials(alice)})
    assert answer.session_change == "new"
    (result,) = data(answer).values()
    assert set(result) == {"number" if selection == "alias" else "__typename"}
    me = data(client.query(ME))["me"]
    session = client.session()
    assert (session["subject"], session["name"]) == (me["id"], alice.email)
    assert session["guest"] is False


@pytest.mark.parametrize("path", ["/query", "/login"])
@pytest.mark.parametrize("field", ["login", "authenticate"])
def test_login_with_an_alias(new_client, alice, path, field):
    """Design 2.5: the user comes from Postern's own document."""
    arguments = {"login": "username: $u, password: $p", "authenticate":
                 "input: { native: { username: $u, password: $p } }"}[field]
    client = new_client()
    answer = client.post(path, {
        "query": "mutation ($u: String!, $p: String!) { mine: "
                 f"{field}({arguments}) {{ __typename }} }}",
        "variables": credentials(alice)})
    assert data(answer) == {"mine": {"__typename": "CurrentUser"}}
    assert answer.session_change == "new" and user_of(client) == alice.email


# --- section 5: logins and orders --------------------------------------------------


def test_merged_order_has_the_guests_quantities(any_client, alice):
    client = any_client()
    log_in(client, alice)
    own_order = add(client, 1)
    guest = any_client()
    other = add(guest, 2)
    assert add(guest, 1, "2")["totalQuantity"] == 3
    assert other["code"] != own_order["code"]
    log_in(guest, alice)
    merged = order(guest)
    lines = {line["productVariant"]["id"]: line["quantity"]
             for line in merged["lines"]}
    assert lines == {"1": 2, "2": 1}  # the guest's 2 replaces the 1


def test_login_without_the_guest_token_keeps_the_carts_apart(
        any_client, alice):
    guest = any_client()
    cart = add(guest)
    client = any_client()
    log_in(client, alice)
    assert order(client) is None
    assert order(guest)["code"] == cart["code"]


def test_order_with_an_address_is_not_merged(any_client, alice):
    guest = any_client()
    add(guest)
    answer = guest.query("""mutation ($e: String!) { setCustomerForOrder(
        input: { firstName: "A", lastName: "B", emailAddress: $e }) {
            __typename } }""", {"e": "guest@example.com"})
    assert data(answer)["setCustomerForOrder"]["__typename"] == "Order"
    log_in(guest, alice)
    assert order(guest) is None


def test_sessions_on_several_devices_are_independent(any_client, alice):
    """A login on a second device keeps the first session. A change of the
    password ends no session."""
    clients = [any_client(), any_client()]
    for client in clients:
        log_in(client, alice)
    for client in clients:
        assert data(client.query(ME))["me"]["identifier"] == alice.email
    answer = clients[0].query(
        """mutation ($old: String!, $new: String!) { updateCustomerPassword(
        currentPassword: $old, newPassword: $new) { __typename } }""",
        {"old": alice.password, "new": "another pass word"})
    assert answer.session_change is None
    assert data(answer) == {"updateCustomerPassword": {"__typename": "Success"}}
    for client in clients:
        assert data(client.query(ME))["me"]["identifier"] == alice.email
    alice.password = "another pass word"
    log_in(any_client(), alice)


def test_login_as_another_user_keeps_other_devices(new_client, alice, bob):
    """Vendure ends Alice's sessions on all devices if Bob's login has her
    token. Design 2.5: Postern sends only a guest's token with a login."""
    first, second = new_client(), new_client()
    log_in(second, alice)
    cart = add(second)
    log_in(first, alice)
    assert order(first)["code"] == cart["code"]
    log_in(first, bob)
    assert user_of(first) == bob.email and order(first) is None
    answer = second.query(ORDER)
    assert answer.session_change is None
    assert data(answer)["activeOrder"]["code"] == cart["code"]


def test_second_login_keeps_other_devices(new_client, alice):
    """The same with a second login of the same user (section 1, line 9)."""
    first, second = new_client(), new_client()
    log_in(second, alice)
    cart = add(second)
    log_in(first, alice)
    assert order(first)["code"] == cart["code"]
    log_in(first, alice)
    for client in (first, second):
        answer = client.query(ORDER)
        assert answer.session_change is None
        assert data(answer)["activeOrder"]["code"] == cart["code"]


def test_logout_ends_one_device_only(new_client, alice):
    """Design 2.6. Vendure's own logout ends all devices (its issue 3772). The
    next login has the order again."""
    first, second = new_client(), new_client()
    for client in (first, second):
        log_in(client, alice)
    cart = add(first)
    copy = new_client()
    copy.token = first.token
    answer = first.post("/logout")
    assert first.was_cleared(answer)
    assert user_of(copy) is None
    assert answer.json == {"data": {"logout": {"success": True}}}
    assert first.token is None and user_of(first) is None
    assert first.query(ME).code == "FORBIDDEN"
    answer = second.query(ME)
    assert answer.session_change is None
    assert data(answer)["me"]["identifier"] == alice.email
    log_in(first, alice)
    assert order(first)["code"] == cart["code"]


@pytest.mark.parametrize("how", ["search", "json", "form"])
def test_logout_everywhere(new_client, shop, alice, bob, how):
    first, second, other = new_client(), new_client(), new_client()
    for client in (first, second):
        log_in(client, alice)
    log_in(other, bob)
    shop.seen()
    if how == "search":
        answer = first.post("/logout?everywhere=1")
    elif how == "json":
        answer = first.post("/logout", {"everywhere": True})
    else:
        answer = first.send("POST", "/logout", b"everywhere=1", [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Accept", "application/json"),
            ("Origin", f"http://localhost:{first.server.port}"),
            ("Sec-Fetch-Site", "same-origin")])
    assert first.was_cleared(answer)
    assert len(shop.seen()) == 1
    assert user_of(first) is None
    answer = second.query(ME)
    assert second.is_token_invalid(answer) and answer.code == "FORBIDDEN"
    assert user_of(second) is None
    assert data(other.query(ME))["me"]["identifier"] == bob.email


def test_logout_mutation_ends_all_devices(any_client, alice):
    first, second = any_client(), any_client()
    for client in (first, second):
        log_in(client, alice)
    answer = first.query(LOGOUT)
    assert first.was_cleared(answer) and data(answer)["logout"]["success"]
    answer = second.query(ME)
    assert second.was_cleared(answer) and answer.code == "FORBIDDEN"


def test_logout_of_a_guest_and_without_a_session(new_client, shop):
    client = new_client()
    add(client)
    shop.seen()
    assert client.was_cleared(client.post("/logout"))
    assert user_of(client) is None
    answer = client.post("/logout")
    assert answer.status == 200
    assert client.token is None or client.was_cleared(answer)
    assert shop.seen() == []


# --- sessions that begin without a login -------------------------------------------

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
    """A mutation of a plugin."""
    account = shop.register()
    return account, client.query(BY_LINK, {"e": account.email}, **more)


SESSION_STARTS = pytest.mark.parametrize("begin_session", [
    verify_account, reset_password, authenticate, sign_in_by_link])


@SESSION_STARTS
@pytest.mark.parametrize("before", ["none", "guest", "user", "expired"])
def test_user_is_updated_after_any_new_token(any_client, shop, bob,
                                             begin_session, before):
    """Design 2.5: after every answer with a new token Postern sends the who
    document. The session has the new user and no data of the one before (L53,
    L54)."""
    client = any_client()
    start_session(client, before, shop, bob)
    token = client.token
    account, answer = begin_session(client, shop)
    data(answer)
    assert answer.session_change == "new" and client.token != token
    me = data(client.query(ME))["me"]
    assert me["identifier"] == account.email
    if is_direct(client):
        return
    session = client.session()
    assert (session["subject"], session["name"]) == (me["id"], account.email)
    assert session["guest"] is False
    if token is not None:  # another subject: the old session is revoked
        old = any_client()
        old.token = token
        assert user_of(old) is None


@SESSION_STARTS
def test_session_without_a_login_has_the_lifetimes_of_a_user(
        new_client, gateway, shop, begin_session):
    """L54: a session cookie, 12 hours, an idle limit; a logout everywhere
    revokes it."""
    client = new_client()
    assert client.query(ORDER).session_change == "new"
    account, answer = begin_session(client, shop)
    assert answer.session_change == "new" and answer.max_age is None
    assert 0 <= 12 * 3600 - seconds_left(client) < 60
    session = client.session()
    idle = datetime.datetime.fromisoformat(
        session["idleExpiresAt"].replace("Z", "+00:00")).timestamp()
    assert 0 <= 1800 - (idle - time.time()) < 60
    if begin_session in (verify_account, reset_password):
        account.password = {verify_account: account.password,
                            reset_password: "another pass word"}[begin_session]
    other = new_client()
    log_in(other, account)
    assert other.was_cleared(other.post("/logout?everywhere=1"))
    assert user_of(client) is None
    del gateway


@SESSION_STARTS
def test_who_request_has_the_token_and_no_client_headers(
        new_client, shop, begin_session):
    """The who request has no header and no parameter of the client."""
    client = new_client()
    channel = "second-channel"
    if begin_session is reset_password:
        channel = ""  # Vendure 3.7.3 resets no password in another one
    shop.seen()
    _, answer = begin_session(client, shop, search="?languageCode=de",
                              headers=[
        ("vendure-token", channel), ("Accept-Language", "de")])
    assert answer.session_change == "new"
    mutation, who_request = shop.seen()[-2:]
    assert mutation["header"]["accept-language"] == "de"
    assert mutation["header"].get("vendure-token", "") == channel
    assert "languageCode=de" in mutation["path"]
    assert who_request["path"] == "/shop-api"
    assert not {"vendure-token",
                "accept-language"} & set(who_request["header"])


def test_who_request_is_sent_once_per_token(new_client, shop, alice):
    """An answer without a new token leads to no who request."""
    client = new_client()
    shop.seen()
    client.query(ORDER)
    assert len(shop.seen()) == 2 and user_of(client) == "guest"
    add(client)
    order(client)
    assert len(shop.seen()) == 2
    log_in(client, alice)
    shop.seen()
    order(client)
    assert len(shop.seen()) == 1


@EVERY_SHOP
def test_change_of_the_email_address(any_client, shop, alice):
    """updateCustomerEmailAddress: the session of the customer stays and has the
    new name after the next login. Another client that opens the link becomes a
    guest, as in Vendure."""
    client, other = any_client(), any_client()
    log_in(client, alice)
    answer = client.query("""mutation ($p: String!, $e: String!) {
        requestUpdateCustomerEmailAddress(password: $p, newEmailAddress: $e) {
            __typename } }""", {"p": alice.password, "e": "x" + alice.email})
    assert data(answer) == {"requestUpdateCustomerEmailAddress": {
        "__typename": "Success"}}
    answer = other.query(
        """mutation ($t: String!) { updateCustomerEmailAddress(token: $t) {
        __typename } }""", {"t": shop.mailed(alice, "change")})
    assert answer.session_change == "new" and data(answer) == {
        "updateCustomerEmailAddress": {"__typename": "Success"}}
    me = data(client.query(ME))["me"]
    assert me["identifier"] == "x" + alice.email
    if not is_direct(client):
        assert user_of(other) == "guest"
        assert client.session()["subject"] == me["id"]
        assert client.session()["guest"] is False
    alice.email = "x" + alice.email
    log_in(client, alice)
    if not is_direct(client):
        assert user_of(client) == alice.email


def test_placed_order_is_no_longer_active(any_client, alice):
    """The session stays. The next item creates a new order."""
    client = any_client()
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
        assert answer.session_change is None
    assert order(client) is None
    assert add(client)["code"] != placed["code"]
    assert data(client.query(ME))["me"]["identifier"] == alice.email


def test_expired_session_becomes_a_guest(any_client, shop, alice):
    client = any_client()
    log_in(client, alice)
    cart = add(client)
    shop.end_sessions()
    answer = client.query(ORDER)
    assert answer.session_change == "new"
    assert data(answer) == {"activeOrder": None}
    if not is_direct(client):
        assert user_of(client) == "guest"
    assert client.query(ME).code == "FORBIDDEN"
    log_in(client, alice)
    assert order(client)["code"] == cart["code"]


def test_invalid_token_is_cleared_or_replaced(new_client, gateway):
    """Design 2.1: a public answer clears it; an answer with a guest's token
    replaces it."""
    for text in ("nonsense", "a" * 3000):
        token = (text if gateway[1] == "bearer"
                 else f"{shops.gateways.COOKIE}={text}")
        client = new_client()
        client.token = token
        answer = client.query(PUBLIC)
        assert client.is_token_invalid(answer) and data(answer)["products"]
        client.token = token
        answer = client.query(ORDER)
        assert answer.session_change == "new"
        assert data(answer) == {"activeOrder": None}
        assert user_of(client) == "guest"


# --- sections 2 and 8: several fields, other kinds of request ----------------------


@EVERY_SHOP
def test_two_mutations_in_one_request(any_client):
    """Vendure creates two guests and two orders; the new token gives access to
    one of them, or with bearer tokens to none. Postern does not correct this.
    The session is valid."""
    client = any_client()
    answer = client.query("""mutation {
        a: addItemToOrder(productVariantId: 1, quantity: 1) {
            ... on Order { code } }
        b: addItemToOrder(productVariantId: 2, quantity: 1) {
            ... on Order { code } } }""")
    assert answer.session_change == "new"
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
    assert answer.session_change is None
    assert data(answer)["b"]["totalQuantity"] == before + 2


def test_three_queries_in_one_request(any_client):
    client = any_client()
    document = """{ activeOrder { code } activeCustomer { id }
        eligibleShippingMethods { id } }"""
    assert client.query(document).session_change == "new"
    assert client.query(document).session_change is None


@pytest.mark.parametrize("document", [
    "{ products { totalItems } activeOrder { code } }",
    "{ activeOrder { code } products { totalItems } }"])
def test_expired_token_with_two_fields(any_client, shop, alice, document):
    client = any_client()
    for _ in range(4):
        log_in(client, alice)
        shop.end_sessions()
        answer = client.query(document)
        assert answer.session_change == "new"
        assert data(answer)["activeOrder"] is None
        assert client.query(ORDER).session_change is None


@pytest.mark.parametrize("other_field", [
    "addItemToOrder(productVariantId: 1, quantity: 1) { __typename }",
    "logout { success }",
    "again: login(username: $u, password: $p) { __typename }"])
def test_login_beside_another_field_is_refused(new_client, shop, alice,
                                               other_field):
    """Design 2.5: Postern sends no request. Otherwise, with bearer tokens, the
    last token would be that of a new guest, and two logins would count as one
    attempt."""
    client = new_client()
    shop.seen()
    answer = client.query(
        """mutation ($u: String!, $p: String!) {
            login(username: $u,
                  password: $p) { __typename } %s }""" % other_field,
        credentials(alice))
    assert (answer.status, answer.code) == (400, "LOGIN_SHAPE")
    assert answer.session_change is None and shop.seen() == []


def get(client, headers=(), **parameters):
    """Send a query by GET. The documents have line breaks, as those of stock
    clients."""
    text = urllib.parse.urlencode(
        {name: value if isinstance(value, str) else json.dumps(value)
         for name, value in parameters.items()})
    return client.send("GET", f"{client.server.query_path}?{text}", None,
                       [("Accept", "application/json"), *headers])


def test_queries_by_get_and_no_mutation(any_client):
    client = any_client()
    answer = get(client, query=PUBLIC)
    assert answer.session_change is None and data(answer)["products"]
    answer = get(client, query=ORDER)
    assert answer.session_change == "new"
    add(client)
    answer = get(client, query=ORDER)
    assert answer.session_change is None
    assert data(answer)["activeOrder"]["totalQuantity"] == 1
    answer = get(client, query="mutation { logout { success } }")
    assert answer.status == 405 and answer.get("allow") == "POST"
    assert answer.session_change is None
    # R28: a login by GET is refused.
    answer = get(any_client(), query=LOGIN, variables={"u": "a", "p": "b"})
    assert answer.status == 405 and answer.session_change is None


def test_status_304_with_a_guest_token(any_client):
    """The answer 304 begins a guest session."""
    answer = get(any_client(), query=ORDER)
    client = any_client()
    again = get(client, [("If-None-Match", answer.get("etag"))], query=ORDER)
    assert again.status == 304 and again.body == b""
    assert again.session_change == "new"
    assert again.get("etag") == answer.get("etag")
    token = client.token
    assert client.query(ADD, LANTERN).session_change is None
    assert client.token == token


def persisted(document):
    return {"persistedQuery": {
        "version": 1, "sha256Hash": hashlib.sha256(document.encode())
        .hexdigest()}}


def test_persisted_queries(any_client, alice):
    """A query is registered and then sent by its hash, by POST and GET. A login
    needs its text."""
    client = any_client()
    mark = f"# {alice.email}\n"  # makes the hash unique
    answer = client.query(extensions=persisted(mark + ORDER))
    assert answer.code == "PERSISTED_QUERY_NOT_FOUND"
    assert (answer.status, answer.session_change) == (200, None)
    assert client.query(mark + ORDER,
                        extensions=persisted(mark + ORDER)
                        ).session_change == "new"
    add(client)
    answer = client.query(extensions=persisted(mark + ORDER))
    cart = data(answer)["activeOrder"]
    assert answer.session_change is None and cart["totalQuantity"] == 1
    answer = get(client, extensions=persisted(mark + ORDER))
    assert data(answer)["activeOrder"] == cart
    other = any_client()
    log_in_by_hash = {"extensions": persisted(mark + LOGIN),
                      "variables": credentials(alice)}
    assert other.query(**log_in_by_hash).code == "PERSISTED_QUERY_NOT_FOUND"
    log_in_again = {**log_in_by_hash, "variables": credentials(alice, "wrong")}
    answer = other.query(mark + LOGIN, **log_in_again)
    assert data(answer)["login"]["__typename"] == "InvalidCredentialsError"
    assert answer.session_change is None
    answer = client.query(**log_in_by_hash)
    if not is_direct(client):
        # Postern does not store the text, which may have a password.
        assert answer.code == "PERSISTED_QUERY_NOT_FOUND"
        answer = client.query(mark + LOGIN, **log_in_by_hash)
    assert answer.session_change == "new"
    assert data(answer)["login"]["identifier"] == alice.email
    assert order(client)["code"] == cart["code"]
    if not is_direct(client):
        assert user_of(client) == alice.email
    answer = client.query(PUBLIC, extensions=persisted("something else"))
    assert answer.status == 400


def test_channel_header_is_forwarded(any_client):
    client = any_client()
    document = "{ activeChannel { code } products { items { name } } }"
    default = data(client.query(document))
    assert default["activeChannel"]["code"] == "__default_channel__"
    header = [("vendure-token", "second-channel")]
    for answer in (client.query(document, headers=header),
                   get(client, header, query=document)):
        assert data(answer)["activeChannel"]["code"] == "second-channel"
        assert answer.session_change is None
    answer = client.query(document, headers=[("vendure-token", "nonsense")])
    assert answer.code == "CHANNEL_NOT_FOUND"
    answer = client.query(ADD, LANTERN, header)
    assert answer.session_change == "new"
    answer = client.query("{ activeOrder { total } }", headers=header)
    assert data(answer)["activeOrder"]["total"] == 2000  # its own prices


def test_channel_parameter_is_forwarded_if_configured(shop, gateway_for):
    """Vendure also accepts a parameter (design 2.8)."""
    document = "{ activeChannel { code } }"
    search = "?vendure-token=second-channel"
    for parameters, code in ((None, "__default_channel__"), (
            "languageCode currencyCode vendure-token", "second-channel")):
        client = shops.Client(gateway_for(
            shop, "cookie", POSTERN_FORWARD_PARAMETERS=parameters), "cookie")
        answer = client.query(document, search=search)
        assert data(answer)["activeChannel"]["code"] == code
    answer = shops.Client(shops.Direct(shop), shop.method).query(
        document, search=search)
    assert data(answer)["activeChannel"]["code"] == "second-channel"


def test_login_request_has_the_channel(new_client, login_kind, shop, alice):
    """With every kind of login: Vendure assigns a customer to each channel in
    which the customer logs in."""
    client = new_client()
    shop.seen()
    send = client.send

    def with_channel(method, path, body=None, headers=()):
        return send(method, path, body,
                    [*headers, ("vendure-token", "second-channel")])

    client.send = with_channel
    assert_logged_in(LOGIN_KINDS[login_kind](client, alice, None), login_kind,
                     alice)
    # The who request has no channel.
    assert [request["header"].get("vendure-token")
            for request in shop.seen()] == ["second-channel", None]


def test_language_is_forwarded(any_client):
    client = any_client()
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


def test_other_answers_are_unchanged(any_client):
    """Section 8: statuses and types."""
    client = any_client()
    kind = "application/graphql-response+json"
    answer = client.query(ME, headers=[("Accept", kind)])
    assert answer.status == 200 and answer.code == "FORBIDDEN"
    assert answer.get("content-type").startswith(kind)
    answer = client.post(client.server.query_path, [{"query": PUBLIC}])
    assert answer.status == 400
    answer = client.post(client.server.query_path, {})
    assert answer.status == 400
    answer = client.query("subscription { nothing }")
    assert answer.status == 200 and answer.json["errors"]
    assert answer.session_change is None


# --- the requests to Vendure --------------------------------------------------------


def test_request_has_the_backend_token_and_no_client_credentials(
        new_client, gateway, shop, alice):
    """R56, R57: the backend token has Vendure's own form. Cookies, tokens and
    user headers of the client are not forwarded."""
    client = new_client()
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
    token = client.token.partition("=")[2] or client.token
    upstream = gateway[0].open_token(token)["upstream"]
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


def test_anonymous_request_has_no_credentials(new_client, gateway, shop):
    """Also not those of a token method that is switched off."""
    client = new_client()
    client.query(PUBLIC, headers=[("Cookie", "session=eyJ0b2tlbiI6ImEifQ==; "
                                   "session.sig=x; other=1")])
    (request,) = shop.seen()
    assert not {"cookie", "authorization"} & set(request["header"])
    if gateway[0].methods == {"cookie"}:
        client.query(PUBLIC, headers=[("Authorization", "Bearer " + "a" * 64)])
        (request,) = shop.seen()
        assert not {"cookie", "authorization"} & set(request["header"])


def test_unreachable_shop_keeps_the_session(all_shops, gateway_for):
    """The answer is 502."""
    shop = all_shops["bearer"]
    open_gateway = gateway_for(shop, "cookie,bearer")
    with open(open_gateway.environment["COOKIE_SESSION_SECRET_FILE"],
              encoding="ascii") as file:
        secret = file.read()
    port = shops.gateways.closed_port()
    closed = gateway_for(shop, "cookie,bearer", secret=secret,
                         POSTERN_UPSTREAM=f"http://127.0.0.1:{port}/shop-api")
    client = shops.Client(open_gateway, "bearer")
    cart = add(client)
    client.server = closed
    answer = client.query(ORDER)
    assert (answer.status, answer.code) == (502, "UPSTREAM_UNREACHABLE")
    assert answer.session_change is None
    client.server = open_gateway
    assert order(client)["code"] == cart["code"]
