"""A real `redis-server` of our own, which can be killed, stopped, started again and squeezed."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import redis

REDIS = shutil.which("redis-server") or shutil.which("valkey-server")


class RedisServer:
    """One server in *folder*; every write is on its disk before it answers."""

    def __init__(self, folder: Path, *settings: str, host: str = "127.0.0.1") -> None:
        assert REDIS is not None, "no redis-server here: apt-get install redis-server"
        self.folder, self.host, self.settings = folder, host, settings
        self.port = free_port(host)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://{self.host}:{self.port}/0"

    def start(self) -> RedisServer:
        """Start it, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        words = ["--port", str(self.port), "--bind", self.host, "--dir", str(self.folder)]
        words += ["--appendonly", "yes", "--appendfsync", "always", "--save", "", *self.settings]
        words += ["--protected-mode", "no", "--daemonize", "no", "--loglevel", "warning"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([REDIS or "", *words], stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(redis.ConnectionError), self.client() as client:
                if client.execute_command("PING"):
                    return self
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text())

    def client(self) -> redis.Redis:
        """Return a client for a test's own look."""
        return redis.Redis(host=self.host, port=self.port, decode_responses=True)

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """Let it hang: connections stay, nothing is answered."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


def free_port(host: str) -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server((host, 0)) as taken:
        port: int = taken.getsockname()[1]
    return port
