# SPDX-License-Identifier: ISC
"""The demo's page in a real browser, used by mouse, by keyboard and without
JavaScript. Scripts must not be able to read a secret."""

import json

import pytest
from gateway import COOKIE, Backend, Gateway, Starter
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--lang=en-GB")
EMAIL, PASSWORD = "demo@example.com", "drawbridge-42"
HOSTILE = '<img src=x onerror="document.title=1">&amp;\u202e"\''


class Browser:
    """A Chromium with its own profile, and helpers to use a page."""

    def __init__(self, gateway, folder, script=True, width=1200, dark=False,
                 languages=None):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in FLAGS:
            options.add_argument(flag)
        options.add_argument(f"--user-data-dir={folder}/profile")
        options.add_argument(f"--window-size={width},1000")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        prefs = {}
        if not script:
            prefs["profile.managed_default_content_settings.javascript"] = 2
        if languages:
            prefs["intl.accept_languages"] = languages
        options.add_experimental_option("prefs", prefs)
        self.driver = webdriver.Chrome(
            service=Service("/usr/bin/chromedriver"), options=options)
        if dark:
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
                "features": [{"name": "prefers-color-scheme",
                              "value": "dark"}]})
        self.gateway = gateway
        self.folder = folder
        self.site = f"http://localhost:{gateway.port}"
        self.console = []

    def open(self, path="/"):
        self.driver.get(self.site + path)

    def find(self, name):
        return self.driver.find_element(By.ID, name)

    def wait(self, done, what=""):
        try:
            return WebDriverWait(self.driver, 15, 0.05).until(
                lambda _: done())
        except TimeoutException:
            self.driver.save_screenshot(f"{self.folder}/timeout.png")
            raise AssertionError(f"{what} did not happen:\n"
                                 + self.text()) from None

    def wait_for(self, name):
        """Wait until the element is displayed; return it."""
        self.wait(lambda: self.find(name).is_displayed(), name)
        return self.find(name)

    def type(self, name, text):
        box = self.find(name)
        box.clear()
        box.send_keys(text)

    def press(self, form):
        self.driver.find_element(
            By.CSS_SELECTOR, f"#{form} [type=submit]").click()

    def picture(self, name):
        """Save a screenshot of the whole page."""
        size = self.driver.execute_script(
            "return [innerWidth, document.documentElement.scrollHeight]")
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": size[0], "height": size[1], "deviceScaleFactor": 1,
            "mobile": False})
        self.driver.save_screenshot(f"{self.folder}/{name}.png")
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    @property
    def focused(self):
        return self.driver.switch_to.active_element

    def tab_to(self, name):
        """Press Tab until the element has the focus; it must be visible."""
        for _ in range(40):
            self.focused.send_keys(Keys.TAB)
            if self.focused.get_attribute("id") == name:
                assert self.driver.execute_script(
                    "const style = getComputedStyle(document.activeElement);"
                    "return style.outlineStyle !== 'none'"
                    " && parseFloat(style.outlineWidth) > 0;"), name
                return
        raise AssertionError(f"Tab does not reach {name}")

    def check_console(self, *allowed):
        """The console has no other errors, such as a violation of the CSP."""
        for entry in self.driver.get_log("browser"):
            self.console.append(entry["message"])
            assert entry["level"] not in ("SEVERE", "WARNING") or any(
                words in entry["message"] for words in allowed), entry

    def check_no_secret(self, gateway):
        """R33, L34: a script finds no token in the page or its storage."""
        seen = self.driver.execute_script("""
            return JSON.stringify([document.cookie, {...localStorage},
                {...sessionStorage}, document.documentElement.outerHTML,
                performance.getEntries().map((e) => e.name), location.href]);
            """)
        cookie, local, session = json.loads(seen)[:3]
        assert (cookie, local, session) == ("", {}, {})
        assert self.driver.execute_script(
            "return indexedDB.databases().then((all) => all.length)") == 0
        gateway.backend.seen()
        assert gateway.backend.known
        assert not gateway.backend.tokens_in(seen.encode())
        for token in self.cookies():
            assert token["value"] not in seen
        gateway.received.append(seen.encode())

    def cookies(self):
        cookies = self.driver.get_cookies()
        for cookie in cookies:
            self.gateway.private.add(cookie["value"])
        return cookies

    def text(self):
        return self.driver.find_element(By.TAG_NAME, "body").text


@pytest.fixture(name="shop", scope="module")
def shop_fixture():
    """A gateway before a backend with the demo's account and another user's
    store."""
    backend = Backend("--seed")
    starter = Starter(backend)
    shop = starter()
    shop.private.add(PASSWORD)
    cookie = shop.cookie_for(backend.register("Olga & <b>sons</b>"))
    answer = shop.query("mutation($n:String!){createStore(name:$n){id}}",
                        {"n": HOSTILE}, cookie=cookie)
    assert answer.json["data"]["createStore"]
    yield shop
    starter.close()
    backend.close()


@pytest.fixture(name="browse")
def browse_fixture(shop, tmp_path):
    """browse(…) starts a Browser."""
    browsers = []

    def browse(gateway=shop, **options):
        folder = tmp_path / str(len(browsers))
        folder.mkdir()
        browsers.append(Browser(gateway, folder, **options))
        return browsers[-1]

    yield browse
    for browser in browsers:
        browser.driver.quit()


def log_in(browser, password=PASSWORD):
    browser.wait_for("login-form")
    browser.type("email", EMAIL)
    browser.type("password", password)
    browser.press("login-form")


def stores(browser):
    """The texts of the cards of all stores, read at once."""
    return browser.driver.execute_script(
        "return [...document.querySelectorAll('#stores article')]"
        ".map((card) => card.innerText)")


def test_login_store_product_and_logout_by_mouse(shop, browse):
    """All functions of the page, with JavaScript."""
    browser = browse()
    browser.open()
    browser.wait_for("login-form")
    browser.wait(lambda: len(stores(browser)) >= 3, "stores")
    assert not browser.find("workshop").is_displayed()
    assert any(text.startswith(HOSTILE.replace("\u202e", ""))
               or "<img src=x" in text for text in stores(browser))
    assert "Olga & <b>sons</b>" in browser.text()
    browser.picture("1-outside")
    browser.check_console()

    log_in(browser, "not the password")
    problem = browser.wait_for("login-problem")
    assert problem.text == "The e-mail address or the password is wrong."
    assert problem.get_attribute("role") == "alert"
    for name in ("email", "password"):
        assert browser.find(name).get_attribute("aria-invalid") == "true"
    assert browser.find("email").get_attribute("value") == EMAIL
    assert browser.focused.get_attribute("id") == "password"
    assert browser.cookies() == []
    browser.picture("2-wrong-password")
    browser.check_console("/login - Failed to load resource: the server "
                          "responded with a status of 401")

    log_in(browser)
    inside = browser.wait_for("inside")
    browser.wait(lambda: "Dora the Demo" in inside.text, "who")
    assert EMAIL in inside.text
    assert "min" in browser.find("left").text
    assert not browser.find("login-form").is_displayed()
    assert browser.find("password").get_attribute("value") == ""
    assert browser.focused.get_attribute("id") == "inside-title"
    browser.picture("3-inside")
    (cookie,) = browser.cookies()
    assert cookie["name"] == COOKIE and cookie["path"] == "/"
    assert cookie["httpOnly"] and cookie["secure"]
    assert cookie["sameSite"] == "Lax" and "expiry" not in cookie
    browser.check_no_secret(shop)
    browser.check_console()

    browser.type("store-name", "Under the <arch>")
    browser.press("store-form")
    browser.wait(lambda: any("Under the <arch>" in text and "Yours" in text
                             for text in stores(browser)), "new store")
    browser.type("product-name", "Rope & \u201chook\u201d")
    browser.type("product-price", "7.5")
    browser.type("product-description", "Thirty feet of it.")
    browser.press("product-form")
    browser.wait(lambda: any("Rope & \u201chook\u201d" in text
                             and "7.50" in text for text in stores(browser)),
                 "new product")
    browser.wait(lambda: "Rope & \u201chook\u201d is on the shelves of Under the"
                 in browser.find("news").get_attribute("textContent"), "news")
    browser.picture("4-created")

    browser.driver.refresh()
    inside = browser.wait_for("inside")
    browser.wait(lambda: "Dora the Demo" in inside.text, "reloaded")
    browser.wait(lambda: any("Under the <arch>" in text
                             for text in stores(browser)), "reloaded")
    browser.check_no_secret(shop)
    browser.check_console()

    browser.find("logout").click()
    browser.wait_for("login-form")
    assert browser.cookies() == []
    assert not browser.find("workshop").is_displayed()
    assert browser.focused.get_attribute("id") == "email"
    browser.driver.refresh()
    browser.wait_for("login-form")
    assert "Dora the Demo" not in browser.find("login").text
    browser.check_no_secret(shop)
    browser.check_console()


def test_page_works_by_keyboard_alone(shop, browse):
    """The focus is always visible. On a narrow screen, with dark colours."""
    browser = browse(width=500, dark=True)
    browser.open()
    browser.wait_for("login-form")
    browser.focused.send_keys(Keys.TAB)
    assert browser.focused.text == "Skip to the stores"
    browser.tab_to("email")
    browser.focused.send_keys(EMAIL, Keys.TAB, PASSWORD, Keys.TAB, Keys.SPACE)
    assert browser.find("remember").is_selected()
    browser.focused.send_keys(Keys.ENTER)
    browser.wait_for("inside")
    browser.wait(lambda: browser.find("who").text == "Dora the Demo", "who")
    (cookie,) = browser.cookies()
    assert cookie["expiry"]
    browser.tab_to("store-name")
    browser.focused.send_keys("By hand", Keys.ENTER)
    browser.wait(lambda: any("By hand" in t for t in stores(browser)), "store")
    browser.wait(lambda: browser.focused.get_attribute("id")
                 == "product-name", "focus")
    browser.focused.send_keys("Bell", Keys.TAB, "3", Keys.ENTER)
    browser.wait(lambda: any("Bell" in t for t in stores(browser)), "product")
    # Nothing is wider than the screen.
    assert browser.driver.execute_script(
        "return document.documentElement.scrollWidth <= innerWidth")
    browser.picture("inside")
    browser.driver.execute_script("document.activeElement.blur()")
    browser.tab_to("logout")
    browser.focused.send_keys(Keys.ENTER)
    browser.wait_for("login-form")
    browser.wait(lambda: browser.focused.get_attribute("id") == "email",
                 "focus")
    browser.picture("outside")
    browser.check_console()


def test_registration_shows_the_backends_error(browse, shop):
    """The error is next to the fields; a second attempt succeeds."""
    browser = browse()
    browser.open()
    browser.wait_for("to-register").click()
    browser.wait_for("register-form")
    browser.type("new-name", "Nora")
    browser.type("new-email", EMAIL)
    browser.type("new-password", "a new password")
    shop.private.add("a new password")
    browser.press("register-form")
    problem = browser.wait_for("register-problem")
    browser.wait(lambda: "There is an account" in problem.text, "taken")
    browser.picture("taken")
    browser.type("new-email", "nora@example.com")
    browser.press("register-form")
    browser.wait_for("inside")
    browser.wait(lambda: browser.find("who").text == "Nora", "who")
    browser.check_console()


def test_page_shows_that_the_session_has_expired(browse, start_own, shop):
    """The page asks to log in again, without a click."""
    gateway = start_own(backend=shop.backend, POSTERN_IDLE_TIMEOUT="2s")
    gateway.private.add(PASSWORD)
    browser = browse(gateway)
    browser.open()
    log_in(browser)
    browser.wait_for("inside")
    notice = browser.wait_for("login-notice")
    assert notice.text == "Your session has ended. Please log in again."
    assert not browser.find("inside").is_displayed()
    browser.check_console()


def test_login_and_logout_without_javascript(browse, shop):
    """The form of the program login (design 2): wrong password, right
    password, logout."""
    browser = browse(script=False)
    browser.open()
    assert "needs JavaScript" in browser.text()
    browser.driver.find_element(By.LINK_TEXT, "log in").click()
    assert browser.driver.title == "Log in"
    assert browser.focused.get_attribute("id") == "email"
    browser.picture("1-form")
    browser.type("email", EMAIL)
    browser.type("password", "not the password")
    browser.driver.find_element(By.TAG_NAME, "button").click()
    browser.wait(lambda: browser.driver.title == "Error: Log in", "refused")
    assert browser.find("message").text == (
        "The e-mail address or the password is wrong.")
    assert browser.find("email").get_attribute("value") == EMAIL
    assert browser.find("password").get_attribute("value") == ""
    assert browser.focused.get_attribute("id") == "password"
    browser.picture("2-refused")
    browser.check_console("/login - Failed to load resource: the server "
                          "responded with a status of 401")
    browser.focused.send_keys(PASSWORD, Keys.ENTER)
    browser.wait(lambda: browser.driver.current_url == browser.site + "/",
                 "redirected")
    assert len(browser.cookies()) == 1
    browser.open("/session")
    assert EMAIL in browser.text()
    browser.open("/logout?return_to=/login")
    assert browser.driver.title == "Log out?"
    browser.picture("3-logout")
    browser.driver.find_element(By.TAG_NAME, "button").click()
    browser.wait(lambda: browser.driver.title == "Log in", "redirected")
    assert browser.cookies() == []
    browser.open("/session")
    assert browser.text() == '{"data":{"session":null}}'
    browser.open("/query/nothing")
    assert "There is nothing at this address." in browser.text()
    browser.picture("4-error")
    browser.check_console("responded with a status of 404")


# --- a change of the cookie's attributes -------------------------------------

HOST = "shop.localhost"  # Chromium resolves it, and keeps Secure cookies
NAME = "__Secure-session"
VARIANTS = {
    "host": {},
    "domain": {"POSTERN_COOKIE_DOMAIN": HOST},
    "path": {"POSTERN_COOKIE_PATH": "/app"},
    "partitioned": {"POSTERN_COOKIE_PARTITIONED": "on",
                    "POSTERN_COOKIE_SAMESITE": "None"},
}
FETCH = """const [method, path, body, done] = arguments;
fetch(path, {method, body: body && JSON.stringify(body),
             headers: body ? {"Content-Type": "application/json"} : {}})
    .then((answer) => answer.json()).then(done, (e) => done(String(e)));"""


class Mounted(Gateway):
    """A gateway whose URLs are also below /app."""

    def _write_settings(self):
        super()._write_settings()
        with open(f"{self.folder}/settings.conf", "a",
                  encoding="ascii") as file:
            file.write('server.modules += ( "mod_rewrite" )\n'
                       'url.rewrite-once = ( "^/app(/.*)$" => "$1" )\n')


def fetch(browser, gateway, method, path, body=None):
    """Sent by a page of the site, so with the browser's own cookies."""
    site = f"http://{HOST}:{gateway.port}/app"
    if not browser.driver.current_url.startswith(site):
        browser.driver.get(site + "/icon.svg")
    return browser.driver.execute_async_script(
        FETCH, method, "/app" + path, body)


def session_of(browser, gateway):
    return fetch(browser, gateway, "GET", "/session")["data"]["session"]


@pytest.fixture(name="variants", scope="module")
def variants_fixture(shop, tmp_path_factory):
    """A gateway for each variant. They share the secret, the store and the
    cookie's name, as one site does before and after a change."""
    store = tmp_path_factory.mktemp("variants") / "store"
    found = {name: Mounted(shop.backend, secret=shop.secret,
                           POSTERN_STORE=f"lmdb:{store}",
                           POSTERN_COOKIE_NAME=NAME, **variables)
             for name, variables in VARIANTS.items()}
    for gateway in found.values():
        gateway.private.add(PASSWORD)
    yield found
    for gateway in found.values():
        gateway.close()


@pytest.mark.parametrize("old", VARIANTS)
def test_change_of_cookie_attributes(variants, browse, old):
    """U32: an older cookie of the same name stays in the browser. It keeps its
    user logged in, a login replaces it, a logout ends both."""
    browser = browse(variants[old])
    for new in VARIANTS:
        if new != old:
            browser.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
            check_change(browser, variants[old], variants[new])


def check_change(browser, before, after):
    login = {"email": EMAIL, "password": PASSWORD}
    assert "errors" not in fetch(browser, before, "POST", "/login", login)
    for gateway in (before, after):
        assert session_of(browser, gateway)["name"] == EMAIL
    for _ in range(2):
        assert "errors" not in fetch(browser, after, "POST", "/login", login)
        for _ in range(2):
            assert session_of(browser, after)["name"] == EMAIL
        fetch(browser, after, "POST", "/logout")
        for gateway in (after, before):
            assert session_of(browser, gateway) is None
    assert "session-cookies-conflict" not in before.log + after.log
    # The older settings know their own variant, the newer ones that without
    # Domain, Path and Partitioned: together nothing is left.
    left = browser.driver.execute_cdp_cmd("Network.getAllCookies", {})
    assert [c for c in left["cookies"] if c["name"] == NAME] == []
