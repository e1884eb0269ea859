"""The cipher: what it seals opens in its own place and under its own keys only."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher as Primitive
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from click_auth.environment import Environment
from click_auth.errors import AuthError, StorageUnavailable
from click_auth.stores import cipher
from click_auth.stores.cipher import Cipher, Keys, find_keys
from stores.children import run

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
TEXT = base64.b64encode(KEY).decode()

# NIST's gcmEncryptExtIV256.rsp, as `cryptography-vectors` ships it: key, nonce, plaintext,
# associated data, ciphertext and tag.
VECTORS = [
    (
        "31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22",
        "0d18e06c7c725ac9e362e1ce",
        "2db5168e932556f8089a0622981d017d",
        "",
        "fa4362189661d163fcd6a56d8bf0405ad636ac1bbedd5cc3ee727dc2ab4a9489",
    ),
    (
        "83688deb4af8007f9b713b47cfa6c73e35ea7a3aa4ecdb414dded03bf7a0fd3a",
        "0b459724904e010a46901cf3",
        "33d893a2114ce06fc15d55e454cf90c3",
        "794a14ccd178c8ebfd1379dc704c5e208f9d8424",
        "cc66bee423e3fcd4c0865715e95866960fb291bd3dba94a1dfd8b286cfb97ac5",
    ),
    (
        "886cff5f3e6b8d0e1ad0a38fcdb26de97e8acbe79f6bed66959a598fa5047d65",
        "3a8efa1cd74bbab5448f9945",
        "",
        "519fee519d25c7a304d6c6aa1897ee1eb8c59655",
        "f6d47505ec96c98a42dc3ae719877b87",
    ),
]


def made(*keys: bytes, app_name: str = "todo") -> Cipher:
    """Return a cipher of these keys."""
    return Cipher(app_name, Keys(keys or [KEY], "a test"))


def refused(cipher: Cipher, sealed: str, slot: str = "user-u1") -> str:
    """Return the reason for which *sealed* does not open."""
    with pytest.raises(StorageUnavailable) as caught:
        cipher.open(sealed, slot)
    assert caught.value.exit_code == 6
    return caught.value.message


@pytest.mark.parametrize("key, nonce, plain, place, sealed", VECTORS)
def test_the_primitive_is_the_one_of_the_vectors(
    key: str, nonce: str, plain: str, place: str, sealed: str
) -> None:
    """What we take from `cryptography` answers as NIST's vectors say."""
    primitive = cipher.AESGCM(bytes.fromhex(key))
    words = [bytes.fromhex(each) for each in (nonce, plain, place)]
    assert primitive.encrypt(*words) == bytes.fromhex(sealed)
    assert primitive.decrypt(words[0], bytes.fromhex(sealed), words[2]) == words[1]


def test_the_format_is_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another implementation of AES-GCM makes the same text: it is people's state."""
    monkeypatch.setattr(os, "urandom", bytes)
    place = json.dumps(["click-auth", "1", "todo", "user-u1"]).encode()
    encryptor = Primitive(algorithms.AES(KEY), modes.GCM(bytes(12))).encryptor()
    encryptor.authenticate_additional_data(place)
    content = encryptor.update(b"at-1") + encryptor.finalize()
    expected = base64.urlsafe_b64encode(bytes(12) + content + encryptor.tag).decode()
    sealed = made().seal("at-1", "user-u1")
    assert sealed == f"sealed:1:{expected}" == "sealed:1:" + PINNED


PINNED = "AAAAAAAAAAAAAAAAb8iY78C7h3omFymT5_hb5BCBFsc="


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_what_is_sealed_opens(secret: str) -> None:
    """Any text comes back, is not seen in what is stored, and is sealed anew each time."""
    one, two = (made().seal(secret, "user-u1") for _ in range(2))
    assert made().open(one, "user-u1") == secret
    assert one != two
    assert one.isascii()
    assert one.isprintable()


def test_a_value_opens_in_its_own_place_only() -> None:
    """Another account, another field and another application are refused."""
    sealed = made().seal("at-1", "user-u1")
    assert "no key of a test opens it" in refused(made(), sealed, slot="user-u2")
    assert "no key of a test opens it" in refused(made(), sealed, slot="user-u1/refresh")
    assert "no key of a test opens it" in refused(made(app_name="other"), sealed)


def test_a_wrong_key_is_a_clear_error() -> None:
    """It names where the key came from, and neither key nor secret."""
    message = refused(made(OTHER), made().seal("at-1", "user-u1"))
    assert "no key of a test opens it" in message
    assert "Nothing was changed" in message
    assert "at-1" not in message


def test_whatever_is_cut_off_or_edited_is_refused() -> None:
    """Cut at each length, or with any one character changed."""
    sealed = made().seal("at-1", "user-u1")
    for length in range(len(sealed)):
        refused(made(), sealed[:length])
    for place in range(len(sealed) - 2):  # the last character's low bits say nothing
        other = "A" if sealed[place] != "A" else "B"
        refused(made(), f"{sealed[:place]}{other}{sealed[place + 1 :]}")


def test_another_version_is_said_to_be_one() -> None:
    """A later format is no wrong key."""
    assert "this version doesn't know its format" in refused(made(), "sealed:2:abcd")
    assert "this version doesn't know its format" in refused(made(), "at-1")


def test_keys_rotate() -> None:
    """The first key seals, each of them opens."""
    old = made(KEY).seal("at-1", "user-u1")
    both = made(OTHER, KEY)
    assert both.open(old, "user-u1") == "at-1"
    new = both.seal("at-2", "user-u1")
    assert made(OTHER).open(new, "user-u1") == "at-2"
    refused(made(KEY), new)


@pytest.mark.parametrize("text", [TEXT, TEXT.rstrip("="), TEXT.replace("+", "-")])
def test_a_key_is_found_in_the_environment(text: str) -> None:
    """Base64 of either alphabet, padded or not."""
    keys = find_keys(Environment("todo", {"TODO_AUTH_KEY": text}))
    assert keys is not None
    assert (keys.all, keys.source) == ((KEY,), "TODO_AUTH_KEY")


@pytest.mark.parametrize(
    "content", [KEY, TEXT.encode(), f"{TEXT}\n".encode(), f"\n{TEXT}\n{TEXT}\n".encode()]
)
def test_a_key_is_found_in_a_file(content: bytes, tmp_path: Path) -> None:
    """Raw bytes, or base64 on a line each: a file of systemd's credentials is one like any."""
    file = tmp_path / "key"
    file.write_bytes(content)
    keys = find_keys(Environment("todo", {"TODO_AUTH_KEY_FILE": str(file)}), OTHER)
    assert keys is not None
    assert set(keys.all) == {KEY}
    assert keys.source == f"TODO_AUTH_KEY_FILE={file}"


def test_the_environment_rotates_too() -> None:
    """Several keys stand side by side."""
    two = f"{base64.b64encode(OTHER).decode()} {TEXT}"
    keys = find_keys(Environment("todo", {"TODO_AUTH_KEY": two}))
    assert keys is not None
    assert keys.all == (OTHER, KEY)


def test_an_application_gives_its_key() -> None:
    """Bytes, several, or a function of either; the environment of the person wins."""
    nothing = Environment("todo", {})
    for given_key in (KEY, [KEY], lambda: KEY, lambda: [KEY]):
        keys = find_keys(nothing, given_key)
        assert keys is not None
        assert (keys.all, keys.source) == ((KEY,), "Auth(key=)")
    keys = find_keys(Environment("todo", {"TODO_AUTH_KEY": TEXT}), OTHER)
    assert keys is not None
    assert keys.all == (KEY,)
    assert find_keys(nothing) is None


@pytest.mark.parametrize("text", ["short", TEXT[:-4], TEXT + "AAAA", "\N{SNOWMAN}" * 44, ",", "=="])
def test_a_malformed_key_is_a_bad_setting(text: str, tmp_path: Path) -> None:
    """It is said which variable is wrong, and nothing of what it holds."""
    file = tmp_path / "key"
    file.write_text(text)
    settings = [{"TODO_AUTH_KEY": text}, {"TODO_AUTH_KEY_FILE": str(file)}]
    for environ in settings:
        with pytest.raises(AuthError) as caught:
            find_keys(Environment("todo", environ))
        assert caught.value.code == "AUTH_BAD_SETTING"
        assert next(iter(environ)) in caught.value.message
        assert len(text) < 3 or text not in caught.value.message


def test_a_malformed_key_of_the_application() -> None:
    """A key of 16 bytes, none at all, and one text instead of bytes."""
    for given_key in (b"short", [], [KEY, b""]):
        with pytest.raises(AuthError) as caught:
            find_keys(Environment("todo", {}), given_key)
        assert caught.value.code == "AUTH_BAD_SETTING"


def test_a_key_file_that_is_not_there(tmp_path: Path) -> None:
    """The path is named, and a folder is no file."""
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(AuthError, match=r"TODO_AUTH_KEY_FILE can't be read") as caught:
            find_keys(Environment("todo", {"TODO_AUTH_KEY_FILE": str(path)}))
        assert caught.value.code == "AUTH_BAD_SETTING"


def test_a_missing_package_is_said() -> None:
    """The extra is named."""
    script = """
import sys
sys.modules["cryptography"] = None
from click_auth import StorageUnavailable
from click_auth.environment import Environment
from click_auth.stores.cipher import make_cipher
try:
    make_cipher(Environment("todo", {}), bytes(32))
except StorageUnavailable as error:
    print(error.message)
"""
    assert "install click-auth[encrypted]" in run(script)


def test_keys_are_not_shown() -> None:
    """Neither a cipher nor its keys are pickled, and no key is in a repr."""
    import pickle

    for each in (made(), made().keys):
        assert repr(KEY) not in repr(each)
        with pytest.raises(TypeError, match="can't be pickled"):
            pickle.dumps(each)
