"""What lies in the import folders: folders first, and nothing that leads out of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from transfers import import_folders
from transfers.import_folders import look_into, top
from transfers.import_roots import PathNotAllowed


@pytest.fixture
def root(tmp_path: Path, settings: Settings) -> Path:
    root = tmp_path / "import"
    root.mkdir()
    settings.IMPORT_ROOTS = [str(root)]
    return root


def names(path: Path) -> list[str]:
    return [entry.name for entry in look_into(str(path)).entries]


def test_at_the_top_are_the_import_folders(root: Path) -> None:
    assert [entry.path for entry in top().entries] == [str(root)]


def test_folders_come_before_files_each_by_name(root: Path) -> None:
    for name in ("b.dcm", "A.dcm"):
        (root / name).touch()
    for name in ("second", "First"):
        (root / name).mkdir()

    assert names(root) == ["First", "second", "A.dcm", "b.dcm"]


def test_of_a_file_the_folder_is_shown_that_it_lies_in(root: Path) -> None:
    (root / "study.zip").touch()

    assert look_into(str(root / "study.zip")).path == str(root)


def test_one_level_up_leads_to_the_folder_above_and_from_a_root_to_the_top(root: Path) -> None:
    (root / "inner").mkdir()

    assert look_into(str(root / "inner")).parent == str(root)
    assert look_into(str(root)).parent == ""


def test_links_are_shown_only_where_they_stay_inside(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (root / "inside").mkdir()
    (root / "good").symlink_to(root / "inside")
    (root / "bad").symlink_to(tmp_path / "outside")
    (root / "broken").symlink_to(root / "nothing")

    assert names(root) == ["good", "inside"]


def test_hidden_files_are_not_shown(root: Path) -> None:
    (root / ".hidden").touch()

    assert names(root) == []


@pytest.mark.parametrize("path", ["..", "../..", "missing", "/etc", "relative", "nul\0"])
def test_nothing_else_is_shown_or_told_apart(root: Path, path: str) -> None:
    asked = path if path in {"/etc", "relative"} else f"{root}/{path}"

    with pytest.raises(PathNotAllowed, match="is not in one of the import folders"):
        look_into(asked)


def test_a_folder_that_is_too_full_is_cut(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_folders, "ENTRIES_MAXIMUM", 2)
    for name in "abc":
        (root / name).touch()

    folder = look_into(str(root))

    assert ([entry.name for entry in folder.entries], folder.is_cut) == (["a", "b"], True)
