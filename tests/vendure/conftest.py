# SPDX-License-Identifier: ISC
"""Vendures, gateways in front of them, and a client for each way through."""

import os
import signal
import sys

import pytest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "e2e"))
import gateway as gateways  # noqa: E402
import shop as shops  # noqa: E402

LOG_SHOWN = 6000  # characters

# The client's method (design 2.1), what this client keeps of it, and through
# which door it comes.
WAYS = {"cookie": ("cookie", "cookie", lambda gate: gate),
        "bearer": ("bearer", "bearer", lambda gate: gate),
        "both-by-cookie": ("cookie,bearer", "cookie", lambda gate: gate),
        "both-by-bearer": ("cookie,bearer", "bearer", shops.SideDoor)}


def pytest_configure():
    """Told to end, end as with Ctrl-C: nothing that was started stays."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(name="all_shops", scope="session")
def all_shops_fixture():
    assert shops.FOLDER, "tests/vendure/run says where Vendure is"
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
    """A Vendure with this tokenMethod; some tests ask for "both" as well."""
    return all_shops[request.param]


@pytest.fixture(name="gate_of", scope="session")
def gate_of_fixture():
    """gate_of(shop, methods, NAME=value…): the same is started only once."""
    gates, faults = {}, []

    def gate_of(shop, methods="cookie,bearer", **options):
        key = (shop.method, methods, *sorted(options.items()))
        if key not in gates:
            gates[key] = shops.Gate(shop, methods, **options)
        return gates[key]

    yield gate_of
    for gate in gates.values():
        try:
            gate.close()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n\n".join(faults)


@pytest.fixture(name="gate", scope="session", params=WAYS)
def gate_fixture(request, shop, gate_of):
    methods, kind, door = WAYS[request.param]
    return door(gate_of(shop, methods)), kind


@pytest.fixture(name="visitor")
def visitor_fixture(gate):
    """visitor() is somebody who has not been here before."""
    return lambda: shops.Client(*gate)


@pytest.fixture(name="anybody", params=["direct", *WAYS])
def anybody_fixture(request, shop, gate_of):
    """The same; also without a gateway, to see what Vendure does itself."""
    if request.param == "direct":
        door = shops.Direct(shop)
        return lambda: shops.Client(door, door.kind)
    methods, kind, door = WAYS[request.param]
    return lambda: shops.Client(door(gate_of(shop, methods)), kind)


@pytest.fixture(name="alice")
def alice_fixture(shop):
    return shop.register()


@pytest.fixture(name="bob")
def bob_fixture(shop):
    return shop.register()


def log_of(one):
    return one.log if isinstance(one, gateways.Gateway) else one.read_log()


@pytest.fixture(autouse=True)
def from_here_on(request):
    """What came before is no affair of this test."""
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
