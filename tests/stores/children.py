"""Stories that need a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click_auth

REFUSAL = "CLICK_AUTH_REFUSE_KEYRING"

without_privileges = """
import ctypes, os, sys
if sys.platform == "linux" and os.geteuid() == 0:  # root obeys modes once it has no capabilities
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    assert ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)()) == 0
"""
"""What a script begins with that must not be above file modes."""


def run(script: str, *args: str, **environ: str) -> str:
    """Run a script in a process of its own and return what it printed."""
    ours = (Path(click_auth.__file__).parent.parent, Path(__file__).parent.parent)
    answer = subprocess.run(
        [sys.executable, "-c", script, *args],
        capture_output=True,
        text=True,
        env={
            **{name: value for name, value in os.environ.items() if name != REFUSAL},
            "PYTHONPATH": os.pathsep.join([*map(str, ours), os.environ.get("PYTHONPATH", "")]),
            "PYTHONDONTWRITEBYTECODE": "1",
            **environ,
        },
        check=False,
        timeout=60,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout
