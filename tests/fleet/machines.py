"""Machines: network namespaces with a folder each, on one bridge; or folders, without root.

Redis listens on the bridge. The authorization server listens on loopback alone, as any that
speaks plain HTTP: each machine has a forwarder on its own loopback, to one on the bridge.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import Self

from click_auth.testing import AuthorizationServer
from fleet.redis_server import RedisServer
from refresh.crowd import outcome

HERE = Path(__file__).parent
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="  # pragma: allowlist secret


def run(*words: str) -> bool:
    """Run a command; return whether it worked."""
    done = subprocess.run(words, capture_output=True, check=False)
    return done.returncode == 0


@dataclass
class Machine:
    """A folder, and a namespace where there can be one; `prefix` starts a process in it."""

    name: str
    folder: Path
    prefix: tuple[str, ...]
    environ: dict[str, str]

    def start(self, mode: str, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """Start a worker here."""
        words = [*self.prefix, sys.executable, str(HERE / "worker.py"), mode, *arguments]
        pipe = subprocess.PIPE
        variables = {**self.environ, "TODO_CONFIG_DIR": str(self.folder), **environ}
        return subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, env=variables)

    def run(self, mode: str, *arguments: str, **environ: str) -> dict[str, Any]:
        """Run a worker to its end and return what it printed."""
        return outcome(self.start(mode, *arguments, **environ))

    @contextlib.contextmanager
    def cut_off(self) -> Iterator[None]:
        """Pull the cable for a block."""
        assert run("ip", "link", "set", f"{self.name}h", "down")
        try:
            yield
        finally:
            assert run("ip", "link", "set", f"{self.name}h", "up")


class Fleet:
    """Some machines, a Redis and an authorization server, for the length of a block."""

    def __init__(self, folder: Path, size: int, *, lease: float = 2.0) -> None:
        self._stack = contextlib.ExitStack()
        self._name = f"ca{os.getpid() % 100000}"
        self._forwarders: list[subprocess.Popen[bytes]] = []
        self.has_namespaces = self._bridge()
        host = self._address(1) if self.has_namespaces else "127.0.0.1"
        self.redis = RedisServer(folder / "redis", host=host).start()
        self.server = self._stack.enter_context(AuthorizationServer())
        self.environ = {
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "1",
            "TODO_AUTH_KEY": KEY,
            "FLEET_REDIS": self.redis.url,
            "FLEET_LEASE": str(lease),
            "FLEET_ISSUER": self.server.url,
        }
        if self.has_namespaces:
            self._forward(host, "127.0.0.1")
        self.machines = [self._machine(folder, number) for number in range(size)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._forwarders:
            each.kill()
            each.communicate()
        self.redis.kill()
        self._stack.close()

    def _address(self, number: int) -> str:
        return f"10.{77 + os.getpid() % 100}.0.{number}"

    def _bridge(self) -> bool:
        """Make the bridge that the machines are on; return whether that is allowed here."""
        if shutil.which("ip") is None or not run("ip", "link", "add", self._name, "type", "bridge"):
            return False
        self._stack.callback(run, "ip", "link", "del", self._name)
        address = f"{self._address(1)}/24"
        return run("ip", "addr", "add", address, "dev", self._name) and run(
            "ip", "link", "set", self._name, "up"
        )

    def _machine(self, folder: Path, number: int) -> Machine:
        home = folder / f"machine-{number}"
        if not self.has_namespaces:
            return Machine(str(number), home, (), self.environ)
        name = f"{self._name}m{number}"
        self._stack.callback(run, "ip", "netns", "del", name)
        inside = ("ip", "-n", name)
        for words in (
            ("ip", "netns", "add", name),
            (
                "ip",
                "link",
                "add",
                f"{name}h",
                "type",
                "veth",
                "peer",
                "name",
                "eth0",
                "netns",
                name,
            ),
            ("ip", "link", "set", f"{name}h", "master", self._name, "up"),
            (*inside, "addr", "add", f"{self._address(10 + number)}/24", "dev", "eth0"),
            (*inside, "link", "set", "eth0", "up"),
            (*inside, "link", "set", "lo", "up"),
        ):
            assert run(*words), words
        prefix = ("ip", "netns", "exec", name)
        self._forward("127.0.0.1", self._address(1), *prefix)
        return Machine(name, home, prefix, self.environ)

    def _forward(self, here: str, there: str, *prefix: str) -> None:
        words = [
            *prefix,
            sys.executable,
            str(HERE / "forward.py"),
            here,
            there,
            str(self.server.port),
        ]
        forwarder = subprocess.Popen(words, stdout=subprocess.PIPE, env=os.environ)
        self._forwarders.append(forwarder)
        assert forwarder.stdout is not None
        assert forwarder.stdout.readline() == b"ready\n"

    def crowd(self, processes: int, mode: str, *arguments: str) -> list[dict[str, Any]]:
        """Run so many workers on each machine at once, and return what each printed."""
        started = [each.start(mode, *arguments) for each in self.machines for _ in range(processes)]
        return [outcome(process) for process in started]
