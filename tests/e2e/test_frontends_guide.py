# SPDX-License-Identifier: ISC
"""The examples of doc/frontends.md that need no package, in a real browser.
Those with Apollo Client and urql are in tests/clients/test_frontends.py."""

import json
import os
import re
import subprocess
import tempfile

import gateway as gateways
import pytest
from frontends_guide import (
    GuideSite, Page, account_of, blocks, return_to, text_of_guide)
from selenium.webdriver.common.by import By

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = (os.path.abspath(__file__),
         os.path.join(HERE, "../clients/test_frontends.py"))
ERRORS = os.path.join(gateways.ROOT, "lib/base/error.h")
JSON = [["Content-Type", "application/json"]]


@pytest.fixture(name="site", scope="module")
def site_fixture(backend):
    site = GuideSite(backend, with_pages=True)
    site.add("postern.js", "session.js", "errors.js", "watch.js", "upload.js",
             "events.js", "by-id.js", "bearer.js", "other-origin.js",
             "login.html", "logout.html")
    site.add("hello.php", "hello-perl.cgi", "hello-python.cgi",
             "hello-shell.cgi", folder="www/members")
    site.add_text("www/account.html", "<!DOCTYPE html><title>account</title>")
    yield site
    site.close()


@pytest.fixture(name="page", scope="module")
def page_fixture(tmp_path_factory):
    page = Page(tmp_path_factory.mktemp("browser"))
    yield page
    page.driver.quit()


@pytest.fixture(name="here")
def here_fixture(page, site, backend):
    """The page is open at the site, and nobody is logged in."""
    backend.forget()
    page.driver.delete_all_cookies()
    page.open(site.url + "/")
    return page


def note_cookies(page, site):
    """No log may contain these."""
    cookies = page.driver.get_cookies()
    site.private.update(cookie["value"] for cookie in cookies)
    return {cookie["name"] for cookie in cookies}


def log_in(page, site, user):
    page.use("session.js", f"m.logIn({account_of(user)})")
    note_cookies(page, site)


# --- the document itself -----------------------------------------------------


def test_every_example_is_run_by_a_test():
    """A block without a name fails in blocks()."""
    text = ""
    for path in TESTS:
        with open(path, encoding="utf-8") as file:
            text += file.read()
    assert len(blocks()) > 15
    assert [name for name in blocks() if f'"{name}"' not in text] == []


def test_table_of_errors_is_complete():
    """Each code of lib/base/error.h has its row, with its statuses."""
    with open(ERRORS, encoding="ascii") as file:
        found = re.findall(r'X\(PST_\w+, (\d+), "(\w+)"', file.read())
    statuses = {}
    for status, code in found:
        if code not in ("OK", "CLIENT_GONE"):
            statuses.setdefault(code, set()).add(status)
    statuses["GRAPHQL_PARSE_FAILED"].add("200")
    rows = re.findall(r"^\| ([\d or]+) \| `([A-Z_]+)` \| \S", text_of_guide(),
                      re.M)
    assert {code: set(text.split(" or ")) for text, code in rows} == statuses


# --- log in, query, log out --------------------------------------------------


def test_login_query_and_logout(here, site, user):
    who = here.use("session.js", f"m.logIn({account_of(user)})")
    assert who["email"] == user.email and who["expiresAt"]
    assert "__Host-Http-session" in note_cookies(here, site)
    assert here.use("postern.js", "m.graphql('{ me { email } }')") == {
        "me": {"email": user.email}}
    session = here.use("session.js", "m.whoAmI()")
    assert (session["subject"], session["name"]) == (user.owner, user.email)
    comment = re.search(r"/\*\* \{(.*)\}, or null", blocks()["session.js"])[1]
    assert set(session) == set(comment.split(", "))
    here.use("session.js", "m.logOut()")
    assert here.use("session.js", "m.whoAmI()") is None


def test_login_by_mutation(here, site, user):
    login = here.use("session.js", f"m.logInByMutation({account_of(user)})")
    assert login == {"email": user.email, "ownerId": user.owner}
    note_cookies(here, site)
    assert here.use("session.js", "m.whoAmI()")["subject"] == user.owner


@pytest.mark.parametrize("call, status", [("logIn", 401),
                                          ("logInByMutation", 200)])
def test_wrong_password(here, user, call, status):
    error = here.refused("session.js",
                         f"m.{call}({json.dumps(user.email)}, 'wrong')")
    assert error["status"] == status
    if call == "logIn":
        assert error["code"] == "UNAUTHENTICATED"


def test_other_sessions_are_listed_and_ended(here, site, backend):
    user = backend.register("Ursula")  # without sessions of other tests
    first, second = site.cookie_for(user), site.cookie_for(user)
    site.private.update((first, second))
    log_in(here, site, user)
    listed = here.use("session.js", "m.listSessions()")
    comment = re.search(r"/\*\* \[\{(.*)\}\]", blocks()["session.js"])[1]
    assert set(listed[0]) == set(comment.split(", "))
    assert [one["current"] for one in listed].count(True) == 1
    for one in listed:
        if not one["current"]:
            here.use("session.js", f"m.endSession({json.dumps(one['id'])})")
            break
    assert len(here.use("session.js", "m.listSessions()")) == len(listed) - 1
    ended = [site.session(cookie=cookie) is None for cookie in (first, second)]
    assert ended.count(True) == 1
    here.use("session.js", "m.logOutEverywhere()")
    assert site.session(cookie=first) is site.session(cookie=second) is None


def test_answer_that_is_not_json(here):
    error = here.refused("postern.js", "m.request('GET', '/account.html')")
    assert error["code"] == "UNKNOWN" and "200 is not JSON" in error["message"]


# --- bearer tokens and other origins -----------------------------------------


@pytest.fixture(name="both", scope="module")
def both_fixture(backend, site):
    """A Postern that allows pages of `site`, by cookie and by token."""
    both = GuideSite(backend, POSTERN_TOKEN_METHOD="cookie,bearer",
                     POSTERN_ORIGINS=f"{site.url} http://127.0.0.1:{site.port}")
    both.add("bearer.js")
    both.add_text("www/index.html", "<!DOCTYPE html><title>both</title>")
    yield both
    both.close()


def post(url, path, value):
    return (f"{url}({json.dumps(path)}, {{ method: 'POST', headers: "
            "{ 'Content-Type': 'application/json' }, "
            f"body: {json.dumps(json.dumps(value))} }})")


WHO = "(await m.fetchWithToken('%s/session')).json()"


def credentials(user):
    return {"email": user.email, "password": user.password}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_bearer_token_from_another_origin(here, site, both, user, host):
    """127.0.0.1 is another site. Behind lighttpd, a session of nobody takes the
    place of an empty header."""
    here.open(f"http://{host}:{site.port}/")
    here.use("bearer.js", post("m.fetchWithToken", both.url + "/login",
                               credentials(user)))
    assert here.use("bearer.js", WHO % both.url)["data"]["session"][
        "name"] == user.email
    here.use("bearer.js", post("m.fetchWithToken", both.url + "/logout", {}))
    session = here.use("bearer.js", WHO % both.url)["data"]["session"]
    assert (session["subject"], session["guest"]) == (None, True)
    assert not note_cookies(here, both)


def test_login_with_a_token_on_its_own_origin_gets_the_cookie_only(
        page, both, user):
    page.open(both.url + "/")
    page.use("bearer.js", post("m.fetchWithToken", "/login",
                               credentials(user)))
    assert page.use("bearer.js", WHO % "")["data"]["session"] is None


def test_dead_token_and_token_of_a_mutation(here, both, user):
    page = here
    token = page.use("bearer.js", f"""(await ({post(
        "m.fetchWithToken", both.url + "/query", {
            "query": gateways.LOGIN, "variables": credentials(user)})}
        ).then(answer => answer.json()).then(({{ data }}) => data.login.secret))
        """)
    both.private.add(token)
    assert both.session(bearer=token)["subject"] == user.owner
    both.post("/logout", bearer=token)
    assert page.use("bearer.js", f"m.fetchWithToken('{both.url}/session')"
                    ".then(({ status }) => status)") == 401
    assert page.use("bearer.js", WHO % both.url)["data"]["session"][
        "subject"] is None


def other_origin(both, path, script="answer => answer.json()"):
    return f"m.fetchPostern('{both.url}')('{path}').then({script})"


def test_cookie_from_another_origin_of_the_same_site(here, both, user):
    log = post(f"m.fetchPostern('{both.url}')", "/login", credentials(user))
    assert here.use("other-origin.js", log + ".then(({ ok }) => ok)")
    assert here.use("other-origin.js", other_origin(both, "/session"))[
        "data"]["session"]["subject"] == user.owner
    note_cookies(here, both)


@pytest.mark.parametrize("same_site", ["Lax", "None"])
def test_cookie_from_another_site(here, site, start_own, backend, user,
                                  same_site):
    """Lax: the browser keeps no cookie. None: Chromium does."""
    postern = start_own(backend=backend, POSTERN_COOKIE_SAMESITE=same_site,
                        POSTERN_ORIGINS=f"http://127.0.0.1:{site.port}")
    postern.url = f"http://localhost:{postern.port}"
    here.open(f"http://127.0.0.1:{site.port}/")
    log = post(f"m.fetchPostern('{postern.url}')", "/login",
               credentials(user))
    assert here.use("other-origin.js", log + ".then(({ ok }) => ok)")
    session = here.use("other-origin.js", other_origin(postern, "/session"))[
        "data"]["session"]
    assert (session is None) == (same_site == "Lax")


def test_page_of_an_unlisted_origin_cannot_read(here, site, both):
    """The page of `both` is on no list of the site's."""
    here.open(both.url + "/")
    assert "fetch" in here.refused(
        "bearer.js", f"m.fetchWithToken('{site.url}/session')")["message"]


def test_page_of_another_origin_cannot_embed_an_answer(here, site, both):
    """R52: what an image or a script would load is not even given to the page's
    process. A static page of the same server is, so it was not the address."""
    load = "fetch('{}', {{ mode: 'no-cors' }}).then(answer => answer.type)"
    here.open(both.url + "/")
    assert here.use("bearer.js", load.format(site.url + "/")) == "opaque"
    assert "fetch" in here.refused(
        "bearer.js", load.format(site.url + "/session"))["message"]


@pytest.mark.parametrize("listed", [True, False])
def test_development_server_needs_its_origin_listed(both, site, user, listed):
    """A proxy passes the browser's headers on: Origin is the proxy's own."""
    origin = site.url if listed else "http://localhost:5173"
    answer = both.post("/login", credentials(user), headers=[
        ("Origin", origin), ("Sec-Fetch-Site", "same-origin")])
    assert answer.status == (200 if listed else 403)
    assert listed or answer.code == "CROSS_SITE"


# --- uploads, events, ids ----------------------------------------------------


def test_upload(here, site, backend, user):
    log_in(here, site, user)
    backend.forget()
    backend.next(headers=JSON, body='{"data":{"upload":{"size":5}}}')
    assert here.use("upload.js", """m.upload(
        "mutation ($file: Upload!) { upload(file: $file) { size } }",
        new File(["hello"], "h\u00e9.txt", { type: "text/plain" }))""") == {
            "upload": {"size": 5}}
    (seen,) = backend.seen()
    for part in ('name="operations"', "variables.file", "hello", "hé.txt",
                 "text/plain"):
        assert part in seen["body"]


def test_events(here, site, backend, user):
    log_in(here, site, user)
    backend.forget()
    events = "retry: 10\n\n" + "".join(f'event: next\ndata: {{"data":{{"tick":{n}}}}}\n\n'
                     for n in (1, 2)) + "event: complete\ndata:\n\n"
    backend.next(headers=[["Content-Type", "text/event-stream"]], body=events)
    assert here.use("events.js", """new Promise(resolve => {
        const seen = [];
        m.subscribe("subscription ($n: Int) { tick(n: $n) }", { n: 2 },
            ({ data }) => seen.push(data.tick) === 2 && resolve(seen));
    })""") == [1, 2]
    (seen,) = backend.seen()
    assert seen["header"]["authorization"] and "tick" in seen["path"]
    # "complete" closed it: else the browser would ask again in 10 ms.
    assert here.run("await new Promise(done => setTimeout(done, 100));"
                    "return performance.getEntriesByType('resource').filter("
                    "({ name }) => name.includes('tick')).length") == 1


@pytest.fixture(name="manifest")
def manifest_fixture():
    """The path of a manifest, in a folder that the server's user can read."""
    with tempfile.TemporaryDirectory(prefix="postern-manifest-") as folder:
        os.chmod(folder, 0o755)
        path = os.path.join(folder, "manifest.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"me": "query Me { me { email } }"}, file)
        yield path


def test_document_by_its_id(here, backend, user, manifest):
    site = GuideSite(backend, POSTERN_DOCUMENTS_ONLY="on",
                     POSTERN_DOCUMENTS=manifest)
    try:
        site.add("postern.js", "by-id.js", "session.js")
        here.open(site.url + "/")
        log_in(here, site, user)
        assert here.use("by-id.js", "m.send('me')") == {
            "me": {"email": user.email}}
        error = here.refused("postern.js", "m.graphql('{ me { ownerId } }')")
        assert error["code"] == "DOCUMENT_NOT_ALLOWED"
    finally:
        site.close()


# --- errors, and the end of a session ----------------------------------------

UNKNOWN = json.dumps({"data": None, "errors": [
    {"message": "no", "extensions": {"code": "UNAUTHENTICATED"}}]})


def busy(code, status, wait):
    return {"status": status, "headers": [*JSON, ["Retry-After", str(wait)]],
            "body": json.dumps({"errors": [{"message": code, "extensions": {
                "code": code}}]})}


CAREFULLY = """import("/postern.js").then(({ graphql }) =>
    m.carefully(() => graphql("{ me { email } }")))"""


def test_unauthenticated_leads_to_the_login_page_and_back(
        here, site, backend, user):
    here.open(site.url + "/account.html?a=1&b=/x")
    backend.next(headers=JSON, body=UNKNOWN)
    here.leave("errors.js", CAREFULLY,
               site.url + return_to("/account.html?a=1&b=/x"))
    here.driver.find_element(By.ID, "email").send_keys(user.email)
    here.driver.find_element(By.ID, "password").send_keys(user.password)
    here.driver.find_element(By.CSS_SELECTOR, "form button").click()
    here.wait_for_url(site.url + "/account.html?a=1&b=/x")
    note_cookies(here, site)


@pytest.mark.parametrize("code, status", [
    ("OVERLOADED", 503), ("STORE_UNAVAILABLE", 503),
    ("TOO_MANY_ATTEMPTS", 429)])
def test_busy_server_is_asked_again(here, backend, code, status):
    backend.next(**busy(code, status, 1))
    start = "const start = performance.now();"
    waited = here.run(f"""{start} const m = await import("/errors.js");
        await {CAREFULLY}; return performance.now() - start;""")
    assert waited >= 1000 and len(backend.seen()) == 2


@pytest.mark.parametrize("code, status, wait, requests", [
    ("TOO_MANY_ATTEMPTS", 429, 900, 1), ("OVERLOADED", 503, 0, 3),
    ("UPSTREAM_INVALID", 502, 0, 1)])
def test_waiting_has_a_limit(here, backend, code, status, wait, requests):
    for _ in range(3):
        backend.next(**busy(code, status, wait))
    error = here.refused("errors.js", CAREFULLY)
    assert (error["code"], error["wait"]) == (code, wait)
    assert len(backend.seen()) == requests


def test_postern_says_how_long_to_wait(here, start_own, backend, user):
    """U: too many wrong passwords; the page can read Retry-After."""
    gateway = start_own(backend=backend, POSTERN_LOGIN_PER_ACCOUNT="1/15m",
                        POSTERN_ORIGINS=here.run("return location.origin"))
    url = f"http://localhost:{gateway.port}/login"
    send = ("m.request('POST', " + json.dumps(url) + ", "
            + json.dumps({**credentials(user), "password": "wrong"}) + ")")
    assert here.refused("postern.js", send)["code"] == "UNAUTHENTICATED"
    error = here.refused("postern.js", send)
    assert error["code"] == "TOO_MANY_ATTEMPTS" and error["wait"] > 60


WATCH = """import("/watch.js").then(async m => {
    window.shown = []; window.ended = 0; window.changed = m.sessionChanged;
    return m.watchSession(left => shown.push(left), () => ended++); })"""


def test_countdown_and_the_end_of_an_idle_session(page, backend, user):
    """Watching does not renew the session. Queries get no 401."""
    site = GuideSite(backend, POSTERN_IDLE_TIMEOUT="4s")
    try:
        site.add("postern.js", "session.js", "watch.js")
        page.open(site.url + "/")
        log_in(page, site, user)
        assert page.run(f"return {WATCH}")["subject"] == user.owner
        page.run("""setInterval(() => document.dispatchEvent(
            new Event("visibilitychange")), 200)""")
        page.wait_for("ended === 1")
        assert page.run("return shown[0] <= 4 && shown[0] > shown.at(-1)")
        assert page.use("postern.js", "m.graphql('{ me { email } }')") == {
            "me": None}
        assert page.use("session.js", "m.whoAmI()") is None
    finally:
        site.close()


def test_other_tab_learns_of_a_logout(here, site, user):
    log_in(here, site, user)
    here.run("Object.defineProperty(document, 'visibilityState',"
             f"{{ value: 'hidden' }}); await {WATCH}")
    first = here.driver.current_window_handle
    here.driver.switch_to.new_window("tab")
    second = here.driver.current_window_handle
    try:
        here.open(site.url + "/account.html")
        here.use("session.js", "m.logOut()")
        here.use("watch.js", "m.sessionChanged()")
        here.driver.switch_to.window(first)
        here.wait_for("ended === 1")
    finally:
        here.driver.switch_to.window(second)
        here.driver.close()
        here.driver.switch_to.window(first)
    assert here.run("return ended") == 1


# --- forms and pages ---------------------------------------------------------


def fill_in(page, user, password=None):
    page.driver.find_element(By.NAME, "email").send_keys(user.email)
    page.driver.find_element(By.NAME, "password").send_keys(
        password or user.password)
    page.driver.find_element(By.CSS_SELECTOR, "form button").click()


def test_own_forms(here, site, user):
    here.open(site.url + "/login.html")
    fill_in(here, user)
    here.wait_for_url(site.url + "/account.html?from=login")
    other = site.cookie_for(user)
    assert "__Host-Http-session" in note_cookies(here, site)
    for button, is_ended in ((0, False), (1, True)):
        log_in(here, site, user)
        here.open(site.url + "/logout.html")
        here.driver.find_elements(By.TAG_NAME, "button")[button].click()
        here.wait_for_url(site.url + "/login.html")
        assert here.use("session.js", "m.whoAmI()") is None
        assert (site.session(cookie=other) is None) == is_ended


def test_wrong_password_in_the_own_form(here, site, user):
    here.open(site.url + "/login.html")
    fill_in(here, user, "wrong")
    here.wait_for_url(site.url + "/login")
    assert here.driver.find_element(By.ID, "email").get_attribute(
        "value") == user.email
    assert "wrong" in here.driver.find_element(By.ID, "message").text


def test_csrf_token_required(here, start_own, backend, user):
    """Own forms are refused, JSON is not."""
    gateway = start_own(backend=backend, POSTERN_CSRF_TOKEN="required")
    assert gateway.form("/login", credentials(user)).status == 403
    cookie = gateway.cookie_for(user)
    assert gateway.post("/logout", {}, cookie=cookie).status == 200


@pytest.mark.parametrize("name", ["hello.php", "hello-perl.cgi",
                                  "hello-python.cgi", "hello-shell.cgi"])
def test_page_knows_the_user(here, site, user, name):
    here.open(f"{site.url}/members/{name}")
    here.wait_for_url(site.url + return_to(f"/members/{name}"))
    fill_in(here, user)
    here.wait_for_url(f"{site.url}/members/{name}")
    text = here.driver.find_element(By.TAG_NAME, "body").text
    assert text == f"Hello, {user.email}"
    note_cookies(here, site)


@pytest.mark.parametrize("name", ["hello.php", "hello-perl.cgi",
                                  "hello-python.cgi", "hello-shell.cgi"])
def test_page_denies_without_the_servers_configuration(site, name):
    path = os.path.join(site.folder, "www/members", name)
    command = ["php-cgi" if os.path.exists("/usr/bin/php-cgi") else "php",
               path] if name.endswith("php") else [path]
    environment = {"PATH": f"{site.folder}/bin:/usr/bin:/bin"}
    done = subprocess.run(command, timeout=30, stdout=subprocess.PIPE,
                          env=environment, check=False)
    assert b"Hello" not in done.stdout
    assert b"403" in done.stdout or name.endswith("php")
    environment.update(SESSION_SUBJECT="1", SESSION_NAME="<b>$(id)</b>",
                       SESSION_EXPIRES="2030-01-31T12:00:00Z")
    done = subprocess.run(command, timeout=30, stdout=subprocess.PIPE,
                          env=environment, check=False)
    assert b"&lt;b&gt;$(id)&lt;/b&gt;" in done.stdout or (
        b"text/plain" in done.stdout and b"<b>$(id)</b>" in done.stdout)
