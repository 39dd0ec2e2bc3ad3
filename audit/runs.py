"""Ascending numbers as runs, [first, count] each: thousands of row ids in a few characters. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

Run = Sequence[int]
"""First number, count."""


def runs_of(numbers: Iterable[int]) -> list[list[int]]:
    """The numbers, which ascend, as runs."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][0] + runs[-1][1]:
            runs[-1][1] += 1
        else:
            runs.append([number, 1])
    return runs


def numbers_of(runs: Iterable[Run]) -> Iterator[int]:
    for first, count in runs:
        yield from range(first, first + count)


def count_of(runs: Iterable[Run]) -> int:
    return sum(count for _, count in runs)


def text_of(runs: Sequence[Run]) -> str:
    """For people: "1201 to 1400, 1502"; of many runs the first and the last number."""
    if len(runs) > 3:
        return f"{runs[0][0]} to {runs[-1][0] + runs[-1][1] - 1}"
    return ", ".join(str(first) if count == 1 else f"{first} to {first + count - 1}" for first, count in runs)
