"""What the browser and the API may send from this machine's disks, and what not."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from transfers.import_roots import PathNotAllowed, confined, import_roots, root_by_name


@pytest.fixture
def root(tmp_path: Path, settings: Settings) -> Path:
    root = tmp_path / "studies"
    (root / "mr").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    settings.IMPORT_ROOTS = [str(root)]
    return root


def test_a_folder_under_an_import_root_is_allowed(root: Path) -> None:
    assert confined(root / "mr") == root / "mr"
    assert confined(str(root)) == root
    assert root_by_name(root / "mr") == root


@pytest.mark.parametrize("path", ["../secret", "mr/../../secret", "nowhere", "mr\0", "../studies-too"])
def test_whatever_leads_out_or_is_not_there_is_refused_alike(root: Path, path: str) -> None:
    with pytest.raises(PathNotAllowed):
        confined(f"{root}/{path}")


def test_a_link_that_leads_out_is_refused(root: Path) -> None:
    (root / "link").symlink_to(root.parent / "secret")

    with pytest.raises(PathNotAllowed):
        confined(root / "link")


def test_a_relative_path_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)

    with pytest.raises(PathNotAllowed):
        confined("mr")


def test_a_root_that_is_reached_by_a_link_is_taken_for_what_it_is(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "real" / "ct").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    settings.IMPORT_ROOTS = [str(tmp_path / "link")]

    assert confined(tmp_path / "link" / "ct") == tmp_path / "real" / "ct"


def test_a_root_that_is_not_there_allows_nothing(tmp_path: Path, settings: Settings) -> None:
    settings.IMPORT_ROOTS = [str(tmp_path / "later")]

    assert import_roots() == ()
    with pytest.raises(PathNotAllowed):
        confined(tmp_path)


def test_without_roots_nothing_is_allowed(tmp_path: Path, settings: Settings) -> None:
    settings.IMPORT_ROOTS = []

    with pytest.raises(PathNotAllowed):
        confined(tmp_path)


def test_the_root_of_a_path_that_became_a_link_is_still_the_one_it_names(root: Path) -> None:
    (root / "mr").rmdir()
    (root / "mr").symlink_to(root.parent / "secret")

    assert root_by_name(root / "mr") == root
    with pytest.raises(PathNotAllowed):
        confined(root / "mr")


@pytest.mark.parametrize("path", ["secret", "studies-too", ""])
def test_a_path_that_names_no_root_has_none(root: Path, path: str) -> None:
    with pytest.raises(PathNotAllowed):
        root_by_name(root.parent / path)
