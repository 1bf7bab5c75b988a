# SPDX-License-Identifier: ISC
"""Go through a shop on two devices: the cart survives the login."""

from walk_curl import (
    ATTRIBUTES, COOKIE, DEVICE, GUEST, ask_backend, check_copy, check_device,
    check_page, cookies_of, is_in, check_secrets)

MONTH, YEAR = 30 * 86400, 365 * 86400
REGISTER = """mutation Register($input: RegisterCustomerInput!) {
  registerCustomerAccount(input: $input) { __typename } }"""
ADD = """mutation Add($id: ID!, $n: Int!) {
  addItemToOrder(productVariantId: $id, quantity: $n) {
    __typename ... on Order { code totalQuantity }
    ... on ErrorResult { errorCode message } } }"""
CART = "query Cart { activeOrder { code totalQuantity } }"
PRODUCTS = "query Products { products { totalItems } }"
ME = "query Me { me { identifier } }"


def last_seen(backend):
    """The last request that the backend got, except for Postern's own who
    document."""
    return [seen for seen in ask_backend(backend + "/_seen")
            if "{me {id identifier}}" not in seen["body"]][-1]


def sent_token(backend):
    """The token in the last request that the backend got, or None."""
    headers = dict((name.lower(), value) for name, value
                   in last_seen(backend)["headers"])
    return headers.get("authorization", "").partition(" ")[2] or None


def cookie_in(walk, answer, what, max_age=None, wanted=COOKIE):
    """Check the session's new cookie. Returns its value."""
    cookies = [cookie for cookie in cookies_of(answer) if cookie[0] != DEVICE]
    name, value, attributes = (cookies + [("", "", set())])[0]
    ages = {int(a[8:]) for a in attributes if a.startswith("max-age=")}
    rest = {a for a in attributes if not a.startswith("max-age=")}
    walk.check(len(cookies) == 1 and name == wanted and rest == ATTRIBUTES,
               f"one cookie: {what}")
    if max_age:
        walk.check(len(ages) == 1 and max_age - 60 <= ages.pop() <= max_age,
                   f"that lasts {max_age // 86400} days")
    else:
        walk.check(not ages, "that ends when the browser closes")
    return value


def nothing_set(walk, answer):
    walk.check(not answer.all("set-cookie"), "no cookie is set")


def cart_of(answer):
    return answer.at("data", "activeOrder") or {}


def fill_cart(walk, backend):
    """Read the products, fill a cart. Returns the cart's code, the guest's
    cookie and the guest's token."""
    walk.step("look at the products: there is no session yet")
    answer = walk.send("POST", "/query", {"query": PRODUCTS})
    walk.check(answer.at("data", "products", "totalItems"), "there are some")
    nothing_set(walk, answer)

    walk.step("put something into the cart: this starts a guest session")
    answer = walk.send("POST", "/query", {
        "query": ADD, "variables": {"id": "1", "n": 2}})
    code = answer.at("data", "addItemToOrder", "code")
    walk.check(code and answer.at("data", "addItemToOrder",
                                  "totalQuantity") == 2, "two items in it")
    walk.check(not answer.all("vendure-auth-token"),
               "the client does not get the backend's token")
    cookie = cookie_in(walk, answer, "a guest's", YEAR, GUEST)
    session = walk.send("GET", "/session").at("data", "session") or {}
    walk.check(session.get("guest") is True, "/session has a guest")

    walk.step("put in something else, with the guest's cookie")
    answer = walk.send("POST", "/query", {
        "query": ADD, "variables": {"id": "3", "n": 1}})
    walk.check(answer.at("data", "addItemToOrder", "code") == code
               and answer.at("data", "addItemToOrder", "totalQuantity") == 3,
               "the same cart, three items in it")
    nothing_set(walk, answer)
    token = sent_token(backend)
    walk.check(token and token not in cookie,
               "the backend got its own token")
    return code, cookie, token


def log_in_with_cart(walk, backend, code, guest_token):
    """Try a wrong password, log in, and check that the cart is the same."""
    walk.step("a protected page, by PHP: a guest may not read it")
    check_page(walk, None)

    walk.step("open an account")
    answer = walk.send("POST", "/query", {
        "query": REGISTER, "variables": {"input": {
            "emailAddress": walk.email, "password": walk.password,
            "firstName": "Walker"}}})
    walk.check(answer.at("data", "registerCustomerAccount",
                         "__typename") == "Success", "the account exists")
    nothing_set(walk, answer)

    walk.step("wrong password")
    answer = walk.send("POST", "/login", {
        "username": walk.email, "password": "not " + walk.password})
    walk.check(answer.status == 401, "401")
    nothing_set(walk, answer)
    answer = walk.send("POST", "/query", {"query": CART})
    walk.check(cart_of(answer).get("code") == code, "the cart is still there")

    walk.step("log in")
    answer = walk.send("POST", "/login", {
        "username": walk.email, "password": walk.password})
    walk.check(answer.status == 200, "200")
    cookie = cookie_in(walk, answer, "a user's")
    check_device(walk, cookies_of(answer))
    answer = walk.send("POST", "/query", {"query": CART})
    walk.check(cart_of(answer) == {"code": code, "totalQuantity": 3},
               "it has the same cart")
    nothing_set(walk, answer)
    token = sent_token(backend)
    walk.check(token and token != guest_token,
               "the backend got a new token of its own")
    session = walk.send("GET", "/session").at("data", "session") or {}
    walk.check(session.get("name") == walk.email
               and session.get("guest") is False, "/session has the user")
    return cookie, token


def second_device(walk, backend, code):
    walk.step("log in on a second device, to be remembered")
    walk.use("second device")
    answer = walk.send("POST", "/login", {
        "username": walk.email, "password": walk.password,
        "rememberMe": True})
    cookie = cookie_in(walk, answer, "a remembered user's", MONTH)
    walk.check('"rememberMe": true' in last_seen(backend)["body"].replace(
        '":true', '": true'), "the backend got rememberMe too")
    answer = walk.send("POST", "/query", {"query": CART})
    walk.check(cart_of(answer).get("code") == code, "it has the same cart")
    return cookie, sent_token(backend)


def log_out(walk, backend, code, first_cookie):
    """Log out on one device, then everywhere."""
    walk.step("log out on the first device")
    walk.use("first device")
    answer = walk.send("POST", "/logout")
    walk.check(answer.at("data", "logout", "success") is True, "200")
    # Some versions of curl send the guest's cookie again, which is revoked.
    walk.check(not any(f"\t{COOKIE}\t" in line for line in walk.curl_cookies()),
               "the cookie is gone")
    answer = walk.send("POST", "/query", {"query": ME})
    walk.check(answer.code() == "FORBIDDEN", "nobody is logged in")

    walk.step("the second device stays logged in")
    walk.use("second device")
    answer = walk.send("POST", "/query", {"query": CART})
    walk.check(cart_of(answer).get("code") == code, "with its cart")
    nothing_set(walk, answer)

    walk.step("log in on the first again, and log out everywhere")
    walk.use("first device")
    walk.send("POST", "/login", {
        "username": walk.email, "password": walk.password})
    answer = walk.send("POST", "/logout?everywhere=1")
    walk.check(answer.at("data", "logout", "success") is True, "200")
    body = ask_backend(backend + "/_seen")[-1]["body"]
    walk.check("logout" in body, "the backend's own logout was called")

    walk.step("now the second device's session is dead")
    walk.use("second device")
    curl_cookies = walk.curl_cookies()
    answer = walk.send("POST", "/query", {"query": CART})
    walk.check(answer.status == 200 and answer.json == {
        "data": {"activeOrder": None}}, "no error, and an empty cart")
    cookie_in(walk, answer, "a new guest's", YEAR, GUEST)
    walk.check(walk.curl_cookies() != curl_cookies, "curl has stored it")
    walk.check(sent_token(backend) is None,
               "the ended session's token was not sent")
    session = walk.send("GET", "/session").at("data", "session") or {}
    walk.check(session.get("guest") is True, "/session has a guest")

    walk.step("a copy of the first cookie does not work")
    answer = walk.send("POST", "/query", {"query": ME},
                       cookie=f"{COOKIE}={first_cookie}")
    walk.check(answer.code() == "FORBIDDEN"
               and not is_in(walk.email.encode(), answer.raw),
               "nobody is logged in")
    walk.check(sent_token(backend) is None, "its token was not sent")
    check_copy(walk, first_cookie, False)


def walk_shop(walk, backend, log):
    walk.use("first device")
    code, guest, guest_token = fill_cart(walk, backend)
    cookie, token = log_in_with_cart(walk, backend, code, guest_token)
    walk.step("the protected page, by PHP, and from elsewhere a copy of the cookie")
    check_page(walk, walk.email)
    check_copy(walk, cookie, True)
    second, second_token = second_device(walk, backend, code)
    log_out(walk, backend, code, cookie)
    check_secrets(walk, [guest_token, token, second_token],
                  [guest, cookie, second], log)
