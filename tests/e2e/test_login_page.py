# SPDX-License-Identifier: ISC
"""The login, logout and error pages in a real browser: their language, a site's
own texts and colour, the links, the keyboard, and what accessibility needs."""
import os
import re
import shutil
import tempfile

import pytest
import servers
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from test_forms import contrast, current_path, error_message, submit
from test_page import Browser

RESET = "https://accounts.example/reset?from=login#form"
ACCENT = ":root { --accent: #ffd500; --accent-text: #000 }"
HOSTILE = "<b onclick=\"x\">Bonjour</b> & 'au revoir' \\ é🔑"
TEXTS = {
    "en.txt": "login-title = Sign in\n",
    "fr.txt": f"# Français\r\nlogin-title = {HOSTILE}\r\n",
    "ar.txt": "direction = rtl\nlogin-title = تسجيل الدخول\n"
              "error-credentials = كلمة المرور غير صحيحة\n",
    "README": "not a language",
}

# The checks of a page, in the page itself: a list of what is wrong. The colours
# are the computed ones; a background that is transparent is that of the parent.
CHECKS = r"""
const problems = [];
const all = (selector) => [...document.querySelectorAll(selector)];
const check = (good, ...words) => good || problems.push(words.join(" "));
const name = (element) => element.outerHTML.slice(0, 80);

function parse(colour) {
    const numbers = colour.match(/[\d.]+(e-?\d+)?/g).map(Number);
    if (colour.startsWith("color(srgb"))
        return [...numbers.slice(0, 3).map((part) => part * 255),
                numbers[3] ?? 1];
    return [...numbers.slice(0, 3), numbers[3] ?? 1];
}
function luminance(colour) {
    const [r, g, b] = colour.slice(0, 3).map((part) => part / 255).map(
        (part) => part <= 0.04045 ? part / 12.92
            : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(one, other) {
    const [dark, light] = [luminance(one), luminance(other)].sort(
        (a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
}
function background(element) {
    for (let at = element; at; at = at.parentElement) {
        const colour = parse(getComputedStyle(at).backgroundColor);
        if (colour[3] === 1)
            return colour;
        check(colour[3] === 0, "half transparent:", name(at));
    }
    return [255, 255, 255, 1];
}
function colours(element, property, least) {
    const behind = background(property === "color" ? element
                                                   : element.parentElement);
    const ratio = contrast(parse(getComputedStyle(element)[property]), behind);
    check(ratio >= least, property, "has a contrast of", ratio.toFixed(2),
          name(element));
}

// The document and its parts.
check(document.title.trim(), "no title");
check(document.documentElement.lang, "no lang");
check(!/user-scalable|maximum-scale/.test(
    document.querySelector("meta[name=viewport]").content), "no zoom");
check(all("main").length === 1, "one main");
check(all("h1").length === 1, "one h1");
check(!all("h2,h3,h4,h5,h6").length, "another heading");
check(!all("script,iframe,object,img").length, "another element");
check(!all("[tabindex],[accesskey],[placeholder]").length, "an attribute");
const ids = all("[id]").map((element) => element.id);
check(new Set(ids).size === ids.length, "an id twice");

// Names and descriptions.
for (const field of all("input:not([type=hidden])")) {
    check(field.labels.length === 1 && field.labels[0].innerText.trim(),
          "no label:", name(field));
    const description = field.getAttribute("aria-describedby");
    check(!description || document.getElementById(description),
          "no description:", name(field));
    if (field.getAttribute("aria-invalid"))
        check(description === "message", "no reason:", name(field));
}
for (const element of all("button,a"))
    check(element.innerText.trim(), "no name:", name(element));
for (const element of all("[role=alert]"))
    check(element.innerText.trim(), "no text:", name(element));

// Sizes (WCAG 2.2: 2.5.5), and reflow (1.4.10).
for (const element of all("button,a,input:not([type=hidden])")) {
    let {width, height} = element.getBoundingClientRect();
    if (element.type === "checkbox") {
        const label = element.labels[0].getBoundingClientRect();
        width += label.width;
        height = Math.max(height, label.height);
    }
    check(width >= 44 && height >= 44, `${width} x ${height}:`, name(element));
}
check(document.documentElement.scrollWidth <= innerWidth, "too wide");

// Contrast of texts (1.4.3) and of controls and their focus (1.4.11).
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode())
    if (walker.currentNode.data.trim())
        colours(walker.currentNode.parentElement, "color", 4.5);
for (const field of all("input:not([type=hidden])"))
    if (field.type !== "checkbox") {
        colours(field, "color", 4.5);
        colours(field, "borderTopColor", 3);
    }
for (const button of all("button"))
    colours(button, "backgroundColor", 3);
for (const element of all("button,a,input:not([type=hidden])")) {
    element.focus({focusVisible: true});
    const style = getComputedStyle(element);
    check(style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2,
          "no focus:", name(element));
    colours(element, "outlineColor", 3);
    check(style.animationName === "none"
          && style.transitionDuration === "0s", "moves:", name(element));
}
return problems;
"""


@pytest.fixture(name="folder", scope="module")
def folder_fixture():
    """A folder of texts that the programs' user can read."""
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    for name, text in TEXTS.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8",
                  newline="") as file:
            file.write(text)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(name="site", scope="module")
def site_fixture(backend):
    """The pages as they are without a style or texts of one's own."""
    # By http, a browser does not store Secure cookies of other host names.
    site = servers.Lighttpd(backend, POSTERN_COOKIE_SECURE="off",
                            POSTERN_SITE_NAME="Knöpfe & <Co>",
                            POSTERN_REGISTER_URL="/register.html?a=1&b=2",
                            POSTERN_RESET_URL=RESET)
    site.write("www/register.html", "<!DOCTYPE html><title>Register</title>")
    site.write("www/index.html", "<!DOCTYPE html><title>out</title><p>Bye")
    yield site
    site.close()


@pytest.fixture(name="own", scope="module")
def own_fixture(backend, folder):
    """A site with its own texts and accent colour."""
    site = servers.Lighttpd(backend, POSTERN_COOKIE_SECURE="off",
                            POSTERN_STYLESHEET="/accent.css",
                            POSTERN_TEXTS=folder)
    site.write("www/accent.css", ACCENT)
    yield site
    site.close()


@pytest.fixture(name="browse", scope="module")
def browse_fixture(tmp_path_factory):
    """browse(site, …) opens the site in a browser with these options. There is
    one browser for each set of options."""
    opened = {}

    def browse(site, **options):
        key = tuple(options.items())
        if key not in opened:
            opened[key] = Browser(site, tmp_path_factory.mktemp("browser"),
                                  **options)
        browser = opened[key]
        browser.gateway = site
        browser.site = f"http://localhost:{site.port}"
        browser.driver.delete_all_cookies()
        # Only one of several browsers has the focus otherwise.
        browser.driver.execute_cdp_cmd("Emulation.setFocusEmulationEnabled",
                                       {"enabled": True})
        resize(browser, options.get("width", 1200))
        return browser

    yield browse
    for browser in opened.values():
        browser.driver.quit()


def resize(browser, width):
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": 800, "deviceScaleFactor": 1,
        "mobile": width < 500})


def fail_to_log_in(browser):
    browser.open("/login")
    browser.type("email", "nobody@example.com")
    browser.type("password", "wrong")
    submit(browser)
    browser.wait(lambda: error_message(browser), "an error")


def style_of(browser, selector, name):
    value = browser.driver.find_element(
        By.CSS_SELECTOR, selector).value_of_css_property(name)
    return tuple(map(int, re.findall(r"\d+", value)[:3]))


def page_language(browser):
    return browser.driver.execute_script(
        "return document.documentElement.lang")


# --- what everybody can use ---------------------------------------------------


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_are_accessible(browse, site, dark):
    browser = browse(site, dark=dark)
    for width in (1200, 320):
        resize(browser, width)
        for path in ("/login", "/logout", "/logout?everywhere=1",
                     "/query/nothing"):
            browser.open(path)
            assert browser.driver.execute_script(CHECKS) == [], path
        fail_to_log_in(browser)
        assert browser.driver.execute_script(CHECKS) == [], "error"
        assert browser.driver.title.startswith("Error: Log in")
        for name in ("email", "password"):
            field = browser.find(name)
            assert field.get_attribute("aria-invalid") == "true"
            assert field.get_attribute("aria-describedby") == "message"


def test_the_checks_find_a_fault(browse, site):
    """Each of these faults is found: the checks can fail."""
    faults = {
        "no label": "document.querySelector('label').remove()",
        "no name": "document.querySelector('button').textContent = ''",
        "color has": "document.querySelector('h1').style.color = '#999'",
        "color has a": "document.documentElement.style.setProperty("
                       "'--accent', '#ffd500')",
        "borderTopColor has": "document.documentElement.style.setProperty("
                              "'--line', '#ccc')",
        "outlineColor has": "document.documentElement.style.setProperty("
                            "'--focus', '#ddd')",
        # The policy blocks another style element, but not this.
        "no focus": "document.styleSheets[0].insertRule("
                    "'button:focus-visible{outline:0 none}', "
                    "document.styleSheets[0].cssRules.length)",
        "too wide": "document.querySelector('h1').style.width = '2000px'",
        "x 20": "document.querySelectorAll('a').forEach(link => { link.style = "
                "'padding:0;line-height:20px'; })",
    }
    browser = browse(site, dark=False)
    for words, fault in faults.items():
        browser.open("/login")
        assert browser.driver.execute_script(CHECKS) == []
        browser.driver.execute_script(fault)
        problems = browser.driver.execute_script(CHECKS)
        assert any(words in line for line in problems), (words, problems)


def test_login_by_keyboard_alone(browse, site, user):
    """The focus goes through the page in its order, and is always visible."""
    browser = browse(site, dark=True)
    browser.open("/login?return_to=/members/")
    assert browser.focused.get_attribute("id") == "email"
    browser.focused.send_keys(user.email, Keys.TAB)
    browser.focused.send_keys("wrong", Keys.ENTER)
    browser.wait(lambda: error_message(browser), "an error")
    assert browser.focused.get_attribute("id") == "password"
    browser.focused.send_keys(user.password, Keys.TAB)
    assert browser.focused.get_attribute("id") == "remember"
    browser.focused.send_keys(Keys.SPACE, Keys.TAB)
    assert browser.find("remember").is_selected()
    order = []
    for _ in range(3):
        order.append(browser.focused.text)
        assert browser.focused.value_of_css_property("outline-style") == "solid"
        browser.focused.send_keys(Keys.TAB)
    assert order == ["Log in", "Forgot your password?", "Create an account"]
    browser.find("password").send_keys(Keys.TAB, Keys.TAB)
    browser.driver.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    browser.wait(lambda: current_path(browser) == "/members/", "the login")
    (cookie,) = [c for c in browser.driver.get_cookies()
                 if "device" not in c["name"]]
    assert cookie["expiry"], "not remembered"


def test_fields_are_known_to_password_managers(browse, site):
    browser = browse(site, dark=False)
    browser.open("/login")
    for name, kind, hint in (("email", "text", "username"),
                             ("password", "password", "current-password")):
        field = browser.find(name)
        assert field.get_attribute("name") == name
        assert field.get_attribute("type") == kind
        assert field.get_attribute("autocomplete") == hint
        assert field.get_attribute("maxlength") in (None, "", "-1")
        assert field.get_attribute("form") or browser.driver.execute_script(
            "return arguments[0].form.method", field) == "post"


def test_links_to_register_and_reset(browse, site):
    browser = browse(site, dark=False)
    browser.open("/login")
    link = browser.driver.find_element(By.LINK_TEXT, "Forgot your password?")
    assert link.get_attribute("href") == RESET
    browser.driver.find_element(By.LINK_TEXT, "Create an account").click()
    browser.wait(lambda: browser.driver.title == "Register", "the page")
    assert current_path(browser) == "/register.html?a=1&b=2"


def test_forced_colours_keep_the_controls_visible(browse, site):
    """Windows' contrast themes drop backgrounds and shadows: frames stay."""
    browser = browse(site, dark=False)
    browser.open("/login")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "forced-colors", "value": "active"}]})
    try:
        for selector in ("main", "button", "#email", "#password"):
            element = browser.driver.find_element(By.CSS_SELECTOR, selector)
            assert element.value_of_css_property(
                "border-left-style") == "solid", selector
            frame = style_of(browser, selector, "border-left-color")
            assert contrast(frame, style_of(browser, "body",
                                            "background-color")) >= 3, selector
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                       {"features": []})


# --- languages ----------------------------------------------------------------


def test_german_browser_sees_german_pages(browse, site):
    browser = browse(site, languages="de-AT,de,en")
    browser.open("/login")
    assert browser.driver.title == "Anmelden - Knöpfe & <Co>"
    assert page_language(browser) == "de"
    assert browser.find("email").accessible_name == "E-Mail-Adresse"
    assert browser.find("remember").accessible_name == "Angemeldet bleiben"
    assert browser.driver.find_element(By.LINK_TEXT, "Passwort vergessen?")
    fail_to_log_in(browser)
    assert browser.driver.title == "Fehler: Anmelden - Knöpfe & <Co>"
    assert error_message(browser) == (
        "Die E-Mail-Adresse oder das Passwort ist falsch.")
    browser.open("/logout?everywhere=1")
    assert browser.driver.find_element(By.TAG_NAME, "h1").text == (
        "Überall abmelden?")
    browser.open("/query/nothing")
    assert error_message(browser) == "Unter dieser Adresse gibt es nichts."
    assert browser.driver.execute_script(CHECKS) == []


@pytest.mark.parametrize("accept, language, title", [
    (None, "en", "Log in"), ("fr,de;q=0.1", "de", "Anmelden"),
    ("de;q=0", "en", "Log in"), ("x" * 6000, "en", "Log in"),
    (",".join(["de;q=0.5"] * 500), "de", "Anmelden"),
    ("\"><script>,de", "de", "Anmelden"), ("*", "en", "Log in")])
def test_language_by_the_header(site, accept, language, title):
    answer = site.get("/login", headers=[("Accept-Language", accept)]
                      if accept else [])
    assert answer.status == 200
    assert answer.get("content-language") == language
    assert "Accept-Language" in answer.get("vary")
    assert f'<html lang="{language}" ' in answer.text
    assert f"<h1>{title}</h1>" in answer.text
    assert "<script" not in answer.text


def test_errors_for_programs_are_in_english(site):
    answer = site.get("/query/nothing", headers=[("Accept-Language", "de")])
    assert answer.status == 404
    assert answer.json["errors"][0]["message"] == (
        "there is nothing at this path")
    assert answer.get("content-language") is None
    answer = site.get("/query/nothing", headers=[
        ("Accept-Language", "de"), ("Accept", "text/html")])
    assert "Unter dieser Adresse gibt es nichts." in answer.text
    assert {"Accept", "Sec-Fetch-Mode", "Accept-Language"} <= set(
        answer.get("vary").split(", "))


# --- a site's own texts and colour --------------------------------------------


def test_own_texts(browse, own):
    """A file for a language that is not shipped. Its text is a text."""
    browser = browse(own, languages="fr-CA,de")
    browser.open("/login")
    assert browser.driver.find_element(By.TAG_NAME, "h1").text == HOSTILE
    assert browser.driver.title == HOSTILE
    assert page_language(browser) == "fr"
    # What the file does not have is in English.
    assert browser.find("password").accessible_name == "Password"
    assert browser.driver.find_elements(By.TAG_NAME, "b") == []


def test_own_texts_replace_the_languages(own):
    """German is not offered any more; English is the site's own."""
    answer = own.get("/login", headers=[("Accept-Language", "de")])
    assert answer.get("content-language") == "en"
    assert "<h1>Sign in</h1>" in answer.text


def test_text_from_right_to_left(browse, own):
    browser = browse(own, languages="ar")
    fail_to_log_in(browser)
    assert page_language(browser) == "ar"
    assert browser.driver.execute_script(
        "return getComputedStyle(document.documentElement).direction") == "rtl"
    edges = [browser.driver.find_element(By.CSS_SELECTOR, selector).rect
             for selector in ("#remember", "label[for=remember]")]
    assert edges[0]["x"] > edges[1]["x"], "the box is left of its label"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_own_accent_colour(browse, own, dark):
    browser = browse(own, dark=dark)
    browser.open("/login")
    assert style_of(browser, "button", "background-color") == (255, 213, 0)
    assert style_of(browser, "button", "color") == (0, 0, 0)
    # Links and the focus are visible whatever the accent is.
    problems = browser.driver.execute_script(CHECKS)
    assert [line for line in problems
            if "backgroundColor" not in line] == []
    body = style_of(browser, "body", "background-color")
    assert (max(body) < 64) if dark else (min(body) > 240)
