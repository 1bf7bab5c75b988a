# SPDX-License-Identifier: ISC
"""The login and logout pages in a real browser without JavaScript: redirect from
a protected page, login, redirect back, logout; with a custom style sheet."""
import http.client
import re
import zlib

import pytest
import servers
from selenium.webdriver.common.by import By
from test_page import Browser

CSS = "body { background: rgb(1, 2, 3) } h1 { font-style: italic }"


@pytest.fixture(name="site", scope="module")
def site_fixture(backend):
    # By http, a browser does not store Secure cookies of other host names.
    site = servers.Lighttpd(backend, POSTERN_COOKIE_SECURE="off",
                            POSTERN_CSRF_TOKEN="required",
                            POSTERN_SITE_NAME="Knöpfe & <Co>",
                            POSTERN_STYLESHEET="/our.css")
    site.write("www/our.css", CSS)
    site.write("www/index.html", "<!DOCTYPE html><title>out</title><p>Bye")
    yield site
    site.close()


@pytest.fixture(name="browse")
def browse_fixture(site, tmp_path):
    opened = []

    def browse(**options):
        opened.append(Browser(site, tmp_path / str(len(opened)),
                              script=False, **options))
        return opened[-1]

    yield browse
    for browser in opened:
        browser.driver.quit()


def submit(browser):
    browser.driver.find_element(By.TAG_NAME, "button").click()


def current_path(browser):
    return browser.driver.current_url.removeprefix(browser.site)


def error_message(browser):
    found = browser.driver.find_elements(By.CSS_SELECTOR, "[role=alert]")
    return found[0].text if found else None


@pytest.mark.parametrize("width, dark", [(360, False), (1200, True)])
def test_login_and_logout_without_javascript(browse, user, width, dark):
    browser = browse(width=width, dark=dark)
    browser.open("/members/index.html?a=b")
    assert current_path(browser).startswith("/login?return_to=")
    assert browser.driver.title == "Log in - Knöpfe & <Co>"
    assert error_message(browser) is None
    browser.type("email", user.email)
    browser.type("password", "wrong")
    submit(browser)
    browser.wait(lambda: error_message(browser), "an error")
    assert "wrong" in error_message(browser)
    # The form keeps the e-mail address; the empty password has the focus.
    assert browser.find("email").get_attribute("value") == user.email
    assert browser.find("password").get_attribute("value") == ""
    assert browser.driver.switch_to.active_element == browser.find("password")
    browser.find("password").send_keys(user.password)
    submit(browser)
    browser.wait(lambda: current_path(browser) == "/members/index.html?a=b",
                 "the redirect back")
    browser.open("/logout")
    assert browser.driver.title.startswith("Log out?")
    submit(browser)
    browser.wait(lambda: current_path(browser) == "/",
                 "the redirect after logout")
    browser.open("/members/")
    assert current_path(browser) == "/login?return_to=%2Fmembers%2F"


def test_custom_style_sheet_is_applied(browse):
    """R77: the Content-Security-Policy allows it; the console has no errors."""
    browser = browse()
    browser.open("/login")
    body = browser.driver.find_element(By.TAG_NAME, "body")
    assert body.value_of_css_property("background-color") in (
        "rgb(1, 2, 3)", "rgba(1, 2, 3, 1)")
    heading = browser.driver.find_element(By.TAG_NAME, "h1")
    assert heading.value_of_css_property("font-style") == "italic"
    # The default style sheet is applied too.
    assert heading.value_of_css_property("font-size") == "24px"
    errors = [line["message"] for line in browser.driver.get_log("browser")
                  if "favicon" not in line["message"]]
    assert errors == []


@pytest.mark.parametrize("width", [320, 360, 1200])
def test_pages_fit_narrow_screens(browse, width):
    browser = browse(width=width)
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": 640, "deviceScaleFactor": 1,
        "mobile": width < 500})
    for path in ("/login", "/logout"):
        browser.open(path)
        size = browser.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})
        assert size["cssContentSize"]["width"] <= width, path
        for name in ("input:not([type=hidden]):not([type=checkbox])",
                     "button"):
            for box in browser.driver.find_elements(By.CSS_SELECTOR, name):
                assert box.size["height"] >= 44, "target size below 44 px"
                assert box.rect["x"] >= 0
                assert box.rect["x"] + box.rect["width"] <= width


def background_colour(browser):
    """The colour of the first pixel of a screenshot. (PNG filters do not change
    the bytes of the first pixel.)"""
    png = browser.driver.get_screenshot_as_png()
    data, at = b"", 8
    while at < len(png):
        length = int.from_bytes(png[at:at + 4], "big")
        if png[at + 4:at + 8] == b"IDAT":
            data += png[at + 8:at + 8 + length]
        at += length + 12
    return tuple(zlib.decompress(data)[1:4])


def contrast(one, other):
    """The contrast ratio of two colours (WCAG 2.2)."""
    def luminance(colour):
        parts = [part / 255 for part in colour]
        parts = [part / 12.92 if part <= 0.04045
                 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_colours_have_enough_contrast(fastcgi, user, tmp_path, dark):
    """With the default style sheet only. The background follows
    prefers-color-scheme."""
    browser = Browser(fastcgi, tmp_path, script=False, dark=dark)
    try:
        browser.open("/login")
        browser.type("email", user.email)
        browser.type("password", "wrong")
        submit(browser)
        browser.wait(lambda: error_message(browser), "an error")
        background = background_colour(browser)
        assert (max(background) < 64) if dark else (min(background) > 240)

        def colour(selector, name):
            value = browser.driver.find_element(
                By.CSS_SELECTOR, selector).value_of_css_property(name)
            return tuple(map(int, re.findall(r"\d+", value)[:3]))

        card = colour("main", "background-color")
        for selector, behind in (("h1", card), ("label", card),
                                 ("[role=alert]", None), ("#email", None),
                                 ("button", None)):
            own = behind or colour(selector, "background-color")
            assert contrast(colour(selector, "color"), own) >= 4.5, selector
        for selector, edge in (("#email", "border-top-color"),
                               ("button", "background-color")):
            assert contrast(colour(selector, edge), card) >= 3, selector
        assert colour("[role=alert]", "color") == (
            (242, 184, 181) if dark else (179, 38, 30))
    finally:
        browser.driver.quit()


def test_every_field_has_a_label(browse):
    browser = browse()
    browser.open("/login")
    wanted = {"email": ("E-mail address", "username"),
              "password": ("Password", "current-password"),
              "remember": ("Keep me logged in", "")}
    for name, (text, hint) in wanted.items():
        box = browser.find(name)
        assert box.accessible_name == text
        assert (box.get_attribute("autocomplete") or "") == hint


def test_login_works_in_two_tabs(browse, user):
    """U18: with POSTERN_CSRF_TOKEN=required, both forms stay valid."""
    browser = browse()
    driver = browser.driver
    browser.open("/login")
    first = driver.current_window_handle
    driver.switch_to.new_window("tab")
    browser.open("/login?return_to=/members/")
    for tab, target in ((driver.current_window_handle, "/members/"),
                        (first, "/")):
        driver.switch_to.window(tab)
        browser.type("email", user.email)
        browser.type("password", user.password)
        submit(browser)
        browser.wait(lambda: current_path(browser) == target, "the login")


def test_cross_site_login_form_is_rejected(browse, site, user, tmp_path):
    """R45: a page of another site cannot log a user in."""
    browser = browse()
    page = tmp_path / "evil.html"
    page.write_text(
        f'<form method="post" action="{browser.site}/login">'
        f'<input name="email" value="{user.email}">'
        f'<input name="password" value="{user.password}">'
        '<button>win a prize</button></form>', encoding="utf-8")
    browser.driver.get(f"file://{page}")
    submit(browser)
    browser.wait(lambda: current_path(browser) == "/login", "the answer")
    assert "not allowed" in error_message(browser)
    assert browser.driver.get_cookies() == []


def test_login_page_off(backend, user):
    """POSTERN_LOGIN_PAGE=off: POSTERN_LOGIN_URL is the site's own page."""
    site = servers.Lighttpd(backend, POSTERN_LOGIN_PAGE="off",
                            POSTERN_LOGIN_URL="/signin.html?from=gate")
    try:
        assert site.get("/login").status == http.client.NOT_FOUND
        answer = site.get("/members/", headers=[
            ("Sec-Fetch-Mode", "navigate")])
        assert answer.get("location") == (
            "/signin.html?from=gate&return_to=%2Fmembers%2F")
        answer = site.form("/login", {"email": user.email, "password": "x"})
        assert answer.status == 401 and "<form" not in answer.text
        answer = site.form("/login", {"email": user.email,
                                      "password": user.password,
                                      "return_to": "/members/"})
        assert (answer.status, answer.get("location")) == (303, "/members/")
    finally:
        site.close()
