"""The grid of instances as a picture: a cell an instance, in the order of the manifest, runs of them as lines. Pure."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from audit.cells import WORDS, WORST_FIRST, Cell

CELLS_MAXIMUM = 5_000
"""Beyond that a cell stands for several instances, and shows the worst of them."""
_COLUMNS = ((1_000, 60), (2_500, 80), (CELLS_MAXIMUM, 120))
"""Up to so many cells, so many in a row."""
_RUN = re.compile(r"(.)\1*")

_RANKS = str.maketrans({cell.value: chr(rank) for rank, cell in enumerate(WORST_FIRST)})
"""So that the least of several letters is the worst."""


class Path(NamedTuple):
    """All runs of one outcome: "M3 0h5" is five cells in the first row, from the fourth on."""

    outcome: str
    d: str


class Grid(NamedTuple):
    columns: int
    rows: int
    instances: int
    per_cell: int
    paths: list[Path]


class Run(NamedTuple):
    """Instances one after another of which the same is shown."""

    outcome: str
    first: int
    """Its position, from 0."""
    last: int

    @property
    def positions(self) -> range:
        return range(self.first, self.last + 1)


def draw(cells: str) -> Grid:
    """From the letters of `audit.cells`."""
    per_cell = max(1, -(-len(cells) // CELLS_MAXIMUM))
    shown = cells if per_cell == 1 else _worst_of(cells, per_cell)
    columns = next(columns for maximum, columns in _COLUMNS if len(shown) <= maximum)
    lines: dict[str, list[str]] = {cell.value: [] for cell in WORST_FIRST}
    for row, start in enumerate(range(0, len(shown), columns)):
        for run in _RUN.finditer(shown, start, min(start + columns, len(shown))):
            lines[run[1]].append(f"M{run.start() - start} {row}h{run.end() - run.start()}")
    paths = [Path(WORDS[Cell(letter)], "".join(runs)) for letter, runs in lines.items() if runs]
    return Grid(columns, -(-len(shown) // columns), len(cells), per_cell, paths)


def count(cells: str) -> dict[str, int]:
    """How many instances are shown how, the worst first; none, too: there may be some the next moment."""
    counted = Counter(cells)
    return {WORDS[cell]: counted[cell.value] for cell in WORST_FIRST}


def runs_in(cells: str) -> list[Run]:
    """The picture in words: what lies from where to where."""
    return [Run(WORDS[Cell(run[1])], run.start(), run.end() - 1) for run in _RUN.finditer(cells)]


def _worst_of(cells: str, per_cell: int) -> str:
    ranks = cells.translate(_RANKS)
    worst = (min(ranks[start : start + per_cell]) for start in range(0, len(ranks), per_cell))
    return "".join([WORST_FIRST[ord(rank)].value for rank in worst])
