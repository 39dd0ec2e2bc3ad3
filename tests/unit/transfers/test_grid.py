"""The picture of the grid: every instance is in it once, in its place."""

from __future__ import annotations

import re
from pathlib import Path as File

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.cells import WORDS, WORST_FIRST, Cell
from transfers.grid import CELLS_MAXIMUM, Grid, Path, Run, count, draw, runs_in

GRID_JS = File(__file__).parents[3] / "static" / "js" / "grid.js"
CELLS = st.text("".join(Cell), max_size=400)


def painted(grid: Grid) -> dict[int, str]:
    """The word of each cell, by its number."""
    cells: dict[int, str] = {}
    for path in grid.paths:
        for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)", path.d):
            first = int(y) * grid.columns + int(x)
            assert int(x) + int(length) <= grid.columns
            for number in range(first, first + int(length)):
                assert number not in cells
                cells[number] = path.outcome
    return cells


def test_runs_are_lines_and_each_outcome_is_one_path() -> None:
    grid = draw("cccrrc")

    assert grid == Grid(60, 1, 6, 1, [Path("refuted", "M3 0h2"), Path("confirmed", "M0 0h3M5 0h1")])


def test_a_run_ends_with_its_row() -> None:
    (path,) = draw("c" * 130).paths

    assert path.d == "M0 0h60M0 1h60M0 2h10"


@given(CELLS)
def test_every_instance_is_in_the_picture_once(cells: str) -> None:
    grid = draw(cells)

    assert painted(grid) == {position: WORDS[Cell(letter)] for position, letter in enumerate(cells)}
    assert len(cells) <= grid.columns * grid.rows < len(cells) + grid.columns


@pytest.mark.parametrize(("instances", "columns"), [(0, 60), (1_000, 60), (1_001, 80), (2_501, 120), (5_000, 120)])
def test_a_larger_study_has_longer_rows(instances: int, columns: int) -> None:
    assert draw("." * instances).columns == columns


def test_where_a_cell_stands_for_several_instances_the_worst_gives_its_colour() -> None:
    cells = "c" * 19_998 + "ru"

    grid = draw(cells)

    assert (grid.per_cell, grid.instances, len(painted(grid))) == (4, 20_000, CELLS_MAXIMUM)
    assert painted(grid)[4_999] == "refuted"
    assert painted(grid)[4_998] == "confirmed"


def test_the_legend_counts_what_there_is() -> None:
    counts = count("ccr.")

    assert {word: number for word, number in counts.items() if number} == {"refuted": 1, "pending": 1, "confirmed": 2}
    assert list(counts) == list(WORDS.values())


@given(CELLS)
def test_the_runs_tell_the_same_as_the_picture(cells: str) -> None:
    told = [(run.outcome, position) for run in runs_in(cells) for position in range(run.first, run.last + 1)]

    assert told == [(WORDS[Cell(letter)], position) for position, letter in enumerate(cells)]


def test_a_run_names_its_first_and_last_position() -> None:
    assert runs_in("ccrr") == [Run("confirmed", 0, 1), Run("refuted", 2, 3)]


def test_the_browser_knows_the_same_letters_words_and_order() -> None:
    (table,) = re.findall(r"const WORDS = \{(.*?)\};", GRID_JS.read_text(encoding="utf-8"), re.DOTALL)
    entries = re.findall(r'(?:"(.)"|(\w)): "([\w-]+)"', table)

    assert [(quoted or bare, word) for quoted, bare, word in entries] == [
        (cell.value, WORDS[cell]) for cell in WORST_FIRST
    ]
