# SPDX-License-Identifier: ISC
"""Vendure servers, gateways in front of them, and a client for each token
transport."""

import os
import signal
import sys

import pytest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "e2e"))
import gateway as gateways  # noqa: E402
import shop as shops  # noqa: E402

LOG_SHOWN = 6000  # characters

# The gateway's token methods (design 2.1), the transport that the client uses,
# and how it connects.
TRANSPORTS = {"cookie": ("cookie", "cookie", lambda gateway: gateway),
              "bearer": ("bearer", "bearer", lambda gateway: gateway),
              "both-by-cookie": ("cookie,bearer", "cookie",
                                 lambda gateway: gateway),
              "both-by-bearer": ("cookie,bearer", "bearer",
                                 shops.DirectFastCgi)}


def pytest_configure():
    """End on SIGTERM as on Ctrl-C: the fixtures stop their processes."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(name="all_shops", scope="session")
def all_shops_fixture():
    assert shops.FOLDER, "VENDURE_FOLDER is not set: use tests/vendure/run"
    started = {method: shops.Shop(method)
               for method in ("bearer", "cookie", "both")}
    try:
        for shop in started.values():
            shop.wait()
        yield started
    finally:
        for shop in started.values():
            shop.close()


@pytest.fixture(name="shop", scope="session",
                params=["bearer", "cookie"],
                ids="vendure-{}".format)
def shop_fixture(request, all_shops):
    """A Vendure with this tokenMethod; some tests use "both" as well."""
    return all_shops[request.param]


@pytest.fixture(name="gateway_for", scope="session")
def gateway_for_fixture():
    """gateway_for(shop, methods, NAME=value…) starts a gateway, or returns the
    one with these arguments."""
    started, faults = {}, []

    def gateway_for(shop, methods="cookie,bearer", **options):
        key = (shop.method, methods, *sorted(options.items()))
        if key not in started:
            started[key] = shops.ShopGateway(shop, methods, **options)
        return started[key]

    yield gateway_for
    for gateway in started.values():
        try:
            gateway.close()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n\n".join(faults)


@pytest.fixture(name="gateway", scope="session", params=TRANSPORTS)
def gateway_fixture(request, shop, gateway_for):
    methods, kind, wrap = TRANSPORTS[request.param]
    return wrap(gateway_for(shop, methods)), kind


@pytest.fixture(name="new_client")
def new_client_fixture(gateway):
    """new_client() returns a client without a session."""
    return lambda: shops.Client(*gateway)


@pytest.fixture(name="any_client", params=["direct", *TRANSPORTS])
def any_client_fixture(request, shop, gateway_for):
    """any_client() is new_client(), or a client without a gateway, to test
    Vendure's own behaviour."""
    if request.param == "direct":
        server = shops.Direct(shop)
        return lambda: shops.Client(server, server.kind)
    methods, kind, wrap = TRANSPORTS[request.param]
    return lambda: shops.Client(wrap(gateway_for(shop, methods)), kind)


@pytest.fixture(name="alice")
def alice_fixture(shop):
    return shop.register()


@pytest.fixture(name="bob")
def bob_fixture(shop):
    return shop.register()


def log_of(one):
    return one.log if isinstance(one, gateways.Gateway) else one.read_log()


@pytest.fixture(autouse=True)
def ignore_earlier_requests(request):
    """A test sees only its own requests and log lines."""
    if "shop" in request.fixturenames:
        request.getfixturevalue("shop").seen()
    request.node.logged = {id(one): len(log_of(one))
                           for one in gateways.running}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if not report.failed:
        return
    for one in gateways.running:
        text = log_of(one)[getattr(item, "logged", {}).get(id(one), 0):]
        if text:
            report.sections.append(
                (f"log of {type(one).__name__} {one.folder}",
                 text[-LOG_SHOWN:]))
