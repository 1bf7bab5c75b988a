# SPDX-License-Identifier: ISC
"""A Vendure on PostgreSQL loses writes of one session that come at the same
time (vendure-behaviour.md 5), unless POSTERN_ORDERED is on. On SQLite there is one
connection, so nothing is lost.
"""

import concurrent.futures

import pytest

import postgres
import shop as shops
from test_vendure import ADD, LANTERN, data, log_in, order

MANY = 10


@pytest.fixture(name="shop", scope="module")
def shop_fixture():
    database = postgres.Postgres()
    try:
        shop = shops.Shop("bearer", database.url)
        try:
            yield shop.wait()
        finally:
            shop.close()
    finally:
        database.close()


@pytest.fixture(name="gateway", scope="module")
def gateway_fixture(shop):
    gateway = shops.ShopGateway(shop, "bearer", POSTERN_ORDERED="on")
    yield gateway
    gateway.close()


@pytest.fixture(name="client")
def client_fixture(gateway):
    return shops.Client(gateway, "bearer")


def add_ten(client, before):
    """Ten at the same time, with one token, and each counts."""
    clients = [shops.Client(client.server, client.kind) for _ in range(MANY)]
    for one in clients:
        one.token = client.token
    with concurrent.futures.ThreadPoolExecutor(MANY) as pool:
        added = [data(answer) for answer in pool.map(
            lambda one: one.query(ADD, LANTERN), clients)]
    assert sorted(one["addItemToOrder"]["totalQuantity"] for one in added) == [
        *range(before + 1, before + MANY + 1)]
    assert len({one["addItemToOrder"]["code"] for one in added}) == 1
    assert order(client)["totalQuantity"] == before + MANY


def test_a_customer(shop, client):
    log_in(client, shop.register())
    add_ten(client, 0)


def test_a_guest_with_an_order(client):
    data(client.query(ADD, LANTERN))
    add_ten(client, 1)


def test_a_guest_without_an_order(client):
    assert order(client) is None and client.token
    add_ten(client, 0)
