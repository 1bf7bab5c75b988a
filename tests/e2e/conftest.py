# SPDX-License-Identifier: ISC
"""Fixtures: backends, gateways and stores. The report of a failed test contains
the logs of the processes that were running."""

import canary
import gateway as gateways
import pytest
from redis_server import Redis

LOG_SHOWN_MAX = 3000  # characters


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "quick: login, query, logout and the trust rules, also behind "
        "each web server; tests/run quick runs these")
    config.addinivalue_line(
        "markers", "uninstrumented: it makes no sense with a sanitizer, so it is "
        "not among the tests of such a build")


def pytest_collection_modifyitems(config, items):
    if not gateways.is_sanitized():
        return
    dropped = [item for item in items
               if item.get_closest_marker("uninstrumented")]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in dropped]


@pytest.fixture(name="backend", scope="session")
def backend_fixture():
    backend = gateways.Backend()
    yield backend
    backend.close()


@pytest.fixture(name="own_backend")
def own_backend_fixture():
    """own_backend(argument…) starts a backend for this test only."""
    backends = []

    def start(*arguments):
        backends.append(gateways.Backend(*arguments))
        return backends[-1]

    yield start
    for backend in backends:
        backend.close()


@pytest.fixture(name="start", scope="module")
def start_fixture(backend):
    """start(NAME=value…) gives a gateway that runs until the module ends."""
    starter = gateways.Starter(backend)
    yield starter
    starter.close()


@pytest.fixture(name="start_own")
def start_own_fixture(backend):
    """start_own(NAME=value…) gives a gateway for this test only."""
    starter = gateways.Starter(backend)
    yield starter
    starter.close()


@pytest.fixture(name="gateway", scope="module", params=["fastcgi", "cgi"])
def gateway_fixture(request, start):
    """A gateway with the default configuration, once by FastCGI, once by CGI."""
    return start(request.param)


@pytest.fixture(name="fastcgi", scope="module")
def fastcgi_fixture(start):
    """A gateway with the default configuration, by FastCGI."""
    return start()


@pytest.fixture(name="redis", scope="module")
def redis_fixture():
    redis = Redis()
    yield redis
    redis.close()


@pytest.fixture(name="store", scope="module", params=["lmdb", "redis"])
def store_fixture(request, redis):
    """The variables that select the store. LMDB is the default."""
    return {"POSTERN_STORE": redis.url} if request.param == "redis" else {}


@pytest.fixture(name="user", scope="session")
def user_fixture(backend):
    return backend.register("Ulla")


@pytest.fixture(autouse=True)
def discard_planned_responses(request):
    """A response planned in one test never reaches the next test."""
    backend = ("backend" in request.fixturenames
               and request.getfixturevalue("backend"))
    yield
    if isinstance(backend, gateways.Backend):
        backend.forget()


@pytest.fixture(autouse=True)
def no_response_has_a_secret():
    """canary.py searched the responses of this test when they came."""
    yield
    faults = canary.take_faults()
    assert not faults, "\n".join(faults)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if not report.failed:
        return
    for process in gateways.running[-3:]:
        text = (process.log if isinstance(process, gateways.Gateway)
                else process.read_log())
        report.sections.append(
            (f"log of {type(process).__name__} {process.folder}",
             text[-LOG_SHOWN_MAX:]))
