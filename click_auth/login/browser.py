"""Which browser this person has, and how a page is opened in it: detached, and never waited for."""

from __future__ import annotations

import contextlib
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
from typing import TYPE_CHECKING

from click_auth.console.text import printable
from click_auth.interrupts import TimedOut, call_with_timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

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
CI_JOB = "running in a CI job"
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

    def open(self, url: str, commands: Sequence[Sequence[str]] | None = None) -> bool:
        """Start the first of the commands that starts; return whether one did. Never waits.

        When it soon ends badly, the next one is started, and so on.
        """
        commands = self.commands if commands is None else commands
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
                env=restore_library_path(self.environ),
            )
        except (OSError, ValueError):
            return False
        name, early = PurePath(command[0]).name, time.monotonic() + _EARLY_SECONDS

        def reap() -> None:
            if not process.wait():
                return
            ended = f"{name}: exit status {process.returncode}"
            if time.monotonic() < early and self.open(url, others):
                ended += "; trying another one"
            self.failure = f"{self.failure}; {ended}" if self.failure else ended

        threading.Thread(target=reap, name=f"click-auth {name}", daemon=True).start()
        return True


def restore_library_path(environ: Mapping[str, str]) -> dict[str, str]:
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


def choose_browser(
    environment: Environment, own: Callable[[str], bool] | None, *, allowed: bool = True
) -> Browser | CallableBrowser:
    """Return what opens pages for this person: the application's *own* way before any program."""
    if not allowed:
        return Browser(reason="--no-browser")
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
    release: str = "",
) -> Browser:
    """Return the browser of the person at this machine, one with a reason where there is none.

    A `$BROWSER` that is here and is no text browser beats everything. *release* is the kernel's.
    """
    return _Machine(environ, platform, which, exists, release or _platform.release()).find()


@dataclass(frozen=True)
class _Machine:
    """The machine on which a browser is looked for; `release` is its kernel's."""

    environ: Mapping[str, str] = field(repr=False)
    platform: str
    which: Callable[..., str | None]
    exists: Callable[[str], bool]
    release: str

    def find(self) -> Browser:
        """Return the browser, one with a reason where there is none."""
        configured, obstacle = self._configured(), self._obstacle()
        chosen = self._present(configured)
        is_text = any(_is_text(words[0]) for words in configured)
        if not (chosen or obstacle or is_text):
            chosen = self._openers()
        if chosen:
            return Browser(chosen, self.environ)
        if is_text:
            obstacle = "$BROWSER is a text browser"
        elif configured:
            obstacle = f"$BROWSER names {printable(configured[0][0], 60)}, which was not found"
        return Browser(reason=obstacle or "none found")

    def _present(self, commands: Iterable[Sequence[str]]) -> list[list[str]]:
        """Return those whose program is here and no text browser, the program by its path."""
        found = ((self._locate(words[0]), words) for words in commands)
        return [[path, *words[1:]] for path, words in found if path and not _is_text(path)]

    def _locate(self, name: str) -> str | None:
        """Return where the program *name* is, never what just lies in the current directory.

        Windows looks there before it looks at PATH: whoever put it there would be run.
        """
        path = self.environ.get("PATH")
        found = self.which(name, path=path)
        if found is None or self._is_absolute(found):
            return found
        folders = filter(self._is_absolute, (path or "").split(os.pathsep))
        places = (os.path.join(folder, PurePath(found).name) for folder in folders)  # noqa: PTH118
        return next(filter(None, map(self.which, places)), None)

    def _is_absolute(self, path: str) -> bool:
        of_windows = self.platform == "win32" and PureWindowsPath(path).is_absolute()
        return of_windows or os.path.isabs(path)  # noqa: PTH117

    def _configured(self) -> list[list[str]]:
        """Return `$BROWSER`'s commands: several, with arguments, with `%s`, with a last `&`."""
        on_windows = self.platform == "win32"
        commands = []
        for command in self.environ.get("BROWSER", "").split(";" if on_windows else ":"):
            with contextlib.suppress(ValueError):
                words = shlex.split(command.strip().removesuffix("&"), posix=not on_windows)
                commands += [words] if words else []
        return commands

    def _obstacle(self) -> str | None:
        """Return what says that nobody sits at this machine's screen, None when nothing does."""
        if self._has(_CI):
            return CI_JOB
        if self._has(_REMOTE) and not self._has(_DISPLAYS):
            return "SSH session without a display"
        contained = self._has(_CONTAINERS) or any(map(self.exists, _CONTAINER_FILES))
        return "running in a container" if contained and not self._has(_DISPLAYS) else None

    def _has(self, names: Iterable[str]) -> bool:
        return any(self.environ.get(name, "").lower() not in {"", "0", "false"} for name in names)

    def _openers(self) -> list[list[str]]:
        """Return the commands that open a page on this platform's screen."""
        if self.platform == "darwin":
            return self._present([["open"]])
        if self.platform in {"win32", "cygwin"}:
            root = self.environ.get("SystemRoot") or self.environ.get("SYSTEMROOT") or r"C:\Windows"
            return [[rf"{root}\System32\{_RUNDLL}", _HANDLER]]
        commands: list[list[str]] = []
        if "WSL_DISTRO_NAME" in self.environ or "microsoft" in self.release.lower():
            commands += self._present([["wslview"], [_RUNDLL, _HANDLER]])
            commands += [[_WINDOWS_FROM_WSL, _HANDLER]] if self.exists(_WINDOWS_FROM_WSL) else []
        if any(map(self.environ.get, _DISPLAYS)):
            commands += self._present(command.split() for command in _DESKTOP.split("|"))
        return commands


def _is_text(program: str) -> bool:
    names = {PurePath(program).name, PurePath(os.path.realpath(program)).name}
    return not _TEXT_BROWSERS.isdisjoint(names)
