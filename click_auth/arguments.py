"""Values that an application gives `Auth`, or gets from it: loaded by those who use them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from click_auth.record import TokenBundle

_COLOUR = re.compile(r"#(?:[0-9A-Fa-f]{3}){1,2}")
_SVG = "{http://www.w3.org/2000/svg}"
_ACTIVE = {"script", "foreignObject", "iframe", "handler", "animate", "set", "a"}
_LOADS = re.compile(r"url\(\s*['\"]?(?!#)|@import|\\", re.IGNORECASE)
_MOST_SVG = 32 * 1024


@dataclass(frozen=True)
class LegacyCredential:
    """An older credential: how to read it and how to take it away.

    *read* returns the token, a bundle, or None where there is none; *retire* removes it, and is
    called only once the new record is proved readable. *name* names the migration for good.
    """

    name: str
    read: Callable[[], str | TokenBundle | None]
    retire: Callable[[], None]


@dataclass(frozen=True)
class PageContext:
    """What a page has to say. `success` is None while the outcome is not known.

    Plain text throughout: whoever puts it into HTML escapes it.
    """

    app_name: str
    success: bool | None
    title: str
    message: str
    next: str = ""
    """What to do next."""


@dataclass(frozen=True, kw_only=True)
class PageStyle:
    """How the built-in callback page looks: `Auth(page=PageStyle(...))`.

    *name* is what people call the application, *accent* a colour as `#17794a`, *logo_svg* a whole
    SVG document of at most 32 KiB. Raises ValueError for an accent that is no such colour, and
    for an SVG that could run or load anything.
    """

    name: str = ""
    accent: str = ""
    logo_svg: str = ""

    def __post_init__(self) -> None:
        if self.accent and not _COLOUR.fullmatch(self.accent):
            raise ValueError(f"accent must be a colour such as #17794a, not {self.accent!r}")
        if self.logo_svg:
            _check_svg(self.logo_svg)


def _check_svg(svg: str) -> None:
    """Raise ValueError for what is no SVG, or one that runs or loads anything.

    As an image a browser does neither in any case; who wrote such a logo should learn of it.
    """
    from xml.etree import ElementTree as ET  # noqa: PLC0415 - for a logo only

    if len(svg) > _MOST_SVG:
        raise ValueError(f"logo_svg has more than {_MOST_SVG} characters")
    if "<!" in svg.replace("<!--", "") or "<?xml-" in svg:
        raise ValueError("logo_svg has a document type, entities or a style sheet of its own")
    try:
        root = ET.fromstring(svg)  # noqa: S314 - no entities, and the developer's own
    except ET.ParseError as error:
        raise ValueError(f"logo_svg is not XML: {error}") from None
    if root.tag != f"{_SVG}svg":
        raise ValueError('logo_svg is not an <svg xmlns="http://www.w3.org/2000/svg">')
    for element in root.iter():
        kind = element.tag.rpartition("}")[2]
        if kind in _ACTIVE:
            raise ValueError(f"logo_svg has a <{kind}>")
        for attribute, value in element.items():
            name = attribute.rpartition("}")[2].lower()
            is_reference = name in ("href", "src") and not value.startswith("#")
            if name.startswith("on") or is_reference or _LOADS.search(value):
                raise ValueError(f"logo_svg has {name}={value[:40]!r}")
        if kind == "style" and _LOADS.search("".join(element.itertext())):
            raise ValueError("logo_svg has a style that loads something")
