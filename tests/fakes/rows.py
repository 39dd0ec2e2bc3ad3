"""Ways to make a C-FIND list wrong, for `Script.rows`: from the request and the right rows to what is sent instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import cycle

from tests.fakes.script import FindRequest, Row

Rewrite = Callable[[FindRequest, list[Row]], Iterable[Row]]


def capped(count: int) -> Rewrite:
    """No more rows than this, as if there were no more."""
    return lambda _, rows: rows[:count]


def repeated(times: int) -> Rewrite:
    """Every row so many times."""
    return lambda _, rows: [row for row in rows for _ in range(times)]


def endless(request: FindRequest, rows: list[Row]) -> Iterator[Row]:
    """The right rows over and over; the list never ends."""
    return cycle(rows)


def invented(*others: Row, level: str = "IMAGE") -> Rewrite:
    """Rows of things nobody asked for, after the right ones."""
    return lambda request, rows: [*rows, *others] if request.level == level else rows


def altered(**values: str) -> Rewrite:
    """Every row with these values, such as another StudyInstanceUID."""
    return lambda _, rows: [row | values for row in rows]


def without(*keywords: str) -> Rewrite:
    """Every row with nothing under these keywords."""
    return lambda _, rows: [row | dict.fromkeys(keywords, "") for row in rows]


def yes_to_every_direct_question(request: FindRequest, rows: list[Row]) -> list[Row]:
    """Whatever SOP Instance UID is asked for by name is said to be there."""
    if not request.is_direct:
        return rows
    asked = {keyword: values[0] for keyword, values in request.keys.items() if values}
    return [asked | {"SOPInstanceUID": uid} for uid in request.keys["SOPInstanceUID"]]


def blind_to_keys(everything: Iterable[Row]) -> Rewrite:
    """Ignores every key and lists all it has: what a peer without matching on UIDs does."""
    every_row = list(everything)
    return lambda *_: every_row


def in_turn(*rewrites: Rewrite) -> Rewrite:
    """One after the other."""

    def rewrite(request: FindRequest, rows: list[Row]) -> Iterable[Row]:
        for each in rewrites:
            rows = list(each(request, rows))
        return rows

    return rewrite
