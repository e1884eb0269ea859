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
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeAlias

from click_auth import urls
from click_auth.bounded import TimedOut, bounded
from click_auth.errors import LoginFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

_TEXT_BROWSERS = frozenset(
    {"browsh", "elinks", "links", "links2", "lynx", "retawq", "w3m", "w3m-img", "www-browser"}
)
_DESKTOP = (
    "xdg-open|gio open|x-www-browser|firefox|google-chrome|google-chrome-stable|chromium|"
    "chromium-browser|microsoft-edge|brave-browser|epiphany|konqueror"
)
_WINDOWS = ["rundll32.exe", "url.dll,FileProtocolHandler"]
_CI = ("CI", "BUILD_NUMBER", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "TF_BUILD")
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")
_REMOTE = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
_CONTAINER_FILES = ("/.dockerenv", "/run/.containerenv")
_CONTAINERS = ("container", "KUBERNETES_SERVICE_HOST", "CODESPACES", "REMOTE_CONTAINERS")
# Toolbx and Distrobox share the desktop with their containers: that is what they are for.
_DESKTOP_CONTAINERS = ("TOOLBOX_PATH", "DISTROBOX_ENTER_PATH")
_LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LIBPATH")
_CALLABLE_SECONDS = 1.0


@dataclass(frozen=True)
class NoBrowser:
    """Nothing can be opened, because of *reason*: a clause for a person."""

    reason: str
    failure: None = None

    def describe(self) -> str:
        """Return what `doctor` shows."""
        return f"none: {self.reason}"

    def open(self, url: str) -> bool:
        """Do nothing, and say so."""
        del url
        return False


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
            return bool(bounded(lambda: self.function(url), _CALLABLE_SECONDS))
        except TimedOut:
            return True
        except Exception:  # noqa: BLE001 - any failure to open a page is just that
            return False


@dataclass
class Browser:
    """Programs that can show a page, best first: argument vectors in which `%s` is the URL.

    `failure` is how the one that was started ended, if it ended badly.
    """

    commands: Sequence[Sequence[str]]
    environ: Mapping[str, str] = field(repr=False)
    reason: None = None
    failure: str | None = None

    def describe(self) -> str:
        """Return what `doctor` shows."""
        return shlex.join(self.commands[0])

    def open(self, url: str) -> bool:
        """Start the first of the commands that starts; return whether one did. Never waits."""
        return any(self._start(command, url) for command in self.commands)

    def _start(self, command: Sequence[str], url: str) -> bool:
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
        name = f"click-auth {PurePath(command[0]).name}"
        threading.Thread(target=self._reap, args=(process,), name=name, daemon=True).start()
        return True

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        if process.wait():
            self.failure = f"it ended with {process.returncode}"


Opener: TypeAlias = Browser | CallableBrowser | NoBrowser


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

    def present(commands: Iterable[Sequence[str]]) -> list[list[str]]:
        found = ((which(words[0], path=environ.get("PATH")), words) for words in commands)
        return [[path, *words[1:]] for path, words in found if path and not _is_text(path)]

    configured = list(_configured(environ.get("BROWSER", ""), platform))
    chosen = present(configured)
    if chosen:
        return Browser(chosen, environ)
    obstacle = _obstacle(environ, exists)
    if obstacle is None and any(_is_text(words[0]) for words in configured):
        obstacle = "$BROWSER is a text browser"
    if obstacle is not None:
        return NoBrowser(obstacle)
    release = _platform.release() if release is None else release
    found = present(_of_platform(environ, platform, release))
    return Browser(found, environ) if found else NoBrowser("none was found for this screen")


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
        return "this is a CI job"
    if has(_REMOTE) and not has(_DISPLAYS):
        return "this is an SSH session without a display"
    contained = has(_CONTAINERS) or any(map(exists, _CONTAINER_FILES))
    if contained and not has(_DESKTOP_CONTAINERS):
        return "this is a container"
    return None


def _of_platform(environ: Mapping[str, str], platform: str, release: str) -> list[list[str]]:
    if platform == "darwin":
        return [["open"]]
    if platform in {"win32", "cygwin"}:
        return [_WINDOWS]
    in_wsl = "WSL_DISTRO_NAME" in environ or "microsoft" in release.lower()
    has_display = any(map(environ.get, _DISPLAYS))
    desktop = [command.split() for command in _DESKTOP.split("|")]
    return [*([["wslview"], _WINDOWS] if in_wsl else []), *(desktop if has_display else [])]


def _is_text(program: str) -> bool:
    names = {PurePath(program).name, PurePath(os.path.realpath(program)).name}
    return not _TEXT_BROWSERS.isdisjoint(names)
