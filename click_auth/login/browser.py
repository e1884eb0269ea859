"""Which browser this person has, and how a page is opened in it: detached, and never waited for."""

from __future__ import annotations

import os
import platform as _platform
import shlex
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import PurePath, PureWindowsPath
from typing import TYPE_CHECKING, TypeAlias

from click_auth.console.text import printable
from click_auth.errors import LoginFailed
from click_auth.http import urls
from click_auth.timeouts import TimedOut, call_with_timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from click_auth.environment import Environment

_TEXT_BROWSERS = frozenset(
    {"browsh", "elinks", "links", "links2", "lynx", "retawq", "w3m", "w3m-img", "www-browser"}
)
_DESKTOP = (
    "xdg-open|gio open|x-www-browser|firefox|google-chrome|google-chrome-stable|chromium|"
    "chromium-browser|microsoft-edge|brave-browser|epiphany|konqueror"
)
_RUNDLL, _HANDLER = "rundll32.exe", "url.dll,FileProtocolHandler"
_WINDOWS_FROM_WSL = "/mnt/c/Windows/System32/rundll32.exe"  # also where PATH has nothing of Windows
CI_JOB = "this is a CI job"
_CI = ("CI", "BUILD_NUMBER", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "TF_BUILD")
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")
_REMOTE = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")
_CONTAINERS = ("container", "KUBERNETES_SERVICE_HOST", "CODESPACES", "REMOTE_CONTAINERS")
_LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LIBPATH")
_CALLABLE_SECONDS = 1.0
_EARLY_SECONDS = 5.0  # whoever fails later has shown something


@dataclass(frozen=True)
class CallableBrowser:
    """A function of the application or of a test. It may take its time: the login goes on."""

    function: Callable[[str], bool]
    reason: None = None
    failure: None = None

    def describe(self) -> str:
        """Return what `doctor` shows."""
        return "the application's own"

    def open(self, url: str) -> bool:
        """Call the function; one that is still busy after a second counts as an open browser."""
        try:
            return bool(call_with_timeout(lambda: self.function(url), _CALLABLE_SECONDS))
        except TimedOut:
            return True
        except Exception:  # noqa: BLE001 - any failure to open a page is just that
            return False


@dataclass
class Browser:
    """Programs that can show a page, best first: argument vectors in which `%s` is the URL.

    There are none because of `reason`, a clause for a person. `failure` is how those that were
    started ended, if they ended badly.
    """

    commands: Sequence[Sequence[str]] = ()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    reason: str | None = None
    failure: str | None = None

    def describe(self) -> str:
        """Return what `doctor` shows."""
        return f"none: {self.reason}" if self.reason else shlex.join(self.commands[0])

    def open(self, url: str) -> bool:
        """Start the first of the commands that starts; return whether one did. Never waits.

        When it soon ends badly, the next one is started, and so on.
        """
        return self._open(url, self.commands)

    def _open(self, url: str, commands: Sequence[Sequence[str]]) -> bool:
        numbered = enumerate(commands, 1)
        return any(self._start(command, url, commands[number:]) for number, command in numbered)

    def _start(self, command: Sequence[str], url: str, others: Sequence[Sequence[str]]) -> bool:
        placed = [word.replace("%s", url) for word in command]
        try:
            process = subprocess.Popen(  # noqa: S603 - one validated argument, no shell
                placed if placed != list(command) else [*command, url],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=unfrozen(self.environ),
            )
        except (OSError, ValueError):
            return False
        name, early = PurePath(command[0]).name, time.monotonic() + _EARLY_SECONDS

        def reap() -> None:
            if not process.wait():
                return
            ended = f"{name} ended with {process.returncode}"
            if time.monotonic() < early and self._open(url, others):
                ended += "; another one was started"
            self.failure = f"{self.failure}; {ended}" if self.failure else ended

        threading.Thread(target=reap, name=f"click-auth {name}", daemon=True).start()
        return True


Opener: TypeAlias = Browser | CallableBrowser


def unfrozen(environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* with the library path that the person had before a frozen program ran.

    A browser that loads the libraries bundled with the program crashes.
    """
    restored = dict(environ)
    for name in _LIBRARY_PATHS:
        original = restored.pop(f"{name}_ORIG", None)
        if original is not None:
            restored[name] = original
        elif getattr(sys, "frozen", False):
            restored.pop(name, None)
    return restored


def checked_url(url: str) -> str:
    """Return *url* if a browser may be sent there: https, or http on a loopback address.

    Raises `LoginFailed`, which does not quote it: it may come from a server that lies.
    """
    try:
        return urls.checked_url(url, "The address to open")
    except ValueError as error:
        raise LoginFailed(str(error), hints=["Nothing was opened."]) from None


def choose_browser(
    environment: Environment, own: Callable[[str], bool] | None, *, allowed: bool = True
) -> Opener:
    """Return what opens pages for this person: the application's *own* way before any program."""
    if not allowed:
        return Browser(reason="it was not wanted")
    if own is not None:
        return CallableBrowser(own)
    if environment.browser_forbidden:
        return Browser(reason=f"{environment.name('NO_BROWSER')} is set")
    return find_browser(environment.environ)


def find_browser(
    environ: Mapping[str, str],
    platform: str = sys.platform,
    which: Callable[..., str | None] = shutil.which,
    exists: Callable[[str], bool] = os.path.exists,
    release: str | None = None,
) -> Browser:
    """Return the browser of the person at this machine, one with a reason where there is none.

    A `$BROWSER` that is here and is no text browser beats everything. *release* is the kernel's.
    """

    def present(commands: Iterable[Sequence[str]]) -> list[list[str]]:
        found = ((_located(words[0], environ, platform, which), words) for words in commands)
        return [[path, *words[1:]] for path, words in found if path and not _is_text(path)]

    configured = list(_configured(environ.get("BROWSER", ""), platform))
    chosen = present(configured)
    if chosen:
        return Browser(chosen, environ)
    obstacle = _obstacle(environ, exists)
    release = _platform.release() if release is None else release
    found = [] if obstacle else _of_platform(environ, platform, release, present, exists)
    is_text = any(_is_text(words[0]) for words in configured)
    if found and not is_text:
        return Browser(found, environ)
    if configured:
        missing = f"the program that $BROWSER names, {printable(configured[0][0], 60)}, is not here"
        obstacle = "$BROWSER is a text browser" if is_text else missing
    return Browser(reason=obstacle or "none was found for this screen")


def _located(
    name: str, environ: Mapping[str, str], platform: str, which: Callable[..., str | None]
) -> str | None:
    """Return where the program *name* is, never what just lies in the current directory.

    Windows looks there before it looks at PATH: whoever put it there would be run.
    """
    path = environ.get("PATH")
    found = which(name, path=path)
    if found is None or _is_absolute(found, platform):
        return found
    folders = [each for each in (path or "").split(os.pathsep) if _is_absolute(each, platform)]
    program = PurePath(found).name
    return next(filter(None, (which(os.path.join(each, program)) for each in folders)), None)  # noqa: PTH118


def _is_absolute(path: str, platform: str) -> bool:
    of_windows = platform == "win32" and PureWindowsPath(path).is_absolute()
    return of_windows or os.path.isabs(path)  # noqa: PTH117


def _configured(setting: str, platform: str) -> Iterator[list[str]]:
    """Yield the commands of `$BROWSER`: several, with arguments, with `%s`, with a trailing `&`."""
    on_windows = platform == "win32"
    for command in setting.split(";" if on_windows else ":"):
        try:
            words = shlex.split(command.strip().removesuffix("&"), posix=not on_windows)
        except ValueError:
            continue
        if words:
            yield words


def _obstacle(environ: Mapping[str, str], exists: Callable[[str], bool]) -> str | None:
    """Return what says that nobody sits at this machine's screen, None when nothing does."""

    def has(names: Iterable[str]) -> bool:
        return any(environ.get(name, "").lower() not in {"", "0", "false"} for name in names)

    if has(_CI):
        return CI_JOB
    if has(_REMOTE) and not has(_DISPLAYS):
        return "this is an SSH session without a display"
    contained = has(_CONTAINERS) or any(map(exists, _CONTAINER_FILES))
    if contained and not has(_DISPLAYS):
        return "this is a container"
    return None


def _of_platform(
    environ: Mapping[str, str],
    platform: str,
    release: str,
    present: Callable[[Iterable[Sequence[str]]], list[list[str]]],
    exists: Callable[[str], bool],
) -> list[list[str]]:
    if platform == "darwin":
        return present([["open"]])
    if platform in {"win32", "cygwin"}:
        root = environ.get("SystemRoot") or environ.get("SYSTEMROOT") or r"C:\Windows"
        return [[rf"{root}\System32\{_RUNDLL}", _HANDLER]]
    commands: list[list[str]] = []
    if "WSL_DISTRO_NAME" in environ or "microsoft" in release.lower():
        commands += present([["wslview"], [_RUNDLL, _HANDLER]])
        commands += [[_WINDOWS_FROM_WSL, _HANDLER]] if exists(_WINDOWS_FROM_WSL) else []
    if any(map(environ.get, _DISPLAYS)):
        commands += present(command.split() for command in _DESKTOP.split("|"))
    return commands


def _is_text(program: str) -> bool:
    names = {PurePath(program).name, PurePath(os.path.realpath(program)).name}
    return not _TEXT_BROWSERS.isdisjoint(names)
