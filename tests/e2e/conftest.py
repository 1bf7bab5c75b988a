# SPDX-License-Identifier: ISC
"""A backend for all tests, gateways for those that ask, and their logs where
a test has failed."""

import gateway as gateways
import pytest
from redis_server import Redis

LOG_SHOWN = 3000  # characters


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "quick: logging in, asking, logging out and the rules of "
        "trust, also behind each web server: what tests/run quick runs")


@pytest.fixture(name="backend", scope="session")
def backend_fixture():
    backend = gateways.Backend()
    yield backend
    backend.close()


@pytest.fixture(name="own_backend")
def own_backend_fixture():
    """own_backend(argument…) starts one for this test alone."""
    backends = []

    def start(*arguments):
        backends.append(gateways.Backend(*arguments))
        return backends[-1]

    yield start
    for backend in backends:
        backend.close()


@pytest.fixture(name="start", scope="module")
def start_fixture(backend):
    """For as long as the module's tests run."""
    starter = gateways.Starter(backend)
    yield starter
    starter.close()


@pytest.fixture(name="start_own")
def start_own_fixture(backend):
    """For this test alone."""
    starter = gateways.Starter(backend)
    yield starter
    starter.close()


@pytest.fixture(name="gateway", scope="module", params=["fastcgi", "cgi"])
def gateway_fixture(request, start):
    """One with nothing but the defaults, in both ways."""
    return start(request.param)


@pytest.fixture(name="fastcgi", scope="module")
def fastcgi_fixture(start):
    """One with nothing but the defaults, by FastCGI."""
    return start()


@pytest.fixture(name="redis", scope="module")
def redis_fixture():
    redis = Redis()
    yield redis
    redis.close()


@pytest.fixture(name="store", scope="module", params=["lmdb", "redis"])
def store_fixture(request, redis):
    """The variables that choose a store; LMDB is the gateway's own."""
    return {"POSTERN_STORE": redis.url} if request.param == "redis" else {}


@pytest.fixture(name="user", scope="session")
def user_fixture(backend):
    return backend.register("Ulla")


@pytest.fixture(autouse=True)
def nothing_planned(request):
    """What one test has planned for the backend is not the next one's."""
    backend = ("backend" in request.fixturenames
               and request.getfixturevalue("backend"))
    yield
    if isinstance(backend, gateways.Backend):
        backend.forget()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if not report.failed:
        return
    for one in gateways.running[-3:]:
        text = (one.log if isinstance(one, gateways.Gateway)
                else one.read_log())
        report.sections.append(
            (f"log of {type(one).__name__} {one.folder}", text[-LOG_SHOWN:]))
