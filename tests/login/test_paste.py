from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from click_auth.console import console
from click_auth.errors import LoginFailed
from click_auth.login.keyboard import (
    Keyboard,
    WindowsConsole,
    WrongPaste,
    open_keyboard,
    parse_paste,
)
from click_auth.login.loopback import listen
from click_auth.login.redirect import AnswerWait
from login.terminal import Terminal
from login.waiting import (
    BOUND_SECONDS,
    CODE,
    STATE,
    Recorder,
    at_once,
    received,
    refuses,
    request_for,
    status_of,
)

PROGRAM = str(Path(__file__).parent / "waiting_program.py")
URI = "http://127.0.0.1:8123/callback"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX's")


def program(**wishes: Any) -> Terminal:
    """Run a login at a terminal."""
    return Terminal([sys.executable, PROGRAM, json.dumps(wishes)], dict(os.environ))


@pytest.fixture
def person() -> Iterator[Terminal]:
    """A terminal on which a login waits."""
    with program() as terminal:
        terminal.read_until("Ctrl-C to cancel")
        yield terminal


@pytest.mark.parametrize(
    "text",
    [
        f"{URI}?code={CODE}&state={STATE}",
        f"  {URI}?state={STATE}&code={CODE}#_=_  ",
        f"{URI}?code={CODE[:5]}  {CODE[5:]}&state={STATE}",
        f"?code={CODE}&state={STATE}",
        f"code={CODE}&state={STATE}",
        f"state={STATE}&code={CODE}",
        f"\x1b[200~{URI}?code={CODE}&state={STATE}\x1b[201~",
        CODE,
        f" {CODE} ",
        f'"{CODE}"',
        f"\x1b[A{CODE}",
    ],
)
def test_what_may_be_pasted(text: str) -> None:
    """The whole address, its query, or the bare code; space around it and a fragment do no harm."""
    response = parse_paste(text, request_for(URI))
    assert response is not None
    assert (response.code, response.redirect_uri) == (CODE, URI)


@pytest.mark.parametrize(
    "text, reason",
    [
        (f"{URI}?code={CODE}&state=of-another", "doesn't belong to this login"),
        (f"{URI}?code={CODE}", "doesn't belong to this login"),
        (f"{URI}?state={STATE}", "without a code"),
        (f"?code={CODE}&code=2&state={STATE}", "duplicate"),
        ("?error=access_denied&state=x", "error: access_denied"),
        (
            f"https://evil.example/callback?code={CODE}&state=another",
            "doesn't belong to this login",
        ),
        (f"{URI}?code={CODE}&state={STATE[:-1]}", "doesn't belong to this login"),
        ("https://id.example/authorize?client_id=x", f"starts with {URI}"),
        ("127.0.0.1:8123/callback", f"starts with {URI}"),
        ("localhost/callback", f"starts with {URI}"),
        ("id.example/authorize?client_id=x", f"starts with {URI}"),
        ("client_id=x&scope=y", f"starts with {URI}"),
        ("hello there", "the redirect URL or a code"),
        ("yes", "the redirect URL or a code"),
        ("codé-with-accents", "the redirect URL or a code"),
    ],
)
def test_a_wrong_paste_is_explained(text: str, reason: str) -> None:
    """One sentence says what is wrong with it, and never quotes a secret back."""
    with pytest.raises(WrongPaste, match=re.escape(reason)) as caught:
        parse_paste(text, request_for(URI))
    assert CODE not in str(caught.value)
    assert STATE not in str(caught.value)


@pytest.mark.parametrize("text", ["", "   ", "\t"])
def test_an_empty_line_is_nothing(text: str) -> None:
    """Pressing Enter is no mistake."""
    assert parse_paste(text, request_for(URI)) is None


def test_ar_07_a_bare_code_is_not_enough_where_the_server_names_itself() -> None:
    """The promised issuer cannot be checked, so the whole address is asked for (RFC 9207)."""
    request = request_for(URI, issuer="https://id.example", iss_required=True)
    with pytest.raises(WrongPaste, match="whole URL"):
        parse_paste(CODE, request)
    whole = f"{URI}?code={CODE}&state={STATE}&iss=https://id.example"
    assert parse_paste(whole, request) is not None


@pytest.mark.parametrize(
    "iss", ["https://evil.example", "http://localhost:8000", "https://id.example/", "", None]
)
def test_ar_06_ar_07_a_pasted_answer_of_another_server_is_refused(iss: str | None) -> None:
    """A wrong issuer, or none where one was promised, is never taken; the wait goes on."""
    request = request_for(URI, issuer="https://id.example", iss_required=True)
    named = "" if iss is None else f"&iss={iss}"
    with pytest.raises(WrongPaste, match="authorization server") as caught:
        parse_paste(f"{URI}?code={CODE}&state={STATE}{named}", request)
    assert CODE not in str(caught.value)


@pytest.mark.parametrize("text", ["error=access_denied&state={}", "'{}?error=x&state={}'"])
def test_b16_only_the_servers_own_refusal_ends_the_login(text: str) -> None:
    """It is an answer to this login, wherever it was copied from."""
    with pytest.raises(LoginFailed, match=r"declined|rejected"):
        parse_paste(text.format(*[URI, STATE][-text.count("{}") :]), request_for(URI))


REDIRECT = f"{URI}?code={CODE}&state={STATE}&iss=https%3A%2F%2Fid.example"
STATE_FIRST = f"{URI}?state={STATE}&iss=https%3A%2F%2Fid.example&code={CODE}"
AROUND = {
    "no scheme": lambda url: url.removeprefix("http://"),
    "https": lambda url: url.replace("http://", "https://"),
    "localhost": lambda url: url.replace("127.0.0.1", "localhost"),
    "forwarded": lambda url: url.replace("http://127.0.0.1:8123", "https://x-8123.app.example"),
    "another path": lambda url: url.replace("/callback", "/proxy/8123/callback"),
    "quotes": lambda url: f'"{url}"',
    "apostrophes": lambda url: f"'{url}'",
    "curly quotes": lambda url: f"\u201c{url}\u201d",
    "brackets": lambda url: f"<{url}>",
    "Markdown": lambda url: f"[here]({url})",
    "backticks": lambda url: f"`{url}`",
    "an element": lambda url: f'<a href="{url}">Continue</a>',
    "HTML": lambda url: url.replace("&", "&amp;"),
    "HTML twice": lambda url: url.replace("&", "&amp;amp;"),
    "JSON": lambda url: '{"url": "' + url.replace("&", "\\u0026") + '"}',
    "a shell's backslashes": lambda url: re.sub("([?&=])", r"\\\1", url),
    "percent-encoded": lambda url: quote(url, safe=""),
    "encoded twice": lambda url: quote(quote(url, safe=""), safe=""),
    "a link that is checked first": lambda url: (
        f"https://safe.example/?url={quote(url, safe='')}&data=1"
    ),
    "a fragment behind": lambda url: f"{url}#_=_",
    "as a fragment": lambda url: url.replace("?", "#"),
    "words": lambda url: f"it says: {url} and then nothing",
    "a full stop": lambda url: f"See {url}.",
    "a word too close": lambda url: f"{url}&thanks",
    "twice": lambda url: url + url,
    "twice, with a space": lambda url: f"{url} {url}",
    "behind the address that was opened": lambda url: (
        f"https://id.example/authorize?client_id=x&state={STATE} {url}"
    ),
    "behind another login's answer": lambda url: f"{URI}?code=old&state=old\r\n{url}",
    "before another login's answer": lambda url: f"{url}\r\n{URI}?code=old&state=old",
    "a header": lambda url: f"Location: {url}",
    "a command": lambda url: f"curl '{url}'",
    "lines": lambda url: "\r\n".join(re.findall(".{1,30}", url)),
    "indented lines": lambda url: "\n    ".join(re.findall(".{1,20}", url)),
    "an arrow key": lambda url: f"\x1b[A{url}",
    "keys in application mode": lambda url: f"\x1bOA\x1bOB{url}",
    "focus events": lambda url: f"\x1b[O\x1b[I{url}\x1b[O",
    "a bracketed paste": lambda url: f"\x1b[200~{url}\x1b[201~",
    "a mouse": lambda url: f"\x1b[<0;12;5M\x1b[<0;12;5m{url}",
    "a terminal's answer": lambda url: f"\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\{url}",
    "escape": lambda url: f"\x1b{url}",
    "a mark of the byte order": lambda url: f"\ufeff{url}",
    "control characters": lambda url: f"\x01\x16{url}\x00",
}


@pytest.mark.parametrize("url", [REDIRECT, STATE_FIRST], ids=["code first", "state first"])
@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_b16_whatever_stands_around_the_answer(around: Callable[[str], str], url: str) -> None:
    """What holds our state is the answer, and its code is taken whole."""
    request = request_for(URI, issuer="https://id.example", iss_required=True)
    response = parse_paste(around(url), request)
    assert response is not None
    assert (response.code, response.iss) == (CODE, "https://id.example")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
def test_b16_this_machine_has_three_names_in_the_issuer_too(name: str) -> None:
    """Whatever renames it in a copied address does so everywhere; its port has to be the same."""
    request = request_for(URI, issuer="http://127.0.0.1:8000/realm", iss_required=True)
    query = f"code={CODE}&state={STATE}&iss="
    assert parse_paste(query + quote(f"http://{name}:8000/realm", safe=""), request) is not None
    for other in ("8001/realm", "8000/other", "8000.evil.example/realm"):
        with pytest.raises(WrongPaste):
            parse_paste(query + quote(f"http://{name}:{other}", safe=""), request)


def test_a_code_copied_out_of_an_address_bar_is_decoded() -> None:
    """Browsers show it percent-encoded; a code that is not stays as it is."""
    decoded, plain = (parse_paste(code, request_for(URI)) for code in ("4%2F0AfJ", "100%sure"))
    assert decoded is not None
    assert plain is not None
    assert (decoded.code, plain.code) == ("4/0AfJ", "100%sure")


@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)))
def test_lines_are_lines_however_they_arrive(lines: list[str]) -> None:
    """Cutting what is typed at any place gives the same lines."""
    keyboard = Keyboard()
    typed = "".join(f"{line}\r" for line in lines)
    assert [line for key in typed for line in keyboard.feed(key)] == lines


def test_typing_can_be_corrected() -> None:
    """Backspace takes one character back, Ctrl-U the line; too much is cut, not kept."""
    assert list(Keyboard().feed("abx\x7fc\rwrong\x15right\n\b\b.\n")) == ["abc", "right", "."]
    assert len(next(iter(Keyboard().feed("x" * 200_000 + "\n")))) == 65_536


class Pressed:
    """Stands in for Windows' `msvcrt`: these keys are pressed, then no other."""

    def __init__(self, keys: str) -> None:
        self.keys = list(keys)

    def kbhit(self) -> bool:
        return bool(self.keys)

    def getwch(self) -> str:
        return self.keys.pop(0)


def test_the_console_of_windows_is_a_door() -> None:
    """Nothing there can be waited for, so it is asked again and again."""
    keys = Pressed("wrong\r" + CODE)
    heard = Recorder()
    with closing(listen(["http://127.0.0.1/callback"])) as listener:
        request = request_for(listener.redirect_uri)
        with (
            console.use_console(heard),
            closing(AnswerWait(listener, request, WindowsConsole(keys))) as wait,
        ):
            assert wait.first_answer(0.3, lambda: None) is None
            keys.keys += "\r"
            response = wait.first_answer(5, lambda: keys.keys.extend("left over"))
    assert response is not None
    assert (response.code, keys.keys) == (CODE, [])
    assert len(heard.lines) == 1
    assert heard.lines[0].endswith("the redirect URL or a code. Still waiting.")


def test_lb_21_ctrl_c_is_a_key_on_windows() -> None:
    """Read without echo, it comes as a character and not as a signal."""
    with pytest.raises(KeyboardInterrupt):
        WindowsConsole(Pressed("abc\x03")).read_lines()


def test_a_pipe_is_no_keyboard() -> None:
    """Without a terminal nothing is read, and nothing prompts."""
    reading, writing = os.pipe()
    with os.fdopen(reading) as stdin:
        os.close(writing)
        assert open_keyboard(stdin) is None
    assert open_keyboard(stdin) is None  # closed by now
    assert open_keyboard(None) is None


@pytest.mark.parametrize("paste", [CODE, f"code={CODE}&state={STATE}"])
def test_the_terminal_is_a_door(person: Terminal, paste: str) -> None:
    """What is pasted there ends the login while the listener waits, and is never shown."""
    person.type(f"{paste}\n")
    assert person.end() == 0
    assert person.shown.count(CODE) == 1  # the program prints it, the terminal does not
    assert STATE not in person.shown


def test_the_whole_address_may_be_longer_than_a_terminal_line(person: Terminal) -> None:
    """Line mode cuts at 4,096 bytes, on macOS at 1,024; a long code still arrives whole."""
    person.type("c" * 12_000 + "\n")
    person.end()
    assert person.shown.count("c" * 12_000) == 1


def test_a_wrong_paste_leaves_the_login_waiting(person: Terminal) -> None:
    """It says why in one line; the right one is taken afterwards."""
    person.type("hello there\n")
    person.read_until("the redirect URL or a code. Still waiting.")
    person.type("https://evil.example/?code=1\n")
    person.read_until("belong to this login. Still waiting.")
    person.type(f"{CODE}\n")
    assert person.end() == 0


@pytest.mark.parametrize("end", ["\r", ""])
@pytest.mark.parametrize("start", ["", "\x1b[O\x1b[I", "\x1b[200~"])
def test_b16_a_long_address_in_several_lines(person: Terminal, start: str, end: str) -> None:
    """A terminal may have wrapped what was copied from it: the pieces are one answer."""
    address = f"{URI}?state={STATE}&iss=x&code=" + "c" * 300
    person.type(start + "\r".join(re.findall(".{1,79}", address)))
    if not end:  # the shell's prompt, say, and Enter a while later
        person.type("\x1b[O")
    person.type("\r")
    assert person.end() == 0
    assert f"code={'c' * 300}\n" in person.shown


def test_b16_a_piece_of_an_address_is_no_code(person: Terminal) -> None:
    """What does not hold our state is refused as a whole, and nothing of it is sent."""
    person.type(f"{URI}?code={CODE}\rmiddle-of-a-code\rend-of-it\r")
    person.read_until("belong to this login. Still waiting.")
    person.type(f"{CODE}\r")
    assert person.end() == 0
    assert f"code={CODE}\n" in person.shown


def test_the_terminal_is_given_back_as_it_was(person: Terminal) -> None:
    """Echo and line mode return, and a half-typed code is not passed on to the shell."""
    assert not person.echoes
    port = port_of(person)
    person.type("half-a-cod")
    assert status_of(visited(port, f"/callback?code={CODE}&state={STATE}")) == 200
    assert person.end() == 0
    assert person.echoes


def test_a_paste_after_ctrl_z_is_not_shown_either() -> None:
    """The shell hands the terminal back in line mode; the login takes it out of it again."""
    shell = f"set -m; {sys.executable} {PROGRAM} '{{}}'; stty icanon echo; echo as it likes; fg"
    with Terminal(["bash", "-c", shell], dict(os.environ)) as person:
        person.read_until("Ctrl-C to cancel")
        person.type("\x1a")
        person.read_until("as it likes")
        deadline = time.monotonic() + BOUND_SECONDS
        while person.echoes:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        person.type("c" * 6_000 + "\n")
        assert person.end() == 0
        assert person.echoes
    assert person.shown.count("c" * 6_000) == 1


def test_lb_21_ctrl_c_ends_the_wait_at_once(person: Terminal) -> None:
    """Within a second, with the port closed and the terminal as it was."""
    port = port_of(person)
    assert person.interrupt() < at_once()
    assert person.process.returncode == 130
    assert refuses(("127.0.0.1", port))
    assert person.echoes


def test_a_login_in_the_background_is_not_stopped() -> None:
    """`todo auth login &` neither reads the terminal nor changes it: that would stop the job."""
    shell = (
        f"set -m; {sys.executable} {PROGRAM} '{{\"timeout\": 1}}' & "
        "wait $!; echo ended with $?; stty -a | grep -o -- '[-]*icanon'"
    )
    with Terminal(["bash", "-c", shell], dict(os.environ)) as terminal:
        shown = terminal.read_until("ended with 0")
        terminal.end()
    assert "failed: Timed out after" in shown
    assert "here and press Enter" not in shown
    assert "\nicanon" in terminal.shown


def test_a_terminal_that_goes_away_leaves_the_listener_waiting() -> None:
    """Whoever ignores the hang-up, as under nohup, can still be answered through the browser."""
    shell = f"trap '' HUP; exec {sys.executable} {PROGRAM} '{{}}'"
    with Terminal(["bash", "-c", shell], dict(os.environ), pipe=True) as terminal:
        terminal.read_until("Ctrl-C to cancel")
        port = port_of(terminal)
        terminal.hang_up()
        # The listener and the terminal are looked at together: the first visit comes after both.
        assert status_of(visited(port, "/elsewhere")) == 404
        assert status_of(visited(port, f"/callback?code={CODE}&state={STATE}")) == 200
        assert terminal.process.stdout is not None
        assert terminal.process.stdout.read() == f"code={CODE}\n".encode()
        assert terminal.process.wait(BOUND_SECONDS) in {0, 120}


def visited(port: int, target: str) -> bytes:
    """Return what the login answers to a browser that asks for *target*."""
    with socket.create_connection(("127.0.0.1", port), timeout=BOUND_SECONDS) as browser:
        browser.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        return received(browser)


def port_of(person: Terminal) -> int:
    """Return the port that the login listens on."""
    found = re.search(r"127\.0\.0\.1:(\d+)", person.shown)
    assert found is not None
    return int(found[1])


def test_sigterm_is_left_to_the_program() -> None:
    """Without a handler it ends the process as everywhere; the port goes with it."""
    with program() as terminal:
        terminal.read_until("Ctrl-C to cancel")
        port = port_of(terminal)
        assert terminal.interrupt(signal.SIGTERM) < at_once()
        assert refuses(("127.0.0.1", port))
