# SPDX-License-Identifier: ISC
"""Redis that is restarted, frozen, failed over by Sentinel, and in a Cluster."""

import concurrent.futures
import subprocess
import threading
import time

import gateway as gateways
import pytest
from redis_server import Server, free_ports

AUDIENCE = "shop"


@pytest.fixture(name="servers")
def servers_fixture():
    """A list of servers that are closed after the test."""
    servers = []
    yield servers
    for server in servers:
        server.close()


def is_valid(gateway, cookie):
    answer = gateway.get("/session", cookie=cookie)
    return answer.status == 200 and \
        answer.json["data"]["session"] is not None


def is_revoked(gateway, cookie):
    answer = gateway.get("/session", cookie=cookie)
    return answer.status == 200 and answer.json["data"]["session"] is None


def clients_of(server):
    answer = server.command("INFO clients").decode()
    return int(answer.partition("connected_clients:")[2].split()[0])


def test_one_connection_a_loop(start_own, servers, user):
    """200 requests at once share one connection for each loop."""
    redis = Server(free_ports(1)[0])
    servers.append(redis)
    gateway = start_own(POSTERN_STORE=f"redis://127.0.0.1:{redis.port}",
                        POSTERN_LOOPS="1")
    cookie = gateway.cookie_for(user)
    ended = gateway.cookie_for(user)
    assert gateway.post("/logout", cookie=ended).status == 200
    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        jobs = [pool.submit(gateway.query, cookie=(cookie, ended)[i % 2])
                for i in range(600)]
        for i, job in enumerate(jobs):
            answer = job.result()
            assert answer.status == 200, answer
            assert (answer.json["data"]["me"] is not None) == (i % 2 == 0)
    # The programs login, query, logout and session, and this command.
    assert clients_of(redis) <= 5


def test_kill_and_restart_under_load(start_own, servers, user):
    """The only errors are 503, and they end by themselves."""
    redis = Server(free_ports(1)[0])
    servers.append(redis)
    gateway = start_own(POSTERN_STORE=f"redis://127.0.0.1:{redis.port}")
    cookie = gateway.cookie_for(user)
    done = threading.Event()
    statuses = []
    ended = []

    def work():
        while not done.is_set():
            statuses.append(gateway.query(cookie=cookie).status)
            answer = gateway.log_in(user)
            statuses.append(answer.status)
            if answer.status != 200:
                continue
            own = gateways.http_client.cookie_of(answer)[1]
            status = gateway.post("/logout", cookie=own).status
            statuses.append(status)
            if status == 200:
                ended.append(own)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(work) for _ in range(8)]
        for _ in range(3):
            time.sleep(0.5)
            redis.kill()
            time.sleep(0.5)
            redis.start()
        healed = gateways.wait_until(lambda: all(
            gateway.log_in(user).status == 200 for _ in range(4)), 10)
        done.set()
        for job in jobs:
            job.result()
    assert healed and set(statuses) == {200, 503}, set(statuses)
    assert is_valid(gateway, cookie)
    assert ended and all(is_revoked(gateway, own) for own in ended[-20:])


def test_frozen_redis(start_own, servers, user):
    """Requests that need it fail within about a second; others do not wait."""
    redis = Server(free_ports(1)[0])
    servers.append(redis)
    gateway = start_own(POSTERN_STORE=f"redis://127.0.0.1:{redis.port}",
                        POSTERN_LOOPS="1")
    cookie = gateway.cookie_for(user)
    assert gateway.query(cookie=cookie).status == 200
    redis.pause()

    def timed(**options):
        begin = time.monotonic()
        return gateway.query(**options).status, time.monotonic() - begin

    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        held = [pool.submit(timed, cookie=cookie) for _ in range(30)]
        time.sleep(0.2)
        free = [pool.submit(timed) for _ in range(10)]
        for job in free:
            status, seconds = job.result()
            assert status == 200 and seconds < 0.8
        for job in held:
            status, seconds = job.result()
            assert status == 503 and seconds < 2
    status, seconds = timed(cookie=cookie)
    assert status == 503 and seconds < 1.5
    redis.resume()
    assert gateways.wait_until(
        lambda: gateway.query(cookie=cookie).status == 200, 10)


def start_sentinels(servers, count, *options):
    """A master, a replica, and sentinels that know both."""
    ports = free_ports(2 + count)
    master = Server(ports[0], *options)
    servers.append(master)
    replica = Server(ports[1], f"replicaof 127.0.0.1 {ports[0]}", *options)
    servers.append(replica)
    for port in ports[2:]:
        sentinel = Server(
            port, f"sentinel monitor mymaster 127.0.0.1 {ports[0]} "
            f"{count // 2 + 1}",
            "sentinel down-after-milliseconds mymaster 500",
            "sentinel failover-timeout mymaster 3000", sentinel=True)
        servers.append(sentinel)
    assert gateways.wait_until(
        lambda: b"master_link_status:up" in replica.command("INFO replication"))
    assert gateways.wait_until(lambda: all(
        b"num-slaves\r\n$1\r\n1" in text
        and b"num-other-sentinels\r\n$1\r\n%d" % (count - 1) in text
        for text in (sentinel.command("SENTINEL master mymaster")
                     for sentinel in servers[2:])), 20)
    names = ",".join(f"127.0.0.1:{port}" for port in ports[2:])
    return master, replica, f"redis+sentinel://{names}/mymaster/0"


@pytest.mark.parametrize("count", [1, 3])
def test_sentinel_failover(start_own, servers, user, count):
    master, replica, url = start_sentinels(servers, count)
    gateway = start_own(POSTERN_STORE=url)
    cookie = gateway.cookie_for(user)
    ended = gateway.cookie_for(user)
    assert gateway.post("/logout", cookie=ended).status == 200
    assert is_revoked(gateway, ended) and is_valid(gateway, cookie)
    assert gateways.wait_until(lambda: b"lag=0" in master.command(
        "INFO replication") or b"lag=1" in master.command("INFO replication"))
    time.sleep(0.2)
    master.kill()
    assert gateway.query(cookie=cookie).status == 503
    # Sentinels that were delayed do nothing for half a minute.
    assert gateways.wait_until(
        lambda: b"role:master" in replica.command("INFO replication"), 60)
    assert gateways.wait_until(
        lambda: gateway.query(cookie=cookie).status == 200, 10)
    assert gateways.wait_until(
        lambda: gateway.log_in(user).status == 200, 5)
    assert gateways.wait_until(lambda: is_revoked(gateway, ended), 5)
    assert is_valid(gateway, cookie)
    # The old master comes back and becomes a replica (the sentinels would make it
    # one, but later); nothing goes there.
    master.start()
    assert master.command("REPLICAOF", "127.0.0.1",
                          str(replica.port)).startswith(b"+OK")
    assert gateway.log_in(user).status == 200
    assert gateway.post("/logout", cookie=cookie).status == 200
    assert is_revoked(gateway, cookie)


def test_sentinel_failover_of_a_master_that_lives(start_own, servers, user):
    """The old master is now a replica: what it answers with READONLY is sent to
    the new one."""
    master, replica, url = start_sentinels(servers, 1)
    gateway = start_own(POSTERN_STORE=url)
    cookie = gateway.cookie_for(user)
    assert servers[-1].command("SENTINEL failover mymaster").startswith(b"+OK")
    assert gateways.wait_until(
        lambda: b"role:master" in replica.command("INFO replication"), 20)
    # Until then it takes writes, and loses them.
    assert gateways.wait_until(
        lambda: b"role:slave" in master.command("INFO replication"), 20)
    assert gateways.wait_until(
        lambda: gateway.log_in(user).status == 200, 10)
    assert gateways.wait_until(lambda: is_valid(gateway, cookie), 10)
    assert gateways.wait_until(
        lambda: gateway.post("/logout", cookie=cookie).status == 200, 10)
    assert is_revoked(gateway, cookie)


def test_sentinel_password(start_own, servers, user):
    """The password of Redis is offered to the sentinels, which need none."""
    _, _, url = start_sentinels(servers, 1)
    for server in servers[:2]:
        assert server.command("CONFIG SET masterauth wrd-7").startswith(b"+OK")
        assert server.command("CONFIG SET requirepass wrd-7").startswith(b"+OK")
    gateway = start_own(POSTERN_STORE=url)
    assert gateway.log_in(user).status == 503
    assert "NOAUTH" in gateway.log
    gateway = start_own(POSTERN_STORE=url.replace("//", "//:wrd-7@", 1))
    assert gateway.log_in(user).status == 200
    assert "wrd-7" not in gateway.log


@pytest.fixture(name="cluster")
def cluster_fixture(servers):
    """Three nodes; the one that has the slot of the audience is the first."""
    for port in free_ports(3):
        servers.append(Server(port, "cluster-enabled yes",
                              "cluster-node-timeout 2000"))
    subprocess.run(["redis-cli", "--cluster", "create",
                    *(f"127.0.0.1:{server.port}" for server in servers),
                    "--cluster-yes"], check=True, timeout=60,
                   stdout=subprocess.DEVNULL)
    assert gateways.wait_until(lambda: all(
        b"cluster_state:ok" in server.command("CLUSTER INFO")
        for server in servers), 20)
    slot = int(servers[0].command(
        "CLUSTER", "KEYSLOT", "{%s}" % AUDIENCE)[1:])
    key = "{%s}" % AUDIENCE
    servers.sort(key=lambda server: server.command(
        "GET", key).startswith(b"-MOVED"))
    assert servers[0].command("GET", key) == b"$-1\r\n"
    return servers, slot


def test_cluster_moved(start_own, cluster, user):
    """The URL names a node that does not have our slot."""
    nodes, _ = cluster
    gateway = start_own(POSTERN_STORE=f"redis://127.0.0.1:{nodes[1].port}",
                        POSTERN_AUDIENCE=AUDIENCE, POSTERN_LOOPS="1")
    cookie = gateway.cookie_for(user)
    ended = gateway.cookie_for(user)
    assert gateway.post("/logout", cookie=ended).status == 200
    assert is_valid(gateway, cookie) and is_revoked(gateway, ended)
    before = nodes[1].command("INFO stats")
    for _ in range(10):
        assert gateway.query(cookie=cookie).status == 200
    # It is remembered: the other node got no more commands than these.
    count = [int(text.partition(b"total_commands_processed:")[2].split()[0])
             for text in (before, nodes[1].command("INFO stats"))]
    assert count[1] - count[0] <= 4
    # A restart of the node: the URL's node is asked again.
    nodes[0].kill()
    assert gateway.query(cookie=cookie).status == 503
    nodes[0].start()
    assert gateways.wait_until(
        lambda: gateway.query(cookie=cookie).status == 200, 20)
    assert is_revoked(gateway, ended)


def test_cluster_slot_migration(start_own, cluster, user):
    """ASK, while the slot moves to another node; MOVED, when it has."""
    (source, target, other), slot = cluster
    gateway = start_own(POSTERN_STORE=f"redis://127.0.0.1:{other.port}",
                        POSTERN_AUDIENCE=AUDIENCE)
    cookie = gateway.cookie_for(user)
    ended = gateway.cookie_for(user)
    assert gateway.post("/logout", cookie=ended).status == 200
    ids = [server.command("CLUSTER MYID").split(b"\r\n")[1].decode()
           for server in (source, target)]
    assert target.command(
        f"CLUSTER SETSLOT {slot} IMPORTING {ids[0]}") == b"+OK\r\n"
    assert source.command(
        f"CLUSTER SETSLOT {slot} MIGRATING {ids[1]}") == b"+OK\r\n"
    for moved in (False, True):
        # Keys that are at the source, at the target, and nowhere.
        assert is_valid(gateway, cookie) and is_revoked(gateway, ended)
        assert gateway.query(cookie=cookie).status == 200
        if moved:
            break
        keys = source.command(f"CLUSTER GETKEYSINSLOT {slot} 100").decode()
        for key in keys.split("\r\n"):
            if key.startswith("postern:{"):
                assert source.command(
                    "MIGRATE", "127.0.0.1", str(target.port), key, "0",
                    "5000") == b"+OK\r\n"
                assert is_valid(gateway, cookie)
                assert is_revoked(gateway, ended)
    # A script with several keys, of which some are new, has to wait until the
    # slot has moved.
    answer = gateway.log_in(user)
    assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
    assert "TRYAGAIN" in gateway.log
    for server in (target, source, other):
        assert server.command(
            f"CLUSTER SETSLOT {slot} NODE {ids[1]}") == b"+OK\r\n"
    assert is_valid(gateway, cookie)
    assert is_revoked(gateway, ended)
    late = gateway.cookie_for(user)
    assert gateway.post("/logout", cookie=late).status == 200
    assert is_revoked(gateway, late)
