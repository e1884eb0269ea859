"""What stands where the URL of Redis should: an environment variable, as a rule."""

from __future__ import annotations

import pytest

from click_auth import AuthError
from click_auth.redis import RedisTokenStore


@pytest.mark.parametrize(
    "url",
    ["nonsense", "https://redis.example", "redis://localhost:abc", "redis://u:canary#x@host:6379"],
)
def test_a_url_that_is_none_is_a_bad_setting(url: str) -> None:
    """One line when the store is first used; no part of it is quoted, which may be a password."""
    store = RedisTokenStore(url, app_name="todo", key=bytes(32))
    with pytest.raises(AuthError) as caught:
        store.active("ada")
    assert caught.value.code == "AUTH_BAD_SETTING"
    assert "canary" not in caught.value.format_message()
