"""The forms of an HTML page, as far as a fake browser needs them."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from click_auth.testing.typed import override

_NO = ("deny", "cancel", "abort", "reject", "no")


@dataclass(slots=True)
class Form:
    """A form: what it sends as it stands, and its buttons as (name, value)."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)

    def press(self, *, deny: bool) -> dict[str, str]:
        """Return what a button adds: the one that says no, or the first that does not."""
        for name, value in self.buttons:
            if (value.lower() in _NO or name.lower() in _NO) == deny:
                return {name: value} if name else {}
        if deny:
            raise ValueError("the page has no button that says no")
        return {}


def find_forms(page: str) -> list[Form]:
    """Return the forms of a page."""
    parser = _Parser()
    parser.feed(page)
    parser.close()
    return parser.forms


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._select = ""

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(found.get("action", ""), found.get("method", "get").lower())
            self.forms.append(self._open)
        elif self._open is not None:
            self._add(self._open, tag, found)

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None

    def _add(self, form: Form, tag: str, found: dict[str, str]) -> None:
        name, value = found.get("name", ""), found.get("value", "")
        kind = found.get("type", "submit" if tag == "button" else "text")
        if tag in ("button", "input") and kind == "submit":
            form.buttons.append((name, value))
        elif tag == "input" and name and kind not in ("button", "reset", "image"):
            form.fields[name] = value
        elif tag == "select":
            self._select = name
        elif tag == "option" and ("selected" in found or self._select not in form.fields):
            form.fields[self._select] = value
