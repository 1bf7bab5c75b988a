# SPDX-License-Identifier: ISC
"""doc/backends.md is true: each recipe works as it is printed there, with a real
GraphQL backend of its schema; each wrong setting gives the messages printed
there. Schema, settings, documents, answers and messages are read from the
document (U42)."""
import json
import os
import re
import subprocess
import time

import canary
import gateway
import http_client
import pytest
from graphql_backend import TTL, GraphqlBackend, wrong_password

PROGRAM = os.path.join(gateway.BUILD, "cgi-bin/login")


def read_sections(title, level):
    """{heading: text} of the sections of one chapter."""
    with open(os.path.join(gateway.ROOT, "doc/backends.md"),
              encoding="utf-8") as file:
        text = file.read()
    chapter = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.M | re.S)[1]
    parts = re.split(rf"^{level} (.+)\n", chapter, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def read_blocks(text):
    """{name: text} of the fenced blocks; the name is the rest of the info
    string behind its language. The client's answer is `answer`."""
    found = re.findall(r"^```(\w+) ([^\n]+)\n(.*?)^```$", text, re.M | re.S)
    return {"answer" if (language, name) == ("json", "client") else name: block
            for language, name, block in found}


RECIPES = {name: read_blocks(text)
           for name, text in read_sections("Recipes", "###").items()}

MISTAKES = {name: {"recipe": re.search(r"^Recipe: \[(.+?)\]", text, re.M)[1],
                   **read_blocks(text)}
            for name, text in read_sections(
                "What a wrong setting looks like", "###").items()}

# The resolvers of each recipe's root fields. -----------------------------------


def sign_in(call, email, password):
    token = call.log_in(email, password) or wrong_password()
    return {"accessToken": token, "expiresIn": TTL, "userId": call.backend.user["id"],
            "email": call.backend.user["email"]}


def auth_login(call, email, password, mode=None):
    assert mode == "json"
    return {"access_token": call.log_in(email, password) or wrong_password(),
            "refresh_token": call.more_secret(), "expires": 900000}


def strapi_login(call, input):
    token = call.log_in(input["identifier"], input["password"])
    return {"jwt": token or wrong_password(), "user": call.backend.user}


def wordpress_login(call, input):
    token = call.log_in(input["username"], input["password"])
    return {"authToken": token or wrong_password(),
            "refreshToken": call.more_secret(), "user": call.backend.user,
            "clientMutationId": input.get("clientMutationId")}


def token_create(call, email, password):
    token = call.log_in(email, password)
    if not token:
        return {"token": None, "errors": [
            {"field": "email", "message": "Wrong name or password."}]}
    return {"token": token, "refreshToken": call.more_secret(),
            "csrfToken": call.more_secret(), "user": call.backend.user,
            "errors": []}


def deactivate_all(call):
    call.log_out()
    return {"errors": []}


def authenticate(call, email, password):
    token = call.log_in(email, password)
    kind = "UserAuthenticationWithPassword"
    if not token:
        return {"__typename": kind + "Failure", "message": "Failed."}
    return {"__typename": kind + "Success", "sessionToken": token,
            "item": call.backend.user}


def authenticated_item(call):
    return call.user and {"__typename": "User", **call.user}


def end_session(call):
    call.log_out()
    return True


def token_auth(call, username, password):
    return {"token": call.log_in(username, password) or wrong_password(),
            "refreshToken": call.more_secret(),
            "refreshExpiresIn": int(time.time()) + 7 * 86400}


def header_sign_in(call, input):
    token = call.log_in(**{"name": input["email"],
                           "password": input["password"]})
    call.answer_headers.append(
        ("Authorization", "Bearer " + (token or wrong_password())))
    return {"user": call.backend.user}


def cookie_login(call, email, password):
    token = call.log_in(email, password) or wrong_password()
    call.answer_headers.append(
        ("Set-Cookie", f"sid={token}; Path=/; HttpOnly"))
    return call.backend.user


def create_session(call, input):
    data = input["data"]
    token = call.log_in(data["email"], data["password"]) or wrong_password()
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + TTL))
    return {"session": {"token": token, "expiresAt": end,
                        "user": call.backend.user}}


def delete_session(call):
    call.log_out()
    return {"success": True}


def give_tokens(call, token):
    refresh = call.more_secret()
    call.backend.refreshable.add(refresh)
    return {"accessToken": token, "expiresIn": call.backend.ttl,
            "refreshToken": refresh, "userId": call.backend.user["id"],
            "email": call.backend.user["email"]}


def login_with_refresh(call, email, password):
    return give_tokens(call, call.log_in(email, password) or wrong_password())


def refresh_tokens(call, refreshToken):
    """Each refresh token is good once."""
    call.backend.refreshable.remove(refreshToken)
    call.backend.ttl = TTL
    return give_tokens(call, call.log_in("ada", call.backend.user["password"]))


def user(call):
    return call.user


# {recipe: (resolvers, a query, its answer for the user)}
BACKENDS = {
    "Another name for the token": (
        {"signIn": sign_in, "signOut": end_session,
         "orders": lambda call: call.user and ["42"]},
        "{orders}", {"orders": ["42"]}),
    "Tokens only": ({"auth_login": auth_login, "users_me": user,
                     "admin": lambda call: {"id": "1", "email": "root@x"}},
                    "{users_me{first_name}}", {"users_me": {"first_name": "Ada"}}),
    "An input object": ({"login": strapi_login, "me": user},
                        "{me{username}}", {"me": {"username": "ada"}}),
    "A user name": ({"login": wordpress_login, "viewer": user},
                    "{viewer{email}}", {"viewer": {"email": "ada@example.com"}}),
    "Errors in the result": (
        {"tokenCreate": token_create, "tokensDeactivateAll": deactivate_all,
         "me": user, "checkout": lambda call: call.user and {"token": "c-1"}},
        "{checkout{token}}", {"checkout": {"token": "c-1"}}),
    "A union": (
        {"authenticateUserWithPassword": authenticate,
         "endSession": end_session, "authenticatedItem": authenticated_item},
        "{authenticatedItem{...on User{name}}}",
        {"authenticatedItem": {"name": "Ada"}}),
    "A token and a query": ({"tokenAuth": token_auth, "me": user},
                            "{me{email}}", {"me": {"email": "ada@example.com"}}),
    "A token in a header": (
        {"signIn": header_sign_in, "signOut": end_session, "currentUser": user},
        "{currentUser{email}}", {"currentUser": {"email": "ada@example.com"}}),
    "A cookie": (
        {"login": cookie_login, "logout": end_session, "me": user},
        "{me{email}}", {"me": {"email": "ada@example.com"}}),
    "A session as a resource": (
        {"createSession": create_session, "deleteSession": delete_session,
         "currentSession": lambda call: {"user": call.user}},
        "{currentSession{user{email}}}",
        {"currentSession": {"user": {"email": "ada@example.com"}}}),
    "Short-lived tokens": (
        {"login": login_with_refresh, "refreshTokens": refresh_tokens,
         "logout": end_session, "me": user},
        "{me{email}}", {"me": {"email": "ada@example.com"}}),
}


# A site of a recipe. ------------------------------------------------------------


def read_settings(text):
    return dict(line.split("=", 1) for line in text.splitlines() if line)


def write_settings(blocks, folder):
    """The settings, with the documents in this folder."""
    for name, text in blocks.items():
        if name.endswith(".graphql"):
            (folder / name).write_text(text, encoding="utf-8")
    return {name: value.replace("/etc/postern", str(folder))
            for name, value in read_settings(blocks["settings"]).items()}


@pytest.fixture(name="start_recipe")
def start_recipe_fixture(tmp_path):
    """start_recipe(name) gives a site of the recipe's backend and settings;
    blocks replace those of the recipe."""
    gateways, backends = [], []

    def start(name, serve=True, secret=None, **blocks):
        blocks = {**RECIPES[name], **blocks}
        backend = GraphqlBackend(RECIPES[name]["backend"], BACKENDS[name][0])
        backends.append(backend)
        if callable(blocks["settings"]):
            blocks["settings"] = blocks["settings"](backend)
        settings = write_settings(blocks, tmp_path)
        if not serve:
            return backend, settings
        gateways.append(gateway.Gateway(backend, secret=secret,
                                        **settings))
        return backend, gateways[-1]

    yield start
    try:
        for started in gateways:
            started.close()
    finally:
        for backend in backends:
            backend.close()


def mask_times(text):
    return re.sub(r'"expiresAt":"[^"]*"', '"expiresAt":"…"', text)


def is_token_sent(backend, request):
    """Is the newest request one of the user?"""
    value = request.header.get("authorization", "").removeprefix("Bearer ")
    cookie = request.header.get("cookie", "").removeprefix("sid=")
    return (value or cookie) in backend.live


def parse_time(text):
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone


def test_every_recipe_has_a_backend():
    assert set(RECIPES) == set(BACKENDS)
    for name, blocks in RECIPES.items():
        assert {"backend", "settings", "login.graphql", "login", "session",
                "client", "answer"} <= set(blocks), name
        named = set(re.findall(r"/etc/postern/(\S+)", blocks["settings"]))
        assert named == {b for b in blocks if b.endswith(".graphql")}, name


@pytest.mark.parametrize("name", RECIPES)
def test_recipe(start_recipe, name):
    blocks = RECIPES[name]
    _, query, expected = BACKENDS[name]
    backend, site = start_recipe(name)
    settings = read_settings(blocks["settings"])
    ada = backend.user
    login_name = ada["username" if "$username" in blocks["login.graphql"]
                     else "email"]
    credentials = {"email": login_name, "password": ada["password"]}

    done = site.postern("check")
    assert (done.returncode, done.stderr) == (0, b""), done
    assert b"the login document is understood" in done.stdout

    # By JSON.
    answer = site.post("/login", credentials)
    assert answer.status == 200, answer
    assert mask_times(answer.text) == blocks["login"].strip()
    cookie = http_client.cookie_of(answer)[1]
    session = site.session(cookie=cookie)
    assert {key: session[key] for key in ("subject", "name", "who")} == (
        json.loads(blocks["session"]))
    left = parse_time(session["expiresAt"]) - time.time()
    if "POSTERN_TTL" in settings and "POSTERN_REFRESH_TOKEN" not in settings:
        assert TTL - 60 < left <= TTL
    elif "POSTERN_LIFETIME" in settings:
        assert 14 * 60 < left <= 15 * 60
    else:
        assert 11.9 * 3600 < left <= 12 * 3600

    # The session's token goes to the backend.
    answer = site.query(query, cookie=cookie)
    assert answer.json == {"data": expected}
    assert is_token_sent(backend, backend.requests[-1])

    # By a form, and by the client's own document.
    answer = site.form("/login", credentials)
    assert answer.status == 303 and http_client.cookie_of(answer)
    answer = site.query(blocks["client"], {"name": login_name,
                                           "pass": ada["password"]})
    assert answer.status == 200, answer
    assert answer.json == json.loads(blocks["answer"])
    own = http_client.cookie_of(answer)[1]
    assert site.session(cookie=own)["subject"] == session["subject"]

    # A wrong password.
    answer = site.post("/login", {**credentials, "password": "wrong"})
    assert answer.status == 401 and "event=login-refused" in site.log
    answer = site.query(blocks["client"], {"name": login_name, "pass": "no"})
    assert answer.status == 200 and not answer.get("set-cookie")

    # Logging out.
    rule = settings.get("POSTERN_UPSTREAM_LOGOUT", "always")
    before = len(backend.requests)
    live = len(backend.live)
    assert site.post("/logout", {}, cookie=cookie).status == 200
    assert site.session(cookie=cookie) is None
    assert len(backend.requests) - before == (rule == "always")
    assert len(backend.live) == live - (rule == "always")
    if rule == "everywhere":
        site.post("/logout?everywhere=1", {}, cookie=own)
        assert len(backend.live) == live - 1
    assert "event=backend-logout-refused" not in site.log
    assert "event=login-misconfigured" not in site.log


def test_short_lived_tokens(start_recipe):
    """A token of one second is due at once: the next request sends a new one."""
    backend, site = start_recipe("Short-lived tokens")
    backend.ttl = 1
    cookie = http_client.cookie_of(site.post("/login", {
        "email": "ada@example.com", "password": backend.user["password"]}))[1]
    first, = backend.live
    answer = site.query("{me{email}}", cookie=cookie)
    assert answer.json == {"data": {"me": {"email": "ada@example.com"}}}
    sent = backend.requests[-1].header["authorization"]
    assert sent != f"Bearer {first}" and is_token_sent(backend, backend.requests[-1])
    assert len([one for one in backend.requests if "refreshTokens" in one.query]) == 1
    # The next one does not refresh; the new cookie has the new token.
    renewed = http_client.cookie_of(answer)[1]
    site.query("{me{email}}", cookie=renewed)
    assert backend.requests[-1].header["authorization"] == sent
    assert len(backend.refreshable) == 1
    # No token is in any answer.
    assert not backend.tokens_in(answer.text.encode())
    assert "expiresIn" not in site.post("/login", {
        "email": "ada@example.com", "password": backend.user["password"]}).text


def test_two_urls(start_recipe):
    """A backend with its login at another URL than its data: query gets another
    POSTERN_UPSTREAM than the other programs."""
    name = "Tokens only"
    _, query, expected = BACKENDS[name]
    first, site = start_recipe(name)
    data, other = start_recipe(
        name, secret=site.secret,
        settings=lambda _: RECIPES[name]["settings"]
        + f"POSTERN_STORE=lmdb:{site.folder}/store\n")
    data.live, data.issued = first.live, first.issued
    answer = site.post("/login", {"email": first.user["email"],
                                  "password": first.user["password"]})
    cookie = http_client.cookie_of(answer)[1]
    assert other.query(query, cookie=cookie).json == {"data": expected}
    assert is_token_sent(data, data.requests[-1])
    assert site.post("/logout", {}, cookie=cookie).status == 200
    assert other.query(query, cookie=cookie).json != {"data": expected}


# Wrong settings. ----------------------------------------------------------------


def make_pattern(text):
    """A regular expression for a text in which … stands for anything."""
    return ".*".join(map(re.escape, text.split("…")))


def expect_lines(wanted, got):
    """Each line of the document occurs in a line of the text."""
    for line in wanted.splitlines():
        assert any(re.search(make_pattern(line), one)
                   for one in got.splitlines()), f"{line}\n--- in:\n{got}"


def run_program(settings):
    """Start the login program, which must refuse; what it says."""
    done = subprocess.run(
        [PROGRAM, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=30, check=False,
        env={**gateway.SANITIZER_ENVIRONMENT, "POSTERN_STORE": "none",
             "COOKIE_SESSION_SECRET": gateway.make_secret().strip(),
             **settings})
    assert done.returncode == 78, done
    return done.stderr.decode()


def run_check(settings):
    done = subprocess.run(
        [gateway.POSTERN, "check"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=60, check=False,
        env={**gateway.SANITIZER_ENVIRONMENT, "POSTERN_STORE": "none",
             "COOKIE_SESSION_SECRET": gateway.make_secret().strip(),
             **settings})
    return done.returncode, done.stderr.decode()


def show_answer(answer):
    error = answer.json["errors"][0]
    return (f"{answer.status} {error['extensions']['code']}: "
            f"{error['message']}")


def change_settings(case, backend):
    """The settings of the recipe with the lines of the case."""
    text = RECIPES[case["recipe"]]["settings"] + case.get("change", "")
    return text.replace("127.0.0.1:3000", f"127.0.0.1:{backend.port}")


def test_mistakes_have_messages():
    assert len(MISTAKES) > 20
    for name, case in MISTAKES.items():
        assert case["recipe"] in RECIPES, name
        assert set(case) & {"refused", "log", "check", "answer", "lasts"}, name


@pytest.mark.parametrize(
    "name", [name for name, case in MISTAKES.items() if "refused" in case])
def test_setting_that_is_refused(start_recipe, tmp_path, name):
    case = MISTAKES[name]
    backend, _ = start_recipe(case["recipe"], serve=False)
    blocks = {**RECIPES[case["recipe"]], **case,
              "settings": change_settings(case, backend)}
    settings = {"POSTERN_UPSTREAM": backend.url,
                **write_settings(blocks, tmp_path)}
    status, said = run_check(settings)
    wanted = case["refused"].replace("/etc/postern", str(tmp_path))
    assert (status, said) == (78, wanted)
    logged = run_program(settings)
    for line in wanted.splitlines():
        assert line.replace('"', '\\"') in logged, logged
    assert backend.requests == []


@pytest.mark.parametrize(
    "name", [name for name, case in MISTAKES.items() if "refused" not in case])
def test_setting_that_is_wrong(start_recipe, name):
    case = MISTAKES[name]
    recipe = RECIPES[case["recipe"]]
    backend, site = start_recipe(
        case["recipe"], settings=lambda backend: change_settings(case, backend),
        **{key: case[key] for key in case if key.endswith(".graphql")})
    done = site.postern("check")
    said = done.stderr.decode()
    if "check" in case:
        assert said == case["check"]
        assert (done.returncode == 0) == said.startswith("warning: ")
    else:
        assert (done.returncode, said) == (0, "")
    login_name = backend.user["username" if "$username"
                              in recipe["login.graphql"] else "email"]
    # One mistake shows a token in the answer, which is compared below, and in
    # the session.
    shown = ["a backend's token"] if "login" in case else []
    with canary.allowed(*shown):
        if "client" in case:
            answer = site.query(case["client"], {
                "name": login_name, "pass": backend.user["password"]})
        else:
            answer = site.post("/login", {
                "email": login_name, "password": backend.user["password"]})
    if "answer" in case:
        assert show_answer(answer) == case["answer"].strip()
    else:
        assert answer.status == 200
        cookie = http_client.cookie_of(answer)[1]
        with canary.allowed(*shown):
            session = site.session(cookie=cookie)
        if "lasts" in case:
            left = parse_time(session["expiresAt"]) - time.time()
            assert abs(left - 3600 * int(case["lasts"].strip("h\n"))) < 60
        site.post("/logout", {}, cookie=cookie)
    if "login" in case:
        text = answer.text
        for token in backend.issued:
            text = text.replace(token, "TOKEN")
        assert mask_times(text) == case["login"].strip()
        site.received.clear()  # the mistake shows a token
    if "log" in case:
        expect_lines(case["log"], site.log)
