"""Which browser this person has, and how a page is opened in it: detached, and never waited for."""

from __future__ import annotations

import os
import platform as _platform
import shlex
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from click_auth.bounded import TimedOut, bounded
from click_auth.errors import LoginFailed
from click_auth.urls import is_loopback, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_TEXT_BROWSERS = frozenset(
    {"browsh", "elinks", "links", "links2", "lynx", "retawq", "w3m", "w3m-img", "www-browser"}
)
_DESKTOP = (
    ("xdg-open",),
    ("gio", "open"),
    ("x-www-browser",),
    ("firefox",),
    ("google-chrome",),
    ("google-chrome-stable",),
    ("chromium",),
    ("chromium-browser",),
    ("microsoft-edge",),
    ("brave-browser",),
    ("epiphany",),
    ("konqueror",),
)
_WINDOWS = ("rundll32.exe", "url.dll,FileProtocolHandler")
_CI = (
    "CI",
    "BUILD_NUMBER",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "JENKINS_URL",
    "TEAMCITY_VERSION",
    "TF_BUILD",
)
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")
_CONTAINER_VARIABLES = ("container", "KUBERNETES_SERVICE_HOST", "CODESPACES", "REMOTE_CONTAINERS")
# Toolbx and Distrobox share the desktop with their containers: that is what they are for.
_DESKTOP_CONTAINERS = ("TOOLBOX_PATH", "DISTROBOX_ENTER_PATH")
_CALLABLE_SECONDS = 1.0


class Opener(Protocol):
    """Something that may be able to show a page."""

    @property
    def reason(self) -> str | None:
        """Why no page can be opened, None when one can."""

    @property
    def failure(self) -> str | None:
        """What went wrong after `open` had returned, None when nothing is known to have."""

    def describe(self) -> str:
        """Return what `doctor` shows."""

    def open(self, url: str) -> bool:
        """Start to show *url*; return whether anything was started. Never raises, never waits."""


@dataclass(frozen=True)
class NoBrowser:
    """Nothing can be opened, because of *reason*: a clause for a person."""

    reason: str
    failure: None = None

    def describe(self) -> str:
        """Return "none" and the reason."""
        return f"none: {self.reason}"

    def open(self, url: str) -> bool:
        """Do nothing."""
        del url
        return False


@dataclass(frozen=True)
class CallableBrowser:
    """A function of the application or of a test. It may take its time: the login goes on."""

    function: Callable[[str], bool]
    reason: None = None
    failure: None = None

    def describe(self) -> str:
        """Return that it is the application's."""
        return "the application's own"

    def open(self, url: str) -> bool:
        """Call the function; one that is still busy after a second counts as an open browser."""
        try:
            return bool(bounded(lambda: self.function(url), _CALLABLE_SECONDS))
        except TimedOut:
            return True
        except Exception:  # noqa: BLE001 - any failure to open a page is just that
            return False


@dataclass
class Browser:
    """Programs that can show a page, best first: argument vectors in which `%s` is the URL."""

    commands: Sequence[Sequence[str]]
    environ: Mapping[str, str] = field(repr=False)
    reason: None = None
    failure: str | None = None

    def describe(self) -> str:
        """Return the first of the commands."""
        return shlex.join(self.commands[0])

    def open(self, url: str) -> bool:
        """Start the first of the commands that starts."""
        return any(self._start(command, url) for command in self.commands)

    def _start(self, command: Sequence[str], url: str) -> bool:
        try:
            process = subprocess.Popen(  # noqa: S603 - one validated argument, no shell
                with_url(command, url),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=unfrozen(self.environ),
            )
        except (OSError, ValueError):
            return False
        waiter = threading.Thread(target=self._reap, args=(process, command[0]), daemon=True)
        waiter.name = "click-auth-browser"
        waiter.start()
        return True

    def _reap(self, process: subprocess.Popen[bytes], name: str) -> None:
        """Leave no zombie behind, and remember how an opener ended that ended badly."""
        status = process.wait()
        if status:
            self.failure = f"{os.path.basename(name)} ended with {status}"  # noqa: PTH119


def with_url(command: Sequence[str], url: str) -> list[str]:
    """Return the argument vector that shows *url*: in place of `%s`, else at the end."""
    if any("%s" in word for word in command):
        return [word.replace("%s", url) for word in command]
    return [*command, url]


def unfrozen(environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* with the library path that the person had before a frozen program ran.

    A browser that loads the libraries bundled with the program crashes.
    """
    restored = dict(environ)
    for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LIBPATH"):
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
        parts = split(url)
    except ValueError as error:
        reason = str(error)
    else:
        if parts.scheme == "https" or is_loopback(parts.host):
            return url
        reason = "is plain http to another machine"
    raise LoginFailed(
        f"The address to open {reason}.",
        hints=["Nothing was opened. The service or the application's settings are wrong."],
    )


def find_browser(
    environ: Mapping[str, str],
    platform: str = sys.platform,
    which: Callable[..., str | None] = shutil.which,
    exists: Callable[[str], bool] = os.path.exists,
    release: str | None = None,
) -> Browser | NoBrowser:
    """Return the browser of the person at this machine, or why there is none.

    A `$BROWSER` that is here and is no text browser beats everything. *release* is the kernel's.
    """
    search = _Search(environ, platform, which)
    own = search.present(_configured(environ.get("BROWSER", ""), platform))
    if own:
        return Browser(own, environ)
    obstacle = _obstacle(environ, exists)
    if obstacle is None and environ.get("BROWSER", "").strip():
        obstacle = search.text_browser(_configured(environ["BROWSER"], platform))
    if obstacle is not None:
        return NoBrowser(obstacle)
    found = search.present(
        _of_platform(environ, platform, _platform.release() if release is None else release)
    )
    return Browser(found, environ) if found else NoBrowser(search.nothing)


@dataclass(frozen=True)
class _Search:
    environ: Mapping[str, str]
    platform: str
    which: Callable[..., str | None]

    def present(self, commands: Iterable[Sequence[str]]) -> list[list[str]]:
        """Return those that are installed and show pages in a window."""
        found = ((self._where(command[0]), command) for command in commands)
        return [[path, *command[1:]] for path, command in found if path and not _is_text(path)]

    def text_browser(self, commands: Iterable[Sequence[str]]) -> str | None:
        found = [command[0] for command in commands if _is_text(self._where(command[0]) or "")]
        return "$BROWSER is a text browser" if found else None

    def _where(self, program: str) -> str | None:
        return self.which(program, path=self.environ.get("PATH"))

    @property
    def nothing(self) -> str:
        has_display = self.environ.get("DISPLAY") or self.environ.get("WAYLAND_DISPLAY")
        if self.platform in {"darwin", "win32"} or has_display:
            return "none was found"
        return "there is no display"


def _configured(setting: str, platform: str) -> Iterator[list[str]]:
    """Yield the commands of `$BROWSER`: several, with arguments, with `%s`, with a trailing `&`."""
    on_windows = platform == "win32"
    for command in setting.split(";" if on_windows else ":"):
        try:
            words = shlex.split(command.strip(), posix=not on_windows)
        except ValueError:
            continue
        if words and words[-1] == "&":
            words.pop()
        if words:
            yield words


def _obstacle(environ: Mapping[str, str], exists: Callable[[str], bool]) -> str | None:
    """Return what says that nobody sits at this machine's screen."""
    if any(environ.get(name, "").lower() not in {"", "0", "false"} for name in _CI):
        return "this is a CI job"
    remote = environ.get("SSH_CONNECTION") or environ.get("SSH_CLIENT") or environ.get("SSH_TTY")
    if remote and not (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")):
        return "this is an SSH session without a display"
    contained = any(map(exists, _CONTAINER_FILES)) or any(map(environ.get, _CONTAINER_VARIABLES))
    if contained and not any(map(environ.get, _DESKTOP_CONTAINERS)):
        return "this is a container"
    return None


def _of_platform(
    environ: Mapping[str, str], platform: str, release: str
) -> Iterator[tuple[str, ...]]:
    if platform == "darwin":
        yield ("open",)
        return
    if platform in {"win32", "cygwin"}:
        yield _WINDOWS
        return
    if environ.get("WSL_DISTRO_NAME") or "microsoft" in release.lower():
        yield ("wslview",)
        yield _WINDOWS
    if environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        yield from _DESKTOP


def _is_text(path: str) -> bool:
    names = {os.path.basename(path), os.path.basename(os.path.realpath(path))}  # noqa: PTH119
    return not _TEXT_BROWSERS.isdisjoint(names)
