"""Child processes that tests start, wait for and end: each by its own process id."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

# How long a child may take to become ready or to end, in seconds.
READY_SECONDS = 90.0
END_SECONDS = 20.0
POLL_SECONDS = 0.02


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = READY_SECONDS) -> None:
    """Wait until *condition* holds; raise TimeoutError naming *what* when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            message = f"waited {seconds} s in vain for {what}"
            raise TimeoutError(message)
        time.sleep(POLL_SECONDS)


@contextlib.contextmanager
def child(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    log: Path,
    stdin: bytes = b"",
    ready: Callable[[], bool] = lambda: True,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run *command* until the block ends; its output goes to *log*. Enters when it is ready."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=dict(env), stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        assert process.stdin is not None
        process.stdin.write(stdin)
        process.stdin.close()
        wait_until(lambda: ready() or process.poll() is not None, command[0])
        if process.poll() is not None:
            message = f"{command[0]} ended with {process.returncode}:\n{log.read_text()}"
            raise RuntimeError(message)
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process, kindly at first, and reap it."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(END_SECONDS)
