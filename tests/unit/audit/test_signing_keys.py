"""The keys of receipts: made once, rotated, and never forgotten."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from audit.signing_keys import KeyFolder, KeyUnusable, NotAPublicKey, PublicKey, Signer, public_key_of


def test_the_key_is_made_once_and_stays(tmp_path: Path) -> None:
    first = KeyFolder(tmp_path).current().public

    assert KeyFolder(tmp_path).current().public == first
    assert list(KeyFolder(tmp_path).known()) == [first]


def test_only_its_owner_can_read_the_key(tmp_path: Path) -> None:
    KeyFolder(tmp_path).current()

    assert stat.S_IMODE((tmp_path / "receipt_key").stat().st_mode) == 0o600


def test_all_who_start_at_once_get_the_same_key_and_leave_no_drafts(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = {key.public for key in pool.map(lambda _: KeyFolder(tmp_path).current(), range(64))}

    (key,) = keys
    assert sorted(path.name for path in tmp_path.rglob("*")) == [f"{key.key_id}.pem", "receipt_key", "receipt_keys"]


def test_a_rotated_key_is_known_as_an_earlier_one(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path)
    first = folder.current().public

    assert folder.rotate() == first
    second = folder.current().public

    assert second != first
    assert (folder.signer(first), folder.signer(second)) == (Signer.EARLIER, Signer.CURRENT)
    assert stat.S_IMODE((tmp_path / "receipt_key").stat().st_mode) == 0o600


def test_to_ask_whose_a_key_is_makes_none(tmp_path: Path) -> None:
    assert KeyFolder(tmp_path).signer(PublicKey(bytes(32))) is Signer.UNKNOWN
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"", b"nothing", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_key_that_is_broken_is_said_to_be_and_never_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "receipt_key").write_bytes(content)

    with pytest.raises(KeyUnusable, match="receipt_key in the data folder"):
        KeyFolder(tmp_path).current()

    assert (tmp_path / "receipt_key").read_bytes() == content


def test_a_folder_that_cannot_be_written_to_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="cannot be read or made"):
        KeyFolder(tmp_path / "missing").current()


def test_a_public_key_is_had_from_pem_and_from_digits(tmp_path: Path) -> None:
    key = KeyFolder(tmp_path).current().public

    assert public_key_of(key.pem()) == key
    assert public_key_of(key.raw.hex().upper().encode() + b"\n") == key


@pytest.mark.parametrize("text", [b"", b"ab", b"zz" * 32, b"ab" * 33, "ü".encode(), b"-----BEGIN PUBLIC KEY-----\n"])
def test_anything_else_is_no_public_key(text: bytes) -> None:
    with pytest.raises(NotAPublicKey):
        public_key_of(text)


def test_a_key_signs_what_it_was_given_and_nothing_else(tmp_path: Path) -> None:
    key = KeyFolder(tmp_path).current()

    signature = key.sign(b"message")

    assert key.public.has_signed(b"message", signature)
    assert not key.public.has_signed(b"massage", signature)
    assert not key.public.has_signed(b"message", b"")
