"""The form of an HTML page, as far as a fake browser needs it."""

from __future__ import annotations

from html.parser import HTMLParser

_NO = ("deny", "cancel", "abort", "reject", "no")


class Form(HTMLParser):
    """The first form of a page: what it sends as it stands, and its buttons as (name, value)."""

    def __init__(self, page: str) -> None:
        super().__init__()
        #: Where it goes; None if the page has no form.
        self.action: str | None = None
        self.method: str = "get"
        self.fields: dict[str, str] = {}
        self.buttons: list[tuple[str, str]] = []
        self._select = ""
        self._is_over = False
        self.feed(page)
        self.close()

    def press(self, *, deny: bool) -> dict[str, str]:
        """Return what a button adds: the one that says no, or the first that does not."""
        for name, value in self.buttons:
            if (value.lower() in _NO or name.lower() in _NO) == deny:
                return {name: value} if name else {}
        if deny:
            raise ValueError("the page has no button that says no")
        return {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in what belongs to the form."""
        found = {name: value or "" for name, value in attrs}
        name, value = found.get("name", ""), found.get("value", "")
        kind = found.get("type", "submit" if tag == "button" else "text")
        if self._is_over or (self.action is None and tag != "form"):
            return
        if tag == "form":
            self.action = found.get("action", "")
            self.method = found.get("method", "get").lower()
        elif tag in ("button", "input") and kind == "submit":
            self.buttons.append((name, value))
        elif tag == "input" and name and kind not in ("button", "reset", "image"):
            self.fields[name] = value
        elif tag == "select":
            self._select = name
        elif tag == "option" and ("selected" in found or self._select not in self.fields):
            self.fields[self._select] = value

    def handle_endtag(self, tag: str) -> None:
        """Leave the form."""
        self._is_over = self._is_over or (tag == "form" and self.action is not None)
