from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from click_auth import LoginFailed
from click_auth.environment import Environment
from click_auth.login.browser import (
    Browser,
    CallableBrowser,
    find_browser,
    restore_library_path,
)
from click_auth.login.ui import TerminalUI
from login.waiting import BOUND_SECONDS

URL = "https://id.example/authorize?a=1&b=%20;c='d`e`$(f)~g%s[0]*!@"
DESK = {"DISPLAY": ":0"}
SYSTEM32 = r"C:\Windows\System32\rundll32.exe"


def installed(*programs: str) -> Callable[..., str | None]:
    """Return a `which` that finds just these."""
    return lambda name, path=None: f"/usr/bin/{name}" if name in programs else None


def commands_of(
    environ: dict[str, str],
    *programs: str,
    platform: str = "linux",
    release: str = "6.1.0",
    files: tuple[str, ...] = (),
) -> list[str]:
    """Return the commands of the browser that is found, or its absence."""
    found = find_browser(environ, platform, installed(*programs), files.__contains__, release)
    if found.reason is not None:
        return [found.describe()]
    return [shlex.join(command).replace("/usr/bin/", "") for command in found.commands]


@pytest.mark.parametrize(
    "setting, expected",
    [
        ("firefox", ["firefox"]),
        ("firefox --new-window", ["firefox --new-window"]),
        ("firefox --new-window %s &", ["firefox --new-window %s"]),
        ("firefox&", ["firefox"]),
        ("missing:firefox -P 'my own' %s:chromium", ["firefox -P 'my own' %s", "chromium"]),
        ("lynx:firefox", ["firefox"]),
        ("'unfinished:firefox", ["firefox"]),
    ],
)
@pytest.mark.parametrize(
    "around", [{}, DESK, {"SSH_CONNECTION": "1"}, {"CI": "true"}, {"container": "oci"}]
)
def test_browser_variable_wins(setting: str, expected: list[str], around: dict[str, str]) -> None:
    """`$BROWSER` with arguments, several, with `%s`, with `&`: it counts wherever it is set."""
    programs = ("firefox", "chromium", "lynx", "xdg-open")
    assert commands_of({**around, "BROWSER": setting}, *programs) == expected


@pytest.mark.parametrize(
    "program", ["lynx", "w3m", "links", "elinks", "www-browser", "/usr/bin/w3m"]
)
def test_a_text_browser_is_none(program: str) -> None:
    """It would take the terminal over, so it is not started, however it was chosen."""
    found = find_browser(
        {**DESK, "BROWSER": program}, "linux", installed(program), lambda _: False, ""
    )
    assert found.reason == "$BROWSER is a text browser"
    assert not found.open(URL)


def test_a_text_browser_behind_another_name_is_none(tmp_path: Path) -> None:
    """`x-www-browser` is a link, and what it leads to counts."""
    (tmp_path / "lynx").touch(mode=0o755)
    (tmp_path / "x-www-browser").symlink_to(tmp_path / "lynx")
    environ = {**DESK, "PATH": str(tmp_path), "BROWSER": "x-www-browser"}
    assert find_browser(environ, "linux", exists=lambda _: False).reason


@pytest.mark.parametrize(
    "environ, files, reason",
    [
        ({}, (), "none found"),
        (
            {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"},
            (),
            "SSH session without a display",
        ),
        ({"SSH_TTY": "/dev/pts/0"}, (), "SSH session without a display"),
        ({**DESK, "CI": "true"}, (), "running in a CI job"),
        ({**DESK, "GITHUB_ACTIONS": "true"}, (), "running in a CI job"),
        ({}, ("/.dockerenv",), "running in a container"),
        ({}, ("/run/.containerenv",), "running in a container"),
        ({"CODESPACES": "true"}, (), "running in a container"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, (), "running in a container"),
        (
            {"BROWSER": "surf -x", "CODESPACES": "true"},
            (),
            "$BROWSER names surf, which was not found",
        ),
        ({"BROWSER": "lynx:surf"}, (), "$BROWSER is a text browser"),
    ],
)
def test_df_13_where_nobody_sits_at_the_screen(
    environ: dict[str, str], files: tuple[str, ...], reason: str
) -> None:
    """No display, SSH, CI, a container: nothing is started, and `doctor` can say why."""
    assert commands_of(environ, "xdg-open", "firefox", files=files) == [f"none: {reason}"]


@pytest.mark.parametrize(
    "environ, programs, expected",
    [
        (DESK, ("xdg-open", "firefox"), ["xdg-open", "firefox"]),
        ({"WAYLAND_DISPLAY": "wayland-0"}, ("gio",), ["gio open"]),
        ({**DESK, "SSH_CONNECTION": "forwarded"}, ("firefox",), ["firefox"]),
        ({**DESK, "CI": "false"}, ("firefox",), ["firefox"]),
        ({**DESK, "BROWSER": "missing"}, ("firefox",), ["firefox"]),
        ({**DESK, "container": "oci"}, ("firefox",), ["firefox"]),
        ({**DESK, "CODESPACES": "true"}, ("firefox",), ["firefox"]),
        (DESK, (), ["none: none found"]),
        (DESK, ("lynx", "w3m"), ["none: none found"]),
    ],
)
def test_a_desktop(environ: dict[str, str], programs: tuple[str, ...], expected: list[str]) -> None:
    """The desktop's own opener first, then the browsers that are there."""
    assert commands_of(environ, *programs) == expected


@pytest.mark.parametrize(
    "environ, release",
    [({"WSL_DISTRO_NAME": "Debian"}, "5.15"), ({}, "5.15.90.1-microsoft-standard-WSL2")],
)
def test_wsl_opens_the_browser_of_windows(environ: dict[str, str], release: str) -> None:
    """`wslview` first, then Windows' own opener, with no display needed."""
    found = commands_of(environ, "wslview", "rundll32.exe", release=release)
    assert found == ["wslview", "rundll32.exe url.dll,FileProtocolHandler"]


@pytest.mark.parametrize(
    "platform, programs, expected",
    [
        ("darwin", ("open", "xdg-open"), ["open"]),
        ("win32", (), [shlex.join([SYSTEM32, "url.dll,FileProtocolHandler"])]),
    ],
)
def test_other_systems(platform: str, programs: tuple[str, ...], expected: list[str]) -> None:
    """Windows and macOS have one opener each, and none from afar."""
    assert commands_of({}, *programs, platform=platform) == expected
    remote = commands_of({"SSH_CONNECTION": "1"}, *programs, platform=platform)
    assert remote == ["none: SSH session without a display"]


def test_windows_paths_keep_their_backslashes() -> None:
    """`$BROWSER` there is separated by semicolons and not unescaped."""
    environ = {"BROWSER": r"C:\missing.exe;C:\firefox.exe -new-tab"}
    found = find_browser(environ, "win32", lambda name, path=None: name if "fire" in name else None)
    assert isinstance(found, Browser)
    assert found.commands == [[r"C:\firefox.exe", "-new-tab"]]


@pytest.mark.parametrize("name", ["SystemRoot", "SYSTEMROOT"])
def test_s1_the_opener_of_windows_is_the_systems_own(name: str) -> None:
    """By its whole path: no folder on PATH and no current directory has a say in it."""
    environ = {name: r"D:\Win", "PATH": r"C:\x"}
    found = find_browser(environ, "win32", installed("rundll32.exe"), lambda _: False)
    assert isinstance(found, Browser)
    assert found.commands == [[r"D:\Win\System32\rundll32.exe", "url.dll,FileProtocolHandler"]]


@pytest.mark.skipif(sys.platform == "win32", reason="a PATH of POSIX")
@pytest.mark.parametrize("setting", ["firefox", "./firefox"])
@pytest.mark.parametrize("path", [":{good}", ".:{good}", "bin:{good}", "{good}", "{good}:"])
def test_s1_no_program_of_the_current_directory_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, setting: str
) -> None:
    """A cloned repository may hold a browser; the one on PATH is started all the same."""
    good, evil = tmp_path / "good", tmp_path / "evil"
    for folder in (good, evil, evil / "bin"):
        folder.mkdir()
        script(folder, "", "firefox")
    monkeypatch.chdir(evil)
    environ = {"BROWSER": setting, "PATH": path.format(good=good)}
    found = find_browser(environ, "linux", exists=lambda _: False)
    assert isinstance(found, Browser)
    assert found.commands == [[str(good / "firefox")]]


def as_windows_looks(name: str, path: str) -> str | None:
    """Look into the current directory before PATH, as `shutil.which` does on Windows."""
    folders = [""] if "/" in name else ["./", *(f"{each}/" for each in path.split(os.pathsep))]
    return next(filter(os.path.exists, (folder + name for folder in folders)), None)


@pytest.mark.skipif(sys.platform == "win32", reason="a PATH of POSIX")
def test_s1_what_windows_looks_up_first_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the current directory comes before PATH, whatever PATH says."""
    for name in ("evil", "good"):
        (tmp_path / name).mkdir()
        script(tmp_path / name, "", "firefox.exe")
    monkeypatch.chdir(tmp_path / "evil")
    environ = {"BROWSER": "firefox.exe", "PATH": str(tmp_path / "good")}

    def which(name: str, path: str = environ["PATH"]) -> str | None:
        return as_windows_looks(name, path)

    found = find_browser(environ, "win32", which, lambda _: False)
    assert isinstance(found, Browser)
    assert found.commands == [[str(tmp_path / "good" / "firefox.exe")]]
    (tmp_path / "good" / "firefox.exe").unlink()
    assert find_browser({**environ, "CI": "1"}, "win32", which).reason


def test_s1_a_path_that_names_the_current_directory_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever put it there, by its whole name, meant it."""
    script(tmp_path, "", "firefox")
    monkeypatch.chdir(tmp_path)
    found = find_browser({"BROWSER": "firefox", "PATH": str(tmp_path)}, "linux")
    assert isinstance(found, Browser)
    assert found.commands == [[str(tmp_path / "firefox")]]


MOUNTED = "/mnt/c/Windows/System32/rundll32.exe"


@pytest.mark.parametrize("display", [{}, DESK])
def test_b23_wsl_without_the_path_of_windows(display: dict[str, str]) -> None:
    """The opener of Windows is found where Windows is mounted, before any of Linux."""
    found = commands_of(
        {"WSL_DISTRO_NAME": "Debian", **display}, "xdg-open", release="5.15", files=(MOUNTED,)
    )
    assert found[0] == f"{MOUNTED} url.dll,FileProtocolHandler"
    assert found[1:] == (["xdg-open"] if display else [])


def script(folder: Path, body: str, name: str = "browser") -> Path:
    """Write an executable Python program and return its path."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{body}", encoding="utf-8")
    path.chmod(0o755)
    return path


def wait_for(path: Path) -> str:
    """Return what is in a file, once it is there and whole."""
    deadline = time.monotonic() + BOUND_SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.01)
    return path.read_text(encoding="utf-8")


RECORD = """
import os, sys
library_path = os.environ.get("LD_LIBRARY_PATH")
facts = [sys.argv[1:], os.getsid(0) == os.getpid(), library_path, sys.stdin.read()]
print("noise"); print("noise", file=sys.stderr)
with open({path!r} + ".part", "w") as file: file.write(repr(facts))
os.rename({path!r} + ".part", {path!r})
"""


def opened_by(folder: Path, *arguments: str, **environ: str) -> object:
    """Open `URL` with a browser that records what it got; return that."""
    seen = folder / "seen"
    program = script(folder, RECORD.format(path=str(seen)))
    browser = Browser([[str(program), *arguments]], {**os.environ, **environ})
    assert browser.open(URL)
    facts: object = eval(wait_for(seen))
    return facts


@pytest.mark.parametrize(
    "arguments, expected",
    [
        ((), [URL]),
        (("--new-window",), ["--new-window", URL]),
        (("--url=%s", "-x"), [f"--url={URL}", "-x"]),
    ],
)
def test_ti_04_the_url_is_one_argument_verbatim(
    tmp_path: Path, arguments: tuple[str, ...], expected: list[str]
) -> None:
    """No shell, no quoting, no formatting: every byte of it, in one place."""
    facts = opened_by(tmp_path, *arguments)
    assert facts == [expected, True, os.environ.get("LD_LIBRARY_PATH"), ""]


def test_a_frozen_program_restores_the_library_path(tmp_path: Path) -> None:
    """The browser gets the path that the person had, not the bundle's."""
    facts = opened_by(tmp_path, LD_LIBRARY_PATH="/bundle", LD_LIBRARY_PATH_ORIG="/person")
    assert facts == [[URL], True, "/person", ""]


def test_a_frozen_program_had_no_library_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyInstaller leaves no original where there was none: then there is none again."""
    bundled = {"LD_LIBRARY_PATH": "/bundle", "A": "b"}
    assert restore_library_path(bundled) == bundled
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert restore_library_path(bundled) == {"A": "b"}


def test_ti_05_what_a_browser_prints_is_discarded(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its noise is on neither stream of the command."""
    opened_by(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_ti_05_a_missing_browser_is_passed_over(tmp_path: Path) -> None:
    """The next command is tried; with none left, nothing was opened, and nothing is raised."""
    program = script(tmp_path, "")
    environ = dict(os.environ)
    assert Browser([["/no/such/program"], [str(program)]], environ).open(URL)
    assert not Browser([["/no/such/program"], [str(tmp_path)]], environ).open(URL)


def test_ti_05_a_browser_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    """`open` returns at once while the program runs on, and no zombie stays when it ends."""
    pid_file = tmp_path / "pid"
    hanging = script(
        tmp_path,
        f"import os, time\nwith open({str(pid_file)!r}, 'w') as file:\n"
        "    file.write(str(os.getpid()) + '.')\ntime.sleep(999)",
    )
    before = set(threading.enumerate())
    assert Browser([[str(hanging)]], dict(os.environ)).open(URL)
    while not wait_for(pid_file).endswith("."):
        time.sleep(0.01)
    os.kill(int(pid_file.read_text().rstrip(".")), signal.SIGTERM)  # so it still ran
    deadline = time.monotonic() + BOUND_SECONDS
    while not set(threading.enumerate()) <= before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_ti_05_an_opener_that_fails_is_known_to_have(tmp_path: Path) -> None:
    """`xdg-open` starts well and ends badly when there is nothing to open the page with."""
    browser = Browser([[str(script(tmp_path, "raise SystemExit(3)"))]], dict(os.environ))
    assert browser.open(URL)
    assert failure_of(browser) == "browser: exit status 3"


def failure_of(browser: Browser) -> str:
    """Return how the browser failed, once it has."""
    deadline = time.monotonic() + BOUND_SECONDS
    while browser.failure is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return browser.failure


def test_d20_the_next_browser_is_started_when_one_soon_fails(tmp_path: Path) -> None:
    """Not only when it is missing: the desktop's opener may have nothing to open the page with."""
    failing = script(tmp_path, "raise SystemExit(4)", "xdg-open")
    seen = tmp_path / "seen"
    good = script(tmp_path, RECORD.format(path=str(seen)), "firefox")
    browser = Browser([["/no/such"], [str(failing)], [str(good)]], dict(os.environ))
    assert browser.open(URL)
    assert URL in wait_for(seen)
    assert failure_of(browser) == "xdg-open: exit status 4; trying another one"


@pytest.mark.parametrize(
    "function, opened",
    [
        (lambda url: True, True),
        (lambda url: False, False),
        (lambda url: None, False),
        (lambda url: 1 / 0, False),
    ],
)
def test_a_callable_browser(function: Callable[[str], bool], opened: bool) -> None:
    """A function says whether it opened; its errors are no errors of the login."""
    assert CallableBrowser(function).open(URL) is opened


def test_a_callable_browser_that_takes_its_time() -> None:
    """Its slowness is no error of the login either: the wait begins while the function runs on."""
    let_go, gone = threading.Event(), threading.Event()

    def slow(url: str) -> bool:
        let_go.wait(BOUND_SECONDS)
        gone.set()
        return False

    assert CallableBrowser(slow).open(URL)
    assert not gone.is_set()
    let_go.set()
    assert gone.wait(BOUND_SECONDS)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "data:text/html,x",
        "vscode://x",
        "--flag",
        "-https://id.example",
        "http://evil.example/",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "https://user@id.example/",
        "https://id.example/\x1b[2J",
        "https://id.example/a b",
        'https://id.example/a"b',
        "https://id.example/?a=<b",
        "https://id.example/?a=>b",
        "https://id.example/?a={b}",
        "https://id.example/?a=b|c",
        "https://id.example/?a=b^c",
        "https://id.example/?a=b\\c",
        'https://id.example/#"',
        "https://id.example/\nX",
        "https:///path",
        "https://",
        "",
    ],
)
def test_a11_df_01_what_no_browser_is_sent_to(url: str) -> None:
    """A typed error that does not repeat what a server that lies would have printed."""
    opened: list[str] = []
    ui = TerminalUI(Environment("todo", {}), browser=lambda url: not opened.append(url))
    with pytest.raises(LoginFailed) as caught:
        ui.open_page(url)
    assert not opened
    assert not url or url not in caught.value.format_message()


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "http://127.0.0.1:8123/x",
        "http://[::1]/",
        "http://localhost:1/",
        "https://a.example/#x",
    ],
)
def test_where_a_browser_may_be_sent(url: str) -> None:
    """Anywhere over https, and to this machine over http."""
    opened: list[str] = []
    ui = TerminalUI(Environment("todo", {}), browser=lambda url: not opened.append(url))
    assert ui.open_page(url)
    assert opened == [url]


def test_doctor_can_say_which_browser_it_is() -> None:
    """Each kind describes itself in a few words."""
    kinds = (
        Browser([["/usr/bin/xdg-open"]], {}),
        CallableBrowser(bool),
        Browser(reason="running in a CI job"),
    )
    assert [kind.describe() for kind in kinds] == [
        "/usr/bin/xdg-open",
        "the application's own",
        "none: running in a CI job",
    ]
