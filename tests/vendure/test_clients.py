# SPDX-License-Identifier: ISC
"""Stock clients, which know nothing of a gateway: each works through it with
only its URL changed, and finds what it finds without it."""

import http.server
import json
import os
import shutil
import subprocess
import tempfile
import threading
import urllib.parse

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

import shop as shops

gateways = shops.gateways
CLIENTS = os.path.join(shops.HERE, "clients")
MODULES = os.path.join(shops.FOLDER, "node_modules")


@pytest.fixture(name="run_client", scope="module")
def run_client_fixture():
    """run_client(name, url, account, NAME=value…): its lines, and what it
    said beside them. Modules are found from where a program lies, so they
    are copied to where the modules are."""
    folder = tempfile.mkdtemp(prefix="postern-clients-")
    os.symlink(MODULES, os.path.join(folder, "node_modules"))
    for name in os.listdir(CLIENTS):
        shutil.copy(os.path.join(CLIENTS, name), folder)

    def run_client(name, url, account, **environment):
        done = subprocess.run(
            [shops.NODE, os.path.join(folder, name), url, account.email,
             account.password], timeout=60, check=False, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], **environment})
        assert done.returncode == 0, done.stdout + done.stderr
        lines = done.stdout.replace(account.email, "EMAIL").splitlines()
        return [json.loads(line) for line in lines], done.stderr

    yield run_client
    shutil.rmtree(folder)


# What the two Vendure clients are to find at the end of their way.
LAST = {"plain.mjs": {"status": 200, "data": {"activeOrder": {
            "totalQuantity": 3, "customer": {"emailAddress": "EMAIL"},
            "lines": [{"quantity": 3, "productVariant": {"sku": "Lantern"}}]}}},
        "apollo.mjs": {"data": {"me": {"__typename": "CurrentUser",
                                       "identifier": "EMAIL"}}}}


@pytest.mark.parametrize("methods", ["bearer", "cookie,bearer"])
@pytest.mark.parametrize("name", LAST)
def test_vendure_clients(all_shops, shop, gate_of, run_client, name, methods):
    """Whatever Vendure's own method is: a client that can do nothing but
    bearer tokens works with a Vendure that knows nothing but cookies."""
    alone, _ = run_client(name, all_shops["bearer"].url,
                          all_shops["bearer"].register())
    assert alone[-1] == LAST[name]
    gate = gate_of(shop, methods)
    through, _ = run_client(name, f"http://localhost:{gate.port}/query",
                            shop.register())
    assert through == alone


@pytest.fixture(name="day_alone", scope="module")
def day_alone_fixture(all_shops, run_client):
    """What a storefront is answered without a gateway."""
    shop = all_shops["bearer"]
    lines, _ = run_client("storefront.mjs", shop.url, shop.somebody(),
                          KIND="header", CONTROL=shop.control)
    assert len(lines) > 55 and {line["status"] for line in lines} == {200}
    return lines


@pytest.mark.parametrize("kind,methods", [
    ("header", "bearer"), ("header", "cookie,bearer"), ("cookie", "cookie"),
    ("cookie", "cookie,bearer")])
def test_a_storefronts_day(day_alone, shop, gate_of, run_client, kind,
                           methods):
    """All that a storefront asks, from the menu to the forgotten password:
    each answer is Vendure's own, whatever carries the session."""
    gate = gate_of(shop, methods)
    account = shop.somebody()
    through, said = run_client(
        "storefront.mjs", f"http://localhost:{gate.port}/query", account,
        KIND=kind, CONTROL=shop.control)
    for line, wanted in zip(through, day_alone):
        assert line == wanted
    assert len(through) == len(day_alone)
    if kind == "header":
        claims = gate.open_token(json.loads(said)["token"])
        assert claims["name"] == "newer-" + account.email
        assert claims["remember"] is True


@pytest.fixture(name="fauna", scope="module")
def fauna_fixture():
    backend = gateways.Backend()
    gate = gateways.Gateway(backend, POSTERN_TOKEN_METHOD="bearer")
    yield gate
    gate.close()
    backend.close()


def test_a_client_that_keeps_the_secret(fauna, run_client):
    """It keeps data.login.secret: ours, where the backend's was (design 2.5).
    It asks by GET, and its documents have line breaks, which lighttpd lets
    into an address only where url-ctrls-reject is off: etc/ sees to that."""
    url = f"http://localhost:{fauna.port}/query"
    alone, _ = run_client("fauna.mjs", fauna.backend.url,
                          fauna.backend.register())
    fauna.backend.seen()
    account = fauna.backend.register()
    through, said = run_client("fauna.mjs", url, account)
    assert through == alone
    assert through[2]["data"] == {"email": "EMAIL", "secret": "string",
                                  "ownerId": "string", "late": True}
    assert through[3] == {"data": {"me": {"email": "EMAIL"}}}
    claims = fauna.open_token(json.loads(said)["secret"])
    assert claims["sub"] == account.owner and claims["name"] == account.email
    methods = [request["method"] for request in fauna.backend.seen()]
    assert methods.count("GET") >= 3 and methods.count("POST") >= 3


# --- a page on another origin ----------------------------------------------------


class Pages:
    """A web server with the page and, under /modules, the installed ones."""

    def __init__(self):
        class Handler(http.server.SimpleHTTPRequestHandler):
            extensions_map = {".mjs": "text/javascript",
                              ".html": "text/html; charset=utf-8"}

            def translate_path(self, path):
                path = urllib.parse.unquote(path.partition("?")[0])
                assert ".." not in path
                if path.startswith("/modules/"):
                    return os.path.join(MODULES, path[len("/modules/"):])
                return os.path.join(CLIENTS, path[1:])

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                                      Handler)
        self.server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(name="pages", scope="module")
def pages_fixture():
    pages = Pages()
    yield pages
    pages.close()


@pytest.fixture(name="browser", scope="module")
def browser_fixture():
    profile = tempfile.mkdtemp(prefix="postern-chromium-")
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-quic",
                 "no-first-run", "disable-background-networking",
                 "disable-component-update", "disable-sync",
                 "user-data-dir=" + profile):
        options.add_argument("--" + flag)
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"),
                              options=options)
    driver.set_page_load_timeout(30)
    yield driver
    driver.quit()
    shutil.rmtree(profile, ignore_errors=True)


def visit(browser, pages, gate, account):
    browser.get(f"{pages.origin}/page.html?" + urllib.parse.urlencode(
        {"url": f"http://localhost:{gate.port}/query",
         "email": account.email, "password": account.password}))
    WebDriverWait(browser, 30).until(lambda b: b.title == "done")
    return json.loads(browser.find_element(By.TAG_NAME, "body").text)


@pytest.mark.parametrize("methods", ["bearer", "cookie,bearer"])
def test_a_page_on_another_origin(shop, gate_of, browser, pages, methods):
    """A listed origin: urql in Chromium reads vendure-auth-token, because
    CORS exposes it, and only the two tokens there are."""
    account = shop.register()
    gate = gate_of(shop, methods, POSTERN_ORIGINS=pages.origin)
    said = visit(browser, pages, gate, account)
    assert said["found"] == [
        {"products": {"totalItems": 3}},
        {"me": None},
        {"addItemToOrder": {"totalQuantity": 1}},
        {"addItemToOrder": {"totalQuantity": 2}},
        {"login": {"errorCode": "INVALID_CREDENTIALS_ERROR"}},
        {"login": {"identifier": account.email}},
        {"activeOrder": {"totalQuantity": 2, "customer": {
            "emailAddress": account.email}}},
        {"me": {"identifier": account.email}}]
    assert len(said["tokens"]) == 2 and said["cookies"] == ""
    gate.private.update(said["tokens"])
    assert gate.open_token(said["tokens"][1])["name"] == account.email


def test_a_page_of_an_origin_that_is_not_listed(all_shops, gate_of, browser,
                                                pages):
    shop = all_shops["bearer"]
    port = pages.server.server_port
    gate = gate_of(shop, "bearer", POSTERN_ORIGINS=(
        f"http://127.0.0.1:{port + 1} https://127.0.0.1:{port}"))
    shop.seen()
    said = visit(browser, pages, gate, shop.register())
    assert set(said["found"]) == {"network error"} and said["tokens"] == []
    # What needs a preflight has not been sent; a GET may be, as by a link.
    # (The question who a guest's token belongs to is ours: it has nothing of
    # the browser's.)
    assert {request["method"] for request in shop.seen()
            if "x-forwarded-host" in request["header"]
            and "accept-language" in request["header"]} <= {"GET"}
