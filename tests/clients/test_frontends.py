# SPDX-License-Identifier: ISC
"""The examples of doc/frontends.md with Apollo Client and urql, bundled and run
in a real browser. The others are in tests/e2e/test_frontends_guide.py."""

import json
import os
import re
import subprocess
import tempfile

import pytest
import server as backends
from frontends_guide import GuideSite, Page, account_of, blocks, return_to

EXAMPLES = ("errors.js", "postern.js", "session.js", "apollo.js",
            "apollo-links.js", "urql.js", "events.js", "by-id.js", "bearer.js")
ENTRY = """
export * as apollo from "./apollo.js";
export * as links from "./apollo-links.js";
export * as urql from "./urql.js";
export * as session from "./session.js";
export * as events from "./events.js";
export * as ids from "./by-id.js";
export * as tokens from "./bearer.js";
export { HttpLink, gql } from "@apollo/client";
export { Client, fetchExchange } from "@urql/core";
"""
MODULE = "guide.bundle.js"
ME = "query Me { me { email } }"
LOGIN = """mutation Login($email: String!, $password: String!) {
    login(email: $email, password: $password) { email ownerId } }"""
TICKS = """subscription Ticks($key: ID!, $count: Int!) {
    ticks(key: $key, count: $count) }"""
SLOW = "query Slow($key: ID!) { slow(key: $key) { now ... @defer { later } } }"
UPLOAD = """mutation Upload($file: File!) {
    upload(file: $file) { name size } }"""
REFUSED = "mutation Refused { logout login(email: 1) { email } }"


def bundled(examples):
    """The examples, {file name: text}, and their packages as one module."""
    with tempfile.TemporaryDirectory(prefix="postern-bundle-") as folder:
        for name, text in examples.items():
            with open(os.path.join(folder, name), "w",
                      encoding="utf-8") as file:
                file.write(text)
        os.symlink(os.path.join(backends.FOLDER, "node_modules"),
                   os.path.join(folder, "node_modules"))
        done = subprocess.run(
            [os.path.join(folder, "node_modules/.bin/esbuild"), "--bundle",
             "--format=esm", "--log-level=warning",
             "--define:process.env.NODE_ENV='production'"],
            input=ENTRY, cwd=folder, timeout=60, check=True, text=True,
            stdout=subprocess.PIPE)
        return done.stdout


@pytest.fixture(name="examples", scope="module")
def examples_fixture():
    found = blocks()
    return {name: found[name] for name in EXAMPLES}


@pytest.fixture(name="manifest", scope="module")
def manifest_fixture():
    with tempfile.TemporaryDirectory(prefix="postern-manifest-") as folder:
        os.chmod(folder, 0o755)
        path = os.path.join(folder, "manifest.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"me": ME}, file)
        yield path


@pytest.fixture(name="site", scope="module")
def site_fixture(server, examples, manifest):
    site = GuideSite(server, POSTERN_DOCUMENTS=manifest,
                     POSTERN_TOKEN_METHOD="cookie,bearer")
    site.add_text(f"www/{MODULE}", bundled(examples))
    site.add_text("www/account.html", "<!DOCTYPE html><title>account</title>")
    yield site
    site.close()


@pytest.fixture(name="page", scope="module")
def page_fixture(tmp_path_factory):
    page = Page(tmp_path_factory.mktemp("browser"))
    yield page
    page.driver.quit()


@pytest.fixture(name="account")
def account_fixture(server):
    return server.register()


@pytest.fixture(name="here")
def here_fixture(page, site):
    """The page is open at the site, and nobody is logged in."""
    page.driver.delete_all_cookies()
    page.open(site.url + "/account.html")
    return page


@pytest.fixture(name="inside")
def inside_fixture(here, site, account):
    """The page is open, and the account is logged in."""
    use(here, f"m.session.logIn({account_of(account)})")
    note_cookies(here, site)
    return here


def use(page, script):
    return page.use(MODULE, script)


def note_cookies(page, site):
    site.private.update(cookie["value"] for cookie in page.driver.get_cookies())


def sent(document, name="query", variables=None, client="m.apollo.client"):
    """An Apollo request, in JavaScript."""
    kind = "mutation" if name == "mutate" else name
    return (f"{client}.{name}({{ {kind}: m.gql({json.dumps(document)}), "
            f"variables: {json.dumps(variables)} }})")


def asked(document, name="query", variables=None, client="m.urql.client"):
    """A urql request, in JavaScript."""
    return (f"{client}.{name}({json.dumps(document)}, "
            f"{json.dumps(variables or {})}).toPromise()")


# --- login, query, errors ----------------------------------------------------


@pytest.mark.parametrize("client", [sent, asked])
def test_login_and_query(here, site, account, client):
    name = "mutate" if client is sent else "mutation"
    login = use(here, f"""{client(LOGIN, name, {
        "email": account.email, "password": account.password})}
        .then(({{ data }}) => data.login)""")
    assert (login["email"], login["ownerId"]) == (account.email, account.owner)
    note_cookies(here, site)
    assert use(here, client(ME) + ".then(({ data }) => data.me.email)") == \
        account.email


@pytest.mark.parametrize("client", [sent, asked])
def test_unauthenticated_leads_to_the_login_page(here, site, client):
    here.leave(MODULE, client(ME), site.url + return_to("/account.html"))


# The next answers, each a status and a code, without a request to the server.
PLANNED = """
window.planned = %s;
window.requests = 0;
window.realFetch ??= window.fetch;
window.fetch = (...request) => {
    requests++;
    if (!planned.length)
        return realFetch(...request);
    const [status, code] = planned.shift();
    return Promise.resolve(new Response(JSON.stringify({ data: null,
        errors: [{ message: code, extensions: { code } }] }), { status,
        headers: { "Content-Type": "application/json", "Retry-After": "1" } }));
};"""


@pytest.mark.parametrize("client", [sent, asked])
def test_wrong_password_stays_on_the_page(here, site, account, client):
    name = "mutate" if client is sent else "mutation"
    code = use(here, f"""{client(LOGIN, name, {
        "email": account.email, "password": "wrong"})}.then(
        ({{ error }}) => m.urql.codeOf(error), m.apollo.codeOf)""")
    assert code == "INVALID_CREDENTIALS"
    here.run(PLANNED % '[[200, "UNAUTHENTICATED"]]')
    use(here, client(LOGIN, name, {"email": "a", "password": "b"})
        + ".then(() => 0, () => 0)")
    assert here.run("return requests") == 1
    assert here.driver.current_url == site.url + "/account.html"


@pytest.mark.parametrize("client", [sent, asked])
def test_posterns_reason_reaches_the_page(here, client):
    """The types of the answers are those that the clients read."""
    name = "mutate" if client is sent else "mutation"
    code, message = use(here, f"""{client(REFUSED, name)}.then(
        ({{ error }}) => [m.urql.codeOf(error), error.message],
        error => [m.apollo.codeOf(error), error.message])""")
    assert code == "LOGIN_SHAPE" and "login" in message, message


@pytest.mark.parametrize("client", [sent, asked])
def test_dead_bearer_token_leads_to_the_login_page(here, site, client):
    """The 401 is Postern's, not the backend's."""
    here.run(f"""const m = await import("/{MODULE}"), fetch =
            (url, options) => window.fetch(url, {{ ...options, headers:
                {{ ...options.headers, authorization: "Bearer dead" }} }});
        window.apollo = m.apollo.makeClient(
            new m.HttpLink({{ uri: "/query", fetch }}));
        window.fetchDead = fetch;""")
    script = sent(ME, client="apollo") if client is sent else (
        f"m.urql.client.query({json.dumps(ME)}, {{}}, "
        "{ fetch: fetchDead }).toPromise()")
    here.leave(MODULE, script, site.url + return_to("/account.html"))


@pytest.mark.parametrize("client", [sent, asked])
@pytest.mark.parametrize("name, answers, requests", [
    ("query", [503], 2), ("mutation", [503], 1), ("query", [502], 1)])
def test_queries_are_repeated_while_the_server_is_busy(
        inside, client, name, answers, requests):
    inside.run(PLANNED % json.dumps([[one, "OVERLOADED"] for one in answers]))
    document = ME
    if name == "mutation":
        document = "mutation Forbidden { forbidden }"
        name = "mutate" if client is sent else name
    start = inside.run("return performance.now()")
    error = use(inside, client(document, name) + """.then(
        ({ error }) => error ? 1 : 0, () => 1)""")
    assert inside.run("return requests") == requests
    assert error == (requests == 1)
    waited = inside.run("return performance.now()") - start
    assert (waited >= 500) == (requests == 2)


# --- tokens ------------------------------------------------------------------


def test_clients_take_fetch_with_token(here, server, site, account):
    """The token of a login by mutation; no cookie is sent."""
    login = {"email": account.email, "password": account.password}
    document = LOGIN.replace("email ownerId", "secret")
    answer = site.post("/query", {"query": document, "variables": login})
    token = answer.json["data"]["login"]["secret"]
    site.private.add(token)
    here.run(f"""window.realFetch = window.fetch;
        window.fetch = async () => new Response("{{}}", {{ headers:
            {{ "vendure-auth-token": {json.dumps(token)} }} }});
        await (await import("/{MODULE}")).tokens.fetchWithToken("/session");
        window.fetch = realFetch;""")
    server.seen()
    link = ("m.apollo.makeClient(new m.HttpLink({ uri: '/query', "
            "fetch: m.tokens.fetchWithToken }))")
    assert use(here, sent(ME, client=link)
               + ".then(({ data }) => data.me.email)") == account.email
    assert use(here, f"""new m.Client({{ url: "/query",
        exchanges: [m.fetchExchange], preferGetMethod: false,
        fetch: m.tokens.fetchWithToken }}).query({json.dumps(ME)}, {{}})
        .toPromise().then(({{ data }}) => data.me.email)""") == account.email
    assert len(server.seen()) == 2


# --- uploads, streams, persisted documents -----------------------------------

FILE = 'new File(["hello"], "a.txt")'


UPLOADS = {
    "Apollo": f"""m.links.uploading.mutate({{ mutation: m.gql({json.dumps(
        UPLOAD)}), variables: {{ file: {FILE} }} }})""",
    "urql": f"""m.urql.client.mutation({json.dumps(UPLOAD)}, {{ file: {FILE} }},
        {{ fetchOptions: {{ headers:
            {{ "apollo-require-preflight": "true" }} }} }}).toPromise()""",
}


def test_uploads(inside, server):
    server.seen()
    for script in UPLOADS.values():
        assert use(inside, script + ".then(({ data }) => data.upload.size)"
                   ) == 5
    assert [request["header"]["content-type"].partition(";")[0]
            for request in server.seen()] == ["multipart/form-data"] * 2


def collect(page, server, key, start, count):
    """The values that `start` passes to `next`. The backend sends one after the
    other has arrived."""
    page.run(f"""const m = await import("/{MODULE}"), key = {json.dumps(key)};
        window.got = []; const next = value => window.got.push(value);
        {start};""")
    for n in range(1, count + 1):
        page.wait_for(f"got.length >= {n}")
        if n < count:
            server.go(key)
    return page.run("return got")


SUBSCRIPTIONS = {
    "Apollo": """m.links.subscribing.subscribe({ query: m.gql(document),
        variables }).subscribe(({ data }) => next(data.ticks))""",
    "urql": """m.urql.client.subscription(document, variables)
        .subscribe(({ data }) => data && next(data.ticks))""",
    "EventSource": """m.events.subscribe(document, variables,
        ({ data }) => next(data.ticks))""",
}


@pytest.mark.parametrize("client", SUBSCRIPTIONS)
def test_subscriptions(inside, server, account, client):
    start = (f"const document = {json.dumps(TICKS)}, "
             "variables = { key, count: 3 }; " + SUBSCRIPTIONS[client])
    assert collect(inside, server, account.owner, start, 3)[:3] == [1, 2, 3]


def test_stream_goes_on_after_a_logout(inside, server, account):
    start = (f"const document = {json.dumps(TICKS)}, variables = "
             "{ key, count: 2 }; await " + SUBSCRIPTIONS["EventSource"])
    assert collect(inside, server, account.owner, start, 1) == [1]
    use(inside, "m.session.logOut()")
    server.go(account.owner)
    inside.wait_for("got.length === 2")


DEFERRED = {
    "Apollo": """m.apollo.client.watchQuery({ query: m.gql(document),
        variables: { key } }).subscribe(({ data }) =>
            data?.slow && next(data.slow.later ?? null))""",
    "urql": """m.urql.client.query(document, { key }).subscribe(({ data }) =>
            next(data.slow.later ?? null))""",
}


@pytest.mark.parametrize("client", DEFERRED)
def test_deferred_part_comes_later(inside, server, account, client):
    start = f"const document = {json.dumps(SLOW)}; " + DEFERRED[client]
    assert collect(inside, server, account.owner, start, 2) == [None, "later"]


PERSISTED = {
    "Apollo": """m.links.persisting.query({ query: m.gql(document), variables,
        fetchPolicy: "network-only" })""",
    "urql": """m.urql.persisting.query(document, variables,
        { requestPolicy: "network-only" }).toPromise()""",
}


@pytest.mark.parametrize("client", PERSISTED)
def test_automatic_persisted_queries(inside, client):
    """The hash, then the text, then the hash alone."""
    document = f"query {client}($text: String!) {{ echo(text: $text) }}"
    inside.run(f"""const m = await import("/{MODULE}");
        window.sent = []; window.realFetch ??= window.fetch;
        window.fetch = (url, options) => {{
            if (!url.startsWith("/query")) // fetchPostern() takes a path
                throw new Error(url);
            sent.push(options.method + " " + ((url + options.body).includes(
                "echo") ? "text" : "hash"));
            return realFetch(url, options); }};
        window.ask = async text => {{
            const document = {json.dumps(document)}, variables = {{ text }};
            return (await {PERSISTED[client]}).data.echo; }};""")
    assert inside.run("return [await ask('a'), await ask('b')]") == ["a", "b"]
    method = "POST" if client == "Apollo" else "GET"
    assert inside.run("return sent") == ["GET hash", f"{method} text",
                                         "GET hash"]


def test_document_by_its_id(inside, account):
    assert use(inside, "m.ids.send('me')") == {"me": {"email": account.email}}


# --- another origin ----------------------------------------------------------

OTHER_MODULE = "other.bundle.js"
# {file name: (the page's host, URL of the clients, `fetch` of the clients)}.
# 127.0.0.1 is another site, where no cookie would work.
TRANSPORTS = {
    "other-origin.js": ("localhost", "/query", "m.fetchPostern('{}')"),
    "bearer.js": ("127.0.0.1", "{}/query", "m.fetchWithToken"),
}
# The clients' modules read `endpoint` when they are imported.
PREPARE = """
const m = await import("/%s"), realFetch = window.fetch;
window.sent = [];
window.fetch = (url, options) => {
    const { origin, search } = new URL(url, location);
    sent.push({ origin, credentials: options.credentials, request:
        options.method + " " + ((search + options.body).includes("email")
            ? "text" : "hash") });
    return realFetch(url, options);
};
window.endpoint = { url: "%s", fetch: %s };"""


@pytest.fixture(name="other", scope="module")
def other_fixture(server, site, examples):
    """A Postern that allows pages of `site`. These have the examples with a
    `fetch`, as the guide says."""
    other = GuideSite(server, POSTERN_TOKEN_METHOD="cookie,bearer",
                      POSTERN_ORIGINS=f"{site.url} "
                      f"http://127.0.0.1:{site.port}")
    site.add(*TRANSPORTS)
    site.add_text(f"www/{OTHER_MODULE}", bundled({
        name: re.sub(r'\b(ur[il]): "/query"',
                     r"\1: endpoint.url, fetch: endpoint.fetch", text)
        for name, text in examples.items()}))
    yield other
    other.close()


def prepare(page, site, other, transport):
    """Open the page; its clients are for `other`."""
    host, url, fetch = TRANSPORTS[transport]
    page.open(f"http://{host}:{site.port}/account.html")
    page.run(PREPARE % (transport, url.format(other.url),
                        fetch.format(other.url)))


@pytest.mark.parametrize("name", PERSISTED)
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_login_queries_and_upload_from_another_origin(
        here, server, site, other, account, transport, name):
    """A persisted query is the hash, then the text, then the hash alone."""
    client, mutate = (sent, "mutate") if name == "Apollo" else (
        asked, "mutation")
    by_cookie = transport == "other-origin.js"

    def data(script):
        return here.use(OTHER_MODULE, f"({script}).then(({{ data }}) => data)")

    prepare(here, site, other, transport)
    login = data(client(LOGIN.replace("email ", "secret "), mutate, {
        "email": account.email, "password": account.password}))["login"]
    assert login["ownerId"] == account.owner and login["secret"]
    other.private.add(login["secret"])
    note_cookies(here, other)
    assert [cookie["name"] for cookie in here.driver.get_cookies()] == (
        ["__Host-Http-session"] if by_cookie else [])
    server.seen()
    assert data(client(ME))["me"]["email"] == account.email
    document = f"query Persisted{name}{by_cookie:d} {{ me {{ email }} }}"
    for _ in range(2):
        answer = data(f"((document, variables) => {PERSISTED[name]})("
                      f"{json.dumps(document)}, {{}})")
        assert answer["me"]["email"] == account.email
    assert data(UPLOADS[name])["upload"]["size"] == 5
    seen = [request["header"] for request in server.seen()]
    assert all("authorization" in header for header in seen)
    assert seen[-1]["content-type"].startswith("multipart/form-data;")
    requests = here.run("return sent")
    assert {(one["origin"], one["credentials"]) for one in requests} == {
        (other.url, "include" if by_cookie else "omit")}
    method = "POST" if name == "Apollo" else "GET"
    assert [one["request"] for one in requests[2:-1]] == [
        "GET hash", f"{method} text", "GET hash"]
