"""How the cost of `auth token` grows: with accounts, processes at once, and the token's size."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from click_auth.testing import AuthorizationServer
from expiries import posts
from measure import spread
from world import World, crowd, expire, log_in

ACCOUNTS = (1, 10, 100, 1_000, 10_000)
PROCESSES = (1, 2, 4, 8, 16, 32, 64)
TOKEN_BYTES = (64, 1 << 10, 4 << 10, 16 << 10, 64 << 10)
CROWD = 50
CROWD_GOAL = 1.3

Curves = Mapping[str, Mapping[int, Sequence[float]]]


def curves(world: World, rounds: int) -> Curves:
    """Measure and print all three, and return them: milliseconds by the size of the work."""
    token = world.auth("token")

    def with_accounts(count: int) -> Sequence[float]:
        crowd(world, count)
        token.sample()
        return [token.sample().cpu for _ in range(rounds)]

    def at_once(count: int) -> Sequence[float]:
        return [wall_of(world, count) / count for _ in range(max(rounds // 3, 1))]

    def with_token_of(size: int) -> Sequence[float]:
        keep_token(world, "x" * size)
        token.sample()
        return [token.sample().cpu for _ in range(rounds)]

    found = {
        "accounts stored (CPU ms)": measured(ACCOUNTS, with_accounts),
        "processes at once (wall ms for each)": measured(PROCESSES, at_once),
        "bytes of the token (CPU ms)": measured(TOKEN_BYTES, with_token_of),
    }
    for what, curve in found.items():
        print(f"\n| {what} | {' | '.join(f'{size:,}' for size in curve)} |")
        print(f"|---{'|---' * len(curve)}|")
        print(f"| `auth token` | {' | '.join(map(spread, curve.values()))} |", flush=True)
    return found


def measured(
    sizes: Sequence[int], measure: Callable[[int], Sequence[float]]
) -> Mapping[int, Sequence[float]]:
    """Return what each size costs."""
    return {size: measure(size) for size in sizes}


def crowds(world: World, server: AuthorizationServer, rounds: int) -> None:
    """Print how many processes fare whose token has expired, beside as many with a fresh one."""
    log_in(world.todo)
    walls: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for count in (1, CROWD):
            walls.setdefault(("fresh", count), []).append(wall_of(world, count))
            expire(world)
            with posts(server, 1):
                walls.setdefault(("expired", count), []).append(wall_of(world, count))
    fresh, expired = walls["fresh", CROWD], walls["expired", CROWD]
    one_post = statistics.median(walls["expired", 1]) - statistics.median(walls["fresh", 1])
    allowed = CROWD_GOAL * statistics.median(fresh) + one_post
    verdict = "met" if statistics.median(expired) <= allowed else "**missed**"
    print(
        f"\n| {CROWD} processes at once | fresh, wall ms | expired, wall ms | one POST, alone "
        f"| ratio | at most {CROWD_GOAL:.2f} x and one POST | |"
    )
    print("|---|---|---|---|---|---|---|")
    print(
        f"| `auth token`, 1 POST in all | {spread(fresh)} | {spread(expired)} | {one_post:.0f} "
        f"| {statistics.median(expired) / statistics.median(fresh):.2f} x | {allowed:.0f} ms "
        f"| {verdict} |",
        flush=True,
    )


def wall_of(world: World, count: int) -> float:
    """Return the milliseconds until so many `auth token` that start together have all ended."""
    program = world.auth("token")
    started = time.perf_counter()
    started_together = [
        subprocess.Popen(program.command, env=dict(program.environment), stdout=subprocess.DEVNULL)
        for _ in range(count)
    ]
    if any(process.wait() for process in started_together):
        raise RuntimeError("one of the crowd failed")
    return (time.perf_counter() - started) * 1000


def keep_token(world: World, token: str) -> None:
    """Put another access token into the keyring, from a process that has the keyring library."""
    program = "import keyring, os, sys; s = os.environ['SLOT']; "
    program += "keyring.set_password('todo/' + s, s, sys.stdin.read())"
    command = [world.auth().command[0], "-c", program]
    environment = dict(world.todo.environment)
    subprocess.run(command, input=token, text=True, env=environment, check=True)


def draw(found: Curves, path: Path) -> None:
    """Draw the curves side by side."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "click-auth"
    from matplotlib import pyplot as plt

    figure, plots = plt.subplots(1, len(found), figsize=(12, 3.2), layout="constrained")
    for plot, (what, curve) in zip(plots, found.items(), strict=True):
        middle = [statistics.median(values) for values in curve.values()]
        low, high = ([pick(each) for each in curve.values()] for pick in (min, max))
        plot.fill_between(list(curve), low, high, alpha=0.2)
        plot.plot(list(curve), middle, marker="o")
        plot.set(xscale="log", xlabel=what, ylim=(0, None))
    figure.suptitle("auth token: what it costs as the work grows (median, least and greatest)")
    figure.savefig(path, metadata={"Date": None})
    print(f"drawn: {path.name}")
