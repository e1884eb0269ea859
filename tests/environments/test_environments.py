"""docs/environments.md is what `todo auth login` still shows, in its shape."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from environments.table import ENVIRONMENTS, documented, run

NEEDS = {"A desktop": "chromium", "Over SSH": "sshd", "IPv6 only": "unshare"}
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's environments")


def test_each_environment_ends_in_a_login_or_an_error() -> None:
    """The page has all twelve."""
    shown = documented()
    assert list(shown) == list(ENVIRONMENTS)
    assert all((done.status != 0) == done.shape[-1] for done in shown.values())


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_is_as_documented(name: str) -> None:
    """The exit status, the doors that are offered, and whether there is an error."""
    if name in NEEDS and not (shutil.which(NEEDS[name]) and os.geteuid() == 0):
        pytest.skip(f"{NEEDS[name]} is not here, or nobody is root")
    assert run(name).shape == documented()[name].shape
