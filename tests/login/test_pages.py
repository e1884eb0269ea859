from __future__ import annotations

import base64
import hashlib
import re
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from click_auth import PageContext, PageStyle
from click_auth.environment import Environment
from click_auth.login.pages import outcome, refusal, render, reply, undecided
from click_auth.login.ui import TerminalUI
from login.waiting import ANSWER, Waiting, received, status_of


def policy_of(reply_: bytes) -> dict[str, list[str]]:
    """Return the directives of the Content-Security-Policy."""
    found = re.search(rb"Content-Security-Policy: (.*)\r\n", reply_)
    assert found is not None
    directives = (directive.split() for directive in found[1].decode().split("; "))
    return {words[0]: words[1:] for words in directives}


def hashes_of(tag: str, page: str) -> list[str]:
    """Return the hash sources of every such element."""
    texts = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    digests = (hashlib.sha256(text.encode()).digest() for text in texts)
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


EVERY_PAGE = [
    pytest.param(outcome("todo", success=True), id="success"),
    pytest.param(outcome("todo", success=False, message="No."), id="failure"),
    pytest.param(undecided(), id="undecided"),
    pytest.param(refusal(HTTPStatus.NOT_FOUND), id="refusal"),
]


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_a_page_allows_itself_and_nothing_else(page: bytes) -> None:
    """Its policy names its own style and script by hash; everything else is shut."""
    policy = policy_of(page)
    text = page.partition(b"\r\n\r\n")[2].decode()
    assert policy["default-src"] == ["'none'"]
    assert policy["style-src"] == hashes_of("style", text)
    assert policy["script-src"] == hashes_of("script", text)
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == ["'none'"]


@pytest.mark.parametrize("page", EVERY_PAGE)
@pytest.mark.parametrize(
    "header",
    [
        b"Cache-Control: no-store",
        b"X-Content-Type-Options: nosniff",
        b"Referrer-Policy: no-referrer",
        b"X-Frame-Options: DENY",
        b"Connection: close",
        b"Content-Type: text/html; charset=utf-8",
    ],
)
def test_a_page_is_kept_by_nobody(page: bytes, header: bytes) -> None:
    """Neither caches, nor frames, nor the next site learn of it."""
    assert b"\r\n" + header + b"\r\n" in page


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_a_page_loads_nothing(page: bytes) -> None:
    """No address stands in it but an empty icon, which saves the browser a request."""
    text = page.partition(b"\r\n\r\n")[2].decode()
    assert re.findall(r"""(?:href|src|action)=["']?([^"'>]*)""", text) == ["data:,"]
    assert "url(" not in text
    assert "@import" not in text


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_a_page_can_be_read_by_everybody(page: bytes) -> None:
    """It has a language, a title, one heading, both colour schemes, and icons that are silent."""
    text = page.partition(b"\r\n\r\n")[2].decode()
    assert '<html lang="en">' in text
    assert re.search(r"<title>[^<]+</title>", text)
    assert len(re.findall("<h1>", text)) == 1
    assert "prefers-color-scheme: dark" in text
    assert text.count("<svg") == text.count('aria-hidden="true"')


@given(st.text(), st.text(), st.text())
def test_whatever_is_said_is_text(app_name: str, title: str, message: str) -> None:
    """No name or message makes an element of its own."""
    page = render(PageContext(app_name, success=False, title=title, message=message))
    plain = render(PageContext("", success=False, title="", message=""))
    assert re.findall(r"<[a-z/!]+", page) == re.findall(r"<[a-z/!]+", plain)


def test_ti_07_templates_in_a_message_are_printed_literally() -> None:
    """What a server says is never taken for a placeholder."""
    message = "${title} $app {0} %s [red] \\N{BULLET}"
    page = render(PageContext("todo", success=False, title="T", message=message))
    assert message in page


def test_ti_08_what_cannot_be_encoded_is_replaced() -> None:
    """A lone surrogate in a message ends no login."""
    assert b"a?b" in outcome("todo", success=False, message="a\ud800b")


def own_page(context: PageContext) -> str:
    """Show what an application could."""
    return f"<style>h1 {{ color: green }}</style><h1>{context.app_name}: {context.success}</h1>"


@pytest.mark.parametrize("success", [True, False])
def test_an_application_may_have_its_own_page(success: bool) -> None:
    """`page=` gets a `PageContext`, and its inline style is allowed by the policy."""
    with Waiting(ui={"page": own_page}) as login, login.connect() as browser:
        browser.sendall(login.head(f"/callback{ANSWER}"))
        login.response()
        login.finish(success=success)
        page = received(browser)
    assert f"<h1>todo: {success}</h1>".encode() in page
    assert policy_of(page)["style-src"] == hashes_of("style", page.decode())


@pytest.mark.parametrize("broken", [lambda context: 1 / 0, lambda context: None])
def test_a_page_that_fails_does_not_fail_the_login(broken: object) -> None:
    """The built-in page is shown instead, and the developer is warned."""
    with Waiting(ui={"page": broken}) as login, login.connect() as browser:
        browser.sendall(login.head(f"/callback{ANSWER}"))
        login.response()
        login.finish()
        page = received(browser)
    assert status_of(page) == 200
    assert b"You're logged in" in page
    assert "Warning: The application's page failed" in login.console.text


def test_a_page_without_style_allows_none() -> None:
    """The policy is never left open for lack of anything to name."""
    assert policy_of(reply("<p>plain</p>", HTTPStatus.OK))["style-src"] == ["'none'"]


def test_the_outcome_is_forgotten_where_no_browser_waits() -> None:
    """After a paste, or before anything came, there is nobody to tell."""
    with TerminalUI(Environment("todo", {})) as ui:
        ui.finish(success=True)


LOGO = '<svg xmlns="http://www.w3.org/2000/svg"><rect width="8" height="8" fill="url(#g)"/></svg>'
STYLE = PageStyle(name="Todo <b>&</b> Co", accent="#7a1fa2", logo_svg=LOGO)


def test_an_application_may_give_the_page_its_name_accent_and_logo() -> None:
    """Its name replaces that of the program, as text; the policy allows what the accent needs."""
    with Waiting(ui={"page": STYLE}) as login, login.connect() as browser:
        browser.sendall(login.head(f"/callback{ANSWER}"))
        login.response()
        login.finish(message="Account: ada")
        page = received(browser)
    text = page.decode()
    assert '<p class="app">Todo &lt;b&gt;&amp;&lt;/b&gt; Co</p>' in text
    assert "#7a1fa2" in text
    assert text.count("ada") == 1
    image = re.search('<img [^>]*src="data:image/svg.xml;base64,([^"]+)"', text)
    assert image is not None
    assert base64.b64decode(image[1]).decode() == LOGO
    assert policy_of(page)["style-src"] == hashes_of("style", text.partition("\r\n\r\n")[2])


def test_a_failure_says_what_to_type_next() -> None:
    """In the style of the application, too, and a function of its own is told as well."""
    again = "To try again, run this in your terminal:\ntodo auth login"
    for page in (None, STYLE, lambda context: context.next):
        ui = {"page": page, "login_line": "todo auth login"}
        with Waiting(ui=ui) as login, login.connect() as browser:
            browser.sendall(login.head(f"/callback{ANSWER}"))
            login.response()
            login.finish(success=False)
            assert again.encode() in received(browser)


@pytest.mark.parametrize(
    "accent", ["red;}", "#12", "#1234", "url(x)", "#17794a }", "#fff\n", "red"]
)
def test_an_accent_that_is_no_colour_is_refused(accent: str) -> None:
    """It would stand in a style sheet."""
    with pytest.raises(ValueError, match="accent"):
        PageStyle(accent=accent)


def svg(inside: str = "", attributes: str = "") -> str:
    """Return an SVG document."""
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"<svg {names} {attributes}>{inside}</svg>"


@pytest.mark.parametrize(
    "logo",
    [
        svg("<script>alert(1)</script>"),
        svg("<g><foreignObject/></g>"),
        svg('<a xlink:href="#x"/>'),
        svg('<set attributeName="href" to="//x.example"/>'),
        svg(attributes='onload="alert(1)"'),
        svg('<g ONCLICK="alert(1)"/>'),
        svg('<image href="https://x.example/a.png"/>'),
        svg('<use xlink:href="//x.example/a.svg#b"/>'),
        svg("<rect fill=\"url( 'https://x.example/a#b')\"/>"),
        svg('<rect style="fill: u\\72l(//x.example)"/>'),
        svg("<style>@import 'x.css'</style>"),
        svg("<style>g { fill: url(//x.example/a) }</style>"),
        f'<!DOCTYPE svg [<!ENTITY a "b">]>{svg()}',
        f'<?xml-stylesheet href="//x.example/a.css"?>{svg()}',
        svg() + "<script/>",
        "<svg></svg>",
        "<html/>",
        "no markup",
        svg("x" * 33_000),
    ],
)
def test_a_logo_that_could_run_or_load_anything_is_refused(logo: str) -> None:
    """By the developer's own start, not by a user's browser."""
    with pytest.raises(ValueError, match="logo_svg"):
        PageStyle(logo_svg=logo)


def test_values_given_to_auth_stay_as_they_are() -> None:
    """What was checked cannot be changed behind the check."""
    with pytest.raises(AttributeError):
        STYLE.accent = "}"  # type: ignore[misc]
