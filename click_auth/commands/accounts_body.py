"""What `account list` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click_auth.auth import Auth
    from click_auth.commands.output import Human, Json


def show_all(auth: Auth, output: Human | Json) -> None:
    """Print every stored account, the default one marked. Reads no secret."""
    identities, default = auth.core.store.listing()
    rows = [{"account": each.to_json(), "default": each.key == default} for each in identities]
    lines = []
    for identity in identities:
        is_default = identity.key == default
        mark = click.style("*", fg="green") if is_default else " "
        where = f"  on {identity.instance}" if identity.instance else ""
        lines.append(f"{mark} {identity.title}{where}" + ("  (default)" if is_default else ""))
    text = "\n".join(lines) or f"No accounts. Run `{auth.login_path.line(auth.app_name)}`."
    output.rows(lambda: {"accounts": rows, "default": default}, rows, text)
