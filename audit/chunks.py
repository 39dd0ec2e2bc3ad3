"""Many values, a bounded number at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

CHUNK_ROWS = 500
"""How many values one statement names (SQLite bounds the number of its parameters)."""

_Value = TypeVar("_Value")


def chunks(values: Sequence[_Value], size: int = CHUNK_ROWS) -> Iterator[Sequence[_Value]]:
    return (values[start : start + size] for start in range(0, len(values), size))
