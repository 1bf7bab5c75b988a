# SPDX-License-Identifier: ISC
"""The demo page with a Vendure shop, in a real browser: login keeps the cart. By
mouse and by keyboard."""

import pytest
from dialect import BACKENDS, LOGOUT, ShopClient, Shop
from gateway import Starter
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from test_page import EMAIL, PASSWORD, Browser, log_in


@pytest.fixture(name="shop", scope="module", params=["bearer", "cookie"])
def shop_fixture(request):
    """A gateway for a shop with this token method."""
    backend = Shop(request.param)
    starter = Starter(backend)
    shop = starter(**BACKENDS[request.param])
    shop.private.add(PASSWORD)
    yield shop
    starter.close()
    backend.close()


@pytest.fixture(name="browse")
def browse_fixture(shop, tmp_path):
    browsers = []

    def browse(**options):
        folder = tmp_path / str(len(browsers))
        folder.mkdir()
        browsers.append(Browser(shop, folder, **options))
        return browsers[-1]

    yield browse
    for browser in browsers:
        browser.driver.quit()


def cart(browser):
    """({name: quantity}, total), read in one step; total is None if empty."""
    lines, total = browser.driver.execute_script("""
        return [[...document.querySelectorAll('#cart-lines li')].map((line) =>
            [line.querySelector('.name').textContent,
             +line.querySelector('.count').textContent]),
            document.getElementById('cart-total').textContent];""")
    return dict(lines), total if lines else None


def add_to_cart(browser, name):
    browser.driver.find_element(By.XPATH, (
        f"//li[h3='{name}']//button")).click()


def wait_for_message(browser, words):
    browser.wait(lambda: words in browser.find("news").get_attribute(
        "textContent"), words)


def test_login_keeps_the_cart(shop, browse):
    browser = browse()
    browser.open()
    browser.wait(lambda: len(browser.driver.find_elements(
        By.CSS_SELECTOR, "#goods li")) == 5, "products")
    assert not browser.find("market").is_displayed()
    assert browser.cookies() == []  # queries start no guest session
    assert cart(browser) == ({}, None)
    assert browser.find("cart-empty").is_displayed()
    browser.picture("1-looking")

    add_to_cart(browser, "Iron key")
    wait_for_message(browser, "Iron key is in the cart: 1 thing, 12.50 EUR.")
    add_to_cart(browser, "Iron key")
    wait_for_message(browser, "2 things")
    add_to_cart(browser, "Lavender, a bundle")
    wait_for_message(browser, "3 things")
    want = ({"Iron key": 2, "Lavender, a bundle": 1}, "29.20 EUR")
    assert cart(browser) == want
    (guest,) = browser.cookies()
    assert guest["expiry"] and guest["httpOnly"]
    assert browser.find("login-form").is_displayed()
    browser.picture("2-guest")
    browser.driver.refresh()
    browser.wait(lambda: cart(browser) == want, "kept")
    browser.check_console()

    log_in(browser, "not the password")
    browser.wait_for("login-problem")
    assert cart(browser) == want
    browser.check_console("responded with a status of 401")
    log_in(browser)
    inside = browser.wait_for("inside")
    browser.wait(lambda: "Dora the Demo" in inside.text, "who")
    assert EMAIL in inside.text
    assert cart(browser) == want
    (cookie,) = browser.cookies()
    assert cookie["value"] != guest["value"] and "expiry" not in cookie
    browser.picture("3-inside")
    browser.check_no_secret(shop)

    browser.find("logout").click()
    browser.wait_for("login-form")
    browser.wait(lambda: cart(browser) == ({}, None), "empty")
    log_in(browser)
    browser.wait(lambda: cart(browser) == want, "back")
    browser.check_console()
    empty_the_cart(browser)


def empty_the_cart(browser):
    """By keyboard; the focus moves to a control that can still be used."""
    for _ in range(6):
        buttons = browser.driver.find_elements(By.CSS_SELECTOR,
                                               "#cart-lines .less")
        if not buttons:
            break
        before = cart(browser)
        buttons[0].send_keys(Keys.ENTER)
        browser.wait(lambda: cart(browser) != before, "less")
        browser.wait(lambda: browser.focused.get_attribute("class") in (
            "less step", ""), "focus")
    assert cart(browser) == ({}, None)
    browser.wait(lambda: browser.focused.get_attribute("id") == "cart-title",
                 "focus")


def test_keyboard_on_a_narrow_screen_in_dark_mode(browse):
    browser = browse(width=500, dark=True)
    browser.open()
    browser.wait(lambda: browser.driver.find_elements(
        By.CSS_SELECTOR, "#goods li"), "products")
    browser.focused.send_keys(Keys.TAB)
    assert browser.focused.text == "Skip to the products"
    browser.focused.send_keys(Keys.ENTER)
    browser.focused.send_keys(Keys.TAB)
    assert browser.focused.text.startswith("Add to cart")
    name = browser.focused.get_attribute("textContent")
    assert name == "Add to cart: Iron key"
    browser.focused.send_keys(Keys.ENTER)
    wait_for_message(browser, "Iron key is in the cart")
    assert browser.focused.get_attribute("textContent") == name
    more = browser.driver.find_element(By.CSS_SELECTOR, "#cart-lines .more")
    assert more.get_attribute("aria-label") == "One Iron key more"
    more.send_keys(Keys.ENTER)
    wait_for_message(browser, "2 of Iron key, 2 things in all.")
    assert browser.focused.get_attribute("aria-label") == "One Iron key more"
    assert browser.driver.execute_script(
        "return document.documentElement.scrollWidth <= innerWidth")
    browser.picture("guest")
    browser.check_console()


def test_fast_clicks_all_count(browse):
    """The page sends the changes of an order one after the other."""
    browser = browse()
    browser.open()
    browser.wait(lambda: browser.driver.find_elements(
        By.CSS_SELECTOR, "#goods li"), "products")
    add_to_cart(browser, "Iron key")
    wait_for_message(browser, "Iron key")
    browser.driver.execute_script(
        "document.querySelectorAll('#goods button').forEach((b) =>"
        " b.click())")
    browser.wait(lambda: sum(cart(browser)[0].values()) == 6, "six")


def test_registration_keeps_the_cart(shop, browse):
    browser = browse()
    browser.open()
    browser.wait_for("to-register")
    browser.wait(lambda: browser.driver.find_elements(
        By.CSS_SELECTOR, "#goods li"), "products")
    add_to_cart(browser, "Espalier pear")
    wait_for_message(browser, "Espalier pear")
    browser.find("to-register").click()
    browser.type("new-name", "Nora Neumann")
    browser.type("new-email", f"nora-{shop.backend.method}@example.com")
    browser.type("new-password", "a new password")
    shop.private.add("a new password")
    browser.press("register-form")
    browser.wait_for("inside")
    browser.wait(lambda: browser.find("who").text == "Nora Neumann", "who")
    assert cart(browser)[0] == {"Espalier pear": 1}
    browser.check_console()


def test_logout_on_another_device_is_shown(shop, browse):
    """Vendure's logout ends the sessions of all devices; the page reports it."""
    account = shop.backend.register("Vera Vogel")
    browser = browse()
    browser.open()
    browser.wait_for("login-form")
    browser.type("email", account.email)
    browser.type("password", account.password)
    browser.press("login-form")
    browser.wait_for("inside")
    browser.wait(lambda: browser.find("who").text == "Vera Vogel", "who")
    ShopClient(shop.backend).log_in(account).ask(LOGOUT)
    add_to_cart(browser, "Iron key")
    notice = browser.wait_for("login-notice")
    assert notice.text.startswith("Your session has ended.")
    browser.wait(lambda: cart(browser)[0] == {"Iron key": 1}, "a new cart")
    browser.check_console()
