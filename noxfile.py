"""What a contributor and CI run; `nox -l` lists it, CONTRIBUTING.md says when to use what."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = ["tests", "lint", "typing"]
# A machine need not have every supported Python: those that it has are tested.
nox.options.error_on_missing_interpreters = False

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
CURRENT = f"{sys.version_info.major}.{sys.version_info.minor}"


def runs(version: str) -> bool:
    """Whether `pythonX.Y` is there and starts: pyenv leaves commands that only print an error."""
    python = shutil.which(f"python{version}")
    question = "import sys; print('%d.%d' % sys.version_info[:2])"
    if version == CURRENT:
        return True
    if python is None:
        return False
    answer = subprocess.run([python, "-c", question], capture_output=True, text=True, check=False)
    return answer.stdout.strip() == version


SUPPORTED = nox.project.python_versions(PYPROJECT)
# A machine that has only a Python newer than the list tests with that one.
PYTHONS = [version for version in SUPPORTED if runs(version)] or [CURRENT]
MEASURED = CURRENT if CURRENT in PYTHONS else PYTHONS[-1]


@functools.cache
def wheel() -> str:
    """Build the wheel, once for one run of nox, and return its path."""
    folder = ROOT / ".nox" / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), "."]
    subprocess.run(build, check=True, cwd=ROOT)
    return str(next(folder.glob("*.whl")))


def scratch(session: nox.Session) -> Path:
    """Return a folder of the session. Not nox's own: that becomes TMPDIR, too long for sockets."""
    folder = Path(session.virtualenv.location).resolve() / "scratch"
    folder.mkdir(exist_ok=True)
    return folder


def install(session: nox.Session, *groups: str, extras: str = "", lowest: bool = False) -> None:
    """Install the built wheel and some groups; `lowest`: its dependencies at their bounds."""
    constraints: list[str] = []
    if lowest:
        bounds = scratch(session) / "lowest.txt"
        pins = (re.sub(">=", "==", line) for line in PYPROJECT["project"]["dependencies"])
        bounds.write_text("\n".join(pins) + "\n", encoding="utf-8")
        constraints = ["--constraint", str(bounds)]
    requirements = nox.project.dependency_groups(PYPROJECT, *groups)
    session.install("--force-reinstall", "--no-deps", wheel())
    session.install(*constraints, wheel() + extras, *requirements)


@nox.session
@nox.parametrize(
    "python,lowest",
    [nox.param(version, False, id=version) for version in PYTHONS]
    + [nox.param(PYTHONS[0], True, id="lowest")],
)
def tests(session: nox.Session, lowest: bool) -> None:
    """Run the suite against the built wheel: each Python here, and the lowest dependencies.

    That last one runs the tests of an unpacked sdist.
    """
    missing = ", ".join(version for version in SUPPORTED if version not in PYTHONS)
    if missing:
        session.log(f"not on this machine, so not tested: Python {missing}")
    install(session, "tests", lowest=lowest)
    measured = session.python == MEASURED and not lowest and not session.posargs
    environment = measure(session) if measured else {}
    tree = unpack_sdist(session) if lowest and not session.posargs else ROOT
    # Half of the time a worker waits for a process or a clock: a small machine runs more of them.
    words = session.posargs or ["-n", str(max(4, os.cpu_count() or 1)), "tests"]
    run_pytest(session, *words, environment=environment, tree=tree)
    if measured:
        session.run("coverage", "combine", "--quiet", env=environment)
        session.run("coverage", "report", env=environment)


def unpack_sdist(session: nox.Session) -> Path:
    """Return the folder of an unpacked sdist, as whoever packages us for a distribution has it."""
    folder = scratch(session) / "sdist"
    shutil.rmtree(folder, ignore_errors=True)
    session.install("build>=1.2")
    session.run("python", "-m", "build", "--sdist", "--outdir", str(folder), silent=True)
    archive = next(folder.glob("*.tar.gz"))
    shutil.unpack_archive(archive, folder)
    return folder / archive.name.removesuffix(".tar.gz")


def run_pytest(
    session: nox.Session,
    *arguments: str,
    environment: dict[str, str] | None = None,
    tree: Path = ROOT,
) -> None:
    """Run pytest away from the checkout, so that every child process too imports the wheel."""
    paths = [
        str(tree / word) if (tree / word.split("::")[0]).exists() else word for word in arguments
    ]
    settings = [f"--rootdir={tree}", f"-c={tree / 'pyproject.toml'}"]
    with session.chdir(scratch(session)):
        session.run("pytest", *settings, *paths, env=environment)


def measure(session: nox.Session) -> dict[str, str]:
    """Return the environment in which every Python process of the session measures coverage."""
    folder = scratch(session)
    for stale in folder.glob(".coverage*"):
        stale.unlink()
    return {
        "COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml"),
        "COVERAGE_FILE": str(folder / ".coverage"),
    }


@nox.session
def demo(session: nox.Session) -> None:
    """Walk a real `todo` process through a whole day, against the authorization server we ship."""
    install(session)
    session.run("python", "examples/demo.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Format, rules, layers, sizes, secrets, and nothing of one machine in a tracked file."""
    install(session, "lint")
    session.run("ruff", "format", "--check", "--diff", ".")
    session.run("ruff", "check", ".")
    session.run("lint-imports")
    session.run("python", ".ci/house.py")
    session.run("python", ".ci/machine.py")
    files = session.run("git", "ls-files", external=True, silent=True, log=False).split()
    session.run("detect-secrets-hook", "--baseline", ".secrets.baseline", *files, log=False)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site; a broken link or an undocumented reference fails. The path is printed."""
    install(session, "docs", extras="[encrypted,redis,typer]")
    site = ROOT / ".nox" / "site"
    shutil.rmtree(site, ignore_errors=True)
    options = ["--fail-on-warning", "--keep-going", "--nitpicky", "--fresh-env", "--quiet"]
    with session.chdir(scratch(session)):  # what is documented is the wheel
        session.run("sphinx-build", *options, str(ROOT / "docs"), str(site))
    session.log(f"open {site / 'index.html'}")


@nox.session
def pictures(session: nox.Session) -> None:
    """Draw docs/pictures anew: terminals as SVG, and the callback page by Chromium."""
    install(session, "pictures")
    environment = {"PYTHONPATH": str(ROOT / "tests")}
    with session.chdir(scratch(session)):  # what is drawn is the wheel
        session.run("python", str(ROOT / "tests" / "pictures" / "draw.py"), env=environment)


@nox.session
def environments(session: nox.Session) -> None:
    """Log in in twelve environments, as really as this machine can; writes docs/environments.md."""
    install(session, "tests")
    environment = {"PYTHONPATH": str(ROOT / "tests")}
    with session.chdir(scratch(session)):
        program = str(ROOT / "tests" / "environments" / "table.py")
        session.run("python", program, env=environment, silent=True)


@nox.session
def typing(session: nox.Session) -> None:
    """Check the types inside (mypy), of user code, and of the public names (pyright)."""
    install(session, "typing", extras="[encrypted,httpx2,joserfc,qr,redis,truststore,typer]")
    session.run("mypy", "click_auth", "tests/typing/user_code.py")
    session.run("pyright", "tests/typing/user_code.py")
    # In an empty folder, so that what is verified is what a user installs.
    with session.chdir(scratch(session)):
        session.run("pyright", "--verifytypes", "click_auth", "--ignoreexternal")


@nox.session
def integration(session: nox.Session) -> None:
    """Log in through Chromium at oidc-provider and keep the tokens in a real Secret Service."""
    install(session, "integration")
    folders = {
        "CLICK_AUTH_SCREENSHOTS": scratch(session) / "screenshots",
        "CLICK_AUTH_NODE": ROOT / ".nox" / "node",
    }
    environment = {name: str(folder) for name, folder in folders.items()}
    session.log(f"screenshots of the callback page: {environment['CLICK_AUTH_SCREENSHOTS']}")
    run_pytest(session, *(session.posargs or ["tests/integration"]), environment=environment)


@nox.session
def frameworks(session: nox.Session) -> None:
    """Put the commands into other people's frameworks and programs, each version in its own place.

    The environments stay in .nox/hosts from one run to the next.
    """
    session.install(wheel(), "pytest>=8.2", "pytest-randomly>=3.15", "pytest-timeout>=2.3")
    session.install("pytest-xdist>=3.6")
    environment = {
        "CLICK_AUTH_HOSTS": str(ROOT / ".nox" / "hosts"),
        "CLICK_AUTH_WHEEL": wheel(),
    }
    words = session.posargs or ["-n", "2", "--dist", "loadgroup", "tests/frameworks"]
    run_pytest(session, *words, environment=environment)


@nox.session
def fleet(session: nox.Session) -> None:
    """Share one account between machines, at a real Redis; `-- -m "not long"` is the short form.

    As root each machine is a network namespace. It fails where `redis-server` is missing and no apt
    can install it.
    """
    if not (shutil.which("redis-server") or shutil.which("valkey-server")):
        session.run("apt-get", "install", "-y", "redis-server", external=True)
    install(session, "tests", extras="[encrypted,redis]")
    run_pytest(session, "tests/fleet", *session.posargs)


@nox.session
def crash(session: nox.Session) -> None:
    """Kill, starve and race real processes, for long; `nox -s crash -- -k name` picks some."""
    install(session, "crash")
    run_pytest(session, "tests/crash", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure what the library costs; `-- peers`, `-- growth`, `-- frameworks` more of it."""
    install(session)
    if "growth" in session.posargs:
        session.install("matplotlib")  # draws the curves, and has no other business here
    if "fleet" in session.posargs:
        session.install("redis>=5", "cryptography>=42", "typing-extensions")
    if "peers" in session.posargs:
        session.install("huggingface-hub")
    # The Secret Service of the integration tests is the one to measure with.
    environment = {
        "PYTHONPATH": str(ROOT / "tests"),
        "CLICK_AUTH_NODE": str(ROOT / ".nox" / "node"),
        "CLICK_AUTH_PEERS": str(ROOT / ".nox" / "peers"),
        "CLICK_AUTH_HOSTS": str(ROOT / ".nox" / "hosts"),
        "CLICK_AUTH_WHEEL": wheel(),
    }
    session.run("python", "benchmarks/run.py", *session.posargs, env=environment)


@nox.session
def build(session: nox.Session) -> None:
    """Build what a release uploads, twice, and compare: the wheels, and the sdist with the tree."""
    session.install("build>=1.2", "twine>=6")
    folder = scratch(session)
    shutil.rmtree(folder)
    for name in ("first", "second"):
        session.run("python", "-m", "build", "--outdir", str(folder / name), silent=True)
    session.run("twine", "check", "--strict", *map(str, (folder / "first").iterdir()))
    wheels = [next((folder / name).glob("*.whl")) for name in ("first", "second")]
    sdist = next((folder / "first").glob("*.tar.gz"))
    session.run("python", ".ci/package.py", *map(str, (*wheels, sdist)))
