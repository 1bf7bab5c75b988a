# SPDX-License-Identifier: ISC
"""Stock clients give the same results directly at Vendure and through the
gateway. Only their URLs differ."""

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
    """run_client(name, url, account, NAME=value…) returns the JSON lines of its
    output and its standard error. Node.js resolves modules from the folder of a
    program, so the programs are copied beside node_modules."""
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


# The last result of the two Vendure clients.
LAST_RESULT = {"plain.mjs": {"status": 200, "data": {"activeOrder": {
            "totalQuantity": 3, "customer": {"emailAddress": "EMAIL"},
            "lines": [{"quantity": 3, "productVariant": {"sku": "Lantern"}}]}}},
               "apollo.mjs": {"data": {"me": {"__typename": "CurrentUser",
                                              "identifier": "EMAIL"}}}}


@pytest.mark.parametrize("methods", ["bearer", "cookie,bearer"])
@pytest.mark.parametrize("name", LAST_RESULT)
def test_vendure_clients_work_with_bearer_tokens(
        all_shops, shop, gateway_for, run_client, name, methods):
    """With every tokenMethod of Vendure: a client that supports bearer tokens
    only works with a Vendure that supports cookies only."""
    direct, _ = run_client(name, all_shops["bearer"].url,
                           all_shops["bearer"].register())
    assert direct[-1] == LAST_RESULT[name]
    gateway = gateway_for(shop, methods)
    through, _ = run_client(name, f"http://localhost:{gateway.port}/query",
                            shop.register())
    assert through == direct


@pytest.fixture(name="direct_storefront", scope="module")
def direct_storefront_fixture(all_shops, run_client):
    """The answers that a storefront gets without a gateway."""
    shop = all_shops["bearer"]
    lines, _ = run_client("storefront.mjs", shop.url, shop.new_account(),
                          KIND="header", CONTROL=shop.control)
    assert len(lines) > 55 and {line["status"] for line in lines} == {200}
    return lines


@pytest.mark.parametrize("kind,methods", [
    ("header", "bearer"), ("header", "cookie,bearer"), ("cookie", "cookie"),
    ("cookie", "cookie,bearer")])
def test_storefront_gets_the_answers_of_vendure(
        direct_storefront, shop, gateway_for, run_client, kind, methods):
    """All requests of a storefront, from the menu to the password reset, with
    cookies and with bearer tokens."""
    gateway = gateway_for(shop, methods)
    account = shop.new_account()
    through, output = run_client(
        "storefront.mjs", f"http://localhost:{gateway.port}/query", account,
        KIND=kind, CONTROL=shop.control)
    for line, wanted in zip(through, direct_storefront):
        assert line == wanted
    assert len(through) == len(direct_storefront)
    if kind == "header":
        claims = gateway.open_token(json.loads(output)["token"])
        assert claims["name"] == "newer-" + account.email
        assert claims["remember"] is True


@pytest.fixture(name="fauna", scope="module")
def fauna_fixture():
    backend = gateways.Backend()
    gateway = gateways.Gateway(backend, POSTERN_TOKEN_METHOD="bearer")
    yield gateway
    gateway.close()
    backend.close()


def test_client_that_keeps_the_login_secret(fauna, run_client):
    """The client keeps data.login.secret, which is Postern's token (design
    2.5). It sends documents with line breaks by GET. lighttpd accepts these
    only if url-ctrls-reject is off, as in etc/."""
    url = f"http://localhost:{fauna.port}/query"
    direct, _ = run_client("fauna.mjs", fauna.backend.url,
                           fauna.backend.register())
    fauna.backend.seen()
    account = fauna.backend.register()
    through, output = run_client("fauna.mjs", url, account)
    assert through == direct
    assert through[2]["data"] == {"email": "EMAIL", "secret": "string",
                                  "ownerId": "string", "late": True}
    assert through[3] == {"data": {"me": {"email": "EMAIL"}}}
    claims = fauna.open_token(json.loads(output)["secret"])
    assert claims["sub"] == account.owner and claims["name"] == account.email
    methods = [request["method"] for request in fauna.backend.seen()]
    assert methods.count("GET") >= 3 and methods.count("POST") >= 3


# --- a page on another origin ----------------------------------------------------


class Pages:
    """A web server with the page, and the installed modules at /modules."""

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


def open_page(browser, pages, gateway, account):
    browser.get(f"{pages.origin}/page.html?" + urllib.parse.urlencode(
        {"url": f"http://localhost:{gateway.port}/query",
         "email": account.email, "password": account.password}))
    WebDriverWait(browser, 30).until(lambda b: b.title == "done")
    return json.loads(browser.find_element(By.TAG_NAME, "body").text)


@pytest.mark.parametrize("methods", ["bearer", "cookie,bearer"])
def test_page_of_a_listed_origin_works(shop, gateway_for, browser, pages,
                                       methods):
    """urql in Chromium reads both tokens from vendure-auth-token, because CORS
    exposes the header."""
    account = shop.register()
    gateway = gateway_for(shop, methods, POSTERN_ORIGINS=pages.origin)
    output = open_page(browser, pages, gateway, account)
    assert output["found"] == [
        {"products": {"totalItems": 3}},
        {"me": None},
        {"addItemToOrder": {"totalQuantity": 1}},
        {"addItemToOrder": {"totalQuantity": 2}},
        {"login": {"errorCode": "INVALID_CREDENTIALS_ERROR"}},
        {"login": {"identifier": account.email}},
        {"activeOrder": {"totalQuantity": 2, "customer": {
            "emailAddress": account.email}}},
        {"me": {"identifier": account.email}}]
    assert len(output["tokens"]) == 2 and output["cookies"] == ""
    gateway.private.update(output["tokens"])
    assert gateway.open_token(output["tokens"][1])["name"] == account.email


def test_page_of_an_unlisted_origin_is_refused(all_shops, gateway_for, browser,
                                               pages):
    shop = all_shops["bearer"]
    port = pages.server.server_port
    gateway = gateway_for(shop, "bearer", POSTERN_ORIGINS=(
        f"http://127.0.0.1:{port + 1} https://127.0.0.1:{port}"))
    shop.seen()
    output = open_page(browser, pages, gateway, shop.register())
    assert set(output["found"]) == {"network error"} and output["tokens"] == []
    # Requests that need a preflight are not sent. A GET may be sent, as by a
    # link. (The who request is Postern's; it has no header of the browser.)
    assert {request["method"] for request in shop.seen()
            if "x-forwarded-host" in request["header"]
            and "accept-language" in request["header"]} <= {"GET"}
