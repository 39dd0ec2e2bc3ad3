"""The key that is made on first use."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from project import secret_key


def test_the_key_is_made_once_and_stays(tmp_path: Path) -> None:
    first = secret_key.load_or_create(tmp_path / "secret_key")

    assert secret_key.load_or_create(tmp_path / "secret_key") == first
    assert len(first) >= 50


def test_only_its_owner_can_read_the_key(tmp_path: Path) -> None:
    secret_key.load_or_create(tmp_path / "secret_key")

    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_all_who_start_at_once_get_the_same_key_and_leave_no_drafts(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(secret_key.load_or_create, [tmp_path / "secret_key"] * 64))

    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]
