"""JSON as servers send it, and nothing that only some parsers would read (RFC 7493)."""

from __future__ import annotations

import json
from typing import Any

_LONGEST_INTEGER = 400  # digits: more is an attack on the parser, and no number that we use


def parsed(body: bytes) -> dict[str, Any]:
    """Return the JSON object in *body*.

    Raises `ValueError`, which holds nothing of the body, for anything that is not exactly one:
    duplicate names (RFC 7493 section 2.3), too deep, numbers too long, another encoding.
    """
    try:
        document = json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=_without_duplicates, parse_int=_integer
        )
    except RecursionError:
        problem = "JSON that is nested too deep"
    except _RefusedError as refused:
        problem = str(refused)
    except ValueError:
        problem = "what is not JSON" if body.strip() else "nothing"
    else:
        if isinstance(document, dict):
            return document
        problem = "JSON that is not an object"
    raise ValueError(problem)


class _RefusedError(ValueError):
    pass


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise _RefusedError("JSON that says things twice")
    return document


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_INTEGER:
        raise _RefusedError("JSON with a number that is too long")
    return int(digits)
