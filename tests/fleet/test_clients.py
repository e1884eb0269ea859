"""What stands before a Redis: TLS, users with few permissions, Sentinel, a cluster."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.cluster import ClusterNode, RedisCluster
from redis.sentinel import Sentinel

from click_auth import Account, Auth, OAuthProvider, TokenBundle
from click_auth.errors import StorageUnavailable, StoreUnreachable
from click_auth.redis import RedisTokenStore
from click_auth.testing import AuthorizationServer, logged_in
from fleet.redis_server import REDIS, RedisServer, free_port
from providers.certificates import self_signed

DOCS = Path(__file__).parents[2] / "docs" / "fleets.md"
CLI = shutil.which("redis-cli") or shutil.which("valkey-cli")
ADA, KEY = Account("ada", "Ada"), bytes(range(32))


def use(client_or_url: Any, folder: Path) -> Auth:
    """Log in, refresh, look with the doctor, log out and in again: all that Redis is used for."""
    with AuthorizationServer() as server:
        provider = OAuthProvider(
            client_id="todo-cli",
            authorization_endpoint=f"{server.url}/authorize",
            token_endpoint=f"{server.url}/token",
            api_url=server.api_url,
        )
        store = opened(client_or_url)
        auth = Auth("todo", provider, store=store, folder=folder)
        logged_in(auth, server=server, expires_in=-5.0)
        token = auth.access_token()
        assert store.active("ada") == opened(client_or_url).active() == token
        found = {check.name: check for check in auth.doctor().checks if "redis" in check.name}
        assert len(found) == 5
        assert {check.verdict for check in found.values()} == {"ok"}, found
        with store.lock("ada"), pytest.raises(TimeoutError):
            opened(client_or_url).account_store.records._records.lock("ada", 0.3).__enter__()
        store.clear("ada")
        assert list(opened(client_or_url).accounts()) == []
        store.set_bundle(ADA, TokenBundle("at-1", "rt-1"), promote_default=True)
        return auth


def opened(client_or_url: Any) -> RedisTokenStore:
    """Return a machine's handle."""
    return RedisTokenStore(client_or_url, app_name="todo", key=KEY, lease=2.0)


def wait_for(question: Callable[[], bool], what: str, seconds: float = 40.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Lend a function that starts a server with some settings."""
    servers: list[RedisServer] = []

    def run(*settings: str) -> RedisServer:
        servers.append(RedisServer(tmp_path / f"redis-{len(servers)}", *settings))
        return servers[-1].start()

    yield run
    for each in servers:
        each.kill()


def test_tls(start: Callable[..., RedisServer], tmp_path: Path) -> None:
    """By URL and by client; a certificate that nobody has vouched for is refused."""
    pem, port = self_signed(tmp_path), str(free_port("127.0.0.1"))
    words = ("--tls-cert-file", "--tls-key-file", "--tls-ca-cert-file")
    files = [word for name in words for word in (name, str(pem))]
    start("--tls-port", port, "--tls-auth-clients", "no", *files)
    use(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={pem}", tmp_path)
    with redis.Redis("127.0.0.1", int(port), ssl=True, ssl_ca_certs=str(pem)) as client:
        use(client, tmp_path)
    with pytest.raises(StoreUnreachable, match="certificate verify failed"):
        opened(f"rediss://127.0.0.1:{port}/0").active()


def test_a_user_with_the_documented_permissions(server: RedisServer, tmp_path: Path) -> None:
    """They are enough; another application's keys are not reached."""
    text = re.search(r"^\| ACL \| `([^`]+)`", DOCS.read_text("utf-8"), re.MULTILINE)
    assert text is not None
    rules = text[1].split()
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "todo", "on", ">secret", *rules)
        try:
            use(f"redis://todo:secret@127.0.0.1:{server.port}/0", tmp_path)
            with redis.Redis(port=server.port, username="todo", password="secret") as client:
                use(client, tmp_path)
                other = RedisTokenStore(client, app_name="other", key=KEY, lease=2.0)
                with pytest.raises(StorageUnavailable, match="permission"):
                    other.active()
        finally:
            admin.acl_deluser("todo")


@pytest.fixture
def sentinel_port(tmp_path: Path) -> Iterator[Callable[[RedisServer], int]]:
    """Lend a function that starts a sentinel that watches over a master."""
    processes: list[subprocess.Popen[bytes]] = []

    def run(master: RedisServer) -> int:
        port, file = free_port("127.0.0.1"), tmp_path / "sentinel.conf"
        file.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\n"
            f"sentinel monitor todo 127.0.0.1 {master.port} 1\n"
            "sentinel down-after-milliseconds todo 1000\nsentinel failover-timeout todo 5000\n"
        )
        words = [REDIS or "", str(file), "--sentinel"]
        with (tmp_path / "sentinel.log").open("ab") as log:
            processes.append(subprocess.Popen(words, stdout=log, stderr=log))
        return port

    yield run
    for each in processes:
        each.kill()
        each.wait()


def test_sentinel(
    start: Callable[..., RedisServer],
    sentinel_port: Callable[[RedisServer], int],
    tmp_path: Path,
) -> None:
    """The session outlives its master, and so does the lock of a holder."""
    master = start("--repl-diskless-sync-delay", "0")
    replica = start("--replicaof", f"127.0.0.1 {master.port}")
    guard = Sentinel([("127.0.0.1", sentinel_port(master))], socket_timeout=1.0)
    with guard.master_for("todo", socket_timeout=1.0) as client, replica.client() as far:
        wait_for(lambda: bool(guard_knows(guard)), "the sentinel finds the replica")
        use(client, tmp_path)
        wait_for(lambda: client.execute_command("WAIT", 1, 500) == 1, "the replica has it all")
        with opened(client).lock("ada"):
            master.kill()
            with pytest.raises(StoreUnreachable):
                opened(client).active("ada")
            wait_for(lambda: far.info()["role"] == "master", "the replica takes over")
            wait_for(lambda: was_read(client), "the client finds it")
            records: Any = opened(client).account_store.records
            with pytest.raises(TimeoutError):
                records._records.lock("ada", 0.3).__enter__()
        with opened(client).lock("ada"):
            opened(client).set(ADA, "at-2")
        assert opened(client).active("ada") == "at-2"


def guard_knows(guard: Sentinel) -> list[Any]:
    """Return the replicas that the sentinel has found; none while it starts."""
    try:
        return list(guard.discover_slaves("todo"))
    except (redis.ConnectionError, redis.sentinel.SlaveNotFoundError):
        return []


def was_read(client: Any) -> bool:
    """Whether the account is found, with what it had."""
    try:
        return opened(client).active("ada") == "at-1"
    except StoreUnreachable:
        return False


def test_a_cluster(start: Callable[..., RedisServer], tmp_path: Path) -> None:
    """All keys of an application lie on one node, whichever that is."""
    nodes = [start("--cluster-enabled", "yes") for _ in range(3)]
    addresses = [f"127.0.0.1:{each.port}" for each in nodes]
    words = (CLI or "", "--cluster", "create", *addresses, "--cluster-yes")
    subprocess.run(words, check=True, capture_output=True)
    start_node = [ClusterNode("127.0.0.1", nodes[0].port)]
    with RedisCluster(startup_nodes=start_node) as client:
        wait_for(lambda: client.cluster_info()["cluster_state"] == "ok", "the cluster is made")
        use(client, tmp_path)
        assert opened(client).active() == "at-1"
    sizes = []
    for each in nodes:
        with each.client() as own:
            sizes.append(own.dbsize())
    assert sorted(sizes)[:2] == [0, 0]
    assert max(sizes) > 2
